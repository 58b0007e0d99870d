"""What the documents show of embedding is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import svm
from svm.module.interface_text import parse_interface

ROOT = Path(__file__).parents[1]
EMBEDDING = (ROOT / "docs" / "embedding.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", EMBEDDING, re.MULTILINE | re.DOTALL)
OUTPUTS = re.findall(r"^```console\n(.*?)^```", EMBEDDING, re.MULTILINE | re.DOTALL)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin and its stub, in the current folder."""
    (tmp_path / "invoice.kr").write_text(PROGRAMS[0], encoding="utf-8")
    (tmp_path / "host.pyi").write_text(PROGRAMS[1], encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("plugin")
def test_the_plugin_host_runs_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(PROGRAMS[2].splitlines()) <= 20
    exec(PROGRAMS[2], {"__name__": "__main__"})
    assert capsys.readouterr().out == OUTPUTS[0]


@pytest.mark.usefixtures("plugin")
def test_its_interface_is_shown_as_it_is() -> None:
    shown = OUTPUTS[1].partition("interface\n")[2]
    interface = svm.load("invoice.kr").interface
    assert "".join(f"  {line}\n" if line else "\n" for line in str(interface).splitlines()) == shown


def test_the_guest_from_another_language_runs_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """
memory $m 1
export "memory" memory $m
export "malloc" func $malloc
export "shout" func $shout
func $malloc (param i32) (result i32)
  i32.const 1024
end
func $shout (param $at i32) (param $length i32) (result i32)
  local.get $at
  local.get $at
  i32.load8_u
  i32.const 32
  i32.sub
  i32.store8
  local.get $at
end
"""
    from svm.module import from_text

    (tmp_path / "plugin.wasm").write_bytes(svm.Module(from_text(text)).to_wasm())
    monkeypatch.chdir(tmp_path)
    exec(PROGRAMS[3], {"__name__": "__main__"})
    assert capsys.readouterr().out == "Some text\n"


def test_the_plugin_that_waits_runs_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    exec(PROGRAMS[4], {"__name__": "__main__"})
    shown = re.sub(r"0x[0-9a-f]+", "…", re.sub(r"fuel_used=\d+", "fuel_used=…", capsys.readouterr().out))
    assert shown == OUTPUTS[2]


def test_pausing_and_raising_limits_runs_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    exec(PROGRAMS[5], {"__name__": "__main__"})
    assert capsys.readouterr().out == OUTPUTS[3]


def test_the_interface_of_the_format_is_one() -> None:
    document = (ROOT / "docs" / "svmb.md").read_text("utf-8")
    (shown,) = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    assert str(parse_interface(shown.encode())) == shown


@pytest.mark.slow
def test_a_plugin_and_its_stub_are_python_to_a_type_checker(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PROGRAMS[0])
    (tmp_path / "host.pyi").write_text(PROGRAMS[1])
    command = (sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "plugin.py")
    environment = {"MYPYPATH": f"{tmp_path}:{ROOT}:{ROOT / 'compiler'}", "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert "plugin.py" not in done.stdout, done.stdout
