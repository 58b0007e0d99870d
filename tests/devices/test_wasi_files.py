"""Files as a guest sees them through WASI: what is answered, what a wild call gets, and what a full storage does."""

from __future__ import annotations

import dataclasses
import io
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import svm
from svm.devices import DeviceState
from svm.devices.descriptors import MAX_DESCRIPTORS
from svm.devices.storage_state import read_state
from svm.devices.tree import CHARGE, MAX_DEPTH, MAX_FILE_BYTES
from svm.devices.wasi import MAX_TRANSFER, MAX_VECTORS, SIGNATURES, Errno
from tests.conftest import Spawn
from tests.devices.calls import (
    APPEND,
    CREATE,
    DATA,
    DIRECTORY,
    EXCLUSIVE,
    MODULE,
    NAMES,
    READ,
    RESULT,
    STATUS,
    TRUNCATE,
    VECTORS,
    WRITE,
    Ours,
    listed,
    number,
    opened,
    path_call,
    place,
    read,
    rename,
    status_of,
    times_of,
    write,
)

PAGE = 65536
BOTH = READ | WRITE
FILES = {"f": b"hello", "d/g": b"x", "d/e/h": b""}


@pytest.fixture
def ours(engine: str) -> Ours:
    return Ours(FILES, engine)


# What is there


def test_the_root_is_open_from_the_start(ours: Ours) -> None:
    assert ours.call("fd_prestat_get", 3, RESULT) == 0
    assert ours.get(RESULT, 8) == bytes(4) + b"\1\0\0\0"
    assert ours.call("fd_prestat_dir_name", 3, DATA, 1) == 0
    assert ours.get(DATA, 1) == b"/"
    assert ours.call("fd_prestat_dir_name", 3, DATA, 0) == Errno.NAMETOOLONG
    assert ours.call("fd_prestat_get", 4, RESULT) == Errno.BADF
    fd = opened(ours, "f")
    assert ours.call("fd_prestat_get", fd, RESULT) == Errno.BADF
    assert ours.call("fd_prestat_dir_name", fd, DATA, 1) == Errno.NOTDIR


def test_without_a_storage_there_are_no_files(engine: str) -> None:
    guest = MODULE.spawn(engine=engine)
    assert guest.call("fd_prestat_get", 3, 0) == Errno.BADF
    assert guest.call("path_open", 3, 0, 0, 0, 0, 0, 0, 0, 0) == Errno.BADF


def test_streams_stay_what_they_are(engine: str) -> None:
    """Wherever the console stands among the devices."""
    for order in (1, -1):
        out = io.BytesIO()
        devices: list[Any] = [svm.Storage(), svm.Console(io.BytesIO(b"in"), out, io.BytesIO())]
        ours = Ours()
        ours.guest = MODULE.spawn(engine=engine, devices=devices[::order])
        assert write(ours, 1, b"out") == (0, 3)
        assert read(ours, 0, 9) == b"in"
        assert ours.call("fd_seek", 1, 0, 0, RESULT) == Errno.SPIPE
        assert opened(ours, "f", base=1) == -Errno.NOTDIR
        assert write(ours, opened(ours, "f", CREATE, WRITE), b"x") == (0, 1)
        assert (out.getvalue(), devices[0]["f"]) == (b"out", b"x")


def test_a_file_takes_the_place_of_a_stream(engine: str) -> None:
    """As `freopen` has it."""
    out, ours = io.BytesIO(), Ours()
    ours.guest = MODULE.spawn(engine=engine, devices=[ours.storage, svm.Console(io.BytesIO(), out, io.BytesIO())])
    fd = opened(ours, "log", CREATE, WRITE)
    assert ours.call("fd_renumber", fd, 1) == 0
    assert write(ours, 1, b"to the file") == (0, 11)
    assert write(ours, fd, b"x")[0] == Errno.BADF
    assert (out.getvalue(), ours.storage["log"]) == (b"", b"to the file")
    assert ours.call("fd_close", 1) == 0
    assert write(ours, 1, b"x")[0] == Errno.BADF
    assert ours.call("fd_renumber", 3, 99) == ours.call("fd_renumber", 2, 3) - 50 == Errno.BADF
    other = opened(ours, "log")
    assert ours.call("fd_renumber", other, 3) == ours.call("fd_renumber", 3, 3) == 0
    assert read(ours, 3, 99) == b"to the file"


