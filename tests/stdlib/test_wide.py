"""Powers of ten to 128 bits, against Python's integers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stdlib.shim import MEMORY, load_module, u64

wide = load_module("krait.wide")
OUT = MEMORY.place(bytes(16))


def exact_power(exponent: int) -> int:
    """10**exponent, as the upper 128 bits of its binary form, rounded down."""
    if exponent >= 0:
        value = 10**exponent
        return value << 128 >> value.bit_length()
    divisor = 10**-exponent
    bits = divisor.bit_length() + 127
    quotient = (1 << bits) // divisor
    return quotient if quotient.bit_length() == 128 else (1 << bits + 1) // divisor


def test_every_power_of_ten() -> None:
    for exponent in range(int(wide.LEAST_POWER), int(wide.GREATEST_POWER) + 1):
        wide.power_of_ten(exponent, OUT)
        low = int.from_bytes(MEMORY.bytes[OUT + 8 : OUT + 16], "little")
        high = int.from_bytes(MEMORY.bytes[OUT : OUT + 8], "little")
        assert high << 64 | low == exact_power(exponent), exponent


def test_logarithms() -> None:
    for exponent in range(-1100, 1101):
        power = 10**exponent if exponent >= 0 else 0
        expected = power.bit_length() - 1 if exponent >= 0 else -(10**-exponent - 1).bit_length()
        assert wide.floor_log2_power_of_ten(exponent) == expected
        power = 2**exponent if exponent >= 0 else 0
        expected = len(str(power)) - 1 if exponent >= 0 else -len(str(2**-exponent))
        assert wide.floor_log10_power_of_two(exponent) == expected


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_multiply_high(a: int, b: int) -> None:
    assert wide.multiply_high(u64(a), u64(b)) == a * b >> 64
