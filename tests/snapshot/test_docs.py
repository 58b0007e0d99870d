"""The programs that docs/snapshots.md shows print what stands beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


TEXTS = re.findall(
    r"^```(?:python|text)\n(.*?)^```", (ROOT / "docs" / "snapshots.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(
    ("program", "expected"), list(zip(TEXTS[::2], TEXTS[1::2], strict=True)), ids=("life", "crash")
)
def test_the_programs_run_as_shown(tmp_path: Path, program: str, expected: str) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    def plain(text: str) -> str:
        return re.sub(r"fuel_used=\d+", "fuel_used=…", text)  # it changes with what the compiler emits

    assert plain(done.stdout) == plain(expected)
