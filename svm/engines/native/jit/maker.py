"""What makes units: from functions of a module, named by index, to machine code in bounded time.

It needs no guest and no store, so that it can run in another process: what a unit's code depends on of its guest are
the numbers in a `Source`.  It decides what is compiled together, and what is not compiled at all.
"""

from __future__ import annotations

from svm.engines.native.encode import code_of
from svm.engines.native.jit.compiled import CompilerError, Unit, unit_name
from svm.engines.native.jit.entered import entered_size
from svm.engines.native.jit.unit import unit_ir
from svm.engines.native.jit.writer import Around
from svm.engines.native.stream import FunctionCode, KeySet
from svm.errors import ModuleError
from svm.hints import TYPE_CHECKING
from svm.lower import live_locals
from svm.module import Context, Function, ValidFunction
from svm.module.body import examine_body
from svm.record import record

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Maker", "Source"]

_MOST_FUNCTIONS = 40
_SMALL = 300
"""Bytes of a body that is compiled again with each of its callers, for LLVM may put it in the place of a call."""

_MOST_BYTES = 4_000
"""Bytes of such bodies in one unit."""

_TWIN = 80
"""Instructions of a function that is put in the place of its own calls, once."""

_LARGEST = 12_000
_MOST_LOCALS = 1_000
_MOST_TARGETS = 1_000
_MOST_BLOCKS = 3_000
_MOST_SPILLS = 60_000
"""Instructions, locals, targets of one `br_table`, blocks, and slots that all ways out of it write, of a function that
is compiled at all: LLVM's time grows faster than the code.
"""

_OPTIMISED = 4_000
_MANY_LOOPS = 150
"""Instructions in a unit up to which all of LLVM's passes run, and loops from which on none does."""


@record
class Source:
    """What compiled code depends on, of a module and of its place in a store.

    place: names all of it.  numbers, globals, types, tags: of what it has of these, in the store.  instance: its
    number there.  canonical_nans: see `svm.runtime.arenas.Arenas`.  level: LLVM's, at most; at 0 each function is
    compiled alone.
    """

    place: str
    context: Context
    imported: int
    functions: tuple[Function, ...]
    numbers: tuple[int, ...]
    globals: tuple[int, ...]
    types: tuple[int, ...]
    tags: tuple[int, ...]
    instance: int
    canonical_nans: bool
    level: int

    @property
    def size(self) -> int:
        """Bytes of its bodies."""
        return sum(len(item.body) for item in self.functions)


