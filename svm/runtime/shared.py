"""What the guests of a store share: limits, fuel, stack, engine, and the one thread that drives them at a time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident

from svm.errors import ExitError, UsageError
from svm.hints import Any, Self
from svm.isa import I32, FuncType
from svm.limits import Limits, fuel_amount
from svm.lower import SLOT_BYTES
from svm.record import replaced
from svm.runtime.arenas import Arenas, FunctionInstance, Instance, TagInstance
from svm.runtime.engine import Engine, GuestStack, Status, Tiers
from svm.runtime.fuel import FuelMeter
from svm.runtime.interrupt import InterruptWatch
from svm.runtime.values import slots_of
from svm.runtime.waits import Unanswered, discard

__all__ = ["Shared"]

_DESCRIBE = "krait:describe_utf8"
_ASIDE_FUEL = 1_000_000
_DESCRIBE_BYTES = 65_536
_MOST_NESTED = 40  # calls into a store from its own host functions, each of which takes some of Python's stack
_OTHER_THREAD = "the guest is driven by another thread; a guest belongs to one thread at a time"


class Shared(ABC):
    """See the module's docstring; a `Store` is this and the calls under way."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        """Nothing is there yet."""
        self.arenas = Arenas(limits)
        self.arenas.call_aside = self.call_aside
        self._engine = engine
        self.stack: GuestStack = engine.new_stack(self.arenas, limits.stack_bytes)
        self.meter = FuelMeter(self.stack, limits.fuel)
        self.watch = InterruptWatch(self.stack)
        self.closed = False
        self.tasks: list[Any] = []
        """Calls under way: one that has stopped, or that runs and those that its host functions made; outermost first.
        """
        self.pausing = False
        """Whether the call that runs, or else the next, is to stop."""
        self._lock = threading.RLock()
        self._held = 0

    @property
    def innermost(self) -> Any:
        """The last of the calls under way."""
        return self.tasks[-1] if self.tasks else None

    @property
    def running(self) -> bool:
        """Whether some thread drives it just now."""
        return self._held > 0 or self.stack.busy != 0

    @property
    def engine(self) -> Engine:
        """The engine that runs the guests.  Setting it moves them, paused calls and all, to another."""
        return self._engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        with self.still("it cannot move to another engine"):
            self.move(engine, self.limits.stack_bytes)

    @property
    def limits(self) -> Limits:
        """What the guests may use together.  Setting it holds from now on, also for calls that have stopped, or that
        run and have just called the host who sets it.

        What is below what is used already refuses more, and out of fuel is out of fuel.  Raises UsageError for a stack
        that has no room for the frames there are, or of another size while a call runs.
        """
        return self.arenas.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        if not isinstance(limits, Limits):
            raise UsageError(f"limits are a `Limits`, not {limits!r:.80}")
        if limits.stack_bytes != self.limits.stack_bytes:
            with self.still("its stack cannot get another size"):
                if self.stack.height * SLOT_BYTES > limits.stack_bytes:
                    raise UsageError(f"the guest's frames take more than {limits.stack_bytes} bytes of stack already")
                self.move(self._engine, limits.stack_bytes)
        self.acquire()
        try:
            self.meter.limit(limits.fuel)
            self.arenas.limits = limits
            self.arenas.memory_refused = False
        finally:
            self.release()

    def add_fuel(self, amount: int) -> None:
        """Grant more fuel: what is left, and the limit, are so much higher.  Raises UsageError."""
        self.check_open()
        fuel = self.limits.fuel
        amount = fuel_amount(amount)
        if fuel is not None:
            self.limits = replaced(self.limits, fuel=min(fuel + amount, (1 << 62) - 1))

    @property
    def fuel(self) -> int | None:
        """Fuel that is left; None without a limit."""
        return max(self.meter.left, 0) if self.meter.limited else None

    @property
    def fuel_used(self) -> int:
        """Fuel used so far, by all guests."""
        return self.meter.used

    @property
    def tiers(self) -> Tiers:
        """What the engine compiled for the guests, and what share of their fuel compiled code has used."""
        self.check_open()
        return self._engine.tiers(self.arenas)

    def close(self) -> None:
        """Give up all guests: their memory is freed, calls are refused.  May be called more than once.

        Raises UsageError while a call runs, be it in another thread, and while one is awaited.
        """
        if self.tasks and any(task.awaited for task in self.tasks):
            raise UsageError("the guest's call is awaited: cancel what awaits it before the guest is closed")
        if self.running or not self._lock.acquire(False):
            raise UsageError("the guest is running, and cannot be closed from inside or from another thread")
        try:
            if self.closed:
                return
            self.closed = True
            for task in self.tasks:
                task.abandon()
            self.tasks.clear()
            self.stack.set_ready(0)
            self.stack.cut(0)
            self._engine.close(self.arenas)
            self.stack.close()
            self.arenas.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Within the runtime

    def check_open(self) -> None:
        """Raise UsageError once it is closed."""
        if self.closed:
            raise UsageError("the guest is closed, and so is its store")

    def acquire(self, *, wait: bool = False) -> None:
        """Hold the store for this thread, which may hold it already; every time is to be released.

        Raises UsageError where another thread has it, or it is closed.  wait: for the thread whose call is under way,
        which others may hold up for a moment, to be told that they cannot have it.
        """
        if not self._lock.acquire(wait):
            raise UsageError(_OTHER_THREAD)
        stack = self.stack
        if stack.busy and not self._in_own_call():
            self._lock.release()
            raise UsageError(_OTHER_THREAD)
        self._held += 1
        stack.set_ready(0)
        if self.closed:
            self.release()
            self.check_open()

    def release(self) -> None:
        """Let other threads have the store."""
        self._held -= 1
        if not self._held and not self.closed:
            tasks, me = self.tasks, 0 if self.limits.seconds is not None or self.pausing else get_ident()
            self.stack.set_ready(0 if tasks else me, me if len(tasks) == 1 and tasks[0].sliceable else 0)
        self._lock.release()

    @abstractmethod
    def go_on(self, error: BaseException | None) -> Any:
        """Go on with the prepared call or slice that this thread began and native code left; None where it left none.

        error: what was raised instead of a result.
        """

    @abstractmethod
    def _in_own_call(self) -> bool:
        """Whether the prepared call under way is this thread's: then it is made a task, for what begins now may ask."""

    @contextmanager
    def still(self, what: str) -> Iterator[None]:
        """Hold the store for something that is done to all of it, while every call of it has stopped.

        Raises UsageError where one runs, in the words of `what`.
        """
        self.acquire()
        try:
            stack = self.stack
            if self._held > 1 or stack.busy:
                called = self.arenas.functions[stack.calling] if stack.in_host else None
                where = f", inside of the host function {called.name!r}, which cannot be paused" if called else ""
                raise UsageError(f"the guest is running{where}: {what}")
            yield
        finally:
            self.release()

    def check_free(self) -> None:
        """Raise UsageError where no call can begin: while another is under way, or where calls nest too deep."""
        if self.stack.in_host >= _MOST_NESTED:
            raise UsageError(f"host functions call into the guest more than {_MOST_NESTED} deep")
        if self.tasks and not self.stack.in_host:
            raise UsageError(self.tasks[-1].why_busy())

    def move(self, engine: Engine, stack_bytes: int) -> None:
        """Go on with the same frames on an engine, which may be the same, with so much room for them."""
        old = self.stack
        old.set_ready(0)
        record, fuel, reserve, interrupted = old.record(), old.fuel, old.reserve, old.interrupted
        if engine is not self._engine:  # first, for what it gives up may be what the other makes anew
            self._engine.close(self.arenas)
        stack = engine.new_stack(self.arenas, stack_bytes)
        stack.restore(record)
        stack.fuel, stack.reserve, stack.interrupted = fuel, reserve, interrupted
        old.close()
        self._engine, self.stack = engine, stack
        self.meter.stack = self.watch.stack = stack

    def describe(self, tag: TagInstance, values: tuple[int, ...]) -> str | None:
        """What the language that made an exception says of it, where it exports a way to ask."""
        if tag.instance is None or tag.type.params not in ((), (I32,)):
            return None
        type_ = FuncType((I32,), (I32, I32))
        found = self.call_aside(tag.instance, _DESCRIBE, type_, (values[0] if values else 0,))
        if found is None:
            return None
        start, length = found
        return tag.instance.mapping[start : start + min(length, _DESCRIBE_BYTES)].decode("utf-8", "replace")

    def call_aside(
        self, instance: Instance, name: str, type_: FuncType, args: tuple[int, ...], fuel: int = _ASIDE_FUEL
    ) -> Sequence[int] | None:
        """Call an export that serves the host, above whatever is on the stack and beside the guests' fuel, with so
        much of its own.

        None where there is none of that type, or where it fails in any way but by ExitError (Krait's SystemExit ends
        the guest in `describe`): that must not hide what it is called about.
        """
        found = instance.exports.get(name)
        if not isinstance(found, FunctionInstance) or found.host is not None or found.type != type_:
            return None
        stack = self.stack
        mark, own, interrupted = stack.mark(), (stack.fuel, stack.reserve), stack.interrupted
        stack.pending, stack.interrupted = 0, False
        stack.push(slots_of(len(args)).pack(*args))
        stack.fuel, stack.reserve = fuel, 0
        try:
            done = self._engine.call(stack, found) is Status.DONE
            return stack.take(slots_of(len(type_.results))) if done else None
        except ExitError:
            raise
        except Exception as error:
            if isinstance(error, Unanswered):
                discard(error.waits_for)
            return None
        finally:
            stack.back_to(mark)
            stack.fuel, stack.reserve = own
            stack.interrupted |= interrupted
