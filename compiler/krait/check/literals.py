"""Comparisons of texts with literals, which need no call.

In: a checked text, and the value of a literal. Out: for a short literal of Latin-1 characters, loads and comparisons
with constants (the methods of `str` in `krait/str.kr` that they are made of say how a text lies in memory).
"""

from __future__ import annotations

import struct

from krait.check import hir
from krait.check.context import Context
from krait.check.invoke import invoke
from krait.check.types import BOOL, U32, U64
from krait.diagnostics import Span

_SHORT = 4
_MEDIUM = 12
"""Characters whose bytes share a word with the kind of the text, and those of the word behind it too."""
_LATIN1 = 1
"""The kind of a text whose characters are bytes."""


def is_literal(ctx: Context, text: hir.Expr, value: str, span: Span) -> hir.Expr | None:
    """Return whether a text equals a literal; None if that takes the general comparison."""
    if len(value) > _MEDIUM or not _is_latin1(value):
        return None
    if not value:
        return hir.Op(BOOL, "i32.eqz", [hir.FieldGet(U32, text, "length")])
    first, *rest = struct.unpack("<QQ", struct.pack("<I12s", _LATIN1, value.encode("latin-1")))
    if len(value) <= _SHORT:
        return _method(ctx, text, "_is_short", [len(value), first, _mask(4 + len(value))], span)
    return _method(ctx, text, "_is_medium", [len(value), first, *rest, _mask(len(value) - _SHORT)], span)


def is_before_literal(ctx: Context, text: hir.Expr, value: str, span: Span, *, or_equal: bool) -> hir.Expr | None:
    """Return whether a text is less than a literal of one character, or equal; None for other literals."""
    if len(value) != 1 or not _is_latin1(value):
        return None
    return _method(ctx, text, "_is_up_to" if or_equal else "_is_below", [ord(value)], span)


def is_in_literal(ctx: Context, text: hir.Expr, literal: hir.Text, span: Span) -> hir.Expr | None:
    """Return whether a text is part of a literal of ASCII characters; None for other literals."""
    if not literal.value.isascii():
        return None
    bits = sum(1 << point for point in set(map(ord, literal.value)))
    words = (hir.Const(U64, bits % 2**64), hir.Const(U64, bits >> 64))
    return invoke(ctx, text, "_is_among", [*((word, span) for word in words), (literal, span)], span)


def _method(ctx: Context, text: hir.Expr, name: str, values: list[int], span: Span) -> hir.Expr:
    """Return the call of a method whose parameters are a u32, then u64."""
    types = (U32, *(U64 for _ in values[1:]))
    constants = [(hir.Const(t, value), span) for t, value in zip(types, values, strict=True)]
    return invoke(ctx, text, name, constants, span)


def _is_latin1(value: str) -> bool:
    return all(ord(character) < 0x100 for character in value)


def _mask(size: int) -> int:
    """The first bytes of a word."""
    return (1 << 8 * size) - 1
