"""`svm resume`: a program goes on from a checkpoint or a snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from svm.cli.failures import Failure, about
from svm.cli.options import EngineOption, size
from svm.cli.status import Status
from svm.errors import UsageError

if TYPE_CHECKING:
    from svm.devices import Storage
    from svm.snapshot import Snapshot

__all__ = ["command"]


@click.command("resume", short_help="Go on with a program from a checkpoint or a snapshot.")
@click.argument("place", metavar="PLACE")
@click.option("--engine", cls=EngineOption, default="auto", help="What runs it; auto is the best there is.")
@click.option("--fuel", type=click.IntRange(min=0), metavar="N", help="Units of fuel that it may use from here on.")
@click.option("--memory", metavar="SIZE", callback=size, help="Bytes of memory that it may have from here on.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="How long it may run.")
@click.option("--every", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", default=5.0,
              show_default=True, help="From one checkpoint to the next.")  # fmt: skip
@click.option("--write-back", metavar="DIR", help="Write what it changed of its files to DIR when it has ended.")
@click.option("--storage-limit", metavar="SIZE", callback=size, help="Bytes that its files may take from here on.")
@click.option("--snapshot-on-exit", "on_exit", metavar="FILE", help="Where to keep it if it is stopped again.")
def command(place: str, **options: Any) -> int:
    """Go on with the program at PLACE: STORE, STORE:NAME or STORE:NAME:NUMBER of `svm run --checkpoint`, or a snapshot
    in a file.

    It goes on as if it had not been stopped, with the arguments and variables that it had, on any machine and engine.
    From a store checkpoints go on too. It is granted the same as by `svm run`, and has the files that it had.
    """
    return resume(place, **options)


def resume(
    place: str, *, engine: str, fuel: int | None, memory: int | None, timeout: float | None, every: float,
    on_exit: str | None, write_back: str | None, storage_limit: int | None,
) -> int:  # fmt: skip
    """See the command; the program's exit status."""
    from svm.cli.resumable import SETTINGS, Held, Plan, drive, read_snapshot, standard_output
    from svm.devices import Clock, Console, Entropy
    from svm.limits import Limits

    with about(place), ExitStack() as ending:
        snapshot, store, name, number = read_snapshot(place)
        if store is not None:
            ending.enter_context(store)
        if not snapshot.paused:
            raise Failure(Status.BAD_MODULE, f"svm: {place}: no call is under way: there is nothing to go on with")
        said = snapshot.metadata.get(SETTINGS)
        settings = said if isinstance(said, dict) else {}
        out = Held(standard_output())
        console = Console(stdout=out, args=_words(settings.get("args")), environ=_variables(settings.get("env")))
        old = snapshot.state.limits
        limits = Limits(
            memory=old.memory if memory is None else memory, table_elements=old.table_elements,
            fuel=old.fuel if fuel is None else snapshot.fuel_used + fuel, stack=old.stack, values=old.values,
            output=old.output, storage=old.storage if storage_limit is None else storage_limit,
        )  # fmt: skip
        files = _storage(snapshot)
        devices = (console, Clock(), Entropy(), *files)
        ended = _ending(files, settings.get("given"), write_back)
        guest = ending.enter_context(snapshot.restore(engine=engine, limits=limits, devices=devices))
        task = guest.task
        assert task is not None
        if store is not None and (data := store.pending(number)):
            out.write(data)
            out.release()
            store.given(number)
        return drive(guest, task, Plan(store, name, every, on_exit, timeout, settings, ended, write_back), out)


def _storage(snapshot: Snapshot) -> tuple[Storage, ...]:
    """A storage for the files of a snapshot, if it has any."""
    if not any(kind == "storage" for items in snapshot.state.devices for kind, _ in items):
        return ()
    from svm.devices import Storage

    return (Storage(realtime=time.time_ns),)


def _ending(files: tuple[Storage, ...], said: Any, folder: str | None) -> Callable[[], None]:
    """What is done with files when the program has ended.  Raises UsageError where it has none, Failure for no folder.
    """
    if folder is None:
        return lambda: None
    if not files:
        raise UsageError("--write-back: the program has no files of its own")
    from svm.cli import storage

    storage.require_folder(folder)
    given = storage.Given.of(said)
    return lambda: storage.write_back(files[0], given, folder)


def _words(said: Any) -> list[str]:
    """Arguments that a snapshot says.  Raises UsageError for what are none."""
    if not isinstance(said or [], list) or not all(isinstance(word, str) for word in said or []):
        raise UsageError("the snapshot's arguments are no texts")
    return list(said or [])


def _variables(said: Any) -> dict[str, str]:
    """Variables that a snapshot says.  Raises UsageError for what are none."""
    if not isinstance(said or {}, dict) or not all(isinstance(value, str) for value in (said or {}).values()):
        raise UsageError("the snapshot's variables are no texts")
    return dict(said or {})
