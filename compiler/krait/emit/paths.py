"""Paths: what a chain of fields from a variable on is called, to ask whether two reads are of the same place.

In: expressions. Out: their paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from krait.check import hir
from krait.check.types import ClassType, GlobalVar, Local, Optional, Type, ancestor, resolve


class Path(NamedTuple):
    """A variable, a local or one of a module, and the names of fields from there on."""

    root: Local | GlobalVar
    fields: tuple[str, ...] = ()


def path_of(
    node: hir.Expr, given: Mapping[Local, hir.Expr], env: Mapping[Local, Path | None] | None = None
) -> Path | None:
    """Return the path that an expression reads, None if it is none.

    given: the expressions that stand for locals.  env: the same as paths, before the code around is emitted.
    """
    match node:
        case hir.LocalGet(checked=False, local=local):
            if env is not None and local in env:
                return env[local]
            other = given.get(local)
            return Path(local) if other is None else path_of(other, given)
        case hir.GlobalGet(checked=False, var=var):
            return Path(var)
        case hir.FieldGet(object=owner, name=name):
            path = path_of(owner, given, env)
            return None if path is None else Path(path.root, (*path.fields, name))
        case hir.Cast(value=inner) if _has_fields_of(inner.type, node.type):
            return path_of(inner, given, env)
        case _:
            return None


def _has_fields_of(source: Type, target: Type) -> bool:
    """Whether whatever has one type has the fields of the other, or is None."""
    source, target = resolve(source), resolve(target)
    source = source.inner if isinstance(source, Optional) else source
    target = target.inner if isinstance(target, Optional) else target
    if not isinstance(source, ClassType) or not isinstance(target, ClassType):
        return False
    return ancestor(source, target.decl) == target
