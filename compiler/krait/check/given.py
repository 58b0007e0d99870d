"""Parameters of `__init__` and of lambdas without types: they have those of what calls give them.

In: what the calls have given in one check of a program. Out: types for the next check, which makes all classes anew: a
type is kept as the names of what it is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from krait.check.tuples import is_tuple, tuple_type
from krait.check.types import (
    NEVER,
    NONE,
    ClassDecl,
    ClassType,
    FunctionType,
    Infer,
    Optional,
    Primitive,
    Type,
    Union,
    is_known,
    is_object,
    optional,
    prune,
    resolve,
    union,
)
from krait.check.unions import joined
from krait.check.world import World

Kept: TypeAlias = "Primitive | tuple[str, str, tuple[Kept, ...]]"
"""A type without its declarations: of a class, its module, name and arguments."""

_TUPLE, _UNION, _OPTIONAL, _FUNCTION = "<tuple>", "<union>", "<optional>", "<function>"


def given_types(found: Mapping[tuple[str, str, str], Sequence[Type]]) -> dict[tuple[str, str, str], Kept]:
    """Return the type of each parameter that has been given values of known types other than None alone.

    Of a lambda and of calls of a generic method that is what all parameters take, as a function without a result.
    """
    types: dict[tuple[str, str, str], Kept] = {}
    for key, each in found.items():
        functions = [FunctionType(t.params, NONE) for t in each if isinstance(t, FunctionType)]
        known = [resolve(t) for t in functions or each if is_known(t) and not is_object(t)]
        whole = joined(known[:1] if functions else known)
        kept = _kept(whole)
        if kept is not None and whole not in (NONE, NEVER):
            types[key] = kept
    return types


def _kept(t: Type) -> Kept | None:
    t = prune(t)
    if isinstance(t, Primitive):
        return t
    module = name = ""
    parts: tuple[Type, ...] = ()
    if isinstance(t, Optional):
        name, parts = _OPTIONAL, (t.inner,)
    elif isinstance(t, FunctionType):
        name, parts = _FUNCTION, t.params
    elif isinstance(t, Union) and not t.alias:
        name, parts = _UNION, t.members
    elif isinstance(t, ClassType) and is_tuple(t.decl):
        name, parts = _TUPLE, t.args
    elif isinstance(t, ClassType) and t.decl.module.symbols.get(t.decl.name) is t.decl:
        module, name, parts = t.decl.module.name, t.decl.name, t.args
    kept = [part for part in map(_kept, parts) if part is not None]
    return (module, name, tuple(kept)) if name and len(kept) == len(parts) else None


def renewed(world: World, kept: Kept) -> Type:
    """Return a type of another check as one of this one."""
    if isinstance(kept, Primitive):
        return kept
    module, name, parts = kept
    args = tuple(renewed(world, part) for part in parts)
    match name:
        case "<tuple>":
            return tuple_type(world, args)
        case "<union>":
            return union(args)
        case "<optional>":
            return optional(args[0])
        case "<function>":
            return FunctionType(args, Infer())
        case _:
            decl = world.library_symbol(module, name)
            assert isinstance(decl, ClassDecl)
            return ClassType(decl, args)


__all__ = ["Kept", "given_types", "renewed"]
