"""Memories of guests that share their pages: what each holds, when they grow and fork, and what is left open."""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest

from svm import Module, Snapshot, UsageError
from svm.module import from_text
from svm.runtime.mapping import has_images
from svm.snapshot import pages
from tests.conftest import Spawn
from tests.snapshot.counter import COUNTER, spawned


def test_large_memories_are_shared_until_they_are_written_to(spawn: Spawn) -> None:
    """On an image or not, a memory holds what it should: after snapshots, growth, rollbacks and clones of clones."""
    guest = spawn(COUNTER.replace("memory 1", "memory 16"), host={"tell": lambda value: None})
    expected: dict[Any, bytes] = {}
    guests, snapshots = [guest], []
    for step in range(60):
        one = guests[step * 7 % len(guests)]
        size = len(one.memory)
        for at in range(step, size, 65536 * (1 + step % 5)):
            one.call("poke", at, step % 250 + 1)
        if step % 4 == 0:
            snapshots.append((one.snapshot(), one.memory[:]))
        if step % 5 == 1:
            one.call("grow", 1 + step % 3)
            one.call("poke", len(one.memory) - 1, 77)
        if step % 6 == 2:
            guests.append(one.clone())
            assert guests[-1].memory[:] == one.memory[:]
        if step % 7 == 3:
            snapshot, held = snapshots[step % len(snapshots)]
            guests.append(snapshot.restore(engine=one.engine))
            assert guests[-1].memory[:] == held
        if step % 9 == 4:
            own = [each for each in snapshots if each[0].state.shape.fits(one.store.survey().shape)]
            snapshot, held = own[step % len(own)]
            one.rollback(snapshot)
            assert one.memory[:] == held
        expected[one] = one.memory[:]
        for each in guests:
            expected.setdefault(each, each.memory[:])
            assert each.memory[:] == expected[each]
    for snapshot, held in snapshots:
        assert snapshot.restore(engine="reference").memory[:] == held


def test_a_view_that_is_held_keeps_a_memory_from_changing_its_size(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    small = guest.snapshot()
    guest.call("grow", 1)
    guest.call("poke", 9, 9)
    view = memoryview(guest.memory)
    with pytest.raises(UsageError, match="a view of the guest's memory is held"):
        guest.rollback(small)
    assert guest.call("peek", 9) == 9
    large = guest.snapshot()
    guest.call("poke", 9, 10)
    guest.rollback(large)
    assert view[9] == 9
    view.release()
    guest.rollback(small)
    assert guest.call("peek", 9) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_with_live_guests(spawn: Spawn) -> None:
    guest = spawn(COUNTER.replace("memory 1", "memory 16"), host={"tell": lambda value: None})
    guest.call("poke", 70_000, 3)
    snapshot = guest.snapshot()
    task = guest.start("f", 50)
    task.run(fuel=100)
    child = os.fork()
    if not child:
        status = 1
        try:
            twin = guest.clone()
            guest.call("peek", 0) if guest.task is None else None
            restored = snapshot.restore()
            restored.call("poke", 70_000, 4)
            later = restored.snapshot()
            good = twin.task.run().value == 1275 and task.run().value == 1275
            good &= restored.call("peek", 70_000) == 4 and guest.call("peek", 70_000) == 3
            restored.rollback(snapshot)
            good &= restored.call("peek", 70_000) == 3 and later.restore().call("peek", 70_000) == 4
            status = 0 if good else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert task.run().value == 1275 and guest.call("peek", 70_000) == 3
    assert snapshot.restore().call("peek", 70_000) == 3


def test_nothing_is_left_open() -> None:
    """Files of images are closed with the last snapshot and guest that need them."""

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    module = Module(from_text(COUNTER.replace("memory 1", "memory 16")))
    host = {"tell": lambda value: None}
    module.spawn(engine="interpreter", host=host).clone().close()
    gc.collect()
    before = descriptors()
    guest = module.spawn(engine="interpreter", host=host)
    guest.call("poke", 100, 1)
    snapshots = [guest.snapshot()]
    clones = [snapshots[0].restore(engine=guest.engine) for _ in range(50)]
    assert descriptors() <= before + 1
    for clone in clones:
        clone.close()
    guest.close()
    del clone, clones, guest, snapshots
    gc.collect()
    assert descriptors() == before


@pytest.mark.skipif(not has_images(), reason="needs memories that are mapped")
def test_clones_take_memory_for_the_pages_that_they_write_to(spawn: Spawn) -> None:
    """Of a guest of 64 MiB, all of it in use, a hundred clones that write to ten pages each take a few MiB."""
    guest = spawn(COUNTER.replace("memory 1", "memory 1024"), host={"tell": lambda value: None})
    guest.memory[:] = b"\1" * len(guest.memory)
    snapshot = guest.snapshot()
    first = snapshot.restore(engine=guest.engine)
    first.call("poke", 0, 7)
    before = own_memory()
    clones = []
    for number in range(100):
        clone = snapshot.restore(engine=guest.engine)
        for page in range(10):
            clone.call("poke", (number * 50 + page) * 4096, 9)
        clones.append(clone)
    assert own_memory() - before < 100 * (10 * 4096 + 200_000)
    assert all(clone.call("peek", number * 50 * 4096) == 9 for number, clone in enumerate(clones))
    assert snapshot.restore(engine=guest.engine).memory[:] == b"\1" * len(guest.memory)
    for clone in clones:
        clone.close()


def own_memory() -> int:
    """Bytes of memory that only this process has."""
    with open("/proc/self/smaps_rollup") as file:
        fields = dict(line.split(":", 1) for line in file.readlines()[1:])
    return int(fields["Anonymous"].split()[0]) * 1024


def test_where_the_machine_has_no_images_memories_are_copied(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a process without free descriptors nor another system loses anything but speed."""
    for broken in ("none", "few"):
        if broken == "none":
            monkeypatch.setattr(pages, "has_images", lambda: False)
        else:
            monkeypatch.undo()
            monkeypatch.setattr(pages, "Image", refuse)
        guest = spawn(COUNTER.replace("memory 1", "memory 16"), host={"tell": lambda value: None})
        for at in (0, 4096, 70_000, (1 << 20) - 1):
            guest.call("poke", at, 5)
        snapshot = guest.snapshot()
        assert guest.instance.memories[0].image is None
        held = guest.memory[:]
        guest.call("poke", 4096, 6)
        guest.call("poke", 500_000, 6)
        guest.call("grow", 2)
        twins = [snapshot.restore(), Snapshot.load(snapshot.to_bytes()).restore(host={"tell": print})]
        assert [twin.memory[:] for twin in twins] == [held, held]
        guest.rollback(snapshot)
        assert guest.memory[:] == held and guest.clone().memory[:] == held


def test_where_no_more_can_be_mapped_memories_are_copied(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = spawn(COUNTER.replace("memory 1", "memory 16"), host={"tell": lambda value: None})
    guest.call("poke", 70_000, 5)
    held = guest.memory[:]
    first = guest.snapshot()
    monkeypatch.setattr(pages, "lay", refuse)
    twin = first.restore()
    assert twin.memory[:] == held
    twin.call("poke", 70_001, 6)
    second = twin.snapshot()
    assert twin.memory[:] != held and second.restore().memory[:] == twin.memory[:]
    twin.rollback(first)
    assert twin.memory[:] == held


def refuse(*_: object) -> None:
    raise OSError(24, "too many open files")
