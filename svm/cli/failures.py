"""From an error to what the user reads and the exit status.

In: whatever a command raised. Out: a message that says what happened and what to do, on standard error. Invariant: text
that comes from a module or a guest's program is cleaned before it reaches a terminal.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from svm import errors
from svm.cli.status import Status
from svm.cli.terminal import clean, coloured, complain, say

__all__ = ["Failure", "about", "failure", "interrupted", "report"]

_OPTIONS = {
    "fuel": "--fuel", "seconds": "--timeout", "memory": "--memory", "stack": "--stack", "storage": "--storage-limit",
}  # fmt: skip
_MAX_SOURCE = 1 << 22  # bytes of a source whose lines a traceback shows
_HIDDEN = "<krait>"  # how the standard library's own files begin in a line table


class Failure(Exception):
    """A command's end: its status, and what to say, which may be nothing."""

    def __init__(self, status: int, text: str = "") -> None:
        self.status = status
        self.text = text
        super().__init__(status, text)


@contextmanager
def about(file: str) -> Iterator[None]:
    """Within it, an error is about a file, and a Failure comes out."""
    try:
        yield
    except (errors.Error, OSError) as error:
        raise failure(error, file) from error


def report(error: BaseException) -> int:
    """Say what is to be said of an error that ended a command; its exit status."""
    import click

    match error:
        case Failure(status=status, text=text):
            if text:
                say(text)
            return status
        case click.exceptions.Exit(exit_code=status):
            return status
        case click.ClickException(exit_code=status):
            error.show()
            return status
        case click.Abort() | KeyboardInterrupt():
            complain("interrupted")
            return Status.INTERRUPTED
        case errors.Error() | OSError():
            return report(failure(error, None))
    return _internal(error)


def failure(error: errors.Error | OSError, file: str | None) -> Failure:
    """What a command says of an error, and its status; `file` is what it is about."""
    where = f"{file}: " if file is not None else ""
    match error:
        case errors.ExitError(code=code):
            return Failure(code & 0xFF)
        case errors.GuestError():
            return _guest_failure(error)
        case errors.LinkError():
            return _told(Status.DENIED, f"{where}{error}")
        case errors.ModuleError(place=place):
            return _told(Status.BAD_MODULE, f"{error}" if place.file else f"{where}{error}")
        case errors.UsageError():
            return _told(Status.USAGE, str(error))
        case BrokenPipeError():
            return Failure(Status.BROKEN_PIPE)
        case OSError():
            name = error.filename if isinstance(error.filename, str) else file
            return _told(Status.BAD_FILE, f"{name or 'standard output'}: {error.strerror or error}")
    from krait.diagnostics import CompileError  # the only other kind, so the compiler has been imported already

    if isinstance(error, CompileError):
        return Failure(Status.BAD_MODULE, error.render(colour=coloured(sys.stderr)))
    return _told(Status.BAD_MODULE, f"{where}{error}")


def _told(status: int, text: str) -> Failure:
    return Failure(status, clean(f"svm: {text}"))


def _guest_failure(error: errors.GuestError) -> Failure:
    """A traceback as CPython prints it, then what happened."""
    lines = _frames(error.traceback)
    match error:
        case errors.UncaughtError():
            status = Status.UNCAUGHT
            lines.append(error.message)
        case errors.LimitError():
            status = Status.LIMIT
            lines.append(f"svm: {error.message}{_remedy(error.limit)}")
        case errors.ExhaustionError():
            status = Status.TRAP
            lines.append(f"svm: trap: {error.message}{_remedy('stack')}")
        case errors.TrapError():
            status = Status.TRAP
            kind = "" if error.kind == error.message else f" ({error.kind})"
            lines.append(f"svm: trap: {error.message}{kind}")
        case _:
            status = Status.TRAP
            lines.append(f"svm: {error.message}")
    lines += [f"note: {note}" for note in getattr(error, "__notes__", ())]
    return Failure(status, clean("\n".join(lines)))


def interrupted(traceback: errors.Traceback) -> Failure:
    """What is said of Ctrl-C: where the guest was."""
    return Failure(Status.INTERRUPTED, clean("\n".join([*_frames(traceback), "svm: interrupted"])))


def _frames(traceback: errors.Traceback) -> list[str]:
    """Where a guest was, with source lines, without the standard library and the compiler's own glue."""
    unnamed = _HIDDEN if any(frame.file for frame in traceback.frames) else ""
    frames = traceback.render(hidden=lambda frame: (frame.file or unnamed).startswith(_HIDDEN), source=_source_line)
    return ["Traceback (most recent call last):", frames] if frames else []


def _remedy(limit: str) -> str:
    return f"; {_OPTIONS[limit]} sets it" if limit in _OPTIONS else ""


def _source_line(file: str, line: int) -> str | None:
    lines = _source_lines(file)
    return lines[line - 1] if line <= len(lines) else None


@cache
def _source_lines(file: str) -> list[str]:
    """The lines of a source, none where it is not at hand.

    The name comes from a module's line table, and may be any: only Krait sources are shown, so that no module makes a
    service that runs it print other files, and only regular ones, for others may never end.
    """
    try:
        status = os.stat(file)
        if not file.endswith(".kr") or not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SOURCE:
            return []
        with open(file, encoding="utf-8-sig", errors="replace") as source:
            return source.read().split("\n")  # no other character ends a line
    except (OSError, ValueError):
        return []


def _internal(error: BaseException) -> int:
    """A bug of ours: say so, with all that its report needs."""
    import traceback

    say("".join(traceback.format_exception(error)).rstrip())
    complain("internal error: the above is a bug in svm, not in your program; please report it with those lines")
    return Status.INTERNAL
