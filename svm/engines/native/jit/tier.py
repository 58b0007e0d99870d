"""What is compiled in a guest, and how its interpreter comes to run it.

A unit is a function with the small ones that it calls, or a function as it is entered at a loop while it runs.  Its
code takes the place of a handler in the interpreter's stream: the first of a function's code, or the first of a loop.

What is compiled is decided here: each function at its first call, or (`Policy`) only what much of the interpreter's
fuel went into, as the pauses between slices tell; and loops by that alone.  Then the guest runs on in the interpreter
while another process compiles; what is ready is put in its place at the next pause.

A function without a test of its own never stands at a pause.  Where what does stand there is compiled, and the
interpreter still uses much fuel, that goes into what it calls.
"""

from __future__ import annotations

import time
from array import array

from svm.digest import digest
from svm.engines.native.blob import processor
from svm.engines.native.executable import Executable
from svm.engines.native.jit.compiled import (
    CompilerError,
    Unit,
    entry_symbol,
    handler_symbol,
    keep,
    kept,
    made_from,
    mapped,
    unit_name,
)
from svm.engines.native.space import CodeSpace, LinkedCode, NoRoomError, Part
from svm.errors import ModuleError
from svm.hints import TYPE_CHECKING
from svm.isa import FuncType
from svm.record import record
from svm.runtime.engine import CompiledUnit

if TYPE_CHECKING:
    from svm.engines.native.jit.maker import Maker, Source
    from svm.engines.native.jit.service import Job
    from svm.engines.native.stream import FunctionCode

__all__ = ["AUTO", "JIT", "Policy", "Tier"]

_MOST_LOOKED_AT = 200
"""Functions whose calls are followed to find what is not compiled."""

MOST_BODY = 64 << 10
"""Bytes of a body that is ever compiled: whether a larger one could be need not be found out."""


@record(eq=False)
class Policy:
    """When something is compiled.  first_call: functions at their first call.  hot: fuel that the interpreter must have
    used in a loop, or a function, before that is compiled, by what stood at the ends of its slices.  background: by
    another process, while the guest runs on.  level: how much LLVM does at most, 0 to 2.
    """

    first_call: bool
    hot: int
    background: bool
    level: int = 2


JIT = Policy(first_call=True, hot=20_000, background=False)
AUTO = Policy(first_call=False, hot=10_000_000, background=True)


