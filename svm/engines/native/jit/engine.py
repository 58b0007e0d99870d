"""The engines that compile: the interpreter's driver, with compiled code in the place of what is called.

Everything about a guest is the interpreter's: its frames, its exits, the driver's part.  These only have functions and
loops compiled (`svm.engines.native.jit.tier`), told by where a guest pauses, since that is where it goes on.
"""

from __future__ import annotations

from svm.engines.native.context import Exit, Field
from svm.engines.native.engine import Driver, NativeEngine
from svm.engines.native.jit import tier
from svm.engines.native.jit.bounds import native_limit
from svm.engines.native.space import CodeSpace
from svm.runtime.arenas import Arenas, Instance
from svm.runtime.engine import Status, Tiers

__all__ = ["CompilingEngine", "TieringEngine"]

_COMPILED_FUEL, _NATIVE_LIMIT, _READY, _RESUMABLE, _SLICED = (
    field >> 3
    for field in (Field.COMPILED_FUEL, Field.NATIVE_LIMIT, Field.READY, Field.RESUMABLE, Field.SLICED)
)

class CompilingEngine(NativeEngine):
    """Runs guests in code that LLVM makes, each function compiled when it is first called."""

    name = "jit"

    def policy(self) -> tier.Policy:
        """What is compiled when."""
        return tier.JIT

    def compiler(self, space: CodeSpace) -> tier.Tier:
        """What compiles functions of a space."""
        return tier.Tier(space, self.policy())

    def tiers(self, arenas: Arenas) -> Tiers:
        """See `svm.runtime.engine.Engine`."""
        program = self.program(arenas)
        fuel = program.context[Field.COMPILED_FUEL >> 3]
        return Tiers(fuel, tuple(program.tier.log), tuple(program.tier.failures))

    def compile_ahead(self, instance: Instance) -> int:
        """Compile what of an instance's module is likely to be hot, and keep it for later runs; how many units."""
        program = self.program(instance.arenas)
        found: int = program.tier.ahead(program.space.parts[instance.number])
        return found

    def new_stack(self, arenas: Arenas, limit_bytes: int) -> Driver:
        """See `svm.runtime.engine.Engine`."""
        return _CompilingDriver(self.program(arenas), limit_bytes)


class TieringEngine(CompilingEngine):
    """Runs guests in the interpreter, and what turns out to be hot in code that LLVM makes meanwhile."""

    name = "auto"

    def policy(self) -> tier.Policy:
        """What is compiled when."""
        return tier.AUTO


class _CompilingDriver(Driver):
    given = 0  # fuel at the start of the slice
    spent = 0  # fuel that slices used which did not end in a pause
    compiled = 0  # fuel that compiled code had used at the last pause
    spilled = (0, 0, 0)  # place, frame and fuel where compiled code last found the machine's stack used up

    def run(self, left: int = -1) -> Status:
        """See `Driver`."""
        self.context[_NATIVE_LIMIT] = native_limit()
        self.given = self.fuel if left < 0 else self.first_slice
        status = super().run(left)
        if status is Status.DONE:
            self.spent += self.given - self.fuel
        return status

    def set_ready(self, thread: int, resumable: int = 0) -> None:
        """See `GuestStack`."""
        if thread or resumable:
            self.context[_NATIVE_LIMIT] = native_limit()
        self.context[_READY], self.context[_RESUMABLE] = thread, resumable

    def leave(self, status: int, aux: int) -> Status | None:
        """See `Driver`."""
        if status == Exit.SPILLED:
            here = (self.pc, self.fp, self.fuel)
            if here == self.spilled:  # not even from here, with the machine's stack as empty as it gets
                self.program.own_space()  # other guests may run on other threads
                self.program.tier.withdraw(self.program.code_at(self.pc))
            self.spilled = here
        return super().leave(status, aux)

    def pause(self) -> Status:
        """Leave the frames at a safepoint; what goes on there may be worth compiling."""
        linked = self.program.code_at(self.pc)
        compiled = self.context[_COMPILED_FUEL]
        used = self.spent + self.given - self.fuel + self.context[_SLICED]
        interpreted = used - (compiled - self.compiled)
        self.program.tier.sample(linked, self.pc - linked.start, max(interpreted, 0))
        self.spent, self.compiled = 0, compiled
        return super().pause()
