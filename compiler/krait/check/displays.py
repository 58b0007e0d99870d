"""Making lists and tuples.

In: values that are already checked. Out: what builds a list or a tuple of them.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.context import Context
from krait.check.invoke import invoke
from krait.check.tuples import field_name, tuple_type
from krait.check.types import U32, ClassType, Type
from krait.diagnostics import Span


def list_of(ctx: Context, values: list[hir.Expr], item: Type, span: Span) -> hir.Expr:
    """Return a new list of ``values``, which are all of the type ``item``."""
    t, made = new_list(ctx, item, len(values), span)
    if not values:
        return made
    local = ctx.temp(t)
    body: hir.Block = [hir.Assign(ctx.line, local, made)]
    for value in values:
        push = invoke(ctx, hir.LocalGet(t, local), "_push", [(value, span)], span)
        body.append(hir.Evaluate(ctx.line, push))
    return hir.Let(t, body, hir.LocalGet(t, local))


def new_list(ctx: Context, item: Type, capacity: int, span: Span) -> tuple[ClassType, hir.Expr]:
    """Return the type of a new, empty list, and the list."""
    t = ctx.world.list_type(item)
    return t, ctx.library("krait.list", "with_capacity", [hir.Const(U32, capacity)], t, span, item)


def make_tuple(ctx: Context, values: list[hir.Expr], span: Span) -> hir.Expr:
    """Return a new tuple of ``values``."""
    t = tuple_type(ctx.world, tuple(value.type for value in values))
    held: hir.Block = []
    kept: list[hir.Expr] = []
    for value in values:
        block, item = ctx.hold(value)
        held += block
        kept.append(item)
    local = ctx.temp(t)
    held.append(hir.Assign(ctx.line, local, hir.New(t, None, span.start_line)))
    held += [hir.FieldSet(ctx.line, hir.LocalGet(t, local), field_name(index), item) for index, item in enumerate(kept)]
    return hir.Let(t, held, hir.LocalGet(t, local))
