"""The words of syntax errors: each source in golden/syntax has the text of its diagnostics beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from krait.diagnostics import CompileError, DiagnosticSink
from krait.syntax.parser import parse_bytes

GOLDEN = Path(__file__).parents[1] / "golden" / "syntax"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.kr")), ids=lambda path: path.stem)
def test_diagnostics_read_as_in_the_golden_file(path: Path) -> None:
    """`REWRITE_GOLDEN=1` writes the files anew; look at the difference before it is kept."""
    sink = DiagnosticSink(path.name)
    assert parse_bytes(path.read_bytes(), path.name, sink) is None
    text = str(CompileError(sink.diagnostics, sink.sources)) + "\n"
    golden = path.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
