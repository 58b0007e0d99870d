"""`round`: of numbers, and of objects that say what it means.

In: calls. Out: calls of the library, or of ``__round__``.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.builtins import builtin, plain_args
from krait.check.coerce import coerce, to_int
from krait.check.context import Context
from krait.check.invoke import find_method, invoke, try_invoke
from krait.check.signatures import signature
from krait.check.types import BOOL, FLOAT, INT, NONE, Type, Union, prune
from krait.check.unions import by_member
from krait.diagnostics import Span
from krait.syntax import tree


@builtin("round")
def round_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``round(x)`` and ``round(x, n)``."""
    args = plain_args(ctx, node, 1, 2)
    values = ctx.attempt([(arg, None) for arg in args])
    t = prune(values[0].type)
    if isinstance(t, Union) and len(args) == 1:
        return by_member(ctx, values[0], lambda part: rounded(ctx, part, node.span))
    if isinstance(t, Union) and set(t.members) == {INT, FLOAT}:
        digits = coerce(ctx, values[1], INT, args[1].span)
        return by_member(ctx, values[0], lambda part: _to_digits(ctx, part, digits, node.span))
    first = to_int(values[0]) if t is BOOL else values[0]
    if t not in (INT, BOOL, FLOAT):
        more = [(value, arg.span) for value, arg in zip(values[1:], args[1:], strict=True)]
        made = try_invoke(ctx, first, "__round__", more, node.span) or _rounded_to_digits(ctx, first, more, node.span)
        if made is not None:
            return made
        raise ctx.refuse(args[0].span, f"`round` does not take a `{t}`")
    if len(args) == 1 or prune(values[1].type) is NONE:
        return rounded(ctx, first, node.span)
    return _to_digits(ctx, first, coerce(ctx, values[1], INT, args[1].span), node.span)


def _to_digits(ctx: Context, number: hir.Expr, digits: hir.Expr, span: Span) -> hir.Expr:
    is_float = prune(number.type) is FLOAT
    module = "krait.float" if is_float else "krait.int"
    return ctx.library(module, "round_digits", [number, digits], FLOAT if is_float else INT, span)


def _rounded_to_digits(
    ctx: Context, value: hir.Expr, given: list[tuple[hir.Expr, Span]], span: Span
) -> hir.Expr | None:
    """Return ``round(value)`` of an object whose ``__round__`` has a parameter with a constant default."""
    found = find_method(ctx, value.type, "__round__")
    params = list(signature(ctx.world, found[0]).params) if found is not None else []
    default = params[0].default if len(params) == 1 and not given else None
    if default is None:
        return None
    return try_invoke(ctx, value, "__round__", [(ctx.expr(default, params[0].type), span)], span)


def rounded(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return ``round(value)`` of a number."""
    t = prune(value.type)
    if t not in (INT, BOOL, FLOAT):
        raise ctx.refuse(span, f"`round` does not take a `{t}`")
    if t is FLOAT:
        return invoke(ctx, value, "__round__", [], span)
    return to_int(value) if t is BOOL else value
