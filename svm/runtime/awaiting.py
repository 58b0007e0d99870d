"""Calls on an event loop: turns of some milliseconds, between which the loop has its own, and host functions awaited.

In: a call that begins or goes on.  Out: its outcome.  Invariant: whenever the loop runs something else, or whoever
awaits was cancelled, the call stands at a safepoint or waits for a host function, and can go on in any way.
"""

from __future__ import annotations

import asyncio
import time
import types
from collections.abc import Awaitable, Generator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from svm.runtime.outcome import Outcome, Paused, Suspended
from svm.runtime.waits import Suspend

__all__ = ["drive"]


class Call(Protocol):
    """What is driven; see `svm.runtime.task.Task`."""

    outcome: Outcome | None

    def turn(self, floor: int, seconds: float | None, left: float | None) -> Outcome:
        """Run for some milliseconds."""

    def answered(self, value: Any) -> None:
        """Take the answer of a host function."""

    def failed(self, error: BaseException) -> None:
        """Take an exception in its place."""

    def left(self) -> None:
        """Stand where it is."""

    def hosting(self) -> AbstractContextManager[None]:
        """While the code of a host function runs."""


async def drive(call: Call, floor: int, seconds: float | None, outcome: Outcome | None) -> Outcome:
    """Run a call until it ends or stops.  floor: fuel that is to be left.  seconds: that it may run.  outcome: of one
    that waits already, else None.
    """
    owner = asyncio.current_task()
    cancels = _cancels(owner)
    left = seconds
    while True:
        if outcome is None:
            begun = time.monotonic()
            outcome = call.turn(floor, seconds, left)
            left = None if left is None else left - (time.monotonic() - begun)
        if isinstance(outcome, Paused) and outcome.reason == "turn":
            try:
                await asyncio.sleep(0)
            except BaseException:
                call.left()
                raise
        elif isinstance(outcome, Suspended) and not isinstance(outcome.waits_for, Suspend):
            try:
                call.answered(await _inside(call, outcome.waits_for))
            except BaseException as error:
                cancelled = isinstance(error, asyncio.CancelledError) and _cancels(owner) > cancels
                if isinstance(error, GeneratorExit) or cancelled:
                    call.left()
                    raise
                call.failed(error)
        else:
            return outcome
        outcome = None


def _cancels(owner: asyncio.Task[Any] | None) -> int:
    """How often a task was cancelled; an awaited CancelledError may also be the host function's own."""
    return 0 if owner is None else owner.cancelling()


@types.coroutine
def _inside(call: Call, awaitable: Awaitable[Any]) -> Generator[Any, Any, Any]:
    """Await what a host function returned, its code run as a host function's (PEP 380 says what `await` does)."""
    with call.hosting():
        steps: Any = awaitable.__await__()
    error: BaseException | None = None
    while True:
        try:
            with call.hosting():
                waits = next(steps) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value
        try:
            yield waits
        except GeneratorExit:
            with call.hosting():
                steps.close()
            raise
        except BaseException as thrown:
            error = thrown
        else:
            error = None
