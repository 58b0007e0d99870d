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
    before = bytes(MEMORY.bytes[: Memory.STACK])
    MEMORY.bytes[:] = before + bytes(Memory.HEAP - Memory.STACK)
    yield load_anew("krait.heap")
    MEMORY.bytes[:] = before + bytes(Memory.HEAP - Memory.STACK)
    MEMORY.limit = 1 << 16
    MEMORY.stack_end = Memory.STACK


def store(address: int, *words: int) -> None:
    for at, value in enumerate(words):
        MEMORY.bytes[address + 4 * at : address + 4 * at + 4] = value.to_bytes(4, "little")


def word(address: int) -> int:
    return int.from_bytes(MEMORY.bytes[address : address + 4], "little")


def runs(heap: types.ModuleType) -> Iterator[tuple[int, int, str]]:
    """Every run of the heap: its address, pages and kind."""
    run = int(heap._first_page)
    while run < heap._frontier:
        pages, kind = word(run), word(run + 4)
        assert pages > 0
        assert kind in KINDS or (kind % 8 == 0 and pages == 1)
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
    for round_number in range(800):
        if live and source.random() < 0.45:
            address = source.choice(list(live))
            size, content, end = live.pop(address)
            assert MEMORY.bytes[address : address + size] == content, "someone wrote into this block"
            give_back(heap, address, size, end)
        else:
            size = source.choice([*SIZES, source.randrange(70000)])
            borrowed = source.random() < 0.2
            address = int(heap.borrow(u32(size)) if borrowed else heap.allocate_items(u32(1), u32(1), u32(size)))
            assert address > 0
            assert address % 8 == 0
            assert address + size <= len(MEMORY.bytes)
            assert borrowed or not any(MEMORY.bytes[address : address + size]), "not zeroed"
            content = source.randbytes(size)
            MEMORY.bytes[address : address + size] = content
            if size:
                live[address] = (size, content, "give_back" if borrowed else "release_items")
        if round_number % 100 == 0:
            check_free_runs(heap)
    for address, (size, content, end) in live.items():
        assert MEMORY.bytes[address : address + size] == content
        give_back(heap, address, size, end)
    check_free_runs(heap)


def give_back(heap: types.ModuleType, address: int, size: int, end: str) -> None:
    getattr(heap, end)(u32(address), u32(size))


def test_neighbours_merge_and_are_used_again(heap: types.ModuleType) -> None:
    blocks = [heap.allocate_items(u32(1), u32(1), u32(10000)) for _ in range(4)]
    frontier = heap._frontier
    for block in (blocks[0], blocks[2], blocks[1], blocks[3]):
        heap.release_items(block, u32(10000))
        check_free_runs(heap)
    assert heap.allocate_items(u32(1), u32(1), u32(30000)) == blocks[0]
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
            store(MEMORY.stack_end, int(heap.allocate(u32(100000))))
            MEMORY.stack_end += 4
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


LEAF, NODE, REFERENCES = 1, 2, 3
"""Type ids: bytes; two references and owned items; items of a number and a reference each."""


def describe_types() -> None:
    """Lay the reference maps of the three types, as `krait.emit.statics` does."""
    maps = Memory.TYPES + 0x400
    store(maps, 0, 8, 12, 0, 16, 0)
    store(maps + 64, 8, 12, 0, 0)
    store(Memory.TYPES + 16 * NODE + 12, maps)
    store(Memory.TYPES + 16 * REFERENCES + 12, maps + 64)


@pytest.mark.parametrize("stress", [False, True])
def test_what_is_reachable_stays_and_the_rest_is_used_again(heap: types.ModuleType, stress: bool) -> None:
    describe_types()
    heap.refill(u32(16))
    heap._stress = stress
    source = random.Random(606)
    graph: dict[int, tuple[int, int, int, bytes]] = {}  # a node's two references, its items' address, what is in those
    roots: list[int] = []

    def keep(*addresses: int) -> None:
        MEMORY.stack_end = Memory.STACK + 4 * len(addresses)
        store(Memory.STACK, *addresses)

    for _ in range(150):
        roots = source.sample(roots, min(len(roots), 12))
        keep(*roots)
        count = source.choice([1, 3, 40, 700])
        items = int(heap.allocate_items(u32(LEAF), u32(1), u32(count)))
        content = source.randbytes(count)
        MEMORY.bytes[items : items + count] = content
        keep(*roots, items - 8)
        node = int(heap.allocate(u32(20)))
        left, right = (source.choice([0, *roots]) for _ in range(2))
        store(node, NODE, 0, left, right, items)
        graph[node] = left, right, items, content
        roots.append(node)
        keep(*roots)
        if source.random() < 0.05:
            heap.collect()
        reached, pending = set(), list(roots)
        while pending:
            if (found := pending.pop()) and found not in reached:
                reached.add(found)
                pending += graph[found][:2]
        for found in reached:
            left, right, items, content = graph[found]
            assert [word(found + at) for at in (0, 8, 12, 16)] == [NODE, left, right, items]
            assert MEMORY.bytes[items : items + len(content)] == content
    heap.collect()
    assert heap._live < 200_000, "the rest is gone"
    check_free_runs(heap)


def test_a_deep_list_is_marked_without_a_stack(heap: types.ModuleType) -> None:
    describe_types()
    last = 0
    heap._enabled = False
    for _ in range(3000):
        node = int(heap.allocate(u32(20)))
        store(node, NODE, 0, last)
        last = node
    store(Memory.STACK, last)
    MEMORY.stack_end = Memory.STACK + 4
    heap.collect()
    assert heap._live == 3000 * 24
    MEMORY.stack_end = Memory.STACK
    heap.collect()
    assert heap._live == 0


def test_references_in_items_are_marked_to_the_last(heap: types.ModuleType) -> None:
    describe_types()
    for count in (1, 100, 2000):
        items = int(heap.allocate_items(u32(REFERENCES), u32(8), u32(count)))
        store(Memory.STACK, items - 8)
        MEMORY.stack_end = Memory.STACK + 4
        for at in (0, count - 1):
            leaf = int(heap.allocate_items(u32(LEAF), u32(1), u32(8)))
            store(items + 8 * at, 0x12345678, leaf - 8)
        heap.collect()
        items_size = int(heap._rounded(u32(8 + 8 * count))) if count < 2000 else 4 * PAGE
        assert heap._live == 16 * min(count, 2) + items_size, count
        MEMORY.stack_end = Memory.STACK
        heap.collect()
