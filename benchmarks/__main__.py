"""`python -m benchmarks`: measures, and writes `bench.md`, `bench.json` and `bench.svg` into a folder."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.c_kernels import KERNEL_SIZES, measure_kernels
from benchmarks.guests import measure_guests
from benchmarks.measure import fresh_cache, say
from benchmarks.operations import Operation, Wasmtime, measure_operations
from benchmarks.pictures import picture
from benchmarks.report import Report, machine
from benchmarks.snapshots import measure_snapshots
from benchmarks.throughput import SIZES, measure_program
from benchmarks.tiers import measure_tiers

_ROUNDS = 5
_COUNT, _QUICK_COUNT = 20_000, 200
_PARTS = ("programs", "kernels", "operations")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for; progress goes to standard error, the Markdown to standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure svm and its peers.")
    parser.add_argument("parts", nargs="*", help=f"{', '.join(_PARTS)}, or programs and kernels by name; all without")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="how often each contender runs")
    parser.add_argument("--quick", action="store_true", help="least sizes, one round: whether it works, not how fast")
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for bench.md, .json and .svg")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - {*_PARTS, *SIZES, *KERNEL_SIZES}:
        names = ", ".join(sorted({*SIZES, *KERNEL_SIZES}))
        parser.error(f"no part is named {', '.join(sorted(unknown))}; there are {', '.join(_PARTS)}, {names}")
    rounds = 1 if options.quick else options.rounds
    parts = set(options.parts or _PARTS)
    programs = [name for name in SIZES if parts & {name, "programs"}]
    kernels = [name for name in KERNEL_SIZES if parts & {name, "kernels"}]
    count = _QUICK_COUNT if options.quick else _COUNT
    with fresh_cache():  # so that what a first run takes does not depend on earlier measurements
        report = Report(
            machine(),
            [measure_program(name, None if options.quick else SIZES[name], rounds) for name in programs],
            list(measure_kernels(kernels, rounds, quick=options.quick)),
            _operations(rounds, count, quick=options.quick) if "operations" in parts else [],
        )
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "bench.json").write_text(json.dumps(report.json(), indent=1) + "\n", encoding="utf-8")
    (options.output / "bench.md").write_text(report.markdown(), encoding="utf-8")
    (options.output / "bench.svg").write_text(picture(report), encoding="utf-8")
    print(report.markdown(), end="")
    say(f"wrote bench.md, bench.json and bench.svg into {options.output}")


def _operations(rounds: int, count: int, *, quick: bool) -> list[Operation]:
    own, guests = measure_operations(rounds, count), measure_guests(rounds, count, Wasmtime.found())
    return [*own, *guests, *measure_tiers(rounds, quick=quick), *measure_snapshots(rounds, count)]


if __name__ == "__main__":
    main()
