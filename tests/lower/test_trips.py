"""Which loops are counted: the shapes that are, and every way of not quite being one."""

from __future__ import annotations

import pytest

from svm.lower.trips import trip_counts
from svm.module import from_text, validate

COUNTED = """
    i32.const {start}
    local.set $i
    loop $next
      nop
      local.get $i
      i32.const {step}
      i32.add
      local.tee $i
      i32.const {end}
      i32.{comparison}
      br_if $next
    end
    """


def counts(body: str) -> list[int | None]:
    """The trip counts of a body's loops, in order of their starts."""
    module = validate(from_text(f"""
        tag $e
        func (param $n i32)
          local $i i32
          local $j i32
          local $x i64
          local $d f64
          {body}
        end
        """))
    function = module.function(0)
    found = trip_counts(function)
    return [found.get(key) for key in sorted(key for key, block in function.blocks.items() if block.kind == "loop")]


def count(**parts: object) -> int | None:
    """The trip count of the shape, with some of its parts changed."""
    plain = {"start": 0, "step": 1, "end": 10, "comparison": "ne"}
    (found,) = counts(COUNTED.format(**{**plain, **parts}))
    return found


@pytest.mark.parametrize("comparison", ["ne", "lt_s", "lt_u"])
@pytest.mark.parametrize(("start", "step", "end"), [(0, 1, 10), (3, 4, 23), (0, 10, 10), (0, 1, 1), (5, 1, 1_000_005)])
def test_counting_up(start: int, step: int, end: int, comparison: str) -> None:
    assert count(start=start, step=step, end=end, comparison=comparison) == (end - start) // step


@pytest.mark.parametrize(("start", "step", "end", "trips"), [(10, -1, 0, 10), (9, -3, -9, 6), (-5, -5, -20, 3)])
def test_counting_down(start: int, step: int, end: int, trips: int) -> None:
    assert count(start=start, step=step, end=end) == trips


@pytest.mark.parametrize(
    ("start", "step", "end", "trips"), [(-10, 3, 0, 4), (0, 3, 10, 4), (10, 1, 10, 1), (11, 1, 10, 1)]
)
def test_signed_comparison_runs_until_the_end_is_reached_or_passed(start: int, step: int, end: int, trips: int) -> None:
    assert count(start=start, step=step, end=end, comparison="lt_s") == trips


@pytest.mark.parametrize(
    "parts",
    [
        {"step": 3},  # steps over the end
        {"step": 0},
        {"step": -1},  # wraps around
        {"end": 0},  # wraps around before it is there
        {"start": 10, "end": 10},
        {"end": 1_000_001},
        {"step": -1, "comparison": "lt_s"},
        {"step": -1, "comparison": "lt_u"},
        {"step": 0, "comparison": "lt_s"},
        {"start": -1, "comparison": "lt_u"},
        {"end": -1, "comparison": "lt_u"},
        {"start": 0x7FFF_FFF0, "step": 100, "end": 0x7FFF_FFFF, "comparison": "lt_s"},  # may wrap
        {"start": 0x7FFF_FFF0, "step": 1000, "end": 0x7FFF_FFFF, "comparison": "lt_u"},
        {"comparison": "gt_s"},
        {"comparison": "eq"},
        {"comparison": "le_s"},
        {"comparison": "le_u"},
    ],
)
def test_a_loop_that_does_not_count_to_its_end(parts: dict[str, object]) -> None:
    assert count(**parts) is None


def test_counting_down_to_zero_without_a_comparison() -> None:
    body = """
        i32.const {}
        local.set $i
        loop $next
          local.get $i
          i32.const {}
          i32.add
          local.tee $i
          br_if $next
        end
        """
    assert counts(body.format(7, -1)) == [7]
    assert counts(body.format(7, -2)) == [None]
    assert counts(body.format(-6, 2)) == [3]


def test_64_bits() -> None:
    body = """
        i64.const {}
        local.tee $x
        drop
        loop $next
          nop
          local.get $x
          i64.const {}
          i64.add
          local.tee $x
          i64.const {}
          i64.{}
          br_if $next
        end
        """
    assert counts(body.format(5, 5, 50, "ne")) == [9]
    assert counts(body.format(5, 5, 51, "lt_s")) == [10]
    assert counts(body.format(1 << 40, 1, (1 << 40) + 3, "ne")) == [3]
    assert counts(body.format(1 << 40, 1, (1 << 40) + 3, "lt_s")) == [None]
    assert counts(body.format(5, 1 << 62, -5, "ne")) == [None]


