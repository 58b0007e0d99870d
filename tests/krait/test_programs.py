"""Whole programs: what they print, how they exit and which exception ends them is what CPython does with them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import krait
from svm import Console, Module
from tests.krait.cpython import is_current

PROGRAMS = Path(__file__).parent / "programs"

NEEDS_3_12 = {"floats.kr"}
"""Programs whose output changed in CPython 3.12 (`sum` of floats is compensated since then)."""

ENDINGS = {
    "index": "xs = [1]\nprint('before')\nprint(xs[1])",
    "negative index": "xs = [1]\nxs[-2] = 3",
    "text index": "print('abc'[3])",
    "division": "def f(a: int, b: int) -> int:\n    return a // b\nprint(f(1, 0))",
    "remainder": "def f(a: int, b: int) -> int:\n    return a % b\nprint(f(1, 0))",
    "true division": "def f(a: int, b: int) -> float:\n    return a / b\nprint(f(1, 0))",
    "float division": "x = 1.5\ny = 0.0\nprint(x / y)",
    "float floor division": "x = 1.5\ny = 0.0\nprint(x // y)",
    "float remainder": "x = 1.5\ny = 0.0\nprint(x % y)",
    "shift": "n = -1\nn -= 0\nprint(1 << n)",
    "right shift": "n = -1\nn -= 0\nprint(1 >> n)",
    "masked shift": "n = -1\nn -= 0\nprint((1 << n) & 255)",
    "int of text": "print(int('12x'))",
    "int of text with base": "print(int('9', 8))",
    "int of nan": "print(int(float('nan')))",
    "int of infinity": "print(int(float('inf')))",
    "float of text": "print(float('1.5.2'))",
    "pop": "xs: list[int] = []\nxs.pop()",
    "pop index": "[1].pop(3)",
    "remove": "[1, 2].remove(5)",
    "list index": "[1, 2].index(5)",
    "text index method": "'abc'.index('z')",
    "empty separator": "'abc'.split('')",
    "range step": "for i in range(1, 2, int('0')):\n    pass",
    "raise": "raise ValueError('bad thing')",
    "raise class": "raise RuntimeError",
    "raise empty": "raise KeyError()",
    "raise key": "raise KeyError('k')",
    "raise subclass": "class MyError(ValueError):\n    pass\n\n\nraise MyError('custom')",
    "assert": "x = 1\nassert x == 2",
    "assert message": "x = 1\nassert x == 2, f'x is {x}'",
    "unbound local": "def f(c: bool) -> int:\n    if c:\n        x = 1\n    return x\n\n\nprint(f(True), f(False))",
    "unbound loop variable": "def f(n: int) -> int:\n    for i in range(n):\n        pass\n    return i\n\n\nf(0)",
    "unbound global": "def f() -> int:\n    return late\n\n\nif len('x'):\n    print(f())\nlate = 1",
    "function before def": "def a() -> int:\n    return b()\n\n\nprint(a())\n\n\ndef b() -> int:\n    return 1",
    "none attribute": "class N:\n    def __init__(self) -> None:\n        self.next: N | None = None\n\nN().next.next",
    "unpack few": "a, b = 'x'.split(',')",
    "unpack many": "a, b = 'x,y,z'.split(',')",
    "min empty": "xs: list[int] = []\nprint(min(xs, default=7))\nprint([1][5])",
    "chr": "print(chr(-1))",
    "ord": "print(ord('ab'))",
    "input end": "x = input()",
    "exit": "import sys\nprint('a')\nsys.exit(3)",
    "exit zero": "import sys\nsys.exit()",
    "exit text": "import sys\nsys.exit('message')",
    "exit in function": "from sys import exit\n\n\ndef f() -> int:\n    exit(4)\n\n\nprint(f())",
    "system exit": "raise SystemExit",
    "zero modulus by constant": "x = 5\nprint(x // (1 - 1))",
    "format": "print(f'{1.5:d}')",
    "text times": "print('ab' * 3 + str([1][2]))",
}
"""Small programs that end early, or in an exception."""


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.kr")), ids=lambda path: path.name)
def test_program_does_what_cpython_does(path: Path, run: Callable[..., object], oracle: Callable[..., object]) -> None:
    if path.name in NEEDS_3_12 and not is_current():
        pytest.skip("CPython before 3.12 prints something else")
    source = path.read_text(encoding="utf-8")
    given = path.with_suffix(".in")
    stdin = given.read_bytes() if given.exists() else b""
    assert run(source, stdin) == oracle(source, stdin)


@pytest.mark.parametrize("source", ENDINGS.values(), ids=ENDINGS.keys())
def test_program_ends_as_in_cpython(source: str, run: Callable[..., object], oracle: Callable[..., object]) -> None:
    assert run(source) == oracle(source)


def test_unbound_variables_of_a_generator_expression(run: Callable[..., Any], oracle: Callable[..., Any]) -> None:
    """The one difference there is: the name of the class, and the words."""
    body = "    if c:\n        x = 1\n    return sum(x for _ in 'ab')\n"
    source = f"def f(c: bool) -> int:\n{body}\n\nprint(f(True))\nf(False)\n"
    mine, other = run(source), oracle(source)
    assert (mine.stdout, mine.status) == (other.stdout, other.status) == ("2\n", 1)
    assert mine.exception.startswith("UnboundLocalError: cannot access local variable 'x' where it is not associated")
    assert other.exception.startswith("NameError: cannot access free variable 'x'")


def test_a_generator_that_is_sent_nothing_where_a_value_is_wanted(run: Callable[..., Any]) -> None:
    body = "    x = yield 1\n    print(x)\n    yield 2\n"
    heading = "from typing import Generator\n\n\ndef f() -> Generator[int, int, None]:\n"
    outcome = run(f"{heading}{body}\n\ng = f()\nprint(next(g))\nnext(g)\n")
    assert (outcome.stdout, outcome.status) == ("1\n", 1)
    assert outcome.exception == "TypeError: a generator that is sent `int` goes on without a value"


def test_the_value_of_a_stop_that_an_iterator_raised(run: Callable[..., Any]) -> None:
    outcome = run("try:\n    next(iter([0][:0]))\nexcept StopIteration as e:\n    print(e.value)\n")
    assert (outcome.stdout, outcome.status) == ("", 1)
    assert outcome.exception.startswith("TypeError: `value` of the end of an `Iterator`")


@pytest.mark.parametrize("last", ["print('end')", "raise SystemExit(3)", "print([1][1])"])
def test_a_generator_that_is_dropped_where_its_end_does_something(last: str, run: Callable[..., Any]) -> None:
    """CPython closes it when nothing refers to it any more; a program that leaves one behind ends with an error."""
    body = "    try:\n        yield 1\n    except GeneratorExit:\n        print('closed')\n"
    outcome = run(f"def g():\n{body}\n\nfor x in g():\n    print(x)\n    break\n{last}\n")
    assert outcome.exception.startswith(
        "RuntimeError: a generator stands in a `try` that would act on its end: use it up, or call its `close`"
    )
    outcome = run(f"def g():\n{body}\n\nfor x in g():\n    print(x)\nit = g()\nnext(it)\nit.close()\nprint('end')\n")
    assert (outcome.exception, outcome.stdout) == (None, "1\nclosed\nend\n")


def test_a_nan_has_no_sign() -> None:
    """CPython shows what the processor gave, which is a minus on x86; compiled code does, too, if it is not asked."""
    model = krait.compile_source("import math\nx = float('inf')\nprint(math.copysign(1.0, x % 2.5), x - x)\n")
    for engine in ("interpreter", "reference"):
        out = io.BytesIO()
        with Module(model).spawn(engine=engine, devices=[Console(io.BytesIO(), out, io.BytesIO())]) as guest:
            guest.run()
        assert out.getvalue() == b"1.0 nan\n"


def test_arguments_reach_the_program(run: Callable[..., object], oracle: Callable[..., object]) -> None:
    source = "import sys\nprint(len(sys.argv), sys.argv[1:])\nfor a in sys.argv[1:]:\n    print(int(a) + 1)\n"
    assert run(source, args=("1", "-2")) == oracle(source, args=("1", "-2"))


def test_overflow_is_an_error(run: Callable[..., Any]) -> None:
    for expression in ("x + 1", "-y", "x * 2", "y - 1", "abs(y)", "x << 1", "x ** 3", "x ** 2", "y // -1"):
        outcome = run(f"x = 9223372036854775807\ny = -x - 1\nx -= 0\ny -= 0\nprint('a')\nprint({expression})\n")
        assert outcome.stdout == "a\n"
        assert outcome.exception is not None
        assert outcome.exception.startswith("OverflowError: ")
