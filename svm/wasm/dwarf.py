"""Line tables from DWARF debug information, which compilers of C, C++ and Rust write into custom sections.

In come the sections `.debug_line`, `.debug_line_str` and `.debug_str`, and where the bodies lie in the code section, to
which addresses are relative.  Out comes a line table whose rules hold, with as much as could be read: what is damaged
is passed over, and takes no more than a bounded time and memory.

Source: DWARF 5, section 6.2, and DWARF 4 and before, for units of those versions; for WebAssembly, its tool conventions
("DWARF for WebAssembly").
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from svm.errors import MalformedError
from svm.module import FunctionLines, Lines
from svm.module.leb import read_s64, read_u64
from svm.wasm.layout import DEBUG_SECTIONS

__all__ = ["DebugLines"]

_MOST_BYTES = 8 << 20
_MOST_ROWS = 1_000_000
_MOST_FILES = 100_000
_MOST_PATH = 4096
_MOST_TEXT = 32 << 20  # characters of all names and paths together: four bytes can name a path that was named before
_MOST_LINE = 1 << 31


class DebugLines:
    """The line table of a module's debug information, read when it is called first."""

    def __init__(self, sections: Mapping[str, bytes], imported: int, bodies: Sequence[tuple[int, int]]) -> None:
        """What is needed for it.

        sections: by name.  imported: how many functions are.  bodies: where the instructions of each of the module's
        own begin in the code section, and their length.
        """
        self._sections = sections
        self._imported = imported
        self._starts = [start for start, _ in bodies]
        self._ends = [start + size for start, size in bodies]

    def __call__(self) -> Lines:
        """The line table."""
        return self._table

    @cached_property
    def _table(self) -> Lines:
        files: dict[str, int] = {}
        found: dict[int, dict[int, tuple[int, int]]] = {}
        for path, line, address in self._rows():
            at = bisect_right(self._ends, address)
            if at < len(self._ends):
                file = files.setdefault(path, len(files))
                # What stands before the first instruction, a function's locals, counts to it.
                found.setdefault(at, {})[max(address - self._starts[at], 0)] = file, line
        functions = [FunctionLines(self._imported + at, _entries(found[at])) for at in sorted(found)]
        return Lines(tuple(files), tuple(functions))

    def _rows(self) -> Iterator[tuple[str, int, int]]:
        """File, line and address of each row, of as many as may be."""
        data = self._sections[DEBUG_SECTIONS[0]][:_MOST_BYTES]
        count = at = 0
        room = _Room()
        while at < len(data):
            end = at
            with suppress(MalformedError, IndexError):
                unit = _Unit(data, at, self._sections, room)
                end = unit.end
                for row in unit.rows():
                    yield row
                    count += 1
                    if count == _MOST_ROWS:
                        return
            if end <= at:
                return  # where the next unit begins is not known
            at = end


class _Room:
    """How much text may still be made."""

    def __init__(self) -> None:
        self._left = _MOST_TEXT

    def take(self, text: str) -> str:
        """The text, for which there is room.  Raises MalformedError where there is none."""
        self._left -= len(text)
        if self._left < 0:
            raise MalformedError("too much text")
        return text


