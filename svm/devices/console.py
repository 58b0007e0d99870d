"""The console: standard input, output and error, arguments and environment variables.

In: the host's byte streams. Out: bytes read and written, or an `Errno` for a guest. Invariant: a stream that is closed,
full or gone is an error number; only what the host must know (KeyboardInterrupt, for one) comes through as an
exception.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache

from svm.devices.state import DeviceState, StatefulDevice, unfit
from svm.devices.wasi import SPACE, Errno, functions, ungranted
from svm.errors import UsageError
from svm.hints import Any, BinaryIO, Self, TextIO, TypeVar
from svm.limits import Limits
from svm.runtime import HostFunction

__all__ = ["Console", "NoConsole"]

STDIN, STDOUT, STDERR = 0, 1, 2

_ERRNOS = {
    errno.EAGAIN: Errno.AGAIN,
    errno.EBADF: Errno.BADF,
    errno.EFBIG: Errno.FBIG,
    errno.EINTR: Errno.INTR,
    errno.EINVAL: Errno.INVAL,
    errno.EIO: Errno.IO,
    errno.EISDIR: Errno.ISDIR,
    errno.ENOSPC: Errno.NOSPC,
    errno.EPERM: Errno.PERM,
    errno.EPIPE: Errno.PIPE,
}

T = TypeVar("T")


class Console(StatefulDevice):
    """Standard streams, arguments and environment of one guest.

    A guest without one has no output at all: `module.spawn(devices=[svm.Console()])`.  Writes go straight through, for
    a guest buffers for itself.
    """

    kind = "console"

    def __init__(
        self,
        stdin: BinaryIO | TextIO | None = None,
        stdout: BinaryIO | TextIO | None = None,
        stderr: BinaryIO | TextIO | None = None,
        *,
        args: Sequence[str | bytes] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Make a console.

        stdin, stdout, stderr: byte streams, or text streams over them; where None, the process's own.  args: the
        program's name and arguments.  environ: environment variables; none by default, whatever the process has.

        Raises UsageError for text that cannot be passed: it holds NUL, or a variable's name holds "=".
        """
        given, own = (stdin, stdout, stderr), (sys.stdin, sys.stdout, sys.stderr)
        self._streams = {number: _stream(own[number] if item is None else item) for number, item in enumerate(given)}
        self._closed: set[int] = set()
        self.args = tuple(_encoded("argument", item) for item in args)
        self.environ = tuple(_variable(name, value) for name, value in (environ or {}).items())
        self.broken_pipe = False
        """Whether a write met a pipe that nobody reads."""

    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """The calls of WASI preview 1 that a console can answer."""
        return {SPACE: functions(self)}

    # What WASI's calls ask of it

    def is_open(self, descriptor: int) -> bool:
        """Whether a descriptor is one of the console's, and the guest has not closed it."""
        return descriptor in self._streams and descriptor not in self._closed

    def is_terminal(self, descriptor: int) -> bool:
        """Whether a person sits at the other end."""
        try:
            return bool(self._streams[descriptor].isatty())
        except (AttributeError, OSError, ValueError):
            return False

    def close(self, descriptor: int) -> None:
        """Refuse the guest's further use of a descriptor; the host's stream stays as it is."""
        self._closed.add(descriptor)

    def read(self, descriptor: int, size: int) -> bytes | Errno:
        """At most `size` bytes, as soon as there are any; none at the end of the input."""
        if not self.is_open(descriptor) or descriptor != STDIN:
            return Errno.BADF
        return self._guarded(lambda: _read(self._streams[descriptor], size)) if size else b""

    def write(self, descriptor: int, data: bytes) -> int | Errno:
        """Write bytes through to the host; how many were taken."""
        if not self.is_open(descriptor) or descriptor == STDIN:
            return Errno.BADF
        return self._guarded(lambda: _write(self._streams[descriptor], data))

    def twin(self) -> Self:
        """See `StatefulDevice`: a console over the same streams."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _closed=set(self._closed))
        return twin

    def state(self) -> DeviceState:
        """See `StatefulDevice`: which descriptors the guest closed."""
        return DeviceState(bytes((sum(1 << descriptor for descriptor in self._closed),)))

    def restore(self, state: DeviceState, *, replica: bool, limits: Limits | None = None) -> None:
        """See `StatefulDevice`."""
        data = state.data()
        if len(data) != 1 or data[0] > 7:
            raise unfit(self)
        self._closed = {descriptor for descriptor in (STDIN, STDOUT, STDERR) if data[0] >> descriptor & 1}

    def _guarded(self, act: Callable[[], T]) -> T | Errno:
        try:
            return act()
        except OSError as error:
            self.broken_pipe |= isinstance(error, BrokenPipeError)
            return _ERRNOS.get(error.errno or 0, Errno.IO)
        except ValueError:  # what Python says of a stream that is closed
            return Errno.BADF

    def __repr__(self) -> str:
        return f"<Console, {len(self.args)} arguments, {len(self.environ)} environment variables>"


def _stream(stream: BinaryIO | TextIO | None) -> Any:
    return _TextStream(stream) if stream is None or isinstance(stream, io.TextIOBase) else stream


class NoConsole:
    """What stands in for a console where a guest was granted none: each use of it is refused.

    So a library that could print, or whose language can end the process, is spawned without a console all the same.
    """

    args: tuple[bytes, ...] = ()
    environ: tuple[bytes, ...] = ()

    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """All calls of WASI preview 1: what a console would answer is refused, and so is what other devices would."""
        return _refusals()

    def is_open(self, descriptor: int) -> bool:
        return descriptor in (STDIN, STDOUT, STDERR)

    def is_terminal(self, descriptor: int) -> bool:
        return False

    def close(self, descriptor: int) -> None:
        pass

    def read(self, descriptor: int, size: int) -> Errno:
        return Errno.NOTCAPABLE

    def write(self, descriptor: int, data: bytes) -> Errno:
        return Errno.NOTCAPABLE


@cache
def _refusals() -> Mapping[str, Mapping[str, HostFunction]]:
    return {SPACE: ungranted() | functions(NoConsole())}


class _TextStream:
    """A text stream as bytes; the process's own are such.

    Whatever the host printed before comes first.  Where there are no bytes beneath the text (a notebook's streams),
    they are decoded; where there is no stream at all (a process without a terminal), it is as if it were closed.
    """

    def __init__(self, text: io.TextIOBase | None) -> None:
        self._text = text
        self._binary: Any = getattr(text, "buffer", None)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left = b""

    def isatty(self) -> bool:
        return self._open().isatty()

    def read1(self, size: int) -> bytes | None:
        text = self._open()
        if self._binary is not None:
            return _read(self._binary, size)
        self._left = self._left or text.readline().encode()
        data, self._left = self._left[:size], self._left[size:]
        return data

    def write(self, data: bytes) -> int:
        text = self._open()
        text.flush()
        if self._binary is not None:
            return _write(self._binary, data)
        text.write(self._decoder.decode(data))
        return len(data)

    def flush(self) -> None:
        self._open().flush()

    def _open(self) -> io.TextIOBase:
        if self._text is None:
            raise ValueError("the process has no such stream")
        return self._text


def _read(stream: Any, size: int) -> bytes:
    """What is there, at most `size` bytes; waits for the first.  A terminal gives a line at a time."""
    read = getattr(stream, "read1", None) or stream.read
    data: bytes | None = read(size)
    if data is None:
        raise BlockingIOError(errno.EAGAIN, "nothing to read yet")
    return data


def _write(stream: Any, data: bytes) -> int:
    try:
        written: int | None = stream.write(data)
    except BlockingIOError as error:
        if not error.characters_written:
            raise
        written = error.characters_written
    if written is None:
        raise BlockingIOError(errno.EAGAIN, "nothing can be written yet")
    with suppress(BlockingIOError):  # the stream holds what it took, and tries again with the next write
        stream.flush()
    return written


def _encoded(what: str, text: str | bytes) -> bytes:
    try:
        data = os.fsencode(text)
    except UnicodeEncodeError:
        raise UsageError(f"{what} {text!r:.80} holds a surrogate") from None
    if 0 in data:
        raise UsageError(f"{what} {text!r:.80} holds a NUL character")
    return data


def _variable(name: str, value: str) -> bytes:
    if not name or "=" in name:
        raise UsageError(f"{name!r:.80} is no name of an environment variable")
    return _encoded("environment variable", f"{name}={value}")
