"""Modules that are loaded, run hot and dropped by the thousand in one process leave nothing behind."""

from __future__ import annotations

import gc
import os
import resource

import pytest

from svm import Module
from svm.engines.native.jit import compiled, service, tier
from svm.engines.native.jit.service import Service
from svm.module import from_text
from tests.engines.native.jit.test_engine import LOOP

DIFFERENT = 12
"""Modules that are really compiled: LLVM's time is not what is tested."""


def _figures() -> tuple[int, int, int]:
    """Mappings, descriptors, and KiB of memory of this process."""
    gc.collect()
    with open("/proc/self/maps", encoding="utf-8") as lines:
        mappings = sum(1 for _ in lines)
    with open("/proc/self/statm", encoding="utf-8") as words:
        resident = int(words.read().split()[1]) * resource.getpagesize() // 1024
    return mappings, len(os.listdir("/proc/self/fd")), resident


def _run(count: int) -> None:
    for at in range(count):
        text = LOOP.replace("i64.const 1\n", f"i64.const 1\n i64.const {at % DIFFERENT}\ndrop\n")
        with Module(from_text(f"module $m version 1\n{text}")).spawn(engine="auto") as guest:
            assert guest.call("f", 30_000) == 30_000 * 30_001 // 2
            assert guest.call("f", 30_000) == 30_000 * 30_001 // 2
            assert len(guest.tiers.units) == 2


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_modules_that_were_hot_and_are_gone_leave_nothing(count: int) -> None:
    _run(50)
    before = _figures()
    _run(count)
    mappings, descriptors, resident = _figures()
    assert mappings <= before[0] + 10
    assert descriptors <= before[1]
    assert resident <= before[2] + 4096 + count * 0.5
    assert not compiled._mapped


def test_a_service_keeps_nothing_of_modules_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Service("none")
    monkeypatch.setattr(service, "_service", made)
    monkeypatch.setattr(tier, "AUTO", tier.Policy(first_call=False, hot=0, background=True))
    for at in range(40):
        text = LOOP.replace("i64.const 1\n", f"i64.const 1\n i64.const {1000 + at}\ndrop\n")
        with Module(from_text(f"module $m version 1\n{text}")).spawn(engine="auto") as guest:
            guest.call("f", 30_000)
    assert len(made.jobs) + len(made.refused) <= 80
    assert all(job.unit is None or not job.unit.code for job in made.refused.values())
