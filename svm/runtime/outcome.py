"""How a run of a call ends: what `Task.run` and its like give.

Every outcome says what fuel the guest's store has used.  One whose call can go on also shows where it stands, for as
long as it stands there: nothing is looked up until somebody asks.
"""

from __future__ import annotations

from svm.errors import GuestError, Traceback
from svm.hints import Any, Protocol
from svm.record import field, record

__all__ = ["Exited", "Finished", "Outcome", "Paused", "Standing", "Suspended", "Trapped"]


class _Call(Protocol):
    """The call that an outcome is of."""

    outcome: Outcome | None

    def traceback(self) -> Traceback:
        """Its frames."""

    def arguments(self) -> tuple[Any, ...]:
        """Those of the host function that it waits for."""


@record
class Finished:
    """The call returned: `value` is None, a value, or for a function without an interface a tuple of several."""

    value: Any = None
    fuel_used: int = 0


@record
class Paused:
    """The call stopped between two instructions and can go on.

    reason: "fuel", "seconds", "output" or "storage" where that limit was met, "pause" where `Guest.pause` asked for it,
    "interrupt" for Ctrl-C, "cancelled" where an asyncio task that awaited the call was cancelled; and "turn" while such
    a task lets others have their turn.
    """

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
class Suspended:
    """The call waits for the answer of a host function.

    function: its name, as the module imports it.  waits_for: the awaitable or the `Suspend` that it returned; None
    where there is nothing any more that will bring the answer (what was awaited was cancelled, or is another
    process's).

    `Task.resume` gives the answer, `Task.throw` an exception in its place, `Task.run_async` awaits what is waited for;
    where that is None, `Task.run` and `Task.run_async` call the host function again.
    """

    function: str
    waits_for: Any
    fuel_used: int
    _call: _Call = field(repr=False, compare=False)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the host function was called with; nothing once the call went on."""
        return self._call.arguments() if self._call.outcome is self else ()

    @property
    def traceback(self) -> Traceback:
        """The guest's call stack here; none once the call went on."""
        return self._call.traceback() if self._call.outcome is self else Traceback()


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


Outcome = Finished | Paused | Suspended | Trapped | Exited


@record
class Standing:
    """A call that has stopped as a value; its frames are the store's stack.

    function: number of what was called.  entered: whether it has begun, else its arguments lie on the stack.  slots:
    whether its value is to be slots.  arrays: whether lists in it are to be arrays.  caller: number of the instance by
    whose export it is called, -1 for none.  reason: of its last pause; "suspended" where it waits.
    """

    function: int
    entered: bool
    slots: bool
    arrays: bool
    caller: int
    reason: str
