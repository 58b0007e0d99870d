"""`svm asm`: text to a binary module."""

from __future__ import annotations

import click

from svm.cli.failures import about
from svm.cli.files import beside, read_model, write

__all__ = ["command"]


@click.command("asm", short_help="Assemble the text format.")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("-o", "--output", metavar="FILE", type=click.Path(allow_dash=True),
              help="Where to write; FILE.svmb if not given.")  # fmt: skip
@click.option("--unchecked", is_flag=True, help="Write it even if it breaks a rule of validation.")
def command(file: str, output: str | None, unchecked: bool) -> None:
    """Assemble text, FILE.svmt, to a binary module. `-` is standard input."""
    from svm.module import encode, validate

    with about(file):
        output = output or beside(file, ".svmb")
        model = read_model(file)
        if not unchecked:
            validate(model)
        write(output, encode(model), source=file)
