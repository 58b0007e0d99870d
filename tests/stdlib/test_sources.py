"""The library's sources keep the project's style: CPython parses them, everything public says what it does."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stdlib.shim import STDLIB

SOURCES = sorted(STDLIB.rglob("*.kr"))


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Names of the module's public functions and classes, and of public methods, that have no docstring."""
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) else []
        for item in (node, *members):
            if isinstance(item, ast.FunctionDef | ast.ClassDef) and not item.name.startswith("_"):
                if ast.get_docstring(item) is None:
                    yield item.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_style(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    assert len(lines) < 700
    assert [number for number, line in enumerate(lines, 1) if len(line) > 120 or line != line.rstrip()] == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is that of Python 3.12")
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_everything_public_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert list(undocumented(tree)) == []
