"""WASI preview 1 over the devices: all of its calls, and those by which programs reach a console.

In: a guest's calls, all of them numbers that may be anything. Out: WASI's error numbers. Invariant: an address is
looked at before it is used, so that a wild one is `FAULT`; one call moves at most `MAX_TRANSFER` bytes, as a short read
or write, and looks at no more than `MAX_VECTORS` vectors, so that none takes long or much memory.  What svm does not
have links all the same, and answers that it is not there: programs import much that they never call.

Layouts and numbers: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum

from svm.errors import ExitError
from svm.hints import Any, NoReturn, Protocol
from svm.isa import I32, I64, FuncType, Memory
from svm.runtime import HostFunction, Instance

__all__ = [
    "MAX_TRANSFER",
    "MAX_VECTORS",
    "SIGNATURES",
    "SPACE",
    "Errno",
    "Refused",
    "Streams",
    "check",
    "functions",
    "gathered",
    "host",
    "put",
    "scattered",
    "ungranted",
]

SPACE = "wasi_snapshot_preview1"
"""The module that programs import from."""

MAX_TRANSFER = 1 << 20
MAX_VECTORS = 1024

_CHARACTER_DEVICE = 2
_UNKNOWN_DEVICE = 0
_FD_READ = 1 << 1
_FD_WRITE = 1 << 6

SIGNATURES = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "environ_get": "ii",
    "environ_sizes_get": "ii",
    "fd_advise": "iIIi",
    "fd_allocate": "iII",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII",
    "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi",
    "fd_pread": "iiiIi",
    "fd_prestat_dir_name": "iii",
    "fd_prestat_get": "ii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_renumber": "ii",
    "fd_seek": "iIii",
    "fd_sync": "i",
    "fd_tell": "ii",
    "fd_write": "iiii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
    "proc_exit": "i",
    "proc_raise": "i",
    "random_get": "ii",
    "sched_yield": "",
    "sock_accept": "iii",
    "sock_recv": "iiiiii",
    "sock_send": "iiiii",
    "sock_shutdown": "ii",
}
"""What each call of preview 1 takes: i for an i32, I for an i64.  All but `proc_exit` give an error number."""

_TYPES = {"i": I32, "I": I64}


class Errno(IntEnum):
    """WASI's error numbers, those that a device has a use for."""

    SUCCESS = 0
    AGAIN = 6
    BADF = 8
    BUSY = 10
    EXIST = 20
    FAULT = 21
    FBIG = 22
    ILSEQ = 25
    INTR = 27
    INVAL = 28
    IO = 29
    ISDIR = 31
    MFILE = 33
    NAMETOOLONG = 37
    NOENT = 44
    NOSPC = 51
    NOSYS = 52
    NOTDIR = 54
    NOTEMPTY = 55
    NOTSOCK = 57
    NOTSUP = 58
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


class Refused(Exception):
    """A call ends here, with an error number."""

    def __init__(self, answer: Errno) -> None:
        self.answer = answer
        super().__init__(answer)


def functions(streams: Streams) -> dict[str, HostFunction]:
    """The calls that streams, arguments and an environment can answer, by WASI's names."""
    calls = _Calls(streams)
    own: dict[str, Callable[..., Errno]] = {
        "args_get": calls.args_get,
        "args_sizes_get": calls.args_sizes_get,
        "environ_get": calls.environ_get,
        "environ_sizes_get": calls.environ_sizes_get,
        "fd_close": calls.fd_close,
        "fd_fdstat_get": calls.fd_fdstat_get,
        "fd_fdstat_set_flags": calls.fd_fdstat_set_flags,
        "fd_filestat_get": calls.fd_filestat_get,
        "fd_read": calls.fd_read,
        "sched_yield": lambda memory: Errno.SUCCESS,
    }
    own |= {name: calls.refusal(answer) for name, answer in _REFUSALS.items()}
    found = {name: host(name, call) for name, call in own.items()}
    found["fd_write"] = host("fd_write", calls.fd_write, caller=True)
    found["proc_exit"] = HostFunction(_proc_exit, type=FuncType((I32,), ()))
    return found


# What is answered where the first argument is an open stream; it has no positions, no size, and is no directory.
_REFUSALS: dict[str, Errno] = {
    **dict.fromkeys(("fd_advise", "fd_allocate", "fd_pread", "fd_pwrite", "fd_seek", "fd_tell"), Errno.SPIPE),
    **dict.fromkeys(("fd_datasync", "fd_filestat_set_size", "fd_filestat_set_times", "fd_sync"), Errno.INVAL),
    **dict.fromkeys(("fd_prestat_dir_name", "fd_prestat_get"), Errno.BADF),
    **dict.fromkeys(("fd_fdstat_set_rights", "fd_renumber"), Errno.NOTSUP),
    **{name: Errno.NOTSOCK for name in SIGNATURES if name.startswith("sock_")},
    **{name: Errno.NOTDIR for name in SIGNATURES if name.startswith("path_") or name == "fd_readdir"},
}

_OF_DEVICES = ("clock_res_get", "clock_time_get", "poll_oneoff", "random_get")


def ungranted() -> dict[str, HostFunction]:
    """All calls of preview 1, for a guest that was granted no device: refused, or not there at all."""

    def answering(answer: Errno) -> Callable[..., Errno]:
        return lambda memory, *numbers: answer

    refused = dict.fromkeys(_OF_DEVICES, Errno.NOTCAPABLE)
    return {name: host(name, answering(refused.get(name, Errno.NOSYS))) for name in SIGNATURES if name != "proc_exit"}


