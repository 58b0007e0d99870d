"""The modules that the compiler makes: valid, with exports, capabilities, data and lines as agreed with the host."""

from __future__ import annotations

import struct

import pytest

import krait
from krait.check.types import BOOL, FLOAT, INT, U8, U16, U32
from krait.emit.layout import HEADER, object_layout
from svm import Console, Module
from svm.errors import UncaughtError
from svm.module import ExternKind, decode, encode, validate


def test_module_is_valid_and_survives_the_binary_format() -> None:
    model = krait.compile_source("print(1.5, [1], 'x')\n", "a.kr")
    validate(model)
    assert decode(encode(model)) == model


def test_exports_are_those_of_the_agreement() -> None:
    model = krait.compile_source("pass\n")
    assert {(item.name, item.kind) for item in model.exports} == {
        ("_start", ExternKind.FUNC),
        ("memory", ExternKind.MEMORY),
        ("krait:exception", ExternKind.TAG),
        ("krait:gc_stress", ExternKind.GLOBAL),
        ("krait:overflow", ExternKind.TAG),
        ("krait:describe", ExternKind.FUNC),
        ("krait:flush", ExternKind.FUNC),
        ("krait:describe_utf8", ExternKind.FUNC),
    }
    assert {item.module for item in model.imports} == {"wasi_snapshot_preview1"}
    assert [item.name for item in model.capabilities] == ["console"]


def test_only_what_is_reached_is_compiled() -> None:
    source = "def used() -> int:\n    return 1\n\n\ndef unused() -> str:\n    return f'{1.5}'\n\n\nprint(used())\n"
    names = [name for _, _, name in krait.compile_source(source).names.items]
    assert "used" in names
    assert "unused" not in names
    assert not any(name.startswith("float.") for name in names)


def test_same_source_gives_the_same_bytes() -> None:
    source = "class A:\n    def __init__(self) -> None:\n        self.x = [1.5]\n\n\nprint(A().x, 'ä', 1 / 3)\n"
    assert encode(krait.compile_source(source)) == encode(krait.compile_source(source))


@pytest.mark.parametrize(("text", "kind"), [("abc", 1), ("é", 1), ("€x", 2), ("😀", 4), ("", 1)])
def test_literals_are_string_objects_of_the_smallest_kind(text: str, kind: int) -> None:
    (segment,) = krait.compile_source(f"print({text!r} + '!')\n").data
    encoded = text.encode({1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[kind])
    assert struct.pack("<III", len(text), 0, kind) + encoded in segment.data


def test_fields_are_aligned_in_order_of_declaration() -> None:
    layout = object_layout([("a", BOOL), ("b", INT), ("c", U16), ("d", U8), ("e", U32), ("f", FLOAT)])
    assert layout.offsets == {"a": HEADER, "b": 16, "c": 24, "d": 26, "e": 28, "f": 32}
    assert layout.size == 40


def test_traceback_has_the_lines_of_the_calls() -> None:
    source = (
        "def inner(n: int) -> int:\n    return 10 // n\n\n\ndef outer() -> int:\n    x = 1\n"
        "    return inner(\n        x - 1\n    )\n\n\nouter()\n"
    )
    raised = uncaught(source)
    frames = [(frame.file, frame.line, frame.name) for frame in raised.traceback.frames]
    own = [frame for frame in frames if frame[0] == "t.kr"]
    assert own == [("t.kr", 12, "<module>"), ("t.kr", 7, "outer"), ("t.kr", 2, "inner")]
    assert all(str(frame[0]).startswith("<krait>/") for frame in frames if frame not in own and frame[0] is not None)
    assert raised.description == "ZeroDivisionError: integer division or modulo by zero"


def test_unhandled_overflow_is_described() -> None:
    raised = uncaught("x = 9223372036854775807\nprint(x + len('a'))\n")
    assert raised.tag == "krait:overflow"
    assert raised.description == "OverflowError: integer overflow"


def uncaught(source: str) -> UncaughtError:
    """Run a program that an exception ends, and return that."""
    module = Module(krait.compile_source(source, "t.kr"))
    with module.spawn(devices=[Console()]) as guest, pytest.raises(UncaughtError) as raised:
        guest.run()
    return raised.value


def test_a_module_that_calls_through_values_has_a_table_though_none_is_made() -> None:
    source = "from collections import deque\n\nd = {1: 2}\nprint(d[1], len(deque([1])))\n"
    model = krait.compile_source(source)
    validate(model)
    assert len(model.tables) == 1
