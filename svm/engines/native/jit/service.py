"""Compiling beside the guests: a queue, and a process (or a thread) that works it off.

In come jobs, which any guest of the process may submit.  Out come units, or the reason why there is none; they are kept
on disk for later runs.  Invariant: nothing that goes wrong with a compiler, its absence, crash, hang or garbage, is
anybody's problem: what was to be compiled stays interpreted.

The process is started when there is something to compile, and ended when there was nothing for a while, after so many
units (for LLVM leaks), past a deadline, and with this process.  `SVM_COMPILER` says otherwise: `thread` compiles in
this process, which is also done where no other can be started, and `none` compiles nothing.
"""

from __future__ import annotations

import atexit
import os
import pickle
import sys
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from svm.engines.native.blob import Blob, processor
from svm.engines.native.jit import helper
from svm.engines.native.jit.compiled import CompilerError, Unit, keep, kept, unit_name, unpack
from svm.engines.native.jit.maker import Maker, Source
from svm.engines.native.stream import KeySet
from svm.record import record

if TYPE_CHECKING:
    from subprocess import Popen

__all__ = ["Helper", "HelperError", "Job", "Order", "Service", "get_service"]

_MOST_WAITING = 64
_MOST_REFUSED = 10_000
_MOST_FAILURES = 3  # of helpers that never said hello, before there is no other
_UNITS = 300  # by one helper
_IDLE_SECONDS = 20.0
_HELLO_SECONDS = 20.0
_CPU_SECONDS = 10.0
_SECONDS = 120.0  # by the clock, for the machine may have much else to do
_MOST_ANSWER = 64 << 20
_IN_PROCESS = 3_000  # bytes of a body that is compiled where nothing can end LLVM
_GARBAGE = "the compiler's process answered with something else"


class Job:
    """One unit that is wanted.  unit: it, once that is decided; then origin: "compiled" or "kept"; seconds: how long it
    took.  lost: nobody works at it any more, for this process was forked from the one that does.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.unit: Unit | None = None
        self.origin = "kept"
        self.seconds = 0.0
        self.lost = False


@record
class Order:
    """A job, and what is needed to do it: dropped when it is done, which the job may outlive by long."""

    job: Job
    source: Source
    root: int
    loop: int | None
    blob: Blob


class HelperError(Exception):
    """A unit was not made.  final: another try would end alike."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Helper:
    """One process that compiles."""

    def __init__(self, command: list[str] | None = None) -> None:
        """Start it.  command: another, for tests.  Raises HelperError."""
        import socket  # here, for to import these takes longer than many a run
        import subprocess

        if command is None:
            command = _command()
        self.signals = getattr(socket, "MSG_NOSIGNAL", 0)  # the host may not ignore SIGPIPE
        own, theirs = socket.socketpair()
        try:
            self.process: Popen[bytes] = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                cwd=os.sep,
                start_new_session=True,  # Ctrl-C at a terminal is for the guest
            )
        except Exception as error:  # an audit hook of the host may raise anything
            own.close()
            raise HelperError(f"no other process can be started: {error}", final=True) from error
        finally:
            theirs.close()
        self.socket = own
        self.units = 0
        self.place = ""  # of the source that it has
        self.greeted = False

    def greet(self, seconds: float = _HELLO_SECONDS) -> None:
        """Wait until it is ready."""
        if not self.greeted:
            if self.exchange(b"", seconds) != helper.hello():
                raise HelperError("the compiler's process is made of other sources", final=True)
            self.greeted = True

    def make(self, order: Order, seconds: float) -> Unit:
        """Have a unit compiled.  Raises HelperError."""
        source, blob = order.source, order.blob
        asked: dict[str, Any] = {"root": order.root, "loop": order.loop}
        if self.units == 0:
            asked["keys"] = blob.keys
        if self.place != source.place:
            asked |= {"source": source, "target": processor(blob.target)}
        self.units += 1
        self.place = source.place
        data = pickle.dumps(asked, pickle.HIGHEST_PROTOCOL)
        unit = unpack(order.job.name, self.exchange(helper.LENGTH.pack(len(data)) + data, seconds))
        if unit is None:
            raise HelperError(_GARBAGE)
        return unit

    def exchange(self, data: bytes, seconds: float) -> bytes:
        """Send bytes, and read a message.  Raises HelperError where it does not come in time."""
        deadline = time.monotonic() + seconds
        try:
            if data:
                self.socket.settimeout(seconds)
                self.socket.sendall(data, self.signals)
            (length,) = helper.LENGTH.unpack(self.read(helper.LENGTH.size, deadline))
            if length > _MOST_ANSWER:
                raise HelperError(_GARBAGE)
            return self.read(length, deadline)
        except TimeoutError:
            raise HelperError("the compiler's process does not answer") from None
        except OSError:
            raise self.ended() from None

    def read(self, length: int, deadline: float) -> bytes:
        parts = []
        while length:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            part = self.socket.recv(min(length, 1 << 20))
            if not part:
                raise self.ended()
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def ended(self) -> HelperError:
        """What its end means.  If it met its limits, or crashed, another would too."""
        with suppress(Exception):
            self.process.wait(1.0)
        self.close()
        status = self.process.returncode
        if status == helper.TOO_LONG:
            return HelperError("LLVM takes too long", final=True)
        return HelperError(f"the compiler's process ended with status {status}", final=status not in (-9, -15))

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self.process.kill()
        self.socket.close()
        self.process.wait()


