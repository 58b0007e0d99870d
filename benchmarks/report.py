"""What was measured, as Markdown for people and as JSON for programs; neither names the machine nor its folders."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.c_kernels import UNCHECKED, KernelRow
from benchmarks.measure import Row, Spread, geometric_mean
from benchmarks.operations import Operation
from benchmarks.throughput import ProgramRow

__all__ = ["Report", "machine"]

CHECKS = "checks cost"
_SCALES = {"ms": 1e3, "µs": 1e6}
_NOTES = """\
Times are CPU time, medians of interleaved rounds; ratios are taken within a round, least and most in brackets.
The reference engine runs each program's small size: its ratio is time for a unit of fuel, which all engines count
alike. "Checks cost" is what the interpreter takes longer than one built without fuel and bounds checks, each at its
least time: the difference is smaller than what other work on the machine does to a median.
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
    for peer in ("llvmlite", "wasmtime", "pywasm3", "ziglang"):
        try:
            facts[peer] = metadata.version(peer)
        except metadata.PackageNotFoundError:
            facts[peer] = "not installed: left out"
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
        """The report as plain values; times in seconds."""
        return {
            "machine": self.machine,
            "programs": [asdict(row) for row in self.programs],
            "kernels": [asdict(row) for row in self.kernels],
            "means": {"programs": self.program_means(), "kernels": self.kernel_means()},
            "operations": [asdict(row) for row in self.operations],
        }

    def program_means(self) -> dict[str, float]:
        """Geometric means of ratios to svm's interpreter over the programs."""
        if not self.programs:
            return {}
        return {
            "CPython": geometric_mean(row.race.ratios["CPython"].median for row in self.programs),
            "reference": geometric_mean(row.reference_ratio for row in self.programs),
        }

    def kernel_means(self) -> dict[str, float]:
        """Geometric means over the C kernels: of ratios to svm's interpreter, and of what its checks cost."""
        if not self.kernels:
            return {}
        peers = [peer for peer in self.kernels[0].race.ratios if peer != UNCHECKED]
        means = {peer: geometric_mean(row.race.ratios[peer].median for row in self.kernels) for peer in peers}
        return {**means, CHECKS: geometric_mean(row.checks_cost for row in self.kernels)}

    def markdown(self) -> str:
        """The report as text."""
        facts = "\n".join(f"- {key}: {value}" for key, value in self.machine.items())
        parts = ["# Measurements", facts, _NOTES.strip()]
        if self.programs:
            parts += ["## Programs", "\n".join(self._programs())]
        if self.kernels:
            parts += ["## C kernels", "\n".join(self._kernels())]
        if self.operations:
            parts += ["## Small operations", "\n".join(self._operations())]
        return "\n\n".join(parts) + "\n"

    def _programs(self) -> list[str]:
        lines = [
            "| program | size | compile ms | svm ms | ns a fuel | CPython ms | CPython ÷ svm | reference ÷ svm |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for row in self.programs:
            own, python = (row.race.seconds[key].times(1e3).median for key in ("svm", "CPython"))
            lines.append(
                f"| {row.race.name} | {row.size or 'own'} | {row.compile_seconds * 1e3:.0f} | {own:.1f}"
                f" | {own * 1e6 / row.fuel:.2f} | {python:.1f}"
                f" | {_ratio(row.race.ratios['CPython'])} | {row.reference_ratio:.0f} |"
            )
        means = self.program_means()
        mean = f"| geometric mean | | | | | | {means['CPython']:.2f} | {means['reference']:.0f} |"
        return [*lines, mean]

    def _kernels(self) -> list[str]:
        means = self.kernel_means()
        peers = [peer for peer in means if peer != CHECKS]
        head = "".join(f" {peer} ÷ svm |" for peer in peers)
        lines = [f"| kernel | n | svm ms |{head} checks cost |", f"|---|{'--:|' * (len(peers) + 3)}"]
        for row in self.kernels:
            ratios = "".join(f" {_ratio(row.race.ratios[peer])} |" for peer in peers)
            own = row.race.seconds["svm"].median * 1e3
            cost = _cost(row.checks_cost)
            lines.append(f"| {row.race.name} | {row.size} | {own:.1f} |{ratios} {cost} |")
        ratios = "".join(f" {means[peer]:.2f} |" for peer in peers)
        return [*lines, f"| geometric mean | | |{ratios} {_cost(means[CHECKS])} |"]

    def _operations(self) -> list[str]:
        lines = ["| operation | svm | others | other ÷ svm | aim | |", "|---|--:|---|---|---|---|"]
        for row in self.operations:
            others = ", ".join(f"{name} {_time(row.race, name, row.unit)}" for name in row.race.ratios)
            ratios = ", ".join(_ratio(value) for value in row.race.ratios.values())
            own = _time(row.race, next(iter(row.race.seconds)), row.unit)
            lines.append(f"| {row.race.name} | {own} | {others} | {ratios} | {row.aim} | {row.note} |")
        return lines


def _time(row: Row, name: str, unit: str) -> str:
    return f"{row.seconds[name].median * _SCALES[unit]:.2f} {unit}"


def _ratio(value: Spread) -> str:
    return f"{value.median:.2f} ({value.least:.2f}–{value.most:.2f})"


def _cost(ratio: float) -> str:
    """What a ratio is more than one, in percent."""
    return f"{(ratio - 1) * 100:+.1f} %"