# Opening


@pytest.mark.parametrize(("path", "how", "rights", "answer"), [
    ("f", 0, READ, 4), ("./d/../f", 0, READ, 4), ("d", 0, READ, 4), ("d/", DIRECTORY, READ, 4), (".", 0, READ, 4),
    ("new", CREATE | EXCLUSIVE, BOTH, 4), ("d/e/..", 0, READ, 4), ("d/e/../../f", 0, BOTH, 4),
    ("/", 0, READ, -Errno.PERM),
    ("zz", 0, READ, -Errno.NOENT), ("zz/x", CREATE, WRITE, -Errno.NOENT), ("", 0, READ, -Errno.NOENT),
    ("f", CREATE | EXCLUSIVE, READ, -Errno.EXIST), ("f", DIRECTORY, READ, -Errno.NOTDIR),
    ("f/", 0, READ, -Errno.NOTDIR), ("f/x", 0, READ, -Errno.NOTDIR), ("f/.", 0, READ, -Errno.NOTDIR),
    ("d", 0, WRITE, -Errno.ISDIR), ("d", TRUNCATE, READ, -Errno.ISDIR), ("d", CREATE, READ, -Errno.ISDIR),
    ("new/", CREATE, WRITE, -Errno.ISDIR), ("d", CREATE | DIRECTORY, READ, -Errno.INVAL), ("f", 16, READ, -Errno.INVAL),
    ("..", 0, READ, -Errno.PERM), ("d/../../f", 0, READ, -Errno.PERM), ("/f", 0, READ, -Errno.PERM),
    ("a\0b", CREATE, WRITE, -Errno.INVAL), (b"\xff", 0, READ, -Errno.ILSEQ), ("x" * 256, 0, READ, -Errno.NAMETOOLONG),
    ("x/" * 2049, 0, READ, -Errno.NAMETOOLONG), ("é" * 127, CREATE, WRITE, 4),
])  # fmt: skip
def test_opening(ours: Ours, path: str | bytes, how: int, rights: int, answer: int) -> None:
    assert opened(ours, path, how, rights) == answer


def test_a_directory_is_what_paths_start_from(ours: Ours) -> None:
    d = opened(ours, "d", DIRECTORY)
    assert read(ours, opened(ours, "g", base=d), 9) == b"x"
    assert opened(ours, "../f", base=d) == -Errno.PERM
    assert opened(ours, "x", base=opened(ours, "f")) == -Errno.NOTDIR
    assert rename(ours, "g", "e/k", base=d) == 0
    assert ours.storage["d/e/k"] == b"x"
    assert ours.call("path_rename", d, *place(ours, "e/k"), 99, 6144, 1) == Errno.BADF


def test_descriptors_are_few_and_come_back(ours: Ours) -> None:
    found = [opened(ours, "f") for _ in range(MAX_DESCRIPTORS)]
    assert found[-2:] == [MAX_DESCRIPTORS + 2, -Errno.MFILE]
    assert opened(ours, "new", CREATE, WRITE) == -Errno.MFILE and "new" not in ours.storage
    assert ours.call("fd_close", 77) == 0
    assert opened(ours, "f") == 77


def test_what_a_descriptor_says_of_itself(ours: Ours) -> None:
    assert ours.call("fd_fdstat_get", opened(ours, "f", 0, BOTH, APPEND), STATUS) == 0
    kind, flags, rights, _ = struct.unpack("<BxHxxxxQQ", ours.get(STATUS, 24))
    assert (kind, flags, rights & BOTH) == (4, APPEND, BOTH)
    assert ours.call("fd_fdstat_get", 3, STATUS) == 0
    kind, flags, rights, passed = struct.unpack("<BxHxxxxQQ", ours.get(STATUS, 24))
    assert (kind, flags, rights & BOTH, passed & BOTH) == (3, 0, 0, BOTH)
    fd = opened(ours, "f")
    assert ours.call("fd_fdstat_set_flags", fd, APPEND) == 0
    assert ours.call("fd_fdstat_set_flags", fd, 2) == Errno.INVAL
    assert ours.call("fd_fdstat_set_rights", fd, READ, 0) == Errno.NOTSUP
    assert ours.call("sock_shutdown", fd, 0) == Errno.NOTSOCK


