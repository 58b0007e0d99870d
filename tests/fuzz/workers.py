"""Jobs in worker processes, so that what crashes, hangs or eats memory is noticed and told, and the run goes on.

A job checks inputs by number.  A worker takes every n-th number; the parent knows which one each is at, so an input
that kills its worker is told like any other, and another worker takes its place.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

__all__ = ["MEMORY", "PATIENCE", "Finding", "Job", "Plan", "Summary", "alone", "run"]

MEMORY = 512 << 20
"""Bytes that a worker may have resident, all told; about 150 MiB are Python, svm and the good files."""
PATIENCE = 30.0
"""Seconds after which a worker that is still at one input is ended, or three times what the job allows, if that is
more; long, for the machine may be busy with others."""

_ADDRESSES = 8 << 30  # bytes of address space, so that not even a first touch of memory takes the machine down
_TELL = 0.5  # seconds between two reports of a worker
_context = multiprocessing.get_context("fork")


class Job(Protocol):
    """Something that is done with inputs by number."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def seconds(self) -> float:
        """Processor time that one input may take."""

    def check(self, number: int) -> Counter[str]:
        """Do it; words for how that went.  Whatever it raises is a finding."""


@dataclass(frozen=True)
class Plan:
    """What is to be run: numbers from `first` on, `count` of them or as many as `seconds` allow, by so many workers."""

    first: int = 0
    count: int | None = None
    seconds: float = float("inf")
    workers: int = 1


@dataclass(frozen=True)
class Finding:
    """Something that must not be.  kind: "crash", "hang", "slow", "memory", or an exception's name."""

    number: int
    kind: str
    text: str

    @property
    def key(self) -> tuple[str, str]:
        """The same for findings that are likely the same: the kind, and the innermost place."""
        places = [line.strip() for line in self.text.splitlines() if line.lstrip().startswith("File ")]
        return self.kind, places[-1] if places else ""


@dataclass
class Summary:
    """What a run did.  words: how often inputs went which way, but for the last ones of a lost worker; findings: all of
    them.
    """

    done: int = 0
    seconds: float = 0.0
    words: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


class _Worker:
    """A process, and where it is: the number, since when (in ns, 0 for not at any), and how many are done."""

    def __init__(self, job: Job, plan: Plan, first: int, end: float, trace: Path) -> None:
        self.state = _context.RawArray("q", [first, 0, 0])
        self.patience = max(PATIENCE, 3 * job.seconds)
        self.trace = trace
        self.pipe, theirs = _context.Pipe(duplex=False)
        self.process = _context.Process(target=_work, args=(job, plan, first, end, self.state, theirs, trace))
        self.process.start()
        theirs.close()

    @property
    def number(self) -> int:
        """The number that it is at."""
        return int(self.state[0])

    @property
    def done(self) -> int:
        """How many numbers are done."""
        return int(self.state[2])

    @property
    def hangs(self) -> bool:
        """Whether it is at one number for too long."""
        since = int(self.state[1])
        return since > 0 and (time.monotonic_ns() - since) / 1e9 > self.patience


