"""Running a Krait program here and in CPython, so that a test can compare what the two do."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

import krait
from svm import Console, Module
from svm.errors import UncaughtError
from tests.krait.cpython import CPython, Outcome

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


@pytest.fixture(scope="session")
def oracle() -> Iterator[Run]:
    """Run a source in CPython."""
    process = CPython()
    yield process.run
    process.close()
