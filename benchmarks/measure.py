"""Measuring: contenders that run in turn, and what their times say.

In come functions that do something once and return the seconds it took; out come medians and spreads, of the times and
of the ratios between them.  Invariant: ratios are taken within a round, where all contenders met the same machine, and
times are the CPU's, so that other work on the machine disturbs them little; where wall time is meant, its row says so.
"""

from __future__ import annotations

import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from svm.cache import cache_folder
from svm.snapshot import Store

__all__ = [
    "Contender",
    "Row",
    "Spread",
    "fresh_cache",
    "geometric_mean",
    "own_engines",
    "per_call",
    "process_seconds",
    "race",
    "races",
    "say",
]

Contender = Callable[[], float]
"""Does its work once; the seconds that it took."""


class Spread(NamedTuple):
    """A median, and the least and the most that were seen."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values."""
        return cls(statistics.median(values), min(values), max(values))

    def times(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(*(value * factor for value in self))


@dataclass(frozen=True)
class Row:
    """What a race gave.  taken: seconds by contender, a value for each round."""

    name: str
    taken: dict[str, list[float]]

    def seconds(self, contender: str) -> Spread:
        """The time that it took."""
        return Spread.of(self.taken[contender])

    def ratio(self, contender: str, base: str) -> Spread:
        """Its time over another's in the same round."""
        return Spread.of([one / other for one, other in zip(self.taken[contender], self.taken[base], strict=True)])


def race(name: str, contenders: dict[str, Contender], rounds: int) -> Row:
    """Run the contenders in turn, A B C A B C …, after one round that does not count."""
    return races({name: contenders}, rounds)[0]


def races(fields: dict[str, dict[str, Contender]], rounds: int) -> list[Row]:
    """Several races at the same time, by name: their rounds interleave."""
    say(f"{' and '.join(fields)} …")
    taken: dict[str, dict[str, list[float]]] = {name: {each: [] for each in field} for name, field in fields.items()}
    for number in range(rounds + 1):
        for name, field in fields.items():
            for each, run in field.items():
                seconds = run()
                if number:
                    taken[name][each].append(seconds)
    return [Row(name, times) for name, times in taken.items()]


def geometric_mean(values: Iterable[float]) -> float:
    """The mean for ratios."""
    return math.exp(statistics.fmean(math.log(value) for value in values))


def per_call(count: int, function: Callable[..., Any], *args: Any) -> Contender:
    """CPU seconds of one call, from a loop of `count`."""

    def run() -> float:
        begun = time.thread_time()
        for _ in repeat(None, count):
            function(*args)
        return (time.thread_time() - begun) / count

    return run


def process_seconds(command: list[str], environ: dict[str, str]) -> float:
    """CPU seconds of a whole process, whose output is thrown away.  Raises ChildProcessError where it fails."""
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(command[0], command, environ, file_actions=nowhere)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise ChildProcessError(f"{' '.join(command[1:])}: status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime


@cache
def own_engines() -> list[str]:
    """The engines of svm that are fast: "jit" first, and "auto" where it is not one of the others by another name."""
    with Store(engine="auto") as store:
        chosen = store.engine.name
    return ["jit", "interpreter"] if chosen in ("interpreter", "reference") else ["jit", "auto", "interpreter"]


@contextmanager
def fresh_cache() -> Iterator[None]:
    """While it lasts, svm's cache is a new one with nothing in it but the interpreter, where that was built before."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(cache_folder("native"), Path(folder) / "native")
        with patch.dict(os.environ, SVM_CACHE=folder):
            yield


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)
