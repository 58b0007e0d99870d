"""Sources that are larger or deeper than the compiler goes, and a library that breaks its own rules."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

import krait
from krait import sources
from svm.limits import (
    MAX_SOURCE_BRACKETS,
    MAX_SOURCE_BYTES,
    MAX_SOURCE_DEPTH,
    MAX_SOURCE_ELIFS,
    MAX_SOURCE_INDENTS,
)


def nested_fstrings(count: int) -> str:
    text = "x"
    for _ in range(count):
        text = f"f'{{{text}}}'"
    return text


def class_chain(count: int) -> str:
    """Classes each of which asks the one before for the type of its field."""
    lines = [f"def last() -> int:\n    return C{count}().x\n"]
    for at in range(count + 1):
        value = f"C{at - 1}().x" if at else "1"
        lines.append(f"class C{at}:\n    def __init__(self) -> None:\n        self.x = {value}\n")
    return "".join(lines)


@pytest.mark.parametrize(("source", "message"), [
    ("(" * (MAX_SOURCE_BRACKETS + 1), "too many nested brackets"),
    ("[" * MAX_SOURCE_BRACKETS + "f'{x}'" + "]" * MAX_SOURCE_BRACKETS, "too many nested brackets"),
    ('f"{' * (MAX_SOURCE_BRACKETS + 1), "too many nested f-strings"),
    (nested_fstrings(MAX_SOURCE_BRACKETS + 1), "too many nested f-strings"),
    ("".join(" " * at + "if x:\n" for at in range(MAX_SOURCE_INDENTS + 1)), "too many levels of indentation"),
    ("if x:\n    pass\n" + "elif x:\n    pass\n" * (MAX_SOURCE_ELIFS + 1), "more than 200 `elif` branches"),
    ("x = " + "1" * 5000, "integer literal of 5000 digits is too long"),
    ("x = " + "-" * (MAX_SOURCE_DEPTH + 1) + "1", "this expression is nested too deeply"),
    ("x = y" + ".y" * (MAX_SOURCE_DEPTH + 1), "this expression is nested too deeply"),
    (b"#" * (MAX_SOURCE_BYTES + 1), "this source is larger than 16 MiB"),
    (class_chain(4000), "this program is nested too deeply"),
], ids=lambda value: str(value[:30]))  # fmt: skip
def test_what_is_too_much(source: str | bytes, message: str) -> None:
    with pytest.raises(krait.CompileError) as raised:
        krait.compile_source(source)
    assert raised.value.diagnostics[0].message == message
    assert len(str(raised.value)) < 5000


def test_variables_of_the_library_have_constant_first_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "stdlib"
    shutil.copytree(sources.library_folder(), folder)
    with (folder / "krait" / "builtins.kr").open("a", encoding="utf-8") as file:
        file.write('computed: int = len("x")\n')
    monkeypatch.setattr("krait.check.loader.library_folder", lambda: str(folder), raising=False)
    monkeypatch.setattr(sources, "library_folder", lambda: str(folder))
    with pytest.raises(krait.CompileError, match="a variable of the library needs a constant first value"):
        krait.compile_source("print(computed)\n")


def test_nested_functions_with_variables_of_several_types_take_bounded_time() -> None:
    """Each function is checked again with each round of the one around it: of 40 there would be 2**40 rounds."""
    depth, lines = 40, []
    for at in range(depth):
        indent = "    " * at
        lines += [f"{indent}def f{at}() -> None:", f"{indent}    x = 1", f"{indent}    print(x)"]
        lines += [f"{indent}    x = 'a'", f"{indent}    print(x)"]
    lines += ["    " * at + f"f{at}()" for at in range(depth - 1, -1, -1)]
    with suppress(krait.CompileError):  # that is an answer, too
        krait.compile_source("\n".join(lines) + "\n")
