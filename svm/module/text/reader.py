"""Text to a module (docs/svmt.md describes the format).

In comes text, out comes the module that it spells, unchecked but for its form, as from `decode`.  Whatever is wrong
with the text is a MalformedError that names the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from svm.errors import MalformedError, Place
from svm.isa import OPS, VERSION, FuncType, ValueType
from svm.module.code import encode_instruction
from svm.module.model import (
    Capability,
    Custom,
    DataSegment,
    ElementSegment,
    Export,
    ExternKind,
    ExternType,
    Function,
    FunctionLines,
    Global,
    GlobalType,
    Import,
    Lines,
    MemoryType,
    Mode,
    Module,
    NameKind,
    Names,
    TableType,
    Tag,
)
from svm.module.text.cursor import Line
from svm.module.text.instructions import Context, Scope, add_symbol
from svm.module.text.syntax import FIELDS, OPENERS, SyntaxFault, merge_names, shown, tokens
from svm.record import record

__all__ = ["from_text"]

_MODES = {str(mode): mode for mode in Mode}
_EXTERNS = {str(kind): kind for kind in ExternKind}
_BLOCKS = frozenset(("func", "elem", "data", "custom", "lines"))


def from_text(text: str, filename: str | None = None) -> Module:
    """The module that the text spells; `filename` is for errors.

    Raises MalformedError, with the line, for text that spells none.  As with `decode`, bodies may be nonsense:
    `validate` looks into them.
    """
    reader = _Reader()
    try:
        return reader.module(text)
    except SyntaxFault as fault:
        place = Place(line=reader.line.number, instruction=reader.context.instruction, file=filename)
        raise MalformedError(str(fault), place) from None


@record(frozen=False)
class _Field:
    """A field: its keyword, its first line, the lines of its block, and what it defines."""

    word: str
    line: Line
    block: list[Line] | None = None
    end: Line | None = None
    index: int = 0
    imported: tuple[str, str, ExternKind] | None = None


def _ends_itself(word: str, found: list[str]) -> bool:
    """Whether a field that can have a block has all it needs on its line."""
    match word:
        case "custom":
            return len(found) > 2
        case "data":
            return found[-1].startswith('"')
        case "elem":
            return found[-1] == ")"
    return False


class _Reader:
    """Reads one text.  All definitions are found and named first, so that a symbol may be used before what it names."""

    def __init__(self) -> None:
        self.line = Line(1, [])
        self.context = Context()
        self.parts: dict[str, list[Any]] = {}
        self.files: dict[str, list[int]] = {}
        self.lines: list[FunctionLines] = []
        self.placed: list[tuple[tuple[int, int], str]] = []
        self.listed: list[tuple[tuple[int, int], str]] = []
        self.placed_locals: list[tuple[tuple[int, int], str]] = []
        self.listed_locals: list[tuple[tuple[int, int], str]] = []
        self.local_symbols: dict[int, dict[str, set[int]]] = {}
        self.name: str | None = None
        self.start: int | None = None
        self.readers: dict[str, Callable[[_Field, Line], None]] = {
            "capability": self.read_capability,
            "import": self.read_import,
            "func": self.read_function,
            "table": lambda _, line: self.add("table", _table_type(line)),
            "memory": lambda _, line: self.add("memory", MemoryType(*_bounds(line))),
            "tag": lambda _, line: self.add("tag", Tag(self.context.type_use(line))),
            "global": lambda _, line: self.add("global", Global(_global_type(line), self.context.expression(line))),
            "export": self.read_export,
            "start": self.read_start,
            "elem": self.read_element,
            "data": self.read_data,
            "custom": lambda each, line: self.add("custom", Custom(line.text(), self.strings(each))),
            "lines": self.read_lines,
        }
        self.declarations: dict[str, Callable[[_Field, Line], None]] = {
            "module": self.read_header,
            "file": lambda _, line: self.add_file(line.text()),
            "type": self.read_type,
            "name": self.read_name,
        }

    def module(self, text: str) -> Module:
        lines = (Line(number, found) for number, line in enumerate(text.split("\n"), 1) if (found := tokens(line)))
        fields = list(self.fields(lines))
        self.declare(fields)
        for each in fields:
            if each.word in self.readers:
                self.line = each.line
                self.readers[each.word](each, each.line)
                each.line.end()
        parts = self.parts
        name_kinds = {kind.value: kind for kind in NameKind}
        return Module(
            types=tuple(self.context.types),
            imports=tuple(parts.get("import", ())),
            functions=tuple(parts.get("func", ())),
            tables=tuple(parts.get("table", ())),
            memories=tuple(parts.get("memory", ())),
            tags=tuple(parts.get("tag", ())),
            globals=tuple(parts.get("global", ())),
            exports=tuple(parts.get("export", ())),
            start=self.start,
            elements=tuple(parts.get("elem", ())),
            data=tuple(parts.get("data", ())),
            capabilities=tuple(parts.get("capability", ())),
            names=Names(
                self.name or "",
                tuple((name_kinds[kind], index, name) for (kind, index), name in merge_names(self.placed, self.listed)),
                tuple((*key, name) for key, name in merge_names(self.placed_locals, self.listed_locals)),
            ),
            lines=Lines(tuple(parts.get("file", ())), tuple(self.lines)),
            customs=tuple(parts.get("custom", ())),
        )

    def add(self, word: str, item: object) -> None:
        self.parts.setdefault(word, []).append(item)

    def add_file(self, file: str) -> None:
        self.files.setdefault(file, []).append(len(self.parts.get("file", ())))
        self.add("file", file)

    # First: what is there, and its names

    def fields(self, lines: Iterable[Line]) -> Iterator[_Field]:
        """The fields of a text, each with the lines of its block."""
        found: _Field | None = None
        depth = 0
        for line in lines:
            self.line = line
            word = line.tokens[0]
            if found is None or found.block is None:
                found = _Field(word, line)
                line.at = 1
                if word in _BLOCKS and not _ends_itself(word, line.tokens):
                    found.block, depth = [], 1
                else:
                    yield found
                continue
            if word in self.readers or word in self.declarations:
                break
            if found.word == "func":
                depth += word in OPENERS
            depth -= word == "end"
            if depth:
                found.block.append(line)
            else:
                line.at = 1
                line.end()
                found.end = line
                yield found
                found = None
        if found is not None and found.block is not None:
            last, self.line = self.line.number, found.line
            raise SyntaxFault(f"{found.word} is not closed by an end up to line {last}")

    def declare(self, fields: list[_Field]) -> None:
        """Give every definition its index and register its name; read what others refer to."""
        counts = dict.fromkeys(NameKind, 0)
        for each in sorted(fields, key=lambda each: each.word != "import"):
            self.line = line = each.line
            if each.word == "import":
                each.imported = line.text(), line.text(), line.choice(_EXTERNS, "kind of import")
            kind = FIELDS.get(str(each.imported[2]) if each.imported else each.word)
            if kind is not None:
                each.index = counts[kind]
                counts[kind] += 1
                name = line.name()
                if name is not None:
                    self.placed.append(((kind.value, each.index), name))
                    add_symbol(self.context.symbols[kind], name, each.index)
            if each.word in self.declarations:
                self.declarations[each.word](each, line)
                line.end()
            elif each.word not in self.readers:
                raise SyntaxFault(_unknown_field(each.word))

    def read_header(self, each: _Field, line: Line) -> None:
        if self.name is not None:
            raise SyntaxFault("module stands twice")
        self.name = line.name() or ""
        if line.skip("version") and (version := line.u32("a version")) != VERSION:
            raise SyntaxFault(f"version {version} of the format is not known; this svm knows {VERSION}")

    def read_type(self, each: _Field, line: Line) -> None:
        self.context.add_type(self.context.signature(line) or FuncType())

    def read_name(self, each: _Field, line: Line) -> None:
        """`name func 3 "x"`, `name local 3 0 "x"`."""
        if line.skip("local"):
            function, local = line.u32("an index of a function"), line.u32("an index of a local")
            name = line.text()
            self.listed_locals.append(((function, local), name))
            add_symbol(self.local_symbols.setdefault(function, {}), name, local)
            return
        kind = line.choice(FIELDS, "kind of name")
        index, name = line.u32("an index"), line.text()
        self.listed.append(((kind.value, index), name))
        add_symbol(self.context.symbols[kind], name, index)

    # Then: everything else, in order

    def read_capability(self, each: _Field, line: Line) -> None:
        self.add("capability", Capability(line.text(), line.text() if line.next else ""))

    def read_import(self, each: _Field, line: Line) -> None:
        assert each.imported is not None
        module, name, kind = each.imported
        item: ExternType
        match kind:
            case ExternKind.TABLE:
                item = _table_type(line)
            case ExternKind.MEMORY:
                item = MemoryType(*_bounds(line))
            case ExternKind.GLOBAL:
                item = _global_type(line)
            case _:
                item = self.context.type_use(line)
        self.add("import", Import(module, name, kind, item))

    def read_export(self, each: _Field, line: Line) -> None:
        name, kind = line.text(), line.choice(_EXTERNS, "kind of export")
        self.add("export", Export(name, kind, self.context.index(line, FIELDS[str(kind)])))

    def read_start(self, each: _Field, line: Line) -> None:
        if self.start is not None:
            raise SyntaxFault("start stands twice")
        self.start = self.context.index(line, NameKind.FUNCTION)

    def read_element(self, each: _Field, line: Line) -> None:
        mode, table, offset = self.segment(line, "table", NameKind.TABLE)
        kind = line.value_type()
        items = []
        if each.block is None:
            while line.next:
                items.append(self.context.expression(line))
        for inner in self.block(each):
            items.append(self.context.expression(inner))
        self.add("elem", ElementSegment(tuple(items), kind, mode, table, offset))

    def read_data(self, each: _Field, line: Line) -> None:
        mode, memory, offset = self.segment(line, "memory", NameKind.MEMORY)
        self.add("data", DataSegment(self.strings(each), mode, memory, offset))

    def segment(self, line: Line, word: str, kind: NameKind) -> tuple[Mode, int, bytes | None]:
        """`active table 1 at (i32.const 0)`, `passive`, `declarative`."""
        mode = line.choice(_MODES, "segment mode")
        if mode is not Mode.ACTIVE:
            return mode, 0, None
        index = self.context.index(line, kind) if line.skip(word) else 0
        line.expect("at")
        return mode, index, self.context.expression(line)

    def block(self, each: _Field) -> Iterator[Line]:
        """The lines of a field's block, each of which must be read to its end."""
        for inner in each.block or ():
            self.line = inner
            yield inner
            inner.end()
        self.line = each.end or each.line

    def strings(self, each: _Field) -> bytes:
        """Strings on a field's line or in its block, joined."""
        return each.line.strings() + b"".join([inner.strings() for inner in self.block(each)])

    def read_lines(self, each: _Field, line: Line) -> None:
        """Entries as they stand in the binary: offset, file, line."""
        function = self.context.index(line, NameKind.FUNCTION)
        entries: list[tuple[int, int, int]] = []
        for inner in self.block(each):
            offset, file, number = inner.whole("an offset"), inner.u32("an index of a file"), inner.whole("a line")
            _check_step(entries, offset, number)
            entries.append((offset, file, number))
        self.lines.append(FunctionLines(function, tuple(entries)))

    # Functions

    def read_function(self, each: _Field, line: Line) -> None:
        names: dict[int, str] = {}
        kind = self.context.type_use(line, names)
        line.end()
        block = _Block(self, each, len(self.context.types[kind].params) if kind < len(self.context.types) else None)
        for local, name in names.items():
            block.name_local(local, name)
        for inner in self.block(each):
            block.read(inner)
        body = block.finish()
        self.add("func", Function(kind, tuple(block.runs), body))
        if block.marks:
            self.lines.append(FunctionLines(each.index, tuple(block.marks)))

    def file(self, line: Line) -> int:
        """A file of a line directive, by name or index; a new name makes a new file."""
        if not line.next.startswith('"'):
            return line.u32("an index of a file")
        file = line.text()
        if file not in self.files:
            self.add_file(file)
        first, *others = self.files[file]
        if others:
            raise SyntaxFault("more than one file has this name: write the index")
        return first


