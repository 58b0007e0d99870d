"""Operators and methods of `int` and `float`, and `math`, against CPython's."""

from __future__ import annotations

import math
import random

import pytest

from tests.stdlib.guests import Program, expect
from tests.stdlib.test_format import some_float, some_int

INT_OPERATIONS = ["//", "%", "/", "**", "<<", ">>", "*", "+", "-", "bits", "7", "-7", "abs", "neg", "methods", "divmod"]
FLOAT_OPERATIONS = ["//", "%", "/", "*", "<", "divmod", "hash"]
INTS = """
import sys
for line in sys.stdin:
    p = line.split()
    op = p[0]
    a = int(p[1])
    b = int(p[2])
    if op == "//": print(a // b)
    elif op == "%": print(a % b)
    elif op == "/": print(a / b)
    elif op == "**": print(a ** b)
    elif op == "<<": print(a << b)
    elif op == ">>": print(a >> b)
    elif op == "*": print(a * b)
    elif op == "+": print(a + b)
    elif op == "-": print(a - b)
    elif op == "bits": print(a & b, a | b, a ^ b, ~a)
    elif op == "7": print(a // 7, a % 7, a // 8, a % 8)
    elif op == "-7": print(a // -7, a % -7)
    elif op == "abs": print(abs(a))
    elif op == "neg": print(-a)
    elif op == "methods": print(a.bit_length(), a.bit_count(), hash(a), float(a), bool(a), hex(a), oct(a), bin(a))
    elif op == "divmod": print(divmod(a, b))
"""

FLOATS = """
import sys
for line in sys.stdin:
    p = line.split()
    op = p[0]
    a = float(p[1])
    b = float(p[2])
    if op == "//": print(a // b)
    elif op == "%": print(a % b)
    elif op == "/": print(a / b)
    elif op == "*": print(a * b, a + b, a - b, -a, abs(a))
    elif op == "<": print(a < b, a <= b, a > b, a >= b, a == b, a != b)
    elif op == "hash": print(hash(a), a.is_integer())
    elif op == "divmod": print(divmod(a, b))
"""

MIXED = """
import sys
for line in sys.stdin:
    p = line.split()
    i = int(p[0])
    f = float(p[1])
    print(i < f, i <= f, i > f, i >= f, i == f, i != f, f < i, f <= i, f > i, f >= i, f == i, i + f, i * f, f - i)
"""

MATH = """
import math
import sys
for line in sys.stdin:
    p = line.split()
    op = p[0]
    if op == "sqrt": print(math.sqrt(float(p[1])))
    elif op == "fmod": print(math.fmod(float(p[1]), float(p[2])))
    elif op == "parts": print(math.modf(float(p[1])), math.fabs(float(p[1])), math.copysign(1.5, float(p[1])))
    elif op == "is": print(math.isnan(float(p[1])), math.isinf(float(p[1])), math.isfinite(float(p[1])))
    elif op == "ulp": print(math.ulp(float(p[1])))
    elif op == "floor": print(math.floor(float(p[1])), math.ceil(float(p[1])), math.trunc(float(p[1])))
    elif op == "angle": print(math.degrees(float(p[1])), math.radians(float(p[1])))
    elif op == "gcd": print(math.gcd(int(p[1]), int(p[2])))
    elif op == "lcm": print(math.lcm(int(p[1]), int(p[2])))
    elif op == "isqrt": print(math.isqrt(int(p[1])))
    elif op == "factorial": print(math.factorial(int(p[1])))
    elif op == "comb": print(math.comb(int(p[1]), int(p[2])))
    elif op == "constants": print(math.pi, math.e, math.tau, math.inf, math.nan)
"""

OVERFLOW = "OverflowError: integer overflow"
SPECIAL = [0, 1, -1, 2, -2, 3, -7, 2**63 - 1, -(2**63), 2**62, 2**53 + 1, -(2**53) - 1, 10**18, 2**61 - 1]


def cpython(source: str, line: str) -> str:
    """What CPython prints for a line of input."""
    printed: list[str] = []
    scope: dict[str, object] = {"lines": [line], "print": lambda *parts: printed.append(" ".join(map(str, parts)))}
    exec(source.replace("for line in sys.stdin:", "for line in lines:"), scope)
    return "\n".join(printed)


def check(program: Program, source: str, lines: list[str]) -> None:
    """Check the lines that CPython has an answer for."""
    cases, expected = [], []
    for line in lines:
        try:
            expected.append(cpython(source, line))
        except (ValueError, OverflowError, ZeroDivisionError):
            continue
        cases.append(line)
    expect(program, cases, expected)


def fits(text: str) -> bool:
    return all(-(2**63) <= int(part) < 2**63 for part in text.strip("()").replace(",", "").split())


