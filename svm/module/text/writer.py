"""A module to text (docs/svmt.md describes the format).

In comes any module that the binary format can hold, out comes text from which `from_text` makes the same module again,
if its bodies are in the shortest encoding; where they are not, the text is that of the same instructions.  What is no
sequence of instructions is written as bytes.  The text is at most some tens of times as large as the binary: names and
signatures that are long are written out only where they are defined, and indentation stops somewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from svm.errors import MalformedError
from svm.isa import FuncType, Immediate, Op, ValueType
from svm.module.code import Instruction, decode_body, encode_body
from svm.module.model import (
    DataSegment,
    ElementSegment,
    ExternKind,
    Function,
    GlobalType,
    Import,
    MemoryType,
    Mode,
    Module,
    NameKind,
    TableType,
)
from svm.module.text.syntax import (
    FIELDS,
    INDICES,
    LABELS,
    OPENERS,
    Named,
    defaulted,
    float_text,
    merge_names,
    quote_bytes,
    quote_text,
    symbol,
)
from svm.record import field, record

__all__ = ["to_text"]

_LONGEST_SYMBOL = 128  # characters; what is longer is spoken of by its index
_LONGEST_SIGNATURE = 16  # types; likewise
_DEEPEST = 24  # levels of indentation
_CHUNK = 32  # bytes of data in a line
_LINE = 100  # characters; what fits is kept on one line

Entries = tuple[tuple[int, int, int], ...]
Marks = dict[int, tuple[int, int]]

def to_text(module: Module, *, offsets: bool = False) -> str:
    """The module as text.  offsets: a comment after each instruction gives its byte offset in the body, as traps do."""
    return "\n".join(_Writer(module, offsets).fields()) + "\n"


def _symbols(items: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Index to symbol, for the names that mean one index and are not too long to be repeated."""
    owners: dict[str, set[int]] = {}
    listed = list(items)
    for index, name in listed:
        owners.setdefault(name, set()).add(index)
    found: dict[int, str] = {}
    for index, name in listed:
        if len(owners[name]) == 1 and len(name) <= _LONGEST_SYMBOL and len(token := symbol(name)) <= _LONGEST_SYMBOL:
            found.setdefault(index, token)
    return found


def _split_names(
    items: list[Named], placeable: Callable[[tuple[int, int]], bool]
) -> tuple[dict[tuple[int, int], str], list[Named]]:
    """The names that can stand at their definitions, and those that must be listed for the order to be kept."""
    placed: set[int] = set()
    last = (-1, -1)
    for position, (key, _) in enumerate(items):
        if key > last and placeable(key):
            placed.add(position)
            last = key
    following = None
    for position in reversed(range(len(items))):
        key = items[position][0]
        if following is not None and key > following:
            placed.discard(position)
        if position not in placed:
            following = key
    first = [item for position, item in enumerate(items) if position in placed]
    rest = [item for position, item in enumerate(items) if position not in placed]
    return (dict(first), rest) if merge_names(first, rest) == items else ({}, items)


def _merged(runs: tuple[tuple[int, ValueType], ...]) -> bool:
    """Whether runs of locals are as a reader makes them from single locals."""
    return all(count for count, _ in runs) and all(a[1] is not b[1] for a, b in pairwise(runs))


def _instructions(body: bytes) -> list[Instruction] | None:
    """The instructions of a body whose blocks are closed where it ends, else None."""
    try:
        found = decode_body(body)
    except MalformedError:
        return None
    depth = 1
    for position, (op, _, _) in enumerate(found, 1):
        if op.name in OPENERS:
            depth += 1
        elif op.name == "end":
            depth -= 1
            if depth == 0:
                return found if position == len(found) else None
    return None


@record(frozen=False)
class _Scope:
    """What symbols mean inside a function: its locals, and the labels of the blocks around, innermost last."""

    locals: dict[int, str] = field(default_factory=dict)
    labels: list[str | None] = field(default_factory=list)

    def label(self, depth: int) -> str:
        name = self.labels[-1 - depth] if depth < len(self.labels) else None
        return name or str(depth)


