"""Which locals a function may still read: what a frame must hold where the guest can be paused.

A set of locals is an integer, bit n for local n.  Source of the method: backward data-flow analysis (Aho, Lam, Sethi,
Ullman, "Compilers", section 9.2.5), over structured code, so that one pass suffices but for loops.
"""

from __future__ import annotations

from svm.lower.frame import FrameLayout
from svm.module import Block, ValidFunction
from svm.module.checked import FUNCTION

__all__ = ["clear_dead", "live_locals"]

_LEAVES = frozenset(("br", "br_table", "return", "unreachable", "throw"))


def live_locals(function: ValidFunction) -> list[int]:
    """The locals that may be read before each instruction, and (last) after them all.

    Inside a `try_table`, what its handlers may read is live throughout: any call may end there.
    """
    analysis = _Analysis(function)
    while analysis.run():
        pass
    return analysis.live


def clear_dead(slots: list[int], frame: int, layout: FrameLayout, live: int) -> None:
    """Make the dead locals of a frame of record 0, so that it holds the same whatever ran it.  frame: its header."""
    for index in range(layout.params + layout.locals):
        if not live >> index & 1:
            slots[frame + layout.local(index)] = 0


class _Analysis:
    def __init__(self, function: ValidFunction) -> None:
        self.function = function
        self.live = [0] * (len(function.code) + 1)
        self.ends = {block.end: block for key, block in function.blocks.items() if key != FUNCTION}
        self.elses = {block.otherwise: block for block in self.ends.values() if block.otherwise is not None}

    def run(self) -> bool:
        """One pass, from the last instruction to the first; whether another is needed, for a loop's start changed."""
        function, live = self.function, self.live
        tries: list[int] = [0]  # what the handlers around may read
        changed = False
        for at in range(len(function.code) - 1, -1, -1):
            op, args, _ = function.code[at]
            name = op.name
            after = live[at + 1]
            if name == "local.get":
                after |= 1 << args[0]
            elif name == "local.set" or name == "local.tee":
                after &= ~(1 << args[0])
            elif name == "end":
                block = self.ends.get(at)
                if block is not None and block.kind == "try_table":
                    tries.append(tries[-1] | self.caught(block))
            elif name == "else":
                after = live[self.elses[at].end]
            elif name == "if":
                block = function.blocks[at]
                after |= live[block.end if block.otherwise is None else block.otherwise + 1]
            elif name == "try_table":
                tries.pop()
            elif at in function.targets:
                after = 0 if name in _LEAVES else after
                for key in function.targets[at]:
                    after |= self.at_label(key)
            elif name in _LEAVES:
                after = 0
            after |= tries[-1]
            if name == "loop" and after & ~live[at]:
                changed = True
            live[at] = after
        return changed

    def at_label(self, key: int) -> int:
        """What is live where a branch to a block goes on."""
        if key == FUNCTION:
            return 0
        block = self.function.blocks[key]
        return self.live[key + 1] if block.kind == "loop" else self.live[block.end]

    def caught(self, block: Block) -> int:
        """What the handlers of a `try_table` may read."""
        found = 0
        for _, key in block.catches:
            found |= self.at_label(key)
        return found
