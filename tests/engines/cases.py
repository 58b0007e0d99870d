"""Calls of programs that are paused at their safepoints: what is run, where it can be paused, and how it ends.

What a program prints, its result, its memory and the fuel that it uses are those of a run that is never paused.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import krait
from svm import Console, Finished, Guest, Limits, Module, Paused, Task
from svm.digest import digest
from svm.module import from_text
from svm.wasm import read, write
from tests.engines.programs import PROGRAMS

__all__ = ["JIT", "KRAIT", "MORE_KRAIT", "NATIVE", "REFERENCE", "Case", "Run", "case", "safepoints", "spread", "whole"]

_ROOT = Path(__file__).parents[2]
KRAIT = {"fannkuch": 3, "fib": 7, "heap_sort": 8, "mandelbrot": 3, "nbody": 1, "spectral_norm": 2}
"""Benchmark programs, each with an argument that makes it short."""
MORE_KRAIT = {"collatz": 6, "levenshtein": 5, "matmul": 2, "quick_sort": 8, "sieve": 40}
"""Those that only `slow` runs."""
NATIVE, REFERENCE, JIT = "interpreter", "reference", "jit"


@dataclass(frozen=True)
class Case:
    """A program, ready to be run: its module, the export to call, and the arguments of the call and of the program."""

    module: Module
    export: str
    args: tuple[Any, ...]
    words: tuple[str, ...] = ()
    limits: Limits | None = None

    def start(self, engine: str) -> Run:
        """A new guest at the start of the call."""
        out = io.BytesIO()
        guest = self.module.spawn(engine=engine, limits=self.limits, devices=[console(out, self.words)])
        return Run(guest, out, guest.start(self.export, *self.args))


def console(out: io.BytesIO, words: tuple[str, ...]) -> Console:
    """The console of a program."""
    return Console(io.BytesIO(), out, io.BytesIO(), args=words)


@dataclass
class Run:
    """A call under way."""

    guest: Guest
    out: io.BytesIO
    task: Task

    def end(self) -> tuple[Any, ...]:
        """Run to the end: what can be compared of it, in a form that JSON has."""
        outcome = self.task.run()
        assert isinstance(outcome, Finished)
        memories = [digest(memory.data[: memory.size]).hex() for memory in self.guest.instance.memories]
        return repr(outcome), self.out.getvalue().decode(), memories, self.guest.store.arenas.globals.tolist()


@cache
def case(name: str) -> Case:
    """A case by name; compiled once."""
    if name in PROGRAMS:
        program = PROGRAMS[name]
        return Case(Module(from_text(program.text)), "f", program.args)
    stem, suffix = name.split(".")
    if stem == "mixture":
        path, words = _ROOT / "tests" / "snapshot" / "programs" / f"{stem}.kr", (stem, "16")
        limits: Limits | None = Limits(memory=7 << 16)  # so that it must collect its garbage
    else:
        path, words = _ROOT / "benchmarks" / "programs" / f"{stem}.kr", (stem, str((KRAIT | MORE_KRAIT)[stem]))
        limits = None
    model = krait.compile_file(path)
    made = Case(Module(read(write(model)) if suffix == "wasm" else model), "_start", (), words, limits)
    warm = made.start(NATIVE)
    warm.end()
    warm.guest.close()  # keeps its code, so that the many guests to come need not lower it
    return made


@cache
def whole(name: str) -> tuple[Any, ...]:
    """How a case ends without a pause, by the reference engine."""
    return case(name).start(REFERENCE).end()


@cache
def safepoints(name: str) -> tuple[int, ...]:
    """Fuel used at each safepoint of a case at which it can be paused."""
    run = case(name).start(NATIVE)
    found = []
    while isinstance(outcome := run.task.run(fuel=0), Paused):
        found.append(outcome.fuel_used)
    return tuple(dict.fromkeys(found))


def spread(name: str, count: int) -> tuple[int, ...]:
    """About so many of a case's safepoints, evenly spread."""
    places = safepoints(name)
    return places[:: -(-len(places) // count)]
