"""`str`: its methods, operators, slices and `repr`, against CPython's."""

from __future__ import annotations

import random
import unicodedata

import pytest

from tests.stdlib.guests import Program, expect

METHODS = """
import sys

def texts(parts: list[str]) -> str:
    return repr(parts)

def answer(op: str, s: str, t: str, u: str, i: int, j: int, k: int) -> str:
    if op == "+": return repr(s + t)
    if op == "*": return repr(s * i)
    if op == "in": return repr(t in s)
    if op == "==": return repr(s == t)
    if op == "<": return f"{s < t} {s <= t} {s > t} {s >= t} {s != t}"
    if op == "len": return repr(len(s))
    if op == "at": return repr(s[i])
    if op == "slice": return repr(s[i:j])
    if op == "step": return repr(s[i:j:k])
    if op == "open": return repr(s[::k]) + repr(s[i::k]) + repr(s[:i:k])
    if op == "find": return f"{s.find(t)} {s.find(t, i)} {s.find(t, i, j)}"
    if op == "rfind": return f"{s.rfind(t)} {s.rfind(t, i)} {s.rfind(t, i, j)}"
    if op == "index": return repr(s.index(t, i))
    if op == "rindex": return repr(s.rindex(t))
    if op == "count": return f"{s.count(t)} {s.count(t, i)} {s.count(t, i, j)}"
    if op == "starts": return f"{s.startswith(t)} {s.startswith(t, i)} {s.startswith(t, i, j)}"
    if op == "ends": return f"{s.endswith(t)} {s.endswith(t, i)} {s.endswith(t, i, j)}"
    if op == "split": return repr(s.split()) + repr(s.split(None, i))
    if op == "splitby": return repr(s.split(t)) + repr(s.split(t, i))
    if op == "rsplit": return repr(s.rsplit()) + repr(s.rsplit(None, i))
    if op == "rsplitby": return repr(s.rsplit(t)) + repr(s.rsplit(t, i))
    if op == "partition": return repr(s.partition(t)) + repr(s.rpartition(t))
    if op == "lines": return repr(s.splitlines()) + repr(s.splitlines(True))
    if op == "strip": return repr(s.strip()) + repr(s.lstrip()) + repr(s.rstrip())
    if op == "stripof": return repr(s.strip(t)) + repr(s.lstrip(t)) + repr(s.rstrip(t))
    if op == "remove": return repr(s.removeprefix(t)) + repr(s.removesuffix(t))
    if op == "replace": return repr(s.replace(t, u)) + repr(s.replace(t, u, i))
    if op == "join": return repr(s.join([t, u, s])) + repr(s.join([])) + repr(s.join([t]))
    if op == "just": return repr(s.ljust(i)) + repr(s.rjust(i)) + repr(s.center(i)) + repr(s.zfill(i))
    if op == "justby": return repr(s.ljust(i, t)) + repr(s.rjust(i, t)) + repr(s.center(i, t))
    if op == "tabs": return repr(s.expandtabs()) + repr(s.expandtabs(i))
    if op == "case": return repr([s.upper(), s.lower(), s.title(), s.capitalize(), s.swapcase(), s.casefold()])
    if op == "list": return repr(list(s)) + repr([c for c in s])
    if op == "print": return s
    return "?"

def unescape(text: str) -> str:
    out = ""
    i = 0
    while i < len(text):
        if text[i] == "|":
            end = text.index(";", i)
            out += chr(int(text[i + 1:end], 16))
            i = end
        else:
            out += text[i]
        i += 1
    return out

for line in sys.stdin:
    p = line[:-1].split("~")
    print(answer(p[0], unescape(p[1]), unescape(p[2]), unescape(p[3]), int(p[4]), int(p[5]), int(p[6])))
"""

PROPERTIES = """
import sys
for line in sys.stdin:
    c = chr(int(line))
    print(c.isalpha(), c.isdecimal(), c.isdigit(), c.isnumeric(), c.isspace(), c.isupper(), c.islower(), c.istitle(),
          c.isprintable(), c.isalnum(), c.isascii(), repr(c), repr(c.upper()), repr(c.lower()), repr(c.title()),
          repr(c.casefold()))
"""

