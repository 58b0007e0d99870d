"""Other ways to run a kernel, under one face: a kernel in, a function that does the work of a size out.

`wasm3` and `wasmtime` are packages from PyPI and run in this process; node, LuaJIT and native code are processes of
their own.  Each is optional: `missing` says what one lacks.  Invariant: an answer is the text of an unsigned 32-bit
integer, whatever sign a peer's own interface gives it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Any

from benchmarks.workers import FOLDER, Answer, Worker

__all__ = ["INTERPRETED", "KERNELS", "PEERS", "Kernel", "Peer", "Run", "build", "command", "installed", "timed"]

Run = Callable[[int], Answer]
"""A kernel somewhere: does the work of a size, and answers with its checksum."""

KERNELS = Path(__file__).parent / "kernels"
INTERPRETED = "wasm3"
_FEATURES = "mvp+bulk_memory+sign_ext+nontrapping_fptoint+mutable_globals+multivalue"  # what wasm3 reads
_WASM = ("-target", "wasm32-freestanding", f"-mcpu={_FEATURES}", "-s", "-nostdlib", "-Wl,--no-entry")
_WASM3_STACK = 1 << 20
_MUCH = 1 << 62
"""Fuel, and epochs until the end of wasmtime's deadline."""


@dataclass(frozen=True)
class Kernel:
    """A kernel, built."""

    name: str
    wasm: bytes


@dataclass(frozen=True)
class Peer:
    """A way to run kernels.  make: gets one ready, or None; what must be closed again goes on the stack."""

    missing: str
    make: Callable[[Kernel, ExitStack], Run | None]


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return util.find_spec(package) is not None


def build(name: str) -> Kernel:
    """Compile a kernel.  Takes a tenth of a second, a few the first time.  Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"{name}.wasm"
        _compile(target, KERNELS / f"{name}.c", *_WASM)
        return Kernel(name, target.read_bytes())


def _compile(target: Path, *words: str | Path) -> None:
    """Run the C compiler in PyPI's `ziglang`, which compiles for this very processor unless told otherwise.

    Each float operation rounds, as WebAssembly's do: fused ones, even in constants, would give other results.
    """
    options = ("-O2", "-ffp-contract=off", *map(str, words), "-o", str(target))
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *options], check=True)


def timed(function: Callable[[int], Any]) -> Run:
    """A function of this process that gives 32 bits, in whatever sign."""

    def run(size: int) -> Answer:
        begun = time.thread_time()
        value = function(size)
        return Answer(time.thread_time() - begun, str(value & 0xFFFF_FFFF))

    return run


def _wasm3(kernel: Kernel, _: ExitStack) -> Run:
    lib: Any = import_module("wasm3")
    environment = lib.Environment()
    runtime = environment.new_runtime(_WASM3_STACK)
    runtime.load(environment.parse_module(kernel.wasm))
    return timed(runtime.find_function("run"))


def _wasmtime(option: str = "") -> Callable[[Kernel, ExitStack], Run]:
    def make(kernel: Kernel, _: ExitStack) -> Run:
        lib: Any = import_module("wasmtime")
        config = lib.Config()
        if option:
            setattr(config, option, True)
        engine = lib.Engine(config)
        store = lib.Store(engine)
        if option == "consume_fuel":
            store.set_fuel(_MUCH)
        elif option:
            store.set_epoch_deadline(_MUCH)
        function = lib.Instance(store, lib.Module(engine, kernel.wasm), []).exports(store)["run"]
        return timed(lambda size: function(store, size))

    return make


def _native(kernel: Kernel, stack: ExitStack) -> Run:
    program = Path(stack.enter_context(tempfile.TemporaryDirectory())) / kernel.name
    _compile(program, FOLDER / "native.c", KERNELS / f"{kernel.name}.c")
    return _worker(stack, program)


def _node(kernel: Kernel, stack: ExitStack) -> Run:
    wasm = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "kernel.wasm"
    wasm.write_bytes(kernel.wasm)
    return _worker(stack, "node", FOLDER / "kernel.js", wasm)


def _luajit(kernel: Kernel, stack: ExitStack) -> Run | None:
    text = KERNELS / f"{kernel.name}.lua"
    return _worker(stack, "luajit", FOLDER / "kernel.lua", text) if text.exists() else None


def _worker(stack: ExitStack, *words: str | Path) -> Run:
    worker = Worker(*words)
    stack.callback(worker.close)
    return lambda size: worker.ask(str(size))


def _package(name: str) -> str:
    return "" if installed(name) else f"the package `{name}` is not installed"


def command(name: str) -> str:
    """What is missing to run a command; empty if nothing is."""
    return "" if shutil.which(name) else f"there is no command `{name}`"


PEERS = {
    "native C": Peer(_package("ziglang"), _native),
    "wasmtime": Peer(_package("wasmtime"), _wasmtime()),
    "wasmtime with fuel": Peer(_package("wasmtime"), _wasmtime("consume_fuel")),
    "wasmtime with epochs": Peer(_package("wasmtime"), _wasmtime("epoch_interruption")),
    "node": Peer(command("node"), _node),
    "LuaJIT": Peer(command("luajit"), _luajit),
    INTERPRETED: Peer(_package("wasm3"), _wasm3),
}
"""Peers by name."""
