"""The heap: what it gives is zeroed, aligned and nobody else's; what it holds can be walked over."""

from __future__ import annotations

import itertools
import random
import types
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.stdlib.shim import MEMORY, Memory, load_anew, u32

PAGE = 4096
SIZES = (0, 1, 8, 16, 17, 24, 100, 1000, 1008, 1009, 4080, 4081, 20000)
KINDS = {0: "free", 1: "large", 2: "pinned"}


@pytest.fixture
def heap() -> Iterator[types.ModuleType]:
    """A heap of its own, at the end of a memory without one."""
    del MEMORY.bytes[Memory.HEAP :]
    yield load_anew("krait.heap")
    del MEMORY.bytes[Memory.HEAP :]
    MEMORY.limit = 1 << 16


def word(address: int) -> int:
    return int.from_bytes(MEMORY.bytes[address : address + 4], "little")


def runs(heap: types.ModuleType) -> Iterator[tuple[int, int, str]]:
    """Every run of the heap: its address, pages and kind."""
    run = int(heap._first_page)
    while run < heap._frontier:
        pages, kind = word(run), word(run + 4)
        assert pages > 0
        assert kind in KINDS or (kind % 16 == 0 and pages == 1)
        yield run, pages, KINDS.get(kind, "small")
        run += pages * PAGE
    assert run == heap._frontier


def check_free_runs(heap: types.ModuleType) -> None:
    """The list of free runs holds all of them, in order, no two next to one another."""
    listed = []
    run = int(heap._free_runs)
    while run:
        listed.append(run)
        run = word(run + 8)
    everything = list(runs(heap))
    assert listed == [run for run, _, kind in everything if kind == "free"]
    for (_, _, kind), (_, _, following) in itertools.pairwise(everything):
        assert not kind == following == "free"


def test_blocks_are_zeroed_aligned_and_apart(heap: types.ModuleType) -> None:
    source = random.Random(140)
    live: dict[int, tuple[int, bytes, str]] = {}
    for round_number in range(1500):
        if live and source.random() < 0.45:
            address = source.choice(list(live))
            size, content, end = live.pop(address)
            assert MEMORY.bytes[address : address + size] == content, "someone wrote into this block"
            getattr(heap, end)(u32(address), u32(size))
        else:
            size = source.choice([*SIZES, source.randrange(70000)])
            borrowed = source.random() < 0.2
            address = int(heap.borrow(u32(size)) if borrowed else heap.allocate(u32(size)))
            assert address > 0
            assert address % 8 == 0
            assert address + size <= len(MEMORY.bytes)
            assert borrowed or not any(MEMORY.bytes[address : address + size]), "not zeroed"
            content = source.randbytes(size)
            MEMORY.bytes[address : address + size] = content
            if size:
                live[address] = (size, content, "give_back" if borrowed else "release")
        if round_number % 100 == 0:
            check_free_runs(heap)
    for address, (size, content, end) in live.items():
        assert MEMORY.bytes[address : address + size] == content
        getattr(heap, end)(u32(address), u32(size))
    check_free_runs(heap)


def test_neighbours_merge_and_are_used_again(heap: types.ModuleType) -> None:
    blocks = [heap.allocate(u32(10000)) for _ in range(4)]
    frontier = heap._frontier
    for block in (blocks[0], blocks[2], blocks[1], blocks[3]):
        heap.release(block, u32(10000))
        check_free_runs(heap)
    assert heap.allocate(u32(30000)) == blocks[0]
    assert heap._frontier == frontier


def test_small_reserves_share_a_page(heap: types.ModuleType) -> None:
    first, second = heap.reserve(u32(10)), heap.reserve(u32(16))
    assert second == first + 16
    assert [kind for _, _, kind in runs(heap)].count("pinned") == 1


def test_memory_grows_until_that_is_refused(heap: types.ModuleType) -> None:
    heap.allocate(u32(8))
    assert len(MEMORY.bytes) == Memory.HEAP * 3 // 2, "half as much again"
    MEMORY.limit = len(MEMORY.bytes) // 65536 + 3
    blocks = 0
    with suppress(MemoryError):
        while blocks < 100:
            heap.allocate(u32(100000))
            blocks += 1
    left = MEMORY.limit * 65536 - int(heap._frontier)
    assert left < 25 * PAGE, "what is needed, where half as much again is too much"
    assert blocks == (int(heap._frontier) - Memory.HEAP) // (25 * PAGE)
    heap.allocate(u32(8))
    check_free_runs(heap)


@pytest.mark.parametrize("size", [2**32 - 1, 2**31, 0x7FFF0001])
def test_what_is_too_large_is_refused(heap: types.ModuleType, size: int) -> None:
    with pytest.raises(MemoryError):
        heap.allocate(u32(size))
    assert heap.allocate(u32(24)) != 0
