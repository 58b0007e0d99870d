"""`svm import`: a program that was exported becomes a checkpoint of a store."""

from __future__ import annotations

import click

from svm.cli.failures import about
from svm.cli.terminal import clean
from svm.errors import UsageError

__all__ = ["command"]


@click.command("import", short_help="Put an exported program into a store of checkpoints.")
@click.argument("file", type=click.Path())
@click.argument("place", metavar="STORE[:NAME]")
def command(file: str, place: str) -> None:
    """Put the snapshot in FILE into a store, which is made if there is none; without NAME under its own name."""
    from svm.cli.resumable import split_place
    from svm.snapshot import Snapshot
    from svm.snapshot.checkpoints import CheckpointStore

    with about(file):
        snapshot = Snapshot.load(file)
    path, name, number = split_place(place)
    if number is not None:
        raise UsageError("checkpoints get their numbers from the store: STORE or STORE:NAME is expected")
    with about(place), CheckpointStore(path) as store:
        made = store.save(snapshot, name or snapshot.name or "imported")
    click.echo(clean(f"{path}:{made.name}:{made.number}"))
