"""A guest that several tests take snapshots of: it counts, tells the host, and grows what can grow."""

from __future__ import annotations

from typing import Any

from svm import Guest
from tests.conftest import Spawn

__all__ = ["COUNTER", "spawned", "told"]

COUNTER = """
    import "host" "tell" func $tell (param i64)
    memory 1
    table 4 10 funcref
    global $rounds mut i64 (i64.const 0)
    data passive "abc"
    elem passive funcref (ref.func $one) (ref.func $two)
    func $one (result i32)
      i32.const 1
    end
    func $two (result i32)
      i32.const 2
    end
    func $f (param $n i32) (result i64)
      loop $next
        global.get $rounds
        local.get $n
        i64.extend_i32_u
        i64.add
        global.set $rounds
        local.get $n
        i32.const 8
        i32.mul
        global.get $rounds
        i64.store
        global.get $rounds
        call $tell
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $next
      end
      global.get $rounds
    end
    func $grow (param i32) (result i32)
      local.get 0
      memory.grow 0
    end
    func $peek (param i32) (result i32)
      local.get 0
      i32.load8_u
    end
    func $poke (param i32 i32)
      local.get 0
      local.get 1
      i32.store8
    end
    func $more (param i32) (result i32)
      ref.func $two
      local.get 0
      table.grow 0
    end
    func $init
      i32.const 0
      i32.const 0
      i32.const 2
      table.init 0 0
      i32.const 100
      i32.const 0
      i32.const 3
      memory.init 0
    end
    func $drop
      elem.drop 0
      data.drop 0
    end
    func $pick (param i32) (result i32)
      local.get 0
      call_indirect (result i32) 0
    end
    export "f" func $f
    export "grow" func $grow
    export "peek" func $peek
    export "poke" func $poke
    export "more" func $more
    export "init" func $init
    export "drop" func $drop
    export "pick" func $pick
    export "rounds" global $rounds
    export "one" func $one
    export "two" func $two
    export "memory" memory 0
    """


def told() -> tuple[list[int], dict[str, Any]]:
    """A host function that remembers, and what it has remembered."""
    found: list[int] = []
    return found, {"tell": found.append}


def spawned(spawn: Spawn, **options: Any) -> tuple[list[int], Guest]:
    found, host = told()
    return found, spawn(COUNTER, host=host, **options)
