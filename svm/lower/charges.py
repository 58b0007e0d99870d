"""Fuel: what is charged, and where it is tested.

A body is divided into regions: each loop is one, without the loops inside it, and what is outside of loops is one.  A
region's charge is the sum of its instructions' costs (`Op.cost`), whether or not a run takes them all, so that a
charge is one constant:

- on entering a function, its outermost region is charged; then fuel is tested, unless the function calls nothing: a
  leaf's time is bounded by the tests of its caller and of its own loops;
- on entering a loop, the loop's region is charged, without a test;
- on each branch back to a loop (its latch), the region is charged again; then fuel is tested, unless the loop is
  counted (`svm.lower.trips`) and cheap: then its whole cost is bounded;
- bulk instructions charge by length after each chunk, and then test; so do the two that grow, in one chunk.

Where a test finds less than zero, the guest pauses: after a function's entry before its first instruction, after a
latch at the loop's start, after a chunk at what is left of the instruction.  A resumed guest is not charged again.
"""

from __future__ import annotations

from dataclasses import dataclass

from svm.isa import Form, Op
from svm.limits import MAX_CONSTANT_CHARGE
from svm.lower.trips import latched_once, trip_count
from svm.module import ValidFunction
from svm.module.body import FUNCTION

__all__ = ["BULK_CHUNK", "CHARGES_VERSION", "Charges", "LoopCharge", "bulk_charge", "charges_of"]

CHARGES_VERSION = 1
"""Version of these rules: a guest's fuel can be compared, and a paused guest resumed, under one version only."""

BULK_CHUNK = 1 << 20
"""Bytes, or elements of a table, that a bulk instruction works through between two tests."""

UNTESTED_COST = 100_000
"""Cost up to which a counted loop runs without tests, the loops inside it included."""

_CALLS = frozenset(("call", "call_indirect"))


@dataclass(frozen=True, slots=True)
class LoopCharge:
    """Charge of a loop, on entry and at its latch, and whether the latch tests."""

    cost: int
    test: bool


@dataclass(frozen=True, slots=True)
class Charges:
    """Charges of one function; loops by the key of their block."""

    entry: int
    entry_test: bool
    loops: dict[int, LoopCharge]


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
        if op.name in _CALLS or op.form is Form.BULK or op.name in _LENGTHY:
            calls.add(region[-1])
        if at in ends:
            region.pop()
    for key in reversed(inside):  # a call in an inner loop is one in the outer loops too
        if key in calls:
            calls.add(inside[key])
    totals = _total_costs(function, costs, inside, calls)
    loops = {
        key: LoopCharge(min(cost, MAX_CONSTANT_CHARGE), totals[key] is None)
        for key, cost in costs.items()
        if key != FUNCTION
    }
    leaf = not any(op.name in _CALLS for op, _, _ in function.code)
    return Charges(min(costs[FUNCTION], MAX_CONSTANT_CHARGE), not leaf, loops)


_LENGTHY = frozenset(("memory.init", "table.init", "table.copy", "table.fill", "table.grow", "memory.grow"))


def _total_costs(
    function: ValidFunction, costs: dict[int, int], inside: dict[int, int], calls: set[int]
) -> dict[int, int | None]:
    """Bound on the cost of one run through each loop, None where there is none or it is too much to go untested."""
    totals: dict[int, int | None] = {}
    latched = latched_once(function)
    inner: dict[int, int | None] = dict.fromkeys(inside, 0)  # sum over the loops directly inside
    for key in reversed(inside):  # inner loops stand after outer ones
        trips = trip_count(function, key) if key in latched and key not in calls else None
        within = inner[key]
        total = None if trips is None or within is None else trips * (costs[key] + within)
        totals[key] = total if total is not None and total <= UNTESTED_COST else None
        outer = inside[key]
        if outer != FUNCTION:
            so_far, mine = inner[outer], totals[key]
            inner[outer] = None if so_far is None or mine is None else so_far + mine
    return totals
