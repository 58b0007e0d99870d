"""Properties of the code itself: imports go one way, the public surface is declared, files fit a sitting.

Everything is read from the sources' syntax trees, so an import inside a function counts like any other.
"""

from __future__ import annotations

import ast
import graphlib
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {"svm": ROOT / "svm", "krait": ROOT / "compiler" / "krait"}

# Lowest first. A module may import what stands in its own row or before it.
SVM_LAYERS = (
    ("svm.hints", "svm.lazy", "svm.record", "svm.digest", "svm.errors", "svm.limits", "svm.cache"),
    ("svm.isa",),
    ("svm.module",),
    ("svm.wasm",),
    ("svm.lower",),
    ("svm.border",),
    ("svm.runtime",),
    ("svm.engines",),
    ("svm.devices",),
    ("svm.snapshot",),
    ("svm.hypervisor",),
    ("svm.files", "svm.embed"),
    ("svm.wast",),
    ("svm",),  # the public face: svm/__init__.py
    ("svm.cli", "svm.__main__"),
)
KRAIT_LAYERS = (
    ("krait.diagnostics", "krait.sources"),
    ("krait.syntax",),
    ("krait.check",),
    ("krait.emit",),
    ("krait.kept",),
    ("krait.compiler",),
    ("krait",),
)
KRAIT_SEES = (*SVM_LAYERS[0], "svm.isa", "svm.module")
# The only importers of each dependency, so that a run pays for no more than it uses.
IMPORTERS = {
    "llvmlite": "svm.engines.native", "lark": "krait.syntax", "click": "svm.cli", "rich": "svm.cli",
    "zstandard": "svm.snapshot.packing",
}  # fmt: skip
DECLARE_ALL = ("svm", "krait", "svm.errors", "svm.limits", "svm.cache", "svm.isa", "svm.module", "svm.wasm")

MAX_LINES = 700
# Spelt in halves, for this file is searched too. An ignored type error needs its code and a reason: `…[code]  # why`.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|raise NotImpl" r"emented")
ABSTRACT = re.compile(r"^ +raise NotImpl" r"ementedError(\(.*\))?$")
"""What a method that subclasses define does in an example, as in any program: nothing of this project is missing."""
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
BARE_IGNORE = re.compile(r"# type: " r"ignore(?!\[[\w, -]+\] +#)")


@dataclass(frozen=True, order=True)
class Import:
    """One module imported by another. lazy: from inside a function."""

    importer: str
    line: int
    imported: str
    lazy: bool

    def __str__(self) -> str:
        return f"{self.importer} line {self.line} imports {self.imported}"


@cache
def modules() -> dict[str, Path]:
    """Every module of the two packages, by its dotted name."""
    found = {}
    for package, folder in SOURCES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    """Every import of every module."""
    return tuple(sorted(found for name, path in modules().items() for found in imports_of(name, path)))


def imports_of(name: str, path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text("utf-8"))
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            for target in targets(node, package):
                yield Import(name, node.lineno, target, id(node) in lazy)


def targets(node: ast.Import | ast.ImportFrom | ast.Call, package: str) -> list[str]:
    """The modules that `node`, in a module of `package`, imports; none for a call that is no import."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(part for part in (above, node.module) if part)
            members = [f"{base}.{alias.name}" for alias in node.names]
            submodules = [member for member in members if member in modules()]
            return submodules if len(submodules) == len(members) else [base, *submodules]
        case ast.Call(func=ast.Name(id="__import__" | "import_module"), args=[ast.Constant(value=str(target)), *_]):
            return [target]
        case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(target)), *_]):
            return [target]
    return []


def layer(name: str, layers: tuple[tuple[str, ...], ...]) -> int:
    """The row of `layers` in which the module `name` lies."""
    place = ".".join(name.split(".")[:2])
    for row, names in enumerate(layers):
        if place in names:
            return row
    raise AssertionError(f"{place} has no place among the layers: give it one in {Path(__file__).name}")


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def listed(found: list[Import]) -> str:
    return "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize(("package", "layers"), [("svm", SVM_LAYERS), ("krait", KRAIT_LAYERS)])
def test_imports_go_one_way(package: str, layers: tuple[tuple[str, ...], ...]) -> None:
    own = [each for each in imports() if within(each.importer, package) and within(each.imported, package)]
    upward = [each for each in own if layer(each.importer, layers) < layer(each.imported, layers)]
    assert not upward, listed(upward)


def test_no_module_imports_itself_through_others() -> None:
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for each in imports():
        if each.imported in graph:
            graph[each.importer].add(each.imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_compiler_sees_only_the_module_format() -> None:
    seen = [each for each in imports() if within(each.importer, "krait") and within(each.imported, "svm")]
    beyond = [each for each in seen if not within(each.imported, *KRAIT_SEES)]
    assert not beyond, listed(beyond)


def test_the_compiler_is_reached_lazily() -> None:
    """A compiled module runs without it; the faces import it inside the function that compiles."""
    reached = [each for each in imports() if within(each.importer, "svm") and within(each.imported, "krait")]
    faces = [each for each in reached if within(each.importer, "svm.files", "svm.embed", "svm.cli")]
    wrong = [each for each in reached if not (each.lazy and each in faces)]
    assert not wrong, listed(wrong)


def test_each_dependency_has_one_importer() -> None:
    outside = [
        each for each in imports() if each.imported.partition(".")[0] not in {*sys.stdlib_module_names, "svm", "krait"}
    ]
    wrong = [each for each in outside if not within(each.importer, IMPORTERS.get(each.imported.partition(".")[0], "-"))]
    assert not wrong, listed(wrong)


def test_declared_dependencies_are_those_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]}
    assert declared == set(IMPORTERS)


@pytest.mark.parametrize("name", DECLARE_ALL)
def test_the_public_surface_is_declared(name: str) -> None:
    module = importlib.import_module(name)
    names = module.__all__  # ruff's RUF022 keeps it sorted
    assert len(names) == len(set(names))
    assert not [each for each in names if not hasattr(module, each)]
    assert not [each for each in names if each.startswith("_") and not each.startswith("__")]


def sources(*suffixes: str) -> list[Path]:
    folders = ("svm", "compiler", "stdlib", "tests", "benchmarks", "examples", "docs")
    below = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    return sorted(below + [path for path in ROOT.glob("*") if path.suffix in suffixes])


def test_files_fit_a_sitting() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in sources(".py", ".kr", ".lark")}
    assert not {str(path.relative_to(ROOT)): count for path, count in lengths.items() if count > MAX_LINES}


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sources(".py", ".kr", ".lark", ".md", ".toml")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if not (path.parent == ROOT / "examples" and ABSTRACT.match(line))
        if UNFINISHED.search(line) or (path.suffix == ".py" and BARE_IGNORE.search(line))
    ]
    assert not found, "\n" + "\n".join(found)


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in sources(".md")
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", CODE.sub("", path.read_text("utf-8")))
        if not (path.parent / target).exists()
    ]
    assert not broken, "\n" + "\n".join(broken)


def test_the_instruction_reference_is_fresh() -> None:
    document = importlib.import_module("svm.isa.document")
    written = (ROOT / "docs" / "isa.md").read_text("utf-8")
    assert written == document.render(), "docs/isa.md is not what the table gives: run `make docs`"
