"""The native interpreter's driver: runs the blob, and does what native code leaves to Python.

Native code returns for a test that found no fuel, a trap, a call that needs the driver (to the host, to another
instance, or to a function that was not lowered yet), an exception, and the rare instructions that the runtime runs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from svm.engines.native.blob import Blob, get_blob
from svm.engines.native.context import FIRST_HEADER, Exit, Field, header
from svm.engines.native.program import Program
from svm.engines.native.space import FAR_RETURN, CodeSpace, LinkedCode
from svm.engines.native.stack import NativeStack
from svm.engines.native.stream import KeySet
from svm.hints import TYPE_CHECKING, Any
from svm.isa import Forbidden, TrapKind
from svm.lower import SLOT_BYTES
from svm.module import FUNCTION
from svm.record import record
from svm.runtime.arenas import Arenas, FunctionInstance, Instance
from svm.runtime.engine import GuestStack, GuestThrow, GuestTrap, Status, Tiers
from svm.runtime.host import call_host

if TYPE_CHECKING:
    from svm.lower import Handlers

__all__ = ["NativeEngine"]

_TRAPS = {kind.code: kind for kind in TrapKind}

# As plain integers, for the way into and out of native code.
_EMPTY, _DONE, _CALLS = int(Exit.FUEL), int(Exit.DONE), (int(Exit.CALL), int(Exit.CALL_INDIRECT))
_AUX, _BUSY, _CALLED, _LEFT, _READY, _SLICED, _WATCHED = (
    field >> 3
    for field in (Field.AUX, Field.BUSY, Field.CALLED, Field.LEFT, Field.READY, Field.SLICED, Field.WATCHED)
)


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
            arenas.native = Program(arenas, self)
        program: Program = arenas.native
        return program

    def policy(self) -> Hashable:
        """Names what this engine compiles when."""
        return None

    def compiler(self, space: CodeSpace) -> Any:
        """What compiles functions of a space."""
        return None

    def new_stack(self, arenas: Arenas, limit_bytes: int) -> Driver:
        """See `svm.runtime.engine.Engine`."""
        return Driver(self.program(arenas), limit_bytes)

    def call(self, stack: GuestStack, function: FunctionInstance) -> Status:
        """See `svm.runtime.engine.Engine`."""
        assert isinstance(stack, Driver)
        return stack.call(function)

    def close(self, arenas: Arenas) -> None:
        """See `svm.runtime.engine.Engine`."""
        if arenas.native is not None:
            self.program(arenas).close()
            arenas.native = None

    def resume(self, stack: GuestStack) -> Status:
        """See `svm.runtime.engine.Engine`."""
        assert isinstance(stack, Driver)
        return stack.run()

    def tiers(self, arenas: Arenas) -> Tiers:
        """See `svm.runtime.engine.Engine`."""
        return Tiers()


_key_sets: dict[int, KeySet] = {}


def _keys(blob: Blob) -> KeySet:
    if id(blob) not in _key_sets:
        _key_sets[id(blob)] = KeySet(blob.keys)
    return _key_sets[id(blob)]


@record(frozen=False)
class _CallSite:
    """A call that native code leaves to the driver.

    functions: what its exit's index is an index of.  offset: of the instruction in the body.  first, end: slots of its
    arguments in the frame.  back: where the code goes on.
    """

    instance: Instance
    functions: Mapping[int, FunctionInstance | None]
    offset: int
    first: int
    end: int
    back: int


class Driver(NativeStack):
    """A native stack with what runs it, from a safepoint to the next exit to the host."""

    def __init__(self, program: Program, limit_bytes: int) -> None:
        super().__init__(program, limit_bytes)
        self.call_sites: dict[int, _CallSite] = {}  # by their place in the code, made when first met
        self.handlers: dict[LinkedCode, Handlers] = {}
        self.status = 0  # what native code last returned for in a prepared call

    def call(self, function: FunctionInstance) -> Status:
        """Call a function, whose arguments lie on top, from the host."""
        program = self.program
        linked = program.code_of(function)
        height = self.height
        fp = height - linked.params
        if (fp + linked.size) * SLOT_BYTES > self.limit_bytes:
            raise GuestTrap(TrapKind.CALL_STACK_EXHAUSTED)
        self.words[height] = FIRST_HEADER
        self.fuel -= linked.entry
        self.pc, self.fp, self.results = linked.start, fp, linked.results
        if program.instance is None or program.instance.number != linked.instance:
            program.enter_instance(self.arenas.instances[linked.instance])
        if linked.entry_test and self.fuel < 0:
            return self.pause()
        return self.run()

    def run(self, left: int = -1) -> Status:
        """Run until the call from the host is done, or a test finds no fuel.

        left: where native code ran already, what it returned for.
        """
        program, changes, sites = self.program, self.arenas.changes, self.call_sites
        context, reference, enter = program.context, program.context_ref, program.blob.enter
        while True:
            if left < 0:
                if program.seen != changes[0]:
                    program.refresh()
                status = enter(reference)
            else:
                status, left = left, -1
            if status == _EMPTY:  # this, calls to the host and the end are what costs must stay small for
                return self.pause()
            if status == _DONE:
                self.cut(self.fp + self.results)
                return Status.DONE
            aux = context[_AUX]
            if status in _CALLS:
                outcome = self.call_from(sites.get(self.pc) or self.call_site(status, aux), aux)
            else:
                outcome = self.leave(status, aux)
            if outcome is not None:
                return outcome

    # Calls that native code began

    def prepared(self, instance: Instance, name: str) -> Callable[..., Any] | None:
        """See `GuestStack`."""
        program = self.program
        if self.context[_READY]:  # else it would decline, and what native code knows is not to change
            if program.seen != self.arenas.changes[0]:
                program.refresh()
            if program.instance is None:
                program.enter_instance(instance)
        return program.caller(instance, name)

    def watch(self) -> FunctionInstance | None:
        """See `GuestStack`."""
        self.context[_WATCHED] = 1
        return self.arenas.functions[self.context[_CALLED]]

    def take_over(self) -> bool:
        """See `GuestStack`."""
        self.status = self.context[_LEFT] - 1
        self.context[_BUSY] = self.context[_LEFT] = self.context[_WATCHED] = 0
        if called := self.context[_CALLED]:
            self.results = self.program.space.by_number[called].results
        return self.status != Exit.RAISED

    def go_on(self) -> Status:
        """See `GuestStack`."""
        return self.run(self.status)

    # What native code leaves to the driver

    def leave(self, status: int, aux: int) -> Status | None:
        """Do what else native code returned for; how the run ends, if it does."""
        if status in (Exit.CHANGED, Exit.SPILLED):
            return None
        if status == Exit.HOST:
            function = self.arenas.functions[aux]
            assert function is not None
            call_host(self, self.instance_of(self.program.code_at(self.pc)), function)
            return None
        if status == Exit.FAR_RETURN:
            _, number, self.pc = self.far.pop()
            self.program.enter_instance(self.arenas.instances[number])
            return None
        linked = self.program.code_at(self.pc)
        if status == Exit.THROW:
            return self.throw(linked, aux)
        if status == Exit.STATE:
            return self.state(linked)
        raise self.trap(linked.code.place(self.pc - linked.start, aux), _TRAPS[status])

    def pause(self) -> Status:
        """Leave the frames at a safepoint."""
        self.at = self.top = None
        self.context[_SLICED] = 0
        return Status.PAUSED

    def trap(self, offset: int, kind: TrapKind) -> GuestTrap:
        """The trap of the running frame's instruction at an offset."""
        self.at = offset
        return GuestTrap(kind)

    # Calls

    def call_site(self, status: int, index: int) -> _CallSite:
        """What there is to know of the call at which native code stopped."""
        linked = self.program.code_at(self.pc)
        site = linked.code.sites[self.pc - linked.start]
        functions: Mapping[int, FunctionInstance | None]
        instance = self.instance_of(linked)
        functions = instance.functions if status == Exit.CALL else self.arenas.functions
        function = functions[index]
        assert function is not None
        first: int = site.args[-1]
        end, back = first + len(function.type.params), self.pc + site.size
        found = self.call_sites[self.pc] = _CallSite(instance, functions, site.offset, first, end, back)
        return found

    def call_from(self, site: _CallSite, index: int) -> Status | None:
        """A call that native code did not make: the function is the host's, not encoded yet, or another instance's."""
        function = site.functions[index]
        assert function is not None
        self.top = self.fp + site.end
        if function.host is not None:
            if self.program.calls_host(function, site.instance) and site.functions is site.instance.functions:
                self.program.space.patch_host(self.pc, site.first, function)
            self.wait(site.back)
            call_host(self, site.instance, function)
            return None
        self.at = site.offset
        callee = self.program.code_of(function)
        if callee.instance == site.instance.number and site.functions is site.instance.functions:
            self.program.space.patch_call(self.pc, site.first, callee)
        return self.enter(site, callee)

    def enter(self, site: _CallSite, callee: LinkedCode) -> Status | None:
        """Enter a function, perhaps another instance's, from where native code did not."""
        fp = self.fp + site.first
        if (fp + callee.size) * SLOT_BYTES > self.limit_bytes:
            raise self.trap(site.offset, TrapKind.CALL_STACK_EXHAUSTED)
        back = site.back
        if callee.instance != site.instance.number:
            self.far.append((fp, site.instance.number, back))
            back = FAR_RETURN
            self.program.enter_instance(self.instance_of(callee))
        self.words[fp + callee.params] = header(back, site.first * SLOT_BYTES)
        self.fuel -= callee.entry
        self.pc, self.fp = callee.start, fp
        return self.pause() if callee.entry_test and self.fuel < 0 else None

    # Instructions that the runtime runs

    def state(self, linked: LinkedCode) -> Status | None:
        """Run an instruction on its operands in their slots."""
        from svm.engines.state import run_bulk, run_state  # here, for they need the table, which most runs do not
        from svm.isa import OPS
        from svm.lower import operand_counts

        site = linked.code.sites[self.pc - linked.start]
        name, args, first = site.args
        words, base = self.words, self.fp + first
        slots = words[base : base + operand_counts(OPS[name])[0]].tolist()
        try:
            run = run_bulk if site.name == "bulk" else run_state
            charge, done = run(OPS[name], self.instance_of(linked), args, slots)
        except Forbidden as error:
            raise self.trap(site.offset, error.kind) from None
        for at, slot in enumerate(slots, base):
            words[at] = slot
        self.fuel -= charge
        self.pc += site.size if done else 0
        return self.pause() if charge and self.fuel < 0 else None

    # Exceptions

    def handlers_of(self, linked: LinkedCode) -> Handlers:
        """What catches exceptions in a function, by the tags of its instance."""
        found = self.handlers.get(linked)
        if found is None:
            from svm.lower import Handlers  # here, for most runs throw nothing

            found = self.handlers[linked] = Handlers(linked.tries, self.instance_of(linked).tags)
        return found

    def throw(self, linked: LinkedCode, part: int) -> Status | None:
        """Unwind to the handler of an exception."""
        position = self.pc - linked.start
        self.at = offset = linked.code.place(position, part)
        thrown = linked.checked.code[linked.indices[offset]]
        tag = self.instance_of(linked).tags[thrown.args[0]]
        site = linked.code.sites.get(position)
        count = len(tag.type.params)
        start = self.fp + site.args[1] if site is not None and site.name == "throw" else 0
        values = self.words[start : start + count].tolist() if count else []
        passed: set[int] = set()  # places without a handler, to which many frames of a deep stack return
        for depth, (code, fp, goes_on, back) in enumerate(self.walk()):
            if back in passed:
                continue
            key = self.handlers_of(code).find(code.indices[goes_on] - (depth > 0), tag)
            if key is not None:
                return self.catch(code, fp, key, values)
            if depth:  # it stands after its call; the innermost stands at its instruction
                passed.add(back)
        raise GuestThrow(tag, tuple(values))

    def catch(self, linked: LinkedCode, fp: int, key: int, values: list[int]) -> Status | None:
        """Go on at the label of a handler, in the frame at `fp`."""
        code, block = linked.code, linked.checked.blocks[key]
        arity = len(block.branch_types)
        place = fp + code.layout.params + code.layout.first_operand + (block.height if key != FUNCTION else 0)
        for at, value in enumerate(values[len(values) - arity :], place):
            self.words[at] = value
        while self.far and self.far[-1][0] > fp:
            self.far.pop()
        self.pc, self.fp = linked.start + code.targets[key], fp
        self.program.enter_instance(self.instance_of(linked))
        if block.kind == "loop":
            charge = code.charges.loops[key]
            self.fuel -= charge.cost
            if charge.test and self.fuel < 0:
                return self.pause()
        return None