# Bytes


def test_reading_and_writing(ours: Ours) -> None:
    fd = opened(ours, "f", 0, BOTH)
    assert read(ours, fd, 2) == b"he"
    assert write(ours, fd, b"LL") == (0, 2)
    assert read(ours, fd, 9) == b"o" and read(ours, fd, 9) == b""
    assert read(ours, fd, 3, offset=1) == b"eLL"
    assert write(ours, fd, b"!", offset=9) == (0, 1)
    assert ours.storage["f"] == b"heLLo\0\0\0\0!"
    assert ours.call("fd_tell", fd, RESULT) == 0 and number(ours, size=8) == 5
    for whence, offset, result in ((0, 7, 7), (1, -3, 4), (2, 2, 12), (0, 1 << 40, 1 << 40)):
        assert ours.call("fd_seek", fd, offset, whence, RESULT) == 0
        assert number(ours, size=8) == result
    assert read(ours, fd, 9) == b""
    for whence, offset in ((0, -1), (2, -11), (1, (1 << 63) - 1), (3, 0)):
        assert ours.call("fd_seek", fd, offset, whence, RESULT) == Errno.INVAL
    assert write(ours, fd, b"x")[0] == Errno.FBIG
    assert write(ours, fd, b"", offset=1 << 41) == (0, 0)
    assert read(ours, fd, 1, offset=-1) == write(ours, fd, b"x", offset=-1)[0] == Errno.INVAL


def test_what_was_not_opened_for_it(ours: Ours) -> None:
    reads, writes = opened(ours, "f"), opened(ours, "f", 0, WRITE)
    assert write(ours, reads, b"x")[0] == write(ours, reads, b"x", offset=0)[0] == Errno.BADF
    assert read(ours, writes, 1) == read(ours, writes, 1, offset=0) == Errno.BADF
    assert ours.call("fd_filestat_set_size", reads, 0) == Errno.INVAL
    assert ours.call("fd_allocate", reads, 0, 9) == Errno.BADF
    assert read(ours, 3, 1) == write(ours, 3, b"x")[0] == ours.call("fd_seek", 3, 0, 0, RESULT) == Errno.BADF
    assert ours.call("fd_advise", 3, 0, 0, 0) == ours.call("fd_tell", 3, RESULT) == Errno.BADF
    assert ours.call("fd_sync", 3) == ours.call("fd_datasync", reads) == ours.call("fd_advise", reads, 0, 0, 5) == 0


def test_appending_and_truncating(ours: Ours) -> None:
    fd = opened(ours, "f", 0, WRITE, APPEND)
    assert write(ours, fd, b"1") == (0, 1)
    ours.storage["f"] = b"anew"
    assert write(ours, fd, b"2") == (0, 1)
    assert ours.storage["f"] == b"anew2"
    opened(ours, "f", TRUNCATE, WRITE)
    assert ours.storage["f"] == b""


def test_sizes(ours: Ours) -> None:
    fd = opened(ours, "f", 0, BOTH)
    assert ours.call("fd_filestat_set_size", fd, 3) == 0 and status_of(ours, fd) == (0, 4, 3)
    assert ours.call("fd_filestat_set_size", fd, 9000) == 0 and ours.storage["f"] == b"hel" + bytes(8997)
    assert ours.call("fd_allocate", fd, 8000, 1001) == 0 and status_of(ours, "f") == (0, 4, 9001)
    assert ours.call("fd_allocate", fd, 0, 1) == 0 and status_of(ours, "f") == (0, 4, 9001)
    assert ours.call("fd_allocate", fd, 0, 0) == ours.call("fd_filestat_set_size", fd, -1) == Errno.INVAL
    assert ours.call("fd_allocate", fd, -1, 1) == ours.call("fd_filestat_set_size", fd, 1 << 32) == Errno.FBIG
    assert ours.call("fd_filestat_set_size", fd, MAX_FILE_BYTES) == 0  # nothing but zeros takes no memory
    assert read(ours, fd, 5, offset=MAX_FILE_BYTES - 2) == bytes(2)
    assert write(ours, fd, b"abc", offset=MAX_FILE_BYTES - 2) == (0, 2)


