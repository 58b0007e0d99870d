"""Writing one function as LLVM IR: text, variables, operands, frames, and the rows of the instruction table.

In come a checked function, the interpreter's code of it (`FunctionCode`), and what it needs to know of the guest
(`Around`). Out goes, by `svm.engines.native.jit.function`, the text of one function:

    {i64 fuel or status, T} @f(ptr ctx, i64 fuel, ptr fp, parameters…)

Fuel travels in a register.  `fp` is the frame's place on the guest's stack, but while compiled code runs nothing is
written there: see `svm.engines.native.jit.frames` for what happens when it must stop.  So any safepoint will do to
leave compiled code, and there is one form of a paused guest.

Locals, and operands that outlive a block, are `alloca`s, which LLVM makes registers of; other operands are values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from svm.engines.native.context import Exit, Field, status_of
from svm.engines.native.expand import LLVM_TYPES, expand
from svm.engines.native.jit.checks import shared_checks
from svm.engines.native.jit.compiled import CompilerError, entry_symbol
from svm.engines.native.jit.counted import batched_loops, counted_loops
from svm.engines.native.jit.frames import MOST_PARTS, MOST_WORDS, frame_type, way_out, where
from svm.engines.native.stream import FunctionCode
from svm.isa import F32, I32, NAN_MAKERS, Form, FuncType, Op, TrapKind, ValueType
from svm.limits import PAGE
from svm.lower import HEADER_SLOTS, SLOT_BYTES, live_locals
from svm.module import FUNCTION, Block, Context, ValidFunction
from svm.record import record

__all__ = ["Around", "Control", "FunctionWriter", "Operand", "inner_symbol"]


@record
class Around:
    """What a function's code needs to know of its guest.

    codes: the interpreter's code of the functions concerned, by index.  together: those that are compiled together, and
    so call each other directly.  twins: those of them that call themselves and are small: what such a function calls is
    a copy of it that LLVM puts in the place of the call, so that of two steps of a recursion only one is a call.
    number: of a function in the store, by index.  globals: their places among the store's.  types: their numbers in the
    store.  tags: numbers that tell them apart there.  instance: its number there.  canonical_nans: NaNs that arithmetic
    makes are made canonical where their bits can be seen.
    """

    context: Context
    imported: int
    codes: dict[int, FunctionCode]
    together: frozenset[int]
    twins: frozenset[int]
    number: Callable[[int], int]
    globals: Sequence[int]
    types: Sequence[int]
    tags: Sequence[int]
    instance: int
    canonical_nans: bool

    @property
    def least_memory(self) -> int:
        """Bytes that the memory has at least."""
        return self.context.memories[0].minimum * PAGE if self.context.memories else 0

    def reach(self, index: int) -> int:
        """Bytes of a twin's frame, and of one more of it above its operands."""
        layout = self.codes[index].layout
        return (2 * layout.slots - layout.params) * SLOT_BYTES


class Operand(NamedTuple):
    """An operand: a value, or (kept) the name of the variable that holds it.

    raw: it may be a NaN that the processor made, whose bits nobody may see before they are made canonical.  number: it
    is known to be no NaN.
    """

    text: str
    type: ValueType
    kept: bool = False
    raw: bool = False
    number: bool = False


class Control:
    """An open block.  stack: what lay below it and its parameters, all in variables, for an `else`; of a loop, what lay
    below it.  otherwise: its `else` is still to come, or is missing.  section: see `svm.engines.native.jit.entered`;
    part of its labels.  reached: by a branch.  left: of a loop, that a section further in goes past its end.
    joined: of a loop, that its copy does.
    """

    __slots__ = ("block", "joined", "key", "left", "otherwise", "reached", "section", "stack")

    def __init__(self, block: Block, key: int, stack: list[Operand], otherwise: bool, section: str = "") -> None:
        self.block = block
        self.key = key
        self.stack = stack
        self.otherwise = otherwise
        self.section = section
        self.reached = self.left = self.joined = False

    @classmethod
    def dead(cls) -> Control:
        """Stands for blocks that control never comes to."""
        return cls(Block("dead", 0, None, 0, 0, FuncType(), 0), -2, [], False)


