"""`svm build`: compiles Krait, and writes modules in other formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from svm.cli.failures import about
from svm.cli.files import STDIN, beside, read_input, read_model, write
from svm.cli.terminal import complain
from svm.errors import UsageError

if TYPE_CHECKING:
    from svm.module import Module as Model

__all__ = ["command"]

_MODULES = (".svmb", ".svmt", ".wasm")


@click.command("build", short_help="Compile Krait; write modules in other formats.")
@click.argument("file", type=click.Path())
@click.option("-o", "--output", metavar="FILE", type=click.Path(allow_dash=True),
              help="Where to write: .svmb, .svmt (text), .wasm (other runtimes); FILE.svmb if not given.")  # fmt: skip
@click.option("--aot", is_flag=True, help="Compile likely hot functions to machine code too, for later runs here.")
def command(file: str, output: str | None, aot: bool) -> None:
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
        if aot:
            _compile_ahead(output)


def _model(file: str) -> Model:
    """The model that a file holds, or that its source means."""
    if file.endswith(_MODULES):
        return read_model(file)
    if file == "-":
        from krait import compile_source

        return compile_source(read_input(), STDIN)
    from krait import compile_file

    return compile_file(file)


def _compile_ahead(file: str) -> None:
    """Have machine code of a module's file in the cache, as `svm run` will look for it."""
    from svm.devices import Clock, Console, Entropy
    from svm.embed import load
    from svm.engines.native.jit.engine import CompilingEngine

    if file == "-":
        raise UsageError("--aot needs a file to be run later, not standard output")
    module = load(file)
    if module.model.start is not None:
        raise UsageError("--aot: the module has a start function, which only a run may call")
    with module.spawn(engine="auto", devices=(Console(), Clock(), Entropy())) as guest:
        if not isinstance(guest.engine, CompilingEngine):
            raise UsageError("--aot: no native engine runs on this machine")
        count = guest.engine.compile_ahead(guest.instance)
        refused = len(guest.tiers.refused)
    complain(f"{count} units of machine code are kept for later runs" + (f", {refused} refused" if refused else ""))
