"""Entropy: random bytes.

In: the host's source of them. Out: bytes in a guest's memory. Invariant: one call gives at most `MAX_RANDOM` bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from svm.devices.wasi import MAX_TRANSFER, SPACE, Errno, check, host
from svm.isa import Memory
from svm.runtime import HostFunction

__all__ = ["MAX_RANDOM", "Entropy"]

MAX_RANDOM = 16 << 20


class Entropy:
    """Random bytes for a guest, which is refused them without: `module.spawn(devices=[svm.Entropy()])`."""

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        """Make a source of random bytes; `source` gives as many as it is asked for, the system's by default."""
        self._source = source

    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """The call of WASI preview 1 that gives random bytes."""
        return {SPACE: {"random_get": host("random_get", self._fill)}}

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
