"""Random programs against wasmtime: the same results, traps, memory and globals, call after call."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from svm import Limits
from svm.module import Module
from tests.conftest import Spawn
from tests.engines.generator import STATE, WIND, arguments, generate
from tests.engines.shapes import shaped
from tests.wasm.ends import calls_of
from tests.wasm.peer import Peer


def compare(spawn: Spawn, seed: int, rounds: int, module: Module) -> Counter[str]:
    """Run a program on both; how many calls ended in which way."""
    guest, peer = spawn(module, limits=Limits(fuel=50_000_000)), Peer(module)
    call = calls_of(guest)
    random = Random(seed)
    names = [item.name for item in module.exports if item.name.startswith("f")]
    ends: Counter[str] = Counter()
    for _ in range(rounds):
        for index, name in enumerate(names):
            args = arguments(random, module.types[module.functions[index].type].params)
            assert call(WIND, ()) == peer.call(WIND, ())
            what = f"seed {seed}, {name}{args}"
            expected = peer.call(name, args)
            assert call(name, args) == expected, what
            assert call(STATE, ()) == peer.call(STATE, ()), what
            assert guest.memory[:] == peer.memory, what
            ends[expected[0]] += 1
    return ends


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_random_programs(spawn: Spawn, first: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(first, first + 20):
        ends += compare(spawn, seed, 3, generate(seed))
    assert ends["returned"] > 120 and ends["trapped"] > 20 and ends["thrown"] > 0  # of 300, so that all are tried


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_random_programs_with_our_own_instructions(spawn: Spawn, first: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(first, first + 20):
        ends += compare(spawn, seed, 3, shaped(seed))
    assert ends["returned"] > 60 and ends["trapped"] > 20


@pytest.mark.parametrize("seed", range(10_000, 10_010))
def test_large_random_programs(spawn: Spawn, seed: int) -> None:
    compare(spawn, seed, 4, generate(seed, functions=30, size=250))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100_000, 120_000, 500))
def test_many_random_programs(spawn: Spawn, first: int) -> None:
    for seed in range(first, first + 500):
        compare(spawn, seed, 3, generate(seed, functions=6 + seed % 12, size=20 + seed * 7 % 150))
