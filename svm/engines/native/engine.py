"""The native interpreter's driver: runs the blob, and does what native code leaves to Python.

Native code returns for a test that found no fuel, a trap, a call that needs the driver (to the host, to another
instance, or to a function that was not lowered yet), an exception, and the rare instructions that the runtime runs.
"""

from __future__ import annotations

from collections.abc import Callable

from svm.engines.native.blob import Blob, get_blob
from svm.engines.native.context import Exit, Field, header
from svm.engines.native.program import FAR_RETURN, HALT, LinkedCode, Program
from svm.engines.native.stack import NativeStack
from svm.engines.native.stream import KeySet, Site
from svm.isa import Forbidden, TrapKind
from svm.lower import SLOT_BYTES
from svm.module import FUNCTION
from svm.runtime.arenas import Arenas, FunctionInstance
from svm.runtime.engine import GuestStack, GuestThrow, GuestTrap, Record, Status
from svm.runtime.host import call_host

__all__ = ["NativeEngine"]

_M64 = (1 << 64) - 1
_SIGN = 1 << 63
_TRAPS = {kind.code: kind for kind in TrapKind}

# As plain integers, for the way into and out of native code.
_PC, _FP, _FUEL, _AUX = (int(field) >> 3 for field in (Field.PC, Field.FP, Field.FUEL, Field.AUX))
_STACK, _STACK_END = Field.STACK >> 3, Field.STACK_END >> 3
_DONE, _EMPTY, _CALL = int(Exit.DONE), int(Exit.FUEL), int(Exit.CALL)


