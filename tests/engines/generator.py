"""Random programs for differential tests: valid modules that end, from a seed.

Functions are made by descending through expressions (which leave one value) and statements (which leave none), of every
instruction that WebAssembly has too.  Whatever loops or is called takes a tick off a global counter, and stops when
none is left, until the export `WIND` is called; so every call ends soon.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from svm.isa import F32, F64, FUNCREF, I32, I64, OPS, Form, FuncType, ValueType
from svm.module import (
    DataSegment,
    ElementSegment,
    Export,
    ExternKind,
    Function,
    Global,
    GlobalType,
    MemoryType,
    Mode,
    Module,
    TableType,
    Tag,
    constant,
)
from svm.module.code import encode_instruction

__all__ = ["NUMBERS", "PURE", "STATE", "TRAPPING", "WIND", "Body", "arguments", "generate"]

NUMBERS = (I32, I64, F32, F64)
OURS = 0xE0  # the prefix of instructions that WebAssembly does not have
TICKS = 60
WIND = "wind"
"""An export to call before each call of another: it gives the ticks that one may use."""
STATE = "state"
"""An export that gives what no other export shows: globals as integers, and which elements of the table are null."""

_COMMON = [op for op in OPS.values() if op.code >> 8 != OURS]
PURE = {
    kind: [
        op for op in _COMMON
        if op.form is Form.PURE and op.results == (kind,) and op.params and not op.immediates
    ]
    for kind in NUMBERS
}  # fmt: skip
TRAPPING = re.compile(r"(div|rem)_|trunc_f")
LOADS = {kind: [op for op in _COMMON if op.form is Form.LOAD and op.results == (kind,)] for kind in NUMBERS}
STORES = [op for op in _COMMON if op.form is Form.STORE]

_EDGES = {
    I32: (0, 1, -1, 2, 31, 32, 255, 65535, 65536, (1 << 31) - 1, -(1 << 31)),
    I64: (0, 1, -1, 2, 63, 64, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, -(1 << 63)),
    F32: (0, 0x80000000, 0x3F800000, 0xBF800000, 1, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x4F000000,
          0xCF000000, 0x5F000000, 0x3F000000, 0x4B000001),
    F64: (0, 1 << 63, 0x3FF << 52, 0xBFF << 52, 1, (0x7FF << 52) - 1, 0x7FF << 52, 0xFFF << 52, 0x7FF8 << 48,
          0x41E << 52, 0xC1E0000000200000, 0x43E << 52, 0x3FE << 52, 0x3FF0000010000000),
}  # fmt: skip

Types = tuple[ValueType, ...]


def arguments(random: Random, types: Types) -> tuple[int, ...]:
    """Integers for a call: the edges of their types, small ones, any."""
    return tuple(number(random, kind) for kind in types)


def number(random: Random, kind: ValueType) -> int:
    """A constant of a type, floats by their bits."""
    choice = random.random()
    if choice < 0.4:
        return random.choice(_EDGES[kind])
    bits = 32 if kind in (I32, F32) else 64
    if choice < 0.7 and kind in (I32, I64):
        return random.randrange(-8, 100)
    value = random.getrandbits(bits)
    if kind in (F32, F64):
        return value
    return value - (1 << bits) if value >> bits - 1 else value


class Maker:
    """Makes a module: its index spaces, and what its functions need to know.  body: makes one of its functions."""

    def __init__(self, seed: int, functions: int, size: int, body: type[Body]) -> None:
        self.body = body
        self.random = random = Random(seed)
        self.size = size
        self.types: list[FuncType] = []
        exported = [FuncType(self.some((I32, I64), 3), self.some((I32, I64), 3)) for _ in range(functions // 2)]
        inner = [FuncType(self.some(NUMBERS, 3), self.some(NUMBERS, 2)) for _ in range(functions - functions // 2)]
        self.functions = exported + inner
        self.exported = len(exported)
        self.tags = [(), (I32,), (I64, F64)]
        self.globals = [*NUMBERS, I32]
        self.ticks = len(self.globals) - 1
        self.references = [random.randrange(len(self.functions)) for _ in range(6)]  # four of them in the table

    def some(self, kinds: Sequence[ValueType], most: int) -> Types:
        return tuple(self.random.choices(kinds, k=self.random.randrange(most + 1)))

    def type(self, params: Types, results: Types) -> int:
        kind = FuncType(params, results)
        if kind not in self.types:
            self.types.append(kind)
        return self.types.index(kind)

    def module(self) -> Module:
        random = self.random
        functions = [self.body(self, at).finish() for at in range(len(self.functions))]
        functions += [self.state(), self.wind()]
        globals_ = [
            Global(GlobalType(kind, True), constant(f"{kind}.const", number(random, kind))) for kind in self.globals
        ]
        items = tuple(constant("ref.func", index) for index in self.references)
        tags = tuple(Tag(self.type(params, ())) for params in self.tags)
        exports = [Export(f"f{at}", ExternKind.FUNC, at) for at in range(self.exported)]
        exports += [
            Export(STATE, ExternKind.FUNC, len(self.functions)),
            Export(WIND, ExternKind.FUNC, len(self.functions) + 1),
            Export("memory", ExternKind.MEMORY, 0),
        ]
        return Module(
            types=tuple(self.types),
            functions=tuple(functions),
            tables=(TableType(FUNCREF, 8, 12),),
            memories=(MemoryType(1, 3),),
            tags=tags,
            globals=tuple(globals_),
            exports=tuple(exports),
            elements=(
                ElementSegment(items[:4], FUNCREF, Mode.ACTIVE, 0, constant("i32.const", 1)),
                ElementSegment(items[4:], FUNCREF, Mode.PASSIVE),
            ),
            data=(
                DataSegment(random.randbytes(200), Mode.ACTIVE, 0, constant("i32.const", 8)),
                DataSegment(random.randbytes(64), Mode.PASSIVE),
            ),
        )

    def state(self) -> Function:
        out = bytearray()
        for at, kind in enumerate(self.globals):
            out += encode_instruction("global.get", (at,))
            if kind in (F32, F64):
                out += encode_instruction(f"i{kind.name[1:]}.reinterpret_{kind}")
        for at in range(8):
            out += encode_instruction("i32.const", (at,)) + encode_instruction("table.get", (0,))
            out += encode_instruction("ref.is_null")
        out += encode_instruction("table.size", (0,)) + encode_instruction("end")
        return Function(self.type((), (I32, I64, I32, I64, I32, *[I32] * 8, I32)), (), bytes(out))

    def wind(self) -> Function:
        body = encode_instruction("i32.const", (TICKS,)) + encode_instruction("global.set", (self.ticks,))
        return Function(self.type((), ()), (), body + encode_instruction("end"))


class Body:
    """Makes one function."""

    def __init__(self, maker: Maker, index: int) -> None:
        self.maker = maker
        self.random = maker.random
        self.index = index
        self.type = maker.functions[index]
        self.extra = [self.random.choice(NUMBERS) for _ in range(self.random.randrange(1, 5))] + [I32]
        self.locals = [*self.type.params, *self.extra]
        self.labels: list[Types] = [self.type.results]
        self.out = bytearray()
        self.left = maker.size
        self.statements: list[tuple[int, Callable[[], None]]] = [
            (4, self.set_local), (3, self.set_global), (5, self.store), (2, self.drop), (2, self.if_statement),
            (2, self.block), (3, self.loop), (2, self.branch), (1, self.table_branch), (2, self.bulk), (2, self.table),
            (2, self.call_statement), (2, self.several), (2, self.try_statement), (1, self.leave),
        ]  # fmt: skip

    def emit(self, name: str, *args: Any) -> None:
        self.out += encode_instruction(name, args)

    def finish(self) -> Function:
        self.end_without_ticks()
        for _ in range(self.random.randrange(2, 6)):
            self.statement()
        for kind in self.type.results:
            self.expression(kind)
        self.emit("end")
        locals_ = tuple((1, kind) for kind in self.extra)
        return Function(self.maker.type(self.type.params, self.type.results), locals_, bytes(self.out))

    def end_without_ticks(self) -> None:
        """Return zeros if no tick is left, else take one."""
        self.emit("global.get", self.maker.ticks)
        self.emit("i32.eqz")
        self.emit("if", None)
        for kind in self.type.results:
            self.emit(f"{kind}.const", 0)
        self.emit("return")
        self.emit("end")
        self.tick()

    def tick(self) -> None:
        self.emit("global.get", self.maker.ticks)
        self.emit("i32.const", 1)
        self.emit("i32.sub")
        self.emit("global.set", self.maker.ticks)

    # Expressions: each leaves one value of a type

    def expression(self, kind: ValueType) -> None:
        self.left -= 1
        choice = self.random.random()
        if self.left <= 0 or choice < 0.2:
            self.leaf(kind)
        elif choice < 0.62:
            op = self.random.choice(PURE[kind])
            while TRAPPING.search(op.name) and self.random.random() < 0.8:
                op = self.random.choice(PURE[kind])
            for operand in op.params or ():
                self.expression(operand)
            self.emit(op.name)
        elif choice < 0.72:
            op = self.random.choice(LOADS[kind])
            self.address()
            self.emit(op.name, self.random.randrange(op.size.bit_length()), self.offset())
        elif choice < 0.78:
            self.select(kind)
        elif choice < 0.86:
            self.value_block(kind)
        elif choice < 0.92:
            self.call((kind,))
        elif kind is I32:
            self.measure()
        else:
            self.tee(kind)

    def leaf(self, kind: ValueType) -> None:
        choice = self.random.random()
        places = [at for at, other in enumerate(self.locals) if other is kind]
        if places and choice < 0.55:
            self.emit("local.get", self.random.choice(places))
        elif choice < 0.7:
            self.emit("global.get", self.maker.globals.index(kind))
        else:
            self.emit(f"{kind}.const", number(self.random, kind))

    def address(self) -> None:
        """An address that is mostly, but not always, within memory."""
        self.expression(I32)
        if self.random.random() < 0.95:
            self.emit("i32.const", 0xFF if self.random.random() < 0.5 else 0xFFF0)
            self.emit("i32.and")

    def offset(self) -> int:
        return self.random.choice((0, 0, 1, 7, 15, 300))

    def select(self, kind: ValueType) -> None:
        self.expression(kind)
        self.expression(kind)
        self.expression(I32)
        if self.random.random() < 0.5:
            self.emit("select")
        else:
            self.emit("select_typed", (kind,))

    def value_block(self, kind: ValueType) -> None:
        """A block or an if that gives a value, by its end or by a branch."""
        if self.random.random() < 0.5:
            self.expression(I32)
            self.emit("if", kind)
            self.labels.append((kind,))
            self.inside()
            self.expression(kind)
            self.emit("else")
            self.inside()
        else:
            self.emit("block", kind)
            self.labels.append((kind,))
            self.inside()
        self.expression(kind)
        self.emit("end")
        self.labels.pop()

    def call(self, results: Types) -> None:
        """A call that gives the results, directly or through the table; constants where no function does."""
        found = [at for at in range(self.maker.exported, len(self.maker.functions))
                 if self.maker.functions[at].results == results]  # fmt: skip
        if not found:
            for kind in results:
                self.leaf(kind)
            return
        index = self.random.choice(found)
        kind = self.maker.functions[index]
        for param in kind.params:
            self.expression(param)
        places = [1 + at for at, other in enumerate(self.maker.references[:4]) if self.maker.functions[other] == kind]
        if self.random.random() < (0.4 if places else 0.95):
            self.emit("call", index)
        else:
            if places and self.random.random() < 0.9:
                self.emit("i32.const", self.random.choice(places))
            else:
                self.expression(I32)
                self.emit("i32.const", 15)
                self.emit("i32.and")
            self.emit("call_indirect", self.maker.type(kind.params, kind.results), 0)

    def measure(self) -> None:
        match self.random.randrange(5):
            case 0:
                self.emit("memory.size", 0)
            case 1:
                self.emit("table.size", 0)
            case 2:
                self.emit("i32.const", self.random.choice((0, 1, 1, 5, -1)))
                self.emit("memory.grow", 0)
            case 3:
                self.element_index()
                self.emit("table.get", 0)
                self.emit("ref.is_null")
            case _:
                self.emit("ref.null", FUNCREF)
                self.emit("i32.const", self.random.choice((0, 1, 2, 9, -1)))
                self.emit("table.grow", 0)

    def tee(self, kind: ValueType) -> None:
        places = [at for at, other in enumerate(self.locals) if other is kind]
        self.expression(kind)
        if places:
            self.emit("local.tee", self.random.choice(places))

    # Statements: each leaves nothing

    def statement(self) -> None:
        self.left -= 1
        if self.left > 0:
            weights, makers = zip(*self.statements, strict=True)
            self.random.choices(makers, weights)[0]()

    def inside(self) -> None:
        for _ in range(self.random.randrange(3)):
            self.statement()

    def set_local(self) -> None:
        place = self.random.randrange(len(self.locals))
        self.expression(self.locals[place])
        self.emit("local.set", place)

    def set_global(self) -> None:
        place = self.random.randrange(self.maker.ticks)
        self.expression(self.maker.globals[place])
        self.emit("global.set", place)

    def store(self) -> None:
        op = self.random.choice(STORES)
        self.address()
        assert op.params is not None
        self.expression(op.params[1])
        self.emit(op.name, self.random.randrange(op.size.bit_length()), self.offset())

    def drop(self) -> None:
        self.expression(self.random.choice(NUMBERS))
        self.emit("drop")

    def if_statement(self) -> None:
        self.expression(I32)
        self.emit("if", None)
        self.labels.append(())
        self.inside()
        if self.random.random() < 0.5:
            self.emit("else")
            self.inside()
        self.emit("end")
        self.labels.pop()

    def block(self) -> None:
        self.emit("block", None)
        self.labels.append(())
        self.inside()
        self.emit("end")
        self.labels.pop()

    def loop(self) -> None:
        """A loop that counts a local down; it may be gone on with, or left, in other ways too."""
        counter = len(self.locals) - 1
        self.emit("i32.const", self.random.randrange(1, 6))
        self.emit("local.set", counter)
        self.emit("block", None)
        self.emit("loop", None)
        self.labels += [(), ()]
        self.emit("global.get", self.maker.ticks)
        self.emit("i32.eqz")
        self.emit("br_if", 1)
        self.tick()
        self.inside()
        self.emit("local.get", counter)
        self.emit("i32.const", -1)
        self.emit("i32.add")
        self.emit("local.tee", counter)
        self.emit("br_if", 0)
        self.emit("end")
        self.emit("end")
        del self.labels[-2:]

    def branch(self) -> None:
        depth = self.random.randrange(len(self.labels))
        carried = self.labels[-1 - depth]
        for kind in carried:
            self.expression(kind)
        if self.random.random() < 0.8:
            self.expression(I32)
            self.emit("br_if", depth)
            for _ in carried:
                self.emit("drop")
        else:
            self.emit("br", depth)

    def table_branch(self) -> None:
        default = self.random.randrange(len(self.labels))
        carried = self.labels[-1 - default]
        same = [depth for depth in range(len(self.labels)) if self.labels[-1 - depth] == carried]
        self.emit("block", None)
        self.labels.append(())
        self.expression(I32)
        self.emit("br_if", 0)
        for kind in carried:
            self.expression(kind)
        self.expression(I32)
        self.emit("i32.const", 3)
        self.emit("i32.and")
        depths = tuple(1 + self.random.choice(same) for _ in range(self.random.randrange(4)))
        self.emit("br_table", depths, 1 + default)
        self.emit("end")
        self.labels.pop()

    def small(self) -> None:
        """A length."""
        self.expression(I32)
        self.emit("i32.const", 63)
        self.emit("i32.and")

    def bulk(self) -> None:
        choice = self.random.randrange(7)
        if choice == 0:
            self.emit("data.drop", 1)
            return
        self.address()
        if choice < 3:
            self.expression(I32)
            self.small()
            self.emit("memory.fill", 0)
        elif choice < 6:
            self.address()
            self.small()
            self.emit("memory.copy", 0, 0)
        else:
            self.emit("i32.const", self.random.randrange(40))
            self.emit("i32.const", self.random.randrange(30))
            self.emit("memory.init", 1, 0)

    def element_index(self) -> None:
        self.expression(I32)
        self.emit("i32.const", 7)
        self.emit("i32.and")

    def table(self) -> None:
        choice = self.random.randrange(6)
        if choice == 0:
            self.emit("elem.drop", 1)
            return
        self.element_index()
        if choice == 1:
            self.element_index()
            self.emit("table.get", 0)
            self.emit("table.set", 0)
        elif choice == 2:
            self.emit("ref.null", FUNCREF)
            self.emit("i32.const", self.random.randrange(4))
            self.emit("table.fill", 0)
        elif choice == 3:
            self.element_index()
            self.emit("i32.const", self.random.randrange(5))
            self.emit("table.copy", 0, 0)
        elif choice == 4:
            self.emit("i32.const", self.random.randrange(3))
            self.emit("i32.const", self.random.randrange(3))
            self.emit("table.init", 1, 0)
        else:
            self.emit("ref.func", self.random.randrange(self.maker.exported))
            self.emit("table.set", 0)

    def call_statement(self) -> None:
        results = self.maker.functions[self.random.randrange(self.maker.exported, len(self.maker.functions))].results
        self.call(results)
        self.take(results)

    def take(self, results: Types) -> None:
        """Put operands into locals, or drop them."""
        for kind in reversed(results):
            places = [at for at, other in enumerate(self.locals) if other is kind]
            if places:
                self.emit("local.set", self.random.choice(places))
            else:
                self.emit("drop")

    def several(self) -> None:
        """A block that takes and gives several values."""
        params, results = (self.maker.some(NUMBERS, 3) for _ in range(2))
        for kind in params:
            self.expression(kind)
        self.emit("block", self.maker.type(params, results))
        self.labels.append(results)
        self.take(params)
        self.inside()
        for kind in results:
            self.expression(kind)
        self.emit("end")
        self.labels.pop()
        self.take(results)

    def try_statement(self) -> None:
        """A block whose exceptions give their values, or that ends by itself with others."""
        tag = self.random.randrange(len(self.maker.tags))
        carried: Types = self.maker.tags[tag]
        self.emit("block", self.maker.type((), carried))
        self.labels.append(carried)
        catches: tuple[tuple[Any, ...], ...] = (("catch", tag, 0),)
        if not carried and self.random.random() < 0.5:
            catches = (*catches, ("catch_all", 0))
        self.emit("try_table", None, catches)
        self.labels.append(())
        self.inside()
        if self.random.random() < 0.6:
            self.expression(I32)
            self.emit("if", None)
            self.labels.append(())
            self.throw(tag if self.random.random() < 0.7 else self.random.randrange(len(self.maker.tags)))
            self.emit("end")
            self.labels.pop()
        self.emit("end")
        self.labels.pop()
        for kind in carried:
            self.expression(kind)
        self.emit("end")
        self.labels.pop()
        self.take(carried)

    def throw(self, tag: int) -> None:
        for kind in self.maker.tags[tag]:
            self.expression(kind)
        self.emit("throw", tag)

    def leave(self) -> None:
        """Return, throw or trap; seldom for good."""
        self.expression(I32)
        self.emit("i32.const", 15)
        self.emit("i32.and")
        self.emit("i32.eqz")
        self.emit("if", None)
        self.labels.append(())
        match self.random.randrange(3):
            case 0:
                for kind in self.type.results:
                    self.expression(kind)
                self.emit("return")
            case 1:
                self.throw(self.random.randrange(len(self.maker.tags)))
            case _:
                self.emit("unreachable")
        self.emit("end")
        self.labels.pop()


def generate(seed: int, *, functions: int = 10, size: int = 60, body: type[Body] = Body) -> Module:
    """A module from a seed: half of its functions exported, each of about `size` expressions and statements."""
    return Maker(seed, functions, size, body).module()
