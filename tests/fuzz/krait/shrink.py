"""A failing program made small: lines left out with what is indented below them, expressions replaced by their parts.

In: a source and whether a source still fails as it did. Out: the smallest that was found in the time.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

__all__ = ["shrink"]

_CONSTANTS = ("0", "''", "[]", "None", "0.0", "True")
_LONGEST = 3  # parts of an expression are tried if they are so many characters shorter


def shrink(source: str, fails: Callable[[str], bool], seconds: float) -> str:
    """The smallest source found within so many seconds that still fails."""
    end = time.monotonic() + seconds
    before = ""
    while source != before and time.monotonic() < end:
        before = source
        for change in (_without_lines, _with_less):
            source = _pass(source, change, fails, end)
    return source


def _pass(source: str, changes: Callable[[str], Iterator[str]], fails: Callable[[str], bool], end: float) -> str:
    """Take changes for as long as one of them still fails."""
    tried: set[str] = set()
    found = True
    while found and time.monotonic() < end:
        found = False
        for smaller in changes(source):
            if smaller in tried or time.monotonic() > end:
                continue
            tried.add(smaller)
            if fails(smaller):
                source, found = smaller, True
                break
    return source


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _block(lines: list[str], at: int) -> int:
    """Where the block that begins with a line ends."""
    stop = at + 1
    while stop < len(lines) and (not lines[stop].strip() or _indent(lines[stop]) > _indent(lines[at])):
        stop += 1
    return stop


def _without_lines(source: str) -> Iterator[str]:
    """Sources without a block, or with a block's inside in its place; the largest first."""
    lines = source.splitlines()
    blocks = sorted(((_block(lines, at) - at, at) for at in range(len(lines))), reverse=True)
    for size, at in blocks:
        yield _joined(lines[:at] + lines[at + size :])
        if size > 1:
            step = _indent(lines[at + 1]) - _indent(lines[at])
            yield _joined([*lines[:at], *(line[step:] for line in lines[at + 1 : at + size]), *lines[at + size :]])
            yield _joined([*lines[: at + 1], " " * _indent(lines[at + 1]) + "pass", *lines[at + size :]])


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _with_less(source: str) -> Iterator[str]:
    """Sources with an expression replaced by a part of it, or by a constant; the longest first."""
    lines = source.splitlines()
    found = []
    for at, line in enumerate(lines):
        text = line.strip()
        shift = _indent(line)
        for tail in ("", " pass", "\n    pass"):
            with suppress(SyntaxError):
                head = {"el": "if True:\n    pass\n", "ex": "try:\n    pass\n", "ca": "match x:\n    "}.get(
                    text[:2], ""
                )
                tree = ast.parse(text + tail) if not head else None
                if tree is not None:
                    found += [
                        (at, shift, node) for node in ast.walk(tree) if isinstance(node, ast.expr) and node.lineno == 1
                    ]
                    break
    found.sort(key=lambda item: -((item[2].end_col_offset or 0) - item[2].col_offset))
    for at, shift, node in found:
        data = lines[at].encode()
        first, last = shift + node.col_offset, shift + (node.end_col_offset or 0)
        parts = [data[shift + part.col_offset : shift + (part.end_col_offset or 0)].decode()
                 for part in ast.walk(node) if isinstance(part, ast.expr) and part is not node]  # fmt: skip
        for part in (*_CONSTANTS, *sorted(set(parts), key=len)):
            if len(part) + (part not in _CONSTANTS) < last - first - (_LONGEST if part in _CONSTANTS else 0):
                with suppress(UnicodeDecodeError):
                    line = (data[:first] + part.encode() + data[last:]).decode()
                    yield _joined([*lines[:at], line, *lines[at + 1 :]])
