"""The order of sets, which differs from run to run in CPython where hashes do.

In: types. Out: whether hashes of their values do so; a refusal of what would show such an order.
"""

from __future__ import annotations

from krait.check.context import Context
from krait.check.invoke import find_method
from krait.check.signatures import declared_fields, field_type
from krait.check.types import ClassType, Optional, Type, Union, is_object, prune
from krait.diagnostics import Span


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
