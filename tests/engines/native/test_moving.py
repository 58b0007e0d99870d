"""Moving paused guests from one engine to another, at safepoints of a corpus of programs, with memory elsewhere.

What a program prints, its result and the fuel that it uses are those of a run that is never paused; and at every
safepoint the frames of record are the same on all engines, slot by slot.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

import krait
from svm import ENGINES, Console, Finished, Guest, Module, Paused
from svm.engines.native.stack import NativeStack
from svm.module import from_text
from svm.runtime.mapping import address_of, new_mapping
from tests.engines.programs import PROGRAMS

BENCHMARKS = Path(__file__).parents[3] / "benchmarks" / "programs"
KRAIT = {"fannkuch": 3, "fib": 7, "heap_sort": 8, "mandelbrot": 3, "nbody": 1, "spectral_norm": 2}
"""Benchmark programs, each with an argument that makes it short."""
MORE_KRAIT = {"collatz": 6, "levenshtein": 5, "matmul": 2, "quick_sort": 8, "sieve": 40}
"""Those that only `slow` runs."""
IN_TURN, ONCE = 80, 8
"""So many safepoints of each program are moved at without `slow`, on each route and way: some 3,000 in all."""
NATIVE, REFERENCE, JIT = "interpreter", "reference", "jit"


@dataclass(frozen=True)
class Case:
    """A program, ready to be run: its module, the export to call, and the arguments of the call and of the program."""

    module: Module
    export: str
    args: tuple[Any, ...]
    words: tuple[str, ...] = ()

    def start(self, engine: str) -> Run:
        """A new guest at the start of the call."""
        out = io.BytesIO()
        guest = self.module.spawn(engine=engine, devices=[Console(io.BytesIO(), out, io.BytesIO(), args=self.words)])
        return Run(guest, out, guest.start(self.export, *self.args))


@dataclass
class Run:
    """A call under way."""

    guest: Guest
    out: io.BytesIO
    task: Any

    def end(self) -> tuple[Any, ...]:
        """Run to the end: what can be compared of it."""
        outcome = self.task.run()
        assert isinstance(outcome, Finished)
        memory = tuple(memory.data[: memory.size] for memory in self.guest.instance.memories)
        return outcome, self.out.getvalue(), memory, tuple(self.guest.store.arenas.globals)

    def move(self, engine: str) -> None:
        """Go on on an engine, with memory, stack and code at new addresses."""
        guest = self.guest
        stack, program = guest.store.stack, guest.store.arenas.native
        before = addresses(guest)
        kept = [relocate(memory) for memory in guest.instance.memories]
        guest.engine = ENGINES[engine]()
        if engine != REFERENCE:
            guest.engine.program(guest.store.arenas).code_of(guest.instance.functions[-1])
            assert not before & addresses(guest)
        del kept, stack, program  # only now may their addresses be given to others


def relocate(memory: Any) -> Any:
    """Put a memory elsewhere; its old mapping."""
    old = memory.data
    memory.data = new_mapping(memory.size)
    memory.data[: memory.size] = old[: memory.size]
    memory.address = address_of(memory.data)
    return old


def addresses(guest: Guest) -> set[int]:
    """Where the memory, the stack, the code and the context of a guest are."""
    found = {memory.address for memory in guest.instance.memories}
    if isinstance(guest.store.stack, NativeStack):
        program = guest.store.stack.program
        found |= {guest.store.stack.address, address_of(program.stream), address_of(program.context_map)}
    return found


@cache
def case(name: str) -> Case:
    """A case by name; compiled once."""
    if name in PROGRAMS:
        program = PROGRAMS[name]
        return Case(Module(from_text(program.text)), "f", program.args)
    path = BENCHMARKS / name
    words = (name, str((KRAIT | MORE_KRAIT)[path.stem]))
    made = Case(Module(krait.compile_file(path)), "_start", (), words)
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


CASES = [*PROGRAMS, *(f"{name}.kr" for name in KRAIT)]
COMPILED = [*PROGRAMS, "heap_sort.kr"]
"""Cases that are compiled without `slow`: for the others that takes many seconds."""
ALL = [*CASES, *(f"{name}.kr" for name in MORE_KRAIT)]
WAYS = [
    (NATIVE, REFERENCE), (REFERENCE, NATIVE), (NATIVE, NATIVE),
    (NATIVE, JIT), (JIT, NATIVE), (JIT, JIT), (REFERENCE, JIT),
]  # fmt: skip
ROUTES = {
    NATIVE: (REFERENCE, NATIVE),
    REFERENCE: (NATIVE, REFERENCE),
    JIT: (NATIVE, JIT, JIT, REFERENCE, JIT),
}
"""Where a guest goes on that changes engines at each safepoint, again and again, by the engine that it begins on."""


def spread(name: str, count: int) -> tuple[int, ...]:
    """About so many of a case's safepoints, evenly spread."""
    places = safepoints(name)
    return places[:: -(-len(places) // count)]


def quick(name: str, *engines: str) -> bool:
    """Whether a case is for `make test` with such engines."""
    return name in (COMPILED if JIT in engines else CASES)


def in_step(name: str, engine: str) -> None:
    """An engine pauses at the same places as the reference engine, with the same frames."""
    runs = [case(name).start(each) for each in (engine, REFERENCE)]
    while True:
        outcomes = [run.task.run(fuel=0) for run in runs]
        assert outcomes[0] == outcomes[1]
        if isinstance(outcomes[0], Finished):
            break
        assert runs[0].guest.store.stack.record() == runs[1].guest.store.stack.record(), outcomes[0].fuel_used


@pytest.mark.parametrize(("name", "engine"), [(n, e) for n in CASES for e in (NATIVE, JIT) if quick(n, e)])
def test_engines_pause_at_the_same_places_with_the_same_frames(name: str, engine: str) -> None:
    in_step(name, engine)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*ALL} - {*COMPILED}))
