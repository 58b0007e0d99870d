"""Calls of WASI about files, made of a guest that does nothing but pass them on, here and under wasmtime."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Protocol

import svm
from svm.devices import NoConsole
from svm.devices.wasi import SIGNATURES, SPACE
from svm.module import Module as Model
from svm.module import from_text

__all__ = ["APPEND", "CREATE", "DIRECTORY", "EXCLUSIVE", "READ", "TRUNCATE", "WRITE", "Calls", "Ours", "forwarder"]

READ, WRITE = 1 << 1, 1 << 6
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
APPEND = 1
RESULT, STATUS, VECTORS, PATH, OTHER, DATA = 0, 64, 200, 1024, 6144, 16384
"""Where in memory results, statuses, vectors, two paths and bytes lie."""

NAMES = [name for name in SIGNATURES if name.startswith(("fd_", "path_", "sock_"))]


def forwarder(pages: int = 1) -> Model:
    """A module that imports the calls and exports functions that make them."""
    lines = []
    for name in NAMES:
        params = " ".join({"i": "i32", "I": "i64"}[letter] for letter in SIGNATURES[name])
        lines.append(f'import "{SPACE}" "{name}" func ${name} (param {params}) (result i32)')
    lines.append(f"memory {pages}")
    for name in NAMES:
        params = " ".join({"i": "i32", "I": "i64"}[letter] for letter in SIGNATURES[name])
        loads = [f"local.get {at}" for at in range(len(SIGNATURES[name]))]
        lines += [f"func $_{name} (param {params}) (result i32)", *loads, f"call ${name}", "end"]
    lines += [f'export "{name}" func $_{name}' for name in NAMES]
    lines.append('export "memory" memory 0')
    return from_text("\n".join(lines))


class Calls(Protocol):
    """A guest, and what its calls answer: an error number, with what was put into memory where that is 0."""

    def call(self, name: str, *args: int) -> int: ...
    def put(self, at: int, data: bytes) -> None: ...
    def get(self, at: int, size: int) -> bytes: ...


class Ours:
    """The guest here, with a storage."""

    def __init__(self, files: Mapping[str, bytes] | svm.Storage = {}, engine: str = "auto", **options: Any) -> None:  # noqa: B006
        limits = options.pop("limits", None)
        self.storage = files if isinstance(files, svm.Storage) else svm.Storage(files, **options)
        self.guest = MODULE.spawn(engine=engine, devices=[self.storage], limits=limits)

    def call(self, name: str, *args: int) -> int:
        return int(self.guest.call(name, *args))

    def put(self, at: int, data: bytes) -> None:
        self.guest.memory[at : at + len(data)] = data

    def get(self, at: int, size: int) -> bytes:
        return bytes(self.guest.memory[at : at + size])


MODULE = svm.Module(forwarder())
assert set(NAMES) <= set(NoConsole().imports()[SPACE])


def place(of: Calls, path: str | bytes, at: int = PATH) -> tuple[int, int]:
    """Put a path into memory; address and size."""
    data = path if isinstance(path, bytes) else path.encode()
    of.put(at, data)
    return at, len(data)


def opened(of: Calls, path: str | bytes, how: int = 0, rights: int = READ, flags: int = 0, base: int = 3) -> int:
    """The descriptor of a path, or the error number, negative."""
    status = of.call("path_open", base, 0, *place(of, path), how, rights, 0, flags, RESULT)
    return -status if status else number(of)


def number(of: Calls, at: int = RESULT, size: int = 4) -> int:
    return int.from_bytes(of.get(at, size), "little")


def read(of: Calls, fd: int, size: int, offset: int | None = None) -> bytes | int:
    """What is read, or the error number."""
    of.put(VECTORS, struct.pack("<II", DATA, size))
    where = () if offset is None else (offset,)
    status = of.call("fd_read" if offset is None else "fd_pread", fd, VECTORS, 1, *where, RESULT)
    return status or of.get(DATA, number(of))


def write(of: Calls, fd: int, data: bytes, offset: int | None = None) -> tuple[int, int]:
    """The error number, and how many bytes were written."""
    of.put(VECTORS, struct.pack("<II", DATA, len(data)))
    of.put(DATA, data)
    where = () if offset is None else (offset,)
    status = of.call("fd_write" if offset is None else "fd_pwrite", fd, VECTORS, 1, *where, RESULT)
    return status, 0 if status else number(of)


def path_call(of: Calls, name: str, path: str | bytes, base: int = 3) -> int:
    """A call that takes a path and nothing else."""
    return of.call(name, base, *place(of, path))


def rename(of: Calls, old: str, new: str, base: int = 3) -> int:
    return of.call("path_rename", base, *place(of, old), base, *place(of, new, OTHER))


def status_of(of: Calls, path: str | int) -> tuple[int, ...]:
    """Kind and size; or the error number."""
    if isinstance(path, int):
        status = of.call("fd_filestat_get", path, STATUS)
    else:
        status = of.call("path_filestat_get", 3, 1, *place(of, path), STATUS)
    if status:
        return (status,)
    _, _, kind, _, size, *_ = struct.unpack("<QQB7xQQQQQ", of.get(STATUS, 64))
    return 0, kind, size if kind == 4 else 0


def times_of(of: Calls, path: str) -> tuple[int, int]:
    assert of.call("path_filestat_get", 3, 1, *place(of, path), STATUS) == 0
    accessed, modified = struct.unpack("<QQ", of.get(STATUS + 40, 16))
    return accessed, modified


def listed(of: Calls, fd: int, size: int = 8192, cookie: int = 0) -> list[tuple[int, str, int]] | int:
    """Cookie, name and kind of the entries that fit whole; or the error number."""
    status = of.call("fd_readdir", fd, DATA, size, cookie, RESULT)
    if status:
        return status
    data, at, found = of.get(DATA, number(of)), 0, []
    while len(data) - at >= 24:
        following, _, length, kind = struct.unpack_from("<QQIB", data, at)
        if len(data) - at < 24 + length:
            break
        found.append((following, data[at + 24 : at + 24 + length].decode(), kind))
        at += 24 + length
    return found