_COMPARISONS = frozenset(f"{kind}.{name}" for kind in ("f32", "f64") for name in ("eq", "ne", "lt", "gt", "le", "ge"))
_ROOTS = frozenset(("f32.sqrt", "f64.sqrt"))
_RARE = ", !prof !0"


def inner_symbol(index: int) -> str:
    """Name of the copy that a twin calls."""
    return f"{entry_symbol(index)}.inner"


class FunctionWriter:
    """Writes one function.  loop: key of the loop at whose start it is entered, None for its beginning.  exact: locals
    of which every NaN's bits matter, for not only arithmetic makes them; the others are made canonical where they can
    be seen.  inner: it is the copy that a twin calls.
    """

    def __init__(
        self, around: Around, function: ValidFunction, loop: int | None, exact: frozenset[int], inner: bool
    ) -> None:
        self.around = around
        self.inner = inner
        self.function = function
        self.loop = loop
        self.code = around.codes[function.index]
        self.layout = self.code.layout
        self.number = around.number(function.index)
        self.live = live_locals(function)
        self.tries = any(block.kind == "try_table" for block in function.blocks.values())
        self.places = _places(self.code)
        self.entrances = {0, *self.code.targets.values()}
        self.sites = {site.offset: position for position, site in self.code.sites.items()}
        self.variables: dict[str, str] = {}
        self.out: list[str] = []
        self.cold: list[str] = []
        self.stack: list[Operand] = []
        self.kept = 0  # so many operands, from the bottom, are in variables
        self.controls: list[Control] = []
        self.names = 0
        self.reachable = True
        self.at = 0
        self.offset = 0
        self.section = ""
        self.together, self.checked = shared_checks(function)
        self.counted = counted_loops(function, self.code.charges.loops)
        self.batched = batched_loops(function, self.counted)
        self.settled: dict[int, bool] = {}  # conditional branches of which it is known whether they are taken
        self.covered: dict[int, tuple[str, str, int]] = {}  # accesses known to lie in the memory: base, step, beyond
        self.exact = exact
        self.inexact: set[int] = set()  # what turned out wrong with `exact`

    # Text

    def name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def let(self, text: str) -> str:
        name = f"%{self.name()}"
        self.out.append(f"{name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.out.append(text)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is written meanwhile stands apart, for it seldom runs."""
        warm, self.out = self.out, []
        yield
        self.cold += self.out
        self.out = warm

    def label(self, name: str) -> None:
        self.out.append(f"{name}:")

    def variable(self, name: str, type_: str) -> str:
        """A variable, made if it is new."""
        self.variables.setdefault(name, type_)
        return name

    def read(self, variable: str, type_: str) -> str:
        return self.let(f"load {type_}, ptr {variable}, align 8")

    def write(self, variable: str, type_: str, value: str) -> None:
        self.do(f"store {type_} {value}, ptr {variable}, align 8")

    def context(self, field: int, type_: str = "ptr") -> str:
        place = self.let(f"getelementptr i8, ptr %ctx, i64 {int(field)}")
        return self.let(f"load {type_}, ptr {place}, align 8, !tbaa !3")

    # Operands

    def push(self, text: str, type_: ValueType) -> None:
        self.stack.append(Operand(text, type_))

    def raw_value(self, operand: Operand) -> str:
        """An operand for arithmetic, which does not care for the bits of a NaN."""
        return self.read(operand.text, LLVM_TYPES[operand.type]) if operand.kept else operand.text

    def value(self, operand: Operand) -> str:
        """An operand whose bits can be seen from here on."""
        value = self.raw_value(operand)
        if not operand.raw:
            return value
        kind = LLVM_TYPES[operand.type]
        unordered = self.let(f"fcmp uno {kind} {value}, {value}")
        return self.let(f"select i1 {unordered}, {kind} 0x7FF8000000000000, {kind} {value}")

    def take(self) -> Operand:
        self.kept = min(self.kept, len(self.stack) - 1)
        return self.stack.pop()

    def pop(self) -> str:
        return self.value(self.take())

    def pops(self, count: int) -> list[str]:
        return [self.value(operand) for operand in [self.take() for _ in range(count)][::-1]]

    def drop_to(self, height: int) -> None:
        del self.stack[height:]
        self.kept = min(self.kept, height)

    def keep(self) -> None:
        """Put all operands in variables: what comes next can be reached in more than one way."""
        for height in range(self.kept, len(self.stack)):
            operand = self.stack[height]
            if not operand.kept:
                kind = LLVM_TYPES[operand.type]
                variable = self.variable(f"%s{height}.{kind}", kind)
                self.write(variable, kind, operand.text)
                self.stack[height] = Operand(variable, operand.type, True, operand.raw)
        self.kept = len(self.stack)

    def push_kept(self, key: int, types: Sequence[ValueType]) -> None:
        """Operands that branches to a block brought."""
        for at, type_ in enumerate(types):
            kind = LLVM_TYPES[type_]
            self.stack.append(Operand(self.variable(f"%b{key}.{at}", kind), type_, True))

    def bring(self, key: int, types: Sequence[ValueType]) -> None:
        """Put the topmost operands where a branch to a block brings them."""
        if types:
            values = [self.value(operand) for operand in self.stack[-len(types) :]]
            for at, (value, type_) in enumerate(zip(values, types, strict=True)):
                kind = LLVM_TYPES[type_]
                self.write(self.variable(f"%b{key}.{at}", kind), kind, value)

    def target(self, key: int) -> str:
        """Label that a branch to a block goes to."""
        if key == FUNCTION:
            return "return"
        control = next(item for item in reversed(self.controls) if item.key == key)
        control.reached = True
        return f"{'A' if control.block.kind == 'loop' else 'E'}{key}{control.section}"

    def entrance(self, key: int) -> str:
        """Label that a way into a loop goes to."""
        return f"{'P' if key in self.counted else 'H'}{key}{self.section}"

    def branch(self, key: int) -> None:
        """Branch to a block, with the topmost operands."""
        self.bring(key, self.function.blocks[key].branch_types)
        self.do(f"br label %{self.target(key)}")
        self.reachable = False

    # Frames

    def callee(self, index: int) -> str:
        """Symbol of a function of the unit that is called from here.

        A twin's copy is called only where the interpreter can make the call in its place, and so not where that would
        enter compiled code again: at the first handler of a function, or of a loop.
        """
        twin = index in self.around.twins and not self.inner
        return inner_symbol(index) if twin and self.sites[self.offset] not in self.entrances else entry_symbol(index)

    def slot(self, index: int, base: str = "%fp") -> str:
        return self.let(f"getelementptr i64, ptr {base}, i64 {index}")

    def store_slot(self, index: int, value: str, type_: ValueType, base: str = "%fp") -> None:
        kind = LLVM_TYPES[type_]
        if type_ is F32:
            value, kind = self.let(f"bitcast float {value} to i32"), "i32"
        if kind == "i32":
            value, kind = self.let(f"zext i32 {value} to i64"), "i64"
        self.do(f"store {kind} {value}, ptr {self.slot(index, base)}, align 8, !tbaa !4")

    def load_slot(self, index: int, type_: ValueType, base: str = "%fp") -> str:
        return self.let(f"load {LLVM_TYPES[type_]}, ptr {self.slot(index, base)}, align 8, !tbaa !4")

    def local_slot(self, index: int) -> int:
        return index if index < self.layout.params else index + HEADER_SLOTS

    def operand_slot(self, height: int) -> int:
        return self.layout.params + HEADER_SLOTS + self.layout.locals + height

    def local(self, index: int) -> tuple[str, str]:
        """Variable and LLVM type of a local."""
        kind = LLVM_TYPES[self.function.locals[index]]
        return self.variable(f"%l{index}", kind), kind

    def spill(self, live: int, operands: Sequence[Operand]) -> None:
        """Write the frame: live locals, and operands from the bottom."""
        while live:
            index = (live & -live).bit_length() - 1
            live &= live - 1
            type_ = self.function.locals[index]
            local = Operand(self.local(index)[0], type_, kept=True, raw=index not in self.exact)
            self.store_slot(self.local_slot(index), self.value(local), type_)
        for height, operand in enumerate(operands):
            self.store_slot(self.operand_slot(height), self.value(operand), operand.type)

    # Fuel, and leaving

    def charge(self, cost: int) -> str:
        """Take fuel; what is left."""
        left = self.let(f"sub i64 {self.read('%fuel', 'i64')}, {cost}")
        self.write("%fuel", "i64", left)
        return left

    def out_by(self, way: str, arguments: str) -> None:
        """Leave the function by one of the ways out."""
        type_ = self.function.type
        self.do(f"ret {frame_type(type_)} {self.let(way_out(way, type_, arguments))}")

    def leave(self, status: int, position: int, live: int, operands: Sequence[Operand], aux: str = "0") -> None:
        """Stop, for the interpreter or the driver to go on at a position of the interpreter's code."""
        self.spill(live, operands)
        fuel = self.read("%fuel", "i64")
        place = f"ptr %ctx, i64 {fuel}, ptr %fp, i64 {self.number}, i64 {position}, i64 {aux}"
        self.out_by("leave", f"{place}, i64 {status_of(status)}")

    def leave_if(
        self, condition: str, status: int, position: int, live: int, operands: Sequence[Operand], aux: str = "0"
    ) -> None:
        """The same if a condition holds, which is rare."""
        name = self.name()
        self.do(f"br i1 {condition}, label %cold{name}, label %warm{name}{_RARE}")
        with self.aside():
            self.label(f"cold{name}")
            self.leave(status, position, live, operands, aux)
        self.label(f"warm{name}")

    def why(self, code: int) -> int:
        """What the shared way out is told of the running instruction."""
        position, part = self.places[self.offset]
        if position >> 3 > MOST_WORDS or part > MOST_PARTS:
            raise CompilerError("its code is too long")
        return where(position, part, code)

    def trap_lines(self, condition: str, kind: TrapKind, on: str) -> list[str]:
        return self.stop_lines(condition, kind.code, on)

    def stop_lines(self, condition: str, code: int, on: str) -> list[str]:
        return [
            f"store i32 {self.why(code)}, ptr %why, align 8",
            f"br i1 {condition}, label %stop, label %{on}{_RARE}",
            f"{on}:",
        ]

    def trap_if(self, condition: str, kind: TrapKind) -> None:
        self.out += self.trap_lines(condition, kind, f"on{self.name()}")

    def trap(self, kind: TrapKind) -> None:
        self.do(f"store i32 {self.why(kind.code)}, ptr %why, align 8")
        self.do("br label %stop")
        self.reachable = False

    # Rows

    def row(self, op: Op, args: tuple[Any, ...]) -> None:
        """An instruction by its LLVM column."""
        if op.name in ("select", "select_typed"):
            kind: ValueType | None = self.stack[-2].type
            count = 3
        else:
            kind, count = None, len(op.params) if op.params is not None else 1
        if op.name in NAN_MAKERS or op.name in _COMPARISONS:
            values = [self.raw_value(operand) for operand in [self.take() for _ in range(count)][::-1]]
        else:
            values = self.pops(count)
        operands = dict(zip("abd", values, strict=False))
        if op.form in (Form.LOAD, Form.STORE):
            operands["p"] = self.address(values[0], args[1])
        lines, results = expand(
            op, operands, f"n{self.name()}.", self.trap_lines, LLVM_TYPES[kind] if kind is not None else "i64"
        )
        if op.form in (Form.LOAD, Form.STORE):
            lines = [f"{line}, !tbaa !2" if ", align 1" in line else line for line in lines]
        self.out += lines
        if op.form is Form.CHECKED:
            self.throw_if(results["c"])
            results = {"r": results["r"]}
        types = op.results if op.results is not None else (kind or I32,)
        if "r" in results:
            canonical = self.around.canonical_nans
            if op.name in _ROOTS and canonical:
                self.push(self.root(results["r"], types[0]), types[0])
            else:
                raw, number = canonical and op.name in NAN_MAKERS, ".convert_" in op.name
                self.stack.append(Operand(results["r"], types[0], raw=raw, number=number))
        if "c" in results:
            self.push(self.let(f"zext i1 {results['c']} to i32"), I32)

    def root(self, value: str, type_: ValueType) -> str:
        """A square root, its NaN made canonical at once, and by its bits: LLVM 22 takes
        `select (fcmp uno (sqrt x), 0), NaN, (sqrt x)` for `sqrt x`, whose NaN has the other sign.
        """
        kind = LLVM_TYPES[type_]
        width, infinity = (32, 0xFF << 23) if type_ is F32 else (64, 0x7FF << 52)
        bits = self.let(f"bitcast {kind} {value} to i{width}")
        magnitude = self.let(f"and i{width} {bits}, {(1 << width - 1) - 1}")
        nan = self.let(f"icmp ugt i{width} {magnitude}, {infinity}")
        return self.let(f"select i1 {nan}, {kind} 0x7FF8000000000000, {kind} {value}")

    def throw_if(self, condition: str) -> None:
        """Leave for the driver to throw where checked arithmetic overflows."""
        if self.tries:
            position, part = self.places[self.offset]
            self.leave_if(condition, Exit.THROW, position, self.live[self.at], self.stack, str(part))
        else:
            self.out += self.stop_lines(condition, Exit.THROW, f"on{self.name()}")

    def address(self, base: str, offset: int) -> str:
        """Address of the running instruction's access, once it is known to lie within the memory."""
        if self.at in self.covered:
            return self.covered_address(*self.covered[self.at])
        start = self.let(f"zext i32 {base} to i64")
        if self.at in self.together:
            self.check_together(start, self.together[self.at])
        elif self.at not in self.checked:
            self.trap_if(self.outside(start, self.at), TrapKind.OUT_OF_BOUNDS_MEMORY)
        place = self.let(f"getelementptr i8, ptr {self.memory()}, i64 {start}")
        return self.let(f"getelementptr i8, ptr {place}, i64 {offset}") if offset else place

    def covered_address(self, base: str, step: str, beyond: int) -> str:
        """The same in the copy of a counted loop (`svm.engines.native.jit.versions`)."""
        if step != "0":
            moved = self.let(f"mul nsw i64 {self.read('%round', 'i64')}, {step}")
            base = self.let(f"getelementptr inbounds i8, ptr {base}, i64 {moved}")
        return self.let(f"getelementptr inbounds i8, ptr {base}, i64 {beyond}") if beyond else base

    def outside(self, start: str, at: int) -> str:
        """Whether an access goes past the memory's end.

        The comparison is of this form because LLVM then still sees how often a loop around it runs.
        """
        size, over = self.read("%size", "i64"), self.end(at) - 1
        if over <= self.around.least_memory:
            return self.let(f"icmp uge i64 {start}, {self.let(f'sub nuw nsw i64 {size}, {over}')}")
        return self.let(f"icmp uge i64 {self.let(f'add nuw nsw i64 {start}, {over}')}, {size}")

    def end(self, at: int) -> int:
        """Bytes from an access's address to its end."""
        op, args, _ = self.function.code[at]
        return int(args[1]) + op.size

    def check_together(self, start: str, accesses: list[int]) -> None:
        """Check accesses through the same address; where they do not all fit, trap at the first that does not."""
        name, here = self.name(), self.offset
        farthest = max(accesses, key=self.end)
        self.do(f"br i1 {self.outside(start, farthest)}, label %some{name}, label %all{name}{_RARE}")
        with self.aside():
            self.label(f"some{name}")
            for at in accesses[: accesses.index(farthest)]:
                self.offset = self.function.code[at].offset
                self.trap_if(self.outside(start, at), TrapKind.OUT_OF_BOUNDS_MEMORY)
            self.offset = self.function.code[farthest].offset
            self.do(f"store i32 {self.why(TrapKind.OUT_OF_BOUNDS_MEMORY.code)}, ptr %why, align 8")
            self.do("br label %stop")
        self.offset = here
        self.label(f"all{name}")

    def memory(self) -> str:
        """Where the memory begins."""
        return self.context(Field.MEMORY)

    def load_size(self) -> None:
        """Read the memory's size, which calls may change."""
        place = self.let(f"getelementptr i8, ptr %ctx, i64 {int(Field.MEMORY_SIZE)}")
        size = self.let(f"load i64, ptr {place}, align 8, !tbaa !3, !range !7")
        self.write("%size", "i64", size)


def _places(code: FunctionCode) -> dict[int, tuple[int, int]]:
    """Where in the interpreter's code each instruction is: position, operation in its handler."""
    found: dict[int, tuple[int, int]] = {}
    for position, offsets in zip(code.places, code.offsets, strict=True):
        for part, offset in enumerate(offsets):
            found.setdefault(offset, (position, part))
    return found
