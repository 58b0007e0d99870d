"""The C kernels give the same on every engine, and what is known of them from elsewhere."""

from __future__ import annotations

import pytest

import svm
from benchmarks.c_kernels import KERNEL_SIZES, build, measure_kernels
from benchmarks.peers import PEERS, installed

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
    with svm.load(build(name)).spawn(engine=engine) as guest:
        assert guest.call("run", size) & 0xFFFF_FFFF == answer


@pytest.mark.parametrize("name", SMALL)
def test_engines_agree_on_results_and_fuel(name: str) -> None:
    module = svm.load(build(name))
    found = []
    for engine in svm.ENGINES:
        with module.spawn(engine=engine) as guest:
            found.append((guest.call("run", SMALL[name]), guest.fuel_used))
    assert len(set(found)) == 1


@pytest.mark.parametrize("name", KERNEL_SIZES)
def test_peers_agree(name: str) -> None:
    wasm = build(name)
    size = SMALL.get(name, 1)
    with svm.load(wasm).spawn(engine="interpreter") as guest:
        answer = guest.call("run", size) & 0xFFFF_FFFF
    peers = [make for package, make in PEERS.values() if installed(package)]
    if not peers:
        pytest.skip("no peer is installed")
    assert {make(wasm)(size) for make in peers} == {answer}


def test_a_race_has_the_unchecked_interpreter_and_the_peers() -> None:
    (row,) = measure_kernels(["tak"], 1, quick=True)
    others = [name for name, (package, _) in PEERS.items() if installed(package)]
    assert list(row.race.ratios) == [*others, "svm unchecked"]
