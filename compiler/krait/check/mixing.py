"""Floats, and ints where floats are wanted: what CPython lets stand there, and shows as ints.

In: types. Out: whether one has ints where the other has floats, and the type that has both.
"""

from __future__ import annotations

from krait.check.tuples import is_tuple
from krait.check.types import (
    CLASSES,
    FLOAT,
    INT,
    ClassType,
    Optional,
    Type,
    Union,
    members_of_union,
    optional,
    prune,
    union,
)


def stands_for(wanted: Type, given: Type) -> bool:
    """Return whether one type is the other but for ints where that has floats."""
    wanted, given = prune(wanted), prune(given)
    if wanted is FLOAT:
        return given is INT or is_either(given)
    if is_either(wanted):
        return given in (INT, FLOAT)
    if isinstance(wanted, Optional):
        return stands_for(wanted.inner, given.inner if isinstance(given, Optional) else given)
    if not isinstance(wanted, ClassType) or not isinstance(given, ClassType) or wanted.decl is not given.decl:
        return False
    pairs = [(a, b) for a, b in zip(wanted.args, given.args, strict=True) if prune(a) != prune(b)]
    return bool(pairs) and all(stands_for(a, b) for a, b in pairs)


def has_floats(t: Type) -> bool:
    """Return whether a type is that of something that holds floats."""
    t = prune(t)
    args = map(prune, t.args) if isinstance(t, ClassType) and t.decl.module.name != CLASSES else ()
    return any(arg is FLOAT or is_either(arg) or has_floats(arg) for arg in args)


def is_either(t: Type) -> bool:
    """Return whether a type is ``int | float``."""
    t = prune(t)
    return isinstance(t, Union) and set(t.members) == {INT, FLOAT}


def mixed(t: Type) -> Type:
    """Return a type with ints as well wherever it has floats."""
    t = prune(t)
    if t is FLOAT:
        return union((INT, FLOAT))
    if isinstance(t, Optional):
        return optional(mixed(t.inner))
    if isinstance(t, Union) and not t.alias and FLOAT in t.members:
        return union((INT, *t.members))
    return mixed_items(t)


def mixed_value(t: Type) -> Type:
    """Return the type that values are made to have to stand among ints; what holds floats stays what it is."""
    t = prune(t)
    if isinstance(t, Optional):
        return optional(mixed_value(t.inner))
    if isinstance(t, ClassType) and not is_tuple(t.decl):
        return t
    return ClassType(t.decl, tuple(map(mixed_value, t.args))) if isinstance(t, ClassType) else mixed(t)


def mixed_items(t: Type) -> Type:
    """Return a type with ints as well wherever its items are or have floats."""
    t = prune(t)
    if isinstance(t, Optional):
        return optional(mixed_items(t.inner))
    if isinstance(t, ClassType) and t.decl.module.name == CLASSES:
        return t
    return ClassType(t.decl, tuple(map(mixed, t.args))) if isinstance(t, ClassType) and t.args else t


def meets_ints(target: Type, source: Type) -> bool:
    """Return whether one type would do for the other but for ints where that has floats."""
    parts = {prune(part) for part in members_of_union(target)}
    is_given_ints = FLOAT in parts and INT not in parts and INT in map(prune, members_of_union(source))
    return is_given_ints or stands_for(target, source) or stands_for(source, target)


__all__ = ["has_floats", "is_either", "meets_ints", "mixed", "mixed_items", "mixed_value", "stands_for"]
