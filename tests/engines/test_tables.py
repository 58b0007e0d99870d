"""Tables, references and indirect calls."""

from __future__ import annotations

import pytest

from svm import Limits, TrapError
from svm.limits import MAX_TABLE_ELEMENTS
from tests.conftest import Spawn

INDIRECT = """
    type $unary (param i32) (result i32)
    table $t 5 funcref
    elem active table $t at (i32.const 1) funcref (ref.func $double) (ref.func $negate) (ref.func $other)
    func $double (type $unary)
      local.get 0
      i32.const 2
      i32.mul
    end
    func $negate (type $unary)
      i32.const 0
      local.get 0
      i32.sub
    end
    func $other (param i64) (result i32)
      i32.const 0
    end
    func $f (param i32 i32) (result i32)
      local.get 0
      local.get 1
      call_indirect (type $unary) $t
    end
    export "f" func $f
    """


def test_call_indirect_calls_what_the_operand_chooses(spawn: Spawn) -> None:
    guest = spawn(INDIRECT)
    assert guest.call("f", 21, 1) == 42
    assert guest.call("f", 21, 2) == -21


@pytest.mark.parametrize(
    ("index", "kind", "message"),
    [
        (0, "uninitialized_element", "uninitialized element"),
        (4, "uninitialized_element", "uninitialized element"),
        (5, "undefined_element", "undefined element"),
        (0xFFFF_FFFF, "undefined_element", "undefined element"),
        (3, "indirect_call_type_mismatch", "indirect call type mismatch"),
    ],
)
def test_call_indirect_traps(spawn: Spawn, index: int, kind: str, message: str) -> None:
    guest = spawn(INDIRECT)
    with pytest.raises(TrapError) as trap:
        guest.call("f", 1, index)
    assert (trap.value.kind, str(trap.value)) == (kind, message)
    assert guest.call("f", 21, 1) == 42


def test_types_that_are_equal_are_the_same_type(spawn: Spawn) -> None:
    guest = spawn("""
        type $a (param i32) (result i32)
        type $b (param i32) (result i32)
        table 1 funcref
        elem active at (i32.const 0) funcref (ref.func $g)
        func $g (type $a)
          local.get 0
        end
        func $f (result i32)
          i32.const 6
          i32.const 0
          call_indirect (type $b) 0
        end
        export "f" func $f
        """)
    assert guest.call("f") == 6


REFERENCES = """
    table $t {size} {kind}
    func $get (param i32) (result {kind})
      local.get 0
      table.get $t
    end
    func $set (param i32 {kind})
      local.get 0
      local.get 1
      table.set $t
    end
    func $size (result i32)
      table.size $t
    end
    func $grow (param {kind} i32) (result i32)
      local.get 0
      local.get 1
      table.grow $t
    end
    func $fill (param i32 {kind} i32)
      local.get 0
      local.get 1
      local.get 2
      table.fill $t
    end
    func $copy (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      table.copy $t $t
    end
    export "get" func $get
    export "set" func $set
    export "size" func $size
    export "grow" func $grow
    export "fill" func $fill
    export "copy" func $copy
    """


def test_get_and_set_of_host_objects(spawn: Spawn) -> None:
    guest = spawn(REFERENCES.format(size=3, kind="externref"))
    here: list[int] = []
    guest.call("set", 2, here)
    assert guest.call("get", 2) is here
    assert guest.call("get", 0) is None
    guest.call("set", 2, None)
    assert guest.call("get", 2) is None


def test_get_and_set_of_functions(spawn: Spawn) -> None:
    guest = spawn(REFERENCES.format(size=3, kind="funcref"))
    function = guest.exports["size"]
    guest.call("set", 1, function)
    assert guest.call("get", 1) is function


@pytest.mark.parametrize("index", [3, 0x8000_0000, 0xFFFF_FFFF])
def test_get_and_set_out_of_bounds(spawn: Spawn, index: int) -> None:
    guest = spawn(REFERENCES.format(size=3, kind="externref"))
    with pytest.raises(TrapError, match="out of bounds table access"):
        guest.call("get", index)
    with pytest.raises(TrapError, match="out of bounds table access"):
        guest.call("set", index, None)


def test_grow_to_the_maximum_of_the_type(spawn: Spawn) -> None:
    guest = spawn(REFERENCES.format(size="2 5", kind="externref"))
    here = object()
    assert guest.call("grow", here, 0) == 2
    assert guest.call("grow", here, 4) == -1
    assert guest.call("grow", here, 3) == 2
    assert guest.call("size") == 5
    assert [guest.call("get", at) for at in range(5)] == [None, None, here, here, here]
    assert guest.call("grow", None, 1) == -1
    assert guest.call("grow", None, 0xFFFF_FFFF) == -1


def test_grow_to_the_limit_of_the_guest(spawn: Spawn) -> None:
    guest = spawn(REFERENCES.format(size=2, kind="externref"), limits=Limits(table_elements=10))
    assert guest.call("grow", None, 9) == -1
    assert guest.call("grow", None, 8) == 2
    assert guest.call("grow", None, 1) == -1


def test_grow_past_any_limit(spawn: Spawn) -> None:
    guest = spawn(REFERENCES.format(size=2, kind="externref"))
    assert guest.call("grow", None, MAX_TABLE_ELEMENTS) == -1
    assert guest.call("size") == 2


def test_fill(spawn: Spawn) -> None:
    guest = spawn(REFERENCES.format(size=5, kind="externref"))
    here = object()
    guest.call("fill", 1, here, 3)
    assert [guest.call("get", at) for at in range(5)] == [None, here, here, here, None]
    guest.call("fill", 5, here, 0)
    for operands in ((4, here, 2), (6, here, 0), (0, here, 0xFFFF_FFFF)):
        with pytest.raises(TrapError, match="out of bounds table access"):
            guest.call("fill", *operands)
    assert guest.call("get", 4) is None


