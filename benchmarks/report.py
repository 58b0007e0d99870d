"""What was measured, as Markdown for people and as JSON for programs; neither names the machine nor its folders."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.c_kernels import CANONICAL, UNCHECKED, KernelRow
from benchmarks.measure import Row
from benchmarks.operations import Operation
from benchmarks.peers import PEERS
from benchmarks.tables import Target, mean, ratios
from benchmarks.throughput import NUMERIC, PYTHONS, ProgramRow

__all__ = ["Report", "machine"]

_NOTES = """\
Times are CPU time, medians of interleaved rounds, least and most in brackets; ratios are taken within a round. What is
compiled was compiled before: the tables of kernels and programs show the steady state, the others what it costs to get
there, in wall time. svm always has its exact bounds checks, fuel and safepoints on. The reference engine runs each
program's small size: its ratio is time for a unit of fuel, which all engines count alike.
"""


def machine() -> dict[str, Any]:
    """What a reader must know of the machine to judge the figures."""
    facts: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for package in ("llvmlite", "wasmtime", "pywasm3", "ziglang"):
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    for name, missing in ({name: peer.missing for name, peer in PEERS.items()}
                          | {name: missing for name, (_, missing) in PYTHONS.items()}).items():  # fmt: skip
        if missing:
            facts[name] = f"left out: {missing}"
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("ascii", "replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


@dataclass(frozen=True)
class Report:
    """All rows of a run."""

    machine: dict[str, Any]
    programs: list[ProgramRow]
    kernels: list[KernelRow]
    operations: list[Operation]

    def json(self) -> dict[str, Any]:
        """The report as plain values; times in seconds, one for each round."""
        return {
            "machine": self.machine,
            "targets": [item._asdict() | {"met": item.met} for item in self.targets()],
            "means": self.means(),
            "programs": [asdict(row) for row in self.programs],
            "kernels": [asdict(row) for row in self.kernels],
            "operations": [asdict(row) for row in self.operations],
        }

    def races(self) -> list[Row]:
        """The kernels' races in the steady state."""
        return [row.steady for row in self.kernels]

    def python_races(self, *, numeric: bool) -> list[Row]:
        """The races of the numeric programs, or of the others."""
        return [row.steady for row in self.programs if (row.steady.name in NUMERIC) == numeric]

    def means(self) -> dict[str, float]:
        """Geometric means of ratios, by what they compare."""
        found: dict[str, float] = {}
        fields = [("jit", name, self.races()) for name in PEERS] + [("interpreter", "wasm3", self.races())]
        fields += [("interpreter", UNCHECKED, self.races()), (CANONICAL, "jit", self.races())]
        fields += [(name, "jit", self.python_races(numeric=True)) for name in PYTHONS]
        for one, other, races in fields:
            if values := ratios(races, one, other):
                found[f"{one} ÷ {other}"] = mean(values).median
        for name in PYTHONS:
            if values := ratios(self.python_races(numeric=False), name, "jit"):
                found[f"{name} ÷ jit, objects"] = mean(values).median
        return found

    def targets(self) -> Iterator[Target]:
        """What DESIGN's goals say of these figures."""
        means = self.means()
        for name, bound in (("wasmtime", 0.80), ("wasmtime with fuel", 0.55), ("native C", 1.10)):
            if f"jit ÷ {name}" in means:
                yield Target(f"C kernels, jit ÷ {name}, geometric mean", means[f"jit ÷ {name}"], bound, True)
            if name == "wasmtime" and (values := ratios(self.races(), "jit", name)):
                worst = max(values, key=lambda kernel: values[kernel].median)
                what = f"C kernels, jit ÷ {name}, worst kernel"
                yield Target(what, values[worst].median, 1.10, True, f" ({worst})")
        for name, what, bound in (
            ("CPython ÷ jit", "numeric", 25), ("CPython ÷ jit, objects", "object", 20),
            ("PyPy ÷ jit", "numeric", 1.5), ("PyPy ÷ jit, objects", "object", 0.7),
        ):  # fmt: skip
            if name in means:
                yield Target(f"{what} Krait programs, {name.split(',')[0]}, geometric mean", means[name], bound, False)

    def markdown(self) -> str:
        """The report as text."""
        facts = "\n".join(f"- {key}: {value}" for key, value in self.machine.items())
        parts = ["# Measurements", facts, _NOTES.strip()]
        for title, rows, table in (
            ("Targets", list(self.targets()), tables.targets),
            ("C kernels, compiled", self.kernels, tables.kernels),
            ("C kernels, interpreted", self.kernels, tables.interpreters),
            ("C kernels, until a first call has returned", self.kernels, tables.first_calls),
            ("Krait programs", self.programs, tables.programs),
            ("Small operations", self.operations, tables.operations),
        ):
            if rows:
                parts += [f"## {title}", "\n".join(table(rows))]
        return "\n\n".join(parts) + "\n"
