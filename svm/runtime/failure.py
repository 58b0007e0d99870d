"""What is raised, or told, of a call that ended in an error or has stopped.

In: what an engine or the host raised, or an outcome.  Out: an `Error` with the guest's traceback, the fuel used, and
the limit that was met with its value.
"""

from __future__ import annotations

from svm.errors import (
    ExhaustionError,
    ExitError,
    GuestError,
    LimitError,
    StoppedError,
    Traceback,
    TrapError,
    UncaughtError,
    UsageError,
)
from svm.isa import TrapKind
from svm.runtime.arenas import FunctionInstance
from svm.runtime.engine import GuestThrow, GuestTrap
from svm.runtime.outcome import Exited, Paused, Suspended, Trapped
from svm.runtime.shared import Shared
from svm.runtime.values import from_slot

__all__ = ["cannot_wait", "failed", "stopped"]


def failed(store: Shared, error: BaseException, frames: Traceback) -> Trapped | Exited:
    """The outcome where what ran raised an error of the guest's; any other is raised with the guest's traceback."""
    used = store.meter.used
    if isinstance(error, ExitError):
        return Exited(error.code, used)
    if isinstance(error, GuestThrow):
        try:
            return Trapped(_uncaught(store, error, frames, used), used)
        except ExitError as end:
            return Exited(end.code, used)
    if isinstance(error, GuestTrap):
        return Trapped(_trap(store, error.kind, frames, used), used)
    if isinstance(error, GuestError) and not error.traceback.frames:
        error.traceback, error.fuel_used = frames, used
    elif frames.frames:
        error.add_note(f"The guest's traceback (most recent call last):\n{frames}")
    raise error


def _trap(store: Shared, kind: TrapKind, frames: Traceback, used: int) -> TrapError:
    if kind is not TrapKind.CALL_STACK_EXHAUSTED:
        return TrapError(kind.name.lower(), kind.message, frames, used)
    limit = store.limits.stack_bytes
    return ExhaustionError(f"{kind.message}: the guest's stack limit is {limit} bytes", limit, frames, used)


def _uncaught(store: Shared, failure: GuestThrow, frames: Traceback, used: int) -> UncaughtError:
    tag = failure.tag
    pairs = zip(tag.type.params, failure.values, strict=True)
    values = tuple(from_slot(store.arenas, kind, slot) for kind, slot in pairs)
    text = store.describe(tag, failure.values)
    error = UncaughtError(text or f"uncaught exception {tag.name}{values}", tag.name, values, text, frames, used)
    raised, store.arenas.raised = store.arenas.raised, None
    if raised is not None and text is not None and text.endswith(_last_line(raised)):
        error.__cause__ = raised
    if store.arenas.memory_refused:
        error.add_note(f"the guest's memory limit of {store.limits.memory_bytes} bytes refused it more memory")
    return error


def _last_line(error: Exception) -> str:
    """The last line of a traceback, by which what a host function raised is known again."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def cannot_wait(function: FunctionInstance, outer: FunctionInstance | None) -> UsageError:
    """What is raised where a host function is to be waited for inside of a call that another made."""
    by = f"host function {outer.name!r}" if outer is not None else "a host function"
    return UsageError(
        f"host function {function.name!r} cannot be waited for: {by} has called the guest, and a call that a host "
        "function makes must come to its end before that goes on"
    )


def stopped(store: Shared, outcome: Paused | Suspended, seconds: float | None) -> GuestError:
    """What `call` raises for a call that has stopped.  seconds: that it was given."""
    meter, frames, used = store.meter, outcome.traceback, outcome.fuel_used
    if isinstance(outcome, Suspended):
        message = f"host function {outcome.function!r} has not answered yet: use `call_async`, or go on with `task`"
        return StoppedError(message, "suspended", frames, used)
    reason = outcome.reason
    if reason == "fuel":
        value = float(meter.granted if meter.limited else 0)
        message = f"out of fuel: the limit is {meter.granted}" if meter.limited else "out of the fuel of this run"
        return LimitError(message, reason, value, frames, used)
    if reason == "seconds":
        value = seconds or 0.0
        return LimitError(f"out of time: the limit is {value:g} s", reason, value, frames, used)
    if reason in ("output", "storage"):
        limits = store.limits
        limit = (limits.output_bytes if reason == "output" else limits.storage_bytes) or 0
        return LimitError(f"the limit of {reason}, {limit} bytes, is reached", reason, limit, frames, used)
    return StoppedError("the call was paused", reason, frames, used)
