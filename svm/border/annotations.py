"""Whether a Python function can stand for one that a guest imports: its arity and its annotations.

In: a signature of the interface, a function. Out: the classes of the host that its annotations name for the guest's
dataclasses and enums, or a reason why it does not fit. What is not annotated, or annotated as anything, fits.
"""

from __future__ import annotations

import collections.abc
import enum
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any

from svm.border.classes import fields_of
from svm.module.interface import Alias, Enumeration, Interface, Kind, Parameter, RichType, Signature

__all__ = ["classes_for"]

_SCALARS: dict[Any, tuple[str, ...]] = {
    int: ("int", "bool"),
    float: ("float", "int", "bool"),
    bool: ("bool",),
    str: ("str",),
    bytes: ("bytes",),
    bytearray: ("bytearray",),
    None: ("None",),
    type(None): ("None",),
}
_ABSTRACT: dict[Any, tuple[str, ...]] = {
    list: ("list",),
    tuple: ("tuple", "vector"),
    set: ("set",),
    frozenset: ("frozenset",),
    dict: ("dict",),
    collections.abc.Sequence: ("list", "vector"),
    collections.abc.Collection: ("list", "vector", "set", "frozenset"),
    collections.abc.Iterable: ("list", "vector", "set", "frozenset"),
    collections.abc.Set: ("set", "frozenset"),
    collections.abc.Mapping: ("dict",),
    collections.abc.MutableSequence: ("list",),
    collections.abc.MutableMapping: ("dict",),
    collections.abc.MutableSet: ("set",),
}


class Unfit(Exception):
    """Why a function does not fit."""


def classes_for(interface: Interface, signature: Signature, function: Callable[..., Any]) -> dict[str, type]:
    """The host's own classes that a function's annotations name.  Raises Unfit."""
    try:
        shape = inspect.signature(function)
    except (TypeError, ValueError):
        return {}  # some of Python's own do not say what they take
    positional = [param for param in signature.params if param.kind != Kind.KEYWORD]
    named = {param.name: param for param in signature.params if param.kind == Kind.KEYWORD}
    try:
        bound = shape.bind(*positional, **named)
    except TypeError as error:
        raise Unfit(f"it is called with {_count(len(signature.params))}: {error}") from None
    hints = _hints(function)
    check = _Check(interface)
    for name, value in bound.arguments.items():
        kind = shape.parameters[name].kind
        taken: Iterable[Parameter] = (value,)
        if kind is inspect.Parameter.VAR_POSITIONAL:
            taken = value
        elif kind is inspect.Parameter.VAR_KEYWORD:
            taken = value.values()
        for param in taken:
            if name in hints and not check.takes(hints[name], param.type):
                raise Unfit(f"argument {param.name!r} is {param.type}, but it is annotated {_shown(hints[name])}")
    if "return" in hints and not check.gives(hints["return"], signature.result):
        raise Unfit(f"the result must be {signature.result}, but it is annotated {_shown(hints['return'])}")
    return check.classes


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    while isinstance(function, functools.partial):
        function = function.func
    try:
        return typing.get_type_hints(function if inspect.isroutine(function) else type(function).__call__)
    except Exception:  # a name in them that is not there, or anything else that evaluating them does
        return {}


def _count(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}"


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)


class _Check:
    def __init__(self, interface: Interface) -> None:
        self.declared = {item.name: item for item in interface.classes}
        self.classes: dict[str, type] = {}
        self.open: set[str] = set()

    def takes(self, annotation: Any, t: RichType) -> bool:
        """Whether a parameter with this annotation takes all values of a type."""
        if _is_anything(annotation) or annotation is object:
            return True
        parts = _alternatives(annotation)
        if t.name == "optional":
            return len(parts) > 1 and type(None) in parts and self.takes(annotation, t.args[0])
        declared = self.declared.get(t.name)
        if isinstance(declared, Alias) and t.name not in self.open:
            self.open.add(t.name)
            try:
                return self.takes(annotation, declared.type)
            finally:
                self.open.discard(t.name)
        if t.name == "union":
            return all(self.takes(annotation, item) for item in t.args)
        return any(self.fits(part, t, self.takes) for part in parts)

    def gives(self, annotation: Any, t: RichType) -> bool:
        """Whether all that a function with this annotation returns is of a type."""
        if _is_anything(annotation):
            return True
        if typing.get_origin(annotation) in (collections.abc.Awaitable, collections.abc.Coroutine):
            return self.gives(typing.get_args(annotation)[-1], t)
        allowed = (t.args[0], RichType("None")) if t.name == "optional" else (t,)
        if allowed[0].name == "union":
            allowed = (*allowed[0].args, *allowed[1:])
        return all(any(self.fits(part, each, self.gives) for each in allowed) for part in _alternatives(annotation))

    def fits(self, annotation: Any, t: RichType, inner: Callable[[Any, RichType], bool]) -> bool:
        """Whether an annotation that is no union means a type."""
        if _is_anything(annotation):
            return True
        origin = typing.get_origin(annotation) or annotation
        declared = self.declared.get(t.name)
        if isinstance(declared, Alias):  # what it contains of itself need not be looked at again
            if t.name in self.open:
                return True
            self.open.add(t.name)
            try:
                return inner(annotation, declared.type)
            finally:
                self.open.discard(t.name)
        if declared is not None:
            return self.stands_for(annotation, t.name)
        if origin in _SCALARS:
            own = _SCALARS[origin]
            if inner == self.takes:
                return t.name in own
            return own[0] == t.name or (own[0], t.name) in (("int", "float"), ("bool", "int"))
        if origin not in _ABSTRACT or t.name not in _ABSTRACT[origin]:
            return False
        args = [arg for arg in typing.get_args(annotation) if arg is not Ellipsis]
        if not args or (t.name == "tuple" and len(args) != len(t.args)):
            return not args
        if len(args) != len(t.args):
            return False
        return all(inner(arg, item) for arg, item in zip(args, t.args, strict=True))

    def stands_for(self, annotation: Any, name: str) -> bool:
        """Whether a class of the host has the fields, or the members, of one of the guest's."""
        if not isinstance(annotation, type):
            return False
        declared = self.declared[name]
        assert not isinstance(declared, Alias)
        if isinstance(declared, Enumeration):
            members = dict(declared.members)
            same = issubclass(annotation, enum.Enum) and {m.name: m.value for m in annotation} == members
        else:
            wanted = {item.name for item in declared.fields if item.init}
            same = set(fields_of(annotation) or ()) == wanted and hasattr(annotation, "_fields") == declared.named
        return same and self.classes.setdefault(name, annotation) is annotation


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _is_anything(annotation: Any) -> bool:
    return annotation is Any or isinstance(annotation, typing.TypeVar)
