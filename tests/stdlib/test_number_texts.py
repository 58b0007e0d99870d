"""Texts of numbers, both ways, by the thousand: correctly rounded, shortest, and CPython's words for what is no number.

The library's own parts are tested one by one in the other files; here compiled programs meet random texts and values,
ties between two doubles above all.
"""

from __future__ import annotations

import math
import random
import struct
from decimal import Context, Decimal

import pytest

from tests.stdlib.guests import Program, expect

FLOATS = "%f|%.3f|%12.1f|%-12.2f|%+.0f|%e|%.12E|%g|%.3g|%#.3g|%010.2f"
INTS = "%d|%5d|%-25d|%+d|%022d|% d|%x|%#X|%o|%#o|%i"
TEXTS = "%s|%10s|%-10s|%.2s|%r|%s|%r|%d%%|%c"
SOURCE = f"""
import sys

for line in sys.stdin:
    part = line[:-1].split("\\t")
    if part[0] == "float":
        print(float(part[1]))
    elif part[0] == "int":
        try:
            print(int(part[1], int(part[2])))
        except ValueError as error:
            print(error)
        except OverflowError:
            print("too large")
    elif part[0] == "round":
        print(round(float(part[1]), int(part[2])), end=" ")
        print(round(int(part[3]), int(part[4])))
    else:
        x = float(part[1])
        n = int(part[2])
        s = part[3]
        print("{FLOATS}" % (x, x, x, x, x, x, x, x, x, x, x), end="|")
        print("{INTS}" % (n, n, n, n, n, n, n, n, n, n, n), end="|")
        print("{TEXTS}" % (s, s, s, s, s, x, x, n, s))
"""

_EXACT = Context(prec=1100)


def tie(source: random.Random) -> str:
    """The exact text of what lies in the middle of two doubles, or a little beside it."""
    exponent = source.choice([source.randrange(1, 2046), source.randrange(1000, 1100), 0, 1])
    low = struct.unpack("<d", struct.pack("<Q", exponent << 52 | source.getrandbits(52)))[0]
    middle = _EXACT.divide(_EXACT.add(Decimal(low), Decimal(math.nextafter(low, math.inf))), Decimal(2))
    if not middle.is_finite():
        return "1.7976931348623158079e308"
    _, digits, power = middle.as_tuple()
    text = "".join(map(str, digits))
    assert isinstance(power, int)
    match source.randrange(4):
        case 0:
            text, power = text + "0" * source.randrange(30) + "1", power
            power -= len(text) - len(digits)
        case 1:
            text, power = str(int(text + "00") - 1), power - 2
        case 2:
            cut = source.randrange(1, 40)
            power += max(0, len(text) - cut)
            text = text[:cut]
        case _:
            pass
    point = source.randrange(len(text) + 1)
    return f"{text[:point]}.{text[point:]}e{power + len(text) - point}"


def float_text(source: random.Random) -> str:
    match source.randrange(6):
        case 0 | 1:
            return tie(source)
        case 2:
            bits = struct.unpack("<d", struct.pack("<Q", source.getrandbits(64)))[0]
            return repr(bits)
        case 3:
            digits = "".join(source.choices("0123456789", k=source.randrange(1, 45)))
            return f"{digits}e{source.randrange(-380, 330)}"
        case 4:
            whole = "_".join("".join(source.choices("0123456789", k=source.randrange(1, 4))) for _ in range(3))
            sign, power = source.choice(["", "+", "-"]), source.choice(["", "e-3", "E+4"])
            return f"{sign}{whole}.{source.randrange(10**9)}_5{power}"
        case _:
            return f"{source.uniform(-1000, 1000):.{source.randrange(18)}f}"


def int_text(source: random.Random, base: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[: max(base, 2)]
    text = "".join(source.choices(digits + source.choice(["", "", "_", "_", "9z "]), k=source.randrange(1, 20)))
    prefix = source.choice(["", "", "0x", "0b", "0o", "0", "-", "+", " ", "-0x", "0_"])
    text = prefix + text + source.choice(["", "", "", " ", "_"])
    return text.upper() if source.random() < 0.2 else text


def value(source: random.Random) -> float:
    match source.randrange(4):
        case 0:
            return float(struct.unpack("<d", struct.pack("<Q", source.getrandbits(64)))[0])
        case 1:  # ties of what is rounded to a few places
            return source.choice([-1, 1]) * source.randrange(10**7) / 2 ** source.randrange(1, 9)
        case 2:
            return float(f"{source.randrange(10**6)}.{source.randrange(10**4):04}5")
        case _:
            return source.uniform(-1, 1) * 10.0 ** source.randrange(-9, 20)


def case_of(source: random.Random) -> tuple[str, str] | None:
    """A line of input and what CPython answers; None where its answer is none of a 64-bit int."""
    kind = source.choice(["float", "float", "int", "round", "%"])
    if kind == "float":
        text = float_text(source)
        return f"float\t{text}", repr(float(text))
    if kind == "int":
        base = source.choice([10, 10, 10, 0, 16, 2, 8, 36, source.randrange(2, 37)])
        text = int_text(source, base)
        try:
            found = int(text, base)
        except ValueError as error:
            return f"int\t{text}\t{base}", str(error)
        return f"int\t{text}\t{base}", str(found) if -(2**63) <= found < 2**63 else "too large"
    x, places = value(source), source.choice([0, 1, 2, 2, 3, 4, -1, -2, 10, 17, 22])
    n, tens = source.choice([-1, 1]) * source.getrandbits(source.randrange(1, 63)), -source.randrange(0, 19)
    if kind == "round":
        rounded = round(n, tens)
        if not math.isfinite(x) or not -(2**63) <= rounded < 2**63:
            return None
        return f"round\t{x!r}\t{places}\t{n}\t{tens}", f"{round(x, places)} {rounded}"
    s = source.choice(["a", "é", "→", "😀", "\\", "'", '"', "\x07", " "])
    shown = "|".join((FLOATS % ((x,) * 11), INTS % ((n,) * 11), TEXTS % (s, s, s, s, s, x, x, n, s)))
    return f"%\t{x!r}\t{n}\t{s}", shown


def check(seed: int, count: int, engine: str) -> None:
    source = random.Random(seed)
    found = [case for case in (case_of(source) for _ in range(count)) if case is not None]
    cases, expected = (list(part) for part in zip(*found, strict=True))
    expect(Program(SOURCE, engine), cases, expected)


def test_numbers_and_texts() -> None:
    check(2026, 3000, "interpreter")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_numbers_and_texts(seed: int) -> None:
    check(seed, 100_000, "auto")
