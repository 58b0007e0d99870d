"""Reading of what `.svmb` and `.wasm` have alike, as `svm.module.pieces` writes it.

In come the bytes of a file and the range of one section, out come parts of the model.  Invariant: nothing is read
beyond the range, and a count is compared with what is left before anything is allocated for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from svm import limits
from svm.errors import MalformedError, ModuleError, Place
from svm.hints import TypeVar
from svm.isa import RESERVED_TYPES, FuncType, ValueType
from svm.module.leb import read_u32
from svm.module.model import (
    Capability,
    Export,
    ExternKind,
    ExternType,
    FunctionLines,
    GlobalType,
    Import,
    Lines,
    MemoryType,
    TableType,
)
from svm.module.pieces import FUNCTION_TYPE

__all__ = ["Reader", "sections", "value_type"]

_VALUE_TYPES = {int(kind): kind for kind in ValueType}
_EXTERN_KINDS = {kind.value: kind for kind in ExternKind}

_LONGEST = 5
"""Bytes of an integer of 32 bits."""

_LONGER = bytes(code >= 0x80 for code in range(256))
"""Marks bytes that others of the same integer follow, for `bytes.translate`."""

T = TypeVar("T")


def value_type(code: int, at: int) -> ValueType:
    """The type with a code, which stands at `at`.  Raises MalformedError, by a feature's name if that has it."""
    kind = _VALUE_TYPES.get(code)
    if kind is not None:
        return kind
    feature = RESERVED_TYPES.get(code)
    if feature:
        raise MalformedError(f"type {code:#04x} belongs to a feature that is not supported: {feature}",
                             Place(offset=at))  # fmt: skip
    raise MalformedError(f"malformed value type: {code:#04x}", Place(offset=at))


