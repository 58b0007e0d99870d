"""Programs that say of an uncaught exception themselves what a host of svm says of it."""

from __future__ import annotations

import io

import pytest

import krait
from svm import Console, ExitError, TrapError, UncaughtError
from svm.module import ExternKind, Module, NameKind, from_text, validate
from svm.wasm.alone import stand_alone
from tests.conftest import Spawn

PROGRAM = r"""
import "wasi_snapshot_preview1" "proc_exit" func $proc_exit (param i32)
import "wasi_snapshot_preview1" "fd_write" func $fd_write (param i32 i32 i32 i32) (result i32)
memory 1
tag $exception (param i32)
tag $overflow
tag $other
export "_start" func $start
export "memory" memory 0
export "krait:exception" tag $exception
export "krait:overflow" tag $overflow
export "krait:describe_utf8" func $describe
data active at (i32.const 100) "overflow"
data active at (i32.const 200) "an \c3\a9xception"

func $start
  ACTION
end

func $describe (param $exception i32) (result i32 i32)
  local.get $exception
  if (result i32 i32)
    i32.const 200
    i32.const 13
  else
    i32.const 100
    i32.const 8
  end
end
"""


def program(action: str) -> Module:
    return from_text(PROGRAM.replace("ACTION", action))


def end(spawn: Spawn, module: Module) -> tuple[bytes, int]:
    """What a program says on standard error, and its exit status."""
    validate(module)
    err = io.BytesIO()
    with spawn(module, devices=[Console(io.BytesIO(), io.BytesIO(), err)]) as guest:
        try:
            guest.call("_start")
            status = 0
        except ExitError as error:
            status = error.code
    return err.getvalue(), status


ENDS = {
    "nop": (b"", 0),
    "i32.const 7\nthrow $exception": ("an éxception\n".encode(), 1),
    "throw $overflow": (b"overflow\n", 1),
    "i32.const 3\ncall $proc_exit": (b"", 3),
}


@pytest.mark.parametrize("action", ENDS)
def test_an_uncaught_exception_is_described(spawn: Spawn, action: str) -> None:
    assert end(spawn, stand_alone(program(action))) == ENDS[action]


def test_other_exceptions_and_traps_stay(spawn: Spawn) -> None:
    with pytest.raises(UncaughtError):
        end(spawn, stand_alone(program("throw $other")))
    with pytest.raises(TrapError):
        end(spawn, stand_alone(program("unreachable")))


def test_a_krait_program(spawn: Spawn) -> None:
    module = krait.compile_source("raise KeyError('k')\n", "k.kr")
    assert end(spawn, stand_alone(module)) == (b"KeyError: 'k'\n", 1)


def test_indices_stay() -> None:
    module = program("nop")
    changed = stand_alone(module)
    assert changed.functions[: len(module.functions)] == module.functions
    assert changed.types[: len(module.types)] == module.types
    (start,) = (item.index for item in changed.exports if item.name == "_start")
    assert changed.names.of(NameKind.FUNCTION)[start] == "_start (alone)"
    assert [item for item in changed.exports if item.name != "_start"] == [
        item for item in module.exports if item.name != "_start"
    ]


def test_once_is_enough() -> None:
    module = stand_alone(program("nop"))
    assert stand_alone(module) is module


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('export "_start" func', 'export "_stop" func'),
        ('export "krait:exception" tag $exception', ""),
        ('export "krait:exception" tag $exception', 'export "krait:exception" tag $other'),
        ('export "krait:exception" tag $exception', 'export "krait:exception" func $start'),
        ('export "krait:describe_utf8" func $describe', 'export "krait:describe_utf8" func $start'),
        ('"fd_write"', '"fd_read"'),
        ("memory 1\n", ""),
        ('"wasi_snapshot_preview1" "proc_exit"', '"env" "proc_exit"'),
    ],
)
def test_a_module_that_does_not_follow_the_way_stays_as_it_is(old: str, new: str) -> None:
    text = PROGRAM.replace("ACTION", "nop")
    assert old in text
    module = from_text(text.replace('export "memory" memory 0', "").replace(old, new))
    assert stand_alone(module) is module


def test_a_module_without_the_overflow_tag_stands_alone_too(spawn: Spawn) -> None:
    text = PROGRAM.replace("ACTION", "i32.const 7\nthrow $exception").replace('export "krait:overflow" tag', ";;")
    module = stand_alone(from_text(text))
    assert [item.kind for item in module.exports].count(ExternKind.TAG) == 1
    assert end(spawn, module) == ("an éxception\n".encode(), 1)
