"""A guest: a module that runs in a store of its own, and the calls into it.

A call is a `Task`: it runs in slices, and whatever stops it but an error of its own (fuel, time, Ctrl-C) leaves it
paused, to be inspected and gone on with.  One thread drives a guest at a time.
"""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from svm.errors import (
    ExhaustionError,
    ExitError,
    GuestError,
    LimitError,
    Traceback,
    TrapError,
    UncaughtError,
    UsageError,
)
from svm.isa import I32, FuncType, TrapKind
from svm.limits import Limits
from svm.module import ValidModule
from svm.record import field, record
from svm.runtime.engine import Engine, GuestStack, GuestThrow, GuestTrap, Status, traceback
from svm.runtime.fuel import FuelMeter
from svm.runtime.host import call_host
from svm.runtime.interrupt import InterruptWatch
from svm.runtime.link import Imports, instantiate
from svm.runtime.store import Extern, FunctionInstance, GlobalInstance, Store, TagInstance
from svm.runtime.values import from_slot, from_slots, to_slots

__all__ = ["Exited", "Finished", "Guest", "Outcome", "Paused", "Task", "Trapped"]

_FIRST_SLICE = 20_000
_SLICE_SECONDS = 0.010
_MOST_NESTED = 40  # calls into a guest from its own host functions, each of which takes some of Python's stack
_DESCRIBE = "krait:describe_utf8"
_FLUSH = "krait:flush"
_ASIDE_FUEL = 1_000_000
_DESCRIBE_BYTES = 65_536


@record
class Finished:
    """The call returned: `value` is None, a scalar, or a tuple of them."""

    value: Any = None
    fuel_used: int = 0


@record
class Paused:
    """The call stopped between two instructions and can go on.  reason: "fuel", "seconds" or "interrupt"."""

    reason: str
    fuel_used: int
    _traceback: Traceback | Task = field(repr=False, compare=False)

    @property
    def traceback(self) -> Traceback:
        """The guest's call stack here; none once the call went on, for a pause costs nothing that nobody asks for."""
        if isinstance(self._traceback, Traceback):
            return self._traceback
        return self._traceback.traceback() if self._traceback.outcome is self else Traceback()


@record
class Trapped:
    """The call ended in an error: a `TrapError` or an `UncaughtError`."""

    error: GuestError
    fuel_used: int = 0


@record
class Exited:
    """The guest asked to end, with an exit status."""

    code: int
    fuel_used: int = 0


Outcome = Finished | Paused | Trapped | Exited


