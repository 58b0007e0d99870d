"""`svm wast`: runs the specification's test scripts."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict

import click

from svm.cli.failures import Failure, failure
from svm.cli.options import EngineOption
from svm.cli.status import Status
from svm.cli.terminal import clean, say
from svm.errors import Error
from svm.snapshot import Store
from svm.wast import Report, read_script, run_script

__all__ = ["command"]

Outcome = Report | Failure


@click.command("wast", short_help="Run the WebAssembly specification's test scripts.")
@click.argument("files", metavar="FILE.json...", nargs=-1, required=True, type=click.Path())
@click.option("--engine", cls=EngineOption, default="auto", help="What is judged; auto is the best there is.")
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="N",
              help="Processes for several files; as many as there are processors if it is not given.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="How long one call of a script may run.")  # fmt: skip
@click.option("--verbose", is_flag=True, help="Print a line for each file too, when it is done.")
@click.option("--json", "as_json", is_flag=True, help="Print an object: passed, failed, skipped, and files with each.")
def command(
    files: tuple[str, ...], engine: str, jobs: int, timeout: float | None, verbose: bool, as_json: bool
) -> int:
    """Run scripts as wabt's `wast2json` makes them, with their modules in files beside them.

    Prints a line for each command that fails, why assertions were skipped, and last how many passed, failed and were
    skipped. The status is 1 if any failed.
    """
    with closing(Store(engine=engine)) as store:  # what its first use builds is built once, not by each process
        engine = store.engine.name
    worst = Status.OK
    reports = []
    for outcome in _outcomes(files, engine, timeout, jobs):
        if isinstance(outcome, Failure):
            say(outcome.text)
            worst = max(worst, outcome.status)
            continue
        reports.append(outcome)
        if not as_json:
            _tell(outcome, verbose=verbose)
    passed, failed, skipped = map(sum, zip((0, 0, 0), *map(_counts, reports), strict=True))
    if as_json:
        totals = {"engine": engine, "passed": passed, "failed": failed, "skipped": skipped}
        click.echo(json.dumps(totals | {"files": [asdict(each) for each in reports]}, indent=2))
    else:
        for reason, count in Counter(skip.reason for each in reports for skip in each.skips).items():
            click.echo(f"skipped {count}: {reason}")
        click.echo(f"{passed} passed, {failed} failed, {skipped} skipped")
    return worst or (Status.FAILED if failed else Status.OK)


def _tell(report: Report, *, verbose: bool) -> None:
    for each in report.failures:
        line = f"{report.source}:{each.line}: {each.command}: expected {each.expected}; got {each.got}"
        click.echo(clean(line.replace("\n", " ")))
    if verbose:
        passed, failed, skipped = _counts(report)
        counts = f"{passed} passed, {failed} failed, {skipped} skipped"
        click.echo(clean(f"{report.source}: {counts} ({report.seconds:.1f} s)"))


def _counts(report: Report) -> tuple[int, int, int]:
    return report.passed, len(report.failures), len(report.skips)


def _outcomes(files: Sequence[str], engine: str, timeout: float | None, jobs: int) -> Iterator[Outcome]:
    """What came of each file, in order; a file that is no script, or lacks its modules, is a Failure."""
    jobs = min(jobs, len(files))
    if jobs == 1:
        yield from (_outcome(file, engine, timeout) for file in files)
        return
    with ProcessPoolExecutor(jobs, initializer=_leave_interrupts_alone) as pool:
        running = [pool.submit(_outcome, file, engine, timeout) for file in files]
        try:
            for file, future in zip(files, running, strict=True):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    text = f"svm: {file}: a process that ran scripts was killed; --jobs 1 finds out which script it was"
                    raise Failure(Status.INTERNAL, text) from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _leave_interrupts_alone() -> None:
    """Ctrl-C reaches the processes of the pool too; the one that started them ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _outcome(file: str, engine: str, timeout: float | None) -> Outcome:
    try:
        return run_script(read_script(file), engine=engine, seconds=timeout)
    except (Error, OSError) as error:
        return failure(error, file)
