"""The C kernels give the same on every engine, and what is known of them from elsewhere."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

import svm
from benchmarks import peers
from benchmarks.c_kernels import KERNEL_SIZES, measure_kernels
from benchmarks.measure import own_engines
from benchmarks.peers import PEERS, Peer, build, installed
from benchmarks.workers import Answer

pytestmark = pytest.mark.skipif(not installed("ziglang"), reason="no ziglang, which has the C toolchain for kernels")

KNOWN = {
    "fannkuch": (7, 22816),  # checksum 228 and 16 flips, as published for the benchmark
    "fib": (14, 377),
    "sha256": (1, 0xBA7816BF),  # of "abc", from FIPS 180-4
}
SMALL = {
    **{name: size for name, (size, _) in KNOWN.items()},
    "heap_sort": 40, "indirect_calls": 99, "levenshtein": 20, "mandelbrot": 9, "nbody": 9, "quick_sort": 40,
    "spectral_norm": 9, "switch_interpreter": 9, "tak": 1,
}


@pytest.mark.parametrize("name", KNOWN)
def test_kernels_give_what_is_known_of_them(name: str, engine: str) -> None:
    size, answer = KNOWN[name]
    with svm.load(build(name).wasm).spawn(engine=engine) as guest:
        assert guest.call("run", size) & 0xFFFF_FFFF == answer


@pytest.mark.parametrize("name", SMALL)
def test_engines_agree_on_results_and_fuel(name: str) -> None:
    module = svm.load(build(name).wasm)
    found = []
    for engine in svm.ENGINES:
        with module.spawn(engine=engine) as guest:
            found.append((guest.call("run", SMALL[name]), guest.fuel_used))
    assert len(set(found)) == 1


@pytest.mark.parametrize("name", KERNEL_SIZES)
def test_peers_agree(name: str) -> None:
    kernel = build(name)
    size = SMALL.get(name, 1)
    with svm.load(kernel.wasm).spawn(engine="interpreter") as guest:
        answer = str(guest.call("run", size) & 0xFFFF_FFFF)
    with ExitStack() as stack:
        runs = {each: peer.make(kernel, stack) for each, peer in PEERS.items() if not peer.missing}
        found = {each: run(size).value for each, run in runs.items() if run is not None}
    assert found == dict.fromkeys(found, answer)


def test_a_race_has_all_that_is_there() -> None:
    (row,) = measure_kernels(["fib"], 1, quick=True)
    others = [name for name, peer in PEERS.items() if not peer.missing]
    assert list(row.steady.taken) == [*own_engines(), *others, "unchecked interpreter"]
    assert {"jit", "jit, kept", "interpreter"} <= row.first.taken.keys()


def test_the_cost_of_canonical_nans_is_measured_on_floats() -> None:
    (row,) = measure_kernels(["nbody"], 1, quick=True)
    assert "jit with canonical NaNs" in row.steady.taken


def test_results_that_differ_stop_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.PEERS, "wrong", Peer("", lambda kernel, stack: lambda size: Answer(1.0, "0")))
    with pytest.raises(ValueError, match=r"tak\.c: not the same results: .*'wrong': '0'"):
        list(measure_kernels(["tak"], 1, quick=True))