class Reader:
    """Reads one section; every failure names section, entry and file offset."""

    def __init__(self, data: bytes, at: int, end: int, section: str | None) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.section = section
        self.item: int | None = None

    def fail(self, message: str, offset: int | None = None) -> ModuleError:
        """An error to raise, with its place."""
        return MalformedError(
            message, Place(section=self.section, item=self.item, offset=self.at if offset is None else offset)
        )

    def byte(self) -> int:
        """The next byte."""
        if self.at >= self.end:
            raise self.fail("unexpected end")
        self.at += 1
        return self.data[self.at - 1]

    def u32(self) -> int:
        """An unsigned integer."""
        at = self.at
        if at < self.end and self.data[at] < 0x80:  # most are a byte
            self.at = at + 1
            return self.data[at]
        try:
            value, at = read_u32(self.data, at)
        except MalformedError as error:
            raise self.fail(error.message) from None
        if at > self.end:
            raise self.fail("unexpected end of an integer")
        self.at = at
        return value

    def u32s(self, count: int) -> list[int]:
        """Unsigned integers, as many as said; runs of those of one byte, as most are, are taken at once."""
        found: list[int] = []
        longer = self.data[self.at : min(self.at + _LONGEST * count, self.end)].translate(_LONGER)
        start = self.at
        while len(found) < count:
            most = min(self.at + count - len(found), self.end)
            stop = longer.find(1, self.at - start, most - start)
            found += self.take((most if stop < 0 else start + stop) - self.at)
            if len(found) < count:
                found.append(self.u32())
        return found

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > self.end - self.at:
            raise self.fail(f"unexpected end: {size} bytes expected, {self.end - self.at} left")
        self.at += size
        return self.data[self.at - size : self.at]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.end - self.at)

    def blob(self) -> bytes:
        """Bytes behind their length."""
        return self.take(self.u32())

    def text(self) -> str:
        """UTF-8 text behind its length."""
        start = self.at
        size = self.u32()
        if size > limits.MAX_NAME_BYTES:
            raise self.fail(f"a name of {size} bytes is longer than {limits.MAX_NAME_BYTES}", start)
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise self.fail("malformed UTF-8 encoding", start) from None

    def count(self, most: int) -> int:
        """The count of entries that follow, at most `most` and each of a byte or more."""
        start = self.at
        count = self.u32()
        if count > most:
            raise self.fail(f"{count} entries are more than the limit of {most}", start)
        if count > self.end - self.at:
            raise self.fail(f"unexpected end: {count} entries expected", start)
        return count

    def vector(self, read: Callable[[], T], most: int) -> tuple[T, ...]:
        """Entries behind their count."""
        count = self.count(most)
        out = []
        outer = self.item
        for index in range(count):
            if outer is None:
                self.item = index
            out.append(read())
        self.item = outer
        return tuple(out)

    def choice(self, table: Mapping[int, T], what: str) -> T:
        """What the next byte stands for in a table."""
        start = self.at
        code = self.byte()
        if code not in table:
            raise self.fail(f"malformed {what}: {code:#04x}", start)
        return table[code]

    def value_type(self) -> ValueType:
        """A type of values."""
        try:
            return value_type(self.byte(), self.at - 1)
        except MalformedError as error:
            raise self.fail(error.message, error.place.offset) from None

    def finish(self) -> None:
        """Raises MalformedError unless all was read."""
        if self.at != self.end:
            raise self.fail(f"section size mismatch: {self.end - self.at} bytes are left over")

    # Parts of the model

    def function_type(self) -> FuncType:
        """What a function takes and gives."""
        self.choice({FUNCTION_TYPE: None}, "function type")
        params = self.vector(self.value_type, limits.MAX_CALL_PARAMS)
        return FuncType(params, self.vector(self.value_type, limits.MAX_CALL_RESULTS))

    def bounds(self) -> tuple[int, int | None]:
        """The least and, if there is one, the greatest size of a table or memory."""
        bounded = self.choice({0: False, 1: True}, "flag of bounds")
        minimum = self.u32()
        return minimum, self.u32() if bounded else None

    def table_type(self) -> TableType:
        """The type of a table."""
        return TableType(self.value_type(), *self.bounds())

    def memory_type(self) -> MemoryType:
        """The type of a memory."""
        return MemoryType(*self.bounds())

    def global_type(self) -> GlobalType:
        """The type of a global."""
        return GlobalType(self.value_type(), self.choice({0: False, 1: True}, "mutability"))

    def tag_type(self) -> int:
        """The index of a tag's type."""
        return self.u32()

    def import_(self) -> Import:
        """An import."""
        module, name = self.text(), self.text()
        kind = self.choice(_EXTERN_KINDS, "import kind")
        readers: dict[ExternKind, Callable[[], ExternType]] = {
            ExternKind.FUNC: self.u32,
            ExternKind.TABLE: self.table_type,
            ExternKind.MEMORY: self.memory_type,
            ExternKind.GLOBAL: self.global_type,
            ExternKind.TAG: self.tag_type,
        }
        return Import(module, name, kind, readers[kind]())

    def export(self) -> Export:
        """An export."""
        return Export(self.text(), self.choice(_EXTERN_KINDS, "export kind"), self.u32())

    def body(self) -> tuple[tuple[tuple[int, ValueType], ...], bytes]:
        """Locals as (count, type) runs, and the instructions behind them, unread."""
        start = self.at
        size = self.u32()
        if size > limits.MAX_BODY_BYTES:
            raise self.fail(f"a body of {size} bytes is longer than {limits.MAX_BODY_BYTES}", start)
        if size > self.end - self.at:
            raise self.fail(f"unexpected end: {size} bytes expected, {self.end - self.at} left", start)
        outer, self.end = self.end, self.at + size
        runs = self.vector(self._run, limits.MAX_LOCALS)
        code = self.rest()
        self.end = outer
        return runs, code

    def _run(self) -> tuple[int, ValueType]:
        return self.u32(), self.value_type()

    def capability(self) -> Capability:
        """Something that a module asks of its host."""
        return Capability(self.text(), self.text())

    def lines(self) -> Lines:
        """The line table."""
        files = self.vector(self.text, limits.MAX_FUNCTIONS)
        return Lines(files, self.vector(self._function_lines, limits.MAX_FUNCTIONS))

    def _function_lines(self) -> FunctionLines:
        function = self.u32()
        numbers = self.u32s(3 * self.count(limits.MAX_BODY_BYTES))
        lines = accumulate(-(step + 1 >> 1) if step & 1 else step >> 1 for step in numbers[2::3])
        return FunctionLines(function, tuple(zip(accumulate(numbers[::3]), numbers[1::3], lines, strict=True)))


def sections(data: bytes, at: int, names: Mapping[int, str]) -> Iterator[tuple[str, int, int]]:
    """Name and range of each section behind `at`.  names: by their number, in their order in a file.

    Number 0 is a custom section, which may stand anywhere.  Raises MalformedError where the order is another.
    """
    order = {number: place for place, number in enumerate(names)}
    last = 0
    customs = 0
    while at < len(data):
        header = Reader(data, at, len(data), None)
        number, size = header.byte(), header.u32()
        if number not in names:
            raise header.fail(f"malformed section id {number}", at)
        name, left = names[number], len(data) - header.at
        if size > left:
            raise header.fail(f"unexpected end: the {name} section has {size} bytes, but only {left} are left", at)
        reader = Reader(data, header.at, header.at + size, name)
        if number == 0:
            customs += 1
            if customs > limits.MAX_CUSTOM_SECTIONS:
                raise reader.fail(f"more custom sections than the limit of {limits.MAX_CUSTOM_SECTIONS}")
        elif order[number] <= order[last]:
            why = "stands twice" if number == last else f"must stand before the {names[last]} section"
            raise reader.fail(f"unexpected content after last section: the {name} section {why}")
        else:
            last = number
        yield name, reader.at, reader.end
        at = reader.end
