"""A store, where guests live together, and the calls into them.

A call is a `Task`: it runs in slices, and whatever stops it but an error of its own (fuel, time, Ctrl-C) leaves it
paused, to be inspected and gone on with.  All guests of a store share its limits, its fuel, its stack and its thread:
one thread drives a store at a time, and a call that is paused goes on before another begins.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from typing import Any, NoReturn, Self

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
from svm.runtime.arenas import Arenas, FunctionInstance, Instance, TagInstance
from svm.runtime.engine import (
    Engine,
    GuestStack,
    GuestThrow,
    GuestTrap,
    Record,
    Status,
    Tiers,
    host_function_called,
    traceback,
)
from svm.runtime.fuel import FuelMeter
from svm.runtime.host import call_host
from svm.runtime.interrupt import InterruptWatch
from svm.runtime.outcome import Exited, Finished, Outcome, Paused, Standing, Trapped
from svm.runtime.values import from_slot, signature_of, slots_of

__all__ = ["Store", "Task"]

_SLICE_SECONDS = 0.010
_MOST_SLICE = 1 << 26  # for what compiled code does in one slice, the interpreter may have to do in the next
_MOST_NESTED = 40  # calls into a store from its own host functions, each of which takes some of Python's stack
_DESCRIBE = "krait:describe_utf8"
_ASIDE_FUEL = 1_000_000
_DESCRIBE_BYTES = 65_536
_OTHER_THREAD = "the guest is driven by another thread; a guest belongs to one thread at a time"


class Store:
    """What guests that are linked together share: limits, fuel, stack, engine, thread."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        """An empty store."""
        self.limits = limits
        self.arenas = Arenas(limits)
        self.arenas.call_aside = self.call_aside
        self._engine = engine
        self.stack: GuestStack = engine.new_stack(self.arenas, limits.stack_bytes)
        self.meter = FuelMeter(self.stack, limits.fuel)
        self.watch = InterruptWatch(self.stack)
        self.closed = False
        self.tasks: list[Task] = []
        """Calls under way: one that is paused, or that runs and those that its host functions made, outermost first."""
        self._lock = threading.RLock()
        self._held = 0

    # Calls

    def call(self, function: FunctionInstance, *args: Any) -> Any:
        """Call a function of the store and return its result: None, one value, or a tuple of values.

        Such a function is what a guest exports, and what a funcref is to the host.  Raises as `Guest.call` does.
        """
        task = self.start(function, *args)
        return task.finish(task.run())

    def start(self, function: FunctionInstance, *args: Any) -> Task:
        """Prepare a call of a function of the store; `Task.run` runs it.  Raises UsageError for a function that is
        none of its own, and for wrong arguments.
        """
        self.check_open()
        if not isinstance(function, FunctionInstance) or not self.arenas.owns(function):
            raise UsageError(f"a function of this store is expected, not {function!r:.80}")
        return Task(self, function, args)

    @property
    def task(self) -> Task | None:
        """The call that is paused, if there is one."""
        if not self.tasks and self.stack.busy:
            self._in_own_call()
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
            old = self.stack
            old.set_ready(0)
            record = old.record()
            self._engine.close(self.arenas)  # first, for what it gives up may be what the other makes anew
            stack = engine.new_stack(self.arenas, self.limits.stack_bytes)
            stack.restore(record)
            stack.fuel, stack.reserve = old.fuel, old.reserve
            self._engine, self.stack = engine, stack
            self.meter.stack = self.watch.stack = stack

    @property
    def fuel(self) -> int | None:
        """Fuel that is left; None without a limit."""
        return max(self.meter.left, 0) if self.meter.limited else None

    @property
    def fuel_used(self) -> int:
        """Fuel used so far, by all guests."""
        return self.meter.used

    def add_fuel(self, amount: int) -> None:
        """Grant more fuel."""
        self.meter.add(_portion(amount))

    @property
    def tiers(self) -> Tiers:
        """What the engine compiled for the guests, and what share of their fuel compiled code has used."""
        self.check_open()
        return self._engine.tiers(self.arenas)

    def close(self) -> None:
        """Give up all guests: their memory is freed, calls are refused.  May be called more than once."""
        if self.running:
            raise UsageError("the guest is running, and cannot be closed from inside or from another thread")
        self.closed = True
        self.stack.set_ready(0)
        self.tasks.clear()
        self.stack.cut(0)
        self._engine.close(self.arenas)
        self.arenas.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Within the runtime

    def check_open(self) -> None:
        """Raise UsageError once it is closed."""
        if self.closed:
            raise UsageError("the guest is closed, and so is its store")

    def check_free(self) -> None:
        """Raise UsageError where no call can begin: while another is paused, or where calls nest too deep."""
        if self.stack.in_host >= _MOST_NESTED:
            raise UsageError(f"host functions call into the guest more than {_MOST_NESTED} deep")
        if self.tasks and not self.stack.in_host:
            raise UsageError(
                "a call of the guest is paused: go on with `guest.task.run()`, or `guest.task.cancel()` it"
            )

    def acquire(self) -> None:
        """Hold the store for this thread, which may hold it already; every time is to be released.

        Raises UsageError where another thread has it, or it is closed.
        """
        if not self._lock.acquire(False):
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
            ready = not self.tasks and self.limits.seconds is None
            self.stack.set_ready(get_ident() if ready else 0)
        self._lock.release()

    def _in_own_call(self) -> bool:
        """Whether the prepared call under way is this thread's: then it is made a task, for what begins now may ask."""
        stack = self.stack
        if stack.busy != get_ident():
            return False
        if not self.tasks:
            self.tasks.append(Task.under_way(self, stack.watch()))
        if stack.left:  # an interrupt came before its caller could go on with it
            stack.take_over()
            self.tasks[0]._drop()
        return True

    def go_on(self, error: BaseException | None) -> Task | None:
        """Go on with the prepared call that this thread began and native code left: the call as a task, that has run.

        error: what was raised instead of a result, by a host function or by a signal's handler.  None where no call was
        left, and nothing was done.
        """
        stack = self.stack
        if not stack.left or stack.busy != get_ident():
            return None
        self._lock.acquire()
        self._held += 1
        try:
            if not self.tasks:
                self.tasks.append(Task.under_way(self, stack.watch()))
            task = self.tasks[0]
            if stack.take_over() and (error is None or isinstance(error, KeyboardInterrupt)):
                stack.interrupted |= error is not None
                task.go_on(stack.go_on)
            else:
                assert error is not None
                task.go_on(_raise, error)
            return task
        finally:
            self.release()

    @contextmanager
    def still(self, what: str) -> Iterator[None]:
        """Hold the store for something that is done to all of it, while every call of it is paused.

        Raises UsageError where one runs, in the words of `what`.
        """
        self.acquire()
        try:
            if self._held > 1 or self.stack.busy:
                task = self.tasks[-1] if self.tasks else None
                name = host_function_called(self.stack) or (task and self.stack.in_host and task.name)
                where = f", inside of the host function {name!r}, which cannot be paused" if name else ""
                raise UsageError(f"the guest is running{where}: {what}")
            yield
        finally:
            self.release()

    def stand(self, record: Record, standing: Standing | None) -> None:
        """Give up what is under way, and have these frames in its place, of a call that is paused."""
        for task in self.tasks:
            task.abandon()
        self.tasks.clear()
        self.stack.restore(record)
        if standing is not None:
            self.tasks.append(Task.standing_at(self, standing))

    def describe(self, tag: TagInstance, values: tuple[int, ...]) -> str | None:
        """What the language that made an exception says of it, where it exports a way to ask."""
        if tag.instance is None or tag.type.params not in ((), (I32,)):
            return None
        type_ = FuncType((I32,), (I32, I32))
        found = self.call_aside(tag.instance, _DESCRIBE, type_, (values[0] if values else 0,))
        if found is None:
            return None
        start, length = found
        return tag.instance.memory[start : start + min(length, _DESCRIBE_BYTES)].decode("utf-8", "replace")

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
        height, position, slice_fuel = stack.height, stack.position, stack.fuel
        stack.push(slots_of(len(args)).pack(*args))
        stack.fuel = fuel
        try:
            done = self.engine.call(stack, found) is Status.DONE
            return stack.take(slots_of(len(type_.results))) if done else None
        except ExitError:
            raise
        except Exception:
            return None
        finally:
            stack.cut(height)
            stack.position, stack.fuel = position, slice_fuel


