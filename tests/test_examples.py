"""The examples and benchmark programs print under svm what CPython prints for the same file, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = sorted((ROOT / "benchmarks" / "programs").glob("*.kr"))
STATS = ROOT / "examples" / "stats.kr"
NILE = ROOT / "examples" / "data" / "nile.txt"
EXAMPLES = {
    "bank_queue": None,
    "calculator": "program.calc",
    "csv_report": "sales.csv",
    "json_format": "order.json",
    "life": "acorn.txt",
    "markdown": "notes.md",
    "raytracer": None,
    "spell": "letter.txt",
    "stats": "nile.txt",
}
"""Each example, and what it reads."""

SVM = (sys.executable, "-m", "svm", "run")


def output(*command: str | Path, data: bytes = b"") -> bytes:
    """Run `command` with `data` on standard input; return its standard output."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "compiler")])}
    done = subprocess.run(list(map(str, command)), input=data, env=environment, capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("program", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_prints_what_cpython_prints(program: Path) -> None:
    assert output(*SVM, program) == output(sys.executable, program)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_cpython_prints(name: str) -> None:
    program, read = ROOT / "examples" / f"{name}.kr", EXAMPLES[name]
    data = b"" if read is None else (ROOT / "examples" / "data" / read).read_bytes()
    printed = output(*SVM, program, data=data)
    assert printed == output(sys.executable, program, data=data)
    assert len(printed.splitlines()) > 4


def test_every_example_is_run() -> None:
    assert sorted(EXAMPLES) == sorted(path.stem for path in (ROOT / "examples").glob("*.kr"))


def test_json_that_is_wrong_is_placed() -> None:
    printed = output(*SVM, ROOT / "examples" / "json_format.kr", data=b'{"a": [1,\n 2 3]}')
    assert printed == b"not JSON: line 2, column 4: expected `,` or `]`\n"


@pytest.mark.parametrize("arguments", [(), ("1", "3")], ids=" ".join)
def test_stats_prints_what_cpython_prints(arguments: tuple[str, ...]) -> None:
    data = NILE.read_bytes()
    printed = output(*SVM, STATS, *arguments, data=data)
    assert printed == output(sys.executable, STATS, *arguments, data=data)
    assert len(printed.splitlines()) > 8


def test_a_compiled_example_needs_no_compiler(tmp_path: Path) -> None:
    module = tmp_path / "stats.svmb"
    output(*SVM[:-1], "build", STATS, "-o", module)
    program = (
        "import sys; sys.modules['krait'] = sys.modules['lark'] = None; sys.argv[0] = 'svm'\n"
        "from svm.cli import main; main()"
    )
    data = NILE.read_bytes()
    assert output(sys.executable, "-c", program, "run", module, data=data) == output(sys.executable, STATS, data=data)
