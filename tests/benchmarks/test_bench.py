"""The measurements run, at their least sizes, and write what they found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("resource")  # processes are timed as Unix does

from benchmarks.__main__ import main
from benchmarks.c_kernels import KERNEL_SIZES, KERNELS
from benchmarks.measure import races
from benchmarks.throughput import PROGRAMS, SIZES


def test_every_program_has_a_size() -> None:
    assert sorted(SIZES) == sorted(path.stem for path in PROGRAMS.glob("*.kr"))


def test_every_kernel_has_a_size() -> None:
    assert sorted(KERNEL_SIZES) == sorted(path.stem for path in KERNELS.glob("*.c"))


def test_races_interleave_and_each_has_its_own_first() -> None:
    order: list[str] = []

    def runner(name: str, seconds: float) -> Callable[[], float]:
        return lambda: (order.append(name), seconds)[1]

    one, two = races({"x": {"a": runner("a", 2.0), "b": runner("b", 3.0)}, "y": {"c": runner("c", 5.0)}}, 2)
    assert order == ["a", "b", "c"] * 3
    assert one.ratios["b"].median == 1.5 and two.ratios == {}


def test_a_quick_run_writes_both_reports(tmp_path: Path) -> None:
    main(["collatz", "operations", "--quick", "--output", str(tmp_path)])
    found = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert [row["race"]["name"] for row in found["programs"]] == ["collatz"]
    assert all(len(times) == 3 for row in found["operations"] for times in row["race"]["seconds"].values())
    text = (tmp_path / "bench.md").read_text("utf-8")
    assert "| collatz | own |" in text and "two guests on two threads" in text


def test_an_unknown_part_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fibb", "--output", str(tmp_path)])
    assert "no part is named fibb" in capsys.readouterr().err
