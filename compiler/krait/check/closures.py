"""Functions within functions, lambdas, and functions as values.

In: syntax. Out: for each function within another one a `hir.Function` that takes its own object first, and what makes
that object: its place in the module's table, then copies and cells of the variables that it uses (`captures`).

Invariant: a function as a value takes all its parameters by position. One that can be called in other ways, a bound
method, a built-in function or a class becomes a lambda around its call where a value is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from krait.check import hir
from krait.check.assignment import assign_name
from krait.check.captures import free_names
from krait.check.coerce import coerce
from krait.check.context import Context, expression
from krait.check.decorators import wrapped_by
from krait.check.function_values import wanted_function
from krait.check.instances import check_nested
from krait.check.nested import declare_nested, nested_decl
from krait.check.scopes import read_function, read_name
from krait.check.signatures import signature
from krait.check.types import (
    U32,
    ClassType,
    FunctionDecl,
    FunctionType,
    Infer,
    Local,
    Parameter,
    Signature,
    Type,
    is_known,
    prune,
)
from krait.check.unification import unify
from krait.syntax import tree


@dataclass(slots=True)
class _Captured:
    """What a function's object holds of the scope around it.

    value: of the field.  local: the variable that it becomes, None if it becomes none.  bound: it surely has a value.
    """

    field: str
    value: hir.Expr
    local: Local | None = None
    bound: bool = True


# --- def -----------------------------------------------------------------------------------------------------------


def define(ctx: Context, node: tree.FunctionDef) -> None:
    """``def`` within a function, or under a condition: its object becomes the value of its name."""
    local = ctx.scope.get(node.name)
    known = local.function if local is not None else None
    decl = known if known is not None and known.node is node else declare_nested(ctx, node)
    sig = signature(ctx.world, decl)
    if known is None and any(param.default is not None or param.keyword_only for param in sig.params):
        raise ctx.later(
            node.args.span,
            "defaults and keyword-only parameters of a function whose name has several meanings",
            "give each function a name of its own",
        )
    extra: list[_Captured] = []
    for param in sig.params:
        if param.default_field is not None and param.default is not None:
            value = coerce(ctx, ctx.expr(param.default, param.type), param.type, param.default.span)
            extra.append(_Captured(param.default_field, value))
    t = FunctionType(tuple(param.type for param in sig.params), sig.result)
    unknown = next((param for param in sig.params if isinstance(prune(param.type), Infer)), None)
    if unknown is not None:  # its calls, which stand behind it, say what it is
        ctx.unknown_met = True
        if local is not None:
            local.type = local.type or t
            ctx.flow = ctx.flow.bind(local)
        hint = f"write `{unknown.name}: int`, for example"
        ctx.refuse(unknown.span, f"the parameter `{unknown.name}` has no type", hint, label="needs an annotation")
        return
    wrapped = wrapped_by(node) if ctx.world.named_functions else None
    shown = ctx.expr(tree.Attribute(wrapped, "__name__", tree.LOAD, wrapped.span)) if wrapped is not None else None
    value = make_function(ctx, decl, t, extra, node.name if known is not None else None, shown)
    assign_name(ctx, node.name, value, node.span, node.span)


def make_function(
    ctx: Context,
    decl: FunctionDecl,
    t: FunctionType,
    extra: Sequence[_Captured],
    own_name: str | None = None,
    shown: hir.Expr | None = None,
) -> hir.Expr:
    """Check a function, and return its object as a value of the type.

    own_name: by which it can call itself.  shown: its ``__name__``, if that is not the name of its declaration.
    """
    assert decl.closure is not None
    cls = ClassType(decl.closure)
    given = {item.local.name for item in extra if item.local is not None}
    held = [*extra, *_capture(ctx, decl.node, {*given, own_name or ""})]
    fields: dict[str, Type] = {"code": U32}
    if ctx.world.named_functions:
        fields["name"] = ctx.world.str_type
    fields.update((item.field, item.value.type) for item in held)
    ctx.world.field_types[cls] = fields

    def enter(inner: Context, own: Local) -> None:
        this = hir.LocalGet(cls, own)
        for item in held:
            if item.local is not None:
                _enter(inner, item, hir.FieldGet(item.value.type, this, item.field))
        if own_name is not None:
            itself = Local(own_name, t, stable=True, function=decl, captured=True)
            inner.emit(hir.Assign(0, itself, hir.Cast(t, this)))
            inner.scope[own_name] = itself
            inner.flow = inner.flow.bind(itself)

    function = check_nested(ctx, decl, enter)
    ctx.need(function.instance, decl.node.span)
    made = ctx.temp(cls)
    kept = hir.LocalGet(cls, made)
    body: hir.Block = [
        hir.Assign(ctx.line, made, hir.New(cls, None, decl.node.span.start_line)),
        hir.FieldSet(ctx.line, kept, "code", hir.FunctionIndex(U32, function.instance)),
    ]
    if ctx.world.named_functions:
        name = shown or hir.Text(ctx.world.str_type, decl.node.name.partition(" (")[0])
        body.append(hir.FieldSet(ctx.line, kept, "name", name))
    body += [hir.FieldSet(ctx.line, kept, item.field, item.value) for item in held]
    return hir.Let(t, body, hir.Cast(t, kept))


def _enter(inner: Context, item: _Captured, value: hir.Expr) -> None:
    """Declare a variable that a function's object brings along."""
    local = item.local
    assert local is not None
    inner.emit(hir.Assign(0, local.cell if local.cell is not None else local, value))
    inner.scope[local.name] = local
    if item.bound:
        inner.flow = inner.flow.bind(local)


