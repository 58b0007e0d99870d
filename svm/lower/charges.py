"""Fuel: what is charged, and where it is tested.

A body is divided into regions: each loop is one, without the loops inside it, and what is outside of loops is one.  A
region's charge is the sum of its instructions' costs (`Op.cost`), whether or not a run takes them all, so that a
charge is one constant:

- on entering a function, its outermost region is charged, and a unit for every 8 locals to be zeroed; then fuel is
  tested, unless the function calls nothing and the path through it without a test is short;
- on entering a loop, the loop's region is charged, without a test;
- on each branch back to a loop (its latch), the region is charged again; then fuel is tested, unless the loop is
  counted (`svm.lower.trips`) and cheap, and so are all such loops of the function together;
- bulk instructions charge by length after each chunk, and then test, if the chunk was long enough to be charged; so do
  the two that grow, in one chunk.

So what runs between two tests is bounded, for hostile code too: the straight path through one function, its untested
loops, and a short function for each call on the path.

Where a test finds less than zero, the guest pauses: after a function's entry before its first instruction, after a
latch at the loop's start, after a chunk at what is left of the instruction.  A resumed guest is not charged again.
"""

from __future__ import annotations

from svm.isa import Op
from svm.limits import MAX_CONSTANT_CHARGE
from svm.lower.frame import Charges, LoopCharge
from svm.lower.stops import CALLS, stops
from svm.lower.trips import trip_counts
from svm.module import FUNCTION, ValidFunction

__all__ = ["BULK_CHUNK", "CHARGES_VERSION", "bulk_charge", "charges_of"]

CHARGES_VERSION = 1
"""Version of these rules: a guest's fuel can be compared, and a paused guest resumed, under one version only."""

BULK_CHUNK = 1 << 20
"""Bytes, or elements of a table, that a bulk instruction works through between two tests."""

UNTESTED_COST = 100_000
"""Cost up to which the counted loops of a function run without tests, all of them together."""

SHORT_LEAF = 100
"""Cost up to which a function that calls nothing is entered without a test."""


def bulk_charge(op: Op, length: int) -> int:
    """Charge of a bulk instruction's chunk of so many bytes or elements: a unit for every 64 bytes, or 8 elements."""
    return min(length >> (6 if op.name.startswith("memory.") else 3), MAX_CONSTANT_CHARGE)


def charges_of(function: ValidFunction) -> Charges:
    """The charges of a checked function."""
    costs: dict[int, int] = {FUNCTION: 0}
    calls: set[int] = set()
    inside: dict[int, int] = {}
    region = [FUNCTION]
    ends = {block.end for block in function.blocks.values() if block.kind == "loop"}
    for at, (op, _, _) in enumerate(function.code):
        if op.name == "loop":
            inside[at] = region[-1]
            region.append(at)
            costs[at] = 0
        costs[region[-1]] += op.cost
        if stops(op):
            calls.add(region[-1])
        if at in ends:
            region.pop()
    for key in reversed(inside):  # a call in an inner loop is one in the outer loops too
        if key in calls:
            calls.add(inside[key])
    totals = _total_costs(function, costs, inside, calls)
    untested, extra = _untested(totals, inside)
    loops = {
        key: LoopCharge(min(cost, MAX_CONSTANT_CHARGE), key not in untested)
        for key, cost in costs.items()
        if key != FUNCTION
    }
    entry = costs[FUNCTION] + (len(function.locals) - len(function.type.params) >> 3)
    leaf = not any(op.name in CALLS for op, _, _ in function.code)
    short = entry + sum(loop.cost for loop in loops.values()) + extra <= SHORT_LEAF
    return Charges(min(entry, MAX_CONSTANT_CHARGE), not (leaf and short), loops)


def _total_costs(
    function: ValidFunction, costs: dict[int, int], inside: dict[int, int], calls: set[int]
) -> dict[int, int | None]:
    """Bound on the cost of one run through each loop, None where there is none or it is much."""
    totals: dict[int, int | None] = {}
    counts = trip_counts(function)
    inner: dict[int, int | None] = dict.fromkeys(inside, 0)  # sum over the loops directly inside
    for key in reversed(inside):  # inner loops stand after outer ones
        trips = counts.get(key) if key not in calls else None
        within = inner[key]
        total = None if trips is None or within is None else trips * (costs[key] + within)
        totals[key] = total if total is not None and total <= UNTESTED_COST else None
        outer = inside[key]
        if outer != FUNCTION:
            so_far, mine = inner[outer], totals[key]
            inner[outer] = None if so_far is None or mine is None else so_far + mine
    return totals


def _untested(totals: dict[int, int | None], inside: dict[int, int]) -> tuple[set[int], int]:
    """Keys of the loops that run without tests, the first of the body that fit the bound; and what they cost."""
    untested: set[int] = set()
    extra = 0
    for key, outer in inside.items():  # outer loops stand before inner ones
        total = totals[key]
        if outer in untested:
            untested.add(key)
        elif total is not None and extra + total <= UNTESTED_COST:
            untested.add(key)
            extra += total
    return untested, extra
