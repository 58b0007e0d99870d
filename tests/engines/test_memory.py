"""Linear memory: loads and stores at its edges, growth, bulk instructions, segments."""

from __future__ import annotations

import struct
from random import Random

import pytest

from svm import Limits, TrapError
from svm.isa import OPS, Form
from svm.limits import PAGE
from tests.conftest import Spawn

LOADS = sorted(op.name for op in OPS.values() if op.form is Form.LOAD)
STORES = sorted(op.name for op in OPS.values() if op.form is Form.STORE)
FORMATS = {
    "i32.load": "<i", "i64.load": "<q", "f32.load": "<f", "f64.load": "<d",
    "i32.load8_s": "<b", "i32.load8_u": "<B", "i32.load16_s": "<h", "i32.load16_u": "<H",
    "i64.load8_s": "<b", "i64.load8_u": "<B", "i64.load16_s": "<h", "i64.load16_u": "<H",
    "i64.load32_s": "<i", "i64.load32_u": "<I",
}  # fmt: skip


def load(name: str, offset: int = 0) -> str:
    """A module whose function loads with the instruction."""
    return f"""
        memory 1
        func $f (param i32) (result {name[:3]})
          local.get 0
          {name} offset={offset}
        end
        export "f" func $f
        """


def store(name: str, offset: int = 0) -> str:
    """A module whose function stores with the instruction."""
    return f"""
        memory 1
        func $f (param i32 {name[:3]})
          local.get 0
          local.get 1
          {name} offset={offset}
        end
        export "f" func $f
        """


def bulk(name: str, immediates: str = "") -> str:
    """A function that runs a bulk instruction over its three operands."""
    result = "(result i32)" if name in ("memory.compare", "memory.find") else ""
    return f"""
        func $f (param i32 i32 i32) {result}
          local.get 0
          local.get 1
          local.get 2
          {name} {immediates}
        end
        export "f" func $f
        """


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("pattern", [bytes(range(1, 9)), b"\xff" * 7 + b"\x7e", b"\x80\x80\xc0\x3f" * 2])
def test_load_reads_little_endian_and_extends(spawn: Spawn, name: str, pattern: bytes) -> None:
    guest = spawn(load(name, 3))
    guest.memory[13:21] = pattern
    result = guest.call("f", 10)
    assert struct.pack(FORMATS[name], result) == pattern[: OPS[name].size]


@pytest.mark.parametrize("name", STORES)
def test_store_writes_its_bytes_and_no_other(spawn: Spawn, name: str) -> None:
    guest = spawn(store(name, 5))
    size = OPS[name].size
    guest.memory[:32] = b"\xee" * 32
    value: float = 0x0807060504030201
    if name[0] == "f":
        (value,) = struct.unpack("<f" if size == 4 else "<d", bytes(range(1, size + 1)))
    elif name[:3] == "i32":
        value = 0x04030201
    guest.call("f", 5, value)
    assert guest.memory[:32] == b"\xee" * 10 + bytes(range(1, size + 1)) + b"\xee" * (22 - size)


@pytest.mark.parametrize("name", LOADS + STORES)
def test_access_at_the_edge_of_memory_and_beyond(spawn: Spawn, name: str) -> None:
    size = OPS[name].size
    values = () if name in LOADS else (1.5 if name[0] == "f" else -1,)
    for offset in (0, 1, 8, PAGE - size):
        guest = spawn(load(name, offset) if name in LOADS else store(name, offset))
        last = PAGE - size - offset
        guest.call("f", last, *values)
        before = bytes(guest.memory)
        for beyond in (last + 1, last + size, PAGE - offset + 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF):
            with pytest.raises(TrapError) as trap:
                guest.call("f", beyond, *values)
            assert trap.value.kind == "out_of_bounds_memory"
        assert bytes(guest.memory) == before


