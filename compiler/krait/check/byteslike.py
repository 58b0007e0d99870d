"""Objects of bytes as what the library takes: `bytes`.

In: a checked argument. Out: the same as `bytes`, where CPython takes any object of bytes, or an int for one of them.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.context import Context
from krait.check.types import INT, ClassType, FunctionDecl, Optional, Type, prune
from krait.diagnostics import Span

_OF_ONE_BYTE = frozenset(("find", "rfind", "index", "rindex", "count", "__contains__"))
"""Methods that take an int for a single byte."""


def byte_kind(t: Type) -> str:
    """Return ``bytes`` or ``bytearray`` for these types, else nothing."""
    t = prune(t)
    if isinstance(t, ClassType) and t.decl.module.name == f"krait.{t.decl.name}":
        return t.decl.name if t.decl.name in ("bytes", "bytearray") else ""
    return ""


def as_bytes(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr | None:
    """Return bytes, a bytearray or a list of ints as bytes; None for anything else."""
    kind, made = byte_kind(value.type), ctx.world.library_class("bytes")
    if kind == "bytes":
        return value
    if kind == "bytearray":
        return ctx.library("krait.bytes", "of_bytearray", [value], made, span)
    if prune(value.type) == ctx.world.list_type(INT):
        return ctx.library("krait.bytes", "of_list", [value], made, span)
    return None


def fitted_bytes(ctx: Context, decl: FunctionDecl, value: hir.Expr, wanted: Type, span: Span) -> hir.Expr:
    """Return an argument of a function of the library, as bytes if it takes these and CPython takes more."""
    wanted = prune(wanted)
    if isinstance(wanted, Optional):
        wanted = prune(wanted.inner)
    if not decl.module.library or byte_kind(wanted) != "bytes":
        return value
    if byte_kind(value.type) == "bytearray":
        return as_bytes(ctx, value, span) or value
    if prune(value.type) is INT and decl.name in _OF_ONE_BYTE:
        return ctx.library("krait.bytes", "of_byte", [value], wanted, span)
    return value


__all__ = ["as_bytes", "byte_kind", "fitted_bytes"]
