"""The collector, as programs meet it: what they still need stays, whatever the compiler did with it; the rest goes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import krait
from svm import Console, Guest, Limits, Module
from svm.errors import UncaughtError
from svm.module import Module as Model
from svm.module import to_text
from tests.krait.test_programs import ENDINGS
from tests.test_examples import EXAMPLES, ROOT

PROGRAMS = sorted((Path(__file__).parent.parent / "programs").glob("*.kr"))


def outcome(model: Model, engine: str, *, stress: bool, stdin: bytes = b"", memory: str | None = None) -> object:
    """Return what a program prints and how it ends."""
    out = io.BytesIO()
    console = Console(io.BytesIO(stdin), out, io.BytesIO(), args=("program.kr",))
    with Module(model).spawn(engine=engine, devices=[console], limits=Limits(memory=memory)) as guest:
        guest.set_global("krait:gc_stress", int(stress))
        try:
            ending: object = guest.run()
        except UncaughtError as error:
            ending = error.description
    return out.getvalue().decode(), ending


def check_under_stress(source: str, engine: str = "interpreter") -> None:
    model = krait.compile_source(source, "program.kr")
    assert outcome(model, engine, stress=True) == outcome(model, engine, stress=False)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_programs_under_stress(path: Path) -> None:
    """A collection at every allocation, and what is freed is overwritten."""
    model = krait.compile_source(path.read_text(encoding="utf-8"), "program.kr")
    given = path.with_suffix(".in")
    stdin = given.read_bytes() if given.exists() else b""
    stressed = outcome(model, "interpreter", stress=True, stdin=stdin)
    assert stressed == outcome(model, "interpreter", stress=False, stdin=stdin)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "spell" else name for name in EXAMPLES]
)
def test_examples_under_stress(name: str) -> None:
    model = krait.compile_file(ROOT / "examples" / f"{name}.kr")
    read = EXAMPLES[name]
    stdin = b"" if read is None else (ROOT / "examples" / "data" / read).read_bytes()
    stressed = outcome(model, "interpreter", stress=True, stdin=stdin)
    assert stressed == outcome(model, "interpreter", stress=False, stdin=stdin)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDINGS)
def test_endings_under_stress(name: str) -> None:
    check_under_stress(ENDINGS[name])


PIECES = {
    "operands": "def f(s: str) -> str:\n    return s + '!'\nprint(f('a' + str(1)) + f('b' + str(2)) + f('c' + str(3)))",
    "arguments": """
class P:
    def __init__(self, a: str, b: str) -> None:
        self.a = a
        self.b = b
def make(n: int) -> str:
    return str(n) * 3
def two(a: P, b: P) -> str:
    return a.a + b.b
print(two(P(make(1), make(2)), P(make(3), make(4))))
""",
    "conditional": "def f(n: int) -> str:\n    return ('x' * n if n > 2 else str(n)) + str(n * n)\nprint(f(1), f(5))",
    "loop variable": """
last = ''
for i in range(20):
    now = str(i) + '.'
    if i % 3:
        print(last + now + str(len(last)))
    last = now
""",
    "unbound until later": """
def f(n: int) -> str:
    for i in range(n):
        if i > 1:
            print(kept + str(i))
        kept = 'k' * (i + 2)
    return kept + str(n)
print(f(4))
""",
    "handler": """
def fail(s: str) -> str:
    if len(s) > 3:
        raise ValueError(s + '?')
    return s * 2
def f(s: str) -> str:
    seen = s + 'seen'
    try:
        seen = fail(s + 'y') + str(len(s))
    except ValueError as error:
        return seen + str(error) + str(1)
    finally:
        print('left ' + s + str(2))
    return seen + s
print(f('a' * 1), f('b' * 9))
""",
    "overflow": """
def f(s: str, n: int) -> str:
    kept = s + s
    try:
        n = n * n
        return kept + str(n)
    except OverflowError as error:
        return kept + str(error) + s
print(f('a' + str(1), 3), f('b' + str(1), 2 ** 40))
""",
    "index in a handler": """
def at(xs: list[str], i: int) -> str:
    return xs[i]
def f(xs: list[str], i: int) -> str:
    name = 'n' + str(i)
    try:
        return at(xs, i)
    except IndexError:
        return name + str(len(xs))
print(f([str(1), str(2)], 1), f([str(1)], 7))
""",
    "globals": """
names: list[str] = []
def add(n: int) -> None:
    names.append(str(n) + str(n))
for i in range(30):
    add(i)
print(names)
""",
    "sort with an order that makes objects": """
class W:
    def __init__(self, text: str) -> None:
        self.text = text
    def __lt__(self, other: 'W') -> bool:
        return self.text + '!' < other.text + '!'
