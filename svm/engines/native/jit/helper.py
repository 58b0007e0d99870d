"""The process that compiles for others: requests on standard input, units on standard output.

It is started by `svm.engines.native.jit.service` and trusts it; nothing of a guest runs here.  It is nicer than its
host, its memory is limited, it ends when its host does, and when one request takes too much of the processor.

A message is its length (u64) and so many bytes.  The first goes out, and says that the compiler is there: `hello`.
Then for each request, which is pickled, comes a packed unit (`svm.engines.native.jit.compiled`).
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from svm.engines.native.jit.compiled import CompilerError, Unit, pack, sources, unit_name
from svm.engines.native.jit.maker import Maker
from svm.engines.native.stream import KeySet

__all__ = ["LENGTH", "TOO_LONG", "hello", "main"]

LENGTH = struct.Struct("<Q")
TOO_LONG = 3
"""Exit status where a request took too much of the processor."""

_MOST_MEMORY = 2 << 30
_WATCHED = 0.5  # seconds between two looks at the time that was used


def hello() -> bytes:
    """What the process says first, if it is made of the same sources."""
    return f"svm compiles, {sources()}".encode()


def main(seconds: float) -> None:
    """Serve until standard input ends.  seconds: of the processor, for one request."""
    _limit()
    out = os.dup(1)
    os.dup2(2, 1)  # whatever prints does not disturb the answers
    import svm.engines.native.llvm  # noqa: F401  # now, while the host may still have nothing to ask

    requests: SimpleQueue[bytes] = SimpleQueue()
    _Watch(seconds, requests)
    _send(out, hello())
    server = _Server()
    while True:
        request = requests.get()
        _Watch.begun = time.process_time()
        _send(out, server.answer(request))


def _limit() -> None:
    with suppress(OSError):
        os.nice(5)
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = _MOST_MEMORY if hard == resource.RLIM_INFINITY else min(_MOST_MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Watch:
    """Reads requests, and ends the process when its host is gone or the time is up, whatever LLVM is doing."""

    begun = 0.0

    def __init__(self, seconds: float, requests: SimpleQueue[bytes]) -> None:
        self.seconds = seconds
        self.requests = requests
        for work in (self.read, self.watch):
            threading.Thread(target=work, daemon=True).start()

    def read(self) -> None:
        with suppress(OSError):
            while len(head := _read(LENGTH.size)) == LENGTH.size:
                (length,) = LENGTH.unpack(head)
                if len(body := _read(length)) == length:
                    self.requests.put(body)
        os._exit(0)

    def watch(self) -> None:
        while time.process_time() < _Watch.begun + self.seconds:
            time.sleep(_WATCHED)
        os._exit(TOO_LONG)


def _read(length: int) -> bytes:
    parts = []
    while length and (part := os.read(0, min(length, 1 << 20))):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _send(out: int, data: bytes) -> None:
    view = memoryview(LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(out, view) :]


class _Server:
    """Answers requests: a dict with what is new of `keys`, `target`, `source`, and `root`, `loop`."""

    def __init__(self) -> None:
        self.keys: KeySet | None = None
        self.maker: Maker | None = None

    def answer(self, request: bytes) -> bytes:
        asked: dict[str, Any] = pickle.loads(request)
        if "keys" in asked:
            self.keys = KeySet(asked["keys"])
        assert self.keys is not None
        if "source" in asked:
            self.maker = Maker(asked["source"], self.keys, asked["target"])
        assert self.maker is not None
        root, loop = asked["root"], asked["loop"]
        try:
            return pack(self.maker.make(root, loop))
        except (CompilerError, MemoryError, RecursionError) as error:
            why = str(error) or type(error).__name__
            return pack(Unit(unit_name(self.maker.source.place, root, loop), (), b"", {}, why))


if __name__ == "__main__":
    main(float(sys.argv[1]))
