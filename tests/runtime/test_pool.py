"""Mappings that are used again hold nothing of the guest that had them before."""

from __future__ import annotations

import mmap
import sys

import pytest

from svm import Guest, Module, Snapshot, UsageError
from svm.module import from_text
from svm.runtime import MemoryInstance
from svm.runtime.mapping import address_of, new_mapping
from svm.runtime.pool import Pool
from tests.runtime.functions import GROW

TEXT = f"""
    memory 2 8
    func $fill (param $byte i32)
      i32.const 0
      local.get $byte
      memory.size
      i32.const 16
      i32.shl
      memory.fill
    end
{GROW}
    func $deep (param i32) (result i32)
      local.get 0
      i32.eqz
      if
        i32.const 0
        return
      end
      local.get 0
      i32.const 1
      i32.sub
      call $deep
    end
    export "fill" func $fill
    export "grow" func $grow
    export "deep" func $deep
    export "memory" memory 0
"""
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="mappings are used again on Linux only")


def dirty(guest: Guest) -> None:
    guest.call("fill", 0xAA)
    guest.call("deep", 3000)


def clean(guest: Guest) -> bool:
    return guest.instance.mapping[:] == bytes(guest.instance.first_memory.size)


@pytest.fixture
def module() -> Module:
    return Module(from_text(TEXT))


def test_the_next_guest_finds_zeros(engine: str, module: Module) -> None:
    met = set()
    for _ in range(5):
        with module.spawn(engine=engine) as guest:
            assert clean(guest)
            stack = guest.store.stack
            if guest.engine.name != "reference":
                assert stack.mapping[:] == bytes(len(stack.mapping))
            met.add(guest.instance.first_memory.address)
            dirty(guest)
    assert sys.platform != "linux" or len(met) < 5


def test_memory_that_grew(engine: str, module: Module) -> None:
    for size in (3, 4, 3):
        with module.spawn(engine=engine) as guest:
            for _ in range(size - 2):
                assert guest.call("grow") >= 2
            assert clean(guest)
            dirty(guest)


def test_what_the_host_may_keep_is_nobody_elses(engine: str, module: Module) -> None:
    kept = []
    for number in range(1, 4):
        guest = module.spawn(engine=engine)
        assert clean(guest)
        guest.call("fill", number)
        kept.append((number, guest.memory if number % 2 else guest.exports["memory"].data))
        guest.close()
    for number, memory in kept:
        assert memory[:] == bytes((number,)) * len(memory)


def test_a_memory_that_was_given_up_says_so(engine: str, module: Module) -> None:
    guest = module.spawn(engine=engine)
    memory = guest.exports["memory"]
    assert isinstance(memory, MemoryInstance)
    guest.close()
    with pytest.raises(UsageError, match="closed"):
        _ = memory.data


def test_memory_that_lies_on_an_image(engine: str) -> None:
    module = Module(from_text(TEXT.replace("memory 2 8", "memory 16 16")))
    with module.spawn(engine=engine) as guest:
        dirty(guest)
        snapshot: Snapshot = guest.snapshot()
    for _ in range(2):
        with snapshot.restore(engine=guest.engine) as twin:
            assert twin.instance.mapping[:] == b"\xaa" * (16 << 16)
        with module.spawn(engine=engine) as other:
            assert clean(other)


@LINUX
def test_a_pool_keeps_only_so_many() -> None:
    def make(size: int) -> tuple[mmap.mmap, int]:
        mapping = new_mapping(size)
        return mapping, address_of(mapping)

    pool = Pool(make)
    for size in range(1, 20):
        for whole in [pool.take(size << 12) for _ in range(100)]:
            whole[0][:] = b"\xff" * len(whole[0])
            pool.give(whole[0], whole)
    spare = [whole for each in pool._spare.values() for whole in each]
    assert 64 <= len(spare) <= 4 * 64
    assert not any(any(mapping[:]) for mapping, _ in spare)
    large = pool.take(4 << 20)
    pool.give(large[0], large)
    assert pool.take(4 << 20)[1] != large[1]
