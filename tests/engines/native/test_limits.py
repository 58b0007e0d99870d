"""Bounds of guests that the native engine must meet exactly, whatever their size."""

from __future__ import annotations

import pytest

from svm import ExhaustionError, Limits
from tests.conftest import Spawn

DEEP = """
    func $f (param $n i32) (result i32)
      local.get $n
      i32.eqz
      if (result i32)
        i32.const 0
      else
        local.get $n
        i32.const 1
        i32.sub
        call $f
      end
    end
    export "f" func $f
    """


@pytest.mark.parametrize("stack", range(200, 217))
def test_a_stack_of_any_number_of_bytes(spawn: Spawn, stack: int) -> None:
    depth = next(depth for depth in range(100) if exhausts(spawn, stack, depth))
    assert exhausts(spawn, stack - stack % 8, depth) and not exhausts(spawn, stack - stack % 8, depth - 1)


def exhausts(spawn: Spawn, stack: int, depth: int) -> bool:
    """Whether so deep a recursion leaves a stack of so many bytes."""
    try:
        spawn(DEEP, limits=Limits(stack=stack)).call("f", depth)
    except ExhaustionError:
        return True
    return False
