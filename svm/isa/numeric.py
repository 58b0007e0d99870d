"""Arithmetic of the Python column: WebAssembly core 2.0 section 4.3 over raw bits.

In come unsigned integers of a type's width (floats by their bits), out go the same.  NaN results are canonical, as the
specification allows and as determinism wants.  These functions are the oracle: they are written to be read, and share
nothing with the LLVM column.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import Struct

from svm.isa.trap import Forbidden, TrapKind
from svm.isa.types import Memory

__all__ = [
    "CANONICAL_F32",
    "CANONICAL_F64",
    "M32",
    "M64",
    "ceil",
    "clz",
    "convert_f32",
    "copy",
    "ctz",
    "divide",
    "divide_signed",
    "f32",
    "f32_bits",
    "f64",
    "f64_bits",
    "fill",
    "find",
    "float_divide",
    "floor",
    "maximum",
    "minimum",
    "nearest",
    "overflowing",
    "remainder",
    "remainder_signed",
    "rotl",
    "s32",
    "s64",
    "sign_extend",
    "sqrt",
    "three_way",
    "trunc",
    "truncate",
    "truncate_saturating",
    "unsigned",
]

M32 = 0xFFFF_FFFF
M64 = 0xFFFF_FFFF_FFFF_FFFF
CANONICAL_F32 = 0x7FC0_0000
CANONICAL_F64 = 0x7FF8_0000_0000_0000

"""Bytes that a BULK row's meaning works on."""

_F32, _U32, _F64, _U64 = Struct("<f"), Struct("<I"), Struct("<d"), Struct("<Q")


def s32(bits: int) -> int:
    """Signed value of 32 bits."""
    return (bits ^ 0x8000_0000) - 0x8000_0000


def s64(bits: int) -> int:
    """Signed value of 64 bits."""
    return (bits ^ 0x8000_0000_0000_0000) - 0x8000_0000_0000_0000


def sign_extend(bits: int, source: int, target: int) -> int:
    """The low `source` bits, sign-extended to `target` bits."""
    sign = 1 << (source - 1)
    return (((bits & ((1 << source) - 1)) ^ sign) - sign) & ((1 << target) - 1)


def f32(bits: int) -> float:
    """Value of an f32.  A NaN's payload may change on the way: for arithmetic only."""
    value: float = _F32.unpack(_U32.pack(bits))[0]
    return value


def f64(bits: int) -> float:
    """Value of an f64."""
    value: float = _F64.unpack(_U64.pack(bits))[0]
    return value


def f32_bits(value: float) -> int:
    """Bits of `value` rounded once to f32; NaN is canonical.

    Correct for results of + - * / and sqrt over f32 computed as doubles: 53 >= 2 * 24 + 2 bits make the double
    rounding innocuous (Figueroa, "When is double rounding innocuous?", 1995).
    """
    if value != value:
        return CANONICAL_F32
    try:
        bits: int = _U32.unpack(_F32.pack(value))[0]
    except OverflowError:
        return 0xFF80_0000 if value < 0 else 0x7F80_0000
    return bits


def f64_bits(value: float) -> int:
    """Bits of `value`; NaN is canonical."""
    if value != value:
        return CANONICAL_F64
    bits: int = _U64.unpack(_F64.pack(value))[0]
    return bits


def clz(bits: int, width: int) -> int:
    """Leading zero bits."""
    return width - bits.bit_length()


def ctz(bits: int, width: int) -> int:
    """Trailing zero bits."""
    return (bits & -bits).bit_length() - 1 if bits else width


def rotl(bits: int, count: int, width: int) -> int:
    """Rotate left by `count` modulo `width`."""
    count %= width
    return ((bits << count) | (bits >> (width - count))) & ((1 << width) - 1)


def divide(a: int, b: int) -> int:
    """Unsigned quotient."""
    if b == 0:
        raise Forbidden(TrapKind.DIVIDE_BY_ZERO)
    return a // b


def remainder(a: int, b: int) -> int:
    """Unsigned remainder."""
    if b == 0:
        raise Forbidden(TrapKind.DIVIDE_BY_ZERO)
    return a % b


def divide_signed(a: int, b: int, width: int) -> int:
    """Quotient of signed integers, rounded towards zero."""
    if b == 0:
        raise Forbidden(TrapKind.DIVIDE_BY_ZERO)
    sign = 1 << (width - 1)
    a, b = (a ^ sign) - sign, (b ^ sign) - sign
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    if quotient == sign:
        raise Forbidden(TrapKind.INTEGER_OVERFLOW)
    return quotient & ((1 << width) - 1)


