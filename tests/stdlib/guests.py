"""Runs Krait programs for the tests of the library: compiled once, then run with one input after the other."""

from __future__ import annotations

import io
from dataclasses import dataclass

import svm


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left behind. error: the last line of the traceback of an uncaught exception."""

    output: str
    error: str = ""
    errors: str = ""
    status: int = 0


class Program:
    """A compiled program, and the engine that runs it."""

    def __init__(self, source: str, engine: str = "reference") -> None:
        self.module = svm.compile(source, "test.kr")
        self.engine = engine

    def run(self, data: str | bytes = "", args: tuple[str, ...] = ()) -> Outcome:
        """Run it with standard input and arguments."""
        stdin = io.BytesIO(data if isinstance(data, bytes) else data.encode("utf-8"))
        stdout, stderr = io.BytesIO(), io.BytesIO()
        console = svm.Console(stdin, stdout, stderr, args=("test.kr", *args))
        guest = self.module.spawn(engine=self.engine, devices=[console])
        error, status = "", 0
        try:
            status = guest.run()
        except svm.UncaughtError as caught:
            error, status = caught.message, 1
        return Outcome(stdout.getvalue().decode("utf-8"), error, stderr.getvalue().decode("utf-8"), status)


def expect(program: Program, cases: list[str], expected: list[str]) -> None:
    """Check a program that answers each line of its input with one line; `cases` and `expected` hold no newlines."""
    outcome = program.run("".join(case + "\n" for case in cases))
    answers = outcome.output.split("\n")[:-1]
    for case, answer, wanted in zip(cases, answers, expected, strict=False):
        assert answer == wanted, f"{case!r}: {answer!r}, CPython says {wanted!r}"
    assert (len(answers), outcome.error) == (len(expected), "")
