"""Functions that pass rich values: what a host calls by `@export`, and what the compiler refuses."""

from __future__ import annotations

from array import array
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import svm
from krait import CompileError

SOURCE = '''
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple

from krait import export


class Color(Enum):
    RED = 1
    GREEN = 2


class Level(IntEnum):
    LOW = -1
    HIGH = 7
    TOP = 7


class Planet(Enum):
    EARTH = (5.5, -1)
    MARS = (0.5, 2)


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.5

    def __post_init__(self) -> None:
        if self.x != self.x:
            raise ValueError("x is no number")


@dataclass
class Shape:
    name: str
    points: list[Point]
    color: Color = Color.RED
    inner: "Shape | None" = None
    tags: dict[str, set[int]] = field(default_factory=dict)
    count: int = field(default=3, init=False)


type Json = None | bool | int | float | str | list[Json] | dict[str, Json]


@export
def keys(value: Json) -> list[Json]:
    if isinstance(value, dict):
        found: list[Json] = []
        for key in value:
            found.append(key)
        found.append(value)
        return found
    return [value, None]


class Pair(NamedTuple):
    key: str
    value: int | str | None = None


@dataclass
class Base:
    n: int


@dataclass
class Derived(Base):
    m: int


@export
def flip(pairs: list[Pair | bytes], more: bytearray | None = None) -> list[Pair | bytes | float]:
    made: list[Pair | bytes | float] = []
    for item in reversed(pairs):
        if isinstance(item, bytes):
            made.append(item + b"!")
        elif isinstance(item.value, int):
            made.append(float(item.value))
        else:
            made.append(Pair(item.key + "!", item.value))
    if more is not None:
        more.append(1)
        made.append(bytes(more))
    return made


@export
def swap(planets: list[Planet]) -> list[Planet]:
    return [Planet.MARS if planet is Planet.EARTH else Planet.EARTH for planet in planets]


@export
def bases(n: int) -> list[Base]:
    return [Base(n), Derived(n, 1)] if n > 0 else [Base(n)]


@export
def either(n: int) -> Base | Derived | str:
    if n < 2:
        return Base(n) if n == 0 else Derived(n, 1)
    return "more"


@export
def summarise(words: list[str], *, top: int = 3) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1])[:top])


@export
def echo(
    texts: list[str],
    numbers: list[int],
    floats: list[float],
    flags: list[bool],
    table: dict[str, list[tuple[int, str | None]]],
    some: set[int],
    more: frozenset[float],
    row: tuple[int, ...],
    maybe: int | None,
) -> tuple[
    list[str], list[int], list[float], list[bool], dict[str, list[tuple[int, str | None]]], set[int], frozenset[float],
    tuple[int, ...], int | None
]:
    return (texts, numbers, floats, flags, table, some, more, row, maybe)


@export
def grow(shape: Shape | None, by: float = 2.0, level: Level = Level.HIGH) -> Shape:
    if shape is None:
        return Shape("none", [])
    points = [Point(p.x * by, p.y * by) for p in shape.points]
    inner = grow(shape.inner, by) if shape.inner is not None else None
    grown = Shape(shape.name + "!", points, Color.GREEN, inner, {"level": {int(level)}})
    grown.count = shape.count + 1
    return grown


@export
def ring() -> Shape:
    shape = Shape("ring", [])
    shape.inner = shape
    return shape


made: list[int] = []


@export
def remember(number: int, into: list[int] = made) -> list[int]:
    into.append(number)
    return into


@export
def fail(text: str) -> None:
    raise KeyError(text)


def plain(a: int, b: float = -1.5, /, *, c: bool = False) -> float:
    return a + b + (1.0 if c else 0.0)


def not_marked(a: str) -> str:
    return a


@export
def _hidden(a: int) -> int:
    return a
'''


@cache
def module() -> svm.Module:
    return svm.compile(SOURCE, "plugin.kr")


@pytest.fixture
def guest(engine: str) -> svm.Guest:
    return module().spawn(engine=engine)


def test_lists_dicts_and_names_of_arguments(guest: svm.Guest) -> None:
    assert guest.call("summarise", ["a", "b", "a"], top=1) == {"a": 2}
    assert guest.call("summarise", words=["b", "ä", "€", "😀", "\ud83d\ude00", "b"]) == {"b": 2, "ä": 1, "€": 1}
    assert list(guest.call("summarise", [])) == []
    task = guest.start("summarise", ["x"] * 500, top=2)
    outcome = task.run(fuel=100)
    while isinstance(outcome, svm.Paused):
        outcome = task.run(fuel=5_000)
    assert isinstance(outcome, svm.Finished)
    assert outcome.value == {"x": 500}


