"""Intervals: between which two ints a value lies, and what instructions on ints make of that.

In: intervals of operands. Out: the interval of the result, exact or too wide, never too narrow. What checked arithmetic
cannot give, because it raises, is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class Interval(NamedTuple):
    """The ints from `low` to `high`."""

    low: int
    high: int

    def fits(self) -> bool:
        """Whether all of them are 64-bit ints."""
        return self.low >= INT_MIN and self.high <= INT_MAX

    def join(self, other: Interval) -> Interval:
        """The least interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def meet(self, other: Interval) -> Interval | None:
        """What both hold, None if that is nothing."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None

    def contains(self, other: Interval) -> bool:
        """Whether all of the other's are here too."""
        return self.low <= other.low and other.high <= self.high


FULL = Interval(INT_MIN, INT_MAX)
BIT = Interval(0, 1)
COUNTS = Interval(0, 63)
"""By how much an instruction can shift."""


def add(a: Interval, b: Interval) -> Interval:
    """The exact sum."""
    return Interval(a.low + b.low, a.high + b.high)


def subtract(a: Interval, b: Interval) -> Interval:
    """The exact difference."""
    return Interval(a.low - b.high, a.high - b.low)


def multiply(a: Interval, b: Interval) -> Interval:
    """The exact product."""
    corners = [x * y for x in a for y in b]
    return Interval(min(corners), max(corners))


def shift_left(a: Interval, b: Interval) -> Interval:
    """The exact `a << b`, for counts that an instruction takes."""
    if not COUNTS.contains(b):
        return Interval(INT_MIN * 2, INT_MAX * 2)
    return multiply(a, Interval(1 << b.low, 1 << b.high))


def _wrapping(exact: Callable[[Interval, Interval], Interval]) -> Callable[[Interval, Interval], Interval]:
    def found(a: Interval, b: Interval) -> Interval:
        result = exact(a, b)
        return result if result.fits() else FULL

    return found


def _shift_right(a: Interval, b: Interval) -> Interval:
    if not COUNTS.contains(b):
        return Interval(0, a.high) if a.low >= 0 else FULL
    corners = [x >> y for x in a for y in b]
    return Interval(min(corners), max(corners))


def _and(a: Interval, b: Interval) -> Interval:
    highs = [each.high for each in (a, b) if each.low >= 0]
    return Interval(0, min(highs)) if highs else FULL


def _or(a: Interval, b: Interval) -> Interval:
    if a.low < 0 or b.low < 0:
        return FULL
    return Interval(max(a.low, b.low), (1 << max(a.high, b.high).bit_length()) - 1)


def _xor(a: Interval, b: Interval) -> Interval:
    if a == Interval(-1, -1):
        a, b = b, a
    if b == Interval(-1, -1):
        return Interval(~a.high, ~a.low)
    return Interval(0, _or(a, b).high) if a.low >= 0 and b.low >= 0 else FULL


def _remainder(a: Interval, b: Interval) -> Interval:
    """Of machine division: it has the dividend's sign."""
    if b.low <= 0:
        return Interval(0, a.high) if a.low >= 0 else FULL
    most = b.high - 1
    return Interval(max(-most, min(a.low, 0)), min(most, max(a.high, 0)))


def _quotient(a: Interval, b: Interval) -> Interval:
    """Of machine division, which truncates."""
    if b.low <= 0:
        return FULL
    corners = [abs(x) // y * (-1 if x < 0 else 1) for x in a for y in b]
    return Interval(min(corners), max(corners))


CHECKED: dict[str, Callable[[Interval, Interval], Interval]] = {
    "i64.add_throw": add,
    "i64.sub_throw": subtract,
    "i64.mul_throw": multiply,
}
"""Instructions that raise where the exact result does not fit."""

PLAIN: dict[str, Callable[[Interval, Interval], Interval]] = {
    "i64.add": _wrapping(add),
    "i64.sub": _wrapping(subtract),
    "i64.mul": _wrapping(multiply),
    "i64.shl": _wrapping(shift_left),
    "i64.shr_s": _shift_right,
    "i64.and": _and,
    "i64.or": _or,
    "i64.xor": _xor,
    "i64.rem_s": _remainder,
    "i64.div_s": _quotient,
}

LIMITS: dict[str, tuple[Callable[[Interval], Interval], str]] = {
    "i64.lt_s": (lambda b: Interval(INT_MIN, b.high - 1), "i64.ge_s"),
    "i64.le_s": (lambda b: Interval(INT_MIN, b.high), "i64.gt_s"),
    "i64.gt_s": (lambda b: Interval(b.low + 1, INT_MAX), "i64.le_s"),
    "i64.ge_s": (lambda b: Interval(b.low, INT_MAX), "i64.lt_s"),
    "i64.eq": (lambda b: b, "i64.ne"),
    "i64.ne": (lambda b: FULL, "i64.eq"),
}
"""Comparisons: where the left side lies if they hold, given the right side; and their opposites."""

MIRRORED = {
    "i64.lt_s": "i64.gt_s", "i64.le_s": "i64.ge_s", "i64.gt_s": "i64.lt_s", "i64.ge_s": "i64.le_s",
    "i64.eq": "i64.eq", "i64.ne": "i64.ne",
}  # fmt: skip
"""The comparison that says the same with its sides exchanged."""
