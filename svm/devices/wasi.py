"""WASI preview 1 over the devices: the calls by which programs reach a console.

In: a guest's calls, all of them numbers that may be anything. Out: WASI's error numbers. Invariant: an address is
looked at before it is used, so that a wild one is `FAULT`; one call moves at most `MAX_TRANSFER` bytes, as a short read
or write, and looks at no more than `MAX_VECTORS` vectors, so that none takes long or much memory.

Layouts and numbers: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import Any, NoReturn, Protocol

from svm.errors import ExitError
from svm.isa import I32, I64, FuncType, Memory, ValueType
from svm.runtime import HostFunction, Instance

__all__ = ["MAX_TRANSFER", "MAX_VECTORS", "Errno", "Streams", "functions"]

MAX_TRANSFER = 1 << 20
MAX_VECTORS = 1024

_CHARACTER_DEVICE = 2
_UNKNOWN_DEVICE = 0
_FD_READ = 1 << 1
_FD_WRITE = 1 << 6


class Errno(IntEnum):
    """WASI's error numbers, those that a console has a use for."""

    SUCCESS = 0
    AGAIN = 6
    BADF = 8
    FAULT = 21
    FBIG = 22
    INTR = 27
    INVAL = 28
    IO = 29
    ISDIR = 31
    NOSPC = 51
    PERM = 63
    PIPE = 64
    SPIPE = 70
    NOTCAPABLE = 76


class Streams(Protocol):
    """What the calls below are a layer over; `svm.devices.Console` is one.

    args: the program's name and arguments.  environ: variables as `NAME=value`.  None of them holds a zero byte.
    """

    args: tuple[bytes, ...]
    environ: tuple[bytes, ...]

    def is_open(self, descriptor: int) -> bool:
        """Whether there is such a descriptor."""

    def is_terminal(self, descriptor: int) -> bool:
        """Whether a person sits at the other end."""

    def close(self, descriptor: int) -> None:
        """Give up a descriptor."""

    def read(self, descriptor: int, size: int) -> bytes | Errno:
        """At most `size` bytes."""

    def write(self, descriptor: int, data: bytes) -> int | Errno:
        """How many of the bytes were taken."""


class _Fault(Exception):
    """An address outside of the guest's memory."""


def functions(streams: Streams) -> dict[str, HostFunction]:
    """The calls that streams, arguments and an environment can answer, by WASI's names."""
    calls = _Calls(streams)
    return {
        "args_get": _host(calls.args_get, I32, I32),
        "args_sizes_get": _host(calls.args_sizes_get, I32, I32),
        "environ_get": _host(calls.environ_get, I32, I32),
        "environ_sizes_get": _host(calls.environ_sizes_get, I32, I32),
        "fd_close": _host(calls.fd_close, I32),
        "fd_fdstat_get": _host(calls.fd_fdstat_get, I32, I32),
        "fd_read": _host(calls.fd_read, I32, I32, I32, I32),
        "fd_seek": _host(calls.fd_seek, I32, I64, I32, I32),
        "fd_write": _host(calls.fd_write, I32, I32, I32, I32),
        "proc_exit": HostFunction(_proc_exit, type=FuncType((I32,), ())),
    }


def _host(call: Callable[..., Errno], *params: ValueType) -> HostFunction:
    """A call as a host function: its 32-bit numbers unsigned, its faults error numbers."""

    def function(caller: Instance, *args: int) -> int:
        memory: Memory = caller.memory if caller.memories and caller.memories[0].size else bytearray()
        numbers = [value & 0xFFFF_FFFF if kind is I32 else value for kind, value in zip(params, args, strict=True)]
        try:
            return call(memory, *numbers)
        except _Fault:
            return Errno.FAULT

    return HostFunction(function, caller=True, type=FuncType(params, (I32,)))


def _proc_exit(status: int) -> NoReturn:
    raise ExitError(status & 0xFFFF_FFFF)


