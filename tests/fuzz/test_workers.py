"""Workers: whatever an input does to its process is told, and the run goes on."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz import workers
from tests.fuzz.workers import Plan, alone, run


class Bad:
    """A job with one input of each bad kind."""

    name = "bad"
    seconds = 0.3

    def check(self, number: int) -> Counter[str]:
        match number:
            case 3:
                raise KeyError("three")
            case 5:
                os.kill(os.getpid(), signal.SIGSEGV)
            case 8:
                time.sleep(60)
            case 9:
                end = time.process_time() + 0.4
                while time.process_time() < end:
                    pass
            case 11:
                self.kept = bytearray(b"x") * (workers.MEMORY + 1)
        return Counter([f"number {number % 2}"])


def test_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 8.0)
    monkeypatch.setattr(workers, "MEMORY", 256 << 20)
    summary = run(Bad(), Plan(first=0, count=40, workers=2), tmp_path)
    found = {finding.number: finding.kind for finding in summary.findings}
    assert found == {3: "KeyError", 5: "crash", 8: "hang", 9: "slow", 11: "memory"}
    texts = {finding.kind: finding.text for finding in summary.findings}
    assert "three" in texts["KeyError"] and "check" in texts["KeyError"]
    assert "Segmentation fault" in texts["crash"] and "test_workers.py" in texts["crash"]
    assert "test_workers.py" in texts["hang"]
    assert summary.done == 38  # at two a worker was lost
    assert summary.words["number 0"] > 5 and summary.words["number 1"] > 5


def test_a_run_ends_in_time(tmp_path: Path) -> None:
    begun = time.monotonic()
    summary = run(Bad(), Plan(first=100, seconds=0.5, workers=1), tmp_path)
    assert summary.done > 10 and not summary.findings
    assert time.monotonic() - begun < 20


def test_alone() -> None:
    def fail() -> None:
        raise ValueError

    assert alone(lambda: None, 20) == ""
    assert alone(fail, 20) == "ValueError"
    assert alone(lambda: os.kill(os.getpid(), signal.SIGSEGV), 20) == "crash"
    assert alone(lambda: time.sleep(60), 0.2) == "hang"
