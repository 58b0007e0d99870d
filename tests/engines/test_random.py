"""Random programs by themselves: pausing changes nothing, and bodies that are valid by accident do no harm."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from svm import Error, Finished, Guest, InvalidError, Limits, MalformedError, Paused, Trapped, UncaughtError
from svm.module import Module
from tests.conftest import Spawn
from tests.engines.generator import WIND, arguments, generate


def end(outcome: Any) -> tuple[Any, ...]:
    """What can be compared of an outcome."""
    if isinstance(outcome, Finished):
        return "finished", outcome.value, outcome.fuel_used
    assert isinstance(outcome, Trapped)
    error = outcome.error
    values = error.values if isinstance(error, UncaughtError) else ()
    shown = tuple(value if value == value else "nan" for value in values)
    return type(error).__name__, str(error), shown, error.traceback, outcome.fuel_used


def calls(guest: Guest, module: Module, seed: int, fuel: int | None) -> list[Any]:
    """Ends of calls of every export, run in portions of fuel; what they left; and how often they paused."""
    random = Random(seed)
    found: list[Any] = []
    pauses = 0
    for index, item in enumerate(item for item in module.exports if item.name.startswith("f")):
        guest.call(WIND)
        task = guest.start(item.name, *arguments(random, module.types[module.functions[index].type].params))
        while isinstance(outcome := task.run(fuel=fuel), Paused):
            pauses += 1
        found.append(end(outcome))
    instance = guest.instance
    found.append((bytes(guest.memory), [cell.value for cell in instance.globals], instance.tables[0].elements))
    if fuel is not None:
        assert pauses or fuel > 10
    return found


@pytest.mark.parametrize("seed", range(500, 540))
def test_pausing_anywhere_changes_nothing(spawn: Spawn, seed: int) -> None:
    module = generate(seed)
    expected = calls(spawn(module), module, seed, None)
    for fuel in (0, 7, 100):
        assert calls(spawn(module), module, seed, fuel) == expected


def mutate(random: Random, body: bytes) -> bytes:
    """A body with a few bytes changed, left out, doubled or moved."""
    data = bytearray(body)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(data))
        match random.randrange(4):
            case 0:
                data[at] = random.randrange(256)
            case 1:
                del data[at : at + random.randrange(1, 4)]
            case 2:
                data[at:at] = data[at : at + random.randrange(1, 8)]
            case _:
                other = random.randrange(len(data))
                data[at:at] = data[other : other + random.randrange(1, 8)]
        if not data:
            return body
    return bytes(data)


def survive(spawn: Spawn, seed: int) -> int:
    """Run what is left valid of a module whose bodies were changed; whether it could be run."""
    random = Random(seed)
    module = generate(seed, functions=4, size=25)
    functions = list(module.functions)
    at = random.randrange(len(functions))
    functions[at] = replace(functions[at], body=mutate(random, functions[at].body))
    module = replace(module, functions=tuple(functions))
    try:
        guest = spawn(module, limits=Limits(fuel=20_000, memory="1 MiB", stack="64 KiB", table_elements=1000))
    except (InvalidError, MalformedError):
        return 0
    for index, item in enumerate(item for item in module.exports if item.name.startswith("f")):
        try:
            guest.call(item.name, *arguments(random, module.types[module.functions[index].type].params))
        except Error:
            if guest.task is not None:
                guest.task.cancel()
    assert guest.store.stack.height == 0 and guest.task is None
    return 1


@pytest.mark.parametrize("first", range(0, 2000, 500))
def test_bodies_that_are_valid_by_accident_do_no_harm(spawn: Spawn, first: int) -> None:
    assert sum(survive(spawn, seed) for seed in range(first, first + 500)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 60_000, 1000))
def test_many_bodies_that_are_valid_by_accident(spawn: Spawn, first: int) -> None:
    for seed in range(first, first + 1000):
        survive(spawn, seed)