def host(name: str, call: Callable[..., Errno], *, caller: bool = False) -> HostFunction:
    """A call as a host function: its 32-bit numbers unsigned, its faults error numbers.

    call: takes the caller's memory, then the numbers that WASI gives it.  caller: whether the caller itself comes
    first.
    """
    asks = caller
    params = tuple(_TYPES[letter] for letter in SIGNATURES[name])

    def function(caller: Instance, *args: int) -> int:
        memory: Memory = caller.mapping if caller.memories and caller.memories[0].size else bytearray()
        numbers = [value & 0xFFFF_FFFF if kind is I32 else value for kind, value in zip(params, args, strict=True)]
        try:
            return call(caller, memory, *numbers) if asks else call(memory, *numbers)
        except Refused as refused:
            return refused.answer

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

    def fd_write(
        self, caller: Instance, memory: Memory, descriptor: int, vectors: int, count: int, written: int
    ) -> Errno:
        """Write from `count` vectors; to `written` goes how many bytes were taken.

        What the guest may write in all is a limit of its store's: the call that finds none left is to be made again.
        """
        if not self._streams.is_open(descriptor):
            return Errno.BADF
        check(memory, written, 4)
        data = gathered(memory, vectors, count)
        taken = self._streams.write(descriptor, data[: caller.arenas.output_room(len(data))])
        if isinstance(taken, Errno):
            return taken
        caller.arenas.output_used += taken
        return put(memory, written, "<I", taken)

    def fd_read(self, memory: Memory, descriptor: int, vectors: int, count: int, received: int) -> Errno:
        """Read into `count` vectors what is there; to `received` goes how many bytes that was, none at the end."""
        if not self._streams.is_open(descriptor):
            return Errno.BADF
        return scattered(memory, vectors, count, received, lambda size: self._streams.read(descriptor, size))

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
        return put(memory, status, "<BxHxxxxQQ", self._kind(descriptor), 0, _FD_WRITE if descriptor else _FD_READ, 0)

    def fd_fdstat_set_flags(self, memory: Memory, descriptor: int, flags: int) -> Errno:
        """Accept that there be no flags: a console has none."""
        if not self._streams.is_open(descriptor):
            return Errno.BADF
        return Errno.INVAL if flags else Errno.SUCCESS

    def fd_filestat_get(self, memory: Memory, descriptor: int, status: int) -> Errno:
        """Put what is known of a descriptor as a file: its kind."""
        if not self._streams.is_open(descriptor):
            return Errno.BADF
        return put(memory, status, "<QQBxxxxxxxQQQQQ", 0, 0, self._kind(descriptor), 0, 0, 0, 0, 0)

    def refusal(self, answer: Errno) -> Callable[..., Errno]:
        """A call that gives this answer for an open stream, its first argument."""
        return lambda memory, descriptor, *numbers: answer if self._streams.is_open(descriptor) else Errno.BADF

    def _kind(self, descriptor: int) -> int:
        return _CHARACTER_DEVICE if self._streams.is_terminal(descriptor) else _UNKNOWN_DEVICE


def check(memory: Memory, start: int, size: int) -> None:
    """Answer FAULT if a range is not within the memory."""
    if start + size > len(memory):
        raise Refused(Errno.FAULT)


def put(memory: Memory, start: int, layout: str, *values: Any) -> Errno:
    """Write values, in a layout of `struct`, at an address."""
    check(memory, start, struct.calcsize(layout))
    struct.pack_into(layout, memory, start, *values)
    return Errno.SUCCESS


def gathered(memory: Memory, vectors: int, count: int) -> bytes:
    """What `count` vectors hold, as far as one call moves it.  Raises Refused."""
    return b"".join(bytes(memory[start : start + size]) for start, size in _ranges(memory, vectors, count))


def scattered(memory: Memory, vectors: int, count: int, received: int, read: Callable[[int], bytes | Errno]) -> Errno:
    """Put what `read` gives into `count` vectors; to `received` goes how many bytes that was.  Raises Refused."""
    check(memory, received, 4)
    ranges = list(_ranges(memory, vectors, count))
    data = read(sum(size for _, size in ranges))
    if isinstance(data, Errno):
        return data
    at = 0
    for start, size in ranges:
        part = data[at : at + size]
        memory[start : start + len(part)] = part
        at += len(part)
    return put(memory, received, "<I", len(data))


def _ranges(memory: Memory, vectors: int, count: int) -> Iterator[tuple[int, int]]:
    """The (address, size) pairs of vectors, cut where they exceed `MAX_TRANSFER` bytes in all."""
    if count > MAX_VECTORS:
        raise Refused(Errno.INVAL)
    check(memory, vectors, count * 8)
    left = MAX_TRANSFER
    for start, size in struct.iter_unpack("<II", bytes(memory[vectors : vectors + count * 8])):
        check(memory, start, size)
        yield start, min(size, left)
        left -= min(size, left)


def _put_sizes(memory: Memory, count: int, size: int, texts: Sequence[bytes]) -> Errno:
    check(memory, size, 4)
    put(memory, count, "<I", len(texts))
    return put(memory, size, "<I", sum(len(text) + 1 for text in texts))


def _put_texts(memory: Memory, pointers: int, start: int, texts: Sequence[bytes]) -> Errno:
    """Put the texts one after the other, each with a zero byte behind it, and their addresses."""
    joined = b"".join(text + b"\0" for text in texts)
    check(memory, pointers, 4 * len(texts))
    check(memory, start, len(joined))
    memory[start : start + len(joined)] = joined
    for index, text in enumerate(texts):
        struct.pack_into("<I", memory, pointers + 4 * index, start)
        start += len(text) + 1
    return Errno.SUCCESS
