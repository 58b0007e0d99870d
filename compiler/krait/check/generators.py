"""Generator functions and generator expressions.

In: `yield` statements, the typed tree of a body that has them. Out: two functions: one that makes the generator's
object, an `Iterator`, and one that runs the body up to the next item (`machine`).
"""

from __future__ import annotations

from krait.check import hir
from krait.check.coerce import coerce
from krait.check.context import Context
from krait.check.decorators import MANAGED
from krait.check.iteration import for_each
from krait.check.machine import build
from krait.check.signatures import declared_fields, field_type
from krait.check.types import (
    BOOL,
    NONE,
    U32,
    ClassDecl,
    ClassType,
    FunctionDecl,
    Infer,
    Instance,
    Local,
    Type,
    prune,
    unify,
)
from krait.check.world import World
from krait.diagnostics import Span
from krait.syntax import tree

_ITEM = "$item"


def iterator_type(world: World, item: Type) -> ClassType:
    """Return the type ``Iterator[item]``."""
    decl = world.library_symbol("krait.iterator", "Iterator")
    assert isinstance(decl, ClassDecl)
    return ClassType(decl, (item,))


def _is_managed(function: hir.Function) -> bool:
    """Return whether a context manager runs the generator, so that it is run to its end."""
    return function.instance.decl.name.endswith(MANAGED)


def begin(ctx: Context, heading: Span) -> None:
    """Prepare the check of the body of a generator function: what its heading promises is what it yields."""
    result = prune(ctx.function.result)
    if isinstance(result, Infer):
        found = iterator_type(ctx.world, Infer())
        unify(result, found)
        result = found
    if not isinstance(result, ClassType) or result.decl is not iterator_type(ctx.world, NONE).decl:
        raise ctx.refuse(
            heading,
            f"a function with `yield` returns an iterator, not `{result}`",
            "write `-> Iterator[int]:`, for example",
        )
    ctx.yields = result.args[0]
    ctx.function.result = NONE


def finish(ctx: Context) -> None:
    """Turn the checked body of a generator function into the two functions that it becomes."""
    assert ctx.yields is not None
    function, world = ctx.function, ctx.world
    result = iterator_type(world, ctx.yields)
    decl = function.instance.decl
    shape = tree.ClassDef("generator", (), (), (), (), (), decl.node.span)
    base = result.decl
    if _is_managed(function):
        managed = world.library_symbol("krait.iterator", "Managed")
        assert isinstance(managed, ClassDecl)
        base = managed
    cls = ClassType(ClassDecl("generator", decl.module, shape, base=base, base_args=result.args))
    thrown = field_type(world, ClassType(base, result.args), "_thrown")
    own = Local("$generator", cls)
    made: list[Local] = [own]
    machine = build(function.body, function.params, cls, made, thrown)
    fields = dict(declared_fields(world, ClassType(base, result.args)))
    fields["_current"] = ctx.yields
    fields.update((name, local.type) for local, name in machine.kept.items() if local.type is not None)
    world.field_types[cls] = fields
    resumed = FunctionDecl(decl.name, decl.module, decl.node, None, "nested", closure=cls.decl)
    resume = hir.Function(Instance(resumed), function.name, function.module, [own], BOOL, function.line, machine.body)
    resume.locals = [*function.params, *function.locals, *made[1:]]
    resume.callees = [*function.callees]
    function.nested.append(resume)
    _make_object(function, resume.instance, cls, result, machine.kept)


def _make_object(
    function: hir.Function, resume: Instance, cls: ClassType, result: ClassType, kept: dict[Local, str]
) -> None:
    """Give a generator function the body that makes its object."""
    params = [Local(local.name, local.type) for local in function.params]
    local = Local("$", cls)
    target = hir.LocalGet(cls, local)
    body: hir.Block = [
        hir.Assign(function.line, local, hir.New(cls, None, function.line)),
        hir.FieldSet(0, target, "code", hir.FunctionIndex(U32, resume)),
    ]
    for given, old in zip(params, function.params, strict=True):
        if old in kept and given.type is not None:
            body.append(hir.FieldSet(0, target, kept[old], hir.LocalGet(given.type, given)))
    body.append(hir.Return(0, hir.Cast(result, target)))
    function.params[:], function.locals[:], function.body[:] = params, [local], body
    function.callees[:] = [(resume, function.instance.decl.node.span)]
    function.result = result


# --- yield ---------------------------------------------------------------------------------------------------------


def yield_statement(ctx: Context, node: tree.Yield | tree.YieldFrom) -> None:
    """``yield value`` and ``yield from items``, as statements."""
    _check_place(ctx, node)
    assert ctx.yields is not None
    if isinstance(node, tree.YieldFrom):
        _yield_from(ctx, node)
        return
    value = hir.Const(NONE, None) if node.value is None else ctx.expr(node.value, ctx.yields)
    if ctx.results is not None:
        ctx.results.append(value.type)
        return
    where = node.span if node.value is None else node.value.span
    ctx.emit(hir.Yield(node.span.start_line, coerce(ctx, value, ctx.yields, where)))


def _yield_from(ctx: Context, node: tree.YieldFrom) -> None:
    item = Local(_ITEM, span=node.span)
    ctx.function.locals.append(item)
    hidden = ctx.scope.get(_ITEM)
    ctx.scope[_ITEM] = item
    read = tree.Yield(tree.Name(_ITEM, tree.LOAD, node.value.span), node.span)

    def each() -> None:
        yield_statement(ctx, read)

    try:
        for_each(ctx, tree.Name(_ITEM, tree.STORE, node.value.span), node.value, each, (), ())
    finally:
        if hidden is None:
            del ctx.scope[_ITEM]
        else:
            ctx.scope[_ITEM] = hidden


def _check_place(ctx: Context, node: tree.expr) -> None:
    if ctx.yields is None:
        raise ctx.refuse(node.span, "`yield` outside a function")
    if ctx.finals and not _is_managed(ctx.function):
        raise ctx.refuse(
            node.span,
            "not part of Krait: `yield` within `try … finally` or `with`",
            "CPython runs the `finally` when the last reference goes, which a collector cannot promise: "
            "collect the items in a list",
        )
    if ctx.caught:
        raise ctx.later(node.span, "`yield` within `except`", "note what happened, and yield behind it")
