"""Methods that take the place of one of a base.

In: the declarations of both. Out: whether one can be called just as the other; a refusal where that must be so. Of a
method that is overridden by one that is called otherwise (it has more parameters, other types, other defaults), each
call chooses between the classes itself: `call_of_each`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from krait.check import hir
from krait.check.coerce import adapt, is_of
from krait.check.context import Context
from krait.check.flow import Flow, join
from krait.check.relations import derives
from krait.check.signatures import OPEN_RESULT, signature
from krait.check.types import (
    NONE,
    ClassDecl,
    ClassType,
    FunctionDecl,
    Optional,
    Parameter,
    Primitive,
    Type,
    ancestor,
    base_of,
    prune,
    substitute,
)
from krait.check.unions import joined
from krait.check.world import Refusal, World
from krait.diagnostics import Span
from krait.syntax import tree


def check_override(world: World, cls: ClassDecl, method: FunctionDecl) -> None:
    """Refuse a method that takes the place of one of a base, and cannot be called where that is."""
    base = base_of(ClassType(cls, cls.type_params))
    if base is None or method.name == "__init__" or method.kind in ("static", "class"):
        return
    replaced = base.decl.find_setter(method.name) if method.kind == "setter" else base.decl.find_method(method.name)
    if replaced is None:
        return
    chosen = method.kind == "method" and (not method.name.startswith("__") or method.name == "__call__")
    if (method.kind != replaced.kind or not chosen) and not is_alike(world, method, replaced):
        assert replaced.owner is not None
        start = method.node.span
        world.refuse(
            method.module,
            Span(start.start_line, start.start_col, start.start_line, start.start_col + len("def ") + len(method.name)),
            f"`{cls.name}.{method.name}` overrides that of `{replaced.owner.name}`, but is called differently",
            hints=("give it the same parameters and the same result",),
        )


def is_alike(world: World, method: FunctionDecl, replaced: FunctionDecl) -> bool:
    """Return whether a method can be called, as it is, where one of a base is called."""
    key = (method, replaced)
    if key not in world.alike:
        world.alike[key] = True  # what is wrong with a heading is reported where it stands
        with suppress(Refusal):
            world.alike[key] = _is_alike(world, method, replaced)
    return world.alike[key]


def _is_alike(world: World, method: FunctionDecl, replaced: FunctionDecl) -> bool:
    assert replaced.owner is not None and method.owner is not None
    up = ancestor(ClassType(method.owner, method.owner.type_params), replaced.owner)
    assert up is not None
    own, other = signature(world, method), signature(world, replaced)
    if method.kind != replaced.kind or len(method.type_params) != len(replaced.type_params):
        return False
    if len(own.params) != len(other.params):
        return False
    env = dict(zip(replaced.owner.type_params, up.args, strict=True))
    env |= dict(zip(replaced.type_params, method.type_params, strict=False))
    if OPEN_RESULT in (own.result, other.result):
        return False
    return all(
        a.keyword_only == b.keyword_only
        and (a.name == b.name or not a.keyword_only)
        and _same_default(a, b)
        and _fits(substitute(b.type, env), prune(a.type))
        for a, b in zip(own.params, other.params, strict=True)
    ) and _fits(prune(own.result), substitute(other.result, env))


def _same_default(a: Parameter, b: Parameter) -> bool:
    """Return whether a call without the argument means the same."""
    if a.default is None or b.default is None:
        return a.default is b.default
    return _value_of(a.default) == _value_of(b.default) is not None


def _value_of(node: tree.expr) -> object:
    match node:
        case tree.Constant(value=value):
            return type(value), value
        case tree.UnaryOp(op=op, operand=tree.Constant(value=value)):
            return type(op), type(value), value
        case tree.Tuple(elts=()):
            return ()
        case _:
            return None


def _fits(own: Type, base: Type) -> bool:
    """Return whether values of the type ``own`` can stand, as they are, for those of the type ``base``."""
    if isinstance(base, Optional) and not isinstance(own, Primitive):
        own, base = prune(own.inner) if isinstance(own, Optional) else own, prune(base.inner)
    if isinstance(own, ClassType) and isinstance(base, ClassType):
        return derives(own, base)
    return own == base


# --- calls ---------------------------------------------------------------------------------------------------------


def is_chosen(world: World, cls: ClassType, decl: FunctionDecl) -> bool:
    """Return whether calls of a method choose themselves between those that override it."""
    if decl.kind != "method" or decl.module.library or decl.name == "__init__":
        return False
    members = (derived.decl.methods.get(decl.name) for derived in world.subclasses(cls))
    return any(method is not None and not is_alike(world, method, decl) for method in members)


def call_of_each(
    ctx: Context,
    receiver: hir.Expr,
    decl: FunctionDecl,
    call: Callable[[hir.Expr, FunctionDecl, ClassType], hir.Expr],
) -> hir.Expr:
    """Return the call of a method, or of that of the class which the receiver has."""
    t = prune(receiver.type)
    assert isinstance(t, ClassType)
    held, kept = ctx.hold(receiver)
    before, ends = ctx.flow, list[Flow]()
    parts: list[tuple[ClassType, hir.Block, hir.Expr]] = []
    for cls in [t, *ctx.world.subclasses(t)]:
        method = cls.decl.find_method(decl.name)
        assert method is not None
        if cls is not t and decl.name not in cls.decl.methods:
            continue
        ctx.flow = before
        with ctx.collect() as block:
            result = call(hir.Cast(cls, kept) if cls is not t else kept, method, cls)
        parts.append((cls, block, result))
        ends.append(ctx.flow)
    ctx.flow = join(*ends)
    whole = joined([result.type for _, _, result in parts])
    if prune(whole) is NONE:
        body: hir.Block = []
        for cls, block, result in parts:
            one = [*block, hir.Evaluate(ctx.line, result)]
            body = one if cls is t else [hir.If(ctx.line, is_of(ctx, kept, cls), one, body)]
        return hir.Let(NONE, [*held, *body], hir.Const(NONE, None))
    chosen: hir.Expr | None = None
    for cls, block, result in parts:
        fitted = adapt(ctx, result, whole)
        assert fitted is not None
        one_value = hir.Let(whole, block, fitted) if block else fitted
        chosen = one_value if chosen is None else hir.Conditional(whole, is_of(ctx, kept, cls), one_value, chosen)
    assert chosen is not None
    return hir.Let(whole, held, chosen) if held else chosen
