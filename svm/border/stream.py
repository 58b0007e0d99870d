"""The bytes of values that cross the border, as they are written and read.

Out go blocks of bytes for the guest's memory; in come bytes that a guest handed out, which may say anything.
Invariant: what a count or a length promises is looked at, and taken from the limit, before memory is taken for it.
"""

from __future__ import annotations

from struct import Struct

from svm.errors import InterfaceError, LimitError
from svm.limits import MAX_VALUE_DEPTH

__all__ = ["Buffer", "Misfit", "Reader", "Writer"]

_LARGE = 4096  # from here on a block is kept as it is, for another copy would cost more than a list of blocks
_COUNT = Struct("<I")
_MOST = 0xFFFF_FFFF

Buffer = bytes | bytearray | memoryview


class Misfit(Exception):
    """A value is not what its type asks for; where in the value is found out as this passes through."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.steps: list[str] = []

    def within(self, step: str) -> Misfit:
        """The same, seen from the value around it."""
        self.steps.append(step)
        return self

    def __str__(self) -> str:
        return f"{', '.join(reversed(self.steps))}: {self.message}" if self.steps else self.message


class Writer:
    """Takes what codecs write.  part: where small things are added, by `+=`.  depth: of objects in one another."""

    __slots__ = ("_blocks", "_left", "_limit", "depth", "part")

    def __init__(self, limit: int) -> None:
        self.part = bytearray()
        self.depth = 0
        self._blocks: list[Buffer] = []
        self._limit = self._left = limit

    def account(self, size: int) -> None:
        """Take bytes from the limit, before they are made.  Raises LimitError."""
        self._left -= size
        if self._left < 0:
            raise _too_large(self._limit)

    def count(self, count: int, width: int) -> None:
        """Write how many items follow, of at least `width` bytes each.  Raises LimitError."""
        self.account(4 + count * width)
        if count > _MOST:
            raise _too_large(self._limit)
        self.part += _COUNT.pack(count)

    def block(self, data: Buffer) -> None:
        """Write bytes that are accounted for."""
        if len(data) < _LARGE:
            self.part += data
        else:
            self._blocks += (self.part, data)
            self.part = bytearray()

    def mark(self) -> tuple[int, bytearray, int, int, int]:
        """Where writing stands."""
        return len(self._blocks), self.part, len(self.part), self._left, self.depth

    def back_to(self, mark: tuple[int, bytearray, int, int, int]) -> None:
        """Take back what was written since."""
        blocks, self.part, size, self._left, self.depth = mark
        del self._blocks[blocks:]
        del self.part[size:]

    def enter(self) -> None:
        """Go into an object.  Raises Misfit where objects lie too deep: then they may refer to each other in a ring."""
        self.depth += 1
        if self.depth > MAX_VALUE_DEPTH:
            raise Misfit(f"nested deeper than {MAX_VALUE_DEPTH} objects")

    def finish(self) -> list[Buffer]:
        """All blocks, in order."""
        return [*self._blocks, self.part]


class Reader:
    """Gives what codecs read.  data: the bytes, at: where the next are."""

    __slots__ = ("_left", "_limit", "at", "data", "depth")

    def __init__(self, data: bytes, limit: int) -> None:
        self.data = data
        self.at = 0
        self.depth = 0
        self._limit = self._left = limit

    def account(self, size: int) -> None:
        """Take bytes of Python's memory from the limit, before they are allocated.  Raises LimitError."""
        self._left -= size
        if self._left < 0:
            raise _too_large(self._limit)

    def take(self, size: int) -> int:
        """Go behind so many bytes, and give where they begin.  Raises InterfaceError where there are fewer."""
        start = self.at
        self.at = start + size
        if self.at > len(self.data):
            raise InterfaceError(f"a value that the guest handed out ends early: {size} bytes expected at {start}")
        return start

    def byte(self, most: int) -> int:
        """A byte that may be at most so much."""
        found = self.data[self.take(1)]
        if found > most:
            raise InterfaceError(f"a value that the guest handed out has {found} where at most {most} can be")
        return found

    def count(self, width: int, cost: int) -> int:
        """How many items follow: at least `width` bytes each here, and about `cost` bytes as Python's objects."""
        start = self.take(4)
        found: int = _COUNT.unpack_from(self.data, start)[0]
        if found * width > len(self.data) - self.at:
            raise InterfaceError(f"a value that the guest handed out ends early: {found} items expected at {start}")
        self.account(found * cost)
        return found

    def enter(self) -> None:
        """Go into an object.  Raises InterfaceError where objects lie too deep."""
        self.depth += 1
        if self.depth > MAX_VALUE_DEPTH:
            raise InterfaceError(f"a value that the guest handed out is nested deeper than {MAX_VALUE_DEPTH} objects")

    def finish(self) -> None:
        """Raise InterfaceError where something is left."""
        if self.at != len(self.data):
            raise InterfaceError(f"a value that the guest handed out has {len(self.data) - self.at} bytes too many")


def _too_large(limit: int) -> LimitError:
    return LimitError(f"a value that crosses the border is larger than the limit of {limit} bytes", "values", limit)