def test_every_container_comes_back(guest: svm.Guest) -> None:
    value = (
        ["", "a", "é", "€", "😀", "\ud800", "\ud83d\ude00"],
        [0, -(2**63), 2**63 - 1],
        [0.0, -0.0, float("inf"), 1e-300],
        [True, False],
        {"": [], "k": [(1, None), (-2, "x")]},
        {5, -7, 3},
        frozenset({0.5, 2.0}),
        (1, 2, 3),
        None,
    )
    assert guest.call("echo", *value) == value
    assert repr(guest.call("echo", *value)) == repr(value)
    guest.set_global("krait:gc_stress", 1)
    assert guest.call("echo", *value[:-1], 9) == (*value[:-1], 9)


INTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(), max_size=12)
VALUES = st.tuples(
    st.lists(TEXTS, max_size=8),
    st.lists(INTS, max_size=8),
    st.lists(st.floats(allow_nan=False), max_size=8),
    st.lists(st.booleans(), max_size=8),
    st.dictionaries(TEXTS, st.lists(st.tuples(INTS, st.none() | TEXTS), max_size=3), max_size=4),
    st.sets(INTS, max_size=8),
    st.frozensets(st.floats(allow_nan=False), max_size=8),
    st.lists(INTS, max_size=5).map(tuple),
    st.none() | INTS,
)


@settings(max_examples=25, deadline=None)
@given(value=VALUES, stress=st.booleans())
def test_any_value_comes_back(value: tuple[Any, ...], stress: bool) -> None:
    guest = echoing()
    guest.set_global("krait:gc_stress", int(stress))
    assert guest.call("echo", *value) == value


@cache
def echoing() -> svm.Guest:
    return module().spawn(engine="interpreter")


def test_dataclasses_and_enums(guest: svm.Guest) -> None:
    types = guest.types
    shape = types.Shape("a", [types.Point(1.0)], inner=types.Shape("b", [], types.Color.GREEN), tags={"t": {1}})
    shape.count = 99  # what its constructor does not take stays at home
    grown = guest.call("grow", shape, level=types.Level.LOW)
    assert repr(grown) == (
        "Shape(name='a!', points=[Point(x=2.0, y=1.0)], color=<Color.GREEN: 2>, "
        "inner=Shape(name='b!', points=[], color=<Color.GREEN: 2>, inner=None, tags={'level': {7}}, count=4), "
        "tags={'level': {-1}}, count=4)"
    )
    assert type(grown) is types.Shape
    assert type(grown.points[0]) is types.Point
    assert guest.call("grow", None).name == "none"
    with pytest.raises(svm.UsageError, match="argument 'shape', field 'points', item 0, field 'x': float expected"):
        guest.call("grow", types.Shape("a", [types.Point("1")]))
    with pytest.raises(svm.UncaughtError, match="ValueError: x is no number"):
        guest.call("grow", types.Shape("a", [types.Point(float("nan"))]))
    assert guest.call("grow", grown).name == "a!!"


def test_unions_bytes_and_named_tuples(guest: svm.Guest) -> None:
    pair = guest.types.Pair
    given = [pair("a", 1), b"", bytearray(b"\xff"), pair("b"), pair("c", "d")]
    found = guest.call("flip", given, bytearray(b"xyz"))
    assert found == [pair("c!", "d"), pair("b!", None), b"\xff!", b"!", 1.0, b"xyz\1"]
    assert isinstance(found[0], tuple)
    assert type(found[4]) is float
    with pytest.raises(svm.UsageError, match=r"argument 'pairs', item 0: Pair \| bytes expected, str given"):
        guest.call("flip", ["text"])
    with pytest.raises(svm.UsageError, match=r"item 0, field 'value': int \| str \| None expected, float given"):
        guest.call("flip", [pair("a", 1.5)])


def test_enums_of_tuples(guest: svm.Guest) -> None:
    planet = guest.types.Planet
    assert guest.call("swap", [planet.EARTH, planet.MARS]) == [planet.MARS, planet.EARTH]
    assert planet.EARTH.value == (5.5, -1)


def test_types_that_contain_themselves(guest: svm.Guest) -> None:
    value = {"a": [1, 2.5, None, {"b": True}], "c": "text", "d": {}}
    assert guest.call("keys", value) == ["a", "c", "d", value]
    assert guest.call("keys", None) == [None, None]
    with pytest.raises(svm.UsageError, match=r"argument 'value', key 'a', item 0: Json \| None expected, bytes given"):
        guest.call("keys", {"a": [b""]})


