"""Bounds checks that are made together: the trap is still the first access's that is outside, and what was before it is
done.
"""

from __future__ import annotations

import pytest

from svm import Guest, TrapError
from svm.engines.native.jit.checks import shared_checks
from tests.engines.native.jit.test_engine import JIT, REFERENCE, spawn

TEXT = """
    memory 1 1
    global $seen mut i32 (i32.const 0)
    func $f (param $p i32) (param $q i32) (result i32)
      local $s i32
      local.get $p
      i32.load8_u offset=1
      local.get $p
      i32.load offset=8
      i32.add
      local.get $q
      i32.load16_u offset=2
      i32.add
      local.get $p
      i64.load offset=3
      i32.wrap_i64
      i32.add
      local.tee $s
      global.set $seen
      local.get $p
      local.get $s
      i32.store offset=20
      local.get $p
      local.get $p
      i32.load offset=12
      i32.store16 offset=30
      local.get $p
      i32.const 1
      i32.add
      local.tee $p
      i32.load
      local.get $p
      i32.load offset=40
      i32.add
    end
    export "f" func $f
    export "seen" global $seen
    export "memory" memory 0
"""


def outcome(guest: Guest, p: int, q: int) -> object:
    """How a call ends, and what it left."""
    try:
        end: object = guest.call("f", p, q)
    except TrapError as error:
        end = str(error), error.traceback.frames[-1].offset
    return end, guest.get_global("seen"), bytes(guest.memory[65536 - 64 : 65536])


@pytest.mark.parametrize("q", [0, 65536])
def test_the_trap_is_the_first_access_that_is_outside(q: int) -> None:
    guests = [spawn(TEXT, engine) for engine in (REFERENCE, JIT)]
    ends = set()
    for p in (*range(65536 - 46, 65536 + 2), 0xFFFF_FFFF, 0xFFFF_FFF0):
        expected, got = (outcome(guest, p, q) for guest in guests)
        assert got == expected
        ends.add(str(expected))
    assert len(ends) > (2 if q else 5)


def test_which_accesses_are_checked_together() -> None:
    module = spawn(TEXT).instance.module
    together, checked = shared_checks(module.function(0))
    offsets = [[module.function(0).code[at].args[1] for at in group] for group in together.values()]
    assert offsets == [[1, 8, 3], [12, 30], [0, 40]]
    assert len(checked) == 4
