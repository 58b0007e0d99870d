"""Damaged files: a seeded share of what `make fuzz` does, and what one may cost."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter

import pytest

from tests.fuzz.mutants import mutant, seeds
from tests.fuzz.runs import NATIVE, engine_of
from tests.fuzz.survival import survive

BATCH = 600
SECONDS = 2.0
"""Generous bound for one input, on a busy machine."""


@pytest.mark.parametrize("batch", range(5))
def test_mutants_do_no_harm(batch: int) -> None:
    seeds()
    engine_of(NATIVE)  # may be built now, which takes seconds
    found: Counter[str] = Counter()
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        begun = time.process_time()
        made = mutant(number)
        found[f"{made.suffix} {survive(made, number)}"] += 1
        assert time.process_time() - begun < SECONDS, f"mutant {number}"
    for suffix in ("svmb", "wasm"):
        for word in ("malformed", "invalid", "ran"):
            assert found[f"{suffix} {word}"] > BATCH // 100, found


def test_a_number_gives_the_same_mutant() -> None:
    assert [mutant(number) for number in range(20)] == [mutant(number) for number in range(20)]


def test_mutants_need_little_memory() -> None:
    """A small file cannot ask for much: a count is believed only as far as there are bytes behind it."""
    seeds()
    tracemalloc.start()
    try:
        for number in range(200):
            made = mutant(number)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            survive(made, number)
            _, peak = tracemalloc.get_traced_memory()
            allowed = (8 << 20) + 150 * len(made.data)
            assert peak - before < allowed, f"mutant {number} of {len(made.data)} bytes took {peak - before} bytes"
    finally:
        tracemalloc.stop()
