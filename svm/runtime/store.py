"""A store, where guests live together, and the calls into them.

A call is a `Task`: it runs in slices, and whatever stops it but an error of its own (fuel, time, Ctrl-C) leaves it
paused, to be inspected and gone on with.  All guests of a store share its limits, its fuel, its stack and its thread:
one thread drives a store at a time, and a call that is paused goes on before another begins.
"""

from __future__ import annotations

from threading import get_ident

from svm.errors import UsageError
from svm.hints import Any
from svm.runtime.arenas import FunctionInstance
from svm.runtime.engine import Record
from svm.runtime.outcome import Paused, Standing, Suspended
from svm.runtime.shared import Shared
from svm.runtime.task import Task, raising

__all__ = ["Store"]


class Store(Shared):
    """Guests that are linked together, and the calls into them."""

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
        """The call that is paused or suspended, if there is one."""
        if not self.tasks and self.stack.busy:
            self._in_own_call()
        found: Task | None = self.innermost
        return found

    @property
    def doing(self) -> str:
        """In a word or two, what it does: "ready", "running", "paused", …"""
        task = self.innermost
        outcome = None if task is None else task.outcome
        if self.running or (task is not None and task.awaited and not isinstance(outcome, Suspended)):
            return "running"
        if isinstance(outcome, Suspended):
            return f"waiting for {outcome.function!r}"
        return f"paused ({outcome.reason})" if isinstance(outcome, Paused) else "ready"

    def pause(self) -> None:
        """Have the call that runs stop at its next safepoint, from any thread: its outcome is `Paused("pause")`.

        It takes effect within some 10 ms; what a host function does meanwhile is not cut short, and calls that it makes
        into the guest come to their end first.  Where no call runs, the next run stops at its first safepoint; a call
        that is paused already stays so, and asking more than once is asking once.
        """
        task = self.tasks[0] if self.tasks else None
        if self.running or task is None or not isinstance(task.outcome, Paused) or task.awaited:
            stack = self.stack
            self.pausing = stack.interrupted = True
            if stack.busy:
                stack.watch()
            else:
                stack.set_ready(0)

    def __repr__(self) -> str:
        count = len(self.arenas.instances)
        guests, state = f"{count} guest{'s' * (count != 1)}", "closed" if self.closed else self.doing
        return f"<Store of {guests} on {self.engine.name}, {state}, fuel used {self.fuel_used}>"

    # Within the runtime

    def _in_own_call(self) -> bool:
        """Whether the prepared call under way is this thread's: then it is made a task, for what begins now may ask."""
        stack = self.stack
        if stack.busy != get_ident():
            return False
        if not self.tasks:
            self._make_task()
        if stack.left:  # an interrupt came before its caller could go on with it
            self.tasks[0].not_gone_on_with(resumable=stack.take_over())
        return True

    def _make_task(self) -> None:
        function = self.stack.watch()
        assert function is not None
        self.tasks.append(Task.under_way(self, function))

    def go_on(self, error: BaseException | None) -> Task | None:
        """Go on with the prepared call or slice that this thread began and native code left: the call as a task, that
        has run.

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
                self._make_task()
            task: Task = self.tasks[0]
            if stack.take_over() and (error is None or isinstance(error, KeyboardInterrupt)):
                self.watch.noted |= error is not None
                task.go_on(stack.go_on)
            else:
                assert error is not None
                task.go_on(raising, error)
            return task
        finally:
            self.release()

    def stand(self, record: Record, standing: Standing | None) -> None:
        """Give up what is under way, and have these frames in its place, of a call that has stopped."""
        for task in self.tasks:
            task.abandon()
        self.tasks.clear()
        self.stack.restore(record)
        if standing is not None:
            self.tasks.append(Task.standing_at(self, standing))