def test_ints() -> None:
    source = random.Random(100)
    cases, expected = [], []
    while len(cases) < 500:
        op = source.choice(INT_OPERATIONS)
        a, b = (source.choice(SPECIAL) if source.random() < 0.4 else some_int(source) for _ in range(2))
        if op == "**":
            a, b = source.randrange(-12, 13), source.randrange(0, 25)
        elif op in ("<<", ">>"):
            b = source.randrange(0, 70)
        line = f"{op} {a} {b}"
        try:
            answer = cpython(INTS, line)
        except ZeroDivisionError:
            continue
        if op in ("/", "methods") or fits(answer):
            cases.append(line)
            expected.append(answer)
    expect(Program(INTS), cases, expected)


@pytest.fixture(scope="module")
def ints() -> Program:
    return Program(INTS)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("// 1 0", "ZeroDivisionError: integer division or modulo by zero"),
        ("% 1 0", "ZeroDivisionError: integer modulo by zero"),
        ("/ 1 0", "ZeroDivisionError: division by zero"),
        ("<< 1 -1", "ValueError: negative shift count"),
        (">> 1 -1", "ValueError: negative shift count"),
        ("** 0 -1", "ZeroDivisionError: 0.0 cannot be raised to a negative power"),
        ("** 2 -1", "ValueError: a negative power of an int is a float: write float(x) ** n"),
        ("// -9223372036854775808 -1", OVERFLOW),
        ("abs -9223372036854775808 0", OVERFLOW),
        ("neg -9223372036854775808 0", OVERFLOW),
        ("* 4294967296 2147483648", OVERFLOW),
        ("+ 9223372036854775807 1", OVERFLOW),
        ("- -9223372036854775808 1", OVERFLOW),
        ("<< 1 63", OVERFLOW),
        ("<< 1 64", OVERFLOW),
        ("<< -3 62", OVERFLOW),
        ("** 10 19", OVERFLOW),
    ],
)
def test_int_errors(ints: Program, line: str, error: str) -> None:
    assert ints.run(line + "\n").error == error


def test_remainder_of_the_least_int(ints: Program) -> None:
    expect(ints, ["% -9223372036854775808 -1", "<< -1 63", "** -2 63"], ["0", str(-(2**63)), str(-(2**63))])


def test_floats() -> None:
    source = random.Random(110)
    lines = []
    for _ in range(500):
        a, b = some_float(source), some_float(source)
        if source.random() < 0.5:
            a, b = source.randrange(-60, 60) / 4, source.randrange(-20, 20) / 4
        lines.append(f"{source.choice(FLOAT_OPERATIONS)} {a!r} {b!r}")
    lines = [line for line in lines if not line.startswith("hash nan")]  # CPython's depends on the object
    program = Program(FLOATS)
    check(program, FLOATS, lines)
    for op, message in (("/", "float division by zero"), ("//", "float floor division by zero"), ("%", "float modulo")):
        assert program.run(f"{op} 1.0 0.0\n").error == f"ZeroDivisionError: {message}"


def test_int_against_float() -> None:
    source = random.Random(120)
    lines = []
    for _ in range(150):
        whole = source.choice(SPECIAL) if source.random() < 0.6 else some_int(source)
        near = source.choice([float(whole), math.nextafter(float(whole), 0.0), some_float(source), whole + 0.5])
        lines.append(f"{whole} {near!r}")
    check(Program(MIXED), MIXED, lines)


def test_math() -> None:
    source = random.Random(130)
    lines = ["constants"]
    for op in ("sqrt", "fmod", "parts", "is", "ulp", "floor", "angle"):
        lines += [f"{op} {some_float(source)!r} {some_float(source)!r}" for _ in range(40)]
    lines = [line for line in lines if not (line.startswith("floor") and abs(float(line.split()[1])) >= 2**63)]
    for op in ("gcd", "isqrt", "lcm"):
        lines += [f"{op} {source.choice(SPECIAL[:7])} {source.choice(SPECIAL[:7])}" for _ in range(10)]
    lines += [f"gcd {some_int(source)} {some_int(source)}" for _ in range(20)]
    lines += [f"isqrt {abs(some_int(source))}" for _ in range(20)]
    lines += [f"isqrt {n}" for n in (2**63 - 1, 3037000499**2, 3037000499**2 - 1, 2**52 - 1, 2**62)]
    lines += [f"comb {n} {k}" for n, k in ((10, 3), (60, 30), (5, 6), (0, 0), (62, 2))]
    lines += [f"factorial {n}" for n in (0, 1, 5, 20)]
    program = Program(MATH)
    check(program, MATH, lines)
    for line, error in (
        ("sqrt -1.0", "ValueError: math domain error"),
        ("fmod 1.0 0.0", "ValueError: math domain error"),
        ("isqrt -1", "ValueError: isqrt() argument must be nonnegative"),
        ("factorial 21", OVERFLOW),
        ("floor inf", "OverflowError: cannot convert float infinity to integer"),
        ("floor nan", "ValueError: cannot convert float NaN to integer"),
    ):
        assert program.run(line + "\n").error == error
