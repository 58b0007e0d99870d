"""Scripts as `wast2json` would make them, from commands and modules in svm's own text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svm.module import from_text
from svm.wasm import write
from svm.wast import Report, read_script, run_script

MODULE = r"""
import "spectest" "memory" memory $memory 1 2
table $table 2 funcref
global $nan f32 (f32.const nan:0x200001)
elem active at (i32.const 0) funcref (ref.func $loop)
export "nan" global $nan
export "swap" func $swap
export "divide" func $divide
export "indirect" func $indirect
export "deep" func $deep
export "loop" func $loop
export "add" func $add
export "extern" func $extern
export "peek" func $peek
export "poke" func $poke
export "function" func $function

func $swap (param f32 f64) (result f64 f32)
  local.get 1
  local.get 0
end

func $divide (param i32 i32) (result i32)
  local.get 0
  local.get 1
  i32.div_s
end

func $indirect (param i32)
  i32.const 0
  local.get 0
  call_indirect (param i32)
end

func $deep
  call $deep
end

func $loop
  loop $again
    br $again
  end
end

func $add (param f32 f32) (result f32)
  local.get 0
  local.get 1
  f32.add
end

func $extern (param externref) (result externref)
  local.get 0
end

func $function (result funcref)
  ref.func $loop
end

func $peek (result i32)
  i32.const 0
  i32.load
end

func $poke (param i32)
  i32.const 0
  local.get 0
  i32.store
end
"""

Json = dict[str, Any]
Commands = list[Json]
Run = Callable[..., Report]
Write = Callable[..., Path]


def value(type_: str, bits: int | str | None = None) -> Json:
    """A value, or the pattern of one."""
    return {"type": type_} if bits is None else {"type": type_, "value": str(bits)}


def invoke(field: str, *args: Json, module: str | None = None) -> Json:
    """Call an export."""
    return {"type": "invoke", "field": field, "args": list(args)} | ({} if module is None else {"module": module})


def read(field: str) -> Json:
    """Read an exported global."""
    return {"type": "get", "field": field}


def returns(action: Json, *expected: Json) -> Json:
    """An assertion that something returns values."""
    return {"type": "assert_return", "action": action, "expected": list(expected)}


def traps(action: Json, text: str, kind: str = "assert_trap") -> Json:
    """An assertion that something traps."""
    return {"type": kind, "action": action, "text": text, "expected": []}


def module(file: str = "m.wasm", name: str | None = None) -> Json:
    """A module to instantiate."""
    return {"type": "module", "filename": file} | ({} if name is None else {"name": name})


def refused(kind: str, file: str, text: str) -> Json:
    """An assertion that a module does not become an instance."""
    return {"type": f"assert_{kind}", "filename": file, "text": text, "module_type": "binary"}


@pytest.fixture
def write_script(tmp_path: Path) -> Write:
    """Writes a script and its modules: `m.wasm` and those given, by name without suffix, as text or bytes."""

    def make(commands: Commands, *, name: str = "x", **modules: str | bytes) -> Path:
        for stem, text in ({"m": MODULE} | modules).items():
            data = write(from_text(text)) if isinstance(text, str) else text
            (tmp_path / f"{stem}.wasm").write_bytes(data)
        path = tmp_path / f"{name}.json"
        numbered = [each | {"line": line} for line, each in enumerate(commands, 1)]
        path.write_text(json.dumps({"source_filename": f"{name}.wast", "commands": numbered}), encoding="utf-8")
        return path

    return make


@pytest.fixture
def run(engine: str, write_script: Write) -> Run:
    """Runs commands as a script on the engine."""

    def make(commands: Commands, *, seconds: float | None = None, **modules: str | bytes) -> Report:
        return run_script(read_script(write_script(commands, **modules)), engine=engine, seconds=seconds)

    return make
