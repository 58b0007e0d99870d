"""The reader of `.wasm`: each section as the specification has it, and each way to be none, with message and place."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import svm
from svm.errors import InvalidError, MalformedError, ModuleError
from svm.isa import EXTERNREF, F64, FUNCREF, I32, I64, RESERVED, FuncType
from svm.module import (
    Custom,
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
    NameKind,
    Names,
    TableType,
    Tag,
    validate,
)
from svm.wasm import read
from tests.wasm.pieces import HEADER, body, code, custom, section, simple, sized, vector

TYPE = section(1, b"\x60\0\0")
ZERO, END = b"\x41\0\x0b", b"\x0b"  # i32.const 0 end; end
REF_FUNC_0, NULL_EXTERN = b"\xd2\0\x0b", b"\xd0\x6f\x0b"


def test_an_empty_module() -> None:
    assert read(HEADER) == Module()


def test_every_section() -> None:
    data = HEADER + b"".join((
        section(1, b"\x60\0\0", b"\x60\2\x7f\x7e\1\x7c"),
        section(2, b"\1a\1f\0\1", b"\1a\1t\1\x70\0\1", b"\1a\1m\2\1\1\2", b"\1a\1g\3\x7f\1", b"\1a\1e\4\0\0"),
        section(3, b"\0"),
        section(4, b"\x6f\1\1\5"),
        section(13, b"\0\0"),
        section(6, b"\x7f\0" + ZERO, b"\x7e\1\x42\x7f\x0b"),
        section(7, b"\1x\0\1", b"\1y\3\0"),
        b"\x08\1\1",
        section(9, b"\0" + ZERO + vector(b"\1")),
        b"\x0c\1\1",
        section(10, body(END, vector(b"\2\x7f", b"\1\x7c"))),
        section(11, b"\1" + sized(b"data")),
        custom("producers", b"what made it"),
    ))  # fmt: skip
    assert read(data) == Module(
        types=(FuncType(), FuncType((I32, I64), (F64,))),
        imports=(
            Import("a", "f", ExternKind.FUNC, 1),
            Import("a", "t", ExternKind.TABLE, TableType(FUNCREF, 1)),
            Import("a", "m", ExternKind.MEMORY, MemoryType(1, 2)),
            Import("a", "g", ExternKind.GLOBAL, GlobalType(I32, True)),
            Import("a", "e", ExternKind.TAG, 0),
        ),
        functions=(Function(0, ((2, I32), (1, F64)), END),),
        tables=(TableType(EXTERNREF, 1, 5),),
        tags=(Tag(0),),
        globals=(Global(GlobalType(I32), ZERO), Global(GlobalType(I64, True), b"\x42\x7f\x0b")),
        exports=(Export("x", ExternKind.FUNC, 1), Export("y", ExternKind.GLOBAL, 0)),
        start=1,
        elements=(ElementSegment((b"\xd2\1\x0b",), FUNCREF, Mode.ACTIVE, 0, ZERO),),
        data=(DataSegment(b"data"),),
        customs=(Custom("producers", b"what made it"),),
    )


ELEMENTS = {
    0: (b"\0" + ZERO + vector(b"\0"), ElementSegment((REF_FUNC_0,), FUNCREF, Mode.ACTIVE, 0, ZERO)),
    1: (b"\1\0" + vector(b"\0"), ElementSegment((REF_FUNC_0,))),
    2: (b"\2\1" + ZERO + b"\0" + vector(b"\0"), ElementSegment((REF_FUNC_0,), FUNCREF, Mode.ACTIVE, 1, ZERO)),
    3: (b"\3\0" + vector(b"\0"), ElementSegment((REF_FUNC_0,), FUNCREF, Mode.DECLARATIVE)),
    4: (b"\4" + ZERO + vector(REF_FUNC_0), ElementSegment((REF_FUNC_0,), FUNCREF, Mode.ACTIVE, 0, ZERO)),
    5: (b"\5\x6f" + vector(NULL_EXTERN), ElementSegment((NULL_EXTERN,), EXTERNREF)),
    6: (b"\6\1" + ZERO + b"\x6f" + vector(NULL_EXTERN),
        ElementSegment((NULL_EXTERN,), EXTERNREF, Mode.ACTIVE, 1, ZERO)),
    7: (b"\7\x70" + vector(REF_FUNC_0), ElementSegment((REF_FUNC_0,), FUNCREF, Mode.DECLARATIVE)),
}  # fmt: skip


@pytest.mark.parametrize("form", ELEMENTS)
def test_element_segments_of_every_form(form: int) -> None:
    data, expected = ELEMENTS[form]
    assert read(HEADER + section(9, data)).elements == (expected,)


def test_data_segments_of_every_form() -> None:
    forms = (b"\0" + ZERO + sized(b"x"), b"\1" + sized(b"y"), b"\2\0" + ZERO + sized(b"z"))
    active = [DataSegment(data, Mode.ACTIVE, 0, ZERO) for data in (b"x", b"z")]
    assert read(HEADER + section(11, *forms)).data == (active[0], DataSegment(b"y"), active[1])


NUMBERS = b"\x86\x80\0"  # 6, longer than it need be
MALFORMED = {
    "nothing": (b"", "magic header not detected", (None, None, 0)),
    "magic": (b"wasm\1\0\0\0", "magic header not detected", (None, None, 0)),
    "short": (HEADER[:6], "unexpected end", (None, None, 6)),
    "version": (b"\0asm\2\0\0\0", "unknown binary version 2", (None, None, 4)),
    "component": (b"\0asm\x0d\0\1\0", "unknown binary version: this is a component", (None, None, 4)),
    "section-id": (HEADER + b"\x0e\0", "malformed section id 14", (None, None, 8)),
    "section-cut": (HEADER + b"\1\5\0", "unexpected end: the type section has 5 bytes", (None, None, 8)),
    "section-long": (HEADER + b"\1\2\0\0", "section size mismatch: 1 bytes are left over", ("type", None, 11)),
    "section-twice": (HEADER + TYPE + TYPE, "unexpected content after last section", ("type", None, 16)),
    "section-order": (HEADER + section(5, b"\0\1") + TYPE, "unexpected content after last section: the type section "
                      "must stand before the memory section", ("type", None, 15)),
    "tag-order": (HEADER + section(6) + section(13), "unexpected content after last section: the tag section "
                  "must stand before the global section", ("tag", None, 13)),
    "custom-name": (HEADER + b"\0\2\1\xff", "malformed UTF-8 encoding", ("custom", None, 10)),
    "custom-empty": (HEADER + b"\0\0", "unexpected end", ("custom", None, 10)),
    "form": (HEADER + section(1, b"\x40\0\0"), "malformed function type: 0x40", ("type", 0, 11)),
    "value-type": (HEADER + section(1, b"\x60\1\0\0"), "malformed value type: 0x00", ("type", 0, 13)),
    "integer-long": (HEADER + b"\1\6\x80\x80\x80\x80\x80\0", "integer representation too long", ("type", None, 10)),
    "integer-large": (HEADER + b"\1\5\xff\xff\xff\xff\x7f", "integer too large", ("type", None, 10)),
    "count": (HEADER + section(1)[:2] + b"\5", "unexpected end: 5 entries expected", ("type", None, 10)),
    "name": (HEADER + section(2, b"\1\xff\1f\0\0"), "malformed UTF-8 encoding", ("import", 0, 11)),
    "import-kind": (HEADER + section(2, b"\1a\1f\5\0"), "malformed import kind: 0x05", ("import", 0, 15)),
    "export-kind": (HEADER + section(7, b"\1a\5\0"), "malformed export kind: 0x05", ("export", 0, 13)),
    "mutability": (HEADER + section(6, b"\x7f\2" + ZERO), "malformed mutability: 0x02", ("global", 0, 12)),
    "table-type": (HEADER + section(4, b"\x7f\0\0"), "malformed reference type: i32", ("table", 0, 11)),
    "bounds": (HEADER + section(5, b"\x10\0"), "malformed flag of bounds: 0x10", ("memory", 0, 11)),
    "attribute": (HEADER + section(13, b"\1\0"), "malformed tag attribute: 0x01", ("tag", 0, 11)),
    "element-flags": (HEADER + section(9, b"\x08"), "malformed elements segment kind: 8", ("element", 0, 11)),
    "element-kind": (HEADER + section(9, b"\1\1\0"), "malformed element kind: 0x01", ("element", 0, 12)),
    "data-flags": (HEADER + section(11, b"\3"), "malformed data segment kind: 3", ("data", 0, 11)),
    "expression": (HEADER + section(6, b"\x7f\0\xff\x0b"), "illegal opcode 0xff", ("global", 0, 13)),
    "expression-end": (HEADER + section(6, b"\x7f\0\x41\0"), "unexpected end of an expression", ("global", 0, 15)),
    "expression-ours": (HEADER + section(6, b"\x7f\0\xe0\0\x0b"), "illegal opcode 0xe0", ("global", 0, 13)),
    "no-code": (HEADER + TYPE + section(3, b"\0"), "function and code section have inconsistent lengths: 1 and 0",
                ("code", None, None)),
    "no-function": (HEADER + TYPE + section(10, body(END)), "function and code section have inconsistent lengths",
                    ("code", None, None)),
    "data-count": (HEADER + b"\x0c\1\1", "data count and data section have inconsistent lengths: 1 and 0",
                   ("data count", None, None)),
    "locals": (HEADER + TYPE + section(3, b"\0") + section(10, body(END, vector(*[b"\xff\xff\xff\xff\x0f\x7f"] * 2))),
               "too many locals", ("code", 0, 21)),
    "body-cut": (HEADER + TYPE + section(3, b"\0") + section(10, b"\5\0\x0b"), "unexpected end: 5 bytes expected",
                 ("code", 0, 21)),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_module_is_refused(name: str) -> None:
    data, message, place = MALFORMED[name]
    with pytest.raises(MalformedError) as caught:
        read(data)
    assert caught.value.message.startswith(message)
    assert (caught.value.place.section, caught.value.place.item, caught.value.place.offset) == place


BODIES = {
    "opcode": (b"\xff\x0b", MalformedError, "illegal opcode 0xff", 0),
    "ours": (b"\xe0\0\x0b", MalformedError, "illegal opcode 0xe0", 0),
    "no-end": (b"\1", MalformedError, "unexpected end", 1),
    "block-without-end": (b"\2\x40\x0b", MalformedError, "unexpected end", 3),
    "behind-end": (b"\x0b\1", MalformedError, "the body goes on after its last end", 1),
    "else": (b"\5\x0b", MalformedError, "else without an if", 0),
    "immediate": (b"\x20", MalformedError, "unexpected end", 0),
    "reserved": (b"\x3f\1\x1a\x0b", MalformedError, "zero byte expected", 1),
    "long": (b"\x41\x80\x80\x80\x80\x80\0\x1a\x0b", MalformedError, "integer representation too long", 1),
    "type": (b"\x41\0\x0b", InvalidError, "type mismatch", 2),
    "both": (b"\x1a\xff\x0b", MalformedError, "illegal opcode 0xff", 1),  # no operand to drop, and no code behind it
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_when_it_is_checked(name: str) -> None:
    instructions, kind, message, offset = BODIES[name]
    module = read(simple(instructions))
    lazy = validate(module, bodies=False)
    for check in (lambda: validate(module), lambda: lazy.function(0)):
        with pytest.raises(ModuleError) as caught:
            check()
        assert type(caught.value) is kind
        assert caught.value.message.startswith(message)
        assert (caught.value.place.section, caught.value.place.item, caught.value.place.offset) == ("code", 0, offset)


def test_a_body_may_name_data_only_where_it_is_counted() -> None:
    drop, data = b"\xfc\x09\0\x0b", section(11, b"\1" + sized(b"x"))
    validate(read(simple(drop, between=b"\x0c\1\1", behind=data)))
    with pytest.raises(MalformedError, match="data count section required"):
        validate(read(simple(drop, behind=data)))
    with pytest.raises(InvalidError, match="unknown data segment 0"):
        validate(read(simple(drop)))


FEATURES = {
    "simd-type": (HEADER + section(1, b"\x60\1\x7b\0"), "SIMD"),
    "exnref": (HEADER + section(1, b"\x60\1\x69\0"), "exception references"),
    "reference-type": (HEADER + section(1, b"\x60\1\x64\0\0"), "typed function references"),
    "gc-type": (HEADER + section(1, b"\x60\1\x6b\0"), "garbage collection"),
    "struct": (HEADER + section(1, b"\x5f\0"), "garbage collection"),
    "recursive": (HEADER + section(1, b"\x4e\0"), "garbage collection"),
    "shared": (HEADER + section(5, b"\3\1\1"), "threads"),
    "memory64": (HEADER + section(5, b"\4\1"), "memory64"),
    "page-size": (HEADER + section(5, b"\x08\1\0"), "custom page sizes"),
    "table-with-init": (HEADER + section(4, b"\x40\0\x70\0\1\xd0\x70\x0b"), "typed function references"),
    "memories": (HEADER + section(5, b"\0\1", b"\0\1"), "multiple memories"),
    "memory-of-access": (simple(b"\x41\0\x28\x42\0\0\x1a\x0b", before_code=section(5, b"\0\1")), "multi-memory"),
    "extended-constant": (HEADER + section(6, b"\x7f\0\x41\0\x41\0\x6a\x0b"), "i32.add in constants"),
    "catch-ref": (simple(b"\x1f\x40\1\1\0\0\x0b\x0b", before_code=section(13, b"\0\0")), "exception references"),
    "component": (b"\0asm\x0d\0\1\0", "component"),
    **{f"opcode-{number:#x}": (simple(bytes((number, 0, 0x0B))), name) for number, name in RESERVED.items()},
}


@pytest.mark.parametrize("name", FEATURES)
def test_what_svm_does_not_have_is_called_by_its_name(name: str) -> None:
    data, feature = FEATURES[name]
    with pytest.raises(ModuleError) as caught:
        validate(read(data))
    assert feature in caught.value.message
    assert str(caught.value.place)


# Custom sections


def names(*parts: tuple[int, bytes]) -> bytes:
    return custom("name", b"".join(bytes((number,)) + sized(data) for number, data in parts))


def test_names() -> None:
    found = read(HEADER + names(
        (0, sized(b"m")),
        (1, vector(b"\0" + sized(b"f"), b"\1" + sized("ü".encode()))),
        (2, vector(b"\0" + vector(b"\0" + sized(b"x"), b"\2" + sized(b"y")))),
        (3, b"labels, which svm does not keep"),
        (7, vector(b"\0" + sized(b"g"))),
        (11, vector(b"\0" + sized(b"e"))),
    )).names  # fmt: skip
    functions, others = {0: "f", 1: "ü"}, {NameKind.GLOBAL: {0: "g"}, NameKind.TAG: {0: "e"}}
    assert (found.module, found.of(NameKind.FUNCTION)) == ("m", functions)
    assert {kind: found.of(kind) for kind in others} == others
    assert found.locals == ((0, 0, "x"), (0, 2, "y"))


@pytest.mark.parametrize("data", [
    custom("name", b"\0\5ab"),
    custom("name", b"\0"),
    names((0, sized(b"\xff"))),
    names((0, sized(b"m") + b"junk")),
    names((1, b"\xff\xff\xff\xff\x0f")),
    names((1, b"\xff\xff\xff\xff\xff\x0f")),
])  # fmt: skip
def test_damaged_names_are_no_error(data: bytes) -> None:
    module = read(HEADER + data)
    assert (module.names, module.customs) == (Names(), ())
    assert read(HEADER + data + names((0, sized(b"m")))).names.module == "m"


def test_custom_sections_stand_anywhere_and_are_kept() -> None:
    data = HEADER + custom("a", b"1") + TYPE + custom("", b"") + section(5, b"\0\1") + custom("a", b"2")
    assert read(data).customs == (Custom("a", b"1"), Custom("", b""), Custom("a", b"2"))


# The face


def test_files_are_told_apart_by_their_first_bytes(tmp_path: Path) -> None:
    data = simple(END)
    for name in ("x.wasm", "x", "x.svmb"):
        (tmp_path / name).write_bytes(data)
        assert svm.load(tmp_path / name).model == read(data)
    assert svm.load(data).model == read(data)
    (tmp_path / "y.wasm").write_bytes(b"no module")
    with pytest.raises(MalformedError, match=r"this is no \.wasm file"):
        svm.load(tmp_path / "y.wasm")


def test_small_modules_are_checked_when_they_are_loaded() -> None:
    bad = simple(b"\x1a\x0b")
    with pytest.raises(InvalidError):
        svm.load(bad)
    svm.load(bad, eager=False)
    with pytest.raises(InvalidError):
        svm.load(bad, eager=True)


def large(last: bytes, functions: int = 30_000) -> bytes:
    """A module of 30 MB, whose last body is another."""
    one = body(b"\x41\0\x1a" * 330 + END)
    return HEADER + TYPE + code(*[one] * (functions - 1), body(last))


@pytest.mark.slow
def test_a_large_module_is_read_at_once_and_checked_where_it_is_called() -> None:
    data = large(b"\x1a\x0b")
    begun = time.perf_counter()
    module = svm.load(data)
    assert time.perf_counter() - begun < 10
    assert len(data) > 25_000_000
    assert len(module.model.functions) == 30_000
    begun = time.perf_counter()
    with pytest.raises(InvalidError, match="function 29999"):
        svm.load(data, eager=True)
    assert time.perf_counter() - begun < 60
