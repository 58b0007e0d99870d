"""Krait: a typed language in Python's syntax, compiled to svm modules.

In: sources. Out: modules, or `CompileError` with everything that is wrong. The stages, in order: `syntax` (text to
tree), `check` (tree to typed tree), `emit` (typed tree to module).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from krait.check import check_program
from krait.diagnostics import CompileError, Diagnostic, DiagnosticSink, Note, Span
from krait.emit import emit_module
from krait.syntax.parser import parse, parse_bytes
from svm.module import Module

__all__ = ["CompileError", "Diagnostic", "Note", "Span", "compile_file", "compile_source"]


_RECURSION_LIMIT = 20_000


def compile_source(
    source: str | bytes, filename: str = "<string>", search_path: Iterable[str | os.PathLike[str]] = ()
) -> Module:
    """Compile a program and return its module, which is valid.

    filename: what diagnostics and tracebacks call the source.  search_path: folders in which its imports are looked
    for. Raises CompileError with all that is wrong.
    """
    text = source if isinstance(source, str) else source.decode("utf-8", "replace")
    sink = DiagnosticSink(filename, text)
    parsed = parse(source, filename, sink) if isinstance(source, str) else parse_bytes(source, filename, sink)
    sink.raise_if_errors()
    assert parsed is not None
    try:
        with _deep_recursion():
            return emit_module(check_program(parsed, text, filename, sink, [Path(folder) for folder in search_path]))
    except RecursionError:
        sink.error("this program is nested too deeply", Span(1, 0, 1, 0), hints=["put parts of it into functions"])
        raise CompileError(sink.diagnostics, sink.sources) from None


@contextmanager
def _deep_recursion() -> Iterator[None]:
    """Let the recursive passes go as deep as trees that the parser accepts."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def compile_file(path: str | os.PathLike[str]) -> Module:
    """Compile the program in a file; its imports are looked for beside it. Raises CompileError, or OSError."""
    path = Path(path)
    return compile_source(path.read_bytes(), str(path), [path.parent])
