"""Modules in text that tests take apart: between them they have every section, immediate and form of field."""

from __future__ import annotations

from svm.isa import OPS, Immediate
from svm.module import Module, from_text

__all__ = ["EVERYTHING", "corpus"]

# Valid, and as `to_text` writes it but for the odd number and label.
EVERYTHING = r"""
module $everything version 1

capability "console" "prints what it finds"
capability "clock"

file "main.kr"
file "lib/heap.kr"

type $binary (param i64 i64) (result i64)
type (param i32 f32) (result f64 i32)

import "env" "print" func $print (param i64)
import "env" "table" table $shared 1 funcref
import "env" "limit" global $limit i64
import "env" "stop" tag $stop (param i32)

table $functions 2 10 funcref
table 0 externref
memory $memory 1 65536
tag $overflow
global $count mut i32 (i32.const 0x2a)
global $ratio f64 (f64.const 0x1.8p3)
global $start i64 (global.get $limit)

export "main" func $main
export "memory" memory $memory
export "count" global $count
start $setup

elem $declared declarative funcref (ref.func $main) (ref.func $helper)
elem $placed active table $functions at (i32.const 0) funcref
  (ref.func $helper)
  (ref.null funcref)
end
elem passive externref
end

data $greeting active at (i32.const 1024) "hello, \u{1f40d}\00\n"
data passive
  "\00\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\0e\0f\10\11\12\13\14\15\16\17\18\19\1a\1b\1c\1d\1e\1f"
  "and more"
end

custom "build" "made by hand"

func $setup
end

func $helper (param $a i64) (param $b i64) (result i64)
  local $carry i32
  local i64 * 3
  @ "lib/heap.kr" 12
  local.get $a
  local.get $b
  i64.add_overflow
  local.set $carry
  @ 13
  local.get $carry
  i64.extend_i32_u
  i64.add_throw $overflow
end

func $main (param i32 i32) (result i32)
  local i32
  @ "main.kr" 1
  block $done
    loop $next
      local.get 0
      i32.eqz
      br_if $done
      @ 3
      local.get 0
      i32.const 1
      i32.sub
      local.set 0
      block $caught (result i32)
        try_table (catch $stop $caught) (catch_all 2)
          i32.const 5
          throw $stop
        end
        i32.const 0
      end
      drop
      local.get 0
      br_table ($next $done) $next
    end
  end
  i32.const 1024
  i64.load offset=8 align=4
  call $print
  i64.const 1
  i64.const 2
  i32.const 0
  call_indirect (param i64 i64) (result i64) $functions
  drop
  f32.const nan:0x200000
  drop
  f64.const -0.1
  drop
  i32.const 0
  i32.const 1
  i32.const 2
  memory.copy
  i32.const 0
  i32.const 0
  i32.const 3
  memory.init $greeting
  i32.const 0
  i32.const 0
  i32.const 1
  table.init $placed $functions
  ref.null externref
  ref.null externref
  local.get 1
  select_typed (externref)
  ref.is_null
  if (result i32)
    i32.const 1
    i32.const 2
    local.get 1
    select
  else
    i32.const 0
    i32.const 7
    i32.const 100
    memory.find
    memory.size
    memory.grow
    i32.add
  end
  @ "lib/heap.kr" 99
end
"""

_SMALL = (
    "",
    'func $f (param i32) (result i32)\n local.get 0\nend\nexport "f" func $f',
    'memory 1\ndata active at (i32.const 0) "abc"\nfunc\n i32.const 0\n i32.load8_u\n drop\nend',
    "type\ntype\ntype (param i32)\nfunc (type 1)\n bytes \"\\41\"\nend\nlines 0\n 0 0 5\n 3 1 2\nend",
    'tag\nfunc\n block\n loop\n try_table (catch_all 1)\n throw 0\n end\n br 0\n end\n end\nend\nname local 0 0 "x"',
)  # fmt: skip


def _straight() -> str:
    """A function with every instruction that stands alone, whatever it does to the stack: no valid body."""
    structured = {Immediate.BLOCK, Immediate.CATCHES}
    words = {
        Immediate.LABEL: "0", Immediate.LABELS: "(0 0)", Immediate.TYPE: "(type 0)", Immediate.TYPES: "(i32)",
        Immediate.REFTYPE: "funcref", Immediate.MEMARG: "offset=1",
    }  # fmt: skip
    lines = [
        " ".join([op.name, *(words.get(kind, "0") for kind in op.immediates)])
        for op in OPS.values()
        if not structured & set(op.immediates) and op.name not in ("else", "end")
    ]
    return "\n".join(["func", *lines, "end"])


def corpus() -> list[Module]:
    """The modules."""
    return [from_text(text) for text in (EVERYTHING, _straight(), *_SMALL)]
