"""Sets, frozensets and the keys of dicts as what operators and comparisons take: a set.

In: checked operands. Out: calls of the library's `set`, whose result is a frozenset where CPython gives one.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.context import Context
from krait.check.invoke import invoke, try_invoke
from krait.check.types import ClassType, Type, prune
from krait.diagnostics import Span
from krait.syntax import tree

OPERATORS: dict[type[tree.operator], str] = {
    tree.BitOr: "__or__",
    tree.BitAnd: "__and__",
    tree.Sub: "__sub__",
    tree.BitXor: "__xor__",
}


def set_kind(t: Type) -> str:
    """Return ``set``, ``frozenset`` or ``dict_keys`` for such a type, else nothing."""
    t = prune(t)
    if isinstance(t, ClassType) and t.decl.module.name in ("krait.set", "krait.dict"):
        return t.decl.name if t.decl.name in ("set", "frozenset", "dict_keys") else ""
    return ""


def as_set(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return a set, frozenset or keys of a dict as a set; the first two as they are, not copied."""
    t = prune(value.type)
    assert isinstance(t, ClassType)
    made = ctx.world.library_class("set", t.args[0])
    kind = set_kind(t)
    if kind == "frozenset":
        return hir.FieldGet(made, value, "items")
    if kind == "dict_keys":
        keys = invoke(ctx, value, "_list", [], span)
        return ctx.library("krait.set", "set_of_list", [keys], made, span, t.args[0])
    return value


def frozen(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return a frozenset that takes over a new set."""
    t = prune(value.type)
    assert isinstance(t, ClassType)
    made = ctx.world.library_class("frozenset", t.args[0])
    return ctx.library("krait.set", "frozen", [value], made, span, t.args[0])


def set_operation(
    ctx: Context, method: str, left: hir.Expr, right: hir.Expr, span: Span, *, compares: bool = False
) -> hir.Expr | None:
    """Return ``left op right`` if both are like sets, and one is not just a set; else None."""
    kinds = (set_kind(left.type), set_kind(right.type))
    if not all(kinds) or (kinds == ("set", "set")):
        return None
    if compares and method == "__eq__" and kinds == ("frozenset", "frozenset"):
        return None
    held, kept = ctx.hold(as_set(ctx, left, span))
    made = try_invoke(ctx, kept, method, [(as_set(ctx, right, span), span)], span)
    if made is None:
        return None
    result = frozen(ctx, made, span) if kinds[0] == "frozenset" and not compares else made
    return hir.Let(result.type, held, result) if held else result