def test_objects_of_derived_classes(guest: svm.Guest) -> None:
    types = guest.types
    assert guest.call("bases", 0) == [types.Base(0)]
    with pytest.raises(svm.UncaughtError, match="TypeError: where the interface says Base, an object of a class that"):
        guest.call("bases", 1)
    assert [guest.call("either", n) for n in range(3)] == [types.Base(0), types.Derived(1, 1), "more"]


def test_a_ring_of_objects_cannot_leave(guest: svm.Guest) -> None:
    with pytest.raises(svm.UncaughtError, match="ValueError: objects that are nested deeper than 100"):
        guest.call("ring")
    assert guest.call("grow", None).name == "none"


def test_defaults_are_the_guests(guest: svm.Guest) -> None:
    assert guest.call("remember", 1) == [1]
    assert guest.call("remember", 2) == [1, 2]
    assert guest.call("remember", 3, []) == [3]
    assert guest.call("remember", number=4, into=[9]) == [9, 4]
    assert guest.call("plain", 1) == -0.5
    assert guest.call("plain", 1, 2, c=True) == 4.0


def test_an_uncaught_exception_says_its_class_and_text(guest: svm.Guest) -> None:
    with pytest.raises(svm.UncaughtError) as caught:
        guest.call("fail", "key")
    assert (caught.value.exception, caught.value.detail) == ("KeyError", "'key'")
    assert caught.value.traceback.frames[-1].name == "fail"


@pytest.mark.parametrize(
    ("args", "named", "message"),
    [
        ((), {}, r"summarise\(\) misses 1 argument\(s\): 'words'"),
        (([], 1), {}, r"summarise\(\) takes 1 positional argument\(s\), 2 given"),
        (([],), {"words": []}, r"summarise\(\) got multiple values for argument 'words'"),
        (([],), {"topp": 1}, r"summarise\(\) got an unexpected keyword argument 'topp'"),
        (([],), {"top": "1"}, r"summarise\(\): argument 'top': int expected, str given"),
        ((["a", 5],), {}, r"argument 'words', item 1: str expected, int given"),
    ],
)
def test_wrong_arguments_are_named(args: tuple[Any, ...], named: dict[str, Any], message: str) -> None:
    with pytest.raises(svm.UsageError, match=message):
        echoing().call("summarise", *args, **named)


def test_wrong_scalars_are_named() -> None:
    guest = echoing()
    for args, named, message in [
        (("1",), {}, "argument 'a': int expected, str given"),
        ((2**63,), {}, "argument 'a': 9223372036854775808 does not fit int"),
        ((1, None), {}, "argument 'b': float expected, NoneType given"),
        ((1,), {"c": "x"}, "argument 'c': bool expected, str given"),
        ((1,), {"b": 1.0}, "unexpected keyword argument 'b'"),
        ((), {}, r"misses 1 argument\(s\): 'a'"),
    ]:
        with pytest.raises(svm.UsageError, match=message):
            guest.call("plain", *args, **named)


def test_what_is_exported() -> None:
    names = [item.name for item in module().interface.exports]
    assert names[:5] == ["keys", "flip", "swap", "bases", "either"]
    assert names[5:] == ["summarise", "echo", "grow", "ring", "remember", "fail", "plain", "_hidden"]
    with pytest.raises(svm.UsageError, match=r"no function 'not_marked'; it has .*\(`@export` marks those"):
        echoing().call("not_marked", "a")
    assert "def plain(a: int, b: float = -1.5, /, *, c: bool = False) -> float: ..." in str(module().interface)


def test_functions_as_pythons(guest: svm.Guest) -> None:
    echo = guest.function("remember", arrays=True)
    assert echo(2, [1]) == array("q", [1, 2])
    assert echo(number=2, into=array("q", [1])) == array("q", [1, 2])
    assert guest.function("plain")(1) == -0.5


def test_arguments_belong_to_the_call(guest: svm.Guest) -> None:
    """Two calls that were prepared, the second before the first ran; and what changes after is not seen."""
    numbers = array("q", [1])
    first, second = guest.start("remember", 5, numbers), guest.start("remember", 6, [2])
    numbers.append(7)
    assert first.finish(first.run()) == [1, 5]
    assert second.finish(second.run()) == [2, 6]


def test_values_have_limits(engine: str) -> None:
    guest = module().spawn(engine=engine, limits=svm.Limits(values="64 KiB"))
    with pytest.raises(svm.LimitError, match="larger than the limit of 65536 bytes") as caught:
        guest.call("remember", 1, [0] * 10_000)
    assert caught.value.limit == "values"
    assert guest.call("remember", 1, [0] * 10) == [0] * 10 + [1]
    big = guest.function("remember", arrays=True)
    assert len(big(1, [0] * 7_000)) == 7_001
    with pytest.raises(svm.LimitError, match="larger than the limit"):  # as a list it takes more
        guest.call("remember", 1, [0] * 7_000)
    assert guest.call("plain", 1) == -0.5


