"""The engine that compiles: the interpreter's driver, with compiled code in the place of what is called.

Everything about a guest is the interpreter's: its frames, its exits, the driver's part.  This only has functions
compiled when they are first called, and loops when a guest pauses in them, since that is where it goes on.
"""

from __future__ import annotations

from svm.engines.native.context import Exit, Field
from svm.engines.native.engine import Driver, NativeEngine
from svm.engines.native.jit.bounds import native_limit
from svm.engines.native.jit.tier import Tier
from svm.engines.native.program import Program
from svm.runtime.arenas import Arenas
from svm.runtime.engine import Status

__all__ = ["CompilingEngine"]


class CompilingEngine(NativeEngine):
    """Runs guests in code that LLVM makes, each function compiled when it is first called."""

    name = "jit"

    def program(self, arenas: Arenas) -> Program:
        """The code of a store."""
        program = super().program(arenas)
        if program.tier is None:
            program.tier = Tier(program)
        return program

    def new_stack(self, arenas: Arenas, limit_bytes: int) -> Driver:
        """See `svm.runtime.engine.Engine`."""
        return _CompilingDriver(self.program(arenas), limit_bytes)


class _CompilingDriver(Driver):
    def run(self) -> Status:
        """See `Driver`."""
        self.program.set_context(Field.NATIVE_LIMIT, native_limit())
        return super().run()

    def leave(self, status: int, aux: int) -> Status | None:
        """See `Driver`."""
        if status == Exit.SPILLED:
            return None
        return super().leave(status, aux)

    def pause(self) -> Status:
        """Leave the frames at a safepoint; where it is a loop, compile what goes on there."""
        tier = self.program.tier
        assert tier is not None
        linked = self.program.code_at(self.pc)
        key = linked.loops.get(self.pc - linked.start)
        if key is not None:
            tier.loop(linked, key)
        return super().pause()
