"""`is`: whether two values are the same object.

In: checked values. Out: comparisons of addresses, which never change. Numbers, texts and tuples have an identity in
CPython too, but which of them are the same object there is an accident.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.byteslike import byte_kind
from krait.check.coerce import as_known, is_none, is_of
from krait.check.context import Context
from krait.check.roots import is_mark
from krait.check.tuples import is_tuple, is_vector
from krait.check.types import (
    BOOL,
    NONE,
    ClassType,
    Infer,
    Optional,
    Primitive,
    Type,
    is_object,
    members_of_union,
    prune,
)
from krait.diagnostics import Span

Spans = tuple[Span, Span, Span]
_WITHOUT = frozenset(("str", "range", "slice", "dict_keys"))
"""Classes of the library whose objects CPython makes anew, or not, as it likes."""


def has_identity(t: Type) -> bool:
    """Return whether CPython says which object a value is: None, or one that can change or be made by a program."""
    return all(map(_is_itself, members_of_union(t)))


def _is_itself(t: Type) -> bool:
    t = prune(t)
    if not isinstance(t, ClassType):
        return False
    if not t.decl.module.library:
        return True
    return not (is_tuple(t.decl) or is_vector(t.decl) or byte_kind(t) == "bytes" or t.decl.name in _WITHOUT)


def identical(ctx: Context, left: hir.Expr, right: hir.Expr, spans: Spans) -> hir.Expr:
    """Return ``left is right``."""
    a, b = prune(left.type), prune(right.type)
    for t, span in ((a, spans[0]), (b, spans[1])):
        if isinstance(t, Infer):
            raise ctx.unknown(span, "this value")
    if a is BOOL and b is BOOL:
        return hir.Op(BOOL, "i32.eq", [left, right])
    for value, other in ((left, right), (right, left)):
        if prune(other.type) is BOOL and not isinstance(prune(value.type), Primitive):
            return _is_bool(ctx, value, other)
    for value, other in ((left, right), (right, left)):
        if is_mark(other.type):
            return _is_the_mark(ctx, value, other)
    if has_identity(a) or has_identity(b):
        for value, other in ((left, right), (right, left)):
            if isinstance(prune(other.type), Primitive):
                return _is_number_or_none(ctx, value, other)
        return hir.Op(BOOL, "i32.eq", [left, right])
    raise ctx.refuse(
        spans[2],
        f"`is` does not compare `{a}` and `{b}`",
        "compare values with `==`",
        label="identity of such values is an accident of the implementation",
    )


def _is_bool(ctx: Context, value: hir.Expr, other: hir.Expr) -> hir.Expr:
    """``value is other`` for a bool, of a value that may be something else."""
    held_other, same = ctx.hold(other)
    held, kept = ctx.hold(value)
    t = prune(value.type)
    if BOOL not in map(prune, members_of_union(t)) and not is_object(t):
        return hir.Let(BOOL, [*held_other, *held], hir.Const(BOOL, False))
    equal_bits = hir.Op(BOOL, "i32.eq", [as_known(ctx, kept, BOOL), same])
    test = is_of(ctx, kept, BOOL)
    if isinstance(t, Optional):
        test = hir.Conditional(BOOL, is_none(kept), hir.Const(BOOL, False), test)
    choice = hir.Conditional(BOOL, test, equal_bits, hir.Const(BOOL, False))
    return hir.Let(BOOL, [*held_other, *held], choice)


def _is_the_mark(ctx: Context, value: hir.Expr, mark: hir.Expr) -> hir.Expr:
    """``value is mark``: that is the only value of its type."""
    t, cls = prune(value.type), prune(mark.type)
    held, kept = ctx.hold(value)
    if cls in map(prune, members_of_union(t)) or is_object(t):
        test: hir.Expr = hir.Const(BOOL, True) if t == cls else is_of(ctx, kept, cls)
        if isinstance(t, Optional):
            test = hir.Conditional(BOOL, is_none(kept), hir.Const(BOOL, False), test)
    elif isinstance(cls, ClassType) and isinstance(t, ClassType) and cls.decl.is_subclass(t.decl):
        test = hir.IsInstance(BOOL, kept, cls)
    else:
        test = hir.Const(BOOL, False)
    reads = (hir.LocalGet, hir.GlobalGet, hir.Const)
    if isinstance(test, hir.Const) and isinstance(value, reads) and isinstance(mark, reads):
        return test
    return hir.Let(BOOL, [*held, hir.Evaluate(ctx.line, mark)], test)


def _is_number_or_none(ctx: Context, value: hir.Expr, other: hir.Expr) -> hir.Expr:
    """``value is other`` for an object, and a number or None."""
    asked = prune(other.type) is NONE and isinstance(prune(value.type), Optional)
    if not asked and isinstance(value, hir.LocalGet | hir.GlobalGet) and isinstance(other, hir.LocalGet | hir.Const):
        return hir.Const(BOOL, False)
    held, kept = ctx.hold(value)
    answer = is_none(kept) if asked else hir.Const(BOOL, False)
    return hir.Let(BOOL, [*held, hir.Evaluate(ctx.line, other)], answer)


__all__ = ["has_identity", "identical"]
