"""Lines from DWARF: programs of lines written by hand, for each version, and what becomes of damaged ones."""

from __future__ import annotations

import struct
import time
import tracemalloc
from random import Random

import pytest

import svm
from svm.errors import TrapError
from svm.module.leb import signed, unsigned
from svm.wasm import read
from tests.conftest import Spawn
from tests.wasm.pieces import HEADER, body, custom, section, sized, vector

# Two functions: nop, then a trap; and one that calls it.
INNER, OUTER = b"\1\0\x0b", b"\x10\0\x0b"
CODE = section(10, body(INNER, vector(b"\1\x7f")), body(OUTER))
MODULE = HEADER + section(1, b"\x60\0\0") + section(3, b"\0", b"\0") + section(7, b"\1f\0\1") + CODE
CONTENT = CODE[2:]  # addresses count from here
AT_INNER, AT_OUTER = CONTENT.index(INNER), CONTENT.index(OUTER)

LENGTHS = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
COPY, ADVANCE_PC, ADVANCE_LINE, SET_FILE, COLUMN, CONST_ADD, FIXED = b"\1", b"\2", b"\3", b"\4", b"\5", b"\x08", b"\x09"
END = b"\0\1\1"


def address(value: int) -> bytes:
    return b"\0\5\2" + struct.pack("<I", value)


def special(line: int, step: int) -> bytes:
    return bytes((13 + (line + 5) + 14 * step,))


def unit(version: int, program: bytes, tables: bytes | None = None, wide: bool = False) -> bytes:
    """A unit of a version: its header with line base -5, range 14 and first special operation 13, and its program."""
    old = vector(b"")[1:] + b"lib\0\0" + b"a.c\0\1\0\0" + b"/b.c\0\0\0\0" + b"\0"
    five = b"\1\1\x08" + vector(b"/src\0", b"lib\0") + b"\2\1\x08\2\x0b" + vector(b"x.c\0\0", b"a.c\0\1", b"/b.c\0\0")
    rest = (b"\1\1" if version >= 4 else b"\1") + b"\1" + b"\xfb\x0e\x0d" + LENGTHS
    rest += (five if version == 5 else old) if tables is None else tables
    size = struct.pack("<Q" if wide else "<I", len(rest))
    content = struct.pack("<H", version) + (b"\4\0" if version == 5 else b"") + size + rest + program
    length = b"\xff\xff\xff\xff" + struct.pack("<Q", len(content)) if wide else struct.pack("<I", len(content))
    return length + content


PROGRAM = (
    address(AT_INNER - 1) + ADVANCE_LINE + signed(9) + COLUMN + unsigned(300) + COPY  # a.c:10, from its locals on
    + special(2, 2)  # a.c:12, at the trap
    + ADVANCE_PC + unsigned(2) + END
    + address(AT_OUTER) + SET_FILE + unsigned(2) + special(6, 0) + END  # b.c:7
    + address(0) + special(1, 0) + special(1, 5) + END  # code that was left out
)  # fmt: skip


def table(data: bytes, *more: bytes) -> dict[int, list[tuple[int, str, int]]]:
    """The line table of the module with a section of lines: for each function, offsets with file and line."""
    module = read(MODULE + custom(".debug_line", data) + b"".join(more))
    assert module.origin is not None
    assert module.origin.lines is not None
    lines = module.origin.lines()
    return {
        item.function: [(offset, lines.files[file], line) for offset, file, line in item.entries]
        for item in lines.functions
    }


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_a_program_of_lines(version: int, wide: bool) -> None:
    name = "/src/lib/a.c" if version == 5 else "lib/a.c"
    expected = {0: [(0, name, 10), (1, name, 12)], 1: [(0, "/b.c", 7)]}
    assert table(unit(version, PROGRAM, wide=wide)) == expected


def test_names_in_other_sections_and_forms() -> None:
    tables = b"\1\1\x1f" + vector(struct.pack("<I", 0)) + b"\3\1\x0e\2\x0f\5\x1e" + vector(
        *[struct.pack("<I", 2) + unsigned(0) + bytes(16)] * 2
    )  # fmt: skip
    strings = custom(".debug_line_str", b"/d\0"), custom(".debug_str", b"--y.c\0")
    assert table(unit(5, address(AT_OUTER) + COPY + END, tables), *strings) == {1: [(0, "/d/y.c", 1)]}


