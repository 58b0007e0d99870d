"""WASI beyond the console: the clock, entropy, what was not granted and what is not there."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import svm
from svm.devices import NoConsole
from svm.devices.entropy import MAX_RANDOM
from svm.devices.wasi import MAX_VECTORS, SIGNATURES, Errno
from svm.isa import I32, I64, FuncType
from svm.module import Export, ExternKind, Import, MemoryType
from svm.module import Module as Model

PAGE = 65536
CALLS = {name: item.type or FuncType() for name, item in NoConsole().imports()["wasi_snapshot_preview1"].items()}


def module(pages: int = 1) -> svm.Module:
    """A module that imports all calls of WASI and exports them again."""
    types = tuple(dict.fromkeys(CALLS.values()))
    imports = [Import("wasi_snapshot_preview1", name, ExternKind.FUNC, types.index(CALLS[name])) for name in CALLS]
    exports = [Export(name, ExternKind.FUNC, index) for index, name in enumerate(CALLS)]
    memories = (MemoryType(pages),)
    return svm.Module(Model(types=types, imports=tuple(imports), exports=tuple(exports), memories=memories))


class Time:
    """A clock's world: what time it is, and how long was slept."""

    def __init__(self) -> None:
        self.now = 5_000_000_000
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1e9)


@pytest.fixture
def world() -> Time:
    return Time()


@pytest.fixture
def guest(world: Time) -> svm.Guest:
    clock = svm.Clock(realtime=lambda: 10**18 + world.now, monotonic=lambda: world.now, sleep=world.sleep)
    return module().spawn(devices=[clock, svm.Entropy(lambda size: b"\xab" * size)])


def long(guest: svm.Guest, at: int) -> int:
    return int.from_bytes(guest.memory[at : at + 8], "little")


def test_all_calls_of_preview_1_can_be_imported() -> None:
    assert CALLS.keys() == SIGNATURES.keys()
    assert CALLS["path_open"] == FuncType((I32, I32, I32, I32, I32, I64, I64, I32, I32), (I32,))


def test_times(guest: svm.Guest, world: Time) -> None:
    assert guest.call("clock_time_get", 0, 0, 8) == Errno.SUCCESS
    assert long(guest, 8) == 10**18 + 5_000_000_000
    world.now += 1_234_567
    assert guest.call("clock_time_get", 1, 0, 8) == Errno.SUCCESS
    assert long(guest, 8) == 1_234_000  # from the making of the device, in microseconds
    assert guest.call("clock_res_get", 0, 8) == Errno.SUCCESS
    assert long(guest, 8) == 1000
    assert guest.call("clock_time_get", 2, 0, 8) == Errno.INVAL
    assert guest.call("clock_res_get", 9, 8) == Errno.INVAL
    assert guest.call("clock_time_get", 0, 0, PAGE - 7) == Errno.FAULT


def subscriptions(guest: svm.Guest, *entries: tuple[int, int, int, int, int]) -> None:
    """Put subscriptions (data, kind, clock, timeout, flags) at 0."""
    for index, (data, kind, clock, timeout, flags) in enumerate(entries):
        packed = struct.pack("<QB7xI4xQQH6x", data, kind, clock, timeout, 0, flags)
        guest.memory[48 * index : 48 * index + 48] = packed


def events(guest: svm.Guest) -> list[tuple[int, int, int]]:
    """Data, error and kind of the events at 4096, whose count is at 8192."""
    count = int.from_bytes(guest.memory[8192:8196], "little")
    data = bytes(guest.memory[4096 : 4096 + 32 * count])
    return [struct.unpack_from("<QHB", data, at) for at in range(0, 32 * count, 32)]


def poll(guest: svm.Guest, *entries: tuple[int, int, int, int, int]) -> list[tuple[int, int, int]]:
    subscriptions(guest, *entries)
    assert guest.call("poll_oneoff", 0, 4096, len(entries), 8192) == Errno.SUCCESS
    return events(guest)


def test_waiting_for_the_first_of_some_times(guest: svm.Guest, world: Time) -> None:
    assert poll(guest, (7, 0, 0, 3_000_000_000, 0), (8, 0, 1, 2_000_000_000, 0)) == [(8, 0, 0)]
    assert world.slept == [2.0]


def test_waiting_until(guest: svm.Guest, world: Time) -> None:
    assert poll(guest, (7, 0, 0, 10**18 + 6_000_000_000, 1)) == [(7, 0, 0)]
    assert poll(guest, (7, 0, 0, 5, 1)) == [(7, 0, 0)]  # long ago
    assert world.slept == [1.0]


def test_a_long_wait_ends_early_and_says_so(guest: svm.Guest, world: Time) -> None:
    assert poll(guest, (7, 0, 0, (1 << 64) - 1, 0)) == [(7, Errno.INTR, 0)]
    assert world.slept == [60.0]


