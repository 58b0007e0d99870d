"""Random programs on every engine in step: results, traps and their place, memory, globals, tables and fuel agree."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from svm import Exited, Finished, Guest, Paused, Trapped, UncaughtError
from svm import Module as Checked
from svm.module import Module
from tests.engines.generator import WIND, arguments
from tests.engines.shapes import limits_of, shaped

ENGINE, OTHER = "interpreter", "reference"


def contents(guest: Guest) -> tuple[Any, ...]:
    """All that outlives a call."""
    instance = guest.instance
    return (
        guest.fuel_used,
        bytes(instance.memories[0].data[: instance.memories[0].size]),
        tuple(guest.store.arenas.globals),
        tuple(tuple(table.elements) for table in instance.tables),
    )


def ended(guest: Guest, name: str, args: tuple[int, ...], portion: int | None) -> tuple[Any, ...]:
    """How a call of an export ends, run whole or in portions of fuel. Out of fuel: how it stands there."""
    task = guest.start(name, *args)
    while isinstance(outcome := task.run(fuel=portion), Paused) and guest.store.meter.left >= 0:
        pass
    match outcome:
        case Finished(value):
            return "finished", value
        case Trapped(error):
            values = error.values if isinstance(error, UncaughtError) else ()
            shown = tuple(value if value == value else "nan" for value in values)
            return type(error).__name__, str(error), shown, error.traceback
        case Exited():
            return ("exited",)
    found = "out of fuel", outcome.traceback, guest.store.stack.record()
    task.cancel()
    return found


def compare(seed: int) -> Counter[str]:
    """Run a program on both engines; how many calls ended in which way."""
    module = shaped(seed)
    ends: Counter[str] = Counter()
    random = Random(seed)
    limits = limits_of(seed)
    checked = Checked(module)
    guest, other = (checked.spawn(engine=engine, limits=limits) for engine in (ENGINE, OTHER))
    portions = random.choice(((None, None), (random.randrange(40), None), (None, random.randrange(40))))
    for name, args in plan(module, random):
        what = f"seed {seed}, {name}{args}, portions {portions}"
        found = ended(guest, name, args, portions[0])
        assert found == ended(other, name, args, portions[1]), what
        assert contents(guest) == contents(other), what
        ends[found[0]] += name != WIND
        if not guest.fuel:
            break
    if seed % 10 == 0:  # which keeps its code, and that takes time
        guest.close()
    return ends


def plan(module: Module, random: Random) -> list[tuple[str, tuple[int, ...]]]:
    """Calls of a module's exports: twice each, with ticks wound up before."""
    calls: list[tuple[str, tuple[int, ...]]] = []
    for index, item in enumerate(item for item in module.exports if item.name.startswith("f")):
        for _ in range(2):
            calls.append((WIND, ()))
            calls.append((item.name, arguments(random, module.types[module.functions[index].type].params)))
    return calls


@pytest.mark.parametrize("first", range(0, 1000, 100))
def test_engines_agree(first: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(first, first + 100):
        ends += compare(seed)
    for name in ("finished", "TrapError", "UncaughtError", "ExhaustionError", "out of fuel"):
        assert ends[name] > 1, ends


def test_engines_agree_where_branches_move_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch with many values moves them in another way than one with few; here all are many."""
    monkeypatch.setattr("svm.lower.slots._MOST_COPIES", 0)
    for seed in range(1001, 1100):
        compare(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100_000, 120_000, 500))
def test_engines_agree_widely(first: int) -> None:
    for seed in range(first, first + 500):
        compare(seed)
