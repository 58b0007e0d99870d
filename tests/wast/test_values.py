from __future__ import annotations

from typing import Any

import pytest

from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, ValueType
from svm.wast.values import UnknownValueError, Value, read_pattern, read_value, show


def json(type_: str, value: str | None = None) -> dict[str, Any]:
    return {"type": type_} if value is None else {"type": type_, "value": value}


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (json("i32", "4294967295"), Value(I32, 0xFFFF_FFFF)),
        (json("i64", "9223372036854775808"), Value(I64, 1 << 63)),
        (json("f32", "2141192192"), Value(F32, 0x7FA0_0000)),
        (json("f64", "9221120237041090560"), Value(F64, 0x7FF8 << 48)),
        (json("externref", "0"), Value(EXTERNREF, 0)),
        (json("externref", "null"), Value(EXTERNREF, None)),
        (json("funcref", "null"), Value(FUNCREF, None)),
    ],
)
def test_values(data: dict[str, Any], value: Value) -> None:
    assert read_value(data) == value
    assert read_pattern(data).fits(value)


@pytest.mark.parametrize(
    "data",
    [
        json("i32", "4294967296"),
        json("i32", "-1"),
        json("i32", "²"),
        json("externref", "9" * 5_000),
        json("i32", "nan:canonical"),
        json("i32"),
        json("f32", "x"),
        json("funcref", "3"),
        json("v128", "0"),
        json("anyref", "null"),
        {"type": 3, "value": "0"},
        {"type": "i32", "value": 0},
        {},
    ],
)
def test_values_that_svm_does_not_know(data: dict[str, Any]) -> None:
    with pytest.raises(UnknownValueError):
        read_value(data)
    with pytest.raises(UnknownValueError):
        read_pattern(data)


def test_simd_is_named() -> None:
    with pytest.raises(UnknownValueError, match="SIMD"):
        read_value({"type": "v128", "lane_type": "i32", "value": ["0", "0", "0", "0"]})


F32_INF, F32_QUIET, F64_INF, F64_QUIET = 0x7F80_0000, 0x7FC0_0000, 0x7FF0 << 48, 0x7FF8 << 48


@pytest.mark.parametrize(
    ("type_", "bits", "canonical", "arithmetic"),
    [
        (F32, F32_QUIET, True, True),
        (F32, F32_QUIET | 1 << 31, True, True),
        (F32, F32_QUIET | 1, False, True),
        (F32, 0xFFFF_FFFF, False, True),
        (F32, F32_INF | 1, False, False),
        (F32, F32_INF, False, False),
        (F32, 0, False, False),
        (F64, F64_QUIET, True, True),
        (F64, F64_QUIET | 1 << 63, True, True),
        (F64, F64_QUIET | 1, False, True),
        (F64, F64_INF | 1 << 50, False, False),
        (F64, F64_INF, False, False),
        (F64, F32_QUIET, False, False),
    ],
)
def test_nan_patterns(type_: ValueType, bits: int, canonical: bool, arithmetic: bool) -> None:
    assert read_pattern(json(str(type_), "nan:canonical")).fits(Value(type_, bits)) is canonical
    assert read_pattern(json(str(type_), "nan:arithmetic")).fits(Value(type_, bits)) is arithmetic


def test_numbers_are_compared_by_their_bits() -> None:
    assert not read_pattern(json("f64", "0")).fits(Value(F64, 1 << 63))  # -0.0
    assert not read_pattern(json("f32", str(F32_QUIET))).fits(Value(F32, F32_QUIET | 1))
    assert not read_pattern(json("i32", "0")).fits(Value(I64, 0))


def test_references() -> None:
    some = read_pattern(json("funcref"))
    assert some.fits(Value(FUNCREF, object())) and not some.fits(Value(FUNCREF, None))
    assert not read_pattern(json("externref", "null")).fits(Value(EXTERNREF, 0))
    assert not read_pattern(json("externref", "1")).fits(Value(EXTERNREF, None))


def test_either() -> None:
    either = read_pattern({"type": "either", "values": [json("i32", "1"), json("i32", "2")]})
    assert [either.fits(Value(I32, number)) for number in range(4)] == [False, True, True, False]
    with pytest.raises(UnknownValueError):
        read_pattern({"type": "either", "values": []})


@pytest.mark.parametrize(
    ("type_", "content", "text"),
    [
        (I32, 0xFFFF_FFFF, "i32 -1"),
        (I64, 1 << 63, "i64 -9223372036854775808"),
        (F32, 0x3FC0_0000, "f32 1.5 (0x3fc00000)"),
        (F64, 1 << 63, "f64 -0.0 (0x8000000000000000)"),
        (F32, F32_INF, "f32 inf (0x7f800000)"),
        (F32, 0xFFA0_0000, "f32 -nan:0x200000"),
        (F64, F64_QUIET, "f64 nan:0x8000000000000"),
        (EXTERNREF, 7, "externref 7"),
        (FUNCREF, None, "funcref null"),
    ],
)
def test_shown(type_: ValueType, content: Any, text: str) -> None:
    assert show(type_, content) == text
