"""Ways out of loops: the branch by which a loop is left, where there is only one and every round comes to it.

What a compiler puts between that branch and where a round goes on is lexically inside the loop, but never comes back to
it: it may hold all of the rest of a function, with loops of its own.
"""

from __future__ import annotations

from typing import NamedTuple

from svm.module import ValidFunction

__all__ = ["Exits", "WayOut"]

_MOST_LOOKED = 50_000
_MOST_TRIED = 4
"""Instructions of the loops of a function in which a way out is looked for, and branches of a loop that may be it."""


class WayOut(NamedTuple):
    """The only branch out of a loop.  at: its index.  taken: in a round that goes round.  past: index of where such a
    round goes on; what stands between is on the way out.
    """

    at: int
    taken: bool
    past: int


class Exits:
    """The ways out of a function's loops.  looked: instructions that were looked at."""

    def __init__(self, function: ValidFunction) -> None:
        self.function = function
        self.ends = {block.end for block in function.blocks.values() if block.kind == "loop"}
        self.looked = 0

    def only(self, key: int) -> WayOut | None:
        """The way out of a loop, by its key, if it is the only one."""
        function, block, found = self.function, self.function.blocks[key], None
        self.looked += block.end - key
        if self.looked > _MOST_LOOKED:
            return None
        at, joined, tried = key + 1, key, 0  # joined: up to where blocks end that a branch before goes past
        while at < block.end:
            name, targets = function.code[at].op.name, function.targets.get(at, ())
            if name in ("loop", "return"):
                return None
            if name == "if":
                joined = max(joined, function.blocks[at].end)
            if name == "br_if" and found is None and at > joined and tried < _MOST_TRIED:
                tried += 1
                found = self.leaves(key, at)
                if found is not None:
                    at = found.past
                    continue
            if any(target < key for target in targets):
                return None
            joined = max(joined, *(function.blocks[target].end for target in targets), 0)
            at += 1
        falls_out = self.comes_to(block.end) and (found is None or found.past < block.end)
        return None if falls_out else found

    def leaves(self, key: int, at: int) -> WayOut | None:
        """A conditional branch of a loop as its way out, if it is one."""
        function, target = self.function, self.function.targets[at][0]
        if target < key:
            return WayOut(at, False, at + 1)
        past = function.blocks[target].end
        inside = (other for index in range(at + 1, past) for other in function.targets.get(index, ()))
        goes_on = target != key and self.comes_to(past)
        if goes_on or past == at + 1 or any(key <= other <= at for other in inside):
            return None
        return WayOut(at, True, past)

    def comes_to(self, at: int) -> bool:
        """Whether control may come to an instruction from the one before: not past the end of a loop that is only left
        by branches.
        """
        while self.function.heights[at] >= 0 and at - 1 in self.ends:
            at -= 1
        return self.function.heights[at] >= 0
