"""What the README shows is what happens: its programs run and print what stands beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM, HOST = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
NUMBERS = "".join(f"{number}\n" for number in range(1, 101))


def output(*command: str, cwd: Path, text: str = "") -> str:
    """Run `command` in `cwd` with `text` on standard input; return its standard output."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])}
    done = subprocess.run(command, input=text, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_runs_as_shown(tmp_path: Path) -> None:
    (tmp_path / "hello.kr").write_text(PROGRAM, encoding="utf-8")
    expected = "100 numbers, mean 50.500\n"
    svm = (sys.executable, "-m", "svm")
    limits = ("--fuel", "1000000", "--memory", "16MiB", "--timeout", "5")
    assert output(sys.executable, "hello.kr", cwd=tmp_path, text=NUMBERS) == expected
    assert output(*svm, "run", "hello.kr", cwd=tmp_path, text=NUMBERS) == expected
    output(*svm, "build", "hello.kr", "-o", "hello.svmb", cwd=tmp_path)
    assert output(*svm, "run", *limits, "hello.svmb", cwd=tmp_path, text=NUMBERS) == expected


def test_the_host_runs_as_shown(tmp_path: Path) -> None:
    first, paused, last, twin = output(sys.executable, "-c", HOST, cwd=tmp_path).splitlines()
    assert first == last == twin == "21"
    assert "aused" in paused
