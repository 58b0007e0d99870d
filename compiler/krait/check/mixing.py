"""Floats, and ints where floats are wanted: what CPython lets stand there, and shows as ints.

In: types. Out: whether one has ints where the other has floats, and the type that has both.
"""

from __future__ import annotations

from krait.check.types import FLOAT, INT, ClassType, Optional, Type, Union, optional, prune, union


def stands_for(wanted: Type, given: Type) -> bool:
    """Return whether one type is the other but for ints where that has floats."""
    wanted, given = prune(wanted), prune(given)
    if wanted is FLOAT:
        return given is INT or (isinstance(given, Union) and set(given.members) == {INT, FLOAT})
    if isinstance(wanted, Optional):
        return stands_for(wanted.inner, given.inner if isinstance(given, Optional) else given)
    if not isinstance(wanted, ClassType) or not isinstance(given, ClassType) or wanted.decl is not given.decl:
        return False
    pairs = [(a, b) for a, b in zip(wanted.args, given.args, strict=True) if prune(a) != prune(b)]
    return bool(pairs) and all(stands_for(a, b) for a, b in pairs)


def has_floats(t: Type) -> bool:
    """Return whether a type is that of something that holds floats."""
    t = prune(t)
    return isinstance(t, ClassType) and any(prune(arg) is FLOAT or has_floats(arg) for arg in t.args)


def mixed(t: Type) -> Type:
    """Return a type with ints as well wherever it has floats."""
    t = prune(t)
    if t is FLOAT:
        return union((INT, FLOAT))
    if isinstance(t, Optional):
        return optional(mixed(t.inner))
    return ClassType(t.decl, tuple(map(mixed, t.args))) if isinstance(t, ClassType) else t


__all__ = ["has_floats", "mixed", "stands_for"]
