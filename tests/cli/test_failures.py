"""Every way to fail: its exit status, and what is said, word for word in the golden files.

`REWRITE_GOLDEN=1` writes the golden files anew; look at the difference before it is kept.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from svm.cli.status import Status
from tests.cli.conftest import Cli

GOLDEN = Path(__file__).with_name("golden")
SOURCES = {
    "syntax.kr": "def f( -> int:\n    return 1\n",
    "types.kr": 'x: int = "a"\n\n\ndef f(y: int) -> str:\n    return y\n',
    "not-utf8.kr": b"x = '\xff'\n",
    "uncaught.kr": "def f(x: int) -> int:\n    return 10 // x\n\n\nprint(f(5))\nprint(f(0))\n",
    "overflow.kr": "x = 9223372036854775807\nprint(x + 1)\n",
    "value.kr": 'print(int("twelve"))\n',
    "exit.kr": 'import sys\n\nprint("out")\nsys.exit("failed")\n',
}
CASES: dict[str, tuple[Status, str]] = {
    # What the guest does
    "uncaught": (Status.UNCAUGHT, "run --invoke throw demo.svmb"),
    "uncaught-out-of-memory": (Status.UNCAUGHT, "run --memory 128KiB --invoke greedy demo.svmb"),
    "krait-uncaught": (Status.UNCAUGHT, "run uncaught.kr"),
    "krait-overflow": (Status.UNCAUGHT, "run overflow.kr"),
    "krait-value": (Status.UNCAUGHT, "run value.kr"),
    "krait-exit": (Status.UNCAUGHT, "run exit.kr"),
    "trap": (Status.TRAP, "run --invoke lose demo.svmb"),
    "trap-with-source": (Status.TRAP, "run --invoke through demo.svmb 1 0"),
    "out-of-stack": (Status.TRAP, "run --stack 64KiB --invoke deep demo.svmb"),
    "out-of-fuel": (Status.LIMIT, "run --fuel 1000 --invoke spin demo.svmb"),
    "out-of-time": (Status.LIMIT, "run --timeout 0.05 --invoke spin demo.svmb"),
    "no-room": (Status.LIMIT, "run --memory 64KiB demo.svmb"),
    # What it asks for
    "missing-imports": (Status.DENIED, "run wants.svmt"),
    "many-missing": (Status.DENIED, "run many.svmt"),
    "wrong-import-type": (Status.DENIED, "run types.svmt"),
    # The command line
    "unknown-command": (Status.USAGE, "rum demo.svmb"),
    "forgotten-command": (Status.USAGE, "demo.svmb"),
    "no-file": (Status.USAGE, "run"),
    "unknown-option": (Status.USAGE, "run --fule 3 demo.svmb"),
    "unknown-engine": (Status.USAGE, "run --engine turbo demo.svmb"),
    "bad-fuel": (Status.USAGE, "run --fuel lots demo.svmb"),
    "too-much-fuel": (Status.USAGE, "run --fuel 99999999999999999999 demo.svmb"),
    "bad-size": (Status.USAGE, "run --memory 12XB demo.svmb"),
    "no-stack": (Status.USAGE, "run --stack 0 demo.svmb"),
    "bad-time": (Status.USAGE, "run --timeout -1 demo.svmb"),
    "bad-variable": (Status.USAGE, "run --env HOME demo.svmb"),
    "too-few-arguments": (Status.USAGE, "run --invoke divide demo.svmb 1"),
    "bad-argument": (Status.USAGE, "run --invoke divide demo.svmb 1 two"),
    "argument-too-large": (Status.USAGE, "run --invoke divide demo.svmb 1 99999999999999999999"),
    "bad-float": (Status.USAGE, "run --invoke halve demo.svmb x"),
    "bad-reference": (Status.USAGE, "run --invoke refer demo.svmb 1"),
    "unknown-export": (Status.USAGE, "run --invoke nothing demo.svmb"),
    "nameless-output": (Status.USAGE, "asm -"),
    "over-the-source": (Status.USAGE, "asm demo.svmt -o demo.svmt"),
    # Files
    "missing-file": (Status.BAD_FILE, "run nothing.svmb"),
    "missing-source": (Status.BAD_FILE, "build nothing.kr"),
    "folder": (Status.BAD_FILE, "run ."),
    "folder-as-source": (Status.BAD_FILE, "run folder.kr"),
    "unwritable": (Status.BAD_FILE, "asm demo.svmt -o nothing/demo.svmb"),
    # Modules and programs
    "empty": (Status.BAD_MODULE, "run empty.svmb"),
    "truncated": (Status.BAD_MODULE, "run truncated.svmb"),
    "damaged": (Status.BAD_MODULE, "run damaged.svmb"),
    "huge-count": (Status.BAD_MODULE, "run huge.svmb"),
    "invalid": (Status.BAD_MODULE, "asm invalid.svmt"),
    "bad-text": (Status.BAD_MODULE, "asm bad.svmt"),
    "binary-as-text": (Status.BAD_MODULE, "dis binary.svmt"),
    "not-a-program": (Status.BAD_MODULE, "run library.svmt"),
    "start-with-arguments": (Status.BAD_MODULE, "run start.svmt"),
    "hostile-names": (Status.DENIED, "run hostile.svmt"),
    "krait-syntax": (Status.BAD_MODULE, "build syntax.kr"),
    "krait-types": (Status.BAD_MODULE, "run types.kr"),
    "krait-not-utf8": (Status.BAD_MODULE, "run not-utf8.kr"),
}


@pytest.fixture
def bad_files(folder: Path) -> None:
    """The files that the cases speak of."""
    good = Path("demo.svmb").read_bytes()
    files: dict[str, str | bytes] = {
        "empty.svmb": b"",
        "truncated.svmb": good[: len(good) // 2],
        "damaged.svmb": good[:60] + bytes(20) + good[80:],
        "huge.svmb": good[:8] + b"\x02\x05\xff\xff\xff\xff\x0f",
        "binary.svmt": b"module \xff",
        "bad.svmt": "memory 1\nfunc $f\n  i32.frobnicate\nend\n",
        "invalid.svmt": "func $f (result i32)\n  i64.const 1\nend\n",
        "library.svmt": 'func $f\nend\nexport "f" func $f\n',
        "start.svmt": 'func $f (param i32)\nend\nexport "_start" func $f\n',
        "wants.svmt": 'capability "network" "phones home"\nimport "env" "connect" func\nimport "env" "mem" memory 1\n',
        "many.svmt": "".join(f'import "env" "f{index}" func\n' for index in range(30)),
        "types.svmt": 'import "wasi_snapshot_preview1" "fd_write" func (param i64) (result f64)\n',
        "hostile.svmt": 'import "\\1b[2J" "a\\0ab\\e2\\80\\ae" func\n',
    }
    for name, content in (files | SOURCES).items():
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    Path("folder.kr").mkdir()


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize("name", CASES)
def test_a_failure_is_told(cli: Cli, name: str) -> None:
    """Without a traceback of our own code, and without characters that a terminal would act on."""
    status, line = CASES[name]
    result = cli(*line.split())
    assert result.status == status, result.err
    assert not re.search(r'File ".*\.py"|[\x00-\x09\x0b-\x1f\x7f-\x9f]', result.err)
    if status == Status.USAGE and result.err.startswith("Usage"):
        assert "Error: " in result.err  # the rest is in the words of click, which its versions change
        return
    told = f"$ svm {line}\n{result.out}{result.err}"
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text("utf-8")


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} <= CASES.keys()


def test_a_bug_of_ours_is_called_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr("svm.embed.load", broken)
    result = cli("run", "demo.svmb")
    assert result.status == Status.INTERNAL
    assert "ZeroDivisionError: oh no" in result.err and "a bug in svm, not in your program" in result.err


def test_only_krait_sources_are_shown(cli: Cli) -> None:
    """A line table may name any file; its lines may not end up where whoever wrote the module reads them."""
    module = Path("demo.svmt").read_text("utf-8")
    Path("demo.svmt").write_text(module.replace('"demo.kr"', '"secret.txt"'), encoding="utf-8")
    Path("secret.txt").write_text("s3cret\n" * 9, encoding="utf-8")
    result = cli("run", "--invoke", "throw", "demo.svmt")
    assert 'File "secret.txt", line 3, in throw\n' in result.err
    assert "s3cret" not in result.err


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A module with a few bytes changed, taken out or put in."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(8, len(out))
        match rng.randrange(4):
            case 0:
                out[at] = rng.randrange(256)
            case 1:
                del out[at : at + rng.randrange(1, 9)]
            case 2:
                out[at:at] = rng.randbytes(rng.randrange(1, 9))
            case _:
                out[at] ^= 1 << rng.randrange(8)
    return bytes(out)


@pytest.mark.parametrize("count", [200, pytest.param(5_000, marks=pytest.mark.slow)])
def test_damaged_modules_are_told_or_run(cli: Cli, count: int) -> None:
    """None of them is a bug of ours, none takes long, and none takes much memory."""
    data = Path("demo.svmb").read_bytes()
    limits = ("--fuel", "10000", "--memory", "1MiB", "--stack", "16KiB", "--timeout", "5")
    for seed in range(count):
        Path("damaged.svmb").write_bytes(mutated(data, random.Random(seed)))
        for line in (["run", *limits, "damaged.svmb"], ["validate", "damaged.svmb"], ["inspect", "damaged.svmb"]):
            result = cli(*line)
            assert result.status != Status.INTERNAL, f"seed {seed}: {result.err}"
