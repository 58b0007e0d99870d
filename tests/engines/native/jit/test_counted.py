"""Which loops are counted, and what is known of their accesses."""

from __future__ import annotations

import time

import pytest

from svm.engines.native.jit.counted import Batched, Counted, batched_loops, counted_loops
from svm.engines.native.jit.linear import Linear
from svm.lower import charges_of
from svm.module import from_text, validate


def lines(code: str) -> str:
    """Code whose instructions are divided by semicolons, as a module's text has it."""
    return code.replace(";", "\n")


def loops(body: str) -> list[Counted]:
    """The counted loops of a body, in order."""
    return list(found_in(body)[0].values())


def batches(body: str) -> list[Batched]:
    """The other loops of a body of which a copy is made."""
    return list(found_in(body)[1].values())


def found_in(body: str) -> tuple[dict[int, Counted], dict[int, Batched]]:
    """The loops of a body, by key."""
    module = validate(
        from_text(f"""
        memory 1
        tag $e
        global $seen mut i32 (i32.const 0)
        func $g
        end
        func (param $n i32) (param $m i32)
          local $i i32
          local $j i32
          local $k i32
          local $x i64
          {lines(body)}
        end
        """)
    )
    function = module.function(1)
    found = counted_loops(function, charges_of(function).loops)
    return found, batched_loops(function, found)


UP = "local.get $i; i32.const 1; i32.add; local.tee $i"
LATCH = f"{UP}; local.get $n; i32.ne; br_if $next; end"
LOAD = "local.get $i; i32.load; drop"


def shown(counted: Counted | Batched) -> list[str]:
    """The groups: start, step, extent."""
    names = "nmijkx"

    def text(value: Linear) -> str:
        terms, const, _ = value
        parts = [name if factor == 1 else f"{factor}{name}" for name, factor in ((names[at], f) for at, f in terms)]
        return "+".join([*parts, str(const)] if const or not parts else parts)

    return [f"{text(group.start)} by {text(group.step)} to {group.over}" for group in counted.groups]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (LOAD, ["i by 1 to 4"]),
        ("local.get $i; i64.load8_u offset=7; drop", ["i by 1 to 8"]),
        ("local.get $i; i32.const 3; i32.shl; local.get $m; i32.add; local.tee $j; f64.load; drop", ["m+8i by 8 to 8"]),
        ("local.get $i; i32.const -12; i32.mul; i32.load; drop", ["4294967284i by 4294967284 to 4"]),
        ("local.get $i; i32.const 1; i32.shl; i32.const 1; i32.or; i32.load8_u; drop", ["2i+1 by 2 to 1"]),
        ("local.get $i; i32.const 1; i32.or; i32.load8_u; drop", []),  # may be no sum
        ("local.get $m; i32.load; drop", ["m by 0 to 4"]),
        ("local.get $k; i32.load; drop; local.get $k; local.get $m; i32.add; local.set $k", ["k by m to 4"]),
        ("local.get $k; local.get $i; i32.add; local.tee $k; i32.load; drop", []),  # its step changes
        ("local.get $i; i32.load; i32.load; drop", ["i by 1 to 4"]),
        ("local.get $i; i32.load offset=8; drop; local.get $i; i32.const 4; i32.sub; i32.load; drop", [
            "i+4294967292 by 1 to 16"
        ]),
        ("local.get $x; i32.wrap_i64; i32.load; drop; local.get $x; i64.const 4; i64.add; local.set $x", [
            "x by 4 to 4"
        ]),
        ("local.get $i; if; local.get $i; i32.load; drop; end", ["i by 1 to 4"]),
        (
            "local.get $i; local.set $j; local.get $m; if; i32.const 9; local.set $j; end; local.get $j"
            "; i32.load; drop",
            [],
        ),
        ("local.get $i; local.set $j; local.get $m; if; else; nop; end; local.get $j; i32.load; drop", ["i by 1 to 4"]),
        ("block; local.get $i; local.set $j; local.get $m; br_if 0; local.get $i; local.set $j; end; local.get $j;"
         "i32.load; drop", ["i by 1 to 4"]),
        ("block; local.get $m; br_if 0; local.get $i; local.set $j; end; local.get $j; i32.load; drop", []),
        ("block (result i32); local.get $i; end; i32.load; drop", []),  # nothing is known of what blocks give
        ("i32.const 64; local.get $i; i32.const 2; i32.shl; i32.store offset=4", ["64 by 0 to 8"]),
        (f"local.get $m; i32.eqz; if; return; end; {LOAD}", ["i by 1 to 4"]),
        ("local.get $m; if; local.get $i; i32.const 1; i32.add; local.set $i; end; local.get $m; i32.load; drop", None),
    ],
)  # fmt: skip
def test_accesses(body: str, expected: list[str] | None) -> None:
    found = [shown(each) for each in loops(f"loop $next; {body}; {LATCH}")]
    assert found == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("latch", "expected"),
    [
        ("", ("ne", 1, 0)),
        ("local.get $n; i32.ne", ("ne", 1, 0)),
        ("local.get $n; i32.eq", None),
        ("local.get $n; i32.eq; i32.eqz", ("ne", 1, 0)),
        ("i32.eqz", None),
        ("i32.eqz; i32.eqz", ("ne", 1, 0)),
        ("local.get $n; i32.lt_s", ("lt_s", 1, 0)),
        ("local.get $n; i32.le_u", ("le_u", 1, 0)),
        ("local.get $n; i32.gt_u", None),  # it goes away from where the comparison fails
        ("local.get $n; i32.gt_u; i32.eqz", ("le_u", 1, 0)),
        ("local.set $j; local.get $n; local.get $j; i32.gt_s", ("gt_s", 0, 1)),
        ("local.set $j; local.get $n; local.get $i; i32.sub", ("ne", -1, 0)),
        ("local.set $j; local.get $n", None),
        ("local.get $i; i32.ne", None),
        ("local.get $j; i32.const 2; i32.sub; local.tee $j; i32.lt_s", ("lt_s", 1, -2)),
        ("local.get $j; i32.const 2; i32.add; local.tee $j; i32.lt_s", None),
        ("local.get $j; i32.const 2; i32.sub; local.tee $j; i32.ne", ("ne", 3, 0)),
        ("local.get $n; i32.and", None),
        ("drop; local.get $k; local.get $m; i32.add; local.tee $k; local.get $n; i32.lt_s", ("lt_s", 1, 0)),
        ("drop; local.get $k; local.get $m; i32.add; local.tee $k; local.get $n; i32.ne", None),
        ("local.get $k; local.get $m; i32.add; local.tee $k; i32.lt_u", None),  # one side's pace is another's
        ("local.set $j; local.get $x; i64.const 3; i64.sub; local.tee $x; i64.const 7; i64.ge_s", ("ge_s", -3, 0)),
        ("i32.load", None),
    ],
)
def test_latches(latch: str, expected: tuple[str, int, int] | None) -> None:
    found = loops(f"loop $next; {LOAD}; {UP}; {latch}; br_if $next; end")
    assert [(each.latch.name, each.by, each.against) for each in found] == ([] if expected is None else [expected])