class _Unit:
    """One line program, with its header.  Raises MalformedError or IndexError for what is none."""

    def __init__(self, data: bytes, at: int, sections: Mapping[str, bytes], room: _Room) -> None:
        self._room = room
        self._data = data
        self._at = at
        self._sections = sections
        length = self._number(4)
        self._wide = 4
        if length == 0xFFFF_FFFF:
            length, self._wide = self._number(8), 8
        self.end = self._at + length
        self._version = self._number(2)
        if not 2 <= self._version <= 5:
            return
        if self._version == 5:
            self._at += 2  # sizes of addresses and segments
        header = self._number(self._wide)
        self._program = self._at + header
        self._step = self._number(1)
        if self._version >= 4:
            self._at += 1  # operations in an instruction
        self._at += 1  # whether rows are statements at first
        base = self._number(1)
        self._line_base = base - 0x100 if base > 0x7F else base
        self._line_range = self._number(1)
        self._first_special = self._number(1)
        self._lengths = self._data[self._at : self._at + max(self._first_special - 1, 0)]
        self._at += len(self._lengths)
        self._files = self._tables() if self._version == 5 else self._old_tables()

    def _number(self, size: int) -> int:
        self._at += size
        if self._at > len(self._data):
            raise IndexError(self._at)
        return int.from_bytes(self._data[self._at - size : self._at], "little")

    def _unsigned(self) -> int:
        value, self._at = read_u64(self._data, self._at)
        return value

    # Files

    def _old_tables(self) -> list[str]:
        """The paths of files of DWARF 2 to 4, which count from 1; directory 0 is not said here."""
        folders = [""]
        while (name := self._text()) and len(folders) < _MOST_FILES:
            folders.append(name)
        files = [""]
        while (name := self._text()) and len(files) < _MOST_FILES:
            folder = self._unsigned()
            self._unsigned(), self._unsigned()  # time and size
            files.append(self._join(folders[folder] if folder < len(folders) else "", name))
        return files

    def _tables(self) -> list[str]:
        """The paths of files of DWARF 5, which count from 0; directory 0 is where the compiler ran."""
        folders = [name for name, _ in self._entries()]
        folders = [self._join(folders[0], name) for name in folders]
        return [self._join(folders[folder] if folder < len(folders) else "", name) for name, folder in self._entries()]

    def _entries(self) -> list[tuple[str, int]]:
        """Names and directories of a table that says of itself what is in it."""
        form = [(self._unsigned(), self._unsigned()) for _ in range(self._number(1))]
        count = self._unsigned()
        if count > min(len(self._data) - self._at, _MOST_FILES):
            raise MalformedError("more entries than bytes")
        found = []
        for _ in range(count):
            entry: dict[int, Any] = {_NAME: "", _FOLDER: 0}
            for what, kind in form:
                entry[what] = self._value(kind)
            if not isinstance(entry[_NAME], str) or not isinstance(entry[_FOLDER], int):
                raise MalformedError("a name of another form")
            found.append((entry[_NAME], entry[_FOLDER]))
        return found

    def _value(self, form: int) -> str | int:
        if form == _STRING:
            return self._text()
        if form in _STRING_SECTIONS:
            at = self._number(self._wide)
            return self._room.take(_text(self._sections.get(_STRING_SECTIONS[form], b""), at)[0])
        if form == _UDATA:
            return self._unsigned()
        if form == _BLOCK:
            return self._number(self._unsigned())
        if form not in _SIZES:
            raise MalformedError("a form that is not known")
        return self._number(_SIZES[form])

    def _text(self) -> str:
        found, self._at = _text(self._data, self._at)
        return found

    def _join(self, folder: str, name: str) -> str:
        is_whole = not folder or name.startswith("/") or name == folder
        return name if is_whole else self._room.take(f"{folder}/{name}")

    # The program

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """File, line and address of each row of code that the linker kept."""
        if not 2 <= self._version <= 5 or not self._line_range:
            return
        data, end, files, special = self._data, min(self.end, len(self._data)), self._files, self._first_special
        self._at = self._program
        address, file, line, dead = 0, 1, 1, True
        while self._at < end:
            code = data[self._at]
            self._at += 1
            if code >= special:
                address += (code - special) // self._line_range * self._step
                line += self._line_base + (code - special) % self._line_range
            elif code == _EXTENDED:
                size = self._unsigned()
                then = self._at + size
                what = self._number(1) if size else 0
                if what == _END:
                    address, file, line, dead = 0, 1, 1, True
                elif what == _SET_ADDRESS:
                    address = self._number(size - 1)
                    dead = not address  # what a linker writes for code that it left out; nothing lies there
                self._at = then
                continue
            elif code != _COPY:
                address, file, line = self._standard(code, address, file, line)
                continue
            if not dead and file < len(files) and 0 < line < _MOST_LINE:
                yield files[file], line, address

    def _standard(self, code: int, address: int, file: int, line: int) -> tuple[int, int, int]:
        """What an operation that makes no row does to address, file and line."""
        if code == _ADVANCE_PC:
            return address + self._unsigned() * self._step, file, line
        if code == _ADVANCE_LINE:
            step, self._at = read_s64(self._data, self._at)
            return address, file, line + step
        if code == _SET_FILE:
            return address, self._unsigned(), line
        if code == _CONST_ADD_PC:
            return address + (255 - self._first_special) // self._line_range * self._step, file, line
        if code == _FIXED_ADVANCE_PC:
            return address + self._number(2), file, line
        for _ in range(self._lengths[code - 1]):
            self._unsigned()
        return address, file, line


_NAME, _FOLDER = 1, 2  # what an entry of a table says (DW_LNCT)
_STRING, _BLOCK, _UDATA = 0x08, 0x09, 0x0F  # and in what form (DW_FORM)
_STRING_SECTIONS = {0x0E: DEBUG_SECTIONS[1], 0x1F: DEBUG_SECTIONS[2]}
_SIZES = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}

_EXTENDED, _COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE = range(5)  # operations (DW_LNS)
_CONST_ADD_PC, _FIXED_ADVANCE_PC = 8, 9
_END, _SET_ADDRESS = 1, 2  # and extended ones (DW_LNE)


def _entries(places: dict[int, tuple[int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Offset, file and line where these change."""
    found: list[tuple[int, int, int]] = []
    for offset in sorted(places):
        if not found or found[-1][1:] != places[offset]:
            found.append((offset, *places[offset]))
    return tuple(found)


def _text(data: bytes, at: int) -> tuple[str, int]:
    """The text up to the next zero byte, and where the next thing begins."""
    end = data.find(b"\0", at, at + _MOST_PATH)
    if end < 0:
        raise MalformedError("a text without an end")
    return data[at:end].decode("utf-8", "replace"), end + 1
