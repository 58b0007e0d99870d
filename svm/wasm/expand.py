"""`expand`: a module to one with WebAssembly's instructions only, which does the same.

In comes a module, out comes one in which our own instructions (behind the prefix 0xE0) are sequences of WebAssembly's:
arithmetic in their place, with temporaries in locals behind the function's own, searches of memory as calls of
functions behind the module's own.  Invariant: every index and every branch means what it meant, the line table points
to where its instructions went, and a module that has nothing to expand comes out as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from svm import limits
from svm.errors import InvalidError, ModuleError, Place
from svm.isa import Form, FuncType, Op, ValueType
from svm.module import (
    ExternKind,
    Function,
    FunctionLines,
    Instruction,
    Lines,
    Module,
    NameKind,
    Names,
    decode_body,
    encode_body,
)
from svm.module.code import encode_instruction
from svm.wasm.expansions import Expansion, expansion

__all__ = ["expand"]

_OURS = 0xE0


def expand(module: Module) -> Module:
    """The module in WebAssembly's instructions.

    Raises InvalidError where one of its functions outgrows a limit by it, MalformedError for a body that is no code.
    """
    if module.origin is not None or not any(_OURS in function.body for function in module.functions):
        return module  # what came from a `.wasm` has none of ours, and may be large
    return _Expander(module).run()


class _Helpers:
    """The functions that are called, behind a module's own, as far as they are needed."""

    def __init__(self, module: Module) -> None:
        self.types = list(module.types)
        self.first = len(module.imported(ExternKind.FUNC)) + len(module.functions)
        self.names: dict[str, int] = {}

    def index(self, name: str) -> int:
        """The function index of an expansion."""
        return self.names.setdefault(name, self.first + len(self.names))

    def type(self, kind: FuncType) -> int:
        """The index of a function type."""
        if kind not in self.types:
            self.types.append(kind)
        return self.types.index(kind)

    def functions(self) -> tuple[Function, ...]:
        """The functions, in order of their index."""
        made: list[Function] = []
        while len(made) < len(self.names):  # one may call others
            item = expansion(list(self.names)[len(made)])
            assert item is not None
            code = _renumbered(item, range(len(item.locals)), self)
            own = item.locals[len(item.type.params) :]
            made.append(Function(self.type(item.type), _runs(own), encode_body(code)))
        return tuple(made)


def _runs(kinds: Iterable[ValueType]) -> tuple[tuple[int, ValueType], ...]:
    return tuple((len(list(run)), kind) for kind, run in groupby(kinds))


def _renumbered(item: Expansion, places: Sequence[int], helpers: _Helpers) -> list[Instruction]:
    """An expansion's code with its locals in places, and its calls of others."""
    out = []
    for instruction in item.code:
        op, args = instruction.op, instruction.args
        if op.name.startswith("local."):
            args = (places[args[0]],)
        elif op.name == "call":
            args = (helpers.index(item.calls[args[0]]),)
        out.append(Instruction(op, args))
    return out


