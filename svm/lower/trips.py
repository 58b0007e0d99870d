"""Counted loops: how often a loop runs whose count stands in the code.

Recognised is the shape that compilers give an inner loop of constant length:

    i32.const START  local.set X        (anything that leaves X alone, and at which no guest can be paused)
    loop
      …                                 (no other write of X, no other branch to the loop)
      local.get X  i32.const STEP  i32.add  local.tee X  [i32.const END  i32.ne]  br_if 0
    end

(or with i64, and `lt_s`, `lt_u` for `ne`).  The answer is exact or None; it is part of the charges' version.  It holds
for frames that somebody else made, too: none of them stands between the start value and the loop.
"""

from __future__ import annotations

from bisect import bisect_right

from svm.isa import Immediate
from svm.lower.stops import stops
from svm.module import Instruction, ValidFunction

__all__ = ["latched_once", "trip_counts"]

_WRITES = frozenset(("local.set", "local.tee"))
_STRUCTURE = frozenset(("block", "loop", "if", "else", "end", "try_table"))
_LONGEST = 1_000_000
_LOOK_BACK = 64  # instructions before a loop among which its start value is looked for


def trip_counts(function: ValidFunction) -> dict[int, int]:
    """How often the body of each loop runs at most, by the key of its block, where that is plain from the code.

    Takes time in proportion to the body, however its loops are nested.
    """
    counts = {}
    writes: dict[int, list[int]] = {}
    for at, (op, args, _) in enumerate(function.code):
        if op.name in _WRITES:
            writes.setdefault(args[0], []).append(at)
    for key in latched_once(function):
        count = _trip_count(function, key, writes)
        if count is not None:
            counts[key] = count
    return counts


def latched_once(function: ValidFunction) -> set[int]:
    """Keys of the loops whose only branch back is the instruction before their end."""
    once = {key for key, block in function.blocks.items() if block.kind == "loop"}
    for at, targets in function.targets.items():
        once.difference_update(key for key in targets if key in once and function.blocks[key].end - 1 != at)
    for block in function.blocks.values():
        once.difference_update(key for _, key in block.catches)
    return once


def _trip_count(function: ValidFunction, key: int, writes: dict[int, list[int]]) -> int | None:
    code, block = function.code, function.blocks[key]
    if block.type.params or block.type.results:
        return None
    latch = _latch(code, block.end)
    if latch is None:
        return None
    first, local, step, end, comparison = latch
    inside = writes[local]
    if first <= key or inside[bisect_right(inside, key)] < first:
        return None
    start = _start(code, key, local)
    if start is None or step == 0:
        return None
    return _count(start, step, end, comparison)


def _latch(code: tuple[Instruction, ...], end: int) -> tuple[int, int, int, int, str] | None:
    """(index of its first instruction, local, step, end value, comparison) of the latch before the `end` at index
    `end`.
    """
    if end < 5 or (code[end - 1].op.name, code[end - 1].args) != ("br_if", (0,)):
        return None
    at, limit, comparison = end - 2, 0, "ne"
    kind = "i32"
    if "." in code[at].op.name and code[at].op.name.split(".")[1] in ("ne", "lt_s", "lt_u") and end >= 7:
        kind, comparison = code[at].op.name.split(".")
        if code[at - 1].op.name != f"{kind}.const":
            return None
        limit = code[at - 1].args[0]
        at -= 2
    names = [item.op.name for item in code[at - 3 : at + 1]]
    if names != ["local.get", f"{kind}.const", f"{kind}.add", "local.tee"] or code[at - 3].args != code[at].args:
        return None
    return at - 3, code[at].args[0], code[at - 2].args[0], limit, comparison


def _start(code: tuple[Instruction, ...], key: int, local: int) -> int | None:
    """The constant that the local holds where the loop at `key` begins, where straight-line code before it says so."""
    for at in range(key - 1, max(key - _LOOK_BACK, 0), -1):
        op, args, _ = code[at]
        if op.name in _WRITES and args[0] == local:
            before = code[at - 1]
            return before.args[0] if before.op.immediates in ((Immediate.I32,), (Immediate.I64,)) else None
        if op.name in _STRUCTURE or stops(op):
            return None
    return None


def _count(start: int, step: int, end: int, comparison: str) -> int | None:
    if comparison == "ne":
        trips, rest = divmod(end - start, step)
        return trips if rest == 0 and 0 < trips <= _LONGEST else None
    if step < 0 or (comparison == "lt_u" and (start < 0 or end < 0)):
        return None
    trips = max(-((start - end) // step), 1) if end > start else 1
    # An end near the type's largest value could be stepped over and wrap.
    return trips if trips <= _LONGEST and start + trips * step < 1 << 31 else None
