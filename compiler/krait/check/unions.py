"""Values of unions: what is asked of one is asked of each type that it may have.

In: a value, and what is to be done with it for one type. Out: a choice between the types at run time. The result has
the type that all have in common, else it is a union itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from krait.check import hir
from krait.check.coerce import adapt, as_known, is_of
from krait.check.context import Context
from krait.check.flow import Flow, join
from krait.check.types import INT, NEVER, NONE, OBJECT, Type, Union, is_object, optional, prune, resolve, union
from krait.check.unification import unify
from krait.diagnostics import Span


def by_member(ctx: Context, value: hir.Expr, act: Callable[[hir.Expr], hir.Expr]) -> hir.Expr:
    """Return what ``act`` makes of a value of a union, once for each of its types."""
    t = prune(value.type)
    assert isinstance(t, Union)
    held, kept = ctx.hold(value)
    before, ends = ctx.flow, list[Flow]()
    parts: list[tuple[Type, hir.Block, hir.Expr]] = []
    for member in _members(ctx, t):
        ctx.flow = before
        with ctx.collect() as block:
            result = act(as_known(ctx, kept, member))
        parts.append((member, block, result))
        ends.append(ctx.flow)
    ctx.flow = join(*ends)
    whole = joined([result.type for _, _, result in parts])
    if whole in (NONE, NEVER):
        return _as_statements(ctx, held, kept, parts, whole)
    chosen: hir.Expr | None = None
    for member, block, result in reversed(parts):
        fitted = adapt(ctx, result, whole)
        assert fitted is not None
        one = hir.Let(whole, block, fitted) if block else fitted
        chosen = one if chosen is None else hir.Conditional(whole, is_of(ctx, kept, member), one, chosen)
    assert chosen is not None
    return hir.Let(whole, held, chosen) if held else chosen


def _members(ctx: Context, t: Union) -> Sequence[Type]:
    """Return the types that a value of a union may have."""
    if t.alias != OBJECT:
        return t.members
    if not expands_objects(ctx):
        message = "an `object` can be compared by `==`, shown, hashed, and tested by `isinstance`, nothing else"
        raise ctx.refuse(ctx.span_of_line(ctx.line), message, "say what it is: `number: int = value`")
    return list(dict.fromkeys(map(resolve, t.members))) or [INT]


def expands_objects(ctx: Context) -> bool:
    """Return whether this is one of the functions that ask something of an ``object``."""
    return ctx.module.name == "krait.anything"


def of_object(ctx: Context, name: str, values: Sequence[hir.Expr], result: Type, span: Span) -> hir.Expr | None:
    """Return the call of what asks something of objects, one of which at least is among the values; else None."""
    if expands_objects(ctx) or not any(is_object(value.type) for value in values):
        return None
    given = [adapt(ctx, value, optional(ctx.world.anything)) for value in values]
    fitted = [value for value in given if value is not None]
    return ctx.library("krait.anything", name, fitted, result, span) if len(fitted) == len(values) else None


def _as_statements(
    ctx: Context, held: hir.Block, kept: hir.Expr, parts: Sequence[tuple[Type, hir.Block, hir.Expr]], whole: Type
) -> hir.Expr:
    """Return the choice where there is no result."""
    body: hir.Block = []
    for member, block, result in reversed(parts):
        one = [*block, hir.Evaluate(ctx.line, result)]
        body = [hir.If(ctx.line, is_of(ctx, kept, member), one, body)] if body else one
    return hir.Let(whole, [*held, *body], hir.Const(whole, None))


def each_pair(
    ctx: Context, left: hir.Expr, right: hir.Expr, act: Callable[[hir.Expr, hir.Expr], hir.Expr]
) -> hir.Expr:
    """Return what ``act`` makes of two values, of which one at least is of a union."""
    held_left, a = ctx.hold(left)
    held_right, b = ctx.hold(right)

    def of_right(part: hir.Expr) -> hir.Expr:
        return by_member(ctx, b, lambda other: act(part, other)) if isinstance(prune(b.type), Union) else act(part, b)

    made = by_member(ctx, a, of_right) if isinstance(prune(a.type), Union) else of_right(a)
    held = [*held_left, *held_right]
    return hir.Let(made.type, held, made) if held else made


def joined(types: Sequence[Type]) -> Type:
    """Return the type of a value that may have one of several types."""
    found: list[Type] = []
    for t in types:
        if prune(t) is not NEVER and not any(unify(other, t) for other in found):
            found.append(t)
    return union(found) if found else NEVER


__all__ = ["by_member", "each_pair", "expands_objects", "joined", "of_object"]