class _Writer:
    """Writes one module.  Fields come in the order of the binary format's sections, but that functions come last."""

    def __init__(self, module: Module, offsets: bool) -> None:
        self.module = module
        self.offsets = offsets
        self.imported = {FIELDS[str(kind)]: len(module.imported(kind)) for kind in ExternKind}
        self.spaces = {
            NameKind.FUNCTION: len(module.functions),
            NameKind.TYPE: len(module.types),
            NameKind.TABLE: len(module.tables),
            NameKind.MEMORY: len(module.memories),
            NameKind.GLOBAL: len(module.globals),
            NameKind.TAG: len(module.tags),
            NameKind.ELEMENT: len(module.elements),
            NameKind.DATA: len(module.data),
        }
        self.first_type: dict[FuncType, int] = {}
        for index, kind in enumerate(module.types):
            self.first_type.setdefault(kind, index)
        self._read_names()
        self.files = {file: index for index, file in reversed(list(enumerate(module.lines.files)))}
        self.repeated = {file for index, file in enumerate(module.lines.files) if self.files[file] != index}

    def _read_names(self) -> None:
        names = self.module.names
        by_kind: dict[NameKind, list[tuple[int, str]]] = {kind: [] for kind in NameKind}
        for kind, index, name in names.items:
            by_kind[kind].append((index, name))
        self.symbols = {kind: _symbols(items) for kind, items in by_kind.items()}
        by_function: dict[int, list[tuple[int, str]]] = {}
        for function, local, name in names.locals:
            by_function.setdefault(function, []).append((local, name))
        self.local_symbols = {function: _symbols(items) for function, items in by_function.items()}
        placeable = {function: self._locals_of(function) for function in by_function}
        self.placed, self.listed = _split_names(
            [((kind.value, index), name) for kind, index, name in names.items],
            lambda key: key[1] < self.imported.get(NameKind(key[0]), 0) + self.spaces[NameKind(key[0])],
        )
        placed, self.listed_locals = _split_names(
            [((function, local), name) for function, local, name in names.locals],
            lambda key: key[1] < placeable[key[0]],
        )
        self.placed_locals: dict[int, dict[int, str]] = {}
        for (function, local), name in placed.items():
            self.placed_locals.setdefault(function, {})[local] = name

    def _locals_of(self, index: int) -> int:
        """How many locals of a function can have a name where they are declared."""
        own = index - self.imported[NameKind.FUNCTION]
        if not 0 <= own < len(self.module.functions):
            return 0
        function = self.module.functions[own]
        if function.type >= len(self.module.types) or not _merged(function.locals):
            return 0
        return len(self.module.types[function.type].params) + sum(count for count, _ in function.locals)

    # Pieces of a line

    def index(self, kind: NameKind, index: int) -> str:
        return self.symbols[kind].get(index) or str(index)

    def heading(self, word: str, kind: NameKind, index: int) -> str:
        """Keyword and name of a definition."""
        name = self.placed.get((kind.value, index))
        return word if name is None else f"{word} {symbol(name)}"

    def comment(self, kind: NameKind, index: int) -> str:
        """The index of a definition, where no name that stands with it can be used in its place."""
        known = self.symbols[kind].get(index)
        if known and (kind.value, index) in self.placed:
            return ""
        return f"  ;; {index} {known}" if known else f"  ;; {index}"

    def is_short(self, kind: FuncType) -> bool:
        return len(kind.params) + len(kind.results) <= _LONGEST_SIGNATURE

    def type_use(self, index: int) -> str:
        """A function type by its signature, or by its index where the signature does not mean it or is long."""
        if index < len(self.module.types):
            kind = self.module.types[index]
            if self.first_type[kind] == index and self.is_short(kind):
                return _signature(kind)
        return f"(type {self.index(NameKind.TYPE, index)})"

    def block_type(self, arg: ValueType | int | None) -> str:
        if arg is None:
            return ""
        if isinstance(arg, ValueType):
            return f"(result {arg})"
        use = self.type_use(arg)
        if use.startswith("(type") or self.module.types[arg].params or len(self.module.types[arg].results) > 1:
            return use
        return f"(type {self.index(NameKind.TYPE, arg)})"

    def immediate(self, kind: Immediate, arg: Any, op: Op, scope: _Scope) -> str:
        match kind:
            case Immediate.BLOCK:
                return self.block_type(arg)
            case Immediate.LABEL:
                return scope.label(arg)
            case Immediate.LABELS:
                return f"({' '.join([scope.label(depth) for depth in arg])})"
            case Immediate.CATCHES:
                return " ".join([self.catch(scope, *each) for each in arg])
            case Immediate.TYPE:
                return self.type_use(arg)
            case Immediate.TYPES:
                return f"({' '.join(map(str, arg))})"
            case Immediate.LOCAL:
                return scope.locals.get(arg) or str(arg)
            case Immediate.F32:
                return float_text(arg, 32)
            case Immediate.F64:
                return float_text(arg, 64)
            case Immediate.MEMARG:
                return _memory_argument(op, *arg)
        return self.index(INDICES[kind], arg) if kind in INDICES else str(arg)

    def catch(self, scope: _Scope, word: str, *args: int) -> str:
        *tag, label = args
        return f"({' '.join([word, *(self.index(NameKind.TAG, each) for each in tag), scope.label(label)])})"

    def instruction(self, op: Op, args: tuple[Any, ...], scope: _Scope, label: str | None = None) -> str:
        kinds, tail = op.immediates, defaulted(op)
        if tail and not any(args[-tail:]):
            kinds = kinds[:-tail]
        words = [op.name] if label is None else [op.name, label]
        values = iter(args)
        for kind in kinds:
            arg = (next(values), next(values)) if kind is Immediate.MEMARG else next(values)
            words.append(self.immediate(kind, arg, op, scope))
        return " ".join([word for word in words if word])

    def expression(self, body: bytes) -> str:
        """A constant expression, without its `end`."""
        try:
            found = decode_body(body)
        except MalformedError:
            found = []
        if not found or found[-1].op.name != "end":
            return f"(bytes {quote_bytes(body)})"
        return f"({'; '.join([self.instruction(op, args, _Scope()) for op, args, _ in found[:-1]])})"

    # Fields

    def fields(self) -> Iterator[str]:
        module = self.module
        name = f" {symbol(module.names.module)}" if module.names.module else ""
        yield f"module{name} version {module.version}"
        for group in (
            (f"capability {quote_text(each.name)}" + (f" {quote_text(each.reason)}" if each.reason else "")
             for each in module.capabilities),
            (f"file {quote_text(file)}" for file in module.lines.files),
            (self.heading("type", NameKind.TYPE, index) + _after(_signature(kind)) + f"  ;; {index}"
             for index, kind in enumerate(module.types)),
            self.imports(),
            self.definitions(),
            (f"export {quote_text(each.name)} {each.kind} {self.index(FIELDS[str(each.kind)], each.index)}"
             for each in module.exports),
            () if module.start is None else (f"start {self.index(NameKind.FUNCTION, module.start)}",),
            self.elements(),
            self.data(),
            (line for each in module.customs for line in _strings(f"custom {quote_text(each.name)}", each.data)),
            self.listed_names(),
        ):  # fmt: skip
            lines = list(group)
            if lines:
                yield ""
                yield from lines
        yield from self.functions()

    def imports(self) -> Iterator[str]:
        counts = dict.fromkeys(ExternKind, 0)
        for each in self.module.imports:
            kind, index = FIELDS[str(each.kind)], counts[each.kind]
            counts[each.kind] += 1
            heading = f"import {quote_text(each.module)} {quote_text(each.name)} "
            heading += self.heading(str(each.kind), kind, index)
            yield heading + _after(self.extern_type(each)) + self.comment(kind, index)

    def extern_type(self, item: Import) -> str:
        return self.type_use(item.type) if isinstance(item.type, int) else _extern_type(item.type)

    def definitions(self) -> Iterator[str]:
        module = self.module
        spaces: tuple[tuple[NameKind, list[str]], ...] = (
            (NameKind.TABLE, [_extern_type(each) for each in module.tables]),
            (NameKind.MEMORY, [_extern_type(each) for each in module.memories]),
            (NameKind.TAG, [self.type_use(each.type) for each in module.tags]),
            (NameKind.GLOBAL, [f"{_extern_type(each.type)} {self.expression(each.init)}" for each in module.globals]),
        )
        for kind, items in spaces:
            for index, text in enumerate(items, self.imported[kind]):
                yield self.heading(str(kind), kind, index) + _after(text) + self.comment(kind, index)

    def elements(self) -> Iterator[str]:
        for index, each in enumerate(self.module.elements):
            place = self.place(each, "table", NameKind.TABLE, each.table)
            heading = f"{self.heading('elem', NameKind.ELEMENT, index)} {each.mode}{place} {each.type}"
            comment = self.comment(NameKind.ELEMENT, index)
            items = [self.expression(item) for item in each.items]
            if items and len(heading) + sum(map(len, items)) + len(items) <= _LINE:
                yield " ".join([heading, *items]) + comment
            else:
                yield heading + comment
                yield from (f"  {item}" for item in items)
                yield "end"

    def data(self) -> Iterator[str]:
        for index, each in enumerate(self.module.data):
            place = self.place(each, "memory", NameKind.MEMORY, each.memory)
            heading = f"{self.heading('data', NameKind.DATA, index)} {each.mode}{place}"
            yield from _strings(heading, each.data, self.comment(NameKind.DATA, index))

    def place(self, item: ElementSegment | DataSegment, word: str, kind: NameKind, index: int) -> str:
        """Where an active segment goes."""
        if item.mode is not Mode.ACTIVE:
            return ""
        return (f" {word} {self.index(kind, index)}" if index else "") + f" at {self.expression(item.offset or b'')}"

    def listed_names(self) -> Iterator[str]:
        words = {kind.value: word for word, kind in FIELDS.items()}
        for (kind, index), name in self.listed:
            yield f"name {words[kind]} {index} {quote_text(name)}"
        for (function, local), name in self.listed_locals:
            yield f"name local {function} {local} {quote_text(name)}"

    # Functions

    def functions(self) -> Iterator[str]:
        """The functions and the line table, whose entries stand in the bodies where they can.

        The table's order is that of the text; so if it is not in order of functions, all of it follows them.
        """
        listed = [each.function for each in self.module.lines.functions]
        ordered = all(a < b for a, b in pairwise(listed))
        tables = {each.function: each.entries for each in self.module.lines.functions} if ordered else {}
        first = self.imported[NameKind.FUNCTION]
        for index in sorted(index for index in tables if index < first):
            yield from self.line_table(index, tables.pop(index))
        for index, function in enumerate(self.module.functions, first):
            yield ""
            yield from self.function(index, function, tables.pop(index, None))
        rest = tables.items() if ordered else ((each.function, each.entries) for each in self.module.lines.functions)
        for index, entries in rest:
            yield from self.line_table(index, entries)

    def line_table(self, index: int, entries: Entries) -> Iterator[str]:
        yield ""
        yield f"lines {self.index(NameKind.FUNCTION, index)}  ;; offset in the body, file, line"
        yield from (f"  {offset} {file} {line}" for offset, file, line in entries)
        yield "end"

    def function(self, index: int, function: Function, entries: Entries | None) -> Iterator[str]:
        found = _instructions(function.body)
        marks: Marks = {}
        if found is not None and entries:
            marks = self.marks(found, entries)
            if not marks and encode_body(found) != function.body:
                found = None  # the entries speak of offsets that other bytes would not have
        yield self.function_heading(index, function)
        yield from self.locals(index, function)
        if found is None:
            yield from (f"  bytes {quote_bytes(chunk)}" for chunk in _chunks(function.body))
        else:
            yield from self.body(found, self.local_symbols.get(index, {}), marks)
        yield "end"
        if entries is not None and not marks:
            yield from self.line_table(index, entries)

    def marks(self, found: list[Instruction], entries: Entries) -> Marks:
        """Line entries by offset, if all of them can stand before an instruction."""
        marks = {offset: (file, line) for offset, file, line in entries}
        ascending = list(marks) == sorted(offset for offset, _, _ in entries)
        known = all(file < len(self.module.lines.files) for file, _ in marks.values())
        return marks if ascending and known and marks.keys() <= {each.offset for each in found} else {}

    def function_heading(self, index: int, function: Function) -> str:
        heading = self.heading("func", NameKind.FUNCTION, index)
        comment = self.comment(NameKind.FUNCTION, index)
        named = self.placed_locals.get(index, {})
        kind = self.module.types[function.type] if function.type < len(self.module.types) else None
        if kind is None or not (named or self.is_short(kind)):
            return f"{heading} (type {self.index(NameKind.TYPE, function.type)}){comment}"
        if self.first_type[kind] != function.type:
            heading += f" (type {self.index(NameKind.TYPE, function.type)})"
        names = [named.get(local) for local in range(len(kind.params))]
        return heading + _after(_signature(kind, names)) + comment

    def locals(self, index: int, function: Function) -> Iterator[str]:
        if not _merged(function.locals):
            yield from (f"  run {count} {kind}" for count, kind in function.locals)
            return
        named = self.placed_locals.get(index, {})
        end = len(self.module.types[function.type].params) if named else 0
        places = [local for local in sorted(named, reverse=True) if local >= end]
        for count, kind in function.locals:
            at, end = end, end + count
            while places and places[-1] < end:
                local = places.pop()
                yield from _unnamed(local - at, kind)
                yield f"  local {symbol(named[local])} {kind}"
                at = local + 1
            yield from _unnamed(end - at, kind)

    def body(self, found: list[Instruction], symbols: dict[int, str], marks: Marks) -> Iterator[str]:
        """The lines of a body but its last `end`."""
        scope, names, file = _Scope(symbols), _label_names(found), -1
        for position, (op, args, offset) in enumerate(found):
            is_last = position == len(found) - 1
            if offset in marks:
                mark = marks[offset]
                where = "" if mark[0] == file else f" {self.file(mark[0])}"
                file = mark[0]
                yield f"{_indent(len(scope.labels) + 1)}@{where} {mark[1]}"
            if is_last:
                return
            text = self.instruction(op, args, scope, names.get(position))
            if op.name == "end":
                scope.labels.pop()
            indent = _indent(len(scope.labels) + (op.name != "else"))
            yield f"{indent}{text}  ;; {offset:#x}" if self.offsets else indent + text
            if op.name in OPENERS:
                scope.labels.append(names.get(position))

    def file(self, index: int) -> str:
        file = self.module.lines.files[index]
        return str(index) if file in self.repeated or len(file) > _LONGEST_SYMBOL else quote_text(file)


