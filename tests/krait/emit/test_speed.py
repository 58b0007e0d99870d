"""What the emitted code costs, and that functions in the place of their calls cannot be told from calls.

Costs are in units of fuel, which every engine counts alike, for one more round of a loop.
"""

from __future__ import annotations

import re

import pytest

import krait
from svm import Console, Module
from svm.errors import UncaughtError
from svm.module import to_text

SETUP = "def work(n: int) -> int:\n    xs = [3] * 8\n    text = 'abcd'\n    total = 0\n{body}    return total\n"


def cost_of_a_round(source: str, least: int = 1000) -> float:
    """Fuel that `work(n)` takes for each of n, from the least on."""
    with Module(krait.compile_source(source, "t.kr")).spawn(engine="interpreter", devices=[Console()]) as guest:
        used = []
        for count in (1, least, 2 * least):
            before = guest.fuel_used
            guest.call("work", count)
            used.append(guest.fuel_used - before)
    return (used[2] - used[1]) / least


@pytest.mark.parametrize(
    ("statement", "most"),
    [
        ("pass", 8),
        ("total += i", 12),
        ("total += xs[i & 7]", 45),
        ("xs[i & 7] = i", 45),
        ("xs[3] += 1", 40),
        ("total = xs[-1]", 40),
        ("total += len(xs)", 20),
        ("total += i // (total + 1)", 35),
        ("total = i if i > 3 and i < 9 or i == 100 else total", 30),
        ("xs.append(i)", 60),
        ("for v in (1, 2): total += v", 55),
        ("if text[i & 3] == 'b': total += 1", 120),
        ("if text == 'abcd' or text in 'abc' or 'a' <= text <= 'b': total += 1", 100),
    ],
)
def test_a_round_costs_no_more_than(statement: str, most: int) -> None:
    source = SETUP.format(body=f"    for i in range(n):\n        {statement}\n")
    cost = cost_of_a_round(source)
    assert cost <= most, f"{statement}: {cost}"


@pytest.mark.parametrize(
    "statement",
    ["text += 'x'", "text = text + 'xy'", "box.text += 'x'", "whole += 'x'"],
)
def test_appending_costs_the_same_however_long_the_text_is(statement: str) -> None:
    heading = "class Box:\n    def __init__(self) -> None:\n        self.text = ''\n\n\nbox = Box()\nwhole = ''\n\n\n"
    body = f"    global whole\n    for _ in range(n):\n        {statement}\n        total += len(text) - len(whole)\n"
    cost = cost_of_a_round(heading + SETUP.format(body=body), 160_000)  # a copy of so much is 2,400 and more
    assert cost <= 600, cost


def body_of(source: str, name: str) -> str:
    """The text of a function of a program."""
    text = to_text(krait.compile_source(source, "t.kr"))
    found = re.search(rf"^func \${name} .*?^end$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


SMALL = """
class Point:
    def __init__(self, x: float) -> None:
        self.x = x

    def half(self) -> float:
        return self.x * 0.5


def add(a: int, b: int) -> int:
    return a + b


def floats(p: Point) -> float:
    return p.half() + p.half()


def ints(n: int) -> int:
    return add(n, n)


def even(n: int) -> bool:
    return n == 0 or odd(n & 7 ^ 1)


def odd(n: int) -> bool:
    return n != 0 and even(n & 7 ^ 1)


print(floats(Point(3.0)), ints(4), even(4), odd(4))
"""


def test_small_functions_that_cannot_fail_need_no_call() -> None:
    assert "call" not in body_of(SMALL, "floats")
    assert "call" in body_of(SMALL, "ints")


def test_a_function_that_can_fail_is_in_the_traceback() -> None:
    source = "def first(xs: list[int]) -> int:\n    return xs[0]\n\n\ndef add(a: int) -> int:\n    return a + 1\n\n\n"
    assert frames(source + "first([])\n") == [("<module>", 9), ("first", 2)]
    assert frames(source + "add(\n    9223372036854775807\n)\n") == [("<module>", 9), ("add", 6)]
    assert frames(source + "xs = [1]\nprint(\n    xs[\n        5]\n)\n") == [("<module>", 11)]


def frames(source: str) -> list[tuple[str | None, int | None]]:
    """Functions and lines of the program that the traceback of its exception shows."""
    module = Module(krait.compile_source(source, "t.kr"))
    with module.spawn(devices=[Console()]) as guest, pytest.raises(UncaughtError) as raised:
        guest.run()
    assert raised.value.traceback is not None
    return [(frame.name, frame.line) for frame in raised.value.traceback.frames if frame.file == "t.kr"]


TAKEN_APART = """
def digits(n: int) -> int:
    total = 0
    while n:
        n, digit = divmod(n, 10)
        total += digit
    return total


def pair(a: int, b: int) -> int:
    p = a, b
    for i in range(a):
        p = p[1], p[0] + i
    return p[0] - p[1]


def kept(a: int, b: int) -> tuple[int, int]:
    p = a, b
    return p if p[0] < p[1] else (b, a)


def handed(a: int, b: int) -> int:
    p = a, b
    q = p
    return q[0] + p[1]


print(digits(1234), pair(5, 8), kept(2, 1), handed(3, 4))
"""


def test_tuples_that_are_only_taken_apart_are_not_made() -> None:
    assert [name for name in ("digits", "pair", "kept") if "call $refill" in body_of(TAKEN_APART, name)] == ["kept"]
