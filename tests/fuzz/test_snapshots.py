"""Damaged and forged snapshots: a seeded share of what `make fuzz` does, and what one may cost."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter

import pytest

from tests.fuzz.forgery import LIMITS, survive_snapshot
from tests.fuzz.snapshots import forged, seeds

BATCH = 700
SECONDS = 2.0
"""Generous bound for one input, on a busy machine."""


@pytest.mark.parametrize("batch", range(4))
def test_forged_snapshots_do_no_harm(batch: int) -> None:
    seeds()
    found: Counter[str] = Counter()
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        made = forged(number)
        begun = time.process_time()
        found[survive_snapshot(made, number)] += 1
        assert time.process_time() - begun < SECONDS, f"snapshot {number}"
    assert found["refused"] > BATCH // 4 and found["restored"] > BATCH // 20, found


def test_a_number_gives_the_same_snapshot() -> None:
    assert [forged(number) for number in range(20)] == [forged(number) for number in range(20)]


def test_forged_snapshots_need_little_memory() -> None:
    """A small file cannot ask for much: what it says of sizes is compared with limits first."""
    seeds()
    tracemalloc.start()
    try:
        for number in range(150):
            made = forged(number)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            survive_snapshot(made, number)
            _, peak = tracemalloc.get_traced_memory()
            allowed = (12 << 20) + 3 * (LIMITS.memory_bytes or 0) + 200 * len(made.data)
            assert peak - before < allowed, f"snapshot {number} of {len(made.data)} bytes took {peak - before} bytes"
    finally:
        tracemalloc.stop()
