"""The measurements run, at their least sizes, and write what they found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("resource")  # processes are timed as Unix does

from benchmarks.__main__ import main
from benchmarks.throughput import PROGRAMS, SIZES


def test_every_program_has_a_size() -> None:
    assert sorted(SIZES) == sorted(path.stem for path in PROGRAMS.glob("*.kr"))


def test_a_quick_run_writes_both_reports(tmp_path: Path) -> None:
    main(["fib", "operations", "--quick", "--output", str(tmp_path)])
    found = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert [row["race"]["name"] for row in found["programs"]] == ["fib"]
    assert all(len(times) == 3 for row in found["operations"] for times in row["race"]["seconds"].values())
    text = (tmp_path / "bench.md").read_text("utf-8")
    assert "| fib | own |" in text and "two guests on two threads" in text


def test_an_unknown_part_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fibb", "--output", str(tmp_path)])
    assert "no part is named fibb" in capsys.readouterr().err
