"""What a host function has to say that has no answer yet."""

from __future__ import annotations

from collections.abc import Awaitable

from svm.hints import Any
from svm.record import record

__all__ = ["Suspend", "Unanswered", "discard"]


@record
class Suspend:
    """What a host function returns to be answered later, by `Task.resume` or `Task.throw`.

    what: anything that tells whoever sees the outcome (`Suspended.waits_for`) what is to be done.
    """

    what: Any = None


class Unanswered(Exception):
    """A host function has no answer yet.

    waits_for: the awaitable or `Suspend` that it returned; None if it is to be called again.  limit: in that case, the
    limit that is to be raised before, by its name in `svm.Limits`, or "interrupt".
    """

    def __init__(self, waits_for: Awaitable[Any] | Suspend | None, limit: str = "") -> None:
        self.waits_for = waits_for
        self.limit = limit
        super().__init__(limit)


def discard(waits_for: object) -> None:
    """Give up what a host function returned to be awaited, if nobody has begun to."""
    from inspect import CORO_CREATED, getcoroutinestate, iscoroutine  # here, for it takes milliseconds of every start

    if iscoroutine(waits_for) and getcoroutinestate(waits_for) == CORO_CREATED:
        waits_for.close()  # else Python warns that it was never awaited
