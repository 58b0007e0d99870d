"""Shrinking: what is found last is valid, small, and still does what made the first one fail."""

from __future__ import annotations

from svm.module import encode
from tests.fuzz.case import Case
from tests.fuzz.coverage import executed
from tests.fuzz.generator import generate
from tests.fuzz.shrink import shrink


def test_a_case_is_made_small() -> None:
    def fails(case: Case) -> bool:
        return executed(case)["i64.rotl"] > 0

    case = next(case for case in map(generate, range(1000)) if fails(case))
    smaller = shrink(case, fails, seconds=20)
    assert fails(smaller)
    assert len(smaller.calls) == 1 and len(smaller.modules) == 1
    assert sum(len(encode(module)) for module in smaller.modules) < 300
    assert smaller.moves == () and smaller.slices == ((), ())
