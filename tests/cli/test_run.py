"""`svm run`: what a program gets, what comes out of it, and what it used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.mark.parametrize("file", ["demo.svmb", "demo.svmt"])
def test_a_program_runs(cli: Cli, file: str) -> None:
    assert cli("run", file) == (0, "hello\n", "")


def test_a_krait_source_runs(cli: Cli) -> None:
    Path("main.kr").write_text("import sys\n\nprint(len(sys.argv), sys.argv[1])\nsys.exit(3)\n", encoding="utf-8")
    assert cli("run", "main.kr", "--fuel") == (3, "2 --fuel\n", "")


def test_the_program_reads_standard_input(cli: Cli) -> None:
    assert cli("run", "--invoke", "cat", "demo.svmb", data=b"a line\n") == (0, "a line\n7\n", "")


def test_arguments_are_the_programs_own(cli: Cli) -> None:
    """Also those that begin with a dash; the program's name comes first."""
    module = Path("demo.svmt").read_text("utf-8").replace('"_start" func $main', '"_start" func $arguments')
    Path("demo.svmt").write_text(module, encoding="utf-8")
    out = cli("run", "demo.svmt", "--fuel", "-h", "--", "-", "ä").out
    assert out.rstrip("\0") == "demo.svmt\0--fuel\0-h\0--\0-\0ä"


def test_only_variables_that_are_given(cli: Cli) -> None:
    out = cli("run", "--env", "A=1", "--env", "B==", "--invoke", "variables", "demo.svmb").out
    assert out.rstrip("\0") == "A=1\0B=="


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (("divide", "7", "-2"), "-3\n"),
        (("divide", "0x10", "1_0"), "1\n"),
        (("halve", "0.2"), "0.1\n"),
        (("halve", "3.4e38"), "1.7e+38\n"),
        (("halve", "-inf"), "-inf\n"),
        (("mixed", "-1", "nan"), "nan\n-1\n"),
        (("refer", "null"), "null\n"),
        (("_start",), "hello\n"),
    ],
    ids=" ".join,
)
def test_invoke_calls_an_export(cli: Cli, words: tuple[str, ...], printed: str) -> None:
    name, *arguments = words
    assert cli("run", "--invoke", name, "demo.svmb", *arguments) == (0, printed, "")


@pytest.mark.parametrize(("code", "status"), [("0", 0), ("7", 7), ("255", 255), ("256", 0), ("-1", 255)])
def test_the_exit_status_is_the_guests(cli: Cli, code: str, status: int) -> None:
    assert cli("run", "--invoke", "exit", "demo.svmb", code) == (status, "", "")


@pytest.mark.parametrize("engine", ["auto", "interpreter", "reference"])
def test_an_engine_can_be_chosen(cli: Cli, engine: str) -> None:
    result = cli("run", "--engine", engine, "--json", "demo.svmb")
    assert (result.status, result.out) == (0, "hello\n")
    figures = json.loads(result.err)
    assert figures.keys() == {"engine", "fuel", "seconds", "memory", "compiled_fuel", "units", "refused"}
    assert figures["engine"] == engine and figures["memory"] == 2 * 65536


def test_stats_are_said_of_a_failure_too(cli: Cli) -> None:
    result = cli("run", "--stats", "--fuel", "10", "--invoke", "spin", "demo.svmb")
    assert result.status == 75
    assert result.err.startswith("svm: 11 fuel, ")  # then the time, which on a busy machine may be any


def test_a_body_is_checked_when_it_is_called(cli: Cli) -> None:
    """So a large module starts at once; `svm validate` checks it whole."""
    module = Path("demo.svmt").read_text("utf-8").replace("func $lose\n  unreachable", "func $lose\n  i32.const 1")
    Path("bad.svmt").write_text(module, encoding="utf-8")
    assert cli("run", "bad.svmt") == (0, "hello\n", "")
    result = cli("run", "--invoke", "lose", "bad.svmt")
    assert (result.status, result.out) == (65, "")
    assert result.err.startswith("svm: bad.svmt: code section, function 23 (lose), end, byte offset 0x2: ")
