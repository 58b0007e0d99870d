"""How fast programs run: `programs/*.kr` in the interpreter, in CPython from the same file, in the reference engine.

The reference engine runs the small size that each program has by default, so it is compared by fuel, of which every
engine uses the same: time for a unit of it.  Before anything is timed, all print the same.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import svm
from benchmarks.measure import Row, race, say

__all__ = ["PROGRAMS", "SIZES", "ProgramRow", "measure_program"]

PROGRAMS = Path(__file__).parent / "programs"
SIZES = {
    "collatz": 60_000,
    "fannkuch": 9,
    "fib": 30,
    "heap_sort": 120_000,
    "levenshtein": 1_400,
    "mandelbrot": 400,
    "matmul": 200,
    "nbody": 60_000,
    "quick_sort": 200_000,
    "sieve": 4_000_000,
    "spectral_norm": 250,
}
"""Sizes for which CPython takes about half a second or a second."""


@dataclass(frozen=True)
class ProgramRow:
    """A program's race.  size: None for the program's own.  compile_seconds: of CPU, from source to a checked module.

    reference_ratio: the reference engine's time for a unit of fuel, over the interpreter's.
    """

    size: int | None
    compile_seconds: float
    fuel: int
    race: Row
    reference_ratio: float


class _Runs:
    """The ways to run one program."""

    def __init__(self, name: str) -> None:
        self.path = PROGRAMS / f"{name}.kr"
        self.python = compile(self.path.read_text("utf-8"), self.path.name, "exec")
        begun = time.process_time()
        self.module = svm.load(self.path)
        self.compile_seconds = time.process_time() - begun
        self.printed: dict[str, str] = {}
        self.fuel = 0

    def engine(self, engine: str, size: int | None) -> float:
        """CPU seconds on an engine, without those of making the guest."""
        stdout = io.BytesIO()
        console = svm.Console(stdin=io.BytesIO(), stdout=stdout, args=self._args(size))
        with self.module.spawn(engine=engine, devices=[console]) as guest:
            begun = time.thread_time()
            guest.run()
            seconds = time.thread_time() - begun
            self.fuel = guest.fuel_used
        self.printed[engine] = stdout.getvalue().decode()
        return seconds

    def cpython(self, size: int | None) -> float:
        """CPU seconds in this process."""
        stdout = io.StringIO()
        with redirect_stdout(stdout), _arguments(self._args(size)):
            begun = time.thread_time()
            exec(self.python, {"__name__": "__main__"})
            seconds = time.thread_time() - begun
        self.printed["cpython"] = stdout.getvalue()
        return seconds

    def _args(self, size: int | None) -> list[str]:
        return [self.path.name] if size is None else [self.path.name, str(size)]

    def check(self) -> None:
        """Raise ValueError unless all that ran printed the same."""
        if len(set(self.printed.values())) != 1:
            raise ValueError(f"{self.path.name}: not the same results: {self.printed}")


@contextmanager
def _arguments(args: list[str]) -> Iterator[None]:
    before, sys.argv = sys.argv, args
    try:
        yield
    finally:
        sys.argv = before


def measure_program(name: str, size: int | None, rounds: int) -> ProgramRow:
    """Check a program at its own size on all engines, then race the interpreter against CPython at `size`."""
    say(f"compiling {name}.kr")
    runs = _Runs(name)
    runs.cpython(None)
    reference = runs.engine("reference", None) / runs.fuel
    runs.engine("interpreter", None)
    runs.check()
    del runs.printed["reference"]
    runs.cpython(size)
    runs.engine("interpreter", size)
    runs.check()
    row = race(
        name, {"svm": lambda: runs.engine("interpreter", size), "CPython": lambda: runs.cpython(size)}, rounds
    )
    return ProgramRow(
        size, runs.compile_seconds, runs.fuel, row, reference / (row.seconds["svm"].median / runs.fuel)
    )
