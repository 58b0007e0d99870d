"""The command line's grammar: the group of commands, each imported when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

import click

__all__ = ["run"]

_NAMES = (
    "run", "resume", "check", "build", "asm", "dis", "validate", "inspect", "snapshot", "export", "import", "wast",
)  # fmt: skip
_PROGRAMS = (".kr", ".svmb", ".svmt", ".wasm")


class _Commands(click.Group):
    """Commands by name, in the order in which people meet them; each is the `command` of its own module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _NAMES:
            return None
        name = f"{cmd_name}_" if cmd_name == "import" else cmd_name  # a word of Python's
        command: click.Command = import_module(f"svm.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _NAMES and args[0].endswith(_PROGRAMS):
            ctx.fail(f"No such command {args[0]!r}. To run a program: svm run {args[0]}")
        return super().resolve_command(ctx, args)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    from svm.isa import VERSION

    try:
        own = version("svm")
    except PackageNotFoundError:
        own = "(not installed)"
    click.echo(f"svm {own}, bytecode version {VERSION}")
    ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
              help="Show the version and exit.")  # fmt: skip
def _svm() -> None:
    """Run, compile and look into programs of the svm virtual machine.

    Krait sources are .kr, compiled modules .svmb, their text form .svmt; WebAssembly's .wasm are modules too.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit status.  Raises what went wrong."""
    if "_SVM_COMPLETE" in os.environ:
        _svm.main(prog_name="svm")  # a shell asks what could follow; this answers, and ends the process
    with _svm.make_context("svm", list(arguments)) as context:
        return int(_svm.invoke(context) or 0)
