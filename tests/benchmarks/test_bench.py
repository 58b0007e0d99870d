"""The measurements run, at their least sizes, and write what they found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("resource")  # processes are timed as Unix does

from benchmarks.__main__ import main
from benchmarks.c_kernels import KERNEL_SIZES
from benchmarks.chart import Panel, chart
from benchmarks.measure import Spread, races
from benchmarks.peers import KERNELS
from benchmarks.tables import Target, targets
from benchmarks.throughput import PROGRAMS, SIZES
from benchmarks.workers import Answer, Worker


def test_every_program_has_a_size() -> None:
    assert sorted(SIZES) == sorted(path.stem for path in PROGRAMS.glob("*.kr"))


def test_every_kernel_has_a_size() -> None:
    assert sorted(KERNEL_SIZES) == sorted(path.stem for path in KERNELS.glob("*.c"))


def test_races_interleave_after_a_round_that_does_not_count() -> None:
    order: list[str] = []

    def runner(name: str, *seconds: float) -> Callable[[], float]:
        values = iter(seconds)
        return lambda: (order.append(name), next(values))[1]

    fields = {"x": {"a": runner("a", 9, 2, 4), "b": runner("b", 9, 3, 8)}, "y": {"c": runner("c", 9, 5, 5)}}
    one, two = races(fields, 2)
    assert order == ["a", "b", "c"] * 3
    assert one.ratio("b", "a") == Spread(1.75, 1.5, 2.0) and two.seconds("c") == Spread(5, 5, 5)


def test_a_quick_run_writes_its_reports(tmp_path: Path) -> None:
    main(["collatz", "operations", "--quick", "--output", str(tmp_path)])
    found = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    (program,) = found["programs"]
    assert program["steady"]["name"] == "collatz" and program["first"]["jit"] > 0
    assert all(len(times) == 1 for times in program["steady"]["taken"].values())
    assert all(times for row in found["operations"] for times in row["race"]["taken"].values())
    text = (tmp_path / "bench.md").read_text("utf-8")
    assert "| collatz | own |" in text and "two guests on two threads" in text
    ElementTree.parse(tmp_path / "bench.svg")


def test_a_chart_has_a_bar_for_each_ratio() -> None:
    picture = chart([Panel("a < b", {"one": Spread(0.5, 0.4, 0.6), "two": Spread(200, 100, 300)}), Panel("none", {})])
    root = ElementTree.fromstring(picture)
    texts = [item.text for item in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "one", "two", "0.5", "200", "1", "10", "100"} <= set(texts) and "none" not in texts
    bars = [item for item in root.iter("{http://www.w3.org/2000/svg}rect") if item.get("class")]
    assert len(bars) == 2 and all(float(bar.attrib["width"]) > 1 for bar in bars)


def test_targets_say_which_are_missed() -> None:
    lines = targets([Target("a", 1.2, 1.1, True, " (x.c)"), Target("b", 3, 2, False)])
    assert lines[2:] == ["| a | ≤ 1.10 | 1.20 (x.c) | **missed** |", "| b | ≥ 2.00 | 3.00 | met |"]


def test_an_unknown_part_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fibb", "--output", str(tmp_path)])
    assert "no part is named fibb" in capsys.readouterr().err


def test_a_worker_that_dies_is_an_error() -> None:
    worker = Worker(sys.executable, "-c", "input(); print('0.5 x y', flush=True)")
    assert worker.ask("1") == Answer(0.5, "x y")
    with pytest.raises(ChildProcessError, match="status 0"):
        worker.ask("2")
    worker.close()
