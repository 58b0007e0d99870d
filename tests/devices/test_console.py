"""The console as a guest sees it, through the calls of WASI: what is granted, and what a wild call gets."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import svm
from svm.devices.wasi import MAX_TRANSFER, MAX_VECTORS, Errno, functions
from svm.isa import I64, FuncType
from svm.module import Export, ExternKind, Import, MemoryType
from svm.module import Module as Model

SIGNATURES = {name: item.type for name, item in functions(svm.Console()).items()}
PAGE = 65536


def module(memory: bool = True) -> svm.Module:
    """A module that imports all calls and exports them again, with a page of memory."""
    types = tuple(dict.fromkeys(SIGNATURES.values()))
    imports = [
        Import("wasi_snapshot_preview1", name, ExternKind.FUNC, types.index(kind)) for name, kind in SIGNATURES.items()
    ]
    exports = [Export(name, ExternKind.FUNC, index) for index, name in enumerate(SIGNATURES)]
    memories = (MemoryType(1),) if memory else ()
    return svm.Module(Model(types=types, imports=tuple(imports), exports=tuple(exports), memories=memories))


@pytest.fixture
def stdout() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def spawn(stdout: io.BytesIO) -> Callable[..., svm.Guest]:
    def make(stdin: Any = None, stdout: Any = stdout, *, memory: bool = True, **options: Any) -> svm.Guest:
        console = svm.Console(stdin or io.BytesIO(), stdout, io.BytesIO(), **options)
        return module(memory).spawn(devices=[console])

    return make


def put(guest: svm.Guest, *vectors: tuple[int, int], at: int = 64) -> int:
    """Put (address, size) pairs into a guest's memory; their address."""
    guest.memory[at : at + 8 * len(vectors)] = b"".join(struct.pack("<II", *each) for each in vectors)
    return at


def number(guest: svm.Guest, at: int) -> int:
    return int.from_bytes(guest.memory[at : at + 4], "little")


def write(guest: svm.Guest, data: bytes, descriptor: int = 1) -> tuple[int, int]:
    """Write through the guest: the error number, and how many bytes were taken."""
    guest.memory[1024 : 1024 + len(data)] = data
    status = guest.call("fd_write", descriptor, put(guest, (1024, len(data))), 1, 0)
    return status, number(guest, 0)


def read(guest: svm.Guest, size: int) -> tuple[int, bytes]:
    status = guest.call("fd_read", 0, put(guest, (1024, size)), 1, 0)
    return status, bytes(guest.memory[1024 : 1024 + number(guest, 0)])


# What is granted


def test_without_a_console_every_use_is_refused() -> None:
    guest = module().spawn()
    assert write(guest, b"x")[0] == Errno.NOTCAPABLE
    assert read(guest, 1)[0] == Errno.NOTCAPABLE
    assert guest.call("args_sizes_get", 0, 4) == guest.call("environ_sizes_get", 8, 12) == 0
    assert guest.memory[:16] == bytes(16)
    assert guest.start("proc_exit", 1).run() == svm.Exited(1, 0)


def test_what_is_asked_for_beyond_it_is_missing() -> None:
    model = Model((FuncType(),), (Import("wasi_snapshot_preview1", "fd_teleport", ExternKind.FUNC, 0),))
    with pytest.raises(svm.LinkError, match=r"'wasi_snapshot_preview1' 'fd_teleport' .* is missing"):
        svm.Module(model).spawn(devices=[svm.Console()])


def test_a_call_imported_as_another_type_is_refused() -> None:
    model = Model((FuncType((I64,), (I64,)),), (Import("wasi_snapshot_preview1", "fd_write", ExternKind.FUNC, 0),))
    with pytest.raises(svm.LinkError, match="incompatible import type"):
        svm.Module(model).spawn(devices=[svm.Console()])


def test_output_goes_to_the_stream(spawn: Callable[..., svm.Guest], stdout: io.BytesIO) -> None:
    guest = spawn()
    assert write(guest, b"hello ") == (0, 6)
    guest.memory[1024:1030] = b"worldx"
    assert guest.call("fd_write", 1, put(guest, (1024, 5), (0, 0), (1029, 1)), 3, 0) == 0
    assert stdout.getvalue() == b"hello worldx"


