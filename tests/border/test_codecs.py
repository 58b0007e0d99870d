"""Values to bytes and back by type; and bytes that no compiler wrote, which must do no harm."""

from __future__ import annotations

import dataclasses
import math
import struct
from array import array
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import svm
from svm.border import Call, Codecs, GuestTypes
from svm.module.interface import Interface, RichType, Signature, Structure
from svm.module.interface_text import parse_interface

CLASSES = """\
class Color(Enum):
    RED = 1
    GREEN = 2

class Level(IntEnum):
    LOW = -1

@dataclass(frozen=True)
class Point:
    x: int
    y: float

@dataclass
class Node:
    value: str
    next: Node | None = None

@dataclass
class Empty:
    ...

@dataclass
class Nothing0:
    a: Empty
    b: Empty

@dataclass
class Nothing1:
    a: Nothing0
    b: Nothing0
"""
LIMIT = 1 << 20


def interface_with(t: str) -> Interface:
    return parse_interface(f"{CLASSES}\ndef f(value: {t}) -> {t}: ...\n".encode())


def call_with(t: str, *, as_array: bool = False) -> tuple[Call, GuestTypes]:
    interface = interface_with(t)
    types = GuestTypes(interface, "guest")
    return Call(interface.exports[0], Codecs(interface, types, as_array=as_array)), types


def there(t: str, value: Any, limit: int = LIMIT) -> bytes:
    return b"".join(call_with(t)[0].pack([value], limit))


def back(t: str, data: bytes, limit: int = LIMIT, *, as_array: bool = False) -> Any:
    return call_with(t, as_array=as_array)[0].unpack(data, limit)


INTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(), max_size=20)  # lone surrogates too
SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "int": INTS,
    "float": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "str": TEXTS,
    "bytes": st.binary(max_size=20),
}
UNHASHED = {"bytearray": st.binary(max_size=20).map(bytearray)}