class Task:
    """One call into a store."""

    outcome: Outcome | None = None
    """How it stands after its last run; None before the first."""
    _started = _entered = _running = _nested = False
    _seconds: float | None = None
    _deadline: float | None = None
    _position: Any = None
    _signature: Any = None

    def __init__(
        self,
        store: Store,
        function: FunctionInstance,
        args: Sequence[Any],
        caller: Instance | None = None,
        *,
        slots: bool = False,
        signature: Any = None,
    ) -> None:
        """Prepare a call.  caller: the instance by whose export a host function is called.  slots: the arguments are
        slots, as many as there are parameters, and the call's value is a tuple of slots: Python's floats cannot carry
        the bits of every NaN.  signature: how values pass, where not by the function's own types.
        Raises UsageError for arguments that do not fit.
        """
        self._store = store
        self._function = function
        self._caller = caller
        self._slots = slots
        self._args: Any
        if slots:
            self._args = slots_of(len(args)).pack(*args)
        else:
            self._signature = signature
            self._args = (signature or signature_of(function)).params.encode(store.arenas, args)
        self._next: Callable[[], Status] | None = self._first
        """What runs the next slice; None when the call has ended."""

    @property
    def done(self) -> bool:
        """Whether the call has ended: with a result, with an error, or given up."""
        return self._next is None

    def run(self, *, fuel: int | None = None, seconds: float | None = None) -> Outcome:
        """Run until the call ends, or has used so much fuel, or has run so long, or meets one of the guest's limits.

        What a host function raises comes through, and ends the call; so does KeyboardInterrupt, but it leaves the call
        paused.  A call made from inside a host function of the guest cannot be kept: where it would pause, it is given
        up.
        """
        store = self._store
        store.acquire()
        try:
            if self._running:
                raise UsageError("the call is running already")
            if self._next is None:
                raise UsageError("the call has ended")
            floor = 0 if fuel is None else max(store.meter.left - _portion(fuel), 0)
            if seconds is None:
                seconds = store.limits.seconds
            elif not isinstance(seconds, int | float):
                raise UsageError(f"seconds are a number, not {seconds!r}")
            if not self._started:
                self._start()
            elif store.task is not self:
                raise UsageError("another call of the guest is under way; it must go on first")
            self._set_deadline(seconds)
            self._running = True
            try:
                with store.watch:
                    self.outcome = outcome = self._drive(floor)
            except BaseException:
                if not self._entered and not self.done:  # Python's stack had no room to begin it
                    self._drop()
                raise
            finally:
                self._running = False
            return outcome
        finally:
            store.release()

    def cancel(self) -> None:
        """Give up a paused call: its frames are dropped, and the guest can be called again."""
        store = self._store
        store.acquire()
        try:
            if self._running:
                raise UsageError("the call is running: only a paused call can be given up")
            if self._started and not self.done:
                if store.task is not self:
                    raise UsageError("another call of the guest is under way; it must end first")
                self._drop()
            self._next = None
        finally:
            store.release()

    def finish(self, outcome: Outcome) -> Any:
        """The value of an outcome, or its error raised."""
        if isinstance(outcome, Finished):
            return outcome.value
        if isinstance(outcome, Trapped):
            raise outcome.error
        if isinstance(outcome, Exited):
            raise ExitError(outcome.code, None, outcome.fuel_used)
        raise self._limit(outcome)

    def traceback(self) -> Traceback:
        """The call's frames, outermost first; none before it has begun or after it has ended."""
        return traceback(self._store.stack) if self in self._store.tasks and self._entered else Traceback()

    def __repr__(self) -> str:
        return f"<Task {self.name}: {self.outcome or 'ready'}>"

    # Within the runtime

    @classmethod
    def under_way(cls, store: Store, function: FunctionInstance) -> Task:
        """The call that native code is in the middle of, as a task."""
        task = cls(store, function, [0] * len(function.type.params), slots=True)
        task._slots = False
        task._started = task._entered = task._running = True
        task._base = 0
        return task

    def go_on(self, step: Callable[..., Status], *args: Any) -> None:
        """Run it further after native code did the first part; `step` is the next."""
        self._next = partial(step, *args)
        self._running = True
        try:
            with self._store.watch:
                self.outcome = self._drive(0)
        finally:
            self._running = False

    @property
    def name(self) -> str:
        """Name of the function that was called."""
        return self._function.name

    @property
    def standing(self) -> Standing:
        """How a paused call stands, but for its frames."""
        assert isinstance(self.outcome, Paused)
        caller, arrays = -1 if self._caller is None else self._caller.number, self._signature is not None
        return Standing(self._function.number, self._entered, self._slots, arrays, caller, self.outcome.reason)

    @classmethod
    def standing_at(cls, store: Store, standing: Standing) -> Task:
        """The call that stands so in a store, whose stack has its frames."""
        function = store.arenas.functions[standing.function]
        assert function is not None
        caller = store.arenas.instances[standing.caller] if standing.caller >= 0 else None
        task = cls(store, function, (), caller, slots=True)
        if standing.arrays:
            from svm.runtime.rich import export_signature

            task._signature = export_signature(function, arrays=True)
        task._slots, task._started, task._entered, task._base = standing.slots, True, standing.entered, 0
        task._next = task._resume if standing.entered else task._first
        task.outcome = Paused(standing.reason, store.meter.used, task)
        return task

    def abandon(self) -> None:
        """Be at an end, for the store's frames are others now."""
        self._next = None

    def _start(self) -> None:
        store, stack = self._store, self._store.stack
        store.check_free()
        args = self._args if isinstance(self._args, bytes) else self._args.deliver()
        self._nested = stack.in_host > 0
        self._started = True
        self._base = stack.height
        if self._nested:
            self._position, self._slice, self._used = stack.position, stack.fuel, store.meter.used
        stack.push(args)
        store.tasks.append(self)

    def _set_deadline(self, seconds: float | None) -> None:
        """Decide when the run must stop: no later than the call that it is nested in."""
        self._seconds, self._deadline = seconds, None if seconds is None else time.monotonic() + seconds
        if self._nested and len(self._store.tasks) > 1:
            outer = self._store.tasks[-2]
            if outer._deadline is not None and (self._deadline is None or outer._deadline < self._deadline):
                self._seconds, self._deadline = outer._seconds, outer._deadline

    def _first(self) -> Status:
        store = self._store
        if self._function.host is not None:
            call_host(store.stack, self._caller, self._function)
            return Status.DONE
        self._entered = True
        return store.engine.call(store.stack, self._function)

    def _resume(self) -> Status:
        store = self._store
        return store.engine.resume(store.stack)

    def _drive(self, floor: int) -> Outcome:
        """Run slices until the call ends or stops, or less fuel than `floor` is left."""
        store = self._store
        meter, watch, stack = store.meter, store.watch, store.stack
        size, left = stack.slice, meter.gather()
        while left >= floor:
            assert self._next is not None
            meter.hand_out(min(size, left - floor))
            begun = time.monotonic()
            try:
                status = self._next()
            except BaseException as error:
                return self._fail(error)
            if status is Status.DONE:
                stack.slice = stack.fuel if stack.fuel > 0 else stack.first_slice
                return self._finish()
            self._next = self._resume
            left = meter.gather()
            stack.slice = stack.first_slice
            if stack.interrupted:
                self.outcome = self._pause("interrupt")
                watch.check()
            if left >= floor:
                now = time.monotonic()
                if self._deadline is not None and now >= self._deadline:
                    return self._pause("seconds")
                size = _next_size(size, now - begun) if size >= stack.first_slice else stack.first_slice
        return self._pause("fuel")

    def _finish(self) -> Finished:
        store, function = self._store, self._function
        if self._slots:
            slots = store.stack.take(slots_of(len(function.type.results)))
            self._drop()
            return Finished(slots, store.meter.used)
        results = (self._signature or signature_of(function)).results
        values: Sequence[Any] = store.stack.take(results.layout)
        self._drop()
        if results.refers:
            values = results.decode(store.arenas, values)
        return Finished(values[0] if results.single else tuple(values) or None, store.meter.used)

    def _pause(self, reason: str) -> Paused:
        if not self._nested:
            return Paused(reason, self._store.meter.used, self)
        frames = self.traceback()  # the host function that called cannot be gone back to
        self._drop()
        return Paused(reason, self._store.meter.used, frames)

    def _drop(self) -> None:
        """Drop the call's frames, for it has ended."""
        store, stack = self._store, self._store.stack
        self._next = None
        store.tasks.pop()
        stack.cut(self._base)
        stack.position = self._position
        store.meter.gather()
        if self._nested:  # what it used was taken from the slice of the call that it is nested in
            store.meter.hand_out(self._slice - (store.meter.used - self._used))

    # Failures

    def _fail(self, error: BaseException) -> Trapped | Exited:
        """The outcome where what ran raised an error of the guest's; any other is raised with the guest's traceback."""
        store = self._store
        try:
            frames = self.traceback()
        except RecursionError:  # Python's stack is what ran out
            frames = Traceback()
        self._drop()
        used = store.meter.used
        if isinstance(error, ExitError):
            return Exited(error.code, used)
        if isinstance(error, GuestThrow):
            try:
                return Trapped(self._uncaught(error, frames, used), used)
            except ExitError as end:
                return Exited(end.code, used)
        if isinstance(error, GuestTrap):
            return Trapped(self._trap(error.kind, frames, used), used)
        if isinstance(error, GuestError) and not error.traceback.frames:
            error.traceback, error.fuel_used = frames, used
        elif frames.frames:
            error.add_note(f"The guest's traceback (most recent call last):\n{frames}")
        raise error

    def _trap(self, kind: TrapKind, frames: Traceback, used: int) -> TrapError:
        if kind is not TrapKind.CALL_STACK_EXHAUSTED:
            return TrapError(kind.name.lower(), kind.message, frames, used)
        limit = self._store.limits.stack_bytes
        return ExhaustionError(f"{kind.message}: the guest's stack limit is {limit} bytes", limit, frames, used)

    def _uncaught(self, failure: GuestThrow, frames: Traceback, used: int) -> UncaughtError:
        store, tag = self._store, failure.tag
        pairs = zip(tag.type.params, failure.values, strict=True)
        values = tuple(from_slot(store.arenas, kind, slot) for kind, slot in pairs)
        text = store.describe(tag, failure.values)
        error = UncaughtError(text or f"uncaught exception {tag.name}{values}", tag.name, values, text, frames, used)
        if store.arenas.memory_refused:
            error.add_note(f"the guest's memory limit of {store.limits.memory_bytes} bytes refused it more memory")
        return error

    def _limit(self, outcome: Paused) -> LimitError:
        meter = self._store.meter
        if outcome.reason == "fuel":
            value = float(meter.granted if meter.limited else 0)
            message = f"out of fuel: the limit is {meter.granted}" if meter.limited else "out of the fuel of this run"
        else:
            value = self._seconds or 0.0
            message = f"out of time: the limit is {value:g} s"
        return LimitError(message, outcome.reason, value, outcome.traceback, outcome.fuel_used)


def _raise(error: BaseException) -> NoReturn:
    raise error


def _portion(fuel: int) -> int:
    """Check an amount of fuel that the host gave."""
    if not isinstance(fuel, int) or fuel < 0:
        raise UsageError(f"fuel is a whole number from 0, not {fuel!r}")
    return fuel


def _next_size(size: int, seconds: float) -> int:
    """Size of the next slice, so that it takes about `_SLICE_SECONDS`."""
    factor = _SLICE_SECONDS / seconds if seconds > 1e-6 else 4.0
    size = int(size * (4.0 if factor > 4.0 else 0.25 if factor < 0.25 else factor))
    return 1_000 if size < 1_000 else min(size, _MOST_SLICE)
