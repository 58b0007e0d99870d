"""Peers in processes of their own: a line goes in, work is done, its CPU time and its answer come out.

So each peer stays warm between the rounds of a race and takes its own time, without that of starting it.  The programs
beside this file are what runs in such a process: C's `main` for a native kernel, and one for each language.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["FOLDER", "Answer", "Worker"]

FOLDER = Path(__file__).parent


class Answer(NamedTuple):
    """CPU seconds that work took, and what it gave."""

    seconds: float
    value: str


class Worker:
    """A process that answers each line with `seconds value`."""

    def __init__(self, *command: str | Path) -> None:
        """Start it.  Raises OSError where the program is missing."""
        words = list(map(str, command))
        self.name = " ".join(words)
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def ask(self, line: str) -> Answer:
        """Have it work.  Raises ChildProcessError where it died instead."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):  # then it says no more, either
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        seconds, _, value = self.process.stdout.readline().rstrip("\n").partition(" ")
        if not value:
            raise ChildProcessError(f"{self.name}: ended with status {self.process.wait()}")
        return Answer(float(seconds), value)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):  # of a line that nobody will read
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
