"""Programs that go on: after a limit, a signal, a crash, from a store or a file, on another engine."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys

total = 0
for i in range(int(sys.argv[1])):
    t = 0
    for j in range(int(sys.argv[2])):
        t += j % 7
    total += t
    print(i, total, sys.argv[3:], flush=True)
print("done", total)
sys.exit(3)
"""


def svm(*words: str, folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "svm", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the program in it, compiled, so that what is measured is its run."""
    (tmp_path / "job.kr").write_text(PROGRAM)
    assert svm("build", "job.kr", "-o", "job.svmb", folder=tmp_path).returncode == 0
    return tmp_path


def expected(folder: Path, *args: str) -> str:
    return svm("run", "job.svmb", *args, folder=folder).stdout


def test_a_program_that_ends_leaves_nothing(folder: Path) -> None:
    done = svm("run", "--checkpoint", "s", "--every", "0.05", "job.svmb", "5", "20000", "x", folder=folder)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == expected(folder, "5", "20000", "x")
    listed = svm("snapshot", "list", "s", "--json", folder=folder)
    assert json.loads(listed.stdout) == []
    gone = svm("resume", "s", folder=folder)
    assert gone.returncode == 2 and "no checkpoint" in gone.stderr


@pytest.mark.parametrize("engine", ["interpreter", "reference"])
def test_a_limit_keeps_it(folder: Path, engine: str) -> None:
    whole = expected(folder, "6", "2000", "a", "b")
    first = svm("run", "--checkpoint", "s:name", "--fuel", "60000", "job.svmb", "6", "2000", "a", "b", folder=folder)
    assert first.returncode == 75 and "svm resume s:name" in first.stderr
    shown = svm("snapshot", "show", "s", folder=folder)
    assert "state: paused: fuel" in shown.stdout and "job.kr" in shown.stdout
    again = svm("resume", "s:name", "--engine", engine, "--fuel", "1000", folder=folder)
    assert again.returncode == 75
    last = svm("resume", "s:name:2", "--engine", engine, "--fuel", "100000000", folder=folder)
    assert last.returncode == 3
    assert first.stdout + again.stdout + last.stdout == whole


def test_files_of_snapshots_go_anywhere(folder: Path) -> None:
    whole = expected(folder, "4", "2000")
    first = svm("run", "--snapshot-on-exit", "x.svms", "--fuel", "40000", "job.svmb", "4", "2000", folder=folder)
    assert first.returncode == 75 and "svm resume x.svms" in first.stderr
    assert svm("import", "x.svms", "t:new", folder=folder).stdout == "t:new:1\n"
    assert svm("export", "t:new", "-o", "y.svms", folder=folder).returncode == 0
    compared = svm("snapshot", "diff", "x.svms", "t", "--json", folder=folder)
    assert set(json.loads(compared.stdout).values()) == {0, "same"}
    for place in ("x.svms", "y.svms", "t:new"):
        last = svm("resume", place, "--fuel", "100000000", folder=folder)
        assert (last.returncode, first.stdout + last.stdout) == (3, whole)
    assert "has none" in svm("resume", "t", folder=folder).stderr  # that was the end of it


def test_ctrl_c_keeps_it(folder: Path) -> None:
    words = ["run", "--checkpoint", "s", "--every", "60", "job.svmb", "3", "300000000000"]
    command = [sys.executable, "-m", "svm", *words]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (folder / "s").exists() and process.poll() is None:  # the first run builds the interpreter
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT) and "svm resume s:job" in err
    assert "paused: interrupt" in svm("snapshot", "show", "s", folder=folder).stdout


def test_wrong_places(folder: Path) -> None:
    (folder / "text").write_text("nothing of ours " * 400)
    for words, status, text in (
        (("resume", "none"), 66, "No such file"),
        (("resume", "text"), 65, "no store of checkpoints"),
        (("resume", "job.svmb"), 65, "no store of checkpoints"),
        (("snapshot", "list", "none"), 66, "No such file"),
        (("snapshot", "rm", "text"), 2, "STORE:NAME"),
        (("snapshot", "show", "text:x"), 65, "no store of checkpoints"),
        (("export", "none", "-o", "x"), 66, "No such file"),
        (("import", "text", "s"), 65, "no snapshot"),
        (("import", "job.svmb", "s:a:1"), 65, "no snapshot"),
        (("run", "--checkpoint", "s:a:1", "job.svmb", "1", "1"), 2, "numbers from the store"),
        (("run", "--checkpoint", "s", "--invoke", "f", "job.svmb"), 2, "only programs"),
        (("run", "--checkpoint", "no/such/s", "job.svmb", "1", "1"), 66, "unable to open"),
        (("run", "--every", "0", "job.svmb"), 2, "--every"),
    ):
        found = svm(*words, folder=folder)
        assert (found.returncode, text in found.stderr, "Traceback" in found.stderr) == (status, True, False), found


@pytest.mark.parametrize("kills", [6, pytest.param(1000, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_goes_on_from_what_was_kept(folder: Path, kills: int) -> None:
    """Each line is there, in order.  A kill between giving output and noting it repeats a line, and loses none."""
    rng, found, ended, left = random.Random(7), "", 0, kills
    whole = expected(folder, "40", "60000")
    words = ["run", "--checkpoint", "s", "--every", "0.02", "job.svmb", "40", "60000"]
    while left or not ended:
        command = [sys.executable, "-m", "svm", *words]
        with open(folder / "out", "w+b") as out, open(folder / "err", "w+b") as err:
            process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
            if left:
                time.sleep(rng.uniform(0.1, 0.6))
                process.kill()
                left -= 1
            process.wait()
            text = (folder / "err").read_text()
        found += (folder / "out").read_text()
        if process.returncode == 3:
            lines = [line for line in found.splitlines(keepends=True) if line.endswith("\n")]
            assert "".join(dict.fromkeys(lines)) == whole
            ended, found = ended + 1, ""
        elif process.returncode != -signal.SIGKILL:
            assert process.returncode == 2 and "no checkpoint" in text, text  # killed before the first one
            found = ""
        words = ["resume", "s", "--every", "0.02"]
        if process.returncode == 3 or (process.returncode == 2) or not os.path.exists(folder / "s"):
            words = ["run", "--checkpoint", "s", "--every", "0.02", "job.svmb", "40", "60000"]
