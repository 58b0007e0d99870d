"""`repr`, `str`, `format`, `round`, `int()` and `float()` of numbers, against CPython's."""

from __future__ import annotations

import math
import random
import struct

import pytest

from tests.stdlib.guests import Program, expect

FORMAT = """
import sys
for line in sys.stdin:
    parts = line[:-1].split("\\t")
    if parts[0] == "i":
        print(format(int(parts[1]), parts[2]))
    elif parts[0] == "f":
        print(format(float(parts[1]), parts[2]))
    elif parts[0] == "b":
        print(format(parts[1] == "True", parts[2]))
    else:
        print(format(parts[1], parts[2]))
"""

NUMBERS = """
import sys
for line in sys.stdin:
    parts = line[:-1].split("\\t")
    if parts[0] == "repr":
        print(float(parts[1]))
    elif parts[0] == "int":
        print(int(parts[1], int(parts[2])))
    elif parts[0] == "round":
        print(round(float(parts[1]), int(parts[2])))
    elif parts[0] == "roundint":
        print(round(int(parts[1]), int(parts[2])))
    else:
        x = float(parts[1])
        print(round(x), int(x), x.is_integer())
"""


@pytest.fixture(scope="module")
def formats() -> Program:
    return Program(FORMAT)


@pytest.fixture(scope="module")
def numbers() -> Program:
    return Program(NUMBERS)


def some_float(source: random.Random) -> float:
    """A double: any bits, or of a human size, or a tie."""
    kind = source.randrange(6)
    if kind == 0:
        return float(struct.unpack("<d", struct.pack("<Q", source.getrandbits(64)))[0])
    if kind == 1:
        return source.choice([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, 1e16, 1e-5])
    if kind == 2:
        return source.choice([-1, 1]) * source.randrange(10**6) / 2 ** source.randrange(8)
    if kind == 3:
        return round(source.uniform(-1000, 1000), source.randrange(4))
    return source.uniform(-1, 1) * 10 ** source.randrange(-8, 19)


def some_int(source: random.Random) -> int:
    return source.choice([-1, 1]) * source.getrandbits(source.randrange(1, 64))


def some_spec(source: random.Random, types: str) -> str:
    spec = ""
    if source.random() < 0.4:
        spec += source.choice(["", "*", "0", "é", "😀", " ", "x"]) + source.choice("<>=^")
    spec += source.choice(["", "", "", "+", "-", " "]) + source.choice(["", "", "", "", "z"])
    spec += source.choice(["", "", "", "#"]) + source.choice(["", "", "", "0"])
    spec += source.choice(["", "", str(source.randrange(1, 40))]) + source.choice(["", "", "", ",", "_"])
    spec += source.choice(["", "", f".{source.randrange(0, 25)}"])
    return spec + source.choice(types)


def formatted(value: float | str, spec: str) -> str | None:
    try:
        return format(value, spec)
    except ValueError:
        return None


def test_format(formats: Program) -> None:
    source = random.Random(20)
    cases, expected = [], []
    while len(cases) < 600:
        kind = source.choice("iffbs")
        value: float | str = {
            "i": some_int(source), "f": some_float(source), "b": source.random() < 0.5,
            "s": source.choice(["", "a", "hello", "naïve", "→ 😀"]),
        }[kind]  # fmt: skip
        types = {"i": " bcdeEfFgGnoxX%", "f": " eEfFgGn%", "b": " dxXbof", "s": " s"}[kind]
        spec = some_spec(source, types).rstrip(" ")
        wanted = formatted(value, spec)
        if wanted is not None and "\n" not in wanted:
            cases.append(f"{kind}\t{value!r}\t{spec}" if kind != "s" else f"s\t{value}\t{spec}")
            expected.append(wanted)
    expect(formats, cases, expected)


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        (1.5, ".700f"), (5e-324, ".1074f"), (1e308, ".0f"), (1e308, ",.3f"), (2.5, ".0f"), (0.5, ".0f"), (1e22, "g"),
        (123456789.0, "n"), (math.inf, "010,"), (-math.nan, "+.3%"), (1e-7, "#.3g"), (0.0, "#.0e"), (-0.0001, "z.2f"),
        (1234567.891, "015,.2f"), (1e15, ""), (1e16, ""), (123456.0, ".3"), (100.0, ".3"), (1000.0, ".3"),
        (-1234567, "=015,"), (65, "05c"), (2**63 - 1, "_b"), (-(2**63), "#x"), (0, "#o"), (3, "z<05"), (True, "5"),
        ("ab", "^06"), ("ab", ".1"), ("ab", "é>4"),
    ],
)  # fmt: skip
def test_format_cases(formats: Program, value: float | str, spec: str) -> None:
    kind = {float: "f", int: "i", bool: "b", str: "s"}[type(value)]
    expect(formats, [f"{kind}\t{value}\t{spec}"], [format(value, spec)])


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        (1, "y"), (1.5, "d"), (1, ".3d"), ("a", "d"), (1, ",s"), (1, "cx"), (-1, "c"), ("a", "+"), ("a", " 5"),
        ("a", "=5"),
        (1, "_,"), (1, ",,"), (1, "_c"), ("a", "#"), ("a", "z"), (1, "z"), (1.0, "."), (1, "9" * 20), (1.0,
        "." + "9" * 20),
        (True, "s"), (0x110000, "c"), (1, "#c"), (1, "+c"), (1, ",x"), (1.5, ",n"), ("a", ","), ("a", "_s"), (1.0,
        "é"),
        (1, "e5"), (1.0, "_X"),
    ],
)  # fmt: skip
def test_format_errors(formats: Program, value: float | str, spec: str) -> None:
    kind = {float: "f", int: "i", bool: "b", str: "s"}[type(value)]
    with pytest.raises((ValueError, OverflowError)) as caught:
        format(value, spec)
    outcome = formats.run(f"{kind}\t{value}\t{spec}\n")
    assert outcome.error == f"{type(caught.value).__name__}: {caught.value}"