def _after(text: str) -> str:
    return f" {text}" if text else ""


def _indent(depth: int) -> str:
    return "  " * min(depth, _DEEPEST)


def _chunks(data: bytes) -> list[bytes]:
    return [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)] or [b""]


def _strings(heading: str, data: bytes, comment: str = "") -> Iterator[str]:
    """Bytes after a heading: on its line if they are few, else as a block."""
    if len(data) <= _CHUNK and len(line := f"{heading} {quote_bytes(data)}") <= _LINE:
        yield line + comment
        return
    yield heading + comment
    yield from (f"  {quote_bytes(chunk)}" for chunk in _chunks(data))
    yield "end"


def _unnamed(count: int, kind: ValueType) -> Iterator[str]:
    if count:
        yield f"  local {kind}" if count == 1 else f"  local {kind} * {count}"


def _signature(kind: FuncType, names: Iterable[str | None] = ()) -> str:
    """`(param i64 i64) (result i64)`, with a clause of its own for a named parameter."""
    clauses: list[list[str]] = []
    listed = list(names) or [None] * len(kind.params)
    is_open = False
    for name, param in zip(listed, kind.params, strict=True):
        if name is not None:
            clauses.append([symbol(name), str(param)])
        elif is_open:
            clauses[-1].append(str(param))
        else:
            clauses.append([str(param)])
        is_open = name is None
    texts = [f"(param {' '.join(clause)})" for clause in clauses]
    if kind.results:
        texts.append(f"(result {' '.join(map(str, kind.results))})")
    return " ".join(texts)


