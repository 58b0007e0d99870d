"""The words of the checker's errors: each source in golden/check has the text of its diagnostics beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import krait

GOLDEN = Path(__file__).parents[1] / "golden" / "check"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.kr")), ids=lambda path: path.stem)
def test_diagnostics_read_as_in_the_golden_file(path: Path) -> None:
    """`REWRITE_GOLDEN=1` writes the files anew; look at the difference before it is kept."""
    with pytest.raises(krait.CompileError) as raised:
        krait.compile_source(path.read_bytes(), path.name, [path.parent])
    text = f"{raised.value}\n".replace(f"{path.parent}{os.sep}", "")
    golden = path.with_suffix(".txt")
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
