"""Types made the same.

In: two types. Out: whether they are or can be one, the inference variables in them being determined by that.
"""

from __future__ import annotations

from krait.check.types import (
    ClassType,
    FunctionType,
    Infer,
    Optional,
    Pack,
    Type,
    Union,
    open_pack,
    parts_of,
    prune,
    unpacked,
)


def _occurs(variable: Infer, t: Type) -> bool:
    t = prune(t)
    return t is variable or any(_occurs(variable, part) for part in parts_of(t))


def unify(a: Type, b: Type) -> bool:
    """Make ``a`` and ``b`` the same type by determining inference variables; False if they cannot be."""
    a, b = prune(a), prune(b)
    if a is b:
        return True
    if isinstance(a, Infer):
        if _occurs(a, b):
            return False
        a.link = b
        return True
    if isinstance(b, Infer):
        return unify(b, a)
    if isinstance(a, ClassType) and isinstance(b, ClassType):
        return a.decl is b.decl and all(unify(x, y) for x, y in zip(a.args, b.args, strict=True))
    if isinstance(a, Optional) and isinstance(b, Optional):
        return unify(a.inner, b.inner)
    if isinstance(a, FunctionType) and isinstance(b, FunctionType):
        return _unify_functions(a, b)
    if isinstance(a, Pack) and isinstance(b, Pack):
        return len(a.types) == len(b.types) and all(map(unify, a.types, b.types))
    if isinstance(a, Union) and isinstance(b, Union):
        return _unify_unions(a, b)
    return False


def _unify_functions(a: FunctionType, b: FunctionType) -> bool:
    """Make two types of functions the same; a pack that is not yet known becomes the parameters of the other one."""
    for one, other in ((a, b), (b, a)):
        pack = open_pack(one)
        if pack is not None and open_pack(other) is None and not unify(pack, Pack(unpacked(other.params))):
            return False
    left, right = unpacked(a.params), unpacked(b.params)
    return len(left) == len(right) and all(map(unify, (*left, a.result), (*right, b.result)))


def _unify_unions(a: Union, b: Union) -> bool:
    """Make two unions the same: what they have in common is left alone, the others are made alike in turn."""
    if a == b:
        return True
    if a.alias or b.alias or len(a.members) != len(b.members):
        return False
    left, right = [prune(t) for t in a.members], [prune(t) for t in b.members]
    rest = [t for t in right if t not in left]
    for t in left:
        if t in right:
            continue
        alike = rest
        if isinstance(t, ClassType):
            alike = [o for o in rest if isinstance(o, Infer) or (isinstance(o, ClassType) and o.decl is t.decl)]
        if not alike or not unify(t, alike[0]):
            return False
        rest.remove(alike[0])
    return True


__all__ = ["unify"]
