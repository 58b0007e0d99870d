"""Type checkers accept Krait sources: the examples, and what is only Krait's own, by the stub of `krait.unsafe`.

What links `.kr` files under names of Python's, so that modules find one another, is taken from docs/editors.md.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import krait
from krait.check import unsafe
from krait.check.vocabulary import COMPILER_MODULES

ROOT = Path(__file__).parents[2]
EDITORS = ROOT / "docs" / "editors.md"
STUB = ROOT / "compiler" / "krait" / "unsafe.pyi"
SOURCES = [*(ROOT / "examples").glob("*.kr"), *(ROOT / "benchmarks" / "programs").glob("*.kr")]
WIDTHS = {"u8": "x8", "u16": "x16", "u32": "a", "u64": "x64", "i64": "n", "f64": "f"}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the links are made by a POSIX shell")

# Statements in a function: one that is right, and one that both a type checker and Krait refuse.
USES = {
    **{f"load_{width}": (f"{name} = load_{width}(a, 8)", f"load_{width}('a')") for width, name in WIDTHS.items()},
    **{f"store_{w}": (f"store_{w}(a, {name}, 8)", f"store_{w}(a, {name}, 'a')") for w, name in WIDTHS.items()},
    "load": ("n = load[int](a) + load[int](a, 8)", "n = load[str](a)"),
    "store": ("store[list[int]](a, xs)", "store[list[int]](a, n)"),
    "object_at": ("s = object_at[str](a)", "s = object_at[list[int]](a)"),
    "new_object": ("s = new_object[str](16)", "s = new_object[str](0, 0)"),
    "new_items": ("a = new_items[int, str](a)", "s = new_items[int](a)"),
    "offset_of": ("a = offset_of[u64, int, str]()", "a = offset_of[int](4)"),
    "size_of": ("a = size_of[u64, int, str]()", "a = size_of[int](4)"),
    "known_order": ("known_order[set[int]]()", "known_order[set[int]](xs)"),
    **{
        name: (f"b = {name}[int]()", f"s = {name}[int]()")
        for name in ("is_int", "is_text", "keeps_arguments", "plain_order")
    },
    "address_of": ("a = address_of(xs)", "s = address_of(xs)"),
    "data": ("a = data(b'abc')", "a = data('abc')"),
    "memory_size": ("a = memory_size()", "a = memory_size(a)"),
    "memory_grow": ("a = memory_grow(a)", "memory_grow('a')"),
    "memory_copy": ("memory_copy(a, a, a)", "memory_copy(a, a)"),
    "memory_fill": ("memory_fill(a, 0, a)", "memory_fill(a, 'a', a)"),
    "memory_compare": ("n = memory_compare(a, a, a)", "n = memory_compare(a, a)"),
    "memory_find": ("n = memory_find(a, 10, a)", "s = memory_find(a, 10, a)"),
    "float_bits": ("x64 = float_bits(f)", "float_bits('f')"),
    "float_from_bits": ("f = float_from_bits(x64)", "f = float_from_bits('f')"),
    **{name: (f"f = {name}(f)", f"f = {name}('f')") for name in ("sqrt", "floor", "ceil", "trunc", "nearest", "fabs")},
    **{name: (f"f = {name}(f, 1.5)", f"f = {name}(f)") for name in ("copysign", "float_divide")},
    "truncate": ("n = truncate(f)", "s = truncate(f)"),
    **{name: (f"x64 = {name}(x64)", f"s = {name}(x64)") for name in ("clz", "ctz", "popcnt")},
    **{f"wrapping_{op}": (f"n = wrapping_{op}(n, 3)", f"n = wrapping_{op}(n)") for op in ("add", "sub", "mul")},
    **{f"int_{part}": (f"n = int_{part}(n, 3)", f"n = int_{part}(n, 's')") for part in ("quotient", "remainder")},
    **{
        name: (f"a = {name}()", f"a = {name}(1)")
        for name in ("heap_base", "size_classes", "stack_start", "stack_end", "type_table")
    },
    "mark_globals": ("mark_globals()", "mark_globals(1)"),
    "type_name": ("s = type_name(xs)", "n = type_name(xs)"),
    "resume": ("ok = resume(iter(xs))", "s = resume(iter(xs))"),
    "key_bits": ("x64 = key_bits(n)", "s = key_bits(n)"),
    "same_key": ("ok = same_key(n, 3)", "s = same_key(n, 3)"),
    "u8": ("x8 = u8(n)", "x8 = u8(xs)"),
    "u16": ("x16 = u16(n)", "x16 = u16(xs)"),
    "u32": ("a = u32(n) + 4", "a = 'a'"),
    "u64": ("x64 = u64(n) * 3", "x64 = u64(xs)"),
    "i32": ("y = i32(n)", "y = i32(xs)"),
    "f32": ("z = f32(f)", "z = f32(xs)"),
    "trap": ("if n == 7: trap()", "trap(1)"),  # last: nothing behind it is checked
}
OTHERS = {"owned", "host", "encode", "encode_fields", "decode", "decode_fields"}
"""What is used in the source below, and what is of use for `krait.border` alone."""

# The rest of the source that holds them.
BEFORE = """\
from krait import export
from krait.unsafe import {names}


