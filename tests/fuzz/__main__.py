"""`python -m tests.fuzz`: generated modules and programs, damaged files, snapshots and sources, for so long.

`replay FOLDER` tries one finding again.

What is found is written below `build/fuzz`, a folder for each, with the command that tries it again; a case of
modules, and a program, is made small first. Exit status 1 if anything was found.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from svm import ENGINES
from svm.engines.native.jit import tier
from svm.isa import OPS
from tests.fuzz.jobs import GENERATED, JOBS, REACHED, FuzzJob, has_wasmtime
from tests.fuzz.runs import NATIVE, REFERENCE
from tests.fuzz.workers import Plan, Summary, run

_ALIKE = 3  # findings that are likely the same, of which files are written
_NAMED = 30  # instructions that are missing are named if they are fewer
_SHOW = 10.0  # seconds between two lines of progress


def main() -> int:
    """Run what the command line asks for."""
    options = _options()
    tier.JIT = tier.Policy(first_call=True, hot=0, background=False)  # loops too, however short they run
    os.environ.setdefault("SVM_CACHE", str(options.folder.absolute() / "cache"))  # the user's is not for such modules
    if options.what == "replay":
        return replay(options.folder, options.engine)
    names = [*JOBS] if options.what == "all" else [options.what]
    if "modules" in names and not has_wasmtime():
        print("fuzz: wasmtime is not installed; svm's engines are compared with each other only")
    status = 0
    for name in names:
        job = JOBS[name](options.engine)
        plan = Plan(options.first, options.count, options.seconds / len(names), options.workers)
        print(f"fuzz: {name} from {plan.first} on, {plan.workers} workers", flush=True)
        summary = run(job, plan, options.folder, Progress(name))
        tell(name, summary)
        if summary.findings:
            status = 1
            keep(job, summary, options.folder)
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?", default="all", choices=["all", *JOBS, "replay"])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/fuzz"), help="where findings go, or one is")
    parser.add_argument("--engine", default=NATIVE, choices=sorted({*ENGINES} - {REFERENCE}),
                        help=f"what is compared with the {REFERENCE} engine; {NATIVE} if it is not given")
    parser.add_argument("--seconds", type=float, help="for how long, over all jobs; a minute, if nothing else is said")
    parser.add_argument("--first", type=int, help="the first number; without it, one that depends on the clock")
    parser.add_argument("--count", type=int, help="how many numbers at most, for each job")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.first is None:
        options.first = int(time.time()) * 1_000_000
    if options.seconds is None:
        options.seconds = 60.0 if options.count is None else float("inf")
    return options


class Progress:
    """Prints a line now and then, and what is found at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = 0.0
        self.told = 0

    def __call__(self, summary: Summary) -> None:
        """See `run`."""
        for finding in summary.findings[self.told :]:
            last = finding.text.rstrip().rpartition("\n")[2]
            print(f"  {finding.kind} at {self.name} {finding.number}: {last:.200}", flush=True)
        self.told = len(summary.findings)
        if summary.seconds - self.last >= _SHOW:
            self.last = summary.seconds
            rate = summary.done / summary.seconds * 60
            print(f"  {summary.seconds:5.0f} s  {summary.done} {self.name}, {rate:.0f} a minute, "
                  f"{len(summary.findings)} findings", flush=True)  # fmt: skip


def tell(name: str, summary: Summary) -> None:
    """Print what a run did."""
    rate = summary.done / max(summary.seconds, 0.001) * 60
    print(f"fuzz: {summary.done} {name} in {summary.seconds:.0f} s ({rate:.0f} a minute), "
          f"{len(summary.findings)} findings")  # fmt: skip
    for word, count in sorted(summary.words.items()):
        if not word.startswith((GENERATED, REACHED)):
            print(f"  {count:9} {word}")
    for what in (GENERATED, REACHED):
        found = {word.removeprefix(what) for word in summary.words if word.startswith(what)}
        if found:
            missing = sorted(set(OPS) - found)
            without = f", without {', '.join(missing)}" if 0 < len(missing) < _NAMED else ""
            print(f"  {what.strip()}: {len(found)} of {len(OPS)} instructions{without}")


def keep(job: FuzzJob, summary: Summary, folder: Path) -> None:
    """Write findings, a few of those that look alike, and say how to try them again."""
    seen: dict[tuple[str, str], int] = {}
    for finding in summary.findings:
        seen[finding.key] = seen.get(finding.key, 0) + 1
        if seen[finding.key] > _ALIKE:
            continue
        place = folder / f"{job.name}-{finding.number}"
        place.mkdir(parents=True, exist_ok=True)
        command = f"python -m tests.fuzz replay {place} --engine {job.engine}"
        try:
            job.keep(finding.number, place)
        except Exception:  # the finding is then that there is no such input
            command = f"python -m tests.fuzz {job.name} --first {finding.number} --count 1 --engine {job.engine}"
        (place / "finding.txt").write_text(f"{finding.kind}\n{finding.text}\n\n{command}\n", "utf-8")
        print(f"fuzz: {finding.kind} at {job.name} {finding.number}: {command}")
        if "replay" in command and finding.kind != "hang":  # each try would take as long
            job.shrink(place)
    for (kind, at), count in seen.items():
        print(f"  {count:9} × {kind} {at}")


def replay(folder: Path, engine: str) -> int:
    """Try a finding again, in this process; whatever it does comes through."""
    job = next(kind for kind in JOBS.values() if list(folder.glob(kind.files)))
    job(engine).again(folder)
    print(f"fuzz: nothing wrong with {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