AT_N = f"{UP}; local.get $n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{LOAD}; {AT_N}; i32.eq; br_if $out; nop; br $next", ("ne", False)),
        (f"{LOAD}; {AT_N}; i32.ge_u; br_if $out; local.get $m; br_if $next; {LOAD}; br $next", ("lt_u", False)),
        (f"local.get $m; if; nop; else; nop; end; {LOAD}; {AT_N}; i32.eq; br_if $out; br $next", ("ne", False)),
        (f"block $on; {LOAD}; {AT_N}; i32.ne; br_if $on; call $g; return; end; br $next", ("ne", True)),
        (f"block $on; {LOAD}; {AT_N}; i32.lt_s; br_if $on; loop $l; br $l; end; end; br $next", ("lt_s", True)),
        (f"{LOAD}; {AT_N}; i32.lt_s; br_if $next; call $g", ("lt_s", True)),
        (f"{LOAD}; {AT_N}; i32.lt_s; br_if $next; call $g; br $out", ("lt_s", True)),
        (f"{LOAD}; {AT_N}; i32.eq; br_if $out; local.get $m; br_if $next", None),  # it goes out at its end, too
        (f"{LOAD}; {AT_N}; i32.eq; br_if $out; local.get $m; br_if $out; br $next", None),
        (f"local.get $m; br_if $next; {LOAD}; {AT_N}; i32.eq; br_if $out; br $next", None),  # not in each round
        (f"block $on; local.get $m; br_if $on; {AT_N}; i32.eq; br_if $out; end; {LOAD}; br $next", None),
        (f"local.get $m; if; {AT_N}; i32.eq; br_if $out; end; {LOAD}; br $next", None),
        (f"block $on; {LOAD}; {AT_N}; i32.ne; br_if $on; call $g; end; br $next", None),  # it goes on in the loop
        (f"block $on; {LOAD}; {AT_N}; i32.ne; br_if $on; local.get $m; br_if $next; return; end; br $next", None),
        (f"{LOAD}; {AT_N}; i32.eq; br_if $out; call $g; br $next", None),
        (f"{LOAD}; {UP}; i32.load; br_if $out; br $next", None),
        (f"{LOAD}; local.get $i; local.get $m; i32.add; local.tee $i; local.get $n; i32.gt_s; br_if $out; br $next",
         ("le_s", False)),
    ],
)  # fmt: skip
def test_ways_out_in_the_middle(body: str, expected: tuple[str, bool] | None) -> None:
    found = loops(f"block $out; loop $next; {body}; end; end")
    ways = [(each.latch.name, each.way_out is not None and each.way_out.taken) for each in found]
    assert ways == ([] if expected is None else [expected])


