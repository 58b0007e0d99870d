"""The decimal digits of doubles: shortest and rounded, against CPython's `repr` and `decimal`."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.stdlib.shim import MEMORY, load_module, u64

digits = load_module("krait.digits")
BUFFER = MEMORY.place(bytes(64))
doubles = st.floats(min_value=5e-324, allow_infinity=False)


def shortest(value: float) -> tuple[str, int]:
    count = digits.shortest_digits(value)
    return MEMORY.text(digits.digits(), count), digits.decimal_point()


def of_repr(value: float) -> tuple[str, int]:
    """The digits of `repr(value)` and where their decimal point is."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    text = (whole + fraction).lstrip("0")
    return text.rstrip("0"), len(whole) + int(exponent or 0) - len(whole + fraction) + len(text)


def rounded(value: float, places: int, significant: bool) -> tuple[str, int | None]:
    count = digits.rounded_digits(value, places, significant)
    return MEMORY.text(digits.digits(), count), digits.decimal_point() if count else None


def of_decimal(value: float, places: int, significant: bool) -> tuple[str, int | None]:
    exact = Decimal(value)
    if significant:
        exact = Context(prec=places, rounding=ROUND_HALF_EVEN).plus(exact)
    else:
        exact = Context(prec=2000, rounding=ROUND_HALF_EVEN).quantize(exact, Decimal((0, (1,), -places)))
    if exact == 0:
        return "", None
    _, figures, exponent = exact.as_tuple()
    text = "".join(map(str, figures)).lstrip("0")
    assert isinstance(exponent, int)
    return text.rstrip("0"), len(text) + exponent


@settings(deadline=None, max_examples=60)
@given(doubles)
@example(5e-324)
@example(1.7976931348623157e308)
@example(9007199254740993.0)
@example(1e23)
@example(2.0**-44)
def test_shortest(value: float) -> None:
    assert shortest(value) == of_repr(value)


def test_shortest_around_powers_of_two() -> None:
    for exponent in range(-1074, 1024, 7):
        power = 2.0**exponent
        for value in (math.nextafter(power, 0.0), power, math.nextafter(power, math.inf)):
            if value > 0.0:
                assert shortest(value) == of_repr(value)


@settings(deadline=None, max_examples=60)
@given(doubles | st.builds(lambda a, b: a / 2**b, st.integers(1, 10**7), st.integers(0, 9)), st.integers(-5, 22))
@example(0.5, 0)
@example(1.5, 0)
@example(2.5, 0)
@example(0.125, 2)
@example(5e-324, 22)
def test_rounded_to_places(value: float, places: int) -> None:
    assert rounded(value, places, False) == of_decimal(value, places, False)


@settings(deadline=None, max_examples=60)
@given(doubles, st.integers(1, 22))
@example(25.0, 1)
@example(9.995, 3)
def test_rounded_to_significant_digits(value: float, places: int) -> None:
    assert rounded(value, places, True) == of_decimal(value, places, True)


@settings(max_examples=10, deadline=None)
@given(doubles, st.integers(300, 780))
@example(5e-324, 751)
@example(2.2250738585072009e-308, 767)
def test_all_digits(value: float, places: int) -> None:
    assert rounded(value, places, True) == of_decimal(value, places, True)


@pytest.mark.parametrize(
    ("value", "places"), [(3.14159, 2), (2.675, 2), (1e15 + 0.3, 1), (123456.789, 6), (0.1, 17), (1e-300, 17)]
)
def test_common_cases_need_no_big_numbers(value: float, places: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise AssertionError("the slow path was taken")

    monkeypatch.setattr(digits, "exact_digits", refuse)
    rounded(value, places, value < 1e-10 or places > 6)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**64 - 1))
@example(0)
@example(9)
@example(10)
@example(2**64 - 1)
def test_whole_numbers(value: int) -> None:
    assert MEMORY.text(BUFFER, digits.write_decimal(u64(value), BUFFER)) == str(value)
    assert MEMORY.text(BUFFER, digits.write_radix(u64(value), u64(1), False, BUFFER)) == f"{value:b}"
    assert MEMORY.text(BUFFER, digits.write_radix(u64(value), u64(3), False, BUFFER)) == f"{value:o}"
    assert MEMORY.text(BUFFER, digits.write_radix(u64(value), u64(4), True, BUFFER)) == f"{value:X}"