class Holder:
    items: owned

    def __init__(self) -> None:
        self.items = 0


@export
def exported(x: int) -> list[int]:
    return [x]


@host("env", "twice")
def twice(x: int) -> int:
    raise RuntimeError


def f(n: int, f: float, s: str, xs: list[int], a: u32, x8: u8, x16: u16, x64: u64, ok: bool, y: i32, z: f32) -> None:
"""


def source(statements: list[str]) -> str:
    names = sorted({*USES, "owned", "host"})
    return BEFORE.format(names=", ".join(names)) + "".join(f"    {statement}\n" for statement in statements)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """What mypy says, line and message, by the name of the file."""
    folder = tmp_path_factory.mktemp("types")
    for path in SOURCES:
        (folder / path.name).write_text(path.read_text("utf-8"), encoding="utf-8")
    (folder / "right.kr").write_text(source([right for right, _ in USES.values()]), encoding="utf-8")
    (folder / "wrong.kr").write_text(source([wrong for _, wrong in USES.values()]), encoding="utf-8")
    (folder / "parts").mkdir()
    (folder / "parts" / "helper.kr").write_text("def twice(n: int) -> int:\n    return 2 * n\n", encoding="utf-8")
    (folder / "importing.kr").write_text("from parts.helper import twice\ns: str = twice(4)\n", encoding="utf-8")
    told = re.search(r"^\$ (mkdir .*?done)\n\$ .* mypy (.*)\)$", EDITORS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert told is not None
    subprocess.run(["sh", "-c", told[1]], cwd=folder, check=True, timeout=60)
    # The package is not installed as users have it, so its own files would be checked too.
    options = [*told[2].split(), "--config-file=", "--follow-imports=silent", f"--cache-dir={folder / 'cache'}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options],
        env={**os.environ, "MYPYPATH": str(ROOT / "compiler"), "PYTHONPATH": ""}, cwd=folder / "build" / "types",
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    found: dict[str, list[tuple[int, str]]] = {}
    for name, line, message in re.findall(r"^(?:.*/)?(\w+)\.py:(\d+): error: (.*)$", done.stdout, re.MULTILINE):
        found.setdefault(name, []).append((int(line), message))
    assert "wrong" in found, done.stdout + done.stderr
    return found


def test_the_stub_has_the_names_of_the_compiler() -> None:
    assert set(USES) | OTHERS == set(COMPILER_MODULES["krait.unsafe"])
    functions: dict[str, ast.FunctionDef] = {}
    names = set()
    for node in ast.parse(STUB.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            functions[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    assert {*functions, *names} == set(COMPILER_MODULES["krait.unsafe"])
    for name, (_, params, _) in unsafe._INSTRUCTIONS.items():
        assert len(functions[name].args.posonlyargs) == len(params), name


def test_the_examples_pass(reported: dict[str, list[tuple[int, str]]]) -> None:
    assert {name: reported[name] for name in reported if name in {path.stem for path in SOURCES}} == {}


def test_modules_find_one_another(reported: dict[str, list[tuple[int, str]]]) -> None:
    ((line, message),) = reported["importing"]
    assert line == 2 and 'expression has type "int", variable has type "str"' in message


def test_what_is_right_passes_here_and_there(reported: dict[str, list[tuple[int, str]]]) -> None:
    krait.compile_source(source([right for right, _ in USES.values()]))
    assert "right" not in reported


def test_what_is_wrong_is_reported_here_and_there(reported: dict[str, list[tuple[int, str]]]) -> None:
    first = source([]).count("\n") + 1
    lines = {first + at: name for at, name in enumerate(USES)}
    with pytest.raises(krait.CompileError) as raised:
        krait.compile_source(source([wrong for _, wrong in USES.values()]))
    refused = {found.span.start_line for found in raised.value.diagnostics}
    assert {name for line, name in lines.items() if line not in refused} == set()
    assert {name for line, name in lines.items() if line not in {at for at, _ in reported["wrong"]}} == set()