class _Calls:
    """The calls; each takes the caller's memory, then the numbers that WASI gives it."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def args_sizes_get(self, memory: Memory, count: int, size: int) -> Errno:
        return _put_sizes(memory, count, size, self._streams.args)

    def args_get(self, memory: Memory, pointers: int, text: int) -> Errno:
        return _put_texts(memory, pointers, text, self._streams.args)

    def environ_sizes_get(self, memory: Memory, count: int, size: int) -> Errno:
        return _put_sizes(memory, count, size, self._streams.environ)

    def environ_get(self, memory: Memory, pointers: int, text: int) -> Errno:
        return _put_texts(memory, pointers, text, self._streams.environ)

    def fd_write(self, memory: Memory, descriptor: int, vectors: int, count: int, written: int) -> Errno:
        """Write from `count` vectors; to `written` goes how many bytes were taken."""
        if not self._streams.is_open(descriptor):
            return Errno.BADF
        if count > MAX_VECTORS:
            return Errno.INVAL
        _check(memory, written, 4)
        data = b"".join(bytes(memory[start : start + size]) for start, size in _ranges(memory, vectors, count))
        taken = self._streams.write(descriptor, data)
        if isinstance(taken, Errno):
            return taken
        return _put(memory, written, "<I", taken)

    def fd_read(self, memory: Memory, descriptor: int, vectors: int, count: int, received: int) -> Errno:
        """Read into `count` vectors what is there; to `received` goes how many bytes that was, none at the end."""
        if not self._streams.is_open(descriptor):
            return Errno.BADF
        if count > MAX_VECTORS:
            return Errno.INVAL
        _check(memory, received, 4)
        ranges = list(_ranges(memory, vectors, count))
        data = self._streams.read(descriptor, sum(size for _, size in ranges))
        if isinstance(data, Errno):
            return data
        at = 0
        for start, size in ranges:
            part = data[at : at + size]
            memory[start : start + len(part)] = part
            at += len(part)
        return _put(memory, received, "<I", len(data))

    def fd_close(self, memory: Memory, descriptor: int) -> Errno:
        if not self._streams.is_open(descriptor):
            return Errno.BADF
        self._streams.close(descriptor)
        return Errno.SUCCESS

    def fd_fdstat_get(self, memory: Memory, descriptor: int, status: int) -> Errno:
        """Put kind, flags and rights of a descriptor; a C library takes a character device without seeking as a
        terminal."""
        if not self._streams.is_open(descriptor):
            return Errno.BADF
        kind = _CHARACTER_DEVICE if self._streams.is_terminal(descriptor) else _UNKNOWN_DEVICE
        return _put(memory, status, "<BxHxxxxQQ", kind, 0, _FD_WRITE if descriptor else _FD_READ, 0)

    def fd_seek(self, memory: Memory, descriptor: int, offset: int, whence: int, position: int) -> Errno:
        """Refuse: a console has no positions."""
        return Errno.SPIPE if self._streams.is_open(descriptor) else Errno.BADF


def _check(memory: Memory, start: int, size: int) -> None:
    if start + size > len(memory):
        raise _Fault


def _put(memory: Memory, start: int, layout: str, *values: Any) -> Errno:
    _check(memory, start, struct.calcsize(layout))
    struct.pack_into(layout, memory, start, *values)
    return Errno.SUCCESS


def _ranges(memory: Memory, vectors: int, count: int) -> Iterator[tuple[int, int]]:
    """The (address, size) pairs of vectors, cut where they exceed `MAX_TRANSFER` bytes in all."""
    _check(memory, vectors, count * 8)
    left = MAX_TRANSFER
    for start, size in struct.iter_unpack("<II", bytes(memory[vectors : vectors + count * 8])):
        _check(memory, start, size)
        yield start, min(size, left)
        left -= min(size, left)


def _put_sizes(memory: Memory, count: int, size: int, texts: Sequence[bytes]) -> Errno:
    _check(memory, size, 4)
    _put(memory, count, "<I", len(texts))
    return _put(memory, size, "<I", sum(len(text) + 1 for text in texts))


def _put_texts(memory: Memory, pointers: int, start: int, texts: Sequence[bytes]) -> Errno:
    """Put the texts one after the other, each with a zero byte behind it, and their addresses."""
    joined = b"".join(text + b"\0" for text in texts)
    _check(memory, pointers, 4 * len(texts))
    _check(memory, start, len(joined))
    memory[start : start + len(joined)] = joined
    for index, text in enumerate(texts):
        struct.pack_into("<I", memory, pointers + 4 * index, start)
        start += len(text) + 1
    return Errno.SUCCESS
