"""Moving paused guests from one engine to another, at safepoints of a corpus of programs, with memory elsewhere.

What a program prints, its result and the fuel that it uses are those of a run that is never paused; and at every
safepoint the frames of record are the same on all engines, slot by slot.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest

from svm import ENGINES, Finished, Guest, Paused
from svm.engines.native.stack import NativeStack
from svm.runtime.mapping import address_of, new_mapping
from tests.engines.cases import JIT, KRAIT, MORE_KRAIT, NATIVE, REFERENCE, Run, case, safepoints, spread, whole
from tests.engines.programs import PROGRAMS

IN_TURN, ONCE = 80, 8
"""So many safepoints of each program are moved at without `slow`, on each route and way: some 3,000 in all."""


def move(run: Run, engine: str) -> None:
    """Go on on an engine, with memory, stack and code at new addresses."""
    guest = run.guest
    stack, program = guest.store.stack, guest.store.arenas.native
    before = addresses(guest)
    kept = [relocate(memory) for memory in guest.instance.memories]
    guest.instance.module.kept.clear()  # or the next engine of the kind would run the code where it is
    guest.engine = ENGINES[engine]()
    if engine != REFERENCE:
        last = len(guest.instance.module.context.functions) - 1
        guest.engine.program(guest.store.arenas).code_of(guest.instance.functions[last])
        assert not before & addresses(guest)
    del kept, stack, program  # only now may their addresses be given to others


def relocate(memory: Any) -> Any:
    """Put a memory elsewhere; its old mapping."""
    old = memory.mapping
    memory.mapping = new_mapping(memory.size)
    memory.mapping[: memory.size] = old[: memory.size]
    memory.address = address_of(memory.mapping)
    return old


def addresses(guest: Guest) -> set[int]:
    """Where the memory, the stack, the code and the context of a guest are."""
    found = {memory.address for memory in guest.instance.memories}
    if isinstance(guest.store.stack, NativeStack):
        program = guest.store.stack.program
        found |= {guest.store.stack.address, program.space.address, address_of(program.context_map)}
    return found


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
        move(run, engine)
    assert run.end() == whole(name)


def move_once(name: str, source: str, target: str, places: tuple[int, ...]) -> None:
    """Run a case as often as there are safepoints, each time to another engine at that one."""
    for fuel in places:
        run = case(name).start(source)
        outcome = run.task.run(fuel=fuel - 1)
        assert isinstance(outcome, Paused) and outcome.fuel_used == fuel
        move(run, target)
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
