"""Damaged text, and lengths that lie: reading ends soon, in a module or in an error of ours.

Damaged files in general are the concern of `tests.fuzz`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from random import Random

import pytest

from svm.errors import MalformedError
from svm.module import decode, encode, from_text, to_text
from svm.module.leb import unsigned
from tests.module.corpus import corpus

SECONDS = 2.0
"""Generous bound for one input of a few kilobytes, on a busy machine."""
LENGTHS = tuple(map(unsigned, (0, 1, 127, 128, 255, 0xFFFF, 1_000_000, 2**31 - 1, 2**32 - 1)))


@pytest.mark.parametrize("section", range(16))
def test_every_length_of_a_section_may_lie(section: int) -> None:
    """Each section's own bytes, each replaced by the lengths that are most likely to do harm."""
    data = encode(corpus()[0])
    at = 8
    while at < len(data) and data[at] != section:
        size, shift, at = 0, 0, at + 1
        while True:
            size |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                break
        at += size
    for place in range(at, min(at + 30, len(data))):
        for length in LENGTHS:
            with suppress(MalformedError):
                module = decode(data[:place] + length + data[place + 1 :])
                assert decode(encode(module)) == module


def mutated_text(text: str, random: Random) -> str:
    """Lines and characters dropped, doubled, swapped and replaced."""
    lines = text.split("\n")
    for _ in range(random.randrange(1, 4)):
        at, to = random.randrange(len(lines)), random.randrange(len(lines))
        words = lines[at].split(" ")
        match random.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines[at] = lines[to]
            case 2:
                lines[at], lines[to] = lines[to], lines[at]
            case 3:
                words[random.randrange(len(words))] = random.choice(WORDS)
                lines[at] = " ".join(words)
            case 4:
                place = random.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:place] + random.choice(CHARACTERS) + lines[at][place + 1 :]
            case 5:
                lines.insert(at, random.choice(WORDS))
            case _:
                lines[at] = " ".join(words[: random.randrange(len(words) + 1)])
        lines = lines or [""]
    return "\n".join(lines)


WORDS = (
    "end", "func", "(", ")", '"', "$", '$""', "-1", "4294967296", "1e400", "nan:0x0", "nan", "0x", "(type 9)",
    "(param i32", "(result)", "offset=", "align=3", "align=2**99999999999", "9" * 5000, "@", "*", "i32", "block", ";;",
    "\\", '"\\u{110000}"', '"\\u{d800}"', '"\\ff"', "\x00", "\ud800", "local $x i32 * 5", "lines 0", "passive", "at",
)  # fmt: skip
CHARACTERS = '"$();@*\\0x\n\t\r\0é\ud800 '


@pytest.mark.parametrize("batch", range(4))
def test_mutated_text(batch: int) -> None:
    """Bad text is a MalformedError with a line, and nothing else; what is read can be encoded and written."""
    texts = [to_text(module) for module in corpus()]
    for number in range(batch * 500, batch * 500 + 500):
        random = Random(f"text {number}")
        text = mutated_text(random.choice(texts), random)
        start = time.perf_counter()
        read_text(text)
        assert time.perf_counter() - start < SECONDS


def read_text(text: str) -> None:
    """Text is a module that can be encoded and written again, or an error of readable size with a line."""
    try:
        module = from_text(text)
    except MalformedError as error:
        assert 1 <= (error.place.line or 0) <= text.count("\n") + 1  # noqa: PT017  # success is as good
        assert len(str(error)) < 300  # noqa: PT017
        return
    assert decode(encode(module)) == module
    assert from_text(to_text(module)) == module


def test_junk_is_no_text() -> None:
    for number in range(500):
        random = Random(f"junk {number}")
        read_text("".join(random.choices(CHARACTERS + "abcfunc", k=random.randrange(60))))
