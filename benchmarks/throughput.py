"""How fast programs run: `programs/*.kr` in svm's engines, in CPython and in PyPy from the same file.

The first run of a program is measured apart: it compiles, and it makes the module's constants.  Then its `main` is run
again and again in the same guest or process.  The reference engine is slow on purpose and runs the small size that
each program has by default, so it is compared by fuel, of which every engine uses the same: time for a unit of it.
Before anything is timed, all print the same.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import svm
from benchmarks.measure import Contender, Row, own_engines, race, say
from benchmarks.peers import command
from benchmarks.workers import FOLDER, Answer, Worker

__all__ = ["NUMERIC", "PROGRAMS", "PYTHONS", "SIZES", "ProgramRow", "measure_program"]

PROGRAMS = Path(__file__).parent / "programs"
NUMERIC = {
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
"""Programs that only compute with numbers and lists of them, and sizes for which CPython takes up to a second."""

OBJECTS = {
    "anagrams": 100_000,
    "binary_trees": 15,
    "int_dict": 200_000,
    "life": 700,
    "lru_cache": 400_000,
    "queens": 11,
    "raytracer": 200,
    "richards": 12_000,
    "shortest_path": 400,
    "spanning_tree": 20_000,
    "stack_machine": 200_000,
    "string_builder": 4_000,
    "sudoku": 1,
    "tokenizer": 10_000,
    "trie": 60_000,
    "word_count": 500_000,
}
"""Programs of classes, strings and containers, and such sizes."""

SIZES = NUMERIC | OBJECTS
PYTHONS = {"CPython": (sys.executable, ""), "PyPy": ("pypy3", command("pypy3"))}
"""Peers: their command, and what is missing to run it."""

_WARM_RUNS = 2
"""Before an engine's code is taken to be compiled: loops are, where a slice of time ends in them."""

_Run = Callable[[str], Answer]


@dataclass(frozen=True)
class ProgramRow:
    """A program's race.  size: None for the program's own.  compile_seconds: of CPU, from source to a checked module.

    first: wall seconds of the first run by engine, with nothing kept of earlier ones.  code_bytes: of the module's
    bytecode.  reference_ratio: the reference engine's time for a unit of fuel, over the interpreter's.
    """

    size: int | None
    compile_seconds: float
    code_bytes: int
    fuel: int
    first: dict[str, float]
    steady: Row
    reference_ratio: float


class _Guest:
    """A program in a guest.  The first run is the program's, the others call its `main`."""

    def __init__(self, module: svm.Module, engine: str, args: list[str]) -> None:
        self.stdout = io.BytesIO()
        console = svm.Console(stdin=io.BytesIO(), stdout=self.stdout, args=args)
        self.guest = module.spawn(engine=engine, devices=[console])
        self.started = False
        self.fuel = 0

    def run(self) -> Answer:
        """Run it; CPU seconds, and what it printed."""
        before, begun = self.guest.fuel_used, time.thread_time()
        if self.started:
            self.guest.call("main")
        else:
            self.guest.run()
        seconds = time.thread_time() - begun
        self.started, self.fuel = True, self.guest.fuel_used - before
        printed = self.stdout.getvalue().decode()
        self.stdout.seek(0)
        self.stdout.truncate()
        return Answer(seconds, printed)


def measure_program(name: str, size: int | None, rounds: int) -> ProgramRow:
    """Check a program, at its own size on the reference engine and at `size` elsewhere, then race all that is fast."""
    say(f"compiling {name}.kr")
    path = PROGRAMS / f"{name}.kr"
    begun = time.process_time()
    module = svm.load(path)
    compile_seconds = time.process_time() - begun
    with ExitStack() as stack:

        def guest(engine: str, size: int | None) -> _Guest:
            made = _Guest(module, engine, [path.name] if size is None else [path.name, str(size)])
            stack.enter_context(made.guest)
            return made

        def python(executable: str) -> _Run:
            worker = Worker(executable, FOLDER / "program.py", path)
            stack.callback(worker.close)
            return lambda line: Answer((answer := worker.ask(line)).seconds, json.loads(answer.value))

        pythons = {each: python(executable) for each, (executable, missing) in PYTHONS.items() if not missing}
        reference = guest("reference", None)
        slow = reference.run()
        _check(name, {"reference": slow.value, "CPython": pythons["CPython"]("").value})
        line = "" if size is None else str(size)
        first: dict[str, float] = {}
        printed = {each: run(line).value for each, run in pythons.items()}
        guests = {engine: guest(engine, size) for engine in own_engines()}
        for engine, each in guests.items():
            begun = time.perf_counter()
            printed[engine] = each.run().value
            first[engine] = time.perf_counter() - begun
            for _ in range(_WARM_RUNS):
                each.run()
        _check(name, printed)
        contenders: dict[str, Contender] = {}
        contenders |= {engine: lambda each=each: each.run().seconds for engine, each in guests.items()}
        contenders |= {each: lambda run=run: run(line).seconds for each, run in pythons.items()}
        steady = race(name, contenders, rounds)
        fuel = guests["interpreter"].fuel
        ratio = (slow.seconds / reference.fuel) / (steady.seconds("interpreter").median / fuel)
    code_bytes = sum(len(function.body) for function in module.model.functions)
    return ProgramRow(size, compile_seconds, code_bytes, fuel, first, steady, ratio)


def _check(name: str, printed: dict[str, str]) -> None:
    if len(set(printed.values())) != 1:
        raise ValueError(f"{name}.kr: not the same results: {printed}")