def test_compiled_programs_pause_at_the_same_places_with_the_same_frames(name: str) -> None:
    in_step(name, JIT)


def move_in_turn(name: str, first: str, places: tuple[int, ...]) -> None:
    """Run a case, to another engine at each of its safepoints."""
    run = case(name).start(first)
    for fuel, engine in zip(places, cycle(ROUTES[first]), strict=False):
        outcome = run.task.run(fuel=fuel - 1 - run.guest.fuel_used)
        assert isinstance(outcome, Paused) and outcome.fuel_used == fuel
        run.move(engine)
    assert run.end() == whole(name)


def move_once(name: str, source: str, target: str, places: tuple[int, ...]) -> None:
    """Run a case as often as there are safepoints, each time to another engine at that one."""
    for fuel in places:
        run = case(name).start(source)
        outcome = run.task.run(fuel=fuel - 1)
        assert isinstance(outcome, Paused) and outcome.fuel_used == fuel
        run.move(target)
        assert run.end() == whole(name), fuel


@pytest.mark.parametrize(("name", "first"), [(n, e) for n in CASES for e in ROUTES if quick(n, e)])
def test_moving_in_turn(name: str, first: str) -> None:
    move_in_turn(name, first, spread(name, IN_TURN))


@pytest.mark.parametrize(
    ("name", "source", "target"), [(n, *way) for n in CASES for way in WAYS if quick(n, *way)]
)
def test_moving_once(name: str, source: str, target: str) -> None:
    move_once(name, source, target, spread(name, ONCE))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("first", ROUTES)
def test_moving_in_turn_at_every_safepoint(name: str, first: str) -> None:
    move_in_turn(name, first, safepoints(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("source", "target"), WAYS)
def test_moving_once_at_every_safepoint(name: str, source: str, target: str) -> None:
    move_once(name, source, target, safepoints(name))
