"""The content of a stored file: blocks of bytes by their numbers.

In come blocks, out come blocks.  Invariant: a block is never written to, it has no zeros at its end, and one that is
all zero is not there.  A copy shares the blocks and, in parts of 1 MiB, the lists of them, so that the first change
after it costs a part and not the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from svm.limits import SNAPSHOT_PAGE

__all__ = ["BLOCK", "Blocks"]

BLOCK = SNAPSHOT_PAGE
_PART = 256  # blocks


class Blocks:
    """See the module's docstring."""

    __slots__ = ("_own", "_parts")

    def __init__(self) -> None:
        self._parts: dict[int, dict[int, bytes]] = {}
        self._own: set[int] = set()  # parts that no copy has

    def copy(self) -> Blocks:
        """The same blocks; this one is not changed any more."""
        found = Blocks()
        found._parts = dict(self._parts)
        return found

    def __getitem__(self, number: int) -> bytes:
        """A block without the zeros at its end."""
        part = self._parts.get(number // _PART)
        return b"" if part is None else part.get(number, b"")

    def __setitem__(self, number: int, block: bytes) -> None:
        """Put a block, zeros at its end or not."""
        block = block.rstrip(b"\0")
        key = number // _PART
        if block or key in self._parts:
            part = self._changing(key)
            if block:
                part[number] = block
            else:
                part.pop(number, None)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Numbers and blocks, in order."""
        for key in sorted(self._parts):
            yield from sorted(self._parts[key].items())

    def cut(self, count: int) -> None:
        """Leave only the blocks of the first so many numbers."""
        last = count // _PART
        for key in [key for key in self._parts if key > last]:
            del self._parts[key]
            self._own.discard(key)
        if last in self._parts:
            part = self._changing(last)
            for number in [number for number in part if number >= count]:
                del part[number]

    def _changing(self, key: int) -> dict[int, bytes]:
        if key not in self._own:
            self._parts[key] = dict(self._parts.get(key, ()))
            self._own.add(key)
        return self._parts[key]
