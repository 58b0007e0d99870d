"""Items of lists and of whatever else has them: `xs[i]`, `xs[i] = v`, `xs[i] += v`.

In: an owner and an index that are already checked. Out: for a list, the address of the element (`list._place` checks
the index) and a load or store there; for others, calls of their methods.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.coerce import coerce, is_none, member_value, negate, unwrap
from krait.check.constants import INT_MAX
from krait.check.context import Context
from krait.check.invoke import find_method, invoke
from krait.check.relations import dict_of
from krait.check.types import BOOL, INT, U32, ClassDecl, ClassType, Primitive, Type, optional, prune
from krait.diagnostics import Span
from krait.syntax import tree

_FARTHEST = 0x7FFFFFFF
_READ = "list index out of range"
_WRITE = "list assignment index out of range"


def list_item_type(ctx: Context, t: Type) -> Type | None:
    """Return the type of a list's items, None if the type is not a list's."""
    t = prune(t)
    return t.args[0] if isinstance(t, ClassType) and t.decl is ctx.world.list_type(INT).decl else None


def key_type(ctx: Context, t: Type) -> Type | None:
    """Return the type of a dict's keys, None if the type is not a dict's."""
    found = dict_of(ctx.world, t)
    return found.args[0] if found is not None else None


def read_item(ctx: Context, owner: hir.Expr, index: hir.Expr, where: Span, span: Span) -> hir.Expr:
    """Return ``owner[index]``, where the index may be a slice that is a value."""
    by_slice = value_bounds(ctx, index) if find_method(ctx, owner.type, "_slice_step") is not None else None
    if by_slice is not None:
        held, bounds = by_slice
        made = invoke(ctx, owner, "_slice_step", [(bound, where) for bound in bounds], span)
        return hir.Let(made.type, held, made)
    item = list_item_type(ctx, owner.type)
    if item is None:
        return invoke(ctx, owner, "__getitem__", [(index, where)], span)
    return hir.Load(item, place(ctx, owner, index, where, span))


def write_item(
    ctx: Context, owner: hir.Expr, index: hir.Expr, value: hir.Expr, where: Span, value_span: Span, span: Span
) -> None:
    """Emit ``owner[index] = value``. Of a list's item, the value has been evaluated already."""
    item = list_item_type(ctx, owner.type)
    if item is None:
        made = invoke(ctx, owner, "__setitem__", [(index, where), (value, value_span)], span)
        ctx.emit(hir.Evaluate(ctx.line, made))
        return
    address = place(ctx, owner, index, where, span, _WRITE)
    ctx.emit(hir.Store(ctx.line, item, address, coerce(ctx, value, item, value_span)))


def place(
    ctx: Context, owner: hir.Expr, index: hir.Expr, where: Span, span: Span, message: str = _READ
) -> hir.Expr:
    """Return the address of a list's item; IndexError with the message is raised where there is none."""
    text, index = (hir.Text(ctx.world.str_type, message), span), member_value(ctx, index)
    if isinstance(index, hir.Const) and isinstance(index.value, int) and -_FARTHEST <= index.value < 0:
        return invoke(ctx, owner, "_place_back", [(hir.Const(U32, -index.value), where), text], span)
    if isinstance(index, hir.Const) and isinstance(index.value, int) and 0 <= index.value <= _FARTHEST:
        return invoke(ctx, owner, "_place_front", [(hir.Const(U32, index.value), where), text], span)
    return invoke(ctx, owner, "_place", [(index, where), text], span)


def made_slice(ctx: Context, bounds: Sequence[tree.expr | None], span: Span) -> hir.Expr:
    """Return a slice as a value, of start, stop and step."""
    whole, nothing = optional(INT), tree.Constant(None, span)
    given = [coerce(ctx, ctx.expr(part or nothing, whole), whole, span) for part in bounds]
    return ctx.library("krait.slices", "new_slice", given, slice_type(ctx), span)


def slice_type(ctx: Context) -> ClassType:
    """The type of slices as values."""
    decl = ctx.world.library_symbol("krait.slices", "slice")
    assert isinstance(decl, ClassDecl)
    return ClassType(decl)


PLAIN_BOUNDS = ("start", "stop")
"""What `slice_bounds` gives for a slice without a step."""


def takes_slices(ctx: Context, t: Type, method: str) -> bool:
    """Return whether a class of the program has ``__getitem__``, or another such method, which is given slices."""
    cls = prune(t)
    return isinstance(cls, ClassType) and not cls.decl.module.library and cls.decl.find_method(method) is not None


def value_bounds(ctx: Context, index: hir.Expr) -> tuple[hir.Block, list[hir.Expr]] | None:
    """Return the bounds of a slice that is a value as `slice_bounds` gives them with a step, with what evaluates it
    first; None if an index is no slice.
    """
    if prune(index.type) != slice_type(ctx):
        return None
    held, kept = ctx.hold(index)
    found: list[hir.Expr] = []
    for name, default in (("start", 0), ("stop", 0), ("step", 1)):
        bound = hir.FieldGet(optional(INT), kept, f"_{name}")
        found += [negate(is_none(bound))] if name != "step" else []
        found.append(hir.Conditional(INT, is_none(bound), hir.Const(INT, default), unwrap(ctx, bound)))
    return held, found


def slice_bounds(ctx: Context, node: tree.Slice, *, stepped: bool = False) -> list[hir.Expr]:
    """Return start and stop of a slice; with a step, or if ``stepped``: whether there is a start, the start, the same
    of the stop, and the step.
    """
    parts: list[hir.Expr | None] = []
    for part in (node.lower, node.upper, node.step):
        is_absent = part is None or (isinstance(part, tree.Constant) and part.value is None)
        parts.append(None if part is None or is_absent else coerce(ctx, ctx.expr(part), INT, part.span))
    lower, upper, step = parts
    zero = hir.Const(INT, 0)
    if step is None and not stepped:
        return [lower or zero, upper or hir.Const(INT, INT_MAX)]
    given = [hir.Const(BOOL, lower is not None), lower or zero, hir.Const(BOOL, upper is not None), upper or zero]
    return [*given, step or hir.Const(INT, 1)]


def leaves_lists(ctx: Context, value: hir.Expr) -> bool:
    """Return whether the evaluation of an expression certainly changes no list.

    The library's functions of numbers and texts change none, nor do the methods that look at a list.
    """
    for node in hir.walk([value]):
        if isinstance(node, hir.Call):
            decl = node.callee.decl
            looks = decl.name in _LOOKING and decl.owner is not None and decl.owner is ctx.world.list_type(INT).decl
            numbers = all(_is_value(ctx, arg.type) for arg in node.args)
            if not decl.module.library or not (looks or numbers):
                return False
    return True


_LOOKING = frozenset(("_place", "_place_back", "_place_front", "__getitem__", "__len__"))


def _is_value(ctx: Context, t: Type) -> bool:
    t = prune(t)
    return isinstance(t, Primitive) or t == ctx.world.str_type