def test_repr(numbers: Program) -> None:
    source = random.Random(30)
    values = [some_float(source) for _ in range(700)] + [2.0**e for e in range(-1074, 1024, 61)]
    expect(numbers, [f"repr\t{value!r}" for value in values], [repr(value) for value in values])


def test_round(numbers: Program) -> None:
    source = random.Random(40)
    cases, expected = [], []
    for _ in range(300):
        value, places = some_float(source), source.choice([0, 1, 2, 2, 3, -1, -2, 17, 22, -300, 320])
        try:
            expected.append(repr(round(value, places)))
        except OverflowError:
            continue
        cases.append(f"round\t{value!r}\t{places}")
        number, places = some_int(source) // 2, -source.randrange(0, 20)
        cases.append(f"roundint\t{number}\t{places}")
        expected.append(str(round(number, places)))
    expect(numbers, cases, expected)


def test_round_to_int(numbers: Program) -> None:
    source = random.Random(50)
    values = [value for value in (some_float(source) for _ in range(300)) if abs(value) < 2**63]
    values += [0.5, 1.5, 2.5, -0.5, -1.5, -(2.0**63), 2.0**63 - 1024]
    cases = [f"int\t{value!r}".replace("int", "whole") for value in values]
    expect(numbers, cases, [f"{round(value)} {int(value)} {value.is_integer()}" for value in values])


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("12", 10), (" -12 ", 10), ("+1_000", 10), ("0x_ff", 16), ("0b101", 0), ("0O17", 8), ("zz", 36), ("0", 0),
        ("00", 0),
        ("9223372036854775807", 10), ("-9223372036854775808", 10), ("١٢", 10), ("\u2003٣\xa0", 10), ("0xFF", 0),
        ("-0x8000000000000000", 0), ("1" * 30 + "x", 36), ("", 10), ("12x", 10), ("-", 10), ("+-1", 10), ("1__0", 10),
        ("_1", 10), ("1_", 10), ("0x", 16), ("010", 0), ("0b2", 0), ("8", 8), ("1", 1), ("1", 37), ("é" * 90, 10),
        ("a'\"", 10), ("x" * 300, 10), ("1 2", 10), ("−5", 10), ("²", 10), ("1" * 40, 10), ("0x1_", 16), ("0b", 0),
    ],
)  # fmt: skip
def test_int_of_text(numbers: Program, text: str, base: int) -> None:
    try:
        value = int(text, base)
        fits = -(2**63) <= value < 2**63
        expected = (f"{value}\n", "") if fits else ("", "OverflowError: integer overflow")
    except ValueError as error:
        expected = ("", f"ValueError: {error}")
    outcome = numbers.run(f"int\t{text}\t{base}\n")
    assert (outcome.output, outcome.error) == expected


@pytest.mark.parametrize("text", ["abc", "", "1_", " 1.5é", "é\n"[:1], "1e", "infinit", "0x1", "1 2", "'", "\x07"])
def test_float_of_bad_text(numbers: Program, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        float(text)
    assert numbers.run(f"repr\t{text}\n").error == f"ValueError: {caught.value}"


@pytest.mark.parametrize("text", [" 1.5 ", "\u20031_0.5\xa0", "١.٥", "+.5e-3", "Infinity", "-nan", "1e400"])
def test_float_of_text(numbers: Program, text: str) -> None:
    expect(numbers, [f"repr\t{text}"], [repr(float(text))])


@pytest.mark.parametrize(("line", "error"), [
    ("whole\tinf", "OverflowError: cannot convert float infinity to integer"),
    ("whole\tnan", "ValueError: cannot convert float NaN to integer"),
    ("whole\t1e19", "OverflowError: integer overflow"),
    ("round\t1.7e308\t-308", "OverflowError: rounded value too large to represent"),
    ("roundint\t9223372036854775807\t-1", "OverflowError: integer overflow"),
])  # fmt: skip
def test_conversion_errors(numbers: Program, line: str, error: str) -> None:
    assert numbers.run(line + "\n").error == error
