"""Trees of modules that the cache keeps: what comes back is what was parsed."""

from __future__ import annotations

from pathlib import Path

import pytest

from krait.check import loader
from krait.diagnostics import DiagnosticSink
from krait.sources import Source, library_folder
from krait.syntax import symbols, tree
from tests.krait.syntax.snippets import NEWER, SAME


def same(left: object, right: object) -> bool:
    """Whether two trees are the same, spans included."""
    if isinstance(left, tree.AST):
        names = (*left._fields, "span")
        return type(left) is type(right) and all(same(getattr(left, name), getattr(right, name)) for name in names)
    if isinstance(left, symbols.Symbol):
        return left is right
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and (left == right or left != left)


def test_a_kept_tree_is_that_of_the_source() -> None:
    for text in (*SAME, *NEWER, "x = [1j, ..., b'a', 1e999, -0.0, 'é', '\\ud800']\n"):
        source = Source("m.kr", text.encode(), False)
        first, second = (loader.module_tree(source, DiagnosticSink("m.kr")) for _ in range(2))
        assert first is not second and same(first, second), text


def test_the_library_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted(Path(library_folder()).rglob("*.kr"))
    sources = [Source(path.name, path.read_bytes(), True) for path in paths]
    for source in sources:
        loader.module_tree(source, DiagnosticSink(source.filename))
    loader._library_tree.cache_clear()
    monkeypatch.setattr(loader, "parse_bytes", None)
    for source in sources:
        loader.module_tree(source, DiagnosticSink(source.filename))