def test_one_call_moves_no_more_than_others_do(engine: str) -> None:
    ours = Ours({"f": bytes(3 * MAX_TRANSFER)}, engine)
    fd = opened(ours, "f", 0, BOTH)
    ours.put(VECTORS, struct.pack("<II", 1024, PAGE - 1024) * 40)
    assert ours.call("fd_read", fd, VECTORS, 40, RESULT) == 0 and number(ours) == MAX_TRANSFER
    ours.put(VECTORS, struct.pack("<II", 1024, PAGE - 1024) * 40)
    assert ours.call("fd_write", fd, VECTORS, 40, RESULT) == 0 and number(ours) == MAX_TRANSFER
    assert ours.call("fd_read", fd, VECTORS, MAX_VECTORS + 1, RESULT) == Errno.INVAL
    assert ours.call("fd_read", fd, VECTORS, 1, PAGE - 3) == Errno.FAULT
    assert ours.call("fd_tell", fd, RESULT) == 0 and number(ours, size=8) == 2 * MAX_TRANSFER


# Directories


def test_directories_are_made_and_removed(ours: Ours) -> None:
    make, remove = "path_create_directory", "path_remove_directory"
    assert path_call(ours, make, "n") == path_call(ours, make, "n/m/") == 0
    assert path_call(ours, make, "n") == path_call(ours, make, "f") == path_call(ours, make, ".") == Errno.EXIST
    assert path_call(ours, make, "zz/x") == path_call(ours, remove, "zz") == Errno.NOENT
    assert path_call(ours, make, "f/x") == path_call(ours, remove, "f") == Errno.NOTDIR
    assert path_call(ours, remove, "n") == Errno.NOTEMPTY
    assert path_call(ours, remove, ".") == path_call(ours, remove, "n/m/..") == Errno.INVAL
    assert path_call(ours, remove, "n/m") == path_call(ours, remove, "n/") == 0
    assert ours.storage.directories == ("d", "d/e")
    assert path_call(ours, "path_unlink_file", "d") == path_call(ours, "path_unlink_file", ".") == Errno.ISDIR
    assert path_call(ours, "path_unlink_file", "zz") == Errno.NOENT
    assert path_call(ours, "path_unlink_file", "f/") == Errno.NOTDIR
    assert path_call(ours, "path_unlink_file", "f") == 0
    assert list(ours.storage) == ["d/g", "d/e/h"]


def test_directories_are_not_too_deep(ours: Ours) -> None:
    for depth in range(1, MAX_DEPTH + 1):
        assert path_call(ours, "path_create_directory", "x/" * depth) == 0
    assert path_call(ours, "path_create_directory", "x/" * (MAX_DEPTH + 1)) == Errno.NAMETOOLONG
    assert opened(ours, "x/" * MAX_DEPTH + "file", CREATE, WRITE) > 3
    assert rename(ours, "d", "x/" * MAX_DEPTH + "d") == Errno.NAMETOOLONG
    assert rename(ours, "d", "x/" * (MAX_DEPTH - 1) + "d") == Errno.NAMETOOLONG  # it has a directory in it
    assert rename(ours, "d", "x/" * (MAX_DEPTH - 2) + "d") == 0
    assert rename(ours, "x", "y") == 0


def test_what_is_open_stays_when_it_has_no_name_any_more(ours: Ours) -> None:
    before = ours.storage.used
    fd, d = opened(ours, "f", 0, BOTH), opened(ours, "d/e")
    assert path_call(ours, "path_unlink_file", "f") == 0
    assert write(ours, fd, b"still", offset=5) == (0, 5) and read(ours, fd, 99) == b"hellostill"
    assert "f" not in ours.storage and ours.storage.used == before - 1 + 5
    other = opened(ours, "f", CREATE, WRITE)
    assert write(ours, other, b"!") == (0, 1) and read(ours, fd, 99, offset=0) == b"hellostill"
    assert ours.call("fd_close", fd) == 0 and ours.storage.used == before - 4
    assert path_call(ours, "path_unlink_file", "d/e/h") == path_call(ours, "path_remove_directory", "d/e") == 0
    assert opened(ours, "x", CREATE, WRITE, base=d) == -Errno.NOENT
    assert path_call(ours, "path_create_directory", "x", base=d) == Errno.NOENT
    assert ours.call("path_rename", 3, *place(ours, "f"), d, *place(ours, "x", 6144)) == Errno.NOENT
    assert ours.call("path_rename", 3, *place(ours, "d"), d, *place(ours, "x", 6144)) == Errno.NOENT
    found = listed(ours, d)
    assert isinstance(found, list) and [name for _, name, _ in found] == [".", ".."]
    del ours.storage["d/g"]
    assert path_call(ours, "path_remove_directory", "d") == 0
    assert listed(ours, d) == found  # the directory that it was in is gone, too