def remainder_signed(a: int, b: int, width: int) -> int:
    """Remainder of signed integers, with the sign of the dividend."""
    if b == 0:
        raise Forbidden(TrapKind.DIVIDE_BY_ZERO)
    sign = 1 << (width - 1)
    a, b = (a ^ sign) - sign, (b ^ sign) - sign
    rest = abs(a) % abs(b)
    return (-rest if a < 0 else rest) & ((1 << width) - 1)


def overflowing(value: int, width: int) -> tuple[int, int]:
    """`value` modulo 2**width, and 1 if it does not fit a signed integer of that width."""
    sign = 1 << (width - 1)
    return value & ((1 << width) - 1), int(not -sign <= value < sign)


def float_divide(a: float, b: float) -> float:
    """IEEE 754 quotient, which Python refuses for a zero divisor."""
    if b != 0.0:
        return a / b
    if a == 0.0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def sqrt(value: float) -> float:
    """IEEE 754 square root."""
    return math.sqrt(value) if value >= 0.0 else (value if value == 0.0 else math.nan)


def _integral(value: float, rounding: Callable[[float], int]) -> float:
    # Beyond 2**52 every double is an integer; a zero result keeps the operand's sign.
    if value != value or abs(value) >= 2.0**52:
        return value
    return math.copysign(float(rounding(value)), value)


def ceil(value: float) -> float:
    """Round towards positive infinity."""
    return _integral(value, math.ceil)


def floor(value: float) -> float:
    """Round towards negative infinity."""
    return _integral(value, math.floor)


def trunc(value: float) -> float:
    """Round towards zero."""
    return _integral(value, math.trunc)


def nearest(value: float) -> float:
    """Round to nearest, ties to even."""
    return _integral(value, round)


def minimum(a: float, b: float) -> float:
    """The lesser; NaN if either is; -0 is less than +0."""
    if a != a or b != b:
        return math.nan
    if a == b:
        return a if math.copysign(1.0, a) < 0 else b
    return min(a, b)


def maximum(a: float, b: float) -> float:
    """The greater; NaN if either is; +0 is greater than -0."""
    if a != a or b != b:
        return math.nan
    if a == b:
        return b if math.copysign(1.0, a) < 0 else a
    return max(a, b)


def truncate(value: float, low: int, high: int, width: int) -> int:
    """Integer part of `value` if it lies in low..high, as `width` bits."""
    if value != value:
        raise Forbidden(TrapKind.INVALID_CONVERSION)
    if math.isinf(value) or not low <= (whole := int(value)) <= high:
        raise Forbidden(TrapKind.INTEGER_OVERFLOW)
    return whole & ((1 << width) - 1)


def truncate_saturating(value: float, low: int, high: int, width: int) -> int:
    """Integer part of `value` clamped to low..high, 0 for NaN, as `width` bits."""
    if value != value:
        return 0
    if math.isinf(value):
        whole = low if value < 0 else high
    else:
        whole = min(max(int(value), low), high)
    return whole & ((1 << width) - 1)


def convert_f32(value: int) -> int:
    """Bits of the f32 nearest to an integer, rounded once.

    An integer of more than 53 bits would be rounded twice through a double, so its tail is first folded into a sticky
    bit.
    """
    magnitude = abs(value)
    shift = max(magnitude.bit_length() - 53, 0)
    if shift:
        magnitude = (magnitude >> shift | (magnitude & ((1 << shift) - 1) != 0)) << shift
    return f32_bits(float(magnitude if value >= 0 else -magnitude))


def three_way(memory: Memory, a: int, b: int, length: int) -> int:
    """-1, 0 or 1 as 32 bits: how two ranges of memory compare, byte by unsigned byte."""
    first, second = memory[a : a + length], memory[b : b + length]
    return 0 if first == second else (M32 if first < second else 1)


def find(memory: Memory, start: int, byte: int, length: int) -> int:
    """Address of the first such byte, else the end of the range, modulo 2**32.

    The end tells absence as in C++'s `std::find`: no byte of the range has that address, and unlike a distance from the
    start it stays right when a long search goes on in chunks.
    """
    index = memory.find(bytes((byte & 0xFF,)), start, start + length)
    return (start + length if index < 0 else index) & M32


def unsigned(data: bytes) -> int:
    """Little-endian bytes as an unsigned integer."""
    return int.from_bytes(data, "little")


def copy(memory: Memory, target: int, source: int, length: int) -> None:
    """Copy a range of memory, as if through a temporary."""
    memory[target : target + length] = memory[source : source + length]


def fill(memory: Memory, target: int, byte: int, length: int) -> None:
    """Fill a range of memory with the low 8 bits of `byte`."""
    memory[target : target + length] = bytes((byte & 0xFF,)) * length