class NativeEngine:
    """Runs guests in the generated interpreter."""

    name = "interpreter"

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Load the interpreter, or build it.  Raises UnavailableError where it cannot run."""
        self.blob: Blob = get_blob(say)
        self.keys = _keys(self.blob)

    def program(self, arenas: Arenas) -> Program:
        """The code of a store."""
        if arenas.native is None:
            arenas.native = Program(arenas, self.blob, self.keys)
        program: Program = arenas.native
        return program

    def new_stack(self, arenas: Arenas, limit_bytes: int) -> NativeStack:
        """See `svm.runtime.engine.Engine`."""
        return NativeStack(self.program(arenas), limit_bytes)

    def adopt(self, arenas: Arenas, limit_bytes: int, record: Record) -> NativeStack:
        """See `svm.runtime.engine.Engine`."""
        stack = self.new_stack(arenas, limit_bytes)
        stack.restore(record)
        return stack

    def call(self, stack: GuestStack, function: FunctionInstance) -> Status:
        """See `svm.runtime.engine.Engine`."""
        assert isinstance(stack, NativeStack)
        run = _Run(stack)
        linked = run.program.code_of(function)
        frame, charges = linked.code.layout, linked.code.charges
        fp = stack.height - frame.params
        if (fp + frame.slots) * SLOT_BYTES > stack.limit_bytes:
            raise GuestTrap(TrapKind.CALL_STACK_EXHAUSTED)
        stack.words[stack.height] = header(HALT, 0)
        stack.fuel -= charges.entry
        stack.position = (linked.start, fp, len(function.type.results), None)
        if charges.entry_test and stack.fuel < 0:
            return Status.PAUSED
        return run.run()

    def close(self, arenas: Arenas) -> None:
        """See `svm.runtime.engine.Engine`."""
        if arenas.native is not None:
            self.program(arenas).close()
            arenas.native = None

    def resume(self, stack: GuestStack) -> Status:
        """See `svm.runtime.engine.Engine`."""
        assert isinstance(stack, NativeStack)
        return _Run(stack).run()


_key_sets: dict[int, KeySet] = {}


def _keys(blob: Blob) -> KeySet:
    if id(blob) not in _key_sets:
        _key_sets[id(blob)] = KeySet(blob.keys)
    return _key_sets[id(blob)]


class _Run:
    """One run, from a safepoint to the next exit to the host that drives the guest."""

    def __init__(self, stack: NativeStack) -> None:
        self.arenas = stack.arenas
        self.stack = stack
        self.program: Program = stack.program

    def run(self) -> Status:
        """Run until the call from the host is done, or a test finds no fuel."""
        stack, program = self.stack, self.program
        assert stack.position is not None
        self.pc, self.fp, self.results, _ = stack.position
        instance = program.code_at(self.pc).instance
        if program.instance is not instance:
            program.enter_instance(instance)
        if program.seen != self.arenas.changes:
            program.refresh()
        context, address, enter = program.context, program.context_address, program.blob.enter
        context[_STACK] = stack.address
        context[_STACK_END] = stack.address + stack.limit_bytes
        while True:
            context[_PC] = self.pc
            context[_FP] = self.fp * SLOT_BYTES
            context[_FUEL] = stack.fuel & _M64
            status = enter(address)
            self.pc = context[_PC]
            self.fp = context[_FP] // SLOT_BYTES
            fuel = context[_FUEL]
            stack.fuel = fuel if fuel < _SIGN else fuel - _M64 - 1
            linked = program.code_at(self.pc)
            if status == _EMPTY:  # this and calls to the host are what costs must stay small for
                return self.pause(linked)
            if status == _CALL:
                outcome = self.call(linked, linked.instance.functions[context[_AUX]])
            else:
                outcome = self.leave(linked, status, context[_AUX])
            if outcome is not None:
                return outcome

    def leave(self, linked: LinkedCode, status: int, aux: int) -> Status | None:
        """Do what native code returned for, but for pauses and plain calls; how the run ends, if it does."""
        if status == _DONE:
            self.stack.cut(self.fp + self.results)
            return Status.DONE
        if status == Exit.FAR_RETURN:
            _, number, self.pc = self.stack.far.pop()
            self.program.enter_instance(self.arenas.instances[number])
            return None
        if status in _TRAPS:
            raise self.trap(linked.code.place(self.pc - linked.start, aux), _TRAPS[status])
        if status == Exit.THROW:
            return self.throw(linked, aux)
        if status == Exit.STATE:
            return self.state(linked)
        function = self.arenas.functions[aux]
        assert function is not None
        return self.call(linked, function)

    def pause(self, linked: LinkedCode) -> Status:
        """Leave the frames at a safepoint."""
        self.stack.position = (self.pc, self.fp, self.results, None)
        self.stack.cut(self.fp + linked.code.layout.slots)
        return Status.PAUSED

    def stand(self, offset: int) -> None:
        """Say which instruction the running frame is at."""
        self.stack.position = (self.pc, self.fp, self.results, offset)

    def trap(self, offset: int, kind: TrapKind) -> GuestTrap:
        """The trap of the running frame's instruction at an offset."""
        self.stand(offset)
        return GuestTrap(kind)

    # Calls

    def call(self, linked: LinkedCode, function: FunctionInstance) -> Status | None:
        """A call that native code did not make."""
        stack, program = self.stack, self.program
        site = linked.code.sites[self.pc - linked.start]
        first: int = site.args[-1]
        if function.host is not None:
            stack.position = (self.pc, self.fp, self.results, site.offset)
            stack.cut(self.fp + first + len(function.type.params))
            call_host(stack, linked.instance, function)
            if program.instance is not linked.instance:
                program.enter_instance(linked.instance)
            if program.seen != self.arenas.changes:
                program.refresh()
            self.pc += site.size
            return None
        callee = program.code_of(function)
        if callee.instance is not linked.instance:
            return self.call_far(linked, site, callee)
        if site.name == "call":
            program.patch_call(self.pc, first, callee)
        return None  # native code makes the call again, and now it can

    def call_far(self, linked: LinkedCode, site: Site, callee: LinkedCode) -> Status | None:
        """A call of another instance's function."""
        stack, frame, charges = self.stack, callee.code.layout, callee.code.charges
        first: int = site.args[-1]
        fp = self.fp + first
        if (fp + frame.slots) * SLOT_BYTES > stack.limit_bytes:
            raise self.trap(site.offset, TrapKind.CALL_STACK_EXHAUSTED)
        stack.far.append((fp, linked.instance.number, self.pc + site.size))
        stack.words[fp + frame.params] = header(FAR_RETURN, first * SLOT_BYTES)
        stack.fuel -= charges.entry
        self.pc, self.fp = callee.start, fp
        if charges.entry_test and stack.fuel < 0:
            return self.pause(callee)
        self.program.enter_instance(callee.instance)
        return None

    # Instructions that the runtime runs

    def state(self, linked: LinkedCode) -> Status | None:
        """Run an instruction on its operands in their slots."""
        from svm.engines.state import run_bulk, run_state  # here, for they need the table, which most runs do not
        from svm.isa import OPS
        from svm.lower import operand_counts

        site = linked.code.sites[self.pc - linked.start]
        name, args, first = site.args
        words, base = self.stack.words, self.fp + first
        slots = words[base : base + operand_counts(OPS[name])[0]].tolist()
        try:
            charge, done = (run_bulk if site.name == "bulk" else run_state)(OPS[name], linked.instance, args, slots)
        except Forbidden as error:
            raise self.trap(site.offset, error.kind) from None
        for at, slot in enumerate(slots, base):
            words[at] = slot
        self.stack.fuel -= charge
        self.pc += site.size if done else 0
        if self.program.seen != self.arenas.changes:
            self.program.refresh()
        return self.pause(linked) if charge and self.stack.fuel < 0 else None

    # Exceptions

    def throw(self, linked: LinkedCode, part: int) -> Status | None:
        """Unwind to the handler of an exception."""
        stack, position = self.stack, self.pc - linked.start
        offset = linked.code.place(position, part)
        thrown = linked.checked.code[linked.indices[offset]]
        tag = linked.instance.tags[thrown.args[0]]
        site = linked.code.sites.get(position)
        count = len(tag.type.params)
        start = self.fp + site.args[1] if site is not None and site.name == "throw" else 0
        values = stack.words[start : start + count].tolist() if count else []
        self.stand(offset)
        for depth, frame in enumerate(stack.walk()):
            at = frame.linked.indices[frame.offset]
            key = frame.linked.handlers.find(at - (depth > 0), tag)
            if key is not None:
                return self.catch(frame.linked, frame.fp, key, values)
        raise GuestThrow(tag, tuple(values))

    def catch(self, linked: LinkedCode, fp: int, key: int, values: list[int]) -> Status | None:
        """Go on at the label of a handler, in the frame at `fp`."""
        stack, code, block = self.stack, linked.code, linked.checked.blocks[key]
        arity = len(block.branch_types)
        place = fp + code.layout.params + code.layout.first_operand + (block.height if key != FUNCTION else 0)
        for at, value in enumerate(values[len(values) - arity :], place):
            stack.words[at] = value
        while stack.far and stack.far[-1][0] > fp:
            stack.far.pop()
        self.pc, self.fp = linked.start + code.targets[key], fp
        self.program.enter_instance(linked.instance)
        if block.kind == "loop":
            charge = code.charges.loops[key]
            stack.fuel -= charge.cost
            if charge.test and stack.fuel < 0:
                return self.pause(linked)
        return None