def _unknown_field(word: str) -> str:
    if word == "end":
        return "end closes nothing here"
    if word in OPS:
        return f"{word} is an instruction, which stands in a func"
    return f"no field is named {shown(word)}"


def _bounds(line: Line) -> tuple[int, int | None]:
    minimum = line.u32("a minimum")
    return minimum, line.u32("a maximum") if line.next[:1].isdigit() else None


def _table_type(line: Line) -> TableType:
    minimum, maximum = _bounds(line)
    return TableType(line.value_type(), minimum, maximum)


def _global_type(line: Line) -> GlobalType:
    mutable = line.skip("mut")
    return GlobalType(line.value_type(), mutable)


def _check_step(entries: list[tuple[int, int, int]], offset: int, line: int) -> None:
    """A line entry must be one that the binary format can hold, which has the differences as 32 bits."""
    last_offset, _, last_line = entries[-1] if entries else (0, 0, 0)
    if not 0 <= offset - last_offset <= 0xFFFF_FFFF:
        raise SyntaxFault("offsets of lines ascend")
    if not -(1 << 31) <= line - last_line < 1 << 31:
        raise SyntaxFault("the lines of neighbouring entries are too far apart")


class _Block:
    """Reads the lines between `func` and its `end`: locals, then instructions or bytes, among them line directives."""

    def __init__(self, reader: _Reader, each: _Field, params: int | None) -> None:
        self.reader = reader
        self.function = each.index
        self.scope = Scope(reader.local_symbols.get(each.index, {}))
        self.locals = params
        self.runs: list[tuple[int, ValueType]] = []
        self.is_open = False  # whether the last run came from `local` and takes more
        self.body = bytearray()
        self.form = ""
        self.file: int | None = None
        self.marks: list[tuple[int, int, int]] = []

    def name_local(self, local: int, name: str) -> None:
        self.reader.placed_locals.append(((self.function, local), name))
        add_symbol(self.scope.locals, name, local)

    def read(self, line: Line) -> None:
        word = line.tokens[0]
        if word in ("local", "run"):
            if self.form:
                raise SyntaxFault("locals stand before the first instruction")
            line.at = 1
            self.run(line) if word == "run" else self.local(line)
        elif word == "@":
            line.at = 1
            self.mark(line)
        else:
            form = "bytes" if word == "bytes" else "instructions"
            if self.form not in ("", form) or (form == "bytes" and self.marks):
                raise SyntaxFault("a body is either bytes, or instructions and their lines")
            self.form = form
            if form == "bytes":
                line.at = 1
                self.body += line.strings()
            else:
                self.body += self.reader.context.instruction_at(line, self.scope)

    def local(self, line: Line) -> None:
        """`local i32`, `local $x i32`, `local i32 * 5`; those of one type in a row make one run."""
        name, kind = line.name(), line.value_type()
        count = line.number_in(1, 0xFFFF_FFFF, "a count of locals") if name is None and line.skip("*") else 1
        if name is not None:
            if self.locals is None or self.locals > 0xFFFF_FFFF:
                raise SyntaxFault("a local has no name where its index is not known")
            self.name_local(self.locals, name)
        self.locals = None if self.locals is None else self.locals + count
        if self.is_open and self.runs[-1][1] is kind:
            count += self.runs.pop()[0]
        if count > 0xFFFF_FFFF:
            raise SyntaxFault("these are more locals than a function can have")
        self.runs.append((count, kind))
        self.is_open = True

    def run(self, line: Line) -> None:
        """`run 5 i32`: a run of locals as it stands in the binary, not joined with its neighbours."""
        count, kind = line.u32("a count of locals"), line.value_type()
        self.locals = None if self.locals is None else self.locals + count
        self.runs.append((count, kind))
        self.is_open = False

    def mark(self, line: Line) -> None:
        """`@ "fib.kr" 12`, or `@ 12` for the file of the directive before: the next instruction begins that line."""
        if self.form == "bytes":
            raise SyntaxFault("the lines of a body given as bytes are listed in a lines field")
        if len(line.tokens) > 2:
            self.file = self.reader.file(line)
        elif self.file is None:
            raise SyntaxFault("the first line directive of a function names its file")
        assert self.file is not None
        number = line.whole("a line")
        if self.marks and self.marks[-1][0] == len(self.body):
            raise SyntaxFault("two line directives stand before one instruction")
        _check_step(self.marks, len(self.body), number)
        self.marks.append((len(self.body), self.file, number))

    def finish(self) -> bytes:
        return bytes(self.body) if self.form == "bytes" else bytes(self.body) + encode_instruction("end")