def test_names_are_changed(ours: Ours) -> None:
    before = ours.storage.used
    assert rename(ours, "f", "d/g") == 0 and ours.storage["d/g"] == b"hello"
    assert ours.storage.used == before - CHARGE - len("f") - len("x")
    assert rename(ours, "d/g", "longer") == rename(ours, "longer", "longer") == 0
    assert rename(ours, "d", "n") == rename(ours, "n/e", "e") == rename(ours, "e", "n/e") == 0
    assert dict(ours.storage) == {"longer": b"hello", "n/e/h": b""}
    assert path_call(ours, "path_create_directory", "empty") == rename(ours, "n", "empty/") == 0
    for old, new, answer in (
        ("zz", "x", Errno.NOENT), ("longer", "zz/x", Errno.NOENT), ("longer", "empty", Errno.ISDIR),
        ("empty", "longer", Errno.NOTDIR), ("empty", "empty/e/x", Errno.INVAL), ("empty", "empty/x", Errno.INVAL),
        ("empty/e", "empty", Errno.NOTEMPTY), ("empty/e/h", "empty", Errno.NOTEMPTY), (".", "x", Errno.BUSY),
        ("empty", ".", Errno.BUSY), ("longer", "x/", Errno.NOTDIR), ("longer/", "x", Errno.NOTDIR),
        ("../x", "y", Errno.PERM), ("longer", "..", Errno.PERM), ("longer", "x" * 256, Errno.NAMETOOLONG),
    ):  # fmt: skip
        assert rename(ours, old, new) == answer, (old, new)
    assert dict(ours.storage) == {"longer": b"hello", "empty/e/h": b""}


def test_a_listing_goes_on_whatever_is_removed(engine: str) -> None:
    """As `rm -r` does: in parts, with what was read removed before the next part."""
    ours = Ours({f"file{n:02}": b"" for n in range(50)}, engine)
    found, cookie = [], 0
    while (part := listed(ours, 3, 100, cookie)) and isinstance(part, list):
        cookie = part[-1][0]
        for _, name, kind in part:
            found.append(name)
            if kind == 4:
                assert path_call(ours, "path_unlink_file", name) == 0
    assert found == [".", "..", *(f"file{n:02}" for n in range(50))]
    assert not len(ours.storage)
    assert listed(ours, 3, 23) == [] and number(ours) == 23  # a cut entry tells a caller that there are more
    assert listed(ours, 3, 8192, 1 << 40) == [] and number(ours) == 0
    assert listed(ours, opened(ours, "x", CREATE, WRITE)) == Errno.BADF


def test_times_are_those_that_are_set(ours: Ours) -> None:
    assert times_of(ours, "f") == (0, 0)
    fd = opened(ours, "f", 0, BOTH)
    assert ours.call("fd_filestat_set_times", fd, 7, 8, 1 | 4) == 0 and times_of(ours, "f") == (7, 8)
    assert ours.call("path_filestat_set_times", 3, 1, *place(ours, "f"), 9, 0, 1 | 8) == 0
    assert times_of(ours, "f") == (9, 0)
    assert ours.call("fd_filestat_set_times", fd, 0, 0, 3) == Errno.INVAL
    assert ours.call("path_filestat_set_times", 3, 1, *place(ours, "zz"), 0, 0, 12) == Errno.INVAL
    assert ours.call("path_filestat_set_times", 3, 1, *place(ours, "zz"), 0, 0, 1) == Errno.NOENT


