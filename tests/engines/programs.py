"""Guest programs that several tests run: each uses something else of the machine, and ends with a number to compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["PROGRAMS", "Program"]


@dataclass(frozen=True)
class Program:
    """A module's text, a call of it, and the call's result."""

    text: str
    args: tuple[Any, ...]
    result: Any


FIB = Program(
    """
    func $f (param $n i64) (result i64)
      local.get $n
      i64.const 2
      i64.lt_s
      if (result i64)
        local.get $n
      else
        local.get $n
        i64.const 1
        i64.sub
        call $f
        local.get $n
        i64.const 2
        i64.sub
        call $f
        i64.add
      end
    end
    export "f" func $f
    """,
    (9,),
    34,
)

SIEVE = Program(
    """
    memory 1
    func $f (param $n i32) (result i32)
      local $i i32
      local $j i32
      local $count i32
      i32.const 2
      local.set $i
      loop $next
        local.get $i
        i32.load8_u
        i32.eqz
        if
          local.get $count
          i32.const 1
          i32.add
          local.set $count
          local.get $i
          local.get $i
          i32.mul
          local.set $j
          block $done
            loop $mark
              local.get $j
              local.get $n
              i32.ge_u
              br_if $done
              local.get $j
              i32.const 1
              i32.store8
              local.get $j
              local.get $i
              i32.add
              local.set $j
              br $mark
            end
          end
        end
        local.get $i
        i32.const 1
        i32.add
        local.tee $i
        local.get $n
        i32.lt_u
        br_if $next
      end
      local.get $count
    end
    export "f" func $f
    """,
    (150,),
    35,
)

EXCEPTIONS = Program(
    """
    tag $odd (param i32)
    tag $overflow
    func $check (param i32) (result i32)
      local.get 0
      i32.const 1
      i32.and
      if
        local.get 0
        throw $odd
      end
      local.get 0
      i32.const 0x7fffffff
      i32.add_throw $overflow
    end
    func $f (param $n i32) (result i32)
      local $sum i32
      loop $next (result i32)
        block $go_on
          block $over
            block $caught (result i32)
              i64.const 7
              try_table (catch $odd $caught) (catch $overflow $over)
                local.get $n
                call $check
                drop
              end
              drop
              br $go_on
            end
            local.get $sum
            i32.add
            local.set $sum
            br $go_on
          end
          local.get $sum
          i32.const 1000
          i32.add
          local.set $sum
        end
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $next
        local.get $sum
      end
    end
    export "f" func $f
    """,
    (20,),
    10_100,
)

INDIRECT = Program(
    """
    type $step (param i64 i64) (result i64 i64)
    global $calls mut i32 (i32.const 0)
    table 3 funcref
    elem active at (i32.const 0) funcref (ref.func $add) (ref.func $twist)
    func $count
      global.get $calls
      i32.const 1
      i32.add
      global.set $calls
    end
    func $add (type $step)
      call $count
      local.get 1
      local.get 0
      local.get 1
      i64.add
    end
    func $twist (type $step)
      call $count
      local.get 1
      i64.const 3
      i64.mul
      local.get 0
    end
    func $f (param $n i32) (result i64 i64 i32)
      i64.const 0
      i64.const 1
      loop $next (param i64 i64) (result i64 i64)
        local.get $n
        i32.const 1
        i32.and
        call_indirect (type $step) 0
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $next
      end
      global.get $calls
    end
    export "f" func $f
    """,
    (40,),
    (5230176600, 1, 40),
)

COUNTED = Program(
    """
    memory 1
    func $f (param $rounds i32) (result i32)
      local $i i32
      local $sum i32
      loop $outer
        i32.const 0
        local.set $i
        loop $fill
          local.get $i
          local.get $i
          i32.const 7
          i32.mul
          i32.store8
          local.get $i
          i32.const 1
          i32.add
          local.tee $i
          i32.const 20
          i32.ne
          br_if $fill
        end
        i32.const 20
        local.set $i
        loop $add
          local.get $sum
          local.get $i
          i32.load8_u
          i32.add
          local.set $sum
          local.get $i
          i32.const -1
          i32.add
          local.tee $i
          br_if $add
        end
        local.get $rounds
        i32.const 1
        i32.sub
        local.tee $rounds
        br_if $outer
      end
      local.get $sum
    end
    export "f" func $f
    """,
    (6,),
    6 * sum(7 * at for at in range(20)),
)

BULK = Program(
    """
    memory 1
    table $t 4 externref
    data $greeting passive "hello, world"
    func $f (param $n i32) (result i32)
      local $sum i32
      loop $next
        i32.const 0
        local.get $n
        i32.const 4096
        memory.fill
        i32.const 2048
        i32.const 0
        i32.const 12
        memory.init $greeting
        i32.const 100
        i32.const 50
        i32.const 5000
        memory.copy
        i32.const 0
        i32.const 104
        i32.const 1024
        memory.compare
        i32.const 0
        i32.const 44
        i32.const 9000
        memory.find
        i32.const 1
        memory.grow
        ref.null externref
        i32.const 64
        table.grow $t
        i32.add
        i32.add
        i32.add
        local.get $sum
        i32.add
        local.set $sum
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $next
      end
      local.get $sum
    end
    export "f" func $f
    """,
    (5,),
    5 * 2103 + (1 + 2 + 3 + 4 + 5) + (4 + 68 + 132 + 196 + 260),
)

PROGRAMS = {
    "fib": FIB,
    "sieve": SIEVE,
    "exceptions": EXCEPTIONS,
    "indirect": INDIRECT,
    "counted": COUNTED,
    "bulk": BULK,
}