@pytest.mark.parametrize(("target", "source", "length"), [(0, 3, 5), (3, 0, 5), (2, 2, 3), (7, 0, 1), (8, 8, 0)])
def test_copy_also_where_the_ranges_overlap(spawn: Spawn, target: int, source: int, length: int) -> None:
    guest = spawn(REFERENCES.format(size=8, kind="externref"))
    model: list[object] = [*"abcdefgh"]
    for at, item in enumerate(model):
        guest.call("set", at, item)
    guest.call("copy", target, source, length)
    model[target : target + length] = model[source : source + length]
    assert [guest.call("get", at) for at in range(8)] == model


@pytest.mark.parametrize("operands", [(7, 0, 2), (0, 7, 2), (9, 0, 0), (0, 9, 0), (0, 0, 0xFFFF_FFFF)])
def test_copy_out_of_bounds(spawn: Spawn, operands: tuple[int, ...]) -> None:
    guest = spawn(REFERENCES.format(size=8, kind="externref"))
    with pytest.raises(TrapError, match="out of bounds table access"):
        guest.call("copy", *operands)


def test_copy_between_tables(spawn: Spawn) -> None:
    guest = spawn("""
        table $a 3 externref
        table $b 3 externref
        func $f (param externref) (result externref externref)
          i32.const 1
          local.get 0
          table.set $a
          i32.const 0
          i32.const 1
          i32.const 2
          table.copy $b $a
          i32.const 0
          table.get $b
          i32.const 1
          table.get $b
        end
        export "f" func $f
        """)
    here = object()
    assert guest.call("f", here) == (here, None)


SEGMENTS = """
    table $t 6 funcref
    elem $active active table $t at (i32.const 0) funcref (ref.func $one)
    elem $passive passive funcref
      (ref.func $one)
      (ref.null funcref)
      (ref.func $two)
    end
    elem $declared declarative funcref (ref.func $two)
    func $one (result i32)
      i32.const 1
    end
    func $two (result i32)
      i32.const 2
    end
    func $init (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      table.init {segment} $t
    end
    func $drop
      elem.drop {segment}
    end
    func $call (param i32) (result i32)
      local.get 0
      call_indirect (result i32) $t
    end
    func $reference (result funcref)
      ref.func $two
    end
    export "init" func $init
    export "drop" func $drop
    export "call" func $call
    export "reference" func $reference
    export "two" func $two
    """


def test_passive_elements_are_copied_by_init_until_they_are_dropped(spawn: Spawn) -> None:
    guest = spawn(SEGMENTS.format(segment="$passive"))
    assert guest.call("call", 0) == 1
    guest.call("init", 2, 0, 3)
    assert (guest.call("call", 2), guest.call("call", 4)) == (1, 2)
    with pytest.raises(TrapError, match="uninitialized element"):
        guest.call("call", 3)
    guest.call("init", 6, 3, 0)
    for operands in ((0, 1, 3), (0, 4, 0), (5, 0, 2), (7, 0, 0), (0, 0xFFFF_FFFF, 1)):
        with pytest.raises(TrapError, match="out of bounds table access"):
            guest.call("init", *operands)
    guest.call("drop")
    guest.call("drop")
    guest.call("init", 0, 0, 0)
    with pytest.raises(TrapError, match="out of bounds table access"):
        guest.call("init", 0, 0, 1)


@pytest.mark.parametrize("segment", ["$active", "$declared"])
def test_active_and_declarative_elements_are_given_up_at_instantiation(spawn: Spawn, segment: str) -> None:
    guest = spawn(SEGMENTS.format(segment=segment))
    guest.call("init", 0, 0, 0)
    with pytest.raises(TrapError, match="out of bounds table access"):
        guest.call("init", 0, 0, 1)


def test_ref_func_is_the_exported_function(spawn: Spawn) -> None:
    guest = spawn(SEGMENTS.format(segment="0"))
    assert guest.call("reference") is guest.exports["two"]


@pytest.mark.parametrize("at", [6, 7, -1])
def test_active_elements_that_do_not_fit_trap_at_instantiation(spawn: Spawn, at: int) -> None:
    with pytest.raises(TrapError, match="out of bounds table access: element segment 0 does not fit"):
        spawn(f"""
            table 6 funcref
            elem active at (i32.const {at}) funcref (ref.func 0)
            func
            end
            """)


def test_null_and_is_null(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param externref funcref) (result i32 i32 i32 i32)
          local.get 0
          ref.is_null
          local.get 1
          ref.is_null
          ref.null externref
          ref.is_null
          ref.func $f
          ref.is_null
        end
        export "f" func $f
        """)
    assert guest.call("f", None, None) == (1, 1, 1, 0)
    assert guest.call("f", 0, guest.exports["f"]) == (0, 0, 1, 0)


def test_functions_travel_as_references(spawn: Spawn) -> None:
    """A funcref parameter is put into a table and called from there."""
    guest = spawn("""
        table $t 1 funcref
        func $seven (result i32)
          i32.const 7
        end
        func $call (param funcref) (result i32)
          i32.const 0
          local.get 0
          table.set $t
          i32.const 0
          call_indirect (result i32) $t
        end
        export "seven" func $seven
        export "call" func $call
        """)
    assert guest.call("call", guest.exports["seven"]) == 7
    with pytest.raises(TrapError, match="indirect call type mismatch"):
        guest.call("call", guest.exports["call"])
