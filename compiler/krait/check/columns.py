"""`zip(*rows)`: the columns of rows that are tuples of a known length, or lists.

In: the call as it is written. Out: an expression that a program could have written in its place.
"""

from __future__ import annotations

from krait.check.context import Context
from krait.check.spread import kept_value
from krait.check.tuples import is_tuple
from krait.check.types import ClassType, Intrinsic, prune
from krait.check.vocabulary import LIBRARY
from krait.check.world import Refusal
from krait.diagnostics import Span
from krait.syntax import tree

_ROW = "$row"


def rows_of(ctx: Context, args: tuple[tree.expr, ...], span: Span) -> tree.expr:
    """Return the list of rows that `zip` is given, rows that are tuples of a known length being lists."""
    rows: tree.expr = tree.Call(_library("list", span), (tree.List(args, tree.LOAD, span),), (), span)
    count = _length(ctx, rows)
    if count == 0:
        return rows
    row = tree.List(tuple(_item(at, span) for at in range(count)), tree.LOAD, span)
    return tree.ListComp(row, (_each_row(rows, span),), span)


def columns_of(ctx: Context, targets: tuple[tree.expr, ...], node: tree.expr) -> tree.expr | None:
    """Return what ``a, b = zip(*rows)`` assigns, each column with the type of its items; None for anything else.

    What evaluates the rows is emitted here.
    """
    match node:
        case tree.Call(func=tree.Name(id="zip"), args=(tree.Starred(value=rows, span=span),), keywords=()):
            is_builtin = isinstance(ctx.lookup("zip"), Intrinsic) and "zip" not in ctx.scope
            count = _length(ctx, rows) if is_builtin else 0
        case _:
            return None
    if count != len(targets) or any(isinstance(target, tree.Starred) for target in targets):
        return None
    read = kept_value(ctx, ctx.expr(rows), rows)
    text = tree.Constant(f"not enough values to unpack (expected {count}, got 0)", span)
    error = tree.Call(_library("ValueError", span), (text,), (), span)
    ctx.statement(tree.If(tree.UnaryOp(tree.NOT, read, span), (tree.Raise(error, None, span),), (), span))
    columns = [tree.GeneratorExp(_item(at, span), (_each_row(read, span),), span) for at in range(count)]
    return tree.Tuple(tuple(tree.Call(_library("tuple", span), (part,), (), span) for part in columns), tree.LOAD, span)


def _length(ctx: Context, rows: tree.expr) -> int:
    """How many items each row of a list has, if that is known; else 0."""
    with ctx.world.silence(), ctx.collect():
        try:
            t = prune(ctx.expr(rows).type)
        except Refusal:
            return 0
    row = prune(t.args[0]) if isinstance(t, ClassType) and t.decl.name == "list" and t.decl.module.library else None
    return len(row.args) if isinstance(row, ClassType) and is_tuple(row.decl) else 0


def _library(name: str, span: Span) -> tree.Name:
    return tree.Name(f"{LIBRARY}{name}", tree.LOAD, span)


def _item(at: int, span: Span) -> tree.expr:
    return tree.Subscript(tree.Name(_ROW, tree.LOAD, span), tree.Constant(at, span), tree.LOAD, span)


def _each_row(rows: tree.expr, span: Span) -> tree.comprehension:
    return tree.comprehension(tree.Name(_ROW, tree.STORE, span), rows, (), span)


__all__ = ["columns_of", "rows_of"]
