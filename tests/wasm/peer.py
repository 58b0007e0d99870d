"""wasmtime as a peer: what it makes of a module that was written as `.wasm`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from svm.module import Module
from svm.wasm import write
from tests.wasm.ends import End

__all__ = ["Ended", "Peer", "run_program"]

wasmtime = pytest.importorskip("wasmtime", reason="the oracle is not installed: pip install wasmtime")

_KINDS = {wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "out_of_bounds_memory"}


def _config() -> Any:
    config = wasmtime.Config()
    config.wasm_exceptions = True
    return config


_ENGINE = wasmtime.Engine(_config())


class Peer:
    """An instance of a module, which imports nothing; its calls trap for bounds of memory only."""

    def __init__(self, module: Module) -> None:
        self.store = wasmtime.Store(_ENGINE)
        instance = wasmtime.Instance(self.store, wasmtime.Module(_ENGINE, write(module)), [])
        self.exports = instance.exports(self.store)

    def call(self, name: str, args: tuple[int, ...]) -> End:
        """How a call ends, and its value or the kind of its trap."""
        try:
            result = self.exports[name](self.store, *args)
        except wasmtime.Trap as trap:
            if trap.trap_code is None and "thrown Wasm exception" in str(trap):
                return "thrown", None
            return "trapped", _KINDS[trap.trap_code]
        return "returned", tuple(result) if isinstance(result, list) else result


class Ended(NamedTuple):
    """How a program ended."""

    stdout: bytes
    stderr: bytes
    status: int


def run_program(data: bytes, folder: Path, stdin: bytes = b"", args: tuple[str, ...] = ()) -> Ended:
    """Run a `.wasm` program under wasmtime's WASI; `folder` is for files of this run."""
    given, out, err = (folder / name for name in ("stdin", "stdout", "stderr"))
    given.write_bytes(stdin)
    config = wasmtime.WasiConfig()
    config.argv = args
    config.stdin_file, config.stdout_file, config.stderr_file = str(given), str(out), str(err)
    store = wasmtime.Store(_ENGINE)
    store.set_wasi(config)
    linker = wasmtime.Linker(_ENGINE)
    linker.define_wasi()
    status = 0
    try:
        start = linker.instantiate(store, wasmtime.Module(_ENGINE, data)).exports(store)["_start"]
        start(store)
    except wasmtime.ExitTrap as exit_:
        status = exit_.code
    finally:
        store.close()  # which closes the files
    return Ended(out.read_bytes(), err.read_bytes(), status)
