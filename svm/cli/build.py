"""`svm build`: compiles Krait."""

from __future__ import annotations

import click

from svm.cli.failures import about
from svm.cli.files import STDIN, beside, read_input, write

__all__ = ["command"]


@click.command("build", short_help="Compile Krait.")
@click.argument("file", type=click.Path())
@click.option("-o", "--output", metavar="FILE", type=click.Path(allow_dash=True),
              help="Where to write: .svmb, or .svmt for text; FILE.svmb if not given.")  # fmt: skip
def command(file: str, output: str | None) -> None:
    """Compile a Krait program, FILE.kr, to a module. `-` is standard input."""
    from svm.embed import Module

    with about(file):
        output = output or beside(file, ".svmb")
        if file == "-":
            from krait import compile_source

            model = compile_source(read_input(), STDIN)
        else:
            from krait import compile_file

            model = compile_file(file)
        module = Module(model)
        write(output, module.to_text().encode() if output.endswith(".svmt") else module.to_bytes(), source=file)