class _Body:
    """Expands the body of one function."""

    def __init__(self, params: int, function: Function, helpers: _Helpers) -> None:
        self.function = function
        self.helpers = helpers
        self.first = params + sum(count for count, _ in function.locals)  # the temporaries' first index
        self.temporaries: list[ValueType] = []
        self.inlined: dict[str, bytes] = {}
        self.moves: list[tuple[int, int]] = []  # where an instruction ended, and by how much what follows has moved

    def run(self) -> Function:
        """The function without our instructions."""
        old = self.function.body
        out = bytearray()
        kept = 0
        code = decode_body(old)
        for at, (op, args, offset) in enumerate(code):
            if op.code >> 8 != _OURS:
                continue
            end = code[at + 1].offset if at + 1 < len(code) else len(old)
            out += old[kept:offset]
            try:
                out += self.replacement(op, args)
            except InvalidError as error:
                raise InvalidError(error.message, Place(instruction=op.name, offset=offset)) from None
            kept = end
            self.moves.append((end, len(out) - end))
        out += old[kept:]
        return replace(self.function, locals=self.function.locals + _runs(self.temporaries), body=bytes(out))

    def replacement(self, op: Op, args: tuple[int, ...]) -> bytes:
        """Bytes in the place of one instruction."""
        name = op.name.removesuffix("_throw") + "_overflow" if op.form is Form.CHECKED else op.name
        item = expansion(name)
        if item is None:
            raise InvalidError("WebAssembly has no such instruction, and svm no expansion for it")
        if op.form is Form.BULK:
            return encode_instruction("call", (self.helpers.index(name),))
        if op.form is Form.CHECKED:
            return self.inline(item) + _IF + encode_instruction("throw", args) + _END
        return self.inline(item)

    def inline(self, item: Expansion) -> bytes:
        """An expansion's code, after its operands went from the stack into temporaries."""
        name = item.name
        if name not in self.inlined:
            places = self.places(item.locals)
            code = b"".join(encode_instruction("local.set", (at,)) for at in reversed(places[: len(item.type.params)]))
            self.inlined[name] = code + encode_body(_renumbered(item, places, self.helpers)[:-1])  # less its `end`
        return self.inlined[name]

    def places(self, kinds: Sequence[ValueType]) -> list[int]:
        """Indices of as many temporaries of these types; none outlives the expansion that uses it."""
        free = list(enumerate(self.temporaries, self.first))
        found = []
        for kind in kinds:
            place = next((place for place in free if place[1] is kind), None)
            if place is None:
                if self.first + len(self.temporaries) >= limits.MAX_LOCALS:
                    raise InvalidError(f"no room for a temporary: the limit is {limits.MAX_LOCALS} locals")
                place = (self.first + len(self.temporaries), kind)
                self.temporaries.append(kind)
            else:
                free.remove(place)
            found.append(place[0])
        return found

    def moved(self, entries: tuple[tuple[int, int, int], ...]) -> tuple[tuple[int, int, int], ...]:
        """Line entries at the offsets that their instructions have now."""
        out = []
        beyond = max((offset for offset, _, _ in entries), default=0) + 1  # it may lie beyond the body
        moves = iter([*self.moves, (beyond, 0)])
        (until, next_shift), shift = next(moves), 0
        for offset, file, line in entries:
            while offset >= until:
                shift = next_shift
                until, next_shift = next(moves)
            out.append((offset + shift, file, line))
        return tuple(out)


_IF = encode_instruction("if", (None,))
_END = encode_instruction("end")


class _Expander:
    """Expands a module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.helpers = _Helpers(module)
        self.imported = len(module.imported(ExternKind.FUNC))
        self.named = module.names.of(NameKind.FUNCTION)
        self.moved: dict[int, _Body] = {}

    def run(self) -> Module:
        """The module without our instructions."""
        module = self.module
        functions = tuple(self.function(at, item) for at, item in enumerate(module.functions, self.imported))
        helpers = self.helpers.functions()
        if self.imported + len(functions) + len(helpers) > limits.MAX_FUNCTIONS:
            raise InvalidError(f"with {len(helpers)} for our instructions, there are more functions than the limit of "
                               f"{limits.MAX_FUNCTIONS}", Place("function"))  # fmt: skip
        return replace(
            module,
            types=tuple(self.helpers.types),
            functions=functions + helpers,
            names=self.names(),
            lines=self.lines(),
            digest=None,
        )

    def function(self, index: int, function: Function) -> Function:
        """One function without our instructions."""
        if _OURS not in function.body:
            return function
        place = Place("code", index, self.named.get(index))
        body = _Body(len(self.module.types[function.type].params), function, self.helpers)
        try:
            made = body.run()
        except ModuleError as error:
            inner = Place("code", index, place.name, error.place.instruction, error.place.offset)
            raise type(error)(error.message, inner) from None
        if not body.moves:
            return function
        self.moved[index] = body
        if len(made.body) > limits.MAX_BODY_BYTES:
            raise InvalidError(f"in WebAssembly's instructions, the body has {len(made.body)} bytes, more than the "
                               f"limit of {limits.MAX_BODY_BYTES}", place)  # fmt: skip
        return made

    def names(self) -> Names:
        """The names, and those of the functions that were added, where functions have names."""
        names = self.module.names
        if not self.named:
            return names
        added = tuple((NameKind.FUNCTION, index, name) for name, index in self.helpers.names.items())
        return replace(names, items=names.items + added)

    def lines(self) -> Lines:
        """The line table of the bodies as they are now."""
        lines = self.module.lines
        functions = tuple(
            FunctionLines(item.function, self.moved[item.function].moved(item.entries))
            if item.function in self.moved else item
            for item in lines.functions
        )  # fmt: skip
        return replace(lines, functions=functions)
