"""CPython, the oracle of Krait's tests: which one is at hand, and a process of it that runs one program after another.

In: the source of a program, what it reads, its arguments. Out: an `Outcome`. The oracle is CPython 3.12 or newer; where
there is none, the one that runs the tests is given sources without the generic syntax, and `IS_CURRENT` is false.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["CPython", "Outcome", "is_current", "python"]

_SERVER = Path(__file__).with_name("cpython_server.py")
_CURRENT = (3, 12)
_NAMES = ("python3.12", "python3.13", "python3.14")


@dataclass(frozen=True)
class Outcome:
    """What a program did: its output, its exit status, and the last line of the traceback if an exception ended it."""

    stdout: str
    status: int
    exception: str | None


def _candidates() -> Iterator[str]:
    """CPythons that may be there: by their names, and beside the one that runs this (as pyenv lays them out)."""
    if sys.version_info >= _CURRENT:
        yield sys.executable
    yield from (path for path in map(shutil.which, _NAMES) if path)
    beside = Path(sys.base_prefix).parent
    found = [(re.findall(r"\d+", path.name), path) for path in beside.glob("3.*") if path.name[2:3].isdigit()]
    for version, path in sorted((tuple(map(int, digits)), path) for digits, path in found):
        if version >= _CURRENT:
            yield str(path / "bin" / "python3")


@cache
def python() -> str:
    """The interpreter that is asked: the first of at least 3.12 that starts, else the one that runs this."""
    for path in _candidates():
        try:
            done = subprocess.run([path, "-c", "import sys; print(sys.implementation.name, *sys.version_info[:2])"],
                                  capture_output=True, text=True, timeout=20, check=False)  # fmt: skip
        except OSError:
            continue
        name, *version = done.stdout.split() or [""]
        if name == "cpython" and tuple(map(int, version)) >= _CURRENT:
            return path
    return sys.executable


def is_current() -> bool:
    """Whether the oracle is of version 3.12 or newer; else some programs print something else there."""
    return python() != sys.executable or sys.version_info >= _CURRENT


class CPython:
    """A process of CPython that runs programs, each with its own names, streams and arguments.

    bounded: whether integers have 64 bits there, as in Krait: arithmetic that leaves them raises OverflowError.
    """

    def __init__(self, *, bounded: bool = False) -> None:
        self.bounded = bounded
        self.process = subprocess.Popen([python(), "-X", "utf8", "-I", str(_SERVER)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip

    def run(self, source: str, stdin: bytes = b"", name: str = "program.kr", args: tuple[str, ...] = ()) -> Outcome:
        """What a program does.  Raises TimeoutError if it runs for longer than ten seconds of processor time."""
        assert self.process.stdin is not None and self.process.stdout is not None
        asked = {"source": source, "stdin": stdin.decode("latin-1"), "argv": [name, *args], "bounded": self.bounded}
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"CPython ended with status {self.process.wait()}")
        told = json.loads(answer)
        if told is None:
            raise TimeoutError("CPython runs this program for too long")
        return Outcome(*told)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
