"""Paths: what a chain of fields from a variable on is called, to ask whether two reads are of the same place.

In: expressions. Out: their paths. An element of a list that is known by a variable, or a constant, is a variable too,
if somebody keeps it: a local that stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from krait.check import hir
from krait.check.types import ClassType, GlobalVar, Local, Optional, Type, ancestor, resolve

SIGNS = {"i64.add_throw": 1, "i64.add": 1, "i64.sub_throw": -1, "i64.sub": -1}
"""Instructions that add a constant, and its sign."""


class Path(NamedTuple):
    """A variable, a local or one of a module, and the names of fields from there on."""

    root: Local | GlobalVar
    fields: tuple[str, ...] = ()


class Element(NamedTuple):
    """An element of the list at a path: at the index that a local holds, if there is one, plus a constant."""

    owner: Path
    place: Local | None
    offset: int


class Paths:
    """What is known of variables at some place.

    given: the expressions that stand for locals.  env: the same as paths, before the code around is emitted.
    element: the local that stands for an element, None if it is not kept.
    """

    def __init__(
        self,
        given: Mapping[Local, hir.Expr],
        element: Callable[[Element, hir.Load], Local | None],
        env: Mapping[Local, Path | None] | None = None,
    ) -> None:
        self.given = given
        self.element = element
        self.env = {} if env is None else env

    def of(self, node: hir.Expr) -> Path | None:
        """Return the path that an expression reads, None if it is none."""
        match node:
            case hir.LocalGet(checked=False, local=local):
                if local in self.env:
                    return self.env[local]
                other = self.given.get(local)
                return Path(local) if other is None else self.of(other)
            case hir.GlobalGet(checked=False, var=var):
                return Path(var)
            case hir.FieldGet(object=owner, name=name):
                path = self.of(owner)
                return None if path is None else Path(path.root, (*path.fields, name))
            case hir.Cast(value=inner) if _has_fields_of(inner.type, node.type):
                return self.of(inner)
            case hir.Load():
                element = self.element_of(node)
                kept = None if element is None else self.element(element, node)
                return None if kept is None else Path(kept)
            case _:
                return None

    def element_of(self, node: hir.Load) -> Element | None:
        """Return which element of a list an expression reads, if it is an object and not None."""
        match node.address:
            case hir.Call(args=[owner, index, _], callee=callee) if (
                callee.decl.name in ("_place", "_place_front")
                and callee.decl.module.name == "krait.list"
                and isinstance(resolve(node.type), ClassType)
            ):
                path = self.of(owner)
                place = self._index(index)
                return None if path is None or place is None else Element(path, *place)
            case _:
                return None

    def _index(self, node: hir.Expr) -> tuple[Local | None, int] | None:
        match node:
            case hir.Const(value=int(value)):
                return None, value
            case hir.LocalGet(checked=False, local=local):
                if local in self.env:
                    path = self.env[local]
                    return (path.root, 0) if path and not path.fields and isinstance(path.root, Local) else None
                other = self.given.get(local)
                return (local, 0) if other is None else self._index(other)
            case hir.Op(op=name, args=[hir.LocalGet() as left, hir.Const(value=int(by))]) if name in SIGNS:
                start = self._index(left)
                if start is None or start[0] is None:
                    return None
                return start[0], start[1] + SIGNS[name] * by
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
