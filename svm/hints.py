"""The names of `typing` that svm's annotations are made of.

To import `typing` takes a twentieth of a cold start, and no annotation is looked at while a program runs.  So what a
run imports takes these names from here, where they stand for nothing; type checkers see `typing`'s own.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it to be true, whoever defines it

if TYPE_CHECKING:
    from typing import (
        Any,
        BinaryIO,
        ClassVar,
        Generic,
        NoReturn,
        Protocol,
        Self,
        TextIO,
        TypeVar,
        dataclass_transform,
        overload,
    )
else:
    Any = BinaryIO = ClassVar = NoReturn = Self = TextIO = object

    class Protocol:
        """A base that adds nothing."""

    class Generic:
        """The same, with parameters."""

        def __class_getitem__(cls, _):
            return cls

    def TypeVar(name, **_):
        """Something to name."""
        return name

    def overload(function):
        """The function itself, to be replaced by the last of its name."""
        return function

    def dataclass_transform(**_):
        """A decorator that changes nothing."""
        return overload


__all__ = [
    "TYPE_CHECKING",
    "Any",
    "BinaryIO",
    "ClassVar",
    "Generic",
    "NoReturn",
    "Protocol",
    "Self",
    "TextIO",
    "TypeVar",
    "dataclass_transform",
    "overload",
]
