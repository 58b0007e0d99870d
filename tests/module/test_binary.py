"""The binary format: what is written is read again; what is no module is refused with its place."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svm import limits
from svm.errors import MalformedError
from svm.isa import I32, VERSION, FuncType
from svm.module import (
    Custom,
    DataSegment,
    Export,
    ExternKind,
    Function,
    Lines,
    Module,
    Names,
    decode,
    encode,
)
from svm.module.binary import MAGIC, SECTIONS
from svm.module.leb import unsigned
from svm.module.reader import Reader
from tests.strategies import modules

HEADER = MAGIC + VERSION.to_bytes(4, "little")
CODE = {name: code for code, name in enumerate(SECTIONS)}


def section(name: str, payload: bytes) -> bytes:
    return bytes((CODE[name],)) + unsigned(len(payload)) + payload


@settings(max_examples=100, deadline=None)
@given(modules())
def test_what_is_encoded_is_decoded(module: Module) -> None:
    data = encode(module)
    assert decode(data) == module
    assert encode(decode(data)) == data


def test_the_empty_module_is_its_header() -> None:
    assert encode(Module()) == HEADER
    assert decode(HEADER) == Module()


def test_empty_sections_mean_what_absent_ones_do() -> None:
    empty = b"".join(section(name, b"\0") for name in SECTIONS if name not in ("custom", "start", "name", "line"))
    assert decode(HEADER + empty) == Module()
    empty = section("name", b"\0\0\0") + section("line", b"\0\0")
    assert decode(HEADER + empty) == Module(names=Names(), lines=Lines())


@given(
    st.lists(st.one_of(st.integers(0, 200), st.integers(0, (1 << 32) - 1))), st.binary(max_size=8), st.integers(0, 40)
)
def test_integers_read_at_once_are_those_read_in_turn(values: list[int], more: bytes, count: int) -> None:
    data = b"".join(map(unsigned, values)) + more

    def outcome(read: Callable[[Reader], list[int]]) -> object:
        reader = Reader(data, 0, len(data), "line")
        try:
            return read(reader), reader.at
        except MalformedError as error:
            return str(error)

    assert outcome(lambda reader: reader.u32s(count)) == outcome(lambda reader: [reader.u32() for _ in range(count)])


def test_unknown_custom_sections_are_kept_wherever_they_stand() -> None:
    first, second = section("custom", b"\x01a\0\xff"), section("custom", b"\x01b")
    data = HEADER + first + section("type", b"\x01\x60\0\0") + second
    module = decode(data)
    assert module.customs == (Custom("a", b"\0\xff"), Custom("b", b""))
    assert module.types == (FuncType(),)
    assert decode(encode(module)) == module


def test_bodies_are_not_looked_into() -> None:
    module = Module(types=(FuncType(),), functions=(Function(0, (), b"\xff\xff"),))
    assert decode(encode(module)) == module


TYPE = section("type", b"\x01\x60\0\0")
DECLARED = TYPE + section("function", b"\x01\0")
# What stands after the header, what is said of it, and the place: section, entry, offset in the file.
MALFORMED: dict[str, tuple[bytes, str, tuple[str | None, int | None, int | None]]] = {
    "section-id": (b"\x10\0", "malformed section id 16", (None, None, 8)),
    "no-size": (b"\x02", "unexpected end", (None, None, 9)),
    "size": (b"\x02\x05\0", "the type section has 5 bytes, but only 1 are left", (None, None, 8)),
    "size-cut": (b"\x02\x80", "unexpected end of an integer", (None, None, 9)),
    "size-long": (b"\x02\x80\x80\x80\x80\x80\0", "integer representation too long", (None, None, 9)),
    "size-large": (b"\x02\xff\xff\xff\xff\x1f", "integer too large", (None, None, 9)),
    "twice": (TYPE + TYPE, "the type section stands twice", ("type", None, 16)),
    "order": (
        TYPE + section("capability", b"\0"),
        "the capability section must stand before the type section",
        ("capability", None, 16),
    ),
    "left-over": (section("type", b"\0\0"), "section size mismatch: 1 bytes", ("type", None, 11)),
    "vector": (section("type", b"\x05\x60\0\0"), "5 entries expected", ("type", None, 10)),
    "vector-limit": (section("type", b"\xff\xff\xff\xff\x0f"), "4294967295 entries are more", ("type", None, 10)),
    "vector-cut": (section("type", b"\x80"), "unexpected end of an integer", ("type", None, 10)),
    "integer-across-sections": (section("type", b"\x80") + TYPE, "unexpected end of an integer", ("type", None, 10)),
    "type-form": (section("type", b"\x01\x5f\0\0"), "malformed function type: 0x5f", ("type", 0, 11)),
    "value-type": (section("type", b"\x01\x60\x01\x7b\0"), "not supported: SIMD", ("type", 0, 13)),
    "params": (
        section("type", b"\x01\x60" + unsigned(1001) + b"\x7f" * 1001 + b"\0"),
        "1001 entries are more than the limit of 1000",
        ("type", 0, 13),
    ),
    "utf8": (section("import", b"\x01\x01\xff\0\0\0"), "malformed UTF-8", ("import", 0, 11)),
    "name-cut": (section("import", b"\x01\x09a\0\0"), "9 bytes expected, 3 left", ("import", 0, 12)),
    "name-limit": (
        section("import", b"\x01" + unsigned(100_001) + b"a" * 100_001),
        "a name of 100001 bytes is longer than 100000",
        ("import", 0, 13),
    ),
    "kind": (section("import", b"\x01\0\0\x05\0"), "malformed import kind: 0x05", ("import", 0, 13)),
    "bounds": (section("memory", b"\x01\x02\0\0"), "malformed flag of bounds: 0x02", ("memory", 0, 11)),
    "mutability": (section("global", b"\x01\x7f\x02\0"), "malformed mutability: 0x02", ("global", 0, 12)),
    "mode": (section("element", b"\x01\x03\x70\0"), "malformed segment mode: 0x03", ("element", 0, 11)),
    "data-cut": (section("data", b"\x01\x01\x05ab"), "5 bytes expected, 2 left", ("data", 0, 13)),
    "start-empty": (section("start", b""), "unexpected end", ("start", None, 10)),
    "code-cut": (DECLARED + section("code", b"\x01\x05\0\x0b"), "5 bytes expected, 2 left", ("code", 0, 21)),
    "locals-cut": (DECLARED + section("code", b"\x01\x02\x01\x01"), "unexpected end", ("code", 0, 24)),
    "body-limit": (
        section("code", b"\x01" + unsigned(7_654_322) + bytes(7_654_322)),
        "a body of 7654322 bytes is longer than 7654321",
        ("code", 0, 14),
    ),
    "no-code": (DECLARED, "1 functions are declared, but 0 have code", ("code", None, None)),
    "name-kind": (section("name", b"\0\x01\x09\0\0\0"), "malformed kind of name: 0x09", ("name", 0, 12)),
    "line-cut": (section("line", b"\0\x01\0\x05\0"), "5 entries expected", ("line", 0, 13)),
    "customs": (
        section("custom", b"\0") * 10_001,
        "more custom sections than the limit of 10000",
        ("custom", None, 30_010),
    ),
}


@pytest.mark.parametrize(("data", "message", "place"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_module_is_refused(
    data: bytes, message: str, place: tuple[str | None, int | None, int | None]
) -> None:
    with pytest.raises(MalformedError) as caught:
        decode(HEADER + data)
    assert message in caught.value.message
    found = caught.value.place
    assert (found.section, found.item, found.offset) == place
    if found.section:
        assert f"{found.section} section" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message", "offset"),
    [
        (b"", "magic header not detected", 0),
        (b"\0asm\x01\0\0\0", "magic header not detected", 0),
        (MAGIC + b"\x01", "unexpected end of the header", 5),
        (MAGIC + b"\x07\0\0\0", "version 7 of the format is not known", 4),
    ],
    ids=["empty", "wasm", "short", "version"],
)
def test_what_has_no_header_is_refused(data: bytes, message: str, offset: int) -> None:
    with pytest.raises(MalformedError, match=message) as caught:
        decode(data)
    assert caught.value.place.offset == offset


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MODULE_BYTES", 10)
    with pytest.raises(MalformedError, match="a file of 14 bytes is larger than the limit of 10"):
        decode(HEADER + TYPE)


def test_no_truncated_file_is_a_module_with_other_sections() -> None:
    """Cut at any byte, a file is refused, or ends where a section does."""
    module = Module(
        types=(FuncType((I32,), (I32,)),),
        functions=(Function(0, ((2, I32),), b"\x20\0\x0b"),),
        exports=(Export("f", ExternKind.FUNC, 0),),
        data=(DataSegment(b"hello"),),
    )
    data = encode(module)
    for size in range(len(data)):
        try:
            found = decode(data[:size])
        except MalformedError:
            continue
        assert data.startswith(encode(found))


def test_a_false_count_allocates_nothing() -> None:
    names = ("type", "import", "function", "export", "element", "data", "line")
    claims = [HEADER + section(name, b"\xff\xff\x3f") for name in names]
    tracemalloc.start()
    try:
        for data in claims:
            with pytest.raises(MalformedError):
                decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_bytes_like_input_is_taken() -> None:
    assert decode(bytearray(HEADER)) == decode(memoryview(HEADER)) == Module()
