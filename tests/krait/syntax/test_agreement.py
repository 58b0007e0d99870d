"""The parser against CPython's: the same sources accepted, the same trees, the same places."""

from __future__ import annotations

import random
import re
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krait.diagnostics import CompileError
from tests.krait.syntax.oracle import (
    first_difference,
    from_cpython,
    from_krait,
    is_compiled,
    krait_tree,
    without_string_places,
)
from tests.krait.syntax.snippets import NEWER, REFUSED, SAME, STRICTER

PEP_701 = sys.version_info >= (3, 12)
STDLIB = Path(sysconfig.get_paths()["stdlib"])


def agree(source: str) -> None:
    """Krait accepts `source` and makes CPython's tree of it."""
    module, sink = krait_tree(source)
    assert module is not None, str(CompileError(sink.diagnostics, sink.sources))
    wanted, made = without_string_places(from_cpython(source)), without_string_places(from_krait(module))
    assert first_difference(wanted, made) is None


@pytest.mark.parametrize("source", SAME)
def test_the_tree_is_cpythons(source: str) -> None:
    agree(source)


@pytest.mark.skipif(not PEP_701, reason="CPython has this syntax since 3.12")
@pytest.mark.parametrize("source", NEWER)
def test_the_tree_of_newer_syntax_is_cpythons(source: str) -> None:
    agree(source)


@pytest.mark.parametrize("source", NEWER)
def test_newer_syntax_is_accepted_whatever_python_runs(source: str) -> None:
    assert krait_tree(source)[0] is not None


@pytest.mark.parametrize("source", REFUSED)
def test_both_refuse(source: str) -> None:
    module, sink = krait_tree(source)
    assert module is None
    assert sink.has_errors
    with pytest.raises((SyntaxError, ValueError)):
        from_cpython(source)


@pytest.mark.parametrize("source", STRICTER)
def test_what_only_krait_refuses_at_once(source: str) -> None:
    module, sink = krait_tree(source)
    assert module is None
    later = not is_compiled(source)
    assert later or "async" in source or source == "f'{x:a\n}'"
    assert sink.has_errors


def modules() -> list[Path]:
    """Files of the standard library that Krait's syntax covers."""
    found = []
    for path in sorted([*STDLIB.glob("*.py"), *STDLIB.glob("*/*.py")]):
        if "site-packages" in path.parts or path.stem.startswith(("test_fstring", "bad")):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if not re.search(r"\b(async|await)\b", text):
            found.append(path)
    return found


def agree_about_file(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    try:
        from_cpython(source)
    except SyntaxError:
        assert krait_tree(source)[0] is None
    else:
        agree(source)


@pytest.mark.parametrize("path", modules()[::60], ids=lambda path: path.name)
def test_a_sample_of_the_standard_library(path: Path) -> None:
    agree_about_file(path)


@pytest.mark.slow
def test_the_whole_standard_library() -> None:
    for path in modules():
        try:
            agree_about_file(path)
        except AssertionError as error:
            raise AssertionError(path) from error


_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_SPICE = ["", "(", ")", '"', "'", "\n", " ", "\t", "\\", "{", "}", ":", "=", "#", 'f"', "0", "é", "\0", "\r", "\n  ",
          "\f", "!", "\ud800", "async ", '"""', ",", "*", "lambda", "match x:\n case", "\u0301", "$"]  # fmt: skip


def damaged(source: str, seed: int) -> str:
    """`source` with some of its words dropped, swapped, doubled, cut or replaced."""
    choose = random.Random(seed)
    for _ in range(choose.choice([1, 1, 1, 2, 3])):
        words = _WORDS.findall(source) or [""]
        one, other = choose.randrange(len(words)), choose.randrange(len(words))
        match choose.randrange(5):
            case 0:
                del words[one]
            case 1:
                words[one], words[other] = words[other], words[one]
            case 2:
                words.insert(one, words[other])
            case 3:
                words[one:] = []
            case _:
                words.insert(one, choose.choice(_SPICE))
        source = "".join(words)
    return source


def check_damaged(source: str) -> None:
    """No input raises; what is accepted is CPython's tree; what is refused has a diagnostic that can be printed."""
    module, sink = krait_tree(source)
    if module is None:
        assert sink.has_errors
        str(CompileError(sink.diagnostics, sink.sources)).encode()
    elif PEP_701:
        try:
            wanted = from_cpython(source)
        except TypeError:  # a defect of 3.12.1: f'{x:{{y}=}}' is accepted, and its tree is broken
            return
        assert first_difference(without_string_places(wanted), without_string_places(from_krait(module))) is None


def long_snippets() -> list[str]:
    """Pieces of the standard library to be damaged, each a few statements."""
    pieces = []
    for path in modules()[::40]:
        pieces += [part + "\n" for part in re.split(r"\n(?=\S)", path.read_text(encoding="utf-8"))
                   if 20 < len(part) < 1500][:20]
    return pieces


SOURCES = SAME + NEWER + REFUSED + long_snippets()


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SOURCES), st.integers(0, 1 << 32))
def test_damaged_sources_never_raise_and_are_never_misread(source: str, seed: int) -> None:
    check_damaged(damaged(source, seed))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("abfrxif\n \t()[]{}:,.'\"\\=#01_é@*!")), max_size=60))
def test_any_text_is_parsed_or_refused(source: str) -> None:
    check_damaged(source)


@pytest.mark.slow
def test_many_damaged_sources() -> None:
    choose = random.Random(20240229)
    for seed in range(10_000):
        check_damaged(damaged(choose.choice(SOURCES), seed))
