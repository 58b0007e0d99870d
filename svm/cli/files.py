"""The files that commands read and write; `-` is standard input or output."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from svm.cli.failures import about
from svm.errors import UsageError

if TYPE_CHECKING:
    from svm.module import Module

__all__ = ["STDIN", "beside", "read_input", "read_model", "write"]

STDIN = "<stdin>"
"""What standard input is called in messages."""


def read_model(file: str) -> Module:
    """The model in a file, or in standard input: `.svmb` if it begins as one, else text.

    Raises ModuleError, CompileError, OSError.
    """
    from svm import files

    if file != "-":
        return files.read_model(file)
    data = read_input()
    return files.parse_model(data, STDIN, text=not data.startswith(b"\0"))


def read_input() -> bytes:
    """All of standard input."""
    return sys.stdin.buffer.read()


def beside(file: str, suffix: str) -> str:
    """The name of an output that was not given: that of the input with another suffix.  Raises UsageError for `-`."""
    if file == "-":
        raise UsageError("what is read from standard input has no name to derive another from: give one with -o")
    return os.path.splitext(file)[0] + suffix


def write(output: str, data: bytes, *, source: str = "-") -> None:
    """Write a file or standard output.  Raises UsageError where that would overwrite the source, OSError."""
    if output == "-":
        with about("standard output"):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return
    with suppress(OSError):
        if os.path.samefile(output, source):
            raise UsageError(f"{output} is the source itself: writing to it would overwrite it")
    with about(output), open(output, "wb") as file:
        file.write(data)
