from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from svm.errors import ExhaustionError, InvalidError, LinkError, MalformedError, TrapError
from svm.wast import read_script
from svm.wast.script import (
    Command,
    ExpectRefused,
    ExpectReturn,
    ExpectTrap,
    Instantiate,
    Invoke,
    Perform,
    ReadGlobal,
    Register,
)

CALL = {"type": "invoke", "module": "$m", "field": "f", "args": [{"type": "i32", "value": "1"}]}
INVOKE = Invoke("$m", "f", ({"type": "i32", "value": "1"},))
REFUSED = {"line": 3, "filename": "x.wasm", "text": "why"}
COMMANDS: list[tuple[dict[str, Any], Command]] = [
    ({"type": "module", "line": 1, "filename": "x.0.wasm"}, Instantiate(1, "x.0.wasm", None)),
    ({"type": "module", "line": 1, "name": "$m", "filename": "x.0.wasm"}, Instantiate(1, "x.0.wasm", "$m")),
    ({"type": "register", "line": 2, "as": "m"}, Register(2, None, "m")),
    ({"type": "register", "line": 2, "name": "$m", "as": "m"}, Register(2, "$m", "m")),
    ({"type": "action", "line": 4, "action": CALL, "expected": []}, Perform(4, INVOKE)),
    (
        {"type": "assert_return", "line": 5, "action": {"type": "get", "field": "g"}, "expected": [{"type": "i32"}]},
        ExpectReturn(5, ReadGlobal(None, "g"), ({"type": "i32"},)),
    ),
    ({"type": "assert_trap", "line": 6, "action": CALL, "text": "why"}, ExpectTrap(6, INVOKE, "why", TrapError)),
    (
        {"type": "assert_exhaustion", "line": 6, "action": CALL, "text": "why"},
        ExpectTrap(6, INVOKE, "why", ExhaustionError),
    ),
    (REFUSED | {"type": "assert_unlinkable"}, ExpectRefused(3, "x.wasm", "why", LinkError, True)),
    (REFUSED | {"type": "assert_uninstantiable"}, ExpectRefused(3, "x.wasm", "why", TrapError, True)),
    (
        REFUSED | {"type": "assert_invalid", "module_type": "binary"},
        ExpectRefused(3, "x.wasm", "why", InvalidError, True),
    ),
    (
        REFUSED | {"type": "assert_malformed", "module_type": "text"},
        ExpectRefused(3, "x.wasm", "why", MalformedError, False),
    ),
]


def write(folder: Path, root: Any) -> Path:
    path = folder / "x.json"
    path.write_text(json.dumps(root), encoding="utf-8")
    return path


@pytest.mark.parametrize(("data", "command"), COMMANDS)
def test_commands(tmp_path: Path, data: dict[str, Any], command: Command) -> None:
    script = read_script(write(tmp_path, {"source_filename": "x.wast", "commands": [data]}))
    assert script.commands == ((data["type"], command),)
    assert script.source == "x.wast"


def test_files_lie_beside_the_script(tmp_path: Path) -> None:
    script = read_script(write(tmp_path, {"commands": []}))
    (tmp_path / "y.wasm").write_bytes(b"module")
    assert script.read("y.wasm") == b"module"
    with pytest.raises(FileNotFoundError):
        script.read("z.wasm")


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_of_no_file(tmp_path: Path, name: str) -> None:
    script = read_script(write(tmp_path, {"commands": []}))
    with pytest.raises(MalformedError, match="cannot be a file's name"):
        script.read(name)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ([], "the script is no object"),
        ({}, "the script has no field 'commands' of type list"),
        ({"commands": {}}, "the script has no field 'commands' of type list"),
        ({"commands": [3]}, "command 1 is no object"),
        ({"commands": [{"line": 1}]}, "command 1 has no field 'type' of type str"),
        ({"commands": [{"type": "module", "line": "1"}]}, "command 1 has no field 'line' of type int"),
        ({"commands": [{"type": "dance", "line": 1}]}, "command 1 is of the unknown type 'dance'"),
        ({"commands": [{"type": "module", "line": 1, "filename": "f", "name": 1}]}, "command 1 has no field 'name'"),
        ({"commands": [{"type": "action", "line": 1}]}, "the action of command 1 is no object"),
        (
            {"commands": [{"type": "action", "line": 1, "action": {"type": "set", "field": "f"}}]},
            "the action of command 1 is of the unknown type 'set'",
        ),
        (
            {"commands": [{"type": "action", "line": 1, "action": {"type": "invoke", "field": "f", "args": [1]}}]},
            "the action of command 1 has a field 'args' with something else than objects",
        ),
    ],
)
def test_what_is_no_script(tmp_path: Path, root: Any, message: str) -> None:
    with pytest.raises(MalformedError, match=message) as caught:
        read_script(write(tmp_path, root))
    assert caught.value.place.file == str(tmp_path / "x.json")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\xff", b"[" * 100_000, b"nan"])
def test_what_is_no_json(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(MalformedError, match="not JSON"):
        read_script(path)
