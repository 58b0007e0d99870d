"""Floats where engines could differ: the bits of NaNs that the processor makes."""

from __future__ import annotations

import math

import pytest

from tests.conftest import Spawn

CANONICAL = {"f32": 0x7FC0_0000, "f64": 0x7FF8_0000_0000_0000}


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("value", [-1.0, -math.inf, math.nan])
def test_a_root_of_what_has_none_is_the_canonical_nan(spawn: Spawn, kind: str, value: float) -> None:
    """In a frame that waits as well as in memory: LLVM once took the test for it away."""
    whole = {"f32": "i32", "f64": "i64"}[kind]
    guest = spawn(f"""
        memory 1 1
        func $spin
          loop $loop
            br $loop
          end
        end
        func $stored (param {kind}) (result {whole})
          i32.const 0
          local.get 0
          {kind}.sqrt
          {kind}.store
          i32.const 0
          {whole}.load
        end
        func $chosen (param {kind} i32) (result {whole})
          local.get 0
          {kind}.sqrt
          {kind}.const 1
          local.get 1
          select
          {whole}.reinterpret_{kind}
        end
        func $waits (param {kind})
          local.get 0
          {kind}.sqrt
          call $spin
          drop
        end
        export "stored" func $stored
        export "chosen" func $chosen
        export "waits" func $waits
        """)
    assert guest.call("stored", value) == CANONICAL[kind]
    assert guest.call("chosen", value, 1) == CANONICAL[kind]
    task = guest.start("waits", value)
    task.run(fuel=1_000)
    assert CANONICAL[kind] in guest.store.stack.record().slots
