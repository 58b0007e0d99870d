"""Damaged sources: the project's own `.kr` files, cut, with tokens and lines moved, and with characters nobody types.

In: a number. Out: the bytes of a source that is likely wrong. `survive` compiles it: diagnostics come, or a module.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import krait
from svm import Module

__all__ = ["damaged", "sources", "survive"]

_ROOT = Path(__file__).parents[3]
_FOLDERS = ("tests/krait/programs", "tests/krait/golden", "examples", "benchmarks/programs", "stdlib")
_TOKEN = re.compile(
    r"\w+|\s+|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[-+*/%&|^<>=!:]=|\*\*|//|<<|>>|->|.", re.DOTALL
)
_STRANGE = (
    "\0", "\t", "\f", "\v", "\r", "\u00a0", "\u200b", "\u202e", "\ufeff", "“", "’", "；", "（", "\\", "\\\n", "$",
    "?", "!", "`", "@", "é", "𝒳", "f'", '"""', "'", "{", "}", "(", "[", ")", "#", ";", ":", ":=", "->", "...",
    "**", "*", "lambda", "yield", "await", "match", "case", "type", "class", "def", "import", "from", "async",
    "global", "nonlocal", "None", "0x", "1e", "1_", "0o8", "9" * 30, "1e999", "\\N{", "b'", "rb'", "not", "in",
    "is", "else", "elif", "finally", "except", "return", "self", "super()", "int", "list[", "->int", "|None",
    "@property\n", "@dataclass\n", "del ", "raise ", "with ", "assert ",
)  # fmt: skip
_NEST = (
    "(", "[", "{", "-", "not ", "f(", "lambda: ", "x[", "if x:\n", "*", "x.", "1+", "{1:", "(yield ", "f'{", "list[",
    "a if b else ", "for i in x:\n ",
)  # fmt: skip


@cache
def sources() -> tuple[bytes, ...]:
    """The good files (some of which are wrong on purpose)."""
    paths = [path for folder in _FOLDERS for path in sorted((_ROOT / folder).rglob("*.kr"))]
    return tuple(path.read_bytes() for path in paths if len(path.read_bytes()) < 12_000)


def damaged(number: int) -> bytes:
    """The source of a number."""
    random = Random(number)
    data = random.choice(sources())
    if random.random() < 0.5:
        data = _part(data, random)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        if random.random() < 0.06:
            data = _in_bytes(data, random)
        else:
            data = random.choice(_CHANGES)(data.decode("utf-8", "surrogateescape"), random).encode(
                "utf-8", "surrogateescape"
            )
    return data


def _part(data: bytes, random: Random) -> bytes:
    """Some lines of a file: errors that hide others are then fewer."""
    lines = data.splitlines(keepends=True)
    tops = [at for at, line in enumerate(lines) if line[:1].isalpha() or line[:1] == b"@"]
    chosen = random.sample(range(len(tops)), min(len(tops), random.randint(1, 6))) if tops else []
    out = []
    for at in sorted(chosen):
        stop = tops[at + 1] if at + 1 < len(tops) else len(lines)
        out += lines[tops[at] : stop]
    return b"".join(out)


def _in_bytes(data: bytes, random: Random) -> bytes:
    """A byte more, less, or another."""
    at = random.randrange(len(data) + 1)
    more = bytes([random.choice((0, 9, 10, 13, 0x80, 0xC3, 0xE2, 0xED, 0xF0, 0xFF, random.randrange(256)))])
    return data[:at] + random.choice((more, b"", more * 3)) + data[at + random.choice((0, 1)) :]


def _cut(text: str, random: Random) -> str:
    """The beginning, or the end."""
    at = random.randrange(len(text) + 1)
    return text[:at] if random.random() < 0.7 else text[at:]


def _in_tokens(change: Callable[[list[str], Random], None]) -> Callable[[str, Random], str]:
    def changed(text: str, random: Random) -> str:
        tokens = _TOKEN.findall(text)
        if len(tokens) > 1:
            change(tokens, random)
        return "".join(tokens)

    return changed


def _delete(tokens: list[str], random: Random) -> None:
    at = random.randrange(len(tokens))
    del tokens[at : at + random.choice((1, 1, 2, 5))]


def _double(tokens: list[str], random: Random) -> None:
    at = random.randrange(len(tokens))
    tokens[at:at] = tokens[at : at + random.choice((1, 1, 2, 4))]


def _swap(tokens: list[str], random: Random) -> None:
    one = random.randrange(len(tokens))
    other = random.choice((random.randrange(len(tokens)), min(one + 2, len(tokens) - 1)))
    tokens[one], tokens[other] = tokens[other], tokens[one]


def _replace(tokens: list[str], random: Random) -> None:
    """A word by another word, an operator by another: what comes out may well be a program."""
    one = random.randrange(len(tokens))
    alike = [token for token in tokens if token[0].isalnum() == tokens[one][0].isalnum() and not token.isspace()]
    if alike and not tokens[one].isspace():
        tokens[one] = random.choice(alike)


def _strange(tokens: list[str], random: Random) -> None:
    tokens.insert(random.randrange(len(tokens)), random.choice(_STRANGE))


def _other(tokens: list[str], random: Random) -> None:
    """Tokens of another file."""
    others = _TOKEN.findall(random.choice(sources()).decode("utf-8", "replace"))
    first = random.randrange(len(others))
    at = random.randrange(len(tokens))
    tokens[at : at + random.choice((0, 1, 3))] = others[first : first + random.choice((1, 2, 6, 20))]


def _nest(tokens: list[str], random: Random) -> None:
    """The same thing many times."""
    tokens.insert(random.randrange(len(tokens)), random.choice(_NEST) * random.choice((3, 30, 300, 3000)))


def _in_lines(change: Callable[[list[str], Random], None]) -> Callable[[str, Random], str]:
    def changed(text: str, random: Random) -> str:
        lines = text.split("\n")
        change(lines, random)
        return "\n".join(lines)

    return changed


def _indent(lines: list[str], random: Random) -> None:
    at = random.randrange(len(lines))
    for line in range(at, min(len(lines), at + random.choice((1, 1, 3)))):
        lines[line] = (
            random.choice((" ", "    ", "\t", "", "  ")) + lines[line].lstrip()
            if random.random() < 0.5
            else " " * 4 + lines[line]
        )


def _move_line(lines: list[str], random: Random) -> None:
    line = lines.pop(random.randrange(len(lines)))
    if random.random() < 0.8:
        lines.insert(random.randrange(len(lines) + 1), line)


def _double_line(lines: list[str], random: Random) -> None:
    lines.insert(random.randrange(len(lines) + 1), random.choice(lines))


def _join_lines(lines: list[str], random: Random) -> None:
    at = random.randrange(len(lines))
    lines[at : at + 2] = [random.choice(("", " ", ";", "\\\n", "\r")).join(lines[at : at + 2])]


_CHANGES: tuple[Callable[[str, Random], str], ...] = (
    _cut,
    *map(_in_tokens, (_delete, _delete, _double, _swap, _swap, _replace, _replace, _replace, _strange, _other, _nest)),
    *map(_in_lines, (_indent, _move_line, _double_line, _join_lines)),
)  # fmt: skip


def survive(data: bytes) -> str:
    """Compile a source: whether there was a module, or how the first error begins.  Whatever else is raised escapes."""
    try:
        model = krait.compile_source(data, "damaged.kr")
    except krait.CompileError as error:
        wrong = error
    else:
        Module(model)
        return "compiled"
    assert wrong.diagnostics
    assert str(wrong).encode(), "there is something to read"
    return "refused"
