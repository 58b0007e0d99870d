"""Questions about types that need more than one of them, or look into one.

In: types. Out: the class that two have in common, the one of several that a context means, how large a type is.
"""

from __future__ import annotations

from krait.check.types import (
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
)


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
    """Return the type of that class which a context would like, as one of several perhaps; None if it would not."""
    for t in map(prune, members_of_union(expected) if expected is not None else ()):
        if isinstance(t, ClassType) and t.decl is decl:
            return t
    return None


def common_base(a: Type, b: Type) -> ClassType | None:
    """Return the nearest class that two classes are, or derive from; None if there is none."""
    if not isinstance(a, ClassType) or not isinstance(b, ClassType):
        return None
    up: ClassType | None = a
    while up is not None and ancestor(b, up.decl) != up:
        up = base_of(up)
    return up
