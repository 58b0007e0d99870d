"""Questions about types that need more than one of them, or look into one.

In: types. Out: the class that two have in common, the one of several that a context means, how large a type is.
"""

from __future__ import annotations

from krait.check.types import (
    CLASSES,
    INT,
    ClassDecl,
    ClassType,
    FunctionType,
    Optional,
    Type,
    Union,
    ancestor,
    base_of,
    members_of_union,
    prune,
    substitute,
)
from krait.check.world import World


def is_larger(t: Type, limit: int) -> bool:
    """Return whether a type consists of more than ``limit`` parts: 1 for ``int``, 2 for ``list[int]``."""
    pending, count = [t], 0
    while pending:
        count += 1
        if count > limit:
            return True
        part = prune(pending.pop())
        if isinstance(part, ClassType):
            pending.extend(part.args)
        elif isinstance(part, Optional):
            pending.append(part.inner)
        elif isinstance(part, FunctionType):
            pending.extend((*part.params, part.result))
        elif isinstance(part, Union) and not part.alias:
            pending.extend(part.members)
    return False


def wanted_class(expected: Type | None, decl: ClassDecl) -> ClassType | None:
    """Return the type of that class, or of a base of it, which a context would like; None if it would not.

    It may be one of several.
    """
    for t in map(prune, members_of_union(expected) if expected is not None else ()):
        if isinstance(t, ClassType) and decl.is_subclass(t.decl):
            return t
    return None


def dict_of(world: World, t: Type) -> ClassType | None:
    """Return the type ``dict[K, V]`` that a type is or derives from, None if it is no dict's."""
    t = prune(t)
    return ancestor(t, world.dict_type(INT, INT).decl) if isinstance(t, ClassType) else None


def item_type(world: World, t: Type) -> Type | None:
    """Return the type of what going through a value gives, None where that has no type of its own."""
    t = prune(t)
    if not isinstance(t, ClassType):
        return None
    mapping = dict_of(world, t)
    if mapping is not None:
        return mapping.args[0]
    name = t.decl.name if t.decl.module.name.startswith("krait.") else ""
    if name in ("list", "set", "frozenset", "tuple", "Iterator", "dict_keys") and t.args:
        same = all(prune(arg) == prune(t.args[0]) for arg in t.args)
        return t.args[0] if name != "tuple" or same else None
    if name in ("str", "bytes", "bytearray", "range", "dict_values"):
        return t if name == "str" else t.args[1] if name == "dict_values" else INT
    found = world.find_method(t, "__iter__")
    if found is None or found[0].signature is None:
        return None
    given = substitute(found[0].signature.result, dict(zip(found[0].all_type_params, found[1], strict=False)))
    return item_type(world, given) if prune(given) != t else None


def common_base(a: Type, b: Type) -> ClassType | None:
    """Return the nearest class that two classes are, or derive from; None if there is none.

    That both are classes as values is no more than what is said of each.
    """
    if not isinstance(a, ClassType) or not isinstance(b, ClassType):
        return None
    up: ClassType | None = a
    while up is not None and not derives(b, up):
        up = base_of(up)
    return None if up is not None and up not in (a, b) and up.decl.module.name == "krait.type" else up


def derives(cls: ClassType, base: ClassType) -> bool:
    """Return whether a class is another one or derives from it, nothing being inferred."""
    found = ancestor(cls, base.decl)
    while found is not None and found != base:
        found = base_of(found)
    return found is not None


def class_meant(t: Type) -> Type | None:
    """Return C of the type ``type[C]``, None for any other type."""
    t = prune(t)
    return prune(t.args[0]) if isinstance(t, ClassType) and t.decl.module.name == CLASSES else None
