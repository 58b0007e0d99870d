"""Where frames can stand while a guest is paused: the safepoints of a function.

In comes a checked body, out come its safepoints by byte offset.  Where charges are tested (`svm.lower.charges`), a
running frame can pause; its callers stand after their calls.  What control never comes to, as the lowering sees it
(`svm.lower.slots`), holds none; nor does a loop without tests, whose count is only known of those who come from above.
"""

from __future__ import annotations

from svm.isa import Form
from svm.lower.charges import charges_of
from svm.lower.stops import CALLS, CHUNKED, GROWING
from svm.module import FUNCTION, Instruction, ValidFunction
from svm.record import record

__all__ = ["Safepoint", "safepoints_of"]

_LEAVES = frozenset(("br", "br_table", "return", "unreachable", "throw"))
_BLOCKS = frozenset(("block", "loop", "if", "try_table"))


@record
class Safepoint:
    """index: of the instruction that runs next.  pauses: whether a running frame can stand here.  call: the call that a
    frame which stands here can be waiting for, or have made last.
    """

    index: int
    pauses: bool
    call: Instruction | None = None


def safepoints_of(function: ValidFunction) -> dict[int, Safepoint]:
    """The safepoints of a checked function, by the byte offset that a frame there has."""
    code, blocks, loops = function.code, function.blocks, charges_of(function).loops
    found = {0: Safepoint(0, True)}

    def add(index: int, pauses: bool, call: Instruction | None = None) -> None:
        before = found.get(code[index].offset)
        if before is not None:
            pauses, call = pauses or before.pauses, call or before.call
        found[code[index].offset] = Safepoint(index, pauses, call)

    inside = [FUNCTION]
    at, last = 0, len(code) - 1
    while at < last:
        item = code[at]
        name = item.op.name
        if name in _BLOCKS:
            inside.append(at)
            if name == "loop" and loops[at].test:
                add(at + 1, True)
        elif name == "end":
            inside.pop()
        elif name in CALLS:
            add(at + 1, False, item)
        elif item.op.form is Form.BULK or name in CHUNKED:
            add(at, True)
            add(at + 1, True)
        elif name in GROWING:
            add(at + 1, True)
        elif name in _LEAVES:  # what follows up to the block's `else` or end is never reached
            block = blocks[inside[-1]]
            if block.otherwise is not None and at < block.otherwise:
                at = block.otherwise
            else:
                inside.pop()
                at = block.end
        at += 1
    return found
