"""Operands worth trying, as raw bits: the edges of every type, and seeded random ones that like edges too."""

from __future__ import annotations

from itertools import product
from random import Random
from struct import pack, unpack

from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, ValueType


def _bits(value: float, width: int) -> int:
    formats = ("<f", "<I") if width == 32 else ("<d", "<Q")
    found: int = unpack(formats[1], pack(formats[0], value))[0]
    return found


def _integers(width: int) -> list[int]:
    top = 1 << width
    values = {0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000}
    for power in (15, 16, 24, 31, 32, 52, 53, 63):
        values |= {1 << power, (1 << power) - 1, (1 << power) + 1, -(1 << power), -(1 << power) - 1}
    values |= {-1, -2, -3, 0x5555555555555555, 0xDEADBEEFCAFEF00D}
    # Integers that lie halfway between two floats, or just beside.
    values |= {(1 << 24) + 1, (1 << 25) + 2, (1 << 53) + 1, (1 << 54) + 2, (1 << 62) + (1 << 38) + 1, top - 1 << 39}
    return sorted({value % top for value in values})


def _floats(width: int) -> list[int]:
    fraction = 23 if width == 32 else 52
    infinity = ((1 << (width - 1 - fraction)) - 1) << fraction
    magnitudes = [0.0, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.5, 0.1, 1e10, 1e-10, 255.5]
    magnitudes += [0.49999997, 0.49999999999999994, 4194304.5, 8388607.5, 2.0**51 + 0.5, 2.0**52, 2.0**53]
    for power in (31, 32, 63, 64):
        magnitudes += [2.0**power, 2.0**power + 1, 2.0**power - 1, 2.0**power - 0.5]
    bits = {_bits(value, width) for value in magnitudes}
    for power in (31, 32, 63, 64):  # neighbours of the bounds of integer types
        bound = _bits(2.0**power, width)
        bits |= {bound - 1, bound + 1}
    bits |= {1, 2, (1 << fraction) - 1, 1 << fraction, (1 << fraction) + 1}  # subnormals and the least normal
    bits |= {infinity - 1, infinity, infinity | 1 << fraction - 1, infinity | 1, infinity | (1 << fraction) - 1}
    if width == 64:  # what rounds to the largest f32, or beyond; f32's halves, subnormals and zero
        bits |= {_bits(value, 64) for value in (3.4028235677973362e38, 3.4028235677973366e38, 1e39)}
        bits |= {_bits(value, 64) for value in (1.0000000596046448, 1.0000000596046450, 1.1754943e-38, 7e-46, 1.4e-45)}
    return sorted(bits | {each | 1 << width - 1 for each in bits})


EDGES: dict[ValueType, list[int]] = {
    I32: _integers(32),
    I64: _integers(64),
    F32: _floats(32),
    F64: _floats(64),
    FUNCREF: [0, 1, 2, 1 << 32, (1 << 64) - 1],
    EXTERNREF: [0, 1, 2, 1 << 32, (1 << 64) - 1],
}
WIDTHS = {I32: 32, I64: 64, F32: 32, F64: 64, FUNCREF: 64, EXTERNREF: 64}


def random_operand(random: Random, kind: ValueType) -> int:
    """Any bits: even ones, few bits set or clear, or an edge with a little noise."""
    width = WIDTHS[kind]
    match random.randrange(4):
        case 0:
            return random.getrandbits(width)
        case 1:
            return random.getrandbits(random.randrange(1, width + 1)) << random.randrange(width) & (1 << width) - 1
        case 2:
            return (random.choice(EDGES[kind]) + random.randrange(-2, 3)) % (1 << width)
    return random.choice(EDGES[kind])


def operand_tuples(params: tuple[ValueType, ...], seed: object, extra: int) -> list[tuple[int, ...]]:
    """All edges crossed, three operands by a sample, and `extra` random ones."""
    random = Random(f"{seed} {params}")
    if len(params) <= 2:
        found = list(product(*(EDGES[kind] for kind in params)))
    else:
        found = [tuple(random.choice(EDGES[kind]) for kind in params) for _ in range(1000)]
    return found + [tuple(random_operand(random, kind) for kind in params) for _ in range(extra if params else 0)]
