"""`svm build`: compiles Krait, and writes modules in other formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from svm.cli.failures import about
from svm.cli.files import STDIN, beside, read_input, read_model, write

if TYPE_CHECKING:
    from svm.module import Module as Model

__all__ = ["command"]

_MODULES = (".svmb", ".svmt", ".wasm")


@click.command("build", short_help="Compile Krait; write modules in other formats.")
@click.argument("file", type=click.Path())
@click.option("-o", "--output", metavar="FILE", type=click.Path(allow_dash=True),
              help="Where to write: .svmb, .svmt (text), .wasm (other runtimes); FILE.svmb if not given.")  # fmt: skip
def command(file: str, output: str | None) -> None:
    """Compile a Krait program, FILE.kr, to a module. `-` is standard input.

    FILE may also be a module, .svmb, .svmt or .wasm, to be written in another format.
    """
    from svm.embed import Module

    with about(file):
        output = output or beside(file, ".svmb")
        module = Module(_model(file))
        if output.endswith(".svmt"):
            data = module.to_text().encode()
        elif output.endswith(".wasm"):
            data = module.to_wasm()
        else:
            data = module.to_bytes()
        write(output, data, source=file)


def _model(file: str) -> Model:
    """The model that a file holds, or that its source means."""
    if file.endswith(_MODULES):
        return read_model(file)
    if file == "-":
        from krait import compile_source

        return compile_source(read_input(), STDIN)
    from krait import compile_file

    return compile_file(file)
