"""Random cases: valid modules of every instruction, linked with each other, and calls that end; from a seed.

A module defines or imports functions, tables, a memory, globals and tags, and segments of every mode, some of them
at the edges of what they go into, seldom beyond.  What its functions do is told in `expressions` and `statements`.
"""

from __future__ import annotations

from random import Random

from svm.isa import EXTERNREF, F32, F64, FUNCREF, I32, I64, FuncType, ValueType
from svm.limits import PAGE
from svm.module import (
    DataSegment,
    ElementSegment,
    Export,
    ExternKind,
    Function,
    Global,
    GlobalType,
    Import,
    MemoryType,
    Mode,
    Module,
    Names,
    TableType,
    Tag,
    constant,
)
from svm.module.code import encode_instruction
from svm.module.model import ExternType
from tests.fuzz.case import HOST, STATE, WIND, Bounds, Call, Case, name_of
from tests.fuzz.spaces import Spaces, Types
from tests.fuzz.statements import Body
from tests.fuzz.values import KINDS, NUMBERS, REFERENCES, argument, number

__all__ = ["MEMORY", "TICKS", "generate", "roomy"]

TICKS = 50
"""How many loops and calls one call may do."""
MEMORY = "memory"
"""Name of an exported memory."""

_SEEN = 8  # elements of each table that `STATE` tells of
_EXPORTED = {ExternKind.FUNC: "g", ExternKind.TABLE: "t", ExternKind.GLOBAL: "v", ExternKind.TAG: "e"}


