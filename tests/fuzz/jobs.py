"""The jobs of a fuzz run: generated modules on every engine, damaged files and snapshots, Krait programs, sources."""

from __future__ import annotations

import json
from collections import Counter
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from tests.fuzz.case import Case, load, save
from tests.fuzz.coverage import executed, generated
from tests.fuzz.forgery import survive_snapshot
from tests.fuzz.generator import generate
from tests.fuzz.krait.jobs import Programs, Sources
from tests.fuzz.mutants import Mutant, mutant, seeds
from tests.fuzz.runs import NATIVE, agree, engine_of
from tests.fuzz.shrink import shrink
from tests.fuzz.snapshots import SUFFIX, forged
from tests.fuzz.survival import survive
from tests.fuzz.workers import PATIENCE, Job, alone

__all__ = ["GENERATED", "JOBS", "REACHED", "FuzzJob", "Modules", "Mutants", "Snapshots", "has_wasmtime", "judge"]

GENERATED, REACHED = "generated ", "reached "
"""What precedes the names of instructions among a job's words."""
_ORACLE = 4  # one in so many cases runs on wasmtime too
_COVERAGE = 40  # one in so many cases is looked into
_SHRINK = 60.0  # seconds for one case


class FuzzJob(Job, Protocol):
    """A job whose inputs can be kept as files.  files: a pattern that tells its folders from others."""

    engine: str
    files: str

    def keep(self, number: int, folder: Path) -> None:
        """Write the input of a number."""

    def again(self, folder: Path) -> None:
        """Try what `keep` wrote; whatever it does comes through."""

    def shrink(self, folder: Path) -> None:
        """Make what `keep` wrote smaller, in place, as long as it ends in the same way; say how small it is now."""


def has_wasmtime() -> bool:
    """Whether the oracle is installed."""
    return find_spec("wasmtime") is not None


def judge(case: Case, engine: str, *, oracle: bool) -> Counter[str]:
    """Run a case on an engine and the reference engine, and on wasmtime; how its calls ended.  Raises Difference."""
    words = agree(case, engine)
    if oracle:
        from tests.fuzz.oracle import agree_with_wasmtime

        agree_with_wasmtime(case, engine)
        words["agrees with wasmtime"] += 1
    return words


class Modules:
    """Generated modules: the engines agree on them, and with wasmtime.  share: one in so many is tried there."""

    name = "modules"
    files = "case.json"
    seconds = 20.0  # the reference engine is slow, and some cases are large

    def __init__(self, engine: str, share: int = _ORACLE) -> None:
        self.engine = engine
        self.share = share
        engine_of(engine)  # built once, before workers are forked

    @cached_property
    def oracle(self) -> bool:
        """Whether wasmtime is there."""
        return has_wasmtime()

    def check(self, number: int) -> Counter[str]:
        """See `Job`."""
        case = generate(number)
        words = judge(case, self.engine, oracle=self.oracle and number % self.share == 0)
        if number % _COVERAGE == 0:
            words.update(GENERATED + name for name in generated(case))
            words.update(REACHED + name for name in executed(case))
        return words

    def keep(self, number: int, folder: Path) -> None:
        """Write the case of a number."""
        save(generate(number), folder)

    def again(self, folder: Path) -> None:
        """Judge what `keep` wrote."""
        judge(load(folder), self.engine, oracle=self.oracle)

    def shrink(self, folder: Path) -> None:
        """See `FuzzJob`."""
        case = load(folder)
        end = alone(partial(judge, case, self.engine, oracle=self.oracle), PATIENCE)
        if not end:
            print("  it did not happen again")
            return

        def fails(smaller: Case) -> bool:
            return alone(partial(judge, smaller, self.engine, oracle=oracle), PATIENCE) == end

        oracle = self.oracle and alone(partial(judge, case, self.engine, oracle=False), PATIENCE) != end
        smaller = shrink(case, fails, _SHRINK)
        for path in folder.glob("m*.svm*"):
            path.unlink()
        save(smaller, folder)
        print(f"  made small: {sum(len(path.read_bytes()) for path in folder.glob('*.svmb'))} bytes of modules")


class Mutants:
    """Damaged files: each ends in an outcome or an error of ours, soon and in little memory."""

    name = "mutants"
    files = "mutant.*"

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.seconds = 1.0 if engine == NATIVE else 20.0  # to compile takes time
        engine_of(engine)
        seeds()

    def check(self, number: int) -> Counter[str]:
        """See `Job`."""
        made = mutant(number)
        return Counter([f"{made.suffix} {survive(made, number, self.engine)}"])

    def keep(self, number: int, folder: Path) -> None:
        """Write the file of a number."""
        made = mutant(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"mutant.{made.suffix}").write_bytes(made.data)
        (folder / "number.json").write_text(json.dumps(number), "utf-8")

    def again(self, folder: Path) -> None:
        """Try what `keep` wrote."""
        path = next(iter(folder.glob("mutant.*")))
        number = json.loads((folder / "number.json").read_text("utf-8"))
        survive(Mutant(path.suffix[1:], path.read_bytes()), number, self.engine)

    def shrink(self, folder: Path) -> None:
        """See `FuzzJob`: the damage is in single bytes, so the file stays what it is."""


class Snapshots:
    """Damaged and forged snapshots: each ends in a guest that goes on alike on all engines, or in an error of ours."""

    name = "snapshots"
    files = "snapshot.svms"

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.seconds = 1.0 if engine == NATIVE else 20.0  # to compile takes time
        engine_of(engine)
        forged(0)

    def check(self, number: int) -> Counter[str]:
        """See `Job`."""
        return Counter([survive_snapshot(forged(number), number, self.engine)])

    def keep(self, number: int, folder: Path) -> None:
        """Write the file of a number."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.files).write_bytes(forged(number).data)
        (folder / "number.json").write_text(json.dumps(number), "utf-8")

    def again(self, folder: Path) -> None:
        """Try what `keep` wrote."""
        number = json.loads((folder / "number.json").read_text("utf-8"))
        survive_snapshot(Mutant(SUFFIX, (folder / self.files).read_bytes()), number, self.engine)

    def shrink(self, folder: Path) -> None:
        """See `FuzzJob`: the damage is in single bytes or fields, so the file stays what it is."""


JOBS: dict[str, type[Modules | Mutants | Snapshots | Programs | Sources]] = {
    job.name: job for job in (Modules, Mutants, Snapshots, Programs, Sources)}  # fmt: skip
