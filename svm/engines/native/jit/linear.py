"""Integers as sums of locals: what is known of a value before the code runs.

In come instructions' operands, out come sums `c + k·x + l·y…`, exact as the instructions are: modulo 2^32 or 2^64.
What is no such sum is None.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Comparison", "Known", "Linear", "evaluate", "signed"]


class Linear(NamedTuple):
    """const plus each local of terms times its factor.  const and factors are not negative, and below 2^bits."""

    terms: tuple[tuple[int, int], ...]
    const: int
    bits: int

    def times(self, factor: int) -> Linear:
        """The sum, each part multiplied."""
        mask = (1 << self.bits) - 1
        terms = ((local, known * factor & mask) for local, known in self.terms)
        return Linear(tuple(term for term in terms if term[1]), self.const * factor & mask, self.bits)

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """The sum with another one, multiplied."""
        mask = (1 << self.bits) - 1
        factors = dict(self.terms)
        for local, known in other.terms:
            factors[local] = factors.get(local, 0) + known * factor & mask
        terms = tuple(sorted(term for term in factors.items() if term[1]))
        return Linear(terms, self.const + other.const * factor & mask, self.bits)

    def narrow(self) -> Linear:
        """Its lower 32 bits."""
        return Linear(self.terms, self.const, 32).times(1)

    @property
    def aligned(self) -> int:
        """A power of two that divides it, whatever the locals are."""
        bits = self.const
        for _, factor in self.terms:
            bits |= factor
        return bits & -bits


class Comparison(NamedTuple):
    """What a comparison of two sums finds.  name: `eq`, `lt_s` …"""

    name: str
    left: Linear
    right: Linear

    def opposite(self) -> Comparison:
        """What holds where this does not."""
        return Comparison(_OPPOSITES[self.name], self.left, self.right)


Known = Linear | Comparison | None

_OPPOSITES = {"eq": "ne", "lt_s": "ge_s", "lt_u": "ge_u", "gt_s": "le_s", "gt_u": "le_u"}
_OPPOSITES |= {value: key for key, value in _OPPOSITES.items()}
_WIDTHS = {"i32": 32, "i64": 64}


def signed(value: int, bits: int) -> int:
    """A number of so many bits, as two's complement has it."""
    return value - (value >> bits - 1 << bits)


def evaluate(name: str, operands: list[Known], args: tuple[Any, ...]) -> Known:
    """The result of an instruction without effects, if it has one: checked arithmetic may throw."""
    kind, _, what = name.partition(".")
    bits = _WIDTHS.get(kind, 0)
    if what == "const":
        return Linear((), args[0] & (1 << bits) - 1, bits) if bits else None
    if what == "eqz" and isinstance(operands[0], Comparison):
        return operands[0].opposite()
    sums = [operand for operand in operands if isinstance(operand, Linear)]
    if not bits or len(sums) < len(operands) or not sums:
        return None
    if len(sums) == 1:
        if what == "eqz":
            return Comparison("eq", sums[0], Linear((), 0, sums[0].bits))
        return sums[0].narrow() if what == "wrap_i64" else None
    return _of_two(what, *sums)


def _of_two(what: str, a: Linear, b: Linear) -> Known:
    what = what.removesuffix("_throw")
    if what == "add":
        return a.plus(b)
    if what == "sub":
        return a.plus(b, -1)
    if what == "mul":
        if not a.terms:
            a, b = b, a
        return a.times(b.const) if not b.terms else None
    if what == "shl":
        return a.times(1 << b.const % a.bits) if not b.terms else None
    if what == "or":
        return a.plus(b) if not b.terms and b.const < a.aligned else None
    return Comparison(what, a, b) if what in _OPPOSITES else None
