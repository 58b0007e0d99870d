"""Loops without index checks: which there are, and that each also has its other form."""

from __future__ import annotations

import re

import pytest

import krait
from svm.module import to_text
from tests.krait.emit.test_speed import frames

QUICK = [
    "for i in range(n):\n    total += xs[i]",
    "for i in range(len(xs)):\n    xs[i] = total",
    "for i in range(1, n - 1):\n    total += xs[i - 1] + xs[i + 1]",
    "for i in range(n - 1, -1, -1):\n    xs[i], ys[i] = ys[i], xs[i]",
    "for i in range(0, n, 3):\n    xs[i] += ys[i + 2] + xs[0]",
    "for i in range(n):\n    for j in range(n):\n        rows[i][j] += rows[n][i] * xs[j]",
    "for i in range(n):\n    if xs[i] > 3:\n        ys[i] += 1",
    "for i in range(n):\n    total += xs[i] if total > 3 else ys[i]",
]
"""Bodies whose inner loop asks for no item's place."""

SLOW = [
    "for i in range(n):\n    total += xs[i]\n    xs.append(i)",
    "for i in range(n):\n    total += xs[ys[i]]",
    "for i in range(n):\n    total += xs[i]\n    xs = ys",
    "for i in range(n):\n    if i + 1 < n:\n        total += xs[i + 1]",
    "for i in range(n):\n    i += 1\n    total += xs[i]",
    "for i in range(0, n, total):\n    total += xs[i]",
    "for i in range(n):\n    rows[0] = ys\n    total += rows[0][i]",
]
"""Bodies that have no form without checks, or one in which some are left."""


def loops_of(body: str) -> list[str]:
    """The texts of the innermost loops of a function with such a body, which is emitted once or twice."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    source = "def work(n: int, xs: list[int], ys: list[int], rows: list[list[int]]) -> int:\n    total = 0\n"
    source += f"{lines}    return total\n\n\nwork(0, [], [], [])\n"
    text = to_text(krait.compile_source(source, "t.kr"))
    function = re.search(r"^func \$work .*?^end$", text, re.MULTILINE | re.DOTALL)
    assert function is not None
    found = re.finditer(r"^( +)loop (?:(?! loop ).)*?^\1end$", function[0], re.MULTILINE | re.DOTALL)
    return [each[0] for each in found]


@pytest.mark.parametrize("body", QUICK)
def test_indices_that_are_right_beforehand_are_not_checked(body: str) -> None:
    quick, slow = loops_of(body)
    assert "_no_place" not in quick
    assert "_no_place" in slow


@pytest.mark.parametrize("body", SLOW)
def test_others_are(body: str) -> None:
    assert all("_no_place" in loop for loop in loops_of(body))


def test_where_an_index_goes_astray_the_traceback_is_the_same() -> None:
    source = "def f(xs: list[int], ys: list[int], n: int) -> None:\n    for i in range(n):\n        xs[i] = (\n"
    source += "            ys[\n                i + 1]\n        )\n\n\n"
    assert frames(source + "f([0] * 30, [0] * 31, 30)\nf([0] * 30, [0] * 30, 30)\n") == [("<module>", 10), ("f", 4)]
    assert frames(source + "f([0] * 29, [0] * 31, 30)\n") == [("<module>", 9), ("f", 3)]