def _capture(ctx: Context, node: tree.FunctionDef, own: set[str]) -> list[_Captured]:
    """Return what a function uses of the scope around it."""
    found: list[_Captured] = []
    for name in sorted(free_names(node) - own):
        local = ctx.scope.get(name)
        if local is None:
            continue
        if local.type is None:
            local.type = ctx.seeds.get(local)
        inner = Local(name, local.type, annotated=local.annotated, span=local.span, typed_at=local.typed_at)
        inner.captured, inner.broken, inner.function = True, local.broken, local.function
        if local.cell is not None:
            ctx.unknown_met = ctx.unknown_met or local.type is None
            assert local.cell.type is not None
            inner.cell = Local(f"{name} cell", local.cell.type)
            cell = hir.LocalGet(local.cell.type, local.cell)
            found.append(_Captured(f"captured {name}", cell, inner, ctx.flow.is_bound(local)))
        elif local.stable or name.startswith("$"):
            place = tree.Name(name, tree.LOAD, node.span)
            value = read_function(ctx, local, place) if local.function is not None else read_name(ctx, place)
            inner.type, inner.stable = value.type, True
            found.append(_Captured(f"captured {name}", value, inner))
        else:
            hint = f"keep its value in a variable of its own before: `kept = {name}`"
            raise ctx.later(node.span, f"the use of `{name}` in this function, since it may change later", hint)
    return found


# --- lambda --------------------------------------------------------------------------------------------------------


@expression(tree.Lambda)
def lambda_(ctx: Context, node: tree.Lambda, expected: Type | None) -> hir.Expr:
    """``lambda a, b=1: value``: the context says what it takes, or the calls of the variable that it is assigned to."""
    arguments = node.args
    is_written = ctx.text_at(node.span).startswith("lambda")
    name, ctx.lambda_name = "<lambda>" if is_written else ctx.lambda_name, ""
    for extra in (arguments.vararg, arguments.kwarg, *arguments.kwonlyargs):
        if extra is not None:
            raise ctx.later(extra.span, "`*`, `**` and keyword-only parameters of a lambda", "write a `def`")
    listed = [*arguments.posonlyargs, *arguments.args]
    required = len(listed) - len(arguments.defaults)
    wanted = wanted_function(expected)
    if wanted is not None and not required <= len(wanted.params) <= len(listed):
        count = f"{len(wanted.params)} argument{'' if len(wanted.params) == 1 else 's'}"
        raise ctx.refuse(node.span, f"expected a function that takes {count}, found one that takes {required}")
    arity = len(wanted.params) if wanted is not None else required
    key = f"lambda {node.span.start_line}:{node.span.start_col}:{node.span.end_col}"
    place = (ctx.module.name, "<lambda>", key)
    seed = ctx.known_lambdas.get(key) or ctx.world.given_type(place)
    t = FunctionType(
        wanted.params if wanted is not None else tuple(Infer() for _ in range(arity)),
        wanted.result if wanted is not None else Infer(),
    )
    if isinstance(seed, FunctionType):
        for own, learned in zip(t.params, seed.params, strict=True):
            if isinstance(prune(own), Infer):
                unify(own, learned)
    ctx.lambdas[key] = t
    unknown = next((arg for arg, own in zip(listed, t.params, strict=False) if not is_known(own)), None)
    if unknown is not None:
        ctx.unknown_met = True
        ctx.world.found_given[place] = [t]
        what = "what this function is called with" if unknown.arg.startswith("$") else f"the type of `{unknown.arg}`"
        hint = "say it where the function is assigned: `f: Callable[[int], int] = …`"
        ctx.refuse(unknown.span, f"{what} is not known here", hint)
        return hir.Const(t, None)
    return _lambda(ctx, node, t, listed, arity, name)


def _lambda(
    ctx: Context, node: tree.Lambda, t: FunctionType, listed: Sequence[tree.arg], arity: int, name: str
) -> hir.Expr:
    params = tuple(
        Parameter(arg.arg, own, None, False, True, arg.span) for arg, own in zip(listed, t.params, strict=False)
    )
    extra: list[_Captured] = []
    defaults = node.args.defaults[len(node.args.defaults) - (len(listed) - arity) :] if len(listed) > arity else ()
    for arg, default in zip(listed[arity:], defaults, strict=True):
        value = ctx.expr(default)
        extra.append(_Captured(f"default {arg.arg}", value, Local(arg.arg, value.type, annotated=True, span=arg.span)))
    shape = tree.FunctionDef("<lambda>", node.args, (tree.Return(node.body, node.body.span),), (), None, (), node.span)
    decl = nested_decl(ctx, shape)
    decl.signature = Signature(params, t.result)
    return make_function(ctx, decl, t, extra, shown=hir.Text(ctx.world.str_type, name))
