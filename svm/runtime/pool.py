"""Mappings that are used again, for to make one takes as long as all else that a small guest needs.

In come mappings that nobody else has any more, out go mappings of the same size.  Invariant: who takes one finds
nothing but zeros in it, whatever was there before.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable

from svm.hints import Generic, TypeVar

__all__ = ["Pool"]

T = TypeVar("T")

_MOST_BYTES = 2 << 20  # of a mapping: larger ones take their time anyway
_MOST_ALIKE = 64
_MOST_SIZES = 4
_ZEROES = sys.platform == "linux"  # elsewhere pages that are given up may come back as they were
_FIRST_BYTES = mmap.PAGESIZE
_FIRST = bytes(_FIRST_BYTES)
"""The first page is written to, for the next guest will use that: giving it to the kernel and being given it again
takes ten times as long.  All others are given up, and with them their memory.
"""


class Pool(Generic[T]):
    """Mappings, each with what its users need beside it."""

    def __init__(self, make: Callable[[int], T]) -> None:
        """make: what is taken where there is none of a size."""
        self._make = make
        self._spare: dict[int, list[T]] = {}

    def take(self, size: int) -> T:
        """A mapping of a size, all zero."""
        try:
            return self._spare[size].pop()
        except (KeyError, IndexError):
            return self._make(size)

    def give(self, mapping: mmap.mmap, whole: T) -> None:
        """Give a mapping back, which has no image, and which nobody else can reach.  whole: what `take` gave."""
        size = len(mapping)
        spare = self._spare.get(size)
        if spare is None:
            if len(self._spare) >= _MOST_SIZES:
                self._spare.clear()  # of sizes that are not asked for any more
            spare = self._spare[size] = []
        if not _ZEROES or size > _MOST_BYTES or len(spare) >= _MOST_ALIKE:
            return
        try:
            if size > _FIRST_BYTES:
                mapping.madvise(mmap.MADV_DONTNEED, _FIRST_BYTES, size - _FIRST_BYTES)
            mapping[:_FIRST_BYTES] = _FIRST
        except (OSError, ValueError):
            return
        spare.append(whole)
