"""From a source to a module: from the cache where nothing has changed, else through the stages.

In: a source or a file. Out: its module, or `CompileError` with everything that is wrong. Invariant: the stages are
imported only where something must be compiled.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from krait.kept import KeptProgram
from krait.sources import Sources
from svm.limits import MAX_SOURCE_BYTES
from svm.module import Module, decode, encode

__all__ = ["compile_file", "compile_source"]

_RECURSION_LIMIT = 20_000


def compile_file(path: str | os.PathLike[str]) -> Module:
    """Compile the program in a file; its imports are looked for beside it. Raises CompileError, or OSError."""
    name = os.fspath(path)
    with open(name, "rb") as file:
        return compile_source(file.read(MAX_SOURCE_BYTES + 1), name, [os.path.dirname(name)])


def compile_source(
    source: str | bytes,
    filename: str = "<string>",
    search_path: Iterable[str | os.PathLike[str]] = (),
    *,
    stubs: Mapping[str, str] | None = None,
) -> Module:
    """Compile a program and return its module, which is valid.

    filename: what diagnostics and tracebacks call the source.  search_path: folders in which its imports are looked
    for.  stubs: texts of `.pyi` files by module name, which declare functions that the host gives. Raises CompileError
    with all that is wrong.
    """
    sources = Sources([os.fspath(folder) for folder in search_path], stubs or {})
    kept = KeptProgram(source, filename, sources)
    data = kept.load()
    if data is None:
        data = _compile(source, filename, sources)
        kept.save(data)
    return decode(data)


def _compile(source: str | bytes, filename: str, sources: Sources) -> bytes:
    """Return the module of a program as bytes.  Raises CompileError."""
    from krait.check import check_program
    from krait.diagnostics import CompileError, DiagnosticSink, Span
    from krait.emit import emit_module
    from krait.sources import text_of
    from krait.syntax.parser import parse, parse_bytes

    text = source if isinstance(source, str) else text_of(source)
    sink = DiagnosticSink(filename, text)
    parsed = parse(source, filename, sink) if isinstance(source, str) else parse_bytes(source, filename, sink)
    sink.raise_if_errors()
    assert parsed is not None
    try:
        with _deep_recursion():
            return encode(emit_module(check_program(parsed, text, filename, sink, sources)))
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
