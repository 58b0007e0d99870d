"""What the pages about the language say: their programs compile and print what stands beside them, or are refused so.

A block of Python is a program. A block of text behind it is what it prints, here and in CPython, the last line of a
traceback included; `python differs` marks what CPython does not print. Lines that end in `# refused: …` are where
errors are, and what they say.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import krait
import svm
from tests.krait.conftest import Run

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / "compiler" / "krait"
_BLOCK = re.compile(r"^```python( differs)?\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_REFUSED = re.compile(r"  # refused: (.*)$", re.MULTILINE)

UNREACHED = {
    "`{}` expressions": "all kinds of expressions have a rule",
    "`{}` statements": "all kinds of statements have a rule",
    "this pattern": "all kinds of patterns have a rule",
    "`*` in a target": "what holds one is taken apart before",
    "the use of `{}` in this function, since it may change later": "such a variable has a cell",
}
"""What the checker says where it is asked for something that its other parts keep from it."""


class Block(NamedTuple):
    """A program of a page: where it begins, whether CPython does something else, and what it prints."""

    page: str
    line: int
    differs: bool
    source: str
    output: str


def blocks(page: str) -> list[Block]:
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = [
        Block(page, text.count("\n", 0, match.start()) + 1, bool(match[1]), match[2], match[3] or "")
        for match in _BLOCK.finditer(text)
    ]
    assert len(found) == text.count("```python")
    return found


BLOCKS = [*blocks("language.md"), *blocks("refusals.md")]


def outcome(source: str) -> str:
    """What a program prints, and the last line of the traceback that ends it."""
    out = io.BytesIO()
    with svm.compile(source, "block.kr").spawn(devices=[svm.Console(io.BytesIO(), out, io.BytesIO())]) as guest:
        try:
            guest.run()
        except svm.UncaughtError as error:
            out.write(f"{error.description}\n".encode())
    return out.getvalue().decode()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}-{block.line}")
def test_a_block_does_what_the_page_says(block: Block, oracle: Run) -> None:
    refused = [(block.source.count("\n", 0, match.start()) + 1, match[1]) for match in _REFUSED.finditer(block.source)]
    if refused:
        with pytest.raises(krait.CompileError) as raised:
            krait.compile_source(block.source)
        assert [(found.span.start_line, found.message) for found in raised.value.diagnostics] == refused
        return
    assert outcome(block.source) == block.output
    if block.differs or ("\ntype " in block.source and sys.version_info < (3, 12)):
        return
    done = oracle(block.source)
    assert done.stdout + (f"{done.exception}\n" if done.exception else "") == block.output


def template(node: ast.expr) -> str | None:
    """The text that an expression gives, with `{}` for what is put in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        case _:
            return None


def refusals() -> Iterator[str]:
    """What the compiler says of things that are not part of Krait."""
    for path in sorted(CHECKS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                texts = [text for text in map(template, node.args) if text]
                if isinstance(node.func, ast.Attribute) and node.func.attr == "later":
                    yield f"not yet part of Krait: {texts[0]}"
                else:
                    yield from (text for text in texts if "part of Krait" in text)


def test_no_refusal_is_missing() -> None:
    said = {match[1] for block in BLOCKS for match in _REFUSED.finditer(block.source)}
    missing = set()
    for message in refusals():
        pattern = ".+".join(map(re.escape, message.split("{}")))
        short = message.removeprefix("not yet part of Krait: ")
        if short not in UNREACHED and not any(re.fullmatch(pattern, each) for each in said):
            missing.add(message)
    assert missing == set()
