"""Fields that can be without a value: `__init__` has not given it before others can look, or `del` has taken it away.

In: classes and names of fields. Out: for each such field a mark beside it, a bool; reads ask it, and raise CPython's
AttributeError. A check that finds one that it did not know begins anew with what it has found (`program`), since what
has been checked before has not asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from krait.check import hir
from krait.check.context import Context
from krait.check.types import BOOL, NEVER, ClassDecl, ClassType, Type, prune
from krait.check.world import World
from krait.diagnostics import Span


def note_late(world: World, decl: ClassDecl, names: Iterable[str]) -> None:
    """Note that fields of a class can be without a value."""
    world.found_late |= {(decl, name) for name in names}


def read_late(ctx: Context, owner: hir.Expr, field: Type, name: str, span: Span) -> hir.Expr:
    """Return the value of a field, which may have none."""
    t = prune(owner.type)
    mark = ctx.world.mark_of(t.decl, name) if isinstance(t, ClassType) else None
    if mark is None:
        return hir.FieldGet(field, owner, name)
    held, kept = ctx.hold(owner)
    text = ctx.world.str_type
    parts: list[hir.Expr] = [hir.TypeName(text, kept), hir.Text(text, name)]
    failed = ctx.library("krait.exceptions", "no_attribute", parts, NEVER, span)
    flow = ctx.flow
    body = [*held, hir.If(ctx.line, hir.FieldGet(BOOL, kept, mark), [], [hir.Evaluate(ctx.line, failed)])]
    ctx.flow = flow
    return hir.Let(field, body, hir.FieldGet(field, kept, name))


def mark_late(ctx: Context, owner: hir.Expr, name: str, *, value: bool) -> None:
    """Emit that a field has a value now, or none."""
    t = prune(owner.type)
    mark = ctx.world.mark_of(t.decl, name) if isinstance(t, ClassType) else None
    if mark is not None:
        ctx.emit(hir.FieldSet(ctx.line, owner, mark, hir.Const(BOOL, value)))


def delete_field(ctx: Context, owner: hir.Expr, field: Type, name: str, span: Span) -> None:
    """Emit ``del owner.name``."""
    t = prune(owner.type)
    assert isinstance(t, ClassType)
    note_late(ctx.world, t.decl, [name])
    held, kept = ctx.hold(owner)
    for part in held:
        ctx.emit(part)
    ctx.emit(hir.Evaluate(ctx.line, read_late(ctx, kept, field, name, span)))
    mark_late(ctx, kept, name, value=False)


__all__ = ["delete_field", "mark_late", "note_late", "read_late"]
