"""Random functions: statements, which leave the stack as it was, around expressions.

Whatever loops or is called takes a tick off a global counter and stops when none is left, so every call ends soon.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from svm.isa import FUNCREF, I32, I64, OPS, Form, FuncType, ValueType
from svm.module import Function, Mode
from tests.fuzz.expressions import PURE, SEVERAL, Expressions
from tests.fuzz.spaces import Spaces, Types
from tests.fuzz.values import KINDS, NUMBERS

__all__ = ["Body"]

_COUNTERS = (I32, I64)
"""Locals behind all others that only counted loops use."""
_STORES = [op for op in OPS.values() if op.form is Form.STORE]
_FILLS = [op for op in OPS.values() if op.form is Form.BULK and not op.results]
_BINARY = {kind: [op for op in PURE[kind] if op.params == (kind, kind)] for kind in NUMBERS}


class Body(Expressions):
    """Writes one function."""

    def __init__(self, spaces: Spaces, type_: FuncType) -> None:
        random = spaces.random
        extra = [random.choice(KINDS) for _ in range(random.randrange(1, 5))]
        if random.random() < 0.02:
            extra += [random.choice(KINDS)] * random.randrange(300)
        super().__init__(spaces, type_, [*extra, I32])
        self.flat = False  # whether expressions hold no statements
        ways: list[tuple[int, Callable[[], None]]] = [
            (4, self.set_local), (2, self.drop), (3, self.if_statement), (2, self.block), (3, self.loop),
            (2, self.counted_loop), (3, self.branch), (1, self.table_branch), (3, self.call_statement),
            (2, self.several), (2, self.parametric_loop), (3, self.try_statement), (1, self.leave),
            (8, self.pending), (1, self.nop), (2, self.two_results),
        ]  # fmt: skip
        if any(item.mutable for at, item in enumerate(spaces.globals) if at != spaces.ticks):
            ways.append((3, self.set_global))
        if spaces.pages is not None:
            ways += [(5, self.store), (2, self.bulk)]
            if spaces.data:
                ways.append((2, self.memory_init))
        if spaces.tables:
            ways.append((4, self.table))
        if random.random() < 0.3:
            ways.append((1, self.drop_segment))
        self.statements = [way for _, way in ways]
        self.weights = list(accumulate(weight for weight, _ in ways))

    def finish(self) -> Function:
        """The function."""
        self.end_without_ticks()
        for _ in range(self.random.randrange(2, 6)):
            self.statement()
        self.results(self.type.results)
        self.emit("end")
        runs: list[tuple[int, ValueType]] = []
        for kind in (*self.locals[len(self.type.params) :], *_COUNTERS):
            if runs and runs[-1][1] is kind and self.random.random() < 0.9:
                runs[-1] = (runs[-1][0] + 1, kind)
            else:
                runs.append((1, kind))
        return Function(self.spaces.type(self.type.params, self.type.results), tuple(runs), bytes(self.out))

    def end_without_ticks(self) -> None:
        """Return constants if no tick is left, else take one."""
        self.no_ticks()
        self.emit("if", None)
        for kind in self.type.results:
            self.constant(kind)
        self.emit("return")
        self.emit("end")
        self.tick()

    def results(self, kinds: Types) -> None:
        """What a block ends with: its results, or seldom a branch for good."""
        if self.random.random() < 0.96:
            self.expressions(kinds)
        else:
            self.go()
            self.dead()

    # Statements

    def statement(self) -> None:
        """One statement, if there is size left."""
        self.left -= 1
        if self.left > 0:
            self.random.choices(self.statements, cum_weights=self.weights)[0]()

    def inside(self) -> None:
        """See `Expressions`."""
        for _ in range(0 if self.flat else self.random.randrange(3)):
            self.statement()

    def nop(self) -> None:
        self.emit("nop")

    def set_local(self) -> None:
        place = self.random.randrange(len(self.locals))
        self.expression(self.locals[place])
        self.emit("local.set", place)

    def set_global(self) -> None:
        kind = self.random.choice(KINDS)
        self.expression(kind)
        self.into_global(kind)

    def into_global(self, kind: ValueType) -> None:
        """Put an operand into a global, if there is one for it."""
        if places := self.spaces.globals_of(kind, mutable=True):
            self.emit("global.set", self.random.choice(places))
        else:
            self.emit("drop")

    def drop(self) -> None:
        self.expression(self.random.choice(KINDS))
        self.emit("drop")

    def take(self, kinds: Types) -> None:
        """Put operands into locals, or drop them."""
        for kind in reversed(kinds):
            if places := self.locals_of(kind):
                self.emit("local.set", self.random.choice(places))
            else:
                self.emit("drop")

    def two_results(self) -> None:
        op = self.random.choice(SEVERAL)
        assert op.params is not None and op.results is not None
        self.expressions(op.params)
        self.emit(op.name)
        self.take(op.results)

    def pending(self) -> None:
        """Operands that wait while other things happen, and then are used, the last first."""
        kinds: list[ValueType] = []
        for _ in range(self.random.randrange(1, 9)):
            kind = self.random.choice(KINDS)
            if self.random.random() < 0.8:
                self.leaf(kind)
            else:
                self.expression(kind)
            kinds.append(kind)
            if self.random.random() < 0.15:
                self.statement()
        for _ in range(self.random.randrange(1, 3)):
            self.statement()
        while kinds:
            kind = kinds.pop()
            if kind in NUMBERS and kinds and kinds[-1] is kind and self.random.random() < 0.6:
                self.emit(self.random.choice(_BINARY[kind]).name)
            elif self.random.random() < 0.7:
                self.take((kind,))
            elif kind is I32 and self.random.random() < 0.5:
                self.open("if", (), ())
                self.inside()
                self.close()
            else:
                self.into_global(kind)

    # Control

    def if_statement(self) -> None:
        self.expression(I32)
        self.open("if", (), ())
        self.inside()
        if self.random.random() < 0.5:
            self.emit("else")
            self.inside()
        self.close()

    def block(self) -> None:
        self.open("block", (), ())
        self.inside()
        self.close()

    def several(self) -> None:
        """A block or an if that takes and gives several values."""
        params, results = (self.spaces.some(KINDS, 3) for _ in range(2))
        self.expressions(params)
        which = self.random.choice(("block", "if"))
        if which == "if":
            self.expression(I32)
        self.open(which, params, results)
        for last in (False, True) if which == "if" else (True,):
            if self.random.random() < 0.2 and params == results:
                self.inside()
            else:
                self.take(params)
                self.inside()
                self.results(results)
            if not last:
                self.emit("else")
        self.close()
        self.take(results)

    def loop(self) -> None:
        """A loop that counts a local down; it may be gone on with, or left, in other ways too."""
        counter = len(self.locals) - 1
        self.emit("i32.const", self.random.randrange(1, 6))
        self.emit("local.set", counter)
        self.open("block", (), ())
        self.open("loop", (), ())
        self.no_ticks()
        self.emit("br_if", 1)
        self.tick()
        self.inside()
        self.emit("local.get", counter)
        self.emit("i32.const", -1)
        self.emit("i32.add")
        self.emit("local.tee", counter)
        self.emit("br_if", 0)
        self.close()
        self.close()

    def counted_loop(self) -> None:
        """A loop that runs as often as the code says, as compilers write it: it needs no ticks."""
        at = self.random.randrange(len(_COUNTERS))
        kind, counter = _COUNTERS[at], len(self.locals) + at  # which nothing else writes
        start, step = self.random.randrange(-20, 20), self.random.choice((1, 1, 4, -1))
        trips = self.random.choice((1, 2, 5, 30))
        comparison = self.random.choice(("", "ne", "lt_s", "lt_u"))
        if comparison == "":
            start = -step * trips
        elif comparison != "ne":
            start, step = abs(start), abs(step)
        self.emit(f"{kind}.const", start)
        self.emit("local.set", counter)
        self.open("loop", (), ())
        self.flat = True
        for _ in range(self.random.randrange(1, 3)):
            self.store() if self.spaces.pages is not None and self.random.random() < 0.7 else self.set_local()
        self.flat = False
        self.emit("local.get", counter)
        self.emit(f"{kind}.const", step)
        self.emit(f"{kind}.add")
        self.emit("local.tee", counter)
        if comparison:
            self.emit(f"{kind}.const", start + step * trips)
            self.emit(f"{kind}.{comparison}")
        elif kind is I64:
            self.emit("i64.eqz")
            self.emit("i32.eqz")
        self.emit("br_if", 0)
        self.close()

    def parametric_loop(self) -> None:
        """A loop that takes and gives values."""
        params, results = (self.spaces.some(KINDS, 3) for _ in range(2))
        self.open("block", (), results)
        self.expressions(params)
        self.open("loop", params, results)
        self.take(params)
        self.no_ticks()
        self.open("if", (), ())
        for kind in results:
            self.constant(kind)
        self.emit("br", 2)
        self.dead()
        self.close()
        self.tick()
        self.inside()
        self.expressions(params)
        self.expression(I32)
        self.emit("br_if", 0)
        self.take(params)
        self.results(results)
        self.close()
        self.close()
        self.take(results)

    def branch(self) -> None:
        """A branch, with operands beneath what it carries."""
        depth = self.random.randrange(len(self.labels))
        carried = self.labels[-1 - depth]
        beneath = self.spaces.some(KINDS, 2) if self.random.random() < 0.4 else ()
        if self.random.random() < 0.75:
            self.expressions((*beneath, *carried, I32))
            self.emit("br_if", depth)
            self.take((*beneath, *carried))
        else:
            self.expression(I32)
            self.open("if", (), ())
            self.expressions((*beneath, *carried))
            self.emit("br", depth + 1)
            self.dead()
            self.close()

    def table_branch(self) -> None:
        default = self.random.randrange(len(self.labels))
        carried = self.labels[-1 - default]
        same = [depth for depth in range(len(self.labels)) if self.labels[-1 - depth] == carried]
        self.open("block", (), ())
        self.expression(I32)
        self.emit("br_if", 0)
        self.expressions((*carried, I32))
        self.emit("i32.const", 3)
        self.emit("i32.and")
        depths = tuple(1 + self.random.choice(same) for _ in range(self.random.randrange(4)))
        self.emit("br_table", depths, 1 + default)
        self.dead()
        self.close()

    def leave(self) -> None:
        """Return, throw, trap or branch, seldom."""
        self.expression(I32)
        self.emit("i32.const", 7)
        self.emit("i32.and")
        self.emit("i32.eqz")
        self.open("if", (), ())
        self.go()
        self.dead()
        self.close()

    def go(self) -> None:
        """Something that does not go on."""
        match self.random.randrange(4):
            case 0:
                self.expressions(self.type.results)
                self.emit("return")
            case 1 if self.spaces.tags:
                self.throw(self.random.randrange(len(self.spaces.tags)))
            case 2:
                depth = self.random.randrange(len(self.labels))
                self.expressions(self.labels[-1 - depth])
                self.emit("br", depth)
            case _:
                self.emit("unreachable")

    def call_statement(self) -> None:
        results = self.random.choice(self.spaces.functions).results
        self.call(results)
        self.take(results)

    # Exceptions

    def try_statement(self) -> None:
        """A block whose exceptions give their values, or that ends by itself with others."""
        tags = self.spaces.tags
        tag = self.random.randrange(len(tags)) if tags else None
        carried: Types = tags[tag] if tag is not None else ()
        self.open("block", (), carried)
        catches: list[tuple[Any, ...]] = [] if tag is None else [("catch", tag, 0)]
        if not carried and self.random.random() < 0.5:
            catches.append(("catch_all", 0))
        for _ in range(self.random.randrange(3)):  # others, if a label takes what they give
            other = self.random.randrange(-1, len(tags))
            given = tags[other] if other >= 0 else ()
            fitting = [at for at in range(len(self.labels)) if self.labels[-1 - at] == given]
            if fitting:
                clause = ("catch", other) if other >= 0 else ("catch_all",)
                catches.insert(self.random.randrange(len(catches) + 1), (*clause, self.random.choice(fitting)))
        given = self.spaces.some(KINDS, 2) if self.random.random() < 0.2 else ()
        self.open("try_table", (), given, tuple(catches))
        self.inside()
        if tags and self.random.random() < 0.6:
            self.expression(I32)
            self.open("if", (), ())
            which = tag if tag is not None and self.random.random() < 0.7 else self.random.randrange(len(tags))
            self.throw(which)
            self.dead()
            self.close()
        self.results(given)
        self.close()
        self.take(given)
        self.expressions(carried)
        self.close()
        self.take(carried)

    def throw(self, tag: int) -> None:
        self.expressions(self.spaces.tags[tag])
        self.emit("throw", tag)

    # Memory

    def store(self) -> None:
        op = self.random.choice(_STORES)
        offset = self.address(op.size)
        assert op.params is not None
        self.expression(op.params[1])
        self.emit(op.name, self.random.randrange(op.size.bit_length()), offset)

    def bulk(self) -> None:
        """Fill or copy memory, also beyond its end or up to it."""
        op = self.random.choice(_FILLS)
        most = self.random.choice((0, 0, 63, 100))
        self.place(most)
        if op.name == "memory.fill":
            self.expression(I32)
        else:
            self.place(most)
        self.length()
        self.emit(op.name, *(0 for _ in op.immediates))

    def memory_init(self) -> None:
        passive = [at for at, item in enumerate(self.spaces.data) if item.mode is Mode.PASSIVE]
        every = range(len(self.spaces.data))
        at = self.random.choice(passive if passive and self.random.random() < 0.9 else every)
        size = len(self.spaces.data[at].data)
        self.place(size)
        self.segment_range(size)
        self.emit("memory.init", at, 0)

    def segment_range(self, size: int) -> None:
        """Where in a segment, and how much; mostly inside, if it was not given up."""
        start = self.random.choice((*[0, min(1, size), size // 2, size] * 5, size + 1))
        left = max(size - start, 0)
        self.emit("i32.const", start)
        self.emit("i32.const", self.random.choice((*[0, left, left // 2, min(1, left)] * 5, left + 1, -1)))

    def drop_segment(self) -> None:
        """Give up a segment, or use one that may have been given up."""
        if self.spaces.data and self.random.random() < 0.5:
            self.emit("data.drop", self.random.randrange(len(self.spaces.data)))
        elif self.spaces.elements:
            self.emit("elem.drop", self.random.randrange(len(self.spaces.elements)))

    # Tables

    def table(self) -> None:
        table = self.random.randrange(len(self.spaces.tables))
        kind = self.spaces.tables[table].element
        choice = self.random.randrange(6)
        fitting = [at for at, item in enumerate(self.spaces.elements) if item.type is kind]
        self.index(table)
        if choice == 0:
            self.expression(kind)
            self.table_length()
            self.emit("table.fill", table)
        elif choice == 1:
            source = self.random.choice(self.spaces.tables_of(kind))
            self.index(source)
            self.table_length()
            self.emit("table.copy", table, source)
        elif choice == 2 and fitting:
            at = self.random.choice(fitting)
            used = [other for other in fitting if self.spaces.elements[other].mode is Mode.PASSIVE]
            if used and self.random.random() < 0.8:
                at = self.random.choice(used)
            self.segment_range(len(self.spaces.elements[at].items))
            self.emit("table.init", at, table)
        elif choice == 3 and kind is FUNCREF and self.spaces.declared:
            self.emit("ref.func", self.random.choice(self.spaces.declared))
            self.emit("table.set", table)
        else:
            self.expression(kind)
            self.emit("table.set", table)

    def table_length(self) -> None:
        self.emit("i32.const", self.random.choice((0, 0, 0, 1, 1, 1, 2, 2, 4, 9)))
