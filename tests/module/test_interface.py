"""The interface as text: what is written is read again, and nothing that anyone writes there does harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import svm
from svm.limits import MAX_INTERFACE_BYTES
from svm.module import decode, encode, from_text, to_text
from svm.module.interface import Interface
from svm.module.interface_text import parse_interface

TEXT = """\
class Color(Enum):
    RED = 1
    GREEN = 2

class Name(StrEnum):
    A = 'a'

class Planet(Enum):
    EARTH = (5.97, -1, (True, 'x'))
    NONE = ()

@dataclass(frozen=True)
class Point:
    x: float
    y: float = -1.5
    near: Point | None = None
    made: int = field(init=False)

@dataclass
class Many:
    a: list[int] = []
    b: dict[str, int] = {}
    c: set[int] = set()
    d: Color = Color.RED

class Pair(NamedTuple):
    a: int | str
    b: dict[str, int] | list[Pair] | bytearray | None = None

type Tree = list[Tree] | dict[str, Tree | None] | int

@dataclass(unsafe_hash=True)
class Nothing:
    ...

def f(a: int, /, b: list[Point], c: dict[str, tuple[int, ...]] = ..., *, d: Color = Color.RED) -> None: ...

def h(a: str = 'x', b: float = inf) -> float: ...

def g(*, only: tuple[()]) -> set[Color] | None: ...

@host("host")
def lookup(key: bytes, /) -> frozenset[Nothing]: ...
"""


def test_text_comes_back() -> None:
    interface = parse_interface(TEXT.encode())
    assert str(interface) == TEXT
    assert [item.name for item in interface.exports] == ["f", "h", "g"]
    assert [item.name for item in interface.hosts] == ["lookup"]
    assert parse_interface(b"") == Interface()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(a: int) -> int", ": expected"),
        ("def f(a: Point) -> int: ...", "line 1, svm.interface section: there is no type `Point`"),
        ("def f() -> None | int: ...", "no union"),
        ("type A = B", "there is no type `B`"),
        ("type A = int\ntype A = str", "`A` is declared twice"),
        ("def f() -> int | str | int: ...", "no union"),
        ("class P(NamedTuple):\n    x: int = field(init=False)", "always given"),
        ("def f() -> list[None]: ...", "None cannot be the type of an item"),
        ("def f() -> dict[int]: ...", "`dict` takes 2"),
        ("def f(a: int, a: int) -> int: ...", "two parameters are named `a`"),
        ("def f(a: int = 1, b: int) -> int: ...", "`b` has no default"),
        ("def f(*) -> int: ...", ", expected"),
        ("def f(/) -> int: ...", "`/` cannot stand here"),
        ("def __init__() -> int: ...", "'__init__' cannot be a name"),
        ("def class() -> int: ...", "'class' cannot be a name"),
        ("def f(a: int = g()) -> int: ...", "'g' is no literal"),
        ("def f() -> int: ...\ndef f() -> int: ...", "line 2, svm.interface section: `f` is declared twice"),
        ("@dataclass\nclass int:\n    x: int", "`int` is declared twice"),
        ("@dataclass\nclass P:\n    __class__: int", "'__class__' cannot be a name"),
        ("@dataclass\nclass P:\n    x: int\n    x: int", "two fields are named `x`"),
        ("@dataclass(slots=True)\nclass P:\n    x: int", "there is no option `slots`"),
        ("class C(object):\n    A = 1", "`object` is no base of a class here"),
        ("class C(Enum):\n    A = 1\n    B = 1", "the member `B` is there twice"),
        ("class C(Enum):\n    A = __import__('os')", "is no literal"),
        ("import os", "a declaration is expected"),
        ("def f() -> " + "list[" * 40 + "int" + "]" * 40 + ": ...", "nested deeper"),
        ("def f(a: int = 1_0x) -> int: ...", "no literal"),
        ("\xff\0", "no part of a signature"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(svm.MalformedError) as caught:
        parse_interface(text.encode())
    assert message in str(caught.value)


def test_bytes_that_are_no_text_or_too_many() -> None:
    with pytest.raises(svm.MalformedError, match="not UTF-8"):
        parse_interface(b"\xff")
    with pytest.raises(svm.MalformedError, match="at most"):
        parse_interface(b" " * (MAX_INTERFACE_BYTES + 1))


@given(st.lists(st.sampled_from([*TEXT.split(" "), "def", "[", "(", "|", "None", "1", "\n    ", "\n"]), max_size=30))
def test_any_text_is_an_interface_or_refused(words: list[str]) -> None:
    try:
        found = parse_interface(" ".join(words).encode())
    except svm.MalformedError:
        return
    assert parse_interface(str(found).encode()) == found


def test_it_is_carried_by_every_form_of_a_module() -> None:
    module = svm.compile("def add(a: int, b: int = 2) -> int:\n    return a + b\n")
    assert str(module.interface) == "def add(a: int, b: int = 2) -> int: ...\n"
    for model in (
        decode(module.to_bytes()),
        from_text(to_text(module.model)),
        svm.load(module.to_wasm()).model,
    ):
        assert svm.Module(model).interface == module.interface
    assert encode(decode(module.to_bytes())) == module.to_bytes()
