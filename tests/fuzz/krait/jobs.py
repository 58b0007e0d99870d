"""The jobs of a fuzz run that concern Krait: generated programs against CPython, and damaged sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from svm.engines.native.jit import tier
from tests.fuzz.krait.damage import damaged, sources, survive
from tests.fuzz.krait.judge import compare, ending
from tests.fuzz.krait.programs import SECTIONS, program
from tests.fuzz.krait.shrink import shrink
from tests.fuzz.runs import NATIVE, REFERENCE

__all__ = ["Programs", "Sources"]

_ALONE = 24  # one in so many files holds one program, and that is compiled too, whatever the engine
_HOT = 20_000  # fuel, for one program takes little
_STRESS = 6  # one in so many runs with a collection at every allocation
_OPTIMISED = 13
"""One in so many has its compiled code go through LLVM's passes, which take most of the time; ours are run for all."""

_SHRINK = 240.0  # seconds for one program


@contextmanager
def _compiling(level: int) -> Iterator[None]:
    """Compiled at a level of LLVM's, under `auto` while the guest waits and soon."""
    before = tier.JIT, tier.AUTO
    tier.JIT, tier.AUTO = replace(tier.JIT, level=level), tier.Policy(False, _HOT, False, level)
    try:
        yield
    finally:
        tier.JIT, tier.AUTO = before


def _ends_in(how: Callable[[str], str], end: str, source: str) -> bool:
    return how(source) == end


class Programs:
    """Generated programs, several in a file: they do in svm what they do in CPython, or are refused for a reason."""

    name = "krait"
    files = "program.kr"
    seconds = 300.0  # the reference engine is slow, and LLVM's passes over all of a file take time

    def __init__(self, engine: str) -> None:
        self.engine = engine
        compare("print(1)\n", (engine,))  # what is made once is made before workers are forked

    def program(self, number: int) -> str:
        """The file of a number."""
        return program(number, self.sections(number))

    @staticmethod
    def sections(number: int) -> int:
        """How many programs the file of a number has."""
        return 1 if number % _ALONE == 0 else 3 if number % _STRESS == 1 else SECTIONS

    def check(self, number: int) -> Counter[str]:
        """See `Job`."""
        alone = number % _ALONE == 0
        engines = (NATIVE, REFERENCE, *self.compiled(alone))
        level = 2 if alone or number % _OPTIMISED == 0 else 0
        with _compiling(level):
            words = compare(self.program(number), engines, stress=not alone and number % _STRESS == 1)
        words["programs"] += self.sections(number)
        words[f"programs that agree, at level {level}"] += self.sections(number) * words["agrees"]
        return words

    def compiled(self, alone: bool) -> tuple[str, ...]:
        """The engines that compile, beside the two that every program runs on."""
        return ("auto", "jit") if alone or self.engine == "jit" else (self.engine,) if self.engine != NATIVE else ()

    def keep(self, number: int, folder: Path) -> None:
        """See `FuzzJob`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "program.kr").write_text(self.program(number), "utf-8")
        (folder / "number.txt").write_text(f"{number}\n", "utf-8")

    def again(self, folder: Path) -> None:
        """See `FuzzJob`."""
        source = (folder / "program.kr").read_text("utf-8")
        for stress in (False, True):
            compare(source, (self.engine, REFERENCE, "jit"), stress=stress)

    def shrink(self, folder: Path) -> None:
        """See `FuzzJob`."""
        source = (folder / "program.kr").read_text("utf-8")
        for stress in (False, True):
            for engine in dict.fromkeys((self.engine, NATIVE, REFERENCE, "jit")):
                fails = partial(ending, engine=engine, stress=stress)
                end = fails(source)
                if end:
                    smaller = shrink(source, partial(_ends_in, fails, end), _SHRINK)
                    (folder / "program.kr").write_text(smaller, "utf-8")
                    print(f"  made small: {len(smaller.splitlines())} lines on {engine}")
                    return
        print("  it did not happen again")


class Sources:
    """Damaged sources: the compiler answers with what is wrong, or with a module."""

    name = "sources"
    files = "damaged.kr"
    seconds = 5.0

    def __init__(self, engine: str) -> None:
        self.engine = engine
        sources()
        survive(b"print(1)\n")

    def check(self, number: int) -> Counter[str]:
        """See `Job`."""
        return Counter([survive(damaged(number))])

    def keep(self, number: int, folder: Path) -> None:
        """See `FuzzJob`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "damaged.kr").write_bytes(damaged(number))

    def again(self, folder: Path) -> None:
        """See `FuzzJob`."""
        survive((folder / "damaged.kr").read_bytes())

    def shrink(self, folder: Path) -> None:
        """See `FuzzJob`."""
        source = (folder / "damaged.kr").read_bytes().decode("utf-8", "surrogateescape")
        end = self.ending(source)
        if end:
            smaller = shrink(source, partial(_ends_in, self.ending, end), _SHRINK / 4)
            (folder / "damaged.kr").write_bytes(smaller.encode("utf-8", "surrogateescape"))
            print(f"  made small: {len(smaller)} characters")

    @staticmethod
    def ending(source: str) -> str:
        """How the compiler fails with a source, "" if it does not."""
        try:
            survive(source.encode("utf-8", "surrogateescape"))
        except Exception as error:
            return type(error).__name__
        return ""
