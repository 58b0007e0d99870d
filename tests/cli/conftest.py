"""The command line within the test's process, and a program for it to run."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from svm.cli import invoke
from svm.module import encode, from_text

PROGRAM = r"""
module $demo version 1
capability "console" "says hello"
file "demo.kr"
file "<krait>/list.kr"
import "wasi_snapshot_preview1" "fd_write" func $fd_write (param i32 i32 i32 i32) (result i32)
import "wasi_snapshot_preview1" "fd_read" func $fd_read (param i32 i32 i32 i32) (result i32)
import "wasi_snapshot_preview1" "args_get" func $args_get (param i32 i32) (result i32)
import "wasi_snapshot_preview1" "environ_get" func $environ_get (param i32 i32) (result i32)
import "wasi_snapshot_preview1" "proc_exit" func $proc_exit (param i32)
memory 2 16
tag $exception (param i32)
export "krait:exception" tag $exception
export "krait:describe_utf8" func $describe
export "_start" func $main
export "arguments" func $arguments
export "busy" func $busy
export "cat" func $cat
export "deep" func $deep
export "divide" func $divide
export "exit" func $proc_exit
export "greedy" func $greedy
export "halve" func $halve
export "lose" func $lose
export "mixed" func $mixed
export "refer" func $refer
export "spin" func $spin
export "through" func $through
export "throw" func $throw
export "variables" func $variables
export "wait" func $wait
data active at (i32.const 0) "\10\00\00\00\06\00\00\00"
data active at (i32.const 16) "hello\n"
data active at (i32.const 32) "ValueError: \1b[31mno\1b[0m"

func $write
  i32.const 1
  i32.const 0
  i32.const 1
  i32.const 8
  call $fd_write
  drop
end

func $main
  call $write
end

func $describe (param i32) (result i32 i32)
  i32.const 32
  i32.const 23
end

func $print_arguments
  i32.const 4
  i32.const 100
  i32.store
  i32.const 0
  i32.const 256
  i32.store
  call $write
end

func $arguments
  i32.const 1024
  i32.const 256
  call $args_get
  drop
  call $print_arguments
end

func $variables
  i32.const 1024
  i32.const 256
  call $environ_get
  drop
  call $print_arguments
end

func $cat (result i32)
  i32.const 4
  i32.const 100
  i32.store
  i32.const 0
  i32.const 0
  i32.const 1
  i32.const 4
  call $fd_read
  drop
  call $write
  i32.const 4
  i32.load
end

func $deep
  call $deep
end

func $spin
  loop $again
    br $again
  end
end

func $divide (param i64 i64) (result i64)
  @ "<krait>/list.kr" 7
  local.get 0
  local.get 1
  i64.div_s
end

func $through (param i64 i64) (result i64)
  @ "demo.kr" 2
  local.get 0
  local.get 1
  call $divide
end

func $halve (param f32) (result f32)
  local.get 0
  f32.const 0.5
  f32.mul
end

func $mixed (param i32 f64) (result f64 i32)
  local.get 1
  local.get 0
end

func $refer (param externref) (result externref)
  local.get 0
end

func $throw
  @ "demo.kr" 3
  i32.const 0
  throw $exception
end

func $greedy
  i32.const 1
  memory.grow
  drop
  call $throw
end

func $busy
  call $write
  call $spin
end

func $wait
  call $write
  call $cat
  drop
end

func $lose
  unreachable
end
"""


class Result(NamedTuple):
    """What a command line came to."""

    status: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, in which it runs: with the program as `demo.svmt` and `demo.svmb`, and its source."""
    monkeypatch.chdir(tmp_path)
    Path("demo.svmt").write_text(PROGRAM, encoding="utf-8")
    Path("demo.svmb").write_bytes(encode(from_text(PROGRAM)))
    Path("demo.kr").write_text("def through(a, b):\n    return a // b  # \x1b]0;title\x07\nraise\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def cli(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command line in the folder; `data` is its standard input."""

    def run(*arguments: str | os.PathLike[str], data: bytes = b"") -> Result:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        status = invoke([os.fspath(each) for each in arguments])
        return Result(status, *capfd.readouterr())

    return run
