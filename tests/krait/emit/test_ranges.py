"""Which arithmetic is checked, and which need not be: what is known of ints."""

from __future__ import annotations

import re

import pytest

import krait
from svm.module import to_text
from tests.krait.conftest import Run
from tests.krait.emit.test_speed import frames

HEADING = """
MASK = 0xFFFF
LIMIT = 1000
later = 7


def change() -> None:
    global later
    later = 8


change()
"""

UNCHECKED = [
    "for i in range(n):\n    x += i + 1",  # of the count; the sum is checked
    "for i in range(len(xs)):\n    x ^= i * 2 - 1 + i // 2 + i % 3",
    "for i in range(len(xs) - 1, -1, -1):\n    x ^= (i + i) * (i + 1) // 2",
    "x = (x & MASK) * (n & 0xFFFFFFFF) + LIMIT",
    "x = x % 1000 * 31 + n % 7 - 1",
    "if 0 <= x < LIMIT:\n    x = x * x - n // 2",
    "if x > 10 and n < 5:\n    x = x - 1 ^ n + 1",
    "if not (x < 0 or x > 99):\n    x = x * 99",
    "low = 0\nhigh = len(xs)\nwhile low < high:\n    middle = (low + high) // 2\n    if xs[middle] < x:\n"
    "        low = middle + 1\n    else:\n        high = middle",
    "bits = 0\nwhile x > 0:\n    x >>= 1\n    bits ^= x + -1",
    "x = n if n < 9 else 9\nx = x if x > -9 else -9\nx = x * x + x",
    "y = 12\nwhile y > 0:\n    y -= 1\n    x ^= y * 3",
    "x = (1 << (x & 31)) - 1",
    "s = x & 15\nx = (n & 255) << s",
]
"""Bodies in which nothing that is marked here is checked: what is left has the number of checks below."""

LEFT = {UNCHECKED[0]: 1}

CHECKED = [
    "x = x + 1",
    "if x < n:\n    x = x - 1",
    "while x < n:\n    x = x + 2",
    "for i in range(x, n, 2):\n    x ^= i + 2",
    "x = (x & MASK) * n",
    "if x >= 0 or n > 3:\n    x = x - 1",
    "x = x * later",
    "for i in range(n):\n    x = 3 * x",
    "y = 0\nwhile True:\n    y += 1\n    if xs[y] == x:\n        break",
    "y = 5\ntry:\n    y = n\n    y = len(xs)\nexcept ValueError:\n    y += 1\nx = y",
    "y = 5\nfor i in range(3):\n    x ^= y + 1\n    if xs[i] > 3:\n        y = n\n        continue\n    y = 6",
]
"""Bodies in which something is."""


def body_of(body: str) -> str:
    """The text of a function with such a body."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    source = f"{HEADING}\n\ndef work(x: int, n: int, xs: list[int]) -> int:\n{lines}    return x\n\n\nwork(0, 0, [])\n"
    text = to_text(krait.compile_source(source, "t.kr"))
    found = re.search(r"^func \$work .*?^end$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("body", UNCHECKED)
def test_what_cannot_overflow_is_not_checked(body: str) -> None:
    assert body_of(body).count("_throw") == LEFT.get(body, 0)


@pytest.mark.parametrize("body", CHECKED)
def test_what_may_overflow_is_checked(body: str) -> None:
    assert "_throw" in body_of(body)


def test_division_of_what_is_not_negative_needs_no_call() -> None:
    assert "call" not in body_of("if x >= 0 and n > 0:\n    x = x // n + x % n")
    assert "call" in body_of("if x >= 0 and n >= 0:\n    x = x // n")


def test_numbers_that_never_change_are_constants() -> None:
    text = body_of("x = x & MASK ^ LIMIT")
    assert "global.get" not in text
    assert "global.get" in body_of("x = x & later")


EDGES = """
def add(x: int, n: int) -> str:
    try:
        for i in range(n):
            if x > 0:
                x = x + (i & 1) * 4611686018427387904
            else:
                x = x - (i & 3) * 3074457345618258602
        return str(x)
    except OverflowError as error:
        return f"{error} {x}"


def count(start: int, stop: int, step: int) -> str:
    said = ""
    try:
        for i in range(start, stop, step):
            said += f"{i + 1} "
        for i in range(start, stop):
            said += f"{-i} "
    except OverflowError as error:
        said += str(error)
    return said


def until(x: int, limit: int) -> str:
    try:
        while x < limit:
            x += 3
        while x * x > 100:
            x //= 2
    except OverflowError as error:
        return f"{error} {x}"
    return str(x)


most = 9223372036854775807
print(add(1, 9), add(-5, 9), add(most, 1), add(0, 0))
print(count(most - 2, most, 1), count(-most - 1, -most + 1, 1), count(most - 6, most, 4), count(3, 5, 1))
print(until(most - 2, most), until(0, 50), until(most // 2, 7), until(-most, -most + 5))
"""


def test_overflow_is_found_where_it_happens(run: Run) -> None:
    over = "integer overflow"
    near = "92233720368547758"
    assert run(EDGES).stdout.splitlines() == [
        f"{over} 4611686018427387905 {over} -3074457345618258607 9223372036854775807 0",
        f"{near}06 {near}07 -{near}05 -{near}06  -{near}07 -{near}06 {over} {near}02 {near}06 "
        f"-{near}01 -{near}02 -{near}03 -{near}04 -{near}05 -{near}06  4 5 -3 -4 ",
        f"{over} 9223372036854775805 6 {over} 4611686018427387903 {over} -9223372036854775801",
    ]


def test_an_exception_names_its_line_where_arithmetic_is_not_checked() -> None:
    source = "def f(xs: list[int], n: int) -> int:\n    total = 0\n    for i in range(n):\n        total += (\n"
    source += "            xs[i] * (i + 1)\n        )\n    return total\n\n\n"
    assert frames(source + "f([1] * 20, 30)\n") == [("<module>", 10), ("f", 5)]
    assert frames(source + "f([2**62] * 20, 20)\n") == [("<module>", 10), ("f", 4)]
    assert frames(source + "f([2**62] + [0] * 19, 20)\nf([2**62, 1], 5)\n") == [("<module>", 11), ("f", 5)]