@pytest.mark.parametrize("name", LOADS + STORES)
@pytest.mark.parametrize("address", [0, 1, 0xFFFF_FFFF])
def test_address_and_offset_do_not_wrap(spawn: Spawn, name: str, address: int) -> None:
    values = () if name in LOADS else (1,)
    guest = spawn(load(name, 0xFFFF_FFFF) if name in LOADS else store(name, 0xFFFF_FFFF))
    with pytest.raises(TrapError, match="out of bounds memory access"):
        guest.call("f", address, *values)


def test_access_to_a_memory_of_no_pages(spawn: Spawn) -> None:
    guest = spawn(load("i32.load8_u").replace("memory 1", "memory 0"))
    with pytest.raises(TrapError, match="out of bounds memory access"):
        guest.call("f", 0)


GROW = """
    memory {}
    func $grow (param i32) (result i32)
      local.get 0
      memory.grow
    end
    func $size (result i32)
      memory.size
    end
    func $peek (param i32) (result i32)
      local.get 0
      i32.load8_u
    end
    export "grow" func $grow
    export "size" func $size
    export "peek" func $peek
    """


def test_memory_grows_to_the_maximum_of_its_type(spawn: Spawn) -> None:
    guest = spawn(GROW.format("1 3"))
    assert guest.call("grow", 0) == 1
    assert guest.call("grow", 3) == -1
    assert guest.call("grow", 2) == 1
    assert guest.call("size") == 3
    assert guest.call("grow", 1) == -1
    assert guest.call("grow", 0) == 3
    assert len(guest.memory) == 3 * PAGE


def test_grown_memory_is_zero_and_can_be_used_at_once(spawn: Spawn) -> None:
    guest = spawn("""
        memory 1
        func $f (result i32 i32)
          i32.const 65532
          i32.const -1
          i32.store
          i32.const 1
          memory.grow
          drop
          i32.const 131068
          i32.const 5
          i32.store
          i32.const 65536
          i32.load
          i32.const 131068
          i32.load
        end
        export "f" func $f
        """)
    assert guest.call("f") == (0, 5)


