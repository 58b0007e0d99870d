"""What is compiled in a guest, and how its interpreter comes to run it.

A function is compiled with the small ones that it calls; then the first handler of its code in the interpreter's
stream is replaced by one that enters the compiled code.  Where a guest pauses in a loop, the code that enters the loop
there is compiled when it is to go on.
"""

from __future__ import annotations

import struct
from array import array

from svm.digest import digest
from svm.engines.native.context import FUNCTION_ENTRY, FunctionField
from svm.engines.native.executable import Executable
from svm.engines.native.jit.compiled import CompilerError, load_unit
from svm.engines.native.jit.unit import entry_symbol, handler_symbol, unit_ir
from svm.engines.native.jit.writer import Around
from svm.engines.native.program import LinkedCode, Program
from svm.engines.native.stream import FunctionCode
from svm.errors import ModuleError
from svm.module import ValidFunction
from svm.runtime.arenas import Instance

__all__ = ["Tier"]

_MOST_FUNCTIONS = 40
_SMALL = 300
"""Bytes of a body that is compiled again with each of its callers, for LLVM may put it in the place of a call."""

_MOST_BYTES = 4_000
_LARGEST = 12_000
"""Bytes of such bodies in one unit, and instructions of a function that is compiled at all: LLVM's time grows faster
than the code.
"""

_MOST_LOCALS = 1_000
_MOST_TARGETS = 1_000


class Tier:
    """The compiled code of one guest."""

    def __init__(self, program: Program) -> None:
        """Nothing is compiled yet."""
        self.program = program
        self.units: list[Executable] = []
        self.functions: set[int] = set()  # numbers of the functions that were tried
        self.loops: set[tuple[int, int]] = set()
        self.failures: list[str] = []  # why something stays interpreted that should not
        self.busy = False

    def function(self, linked: LinkedCode) -> None:
        """Compile a function, unless it was tried before."""
        number = linked.instance.functions[linked.function].number
        if self.busy or number in self.functions:
            return
        self.functions.add(number)
        if _eligible(linked.checked):
            self.compile(linked, None)

    def loop(self, linked: LinkedCode, key: int) -> None:
        """Compile a function as entered at the start of a loop, unless it was tried before."""
        number = linked.instance.functions[linked.function].number
        if (number, key) in self.loops:
            return
        self.loops.add((number, key))
        if _eligible(linked.checked):
            self.compile(linked, key)

    def compile(self, root: LinkedCode, loop: int | None) -> None:
        """Compile a unit, and have the interpreter run it."""
        program, instance = self.program, root.instance
        self.busy = True
        try:
            members = self.members(root, loop is None)
        finally:
            self.busy = False
        codes = {item.function: item.code for item in members}
        around = self.around(instance, codes | {root.function: root.code}, frozenset(codes))
        entered = None if loop is None else (root.checked, loop)
        key = self.key(instance, around, None if loop is None else (root.function, loop))
        try:
            unit = load_unit(
                key, program.blob.target, lambda: unit_ir(around, [item.checked for item in members], entered)
            )
        except (CompilerError, OSError) as error:
            self.failures.append(str(error))
            return
        self.units.append(unit)
        if loop is not None:
            self.patch(root.start + root.code.targets[loop], unit.address(handler_symbol(root.function, loop)))
        for member in members:
            number = instance.functions[member.function].number
            if number in program.compiled:
                continue
            self.functions.add(number)
            self.patch(member.start, unit.address(handler_symbol(member.function)))
            program.compiled[number] = unit.address(entry_symbol(member.function))
            place = number * FUNCTION_ENTRY + FunctionField.NATIVE
            struct.pack_into("<Q", program.functions, place, program.compiled[number])

    def around(self, instance: Instance, codes: dict[int, FunctionCode], together: frozenset[int]) -> Around:
        """What the functions of a unit need to know of the guest."""
        module, arenas = instance.module, self.program.arenas
        return Around(
            module.context,
            module.imported_functions,
            codes,
            together,
            lambda index: instance.functions[index].number,
            [item.number for item in instance.globals],
            [arenas.type_number(type_) for type_ in module.context.types],
        )

    def key(self, instance: Instance, around: Around, entered: tuple[int, int] | None) -> str:
        """Names a unit by all that its code depends on."""
        numbers = array("I", (item.number for item in instance.functions))
        facts = (
            self.program.blob.build,
            instance.module.fingerprint,
            sorted(around.together),
            entered,
            digest(numbers.tobytes()),
            around.globals,
            around.types,
        )
        return digest(repr(facts).encode()).hex()[:32]

    def patch(self, position: int, handler: int) -> None:
        struct.pack_into("<Q", self.program.stream, position, handler)

    def members(self, root: LinkedCode, itself: bool) -> list[LinkedCode]:
        """The small functions that a function calls, directly and not, nearest first, as far as there is room; and
        itself, if asked for.

        Larger ones are compiled when they are called, and called by their address.
        """
        instance = root.instance
        imported = instance.module.imported_functions
        found = [root] if itself else []
        seen = {root.function} if itself else set()
        size = 0
        queue = [root]
        for caller in queue:
            for index in _callees(caller.checked):
                if index < imported or index in seen or len(found) >= _MOST_FUNCTIONS:
                    continue
                more = len(instance.module.module.functions[index - imported].body)
                if more > _SMALL or size + more > _MOST_BYTES:
                    continue
                seen.add(index)
                try:
                    callee = self.program.code_of(instance.functions[index])
                except ModuleError:  # a bad body is reported when it is called
                    continue
                if _eligible(callee.checked):
                    found.append(callee)
                    queue.append(callee)
                    size += more
        return found


def _callees(function: ValidFunction) -> list[int]:
    return list(dict.fromkeys(item.args[0] for item in function.code if item.op.name == "call"))


def _eligible(function: ValidFunction) -> bool:
    """Whether LLVM compiles a function in bounded time."""
    return (
        len(function.code) <= _LARGEST
        and len(function.locals) <= _MOST_LOCALS
        and all(len(keys) <= _MOST_TARGETS for keys in function.targets.values())
    )