def test_streams_and_clocks_that_are_not_there_cannot_be_waited_for(guest: svm.Guest, world: Time) -> None:
    wait = (7, 0, 0, 10**9, 0)
    assert poll(guest, wait, (8, 1, 0, 0, 0), (9, 0, 5, 0, 0)) == [(8, Errno.NOTSUP, 1), (9, Errno.NOTSUP, 0)]
    assert world.slept == []


def test_bad_arguments_of_a_wait(guest: svm.Guest) -> None:
    assert guest.call("poll_oneoff", 0, 4096, 0, 8192) == Errno.INVAL
    assert guest.call("poll_oneoff", 0, 4096, MAX_VECTORS + 1, 8192) == Errno.INVAL
    assert guest.call("poll_oneoff", PAGE - 47, 4096, 1, 8192) == Errno.FAULT
    assert guest.call("poll_oneoff", 0, PAGE - 31, 1, 8192) == Errno.FAULT
    assert guest.call("poll_oneoff", 0, 4096, 1, PAGE - 3) == Errno.FAULT


def test_a_clock_that_may_not_wait_is_no_clock() -> None:
    with pytest.raises(svm.UsageError, match="longest_wait must be positive"):
        svm.Clock(longest_wait=0)


def test_random_bytes(guest: svm.Guest) -> None:
    assert guest.call("random_get", 10, 5) == Errno.SUCCESS
    assert bytes(guest.memory[9:16]) == b"\0" + b"\xab" * 5 + b"\0"
    assert guest.call("random_get", PAGE - 4, 5) == Errno.FAULT
    assert guest.call("random_get", PAGE, 0) == Errno.SUCCESS


def test_random_bytes_are_those_of_the_system_and_not_without_end() -> None:
    guest = module(pages=1 + MAX_RANDOM // PAGE).spawn(devices=[svm.Entropy()])
    assert guest.call("random_get", 0, MAX_RANDOM) == Errno.SUCCESS
    assert len(set(guest.memory[MAX_RANDOM - 5000 : MAX_RANDOM])) == 256
    assert guest.call("random_get", 0, MAX_RANDOM + 1) == Errno.INVAL


def test_what_was_not_granted_is_refused_and_what_is_not_there_says_so() -> None:
    guest = module().spawn()
    for name in ("clock_time_get", "clock_res_get", "random_get", "poll_oneoff"):
        assert guest.call(name, *[0] * len(CALLS[name].params)) == Errno.NOTCAPABLE
    assert guest.call("proc_raise", 6) == Errno.NOSYS
    assert guest.call("sched_yield") == Errno.SUCCESS


def test_a_console_has_no_files() -> None:
    guest = module().spawn(devices=[svm.Console(io.BytesIO(), io.BytesIO(), io.BytesIO())])

    def answer(name: str, descriptor: int) -> Any:
        return guest.call(name, descriptor, *[0] * (len(CALLS[name].params) - 1))

    assert answer("fd_prestat_get", 3) == answer("fd_prestat_get", 0) == Errno.BADF
    assert answer("path_open", 3) == Errno.BADF
    assert answer("path_open", 1) == answer("fd_readdir", 1) == Errno.NOTDIR
    assert answer("fd_seek", 1) == answer("fd_pread", 0) == Errno.SPIPE
    assert answer("sock_send", 1) == Errno.NOTSOCK
    assert guest.call("fd_fdstat_set_flags", 1, 0) == Errno.SUCCESS
    assert guest.call("fd_fdstat_set_flags", 1, 4) == Errno.INVAL
    guest.memory[0:64] = b"\xff" * 64
    assert guest.call("fd_filestat_get", 1, 0) == Errno.SUCCESS
    assert bytes(guest.memory[0:65]) == bytes(64) + b"\0"


WILD = st.one_of(st.integers(-5, 5), st.integers(PAGE - 50, PAGE + 9), st.integers(-(1 << 31), (1 << 31) - 1))
GUEST = module().spawn(devices=[svm.Clock(sleep=lambda seconds: None), svm.Entropy(bytes)])
OTHERS = ("clock_res_get", "clock_time_get", "poll_oneoff", "random_get", "path_open", "fd_filestat_get", "fd_readdir")
ANY: Callable[[str], st.SearchStrategy[tuple[Any, ...]]] = lambda name: st.tuples(  # noqa: E731
    st.just(name), *[WILD] * len(CALLS[name].params)
)


@settings(deadline=None)
@given(st.binary(max_size=200), st.one_of(*map(ANY, OTHERS)))
def test_any_call_ends_in_an_error_number(memory: bytes, call: tuple[Any, ...]) -> None:
    GUEST.memory[: len(memory)] = memory
    assert GUEST.call(*call) in list(Errno)
