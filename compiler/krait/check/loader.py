"""Parsing the modules that a program imports.

In: their sources. Out: syntax trees, from the cache where the same parser has parsed the same source before.
"""

from __future__ import annotations

import io
import os
import pickle
from functools import cache

import krait.syntax
from krait.diagnostics import DiagnosticSink, Span
from krait.sources import Source
from krait.syntax import symbols, tree
from krait.syntax.parser import parse, parse_bytes
from svm.cache import digest_of, keep, kept
from svm.digest import digest

MOST_FILES = 512


def module_tree(source: Source, sink: DiagnosticSink) -> tree.Module | None:
    """Return the syntax tree of a module; None if it has syntax errors, which are then in the sink."""
    return _library_tree(source) if source.library else _kept_tree(source, sink)


@cache
def _library_tree(source: Source) -> tree.Module | None:
    """In one process the library's trees serve all programs: none changes them."""
    return _kept_tree(source, DiagnosticSink(source.filename))


def _kept_tree(source: Source, sink: DiagnosticSink) -> tree.Module | None:
    name = digest(_parser_version(), source.data).hex()
    stored = kept("trees", name)
    if stored is not None:
        found: tree.Module = _TreeUnpickler(io.BytesIO(stored)).load()
        return found
    parsed = parse_bytes(source.data, source.filename, sink)
    if parsed is not None:
        keep("trees", name, pickle.dumps(parsed, protocol=5), MOST_FILES)
    return parsed


def parse_library(text: str, filename: str) -> tree.Module:
    """Return the syntax tree of a text of the library's own, which has no syntax errors."""
    sink = DiagnosticSink(filename, text)
    parsed = parse(text, filename, sink)
    sink.raise_if_errors()
    assert parsed is not None
    return parsed


_OTHER: dict[tuple[str, str], object] = {
    ("krait.diagnostics", "Span"): Span,
    ("builtins", "Ellipsis"): ...,
    ("builtins", "complex"): complex,
}
"""What a tree holds beside nodes, symbols and plain data."""


class _TreeUnpickler(pickle.Unpickler):
    """Loads syntax trees and nothing else, whatever the bytes ask for."""

    def find_class(self, module: str, name: str) -> object:
        found = {"krait.syntax.tree": tree, "krait.syntax.symbols": symbols}.get(module)
        if (module, name) in _OTHER:
            return _OTHER[module, name]
        cls = getattr(found, name, None)
        if not isinstance(cls, type) or cls.__module__ != module:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a tree")
        return cls


@cache
def _parser_version() -> bytes:
    """A digest of the parser's own sources, so that a changed parser does not meet trees of the old one."""
    folder = os.path.dirname(os.path.abspath(krait.syntax.__file__))
    names = sorted(name for name in os.listdir(folder) if name.endswith((".py", ".lark")))
    return digest_of(os.path.join(folder, name) for name in names).encode()
