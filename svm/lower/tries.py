"""Where exceptions go: the catches around an instruction.

A hostile body may have a million nested `try_table`s and as many catches, so ranges know the range around them, and
what was found once is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from svm.module import FUNCTION, ValidFunction

__all__ = ["Handlers", "TryRange", "tries_of"]


class TryRange(NamedTuple):
    """Instructions first..last - 1 of a `try_table`, and its catches: (tag index, None for all; key of the target).

    outer: index of the range around it, or -1.
    """

    first: int
    last: int
    outer: int
    catches: tuple[tuple[int | None, int], ...]


def tries_of(function: ValidFunction) -> tuple[TryRange, ...]:
    """The ranges of a function's `try_table`s, outer ones first."""
    places: dict[int, int] = {FUNCTION: -1}  # index of the innermost range around the inside of each block
    found: list[TryRange] = []
    for key in sorted(function.blocks):
        if key == FUNCTION:
            continue
        block = function.blocks[key]
        outer = places[block.parent]
        if block.kind != "try_table":
            places[key] = outer
            continue
        places[key] = len(found)
        found.append(TryRange(block.start + 1, block.end, outer, block.catches))
    return tuple(found)


class Handlers:
    """Finds which catch takes an exception.  Tags are told apart as objects; the same one may have several indices."""

    def __init__(self, tries: Sequence[TryRange], tags: Sequence[Hashable]) -> None:
        """Take a function's ranges, by their first instruction, and its instance's tags."""
        self._tries = tries
        self._starts = [item.first for item in tries]
        self._catches = [_by_tag(item.catches, tags) for item in tries]
        self._found: dict[tuple[int, Hashable], int | None] = {}

    def find(self, at: int, tag: Hashable) -> int | None:
        """Key of the target of the innermost catch around instruction `at` that takes the tag."""
        index = bisect_right(self._starts, at) - 1
        while index >= 0 and at >= self._tries[index].last:
            index = self._tries[index].outer
        passed = []
        target: int | None = None
        while index >= 0 and target is None:
            if (index, tag) in self._found:
                target = self._found[index, tag]
                break
            passed.append((index, tag))
            catches = self._catches[index]
            target = catches[tag] if tag in catches else catches.get(None)
            index = self._tries[index].outer
        self._found.update(dict.fromkeys(passed, target))
        return target


def _by_tag(catches: Sequence[tuple[int | None, int]], tags: Sequence[Hashable]) -> dict[Hashable, int]:
    found: dict[Hashable, int] = {}
    for index, key in catches:
        found.setdefault(None if index is None else tags[index], key)
        if index is None:
            break
    return found
