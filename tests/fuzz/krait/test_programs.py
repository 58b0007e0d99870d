"""Generated programs: a seeded share of what `make fuzz` does, and that what is found there would be found."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.fuzz.krait.jobs import Programs
from tests.fuzz.krait.judge import compare
from tests.fuzz.krait.phrases import rows
from tests.fuzz.krait.programs import SECTIONS, Program, program
from tests.fuzz.krait.shrink import shrink
from tests.fuzz.runs import NATIVE, REFERENCE, Difference
from tests.krait.cpython import is_current

needs_the_oracle = pytest.mark.skipif(not is_current(), reason="CPython before 3.12 prints something else")


@needs_the_oracle
@pytest.mark.parametrize("number", [1, 3, pytest.param(24, marks=pytest.mark.slow)])
def test_programs_agree(number: int) -> None:
    """With a collection at every allocation, without, and on all engines."""
    words = Programs(NATIVE).check(number)
    assert words["agrees"]
    assert words["programs"]


@needs_the_oracle
@pytest.mark.parametrize("seed", [2, 5])
def test_the_reference_engine_agrees(seed: int) -> None:
    assert compare(program(seed, 1), (NATIVE, REFERENCE))["agrees"]


@pytest.mark.parametrize("seed", range(0, 40, 8))
def test_a_seed_gives_the_same_program(seed: int) -> None:
    assert program(seed) == program(seed)


def test_most_phrases_are_spoken() -> None:
    spoken: Counter[str] = Counter()

    class Listening(Program):
        def phrase(self, row, bound, depth):  # type: ignore[no-untyped-def]  # as in the class
            made = super().phrase(row, bound, depth)
            spoken[row.text] += made is not None
            return made

    from random import Random

    for seed in range(40):
        Listening(Random(seed)).run(SECTIONS)
    unspoken = [row.text for row in rows if not spoken[row.text]]
    assert len(unspoken) < len(rows) // 10, unspoken


@needs_the_oracle
@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("print(id)", "refused"),
        ("print(id(1) > 0)", "refused"),
        (
            "import sys\nprint(sys.maxsize - 1 if sys.argv[0] == 'program.kr' else 0, __name__)\nprint(len(sys.argv))",
            "",
        ),
    ],
)
def test_what_is_wrong_is_told(source: str, wrong: str) -> None:
    if not wrong:
        assert compare(source, (NATIVE,))["agrees"]
    else:
        with pytest.raises(Difference, match=wrong):
            compare(source, (NATIVE,))


@needs_the_oracle
def test_numbers_of_64_bits_overflow_in_the_oracle() -> None:
    source = """
def show(n: int) -> None:
    xs = [n, n]
    for number in range(6):
        try:
            if number == 0:
                print(n + 1)
            elif number == 1:
                n += 1
            elif number == 2:
                xs[0] *= 3
            elif number == 3:
                print(sum(xs))
            elif number == 4:
                print((n * n + 1) & 0xFF, (n << 9) & 7)
            else:
                xs += xs
        except OverflowError as error:
            print(number, error, n, xs)

show(9223372036854775807)
"""
    assert compare(source, (NATIVE,))["agrees"]


def test_a_program_is_made_small() -> None:
    source = program(7, 3)
    at = source.index("test")
    name = source[at : source.index("(", at)]

    def fails(text: str) -> bool:
        try:
            ast.parse(text)
        except SyntaxError:
            return False
        return f"{name}()" in text

    smaller = shrink(source, fails, 20)
    assert fails(smaller) and len(smaller.splitlines()) <= 8
