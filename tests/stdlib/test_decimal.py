"""From text to doubles, against CPython's `float`."""

from __future__ import annotations

import math
import struct
from decimal import Context, Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.stdlib.shim import MEMORY, load_module, u32

decimal = load_module("krait.decimal")
TEXT = MEMORY.place(bytes(4000))
WORK = MEMORY.place(bytes(4000))


@pytest.fixture(autouse=True)
def _one_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulated heap never frees: let the digits of every text go to the same place."""
    monkeypatch.setattr(decimal, "borrow", lambda size: WORK)


def parse(text: str) -> bytes | None:
    """The bits of the double that a text stands for, None if it is no number."""
    content = text.encode()
    MEMORY.bytes[TEXT : TEXT + len(content)] = content
    value = decimal.parse_float(TEXT, u32(len(content)))
    return None if decimal.parse_failed() else struct.pack("<d", value)


def expected(text: str) -> bytes | None:
    try:
        return struct.pack("<d", float(text))
    except ValueError:
        return None


@settings(deadline=None, max_examples=60)
@given(st.floats(allow_nan=False).map(repr))
def test_repr_reads_back(text: str) -> None:
    assert parse(text) == expected(text)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**30), st.integers(0, 10**20), st.integers(-345, 310))
@example(9007199254740993, 0, 0)
@example(9007199254740993, 1, 0)
def test_decimals(whole: int, fraction: int, exponent: int) -> None:
    text = f"{whole}.{fraction}e{exponent}"
    assert parse(text) == expected(text)


@settings(max_examples=12, deadline=None)
@given(st.floats(min_value=0, max_value=1.7e308), st.sampled_from([-1, 0, 1]), st.integers(20, 800))
@example(0.0, 0, 20)
@example(0.0, 1, 800)
@example(1.7e308, -1, 30)
def test_midway_between_doubles(value: float, side: int, distance: int) -> None:
    context = Context(prec=1500)
    midway = context.divide(context.add(Decimal(value), Decimal(math.nextafter(value, math.inf))), Decimal(2))
    text = str(context.multiply(midway, context.add(Decimal(1), Decimal(side).scaleb(-distance))))
    assert parse(text) == expected(text)


@settings(deadline=None, max_examples=60)
@given(st.text("0123456789_.eE+-", min_size=1, max_size=9))
def test_syntax(text: str) -> None:
    assert parse(text) == expected(text)


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "-", "1.", ".5", "-.5e3", "1e", "1e+", "1_0", "1__0", "_1", "1_", "1_.5", "1._5", "1.5_", "1e1_0",
        "1e_1", "inf", "-Infinity", "NAN", "+nan", "infin", "infinityx", "nanx", "1e400", "-1e400", "1e-400",
        "0e99999999999",
        "1e99999999999999999999", "1e-99999999999999999999", "-0", "-0.0", "0x10", "--1", "1.2.3", "e5", "1 2",
        "2.4703282292062327e-324", "2.4703282292062328e-324", "4.9e-324", "1.7976931348623158e308",
        "1.7976931348623159e308", "0." + "0" * 400 + "1", "1" + "0" * 400 + "e-400",
        "9007199254740993.0000000000000000000000000000000000001",
        str(2**1024 - 2**970), str(2**1024 - 2**970 - 1),
    ],
)  # fmt: skip
def test_cases(text: str) -> None:
    assert parse(text) == expected(text)
