"""Entropy: random bytes.

In: the host's source of them. Out: bytes in a guest's memory. Invariant: one call gives at most `MAX_RANDOM` bytes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping

from svm.devices.state import DeviceState, StatefulDevice, unfit
from svm.devices.wasi import MAX_TRANSFER, SPACE, Errno, check, host
from svm.digest import digest
from svm.errors import UsageError
from svm.hints import Self
from svm.isa import Memory
from svm.limits import Limits
from svm.runtime import HostFunction

__all__ = ["MAX_RANDOM", "Entropy"]

MAX_RANDOM = 16 << 20


_STATE = struct.Struct("<32sQ")


class Entropy(StatefulDevice):
    """Random bytes for a guest, which is refused them without: `module.spawn(devices=[svm.Entropy()])`."""

    kind = "entropy"

    def __init__(self, source: Callable[[int], bytes] | None = None, *, seed: int | bytes | None = None) -> None:
        """Make a source of random bytes.

        source: gives as many as it is asked for, the system's by default.  seed: in its place, so that the same calls
        get the same bytes, also after a snapshot that is restored as a replica; a clone that is none gets others.

        Raises UsageError where both are given.
        """
        if source is not None and seed is not None:
            raise UsageError("entropy has a source or a seed, not both")
        self._source = source or os.urandom
        self._key, self._calls = b"", 0
        if seed is not None:
            self._sow(digest(seed if isinstance(seed, bytes) else str(seed).encode()), 0)

    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """The call of WASI preview 1 that gives random bytes."""
        return {SPACE: {"random_get": host("random_get", self._fill)}}

    def twin(self) -> Self:
        """See `StatefulDevice`: random bytes of its own, unless it becomes a replica."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        if self._key:
            twin._sow(os.urandom(len(self._key)), 0)
        return twin

    def state(self) -> DeviceState:
        """See `StatefulDevice`: where the bytes come from a seed, what those to come are made of."""
        return DeviceState(_STATE.pack(self._key, self._calls) if self._key else b"")

    def restore(self, state: DeviceState, *, replica: bool, limits: Limits | None = None) -> None:
        """See `StatefulDevice`: a replica is given the bytes that the other would have been given."""
        data = state.data()
        if len(data) not in (0, _STATE.size):
            raise unfit(self)
        if data and replica:
            self._sow(*_STATE.unpack(data))

    def _sow(self, key: bytes, calls: int) -> None:
        self._key, self._calls = key, calls
        self._source = self._grown

    def _grown(self, size: int) -> bytes:
        """Bytes that follow from the key and the number of the call: SHAKE-256 (FIPS 202) of both."""
        from hashlib import shake_256  # here, for it loads OpenSSL

        self._calls = self._calls + 1 & 0xFFFF_FFFF_FFFF_FFFF
        return shake_256(self._key + self._calls.to_bytes(8, "little")).digest(size)

    def _fill(self, memory: Memory, start: int, size: int) -> Errno:
        check(memory, start, size)
        if size > MAX_RANDOM:
            return Errno.INVAL
        for at in range(start, start + size, MAX_TRANSFER):
            part = min(MAX_TRANSFER, start + size - at)
            memory[at : at + part] = self._source(part)
        return Errno.SUCCESS

    def __repr__(self) -> str:
        return "<Entropy>"
