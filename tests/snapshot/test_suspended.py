"""Snapshots of guests that wait for a host function: they go on where nothing of the waiting is left but the call."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from svm import ENGINES, Finished, Guest, Module, Paused, Snapshot, SnapshotError, Suspend, Suspended, UsageError
from svm.module import from_text
from tests.conftest import Spawn
from tests.runtime.test_suspend import LATER, PLAIN, RUNS, TEXT, make, plain_answer


@pytest.mark.parametrize(("name", "args"), RUNS)
def test_at_every_wait_a_file_goes_on_on_another_engine(engine: str, name: str, args: tuple[Any, ...]) -> None:
    """By calling the host function again, or with an answer."""
    module = Module(from_text(TEXT))
    guest = module.spawn(engine=engine, host=LATER)
    expected = module.spawn(engine="reference", host=PLAIN).start(name, *args).run()
    assert isinstance(expected, Finished)
    task = guest.start(name, *args)
    outcome = task.run()
    others = sorted(ENGINES)
    turn = 0
    while isinstance(outcome, Suspended):
        data = guest.snapshot().to_bytes()
        for answered in (False, True):
            twin = Snapshot.load(data).restore(engine=others[turn % len(others)], host=PLAIN)
            again = twin.task
            assert again is not None
            waiting = again.outcome
            assert isinstance(waiting, Suspended) and waiting.waits_for is None
            assert (waiting.function, waiting.arguments) == (outcome.function, outcome.arguments)
            assert str(waiting.traceback) == str(outcome.traceback)
            assert again.resume(plain_answer(outcome)) == expected if answered else again.run() == expected
            turn += 1
        outcome = task.resume(plain_answer(outcome))
    assert turn > 1


def test_clones_and_rollbacks_wait_for_themselves(spawn: Spawn) -> None:
    guest = make(spawn, **LATER)
    task = guest.start("many", 2)
    task.run()
    snapshot = guest.snapshot()
    twin = guest.clone()
    assert task.resume(1) != task.outcome or isinstance(task.outcome, Suspended)
    assert twin.task is not None
    outcome = twin.task.resume(10)
    assert isinstance(outcome, Suspended) and outcome.function == "note"
    guest.rollback(snapshot)
    with pytest.raises(UsageError, match="the call has ended"):
        task.resume(1)
    assert guest.task is not None
    outcome = guest.task.run()  # the host function is called again
    assert isinstance(outcome, Suspended) and outcome.function == "ask"
    assert isinstance(outcome.waits_for, Suspend)


def test_a_guest_is_snapshotted_while_its_call_is_awaited(spawn: Spawn) -> None:
    async def main() -> None:
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        guest = make(spawn, ask=lambda *args: answered)
        call = asyncio.create_task(guest.call_async("many", 1))
        await asyncio.sleep(0)
        twin = guest.clone()
        answered.set_result(5)
        assert await call == 1005
        assert twin.task is not None
        assert await twin.task.run_async() == Finished(1005, twin.fuel_used)

    asyncio.run(main())


def test_a_rollback_ends_what_is_awaited(spawn: Spawn) -> None:
    async def main() -> None:
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        guest = make(spawn, ask=lambda *args: answered)
        before = guest.snapshot()
        call = asyncio.create_task(guest.call_async("many", 1))
        await asyncio.sleep(0)
        guest.rollback(before)
        answered.set_result(5)
        with pytest.raises(UsageError, match=r"the call (has ended|was given up while it was awaited)"):
            await call
        assert guest.task is None
        assert await guest.call_async("deep", 3) == 3

    asyncio.run(main())


def waiting(engine: str) -> Guest:
    """A guest whose call waits."""
    guest = Module(from_text(TEXT)).spawn(engine=engine, host=LATER)
    guest.start("many", 2).run()
    return guest


@pytest.mark.parametrize("pending", [0, 2, 3, 4, 1000])
def test_a_file_that_waits_for_something_else_is_refused(pending: int) -> None:
    snapshot = waiting("reference").snapshot()
    state = snapshot.state
    assert state.record.pending == 1
    forged = dataclasses.replace(state, record=dataclasses.replace(state.record, pending=pending))
    with pytest.raises(SnapshotError, match="stack"):
        Snapshot.load(Snapshot(forged, 0).to_bytes())


def test_a_paused_call_cannot_be_made_to_wait() -> None:
    guest = Module(from_text(TEXT)).spawn(engine="reference", host=PLAIN)
    assert isinstance(guest.start("many", 3).run(fuel=25), Paused)
    state = guest.snapshot().state
    for pending in (1, 2):
        forged = dataclasses.replace(state, record=dataclasses.replace(state.record, pending=pending))
        with pytest.raises(SnapshotError):
            Snapshot.load(Snapshot(forged, 0).to_bytes())
    assert state.standing is not None
    forged = dataclasses.replace(state, standing=dataclasses.replace(state.standing, reason="suspended"))
    with pytest.raises(SnapshotError, match="waits for no host function"):
        Snapshot.load(Snapshot(forged, 0).to_bytes())
