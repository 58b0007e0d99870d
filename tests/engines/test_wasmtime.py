"""Random programs against wasmtime: the same results, traps, memory and globals, call after call."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from svm import Guest, Limits, TrapError, UncaughtError
from svm.module import Module
from tests.conftest import Spawn
from tests.engines.generator import STATE, WIND, arguments, generate
from tests.engines.wasm_writer import write_wasm

wasmtime = pytest.importorskip("wasmtime", reason="the oracle is not installed: pip install wasmtime")

# wasmtime's words for traps; it tells some apart less finely.
KINDS = {
    "unreachable": "UNREACHABLE",
    "out_of_bounds_memory": "MEMORY_OUT_OF_BOUNDS",
    "divide_by_zero": "INTEGER_DIVISION_BY_ZERO",
    "integer_overflow": "INTEGER_OVERFLOW",
    "invalid_conversion": "BAD_CONVERSION_TO_INTEGER",
    "out_of_bounds_table": "TABLE_OUT_OF_BOUNDS",
    "undefined_element": "TABLE_OUT_OF_BOUNDS",
    "uninitialized_element": "INDIRECT_CALL_TO_NULL",
    "indirect_call_type_mismatch": "BAD_SIGNATURE",
}


class Oracle:
    """A module that wasmtime runs."""

    def __init__(self, module: Module) -> None:
        config = wasmtime.Config()
        config.wasm_exceptions = True
        config.cranelift_nan_canonicalization = True
        engine = wasmtime.Engine(config)
        self.store = wasmtime.Store(engine)
        instance = wasmtime.Instance(self.store, wasmtime.Module(engine, write_wasm(module)), [])
        self.exports = instance.exports(self.store)

    def call(self, name: str, args: tuple[int, ...]) -> tuple[str, Any]:
        """How a call ends, and its value or the kind of its trap."""
        try:
            result = self.exports[name](self.store, *args)
        except wasmtime.Trap as trap:
            if trap.trap_code is None and "thrown Wasm exception" in str(trap):
                return "thrown", None
            return "trapped", trap.trap_code.name
        return "returned", tuple(result) if isinstance(result, list) else result

    @property
    def memory(self) -> bytes:
        """The bytes of the memory."""
        return bytes(self.exports["memory"].read(self.store))


def call(guest: Guest, name: str, args: tuple[int, ...]) -> tuple[str, Any]:
    """The same for a guest."""
    try:
        return "returned", guest.call(name, *args)
    except UncaughtError:
        return "thrown", None
    except TrapError as trap:
        return "trapped", KINDS[trap.kind]


def compare(spawn: Spawn, seed: int, rounds: int, **size: int) -> Counter[str]:
    """Run a program on both; how many calls ended in which way."""
    module = generate(seed, **size)
    guest, oracle = spawn(module, limits=Limits(fuel=50_000_000)), Oracle(module)
    random = Random(seed)
    names = [item.name for item in module.exports if item.name.startswith("f")]
    ends: Counter[str] = Counter()
    for _ in range(rounds):
        for index, name in enumerate(names):
            args = arguments(random, module.types[module.functions[index].type].params)
            assert call(guest, WIND, ()) == oracle.call(WIND, ())
            what = f"seed {seed}, {name}{args}"
            expected = oracle.call(name, args)
            assert call(guest, name, args) == expected, what
            assert call(guest, STATE, ()) == oracle.call(STATE, ()), what
            assert guest.memory[:] == oracle.memory, what
            ends[expected[0]] += 1
    return ends


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_random_programs(spawn: Spawn, first: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(first, first + 20):
        ends += compare(spawn, seed, 3)
    assert ends["returned"] > 120 and ends["trapped"] > 20 and ends["thrown"] > 0  # of 300, so that all are tried


@pytest.mark.parametrize("seed", range(10_000, 10_010))
def test_large_random_programs(spawn: Spawn, seed: int) -> None:
    compare(spawn, seed, 4, functions=30, size=250)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100_000, 120_000, 500))
def test_many_random_programs(spawn: Spawn, first: int) -> None:
    for seed in range(first, first + 500):
        compare(spawn, seed, 3, functions=6 + seed % 12, size=20 + seed * 7 % 150)
