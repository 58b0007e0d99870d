"""The command as a process: what it imports, how it is interrupted, and streams that go away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from svm.cli.status import Status

ROOT = Path(__file__).parents[2]
SVM = (sys.executable, "-m", "svm")
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")


@pytest.fixture(autouse=True)
def paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "compiler")]))


def start(*arguments: str, stdin: int = subprocess.PIPE, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*SVM, *arguments], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)


def imported(*arguments: str) -> set[str]:
    """Names of the modules that a command imports, beside those of Python's own start."""
    code = (
        "import sys; before = set(sys.modules); from svm.cli import invoke; invoke(sys.argv[1:]); "
        "print(*set(sys.modules) - before, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


# What a run whose code is kept has no use for, each some part of a cold start: other faces and the compilers; what
# decodes, checks and lowers bodies; and heavy parts of the standard library.
UNWANTED = (
    "click krait lark llvmlite rich svm.cli.commands svm.cli.inspect "
    "svm.devices.storage svm.devices.storage_state svm.devices.tree svm.devices.wasi_files "
    "svm.engines.native.encode svm.engines.native.handlers svm.engines.native.keys svm.engines.reference "
    "svm.engines.state svm.isa.op svm.isa.table svm.lower.charges svm.lower.slots svm.lower.tries "
    "svm.module.body svm.module.code svm.module.text svm.wasm "
    "argparse ast asyncio bz2 copy dataclasses dis email hashlib importlib.metadata inspect json logging lzma pathlib "
    "pickle random shutil signal socket ssl subprocess tempfile textwrap traceback typing unittest zlib"
)


def test_a_compiled_module_imports_no_more_than_it_needs() -> None:
    imported("run", "demo.svmb")  # builds the interpreter, if no test has yet, and keeps the program's code
    found = imported("run", "demo.svmb")
    assert found & set(UNWANTED.split()) == set()
    assert "svm.engines.native" in found
    assert "click" in imported("run", "--stats", "demo.svmb")


def test_a_program_s_interface_is_not_read_to_run_it() -> None:
    source = 'def main() -> None:\n    print("hello")\n\n\nmain()\n'
    Path("hello.kr").write_text(source, encoding="utf-8")
    subprocess.run([*SVM, "build", "hello.kr", "-o", "hello.svmb"], check=True)
    imported("run", "hello.svmb")
    found = imported("run", "hello.svmb")
    assert found & {*UNWANTED.split(), "svm.border", "svm.runtime.rich", "svm.module.interface_text"} == set()


def test_an_unchanged_source_runs_without_the_compiler() -> None:
    Path("hello.kr").write_text("import helper\n", encoding="utf-8")
    Path("helper.kr").write_text("print('hello')\n", encoding="utf-8")
    imported("run", "hello.kr")
    found = imported("run", "hello.kr")
    face = {"krait", "krait.compiler", "krait.kept", "krait.sources"}
    assert {name for name in found if name.partition(".")[0] == "krait"} == face
    assert found & set(UNWANTED.split()) == {"krait"}


def test_inspect_does_not_import_the_machine() -> None:
    assert {"svm.runtime", "svm.engines", "svm.devices", "rich"} & imported("inspect", "--json", "demo.svmb") == set()


@POSIX
@pytest.mark.parametrize("export", ["busy", "wait"])
def test_ctrl_c(export: str) -> None:
    """A guest that computes, and one that waits for input."""
    process = start("run", "--invoke", export, "demo.svmb")
    assert process.stdout is not None
    assert process.stdout.readline() == b"hello\n"
    time.sleep(0.5)  # out of the call that writes
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err.splitlines()[-1]) == (-signal.SIGINT, b"", b"svm: interrupted")
    assert (b", in spin\n" in err) == (export == "busy")  # where it was


@POSIX
def test_time_runs_out_while_it_waits_for_input() -> None:
    process = start("run", "--timeout", "0.1", "--invoke", "cat", "demo.svmb")
    assert process.wait(20) == Status.LIMIT
    out, err = process.communicate()
    assert (out, err.splitlines()[-1]) == (b"", b"svm: out of time: the limit is 0.1 s; --timeout sets it")


@POSIX
@pytest.mark.parametrize("command", [("run", "demo.svmb"), ("dis", "demo.svmb"), ("inspect", "demo.svmb")])
def test_a_reader_that_went_away_is_no_news(command: tuple[str, ...]) -> None:
    receiving, sending = os.pipe()
    os.close(receiving)
    process = start(*command, stdout=sending)
    os.close(sending)
    _, err = process.communicate(timeout=20)
    assert err == b""
    assert process.returncode == (0 if command[0] == "run" else Status.BROKEN_PIPE)  # this guest does not look


@POSIX
def test_a_krait_program_whose_reader_went_away() -> None:
    Path("endless.kr").write_text('while True:\n    print("y")\n', encoding="utf-8")
    process = start("run", "endless.kr")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert (process.wait(20), process.stderr.read()) == (Status.BROKEN_PIPE, b"")
    process.stderr.close()


@POSIX
def test_closed_streams() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" -m svm run --invoke cat demo.svmb 0<&- 1>&- 2>&-', sys.executable], timeout=20
    )
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*SVM, "dis", "demo.svmb"], stdout=full, stderr=subprocess.PIPE, timeout=20)
    assert (done.returncode, done.stderr) == (Status.BAD_FILE, b"svm: standard output: No space left on device\n")


def test_a_terminal_gives_a_line_at_a_time() -> None:
    pty = pytest.importorskip("pty")
    person, terminal = pty.openpty()
    process = start("run", "--invoke", "cat", "demo.svmb", stdin=terminal)
    os.close(terminal)
    os.write(person, b"a line\nand more")
    out, err = process.communicate(timeout=20)
    os.close(person)
    assert (out, err) == (b"a line\n7\n", b"")
