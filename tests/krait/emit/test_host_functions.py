"""Functions that a host gives to a program by a stub: values, exceptions, what does not fit, late answers."""

from __future__ import annotations

import asyncio
import dataclasses
from array import array
from functools import cache
from typing import Any

import pytest

import svm

STUB = '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    name: str
    size: int


class Missing(LookupError): ...


class VeryMissing(Missing):
    """Even more."""


def lookup(key: str, rows: list[Row] | None = None) -> Row | None:
    """A row by its name."""


def store(row: Row, *, times: int = 1) -> None: ...
def call_back(n: int) -> list[int]: ...
def numbers(xs: list[float]) -> list[float]: ...
'''
USER = '''
from krait import export
from host import Missing, Row, VeryMissing, call_back, lookup, numbers, store


@export
def find(key: str) -> str:
    row = lookup(key, [Row("own", 1)])
    if row is None:
        return "nothing"
    store(row, times=2)
    return f"{row.name} {row.size}"


@export
def attempt(key: str) -> str:
    try:
        lookup(key)
    except VeryMissing as error:
        return f"VeryMissing {error}"
    except Missing as error:
        return f"Missing {error}"
    except KeyError as error:
        return f"KeyError {error}"
    except LookupError as error:
        return f"LookupError {error}"
    except ArithmeticError as error:
        return f"arithmetic {error}"
    except RuntimeError as error:
        return f"RuntimeError {error}"
    return "fine"


@export
def deep(n: int) -> list[int]:
    if n < 0:
        raise ValueError(f"{n}")
    kept = [str(n)] * 3
    found = call_back(n) if n > 0 else []
    assert kept == [str(n)] * 3
    found.append(n)
    return found


@export
def halve(xs: list[float]) -> list[float]:
    return numbers(xs)
