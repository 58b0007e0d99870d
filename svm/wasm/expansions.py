"""What our own instructions are in WebAssembly: each as a function of plain instructions, in our text format.

Nothing comes in; out comes `expansion`, by the name of an instruction.  Invariant: such a function has the
instruction's results and traps, for all operands.  An instruction that throws (`i64.add_throw`) has none: it is the
one that reports (`i64.add_overflow`), and a throw where that reports.
"""

from __future__ import annotations

from functools import cache

from svm.isa import FuncType, ValueType
from svm.module import Instruction, Module, NameKind, decode_body, from_text
from svm.record import record

__all__ = ["Expansion", "expansion", "library"]

# In 64 bits the result is exact, and does not fit if its low half does not say all of it.
_NARROW = """
func $i32.{operation}_overflow (param $a i32) (param $b i32) (result i32 i32)
  local $exact i64
  local.get $a
  i64.extend_i32_s
  local.get $b
  i64.extend_i32_s
  i64.{operation}
  local.tee $exact
  i32.wrap_i64
  local.get $exact
  local.get $exact
  i64.extend32_s
  i64.ne
end
"""

_TEXT = """
memory 1
;; A sum overflows if its sign is neither operand's (Hacker's Delight, 2-13).

func $i64.add_overflow (param $a i64) (param $b i64) (result i64 i32)
  local $sum i64
  local.get $a
  local.get $b
  i64.add
  local.tee $sum
  local.get $a
  local.get $sum
  i64.xor
  local.get $b
  local.get $sum
  i64.xor
  i64.and
  i64.const 0
  i64.lt_s
end

;; A difference overflows if the operands' signs differ and its own is not the first's.

func $i64.sub_overflow (param $a i64) (param $b i64) (result i64 i32)
  local $difference i64
  local.get $a
  local.get $b
  i64.sub
  local.tee $difference
  local.get $a
  local.get $b
  i64.xor
  local.get $a
  local.get $difference
  i64.xor
  i64.and
  i64.const 0
  i64.lt_s
end

;; The product of two numbers of 32 bits always fits; for others the upper half of the product decides.

func $i64.mul_overflow (param $a i64) (param $b i64) (result i64 i32)
  local.get $a
  local.get $b
  i64.mul
  local.get $a
  i64.extend32_s
  local.get $a
  i64.ne
  local.get $b
  i64.extend32_s
  local.get $b
  i64.ne
  i32.or
  if (result i32)
    local.get $a
    local.get $b
    call $svm.product_overflows
  else
    i32.const 0
  end
end

;; Whether the upper 64 bits of a product are other than 64 times the sign of the lower.  The upper ones are the sum of
;; four products of halves, with the carries between them (Hacker's Delight, 8-2).

func $svm.product_overflows (param $a i64) (param $b i64) (result i32)
  local $low_a i64
  local $low_b i64
  local $middle i64
  local.get $a
  i64.const 0xffffffff
  i64.and
  local.tee $low_a
  local.get $b
  i64.const 0xffffffff
  i64.and
  local.tee $low_b
  i64.mul
  i64.const 32
  i64.shr_u
  local.get $a
  i64.const 32
  i64.shr_s
  local.get $low_b
  i64.mul
  i64.add
  local.tee $middle
  i64.const 32
  i64.shr_s
  local.get $middle
  i64.const 0xffffffff
  i64.and
  local.get $low_a
  local.get $b
  i64.const 32
  i64.shr_s
  i64.mul
  i64.add
  i64.const 32
  i64.shr_s
  i64.add
  local.get $a
  i64.const 32
  i64.shr_s
  local.get $b
  i64.const 32
  i64.shr_s
  i64.mul
  i64.add
  local.get $a
  local.get $b
  i64.mul
  i64.const 63
  i64.shr_s
  i64.ne
end

;; Trap unless a range lies in memory, also where its length is 0: the load is out of bounds in any memory.

func $svm.check_range (param $start i32) (param $length i32)
  local.get $start
  i64.extend_i32_u
  local.get $length
  i64.extend_i32_u
  i64.add
  memory.size
  i64.extend_i32_u
  i64.const 16
  i64.shl
  i64.gt_u
  if
    i32.const -1
    i32.load8_u offset=0xffffffff
    drop
  end
end

;; Words as long as they are equal, then the bytes from there.

func $memory.compare (param $a i32) (param $b i32) (param $length i32) (result i32)
  local $x i32
  local $y i32
  local.get $a
  local.get $length
  call $svm.check_range
  local.get $b
  local.get $length
  call $svm.check_range
  block $words
    loop $next
      local.get $length
      i32.const 8
      i32.lt_u
      br_if $words
      local.get $a
      i64.load align=1
      local.get $b
      i64.load align=1
      i64.ne
      br_if $words
      local.get $a
      i32.const 8
      i32.add
      local.set $a
      local.get $b
      i32.const 8
      i32.add
      local.set $b
      local.get $length
      i32.const 8
      i32.sub
      local.set $length
      br $next
    end
  end
  block $equal
    loop $next
      local.get $length
      i32.eqz
      br_if $equal
      local.get $a
      i32.load8_u
      local.tee $x
      local.get $b
      i32.load8_u
      local.tee $y
      i32.ne
      if
        i32.const -1
        i32.const 1
        local.get $x
        local.get $y
        i32.lt_u
        select
        return
      end
      local.get $a
      i32.const 1
      i32.add
      local.set $a
      local.get $b
      i32.const 1
      i32.add
      local.set $b
      local.get $length
      i32.const 1
      i32.sub
      local.set $length
      br $next
    end
  end
  i32.const 0
end

;; Words as long as none of their bytes is the one sought, then the bytes from there.  In the exclusive or with the
;; byte, eight times, it is 0, and only where there is a 0 does taking 1 from each byte set a top bit that was not set
;; (Hacker's Delight, 6-1).

func $memory.find (param $at i32) (param $byte i32) (param $length i32) (result i32)
  local $pattern i64
  local $word i64
  local.get $at
  local.get $length
  call $svm.check_range
  local.get $byte
  i32.const 0xff
  i32.and
  local.tee $byte
  i64.extend_i32_u
  i64.const 0x0101010101010101
  i64.mul
  local.set $pattern
  block $words
    loop $next
      local.get $length
      i32.const 8
      i32.lt_u
      br_if $words
      local.get $at
      i64.load align=1
      local.get $pattern
      i64.xor
      local.tee $word
      i64.const 0x0101010101010101
      i64.sub
      local.get $word
      i64.const -1
      i64.xor
      i64.and
      i64.const 0x8080808080808080
      i64.and
      i64.eqz
      i32.eqz
      br_if $words
      local.get $at
      i32.const 8
      i32.add
      local.set $at
      local.get $length
      i32.const 8
      i32.sub
      local.set $length
      br $next
    end
  end
  block $found
    loop $next
      local.get $length
      i32.eqz
      br_if $found
      local.get $at
      i32.load8_u
      local.get $byte
      i32.eq
      br_if $found
      local.get $at
      i32.const 1
      i32.add
      local.set $at
      local.get $length
      i32.const 1
      i32.sub
      local.set $length
      br $next
    end
  end
  local.get $at
end
"""


@record
class Expansion:
    """A function of plain instructions.  locals: types of its parameters and locals.  calls: names of the expansions
    that it calls, by the index that its code has for them.
    """

    name: str
    type: FuncType
    locals: tuple[ValueType, ...]
    code: tuple[Instruction, ...]
    calls: tuple[str, ...]


@cache
def library() -> Module:
    """The module that holds the functions."""
    return from_text(_TEXT + "".join(_NARROW.format(operation=operation) for operation in ("add", "sub", "mul")))


@cache
def _expansions() -> dict[str, Expansion]:
    module = library()
    names = module.names.of(NameKind.FUNCTION)
    calls = tuple(names[index] for index in range(len(module.functions)))
    found = {}
    for name, function in zip(calls, module.functions, strict=True):
        type_ = module.types[function.type]
        own = tuple(kind for count, kind in function.locals for _ in range(count))
        code = tuple(decode_body(function.body))
        found[name] = Expansion(name, type_, type_.params + own, code, calls)
    return found


def expansion(name: str) -> Expansion | None:
    """The function that an instruction is, or that another such function calls; None where there is none."""
    return _expansions().get(name)
