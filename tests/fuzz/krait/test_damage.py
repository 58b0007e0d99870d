"""Damaged sources: a seeded share of what `make fuzz` does, and what one may cost."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter

from tests.fuzz.krait.damage import damaged, sources, survive

COUNT = 180
SECONDS = 5.0
"""Processor time that a source may take."""
MEMORY = 64 << 20
"""Bytes that Python may take for one: the library is compiled with each."""


def test_damaged_sources_get_an_answer() -> None:
    found: Counter[str] = Counter()
    for number in range(COUNT):
        begun = time.process_time()
        found[survive(damaged(number))] += 1
        assert time.process_time() - begun < SECONDS, f"source {number}"
    assert found["refused"] > COUNT // 2 and found["compiled"], found


def test_a_number_gives_the_same_source() -> None:
    assert [damaged(number) for number in range(30)] == [damaged(number) for number in range(30)]
    assert len(sources()) > 60


def test_damaged_sources_need_little_memory() -> None:
    survive(damaged(0))
    tracemalloc.start()
    try:
        for number in range(12):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            survive(damaged(number))
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < MEMORY, f"source {number} took {peak - before} bytes"
    finally:
        tracemalloc.stop()
