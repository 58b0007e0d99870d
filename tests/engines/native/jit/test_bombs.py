"""Modules that are dear to compile, hot under `auto`: the host waits for none, and they run as ever."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from svm import Guest, Module
from svm.engines.native.blob import get_blob
from svm.engines.native.jit import service, tier
from svm.engines.native.jit.service import Job, Service
from svm.module import from_text
from tests.engines.native.jit.bombs import BOMBS, bomb
from tests.engines.native.jit.test_engine import tier_of

LONGEST_PAUSE = 0.1
MOST_MEMORY = 400 << 10  # KiB that the host takes more: LLVM is not in it
QUICK = (
    "a switch of 8,192 ways to 2 places",
    "switches one after the other",
    "functions that all fit each other",
)

FEW = 50


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in BOMBS]
)
def test_a_bomb_does_not_hold_its_host_up(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = _armed(monkeypatch, tmp_path)
    pauses = _timed(monkeypatch)
    module = Module(from_text(bomb(name)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    guest, still = (module.spawn(engine=engine) for engine in ("auto", "interpreter"))
    task, deadline = guest.start("f", FEW), time.monotonic() + 60
    task.run(fuel=500_000)
    while any(job.unit is None for _, _, job in tier_of(guest).waiting):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    if not task.done:
        task.run()
    assert (guest.call("f", FEW), guest.fuel_used) == (still.call("f", FEW), 2 * still.fuel_used)
    made.drop_helper()
    assert max(pauses) < LONGEST_PAUSE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY


@pytest.mark.slow
def test_several_bombs_at_once_do_not_hold_their_host_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = _armed(monkeypatch, tmp_path)
    pauses = _timed(monkeypatch, time.thread_time)  # its own work: the compiler's processes take the processors
    modules = [Module(from_text(bomb(name))) for name in [*BOMBS][::4]]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    guests = [module.spawn(engine="auto") for module in modules]
    tasks = [guest.start("f", 1 << 40) for guest in guests]
    deadline = time.monotonic() + 90
    busy = True
    while busy:
        assert time.monotonic() < deadline
        for task in tasks:
            task.run(fuel=1_000_000)
        busy = any(job.unit is None for guest in guests for job in _jobs(guest))
    for task, guest, module in zip(tasks, guests, modules, strict=True):
        task.cancel()
        assert guest.call("f", FEW) == module.spawn(engine="interpreter").call("f", FEW)
    made.drop_helper()
    assert max(pauses) < LONGEST_PAUSE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY


def _jobs(guest: Guest) -> list[Job]:
    return [job for _, _, job in tier_of(guest).waiting]


def _armed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Service:
    """A cache and a service of its own, for a policy that compiles at once."""
    get_blob()
    monkeypatch.setenv("SVM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tier, "AUTO", tier.Policy(first_call=False, hot=1, background=True))
    monkeypatch.setattr(service, "_CPU_SECONDS", 3.0)
    made = Service()
    monkeypatch.setattr(service, "_service", made)
    return made


def _timed(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float] = time.monotonic) -> list[float]:
    """How long the guest's host was held up each time."""
    pauses = [0.0]
    sample = tier.Tier.sample

    def timed(*args: object) -> None:
        begun = clock()
        sample(*args)  # type: ignore[arg-type]  # whatever it takes
        pauses.append(clock() - begun)

    monkeypatch.setattr(tier.Tier, "sample", timed)
    return pauses
