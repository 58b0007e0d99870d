"""Sums and multiples of tuples.

In: checked operands. Out: for tuples of known length a new one; else a tuple of any length.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.coerce import adapt
from krait.check.context import Context
from krait.check.displays import make_tuple
from krait.check.invoke import try_invoke
from krait.check.tuples import MAX_LENGTH, field_name, is_tuple, is_vector, plain_tuple
from krait.check.types import INT, ClassType, prune
from krait.check.unions import joined
from krait.diagnostics import Span
from krait.syntax import tree


def tuple_operation(
    ctx: Context, op: tree.operator, left: hir.Expr, right: hir.Expr, span: Span
) -> hir.Expr | None:
    """Return ``left + right``, ``left * right`` if they are made of a tuple of known length, else None."""
    left, right = plain_tuple(left), plain_tuple(right)
    a, b = prune(left.type), prune(right.type)
    if isinstance(op, tree.Mult) and prune(left.type) is INT and _length(right) is not None:
        left, right, a, b = right, left, b, a
    count = _length(left)
    if isinstance(op, tree.Add) and count is not None and _length(right) is not None:
        return _sum(ctx, left, right, span)
    if isinstance(op, tree.Mult) and count is not None and b is INT:
        if isinstance(right, hir.Const) and isinstance(right.value, int):
            if right.value * count <= MAX_LENGTH:
                return _multiple(ctx, left, max(right.value, 0), span)
        vector = _vector(ctx, left, a)
        return None if vector is None else try_invoke(ctx, vector, "__mul__", [(right, span)], span)
    vectors = [t for t in (a, b) if isinstance(t, ClassType) and is_vector(t.decl)]
    if isinstance(op, tree.Add) and len(vectors) == 2 and a != b:
        whole = ctx.world.vector_type(joined([t.args[0] for t in vectors]))
        first, second = adapt(ctx, left, whole), adapt(ctx, right, whole)
        both = first is not None and second is not None
        return try_invoke(ctx, first, "__add__", [(second, span)], span) if first and second and both else None
    if isinstance(op, tree.Add) and count is not None and isinstance(b, ClassType) and is_vector(b.decl):
        fitted = adapt(ctx, left, b)
        return None if fitted is None else try_invoke(ctx, fitted, "__add__", [(right, span)], span)
    return None


def _length(value: hir.Expr) -> int | None:
    t = prune(value.type)
    return len(t.args) if isinstance(t, ClassType) and is_tuple(t.decl) else None


def _sum(ctx: Context, left: hir.Expr, right: hir.Expr, span: Span) -> hir.Expr | None:
    if (_length(left) or 0) + (_length(right) or 0) > MAX_LENGTH:
        raise ctx.refuse(span, f"a tuple has at most {MAX_LENGTH} items", "use a list")
    held_left, a = ctx.hold(left)
    held_right, b = ctx.hold(right)
    made = make_tuple(ctx, [*_items(a), *_items(b)], span)
    return hir.Let(made.type, [*held_left, *held_right], made)


def _multiple(ctx: Context, value: hir.Expr, count: int, span: Span) -> hir.Expr:
    held, kept = ctx.hold(value)
    made = make_tuple(ctx, _items(kept) * count, span)
    return hir.Let(made.type, held, made)


def _items(value: hir.Expr) -> list[hir.Expr]:
    t = prune(value.type)
    assert isinstance(t, ClassType)
    return [hir.FieldGet(item, value, field_name(index)) for index, item in enumerate(t.args)]


def _vector(ctx: Context, value: hir.Expr, t: object) -> hir.Expr | None:
    if not isinstance(t, ClassType) or not t.args:
        return None
    return adapt(ctx, value, ctx.world.vector_type(t.args[0]))