@pytest.mark.parametrize("pages", [65536, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_memory_cannot_grow_past_4_gib(spawn: Spawn, pages: int) -> None:
    guest = spawn(GROW.format("1"))
    assert guest.call("grow", pages) == -1
    assert guest.call("size") == 1


def test_memory_limit_of_the_guest_refuses_growth(spawn: Spawn) -> None:
    guest = spawn(GROW.format("1"), limits=Limits(memory="192 KiB"))
    assert guest.call("grow", 3) == -1
    assert guest.call("grow", 2) == 1
    assert guest.call("grow", 1) == -1
    assert guest.call("grow", 0) == 3
    with pytest.raises(TrapError):
        guest.call("peek", 3 * PAGE)
    assert guest.call("peek", 3 * PAGE - 1) == 0


def test_memory_does_not_grow_while_the_host_holds_a_view(spawn: Spawn) -> None:
    guest = spawn(GROW.format("1"))
    with memoryview(guest.memory):
        assert guest.call("grow", 1) == -1
    assert guest.call("grow", 1) == 1


def test_fill(spawn: Spawn) -> None:
    guest = spawn("memory 1" + bulk("memory.fill"))
    guest.call("f", 10, 0x1FF, 5)
    assert guest.memory[8:17] == b"\0\0\xff\xff\xff\xff\xff\0\0"
    guest.call("f", PAGE - 1, 7, 1)
    assert guest.memory[-1] == 7
    guest.call("f", PAGE, 7, 0)


@pytest.mark.parametrize(
    ("target", "source", "length"), [(10, 20, 15), (20, 10, 15), (10, 10, 5), (0, 30, 8), (11, 10, 1)]
)
def test_copy_also_where_the_ranges_overlap(spawn: Spawn, target: int, source: int, length: int) -> None:
    guest = spawn("memory 1" + bulk("memory.copy"))
    data = bytearray(range(1, 65))
    guest.memory[:64] = data
    guest.call("f", target, source, length)
    data[target : target + length] = bytes(data[source : source + length])
    assert guest.memory[:64] == data


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("memory.fill", (PAGE, 0, 1)),
        ("memory.fill", (PAGE + 1, 0, 0)),
        ("memory.fill", (0, 0, PAGE + 1)),
        ("memory.fill", (0xFFFF_FFFF, 0, 2)),
        ("memory.copy", (PAGE - 1, 0, 2)),
        ("memory.copy", (0, PAGE - 1, 2)),
        ("memory.copy", (0, PAGE + 1, 0)),
        ("memory.copy", (PAGE + 1, 0, 0)),
        ("memory.copy", (0, 0xFFFF_FFFF, 0xFFFF_FFFF)),
        ("memory.compare", (PAGE - 1, 0, 2)),
        ("memory.compare", (0, PAGE - 1, 2)),
        ("memory.compare", (0, PAGE + 1, 0)),
        ("memory.find", (PAGE, 0, 1)),
        ("memory.find", (PAGE + 1, 0, 0)),
        ("memory.find", (1, 0, 0xFFFF_FFFF)),
    ],
)
def test_bulk_instructions_out_of_bounds_write_nothing(spawn: Spawn, name: str, operands: tuple[int, ...]) -> None:
    guest = spawn("memory 1" + bulk(name))
    guest.memory[:] = bytes(range(256)) * (PAGE // 256)
    before = bytes(guest.memory)
    with pytest.raises(TrapError) as trap:
        guest.call("f", *operands)
    assert trap.value.kind == "out_of_bounds_memory"
    assert bytes(guest.memory) == before


def test_bulk_instructions_of_no_length_at_the_end_of_memory(spawn: Spawn) -> None:
    for name, result in (("fill", None), ("copy", None), ("compare", 0), ("find", PAGE)):
        guest = spawn("memory 1" + bulk(f"memory.{name}"))
        assert guest.call("f", PAGE, PAGE, 0) == result


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        (b"", b"", 0),
        (b"abc", b"abc", 0),
        (b"abc", b"abd", -1),
        (b"abd", b"abc", 1),
        (b"\x7f", b"\x80", -1),
        (b"\xff\x00", b"\x00\xff", 1),
        (b"aaaab", b"aaaac", -1),
    ],
)
def test_compare_is_by_unsigned_byte(spawn: Spawn, first: bytes, second: bytes, result: int) -> None:
    guest = spawn("memory 1" + bulk("memory.compare"))
    guest.memory[100 : 100 + len(first)] = first
    guest.memory[200 : 200 + len(second)] = second
    assert guest.call("f", 100, 200, len(first)) == result


def test_compare_of_overlapping_ranges(spawn: Spawn) -> None:
    guest = spawn("memory 1" + bulk("memory.compare"))
    guest.memory[:5] = b"aaaab"
    assert guest.call("f", 0, 1, 3) == 0
    assert guest.call("f", 0, 1, 4) == -1
    assert guest.call("f", 1, 0, 4) == 1


def test_find_gives_an_address_or_the_end_of_the_range(spawn: Spawn) -> None:
    guest = spawn("memory 1" + bulk("memory.find"))
    guest.memory[10:15] = b"hello"
    assert guest.call("f", 10, ord("l"), 5) == 12
    assert guest.call("f", 13, ord("l"), 2) == 13
    assert guest.call("f", 10, ord("x"), 5) == 15
    assert guest.call("f", 10, ord("o"), 4) == 14  # absent from these four: their end
    assert guest.call("f", 10, 0x100 + ord("h"), 5) == 10  # the low 8 bits count
    assert guest.call("f", 0, 1, PAGE) == PAGE
    assert guest.call("f", 10, ord("h"), 0) == 10