class Tier:
    """The compiled code of a space."""

    def __init__(self, space: CodeSpace, policy: Policy) -> None:
        """Nothing is compiled yet."""
        self.space = space
        self.policy = policy
        self.begun = time.monotonic()
        self.units: list[Executable] = []
        self.tried: set[tuple[int, int | None]] = set()  # number of a function, key of a loop
        self.heat: dict[tuple[int, int | None], int] = {}
        self.waiting: list[tuple[LinkedCode, int | None, Job]] = []
        self.log: list[CompiledUnit] = []
        self.failures: list[str] = []  # why something stays interpreted that should not
        self._calls: dict[tuple[int, int | None], _Calls] = {}
        self._sources: dict[int, Source] = {}
        self._makers: dict[int, Maker] = {}

    def copy(self, space: CodeSpace) -> Tier:
        """The same for a copy of the space; what is being compiled for it will be asked for again."""
        made = Tier(space, self.policy)
        made.begun, made.units, made.log, made.failures = self.begun, [*self.units], [*self.log], [*self.failures]
        return made

    # What to compile

    def function(self, linked: LinkedCode) -> None:
        """A function is called for the first time."""
        if self.policy.first_call:
            with self.space.lock:
                self.want(linked, None)

    def sample(self, linked: LinkedCode, position: int, fuel: int) -> None:
        """A guest paused in a function, at a position of its code, after so much fuel that the interpreter used."""
        key = linked.loops.get(position)
        if key is None and self.policy.first_call:
            return
        where = (linked.number, key)
        self.heat[where] = heat = self.heat.get(where, 0) + fuel
        if heat < self.policy.hot and not self.waiting:
            return  # most pauses need no lock
        with self.space.lock:
            if heat >= self.policy.hot:
                if where in self.tried and not self.policy.first_call:
                    self.heat[where] = 0
                    self.want_called(linked, key)
                self.want(linked, key)
                if key is not None and not self.policy.first_call:
                    self.want(linked, None)  # for its next call
            if self.waiting:
                self.install_ready()

    def want(self, linked: LinkedCode, loop: int | None) -> None:
        """Compile a function or a loop of one, unless it was tried before."""
        where = (linked.number, loop)
        if where in self.tried or (loop is None and linked.number in self.space.compiled):
            return
        if linked.body_bytes > MOST_BODY:
            self.tried.add(where)
            return
        if self.policy.background:
            self.submit(linked, loop)
        else:
            self.tried.add(where)
            self.make(linked, loop)

    def want_called(self, linked: LinkedCode, loop: int | None) -> None:
        """Compile the nearest of what a function, or a loop of one, calls that was not tried before; nothing while the
        loop itself is being compiled.
        """
        if any(item is linked and key == loop for item, key, _ in self.waiting):
            return
        level, seen = self.called(linked, loop), {linked.number}
        while level and len(seen) < _MOST_LOOKED_AT:
            untried = [item for item in level if (item.number, None) not in self.tried]
            for item in untried:
                self.want(item, None)
            if untried:
                return
            seen.update(item.number for item in level)
            further = {found.number: found for item in level for found in self.called(item, None)}
            level = [item for number, item in further.items() if number not in seen]

    def called(self, linked: LinkedCode, loop: int | None) -> list[LinkedCode]:
        """What a function, or a loop of one, may call of what was called before."""
        calls = self._calls.get((linked.number, loop))
        if calls is None:
            calls = self._calls[linked.number, loop] = _calls_in(linked, loop)
        known = self.space.by_number
        found = [known[number] for number in calls.numbers if number in known]
        if calls.types:
            found += [item for item in known.values() if item.type in calls.types and item.number not in calls.numbers]
        return found

    def make(self, linked: LinkedCode, loop: int | None) -> None:
        """Have a unit compiled now."""
        name, begun = unit_name(self.source(linked.part).place, linked.function, loop), time.monotonic()
        unit, origin = kept(name), "kept"
        if unit is None:
            try:
                unit, origin = self.maker(linked.part).make(linked.function, loop), "compiled"
            except CompilerError as error:
                unit = Unit(name, (), b"", {}, str(error))
            except NoRoomError as error:
                self.failures.append(f"{linked.name}: {error}")
                return
            keep(unit)
        self.install(linked, loop, unit, origin, time.monotonic() - begun)

    def submit(self, linked: LinkedCode, loop: int | None) -> None:
        """Have a unit compiled while the guest runs on, if there is room among what waits for that."""
        from svm.engines.native.jit.service import get_service  # here, for most runs compile nothing

        job = get_service().submit(self.source(linked.part), linked.function, loop, self.space.blob)
        if job is not None:
            self.tried.add((linked.number, loop))
            self.waiting.append((linked, loop, job))

    def ahead(self, part: Part) -> int:
        """Compile now, for later runs, what of a module is likely to be hot: functions with loops, or that call
        themselves, and those loops.  How many units there are then.
        """
        for index in range(part.valid.imported_functions, len(part.functions)):
            try:
                linked = self.space.code_of(part.functions[index], part.number, index)
            except ModuleError:  # a bad body is reported when it is called
                continue
            if linked.body_bytes > MOST_BODY:
                continue
            loops = [key for key, charge in linked.code.charges.loops.items() if charge.test]
            recursive = any(item.op.name == "call" and item.args[0] == linked.function for item in linked.checked.code)
            for loop in (*((None,) if loops or recursive else ()), *loops):
                self.make(linked, loop)
        return len(self.log)

    # What a module is to the compiler

    def source(self, part: Part) -> Source:
        """What compiled code depends on."""
        found = self._sources.get(part.number)
        if found is None:
            from svm.engines.native.jit.maker import Source

            module, blob, numbers = part.valid, self.space.blob, digest(array("I", part.functions).tobytes())
            nans, own = self.space.canonical_nans, (part.globals, part.types, part.tags, part.number)
            target, level = processor(blob.target), self.policy.level
            facts = (blob.build, target, made_from(), module.fingerprint, numbers, own, nans, level)
            place = digest(repr(facts).encode()).hex()[:40]
            bodies = module.module.functions
            found = self._sources[part.number] = Source(
                place, module.context, module.imported_functions, bodies, part.functions, *own, nans, level
            )
        return found

    def maker(self, part: Part) -> Maker:
        """What compiles the functions of a module in this process."""
        found = self._makers.get(part.number)
        if found is None:
            from svm.engines.native.jit.maker import Maker

            space = self.space

            def code(index: int) -> FunctionCode:
                return space.code_of(part.functions[index], part.number, index).code

            found = Maker(self.source(part), space.keys, processor(space.blob.target), code)
            self._makers[part.number] = found
        return found

    # What is ready

    def install_ready(self) -> None:
        """Put what was compiled meanwhile in its place."""
        still = []
        for linked, loop, job in self.waiting:
            if job.unit is None and job.lost:
                self.tried.discard((linked.number, loop))  # to be wanted again
            elif job.unit is None:
                still.append((linked, loop, job))
            else:
                self.install(linked, loop, job.unit, job.origin, job.seconds)
        self.waiting = still

    def install(self, root: LinkedCode, loop: int | None, unit: Unit, origin: str, seconds: float) -> None:
        """Have the interpreter run a unit."""
        if unit.why:
            self.failures.append(f"{root.name}: {unit.why}")
            return
        try:
            code = mapped(unit)
            members = self.linked(root, unit)
        except (OSError, ModuleError, NoRoomError) as error:
            self.failures.append(f"{root.name}: {error}")
            return
        self.units.append(code)
        self.note(root, loop, unit, origin, seconds)
        space = self.space
        if loop is not None:
            space.patch(root.start + root.code.targets[loop], code.address(handler_symbol(root.function, loop)))
        for member in members:
            number = member.number
            if number in space.compiled:
                continue
            self.tried.add((number, None))
            handler, entry = handler_symbol(member.function), entry_symbol(member.function)
            space.enter_compiled(member, code.address(handler), code.address(entry))

    def withdraw(self, linked: LinkedCode) -> None:
        """Have a function interpreted for good: its compiled code needs more of the machine's stack than there is."""
        self.space.leave_compiled(linked)
        self.tried.add((linked.number, None))
        self.failures.append(f"{linked.name}: no room on the stack of the thread that runs it")

    def note(self, root: LinkedCode, loop: int | None, unit: Unit, origin: str, seconds: float) -> None:
        """Keep for `Engine.compiled` what was done."""
        offset = None
        if loop is not None:
            position = root.code.targets[loop]
            offset = next((offset for offset, place in root.code.resume.items() if place == position), None)
        at = time.monotonic() - self.begun
        self.log.append(CompiledUnit(root.name, offset, at, seconds, len(unit.code), origin))

    def linked(self, root: LinkedCode, unit: Unit) -> list[LinkedCode]:
        """The interpreter's code of a unit's functions, to which it leaves."""
        part = root.part
        return [self.space.code_of(part.functions[index], part.number, index) for index in unit.members]


@record
class _Calls:
    """What code calls.  numbers: of functions.  types: of those that it calls by a table."""

    numbers: frozenset[int]
    types: frozenset[FuncType]


def _calls_in(linked: LinkedCode, loop: int | None) -> _Calls:
    checked, part = linked.checked, linked.part
    code = checked.code if loop is None else checked.code[loop : checked.blocks[loop].end]
    direct = frozenset(part.functions[args[0]] for op, args, _ in code if op.name == "call")
    types = part.valid.context.types
    return _Calls(direct, frozenset(types[args[0]] for op, args, _ in code if op.name == "call_indirect"))
