"""`svm run`: the options of running a program."""

from __future__ import annotations

from typing import Any

import click

from svm.cli import program
from svm.cli.options import EngineOption, size, variables

__all__ = ["command"]


@click.command("run", short_help="Run a program.", context_settings={"allow_interspersed_args": False})
@click.argument("file", type=click.Path())
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option("--engine", cls=EngineOption, default="auto", help="What runs it; auto is the best there is.")
@click.option("--fuel", type=click.IntRange(min=0), metavar="N", help="Units of fuel that it may use.")
@click.option("--memory", metavar="SIZE", callback=size, help="Bytes of memory that it may have, such as 64MiB.")
@click.option("--stack", metavar="SIZE", callback=size, default="1MiB", show_default=True, help="Bytes of its stack.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="How long it may run.")
@click.option("--env", metavar="NAME=VALUE", callback=variables, multiple=True,
              help="An environment variable of its own; may be repeated.")  # fmt: skip
@click.option("--storage", metavar="DIR", help="Give it a copy of the files in DIR, to read and to change.")
@click.option("--write-back", metavar="DIR", help="Write what it changed of its files to DIR when it has ended.")
@click.option("--storage-limit", metavar="SIZE", callback=size, help="Bytes that its files may take.")
@click.option("--invoke", metavar="NAME", help="Call this export with ARGS, and print its result.")
@click.option("--canonical-nans", is_flag=True, help="Give NaNs the same bits on every engine and processor.")
@click.option("--eager", is_flag=True, help="Check all functions first, not each at its first call.")
@click.option("--checkpoint", metavar="STORE[:NAME]", help="Keep it in a store, from which `svm resume` goes on.")
@click.option("--every", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", default=5.0,
              show_default=True, help="From one checkpoint to the next.")  # fmt: skip
@click.option("--snapshot-on-exit", "on_exit", metavar="FILE", help="Where to keep it if it is stopped before its end.")
@click.option("--stats", is_flag=True, help="Say on standard error what it used.")
@click.option("--json", "as_json", is_flag=True, help="As --stats, but as an object in one line.")
def command(file: str, args: tuple[str, ...], **options: Any) -> int:
    """Run the program in FILE: a Krait source, a module, or a module's text.

    It is granted standard input, output and error, ARGS, the variables of --env, the time and random bytes, and with
    --storage or --write-back files of its own; nothing else. ARGS are the program's own, those that begin with a dash
    too: options of svm stand before FILE. Without limits it may use what it likes.
    """
    return program.run(file, args, **options)
