"""Names of classes' own: ``__name`` in a class `C` is ``_C__name``, as CPython writes it.

In: the tree of a module. Out: the tree with those names written out, which is the same one where there are none.
Source: "Private name mangling" in the language reference of Python.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TypeVar

from krait.syntax import tree

_PRIVATE = re.compile(r"\b__(?!\w*__\b)\w")
_Node = TypeVar("_Node", bound=tree.AST)


def with_private_names(module: tree.Module, source: str) -> tree.Module:
    """Return the module with the private names of its classes written out."""
    return _written_out(module, "") if _PRIVATE.search(source) else module


def private_name(owner: str, name: str) -> str:
    """Return a name that is written in a class as what it means there."""
    own = owner.lstrip("_")
    is_private = name.startswith("__") and not name.endswith("__") and "." not in name
    return f"_{own}{name}" if is_private and own else name


def _written_out(node: _Node, owner: str) -> _Node:
    if isinstance(node, tree.ClassDef):
        of = partial(_written_out, owner=node.name)
        outer = partial(_written_out, owner=owner)
        made = tree.ClassDef(
            private_name(owner, node.name),
            tuple(map(outer, node.bases)),
            tuple(map(outer, node.keywords)),
            tuple(map(of, node.body)),
            tuple(map(outer, node.decorator_list)),
            node.type_params,
            node.span,
        )
        return made  # type: ignore[return-value]  # a class for a class
    node = tree.rebuilt(node, partial(_written_out, owner=owner))
    if not owner or isinstance(node, tree.Constant | tree.keyword | tree.ImportFrom):
        return node
    values = [getattr(node, name) for name in node._fields]
    renamed = [_renamed(value, owner) for value in values]
    return node if renamed == values else type(node)(*renamed, node.span)  # type: ignore[call-arg]  # it has one


def _renamed(value: object, owner: str) -> object:
    """Return the value of a field with the names in it written out."""
    if isinstance(value, str):
        return private_name(owner, value)
    if isinstance(value, tuple) and value and all(isinstance(item, str) for item in value):
        return tuple(private_name(owner, item) for item in value)
    return value


__all__ = ["private_name", "with_private_names"]
