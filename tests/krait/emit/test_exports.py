"""Functions of a program that a host calls: as an importer would, the module's code first."""

from __future__ import annotations

import io

import pytest

import svm

SOURCE = """
total = 10


def add(a: int, b: float) -> float:
    return a + b + total


def grow(n: int) -> None:
    global total
    total += n
    print("grown in", __name__)


def flip(x: bool) -> bool:
    return not x


def twice(text: str) -> str:
    return text + text


def first[T](values: list[T]) -> T:
    return values[0]


def _hidden(n: int) -> int:
    return n


if __name__ == "__main__":
    print("run")
"""


def spawn(engine: str, out: io.BytesIO) -> svm.Guest:
    return svm.compile(SOURCE, "folder/plugin.kr").spawn(engine=engine, devices=[svm.Console(stdout=out)])


def test_a_host_calls_functions_with_scalars(engine: str) -> None:
    out = io.BytesIO()
    guest = spawn(engine, out)
    assert guest.call("add", 1, 2.5) == 13.5
    assert guest.call("grow", 5) is None
    assert guest.call("add", -1, 0.5) == 14.5
    assert guest.call("flip", 1) == 0
    assert out.getvalue() == b"grown in plugin\n"  # flushed, and not run as a program


def test_run_as_a_program(engine: str) -> None:
    out = io.BytesIO()
    assert spawn(engine, out).run() == 0
    assert out.getvalue() == b"run\n"


def test_what_is_exported() -> None:
    names = {item.name for item in svm.compile(SOURCE).exports}
    assert {"add", "grow", "flip"} <= names
    assert names.isdisjoint({"twice", "first", "_hidden"})


def test_an_exception_comes_through_as_the_programs(engine: str) -> None:
    guest = svm.compile("def f(a: int, b: int) -> int:\n    return a // b\n").spawn(engine=engine)
    with pytest.raises(svm.UncaughtError, match="ZeroDivisionError: integer division or modulo by zero") as caught:
        guest.call("f", 1, 0)
    assert [frame.name for frame in caught.value.traceback.frames if frame.file == "<string>"] == ["f"]
    assert guest.call("f", 7, 2) == 3


@pytest.mark.parametrize("stop", ["print(f(0))", "while True:\n    pass"])
def test_what_was_printed_before_the_end_is_not_lost(engine: str, stop: str) -> None:
    out = io.BytesIO()
    source = f"def f(n: int) -> int:\n    return f(n + 1) + 1\n\n\nprint('before')\n{stop}\n"
    limits = svm.Limits(fuel=200_000, stack=10_000)
    guest = svm.compile(source).spawn(engine=engine, limits=limits, devices=[svm.Console(stdout=out)])
    with pytest.raises(svm.GuestError):
        guest.run()
    assert out.getvalue() == b""
    used = guest.fuel_used
    guest.flush()
    assert out.getvalue() == b"before\n"
    assert guest.fuel_used == used
