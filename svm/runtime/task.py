"""A call into a store.

It runs in slices, and whatever stops it but an error of its own (fuel, time, Ctrl-C, a host function that answers
later) leaves it where it stands, to be inspected and gone on with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from svm.errors import ExitError, Traceback, UsageError
from svm.hints import Any, NoReturn
from svm.limits import fuel_amount, seconds_amount
from svm.runtime.arenas import FunctionInstance, Instance
from svm.runtime.engine import DECLINED, Status, traceback
from svm.runtime.failure import cannot_wait, failed, stopped
from svm.runtime.host import answer, answer_raised, call_host
from svm.runtime.outcome import Exited, Finished, Outcome, Paused, Standing, Suspended, Trapped
from svm.runtime.shared import Shared
from svm.runtime.values import signature_of, slots_of
from svm.runtime.waits import Suspend, Unanswered, discard

__all__ = ["Task", "raising"]

_SLICE_SECONDS = 0.010
_TURN_SECONDS = 0.004  # after which a run on an event loop begins no other slice, so that it ends within 10 ms
_LEAST_SLICE = 1_000  # with that, a guest that calls the host has one slice for each call
_MOST_SLICE = 1 << 26  # for what compiled code does in one slice, the interpreter may have to do in the next


class Task:
    """One call into a store."""

    outcome: Outcome | None = None
    """How it stands after its last run; None before the first."""
    awaited = False
    """Whether `run_async` drives it."""
    sliceable = False
    """Whether it is paused for fuel, and nothing else is to be looked at before it goes on."""
    _started = _entered = _running = _nested = False
    _seconds: float | None = None
    _deadline: float | None = None
    _waits: Any = None
    _signature: Any = None

    def __init__(
        self,
        store: Shared,
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
    def running(self) -> bool:
        """Whether it runs just now."""
        return self._running or (self.sliceable and self._store.stack.busy != 0)

    @property
    def done(self) -> bool:
        """Whether the call has ended: with a result, with an error, or given up."""
        return self._next is None

    def run(self, *, fuel: int | None = None, seconds: float | None = None) -> Outcome:
        """Run until the call ends or is suspended, or has used so much fuel, or has run so long, or meets one of the
        guest's limits.

        What a host function raises comes through, and ends the call; so does KeyboardInterrupt, but it leaves the call
        paused.  A call made from inside a host function of the guest cannot be kept: where it would pause, it is given
        up, and where it would wait, that is a UsageError.

        Where the call was suspended and nothing brings the answer any more, the host function is called again; where
        something does, this is a UsageError: see `resume`, `throw` and `run_async`.
        """
        if self.sliceable and fuel is not None and seconds is None:
            outcome = self._run_slice(fuel)
            if outcome is not None:
                return outcome
        return self._go_on(fuel, seconds, self._check_answered)

    def resume(self, value: Any = None, *, fuel: int | None = None, seconds: float | None = None) -> Outcome:
        """Go on, as `run`, with the answer of the host function that the suspended call waits for.

        Raises UsageError where the call waits for none, or the value is none that the function could return; then
        nothing has changed.
        """
        return self._go_on(fuel, seconds, lambda: self.answered(value))

    def throw(self, error: BaseException, *, fuel: int | None = None, seconds: float | None = None) -> Outcome:
        """Go on, as `run`, as if the host function that the suspended call waits for had raised an exception."""
        if not isinstance(error, BaseException):
            raise UsageError(f"an exception is expected, not {error!r:.80}")
        return self._go_on(fuel, seconds, lambda: self.failed(error))

    async def run_async(self, *, fuel: int | None = None, seconds: float | None = None) -> Outcome:
        """Run as `run` does, on the thread of asyncio's loop, in turns of less than 10 ms between which the loop has
        its own; what host functions return to be awaited is awaited, and no thread waits.

        fuel, seconds: of the whole; only the time in which the guest runs counts.  Meanwhile the guest takes no other
        call, but those that its host functions make, and cannot be closed.

        Cancelling whoever awaits this leaves the guest as it is, to be gone on with: between two turns the call is
        `Paused("cancelled")`.  While a host function is awaited that is cancelled too, as a coroutine is, and the call
        is `Suspended`, waiting for nothing: `run_async` calls the host function again, `resume` answers for it.
        """
        from svm.runtime.awaiting import drive  # here, for asyncio takes long to import, and few hosts need it

        store = self._store
        store.acquire()
        try:
            self._check()
            if isinstance(self._waits, Suspend):
                raise UsageError(self.why_busy())
            floor, seconds = self._portion(fuel, seconds)
            if not self._started:
                self._start()
            self.awaited, self.sliceable = True, False
        finally:
            store.release()
        try:
            return await drive(self, floor, seconds, None if self._waits is None else self.outcome)
        finally:
            self.awaited = False

    def cancel(self) -> None:
        """Give up a paused or suspended call: its frames are dropped, and the guest can be called again."""
        store = self._store
        store.acquire()
        try:
            if self.running or self.awaited:
                raise UsageError("the call is running: only a paused call can be given up")
            if self._started and not self.done:
                if store.innermost is not self:
                    raise UsageError("another call of the guest is under way; it must end first")
                self.abandon()
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
        raise stopped(self._store, outcome, self._seconds)

    def traceback(self) -> Traceback:
        """The call's frames, outermost first; none before it has begun or after it has ended."""
        return traceback(self._store.stack) if self in self._store.tasks and self._entered else Traceback()

    def __repr__(self) -> str:
        return f"<Task {self.name}: {self.outcome or 'ready'}>"

    @property
    def name(self) -> str:
        """Name of the function that was called."""
        return self._function.name

    # As a value

    @property
    def standing(self) -> Standing:
        """How a call that has stopped stands, but for its frames."""
        assert isinstance(self.outcome, Paused | Suspended)
        caller, arrays = -1 if self._caller is None else self._caller.number, self._signature is not None
        reason = self.outcome.reason if isinstance(self.outcome, Paused) else "suspended"
        return Standing(self._function.number, self._entered, self._slots, arrays, caller, reason)

    @classmethod
    def standing_at(cls, store: Shared, standing: Standing) -> Task:
        """The call that stands so in a store, whose stack has its frames."""
        function = store.arenas.functions[standing.function]
        assert function is not None
        caller = store.arenas.instances[standing.caller] if standing.caller >= 0 else None
        task = cls(store, function, (), caller, slots=True)
        if standing.arrays:
            from svm.runtime.rich import export_signature

            task._signature = export_signature(function, arrays=True)
        task._slots, task._started, task._entered, task._base = standing.slots, True, standing.entered, 0
        pending, used = store.arenas.functions[store.stack.pending], store.meter.used
        task._next = task._again if pending else task._resume if standing.entered else task._first
        task.outcome = Paused(standing.reason, used, task)
        if pending is not None and standing.reason == "suspended":
            task.outcome = Suspended(pending.name, None, used, task)
        return task

    # What it waits for

    def arguments(self) -> tuple[Any, ...]:
        """Those of the host function whose answer the suspended call waits for."""
        stack = self._store.stack
        params = signature_of(self._pending()).params
        return tuple(params.decode(stack.arenas, stack.peek(params.layout)))

    def answered(self, value: Any) -> None:
        """Take the answer, for the next run.  Raises UsageError."""
        stack = self._store.stack
        function = self._pending()
        try:
            answer(stack, function, value)
        except Unanswered as error:
            discard(error.waits_for)
            raise UsageError(f"the answer of host function {function.name!r} is to be awaited itself") from None
        stack.pending, self._waits, self._next = 0, None, self._after_host

    def failed(self, error: BaseException) -> None:
        """Take an exception in the place of the answer, for the next run.  Raises UsageError."""
        stack, function = self._store.stack, self._pending()
        caught = answer_raised(stack, function, error)
        self._waits, self._next = None, self._after_host if caught else partial(raising, error)
        if caught:
            stack.pending = 0

    def left(self) -> None:
        """Stand where it is, for whoever awaited it was cancelled."""
        store = self._store
        self._waits = None
        if store.stack.pending:
            self.outcome = Suspended(self._pending().name, None, store.meter.used, self)
        else:
            self.outcome = self._pause("cancelled")

    def abandon(self) -> None:
        """Be at an end, for the store's frames are others now, or none."""
        discard(self._waits)
        self._waits = self._next = None
        self.sliceable = False

    def why_busy(self) -> str:
        """Why no other call can begin, while this one has stopped."""
        if self.awaited:
            return f"the guest's call of {self._function.name!r} is being awaited; a guest does one call at a time"
        if self._store.stack.pending and self._waits is not None:
            return (
                f"a call of the guest waits for host function {self._pending().name!r}: await "
                "`guest.task.run_async()`, answer with `guest.task.resume(value)`, or `guest.task.cancel()` it"
            )
        return "a call of the guest is paused: go on with `guest.task.run()`, or `guest.task.cancel()` it"

    def _pending(self) -> FunctionInstance:
        """The host function whose answer it waits for.  Raises UsageError if there is none."""
        stack = self._store.stack
        if self._next is None:
            raise UsageError("the call has ended")
        function = stack.arenas.functions[stack.pending] if self._store.innermost is self else None
        if function is None:
            raise UsageError("the call waits for no host function")
        return function

    def _check_answered(self) -> None:
        if self._waits is not None:
            raise UsageError(self.why_busy())

    @contextmanager
    def hosting(self) -> Iterator[None]:
        """While the code of an awaited host function runs: it may call the guest, as any host function."""
        store = self._store
        store.acquire(wait=True)
        stack = store.stack
        stack.in_host, stack.calling = stack.in_host + 1, stack.pending
        try:
            yield
        finally:
            stack.in_host -= 1
            store.release()

    # Running

    def _check(self) -> None:
        """Raise UsageError where it cannot go on now."""
        if self.running or self.awaited:
            raise UsageError("the call is running already")
        if self._next is None:
            raise UsageError("the call has ended")
        if self._started and self._store.innermost is not self:
            raise UsageError("another call of the guest is under way; it must go on first")

    def _portion(self, fuel: int | None, seconds: float | None) -> tuple[int, float | None]:
        """What a run may use: how much fuel is to be left, and seconds.  Raises UsageError."""
        store = self._store
        floor = 0 if fuel is None else max(store.meter.left - fuel_amount(fuel), 0)
        return floor, store.limits.seconds if seconds is None else seconds_amount(seconds)

    def _go_on(self, fuel: int | None, seconds: float | None, ready: Callable[[], None]) -> Outcome:
        store = self._store
        store.acquire()
        try:
            self._check()
            floor, seconds = self._portion(fuel, seconds)
            ready()
            if not self._started:
                self._start()
            return self._run(floor, seconds, seconds, None)
        finally:
            store.release()

    def turn(self, floor: int, seconds: float | None, left: float | None) -> Outcome:
        """Run for some milliseconds.  left: of the seconds."""
        store = self._store
        store.acquire(wait=True)
        try:
            if self._next is None:
                raise UsageError("the call was given up while it was awaited")
            return self._run(floor, seconds, left, _TURN_SECONDS)
        finally:
            store.release()

    def _run_slice(self, fuel: int) -> Outcome | None:
        """Run further, by native code alone as far as that goes; None where it cannot, and nothing was done."""
        store = self._store
        stack = store.stack
        if stack.slices is None:
            return None
        try:
            left = stack.slices(stack.handle, fuel)
            if left is not DECLINED:
                self.outcome = outcome = Paused("fuel", store.meter.granted - left, self)
                return outcome
        except BaseException as error:
            if store.go_on(error) is None:  # it came when the slice was over
                self.outcome = Paused("interrupt", store.meter.used, self)
                raise
            return self.outcome
        return None if store.go_on(None) is None else self.outcome

    def _run(self, floor: int, seconds: float | None, left: float | None, turn: float | None) -> Outcome:
        self.outcome, self.sliceable = None, False
        try:
            self._set_deadline(seconds, left)
            self._running = True
            with self._store.watch:
                self.outcome = outcome = self._drive(floor, turn)
        except BaseException:
            if self.outcome is None and not self.done:  # Python's stack had no room even to give it up
                self._drop()
            raise
        finally:
            self._running = False
        return outcome

    @classmethod
    def under_way(cls, store: Shared, function: FunctionInstance) -> Task:
        """The call that native code is in the middle of, as a task."""
        task = cls(store, function, [0] * len(function.type.params), slots=True)
        task._slots = False
        task._started = task._entered = task._running = True
        task._base = 0
        return task

    def go_on(self, step: Callable[..., Status], *args: Any) -> None:
        """Run it further after native code did the first part; `step` is the next."""
        self._next, self.sliceable = partial(step, *args), False
        self._running = True
        try:
            with self._store.watch:
                self.outcome = self._drive(self._store.stack.floor, None, under_way=True)
        finally:
            self._running = False

    def not_gone_on_with(self, *, resumable: bool) -> None:
        """Stand where native code left it, if it was paused before that and can go on; else it is at an end."""
        if self.sliceable and resumable:
            self._next, self.sliceable = self._store.stack.go_on, False
            self.outcome = Paused("interrupt", self._store.meter.used, self)
        else:
            self._drop()

    def _start(self) -> None:
        store, stack = self._store, self._store.stack
        store.check_free()
        args = self._args if isinstance(self._args, bytes) else self._args.deliver()
        self._nested = stack.in_host > 0
        self._started = True
        if self._nested:
            self._mark, self._slice, self._used = stack.mark(), stack.fuel, store.meter.used
            stack.pending = 0
        else:
            self._base = stack.height
        stack.push(args)
        store.tasks.append(self)

    def _set_deadline(self, seconds: float | None, left: float | None) -> None:
        """Decide when the run must stop: no later than the call that it is nested in."""
        self._seconds, self._deadline = seconds, None if left is None else time.monotonic() + left
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

    def _again(self) -> Status:
        """Call the host function anew whose answer is pending."""
        stack = self._store.stack
        frame = next(stack.walk(), None)
        caller = self._caller if frame is None else stack.arenas.instances[stack.place(frame).instance]
        call_host(stack, caller, self._pending())
        stack.pending = 0
        return self._after_host()

    def _after_host(self) -> Status:
        return self._resume() if self._entered else Status.DONE

    def _drive(self, floor: int, turn: float | None, *, under_way: bool = False) -> Outcome:
        """Run slices until the call ends or stops, or less fuel than `floor` is left, or the turn is over.

        under_way: the first of them was begun, and stands where it cannot stop.
        """
        store = self._store
        meter, watch, stack = store.meter, store.watch, store.stack
        size, left = stack.slice, meter.left if under_way else meter.gather()
        if store.pausing and not self._nested:
            size = 0
        target = turn or _SLICE_SECONDS
        begun = first = time.monotonic()
        while under_way or left >= floor:
            assert self._next is not None
            if not under_way:
                meter.hand_out(min(size, left - floor))
            under_way = False
            try:
                status = self._next()
            except Unanswered as stop:
                suspended = self._suspend(stop)
                if suspended is not None:
                    return suspended
                left = meter.gather()
                continue
            except BaseException as error:
                return self._fail(error)
            if status is Status.DONE:
                stack.slice = stack.fuel if stack.fuel > 0 else stack.first_slice
                return self._finish()
            self._next = self._resume
            left = meter.gather()
            stack.slice = stack.first_slice
            if stack.interrupted or watch.noted:
                stopped = self._called_off()
                if stopped is not None:
                    return stopped
            if left >= floor:
                now = time.monotonic()
                if self._deadline is not None and now >= self._deadline:
                    return self._pause("seconds")
                if turn is not None and now - first >= turn:
                    return self._pause("turn")
                shared = begun == first and size < stack.first_slice  # with calls before
                size = stack.first_slice if shared else _next_size(size, now - begun, target)
                begun = now
        # Where fuel was overdrawn before, it may not have begun, or a host function may be yet to be called.
        self.sliceable = self._next == self._resume and not self._nested and stack.slices is not None
        return self._pause("fuel")

    def _finish(self) -> Finished:
        store, function = self._store, self._function
        if self._slots:
            slots = store.stack.take(slots_of(len(function.type.results)))
            self._drop()
            return Finished(slots, store.meter.used)
        store.arenas.raised = None
        results = (self._signature or signature_of(function)).results
        values: Sequence[Any] = store.stack.take(results.layout)
        self._drop()
        if results.refers:
            values = results.decode(store.arenas, values)
        return Finished(values[0] if results.single else tuple(values) or None, store.meter.used)

    def _pause(self, reason: str) -> Paused:
        store = self._store
        if not self._nested:
            store.pausing &= reason == "turn"
            store.stack.interrupted = store.pausing
            return Paused(reason, store.meter.used, self)
        frames = self.traceback()  # the host function that called cannot be gone back to
        self._drop()
        return Paused(reason, store.meter.used, frames)

    def _called_off(self) -> Paused | None:
        """How the call stands if it is to stop, for SIGINT came or it was asked to pause."""
        store = self._store
        if store.watch.noted:
            self.outcome = self._pause("interrupt")
            store.watch.check()
        if store.pausing and not self._nested:
            return self._pause("pause")
        store.stack.interrupted = False  # it is not this call's, but that of the one that it is made from
        return None

    def _suspend(self, stop: Unanswered) -> Outcome | None:
        """Leave the call of a host function pending; None where that is to be made all the same."""
        store, stack = self._store, self._store.stack
        function = stack.arenas.functions[stack.calling]
        assert function is not None
        if self._nested and stop.limit != "interrupt":
            if stop.limit:
                return self._pause(stop.limit)
            discard(stop.waits_for)
            return self._fail(cannot_wait(function, stack.arenas.functions[self._mark[2]]))
        if not stack.pending:
            stack.suspend()
        store.meter.gather()
        if stop.limit == "interrupt":
            self._next = self._again
            return self._called_off()
        self._deadline, self._waits, self._next = None, stop.waits_for, self._again
        return self._pause(stop.limit) if stop.limit else Suspended(function.name, self._waits, store.meter.used, self)

    def _drop(self) -> None:
        """Drop the call's frames, for it has ended."""
        store, stack = self._store, self._store.stack
        self._next, self.sliceable = None, False
        store.tasks.pop()
        if not self._nested:
            stack.cut(self._base)
            stack.position = None
            stack.pending = 0
            store.meter.gather()
            store.pausing = stack.interrupted = False
        else:  # what it used was taken from the slice of the call that it is nested in
            stack.back_to(self._mark)
            store.meter.gather()
            store.meter.hand_out(self._slice - (store.meter.used - self._used))
            stack.interrupted |= store.pausing

    def _fail(self, error: BaseException) -> Trapped | Exited:
        """The outcome where what ran raised an error of the guest's; any other is raised with the guest's traceback."""
        try:
            frames = self.traceback()
        except RecursionError:  # Python's stack is what ran out
            frames = Traceback()
        self._drop()
        return failed(self._store, error, frames)


def raising(error: BaseException) -> NoReturn:
    """A step of a call that raises."""
    raise error


def _next_size(size: int, seconds: float, target: float) -> int:
    """Size of the next slice, so that it takes about `target` seconds."""
    factor = target / seconds if seconds > 1e-6 else 4.0
    size = int(size * (4.0 if factor > 4.0 else 0.25 if factor < 0.25 else factor))
    return _LEAST_SLICE if size < _LEAST_SLICE else min(size, _MOST_SLICE)
