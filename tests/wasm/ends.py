"""How a call ends, in words that svm and its peers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from svm import Guest, TrapError, UncaughtError

__all__ = ["Call", "End", "calls_of"]

End = tuple[str, Any]
"""`returned` and what, `trapped` and the kind of it, or `thrown`."""
Call = Callable[[str, tuple[int, ...]], End]
"""Calls an export with arguments."""


def calls_of(guest: Guest) -> Call:
    """Calls of a guest of svm."""

    def call(name: str, args: tuple[int, ...]) -> End:
        try:
            return "returned", guest.call(name, *args)
        except UncaughtError:
            return "thrown", None
        except TrapError as trap:
            return "trapped", trap.kind

    return call
