"""Which ratios the chart shows."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.chart import Panel, chart
from benchmarks.measure import Row
from benchmarks.report import Report
from benchmarks.tables import mean, ratios

__all__ = ["picture"]

_MEAN = "geometric mean"


def picture(report: Report) -> str:
    """The report as an SVG chart."""
    races, panels = report.races(), []
    everyone = list(dict.fromkeys(name for race in races for name in race.taken))
    base = "native C" if "native C" in everyone else "jit"
    bars = {name: mean(ratios(races, name, base)) for name in everyone if all(name in race.taken for race in races)}
    bars.pop(base, None)
    mine = frozenset(("jit", "auto", "interpreter"))
    panels.append(Panel(f"C kernels: time, {base} = 1 (geometric means; less is better)", bars, mine & set(bars)))
    for peer in ("wasmtime", "wasmtime with fuel"):
        panels.append(_panel(f"C kernels: time of the JIT, {peer} = 1 (less is better)", races, "jit", peer))
    for numeric, kind in ((True, "numeric"), (False, "classes, strings, containers")):
        for peer in ("CPython", "PyPy"):
            title = f"Krait programs, {kind}: times as fast under the JIT as in {peer} (more is better)"
            panels.append(_panel(title, report.python_races(numeric=numeric), peer, "jit"))
    return chart(panels)


def _panel(title: str, races: Sequence[Row], contender: str, base: str) -> Panel:
    found = ratios(races, contender, base)
    return Panel(title, found | {_MEAN: mean(found)} if found else {}, frozenset((_MEAN,)))

