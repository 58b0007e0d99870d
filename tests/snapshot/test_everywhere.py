"""Snapshots at the safepoints of a corpus, gone on with from files in a fresh process, on another engine.

What the program prints before and after, its result, the digest of its memory, its globals and its fuel are those of a
run that is never paused.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from svm import Paused
from tests.engines.cases import JIT, KRAIT, MORE_KRAIT, NATIVE, REFERENCE, case, spread, whole
from tests.engines.programs import PROGRAMS

ROOT = Path(__file__).parents[2]
MIXED = ["mixture.kr", "mixture.wasm", "heap_sort.wasm"]
CASES = [*PROGRAMS, *(f"{name}.kr" for name in KRAIT), *MIXED]
COMPILED = [*PROGRAMS]
"""Cases that are compiled without `slow`: for the others that takes many seconds."""
ALL = [*CASES, *(f"{name}.kr" for name in MORE_KRAIT)]
QUICK = {
    (REFERENCE, NATIVE): 80, (NATIVE, NATIVE): 45, (NATIVE, REFERENCE): 6, (JIT, NATIVE): 30, (NATIVE, JIT): 4,
}  # fmt: skip
"""From which engine to which, and at how many safepoints of each case without `slow`: some 2,000 in all."""
AT_ONCE = 400  # files that one process goes on with


def quick(name: str, ways: tuple[str, str]) -> bool:
    """Whether a case is for `make test` on these engines."""
    return name in (COMPILED if JIT in ways else CASES)


def went_on(name: str, source: str, target: str, places: Sequence[int], folder: Path) -> None:
    """Run a case, take a snapshot at each of some safepoints, and go on with all of them elsewhere."""
    run = case(name).start(source)
    taken: list[tuple[Path, str, int]] = []
    for fuel in places:
        outcome = run.task.run(fuel=fuel - 1 - run.guest.fuel_used)
        assert isinstance(outcome, Paused) and outcome.fuel_used == fuel
        path = folder / f"{fuel}.svms"
        run.guest.snapshot().save(path)
        taken.append((path, run.out.getvalue().decode(), fuel))
        if len(taken) == AT_ONCE:
            check(name, target, taken)
            taken.clear()
    assert run.end() == whole(name)
    run.guest.close()
    check(name, target, taken)


def check(name: str, target: str, taken: Sequence[tuple[Path, str, int]]) -> None:
    """Go on with snapshots in a fresh process: each ends as a run that is never paused."""
    asked = {"engine": target, "words": case(name).words, "paths": [str(path) for path, _, _ in taken]}
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "compiler")))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.snapshot.restorer"], input=json.dumps(asked), capture_output=True, text=True,
        cwd=ROOT, env=environ, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    ends: list[list[Any]] = json.loads(done.stdout)
    for (path, before, fuel), (outcome, after, *rest) in zip(taken, ends, strict=True):
        assert (outcome, before + after, *rest) == whole(name), fuel
        path.unlink()


@pytest.mark.parametrize(("name", "source", "target"), [(n, *way) for n in CASES for way in QUICK if quick(n, way)])
def test_snapshots_go_on_in_a_fresh_process(name: str, source: str, target: str, tmp_path: Path) -> None:
    went_on(name, source, target, spread(name, QUICK[source, target]), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("source", "target"), QUICK)
def test_snapshots_at_every_safepoint_go_on_in_a_fresh_process(
    name: str, source: str, target: str, tmp_path: Path
) -> None:
    most = 10**9 if REFERENCE not in (source, target) or name in PROGRAMS else 2_000
    went_on(name, source, target, spread(name, most), tmp_path)