def test_random_bulk_operations_against_a_model(spawn: Spawn) -> None:
    """Copies, fills, compares and finds over a small memory, as CPython's own bytes do them."""
    parts = {name: bulk(f"memory.{name}").replace("$f", f"${name}").replace('"f"', f'"{name}"')
             for name in ("copy", "fill", "compare", "find")}  # fmt: skip
    guest = spawn("memory 1" + "".join(parts.values()))
    random = Random(7)
    model = bytearray(random.choices(b"ab", k=300))
    guest.memory[:300] = model
    for _ in range(600):
        a, b, n = random.randrange(200), random.randrange(200), random.randrange(100)
        match random.choice(sorted(parts)):
            case "copy":
                guest.call("copy", a, b, n)
                model[a : a + n] = bytes(model[b : b + n])
            case "fill":
                guest.call("fill", a, b, n)
                model[a : a + n] = bytes([b]) * n
            case "compare":
                one, two = model[a : a + n], model[b : b + n]
                assert guest.call("compare", a, b, n) == (one > two) - (one < two)
            case "find":
                found = model.find(b, a, a + n)
                assert guest.call("find", a, b, n) == (a + n if found < 0 else found)
        assert guest.memory[:300] == model


SEGMENTS = """
    memory 1
    data $active active at (i32.const 4) "active"
    data $passive passive "passive"
    func $init (param i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      memory.init {}
    end
    func $drop
      data.drop {}
    end
    export "init" func $init
    export "drop" func $drop
    """


def test_active_data_is_in_place_and_given_up(spawn: Spawn) -> None:
    guest = spawn(SEGMENTS.format("$active", "$active"))
    assert guest.memory[:12] == b"\0\0\0\0active\0\0"
    guest.call("init", 0, 0, 0)
    with pytest.raises(TrapError, match="out of bounds memory access"):
        guest.call("init", 0, 0, 1)


def test_passive_data_is_copied_by_init_until_it_is_dropped(spawn: Spawn) -> None:
    guest = spawn(SEGMENTS.format("$passive", "$passive"))
    guest.call("init", 100, 1, 4)
    assert guest.memory[98:106] == b"\0\0assi\0\0"
    guest.call("init", PAGE - 7, 0, 7)
    assert guest.memory[-7:] == b"passive"
    guest.call("init", PAGE, 7, 0)
    most = 0xFFFF_FFFF
    for operands in ((0, 4, 4), (0, 8, 0), (PAGE - 1, 0, 2), (PAGE + 1, 0, 0), (0, most, 1), (0, 0, most)):
        with pytest.raises(TrapError, match="out of bounds memory access"):
            guest.call("init", *operands)
    guest.call("drop")
    guest.call("drop")
    guest.call("init", 5, 0, 0)
    with pytest.raises(TrapError, match="out of bounds memory access"):
        guest.call("init", 0, 0, 1)


def test_later_active_segments_overwrite_earlier_ones(spawn: Spawn) -> None:
    guest = spawn("""
        memory 1
        data active at (i32.const 0) "aaaa"
        data active at (i32.const 2) "bbbb"
        """)
    assert guest.memory[:6] == b"aabbbb"


@pytest.mark.parametrize(("at", "text"), [(65533, "abcd"), (65537, ""), (-1, "a"), (-1, "")])
def test_active_data_that_does_not_fit_traps_at_instantiation(spawn: Spawn, at: int, text: str) -> None:
    with pytest.raises(TrapError, match="out of bounds memory access: data segment 1 does not fit") as trap:
        spawn(f"""
            memory 1
            data active at (i32.const 0) "fits"
            data active at (i32.const {at}) "{text}"
            """)
    assert trap.value.kind == "out_of_bounds_memory"


def test_active_data_may_end_where_memory_ends(spawn: Spawn) -> None:
    guest = spawn("""
        memory 1
        data active at (i32.const 65532) "last"
        data active at (i32.const 65536) ""
        """)
    assert guest.memory[-4:] == b"last"
