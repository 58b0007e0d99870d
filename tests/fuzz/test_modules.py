"""Generated modules: of every instruction, always valid, the same for a seed; and a share of what `make fuzz` does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from svm.isa import OPS
from svm.module import encode, from_text, to_text, validate
from tests.fuzz.case import load, save
from tests.fuzz.coverage import executed, generated
from tests.fuzz.generator import generate
from tests.fuzz.runs import agree


def test_every_instruction_is_generated() -> None:
    found: Counter[str] = Counter()
    for seed in range(400):
        found += generated(generate(seed))
        if len(found) == len(OPS):
            break
    assert not set(OPS) - set(found)


def test_most_instructions_are_reached() -> None:
    found: Counter[str] = Counter()
    for seed in range(90):
        found += executed(generate(seed))
    assert len(set(OPS) - set(found)) < 20, set(OPS) - set(found)


@pytest.mark.parametrize("seed", range(0, 200, 7))
def test_a_seed_gives_the_same_case(seed: int, tmp_path: Path) -> None:
    case = generate(seed)
    assert case == generate(seed)
    save(case, tmp_path / "case")
    assert load(tmp_path / "case") == case
    for module in case.modules:
        validate(module)
        assert encode(from_text(to_text(module))) == encode(module)


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_the_engines_agree(first: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(first, first + 50):
        ends += agree(generate(seed))
    for word in ("linked", "finished", "TrapError", "UncaughtError", "ExhaustionError"):
        assert ends[word], ends


def test_the_engines_agree_where_branches_move_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch with many values moves them in another way than one with few; here all are many."""
    monkeypatch.setattr("svm.lower.slots._MOST_COPIES", 0)
    for seed in range(1001, 1050):
        agree(generate(seed))


@pytest.mark.parametrize("first", range(0, 80, 40))
def test_wasmtime_agrees(first: int) -> None:
    pytest.importorskip("wasmtime", reason="the oracle is not installed: pip install wasmtime")
    from tests.fuzz.oracle import agree_with_wasmtime

    ends: Counter[str] = Counter()
    for seed in range(first, first + 40):
        ends += agree_with_wasmtime(generate(seed))
    for word in ("linked", "finished", "TrapError", "UncaughtError"):
        assert ends[word], ends
