"""`svm validate`: which files are valid modules."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import click

from svm import errors
from svm.cli.failures import failure
from svm.cli.files import read_model
from svm.cli.status import Status
from svm.cli.terminal import clean, say

__all__ = ["command"]


@click.command("validate", short_help="Say whether a module is valid, and if not, where.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects: file, valid, error, place.")
def command(files: tuple[str, ...], as_json: bool) -> int:
    """Check modules whole, one line for each. `-` is standard input."""
    worst = Status.OK
    results = []
    for file in files:
        result, status = _check(file)
        worst = max(worst, status)
        results.append(result)
        if not as_json:
            click.echo(clean(f"{file}: {result['error'] or 'valid'}"))
    if as_json:
        click.echo(json.dumps(results, indent=2))
    return worst


def _check(file: str) -> tuple[dict[str, Any], int]:
    """What is to be said of one file, and the status that it alone would give."""
    from svm.module import validate

    result: dict[str, Any] = {"file": file, "valid": False, "error": None, "place": None}
    try:
        validate(read_model(file))
    except errors.ModuleError as error:
        place = replace(error.place, file=None)  # it stands before the message already
        parts = {name: value for name, value in asdict(place).items() if value is not None}
        text = f"{place}: {error.message}" if parts else error.message
        return result | {"error": text, "place": parts}, Status.BAD_MODULE
    except OSError as error:
        return result | {"error": error.strerror or str(error)}, Status.BAD_FILE
    except errors.Error as error:
        say(failure(error, file).text)
        return result | {"error": "does not compile"}, Status.BAD_MODULE
    return result | {"valid": True}, Status.OK