def test_a_float_does_not_count() -> None:
    """1.0 plus a tiny step stays 1.0 for ever, though the bits would count nicely."""
    assert counts("""
        f64.const 1
        local.set $d
        loop $next
          nop
          local.get $d
          f64.const 5e-320
          f64.add
          local.tee $d
          f64.const 1.0000000001
          f64.ne
          br_if $next
        end
        """) == [None]


def changed(**changes: str) -> list[int | None]:
    """The trip counts of a counted loop in which something else stands before, in or behind it."""
    parts = {"before": "", "inside": "nop", "target": "$next", "behind": "", **changes}
    return counts("""
        i32.const 0
        local.set $i
        {before}
        loop $next
          {inside}
          local.get $i
          i32.const 1
          i32.add
          local.tee $i
          i32.const 10
          i32.ne
          br_if {target}
        end
        {behind}
        """.format(**parts))


def test_what_leaves_the_local_alone_does_no_harm() -> None:
    assert changed() == [10]
    assert changed(before="local.get $i\ndrop\ni32.const 7\nlocal.set $j") == [10]
    assert changed(inside="local.get $i\nlocal.set $j\nblock\nlocal.get $j\nbr_if 0\nreturn\nend") == [10]
    assert changed(behind="i32.const 0\nlocal.set $i") == [10]


@pytest.mark.parametrize(
    "changes",
    [
        {"before": "local.get $n\nlocal.set $i"},
        {"before": "block\nlocal.get $n\nbr_if 0\nend"},
        {"before": "i32.const 1\nlocal.set $j\nblock\nend"},
        {"inside": "local.get $n\nlocal.set $i"},
        {"inside": "local.get $n\nlocal.tee $i\ndrop"},
        {"inside": "local.get $n\nif\ni32.const 0\nlocal.set $i\nend"},
        {"inside": "local.get $n\nbr_if $next"},
        {"inside": "block\nlocal.get $n\nbr_table (0) $next\nend"},
        {"inside": "try_table (catch $e $next)\nend"},
        {"inside": "try_table (catch_all $next)\nend"},
        {"inside": "block\nlocal.get $n\nbr_table (0 $next) 0\nend"},
        {"target": "1"},
    ],
)
def test_what_could_change_the_count(changes: dict[str, str]) -> None:
    assert changed(**changes) == [None]


def test_a_branch_over_the_start_value_is_seen() -> None:
    assert counts("""
        block $skip
          local.get $n
          br_if $skip
          i32.const 0
          local.set $i
        end
        loop $next
          nop
          local.get $i
          i32.const 1
          i32.add
          local.tee $i
          i32.const 10
          i32.ne
          br_if $next
        end
        """) == [None]


def test_a_loop_with_a_parameter_or_result_is_not_looked_into() -> None:
    assert counts("""
        i32.const 0
        local.set $i
        loop $next (result i32)
          i32.const 1
          local.get $i
          i32.const 1
          i32.add
          local.tee $i
          i32.const 10
          i32.ne
          br_if $next
        end
        drop
        """) == [None]


def test_a_start_value_far_away_is_not_looked_for() -> None:
    near, far = "nop\n" * 60, "nop\n" * 80
    assert changed(before=near) == [10]
    assert changed(before=far) == [None]


def test_nested_loops_are_counted_each_for_itself() -> None:
    inner = COUNTED.format(start=0, step=1, end=5, comparison="ne").replace("$i", "$j")
    assert changed(inside=inner) == [10, 5]
    assert changed(inside=inner.replace("$j", "$i")) == [None, 5]
    assert changed(inside=inner.replace("i32.const 0", "local.get $n")) == [10, None]


@pytest.mark.parametrize("between", ["call 0", "memory.fill 0", "drop\nlocal.get $n\nmemory.grow 0", "memory.init 0"])
def test_a_start_value_holds_only_as_long_as_nobody_can_pause(between: str) -> None:
    """Who goes on with a paused frame may have put another value in its place."""
    pushes = "local.get $n\n" * {"call 0": 1, "drop\nlocal.get $n\nmemory.grow 0": 1}.get(between, 3)
    drops = "drop\n" if "grow" in between else ""
    module = validate(from_text(f"""
        memory 1
        data passive "abc"
        func (param $n i32)
          local $i i32
          i32.const 0
          local.set $i
          {pushes}
          {between}
          {drops}
          loop $next
            local.get $i
            i32.const 1
            i32.add
            local.tee $i
            i32.const 10
            i32.ne
            br_if $next
          end
        end
        """))  # fmt: skip
    assert trip_counts(module.function(0)) == {}
