from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from svm import ENGINES
from svm.module import from_text
from svm.wasm import write
from tests.cli.conftest import Cli

MODULE = write(from_text("export \"one\" func $one\nfunc $one (result i32)\ni32.const 1\nend\n"))
ONE = {"type": "invoke", "field": "one", "args": []}
MADE = {"type": "module", "line": 1, "filename": "m.wasm"}
GOOD = {"type": "assert_return", "line": 2, "action": ONE, "expected": [{"type": "i32", "value": "1"}]}
BAD = {"type": "assert_trap", "line": 3, "action": ONE, "text": "unreach\x1b\nable", "expected": []}
TEXT = {"type": "assert_malformed", "line": 4, "filename": "t.wat", "module_type": "text", "text": "no"}
REASON = "the module is in WebAssembly's text format, which svm does not read"
FAILURE = {"line": 3, "command": "assert_trap", "expected": "TrapError: unreach\x1b\nable", "got": "i32 1"}


@pytest.fixture
def scripts(folder: Path) -> Path:
    Path("m.wasm").write_bytes(MODULE)
    for name, commands in {"good": [MADE, GOOD], "bad": [MADE, GOOD, BAD, TEXT], "lost": [MADE | {"filename": "l"}],
                           "wrong": {}}.items():  # fmt: skip
        content = {"source_filename": f"{name}.wast", "commands": commands}
        Path(f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(params=["1", "2"])
def jobs(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_all_is_well(scripts: Path, cli: Cli, engine: str, jobs: str) -> None:
    result = cli("wast", "--engine", engine, "--jobs", jobs, "good.json", "good.json")
    assert result == (0, "2 passed, 0 failed, 0 skipped\n", "")


def test_failures_and_skips(scripts: Path, cli: Cli, jobs: str) -> None:
    result = cli("wast", "--jobs", jobs, "bad.json", "good.json", "bad.json")
    line = "bad.wast:3: assert_trap: expected TrapError: unreach␛ able; got i32 1"
    assert result == (1, f"{line}\n{line}\nskipped 2: {REASON}\n3 passed, 2 failed, 2 skipped\n", "")


def test_verbose(scripts: Path, cli: Cli) -> None:
    result = cli("wast", "--verbose", "good.json")
    assert result.out.startswith("good.wast: 1 passed, 0 failed, 0 skipped (0.")
    assert result.out.endswith(" s)\n1 passed, 0 failed, 0 skipped\n")


def test_json(scripts: Path, cli: Cli) -> None:
    result = cli("wast", "--json", "--engine", "reference", "bad.json", "good.json")
    told = json.loads(result.out)
    assert result.status == 1
    assert {name: told[name] for name in ("engine", "passed", "failed", "skipped")} == {
        "engine": "reference", "passed": 2, "failed": 1, "skipped": 1,
    }  # fmt: skip
    bad, good = told["files"]
    assert bad.pop("seconds") >= 0
    assert bad == {
        "file": "bad.json", "source": "bad.wast", "passed": 1, "failures": [FAILURE],
        "skips": [{"line": 4, "command": "assert_malformed", "reason": REASON}],
    }  # fmt: skip
    assert good["passed"] == 1 and not good["failures"]


def test_the_best_engine_is_named(scripts: Path, cli: Cli) -> None:
    assert json.loads(cli("wast", "--json", "good.json").out)["engine"] in ENGINES


def test_what_cannot_be_read(scripts: Path, cli: Cli, jobs: str) -> None:
    """Each is said in a line; the other scripts run."""
    result = cli("wast", "--jobs", jobs, "none.json", "lost.json", "wrong.json", "m.wasm", "good.json")
    assert result.status == 66
    assert result.out == "1 passed, 0 failed, 0 skipped\n"
    messages = result.err.splitlines()
    assert messages[0] == "svm: none.json: No such file or directory"
    assert messages[1].endswith("l: No such file or directory")
    assert messages[2] == "svm: wrong.json: the script has no field 'commands' of type list"
    assert messages[3].startswith("svm: m.wasm: not JSON: ")
    assert len(messages) == 4


def test_usage(scripts: Path, cli: Cli) -> None:
    assert cli("wast").status == 2
    assert cli("wast", "--engine", "warp", "good.json").status == 2
    assert cli("wast", "--jobs", "0", "good.json").status == 2


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="what is patched here must reach a process")
def test_a_process_that_dies(scripts: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svm.cli.wast.read_script", lambda file: os._exit(1))
    result = cli("wast", "--jobs", "2", "good.json", "good.json")
    assert result.status == 71
    assert result.err.startswith("svm: good.json: a process that ran scripts was killed")


@pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix has them")
def test_interrupted(scripts: Path) -> None:
    """Ctrl-C reaches the whole group of processes, and is told once."""
    endless = 'export "one" func $one\nfunc $one\nloop\nbr 0\nend\nend\n'
    Path("endless.wasm").write_bytes(write(from_text(endless)))
    call = {"type": "action", "line": 2, "action": ONE, "expected": []}
    script = {"source_filename": "x.wast", "commands": [MADE | {"filename": "endless.wasm"}, call]}
    Path("endless.json").write_text(json.dumps(script), encoding="utf-8")
    command = [sys.executable, "-m", "svm", "wast", "--engine", "reference", "--jobs", "2", "--verbose"]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([*command, "good.json", "endless.json", "endless.json"], start_new_session=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": root}) as process:  # fmt: skip
        assert process.stdout is not None and process.stdout.readline().startswith(b"good.wast: 1 passed")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (-signal.SIGINT, b"", b"svm: interrupted\n")