@st.composite
def typed(draw: st.DrawFn, depth: int = 3) -> tuple[str, st.SearchStrategy[Any]]:
    """A type, and a strategy for its values."""
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from([*SIMPLE.items(), *UNHASHED.items()]))
    kind = draw(st.sampled_from(["list", "dict", "set", "frozenset", "tuple", "vector", "optional", "union"]))
    if kind == "union":
        picked = draw(st.permutations([*SIMPLE.items(), ("list[int]", st.lists(INTS, min_size=1, max_size=3))]))[:3]
        return " | ".join(t for t, _ in picked), st.one_of([values for _, values in picked])
    if kind in ("set", "frozenset", "dict"):
        key, keys = draw(st.sampled_from([*SIMPLE.items()]))
        if kind != "dict":
            make = st.sets if kind == "set" else st.frozensets
            return f"{kind}[{key}]", make(keys, max_size=4)
        item, items = draw(typed(depth - 1))
        return f"dict[{key}, {item}]", st.dictionaries(keys, items, max_size=4)
    item, items = draw(typed(depth - 1))
    if kind == "tuple":
        other, others = draw(typed(depth - 1))
        return f"tuple[{item}, {other}]", st.tuples(items, others)
    if kind == "optional":
        return (item, items) if item.endswith("None") else (f"{item} | None", st.none() | items)
    if kind == "vector":
        return f"tuple[{item}, ...]", st.lists(items, max_size=4).map(tuple)
    return f"list[{item}]", st.lists(items, max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_value_comes_back(data: st.DataObject) -> None:
    t, values = data.draw(typed())
    value = data.draw(values)
    found = back(t, there(t, value))
    assert found == value
    assert repr(found) == repr(value) or "set" in t  # whose order may be another


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_bytes_are_a_value_or_refused(data: st.DataObject) -> None:
    t, values = data.draw(typed())
    good = bytearray(there(t, data.draw(values)))
    if good and data.draw(st.booleans()):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
        mutated = bytes(good)
    else:
        mutated = data.draw(st.binary(max_size=60))
    try:
        found = back(t, mutated)
    except (svm.InterfaceError, svm.LimitError):
        return
    assert repr(back(t, there(t, found))) == repr(found) or "nan" in repr(found) or "{" in repr(found)


def test_classes_and_enums() -> None:
    call, types = call_with("list[tuple[Point, Color, Level, Node | None]]")
    value = [
        (types.Point(1, 2.5), types.Color.GREEN, types.Level.LOW, types.Node("a", types.Node("b"))),
        (types.Point(x=-1, y=0.0), types["Color"]["RED"], types.Level(-1), None),
    ]
    found = call.unpack(b"".join(call.pack([value], LIMIT)), LIMIT)
    assert found == value
    assert type(found[0][0]) is types.Point
    assert found[0][1] is types.Color.GREEN
    assert types.Point.__module__ == "guest"
    assert [*types] == ["Color", "Level", "Point", "Node", "Empty", "Nothing0", "Nothing1"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        types.Point(1, 2.0).x = 3
    assert len({types.Point(1, 2.0), types.Point(1, 2.0)}) == 1
    with pytest.raises(AttributeError, match="the guest has no type 'Pint'"):
        _ = types.Pint


def test_dataclasses_of_the_host_are_taken() -> None:
    @dataclasses.dataclass
    class Own:
        y: float
        x: int

    @dataclasses.dataclass
    class Other:
        x: int

    found = back("Point", there("Point", Own(2.0, 1)))
    assert (found.x, found.y) == (1, 2.0)
    for wrong in (Other(1), 5, Own):
        with pytest.raises(svm.UsageError, match=r"argument 'value': Point expected"):
            there("Point", wrong)


@pytest.mark.parametrize(
    ("t", "value", "message"),
    [
        ("int", "1", "argument 'value': int expected, str given"),
        ("int", 1.0, "argument 'value': int expected, float given"),
        ("int", 2**63, "argument 'value': 9223372036854775808 does not fit int, which has 64 bits"),
        ("int", 1 << 4_000, "an integer of 4001 bits does not fit int"),
        ("float", "1", "argument 'value': float expected, str given"),
        ("float", 10**400, "an integer of 1329 bits does not fit float"),
        ("bool", 2, "argument 'value': bool expected, int given"),
        ("str", b"a", "argument 'value': str expected, bytes given"),
        ("bytes", "a", "argument 'value': bytes expected, str given"),
        ("int | None", "x", r"argument 'value': int \| None expected, str given"),
        ("list[int]", [1, 2, "x"], "argument 'value', item 2: int expected, str given"),
        ("list[int]", "abc", r"argument 'value': list\[int\] expected, str given"),
        ("list[str]", "abc", r"argument 'value': list\[str\] expected, str given"),
        ("list[float]", [1.0, None], "argument 'value', item 1: float expected, NoneType given"),
        ("list[float]", 5, r"argument 'value': list\[float\] expected, int given"),
        ("list[str]", ["a", 1], "argument 'value', item 1: str expected, int given"),
        ("list[dict[str, int]]", [{}, {"x": "y"}], "argument 'value', item 1, key 'x': int expected, str given"),
        ("dict[str, int]", {1: 1}, "argument 'value', key 1: str expected, int given"),
        ("dict[str, int]", [("a", 1)], r"argument 'value': dict\[str, int\] expected, list given"),
        ("set[int]", [1], r"argument 'value': set\[int\] expected, list given"),
        ("tuple[int, str]", (1,), r"tuple\[int, str\] expected, a tuple of 1 item\(s\) given"),
        ("tuple[int, str]", (1, 2), "argument 'value', item 1: str expected, int given"),
        ("tuple[int, ...]", [1], r"argument 'value': tuple\[int, \.\.\.\] expected, list given"),
        ("Color", 1, "argument 'value': Color expected, int given"),
        ("Point", None, "argument 'value': Point expected, NoneType given"),
    ],
)
def test_what_does_not_fit_is_named(t: str, value: object, message: str) -> None:
    with pytest.raises(svm.UsageError, match=message):
        there(t, value)


def test_fields_are_named_too() -> None:
    call, types = call_with("list[Node]")
    with pytest.raises(svm.UsageError, match=r"argument 'value', item 0, field 'next', field 'value': str expected"):
        call.pack([[types.Node("a", types.Node(5))]], LIMIT)


def test_what_leads_to_itself_is_refused() -> None:
    call, types = call_with("Node")
    ring = types.Node("a")
    ring.next = ring
    with pytest.raises(svm.UsageError, match=r"field 'next': nested deeper than 100 objects"):
        call.pack([ring], LIMIT)
    deep: bytes = there("Node", types.Node("a"))[:-1] + b"\1"
    with pytest.raises(svm.InterfaceError, match="nested deeper than 100 objects"):
        call.unpack(deep * 200 + b"\0", LIMIT)


@pytest.mark.parametrize("code", ["d", "q"])
def test_blocks_of_numbers(code: str) -> None:
    t = "list[float]" if code == "d" else "list[int]"
    numbers = array(code, range(1000))
    expected = there(t, numbers.tolist())
    assert there(t, numbers) == there(t, memoryview(numbers)) == there(t, tuple(numbers)) == expected
    assert there(t, memoryview(numbers)[::2]) == there(t, numbers[::2])
    assert there(t, array("i", range(1000))) == expected
    found = back(t, expected, as_array=True)
    assert type(found) is array
    assert found == numbers
    assert back(t, expected) == numbers.tolist()
    with pytest.raises(svm.UsageError, match="2 dimensions"):
        there(t, memoryview(bytes(16)).cast("B").cast("B", (2, 8)))


def test_arrays_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    values = numpy.arange(1000, dtype="f8")
    assert there("list[float]", values) == there("list[float]", values.tolist())
    assert there("list[float]", values.astype("f4")) == there("list[float]", values.tolist())
    assert there("list[int]", values.astype("i8")[::3]) == there("list[int]", values.astype(int)[::3].tolist())
    with pytest.raises(svm.UsageError, match="2 dimensions"):
        there("list[float]", values.reshape(10, 100))


def test_nan_keeps_its_sign_and_zero_too() -> None:
    assert math.copysign(1, back("float", there("float", -0.0))) == -1
    assert math.isnan(back("float", there("float", math.nan)))


@pytest.mark.parametrize(
    ("t", "data"),
    [
        ("int", b"1234567"),
        ("int", b"123456789"),
        ("bool", b"\2"),
        ("str", b"\3" + struct.pack("<I", 1) + b"abc"),
        ("str", b"\1" + struct.pack("<I", 2**32 - 1) + b"abc"),
        ("str", b"\4" + struct.pack("<II", 1, 0x110000)),
        ("bytes", struct.pack("<I", 2**31) + b"a"),
        ("int | None", b"\2"),
        ("list[int]", struct.pack("<I", 2**32 - 1)),
        ("list[str]", struct.pack("<I", 2**32 - 1) + bytes(100)),
        ("dict[str, int]", struct.pack("<I", 1000)),
        ("Color", struct.pack("<I", 2)),
        ("Point", b""),
        ("list[int]", b"\1"),
    ],
)
def test_lies_are_found(t: str, data: bytes) -> None:
    with pytest.raises(svm.InterfaceError, match="the guest handed out"):
        back(t, data)


@pytest.mark.parametrize("t", ["list[Empty]", "list[tuple[()]]", "tuple[tuple[()], ...]", "list[Nothing1]"])
def test_few_bytes_do_not_make_many_objects(t: str) -> None:
    with pytest.raises(svm.LimitError, match="larger than the limit") as caught:
        back(t, struct.pack("<I", 2**32 - 1))
    assert caught.value.limit == "values"


def test_classes_of_classes_of_nothing_end_at_the_limit() -> None:
    """Each has two fields of the one before: 2**60 objects of no bytes at all."""
    empty = Structure("C0", ())
    text = [str(empty)]
    text += [f"@dataclass\nclass C{n}:\n    a: C{n - 1}\n    b: C{n - 1}\n" for n in range(1, 60)]
    interface = parse_interface(("\n\n".join(text) + "\ndef f() -> C59: ...\n").encode())
    call = Call(interface.exports[0], Codecs(interface, GuestTypes(interface, "guest")))
    with pytest.raises(svm.LimitError, match="larger than the limit"):
        call.unpack(b"", LIMIT)


def test_types_that_contain_themselves() -> None:
    interface = parse_interface(
        b"type Json = bool | int | float | str | list[Json | None] | dict[str, Json | None]\n"
        b"type Ring = Other\ntype Other = Ring\n"
        b"def f(value: Json | None) -> Json | None: ...\ndef g(a: Ring) -> Ring: ...\n"
    )
    codecs = Codecs(interface, GuestTypes(interface, "guest"))
    call, ring = (Call(item, codecs) for item in interface.exports)
    for value in (None, True, 1, 1.5, "a", [1, [None, {"a": [True, 2.5], "b": {}}]]):
        assert repr(call.unpack(b"".join(call.pack([value], LIMIT)), LIMIT)) == repr(value)
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(svm.UsageError, match="nested deeper than 100"):
        call.pack([endless], LIMIT)
    with pytest.raises(svm.UsageError, match=r"item 1: Json \| None expected, set given"):
        call.pack([[1, set()]], LIMIT)
    with pytest.raises(svm.InterfaceError, match="nested deeper than 100"):
        call.unpack(b"\1" + b"\4\1\0\0\0\1" * 200, LIMIT)
    with pytest.raises(svm.UsageError, match="nested"):
        ring.pack([1], LIMIT)
    with pytest.raises(svm.InterfaceError, match="nested deeper than 100"):
        ring.unpack(b"", LIMIT)


def test_sizes_are_limited_before_they_are_taken() -> None:
    for t, value in [("list[float]", [0.0] * 200_000), ("str", "a" * (LIMIT + 1)), ("list[str]", [""] * 300_000)]:
        with pytest.raises(svm.LimitError, match=f"larger than the limit of {LIMIT} bytes"):
            there(t, value)
        data = there(t, value, LIMIT * 8)
        with pytest.raises(svm.LimitError, match=f"larger than the limit of {LIMIT} bytes"):
            back(t, data)


def test_what_cannot_be_a_key_is_no_interface() -> None:
    for t in ("dict[list[int], int]", "set[dict[int, int]]", "set[Node]", "frozenset[tuple[int, list[int]]]"):
        with pytest.raises(svm.InvalidError, match="cannot be a key"):
            call_with(t)


def test_classes_that_python_cannot_make_are_no_interface() -> None:
    interface = parse_interface(b"class C(Enum):\n    mro = 1\n\ndef f(a: C) -> C: ...\n")
    with pytest.raises(svm.InvalidError, match="`C` can be no class"):
        _ = GuestTypes(interface, "guest").C


def test_signatures_show_how_arguments_may_be_given() -> None:
    assert str(Signature("f", (), RichType("None"))) == "def f() -> None: ..."
