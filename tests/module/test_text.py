"""The text format: every module can be written and read again, and bad text is refused with its line."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svm.errors import MalformedError
from svm.isa import I32, I64, OPS, FuncType, Op
from svm.module import Function, Module, NameKind, Names, decode, encode, encode_body, from_text, to_text, validate
from svm.module.leb import unsigned
from svm.module.text.syntax import float_bits, float_text
from tests.module.corpus import EVERYTHING
from tests.strategies import f32_bits, f64_bits, instruction, modules, nested, shortened


def in_shortest_form(module: Module) -> Module:
    """The module with bodies and constant expressions in their shortest encoding; its line table may be off."""
    return replace(
        module,
        functions=tuple(replace(each, body=shortened(each.body)) for each in module.functions),
        globals=tuple(replace(each, init=shortened(each.init)) for each in module.globals),
        elements=tuple(
            replace(
                each,
                items=tuple(map(shortened, each.items)),
                offset=None if each.offset is None else shortened(each.offset),
            )
            for each in module.elements
        ),
        data=tuple(
            replace(each, offset=None if each.offset is None else shortened(each.offset)) for each in module.data
        ),
    )


@settings(max_examples=120, deadline=None)
@given(modules())
def test_every_module_comes_back(module: Module) -> None:
    short = in_shortest_form(module)
    assert from_text(to_text(short)) == short


@settings(max_examples=120, deadline=None)
@given(modules())
def test_text_is_a_fixpoint(module: Module) -> None:
    """Also where bodies have integers that are longer than they need be: then the text is the shortest body's."""
    text = to_text(module)
    again = from_text(text)
    assert to_text(again) == text
    assert decode(encode(again)) == again


@pytest.mark.parametrize("op", list(OPS.values()), ids=list(OPS))
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_every_instruction_comes_back(op: Op, data: st.DataObject) -> None:
    found = nested([data.draw(instruction(op))])
    module = Module(types=(FuncType(), FuncType()), functions=(Function(0, (), encode_body(found)),))
    assert decode(encode(module)) == module
    text = to_text(module)
    assert from_text(text) == module
    assert op.name in text.split()


@settings(deadline=None)
@given(f32_bits)
def test_f32_comes_back_to_the_bit(bits: int) -> None:
    assert float_bits(float_text(bits, 32), 32) == bits


@settings(deadline=None)
@given(f64_bits)
def test_f64_comes_back_to_the_bit(bits: int) -> None:
    assert float_bits(float_text(bits, 64), 64) == bits


GOLDEN = Path(__file__).with_name("golden") / "everything.svmt"


def test_text_is_written_as_in_the_golden_file() -> None:
    """`REWRITE_GOLDEN=1` writes the file anew; look at the difference before it is kept."""
    text = to_text(from_text(EVERYTHING))
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text("utf-8")
    assert to_text(from_text(text)) == text


def test_the_sample_is_valid() -> None:
    assert validate(from_text(EVERYTHING)).function_name(2) == "helper"


DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = [
    pytest.param(text, id=f"{path.stem}-{number}")
    for path in (DOCS / "svmb.md", DOCS / "svmt.md")
    for number, text in enumerate(re.findall(r"^```svmt\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL))
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_documents_are_modules(text: str) -> None:
    module = from_text(text)
    validate(module)
    assert from_text(to_text(module)) == module


def test_the_bytes_of_the_document_are_those_of_its_text() -> None:
    document = (DOCS / "svmb.md").read_text("utf-8")
    (dump,) = re.findall(r"^```hexdump\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    data = bytes.fromhex("".join(line.split("  ")[0] for line in dump.splitlines()))
    (text,) = re.findall(r"^```svmt\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    assert encode(from_text(text)) == data
    assert f"these {len(data)} bytes" in document


def body(*lines: str, heading: str = "func") -> bytes:
    """The body of a function written so."""
    return from_text("\n".join([heading, *lines, "end"])).functions[0].body


@pytest.mark.parametrize(
    ("line", "encoded"),
    [
        ("i32.const -1", "417f"),
        ("i32.const 0xffff_ffff", "417f"),
        ("i32.const +7", "4107"),
        ("i64.const -0x8000000000000000", "42808080808080808080 7f"),
        ("f32.const 0.1", "43cdcccc3d"),
        ("f32.const 16777217", "430000804b"),
        ("f32.const 16777217.0000000000000000001", "430100804b"),  # by way of a double it would be rounded twice
        ("f32.const 0x1.000001p0", "430000803f"),
        ("f32.const 0x1.0000010000000001p0", "430100803f"),
        ("f32.const 7e-46", "4300000000"),
        ("f32.const 7.1e-46", "4301000000"),
        ("f32.const 0x1.fffffefffffffffffp127", "43ffff7f7f"),
        ("f32.const -nan:0x1", "43010080ff"),
        ("f64.const -0", "440000000000000080"),
        ("f64.const inf", "44000000000000f07f"),
        ("f64.const nan", "44000000000000f87f"),
        ("f64.const 0x1p-1074", "440100000000000000"),
        ("f64.const 1_000.5e1", "4400000000808ac340"),
        ("i32.load", "280200"),
        ("i32.load offset=4294967295 align=1", "2800ffffffff0f"),
        ("i32.load align=2**77", "284d00"),
        ("memory.copy 0 0", "fc0a0000"),
        ("table.copy", "fc0e0000"),
        ("table.copy 1 2", "fc0e0102"),
        ("call_indirect", "110000"),
        ("call_indirect (type 5) 3", "110503"),
        ("block (type 0)", "0200"),
        ("select_typed (i32 f64)", "1c027f7c"),
        ("br_table () 3", "0e0003"),
        ("try_table (result i32) (catch 0 1) (catch_all 2)", "1f7f0200000102 02"),
    ],
)
def test_how_an_instruction_is_encoded(line: str, encoded: str) -> None:
    ends = ["end"] if line.startswith(("block", "try")) else []
    assert body(line, *ends) == bytes.fromhex(encoded) + b"\x0b" * (1 + len(ends))


def test_labels_count_from_within_but_those_of_catches_from_without() -> None:
    assert body("block $a", "loop $b", "br $a", "br $b", "br 2", "end", "end") == bytes.fromhex(
        "0240 0340 0c01 0c00 0c02 0b 0b 0b"
    )
    assert body("block $a", "try_table $b (catch_all $a)", "br $b", "br $a", "end", "end") == bytes.fromhex(
        "0240 1f40 01 0200 0c00 0c01 0b 0b 0b"
    )


def test_a_label_may_hide_another() -> None:
    assert body("block $a", "block $a", "br $a", "end", "br $a", "end") == bytes.fromhex("0240 0240 0c00 0b 0c00 0b 0b")


def test_symbols_may_stand_before_what_they_name_and_may_be_any_text() -> None:
    module = from_text('start $"a b"\nfunc $"a b"\n call $"\\u{fc}"\nend\nfunc $"ü"\nend')
    assert module.start == 0
    assert module.functions[0].body == b"\x10\x01\x0b"
    assert [name for _, _, name in module.names.items] == ["a b", "ü"]


def test_a_type_that_is_not_declared_is_added() -> None:
    module = from_text("type (param i32)\nfunc (param i32)\nend\nfunc (param i64)\nend\nfunc (param i64)\nend")
    assert module.types == (FuncType((I32,)), FuncType((I64,)))
    assert [function.type for function in module.functions] == [0, 1, 1]


def test_locals_of_one_type_make_one_run_unless_they_are_runs() -> None:
    joined = from_text("func\n local i32\n local $x i32\n local i32 * 3\n local i64\nend").functions[0]
    assert joined.locals == ((5, I32), (1, I64))
    apart = from_text("func\n run 1 i32\n run 0 i64\n run 1 i32\nend").functions[0]
    assert apart.locals == ((1, I32), (0, I64), (1, I32))


def test_names_that_are_not_unique_are_spoken_of_by_index() -> None:
    module = from_text("func $f\n call 1\nend\nfunc $f\n call 0\nend")
    text = to_text(module)
    assert "func $f  ;; 0\n  call 1\nend" in text
    assert from_text(text) == module


def test_offsets_can_be_shown() -> None:
    assert "  i64.const 5  ;; 0x1\n" in to_text(from_text("func\n nop\n i64.const 5\n drop\nend"), offsets=True)


# Text, the line that is blamed, and what is said.
REFUSED: dict[str, tuple[str, int, str]] = {
    "field": ("module $x\nfoo 1", 2, "no field is named foo"),
    "instruction-outside": ("i32.add", 1, "i32.add is an instruction, which stands in a func"),
    "stray-end": ("end", 1, "end closes nothing here"),
    "open-func": ("\nfunc\n nop\n", 2, "func is not closed by an end up to line 3"),
    "open-block": ("func\n block\nend\nmemory 1", 1, "func is not closed by an end up to line 4"),
    "instruction": ("func\n i64.addd\nend", 2, "no instruction is named i64.addd (did you mean i64.add?)"),
    "left-over": ("func\n i32.add 5\nend", 2, "5 is not expected here"),
    "no-immediate": ("func\n local.get\nend", 2, "an index of a local is expected at the end of the line"),
    "immediate": ("func\n i32.const x\nend", 2, "an integer is expected, not x"),
    "i32": ("func\n i32.const 4294967296\nend", 2, "an i32 is -2147483648 to 4294967295, not 4294967296"),
    "i64": ("func\n i64.const -9223372036854775809\nend", 2, "an i64 is -9223372036854775808 to"),
    "long-integer": (f"func\n i64.const {'9' * 5000}\nend", 2, "a number of 5000 characters is too long"),
    "long-float": (f"func\n f64.const 0.{'0' * 5000}\nend", 2, "a number of 5002 characters is too long"),
    "float": ("func\n f64.const 1.0.0\nend", 2, "a number is expected, not 1.0.0"),
    "large-f64": ("func\n f64.const 1e309\nend", 2, "1e309 does not fit a float of 64 bits"),
    "huge-exponent": ("func\n f64.const 1e99999999999999\nend", 2, "does not fit a float of 64 bits"),
    "huge-hexadecimal": ("func\n f32.const 0x1p99999999999999\nend", 2, "does not fit a float of 32 bits"),
    "large-f32": ("func\n f32.const 0x1.ffffffp127\nend", 2, "0x1.ffffffp127 does not fit a float of 32 bits"),
    "no-payload": ("func\n f32.const nan:0x0\nend", 2, "a NaN of 32 bits has a payload of 0x1 to 0x7fffff"),
    "payload": ("func\n f32.const nan:0x800000\nend", 2, "a NaN of 32 bits has a payload of 0x1 to 0x7fffff"),
    "alignment": ("memory 1\nfunc\n i32.load align=3\nend", 3, "an alignment is a power of 2, not 3"),
    "alignment-zero": ("memory 1\nfunc\n i32.load align=0\nend", 3, "an alignment is a power of 2, not 0"),
    "exponent": ("func\n i32.load align=2**4294967296\nend", 2, "an exponent is 0 to 4294967295"),
    "offset": ("func\n i32.load offset=4294967296\nend", 2, "an offset is 0 to 4294967295"),
    "memory": ("func\n memory.size 1\nend", 2, "memories but the first are not supported"),
    "label": ("func\n br $x\nend", 2, "no block around is named $x"),
    "closed-label": ("func\n block $x\n end\n br $x\nend", 4, "no block around is named $x"),
    "local": ("func\n local.get $x\nend", 2, "no local is named $x"),
    "function": ("func\n call $x\nend", 2, "no function is named $x"),
    "ambiguous": ("func $f\nend\nfunc $f\nend\nstart $f", 5, "$f names more than one function: write the index"),
    "no-name": ("func $\nend", 1, "a name is expected after $"),
    "open-name": ('func $"f\nend', 1, "a name is expected after $"),
    "open-string": ('custom "a" "b', 1, "a string is not closed"),
    "escape": (r'custom "a" "\q"', 1, r"a string has no escape \q"),
    "code-point": (r'custom "\u{110000}" ""', 1, "a string has a code point beyond U+10FFFF"),
    "surrogate": (r'custom "\u{d800}" ""', 1, "a string has a code point that is no character"),
    "raw-surrogate": ('custom "\ud800" ""', 1, "a string has a code point that is no character"),
    "name-bytes": (r'custom "\ff" ""', 1, "a name is not UTF-8"),
    "name-length": (f'custom "{"a" * 100_001}" ""', 1, "a name of 100001 bytes is longer than 100000"),
    "value-type": ("type (param i31)", 1, "i31 is no value type (there are i32, i64, f32, f64, funcref, externref)"),
    "open-clause": ("type (param i32", 1, "a value type is expected at the end of the line"),
    "reference-type": ("func\n ref.null i32\nend", 2, "i32 is no reference type (there are externref, funcref)"),
    "wrong-type": ("type (param i32)\nfunc (type 0) (param i64)\nend", 2, "the signature is not that of type 0"),
    "type-beyond": ("func (type 7) (param i64)\nend", 1, "the signature is not that of type 7"),
    "named-parameter": ("type (param $x i32)", 1, "a parameter has no name here"),
    "version": ("module version 9", 1, "version 9 of the format is not known; this svm knows 1"),
    "two-modules": ("module\nmodule", 2, "module stands twice"),
    "two-starts": ("func\nend\nstart 0\nstart 0", 4, "start stands twice"),
    "extern": ('import "a" "b" thing', 1, "thing is no kind of import (there are func, table, memory, global, tag)"),
    "mode": ("data somewhere \"\"", 1, "somewhere is no segment mode (there are active, passive, declarative)"),
    "no-place": ('data active "abc"', 1, 'at is expected, not "abc"'),
    "expression": ("global i32 i32.const 5", 1, "( is expected, not i32.const"),
    "open-expression": ("global i32 (i32.const 5", 1, "; is expected at the end of the line"),
    "late-local": ("func\n nop\n local i32\nend", 3, "locals stand before the first instruction"),
    "many-locals": ("func\n local i32 * 4294967295\n local i32\nend", 3, "more locals than a function can have"),
    "no-locals": ("func\n local i32 * 0\nend", 2, "a count of locals is 1 to 4294967295, not 0"),
    "mixed-body": ('func\n nop\n bytes "a"\nend', 3, "a body is either bytes, or instructions and their lines"),
    "bytes-with-line": ('func\n bytes "a"\n @ "f" 1\nend', 3, "are listed in a lines field"),
    "no-file": ("func\n @ 5\n nop\nend", 2, "the first line directive of a function names its file"),
    "two-lines": ('func\n @ "f" 5\n @ 6\n nop\nend', 3, "two line directives stand before one instruction"),
    "same-files": ('file "f"\nfile "f"\nfunc\n @ "f" 5\nend', 4, "more than one file has this name"),
    "descending": ("lines 0\n 5 0 1\n 4 0 1\nend", 3, "offsets of lines ascend"),
    "far-lines": ("lines 0\n 0 0 -1\n 1 0 2147483647\nend", 3, "neighbouring entries are too far apart"),
    "character": ("func\n nop ,\nend", 2, ", is not expected here"),
    "name-kind": ('name thing 0 "x"', 1, "thing is no kind of name"),
    "index": ("func\n call 4294967296\nend", 2, "an index of a function is 0 to 4294967295, not 4294967296"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_text_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        from_text(text, "bad.svmt")
    assert message in caught.value.message
    assert caught.value.place.line == line
    assert str(caught.value).startswith(f"bad.svmt, line {line}")


def test_deep_nesting_is_read_and_written_in_linear_time_and_space() -> None:
    deep = b"\x02\x40" * 20_000 + b"\x0c" + unsigned(19_999) + b"\x0b" * 20_001
    module = Module(types=(FuncType(),), functions=(Function(0, (), deep),))
    text = to_text(module)
    assert len(text) < 100 * len(deep)
    assert from_text(text) == module


def test_a_small_file_makes_no_huge_text() -> None:
    """What is long is written once: a name of 100 KB and a signature of 1,000 types, each used 10,000 times."""
    name = "x" * 100_000
    kind = FuncType((I32,) * 1000, (I64,) * 1000)
    called = Function(1, (), b"\x10\x00\x11\x00\x00" * 10_000 + b"\x0b")
    module = Module(
        types=(kind, FuncType()),
        functions=(Function(0), called),
        names=Names(items=((NameKind.FUNCTION, 0, name),)),
    )
    text = to_text(module)
    assert len(text) < 1_000_000
    assert from_text(text) == module
