"""Types whose values are never equal, in CPython as here.

In: two types. Out: whether `==` between their values is False whatever they are. What the `__eq__` of a class of the
program makes of other objects is its own affair, so nothing is said of such a class.
"""

from __future__ import annotations

from krait.check.byteslike import byte_kind
from krait.check.context import Context
from krait.check.tuples import is_tuple, is_vector
from krait.check.types import BOOL, FLOAT, INT, ClassDecl, ClassType, Type, prune
from krait.syntax import tree

_NUMBERS = (INT, FLOAT, BOOL)


def are_unlike(ctx: Context, a: Type, b: Type) -> bool:
    """Return whether values of two types are never equal."""
    a, b = prune(a), prune(b)
    if a in _NUMBERS and b in _NUMBERS:
        return False
    own = [t for t in (a, b) if isinstance(t, ClassType) and not t.decl.module.library]
    if any(cls.decl.data is not None and cls.decl.data.named for cls in own):
        return False
    if not all(_knows_no_others(ctx, cls) for cls in own):
        return False
    if len(own) == 2:
        first, second = own
        return not (first.decl.is_subclass(second.decl) or second.decl.is_subclass(first.decl))
    if own:
        return own[0].decl.enum in ("", "enum", "flag")
    kinds = (_kind(a), _kind(b))
    return kinds[0] != kinds[1] and "" not in kinds


def _knows_no_others(ctx: Context, cls: ClassType) -> bool:
    """Return whether objects of a class, and of what derives from it, are equal to objects of the class alone."""
    return not any(_writes_equality(found.decl) for found in (cls, *ctx.world.subclasses(cls)))


def _writes_equality(decl: ClassDecl) -> bool:
    return any(
        isinstance(node, tree.FunctionDef) and node.name == "__eq__" for base in decl.mro() for node in base.node.body
    )


def _kind(t: Type) -> str:
    """Return a word for what values of a built-in type may be equal to; nothing for other types."""
    if t in _NUMBERS:
        return "number"
    if not isinstance(t, ClassType):
        return ""
    if byte_kind(t):
        return "bytes"
    if is_tuple(t.decl) or is_vector(t.decl):
        return "tuple"
    return "set" if t.decl.name in ("set", "frozenset", "dict_keys") else t.decl.name


__all__ = ["are_unlike"]
