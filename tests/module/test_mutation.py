"""Damaged modules: whatever is done to a file, reading and checking it ends soon, in a module or in an error of ours.

A seeded share runs with every test run; `make slow` runs all of them.
"""

from __future__ import annotations

import time
import tracemalloc
from random import Random

import pytest

from svm.errors import Error, MalformedError
from svm.module import decode, encode, from_text, to_text, validate
from svm.module.leb import unsigned
from tests.module.corpus import corpus, encoded_corpus

SHARE, ALL = 5_000, 100_000
BATCH = 1_000
SECONDS = 2.0
"""Generous bound for one input of a few kilobytes, on a busy machine."""
INTERESTING = (0x00, 0x01, 0x02, 0x0B, 0x40, 0x41, 0x60, 0x7F, 0x80, 0xD0, 0xE0, 0xFC, 0xFF)
LENGTHS = tuple(map(unsigned, (0, 1, 127, 128, 255, 0xFFFF, 1_000_000, 2**31 - 1, 2**32 - 1)))


def mutated(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """`data` with one to four changes: bits, bytes, lengths, cuts, and pieces of itself or of another module."""
    out = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(out) + 1)
        match random.randrange(8):
            case 0:
                del out[at:]
            case 1:
                out[at : at + random.randrange(9)] = b""
            case 2:
                other = random.choice(others)
                start = random.randrange(len(other))
                out[at : at + random.randrange(20)] = other[start : start + random.randrange(40)]
            case 3:
                out[at : at + 1] = random.choice(LENGTHS)
            case 4:
                out[at:at] = random.randbytes(random.randrange(1, 9))
            case 5:
                out[at : at + 1] = bytes((random.choice(INTERESTING),))
            case _:
                if at < len(out):
                    out[at] ^= 1 << random.randrange(8)
    return bytes(out) if random.randrange(8) else bytes(data[:8] + out[8:])


def read(data: bytes) -> str:
    """How far a file gets: the name of the error that ends it, else `valid`.  Anything but an `Error` escapes."""
    try:
        module = decode(data)
    except MalformedError:
        return "malformed"
    text = to_text(module)
    assert to_text(from_text(text)) == text
    assert decode(encode(module)) == module
    try:
        validate(module)
    except Error as error:
        return type(error).__name__
    return "valid"


def run(batch: int, count: int) -> dict[str, int]:
    seeds = encoded_corpus()
    found: dict[str, int] = {}
    for number in range(batch * BATCH, batch * BATCH + count):
        random = Random(number)
        data = mutated(random.choice(seeds), random, seeds)
        start = time.perf_counter()
        outcome = read(data)
        assert time.perf_counter() - start < SECONDS, f"mutant {number}"
        found[outcome] = found.get(outcome, 0) + 1
    return found


@pytest.mark.parametrize("batch", range(SHARE // BATCH))
def test_mutated_modules(batch: int) -> None:
    found = run(batch, BATCH)
    assert set(found) <= {"malformed", "InvalidError", "MalformedError", "valid"}
    assert len(found) == 4, f"the mutants do not reach every outcome: {found}"


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(SHARE // BATCH, ALL // BATCH))
def test_more_mutated_modules(batch: int) -> None:
    run(batch, BATCH)


def test_mutated_modules_need_little_memory() -> None:
    """A small file cannot ask for much: a count is believed only as far as there are bytes behind it."""
    seeds = encoded_corpus()
    tracemalloc.start()
    try:
        for number in range(300):
            random = Random(f"memory {number}")
            data = mutated(random.choice(seeds), random, seeds)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            read(data)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < 8 << 20, f"mutant {number} of {len(data)} bytes took {peak - before} bytes"
    finally:
        tracemalloc.stop()


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
            read(data[:place] + length + data[place + 1 :])


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
