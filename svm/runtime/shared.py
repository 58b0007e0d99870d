"""What the guests of a store share: limits, fuel, stack, engine, and the one thread that drives them at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Self

from svm.errors import ExitError, UsageError
from svm.isa import I32, FuncType
from svm.limits import Limits, fuel_amount
from svm.runtime.arenas import Arenas, FunctionInstance, Instance, TagInstance
from svm.runtime.engine import Engine, GuestStack, Status, Tiers
from svm.runtime.fuel import FuelMeter
from svm.runtime.host import Unanswered, discard
from svm.runtime.interrupt import InterruptWatch
from svm.runtime.values import slots_of

__all__ = ["Shared"]

_DESCRIBE = "krait:describe_utf8"
_ASIDE_FUEL = 1_000_000
_DESCRIBE_BYTES = 65_536


class Shared:
    """See the module's docstring; a `Store` is this and the calls under way."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        """Nothing is there yet."""
        self.limits = limits
        self.arenas = Arenas(limits)
        self.arenas.call_aside = self.call_aside
        self._engine = engine
        self.stack: GuestStack = engine.new_stack(self.arenas, limits.stack_bytes)
        self.meter = FuelMeter(self.stack, limits.fuel)
        self.watch = InterruptWatch(self.stack)
        self.closed = False
        self._lock = threading.RLock()
        self._held = 0

    @property
    def running(self) -> bool:
        """Whether some thread drives it just now."""
        return self._held > 0 or self.stack.busy != 0

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
        self.meter.add(fuel_amount(amount))

    @property
    def tiers(self) -> Tiers:
        """What the engine compiled for the guests, and what share of their fuel compiled code has used."""
        self.check_open()
        return self._engine.tiers(self.arenas)

    def close(self) -> None:
        """Give up all guests: their memory is freed, calls are refused.  May be called more than once.

        Raises UsageError while a call runs, be it in another thread.
        """
        if self.running or not self._lock.acquire(False):
            raise UsageError("the guest is running, and cannot be closed from inside or from another thread")
        try:
            self.closed = True
            self.stack.set_ready(0)
            self.stack.cut(0)
            self._engine.close(self.arenas)
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

    def move(self, engine: Engine, stack_bytes: int) -> None:
        """Go on with the same frames on an engine, which may be the same, with so much room for them."""
        old = self.stack
        old.set_ready(0)
        record, fuel, reserve = old.record(), old.fuel, old.reserve
        if engine is not self._engine:  # first, for what it gives up may be what the other makes anew
            self._engine.close(self.arenas)
        stack = engine.new_stack(self.arenas, stack_bytes)
        stack.restore(record)
        stack.fuel, stack.reserve = fuel, reserve
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
        mark, slice_fuel = stack.mark(), stack.fuel
        stack.pending = 0
        stack.push(slots_of(len(args)).pack(*args))
        stack.fuel = fuel
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
            stack.fuel = slice_fuel
