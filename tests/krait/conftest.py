"""Running a Krait program here and in CPython, so that a test can compare what the two do."""

from __future__ import annotations
import __future__

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import krait
from svm import Console, Module
from svm.errors import UncaughtError

GENERIC_SYNTAX = sys.version_info >= (3, 12)
"""Whether the CPython at hand knows `def f[T](…)`; an older one is given the source without the brackets."""

_RUNNER = f"""
import builtins, re, sys
path = sys.argv[1]
del sys.argv[0]
source = open(path, encoding="utf-8").read()
scope = {{"__name__": "__main__"}}
if not {GENERIC_SYNTAX}:
    for names in re.findall(r"^\\s*(?:def|class) \\w+\\[([^]]*)\\]", source, flags=re.MULTILINE):
        scope |= dict.fromkeys(re.findall(r"\\w+", names), object)
    source = re.sub(r"^(\\s*(?:def|class) \\w+)\\[[^]]*\\]", r"\\1", source, flags=re.MULTILINE)
    build = builtins.__build_class__
    def build_class(*args, **keywords):
        made = build(*args, **keywords)
        if not hasattr(made, "__class_getitem__"):
            made.__class_getitem__ = classmethod(lambda cls, arguments: cls)
        return made
    builtins.__build_class__ = build_class
exec(compile(source, path, "exec", {__future__.annotations.compiler_flag}), scope)
"""


@dataclass(frozen=True)
class Outcome:
    """What a program did: its output, its exit status, and the last line of the traceback if an exception ended it."""

    stdout: str
    status: int
    exception: str | None


Run = Callable[..., Outcome]


@pytest.fixture
def run(engine: str) -> Run:
    """Compile a source and run it on an engine."""

    def run_source(source: str, stdin: bytes = b"", name: str = "program.kr", args: tuple[str, ...] = ()) -> Outcome:
        model = krait.compile_source(source, name)
        out, err = io.BytesIO(), io.BytesIO()
        console = Console(io.BytesIO(stdin), out, err, args=(name, *args))
        exception = None
        with Module(model).spawn(engine=engine, devices=[console]) as guest:
            try:
                status = guest.run()
            except UncaughtError as error:
                status, exception = 1, error.description
        return Outcome(out.getvalue().decode("utf-8", "surrogateescape"), status, exception)

    return run_source


@pytest.fixture
def oracle(tmp_path: Path) -> Run:
    """Run a source in CPython."""

    def run_source(source: str, stdin: bytes = b"", name: str = "program.kr", args: tuple[str, ...] = ()) -> Outcome:
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", _RUNNER, str(path), *args],
            input=stdin, capture_output=True, timeout=60, check=False, cwd=tmp_path,
        )  # fmt: skip
        error = done.stderr.decode("utf-8", "replace")
        exception = error.rstrip("\n").rpartition("\n")[2] if "Traceback (most recent call last)" in error else None
        return Outcome(done.stdout.decode("utf-8", "surrogateescape"), done.returncode, exception)

    return run_source
