"""Instructions of the text format, and what they speak of: types, symbols, labels.

In come lines, out go encoded instructions.  Driven by the instruction table: what follows an instruction's name is its
row's immediates.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from svm.isa import OPS, REFERENCE_TYPES, FuncType, Immediate, Op, ValueType
from svm.module.code import encode_instruction
from svm.module.model import NameKind
from svm.module.text.cursor import Line
from svm.module.text.syntax import INDICES, OPENERS, SyntaxFault, defaulted, float_bits, shown, unquote
from svm.record import field, record

__all__ = ["Context", "Scope", "add_symbol"]

_CATCHES = ("catch", "catch_all")
_INTEGERS = {Immediate.I32: 32, Immediate.I64: 64}


@record(frozen=False)
class Scope:
    """What symbols mean inside a function: its locals, and the labels of the blocks around, innermost last."""

    locals: dict[str, set[int]] = field(default_factory=dict)
    labels: list[str | None] = field(default_factory=list)
    depths: dict[str, list[int]] = field(default_factory=dict)

    def open(self, label: str | None) -> None:
        if label is not None:
            self.depths.setdefault(label, []).append(len(self.labels))
        self.labels.append(label)

    def close(self) -> None:
        if self.labels and (label := self.labels.pop()) is not None:
            self.depths[label].pop()

    def depth(self, label: str) -> int:
        if not self.depths.get(label):
            raise SyntaxFault(f"no block around is named ${shown(label)}")
        return len(self.labels) - 1 - self.depths[label][-1]


def add_symbol(symbols: dict[str, set[int]], name: str, index: int) -> None:
    """Let a name mean an index; a name may mean several, as long as nothing uses it."""
    symbols.setdefault(name, set()).add(index)


def _resolve(symbols: dict[str, set[int]], name: str, what: str) -> int:
    found = symbols.get(name, set())
    if len(found) > 1:
        raise SyntaxFault(f"${shown(name)} names more than one {what}: write the index")
    if not found:
        raise SyntaxFault(f"no {what} is named ${shown(name)}")
    return next(iter(found))


class Context:
    """Types and symbols of a module that is being read."""

    def __init__(self) -> None:
        self.types: list[FuncType] = []
        self.first_type: dict[FuncType, int] = {}
        self.symbols: dict[NameKind, dict[str, set[int]]] = {kind: {} for kind in NameKind}
        self.instruction: str | None = None

    def add_type(self, kind: FuncType) -> int:
        self.types.append(kind)
        return self.first_type.setdefault(kind, len(self.types) - 1)

    def index(self, line: Line, kind: NameKind) -> int:
        """An index, as number or symbol."""
        name = line.name()
        return line.u32(f"an index of a {kind}") if name is None else _resolve(self.symbols[kind], name, str(kind))

    # Types

    def signature(self, line: Line, names: dict[int, str] | None = None) -> FuncType | None:
        """`(param i64) (result i64)`; None if neither stands here.  names: takes names of parameters, where allowed."""
        params: list[ValueType] = []
        results: list[ValueType] = []
        start = line.at
        while line.following("param"):
            name = line.name()
            if name is not None:
                if names is None:
                    raise SyntaxFault("a parameter has no name here")
                names[len(params)] = name
                params.append(line.value_type())
                line.expect(")")
            else:
                params.extend(line.value_types())
        while line.following("result"):
            results.extend(line.value_types())
        return None if line.at == start else FuncType(tuple(params), tuple(results))

    def explicit_type(self, line: Line) -> int | None:
        """`(type 3)`."""
        if not line.following("type"):
            return None
        index = self.index(line, NameKind.TYPE)
        line.expect(")")
        return index

    def type_use(self, line: Line, names: dict[int, str] | None = None) -> int:
        """Index of a function type given by index, by signature or both; a new signature makes a new type."""
        index = self.explicit_type(line)
        kind = self.signature(line, names)
        if index is None:
            kind = kind or FuncType()
            return self.first_type[kind] if kind in self.first_type else self.add_type(kind)
        if kind is not None and (index >= len(self.types) or self.types[index] != kind):
            raise SyntaxFault(f"the signature is not that of type {index}")
        return index

    def block_type(self, line: Line) -> ValueType | int | None:
        index = self.explicit_type(line)
        if index is not None:
            return index
        kind = self.signature(line)
        if kind is None or kind == FuncType():
            return None
        if not kind.params and len(kind.results) == 1:
            return kind.results[0]
        return self.first_type[kind] if kind in self.first_type else self.add_type(kind)

    # Instructions

    def instruction_at(self, line: Line, scope: Scope) -> bytes:
        """One instruction, up to the end of the line, a semicolon or a parenthesis that is not its own."""
        word = line.take("an instruction")
        op = OPS.get(word)
        if op is None:
            near = [f" (did you mean {name}?)" for name in get_close_matches(word[:40], OPS, 1)]
            raise SyntaxFault(f"no instruction is named {shown(word)}{''.join(near)}")
        self.instruction = word
        label = line.name() if word in OPENERS else None
        encoded = encode_instruction(word, self.immediates(line, op, scope))
        if word in OPENERS:
            scope.open(label)
        elif word == "end":
            scope.close()
        self.instruction = None
        return encoded

    def immediates(self, line: Line, op: Op, scope: Scope) -> list[Any]:
        args: list[Any] = []
        optional = len(op.immediates) - defaulted(op)
        for position, kind in enumerate(op.immediates):
            if position == optional and line.next in ("", ";", ")"):
                return [*args, *(0 for _ in op.immediates[position:])]
            if kind is Immediate.MEMARG:
                args.extend(self.memory_argument(line, op))
            else:
                args.append(self.immediate(line, kind, scope))
        return args

    def immediate(self, line: Line, kind: Immediate, scope: Scope) -> Any:
        match kind:
            case Immediate.BLOCK:
                return self.block_type(line)
            case Immediate.LABEL:
                return self.label(line, scope)
            case Immediate.LABELS:
                line.expect("(")
                labels = []
                while not line.skip(")"):
                    labels.append(self.label(line, scope))
                return tuple(labels)
            case Immediate.CATCHES:
                return self.catches(line, scope)
            case Immediate.TYPE:
                return self.type_use(line)
            case Immediate.TYPES:
                line.expect("(")
                return line.value_types()
            case Immediate.REFTYPE:
                return line.choice({str(each): each for each in sorted(REFERENCE_TYPES)}, "reference type")
            case Immediate.LOCAL:
                name = line.name()
                return line.u32("an index of a local") if name is None else _resolve(scope.locals, name, "local")
            case Immediate.MEMORY:
                if self.index(line, NameKind.MEMORY) != 0:
                    raise SyntaxFault("memories but the first are not supported")
                return 0
            case Immediate.F32:
                return float_bits(line.take("a number"), 32)
            case Immediate.F64:
                return float_bits(line.take("a number"), 64)
            case Immediate.I32 | Immediate.I64:
                width = _INTEGERS[kind]
                value = line.number_in(-1 << width - 1, (1 << width) - 1, f"an {kind.value}")
                return value - (1 << width) if value >> width - 1 == 1 else value
        return self.index(line, INDICES[kind])

    def label(self, line: Line, scope: Scope) -> int:
        name = line.name()
        return line.u32("a label") if name is None else scope.depth(name)

    def catches(self, line: Line, scope: Scope) -> tuple[tuple[Any, ...], ...]:
        found: list[tuple[Any, ...]] = []
        while (word := line.following(*_CATCHES)) is not None:
            tag = (self.index(line, NameKind.TAG),) if word == "catch" else ()
            found.append((word, *tag, self.label(line, scope)))
            line.expect(")")
        return tuple(found)

    @staticmethod
    def memory_argument(line: Line, op: Op) -> tuple[int, int]:
        """`offset=8 align=4`, either or both left out for 0 and the natural alignment."""
        offset, align = 0, max(op.size.bit_length() - 1, 0)
        if line.next.startswith("offset="):
            offset = line.split("offset=").u32("an offset")
        if line.next.startswith("align=2**"):
            align = line.split("align=2**").u32("an exponent")
        elif line.next.startswith("align="):
            value = line.split("align=").u32("an alignment")
            if value.bit_count() != 1:
                raise SyntaxFault(f"an alignment is a power of 2, not {value}")
            align = value.bit_length() - 1
        return align, offset

    def expression(self, line: Line) -> bytes:
        """A constant expression in parentheses, its instructions separated by semicolons, its last `end` left out."""
        line.expect("(")
        if line.skip("bytes"):
            data = unquote(line.take("a string"))
            line.expect(")")
            return data
        out, scope = bytearray(), Scope()
        while not line.skip(")"):
            out += self.instruction_at(line, scope)
            if line.next != ")":
                line.expect(";")
        return bytes(out) + encode_instruction("end")