words = [W(str(i * 7919 % 101)) for i in range(90)]
words.sort()
print([w.text for w in words])
""",
    "closures": """
from collections.abc import Callable
def named(name: str) -> Callable[[int], str]:
    full = name + str(len(name))
    def say(n: int) -> str:
        return full + str(n)
    return say
says = [named('n' * i) for i in range(5)]
print([say(i) for i, say in enumerate(says)])
""",
    "dictionaries": """
d: dict[str, list[str]] = {}
for i in range(60):
    d.setdefault(str(i % 7), []).append('v' + str(i))
for key in list(d.keys()):
    if len(key) and int(key) % 2:
        del d[key]
print(d)
""",
}


@pytest.mark.parametrize("name", PIECES)
def test_what_is_still_needed_stays(name: str, engine: str) -> None:
    check_under_stress(PIECES[name], engine)


LIST = """
class Node:
    def __init__(self, value: int, next: "Node | None") -> None:
        self.value = value
        self.next = next

head: Node | None = None
for i in range({count}):
    head = Node(i, head)
words: list[str] = []
for i in range({count}):
    words.append(str(i))
    if len(words) > 1000:
        words = []
total = 0
node = head
while node is not None:
    total += node.value
    node = node.next
print(total)
"""


def test_a_long_list_is_marked_in_little_memory() -> None:
    count = 200_000
    model = krait.compile_source(LIST.format(count=count))
    expected = f"{sum(range(count))}\n", 0
    assert outcome(model, "interpreter", stress=False, memory="8 MiB") == expected


TREES = """
class Tree:
    def __init__(self, left: "Tree | None", right: "Tree | None") -> None:
        self.left = left
        self.right = right

def make(depth: int) -> Tree:
    return Tree(None, None) if depth == 0 else Tree(make(depth - 1), make(depth - 1))

def count(tree: Tree | None) -> int:
    return 0 if tree is None else 1 + count(tree.left) + count(tree.right)

kept = make(12)
total = 0
for i in range({rounds}):
    total += count(make(10))
    line = [j for j in range(i % 50 * 200)]
    text = str(i) * (i % 300 * 20)
    total += len(line) + len(text) - len(text)
print(total, count(kept))
"""


def run_trees(rounds: int) -> None:
    model = krait.compile_source(TREES.format(rounds=rounds))
    total = sum(2047 + i % 50 * 200 for i in range(rounds))
    assert outcome(model, "interpreter", stress=False, memory="16 MiB") == (f"{total} 8191\n", 0)


def test_much_is_allocated_in_little_memory() -> None:
    run_trees(1500)


@pytest.mark.slow
def test_ten_gigabytes_are_allocated_in_sixteen_megabytes() -> None:
    """A round makes 32,000 bytes of trees, 39,000 of lists, 13,000 of text on average, besides what they outgrew."""
    run_trees(120_000)


def test_memory_error_when_all_is_in_use() -> None:
    source = """
print('there is a buffer for output')
keep: list[list[int]] = []
try:
    while True:
        keep.append([0] * 1000)
except MemoryError:
    print('full', len(keep) > 100)
    keep = []
again = [[0] * 1000 for _ in range(100)]
print(len(again))
"""
    model = krait.compile_source(source)
    expected = "there is a buffer for output\nfull True\n100\n", 0
    assert outcome(model, "interpreter", stress=False, memory="4 MiB") == expected


EXPORTS = """
def fail(n: int) -> int:
    if n == 0:
        raise ValueError('x' + str(n))
    text = 'kept' + str(n)
    return fail(n - 1) + len(text)

def work(n: int) -> int:
    words = [str(i) for i in range(n)]
    return len(','.join(words))
"""


def test_uncaught_exceptions_leave_no_roots(engine: str) -> None:
    guest: Guest = Module(krait.compile_source(EXPORTS)).spawn(engine=engine, devices=[Console()])
    for _ in range(3 if engine == "reference" else 200):
        with pytest.raises(UncaughtError, match="x0"):
            guest.call("fail", 400)
    assert guest.call("work", 50) == 139


def test_code_without_objects_pays_nothing() -> None:
    source = """
def get(xs: list[int], i: int) -> int:
    return xs[i]

def mean(xs: list[int]) -> int:
    total = 0
    for i in range(len(xs)):
        total += get(xs, i)
    return total // len(xs)
print(mean([1, 2, 3]))
"""
    text = to_text(krait.compile_source(source))
    for name in ("get", "mean"):
        body = text.partition(f"\nfunc ${name} ")[2].partition("\nfunc ")[0]
        assert "local.get" in body
        assert "shadow" not in body
