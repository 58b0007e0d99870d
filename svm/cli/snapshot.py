"""`svm snapshot`: what is in a store of checkpoints, and what has changed between two snapshots."""

from __future__ import annotations

import json
import time
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click

from svm.cli.failures import about
from svm.cli.terminal import clean
from svm.errors import LinkError, UsageError

if TYPE_CHECKING:
    from svm.devices import Storage
    from svm.snapshot import Snapshot
    from svm.snapshot.checkpoints import Checkpoint

__all__ = ["command"]


@click.group("snapshot", short_help="List, show, compare and remove checkpoints and snapshots.")
def command() -> None:
    """List, show, compare and remove checkpoints and snapshots.

    A PLACE is a snapshot's file, or STORE, STORE:NAME or STORE:NAME:NUMBER; without a number it is the last one.
    """


@command.command("list", short_help="List the checkpoints of a store.")
@click.argument("store", metavar="STORE[:NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def _list(store: str, as_json: bool) -> None:
    """List the checkpoints of a store, oldest first."""
    from svm.cli.resumable import split_place
    from svm.snapshot.checkpoints import CheckpointStore

    file, name, _ = split_place(store)
    with about(store), CheckpointStore(file, create=False) as opened:
        found = opened.checkpoints(name)
    if as_json:
        click.echo(json.dumps([_facts(item) for item in found], indent=2))
        return
    for item in found:
        made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(item.created))
        state = "paused" if item.paused else "idle"
        size = f"{item.memory >> 10:,} KiB, {item.pages:,} pages"
        click.echo(clean(f"{item.name}:{item.number}  {made}  {state}, {item.fuel:,} fuel, {size}"))


def _facts(item: Checkpoint) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__match_args__}


@command.command("show", short_help="Say what is in a snapshot.")
@click.argument("place", metavar="PLACE")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def _show(place: str, as_json: bool) -> None:
    """Say what is in a snapshot: the program, its settings, what it used, and where it stands."""
    with about(place):
        snapshot = _read(place)
        facts = _described(snapshot)
        frames = "" if snapshot.state.standing is None else _frames(snapshot)
    if as_json:
        click.echo(json.dumps(facts | {"traceback": frames}, indent=2))
        return
    for name, value in facts.items():
        click.echo(clean(f"{name}: {value if isinstance(value, str) else json.dumps(value)}"))
    if frames:
        click.echo(clean(f"stands at (most recent call last):\n{frames}"))


def _frames(snapshot: Snapshot) -> str:
    """The guest's traceback; none where the program needs what only its own host has."""
    try:
        with snapshot.restore(engine="reference") as guest:
            return "" if guest.task is None else str(guest.task.traceback())
    except LinkError:
        return ""


def _read(place: str) -> Snapshot:
    from svm.cli.resumable import read_snapshot

    snapshot, store, _, _ = read_snapshot(place)
    if store is not None:
        store.close()
    return snapshot


def _described(snapshot: Snapshot) -> dict[str, Any]:
    state = snapshot.state
    storages = _storages(snapshot)
    return {
        "name": snapshot.name or "",
        "identity": snapshot.identity,
        "parent": snapshot.parent_identity or "",
        "state": "idle" if state.standing is None else f"paused: {state.standing.reason}",
        "modules": [item.module.names.module or "?" for item in state.shape.modules],
        "fuel_used": snapshot.fuel_used,
        "memory": snapshot.memory_bytes,
        "pages": sum(1 for memory in state.memories for _ in memory.loaded()),
        "files": sum(map(len, storages)),
        "storage": sum(storage.used for storage in storages),
        "metadata": snapshot.metadata,
    }


def _storages(snapshot: Snapshot) -> list[Storage]:
    """The files of each guest that has some.  Raises SnapshotError."""
    states = [state for items in snapshot.state.devices for kind, state in items if kind == "storage"]
    if not states:
        return []
    from svm.devices import Storage

    found = [Storage() for _ in states]
    for storage, state in zip(found, states, strict=True):
        storage.restore(state, replica=True)
    return found


@command.command("diff", short_help="Say what has changed between two snapshots.")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def _diff(old: str, new: str, as_json: bool) -> None:
    """Say what has changed from one snapshot of a program to another."""
    with about(old):
        before = _read(old)
    with about(new):
        after = _read(new)
    if not before.state.shape.fits(after.state.shape):
        raise UsageError(f"{old} and {new} are of different programs")
    facts = _changes(before, after)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        click.echo(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}")


def _changes(before: Snapshot, after: Snapshot) -> dict[str, Any]:
    old, new = before.state, after.state
    pages = 0
    for mine, theirs in zip(old.memories, new.memories, strict=True):
        first, second = dict(mine.loaded()), dict(theirs.loaded())
        pages += sum(first.get(number) != second.get(number) for number in first.keys() | second.keys())
    files = 0
    nothing: dict[str, bytes] = {}
    for earlier, later in zip_longest(_storages(before), _storages(after), fillvalue=nothing):
        files += sum(earlier.get(path) != later.get(path) for path in earlier.keys() | later.keys())
    return {
        "fuel": after.fuel_used - before.fuel_used,
        "memory": after.memory_bytes - before.memory_bytes,
        "pages changed": pages,
        "files changed": files,
        "globals changed": sum(a != b for a, b in zip(_slots(old.globals), _slots(new.globals), strict=False)),
        "tables changed": sum(a != b for a, b in zip(old.tables, new.tables, strict=False)),
        "stack": "same" if old.record == new.record else "changed",
    }


def _slots(data: bytes) -> memoryview[int]:
    return memoryview(data).cast("Q")


@command.command("rm", short_help="Remove checkpoints.")
@click.argument("place", metavar="STORE:NAME[:NUMBER]")
def _remove(place: str) -> None:
    """Remove the checkpoints of a name, or one, and free what nobody else needs."""
    from svm.cli.resumable import split_place
    from svm.snapshot.checkpoints import CheckpointStore

    file, name, number = split_place(place)
    if name is None:
        raise UsageError("say which: STORE:NAME, or STORE:NAME:NUMBER")
    with about(place), CheckpointStore(file, create=False) as store:
        store.find(name, number)
        count = store.remove(name, number)
        freed = store.collect()
    what = "checkpoint" if count == 1 else "checkpoints"
    click.echo(clean(f"removed {count} {what} of {name}; {freed:,} bytes are free again"))
