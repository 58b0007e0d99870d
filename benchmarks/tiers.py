"""How fast `auto` gets from the interpreter into compiled code, by the clock.

Each time is a process's of its own, with a module that no cache has: its compiler starts from nothing.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count

import svm
from benchmarks.measure import race
from benchmarks.operations import Operation
from svm.module import from_text

__all__ = ["measure_tiers"]

_MODULE = """
func $main (param $turns i64) (result i64)
  local $sum i64
  loop $next
    local.get $sum
    i64.const {number}
    i64.mul
    local.get $turns
    i64.add
    local.tee $sum
    local.get $sum
    i64.const 29
    i64.shr_u
    i64.xor
    local.set $sum
    local.get $turns
    i64.const 1
    i64.sub
    local.tee $turns
    i64.const 0
    i64.ne
    br_if $next
  end
  local.get $sum
end
export "main" func $main
"""
_NUMBERS = count(time.time_ns())  # a module for each run
_SHORT, _LONG = 100_000_000, 1_500_000_000  # turns; compiled, the second takes some three seconds


def measure_tiers(rounds: int, *, quick: bool) -> Iterator[Operation]:
    """Measure a hot loop of `main` that starts in the interpreter."""

    def until_compiled() -> float:
        return _child("auto", _SHORT)[1]

    def whole(engine: str) -> float:
        return _child(engine, _SHORT if quick else _LONG)[0]

    yield Operation(
        race("a hot loop under `auto`, until compiled code runs it", {"svm": until_compiled}, rounds),
        "ms", "≤ 300 ms", "wall time, from the call on; the compiler's process starts in it",
    )  # fmt: skip
    contenders = {"svm": lambda: whole("auto"), "compiled before": lambda: whole("jit")}
    yield Operation(
        race("a program of some 3 s under `auto`", contenders, rounds), "ms", "≤ 1.3 × compiled before",
        "wall time of one call; the other is compiled code from the start, whose compiling is not counted",
    )  # fmt: skip


def _child(engine: str, turns: int) -> tuple[float, float]:
    """Seconds of the call in a new process, and until the first unit was ready."""
    code = f"from benchmarks.tiers import report; report({engine!r}, {turns}, {next(_NUMBERS)})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    whole, first = map(float, done.stdout.split())
    return whole, first


def report(engine: str, turns: int, number: int) -> None:
    """Run the loop, and print what `_child` reads."""
    with svm.Module(from_text(_MODULE.format(number=number))).spawn(engine=engine) as guest:
        if engine == "jit":
            guest.call("main", 10)
        begun = time.perf_counter()
        guest.call("main", turns)
        print(time.perf_counter() - begun, min((unit.at for unit in guest.tiers.units), default=float("inf")))
