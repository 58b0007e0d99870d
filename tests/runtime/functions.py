"""Functions that tests of calls use again and again, in svm's text."""

from __future__ import annotations

__all__ = ["COUNT", "GROW", "NOTED", "ONE", "SPIN", "deep", "summed"]

SPIN = """
    func $spin (result i32)
      loop $next
        i32.const 0
        i32.load8_u
        i32.eqz
        br_if $next
      end
      i32.const 5
    end
"""
"""Runs until the host has set the first byte of its memory."""

ONE = """
    func $one (result i32)
      i32.const 1
    end
"""

GROW = """
    func $grow (result i32)
      i32.const 1
      memory.grow
    end
"""

NOTED = """
        local.get $n
        call $note
"""
"""Tells the host of a turn."""


def summed(name: str, *turn: str, then: str = "") -> str:
    """A function of a number that goes down from it to 1, and adds up what each turn leaves on the operand stack.

    turn: its instructions.  then: what else is done in it.
    """
    lines = "\n".join(turn)
    return f"""
    func ${name} (param $n i32) (result i32)
      local $sum i32
      loop $next
        local.get $sum
        {lines}
        i32.add
        local.set $sum
        {then}
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $next
      end
      local.get $sum
    end
"""


COUNT = summed("count", "i32.const 1")
"""Counts its turns."""


def deep(*innermost: str) -> str:
    """A function that calls itself so often, and gives how often that was.  innermost: what the last call does."""
    lines = "\n".join(innermost)
    return f"""
    func $deep (param $n i32) (result i32)
      local.get $n
      i32.eqz
      if
        {lines}
        i32.const 0
        return
      end
      local.get $n
      i32.const 1
      i32.sub
      call $deep
      i32.const 1
      i32.add
    end
"""
