"""Other engines that run a `.wasm` file, under one face: bytes in, a function `run(n)` that gives its 32 bits out.

Each comes from PyPI and is optional; `installed` says which there are.  Invariant: an answer is an unsigned integer,
whatever sign an engine's own interface gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, util
from typing import Any

__all__ = ["PEERS", "Run", "installed", "unsigned", "wasm3", "wasmtime", "wasmtime_with_fuel"]

Run = Callable[[int], int]
"""A kernel in an engine: does the work of a size, and answers a checksum."""

_STACK_BYTES = 1 << 20
_MUCH_FUEL = 1 << 62


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return util.find_spec(package) is not None


def unsigned(function: Callable[[int], Any]) -> Run:
    """A function whose answer is 32 bits, as an unsigned integer."""
    return lambda size: function(size) & 0xFFFF_FFFF


def wasm3(module: bytes) -> Run:
    """In wasm3's interpreter, by its package `pywasm3`."""
    lib: Any = import_module("wasm3")
    environment = lib.Environment()
    runtime = environment.new_runtime(_STACK_BYTES)
    runtime.load(environment.parse_module(module))
    return unsigned(runtime.find_function("run"))


def wasmtime(module: bytes, *, fuel: bool = False) -> Run:
    """In wasmtime's compiler."""
    lib: Any = import_module("wasmtime")
    config = lib.Config()
    config.consume_fuel = fuel
    engine = lib.Engine(config)
    store = lib.Store(engine)
    if fuel:
        store.set_fuel(_MUCH_FUEL)
    function = lib.Instance(store, lib.Module(engine, module), []).exports(store)["run"]
    return unsigned(lambda size: function(store, size))


def wasmtime_with_fuel(module: bytes) -> Run:
    """In wasmtime's compiler, metered as svm always is."""
    return wasmtime(module, fuel=True)


PEERS: dict[str, tuple[str, Callable[[bytes], Run]]] = {
    "wasm3": ("wasm3", wasm3),
    "wasmtime": ("wasmtime", wasmtime),
    "wasmtime with fuel": ("wasmtime", wasmtime_with_fuel),
}
"""Peers by name: the package that each needs, and how a module gets into it."""
