"""The commands that make and look into modules: build, asm, dis, validate, inspect; and the group of them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from svm import load
from svm.cli.status import Status
from svm.engines.native import supported
from svm.engines.native.jit import maker
from svm.module import decode, from_text
from tests.cli.conftest import Cli

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden")
COMMANDS = ("run", "check", "build", "asm", "dis", "validate", "inspect")


@pytest.fixture
def hello(folder: Path) -> str:
    Path("hello.kr").write_text('print("hello")\n', encoding="utf-8")
    return "hello.kr"


def test_check_finds_nothing_wrong(cli: Cli, hello: str) -> None:
    assert cli("check", hello) == (0, "", "")
    assert cli("check", "--json", "-", data=b'print("hello")\n') == (0, "[]\n", "")


def test_check_says_all_that_is_wrong(cli: Cli, hello: str) -> None:
    Path("bad.kr").write_text("x: int = 'a'\nprint(y)\n", encoding="utf-8")
    result = cli("check", hello, "bad.kr")
    assert result.status == Status.BAD_MODULE and result.out == ""
    assert "bad.kr:1:10" in result.err and "bad.kr:2:7" in result.err and "2 errors" in result.err
    result = cli("check", "--json", "bad.kr", "missing.kr")
    first, second, third = json.loads(result.out)
    assert (first["file"], first["line"], first["column"], first["end_column"]) == ("bad.kr", 1, 10, 13)
    assert first["severity"] == "error" and "expected `int`" in first["message"]
    assert second["line"] == 2 and third["file"] == "missing.kr"
    assert result.status == Status.BAD_FILE and result.err == ""


def test_check_says_once_what_is_wrong_in_a_common_module(cli: Cli, folder: Path) -> None:
    Path("common.kr").write_text("x: int = 'a'\n", encoding="utf-8")
    for name in ("a.kr", "b.kr"):
        Path(name).write_text("import common\n", encoding="utf-8")
    result = cli("check", "a.kr", "b.kr", "missing.kr", "common.kr", folder)
    assert result.err.count("common.kr:1:10") == 1 and "errors" not in result.err
    assert "svm: missing.kr: No such file or directory" in result.err
    assert f"svm: {folder}: Is a directory" in result.err
    assert result.status == Status.BAD_FILE
    assert len(json.loads(cli("check", "--json", "a.kr", "b.kr").out)) == 1


def test_check_of_what_an_editor_has_not_saved(cli: Cli) -> None:
    Path("part").mkdir()
    Path("part/common.kr").write_text("x = 1\n", encoding="utf-8")
    unsaved = b"\xef\xbb\xbffrom common import x\r\ny: str = x\r\n"
    (found,) = json.loads(cli("check", "--json", "--as", "part/main.kr", "-", data=unsaved).out)
    assert (found["file"], found["line"], found["column"]) == ("part/main.kr", 2, 10)
    assert found["notes"] == [
        {"message": "`y` is `str`: declared here", "line": 2, "column": 1, "end_line": 2, "end_column": 2}
    ]


def test_check_of_a_name_that_is_no_text(cli: Cli) -> None:
    name = os.fsdecode(b"caf\xe9.kr")
    Path(name).write_text("print(1 + 'a')\n", encoding="utf-8")
    assert cli("check", name).status == Status.BAD_MODULE
    (found,) = json.loads(cli("check", "--json", name).out)
    assert found["file"] == name
    Path(name).write_text("print(1)\n", encoding="utf-8")
    assert cli("check", name) == (0, "", "")
    assert cli("run", name) == (0, "1\n", "")


def test_build_writes_beside_the_source(cli: Cli, hello: str) -> None:
    assert cli("build", hello) == (0, "", "")
    Path(hello).unlink()
    assert cli("run", "hello.svmb") == (0, "hello\n", "")


def test_build_writes_text_and_takes_standard_input(cli: Cli) -> None:
    assert cli("build", "-", "-o", "out.svmt", data=b'print("hello")\n') == (0, "", "")
    assert cli("run", "out.svmt") == (0, "hello\n", "")


@pytest.mark.parametrize("source", ["hello.kr", "hello.svmt", "hello.svmb"])
def test_build_writes_wasm(cli: Cli, hello: str, source: str) -> None:
    if source != hello:
        assert cli("build", hello, "-o", source) == (0, "", "")
    assert cli("build", source, "-o", "hello.wasm") == (0, "", "")
    assert Path("hello.wasm").read_bytes() == load(source).to_wasm()
    assert cli("build", "hello.wasm", "-o", "again.wasm") == (0, "", "")
    assert Path("again.wasm").read_bytes() == Path("hello.wasm").read_bytes()
    assert cli("build", "again.wasm") == (0, "", "")
    assert cli("run", "again.svmb") == (0, "hello\n", "")


def test_build_reads_modules(cli: Cli) -> None:
    assert cli("build", "demo.svmt", "-o", "again.svmb") == (0, "", "")
    assert Path("again.svmb").read_bytes() == Path("demo.svmb").read_bytes()
    assert cli("build", "demo.svmb").status == Status.USAGE  # its output would be itself


@pytest.mark.skipif(supported() is None, reason="the native engine does not run here")
def test_build_compiles_ahead_what_a_run_then_finds(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = "func $f\n  local $i i32\n  loop $l\n    local.get $i\n    i32.const 4096\n"
    loop += "    i32.add\n    local.tee $i\n    br_if $l\n"
    Path("hot.svmt").write_text(f"module $m version 1\n{loop}  end\nend\nexport \"_start\" func $f\n", "utf-8")
    result = cli("build", "--aot", "hot.svmt", "-o", "hot.svmb")
    assert (result.status, result.err) == (0, "svm: 2 units of machine code are kept for later runs\n")
    monkeypatch.setattr(maker, "unit_ir", None)  # nothing is compiled any more
    result = cli("run", "--engine", "jit", "--json", "hot.svmb")
    figures = json.loads(result.err)
    assert (result.status, figures["refused"], {unit["origin"] for unit in figures["units"]}) == (0, [], {"kept"})
    assert figures["compiled_fuel"] == figures["fuel"]
    assert cli("build", "--aot", "hot.svmt", "-o", "-").status == Status.USAGE


def test_build_says_why_a_module_cannot_be_wasm(cli: Cli) -> None:
    text = "func $wide (result i64 i32)\n  local i64 * 50000\n  i64.const 1\n  i64.const 2\n  i64.add_overflow\nend\n"
    Path("wide.svmt").write_text(text, encoding="utf-8")
    result = cli("build", "wide.svmt", "-o", "wide.wasm")
    assert (result.status, result.out) == (Status.BAD_MODULE, "")
    assert result.err.startswith("svm: wide.svmt: code section, function 0 (wide), i64.add_overflow, byte offset 0x4:")
    assert not Path("wide.wasm").exists()


def test_asm_and_dis_undo_each_other(cli: Cli) -> None:
    assert cli("asm", "demo.svmt", "-o", "again.svmb").status == 0
    assert Path("again.svmb").read_bytes() == Path("demo.svmb").read_bytes()
    text = cli("dis", "again.svmb").out
    assert cli("dis", "-", data=Path("again.svmb").read_bytes()).out == text
    assert cli("dis", "again.svmb", "-o", "again.svmt") == (0, "", "")
    assert Path("again.svmt").read_text("utf-8") == text
    assert cli("asm", "-", "-o", "last.svmb", data=text.encode()).status == 0
    assert Path("last.svmb").read_bytes() == Path("demo.svmb").read_bytes()


def test_dis_shows_offsets(cli: Cli) -> None:
    assert re.search(r"call \$write +;; 0x0", cli("dis", "--offsets", "demo.svmb").out)


def test_dis_shows_a_source(cli: Cli, hello: str) -> None:
    assert from_text(cli("dis", hello).out).exports


def test_asm_refuses_what_is_invalid_unless_told(cli: Cli) -> None:
    Path("bad.svmt").write_text("func $f\n  i32.const 1\nend\n", encoding="utf-8")
    assert cli("asm", "bad.svmt").status == Status.BAD_MODULE
    assert not Path("bad.svmb").exists()
    assert cli("asm", "--unchecked", "bad.svmt").status == 0
    assert len(decode(Path("bad.svmb").read_bytes()).functions) == 1


def test_validate_says_a_line_for_each(cli: Cli) -> None:
    Path("bad.svmt").write_text("func $f\n  i32.const 1\nend\n", encoding="utf-8")
    Path("bad.kr").write_text("x: int = 1.5\n", encoding="utf-8")
    assert cli("validate", "demo.svmb", "demo.svmt") == (0, "demo.svmb: valid\ndemo.svmt: valid\n", "")
    result = cli("validate", "demo.svmb", "bad.svmt", "bad.kr", "-", data=b"\0nonsense")
    assert result.status == Status.BAD_MODULE
    assert [line.partition(":")[0] for line in result.out.splitlines()] == ["demo.svmb", "bad.svmt", "bad.kr", "-"]
    assert "bad.svmt: code section, function 0 (f), end, byte offset 0x2: type mismatch" in result.out
    assert "bad.kr: does not compile\n" in result.out and "bad.kr:1:10" in result.err
    assert cli("validate", "bad.svmt", "nothing").status == Status.BAD_FILE


def test_validate_for_scripts(cli: Cli) -> None:
    Path("bad.svmt").write_text("func $f\n  i32.const 1\nend\n", encoding="utf-8")
    good, bad = json.loads(cli("validate", "--json", "demo.svmb", "bad.svmt").out)
    assert good == {"file": "demo.svmb", "valid": True, "error": None, "place": None}
    assert (bad["file"], bad["valid"]) == ("bad.svmt", False)
    assert bad["place"] == {"section": "code", "item": 0, "name": "f", "instruction": "end", "offset": 2}


def test_inspect_as_in_the_golden_file(cli: Cli) -> None:
    out = cli("inspect", "demo.svmb").out
    golden = GOLDEN / "inspect" / "demo.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(out, encoding="utf-8")
    assert out == golden.read_text("utf-8")


def test_inspect_for_scripts(cli: Cli) -> None:
    facts = json.loads(cli("inspect", "--json", "demo.svmt").out)
    assert facts["capabilities"] == [{"name": "console", "reason": "says hello"}]
    assert facts["memories"] == [{"minimum_pages": 2, "maximum_pages": 16}]
    assert {"name": "divide", "kind": "func", "type": "(i64 i64) -> (i64)"} in facts["exports"]
    assert sum(each["bytes"] for each in facts["sections"]) < facts["bytes"]


def test_inspect_on_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svm.cli.inspect.coloured", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "60")
    Path("hostile.svmt").write_text('import "\\1b[2J" "[red]x" func\n', encoding="utf-8")
    out = cli("inspect", "hostile.svmt").out
    assert "imports" in out and "␛[2J" in out and "[red]x" in out
    tables = cli("inspect", "demo.svmb").out.splitlines()[1:]
    assert max(map(len, tables)) <= 60


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_its_document(cli: Cli, name: str) -> None:
    """`docs/cli.md` speaks of every command and option."""
    result = cli(name, "--help")
    assert result.status == 0
    options = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", result.out, re.MULTILINE)) - {"--help"}
    document = (ROOT / "docs" / "cli.md").read_text("utf-8")
    section = document.partition(f"## svm {name}")[2].partition("\n## ")[0]
    assert {option for option in options if f"`{option}" not in section} == set()


def test_the_group(cli: Cli) -> None:
    out = cli("--help").out
    assert [word for word in COMMANDS if f"\n  {word} " not in out] == []
    assert re.match(r"svm \S+, bytecode version 1\n", cli("--version").out.replace("(not installed)", "0"))


def test_statuses_and_their_documents() -> None:
    """The README's table and that of `docs/cli.md` have every status, each once."""
    every = {value for name, value in vars(Status).items() if name.isupper()}
    statuses = sorted(every - {Status.OK, Status.BROKEN_PIPE})
    assert len(statuses) == 9
    document = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert [status for status in statuses if document.count(f"| {status} | ") != 1] == []
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = [status for status in statuses if status not in (Status.INTERNAL, Status.INTERRUPTED)]
    assert [status for status in shown if f"| {status} | " not in readme] == []
