"""Records behave as the dataclasses that they stand for."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from svm.record import FrozenError, field, record


@record
class Point:
    """A frozen one, with every kind of field."""

    x: int
    y: int = 2
    path: list[int] = field(default_factory=list, compare=False)
    hidden: int = field(default=7, repr=False)

    @property
    def sum(self) -> int:
        return self.x + self.y


@record(frozen=False)
class Cell:
    """One that can change."""

    value: int

    def __post_init__(self) -> None:
        self.value = abs(self.value)


@record(eq=False)
class Same:
    """One that is equal to itself only."""

    value: int


@dataclasses.dataclass(frozen=True, slots=True)
class Twin:
    """What `Point` stands for."""

    x: int
    y: int = 2
    path: list[int] = dataclasses.field(default_factory=list, compare=False)
    hidden: int = dataclasses.field(default=7, repr=False)


def test_equality_hash_and_repr_are_a_dataclass_s() -> None:
    assert Point(1) == Point(1, 2, [9])
    assert Point(1) != Point(1, 3)
    assert Point(1) != Twin(1)
    assert hash(Point(1)) == hash(Point(1, 2, [9])) == hash(Twin(1))
    assert repr(Point(1)) == repr(Twin(1)).replace("Twin", "Point")
    assert {Point(1): "a"}[Point(1)] == "a"


def test_a_factory_makes_a_value_for_each() -> None:
    assert Point(1).path is not Point(1).path


def test_methods_and_matching() -> None:
    assert Point(1, 5).sum == 6
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)


def test_a_frozen_one_refuses_changes() -> None:
    point: Any = Point(1)
    with pytest.raises(FrozenError, match="'x'"):
        point.x = 3
    with pytest.raises(FrozenError, match="'x'"):
        del point.x
    with pytest.raises(AttributeError):
        point.z = 3
    assert point.x == 1


def test_one_that_can_change() -> None:
    cell = Cell(-4)
    assert cell.value == 4
    cell.value = 5
    assert cell == Cell(5)
    with pytest.raises(TypeError, match="unhashable"):
        hash(cell)


def test_identity_instead_of_equality() -> None:
    same = Same(1)
    assert same == same
    assert same != Same(1)
    assert len({same, Same(1)}) == 2


def test_wrong_arguments_are_refused() -> None:
    for args in ((), (1, 2, [], 4, 5)):
        with pytest.raises(TypeError):
            Point(*args)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1, z=1)  # type: ignore[call-arg]  # what is refused


def test_what_dataclasses_offers_works() -> None:
    point: Any = Point(1, 3)
    assert dataclasses.is_dataclass(point)
    assert [item.name for item in dataclasses.fields(point)] == ["x", "y", "path", "hidden"]
    assert dataclasses.asdict(point) == {"x": 1, "y": 3, "path": [], "hidden": 7}
    assert dataclasses.replace(point, y=4) == Point(1, 4)
    assert dataclasses.fields(Point)[0] is dataclasses.fields(Point)[0]  # made once: `replace` asks each time


@pytest.mark.parametrize("value", [Point(1, 2, [3]), Cell(4)])
def test_copies_and_pickles(value: Any) -> None:
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert other == value and other is not value
