"""What loops keep in locals, and what they must read anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import krait
from krait.check import check_program, hir
from krait.check.types import INT, ClassType, Local, Optional, Type, resolve
from krait.diagnostics import DiagnosticSink
from krait.emit.effects import Effects
from krait.sources import Sources
from krait.syntax.parser import parse
from svm.module import to_text

PROGRAMS = Path(__file__).parents[1] / "programs"

HEADING = """
class Bag:
    def __init__(self, items: list[int]) -> None:
        self.items = items
        self.size = len(items)

    def grow(self) -> None:
        self.size += 1

    def total(self) -> int:
        return self.size * 2


class Slow(Bag):
    def total(self) -> int:
        self.items = []
        return 0


def touch(bag: Bag) -> None:
    bag.size = 3


def look(bag: Bag) -> int:
    found = 0
    for item in bag.items:
        found += item
    return found + bag.size


limit = 5


def raise_limit() -> None:
    global limit
    limit += 1


raise_limit()
Slow([1]).total()
touch(Bag([look(Bag([]))]))
Bag([]).grow()
"""

KEPT = [
    ("for i in range(len(xs)):\n    total += xs[i]", 1),
    ("for x in xs:\n    total += x", 1),
    ("for i in range(9):\n    total += bag.items[i] * bag.size", 1),
    ("for i in range(9):\n    bag.items[i] = i", 0),
    ("for i in range(9):\n    other = Bag(xs)\n    total += bag.size + len(bag.items)", 2),  # the two of a new object
    ("while total < limit:\n    total += 1", 0),
    ("for i in range(limit):\n    total += look(bag) + bag.size", 0),
]
"""Bodies with a loop, and how many loads are left in it."""

READ = [
    ("for i in range(9):\n    total += bag.size\n    touch(bag)", "i64.load offset=16"),
    ("for i in range(9):\n    total += bag.size\n    bag.grow()", "i64.load offset=16"),
    ("for i in range(9):\n    total += bag.size\n    bags[i].size = 3", "i64.load offset=16"),
    ("for i in range(9):\n    total += bag.items[i] + bag.total()", "i32.load offset=8"),
    ("for x in xs:\n    total += x\n    bag.items.append(x)", "i32.load offset=16"),
    ("for b in bags:\n    total += b.size", "i64.load offset=16"),
    ("while len(bag.items) > 3:\n    total += bag.size\n    bag = bags[total]", "i64.load offset=16"),
    ("for i in range(9):\n    total += limit\n    raise_limit()", "global.get $__main__.limit"),
]
"""Bodies with a loop, and what must stay in it."""


@pytest.fixture(scope="module")
def loops() -> dict[str, str]:
    """The text of the loop of each body, the quick form where there are two (`krait.emit.versions`)."""
    source, bodies = HEADING, [body for body, _ in (*KEPT, *READ)]
    for number, body in enumerate(bodies):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        source += f"\n\ndef work{number}(bag: Bag, xs: list[int], bags: list[Bag]) -> int:\n    total = 0\n{lines}"
        source += f"    return total\n\n\nprint(work{number}(Bag([]), [], []))\n"
    text = to_text(krait.compile_source(source, "t.kr"))
    found = {}
    for number, body in enumerate(bodies):
        function = re.search(rf"^func \$work{number} .*?^end$", text, re.MULTILINE | re.DOTALL)
        assert function is not None
        loop = re.search(r"^( +)loop .*?^\1end$", function[0], re.MULTILINE | re.DOTALL)
        assert loop is not None
        found[body] = loop[0]
    return found


@pytest.mark.parametrize(("body", "loads"), KEPT)
def test_what_a_loop_does_not_change_is_read_before_it(loops: dict[str, str], body: str, loads: int) -> None:
    loop = loops[body]
    assert loop.count(".load") == loads, loop
    assert "global.get $__main__.limit" not in loop


@pytest.mark.parametrize(("body", "read"), READ)
def test_what_a_loop_may_change_is_read_each_time(loops: dict[str, str], body: str, read: str) -> None:
    assert read in loops[body]


@pytest.mark.parametrize("name", ["closures", "generators"])
def test_casts_stay_within_a_hierarchy(name: str) -> None:
    """A field is known by the root of its class's hierarchy, so no cast may lead to another one."""
    source = (PROGRAMS / f"{name}.kr").read_text(encoding="utf-8")
    sink = DiagnosticSink("t.kr", source)
    parsed = parse(source, "t.kr", sink)
    assert parsed is not None
    program = check_program(parsed, source, "t.kr", sink, Sources([], {}))
    effects = Effects(program.functions, program.callees, program.makers)
    casts = 0
    for function in program.functions.values():
        for node in hir.walk(function.body):
            if isinstance(node, hir.Cast):
                types = [_class_of(node.type), _class_of(node.value.type)]
                if None not in types:
                    keys = {effects.key(hir.FieldGet(INT, hir.LocalGet(t, Local("x")), "x")) for t in types if t}
                    assert len(keys) == 1, types
                    casts += 1
    assert casts > 20


def _class_of(t: Type) -> ClassType | None:
    t = resolve(t)
    t = t.inner if isinstance(t, Optional) else t
    return t if isinstance(t, ClassType) else None
