"""What the checker works out by itself: types of locals, of empty lists, of fields; what is bound; what is not None."""

from __future__ import annotations

import pytest

import krait


def errors(source: str) -> list[str]:
    try:
        krait.compile_source(source)
    except krait.CompileError as error:
        return [found.message for found in error.diagnostics]
    return []


ACCEPTED = {
    "empty list filled later": "xs = []\nxs.append(1.5)\nprint(xs[0] + 1)\n",
    "empty list filled in a loop before it is read": (
        "def f() -> int:\n    xs = []\n    while len(xs) < 3:\n        if xs:\n            print(xs[-1] + 1)\n"
        "        xs.append(1)\n    return xs[0]\n\n\nprint(f())\n"
    ),
    "empty list as an argument": "def f(xs: list[str]) -> int:\n    return len(xs)\n\n\nprint(f([]))\n",
    "nested empty lists": "grid = [[], []]\ngrid[0].append('x')\nprint(grid[0][0].upper())\n",
    "none that becomes an int": (
        "best = None\nfor x in [1, 3]:\n    if best is None or x > best:\n        best = x\nprint(best)\n"
    ),
    "field from an argument": (
        "class A:\n    def __init__(self, n: int) -> None:\n        self.n = n\n        self.xs = []\n\n"
        "    def add(self) -> None:\n        self.xs.append(self.n)\n\n\na = A(1)\na.add()\nprint(a.xs[0])\n"
    ),
    "field read before the class is defined": (
        "def f(b: 'B') -> int:\n    return b.a.n\n\n\nclass B:\n    def __init__(self) -> None:\n"
        "        self.a = A()\n\n\n"
        "class A:\n    def __init__(self) -> None:\n        self.n = 1\n\n\nprint(f(B()))\n"
    ),
    "both branches bind": (
        "def f(c: bool) -> int:\n    if c:\n        x = 1\n    else:\n        x = 2\n    return x\n\n\n"
        "print(f(True))\n"
    ),
    "endless loop needs no return": (
        "def f() -> int:\n    while True:\n        if len('x') == 1:\n            return 1\n"
        "\n\nprint(f())\n"
    ),
    "raise ends a path": (
        "def f(n: int) -> int:\n    if n > 0:\n        return n\n    raise ValueError('x')\n"
        "\n\nprint(f(1))\n"
    ),
    "exit ends a path": (
        "import sys\n\n\ndef f(n: int) -> int:\n    if n > 0:\n        return n\n    sys.exit(1)\n\n\n"
        "print(f(1))\n"
    ),
    "guard narrows": (
        "def f(x: int | None) -> int:\n    if x is None:\n        return 0\n    return x + 1\n\n\n"
        "print(f(1))\n"
    ),
    "and narrows": "def f(s: str | None) -> bool:\n    return s is not None and len(s) > 1\n\n\nprint(f('ab'))\n",
    "or narrows": "def f(s: str | None) -> bool:\n    return s is None or s == 'x'\n\n\nprint(f(None))\n",
    "assert narrows": "def f(x: int | None) -> int:\n    assert x is not None\n    return x\n\n\nprint(f(1))\n",
    "loop condition narrows": (
        "class N:\n    def __init__(self, n: 'N | None') -> None:\n        self.n = n\n\n\n"
        "node: N | None = N(N(None))\ncount = 0\n"
        "while node is not None:\n    count += 1\n    node = node.n\nprint(count)\n"
    ),
    "typing names": (
        "from typing import List, Optional, Final\nLIMIT: Final[int] = 3\n\n\n"
        "def f(xs: List[int], y: Optional[str] = None) -> int:\n"
        "    return len(xs) + LIMIT\n\n\nprint(f([1]))\n"
    ),
    "isinstance of exceptions": (
        "def f(e: Exception) -> str:\n    if isinstance(e, ValueError):\n        return 'v'\n    return 'e'\n\n\n"
        "print(f(ValueError('x')), f(KeyError('k')))\n"
    ),
}

REFUSED = {
    "types that grow without end": (
        "def f[A, B](x: A, y: B) -> int:\n    return f((x, y), (y, x))\n\n\nprint(f(1, 'a'))\n",
        "`f` is needed for more and more types: a generic function that calls itself with ever larger types has no end",
    ),
    "masks of what is not defined, one in the other": (
        "print(" + "(" * 60 + "q" + " * 3 & 1)" * 60 + ")\n", "the name `q` is not defined",
    ),
    "a loop forgets what its body changes": (
        "def f(x: int | None) -> int:\n    if x is None:\n        return 0\n    total = 0\n    for i in range(3):\n"
        "        total += x\n        x = None\n    return total\n",
        "`+` does not take `int` and `int | None`",
    ),
    "an item that has two types": ("xs = []\nxs.append(1)\nxs.append('a')\n", "expected `int`, found `str`"),
    "a variable that changes its type, and is used as it was": (
        "x = 1\nx = 'a'\nprint(x - 1)\n", "expected `int`, found `str`",
    ),
    "a variable that would get ever larger types": (
        "x = 1\nfor i in range(3):\n    x = [x]\nprint(x)\n", "expected `int`, found `list[int]`",
    ),
    "a parameter without a type that would get ever larger ones": (
        "def f(n: int) -> str:\n    def g(x, k):\n        return str(x) if k == 0 else g([x], k - 1)\n"
        "    return g(n, 3)\n\n\nprint(f(1))\n",
        "expected `int`, found `list[int]`",
    ),
    "None where a value is wanted": (
        "def f(x: int) -> int:\n    return x\n\n\nf(None)\n", "expected `int`, found `None`",
    ),
    "bool for int": ("def f(x: int) -> int:\n    return x\n\n\nprint(f(True))\n", "expected `int`, found `bool`"),
    "names given in a test that is refused": (
        "def f(w: set[str]) -> None:\n    if h := [str(w)][0]:\n        print(h)\n    print(h + '')\n\n\nf({'a'})\n",
        "the order of a `set[str]` differs from run to run in CPython",
    ),
    "invariant lists": (
        "def f(xs: list[float]) -> None:\n    xs.append(0.5)\n\n\nys = [1]\nf(ys)\n",
        "expected `list[float]`, found `list[int]`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("source", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(source: str) -> None:
    assert errors(source) == []


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(source: str, message: str) -> None:
    assert errors(source) == [message]


def test_every_error_of_a_file_is_reported() -> None:
    source = (
        "a: int = 'x'\n\n\ndef f() -> int:\n    return 'y'\n\n\ndef g(z: int) -> None:\n    z.w()\n"
        "    q\n\n\nprint(1 + '2')\n"
    )
    assert len(errors(source)) == 5
