"""Calls of `bytes` and `bytearray`, and of `ord`.

In: syntax. Out: new objects of bytes, from what CPython makes them of: a count, ints, a text with its encoding.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.builtins import builtin, conversion, list_of_items, plain_args
from krait.check.byteslike import as_bytes, byte_kind
from krait.check.coerce import coerce
from krait.check.context import Context
from krait.check.invoke import invoke, try_invoke
from krait.check.types import INT, Local, Type, Union, prune
from krait.check.unions import by_member
from krait.diagnostics import Span
from krait.syntax import tree

_SOURCE = "$octets"


@conversion("bytes")
def to_bytes(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``bytes(…)``."""
    made = ctx.world.library_class("bytes")
    if not node.args:
        return hir.Octets(made, b"")
    source, *more = node.args
    if more or node.keywords:
        encode = tree.Attribute(source, "encode", tree.LOAD, node.span)
        return ctx.expr(tree.Call(encode, tuple(more), node.keywords, node.span))
    value = _source(ctx, source)
    t = prune(value.type)
    if t is INT:
        return ctx.library("krait.bytes", "zeros", [value], made, node.span)
    own = None if byte_kind(t) else try_invoke(ctx, value, "__bytes__", [], node.span)
    fitted = own or as_bytes(ctx, value, node.span)
    assert fitted is not None, "`_source` gives nothing else"
    return fitted


@conversion("bytearray")
def to_bytearray(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``bytearray(…)``."""
    made = ctx.world.library_class("bytearray")
    if len(node.args) != 1 or node.keywords:
        return ctx.library("krait.bytearray", "bytearray_of", [to_bytes(ctx, node, None)], made, node.span)
    value = _source(ctx, node.args[0])
    t = prune(value.type)
    if byte_kind(t) == "bytearray":
        return invoke(ctx, value, "copy", [], node.span)
    if t == ctx.world.list_type(INT):
        return ctx.library("krait.bytearray", "bytearray_of_list", [value], made, node.span)
    octets = ctx.world.library_class("bytes")
    if t is INT:
        value = ctx.library("krait.bytes", "zeros", [value], octets, node.span)
    fitted = coerce(ctx, value, octets, node.args[0].span)
    return ctx.library("krait.bytearray", "bytearray_of", [fitted], made, node.span)


def _source(ctx: Context, node: tree.expr) -> hir.Expr:
    """Return an int, bytes, an object that can become bytes, or a list of what else can be gone through."""
    items = ctx.world.list_type(INT)
    by_form = isinstance(node, tree.GeneratorExp | tree.ListComp | tree.List | tree.Tuple)
    if by_form or (isinstance(node, tree.Call) and isinstance(node.func, tree.Name) and node.func.id in _LAZY):
        return coerce(ctx, list_of_items(ctx, node, node.span, items), items, node.span)
    value = ctx.expr(node)
    t = prune(value.type)
    if t == ctx.world.str_type:
        raise ctx.refuse(node.span, "a text needs an encoding to become bytes", "write `text.encode()`")
    if t is INT or byte_kind(t) or t == items or ctx.world.find_method(t, "__bytes__") is not None:
        return value
    local = Local(_SOURCE, t)
    ctx.function.locals.append(local)
    ctx.emit(hir.Assign(ctx.line, local, value))
    with ctx.naming(local):
        return coerce(ctx, list_of_items(ctx, tree.Name(_SOURCE, tree.LOAD, node.span), node.span), items, node.span)


_LAZY = frozenset(("range", "map", "filter", "reversed"))
"""Functions whose result is gone through, not kept."""


@builtin("ord")
def ord_(ctx: Context, node: tree.Call, expected: Type | None) -> hir.Expr:
    """``ord(x)`` of a text or of bytes."""
    (arg,) = plain_args(ctx, node, 1, 1)
    value = ctx.expr(arg)
    if isinstance(prune(value.type), Union):
        return by_member(ctx, value, lambda part: _ord(ctx, part, arg.span))
    return _ord(ctx, value, arg.span)


def _ord(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    if byte_kind(value.type):
        octets = coerce(ctx, as_bytes(ctx, value, span) or value, ctx.world.library_class("bytes"), span)
        return ctx.library("krait.bytes", "only_byte", [octets], INT, span)
    return ctx.library("krait.builtins", "ord", [coerce(ctx, value, ctx.world.str_type, span)], INT, span)