def _command() -> list[str]:
    """How to start the process.  Raises HelperError where this program's own is no Python that could be asked."""
    program = sys.executable
    known = os.path.basename(program or "").lower().startswith(("python", "pypy"))
    if not known or getattr(sys, "frozen", False):
        raise HelperError("there is no Python to start another process with", final=True)
    package = os.path.dirname(os.path.abspath(sys.modules["svm"].__file__ or ""))
    paths = [os.path.dirname(package), *_folder_of("llvmlite"), *(path for path in sys.path if os.path.isabs(path))]
    code = f"import sys; sys.path[:] = {paths!r}; from {helper.__name__} import main; main({_CPU_SECONDS})"
    return [program, "-I", "-S", "-c", code]


def _folder_of(name: str) -> list[str]:
    """The folder in which a package lies, which a finder of the host's may know that the other process has not."""
    from importlib.util import find_spec

    spec = find_spec(name)
    return [os.path.dirname(os.path.dirname(spec.origin))] if spec is not None and spec.origin else []


class Service:
    """Compiles for all guests of the process, one unit after the other."""

    def __init__(self, mode: str = "process", command: list[str] | None = None) -> None:
        """mode: "process", "thread" or "none".  command: see `Helper`."""
        self.mode = mode
        self.command = command
        self.jobs: OrderedDict[str, Job] = OrderedDict()  # under way, by name
        self.refused: OrderedDict[str, Job] = OrderedDict()
        self.queue: Queue[Order] = Queue()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.helper: Helper | None = None
        self.failures = 0
        self.maker: Maker | None = None

    def submit(self, source: Source, root: int, loop: int | None, blob: Blob) -> Job | None:
        """Have a unit made; the same job for all who want the same.  None where too much is waiting already."""
        name = unit_name(source.place, root, loop)
        with self.lock:
            job = self.jobs.get(name) or self.refused.get(name)
            if job is not None:
                return job
            if len(self.jobs) >= _MOST_WAITING:
                return None
            job = self.jobs[name] = Job(name)
            if self.thread is None:
                self.thread = threading.Thread(target=self.work, name="svm-compiler", daemon=True)
                self.thread.start()
        self.queue.put(Order(job, source, root, loop, blob))
        return job

    def work(self) -> None:
        """Work off the queue: the thread's part."""
        while True:
            try:
                self.do(self.queue.get(timeout=_IDLE_SECONDS if self.helper is not None else None))
            except Empty:
                self.drop_helper()

    def do(self, order: Order) -> None:
        """Do a job."""
        job, begun = order.job, time.monotonic()
        try:
            unit = self.unit(order)
        except Exception as error:  # a mistake of ours, which must end neither the thread nor the guest
            unit = Unit(job.name, (), b"", {}, f"{type(error).__name__}: {error}")
        job.seconds = time.monotonic() - begun
        with self.lock:
            del self.jobs[job.name]
            if unit.why:
                self.refused[job.name] = job
                while len(self.refused) > _MOST_REFUSED:
                    self.refused.popitem(last=False)
        job.unit = unit

    def unit(self, order: Order) -> Unit:
        """What comes of an order: a unit that was kept, or is made."""
        job = order.job
        unit = kept(job.name)
        if unit is not None:
            return unit
        job.origin = "compiled"
        try:
            unit = self.helped(order) if self.mode == "process" else None
            if unit is None:
                unit = self.made_here(order)
        except CompilerError as error:
            unit = Unit(job.name, (), b"", {}, str(error))
        except HelperError as error:
            unit = Unit(job.name, (), b"", {}, str(error))
            if not error.final:
                return unit
        keep(unit)
        return unit

    def helped(self, order: Order) -> Unit | None:
        """A unit that another process made; None where there is no other."""
        if not self.ready():
            self.mode = "thread"
            return None
        assert self.helper is not None
        try:
            return self.helper.make(order, _SECONDS)
        except HelperError:
            self.drop_helper()
            raise
        finally:
            if self.helper is not None and self.helper.units >= _UNITS:
                self.drop_helper()

    def ready(self) -> bool:
        """Have a process that compiles; False where it cannot be had."""
        while self.failures < _MOST_FAILURES:
            try:
                if self.helper is None:
                    self.helper = Helper(self.command)
                self.helper.greet()
            except HelperError as error:
                self.drop_helper()
                self.failures += _MOST_FAILURES if error.final else 1
            else:
                return True
        return False

    def made_here(self, order: Order) -> Unit:
        """A unit made by this process, where nothing can end LLVM; so only if that is sure to be soon."""
        source = order.source
        if self.mode == "none":
            raise HelperError("nothing is compiled: SVM_COMPILER says so")
        if len(source.functions[order.root - source.imported].body) > _IN_PROCESS:
            raise HelperError("it is large, and no other process can be started")
        if self.maker is None or self.maker.source.place != source.place:
            self.maker = Maker(source, KeySet(order.blob.keys), processor(order.blob.target))
        return self.maker.make(order.root, order.loop)

    def drop_helper(self) -> None:
        """End the process, if there is one."""
        found, self.helper = self.helper, None
        if found is not None:
            found.close()


_service: Service | None = None


def get_service() -> Service:
    """The service of this process."""
    global _service
    if _service is None:
        mode = os.environ.get("SVM_COMPILER", "process")
        _service = Service(mode if mode in ("thread", "none") else "process")
    return _service


def _end() -> None:
    """The process ends: its helper has nobody to answer."""
    if _service is not None and _service.helper is not None:
        with suppress(OSError):
            _service.helper.process.kill()


def _forked() -> None:
    """In a forked process there is neither the thread, nor may the parent's helper be asked."""
    global _service
    old, _service = _service, None
    if old is None:
        return
    for job in old.jobs.values():
        job.lost = True
    if old.helper is not None:
        old.helper.socket.close()
        old.helper.process.returncode = 0  # it is not this process's child


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
