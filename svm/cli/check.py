"""`svm check`: all that is wrong with Krait sources, without running or writing anything."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from svm import errors
from svm.cli.failures import failure
from svm.cli.files import STDIN, read_input
from svm.cli.status import Status
from svm.cli.terminal import coloured, say

__all__ = ["command"]


@click.command("check", short_help="Say all that is wrong with Krait sources.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects, one for each diagnostic.")
@click.option("--as", "name", metavar="FILE", help="What standard input is called; imports are looked for beside it.")
def command(files: tuple[str, ...], as_json: bool, name: str | None) -> int:
    """Check Krait programs, each with the modules it imports; print their errors. `-` is standard input."""
    findings = _Findings(as_json)
    for file in files:
        try:
            _compile(file, name)
        except (errors.Error, OSError) as error:
            findings.add(error, (name or STDIN) if file == "-" else file)
    findings.tell()
    return findings.worst


def _compile(file: str, name: str | None) -> None:
    """Compile a source, and forget the module."""
    from krait import compile_file, compile_source

    if file != "-":
        compile_file(file)
    elif name is None:
        compile_source(read_input(), STDIN)
    else:
        compile_source(read_input(), name, [os.path.dirname(name)])


class _Findings:
    """What is wrong, each thing once, though it may be in a module that several programs import."""

    def __init__(self, as_json: bool) -> None:
        self.worst = Status.OK
        self._as_json = as_json
        self._found: set[Any] = set()  # krait.Diagnostic, but the compiler is imported only where it compiles
        self._records: list[dict[str, Any]] = []
        self._texts: list[str] = []
        self._errors = 0

    def add(self, error: errors.Error | OSError, file: str) -> None:
        """Note why a file could not be compiled."""
        from krait import CompileError, render

        failed = failure(error, file)
        self.worst = max(self.worst, failed.status)
        if not isinstance(error, CompileError):
            self._records.append({"file": file, "severity": "error", "message": failed.text})
            self._texts.append(failed.text)
            return
        for item in error.diagnostics:
            if item not in self._found:
                self._found.add(item)
                source = error.sources.get(item.filename, "")
                self._errors += item.severity == "error"
                self._records.append(_record(item))
                if not self._as_json:
                    self._texts.append(render(item, source, colour=coloured(sys.stderr)))

    def tell(self) -> None:
        """Print all of it."""
        if self._as_json:
            click.echo(json.dumps(self._records, indent=2))
        elif self._texts:
            count = [f"{self._errors} errors"] if self._errors > 1 else []
            say("\n\n".join([*self._texts, *count]))


def _record(item: Any) -> dict[str, Any]:
    """A diagnostic as an object; a note has a place if it is about one."""
    return {
        "file": item.filename,
        **_place(item.span),
        "severity": item.severity,
        "message": item.message,
        "label": item.label,
        "hints": list(item.hints),
        "notes": [{"message": note.message, **(_place(note.span) if note.span else {})} for note in item.notes],
    }


def _place(span: Any) -> dict[str, int]:
    """Lines from 1, columns in code points from 1, ends exclusive."""
    return {
        "line": span.start_line,
        "column": span.start_col + 1,
        "end_line": span.end_line,
        "end_column": span.end_col + 1,
    }
