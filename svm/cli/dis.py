"""`svm dis`: a module as text."""

from __future__ import annotations

import click

from svm.cli.failures import about
from svm.cli.files import read_model, write

__all__ = ["command"]


@click.command("dis", short_help="Print a module as text.")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("-o", "--output", metavar="FILE", type=click.Path(allow_dash=True), default="-",
              help="Where to write; standard output if not given.")  # fmt: skip
@click.option("--offsets", is_flag=True, help="Say the byte offset of each instruction, as traps do.")
def command(file: str, output: str, offsets: bool) -> None:
    """Print the module in FILE as text that `svm asm` reads. `-` is standard input.

    The module need not be valid: what is no instruction is written as bytes.
    """
    from svm.module.text import to_text

    with about(file):
        write(output, to_text(read_model(file), offsets=offsets).encode(), source=file)
