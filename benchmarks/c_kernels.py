"""How fast C runs: `kernels/*.c`, built by the C toolchain in PyPI's `ziglang`, in svm's engines and in their peers.

Before anything is timed, all agree on each kernel's checksum, at the full size: that also has every function and loop
compiled, so what is timed is the steady state.  What comes before it is measured apart, as the time until a first
call has returned.  Two contenders say what a part of svm costs: the interpreter without fuel and bounds checks, and
compiled code that makes NaNs canonical.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import svm
from benchmarks.measure import Contender, Row, fresh_cache, own_engines, race, say
from benchmarks.peers import INTERPRETED, PEERS, Kernel, Run, build, installed, timed
from benchmarks.variants import UncheckedEngine

__all__ = ["CANONICAL", "KERNEL_SIZES", "UNCHECKED", "KernelRow", "measure_kernels"]

UNCHECKED = "unchecked interpreter"
CANONICAL = "jit with canonical NaNs"
KERNEL_SIZES = {
    "binary_trees": 500,
    "crc32": 200,
    "fannkuch": 9,
    "fib": 35,
    "hash_map": 3_000_000,
    "heap_sort": 500_000,
    "indirect_calls": 3_000_000,
    "levenshtein": 4_096,
    "mandelbrot": 600,
    "matmul": 25,
    "nbody": 300_000,
    "quick_sort": 400_000,
    "saxpy": 8_000,
    "sha256": 80_000,
    "sieve": 40,
    "spectral_norm": 1_000,
    "string_scan": 75,
    "switch_interpreter": 500_000,
    "tak": 2_500,
}
"""Sizes for which compiled code takes 20 ms and more."""

_FLOATS = frozenset(("mandelbrot", "matmul", "nbody", "saxpy", "spectral_norm"))
_QUICK_SIZE = 3


@dataclass(frozen=True)
class KernelRow:
    """A kernel's races.  steady: CPU time.  first: wall time from a module's bytes until a call of the least size has
    returned, "kept" where an earlier run left its compiled code on disk.  wasm_bytes: of the module.
    """

    size: int
    wasm_bytes: int
    steady: Row
    first: Row


def measure_kernels(names: list[str], rounds: int, *, quick: bool = False) -> Iterator[KernelRow]:
    """Race svm's engines against whichever peers are there; nothing, with a message, without `ziglang`."""
    if not names:
        return
    if not installed("ziglang"):
        say("C kernels are left out: `pip install ziglang` gives the C toolchain that builds them")
        return
    for name, peer in PEERS.items():
        if peer.missing:
            say(f"{name} is left out: {peer.missing}")
    unchecked = _unchecked()
    for name in names:
        kernel = build(name)
        size = _QUICK_SIZE if quick else KERNEL_SIZES[name]
        with ExitStack() as stack:
            runs = _contenders(kernel, size, unchecked, stack)
            answers = {each: run(size).value for each, run in runs.items()}
            if len(set(answers.values())) != 1:
                raise ValueError(f"{name}.c: not the same results: {answers}")
            steady = race(f"{name}.c", {each: _seconds(run, size) for each, run in runs.items()}, rounds)
        yield KernelRow(size, len(kernel.wasm), steady, _race_first_calls(kernel, rounds))


@cache
def _unchecked() -> UncheckedEngine:
    say("building the interpreter without its checks, some seconds")
    return UncheckedEngine()


def _contenders(kernel: Kernel, size: int, unchecked: UncheckedEngine, stack: ExitStack) -> dict[str, Run]:
    module = svm.load(kernel.wasm)

    def guest(engine: str, **options: bool) -> svm.Guest:
        return stack.enter_context(module.spawn(engine=engine, **options))

    def run(guest: svm.Guest) -> Run:
        return timed(lambda n: guest.call("run", n))

    runs = {engine: run(guest(engine)) for engine in own_engines()}
    for name, peer in PEERS.items():
        made = None if peer.missing else peer.make(kernel, stack)
        if made is not None:
            runs[name] = made
    reckless = guest("interpreter")
    reckless.engine = unchecked
    runs[UNCHECKED] = run(reckless)
    if kernel.name in _FLOATS:
        runs[CANONICAL] = run(guest("jit", canonical_nans=True))
    return runs


def _seconds(run: Run, size: int) -> Contender:
    return lambda: run(size).seconds


def _race_first_calls(kernel: Kernel, rounds: int) -> Row:
    def own(engine: str) -> None:
        with svm.load(kernel.wasm).spawn(engine=engine) as guest:
            guest.call("run", 1)

    def peer(name: str) -> None:
        with ExitStack() as stack:
            run = PEERS[name].make(kernel, stack)
            assert run is not None
            run(1)

    contenders: dict[str, Contender] = {}
    for engine in own_engines():
        contenders[engine] = _cold(lambda engine=engine: own(engine))
    contenders["jit, kept"] = _wall(lambda: own("jit"))
    for name in ("wasmtime", INTERPRETED):
        if not PEERS[name].missing:
            contenders[name] = _wall(lambda name=name: peer(name))
    return race(f"{kernel.name}.c, first call", contenders, rounds)


def _wall(work: Callable[[], None]) -> Contender:
    def run() -> float:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    return run


def _cold(work: Callable[[], None]) -> Contender:
    """Its time when nothing of earlier runs is on disk but the interpreter."""
    inner = _wall(work)

    def run() -> float:
        with fresh_cache():
            return inner()

    return run