class Maker:
    """Makes one module, linked to those before it."""

    def __init__(self, random: Random, size: int, before: list[Module]) -> None:
        self.random = random
        self.before = before
        self.spaces = Spaces(random, size)
        self.imports: list[Import] = []
        self.own_tables: list[TableType] = []
        self.own_globals: list[Global] = []
        self.own_tags: list[Types] = []
        self.memory: MemoryType | None = None
        self.constants: dict[ValueType, list[int]] = {kind: [] for kind in ValueType}  # imported and immutable

    def module(self, functions: int) -> Module:
        """The module, with so many functions of its own."""
        random, spaces = self.random, self.spaces
        self.import_from_host()
        for at in range(len(self.before)):
            self.import_from(at)
        first = len(spaces.functions)
        exported = max(functions // 2, 1)
        spaces.functions += [
            FuncType(spaces.some(KINDS, 3), spaces.some(KINDS, 2 if at >= exported else 3)) for at in range(functions)
        ]
        starts = random.random() < 0.15
        if starts:
            spaces.functions.append(FuncType())
        self.declare_tables()
        self.declare_memory()
        self.declare_tags()
        self.declare_globals(first)
        self.declare_segments()
        bodies = [Body(spaces, spaces.functions[at]).finish() for at in range(first, len(spaces.functions))]
        index = first + len(bodies)
        exports = [Export(f"f{at}", ExternKind.FUNC, first + at) for at in range(exported)]
        exports.append(Export(STATE, ExternKind.FUNC, index))
        bodies.append(self.state())
        if not self.before:
            exports.append(Export(WIND, ExternKind.FUNC, index + 1))
            bodies.append(self.wind())
        if spaces.pages is not None:
            exports.append(Export(MEMORY, ExternKind.MEMORY, 0))
        exports += self.exports()
        tags = tuple(Tag(spaces.type(params, ())) for params in self.own_tags)
        return Module(
            types=tuple(spaces.types),
            imports=tuple(self.imports),
            functions=tuple(bodies),
            tables=tuple(self.own_tables),
            memories=(self.memory,) if self.memory is not None else (),
            tags=tags,
            globals=tuple(self.own_globals),
            exports=tuple(exports),
            start=first + functions if starts else None,
            elements=tuple(spaces.elements),
            data=tuple(spaces.data),
            names=Names(name_of(len(self.before))),
        )

    # Imports

    def add(self, source: str, name: str, kind: ExternKind, type_: ExternType) -> None:
        self.imports.append(Import(source, name, kind, type_))

    def import_from_host(self) -> None:
        """Functions whose types the host needs not know: it answers by the type."""
        for at in range(self.random.choice((0, 0, 1, 2))):
            params, results = self.spaces.some((*KINDS[:-2], EXTERNREF), 3), self.spaces.some((*NUMBERS, EXTERNREF), 2)
            self.spaces.functions.append(FuncType(params, results))
            self.add(HOST, f"h{at}", ExternKind.FUNC, self.spaces.type(params, results))

    def import_from(self, at: int) -> None:
        """Some of what an earlier module exports; its ticks always, if it is the first."""
        module, spaces, random = self.before[at], self.spaces, self.random
        types = spaces_of(module)
        for item in module.exports:
            counts = item.name == "v0" and at == 0
            chance = 1.0 if counts else 0.3 if item.kind in (ExternKind.FUNC, ExternKind.GLOBAL) else 0.6
            if item.name in (STATE, WIND) or random.random() >= chance:
                continue
            type_: object = types[item.kind][item.index]
            match type_:
                case FuncType(params, results):
                    if item.kind is ExternKind.FUNC:
                        spaces.functions.append(type_)
                    else:
                        spaces.tags.append(params)
                    self.add(name_of(at), item.name, item.kind, spaces.type(params, results))
                case GlobalType(kind, mutable):
                    if counts:
                        spaces.ticks = len(spaces.globals)
                    elif not mutable:
                        self.constants[kind].append(len(spaces.globals))
                    spaces.globals.append(type_)
                    self.add(name_of(at), item.name, item.kind, type_)
                case TableType():
                    spaces.tables.append(type_)
                    self.add(name_of(at), item.name, item.kind, self.looser(type_))
                case MemoryType():
                    if spaces.pages is None:
                        spaces.pages = type_.minimum
                        self.add(name_of(at), item.name, item.kind, self.looser(type_))

    def looser(self, type_: TableType | MemoryType) -> TableType | MemoryType:
        """A type as which something of the given one may be imported."""
        minimum = self.random.choice((type_.minimum, type_.minimum, 0))
        maximum = None if type_.maximum is None else self.random.choice((None, type_.maximum, type_.maximum + 1))
        if isinstance(type_, TableType):
            return TableType(type_.element, minimum, maximum)
        return MemoryType(minimum, maximum)

    # Declarations

    def declare_tables(self) -> None:
        for at in range(self.random.choice((0, 1, 1, 2, 3))):
            kind = FUNCREF if at == 0 else self.random.choice(REFERENCES)
            size = self.random.choice((0, 1, 4, 8, 8, 8, 12))
            self.own_tables.append(TableType(kind, size, size + self.random.choice((0, 4, 20))))
        self.spaces.tables += self.own_tables

    def declare_memory(self) -> None:
        if self.spaces.pages is None and self.random.random() < 0.93:
            pages = self.random.choice((1, 1, 1, 2))
            if self.random.random() < 0.05:
                pages = self.random.choice((0, 36))  # none; more than what a bulk instruction does at once
            self.memory = MemoryType(pages, pages + self.random.choice((0, 1, 2)))
            self.spaces.pages = pages

    def declare_tags(self) -> None:
        self.own_tags = [params for params in ((), (I32,), (I64, F64)) if self.random.random() < 0.8]
        if self.random.random() < 0.5:
            self.own_tags.append(self.spaces.some(KINDS, 4))
        self.spaces.tags += self.own_tags

    def declare_globals(self, first: int) -> None:
        """Globals; the first module's first counts the ticks."""
        kinds = [kind for kind in (*NUMBERS, I32, FUNCREF, EXTERNREF) if self.random.random() < 0.7]
        functions = range(len(self.spaces.functions))
        if not self.before:
            self.own_globals.append(Global(GlobalType(I32, True), constant("i32.const", TICKS)))
        for kind in kinds:
            type_ = GlobalType(kind, self.random.random() < 0.8)
            self.own_globals.append(Global(type_, self.constant(kind, functions)))
        self.spaces.globals += [item.type for item in self.own_globals]
        self.spaces.declared = [at for at in functions[first:] if self.random.random() < 0.4]

    def constant(self, kind: ValueType, functions: range) -> bytes:
        """A constant expression of a type."""
        if self.constants[kind] and self.random.random() < 0.4:
            return constant("global.get", self.random.choice(self.constants[kind]))
        if kind in NUMBERS:
            return constant(f"{kind}.const", number(self.random, kind))
        if kind is FUNCREF and functions and self.random.random() < 0.7:
            return constant("ref.func", self.random.choice(functions))
        return constant("ref.null", kind)

    def declare_segments(self) -> None:
        spaces, random = self.spaces, self.random
        functions = range(len(spaces.functions))
        for table, type_ in enumerate(spaces.tables):
            if random.random() < 0.85:
                self.fill_table(table, type_)
        for _ in range(random.randrange(3)):
            kind = random.choice((FUNCREF, FUNCREF, EXTERNREF))
            items = tuple(self.constant(kind, functions) for _ in range(random.randrange(5)))
            spaces.elements.append(ElementSegment(items, kind, Mode.PASSIVE))
        items = tuple(constant("ref.func", at) for at in spaces.declared)
        spaces.elements.append(ElementSegment(items, FUNCREF, Mode.DECLARATIVE))
        if spaces.pages is not None:
            for _ in range(random.randrange(3)):
                size = min(random.choice((0, 1, 50, 200)), spaces.pages * PAGE)
                start = self.start(spaces.pages * PAGE, size)
                spaces.data.append(DataSegment(random.randbytes(size), Mode.ACTIVE, 0, start))
        for _ in range(random.randrange(3)):
            spaces.data.append(DataSegment(random.randbytes(random.choice((0, 3, 64)))))

    def fill_table(self, table: int, type_: TableType) -> None:
        """An active segment, and what is known of the table by it."""
        spaces, random = self.spaces, self.random
        count = random.randrange(min(type_.minimum, 5) + 1)
        first = random.randrange(type_.minimum - count + 1)
        if type_.element is FUNCREF and spaces.functions and random.random() < 0.9:
            chosen = random.choices(range(len(spaces.functions)), k=count)
            items = tuple(constant("ref.func", at) for at in chosen)
            for place, at in enumerate(chosen, first):
                spaces.references[at].append((table, place))
            start = constant("i32.const", first)
        else:
            items = tuple(self.constant(type_.element, range(0)) for _ in range(count))
            start = self.start(type_.minimum, count)
        spaces.elements.append(ElementSegment(items, type_.element, Mode.ACTIVE, table, start))

    def start(self, room: int, size: int) -> bytes:
        """Where an active segment goes: inside, at the very end, seldom beyond."""
        if self.constants[I32] and self.random.random() < 0.1:
            return constant("global.get", self.random.choice(self.constants[I32]))
        if self.random.random() < 0.01:
            return constant("i32.const", self.random.choice((room + 1, -1, room - size + 1)))
        return constant("i32.const", self.random.choice((0, room - size, self.random.randrange(room - size + 1))))

    # What the host asks

    def exports(self) -> list[Export]:
        """What later modules may import: some functions, all tables, globals and tags.

        The ticks are exported once, by the first module: by another name they would be a global like any other.
        """
        spaces = self.spaces
        ranges = {
            ExternKind.FUNC: [at for at in spaces.declared if self.random.random() < 0.5],
            ExternKind.TABLE: range(len(spaces.tables)),
            ExternKind.GLOBAL: [at for at in range(len(spaces.globals)) if at != spaces.ticks or not self.before],
            ExternKind.TAG: range(len(spaces.tags)),
        }
        return [Export(f"{_EXPORTED[kind]}{at}", kind, at) for kind, places in ranges.items() for at in places]

    def state(self) -> Function:
        """See `STATE`."""
        spaces, out, results = self.spaces, bytearray(), []
        for at, type_ in enumerate(spaces.globals):
            kind = type_.type
            out += encode_instruction("global.get", (at,))
            if kind in (F32, F64):
                out += encode_instruction(f"i{kind.name[1:]}.reinterpret_{kind}")
            elif kind in REFERENCES:
                out += encode_instruction("ref.is_null")
            results.append(kind if kind in (I32, I64) else I64 if kind is F64 else I32)
        for table, table_type in enumerate(spaces.tables):
            for place in range(min(table_type.minimum, _SEEN)):
                out += encode_instruction("i32.const", (place,)) + encode_instruction("table.get", (table,))
                out += encode_instruction("ref.is_null")
                results.append(I32)
            out += encode_instruction("table.size", (table,))
            results.append(I32)
        return Function(spaces.type((), tuple(results)), (), bytes(out) + encode_instruction("end"))

    def wind(self) -> Function:
        """See `WIND`."""
        body = encode_instruction("i32.const", (TICKS,)) + encode_instruction("global.set", (self.spaces.ticks,))
        return Function(self.spaces.type((), ()), (), body + encode_instruction("end"))


def spaces_of(module: Module) -> dict[ExternKind, list[object]]:
    """Types of everything in a module's index spaces."""
    found: dict[ExternKind, list[object]] = {kind: [] for kind in ExternKind}
    for item in module.imports:
        signature = item.kind in (ExternKind.FUNC, ExternKind.TAG)
        found[item.kind].append(module.types[item.type] if signature and isinstance(item.type, int) else item.type)
    found[ExternKind.FUNC] += [module.types[item.type] for item in module.functions]
    found[ExternKind.TABLE] += module.tables
    found[ExternKind.MEMORY] += module.memories
    found[ExternKind.GLOBAL] += [item.type for item in module.globals]
    found[ExternKind.TAG] += [module.types[item.type] for item in module.tags]
    return found


def generate(seed: int, *, modules: int | None = None, functions: int | None = None, size: int | None = None) -> Case:
    """A case from a seed: so many modules of so many functions, each of about `size` expressions and statements.

    What is not given is chosen by the seed.
    """
    random = Random(seed)
    count = random.choice((1, 1, 1, 1, 1, 1, 2, 2, 3)) if modules is None else modules
    if size is None:
        size = random.choice((10, 20, 30, 40, 60)) if random.random() > 0.02 else 400
    made: list[Module] = []
    for _ in range(count):
        own = random.randrange(2, 9) // count + 1 if functions is None else functions
        made.append(Maker(random, size, made).module(own))
    return Case(tuple(made), _calls(random, made), _bounds(random), *_paces(random))


def _calls(random: Random, modules: list[Module]) -> tuple[Call, ...]:
    """Calls of every module's exports, in any order, mostly twice."""
    calls = []
    for at, module in enumerate(modules):
        types = spaces_of(module)[ExternKind.FUNC]
        names = [item for item in module.exports if item.name.startswith("f")]
        for item in names:
            type_ = types[item.index]
            assert isinstance(type_, FuncType)
            for _ in range(random.choice((1, 2, 2))):
                args = tuple(argument(random, kind, [name.name for name in names]) for kind in type_.params)
                calls.append(Call(at, item.name, args))
    random.shuffle(calls)
    return tuple(calls)


def _bounds(random: Random) -> Bounds:
    """Limits: roomy ones, or some that are soon met."""
    return Bounds(
        fuel=random.choice((None, None, 5_000_000, 3_000, 500)),
        memory=random.choice((None, None, 3 * PAGE, PAGE)) if random.random() < 0.3 else None,
        stack=random.choice((1 << 16, 1 << 16, 1 << 16, 2048, 700, 1500)),
        table_elements=random.choice((100_000, 100_000, 60, 20)),
        refills=tuple(random.randrange(2000) for _ in range(random.randrange(3))),
    )


def _paces(random: Random) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, ...]]:
    """Slices of the two engines and of a guest that moves between them."""

    def portions() -> tuple[int, ...]:
        return tuple(random.choice((0, 1, 7, 40, 300)) for _ in range(random.randrange(1, 4)))

    match random.randrange(4):
        case 0:
            return (portions(), ()), ()
        case 1:
            return ((), portions()), ()
        case 2:
            return ((), ()), portions()
    return ((), ()), ()


def roomy(case: Case) -> Case:
    """The case without limits that another runtime does not know of, and without pauses."""
    return case.replace(bounds=Bounds(), slices=((), ()), moves=())