class Maker:
    """Makes units of one source's functions."""

    def __init__(
        self, source: Source, keys: KeySet, target: str, code: Callable[[int], FunctionCode] | None = None
    ) -> None:
        """keys: the interpreter's handlers.  target: the processor, by LLVM's name.  code: gives the interpreter's code
        of a function, in a process that has it.
        """
        self.source = source
        self.keys = keys
        self.target = target
        self._checked: dict[int, ValidFunction | None] = {}
        self._code = code or self._encoded
        self._codes: dict[int, FunctionCode] = {}

    def make(self, root: int, loop: int | None) -> Unit:
        """A function with the small ones that it calls; or, as it is entered at the start of a loop (by its key), with
        those, but without its own beginning.

        Raises CompilerError where it is not to be compiled.
        """
        function = self.checked(root)
        if function is None:
            raise CompilerError("its body is bad")
        why = _refused(function)
        if why is not None:
            raise CompilerError(why)
        members = self.members(root, loop is None)
        around = self.around({*members, root}, frozenset(members))
        bodies = [self._known(index) for index in members]
        text = unit_ir(around, bodies, None if loop is None else (function, loop))
        size = sum(len(body.code) for body in bodies) + (0 if loop is None else entered_size(function, loop))
        several = sum(block.kind == "loop" for body in (*bodies, function) for block in body.blocks.values())
        level = min(self.source.level, 0 if several > _MANY_LOOPS else 2 if size <= _OPTIMISED else 1)
        name = unit_name(self.source.place, root, loop)
        return Unit(name, tuple(members), *self.compiled(text, level))

    def compiled(self, text: str, level: int) -> tuple[bytes, dict[str, int]]:
        """Code and symbols of some IR."""
        from svm.engines.native.elf import link
        from svm.engines.native.llvm import compile_object

        try:
            return link(compile_object(text, self.target, level=level, optimise=True))
        except (RuntimeError, ValueError) as error:
            raise CompilerError(f"LLVM: {error}") from error

    def around(self, indices: set[int], together: frozenset[int]) -> Around:
        """What the functions of a unit need to know of the guest."""
        source = self.source
        codes = {index: self.code(index) for index in indices}
        twins = frozenset(index for index in together if _calls_itself(self._known(index)))
        numbers = source.numbers.__getitem__
        return Around(
            source.context,
            source.imported,
            codes,
            together,
            twins,
            numbers,
            source.globals,
            source.types,
            source.tags,
            source.instance,
            source.canonical_nans,
        )

    def members(self, root: int, itself: bool) -> list[int]:
        """The small functions that a function calls, directly and not, nearest first, as far as there is room; and
        itself, if asked for.

        Larger ones are units of their own, and called by their address.
        """
        source = self.source
        found = [root] if itself else []
        seen = set(found)
        size = 0
        queue = [root]
        for caller in queue:
            for index in _callees(self._known(caller)) if source.level else ():
                if index < source.imported or index in seen or len(found) >= _MOST_FUNCTIONS:
                    continue
                more = len(source.functions[index - source.imported].body)
                if more > _SMALL or size + more > _MOST_BYTES:
                    continue
                seen.add(index)
                callee = self.checked(index)  # a bad body is reported when it is called
                if callee is not None and _refused(callee) is None:
                    found.append(index)
                    queue.append(index)
                    size += more
        return found

    def checked(self, index: int) -> ValidFunction | None:
        """A function's checked body; None if it is bad."""
        if index not in self._checked:
            source = self.source
            try:
                body = examine_body(source.context, index, None, source.functions[index - source.imported])
            except ModuleError:
                self._checked[index] = None
            else:
                self._checked[index] = body
        return self._checked[index]

    def code(self, index: int) -> FunctionCode:
        """The interpreter's code of a function, which says where compiled code may leave to."""
        if index not in self._codes:
            self._codes[index] = self._code(index)
        return self._codes[index]

    def _encoded(self, index: int) -> FunctionCode:
        return code_of(self.keys, self.source.context, self._known(index))

    def _known(self, index: int) -> ValidFunction:
        found = self.checked(index)
        assert found is not None
        return found


def _callees(function: ValidFunction) -> list[int]:
    return list(dict.fromkeys(item.args[0] for item in function.code if item.op.name == "call"))


def _calls_itself(function: ValidFunction) -> bool:
    """Whether a recursion is worth a second copy of its step."""
    if len(function.code) > _TWIN:
        return False
    return any(item.op.name == "call" and item.args[0] == function.index for item in function.code)


def _refused(function: ValidFunction) -> str | None:
    """Why LLVM would not compile a function in bounded time, if it would not."""
    sizes = (
        ("instructions", len(function.code), _LARGEST),
        ("locals", len(function.locals), _MOST_LOCALS),
        ("blocks", len(function.blocks), _MOST_BLOCKS),
        ("targets of a branch", max(map(len, function.targets.values()), default=0), _MOST_TARGETS),
    )
    for what, size, most in sizes:
        if size > most:
            return f"it has {size:,} {what}; at most {most:,} are compiled"
    spills = _spills(function)
    if spills > _MOST_SPILLS:
        return f"its ways out write {spills:,} slots; at most {_MOST_SPILLS:,} are compiled"
    return None


_CALLING = frozenset(("call", "call_indirect"))
_LEAVING = _CALLING | {"loop", "throw"}


def _spills(function: ValidFunction) -> int:
    """Slots that compiled code of a function writes at all places where it may be left with its frame, and catches that
    are asked there.
    """
    live = live_locals(function)
    total = 0
    catches = [0]  # around the instruction, block by block
    for at, item in enumerate(function.code):
        name = item.op.name
        if at in function.blocks:
            catches.append(catches[-1] + len(function.blocks[at].catches))
        elif name == "end":
            catches.pop()
        if name in _LEAVING or name.startswith(("memory.", "table.", "data.", "elem.")):
            total += live[at + 1].bit_count() + max(function.heights[at], 0)
            total += catches[-1] if name in _CALLING else 0
    return total