SPACES = " \t\n\x0b\x1c\x85\xa0\u2003\u3000"
ALPHABETS = [
    "ab",
    "aAbB 1",
    "abc,;",
    "aäÄß ",
    "аΣσ→b ",
    "a😀𝔘\U0001f600b",
    SPACES + "ab",
    "a\r\n\x0b\x1c\u2028b",
    "a\t",
    "ﬁŉǰΐǅ'ab",
]
OPERATIONS = {
    "+": 2, "*": 1, "in": 2, "==": 2, "<": 2, "len": 1, "at": 1, "slice": 1, "step": 1, "open": 1, "find": 2,
    "rfind": 2,
    "index": 2, "rindex": 2, "count": 2, "starts": 2, "ends": 2, "split": 1, "splitby": 2, "rsplit": 1, "rsplitby": 2,
    "partition": 2, "lines": 1, "strip": 1, "stripof": 2, "remove": 2, "replace": 3, "join": 3, "just": 1, "justby": 2,
    "tabs": 1,
    "case": 1,
    "list": 1, "print": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def methods() -> Program:
    return Program(METHODS)


def cpython(op: str, s: str, t: str, u: str, i: int, j: int, k: int) -> str:
    """What CPython answers: the very function of the program."""
    scope: dict[str, object] = {}
    exec(METHODS.partition("def unescape")[0], scope)
    found = scope["answer"]
    assert callable(found)
    answer = found(op, s, t, u, i, j, k)
    assert isinstance(answer, str)
    return answer


def escape(text: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else f"|{ord(c):x};" for c in text)


def some_text(source: random.Random, alphabet: str, longest: int) -> str:
    return "".join(source.choice(alphabet) for _ in range(source.randrange(longest)))


def test_methods(methods: Program) -> None:
    source = random.Random(60)
    cases, expected = [], []
    while len(cases) < 700:
        op = source.choice(list(OPERATIONS))
        alphabet = source.choice(ALPHABETS)
        s = some_text(source, alphabet, 12)
        t = some_text(source, alphabet if source.random() < 0.8 else source.choice(ALPHABETS), 3)
        if len(s) > 2 and source.random() < 0.3:
            at = source.randrange(len(s))
            t = s[at : at + source.randrange(3)]
        u = some_text(source, source.choice(ALPHABETS), 3)
        numbers = [source.randrange(-14, 15) for _ in range(3)]
        try:
            answer = cpython(op, s, t, u, *numbers)
        except (ValueError, IndexError, TypeError):
            continue
        if "\n" not in answer and "\r" not in answer:
            cases.append("~".join([op, escape(s), escape(t), escape(u), *map(str, numbers)]))
            expected.append(answer)
    expect(methods, cases, expected)


@pytest.mark.parametrize(
    ("op", "numbers"), [("step", (0, 5, 0)), ("at", (5, 0, 0)), ("at", (-6, 0, 0)), ("index", (0, 0, 0)),
    ("rindex", (0, 0, 0)),
                        ("splitby", (0, 0, 0)), ("rsplitby", (1, 0, 0)), ("justby", (1, 0, 0))]
)  # fmt: skip
def test_errors(methods: Program, op: str, numbers: tuple[int, int, int]) -> None:
    t = "" if "split" in op else "xy"
    with pytest.raises((ValueError, IndexError, TypeError)) as caught:
        cpython(op, "hello", t, "", *numbers)
    line = "~".join([op, "hello", t, "", *map(str, numbers)])
    assert methods.run(line + "\n").error == f"{type(caught.value).__name__}: {caught.value}"


def test_rsplit_takes_overlapping_separators_from_the_end(methods: Program) -> None:
    expect(methods, ["rsplitby~aabaaab~aa~~-1~0~0"], ["['', 'ba', 'b']['', 'ba', 'b']"])


@pytest.mark.parametrize(
    "bounds", [(2**63 - 1, -(2**63), -1), (-(2**63), 2**63 - 1, 2**63 - 1), (9, -9, -(2**63)), (0, 9, 2**62)]
)
def test_extreme_slices(methods: Program, bounds: tuple[int, int, int]) -> None:
    line = "~".join(["step", "hello", "", "", *map(str, bounds)])
    assert methods.run(line + "\n").output == repr("hello"[slice(*bounds)]) + "\n"


@pytest.mark.skipif(unicodedata.unidata_version != "15.0.0", reason="the library's tables are those of Unicode 15.0")
def test_properties_of_characters() -> None:
    source = random.Random(70)
    points = [*range(0, 0x250, 2), *range(0x370, 0x400, 3), *(source.randrange(0x110000) for _ in range(100))]
    points += [source.randrange(0x20000) for _ in range(200)] + [0x3A3, 0x130, 0x1E9E, 0xFB03, 0x1F88, 0x10FFFF, 0x2028]
    points = [point for point in points if not 0xD800 <= point < 0xE000]
    scope: dict[str, object] = {}
    lines: list[str] = []
    scope.update(print=lambda *parts: lines.append(" ".join(map(str, parts))))
    body = PROPERTIES.replace("import sys\nfor line in sys.stdin:", "for line in lines:")
    exec(body, {**scope, "lines": map(str, points)})
    expect(Program(PROPERTIES), [str(point) for point in points], lines)
