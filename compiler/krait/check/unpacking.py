"""What the targets of ``a, b = value`` and ``a, *b = value`` get.

In: targets and a checked value: a tuple, a list, a text, an iterator. Out: an expression for each target; statements
that take the value apart, with CPython's errors for a length that does not fit, are emitted here.
"""

from __future__ import annotations

from collections.abc import Sequence

from krait.check import hir
from krait.check.coerce import coerce, type_of_items
from krait.check.constants import INT_MAX
from krait.check.context import Context
from krait.check.displays import list_of
from krait.check.invoke import find_method, invoke
from krait.check.tuples import field_name, is_tuple, is_vector, plain_tuple
from krait.check.types import BOOL, INT, U32, ClassType, Infer, Local, prune
from krait.diagnostics import Span
from krait.syntax import tree

_GATHERED = ("__next__", "_advance", "_step")
"""Methods of what is gone through from its start: iterators, dicts, sets."""

_ITERABLE = ("__iter__", "__getitem__")
"""Methods of objects of a program's classes that can be gone through."""


def unpacked(ctx: Context, targets: Sequence[tree.expr], value: hir.Expr, span: Span) -> list[hir.Expr]:
    """Return the value for each target; for one with a star, the list that it takes."""
    if any(find_method(ctx, value.type, name) is not None for name in _GATHERED):
        value = _gathered(ctx, value, span)
    value = plain_tuple(value)
    if find_method(ctx, value.type, "_at") is None and any(find_method(ctx, value.type, name) for name in _ITERABLE):
        value = _gathered(ctx, value, span)
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(span, "this value")
    held, kept = ctx.hold(value)
    for part in held:
        ctx.emit(part)
    count = len(targets)
    has_star = any(isinstance(target, tree.Starred) for target in targets)
    if isinstance(t, ClassType) and is_tuple(t.decl) and not has_star:
        if len(t.args) != count:
            raise ctx.refuse(span, f"{count} targets cannot take a tuple of {len(t.args)} items")
        return [hir.FieldGet(item, kept, field_name(index)) for index, item in enumerate(t.args)]
    if has_star:
        items = _around_star(ctx, targets, kept, span)
    else:
        if find_method(ctx, t, "_at") is None:
            raise ctx.refuse(span, f"a `{t}` cannot be unpacked")
        _check_count(ctx, kept, count, span)
        items = [invoke(ctx, kept, "_at", [(hir.Const(U32, index), span)], span) for index in range(count)]
    taken: list[hir.Expr] = []
    for item in items:
        local = ctx.temp(item.type)
        ctx.emit(hir.Assign(ctx.line, local, item))
        taken.append(hir.LocalGet(item.type, local))
    return taken


def _gathered(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return a list of what an iterator gives."""
    local = Local("$iterator", value.type)
    ctx.function.locals.append(local)
    ctx.emit(hir.Assign(ctx.line, local, value))
    item = tree.Name("$each", tree.LOAD, span)
    part = tree.comprehension(tree.Name("$each", tree.STORE, span), tree.Name(local.name, tree.LOAD, span), (), span)
    with ctx.naming(local):
        return ctx.expr(tree.ListComp(item, (part,), span))


def _around_star(ctx: Context, targets: Sequence[tree.expr], kept: hir.Expr, span: Span) -> list[hir.Expr]:
    """Return the items for ``a, *b, c``: the target with the star takes a list of what the others leave."""
    at = next(index for index, target in enumerate(targets) if isinstance(target, tree.Starred))
    behind = len(targets) - at - 1
    t = prune(kept.type)
    if not isinstance(t, ClassType) or not is_tuple(t.decl):
        return _parts_around_star(ctx, kept, at, behind, span)
    count = len(t.args)
    if count < at + behind:
        raise ctx.refuse(span, f"{at + behind} targets cannot take a tuple of {count} items")
    parts: list[hir.Expr] = [hir.FieldGet(item, kept, field_name(index)) for index, item in enumerate(t.args)]
    middle = [(item, span) for item in parts[at : count - behind]]
    common = type_of_items(ctx, middle, None, "the items that a `*` takes")
    fitted = [coerce(ctx, item, common, span) for item, _ in middle]
    return [*parts[:at], list_of(ctx, fitted, common, span), *parts[count - behind :]]


def _parts_around_star(ctx: Context, value: hir.Expr, at: int, behind: int, span: Span) -> list[hir.Expr]:
    """Return the items of a list, text or tuple before a star, the list of those it takes, and those behind it."""
    t = prune(value.type)
    if find_method(ctx, t, "_at") is None:
        raise ctx.refuse(span, f"a `{t}` cannot be unpacked")
    _check_count(ctx, value, at + behind, span, at_least=True)

    def item(position: int) -> hir.Expr:
        return invoke(ctx, value, "__getitem__", [(hir.Const(INT, position), span)], span)

    stop = hir.Const(INT, -behind if behind else INT_MAX)
    rest = invoke(ctx, value, "_slice", [(hir.Const(INT, at), span), (stop, span)], span)
    if t == ctx.world.str_type:
        rest = ctx.library("krait.list", "list_of_str", [rest], ctx.world.list_type(t), span)
    elif isinstance(t, ClassType) and is_vector(t.decl):
        rest = hir.FieldGet(ctx.world.list_type(t.args[0]), rest, "items")
    elif not isinstance(t, ClassType) or t.decl is not ctx.world.list_type(INT).decl:
        rest = _gathered(ctx, rest, span)
    return [*map(item, range(at)), rest, *map(item, range(-behind, 0))]


def _check_count(ctx: Context, value: hir.Expr, count: int, span: Span, *, at_least: bool = False) -> None:
    """Emit CPython's errors for a list or text of another length than there are targets, or of a smaller one."""
    world = ctx.world
    length_local = ctx.temp(INT)
    length = hir.LocalGet(INT, length_local)
    ctx.emit(hir.Assign(ctx.line, length_local, invoke(ctx, value, "__len__", [], span)))
    wanted, least = hir.Const(INT, count), "at least " if at_least else ""
    few = hir.Text(world.str_type, f"not enough values to unpack (expected {least}{count}, got ")
    message = invoke(ctx, few, "__add__", [(invoke(ctx, length, "__str__", [], span), span)], span)
    message = invoke(ctx, message, "__add__", [(hir.Text(world.str_type, ")"), span)], span)
    ctx.emit(hir.If(ctx.line, hir.Op(BOOL, "i64.lt_s", [length, wanted]), ctx.raising("ValueError", message, span), []))
    if at_least:
        return
    many = f"too many values to unpack (expected {count})"
    ctx.emit(hir.If(ctx.line, hir.Op(BOOL, "i64.gt_s", [length, wanted]), ctx.raising("ValueError", many, span), []))
