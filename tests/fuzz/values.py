"""Numbers for random programs: the edges of their types, small ones, any."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, ValueType

__all__ = ["KINDS", "NUMBERS", "REFERENCES", "Argument", "argument", "bits", "number", "number_of", "python_float"]

NUMBERS = (I32, I64, F32, F64)
REFERENCES = (FUNCREF, EXTERNREF)
KINDS = (*NUMBERS, *NUMBERS, *REFERENCES)
"""What locals, parameters and results are chosen from."""

Argument = int | str | None
"""An argument or result that can be written down: integers signed, floats by their bits, an externref as a word, a
funcref as the name of one of the instance's exports, None for null."""

_EDGES = {
    I32: (0, 1, -1, 2, 31, 32, 255, 65535, 65536, (1 << 31) - 1, -(1 << 31)),
    I64: (0, 1, -1, 2, 63, 64, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, -(1 << 63)),
    F32: (0, 0x80000000, 0x3F800000, 0xBF800000, 1, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x4F000000,
          0xCF000000, 0x5F000000, 0x3F000000, 0x4B000001, 0x7FA00000, 0xFFC12345),
    F64: (0, 1 << 63, 0x3FF << 52, 0xBFF << 52, 1, (0x7FF << 52) - 1, 0x7FF << 52, 0xFFF << 52, 0x7FF8 << 48,
          0x41E << 52, 0xC1E0000000200000, 0x43E << 52, 0x3FE << 52, 0x3FF0000010000000, 0x7FF4 << 48,
          0xFFF8000000012345),
}  # fmt: skip
_WIDTHS = {I32: 32, I64: 64, F32: 32, F64: 64}
_LAYOUTS = {F32: ("<f", "<I"), F64: ("<d", "<Q")}
CANONICAL_NANS = {F32: 0x7FC00000, F64: 0x7FF8 << 48}


def number(random: Random, kind: ValueType) -> int:
    """A constant of a number type, integers signed, floats by their bits."""
    choice = random.random()
    if choice < 0.4:
        return random.choice(_EDGES[kind])
    if kind in (F32, F64):
        return random.getrandbits(_WIDTHS[kind])
    if choice < 0.7:
        return random.randrange(-8, 100)
    width = _WIDTHS[kind]
    return random.getrandbits(width) - (1 << width - 1)


def argument(random: Random, kind: ValueType, functions: list[str]) -> Argument:
    """An argument from the host.  NaNs are canonical, for Python keeps no other f32's."""
    if kind is EXTERNREF:
        return random.choice((None, "red", "green"))
    if kind is FUNCREF:
        return random.choice((None, *functions))
    value = number(random, kind)
    if kind in (F32, F64) and python_float(kind, value) != python_float(kind, value):
        return CANONICAL_NANS[kind]
    return value


def python_float(kind: ValueType, value: int) -> float:
    """The float of some bits."""
    layout, integer = _LAYOUTS[kind]
    found: float = struct.unpack(layout, struct.pack(integer, value))[0]
    return found


def bits(kind: ValueType, value: Any) -> int:
    """The bits of a float, canonical for a NaN."""
    if value != value:
        return CANONICAL_NANS[kind]
    layout, integer = _LAYOUTS[kind]
    found: int = struct.unpack(integer, struct.pack(layout, value))[0]
    return found


def number_of(value: Argument) -> int:
    """An argument that is a number."""
    assert isinstance(value, int)
    return value
