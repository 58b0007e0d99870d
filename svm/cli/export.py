"""`svm export`: a program as it stands, in one file that `svm resume` runs anywhere."""

from __future__ import annotations

import click

from svm.cli.failures import about

__all__ = ["command"]


@click.command("export", short_help="Write a checkpoint as one file: module, state and settings.")
@click.argument("place", metavar="PLACE")
@click.option("-o", "--output", required=True, type=click.Path(), help="The file, by custom *.svms.")
def command(place: str, output: str) -> None:
    """Write the program at PLACE (STORE, STORE:NAME, STORE:NAME:NUMBER) into one file: its modules, its whole state,
    its arguments, variables and limits.

    `svm resume` goes on with it, and `svm import` puts it into a store of checkpoints, on any machine.
    """
    from svm.cli.resumable import read_snapshot

    with about(place):
        snapshot, store, _, _ = read_snapshot(place)
        if store is not None:
            store.close()
    with about(output):
        snapshot.save(output)
