"""Hashes, and the equality by which keys are found.

In: checked values. Out: `hash(x)` as CPython computes it, for the order of sets; quicker bits for dicts, whose order
does not depend on hashes; the comparison of keys, in which an object is always equal to itself.
"""

from __future__ import annotations

from krait.check import hir
from krait.check.coerce import is_none, unwrap
from krait.check.comparisons import equal
from krait.check.context import Context
from krait.check.invoke import find_method, try_invoke
from krait.check.reflected import by_derived
from krait.check.signatures import declared_fields, field_type
from krait.check.types import BOOL, FLOAT, INT, NONE, U64, ClassType, Infer, Optional, Type, Union, is_object, prune
from krait.check.unions import by_member, expands_objects, of_object
from krait.check.world import Refusal
from krait.diagnostics import Span

_HASH_OF_NONE = 0xFCA86420
"""What CPython gives for None since 3.12."""


def hash_of(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return ``hash(value)``, an int."""
    t = prune(value.type)
    if isinstance(t, Infer):
        raise ctx.unknown(span, "this value")
    if t is NONE:
        return hir.Let(INT, [hir.Evaluate(ctx.line, value)], hir.Const(INT, _HASH_OF_NONE))
    asked = of_object(ctx, "any_hash", [value], INT, span)
    if asked is not None:
        return asked
    if isinstance(t, Optional):
        held, kept = ctx.hold(value)
        inner = hash_of(ctx, unwrap(ctx, kept), span)
        return hir.Let(INT, held, hir.Conditional(INT, is_none(kept), hir.Const(INT, _HASH_OF_NONE), inner))
    if isinstance(t, Union):
        return by_member(ctx, value, lambda part: _hash_of_member(ctx, part, span))
    made = try_invoke(ctx, value, "__hash__", [], span)
    if made is not None and prune(made.type) is INT:
        return made
    if isinstance(t, ClassType) and not t.decl.module.library and find_method(ctx, t, "__eq__") is None:
        held, kept = ctx.hold(value)
        address = hir.Op(INT, "i64.extend_i32_u", [kept])
        return hir.Let(INT, held, by_derived(ctx, kept, "__hash__", address, lambda own: hash_of(ctx, own, span)))
    raise ctx.refuse(
        span,
        f"a `{t}` cannot be hashed: it is no key of a dict and no item of a set",
        _instead(ctx, t),
    )


def _hash_of_member(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return the hash of a value of one type of a union; of an object it may turn out that there is none."""
    if not expands_objects(ctx):
        return hash_of(ctx, value, span)
    with ctx.world.silence():
        try:
            return hash_of(ctx, value, span)
        except Refusal:
            t = prune(value.type)
            name = t.decl.name if isinstance(t, ClassType) else str(t)
    return hir.Let(INT, ctx.raising("TypeError", f"unhashable type: '{name}'", span), hir.Const(INT, 0))


def _instead(ctx: Context, t: Type) -> str:
    name = t.decl.name if isinstance(t, ClassType) and t.decl.module.library else ""
    frozen = {"list": "a tuple", "set": "a `frozenset`", "bytearray": "`bytes`", "dict": "a tuple of its items"}
    if name in frozen:
        return f"use {frozen[name]}, which cannot change"
    return "give the class a method `def __hash__(self) -> int:`"


def has_random_hash(ctx: Context, t: Type) -> bool:
    """Return whether hashes of values of the type differ from run to run in CPython: of texts, and what holds them.

    Of an object whose class has a ``__hash__``, its fields are looked at.
    """
    return _has_random_hash(ctx, t, set())


def _has_random_hash(ctx: Context, t: Type, seen: set[Type]) -> bool:
    t = prune(t)
    if isinstance(t, Optional):
        return _has_random_hash(ctx, t.inner, seen)
    if is_object(t):
        return True
    if isinstance(t, Union):
        return any(_has_random_hash(ctx, member, seen) for member in t.members)
    if not isinstance(t, ClassType) or t in seen:
        return False
    seen.add(t)
    if t.decl.module.library:
        return t.decl.name in ("str", "bytes", "type") or any(_has_random_hash(ctx, arg, seen) for arg in t.args)
    if find_method(ctx, t, "__hash__") is None:
        return True
    parts = [field_type(ctx.world, t, name) for name in declared_fields(ctx.world, t)]
    return any(part is not None and _has_random_hash(ctx, part, seen) for part in parts)


def require_order(ctx: Context, t: Type, span: Span) -> None:
    """Refuse what shows the order of a set, if that differs from run to run in CPython."""
    t = prune(t)
    if isinstance(t, ClassType) and t.decl.name in ("set", "frozenset") and t.decl.module.name == "krait.set":
        if has_random_hash(ctx, t.args[0]) and not ctx.module.library and not ctx.is_made:
            message = f"the order of a `{t}` differs from run to run in CPython"
            raise ctx.refuse(span, message, "bring it in order: `sorted(…)`")


def key_bits(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return a u64 that is the same for equal keys."""
    t = prune(value.type)
    if t is INT:
        return hir.Cast(U64, value)
    if t is BOOL:
        return hir.Op(U64, "i64.extend_i32_u", [value])
    if t is FLOAT:  # adding zero makes one of the two zeros
        return hir.Op(U64, "i64.reinterpret_f64", [hir.Op(FLOAT, "f64.add", [value, hir.Const(FLOAT, 0.0)])])
    if isinstance(t, Optional):
        held, kept = ctx.hold(value)
        inner = key_bits(ctx, unwrap(ctx, kept), span)
        return hir.Let(U64, held, hir.Conditional(U64, is_none(kept), hir.Const(U64, 1), inner))
    if isinstance(t, ClassType) and find_method(ctx, t, "_key_bits") is not None:
        made = try_invoke(ctx, value, "_key_bits", [], span)
        if made is not None:
            return made
    return hir.Cast(U64, hash_of(ctx, value, span))


def same_key(ctx: Context, left: hir.Expr, right: hir.Expr, span: Span) -> hir.Expr:
    """Return ``left is right or left == right``."""
    spans = (span, span, span)
    t = prune(left.type)
    if not isinstance(t, ClassType) or t.decl.module.library:
        return equal(ctx, left, right, spans)
    held_left, a = ctx.hold(left)
    held_right, b = ctx.hold(right)
    same = hir.Op(BOOL, "i32.eq", [a, b])
    derived = [cls for cls in ctx.world.subclasses(t) if "__eq__" in cls.decl.methods]
    if find_method(ctx, t, "__eq__") is None and not derived:
        return hir.Let(BOOL, [*held_left, *held_right], same)
    return hir.Let(
        BOOL, [*held_left, *held_right], hir.Conditional(BOOL, same, hir.Const(BOOL, True), equal(ctx, a, b, spans))
    )
