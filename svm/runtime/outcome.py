"""How calls into a store stand and end."""

from __future__ import annotations

from typing import Any, Protocol

from svm.errors import GuestError, Traceback
from svm.record import field, record

__all__ = ["Exited", "Finished", "Outcome", "Paused", "Standing", "Trapped"]


class _Call(Protocol):
    """A call that may go on: what knows its frames, and which pause was its last."""

    outcome: Any

    def traceback(self) -> Traceback:
        """Its frames."""


@record
class Finished:
    """The call returned: `value` is None, a value, or for a function without an interface a tuple of several."""

    value: Any = None
    fuel_used: int = 0


@record
class Paused:
    """The call stopped between two instructions and can go on.  reason: "fuel", "seconds" or "interrupt"."""

    reason: str
    fuel_used: int
    _traceback: Traceback | _Call = field(repr=False, compare=False)

    @property
    def traceback(self) -> Traceback:
        """The guest's call stack here; none once the call went on, for a pause costs nothing that nobody asks for."""
        if isinstance(self._traceback, Traceback):
            return self._traceback
        return self._traceback.traceback() if self._traceback.outcome is self else Traceback()


@record
class Trapped:
    """The call ended in an error: a `TrapError` or an `UncaughtError`."""

    error: GuestError
    fuel_used: int = 0


@record
class Exited:
    """The guest asked to end, with an exit status."""

    code: int
    fuel_used: int = 0


Outcome = Finished | Paused | Trapped | Exited


@record
class Standing:
    """A paused call as a value; its frames are the store's stack.

    function: number of what was called.  entered: whether it has begun, else its arguments lie on the stack.  slots:
    whether its value is to be slots.  arrays: whether lists in it are to be arrays.  caller: number of the instance by
    whose export it is called, -1 for none.  reason: of its last pause.
    """

    function: int
    entered: bool
    slots: bool
    arrays: bool
    caller: int
    reason: str
