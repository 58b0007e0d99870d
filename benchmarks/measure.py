"""Measuring: contenders that run in turn, and what their times say.

In come functions that do something once and return the seconds it took; out come medians and spreads, of the times and
of the ratios between them.  Invariant: ratios are taken within a round, where all contenders met the same machine, and
times are the CPU's, so that other work on the machine disturbs them little; where wall time is meant, its row says so.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple

__all__ = ["Contender", "Row", "Spread", "geometric_mean", "per_call", "process_seconds", "race", "races", "say"]

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
    """What a race gave.  seconds: by contender; ratios: of each other's time to the first's, which is svm's."""

    name: str
    seconds: dict[str, Spread]
    ratios: dict[str, Spread]


def race(name: str, contenders: dict[str, Contender], rounds: int) -> Row:
    """Run the contenders in turn, A B C A B C …, after one round that does not count; all are held to the first."""
    return races({name: contenders}, rounds)[0]


def races(fields: dict[str, dict[str, Contender]], rounds: int) -> list[Row]:
    """Several races at the same time, each by its name and with a first of its own: their rounds interleave."""
    say(f"{' and '.join(fields)} …")
    taken: dict[str, dict[str, list[float]]] = {name: {each: [] for each in field} for name, field in fields.items()}
    for number in range(rounds + 1):
        for name, field in fields.items():
            for each, run in field.items():
                seconds = run()
                if number:
                    taken[name][each].append(seconds)
    return [_row(name, times) for name, times in taken.items()]


def _row(name: str, taken: dict[str, list[float]]) -> Row:
    (_, first), *rest = taken.items()
    ratios = {each: Spread.of([theirs / ours for theirs, ours in zip(values, first, strict=True)])
              for each, values in rest}  # fmt: skip
    return Row(name, {each: Spread.of(values) for each, values in taken.items()}, ratios)


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


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)