def test_times_are_the_host_s_where_it_gives_them(engine: str) -> None:
    now = [1_234_567_890]
    ours = Ours({"f": b""}, engine, realtime=lambda: now[0])
    assert times_of(ours, "f") == (1_234_567_000, 1_234_567_000)
    now[0] += 1_000_000
    write(ours, opened(ours, "f", 0, WRITE), b"x")
    assert times_of(ours, "f") == (1_234_567_000, 1_235_567_000)


def test_links_are_not_there(ours: Ours) -> None:
    assert ours.call("path_link", 3, 0, *place(ours, "f"), 3, *place(ours, "l", 6144)) == Errno.NOTSUP
    assert ours.call("path_symlink", *place(ours, "f"), 3, *place(ours, "l", 6144)) == Errno.NOTSUP
    assert ours.call("path_symlink", *place(ours, "f"), 9, *place(ours, "l", 6144)) == Errno.BADF
    assert ours.call("path_readlink", 3, *place(ours, "f"), DATA, 9, RESULT) == Errno.INVAL
    assert ours.call("path_readlink", 3, *place(ours, "zz"), DATA, 9, RESULT) == Errno.NOENT


def test_what_is_to_be_read_only(engine: str) -> None:
    ours = Ours(FILES, engine, read_only=True)
    fd = opened(ours, "f")
    assert read(ours, fd, 9) == b"hello"
    for how, rights in ((0, WRITE), (CREATE, READ), (TRUNCATE, READ)):
        assert opened(ours, "f", how, rights) == -Errno.PERM
    for name in ("path_create_directory", "path_remove_directory", "path_unlink_file"):
        assert path_call(ours, name, "f") == Errno.PERM
    assert rename(ours, "f", "x") == ours.call("fd_filestat_set_size", fd, 0) == Errno.PERM
    assert ours.call("fd_filestat_set_times", fd, 0, 0, 1) == Errno.PERM
    assert ours.call("path_filestat_set_times", 3, 0, *place(ours, "f"), 0, 0, 1) == Errno.PERM
    ours.storage["f"] = b"by the host"
    assert read(ours, fd, 99) == b"e host"
    assert ours.call("fd_fdstat_get", 3, STATUS) == 0
    assert struct.unpack("<16xQ", ours.get(STATUS, 24))[0] & WRITE == WRITE  # else a C library would not ask for it


# The limit


def stopped(ours: Ours, name: str, *args: int) -> svm.Task:
    """The call that finds no room, which can go on."""
    with pytest.raises(svm.LimitError, match=r"the limit of storage, \d+ bytes, is reached") as caught:
        ours.call(name, *args)
    assert caught.value.limit == "storage" and caught.value.value == ours.guest.limits.storage
    assert ours.guest.task is not None
    outcome = ours.guest.task.run()
    assert isinstance(outcome, svm.Paused) and outcome.reason == "storage"
    return ours.guest.task


def raised(ours: Ours, task: svm.Task, limit: int | None) -> Any:
    ours.guest.limits = dataclasses.replace(ours.guest.limits, storage=limit)
    return task.run().value


def test_what_finds_no_room_waits_for_it(engine: str) -> None:
    limit = CHARGE + 1 + 10
    ours = Ours({}, engine, limits=svm.Limits(storage=limit))
    fd = opened(ours, "f", CREATE, BOTH)
    assert write(ours, fd, b"0123456") == (0, 7)
    assert write(ours, fd, b"789ab") == (0, 3) and ours.storage.used == limit
    ours.put(DATA, b"ab")
    ours.put(VECTORS, struct.pack("<II", DATA, 2))
    task = stopped(ours, "fd_write", fd, VECTORS, 1, RESULT)
    assert raised(ours, task, limit + 1) == 0 and ours.storage["f"] == b"0123456789a"
    assert write(ours, fd, b"XY", offset=9) == (0, 2)  # what is there already needs no room
    assert ours.call("fd_filestat_set_size", fd, 2) == 0
    assert raised(ours, stopped(ours, "fd_filestat_set_size", fd, 13), limit + 3) == 0
    assert raised(ours, stopped(ours, "fd_allocate", fd, 10, 4), limit + 4) == 0
    assert ours.storage["f"] == b"01" + bytes(12)


