"""The engines by name, each imported when it is first used."""

from __future__ import annotations

import sys
from collections.abc import Callable

from svm.errors import UsageError
from svm.runtime import Engine

__all__ = ["ENGINES", "engine_named"]


def _reference() -> Engine:
    from svm.engines.reference import ReferenceEngine

    return ReferenceEngine()


def _interpreter() -> Engine:
    from svm.engines.native import NativeEngine

    return NativeEngine(_say)


def _jit() -> Engine:
    from svm.engines.native.jit.engine import CompilingEngine

    return CompilingEngine(_say)


def _auto() -> Engine:
    from svm.engines.native import UnavailableError

    try:
        from svm.engines.native.jit.engine import TieringEngine

        return TieringEngine(_say)
    except UnavailableError:
        return _reference()


ENGINES: dict[str, Callable[[], Engine]] = {
    "auto": _auto,
    "interpreter": _interpreter,
    "jit": _jit,
    "reference": _reference,
}
"""Engines by name.  "auto" interprets and compiles what is hot; where no native engine runs it is the reference engine.
"""


_made: dict[str, Engine] = {}


def engine_named(name: str) -> Engine:
    """The engine of a name: the same each time, for it holds nothing of a guest.  Raises UsageError for any other."""
    found = _made.get(name)
    if found is None:
        make = ENGINES.get(name)
        if make is None:
            raise UsageError(f"no engine is named {name!r}; there are {', '.join(ENGINES)}")
        found = _made[name] = make()
    return found


def _say(message: str) -> None:
    """Tell a person who waits at a terminal."""
    if sys.stderr.isatty():
        print(f"svm: {message}", file=sys.stderr, flush=True)
