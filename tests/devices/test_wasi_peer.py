"""Files here and under wasmtime: the same calls get the same error numbers, bytes, sizes and names.

Where the two part on purpose, the calls are not made, or the answers not compared:

- a directory's path that ends in a slash can be removed here, as by POSIX; wasmtime says `INVAL`;
- a call that takes a path says `NOTDIR` here of a descriptor of a file, as POSIX; wasmtime says `BADF`, except for
  `path_open`;
- a file that was opened to be read, and made or cut by that, cannot be written to here; there `fd_pwrite` and
  `fd_filestat_set_size` do;
- `fd_pwrite` writes where it is told to, also to a file to which bytes are appended; on Linux, not there;
- where two things are wrong with one call, the other may be named.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from svm.devices.wasi import Errno
from svm.wasm import write as to_wasm
from tests.devices.calls import (
    CREATE,
    DATA,
    DIRECTORY,
    EXCLUSIVE,
    READ,
    RESULT,
    STATUS,
    TRUNCATE,
    WRITE,
    Calls,
    Ours,
    forwarder,
    listed,
    number,
    opened,
    path_call,
    place,
    read,
    status_of,
    write,
)

wasmtime = pytest.importorskip("wasmtime", reason="the oracle is not installed: pip install wasmtime")

FILES = {"f": b"hello", "d/g": b"x", "d/e/h": b""}
PATHS = (
    "f", "d", "d/g", "d/e", "empty", "new", "zz/x", "..", ".", "", "/a", "f/x", "d/..", "d/e/..", "d/", "f/", "new/",
    "d/../f", "d/e/x", "empty/k", "../x", "d/new", "d/../../x",
)  # fmt: skip
WILD = ("x" * 256, b"\xff", b"a\0b")


@pytest.fixture(scope="module")
def compiled() -> Any:
    """The engine, and the module for it."""
    engine = wasmtime.Engine()
    return engine, wasmtime.Module(engine, to_wasm(forwarder()))


class Theirs:
    """The guest under wasmtime, with a directory."""

    def __init__(self, folder: Path, read_only: bool, compiled: Any) -> None:
        for path, data in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        (folder / "empty").mkdir()
        engine, module = compiled
        config = wasmtime.WasiConfig()
        config.preopen_dir(str(folder), "/", not read_only)
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(config)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self._exports = linker.instantiate(self._store, module).exports(self._store)

    def call(self, name: str, *args: int) -> int:
        return int(self._exports[name](self._store, *args))

    def put(self, at: int, data: bytes) -> None:
        self._exports["memory"].write(self._store, data, at)

    def get(self, at: int, size: int) -> bytes:
        return bytes(self._exports["memory"].read(self._store, at, at + size))


PATH_CALLS = ("path_create_directory", "path_remove_directory", "path_unlink_file")
OPERATIONS = (
    *["open"] * 4, *PATH_CALLS, "rename", "rename", "status", "own status", "read", "read", "write", "write", "seek",
    "size", "list", "close", "times", "path times", "flags", "says", "prestat", "readlink",
)  # fmt: skip


def made(of: Calls, fds: list[int], operation: str, random: Random) -> Any:
    """Do something, the same for the same state of `random`; what came of it."""
    at = random.randrange(len(fds))
    fd, base = fds[at], fds[at if random.random() < 0.3 else 0]
    plain, other = random.choice(PATHS), random.choice(PATHS)
    path: str | bytes = plain
    if random.random() < 0.05:
        path, base = random.choice(WILD), fds[0]
    offset, whence = random.choice((0, 3, 7, -1)), random.randrange(3)
    flags = random.choice((0, 4, 2, 1))
    times = random.choice((1, 4, 5, 10, 3, 12))
    match operation:
        case "open":
            how = random.choice((0, 0, CREATE, DIRECTORY, CREATE | EXCLUSIVE, TRUNCATE))
            found = opened(of, path, how, READ | WRITE if how & ~DIRECTORY else random.choice((READ, WRITE)), 0, base)
            if found > 0:
                fds.append(found)
            return min(found, 0)
        case "path_create_directory" | "path_remove_directory" | "path_unlink_file":
            return path_call(of, operation, path, base)
        case "rename":
            return of.call("path_rename", base, *place(of, plain), base, *place(of, other, 6144))
        case "status":
            return status_of(of, plain)
        case "own status":
            return status_of(of, fd)
        case "read":
            return read(of, fd, 4, None if whence else abs(offset))
        case "write":
            return write(of, fd, b"wxyz"[: whence + 1], None if whence else abs(offset))
        case "seek":
            status = of.call("fd_seek", fd, offset, whence, RESULT)
            return status, 0 if status else number(of, size=8), of.call("fd_tell", fd, RESULT)
        case "size":
            return of.call("fd_filestat_set_size", fd, abs(offset) * 1000)
        case "list":
            found_ = listed(of, fd)
            return found_ if isinstance(found_, int) else sorted((name, kind) for _, name, kind in found_)
        case "close":
            return of.call("fd_close", fds.pop(at)) if at else 0
        case "times":
            return of.call("fd_filestat_set_times", fd, 1000, 2000, times)
        case "path times":
            return of.call("path_filestat_set_times", base, 1, *place(of, path), 1000, 2000, times)
        case "flags":
            return of.call("fd_fdstat_set_flags", fd, flags & ~1)
        case "says":
            status = of.call("fd_fdstat_get", fd, STATUS)
            return status, of.get(STATUS, 1)
        case "prestat":
            return of.call("fd_prestat_get", fd, RESULT), of.call("fd_prestat_dir_name", fd, DATA, 1)
        case _:
            return of.call("path_readlink", base, *place(of, path), DATA, 9, RESULT)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("batch", range(4))
def test_the_same_calls_get_the_same_answers(
    engine: str, batch: int, read_only: bool, tmp_path: Path, compiled: Any
) -> None:
    for seed in range(batch * 10, batch * 10 + 10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        ours, theirs = Ours(FILES, engine, read_only=read_only), Theirs(folder, read_only, compiled)
        ours.storage.make_directory("empty")
        random, same = Random(seed), Random()
        fds: tuple[list[int], list[int]] = ([3], [3])
        log = []
        for _ in range(60):
            operation = random.choice(OPERATIONS)
            same.setstate(random.getstate())
            answers = made(ours, fds[0], operation, random), made(theirs, fds[1], operation, same)
            log.append((operation, *answers))
            if answers[0] != answers[1] and not parted(operation, *answers):
                pytest.fail(f"seed {seed}: " + "\n".join(map(repr, log)))
            if answers[0] != answers[1] and 0 in answers:
                break  # what follows would differ, too


def parted(operation: str, ours: Any, theirs: Any) -> bool:
    """Whether the two answer so on purpose."""
    if operation == "path_remove_directory" and theirs == Errno.INVAL:
        return True
    if (ours, theirs) in ((Errno.PERM, Errno.ILSEQ), (-Errno.PERM, -Errno.ILSEQ)):
        return True
    paths = operation.startswith("path") or operation in ("rename", "readlink")
    return paths and theirs == Errno.BADF and ours in (Errno.NOTDIR, Errno.PERM)
