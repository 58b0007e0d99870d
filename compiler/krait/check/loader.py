"""Finding and parsing modules.

In: names of modules, the folder of the program. Out: syntax trees with their sources. The standard library is looked
for beside the package `krait` first (an installed wheel), then beside ``compiler/`` (a checkout).

Invariant: names that begin with ``krait.`` come from the standard library only, whatever lies in the program's folder.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import svm.cache
from krait.diagnostics import DiagnosticSink, Span
from krait.syntax import symbols, tree
from krait.syntax.parser import parse

LIBRARY_PREFIX = "<krait>/"
"""What the file names of the standard library begin with, so that hosts can tell its frames in a traceback."""

_FORMAT = b"krait-tree-1"


@dataclass(frozen=True, slots=True)
class Source:
    """A module's text. ``filename`` is what diagnostics and line tables call it."""

    filename: str
    text: str
    library: bool


@cache
def library_folder() -> Path:
    """Return the folder of the standard library's sources."""
    package = Path(__file__).resolve().parent.parent
    beside_package = package / "stdlib"
    return beside_package if beside_package.is_dir() else package.parent.parent / "stdlib"


def find(name: str, search_path: Iterable[Path]) -> Source | None:
    """Return the source of the module ``name``.

    The library's, else the first in ``search_path``; None if there is none.
    """
    relative = Path(*name.split(".")).with_suffix(".kr") if name else None
    if relative is None:
        return None
    in_library = library_folder() / relative
    if in_library.is_file():
        return Source(LIBRARY_PREFIX + relative.as_posix(), in_library.read_text(encoding="utf-8"), True)
    if name.startswith("krait."):
        return None
    for folder in search_path:
        candidate = folder / relative
        if candidate.is_file():
            return Source(str(candidate), candidate.read_bytes().decode("utf-8"), False)
    return None


@cache
def library_tree(source: Source) -> tree.Module:
    """Return the syntax tree of a library module, from the cache if it was parsed before by the same parser."""
    digest = hashlib.sha256(b"\0".join((_FORMAT, _parser_version(), source.text.encode()))).hexdigest()
    path = svm.cache.cache_dir("krait") / f"{digest}.tree"
    stored = svm.cache.read(path)
    if stored is not None:
        try:
            found = _TreeUnpickler(io.BytesIO(stored)).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError, IndexError, KeyError):
            found = None  # damaged, or written by another version of the classes: parse anew
        if isinstance(found, tree.Module):
            return found
    parsed = parse_library(source.text, source.filename)
    svm.cache.atomic_write(path, pickle.dumps(parsed, protocol=5))
    return parsed


def parse_library(text: str, filename: str) -> tree.Module:
    """Return the syntax tree of a text of the library's own, which has no syntax errors."""
    sink = DiagnosticSink(filename, text)
    parsed = parse(text, filename, sink)
    sink.raise_if_errors()
    assert parsed is not None
    return parsed


class _TreeUnpickler(pickle.Unpickler):
    """Loads syntax trees and nothing else, whatever the bytes ask for."""

    def find_class(self, module: str, name: str) -> object:
        found = {"krait.syntax.tree": tree, "krait.syntax.symbols": symbols}.get(module)
        if (module, name) == ("krait.diagnostics", "Span"):
            return Span
        cls = getattr(found, name, None)
        if not isinstance(cls, type) or cls.__module__ != module:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a tree")
        return cls


@cache
def _parser_version() -> bytes:
    """A digest of the parser's own sources, so that a changed parser does not meet trees of the old one."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).resolve().parent.parent / "syntax").glob("*.*")):
        if path.suffix in (".py", ".lark"):
            digest.update(path.read_bytes())
    return digest.digest()
