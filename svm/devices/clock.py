"""The clock: what time it is, and waiting.

In: the host's clocks. Out: times in nanoseconds. Invariant: one wait takes no longer than the host allows.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping

from svm.devices.state import DeviceState, StatefulDevice, unfit
from svm.devices.wasi import MAX_VECTORS, SPACE, Errno, check, host, put
from svm.errors import UsageError
from svm.hints import Self
from svm.isa import Memory
from svm.limits import Limits
from svm.runtime import HostFunction

__all__ = ["Clock"]

_REALTIME, _MONOTONIC = 0, 1
_NANOSECONDS = 1_000_000_000
_RESOLUTION = 1000  # nanoseconds: no finer than a guest needs, so that it tells less of the host

_SUBSCRIPTION, _EVENT = "<QBxxxxxxxIxxxxQQHxxxxxx", "<QHBxxxxxQHxxxxxx"
_STATE = struct.Struct("<q")
_OF_CLOCK = 0  # the kind of a subscription
_ABSOLUTE = 1  # its flag: the time is that of the clock, not from now


class Clock(StatefulDevice):
    """The time of day, a clock that never goes back, and waiting for them.

    A guest without one is refused the time: `module.spawn(devices=[svm.Clock()])`.
    """

    kind = "clock"

    def __init__(
        self,
        *,
        realtime: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
        longest_wait: float = 60.0,
    ) -> None:
        """Make a clock.

        realtime, monotonic: nanoseconds, since 1970 and since whenever; the guest's monotonic clock begins at its
        device's making.  sleep: waits for some seconds.  longest_wait: seconds that one call may wait; a longer wait
        ends then, as if a signal had come.

        Raises UsageError for a wait that is not positive.
        """
        if not longest_wait > 0:
            raise UsageError(f"longest_wait must be positive, not {longest_wait!r}")
        self._monotonic = monotonic
        self._began = monotonic()
        self._clocks: dict[int, Callable[[], int]] = {_REALTIME: realtime, _MONOTONIC: self._elapsed}
        self._sleep = sleep
        self._longest = int(longest_wait * _NANOSECONDS)

    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """The calls of WASI preview 1 that a clock can answer."""
        calls: dict[str, Callable[..., Errno]] = {
            "clock_res_get": self._get_resolution,
            "clock_time_get": self._get_time,
            "poll_oneoff": self._poll,
        }
        return {SPACE: {name: host(name, call) for name, call in calls.items()}}

    def twin(self) -> Self:
        """See `StatefulDevice`: a clock with the same times."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _clocks={**self._clocks, _MONOTONIC: twin._elapsed})
        return twin

    def state(self) -> DeviceState:
        """See `StatefulDevice`: the time on the guest's monotonic clock."""
        return DeviceState(_STATE.pack(self._elapsed()))

    def restore(self, state: DeviceState, *, replica: bool, limits: Limits | None = None) -> None:
        """See `StatefulDevice`: the guest's monotonic clock goes on from the state's time."""
        data = state.data()
        if len(data) != _STATE.size:
            raise unfit(self)
        self._began = self._monotonic() - _STATE.unpack(data)[0]

    def _elapsed(self) -> int:
        return self._monotonic() - self._began

    def _get_resolution(self, memory: Memory, clock: int, result: int) -> Errno:
        if clock not in self._clocks:
            return Errno.INVAL
        return put(memory, result, "<Q", _RESOLUTION)

    def _get_time(self, memory: Memory, clock: int, precision: int, result: int) -> Errno:
        check(memory, result, 8)
        if clock not in self._clocks:
            return Errno.INVAL
        return put(memory, result, "<Q", self._now(clock))

    def _now(self, clock: int) -> int:
        now = self._clocks[clock]() & 0xFFFF_FFFF_FFFF_FFFF
        return now - now % _RESOLUTION

    def _poll(self, memory: Memory, subscriptions: int, events: int, count: int, happened: int) -> Errno:
        """Wait for the first of some times.  Streams cannot be waited for: each is told so at once."""
        if not 0 < count <= MAX_VECTORS:
            return Errno.INVAL
        size = struct.calcsize(_SUBSCRIPTION)
        check(memory, subscriptions, count * size)
        check(memory, events, count * struct.calcsize(_EVENT))
        check(memory, happened, 4)
        asked = list(struct.iter_unpack(_SUBSCRIPTION, bytes(memory[subscriptions : subscriptions + count * size])))
        waits = [self._wait(kind, clock, timeout, flags) for _, kind, clock, timeout, _, flags in asked]
        first = min(wait if isinstance(wait, int) else 0 for wait in waits)
        rest = min(first, self._longest)
        if rest > 0:
            self._sleep(rest / _NANOSECONDS)
        at = events
        for (data, kind, *_), wait in zip(asked, waits, strict=True):
            if wait is None or wait <= first:
                error = Errno.NOTSUP if wait is None else Errno.INTR if wait > rest else Errno.SUCCESS
                put(memory, at, _EVENT, data, error, kind, 0, 0)
                at += struct.calcsize(_EVENT)
        return put(memory, happened, "<I", (at - events) // struct.calcsize(_EVENT))

    def _wait(self, kind: int, clock: int, timeout: int, flags: int) -> int | None:
        """Nanoseconds until a subscription's time; None for what cannot be waited for."""
        if kind != _OF_CLOCK or clock not in self._clocks:
            return None
        return max(timeout - self._now(clock), 0) if flags & _ABSOLUTE else timeout

    def __repr__(self) -> str:
        return "<Clock>"
