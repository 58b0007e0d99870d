"""Where frames can stand: after calls, where fuel is tested, and nowhere else."""

from __future__ import annotations

from svm.lower import safepoints_of
from svm.module import from_text, validate


def points(body: str) -> dict[str, bool]:
    """What runs next at each safepoint of a function, with its index, and whether a running frame can stand there."""
    module = validate(from_text(f"""
        memory 1
        data passive "abc"
        func (param $n i32)
          local $i i32
          {body}
        end
        """))
    function = module.function(0)
    found = {}
    for offset, point in safepoints_of(function).items():
        assert function.code[point.index].offset == offset
        found[f"{point.index} {function.code[point.index].op.name}"] = point.pauses
    return found


def loop(inside: str = "nop", end: int = 10) -> str:
    return f"""
        i32.const 0
        local.set $i
        loop $next
          {inside}
          local.get $i
          i32.const 1
          i32.add
          local.tee $i
          i32.const {end}
          i32.ne
          br_if $next
        end
        """


def test_entry_and_calls() -> None:
    assert points("nop") == {"0 nop": True}
    assert points("local.get $n\ncall 0\nnop") == {"0 local.get": True, "2 nop": False}
    assert points("local.get $n\ncall 0") == {"0 local.get": True, "2 end": False}


def test_loops_where_they_are_tested() -> None:
    assert points(loop()) == {"0 i32.const": True}
    assert points(loop(end=500_000)) == {"0 i32.const": True, "3 nop": True}
    assert points(loop("local.get $n\ncall 0")) == {"0 i32.const": True, "3 local.get": True, "5 local.get": False}


def test_bulk_instructions_before_and_after() -> None:
    three = "local.get $n\nlocal.get $n\nlocal.get $n\n"
    assert points(three + "memory.fill 0") == {"0 local.get": True, "3 memory.fill": True, "4 end": True}
    assert points(three + "memory.init 0") == {"0 local.get": True, "3 memory.init": True, "4 end": True}
    assert points("local.get $n\nmemory.grow 0\ndrop") == {"0 local.get": True, "2 drop": True}


def test_nothing_where_control_never_comes() -> None:
    call = "local.get $n\ncall 0\n"
    assert points(f"return\n{call}loop\n{call}br 0\nend") == {"0 return": True}
    assert points(f"block\nbr 0\n{call}end\n{call}") == {"0 block": True, "7 end": False}
    body = f"local.get $n\nif\nreturn\n{call}else\n{call}end\n{call}"
    assert points(body) == {"0 local.get": True, "8 end": False, "11 end": False}
    assert points(f"block\nloop\nunreachable\nend\n{call}end\n{call}") == {
        "0 block": True, "2 unreachable": True, "6 end": False, "9 end": False,
    }  # fmt: skip
