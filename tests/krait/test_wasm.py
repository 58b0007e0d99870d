"""Krait programs written as `.wasm`, under wasmtime and its WASI: what they do is what CPython does with the source."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

import krait
from svm import Console, Module
from svm.wasm import write
from tests.krait.cpython import Outcome, is_current
from tests.krait.test_programs import ENDINGS, NEEDS_3_12, PROGRAMS
from tests.wasm.peer import run_program

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / "examples" / "stats.kr", *sorted((ROOT / "benchmarks" / "programs").glob("*.kr"))]
GIVEN = {"stats.kr": ROOT / "examples" / "data" / "nile.txt"}

Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Compile a source, write it as `.wasm`, and run that on wasmtime."""

    def run_source(source: str, stdin: bytes = b"", name: str = "program.kr", args: tuple[str, ...] = ()) -> Outcome:
        ended = run_program(write(krait.compile_source(source, name)), tmp_path, stdin, (name, *args))
        said = ended.stderr.decode("utf-8", "surrogateescape").rstrip("\n").rpartition("\n")[2]
        return Outcome(ended.stdout.decode("utf-8", "surrogateescape"), ended.status, said or None)

    return run_source


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.kr")), ids=lambda path: path.name)
def test_program_does_what_cpython_does(path: Path, run: Run, oracle: Run) -> None:
    if path.name in NEEDS_3_12 and not is_current():
        pytest.skip("CPython before 3.12 prints something else")
    source = path.read_text(encoding="utf-8")
    given = path.with_suffix(".in")
    stdin = given.read_bytes() if given.exists() else b""
    assert run(source, stdin) == oracle(source, stdin)


@pytest.mark.parametrize("name", ENDINGS)
def test_program_ends_as_in_cpython(name: str, run: Run, oracle: Run) -> None:
    ended, expected = run(ENDINGS[name]), oracle(ENDINGS[name])
    assert (ended.stdout, ended.status) == (expected.stdout, expected.status)
    # The text of a SystemExit is said without a traceback, which is how the oracle knows exceptions.
    assert ended.exception == ("message" if name == "exit text" else expected.exception)


def test_arguments_reach_the_program(run: Run, oracle: Run) -> None:
    source = "import sys\nprint(len(sys.argv), sys.argv[1:])\nfor a in sys.argv[1:]:\n    print(int(a) + 1)\n"
    assert run(source, args=("1", "-2")) == oracle(source, args=("1", "-2"))


def test_overflow_is_an_error(run: Run) -> None:
    for expression in ("x + 1", "-y", "x * 2", "y - 1", "abs(y)", "x << 1", "x ** 3", "x ** 2", "y // -1"):
        outcome = run(f"x = 9223372036854775807\ny = -x - 1\nx -= 0\ny -= 0\nprint('a')\nprint({expression})\n")
        assert (outcome.stdout, outcome.status) == ("a\n", 1)
        assert outcome.exception is not None
        assert outcome.exception.startswith("OverflowError: ")


def test_what_was_printed_before_comes_out_first(run: Run) -> None:
    outcome = run("print('x' * 100)\nraise ValueError('after\\nthat')")
    assert outcome == Outcome("x" * 100 + "\n", 1, "that")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_does_what_it_does_here(path: Path, tmp_path: Path) -> None:
    model = krait.compile_file(path)
    stdin = GIVEN[path.name].read_bytes() if path.name in GIVEN else b""
    out, err = io.BytesIO(), io.BytesIO()
    with Module(model).spawn(devices=[Console(io.BytesIO(stdin), out, err, args=(path.name,))]) as guest:
        status = guest.run()
    assert run_program(write(model), tmp_path, stdin, (path.name,)) == (out.getvalue(), err.getvalue(), status)
    assert out.getvalue()