def _bounds(minimum: int, maximum: int | None) -> str:
    return str(minimum) if maximum is None else f"{minimum} {maximum}"


def _extern_type(kind: TableType | MemoryType | GlobalType) -> str:
    match kind:
        case TableType(element, minimum, maximum):
            return f"{_bounds(minimum, maximum)} {element}"
        case MemoryType(minimum, maximum):
            return _bounds(minimum, maximum)
    return str(kind)


def _memory_argument(op: Op, align: int, offset: int) -> str:
    words = [f"offset={offset}"] if offset else []
    if align != max(op.size.bit_length() - 1, 0):
        words.append(f"align={1 << align}" if align < 16 else f"align=2**{align}")
    return " ".join(words)


def _label_names(found: list[Instruction]) -> dict[int, str]:
    """Names for the blocks of a body that something branches to, by the position of their instruction."""
    open_blocks: list[int] = []
    targets: set[int] = set()
    for position, (op, args, _) in enumerate(found):
        for depth in _depths(op, args):
            if depth < len(open_blocks):
                targets.add(open_blocks[-1 - depth])
        if op.name in OPENERS:
            open_blocks.append(position)
        elif op.name == "end" and open_blocks:
            open_blocks.pop()
    return {position: f"${found[position].op.name}{number}" for number, position in enumerate(sorted(targets), 1)}


def _depths(op: Op, args: tuple[Any, ...]) -> Iterator[int]:
    """The labels that an instruction speaks of."""
    if LABELS.isdisjoint(op.immediates):
        return
    values = iter(args)
    for kind in op.immediates:
        arg: Any = (next(values), next(values)) if kind is Immediate.MEMARG else next(values)
        if kind is Immediate.LABEL:
            yield arg
        elif kind is Immediate.LABELS:
            yield from arg
        elif kind is Immediate.CATCHES:
            yield from (each[-1] for each in arg)