def run(job: Job, plan: Plan, folder: Path, show: Callable[[Summary], None] = lambda summary: None) -> Summary:
    """Run a job, until Ctrl-C at the latest; `show` is called now and then with what was done so far.

    Traces of crashes go to `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    end = begun + plan.seconds
    summary = Summary()

    def start(at: int, first: int) -> _Worker:
        return _Worker(job, plan, first, end, folder / f"trace-{at}.txt")

    gone = 0  # numbers that workers did which are no more
    workers = {at: start(at, plan.first + at) for at in range(plan.workers)}
    try:
        while workers:
            wait([worker.pipe for worker in workers.values()], timeout=_TELL)
            for at, worker in list(workers.items()):
                over = _listen(worker, summary)
                if over is None:
                    continue
                gone += worker.done
                del workers[at]
                if not over:
                    workers[at] = start(at, worker.number + plan.workers)
            summary.done = gone + sum(worker.done for worker in workers.values())
            summary.seconds = time.monotonic() - begun
            show(summary)
    except KeyboardInterrupt:
        pass  # what was done until now can be told
    finally:
        for worker in workers.values():
            worker.process.kill()
            worker.process.join()
    return summary


def _listen(worker: _Worker, summary: Summary) -> bool | None:
    """Take what a worker tells; None while it works, then whether its numbers are at an end (else it was lost)."""
    alive = worker.process.is_alive()
    over = None
    with suppress(EOFError):
        while worker.pipe.poll():
            told = worker.pipe.recv()
            if isinstance(told, Finding):
                summary.findings.append(told)
            elif isinstance(told, Counter):
                summary.words += told
            else:
                over = told
    if over is not None:
        worker.process.join()
        return bool(over)
    if alive and worker.hangs:
        _end(worker)
        summary.findings.append(Finding(worker.number, "hang", _trace(worker)))
        return False
    if not alive:
        worker.process.join()
        text = f"exit code {worker.process.exitcode}\n{_trace(worker)}"
        summary.findings.append(Finding(worker.number, "crash", text))
        return False
    return None


def _end(worker: _Worker) -> None:
    """End a worker, first in a way that leaves a trace of where it is."""
    pid = worker.process.pid
    if pid is not None:
        os.kill(pid, signal.SIGABRT)
    worker.process.join(5)
    worker.process.kill()
    worker.process.join()


def _trace(worker: _Worker) -> str:
    return worker.trace.read_text("utf-8", "replace") if worker.trace.exists() else ""


# In the worker


def _work(job: Job, plan: Plan, first: int, end: float, state: Any, pipe: Connection, trace: Path) -> None:
    """Check numbers; tell the parent counts and findings, and at last whether all numbers are done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    words: Counter[str] = Counter()
    told, parent = time.monotonic(), os.getppid()
    before = _resident()  # what the parent had when this process was forked counts here too
    over = True
    with trace.open("w", encoding="utf-8") as file:
        faulthandler.enable(file)
        number = first
        while (plan.count is None or number < plan.first + plan.count) and time.monotonic() < end:
            state[0], state[1] = number, time.monotonic_ns()
            finding = _check(job, number, words, before)
            state[1] = 0
            state[2] += 1
            if finding is not None:
                pipe.send(finding)
                if finding.kind == "memory":
                    over = False
                    break
            number += plan.workers
            if time.monotonic() - told > _TELL:
                if os.getppid() != parent:
                    return  # nobody listens any more
                pipe.send(words)
                words, told = Counter(), time.monotonic()
        pipe.send(words)
        pipe.send(over)
        faulthandler.disable()


def _check(job: Job, number: int, words: Counter[str], before: int) -> Finding | None:
    begun = time.process_time()
    try:
        words.update(job.check(number))
    except Exception as error:
        return Finding(number, type(error).__name__, _shortened(traceback.format_exc()))
    taken = time.process_time() - begun
    more = _resident() - before
    if more > MEMORY:  # before the time, which goes on getting the memory
        return Finding(number, "memory", f"{more} bytes more are resident, {MEMORY} are allowed")
    if taken > job.seconds:
        begun = time.process_time()
        job.check(number)  # once more: the first time may have been slow for reasons of its own
        taken = min(taken, time.process_time() - begun)
        if taken > job.seconds:
            return Finding(number, "slow", f"{taken:.2f} s of processor time, {job.seconds} s are allowed")
    return None


def _resident() -> int:
    """The most bytes of memory that the process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _shortened(text: str) -> str:
    """A traceback without the middle of a long one."""
    lines = text.splitlines()
    if len(lines) > 80:
        lines[30:-40] = [f"  … {len(lines) - 70} more lines"]
    return "\n".join(line[:500] for line in lines)


def alone(do: Callable[[], object], seconds: float) -> str:
    """How something ends that is done in a process of its own: "", an exception's name, "crash" or "hang"."""
    pipe, theirs = _context.Pipe(duplex=False)

    def child() -> None:
        faulthandler.disable()  # a crash is told by the parent
        try:
            do()
            theirs.send("")
        except Exception as error:
            theirs.send(type(error).__name__)

    process = _context.Process(target=child)
    process.start()
    theirs.close()
    process.join(seconds)
    try:
        if process.is_alive():
            return "hang"
        with suppress(EOFError):
            return str(pipe.recv())
        return "crash"
    finally:
        process.kill()
        process.join()
