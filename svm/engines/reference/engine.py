"""The reference engine's loop.

Its state is the guest's stack (frames of record) and, while it runs, the index of the next step and the fuel, which it
writes back at every exit.  It is written to be plain: it is what the other engines are measured by.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any

from svm.engines.reference.steps import (
    BINARY,
    BR,
    BR_IF,
    BR_TABLE,
    BULK,
    CALL,
    CALL_INDIRECT,
    CHECKED,
    CONST,
    DROP,
    GLOBAL_GET,
    GLOBAL_SET,
    IF,
    JUMP,
    LOAD,
    LOCAL_GET,
    LOCAL_SET,
    LOCAL_TEE,
    LOOP,
    PURE,
    RETURN,
    STORE,
    THROW,
    UNARY,
    UNREACHABLE,
    Branch,
    Code,
    code_of,
)
from svm.engines.state import run_bulk, run_state
from svm.isa import Forbidden, FuncType, Memory, TrapKind
from svm.lower import SLOT_BYTES, FrameLayout, Header, clear_dead, live_locals
from svm.runtime.arenas import Arenas, FunctionInstance, Instance, TagInstance
from svm.runtime.engine import FramePlace, GuestStack, GuestThrow, GuestTrap, Record, Status, Tiers
from svm.runtime.host import call_host

__all__ = ["ReferenceEngine"]


_CALLER = int(Header.CALLER)  # of a plain type, for walks of deep stacks


class RecordStack(GuestStack):
    """A stack that is always the frames of record.  position: index of the running frame's header."""

    position: int | None = None

    def __init__(self, arenas: Arenas, limit_bytes: int) -> None:
        super().__init__(arenas, limit_bytes)
        self.slots: list[int] = []

    @property
    def fp(self) -> int:
        """Index of the running frame's header, -1 where there is none."""
        return -1 if self.position is None else self.position

    @property
    def height(self) -> int:
        """See `GuestStack`."""
        return len(self.slots)

    def push(self, slots: bytes) -> None:
        """See `GuestStack`."""
        self.slots += array("Q", slots)

    def peek(self, layout: Struct) -> tuple[Any, ...]:
        """See `GuestStack`."""
        return layout.unpack(array("Q", self.slots[len(self.slots) - layout.size // SLOT_BYTES :]))

    def take(self, layout: Struct) -> tuple[Any, ...]:
        """See `GuestStack`."""
        taken = self.peek(layout)
        del self.slots[len(self.slots) - layout.size // SLOT_BYTES :]
        return taken

    def cut(self, height: int) -> None:
        """See `GuestStack`."""
        del self.slots[height:]

    def walk(self) -> Iterator[int]:
        """See `GuestStack`: the indices of headers."""
        fp = self.fp
        while fp >= 0:
            yield fp
            caller = self.slots[fp + _CALLER]
            fp = fp - caller if caller else -1

    def place(self, frame: int) -> FramePlace:
        """See `GuestStack`."""
        return FramePlace(*self.slots[frame : frame + _CALLER])

    def suspend(self) -> None:
        """See `GuestStack`."""
        self.pending, fp = self.calling, self.fp
        if fp >= 0:  # it stands at its call
            place = FramePlace(*self.slots[fp : fp + _CALLER])
            code = code_of(self.arenas.instances[place.instance].functions[place.function])
            self.slots[fp + Header.OFFSET] = code.offsets[code.at[place.offset] + 1]

    def record(self) -> Record:
        """See `GuestStack`."""
        slots, fp = self.slots.copy(), self.fp
        known: dict[FunctionInstance, dict[int, int]] = {}  # live locals by offset
        while fp >= 0:
            instance = self.arenas.instances[slots[fp + Header.INSTANCE]]
            function = instance.functions[slots[fp + Header.FUNCTION]]
            if function not in known:
                checked = instance.module.function(function.index)
                known[function] = dict(zip((item.offset for item in checked.code), live_locals(checked), strict=False))
                instance.module.release(function.index)
            clear_dead(slots, fp, code_of(function).layout, known[function][slots[fp + Header.OFFSET]])
            caller = slots[fp + Header.CALLER]
            fp = fp - caller if caller else -1
        return Record(tuple(slots), self.fp, self.pending)

    def restore(self, record: Record) -> None:
        """See `GuestStack`."""
        self.slots[:] = record.slots
        self.position = record.fp if record.fp >= 0 else None
        self.pending = record.pending

    def push_frame(self, function: FunctionInstance, layout: FrameLayout, caller: int) -> None:
        """Make the frame of a function whose arguments lie on top; `caller` is the header of the caller's frame, or -1.

        Raises GuestTrap, with the caller's frame still on top, where the limit has no room for it.
        """
        assert function.instance is not None
        slots = self.slots
        fp = len(slots)
        if (fp - layout.params + layout.slots) * SLOT_BYTES > self.limit_bytes:
            raise GuestTrap(TrapKind.CALL_STACK_EXHAUSTED)
        slots += (function.instance.number, function.index, 0, fp - caller if caller >= 0 else 0)
        slots += [0] * layout.locals
        self.position = fp


class ReferenceEngine:
    """Runs guests in plain Python."""

    name = "reference"

    def new_stack(self, arenas: Arenas, limit_bytes: int) -> RecordStack:
        """See `svm.runtime.engine.Engine`."""
        return RecordStack(arenas, limit_bytes)

    def call(self, stack: GuestStack, function: FunctionInstance) -> Status:
        """See `svm.runtime.engine.Engine`."""
        assert isinstance(stack, RecordStack)
        code = code_of(function)
        stack.push_frame(function, code.layout, -1)
        stack.fuel -= code.charges.entry
        if code.charges.entry_test and stack.fuel < 0:
            return Status.PAUSED
        return _Run(stack).run()

    def close(self, arenas: Arenas) -> None:
        """See `svm.runtime.engine.Engine`."""
        for function in arenas.functions.values():
            if function is not None:
                function.code = None

    def resume(self, stack: GuestStack) -> Status:
        """See `svm.runtime.engine.Engine`."""
        assert isinstance(stack, RecordStack)
        return _Run(stack).run()

    def tiers(self, arenas: Arenas) -> Tiers:
        """See `svm.runtime.engine.Engine`."""
        return Tiers()


class _Run:
    """One run, from a safepoint to the next exit.  `code` and `pc` are the frame's while other methods look at them."""

    def __init__(self, stack: RecordStack) -> None:
        self.arenas = stack.arenas
        self.stack = stack
        self.enter_frame()

    def enter_frame(self) -> None:
        """Take up the frame on top of the stack."""
        slots, fp = self.stack.slots, self.stack.fp
        self.instance: Instance = self.arenas.instances[slots[fp + Header.INSTANCE]]
        self.code: Code = code_of(self.instance.functions[slots[fp + Header.FUNCTION]])
        self.pc: int = self.code.at[slots[fp + Header.OFFSET]]

    def leave(self, pc: int) -> None:
        """Write down that the frame goes on at step `pc`."""
        self.stack.slots[self.stack.fp + Header.OFFSET] = self.code.offsets[pc]

    # Calls

    def call(self, function: FunctionInstance, pc: int) -> bool:
        """Call from the step before `pc`; whether the callee pauses at its entry."""
        stack = self.stack
        if function.host is not None:
            self.leave(pc - 1)
            call_host(stack, self.instance, function)
            self.pc = pc
            return False
        self.leave(pc - 1)  # where the caller stands if the stack has no room
        code = code_of(function)
        caller = stack.fp
        stack.push_frame(function, code.layout, caller)
        stack.slots[caller + Header.OFFSET] = self.code.offsets[pc]
        stack.fuel -= code.charges.entry
        self.enter_frame()
        return code.charges.entry_test and stack.fuel < 0

    def indirect(self, type_: FuncType, table: int) -> FunctionInstance:
        """The function that `call_indirect` chooses."""
        elements = self.instance.tables[table].elements
        index = self.stack.slots.pop()
        if index >= len(elements):
            raise Forbidden(TrapKind.UNDEFINED_ELEMENT)
        function = self.arenas.functions[elements[index]]
        if function is None:
            raise Forbidden(TrapKind.UNINITIALIZED_ELEMENT)
        if function.type != type_:
            raise Forbidden(TrapKind.INDIRECT_CALL_TYPE_MISMATCH)
        return function

    def finish(self) -> bool:
        """Return from the frame; whether it was the first of the call from the host."""
        slots, fp = self.stack.slots, self.stack.fp
        results = slots[len(slots) - len(self.code.function.type.results) :]
        caller = slots[fp + Header.CALLER]
        del slots[fp - self.code.layout.params :]
        slots += results
        if not caller:
            return True
        self.stack.position = fp - caller
        self.enter_frame()
        return False

    # Exceptions

    def throw(self, tag: TagInstance, pc: int) -> bool:
        """Unwind to the handler of an exception thrown by the step before `pc`, its values on the stack.

        Handlers are looked for before anything is unwound, so that an exception without one leaves its whole stack.
        Returns whether the branch to the handler's label pauses.
        """
        stack, slots = self.stack, self.stack.slots
        values = slots[len(slots) - len(tag.type.params) :]
        self.leave(pc - 1)
        fp, at, instance, code = stack.fp, pc - 1, self.instance, self.code
        while (target := code.handlers.find(at, tag)) is None:
            caller = slots[fp + Header.CALLER]
            if not caller:
                raise GuestThrow(tag, tuple(values))
            fp -= caller
            instance = self.arenas.instances[slots[fp + Header.INSTANCE]]
            code = code_of(instance.functions[slots[fp + Header.FUNCTION]])
            at = code.at[slots[fp + Header.OFFSET]] - 1
        branch = code.catches[target]
        stack.position = fp
        self.instance, self.code, self.pc = instance, code, branch.target
        del slots[fp + branch.place :]
        slots += values[len(values) - branch.arity :]
        stack.fuel -= branch.cost
        self.leave(self.pc)
        return branch.test and stack.fuel < 0

    # The loop

    def run(self) -> Status:
        """Run until the call from the host is done, or a test finds no fuel."""
        while True:
            outcome = self.run_frame()
            if outcome is not None:
                return outcome

    def run_frame(self) -> Status | None:
        """Run until the frame changes (None) or the run ends."""
        stack, instance = self.stack, self.instance
        slots, fp, fuel = stack.slots, stack.fp, stack.fuel
        steps, pc = self.code.steps, self.pc
        data: Memory = instance.memories[0].mapping if instance.memories else bytearray()
        size = instance.memories[0].size if instance.memories else 0
        push, pop = slots.append, slots.pop
        branch: Branch | None = None
        try:
            while True:
                kind, a, b = steps[pc]
                pc += 1
                if kind == LOCAL_GET:
                    push(slots[fp + a])
                elif kind == CONST:
                    push(a)
                elif kind == BINARY:
                    right = pop()
                    slots[-1] = a(slots[-1], right)
                elif kind == LOCAL_SET:
                    slots[fp + a] = pop()
                elif kind == LOCAL_TEE:
                    slots[fp + a] = slots[-1]
                elif kind == BR_IF:
                    if pop():
                        branch = a
                elif kind == LOAD:
                    place = slots[-1] + b
                    if place + a.size > size:
                        raise Forbidden(TrapKind.OUT_OF_BOUNDS_MEMORY)
                    slots[-1] = a.python(data[place : place + a.size])
                elif kind == STORE:
                    value = pop()
                    place = pop() + b
                    if place + a.size > size:
                        raise Forbidden(TrapKind.OUT_OF_BOUNDS_MEMORY)
                    data[place : place + a.size] = a.python(value)
                elif kind == UNARY:
                    slots[-1] = a(slots[-1])
                elif kind == BR:
                    branch = a
                elif kind == IF:
                    if not pop():
                        pc = a
                elif kind == JUMP:
                    pc = a
                elif kind == LOOP:
                    fuel -= a
                elif kind == CHECKED:
                    right = pop()
                    slots[-1], overflow = a(slots[-1], right)
                    if overflow:
                        pop()
                        stack.fuel = fuel
                        return Status.PAUSED if self.throw(instance.tags[b], pc) else None
                elif kind == CALL:
                    stack.fuel = fuel
                    return Status.PAUSED if self.call(instance.functions[a], pc) else None
                elif kind == RETURN:
                    stack.fuel = fuel
                    return Status.DONE if self.finish() else None
                elif kind == GLOBAL_GET:
                    push(instance.globals[a].value)
                elif kind == GLOBAL_SET:
                    instance.globals[a].value = pop()
                elif kind == DROP:
                    pop()
                elif kind == PURE:
                    _pure(a, b, slots)
                elif kind == BR_TABLE:
                    branch = a[min(pop(), len(a) - 1)]
                elif kind == CALL_INDIRECT:
                    stack.fuel = fuel
                    return Status.PAUSED if self.call(self.indirect(a, b), pc) else None
                elif kind == THROW:
                    stack.fuel = fuel
                    return Status.PAUSED if self.throw(instance.tags[a], pc) else None
                elif kind == UNREACHABLE:
                    raise Forbidden(TrapKind.UNREACHABLE)
                else:
                    charge, done = (run_bulk if kind == BULK else run_state)(a, instance, b, slots)
                    if instance.memories:
                        data = instance.memories[0].mapping
                        size = instance.memories[0].size
                    fuel -= charge
                    pc -= not done
                    if charge and fuel < 0:
                        stack.fuel = fuel
                        self.leave(pc)
                        return Status.PAUSED
                if branch is not None:
                    pc, arity, place, charge, test = branch
                    branch = None
                    place += fp
                    if len(slots) != place + arity:
                        del slots[place : len(slots) - arity]
                    fuel -= charge
                    if test and fuel < 0:
                        stack.fuel = fuel
                        self.leave(pc)
                        return Status.PAUSED
        except Forbidden as error:
            stack.fuel = fuel
            self.leave(pc - 1)
            raise GuestTrap(error.kind) from None


def _pure(row: tuple[Callable[..., Any], int], args: tuple[Any, ...], slots: list[int]) -> None:
    """Run a row's meaning with any number of operands and results."""
    meaning, count = row
    operands = slots[len(slots) - count :]
    del slots[len(slots) - count :]
    result = meaning(*operands, *args)
    if isinstance(result, tuple):
        slots += result
    elif result is not None:
        slots.append(result)
