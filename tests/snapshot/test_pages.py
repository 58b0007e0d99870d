"""Memories of guests that share their pages: what each holds, when they grow and fork, and what is left open."""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest

from svm import Module, UsageError
from svm.module import from_text
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
