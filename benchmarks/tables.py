"""Tables of what was measured, in Markdown: each function takes rows of one kind and gives lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from benchmarks.c_kernels import CANONICAL, UNCHECKED, KernelRow
from benchmarks.measure import Row, Spread, geometric_mean
from benchmarks.operations import Operation
from benchmarks.peers import INTERPRETED
from benchmarks.throughput import ProgramRow

__all__ = ["Target", "first_calls", "interpreters", "kernels", "mean", "operations", "programs", "ratios", "targets"]

_SCALES = {"ms": 1e3, "µs": 1e6, "KiB": 1 / 1024}
_COMPILED = ("native C", "wasmtime", "wasmtime with fuel", "wasmtime with epochs", "node", "LuaJIT", "auto")


class Target(NamedTuple):
    """A figure with what is asked of it.  most: whether the bound is the most that it may be, or the least."""

    what: str
    value: float
    bound: float
    most: bool
    where: str = ""

    @property
    def met(self) -> bool:
        """Whether it is as asked."""
        return self.value <= self.bound if self.most else self.value >= self.bound


def ratios(races: Iterable[Row], contender: str, base: str) -> dict[str, Spread]:
    """One's time over another's, by the name of each race that both ran in."""
    return {race.name: race.ratio(contender, base) for race in races if {contender, base} <= race.taken.keys()}


def mean(found: dict[str, Spread]) -> Spread:
    """The geometric means of medians, of the least, and of the most."""
    return Spread(*(geometric_mean(values) for values in zip(*found.values(), strict=True)))


def targets(found: Iterable[Target]) -> list[str]:
    """What is asked of svm, and what came out."""
    lines = ["| what | target | measured | |", "|---|--:|--:|---|"]
    for item in found:
        sign, verdict = "≤" if item.most else "≥", "met" if item.met else "**missed**"
        lines.append(f"| {item.what} | {sign} {item.bound:.2f} | {item.value:.2f}{item.where} | {verdict} |")
    return lines


def kernels(rows: Sequence[KernelRow]) -> list[str]:
    """Compiled code, in its steady state."""
    bases = [name for name in _COMPILED if any(name in row.steady.taken for row in rows)]
    head = ["kernel", "n", "jit ms", *[f"jit ÷ {name}" for name in bases], f"{CANONICAL} ÷ jit", "interpreter ÷ jit"]
    columns = [lambda race, base=base: _over(race, "jit", base) for base in bases]
    columns += [lambda race, name=name: _over(race, name, "jit") for name in (CANONICAL, "interpreter")]
    return _with_means(head, rows, "jit", columns)


def interpreters(rows: Sequence[KernelRow]) -> list[str]:
    """Interpreted code, and what the interpreter's checks cost it."""
    columns: list[_Column] = []
    head = ["kernel", "n", "interpreter ms"]
    if any(INTERPRETED in row.steady.taken for row in rows):
        head.append(f"{INTERPRETED} ÷ interpreter")
        columns.append(lambda race: _over(race, INTERPRETED, "interpreter"))
    head.append("with ÷ without fuel and bounds checks")
    columns.append(lambda race: _over(race, "interpreter", UNCHECKED))
    return _with_means(head, rows, "interpreter", columns)


def first_calls(rows: Sequence[KernelRow]) -> list[str]:
    """From bytes to the first result; and the compilers' time by size, which is most of it."""
    names = list(rows[0].first.taken)
    per_kb = [name for name in ("jit", "wasmtime") if name in names]
    lines = _head(["kernel", "bytes", *[f"{name} ms" for name in names], *[f"{name} ms a KB" for name in per_kb]])
    spent: dict[str, list[float]] = {name: [] for name in per_kb}
    for row in rows:
        cells = [_spread(row.first.seconds(name).times(1e3)) for name in names]
        for name in per_kb:
            spent[name].append(row.first.seconds(name).median * 1e3 / (row.wasm_bytes / 1024))
            cells.append(f"{spent[name][-1]:.1f}")
        lines.append(_line(row.steady.name, row.wasm_bytes, *cells))
    means = [f"{geometric_mean(values):.1f}" for values in spent.values()]
    return [*lines, _line("geometric mean", "", *[""] * len(names), *means)]


def programs(rows: Sequence[ProgramRow]) -> list[str]:
    """Krait against Python."""
    others = [name for name in rows[0].steady.taken if name not in ("jit", "CPython")]
    head = ["program", "size", "jit ms", "CPython ÷ jit", *[f"{name} ÷ jit" for name in others]]
    head += ["reference ÷ interpreter", "Krait's compiler ms", "bytes", "first run: " + ", ".join(rows[0].first)]
    lines = _head(head)
    for row in rows:
        race = row.steady
        lines.append(
            _line(
                race.name, row.size or "own", _spread(race.seconds("jit").times(1e3)),
                *[_spread(race.ratio(name, "jit")) for name in ("CPython", *others)], f"{row.reference_ratio:.0f}",
                f"{row.compile_seconds * 1e3:.0f}", row.code_bytes,
                ", ".join(f"{seconds * 1e3:.0f}" for seconds in row.first.values()) + " ms",
            )
        )  # fmt: skip
    races = [row.steady for row in rows]
    means = [f"{mean(ratios(races, name, 'jit')).median:.2f}" for name in ("CPython", *others)]
    return [*lines, _line("geometric mean", "", "", *means, "", "", "", "")]


def operations(rows: Iterable[Operation]) -> list[str]:
    """Small operations."""
    lines = ["| operation | svm | others | other ÷ svm | aim | |", "|---|--:|---|---|---|---|"]
    for row in rows:
        own, *others = row.race.taken
        times = ", ".join(f"{name} {_time(row.race, name, row.unit)}" for name in others)
        found = ", ".join(_spread(row.race.ratio(name, own)) for name in others)
        lines.append(_line(row.race.name, _time(row.race, own, row.unit), times, found, row.aim, row.note))
    return lines


_Column = Callable[[Row], "Spread | None"]


def _over(race: Row, contender: str, base: str) -> Spread | None:
    """A ratio, where both ran."""
    return race.ratio(contender, base) if contender in race.taken and base in race.taken else None


def _with_means(head: list[str], rows: Sequence[KernelRow], own: str, columns: Sequence[_Column]) -> list[str]:
    lines = _head(head)
    found: list[list[float]] = [[] for _ in columns]
    for row in rows:
        cells = []
        for values, column in zip(found, columns, strict=True):
            ratio = column(row.steady)
            cells.append("" if ratio is None else _spread(ratio))
            values += [] if ratio is None else [ratio.median]
        lines.append(_line(row.steady.name, row.size, _spread(row.steady.seconds(own).times(1e3)), *cells))
    lines.append(_line("geometric mean", "", "", *[f"{geometric_mean(values):.2f}" for values in found]))
    lines.append(_line("greatest", "", "", *[f"{max(values):.2f}" for values in found]))
    return lines


def _head(names: Sequence[str]) -> list[str]:
    return [_line(*names), f"|---|{'--:|' * (len(names) - 1)}"]


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _time(row: Row, name: str, unit: str) -> str:
    return f"{row.seconds(name).median * _SCALES[unit]:.2f} {unit}"


def _spread(value: Spread) -> str:
    digits = 2 if value.median < 100 else 0
    return f"{value.median:.{digits}f} ({value.least:.{digits}f}–{value.most:.{digits}f})"