def test_what_makes_a_file_waits_for_room_too(engine: str) -> None:
    ours = Ours({"f": b""}, engine, limits=svm.Limits(storage=2 * CHARGE))
    task = stopped(ours, "path_open", 3, 0, *place(ours, "gg"), CREATE, BOTH, 0, 0, RESULT)
    assert "gg" not in ours.storage
    assert raised(ours, task, 2 * CHARGE + 3) == 0 and ours.storage["gg"] == b""
    task = stopped(ours, "path_create_directory", 3, *place(ours, "d"))
    assert raised(ours, task, 3 * CHARGE + 4) == 0 and ours.storage.directories == ("d",)
    task = stopped(ours, "path_rename", 3, *place(ours, "f"), 3, *place(ours, "ff", 6144))
    task.cancel()
    assert rename(ours, "gg", "f") == 0
    assert rename(ours, "f", "ff") == 0  # there is room again


def test_a_hole_needs_room_as_well(engine: str) -> None:
    ours = Ours({"f": b"x"}, engine, limits=svm.Limits(storage=CHARGE + 1 + 10))
    fd = opened(ours, "f", 0, BOTH)
    ours.put(VECTORS, struct.pack("<II", DATA, 3))
    task = stopped(ours, "fd_pwrite", fd, VECTORS, 1, 10, RESULT)
    assert raised(ours, task, CHARGE + 1 + 11) == 0
    assert number(ours) == 1 and len(ours.storage["f"]) == 11


def test_what_the_host_puts_in_is_not_refused_but_counts(engine: str) -> None:
    ours = Ours({}, engine, limits=svm.Limits(storage=100))
    ours.storage["f"] = bytes(1000)
    assert ours.storage.used == 1000 + CHARGE + 1
    fd = opened(ours, "f", 0, BOTH)
    assert write(ours, fd, b"x") == (0, 1)
    stopped(ours, "fd_filestat_set_size", fd, 1001).cancel()
    assert ours.call("fd_filestat_set_size", fd, 10) == 0


NESTED = """
    import "host" "ask" func $ask (result i32)
    import "wasi_snapshot_preview1" "path_create_directory" func $mkdir (param i32 i32 i32) (result i32)
    memory 1
    data active at (i32.const 0) "dir"
    func $make (result i32)
      i32.const 3
      i32.const 0
      i32.const 3
      call $mkdir
    end
    func $outer (result i32)
      call $ask
    end
    export "make" func $make
    export "outer" func $outer
    """


def test_inside_of_a_host_function_the_limit_is_raised_there(spawn: Spawn) -> None:
    storage = svm.Storage()
    guest = spawn(
        NESTED, devices=[storage], limits=svm.Limits(storage=10), host={"ask": lambda: guest.call("make") + 100}
    )
    with pytest.raises(svm.LimitError, match="the limit of storage, 10 bytes"):
        guest.call("outer")
    assert guest.task is None and storage.directories == ()
    guest.limits = svm.Limits(storage=1000)
    assert guest.call("outer") == 100 and storage.directories == ("dir",)


# Wild calls

WILD = st.one_of(
    st.integers(-5, 9), st.integers(PAGE - 50, PAGE + 9), st.integers(-(1 << 31), (1 << 31) - 1), st.just(PAGE // 2)
)
LONG = st.one_of(st.integers(-9, 9), st.integers(-(1 << 63), (1 << 63) - 1), st.just(1 << 32))
CALL = st.sampled_from(NAMES).flatmap(
    lambda name: st.tuples(st.just(name), *[WILD if letter == "i" else LONG for letter in SIGNATURES[name]])
)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200), st.lists(CALL, max_size=8))
def test_any_call_ends_in_an_error_number(memory: bytes, calls: list[tuple[Any, ...]]) -> None:
    ours = Ours(FILES, "interpreter", limits=svm.Limits(storage=1 << 34))
    ours.put(0, memory)
    ours.put(PAGE // 2, b"d/n")
    for call in calls:
        try:
            assert ours.call(*call) in list(Errno)
        except svm.LimitError:
            assert ours.guest.task is not None
            ours.guest.task.cancel()
    check_charges(ours.storage)


def check_charges(storage: svm.Storage) -> None:
    """What is charged is what a reader of the state counts anew."""
    state = DeviceState(storage.state().data())
    assert storage.used == read_state(storage, state, None).image.used
