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

__all__ = ["STDIN", "beside", "read_binary", "read_input", "read_model", "write"]

STDIN = "<stdin>"
"""What standard input is called in messages."""

_BINARY = b"\0"  # what binary modules of every kind begin with, and no text does


def read_model(file: str) -> Module:
    """The model in a file, or in standard input: `.svmb` or `.wasm` if it begins as one, else text.

    Raises ModuleError, CompileError, OSError.
    """
    from svm import files

    return _parsed(read_input()) if file == "-" else files.read_model(file)


def read_binary(file: str) -> tuple[Module, bytes]:
    """The model in a file or in standard input, and its bytes; of sources and text, those of the `.svmb`.

    Raises as `read_model`.
    """
    from svm import files
    from svm.module import encode

    if file.endswith((".kr", ".svmt")):
        model = files.read_model(file)
        return model, encode(model)
    data = read_input() if file == "-" else files.read_bytes(file)
    model = _parsed(data) if file == "-" else files.parse_model(data, file, text=False)
    return model, data if data.startswith(_BINARY) else encode(model)


def _parsed(data: bytes) -> Module:
    from svm.files import parse_model

    return parse_model(data, STDIN, text=not data.startswith(_BINARY))


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
