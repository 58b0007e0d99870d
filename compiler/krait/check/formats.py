"""f-strings.

In: `JoinedStr`. Out: calls of the library that format each field and put the pieces together, in order.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.context import Context, expression
from krait.check.hashing import require_order
from krait.check.invoke import find_method, invoke, text_of
from krait.check.operators import sum_of
from krait.check.types import NONE, Infer, Type, prune
from krait.diagnostics import Span
from krait.syntax import tree

_CONVERSIONS = {-1: "", ord("s"): "__str__", ord("r"): "__repr__"}


@expression(tree.JoinedStr)
def joined_str(ctx: Context, node: tree.JoinedStr, expected: Type | None) -> hir.Expr:
    """``f"…{value!r:spec}…"``."""
    parts: list[hir.Expr] = []
    for item in node.values:
        match item:
            case tree.Constant(value=str(text)):
                part: hir.Expr = hir.Text(ctx.world.str_type, text)
            case tree.FormattedValue():
                part = _field(ctx, item)
            case _:
                part = ctx.expr(item)
        if isinstance(part, hir.Text) and parts and isinstance(parts[-1], hir.Text):
            parts[-1] = hir.Text(part.type, parts[-1].value + part.value)
        elif not (isinstance(part, hir.Text) and not part.value):
            parts.append(part)
    return _concatenated(ctx, parts, node.span)


@expression(tree.FormattedValue)
def formatted_value(ctx: Context, node: tree.FormattedValue, expected: Type | None) -> hir.Expr:
    """A field that stands alone."""
    return _field(ctx, node)


def _concatenated(ctx: Context, parts: list[hir.Expr], span: Span) -> hir.Expr:
    text = ctx.world.str_type
    if not parts:
        return hir.Text(text, "")
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        return sum_of(ctx, parts[0], parts[1], span)
    local = ctx.temp(text)
    kept = hir.LocalGet(text, local)
    body: hir.Block = [hir.Assign(ctx.line, local, parts[0])]
    for part in parts[1:]:  # a text that is appended to grows in place
        body.append(hir.Assign(ctx.line, local, sum_of(ctx, kept, part, span)))
    return hir.Let(text, body, kept)


def _field(ctx: Context, node: tree.FormattedValue) -> hir.Expr:
    if node.conversion not in _CONVERSIONS:
        raise ctx.later(node.span, "the conversion `!a`", "write `!r`")
    value = ctx.expr(node.value)
    how = _CONVERSIONS[node.conversion]
    if how:
        require_order(ctx, value.type, node.value.span)
        value = text_of(ctx, value, how, node.value.span)
    if node.format_spec is None or not node.format_spec.values:
        require_order(ctx, value.type, node.value.span)
        return text_of(ctx, value, "__str__", node.value.span)
    spec = ctx.expr(node.format_spec)
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(node.value.span, "this value")
    if t is NONE or find_method(ctx, t, "__format__") is None:
        raise ctx.refuse(node.span, f"a `{t}` takes no format", "leave the format out, or format its parts")
    return invoke(ctx, value, "__format__", [(spec, node.format_spec.span)], node.span)
