"""What the nodes of tree.py are made of: the abstract classes of CPython's ``ast``, and the decorator of nodes."""

from __future__ import annotations

import re
import typing
from typing import Any, ClassVar, cast

from krait.diagnostics import Span

__all__ = ["AST", "excepthandler", "expr", "mod", "node", "pattern", "stmt", "type_param"]

_C = typing.TypeVar("_C", bound="type[Any]")

_WORD = re.compile(r"\w+")
_LEAVES = frozenset(
    ("str", "int", "bool", "None", "tuple", "ConstantValue", "expr_context", "boolop", "operator", "unaryop", "cmpop")
)
"""Words in the types of fields that hold no nodes with a span."""


class AST:
    """Root of all nodes. ``_fields`` names the fields in order, without ``span``; ``_children`` those of nodes."""

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _children: ClassVar[tuple[str, ...]] = ()
    span: Span

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"


@typing.dataclass_transform(eq_default=False, frozen_default=True)
def node(cls: _C) -> _C:
    """Make a node class of annotations: slots and `__init__`, as `dataclass` would, at a fifth of its time to import.

    Frozen for type checkers alone: a checked `__init__` would take thrice as long, for every node of every file.
    """
    of: dict[str, str] = cls.__annotations__
    names = tuple(of)
    scope: dict[str, Any] = {}
    exec(f"def __init__(self, {', '.join(names)}):\n " + "\n ".join(f"self.{name} = {name}" for name in names), scope)
    body = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    body |= {"__slots__": names, "__match_args__": names, "__init__": scope["__init__"], "_fields": names[:-1]}
    body["_children"] = tuple(name for name in names[:-1] if not _LEAVES.issuperset(_WORD.findall(of[name])))
    return cast(_C, type(cls.__name__, cls.__bases__, body))


class mod(AST):
    """A whole source."""

    __slots__ = ()


class stmt(AST):
    """A statement."""

    __slots__ = ()


class expr(AST):
    """An expression."""

    __slots__ = ()


class pattern(AST):
    """A pattern of a ``case``."""

    __slots__ = ()


class type_param(AST):
    """A type parameter of a function, class or type alias (PEP 695)."""

    __slots__ = ()


class excepthandler(AST):
    """A handler of a ``try``."""

    __slots__ = ()