def test_operations_that_only_advance() -> None:
    program = address(1) + FIXED + struct.pack("<H", AT_OUTER - 1) + COPY
    assert table(unit(4, program + END)) == {1: [(0, "lib/a.c", 1)]}
    behind = CONST_ADD + special(1, 0)  # 17 bytes on, where no code is
    assert table(unit(4, program + behind + END)) == {1: [(0, "lib/a.c", 1)]}
    same = special(0, 1) + special(1, 1)  # the same line goes on, then the next
    assert table(unit(4, program + same + END)) == {1: [(0, "lib/a.c", 1), (2, "lib/a.c", 2)]}


def test_units_of_other_versions_are_passed_over() -> None:
    assert table(unit(6, PROGRAM) + unit(4, PROGRAM)) == table(unit(4, PROGRAM))


def test_a_damaged_unit_is_passed_over() -> None:
    bad = unit(4, b"\3" + b"\xff" * 30)
    assert table(bad + unit(4, PROGRAM)) == table(unit(4, PROGRAM))
    assert table(unit(4, PROGRAM)[:-40]).keys() <= {0, 1}


@pytest.mark.parametrize("data", [
    b"",
    b"\0\0\0\0" * 9,
    b"\xff\xff\xff\xff" * 9,
    unit(5, PROGRAM, b"\0" + unsigned(1 << 60)),  # directories of no bytes
    unit(5, PROGRAM, b"\1\1\x0b" + vector(b"\1")),  # a name that is a number
    unit(5, PROGRAM, b"\1\1\x99" + vector(b"\1")),
    unit(4, b"\2" + b"\x80" * 100),
    unit(4, SET_FILE + unsigned(1 << 50) + address(AT_OUTER) + COPY),
    unit(4, address(AT_OUTER) + ADVANCE_LINE + signed(-5) + COPY),
    unit(4, address(AT_OUTER) + ADVANCE_LINE + signed(1 << 40) + COPY),
])  # fmt: skip
def test_what_says_nothing(data: bytes) -> None:
    assert table(data) == {}


def test_mutated_lines_end_soon_in_a_sound_table() -> None:
    sound = unit(4, PROGRAM * 5) + unit(5, PROGRAM * 5)
    for seed in range(2000):
        random = Random(seed)
        data = bytearray(sound)
        for _ in range(random.randrange(1, 5)):
            data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
        begun = time.perf_counter()
        found = table(bytes(data[: random.randrange(len(data)) + 1]))
        assert time.perf_counter() - begun < 1
        for entries in found.values():
            assert [offset for offset, _, _ in entries] == sorted({offset for offset, _, _ in entries})
            assert all(line > 0 for _, _, line in entries)


def test_much_debug_information_is_read_in_part() -> None:
    """Rows without end, each of another line: time and memory are bounded, not the file."""
    rows = address(AT_OUTER) + (special(1, 0) + special(-1, 0)) * 3_000_000
    begun = time.perf_counter()
    assert table(unit(4, rows))[1]
    assert time.perf_counter() - begun < 20


def test_a_long_name_that_is_named_often_takes_little_memory() -> None:
    """Four bytes name a path of four thousand, and each folder is joined with the first: found by its memory."""
    count = 99_000
    folders = b"\1\1\x1f" + unsigned(count) + struct.pack("<I", 0) * count
    files = b"\2\1\x1f\2\x0b" + unsigned(count) + (struct.pack("<I", 0) + b"\1") * count
    data = unit(5, PROGRAM, folders + files) + unit(5, PROGRAM)
    tracemalloc.start()
    try:
        table(data, custom(".debug_line_str", b"x" * 4095 + b"\0"))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_a_traceback_says_file_and_line(spawn: Spawn) -> None:
    guest = spawn(read(MODULE + custom(".debug_line", unit(5, PROGRAM))))
    with pytest.raises(TrapError) as caught:
        guest.call("f")
    frames = [(frame.file, frame.line) for frame in caught.value.traceback.frames]
    assert frames == [("/b.c", 7), ("/src/lib/a.c", 12)]


def test_lines_of_ones_own_come_first() -> None:
    """A module that svm wrote has a line table; debug information that it kept from its source speaks of other code."""
    lines = custom("svm.line", vector(sized(b"own.kr")) + vector(unsigned(1) + vector(b"\0\0\x06")))
    module = svm.load(MODULE + custom(".debug_line", unit(5, PROGRAM)) + lines)
    assert module.valid.line(1, 0) == ("own.kr", 3)
