"""The jobs of a fuzz run that concern Krait: generated programs against CPython, and damaged sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.fuzz.krait.damage import damaged, sources, survive
from tests.fuzz.krait.judge import compare, ending
from tests.fuzz.krait.programs import SECTIONS, program
from tests.fuzz.krait.shrink import shrink
from tests.fuzz.runs import NATIVE, REFERENCE

__all__ = ["Programs", "Sources"]

_ALONE = 24  # one in so many files holds one program, and that runs on all engines
_STRESS = 6  # one in so many runs with a collection at every allocation
_SHRINK = 240.0  # seconds for one program


def _ends_in(how: Callable[[str], str], end: str, source: str) -> bool:
    return how(source) == end


class Programs:
    """Generated programs, several in a file: they do in svm what they do in CPython, or are refused for a reason."""

    name = "krait"
    files = "program.kr"
    seconds = 60.0  # the reference engine is slow, and to compile takes time

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
        engines = (self.engine, REFERENCE, "jit") if alone else (self.engine,)
        words = compare(self.program(number), engines, stress=not alone and number % _STRESS == 1)
        words["programs"] += self.sections(number)
        return words

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
