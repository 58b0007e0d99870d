"""A program in CPython and on svm's engines: all print the same and end alike, or the compiler refuses it for a reason.

In: a source. Out: words for how it went. Raises Difference where something is not as it must be.
"""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import krait
from svm import Console, LimitError, Limits, Module, UncaughtError
from svm.module import Module as Model
from tests.fuzz.krait.kinds import LOOSE
from tests.fuzz.runs import Difference
from tests.krait.cpython import CPython, Outcome

__all__ = ["REFUSALS", "compare", "ending", "outcome"]

LIMITS = Limits(fuel=200_000_000, memory="64 MiB", stack="1 MiB")
_UNBOUND = re.compile(
    r"UnboundLocalError(.*)cannot access local variable ('\w+') where it is not associated with a value"
)
_FREE = r"NameError\1cannot access free variable \2 where it is not associated with a value in enclosing scope"
REFUSALS = {
    "^the order of a .* differs from run to run": "the order of a set of texts",
    "^this int does not fit into 64 bits": "`int` has 64 bits",
}
"""Patterns of the compiler's errors that a generated program may meet, and what `docs/language.md` has them under."""
_OF_LOOSE = {
    "^(?=.*int)(?=.*float)(expected .* found|.* does not (take|compare)|.* is never equal)": "ints for floats",
}
"""Those of a program whose ints stand for floats besides: a list of ints is no list of floats."""
_AT_RUN_TIME = {"the order of a set of texts differs from run to run in CPython": "the order of a set of texts"}
"""What a program may be told when it runs."""


def oracle() -> CPython:
    """The process of CPython of this process: a worker does not use that of its parent."""
    return _oracle_of(os.getpid())


@cache
def _oracle_of(process: int) -> CPython:
    return CPython(bounded=True)


def outcome(model: Model, engine: str, *, stress: bool = False) -> Outcome | None:
    """What a compiled program does on an engine; None if it runs into a limit."""
    out = io.BytesIO()
    console = Console(io.BytesIO(), out, io.BytesIO(), args=("program.kr",))
    exception = None
    with Module(model).spawn(engine=engine, devices=[console], limits=LIMITS) as guest:
        guest.set_global("krait:gc_stress", int(stress))
        try:
            status = guest.run()
        except UncaughtError as error:
            status, exception = 1, error.description
        except LimitError:
            return None
    return Outcome(out.getvalue().decode("utf-8", "surrogateescape"), status, exception)


def compare(source: str, engines: tuple[str, ...], *, stress: bool = False) -> Counter[str]:
    """Run a program everywhere."""
    try:
        model = krait.compile_source(source, "program.kr")
    except krait.CompileError as error:
        return Counter(refused(error, REFUSALS | _OF_LOOSE if source.startswith(LOOSE) else REFUSALS))
    try:
        expected = oracle().run(source)
    except TimeoutError:
        return Counter(["too long"])
    for engine in engines:
        mine = outcome(model, engine, stress=stress)
        if mine is None:
            return Counter(["too long"])
        for text, place in _AT_RUN_TIME.items():
            if text in mine.stdout and text not in expected.stdout:
                return Counter(["refused", f"refused: {place}"])
        if _plain(mine) != _plain(expected):
            raise Difference(apart(mine, expected, engine))
    ending = "exit" if expected.exception is None else expected.exception.partition(":")[0]
    return Counter(["agrees", f"ended by {ending}"])


def _plain(outcome: Outcome) -> Outcome:
    """An outcome with the one message that `docs/language.md` allows to differ as in CPython."""
    return replace(outcome, stdout=_UNBOUND.sub(_FREE, outcome.stdout),
                   exception=outcome.exception and _UNBOUND.sub(_FREE, outcome.exception))  # fmt: skip


def ending(source: str, engine: str, *, stress: bool = False) -> str:
    """How a program fails on an engine, in words that stay the same while it is made small; "" if it does not."""
    try:
        compare(source, (engine,), stress=stress)
    except Difference as difference:
        text = str(difference).partition("\n")[0]
        if text.startswith("refused"):
            return re.sub(r"`[^`]*`", "`…`", text)
        return f"differs {'|'.join(re.findall(r'NameError|TypeError|AttributeError|UnboundLocalError', text))}"
    except SyntaxError:
        return ""
    except Exception as error:
        return type(error).__name__
    return ""


def refused(error: krait.CompileError, allowed: Mapping[str, str]) -> list[str]:
    """The words for a refusal.  Raises Difference if none of some patterns says that there may be one."""
    words = []
    for found in error.diagnostics:
        for pattern, place in allowed.items():
            if re.search(pattern, found.message):
                words.append(f"refused: {place}")
                break
        else:
            raise Difference(f"refused: {found.message}\n{error}")
    return ["refused", *words]


def apart(mine: Outcome, expected: Outcome, engine: str) -> str:
    """Where two outcomes differ first."""
    ours, theirs = mine.stdout.split("\n"), expected.stdout.split("\n")
    for at, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return f"line {at + 1}: {one!r} on {engine}, {other!r} in CPython"
    if len(ours) != len(theirs):
        more, who = (ours, engine) if len(ours) > len(theirs) else (theirs, "CPython")
        return f"line {min(len(ours), len(theirs)) + 1} is of {who} alone: {more[min(len(ours), len(theirs))]!r}"
    return f"{mine.status} {mine.exception!r} on {engine}, {expected.status} {expected.exception!r} in CPython"
