"""f-strings.

In: `JoinedStr`. Out: calls of the library that format each field and put the pieces together, in order.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.coerce import is_none, unwrap
from krait.check.context import Context, expression
from krait.check.invoke import find_method, invoke, text_of
from krait.check.operators import sum_of
from krait.check.set_order import require_order
from krait.check.types import (
    BOOL,
    INT,
    NONE,
    U32,
    U64,
    ClassType,
    Infer,
    Optional,
    Type,
    Union,
    is_object,
    members_of_union,
    prune,
)
from krait.check.unions import by_member, expands_objects
from krait.diagnostics import Span
from krait.syntax import tree

_CONVERSIONS = {-1: "", ord("s"): "__str__", ord("r"): "__repr__", ord("a"): "__repr__"}


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
    return _joined(ctx, parts, node.span)


@expression(tree.FormattedValue)
def formatted_value(ctx: Context, node: tree.FormattedValue, expected: Type | None) -> hir.Expr:
    """A field that stands alone."""
    return text_of(ctx, _field(ctx, node), "__str__", node.span)


def formatted(ctx: Context, value: hir.Expr, spec: hir.Expr, span: Span) -> hir.Expr:
    """Return ``format(value, spec)``: what knows no specifications raises TypeError if it is given one."""
    text, t = ctx.world.str_type, prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(span, "this value")
    if is_object(t) and not expands_objects(ctx):
        return ctx.library("krait.anything", "any_format", [value, spec], text, span)
    held, again = ctx.hold(spec)
    if isinstance(t, Optional):
        before, kept = ctx.hold(value)
        nothing = formatted(ctx, hir.Const(NONE, None), again, span)
        some = formatted(ctx, unwrap(ctx, kept), again, span)
        made: hir.Expr = hir.Conditional(text, is_none(kept), nothing, some)
        return hir.Let(text, [*before, *held], made)
    if isinstance(t, Union):
        before, kept = ctx.hold(value)
        made = by_member(ctx, kept, lambda part: formatted(ctx, part, again, span))
        return hir.Let(text, [*before, *held], made)
    if t is not NONE and find_method(ctx, t, "__format__") is not None:
        return invoke(ctx, value, "__format__", [(spec, span)], span)
    before, kept = ctx.hold(value)
    made = ctx.library("krait.templates", "without_format", [kept, again], text, span, t)
    for cls in ctx.world.subclasses(t) if isinstance(t, ClassType) else ():
        if "__format__" in cls.decl.methods:
            own = invoke(ctx, hir.Cast(cls, kept), "__format__", [(again, span)], span)
            made = hir.Conditional(text, hir.IsInstance(BOOL, kept, cls), own, made)
    return hir.Let(text, [*before, *held], made)


def plain_text(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return ``format(value)``: the text of a value, unless its class has a format of its own."""
    require_order(ctx, value.type, span)
    if any(map(ctx.world.has_own_format, members_of_union(value.type))):
        return formatted(ctx, value, hir.Text(ctx.world.str_type, ""), span)
    return text_of(ctx, value, "__str__", span)


def _joined(ctx: Context, parts: list[hir.Expr], span: Span) -> hir.Expr:
    """Return the text of some parts, texts and ints: measured, then put one behind the other."""
    text = ctx.world.str_type
    if not parts:
        return hir.Text(text, "")
    if len(parts) == 1:
        return text_of(ctx, parts[0], "__str__", span)
    if len(parts) == 2 and INT not in (prune(part.type) for part in parts):
        return sum_of(ctx, parts[0], parts[1], span)
    body: hir.Block = []
    length: hir.Expr = hir.Const(U64, 0)
    kinds: hir.Expr = hir.Const(U32, 1)
    for at, part in enumerate(parts):
        if isinstance(part, hir.Text):
            size: hir.Expr = hir.Const(U64, len(part.value))
            kind: hir.Expr = hir.Const(U32, 1) if part.value.isascii() else hir.FieldGet(U32, part, "kind")
        else:
            local = ctx.temp(part.type)
            body.append(hir.Assign(ctx.line, local, part))
            parts[at] = part = hir.LocalGet(part.type, local)
            is_text = prune(part.type) is not INT
            size = ctx.library("krait.text" if is_text else "krait.int", "text_size", [part], U64, span)
            kind = hir.FieldGet(U32, part, "kind") if is_text else hir.Const(U32, 1)
        length = hir.Op(U64, "i64.add", [length, size])
        kinds = hir.Op(U32, "i32.or", [kinds, kind])
    made, index = ctx.temp(text), ctx.temp(U32)
    whole = hir.LocalGet(text, made)
    body.append(hir.Assign(ctx.line, made, ctx.library("krait.text", "new_joined", [length, kinds], text, span)))
    behind: hir.Expr = hir.Const(U32, 0)
    for part in parts:
        module = "krait.int" if prune(part.type) is INT else "krait.text"
        body.append(hir.Assign(ctx.line, index, ctx.library(module, "placed", [whole, behind, part], U32, span)))
        behind = hir.LocalGet(U32, index)
    return hir.Let(text, body, whole)


def _field(ctx: Context, node: tree.FormattedValue) -> hir.Expr:
    """Return the text of a field, or the int whose text it is."""
    value = ctx.expr(node.value)
    how = _CONVERSIONS[node.conversion]
    plain = node.format_spec is None or not node.format_spec.values
    if plain and prune(value.type) is INT:
        return value
    if how:
        require_order(ctx, value.type, node.value.span)
        value = text_of(ctx, value, how, node.value.span)
    if node.conversion == ord("a"):
        value = ctx.library("krait.templates", "escaped", [value], value.type, node.value.span)
    if plain:
        return plain_text(ctx, value, node.value.span)
    assert node.format_spec is not None
    spec = ctx.expr(node.format_spec)
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(node.value.span, "this value")
    if is_object(t):
        return formatted(ctx, value, spec, node.span)
    if t is NONE or find_method(ctx, t, "__format__") is None:
        raise ctx.refuse(node.span, f"a `{t}` takes no format", "leave the format out, or format its parts")
    return invoke(ctx, value, "__format__", [(spec, node.format_spec.span)], node.span)
