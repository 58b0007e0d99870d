"""Runs a program so that it can go on after it was stopped: by a limit, by Ctrl-C, by a crash, on another machine.

In: a guest whose call is to run, and a plan of what is kept of it. Out: the program's exit status. Invariant: output is
given to whoever reads it only after the checkpoint that follows it is on disk, so that a run that goes on from there
repeats none of it; what was not given yet is kept with the checkpoint.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from svm.cli.terminal import clean, complain
from svm.errors import ExitError, LimitError, UsageError
from svm.record import record

if TYPE_CHECKING:
    from svm.runtime import Outcome, Task
    from svm.snapshot import Guest, Snapshot
    from svm.snapshot.checkpoints import CheckpointStore

__all__ = ["SETTINGS", "Held", "Plan", "drive", "plan_of", "read_snapshot", "split_place"]

SETTINGS = "svm run"
"""The name in a snapshot's metadata of what the command line said."""

_GENERATIONS = 3
"""Checkpoints of a name that are kept; older ones are removed."""


@record
class Plan:
    """What is kept, and when.  store, name: where checkpoints go, None for nowhere.  every: seconds from one to the
    next.  on_exit: a file for a snapshot of a program that was stopped before its end.  timeout: seconds that the
    program may run.  settings: what is needed to run it again.  ended: what is done when it has ended, before its
    checkpoints are removed.  back: the folder that this writes its files to.
    """

    store: CheckpointStore | None
    name: str
    every: float
    on_exit: str | None
    timeout: float | None
    settings: dict[str, Any]
    ended: Callable[[], None]
    back: str | None


class Held(io.BytesIO):
    """A byte stream that holds what is written until it is released."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream

    def release(self) -> None:
        """Give out what is held."""
        data = self.getvalue()
        self.seek(0)
        self.truncate()
        self._stream.write(data)
        self._stream.flush()


def split_place(place: str) -> tuple[str, str | None, int | None]:
    """File, name and number in FILE[:NAME[:NUMBER]]; a file that is there by all of it comes first."""
    if os.path.exists(place):
        return place, None, None
    parts = place.split(":")
    if len(parts) > 2 and parts[-1].isdigit() and parts[-2]:
        return ":".join(parts[:-2]), parts[-2], int(parts[-1])
    if len(parts) > 1 and parts[-1]:
        return ":".join(parts[:-1]), parts[-1], None
    return place, None, None


def read_snapshot(place: str) -> tuple[Snapshot, CheckpointStore | None, str, int]:
    """The snapshot at FILE.svms or STORE[:NAME[:NUMBER]], and where it is in its store.  Raises SnapshotError, OSError,
    UsageError.
    """
    from svm.snapshot import Snapshot
    from svm.snapshot.checkpoints import CheckpointStore
    from svm.snapshot.file import MAGIC

    file, name, number = split_place(place)
    with open(file, "rb") as stream:
        head = stream.read(len(MAGIC))
    if head == MAGIC:
        if name is not None:
            raise UsageError(f"{file} is one snapshot, and has none of the name {name!r}")
        return Snapshot.load(file), None, "", 0
    store = CheckpointStore(file, create=False)
    try:
        found = store.find(name, number)
        return store.load(found.name, found.number), store, found.name, found.number
    except BaseException:
        store.close()
        raise


@contextmanager
def plan_of(
    checkpoint: str | None, default: str, every: float, on_exit: str | None, timeout: float | None,
    settings: dict[str, Any], ended: Callable[[], None], back: str | None,
) -> Iterator[Plan]:  # fmt: skip
    """The plan that options make, its store open within.  default: the name of checkpoints where none is given."""
    if checkpoint is None:
        yield Plan(None, default, every, on_exit, timeout, settings, ended, back)
        return
    from svm.snapshot.checkpoints import CheckpointStore

    file, name, number = split_place(checkpoint)
    if number is not None:
        raise UsageError("checkpoints get their numbers from the store: STORE or STORE:NAME is expected")
    with CheckpointStore(file) as store:
        yield Plan(store, name or default, every, on_exit, timeout, settings, ended, back)


def drive(guest: Guest, task: Task, plan: Plan, out: Held) -> int:
    """Run a program to its end, with a checkpoint now and then; its exit status.

    Raises what ends it before, after it was kept once more where it can go on.
    """
    deadline = None if plan.timeout is None else time.monotonic() + plan.timeout
    try:
        outcome = _run(guest, task, plan, out, deadline)
    except KeyboardInterrupt:
        if not task.done:
            _stopped(guest, plan, out)
        raise
    except BaseException:
        out.release()
        raise
    if not task.done:
        _stopped(guest, plan, out)
        if deadline is not None and getattr(outcome, "reason", "") == "seconds":
            assert plan.timeout is not None
            used, frames = outcome.fuel_used, task.traceback()
            raise LimitError(f"out of time: the limit is {plan.timeout:g} s", "seconds", plan.timeout, frames, used)
    out.release()
    try:
        task.finish(outcome)
        status = 0
    except ExitError as end:
        status = end.code & 0xFF
    plan.ended()
    if plan.store is not None:  # it has ended: there is nothing to go on with
        plan.store.remove(plan.name)
    return status


def _run(guest: Guest, task: Task, plan: Plan, out: Held, deadline: float | None) -> Outcome:
    """Run until the call ends, or stops for more than a checkpoint."""
    while True:
        now = time.monotonic()
        left = None if deadline is None else max(deadline - now, 0.001)
        wait = plan.every if plan.store is not None else None
        seconds = min((item for item in (left, wait) if item is not None), default=None)
        outcome = task.run(seconds=seconds)
        late = deadline is not None and time.monotonic() >= deadline
        if getattr(outcome, "reason", "") != "seconds" or late:
            return outcome
        _keep(guest, plan, out)


def _keep(guest: Guest, plan: Plan, out: Held) -> None:
    """Make a checkpoint, and give out what was written before it."""
    assert plan.store is not None
    snapshot = guest.snapshot(plan.name, metadata={SETTINGS: plan.settings})
    made = plan.store.save(snapshot, plan.name, keep=_GENERATIONS, output=out.getvalue())
    if out.getvalue():
        out.release()
        plan.store.given(made.number)


def _stopped(guest: Guest, plan: Plan, out: Held) -> None:
    """Keep a program that was stopped, and say how it can go on."""
    places = []
    if plan.store is not None:
        _keep(guest, plan, out)
        places.append(f"{plan.store.path}:{plan.name}")
    out.release()
    if plan.on_exit is not None:
        guest.snapshot(plan.name, metadata={SETTINGS: plan.settings}).save(plan.on_exit)
        places.append(plan.on_exit)
    options = "" if plan.back is None else f"--write-back {plan.back} "
    for place in places:
        complain(clean(f"kept; `svm resume {options}{place}` goes on from here"))


def standard_output() -> Any:
    """The process's, in bytes."""
    return sys.stdout.buffer
