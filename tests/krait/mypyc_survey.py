"""A survey: how many of mypyc's run tests does Krait take, and what of the others does it refuse?

In: the source distribution of `mypy` (unpacked, or the archive), given as an argument or by `MYPY_SDIST`. Out: a table.
The tests are those of one file that need neither `async` nor CPython's own objects; a test is its module with its
driver behind it, run as one program, whose output must be what CPython prints for it.

    .venv/bin/pip download --no-binary mypy --no-build-isolation --no-deps mypy==2.4.1
    python -m tests.krait.mypyc_survey mypy-*.tar.gz
"""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import krait
from svm import Console, Limits, Module
from svm.errors import Error

NOT_OF_THE_LANGUAGE = re.compile(
    r"\basync\b|\bawait\b|asyncio|mypy_extensions|mypyc_attr|librt|testutil import .*(run_generator|make_)|__dict__"
    r"|weakref|getrefcount|\bgc\b|ctypes|threading|inspect|importlib|sys\.modules|pickle|\bvecs?\b|typing_extensions|PyObject"
)
"""What makes a test one of something else than the language."""
LEFT_OUT = ("async", "vecs", "librt", "bench", "multimodule", "threading", "i16", "i32", "i64", "u8", "base64",
            "mypy-sim", "weakref", "attrs", "singledispatch")  # fmt: skip
"""Parts of the tests that are not of the language."""


@dataclass(frozen=True)
class Case:
    """A test: its name, and the program that it is."""

    name: str
    source: str


def cases(folder: Path) -> Iterator[Case]:
    """The tests of one file, of the language alone."""
    for path in sorted(folder.glob("run-*.test")):
        if any(part in path.stem for part in LEFT_OUT):
            continue
        for name, *rest in re.findall(r"^\[case (\w+).*?\]\n(.*?)(?=^\[case |\Z)", path.read_text(), re.M | re.S):
            parts = re.split(r"^\[(\w+)(?: (\S+))?\]\n", rest[0], flags=re.M)
            named = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
            files = {file: text for kind, file, text in named if kind == "file"}
            if set(files) - {"driver.py"} or NOT_OF_THE_LANGUAGE.search(rest[0]) or "import native" in rest[0]:
                continue
            source = _program(parts[0], files.get("driver.py"))
            if source is not None:
                yield Case(f"{path.stem}:{name}", source)


def _program(module: str, driver: str | None) -> str | None:
    """Return the module with its driver, or with calls of all its tests, as one program."""
    module = re.sub(r"^# *(flags|cmd):.*$", "", module, flags=re.M)
    try:
        tree = ast.parse(module)
        if driver is None:
            names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.args.args]
            tests = [name for name in names if name.startswith("test_")]
            driver = "\n".join(f"{name}()" for name in tests)
        tree.body += ast.parse(driver).body
    except SyntaxError:
        return None
    return ast.unparse(_Plain().visit(tree)) + "\n"


class _Plain(ast.NodeTransformer):
    """Writes `with assertRaises(E, text):` out, and leaves out imports of the test's own parts."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if node.module in ("native", "testutil") else node

    def visit_With(self, node: ast.With) -> ast.AST:
        self.generic_visit(node)
        call = node.items[0].context_expr
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "assertRaises"):
            return node
        words = [ast.unparse(argument) for argument in call.args[1:]]
        texts = [ast.parse(f"assert ({text}) in str(_error)").body[0] for text in words]
        handler = ast.ExceptHandler(call.args[0], "_error" if texts else None, texts or [ast.Pass()])
        failed = ast.parse("raise AssertionError('not raised')").body
        made = ast.Try(node.body, [handler], failed, [])
        return ast.fix_missing_locations(ast.copy_location(made, node))


def result_of(case: Case) -> tuple[str, str]:
    """Return `passed`, `refused`, `different` or `unusable` (CPython ends otherwise than with 0), and why."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"
        path.write_text(case.source, encoding="utf-8")
        try:
            done = subprocess.run([sys.executable, str(path)], capture_output=True, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return "unusable", "CPython takes long"
        if done.returncode:
            return "unusable", done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    try:
        model = krait.compile_source(case.source, "program.kr")
    except krait.CompileError as error:
        found = [line for line in str(error).splitlines() if line.startswith("error: ")]
        return "refused", found[0].removeprefix("error: ")
    out = io.BytesIO()
    try:
        console = Console(io.BytesIO(), out, io.BytesIO())
        with Module(model).spawn(devices=[console], limits=Limits(fuel=10**9)) as guest:
            status = guest.run()
    except Error as error:
        return "different", str(error).strip().rpartition("\n")[2]
    same = status == 0 and out.getvalue() == done.stdout
    return ("passed", "") if same else ("different", "another output")


def find(argument: str | None) -> Path | None:
    """Return the folder of mypyc's tests, from an unpacked distribution or an archive."""
    given = argument or os.environ.get("MYPY_SDIST")
    if not given:
        return None
    path = Path(given)
    if path.is_file():
        folder = Path(tempfile.mkdtemp())
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        path = folder
    found = next(path.rglob("mypyc/test-data/run-tuples.test"), None)
    return found.parent if found is not None else None


def main(arguments: list[str]) -> int:
    """Print the table; `-v` lists each test."""
    verbose = "-v" in arguments
    folder = find(next((argument for argument in arguments if not argument.startswith("-")), None))
    if folder is None:
        print("skipped: the source distribution of mypy is not at hand (give its path, or set MYPY_SDIST)")
        return 0
    everything = list(cases(folder))
    with ProcessPoolExecutor(1) as pool:
        results = list(zip(everything, pool.map(result_of, everything), strict=True))
    reasons: Counter[tuple[str, str]] = Counter()
    for case, (kind, why) in results:
        if verbose:
            print(f"{kind:10} {case.name}: {why}")
        reasons[kind, re.sub(r"`[^`]*`", "`…`", why)] += 1
    usable = [kind for _, (kind, _) in results if kind != "unusable"]
    print(f"{usable.count('passed')} of {len(usable)} pass; {len(results) - len(usable)} are no programs of one file")
    for (kind, why), count in reasons.most_common():
        if kind not in ("passed", "unusable"):
            print(f"{count:4} {kind}: {why}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
