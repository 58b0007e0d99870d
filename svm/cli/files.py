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
    from svm import embed

    if file != "-":
        return embed.read_model(file)
    data = read_input()
    return embed.parse_model(data, STDIN, text=not data.startswith(b"\0"))


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
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    with suppress(OSError):
        if os.path.samefile(output, source):
            raise UsageError("the output would overwrite the source")
    with about(output):
        with open(output, "wb") as file:
            file.write(data)