class Guest:
    """A module with its own memory, stack, fuel and limits."""

    def __init__(self, module: ValidModule, engine: Engine, limits: Limits, imports: Imports) -> None:
        """Instantiate a module and run its start function.

        Raises LinkError for imports that are missing or do not fit, LimitError where a limit has no room for the
        module, GuestError where the start function fails.
        """
        self.limits = limits
        self._engine = engine
        self.store = Store(limits)
        self.stack: GuestStack = engine.new_stack(self.store, limits.stack_bytes)
        self.meter = FuelMeter(self.stack, limits.fuel)
        self._owner: int | None = None
        self._lock = threading.Lock()
        self._tasks: list[Task] = []
        self._closed = False
        self.instance = instantiate(self.store, module, imports)
        if module.module.start is not None:
            start = Task(self, self.instance.functions[module.module.start], ())
            start.finish(start.run())

    # Calls

    def call(self, name: str, *args: Any) -> Any:
        """Call an exported function and return its result: None, a scalar, or a tuple of scalars.

        Raises GuestError where the call does not return, LimitError among them: then `task` is the paused call.
        """
        task = self.start(name, *args)
        return task.finish(task.run())

    def start(self, name: str, *args: Any) -> Task:
        """Prepare a call of an exported function; `Task.run` runs it.  Raises UsageError for a wrong name or
        argument.
        """
        self._check_open()
        return Task(self, self._exported_function(name), args)

    def run(self) -> int:
        """Run the module as a program (its export `_start`); its exit status.  Raises GuestError where it does not
        end.
        """
        try:
            self.call("_start")
        except ExitError as end:
            return end.code
        return 0

    @property
    def task(self) -> Task | None:
        """The call that is paused, if there is one."""
        return self._tasks[-1] if self._tasks else None

    @property
    def engine(self) -> Engine:
        """The engine that runs the guest.  Setting it moves the guest, paused calls and all, to another."""
        return self._engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self._check_open()
        if self._owner is not None:
            raise UsageError("the guest is running: only a paused guest can move to another engine")
        old = self.stack
        record = old.record()
        self._engine.close(self.store)  # first, for what it gives up may be what the other makes anew
        stack = engine.adopt(self.store, self.limits.stack_bytes, record)
        stack.fuel = old.fuel
        self._engine, self.stack = engine, stack
        self.meter.move(stack)

    # Looking in

    @property
    def exports(self) -> Mapping[str, Extern]:
        """What the module exports, by name."""
        self._check_open()
        return self.instance.exports

    @property
    def memory(self) -> mmap.mmap:
        """The bytes of the guest's first memory.  While a view of them is held, the memory cannot grow."""
        self._check_open()
        return self.instance.memory

    def get_global(self, name: str) -> Any:
        """Value of an exported global."""
        found = self.exports.get(name)
        if not isinstance(found, GlobalInstance):
            raise UsageError(f"the module exports no global {name!r}")
        return from_slot(self.store, found.type.type, found.value)

    @property
    def fuel(self) -> int | None:
        """Fuel that is left; None without a limit."""
        return max(self.meter.left, 0) if self.meter.limited else None

    @property
    def fuel_used(self) -> int:
        """Fuel used so far."""
        return self.meter.used

    def add_fuel(self, amount: int) -> None:
        """Grant more fuel."""
        self.meter.add(_portion(amount))

    def close(self) -> None:
        """Give up the guest: its memory is freed, calls are refused.  May be called more than once."""
        if self._owner is not None:
            raise UsageError("the guest is running, and cannot be closed from inside or from another thread")
        self._closed = True
        self._tasks.clear()
        self.stack.cut(0)
        self._engine.close(self.store)
        for instance in self.store.instances:
            instance.memories.clear()

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = self.instance.module.module.names.module or "?"
        state = "closed" if self._closed else "paused" if self._tasks else "ready"
        return f"<Guest {name} on {self.engine.name}, {state}, fuel used {self.fuel_used}>"

    # Within the runtime

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("the guest is closed")

    def _exported_function(self, name: str) -> FunctionInstance:
        found = self.exports.get(name)
        if not isinstance(found, FunctionInstance):
            names = sorted(key for key, item in self.exports.items() if isinstance(item, FunctionInstance))
            raise UsageError(f"the module exports no function {name!r}; it has {', '.join(names) or 'none'}")
        return found

    def acquire(self) -> bool:
        """Hold the guest for this thread; whether it was not held before, and so is to be released.

        Raises UsageError where another thread has it.
        """
        me = threading.get_ident()
        if self._owner == me:
            if self.stack.in_host >= _MOST_NESTED:
                raise UsageError(f"host functions call into the guest more than {_MOST_NESTED} deep")
            return False
        if not self._lock.acquire(blocking=False):
            raise UsageError("the guest is driven by another thread; a guest belongs to one thread at a time")
        self._owner = me
        return True

    def release(self) -> None:
        """Let other threads have the guest."""
        self._owner = None
        self._lock.release()

    def flush(self) -> None:
        """Have the guest's language write what it still holds of its output, where it exports a way to.

        For a host that gives a guest up, paused or not.  It has its own small portion of fuel, and whatever goes wrong
        in it is passed over.
        """
        self._check_open()
        mine = self.acquire()
        try:
            with suppress(ExitError):
                self._aside(_FLUSH, FuncType(), ())
        finally:
            if mine:
                self.release()

    def describe(self, tag: TagInstance, values: tuple[int, ...]) -> str | None:
        """What the guest's language says of an exception, where it exports a way to ask."""
        if tag.type.params not in ((), (I32,)):
            return None
        found = self._aside(_DESCRIBE, FuncType((I32,), (I32, I32)), (values[0] if values else 0,))
        if found is None:
            return None
        start, length = found
        return self.memory[start : start + min(length, _DESCRIBE_BYTES)].decode("utf-8", "replace")

    def _aside(self, name: str, type_: FuncType, args: tuple[int, ...]) -> list[int] | None:
        """Call an export that serves the host, above whatever is on the stack and beside the guest's fuel.

        None where there is none of that type, or where it fails in any way but by ExitError (Krait's SystemExit ends
        the guest in `describe`): that must not hide what it is called about.
        """
        found = self.exports.get(name)
        if not isinstance(found, FunctionInstance) or found.host is not None or found.type != type_:
            return None
        stack = self.stack
        height, position, fuel = stack.height, stack.position, stack.fuel
        stack.push(args)
        stack.fuel = _ASIDE_FUEL
        try:
            done = self.engine.call(self.store, stack, found) is Status.DONE
            return stack.pop(len(type_.results)) if done else None
        except ExitError:
            raise
        except Exception:
            return None
        finally:
            stack.cut(height)
            stack.position, stack.fuel = position, fuel