STANDING = '''
from krait import export


ends: list[int] = []


def numbers():
    try:
        yield 1
        yield 2
    finally:
        ends.append(1)


@export
def labels(names: list[str]) -> list[str]:
    return [name + str(number) for name in names for number in numbers()]


@export
def dropped(names: list[str]) -> list[str]:
    for number in numbers():
        return names
    return []


def plain(n: int) -> int:
    return sum(numbers()) + n


def first(n: int) -> int:
    return next(numbers()) + n
'''


def test_a_call_ends_with_an_error_where_it_leaves_a_generator_that_would_act_on_its_end(engine: str) -> None:
    with svm.compile(STANDING, "standing.kr").spawn(engine=engine) as guest:
        assert guest.call("labels", ["a", "b"]) == ["a1", "a2", "b1", "b2"]
        assert guest.call("plain", 3) == 6
        for name, argument in (("dropped", ["a"]), ("first", 1)):
            with guest.clone() as other, pytest.raises(svm.UncaughtError, match="a generator stands in a `try`"):
                other.call(name, argument)


LOOSE = '''
from collections.abc import Callable

from krait import export


@export
def total(values: list[float], more: float = 1) -> float:
    values.append(more)
    return sum(values)


@export
def halves(count: int) -> list[float]:
    found: list[float] = []
    for number in range(count):
        found.append(number if number % 2 else number / 2)
    return found


def apply(f: Callable[[float], float]) -> float:
    return f(2)


def doubled(x: float) -> float:
    return apply(lambda y: x * y)
'''


def test_ints_stand_for_floats_on_the_way_in_and_out(engine: str) -> None:
    with svm.compile(LOOSE, "loose.kr").spawn(engine=engine) as guest:
        for args, result in ((([1.5, 2],), 4.5), (([1, 2],), 4), (([1, 2], 0.5), 3.5)):
            given = guest.call("total", *args)
            assert (given, type(given)) == (result, type(result))
        assert repr(guest.call("halves", 4)) == "[0.0, 1, 1.0, 3]"
        assert [repr(guest.call("doubled", x)) for x in (3, 3.0)] == ["6", "6.0"]  # a public function of numbers
        with pytest.raises(svm.UsageError, match="'x'"):
            guest.call("doubled", "a")


def test_a_guest_without_room(engine: str) -> None:
    guest = module().spawn(engine=engine, limits=svm.Limits(memory="1 MiB"))
    with pytest.raises(svm.LimitError, match=r"the guest has no room for a value of .* the limit of its memory is"):
        guest.call("remember", 1, [0] * 1_000_000)
    with pytest.raises(svm.UncaughtError, match="MemoryError"):
        guest.call("remember", 1, [0] * 60_000)
    assert guest.call("remember", 1, [2]) == [2, 1]


# --- what the compiler refuses ---------------------------------------------------------------------------------------

IMPORT = "from krait import export\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (f"{IMPORT}@export\ndef f(g: Callable[[int], int]) -> int:\n    return g(1)\n", "cannot cross"),
        (f"{IMPORT}class C:\n    x: int = 0\n@export\ndef f(c: C) -> int:\n    return 1\n", "`@dataclass`"),
        (f"{IMPORT}@export\ndef f[T](x: list[T]) -> int:\n    return 1\n", "it is generic"),
        (f"{IMPORT}@export\ndef f(*xs: int) -> int:\n    return 1\n", "it is generic"),
        ("@export\ndef f(x: int) -> int:\n    return x\n", "from krait import export"),
        (f"{IMPORT}class C:\n    @export\n    def f(self) -> None:\n        pass\n", "a method cannot"),
        ("from krait import exports\n", "has no `exports`"),
        ("from host import g\n", "has no `g`"),
        ("from host import bad\nbad(1)\n", "a stub has no code"),
        ("from host import unknown\nunknown()\n", "the default of `x` is not known"),
        ("from host import wrong\nwrong()\n", "cannot be a function of the host"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(source: str, message: str) -> None:
    stub = "def bad(x: int) -> int:\n    return x\n"
    stub = {"unknown": "def unknown(x: int = ...) -> int: ...\n", "wrong": "def wrong() -> Iterator[int]: ...\n"}.get(
        source.split()[3], stub
    )
    typing = "from typing import Callable, Iterator\n"
    with pytest.raises(CompileError) as caught:
        svm.compile(typing + source, stubs={"host": typing + stub})
    assert message in str(caught.value)