'''


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    size: int


class Odd(Exception):
    pass


class TooSmall(ZeroDivisionError):
    pass


class Missing(LookupError):
    pass


class VeryMissing(Missing):
    pass


class Lost(Missing):
    pass


@cache
def user() -> svm.Module:
    return svm.compile(USER, "user.kr", stubs={"host": STUB})


class Host:
    def __init__(self) -> None:
        self.guest: svm.Guest | None = None
        self.rows = {"a": Row("a", 5)}
        self.seen: list[object] = []
        self.error: BaseException | None = None

    def lookup(self, key: str, rows: list[Row] | None) -> Row | None:
        if self.error is not None:
            raise self.error
        self.seen.append(rows)
        return self.rows.get(key)

    def store(self, row: Row, *, times: int) -> None:
        self.seen.append((row, times))

    def call_back(self, n: int) -> list[int]:
        assert self.guest is not None
        found: list[int] = self.guest.call("deep", n - 1)
        return found

    def functions(self) -> dict[str, Any]:
        return {"lookup": self.lookup, "store": self.store, "call_back": self.call_back, "numbers": lambda xs: xs}


def hosted(engine: str) -> tuple[svm.Guest, Host]:
    host = Host()
    host.guest = user().spawn(engine=engine, host=host.functions())
    return host.guest, host


def test_functions_of_the_host(engine: str) -> None:
    guest, host = hosted(engine)
    assert guest.call("find", "a") == "a 5"
    assert host.seen == [[Row("own", 1)], (Row("a", 5), 2)]  # objects of the class that the annotations name
    assert guest.call("find", "b") == "nothing"
    assert guest.call("attempt", "b") == "fine"
    assert host.seen[-1] is None
    assert guest.call("halve", [1.0, 2.0]) == [1.0, 2.0]
    assert guest.call("halve", array("d", [1.0])) == [1.0]


def test_calls_nest(engine: str) -> None:
    guest, _ = hosted(engine)
    guest.set_global("krait:gc_stress", 1)
    assert guest.call("deep", 5) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (KeyError("k"), "KeyError 'k'"),
        (LookupError(), "LookupError "),
        (Missing("m"), "Missing m"),
        (VeryMissing(), "VeryMissing "),
        (Lost("l"), "Missing Lost: l"),
        (ZeroDivisionError("zero"), "arithmetic zero"),
        (TooSmall("tiny"), "arithmetic TooSmall: tiny"),
        (Odd("odd"), "RuntimeError Odd: odd"),
        (Odd(), "RuntimeError Odd"),
        (NotImplementedError(), "RuntimeError "),
    ],
)
def test_exceptions_of_the_host_can_be_caught(engine: str, error: Exception, shown: str) -> None:
    guest, host = hosted(engine)
    host.error = error
    assert guest.call("attempt", "a") == shown
    host.error = None
    assert guest.call("find", "a") == "a 5"


def test_exceptions_of_the_host_that_nobody_catches(engine: str) -> None:
    guest, host = hosted(engine)
    host.error = Odd("odd")
    with pytest.raises(svm.UncaughtError, match="RuntimeError: Odd: odd") as caught:
        guest.call("find", "a")
    assert (caught.value.exception, caught.value.detail) == ("RuntimeError", "Odd: odd")
    assert caught.value.__cause__ is host.error
    assert "find" in [frame.name for frame in caught.value.traceback.frames]
    with pytest.raises(svm.UncaughtError) as other:
        guest.call("deep", -1)
    assert other.value.__cause__ is None
    for passing in (KeyboardInterrupt(), svm.UsageError("mine")):  # what is no guest's to catch
        host.error = passing
        with pytest.raises(type(passing)):
            guest.call("attempt", "a")
    host.error = None
    assert guest.call("find", "a") == "a 5"


def test_functions_of_the_host_may_answer_later(engine: str) -> None:
    async def lookup(key: str, rows: list[Row] | None) -> Row | None:
        await asyncio.sleep(0)
        if key == "bad":
            raise TooSmall("bad")
        return Row(key, len(key))

    functions = Host().functions()
    guest = user().spawn(engine=engine, host=functions | {"lookup": lookup})
    assert asyncio.run(guest.call_async("find", key="abc")) == "abc 3"
    assert asyncio.run(guest.call_async("attempt", "bad")) == "arithmetic TooSmall: bad"
    assert asyncio.run(guest.call_async("attempt", "good")) == "fine"


def test_a_guest_moves_while_it_waits(engine: str) -> None:
    functions = Host().functions()
    guest = user().spawn(engine=engine, host=functions | {"lookup": lambda key, rows: svm.Suspend(key)})
    task = guest.start("find", "abc")
    waiting = task.run()
    assert isinstance(waiting, svm.Suspended)
    snapshot = guest.snapshot()
    for value, expected in [(Row("r", 1), "r 1"), (None, "nothing")]:
        twin = snapshot.restore(engine="interpreter", host=functions | {"lookup": lambda key, rows: svm.Suspend(key)})
        assert twin.task is not None
        outcome = twin.task.run()  # nobody will answer the call of another process, so it is made anew
        assert isinstance(outcome, svm.Suspended)
        done = twin.task.resume(value)
        assert isinstance(done, svm.Finished)
        assert done.value == expected
    with pytest.raises(svm.UsageError, match=r"Row \| None expected, int given"):
        task.resume(5)
    last = task.throw(KeyError("k"))
    assert isinstance(last, svm.Trapped)
    assert str(last.error) == "KeyError: 'k'"


def test_results_of_the_host_are_checked(engine: str) -> None:
    guest, host = hosted(engine)
    host.rows["a"] = Row("a", "5")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(svm.UsageError, match="result of host function 'lookup', field 'size': int expected, str given"):
        guest.call("find", "a")
    host.rows["a"] = Row("a", 5)
    assert guest.call("find", "a") == "a 5"


def test_functions_that_do_not_fit_are_refused() -> None:
    def one(key: str) -> Row | None: ...
    def three(key: str, rows: object, more: int) -> Row | None: ...
    def other(key: int, rows: Any) -> Row | None: ...
    def strict(key: str, rows: list[Row]) -> Row | None: ...
    def result(key: str, rows: Any) -> str: ...
    def fields(key: str, rows: list[Odd] | None) -> Row | None: ...

    good = Host().functions()
    for function, message in [
        (one, "it is called with 2 arguments: too many positional arguments"),
        (three, "it is called with 2 arguments: missing a required argument: 'more'"),
        (other, "argument 'key' is str, but it is annotated int"),
        (strict, r"argument 'rows' is list\[Row\] \| None, but it is annotated list"),
        (result, r"the result must be Row \| None, but it is annotated str"),
        (fields, "argument 'rows' is"),
        (5, "a function is asked for, int given"),
    ]:
        with pytest.raises(svm.LinkError, match=f"'host' 'lookup'.*: {message}"):
            user().spawn(engine="interpreter", host=good | {"lookup": function})
    with pytest.raises(svm.LinkError, match="unknown import: import 'host' 'lookup'"):
        user().spawn(engine="interpreter", host={key: good[key] for key in good if key != "lookup"})


def test_functions_that_fit_in_other_ways() -> None:
    def anything(*args: Any, **named: Any) -> Any:
        return None

    async def later(key: str, rows: Any) -> Row | None: ...

    for function in (anything, lambda key, rows: None, later, svm.HostFunction(lambda caller, key, rows: None, True)):
        user().spawn(engine="interpreter", host=Host().functions() | {"lookup": function})


def test_a_stub_lies_beside_its_program(tmp_path: Any) -> None:
    (tmp_path / "host.pyi").write_text("def twice(text: str) -> str: ...\n")
    program = tmp_path / "program.kr"
    body = "@export\ndef f(t: str) -> str:\n    return host.twice(t)\n"
    program.write_text(f"import host\nfrom krait import export\n{body}")
    guest = svm.load(program).spawn(engine="interpreter", host={"twice": lambda text: text * 2})
    assert guest.call("f", "ab") == "abab"
