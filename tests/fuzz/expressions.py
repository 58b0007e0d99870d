"""Random expressions: code that leaves values of given types, and nothing else, on the stack."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from svm.isa import EXTERNREF, FUNCREF, I32, OPS, Form, FuncType, ValueType
from svm.limits import PAGE
from svm.module.code import encode_instruction
from tests.fuzz.spaces import Spaces, Types
from tests.fuzz.values import KINDS, NUMBERS, number

__all__ = ["PLAIN", "PURE", "Expressions"]

PLAIN = [op for op in OPS.values() if op.form is Form.PURE and op.params and not op.immediates]
"""Rows that take operands of fixed types and nothing else."""
PURE = {kind: [op for op in PLAIN if op.results == (kind,)] for kind in NUMBERS}
SEVERAL = [op for op in PLAIN if op.results is not None and len(op.results) > 1]
CHECKED = {kind: [op for op in OPS.values() if op.form is Form.CHECKED and op.results == (kind,)] for kind in NUMBERS}
LOADS = {kind: [op for op in OPS.values() if op.form is Form.LOAD and op.results == (kind,)] for kind in NUMBERS}
SEARCHES = [op for op in OPS.values() if op.form is Form.BULK and op.results]
_TRAPPING = re.compile(r"(div|rem)_|trunc_f")
_WORDS = {op.name: encode_instruction(op.name) for op in OPS.values() if not op.immediates}
_encode = lru_cache(maxsize=50_000)(encode_instruction)


class Expressions:
    """Writes one function.  labels: what each open block's label takes, the innermost last.  left: what is left of its
    size.
    """

    def __init__(self, spaces: Spaces, type_: FuncType, extra: Sequence[ValueType]) -> None:
        self.spaces = spaces
        self.random = spaces.random
        self.type = type_
        self.locals = [*type_.params, *extra]
        self.labels: list[Types] = [type_.results]
        self.out = bytearray()
        self.left = spaces.size
        self.ways: dict[ValueType, tuple[list[Callable[[ValueType], None]], list[int]]] = {
            kind: _weighed(self._ways_of(kind)) for kind in ValueType
        }

    def _ways_of(self, kind: ValueType) -> list[tuple[int, Callable[[ValueType], None]]]:
        ways: list[tuple[int, Callable[[ValueType], None]]] = [
            (20, self.leaf), (8, self.select), (9, self.value_block), (8, self.call_value), (4, self.tee),
        ]  # fmt: skip
        if kind in NUMBERS:
            ways.append((40, self.operation))
            if self.spaces.pages is not None:
                ways.append((10, self.load))
            if CHECKED[kind] and () in self.spaces.tags:
                ways.append((3, self.checked))
            if kind is I32:
                ways.append((8, self.measure))
        elif self.spaces.tables_of(kind):
            ways.append((14, self.table_get))
        return ways

    def emit(self, name: str, *args: Any) -> None:
        """Append an instruction."""
        self.out += _encode(name, args) if args else _WORDS[name]

    def open(self, name: str, params: Types, results: Types, *more: Any) -> None:
        """Open a block of a type; its label is the loop's start or else its end."""
        self.emit(name, self.block_type(params, results), *more)
        self.labels.append(params if name == "loop" else results)

    def close(self) -> None:
        """End the innermost block."""
        self.emit("end")
        self.labels.pop()

    def block_type(self, params: Types, results: Types) -> ValueType | int | None:
        """A block type: in short where there is a short form, but not always."""
        if not params and len(results) < 2 and self.random.random() < 0.9:
            return results[0] if results else None
        return self.spaces.type(params, results)

    def tick(self) -> None:
        """Take a tick: whatever loops or is called does so, and ends when none is left."""
        self.emit("global.get", self.spaces.ticks)
        self.emit("i32.const", 1)
        self.emit("i32.sub")
        self.emit("global.set", self.spaces.ticks)

    def no_ticks(self) -> None:
        """1 if no tick is left."""
        self.emit("global.get", self.spaces.ticks)
        self.emit("i32.eqz")

    # Values

    def expression(self, kind: ValueType) -> None:
        """A value of a type."""
        self.left -= 1
        if self.left <= 0:
            self.leaf(kind)
        else:
            makers, weights = self.ways[kind]
            self.random.choices(makers, cum_weights=weights)[0](kind)

    def expressions(self, kinds: Sequence[ValueType]) -> None:
        """Values of several types."""
        for kind in kinds:
            self.expression(kind)

    def leaf(self, kind: ValueType) -> None:
        """A local, a global or a constant."""
        choice = self.random.random()
        if choice < 0.55 and (places := self.locals_of(kind)):
            self.emit("local.get", self.random.choice(places))
        elif choice < 0.7 and (places := self.spaces.globals_of(kind)):
            self.emit("global.get", self.random.choice(places))
        else:
            self.constant(kind)

    def constant(self, kind: ValueType) -> None:
        """A constant."""
        if kind in NUMBERS:
            self.emit(f"{kind}.const", number(self.random, kind))
        elif kind is FUNCREF and self.spaces.declared and self.random.random() < 0.6:
            self.emit("ref.func", self.random.choice(self.spaces.declared))
        else:
            self.emit("ref.null", kind)

    def locals_of(self, kind: ValueType) -> list[int]:
        """Locals of a type."""
        return [at for at, other in enumerate(self.locals) if other is kind]

    def operation(self, kind: ValueType) -> None:
        """An instruction over numbers; seldom one that may trap."""
        op = self.random.choice(PURE[kind])
        while _TRAPPING.search(op.name) and self.random.random() < 0.8:
            op = self.random.choice(PURE[kind])
        self.expressions(op.params or ())
        self.emit(op.name)

    def checked(self, kind: ValueType) -> None:
        """Arithmetic that throws where it overflows."""
        op = self.random.choice(CHECKED[kind])
        self.expressions(op.params or ())
        self.emit(op.name, self.random.choice([at for at, params in enumerate(self.spaces.tags) if not params]))

    def load(self, kind: ValueType) -> None:
        """A load."""
        op = self.random.choice(LOADS[kind])
        offset = self.address(op.size)
        self.emit(op.name, self.random.randrange(op.size.bit_length()), offset)

    def select(self, kind: ValueType) -> None:
        """One of two values."""
        self.expressions((kind, kind, I32))
        if kind in NUMBERS and self.random.random() < 0.5:
            self.emit("select")
        else:
            self.emit("select_typed", (kind,))

    def value_block(self, kind: ValueType) -> None:
        """A block, loop or if that gives a value, by its end or by a branch."""
        which = self.random.choice(("block", "if", "if", "loop"))
        if which == "loop":
            self.open("block", (), (kind,))
        elif which == "if":
            self.expression(I32)
        self.open(which, (), (kind,))
        if which == "loop":
            self.no_ticks()
            self.emit("if", None)
            self.constant(kind)
            self.emit("br", 2)
            self.emit("end")
            self.tick()
        self.inside()
        self.expression(kind)
        if which == "if":
            self.emit("else")
            self.inside()
            self.expression(kind)
        self.close()
        if which == "loop":
            self.close()

    def inside(self) -> None:
        """A few statements; without any, for a statement is more than an expression can make."""

    def tee(self, kind: ValueType) -> None:
        """A value that is kept in a local too."""
        self.expression(kind)
        if places := self.locals_of(kind):
            self.emit("local.tee", self.random.choice(places))

    # Calls

    def call_value(self, kind: ValueType) -> None:
        """A call that gives a value, if a function does."""
        self.call((kind,))

    def call(self, results: Types) -> None:
        """A call that gives the results, directly or through a table; leaves where no function does."""
        found = [at for at, type_ in enumerate(self.spaces.functions) if type_.results == results]
        if not found:
            for kind in results:
                self.leaf(kind)
            return
        index = self.random.choice(found)
        type_ = self.spaces.functions[index]
        self.expressions(type_.params)
        places = self.spaces.references[index]
        tables = self.spaces.tables_of(FUNCREF)
        if not tables or self.random.random() < (0.4 if places else 0.95):
            self.emit("call", index)
            return
        table = self.random.choice(tables)
        if places and self.random.random() < 0.9:
            table, place = self.random.choice(places)
            self.emit("i32.const", place)
        else:
            self.index(table)
        self.emit("call_indirect", self.spaces.type(type_.params, type_.results), table)

    # Memory

    def address(self, size: int) -> int:
        """An address that is mostly within memory, often at its edge; the offset that goes with it."""
        choice = self.random.random()
        pages = self.spaces.pages or 0
        if choice < 0.12:  # the last bytes: all of the access, some of it or none is inside
            end = self.random.choice((*[0] * 12, *[-1] * 4, 1, 8)) + pages * PAGE - size
            offset = self.random.choice((0, 1, 4, PAGE))
            self.emit("i32.const", _signed(end - offset))
            return offset
        if choice < 0.16:  # counted from the memory's end as it is now
            self.emit("memory.size", 0)
            self.emit("i32.const", 16)
            self.emit("i32.shl")
            self.emit("i32.const", size + self.random.choice((*[0] * 12, *[1] * 4, -1)))
            self.emit("i32.sub")
            return 0
        if choice < 0.165:  # sums that would wrap at 32 bits
            self.emit("i32.const", self.random.choice((-1, -size, -8, -PAGE, 1 << 31 - 1, 8)))
            return self.random.choice(((1 << 32) - 1, (1 << 32) - 8, PAGE, 1 << 31, 1, 8))
        self.expression(I32)
        if self.random.random() < 0.98:
            self.emit("i32.const", 0xFF if self.random.random() < 0.5 else 0xFFF0)
            self.emit("i32.and")
        return self.random.choice((0, 0, 1, 7, 15, 300))

    def place(self, size: int) -> None:
        """An address for an instruction without an offset."""
        offset = self.address(size)
        if offset:
            self.emit("i32.const", _signed(offset))
            self.emit("i32.add")

    def length(self) -> int:
        """A length of bytes; what it is at most, if that is known, else 0."""
        choice = self.random.random()
        if choice < 0.2:
            self.emit("i32.const", 0)
            return 0
        if choice < 0.4:
            size = self.random.choice((1, 3, 8, 100))
            self.emit("i32.const", size)
            return size
        self.expression(I32)
        self.emit("i32.const", 63 if choice < 0.97 else 0x3FFFFF)
        self.emit("i32.and")
        return 0

    def search(self, _: ValueType) -> None:
        """Compare memory, or look for something in it."""
        op = self.random.choice(SEARCHES)
        assert op.params is not None
        self.place(0)
        if op.name == "memory.find":
            self.expression(I32)
        else:
            self.place(0)
        self.length()
        self.emit(op.name, 0)

    # Tables

    def index(self, table: int) -> None:
        """An index into a table, mostly inside."""
        size = self.spaces.tables[table].minimum
        if self.random.random() < 0.4:
            places = (*[0, 1 % size, size - 1, size // 2] * 5, size, -1) if size else (0, 1)
            self.emit("i32.const", self.random.choice(places))
            return
        self.expression(I32)
        self.emit("i32.const", max((1 << size.bit_length() - 1) - 1, 0) if size else 0)
        self.emit("i32.and")

    def table_get(self, kind: ValueType) -> None:
        """An element of a table."""
        table = self.random.choice(self.spaces.tables_of(kind))
        self.index(table)
        self.emit("table.get", table)

    def measure(self, _: ValueType) -> None:
        """A number that is told by what is neither a number nor code."""
        ways: list[Callable[[], None]] = [self.is_null, self.is_null]
        if self.spaces.pages is not None:
            ways += [self.memory_size, self.memory_grow, lambda: self.search(I32), lambda: self.search(I32)]
        if self.spaces.tables:
            ways += [self.table_size, self.table_grow]
        self.random.choice(ways)()

    def is_null(self) -> None:
        self.expression(self.random.choice((FUNCREF, EXTERNREF)))
        self.emit("ref.is_null")

    def memory_size(self) -> None:
        self.emit("memory.size", 0)

    def memory_grow(self) -> None:
        self.emit("i32.const", self.random.choice((0, 1, 1, 5, -1, 0xFFFF)))
        self.emit("memory.grow", 0)

    def table_size(self) -> None:
        self.emit("table.size", self.random.randrange(len(self.spaces.tables)))

    def table_grow(self) -> None:
        table = self.random.randrange(len(self.spaces.tables))
        self.expression(self.spaces.tables[table].element)
        self.emit("i32.const", self.random.choice((0, 1, 2, 9, -1, 0x7FFFFFFF)))
        self.emit("table.grow", table)

    # Code that is never reached

    def dead(self) -> None:
        """Instructions behind a branch for good: on a stack that gives whatever is asked of it."""
        known: list[ValueType] = []  # what certainly lies on top
        for _ in range(self.random.randrange(6)):
            choice = self.random.random()
            if choice < 0.5:
                op = self.random.choice(PLAIN)
                self.fit(known, op.params or ())
                self.emit(op.name)
                known += op.results or ()
            elif choice < 0.6:
                depth = self.random.randrange(len(self.labels))
                self.fit(known, (*self.labels[-1 - depth], I32))
                self.emit("br_if", depth)
                known += self.labels[-1 - depth]
            elif choice < 0.7:
                kind = self.random.choice(NUMBERS)
                self.fit(known, (kind, kind, I32))
                self.emit("select")
                self.emit("drop")
            elif choice < 0.8 and self.locals:
                at = self.random.randrange(len(self.locals))
                self.fit(known, (self.locals[at],))
                self.emit("local.tee", at)
                known.append(self.locals[at])
            elif choice < 0.9:
                self.fit(known, (FUNCREF,))
                self.emit("ref.is_null")
                known.append(I32)
            else:
                kind = self.random.choice(KINDS)
                self.expression(kind)
                known.append(kind)
        for _ in known:
            self.emit("drop")

    def fit(self, known: list[ValueType], params: Sequence[ValueType]) -> None:
        """Drop what lies on top until the parameters fit, and take those."""
        while known:
            count = min(len(known), len(params))
            if known[len(known) - count :] == list(params[len(params) - count :]):
                del known[len(known) - count :]
                return
            known.pop()
            self.emit("drop")


def _signed(value: int) -> int:
    """A number of 32 bits as an i32.const has it."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def _weighed(
    ways: list[tuple[int, Callable[[ValueType], None]]],
) -> tuple[list[Callable[[ValueType], None]], list[int]]:
    weights, total = [], 0
    for weight, _ in ways:
        total += weight
        weights.append(total)
    return [way for _, way in ways], weights
