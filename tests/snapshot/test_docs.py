"""The program that docs/snapshots.md shows prints what stands beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_program_runs_as_shown(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "snapshots.md").read_text("utf-8")
    program, expected = re.findall(r"^```(?:python|text)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    def plain(text: str) -> str:
        return re.sub(r"fuel_used=\d+", "fuel_used=…", text)  # it changes with what the compiler emits

    assert plain(done.stdout) == plain(expected)