def test_input_comes_as_it_is_there(spawn: Callable[..., svm.Guest]) -> None:
    receiving, sending = os.pipe()
    with open(receiving, "rb") as stdin, open(sending, "wb", buffering=0) as other:
        guest = spawn(stdin)
        other.write(b"a line\n")
        assert read(guest, 100) == (0, b"a line\n")
        other.write(b"two parts")
        assert read(guest, 3) == (0, b"two")
        assert guest.call("fd_read", 0, put(guest, (1024, 1), (2048, 100)), 2, 0) == 0
        assert (guest.memory[1024:1025], guest.memory[2048:2053]) == (b" ", b"parts")
        other.close()
        assert read(guest, 100) == (0, b"")


def test_arguments_and_environment(spawn: Callable[..., svm.Guest]) -> None:
    guest = spawn(args=["prog", "ä", b"\xff"], environ={"HOME": "/", "EMPTY": ""})
    assert guest.call("args_sizes_get", 0, 4) == 0
    assert (number(guest, 0), number(guest, 4)) == (3, 5 + 3 + 2)
    assert guest.call("args_get", 16, 100) == 0
    assert [number(guest, 16 + 4 * index) for index in range(3)] == [100, 105, 108]
    assert guest.memory[100:110] == b"prog\0\xc3\xa4\0\xff\0"
    assert guest.call("environ_sizes_get", 0, 4) == 0
    assert (number(guest, 0), number(guest, 4)) == (2, 14)
    assert guest.call("environ_get", 16, 100) == 0
    assert guest.memory[100:114] == b"HOME=/\0EMPTY=\0"


def test_exit_is_an_outcome(spawn: Callable[..., svm.Guest]) -> None:
    assert spawn().start("proc_exit", 3).run() == svm.Exited(3, 0)
    with pytest.raises(svm.ExitError) as caught:
        spawn().call("proc_exit", -1)
    assert caught.value.code == 0xFFFF_FFFF


def test_descriptors(spawn: Callable[..., svm.Guest]) -> None:
    guest = spawn()
    assert guest.call("fd_fdstat_get", 1, 0) == 0
    assert struct.unpack_from("<BxHxxxxQQ", guest.memory) == (0, 0, 64, 0)
    assert guest.call("fd_seek", 1, 0, 0, 0) == Errno.SPIPE
    assert guest.call("fd_close", 1) == 0
    assert write(guest, b"x")[0] == Errno.BADF
    assert write(guest, b"x", 2) == (0, 1)
    for name in ("fd_seek", "fd_close", "fd_fdstat_get"):
        assert guest.call(name, *[3] * len(SIGNATURES[name].params)) == Errno.BADF


def test_a_terminal_is_told_from_a_pipe(spawn: Callable[..., svm.Guest]) -> None:
    master, slave = pytest.importorskip("pty").openpty()
    with open(slave, "rb", buffering=0) as terminal, open(master, "wb", buffering=0) as person:
        guest = spawn(terminal)
        assert guest.call("fd_fdstat_get", 0, 0) == 0
        assert guest.memory[0] == 2
        person.write(b"line\nmore")
        assert read(guest, 100) == (0, b"line\n")


# What goes wrong outside