class Task:
    """One call into a guest."""

    def __init__(self, guest: Guest, function: FunctionInstance, args: tuple[Any, ...]) -> None:
        self._guest = guest
        self._function = function
        self._args = to_slots(guest.store, function.type.params, args, f"arguments of {function.name!r}")
        self._started = self._entered = False
        self._running = False
        self._given_up = False
        self._base = 0
        self._nested = False
        self._seconds: float | None = None
        self._deadline: float | None = None
        self.outcome: Outcome | None = None

    @property
    def done(self) -> bool:
        """Whether the call has ended: with a result, with an error, or given up."""
        return self._given_up or (self.outcome is not None and not isinstance(self.outcome, Paused))

    def run(self, *, fuel: int | None = None, seconds: float | None = None) -> Outcome:
        """Run until the call ends, or has used so much fuel, or has run so long, or meets one of the guest's limits.

        What a host function raises comes through, and ends the call; so does KeyboardInterrupt, but it leaves the call
        paused.  A call made from inside a host function of the guest cannot be kept: where it would pause, it is given
        up.
        """
        guest = self._guest
        guest._check_open()
        mine = guest.acquire()
        try:
            if self._running:
                raise UsageError("the call is running already")
            if self.done:
                raise UsageError("the call has ended")
            portion = guest.meter.left if fuel is None else _portion(fuel)
            if seconds is not None and not isinstance(seconds, int | float):
                raise UsageError(f"seconds are a number, not {seconds!r}")
            if not self._started:
                self._start()
            elif guest.task is not self:
                raise UsageError("another call of the guest is under way; it must go on first")
            self._set_deadline(seconds)
            floor = max(guest.meter.left - portion, 0)
            self._running = True
            try:
                with InterruptWatch(guest.stack) as watch:
                    self.outcome = self._drive(floor, watch)
            finally:
                self._running = False
            return self.outcome
        finally:
            if mine:
                guest.release()

    def cancel(self) -> None:
        """Give up a paused call: its frames are dropped, and the guest can be called again."""
        guest = self._guest
        mine = guest.acquire()
        try:
            if self._running:
                raise UsageError("the call is running: only a paused call can be given up")
            if self.done:
                return
            if self._started:
                if guest.task is not self:
                    raise UsageError("another call of the guest is under way; it must end first")
                self._drop()
            self._given_up = True
        finally:
            if mine:
                guest.release()

    def finish(self, outcome: Outcome) -> Any:
        """The value of an outcome, or its error raised."""
        match outcome:
            case Finished(value):
                return value
            case Trapped(error):
                raise error
            case Exited(code):
                raise ExitError(code, None, outcome.fuel_used)
        raise self._limit(outcome)

    def __repr__(self) -> str:
        return f"<Task {self._function.name}: {self.outcome or 'ready'}>"

    # Within the runtime

    def _start(self) -> None:
        guest, stack = self._guest, self._guest.stack
        self._nested = stack.in_host > 0
        if guest.task is not None and not self._nested:
            raise UsageError(
                "a call of the guest is paused: go on with `guest.task.run()`, or `guest.task.cancel()` it"
            )
        self._started = True
        self._base, self._position = stack.height, stack.position if self._nested else None
        self._slice, self._used = stack.fuel, guest.meter.used
        stack.push(self._args)
        guest._tasks.append(self)
        self._next: Callable[[], Status] = self._first

    def _set_deadline(self, seconds: float | None) -> None:
        """Decide when the run must stop: no later than the call that it is nested in."""
        seconds = self._guest.limits.seconds if seconds is None else seconds
        self._seconds, self._deadline = seconds, None if seconds is None else time.monotonic() + seconds
        if self._nested and len(self._guest._tasks) > 1:
            outer = self._guest._tasks[-2]
            if outer._deadline is not None and (self._deadline is None or outer._deadline < self._deadline):
                self._seconds, self._deadline = outer._seconds, outer._deadline

    def _first(self) -> Status:
        guest = self._guest
        if self._function.host is not None:
            call_host(guest.store, guest.stack, guest.instance, self._function)
            return Status.DONE
        self._entered = True
        return guest.engine.call(guest.store, guest.stack, self._function)

    def traceback(self) -> Traceback:
        """The call's frames, outermost first; none before it has begun or after it has ended."""
        guest = self._guest
        return traceback(guest.store, guest.stack) if self in guest._tasks and self._entered else Traceback()

    def _drive(self, floor: int, watch: InterruptWatch) -> Outcome:
        meter = self._guest.meter
        size = _FIRST_SLICE
        while True:
            if not meter.hand_out(size, floor):
                return self._pause("fuel")
            begun = time.monotonic()
            try:
                status = self._next()
            except (GuestTrap, GuestThrow) as failure:
                return self._fail(failure)
            except ExitError as end:
                self._drop()
                return Exited(end.code, meter.used)
            except BaseException as error:
                frames = self.traceback()
                self._drop()
                self._given_up = True
                if isinstance(error, GuestError) and not error.traceback.frames:
                    error.traceback, error.fuel_used = frames, meter.used
                elif frames.frames:
                    error.add_note(f"The guest's traceback (most recent call last):\n{frames}")
                raise
            if status is Status.DONE:
                return self._finish()
            self._next = self._resume
            now = time.monotonic()
            size = _next_size(size, now - begun)
            if watch.noted:
                self.outcome = self._pause("interrupt")
                watch.check()
            if self._deadline is not None and now >= self._deadline and meter.left >= floor:
                return self._pause("seconds")

    def _resume(self) -> Status:
        guest = self._guest
        return guest.engine.resume(guest.store, guest.stack)

    def _finish(self) -> Finished:
        guest, stack = self._guest, self._guest.stack
        types = self._function.type.results
        value = from_slots(guest.store, types, stack.pop(len(types)))
        self._drop()
        return Finished(value, guest.meter.used)

    def _pause(self, reason: str) -> Outcome:
        guest = self._guest
        guest.meter.gather()
        if not self._nested:
            return Paused(reason, guest.meter.used, self)
        frames = self.traceback()  # the host function that called cannot be gone back to
        self._drop()
        self._given_up = True
        return Paused(reason, guest.meter.used, frames)

    def _drop(self) -> None:
        """Drop the call's frames."""
        guest = self._guest
        guest.stack.cut(self._base)
        guest.stack.position = self._position
        guest._tasks.remove(self)
        if self._nested:  # what it used was taken from the slice of the call that it is nested in
            guest.meter.go_on(self._slice - (guest.meter.used - self._used))
        else:
            guest.meter.gather()

    def _fail(self, failure: GuestTrap | GuestThrow) -> Trapped | Exited:
        guest = self._guest
        frames = self.traceback()
        self._drop()
        used = guest.meter.used
        if isinstance(failure, GuestThrow):
            try:
                return Trapped(self._uncaught(failure, frames, used), used)
            except ExitError as end:
                return Exited(end.code, used)
        kind = failure.kind
        if kind is TrapKind.CALL_STACK_EXHAUSTED:
            limit = guest.limits.stack_bytes
            message = f"{kind.message}: the guest's stack limit is {limit} bytes"
            return Trapped(ExhaustionError(message, limit, frames, used), used)
        return Trapped(TrapError(kind.name.lower(), kind.message, frames, used), used)

    def _uncaught(self, failure: GuestThrow, frames: Traceback, used: int) -> UncaughtError:
        guest, tag = self._guest, failure.tag
        types = FuncType(tag.type.params).params
        values = tuple(from_slot(guest.store, kind, slot) for kind, slot in zip(types, failure.values, strict=True))
        text = guest.describe(tag, failure.values)
        error = UncaughtError(text or f"uncaught exception {tag.name}{values}", tag.name, values, text, frames, used)
        if guest.store.memory_refused:
            error.add_note(f"the guest's memory limit of {guest.limits.memory_bytes} bytes refused it more memory")
        return error

    def _limit(self, outcome: Paused) -> LimitError:
        meter = self._guest.meter
        if outcome.reason == "fuel":
            value = float(meter.granted if meter.limited else 0)
            message = f"out of fuel: the limit is {meter.granted}" if meter.limited else "out of the fuel of this run"
        else:
            value = self._seconds or 0.0
            message = f"out of time: the limit is {value:g} s"
        return LimitError(message, outcome.reason, value, outcome.traceback, outcome.fuel_used)


def _portion(fuel: int) -> int:
    """Check an amount of fuel that the host gave."""
    if not isinstance(fuel, int) or fuel < 0:
        raise UsageError(f"fuel is a whole number from 0, not {fuel!r}")
    return fuel


def _next_size(size: int, seconds: float) -> int:
    """Size of the next slice, so that it takes about `_SLICE_SECONDS`."""
    factor = _SLICE_SECONDS / seconds if seconds > 1e-6 else 4.0
    size = int(size * (4.0 if factor > 4.0 else 0.25 if factor < 0.25 else factor))
    return 1_000 if size < 1_000 else min(size, 1 << 32)