def test_ways_out_are_looked_for_in_bounded_time() -> None:
    tries = "local.get $m; br_if $on; local.get $m; br_if $on;" * 3_000
    nest = "loop $next;" * 50 + f"block $on; {tries} return; end; br $next;" + "end;" * 50
    begun = time.process_time()
    assert loops(nest) == []
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    "body",
    [
        f"call $g; {LOAD}",
        f"i32.const 1; memory.grow; drop; {LOAD}",
        f"i32.const 0; i32.const 0; local.get $m; memory.fill; {LOAD}",
        f"local.get $m; br_if $next; {LOAD}",
        f"loop; {LOAD}; end",
        f"try_table; {LOAD}; end",
        f"{LOAD}; br $next",
        f"{LOAD}; " + "nop;" * 500,
    ],
)
def test_loops_that_are_not_counted(body: str) -> None:
    assert loops(f"loop $next; {body}; {LATCH}") == []


def test_what_there_is_to_win_and_to_pay() -> None:
    assert len(loops(f"loop $next; {LATCH}")) == 1  # its tests of fuel
    counted = f"i32.const 0; local.set $i; loop $next; {UP}; i32.const 50; i32.ne; br_if $next; end"
    assert loops(counted) == []  # it has none
    many = f"loop $next; {LOAD};" + "local.get $m; drop;" * 200 + LATCH
    assert len(loops(";".join([many] * 10))) == 3
    apart = ";".join(f"local.get $i; i32.const {at}; i32.mul; i32.load8_u; drop" for at in range(2, 40))
    (wide,) = loops(f"loop $next; {apart}; {LATCH}")
    assert len(wide.groups) == 12 == len(wide.accesses)


def test_sums_of_many_locals_are_read_in_time() -> None:
    start = "local.get 0" + "".join(f"; local.get {at}; i32.add" for at in range(1, 240))
    module = validate(
        from_text(f"""
        memory 1
        func (param {" ".join(["i32"] * 900)})
          {lines(f"loop; {start}; i32.load; drop; local.get 0; i32.const 1; i32.add; local.tee 0; br_if 0; end")}
        end
        """)
    )
    function = module.function(0)
    begun = time.process_time()
    (found,) = counted_loops(function, charges_of(function).loops).values()
    assert not found.groups
    assert time.process_time() - begun < 1


SCAN = f"local.get $i; i32.load8_u; i32.eqz; br_if $out; {UP}; drop"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{SCAN}; br $next", ["i by 1 to 1"]),
        (f"{SCAN}; local.get $m; br_if $next; br $next", ["i by 1 to 1"]),
        (f"{SCAN}; local.get $m; br_if $next", ["i by 1 to 1"]),  # goes on past its end
        (f"local.get $m; if; {UP}; drop; br $next; end; {SCAN}; br $next", ["i by 1 to 1"]),
        (f"local.get $m; br_if $next; {SCAN}; br $next", []),  # its step is not always the same
        (f"{SCAN}; {LOAD}; local.get $i; i32.const 7; i32.sub; local.set $i; br $next", [
            "i by 4294967290 to 5"
        ]),
        ("local.get $k; i32.load8_u; br_if $out; local.get $k; local.get $m; i32.add; local.set $k; br $next", []),
        (f"call $g; {SCAN}; br $next", []),
        (f"{SCAN}; br $out", []),  # it does not go back
        (f"{SCAN}; " + "nop;" * 90 + "br $next", []),
    ],
)  # fmt: skip
def test_loops_that_end_nobody_knows_when(body: str, expected: list[str]) -> None:
    (found,) = [shown(each) for each in batches(f"block $out; loop $next; {body}; end; end")] or [[]]
    assert found == expected


def test_a_loop_is_copied_in_one_way() -> None:
    counted, batched = found_in(f"loop $next; {LOAD}; {LATCH}; block $out; loop $next; {SCAN}; br $next; end; end")
    assert (len(counted), len(batched)) == (1, 1) and not counted.keys() & batched.keys()
    many = ";".join([f"block $out; loop $next; {SCAN}; {'nop;' * 70} br $next; end; end"] * 10)
    assert len(batches(many)) == 4