class Failing(io.RawIOBase):
    """A stream that fails as told."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def write(self, data: Any) -> int | None:
        if self.error is not None:
            raise self.error
        return None

    def read(self, size: int = -1) -> bytes | None:
        self.write(b"")
        return None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BrokenPipeError(32, "Broken pipe"), Errno.PIPE),
        (OSError(28, "No space left on device"), Errno.NOSPC),
        (OSError("strange"), Errno.IO),
        (ValueError("I/O operation on closed file"), Errno.BADF),
        (None, Errno.AGAIN),
    ],
)
def test_a_failing_stream_is_an_error_number(
    spawn: Callable[..., svm.Guest], error: Exception | None, expected: Errno
) -> None:
    guest = spawn(Failing(error), Failing(error))
    assert write(guest, b"x")[0] == expected
    assert read(guest, 1)[0] == expected


def test_a_closed_pipe_is_noted() -> None:
    receiving, sending = os.pipe()
    os.close(receiving)
    with open(sending, "wb", buffering=0) as stdout:
        console = svm.Console(stdout=stdout)
        assert console.write(1, b"x") is Errno.PIPE
    assert console.broken_pipe


def test_the_process_own_streams(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ä\nb\n"))
    console = svm.Console()
    print("host", end=" ")
    assert console.write(1, "ä\n".encode()) == 3
    assert capsys.readouterr().out == "host ä\n"
    assert [console.read(0, 2), console.read(0, 9), console.read(0, 9)] == ["ä".encode(), b"\n", b"b\n"]


def test_streams_without_bytes_and_no_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    console = svm.Console(stdout=text)
    for byte in "ä\xff".encode("latin-1") + "ä".encode():
        assert console.write(1, bytes([byte])) == 1
    assert text.getvalue() == "\ufffd\ufffdä"
    monkeypatch.setattr("sys.stdout", None)
    assert svm.Console().write(1, b"x") is Errno.BADF


@pytest.mark.parametrize(
    "options", [{"args": ["a\0b"]}, {"args": ["\ud800"]}, {"environ": {"a=": ""}}, {"environ": {"": ""}}]
)
def test_what_cannot_be_passed_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(svm.UsageError):
        svm.Console(**options)


# What a hostile guest does


def test_wild_addresses_are_faults(spawn: Callable[..., svm.Guest]) -> None:
    guest = spawn(args=["prog"], environ={"a": "b"})
    for wild in (PAGE - 3, PAGE, -4, -(1 << 31)):
        for name in ("args_sizes_get", "args_get", "environ_sizes_get", "environ_get"):
            assert guest.call(name, wild, 0) == Errno.FAULT
            assert guest.call(name, 0, wild) == Errno.FAULT
        assert guest.call("fd_fdstat_get", 0, wild) == Errno.FAULT
        for name in ("fd_read", "fd_write"):
            vectors = put(guest, (1024, 4))
            assert guest.call(name, name == "fd_write", wild, 1, 0) == Errno.FAULT
            assert guest.call(name, name == "fd_write", vectors, 1, wild) == Errno.FAULT
            put(guest, (wild & 0xFFFF_FFFF, 4))
            assert guest.call(name, name == "fd_write", vectors, 1, 0) == Errno.FAULT
            put(guest, (4, wild & 0xFFFF_FFFF))
            assert guest.call(name, name == "fd_write", vectors, 1, 0) == Errno.FAULT


def test_a_fault_writes_nothing(spawn: Callable[..., svm.Guest], stdout: io.BytesIO) -> None:
    guest = spawn()
    vectors = put(guest, (1024, 4), (PAGE, 4))
    assert guest.call("fd_write", 1, vectors, 2, 0) == Errno.FAULT
    assert stdout.getvalue() == b""


def test_transfers_are_bounded(spawn: Callable[..., svm.Guest], stdout: io.BytesIO) -> None:
    guest = spawn()
    for count in (MAX_VECTORS + 1, -1):
        assert guest.call("fd_write", 1, 0, count, 0) == Errno.INVAL
        assert guest.call("fd_read", 0, 0, count, 0) == Errno.INVAL
    put(guest, *[(0, PAGE)] * MAX_VECTORS, at=1024)
    assert guest.call("fd_write", 1, 1024, MAX_VECTORS, 0) == 0
    assert number(guest, 0) == len(stdout.getvalue()) == MAX_TRANSFER


def test_a_guest_without_memory(spawn: Callable[..., svm.Guest]) -> None:
    assert spawn(memory=False).call("fd_write", 1, 0, 0, 0) == Errno.FAULT


STREAMS = (io.BytesIO(b"input" * 99), io.BytesIO(), io.BytesIO())
GUEST = module().spawn(devices=[svm.Console(*STREAMS, args=["a"], environ={"b": "c"})])
WILD = st.one_of(st.integers(-5, 5), st.integers(PAGE - 9, PAGE + 9), st.integers(-(1 << 31), (1 << 31) - 1))


def calls() -> Iterator[st.SearchStrategy[tuple[Any, ...]]]:
    for name in sorted(SIGNATURES.keys() - {"proc_exit", "fd_close"}):
        yield st.tuples(st.just(name), *[WILD] * len(SIGNATURES[name].params))


@settings(deadline=None)
@given(st.binary(max_size=64), st.one_of(*calls()))
def test_any_call_ends_in_an_error_number(memory: bytes, call: tuple[Any, ...]) -> None:
    GUEST.memory[: len(memory)] = memory
    assert GUEST.call(*call) in list(Errno)
