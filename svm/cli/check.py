"""`svm check`: all that is wrong with Krait sources, without running or writing anything."""

from __future__ import annotations

import json
from typing import Any

import click

from svm import errors
from svm.cli.failures import failure
from svm.cli.files import STDIN, read_input
from svm.cli.status import Status
from svm.cli.terminal import say

__all__ = ["command"]


@click.command("check", short_help="Say all that is wrong with Krait sources.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects, one for each diagnostic.")
def command(files: tuple[str, ...], as_json: bool) -> int:
    """Check Krait programs, each with the modules it imports; print their errors. `-` is standard input."""
    worst = Status.OK
    found: list[dict[str, Any]] = []
    for file in files:
        try:
            _compile(file)
        except (errors.Error, OSError) as error:
            failed = failure(error, file)
            worst = max(worst, Status(failed.status))
            found += _records(error, file, failed.text)
            if not as_json:
                say(failed.text)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    return worst


def _compile(file: str) -> None:
    """Compile a source, and forget the module."""
    from krait import compile_file, compile_source

    if file == "-":
        compile_source(read_input(), STDIN)
    else:
        compile_file(file)


def _records(error: errors.Error | OSError, file: str, text: str) -> list[dict[str, Any]]:
    """What is wrong, as objects: lines from 1, columns in code points from 1, ends exclusive."""
    from krait import CompileError

    if not isinstance(error, CompileError):
        return [{"file": file, "severity": "error", "message": text}]
    return [
        {
            "file": item.filename,
            "line": item.span.start_line,
            "column": item.span.start_col + 1,
            "end_line": item.span.end_line,
            "end_column": item.span.end_col + 1,
            "severity": item.severity,
            "message": item.message,
            "label": item.label,
            "hints": list(item.hints),
            "notes": [note.message for note in item.notes],
        }
        for item in error.diagnostics
    ]
