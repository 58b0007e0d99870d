"""How fast C runs: `kernels/*.c`, built by the C toolchain in PyPI's `ziglang`, in the interpreter and in its peers.

Before anything is timed, all agree on each kernel's checksum.  One contender is the interpreter without fuel and bounds
checks (`benchmarks.unchecked`), so that the table says what those cost.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import svm
from benchmarks.measure import Contender, Row, race, say
from benchmarks.peers import PEERS, Run, installed, unsigned
from benchmarks.unchecked import UncheckedEngine

__all__ = ["KERNELS", "KERNEL_SIZES", "UNCHECKED", "KernelRow", "build", "measure_kernels"]

KERNELS = Path(__file__).parent / "kernels"
UNCHECKED = "svm unchecked"
KERNEL_SIZES = {
    "binary_trees": 300,
    "crc32": 150,
    "fannkuch": 9,
    "fib": 32,
    "hash_map": 2_000_000,
    "heap_sort": 200_000,
    "indirect_calls": 3_000_000,
    "levenshtein": 2_500,
    "mandelbrot": 500,
    "matmul": 5,
    "nbody": 80_000,
    "quick_sort": 250_000,
    "saxpy": 500,
    "sha256": 20_000,
    "sieve": 10,
    "spectral_norm": 600,
    "string_scan": 25,
    "switch_interpreter": 200_000,
    "tak": 2_000,
}
"""Sizes for which the interpreter takes about a tenth of a second."""

_FEATURES = "mvp+bulk_memory+sign_ext+nontrapping_fptoint+mutable_globals+multivalue"  # what wasm3 reads
_OPTIONS = ("-target", "wasm32-freestanding", f"-mcpu={_FEATURES}", "-O2", "-s", "-nostdlib", "-Wl,--no-entry")
_QUICK_SIZE = 3


@dataclass(frozen=True)
class KernelRow:
    """A kernel's race.  wasm_bytes: of its module."""

    size: int
    wasm_bytes: int
    race: Row

    @property
    def checks_cost(self) -> float:
        """The interpreter's least time over that without checks."""
        return self.race.seconds["svm"].least / self.race.seconds[UNCHECKED].least


def build(name: str) -> bytes:
    """The `.wasm` file of a kernel.  Takes a tenth of a second, a few the first time.  Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"{name}.wasm"
        command = [sys.executable, "-m", "ziglang", "cc", *_OPTIONS, str(KERNELS / f"{name}.c"), "-o", str(target)]
        subprocess.run(command, check=True)
        return target.read_bytes()


def measure_kernels(names: list[str], rounds: int, *, quick: bool = False) -> Iterator[KernelRow]:
    """Race the interpreter against whichever peers are installed; nothing, with a message, without `ziglang`."""
    if not names:
        return
    if not installed("ziglang"):
        say("C kernels are left out: `pip install ziglang` gives the C toolchain that builds them")
        return
    for peer, (package, _) in PEERS.items():
        if not installed(package):
            say(f"{peer} is left out: its package is not installed")
    say("building the interpreter without its checks, some seconds")
    unchecked = UncheckedEngine()
    for name in names:
        yield _measure(name, _QUICK_SIZE if quick else KERNEL_SIZES[name], rounds, unchecked)


def _measure(name: str, size: int, rounds: int, unchecked: UncheckedEngine) -> KernelRow:
    wasm = build(name)
    module = svm.load(wasm)
    with module.spawn(engine="interpreter") as guest, module.spawn(engine="interpreter") as reckless:
        reckless.engine = unchecked
        runs: dict[str, Run] = {"svm": unsigned(lambda n: guest.call("run", n))}
        runs |= {peer: make(wasm) for peer, (package, make) in PEERS.items() if installed(package)}
        runs[UNCHECKED] = unsigned(lambda n: reckless.call("run", n))
        answers = {each: run(size) for each, run in runs.items()}
        if len(set(answers.values())) != 1:
            raise ValueError(f"{name}.c: not the same results: {answers}")
        row = race(f"{name}.c", {each: _timed(run, size) for each, run in runs.items()}, rounds)
    return KernelRow(size, len(wasm), row)


def _timed(run: Run, size: int) -> Contender:
    def timed() -> float:
        begun = time.thread_time()
        run(size)
        return time.thread_time() - begun

    return timed
