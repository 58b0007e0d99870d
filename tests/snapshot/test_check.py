"""Forged snapshots, each with a right digest: what is refused of them, and in which words."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from svm import Guest, Limits, Module, Paused, Snapshot, SnapshotError, Store
from svm.isa import EXTERNREF, FUNCREF, I32, I64, FuncType
from svm.lower import Header
from svm.module import GlobalType, MemoryType, TableType, from_text
from svm.runtime import GlobalInstance, MemoryInstance, TableInstance, TagInstance
from svm.runtime.engine import Record
from svm.snapshot.file import DIGEST_BYTES, VERSION, assembled, parts_of
from svm.snapshot.format import Info
from svm.snapshot.pages import PAGE_BYTES, Pages
from svm.snapshot.state import HOST, Fuel, Link, State

TEXT = """
    import "host" "tell" func $tell (param i32)
    memory 1 4
    table 3 6 funcref
    table 2 externref
    global $count mut i32 (i32.const 0)
    global $first funcref (ref.func $inner)
    global $kept mut externref (ref.null externref)
    data passive "abc"
    func $inner (param $n i32) (result i32)
      local $i i32
      local $wide i64
      local $reference funcref
      loop $next
        local.get $i
        i32.const 1
        i32.add
        local.tee $i
        i64.extend_i32_u
        local.set $wide
        ref.func $inner
        local.set $reference
        local.get $i
        local.get $n
        i32.lt_u
        br_if $next
      end
      local.get $wide
      i32.wrap_i64
      local.get $reference
      ref.is_null
      i32.add
    end
    func $other (param i32) (result i32)
      local.get 0
    end
    func $narrow (param i64) (result i32)
      i32.const 7
    end
    func $outer (param $n i32) (result i32)
      i32.const 1000
      f32.const 1.5
      local.get $n
      call $inner
      call $tell
      drop
    end
    func $chosen (param $n i32) (result i32)
      local.get $n
      i32.const 0
      call_indirect (param i32) (result i32) 0
    end
    func $keep (param externref)
      local.get 0
      global.set $kept
    end
    elem active at (i32.const 0) funcref (ref.func $inner)
    elem passive funcref (ref.func $inner)
    export "outer" func $outer
    export "chosen" func $chosen
    export "keep" func $keep
    export "narrow" func $narrow
    export "other" func $other
    """
OUTER, INNER = 4, 1  # indices of functions, and here their numbers are one more


def guest_of(**options: Any) -> Guest:
    return Module(from_text(TEXT)).spawn(engine="interpreter", host={"tell": lambda value: None}, **options)


def paused(name: str = "outer") -> State:
    """A state with two frames, the inner one in its loop."""
    guest = guest_of()
    task = guest.start(name, 50)
    assert isinstance(task.run(fuel=60), Paused)
    return guest.snapshot().state


def loaded(state: State, externs: tuple[bytes | None, ...] = (), focus: int = 0) -> Snapshot:
    info = Info(focus, "", None, None, {})
    return Snapshot.load(b"".join(assembled(*parts_of(state, info, externs, embed=True), None)))


def headers(state: State) -> tuple[int, int]:
    """Places of the headers of both frames, outermost first."""
    slots, fp = state.record.slots, state.record.fp
    return fp - slots[fp + Header.CALLER], fp


def with_slots(state: State, changes: dict[int, int]) -> State:
    slots = list(state.record.slots)
    for at, slot in changes.items():
        slots[at] = slot
    return replace(state, record=replace(state.record, slots=tuple(slots)))


def in_frame(frame: int, slot: int, value: int) -> Callable[[State], State]:
    """A change of a slot, by its distance from a frame's header."""
    return lambda state: with_slots(state, {headers(state)[frame] + slot: value})


def cell(number: int, value: int) -> Callable[[State], State]:
    def change(state: State) -> State:
        cells = array("Q", state.globals)
        cells[number] = value
        return replace(state, globals=cells.tobytes())

    return change


def element(table: int, number: int, value: int) -> Callable[[State], State]:
    def change(state: State) -> State:
        tables = [array("Q", item) for item in state.tables]
        tables[table][number] = value
        return replace(state, tables=tuple(item.tobytes() for item in tables))

    return change


def linked(**fields: Any) -> Callable[[State], State]:
    return lambda state: replace(state, shape=replace(state.shape, **fields))


def standing(**fields: Any) -> Callable[[State], State]:
    return lambda state: replace(state, standing=state.standing and replace(state.standing, **fields))


def shorter(state: State) -> State:
    return replace(state, record=replace(state.record, slots=state.record.slots[:-1]))


def doubled(state: State) -> State:
    """The inner frame once more, above itself, though it calls nothing."""
    _, fp = headers(state)
    frame = state.record.slots[fp - 1 :]
    slots = [*state.record.slots, *frame]
    slots[fp + len(frame) + Header.CALLER] = len(frame)
    return replace(state, record=Record(tuple(slots), fp + len(frame)))


PARAM, LOCAL, FIRST_OPERAND = -1, Header.CALLER + 1, Header.CALLER + 1
WIDE = LOCAL + 1
REFERENCE = LOCAL + 2
STACK: dict[str, tuple[Callable[[State], State], str]] = {
    "an i32 with an upper half": (in_frame(1, PARAM, 1 << 32), r"frame 1: 0x100000000 is no i32"),
    "a local i32 with an upper half": (in_frame(1, LOCAL, 1 << 40), "frame 1: .* is no i32"),
    "an operand f32 with an upper half": (in_frame(0, FIRST_OPERAND + 1, 1 << 63), "frame 0: .* is no f32"),
    "a function that is none": (in_frame(1, REFERENCE, 9), "frame 1: 0x9 is no funcref"),
    "an instance that is none": (in_frame(1, Header.INSTANCE, 1), "entry 1: there is no instance 1"),
    "a function that the module imports": (in_frame(1, Header.FUNCTION, 0), "entry 1: the module has no function 0 of"),
    "a function that is not there": (in_frame(1, Header.FUNCTION, 70), "the module has no function 70 of its own"),
    "another function than is called": (in_frame(1, Header.FUNCTION, 2), "the frame below waits for another function"),
    "a place that is no safepoint": (in_frame(1, Header.OFFSET, 3), "cannot stand at byte offset 0x3"),
    "a place behind the body": (in_frame(1, Header.OFFSET, 5000), "cannot stand at byte offset 0x1388"),
    "locals at the entry": (in_frame(1, Header.OFFSET, 0), "has just been entered are not zero"),
    "a caller at its entry": (in_frame(0, Header.OFFSET, 0), "entry 0: the function cannot stand at byte offset 0x0"),
    "a slot too few": (shorter, "slots are missing"),
    "a frame too many": (doubled, "cannot stand at"),
    "another function at the bottom": (in_frame(0, Header.FUNCTION, 6), "cannot stand|outermost frame"),
    "no call": (lambda state: replace(state, standing=None), "no call is under way"),
    "a call of another function": (standing(function=INNER + 1), "not of the function that was called"),
    "a call of no function": (standing(function=99), "function 99, which is not there"),
    "a call that has not begun": (standing(entered=False), "a call that has begun has frames, and no other"),
    "a caller that is none": (standing(caller=5), "there is no instance 5"),
    "a reason that is none": (standing(reason="of its own"), "'of its own' is no reason of a pause"),
    "frames that are too many": (
        lambda state: replace(state, limits=Limits(stack=60)), r"\d+ bytes, more than the limit of 60"),
}  # fmt: skip
REST: dict[str, tuple[Callable[[State], State], str]] = {
    "a global i32 with an upper half": (cell(0, 1 << 32), "state section: global 0: 0x100000000 is no i32"),
    "a global function that is none": (cell(1, 90), "global 1: 0x5a is no funcref"),
    "a global object that is none": (cell(2, 1), "global 2: 0x1 is no externref"),
    "an element that is no function": (element(0, 1, 8), "table 0: 0x8 is no funcref"),
    "an element that is no object": (element(1, 1, 3), "table 1: 0x3 is no externref"),
    "a global too few": (lambda state: replace(state, globals=state.globals[8:]), "3 of kind global are linked, 2 are"),
    "a table too many": (lambda state: replace(state, tables=(*state.tables, b"")), "2 of kind table .*, 3 are here"),
    "a table that is too small": (
        lambda state: replace(state, tables=(bytes(16), bytes(16))), "its size of 2 is none that 3..6 funcref can"),
    "a table that is too large": (lambda state: replace(state, tables=(bytes(56), bytes(16))), "its size of 7 is none"),
    "a memory that is too large": (
        lambda state: replace(state, memories=(Pages(5 << 16, None, {}),)), "its size of 5 is none that 1..4 can have"),
    "a memory that is too small": (lambda state: replace(state, memories=(Pages(0, None, {}),)), "its size of 0 is no"),
    "no memory": (lambda state: replace(state, memories=()), "memory section: 1 of kind memory are linked, 0 are here"),
    "a page behind the memory": (
        lambda state: replace(state, memories=(Pages(1 << 16, None, {16: b"x" * PAGE_BYTES}),)), "pages behind"),
    "segments that are not there": (lambda state: replace(state, segments=(((2,), ()),)), "segments that are not"),
    "segments out of order": (lambda state: replace(state, segments=(((1, 0), ()),)), "or out of order"),
    "segments of nobody": (lambda state: replace(state, segments=()), "1 instances, but segments of 0"),
    "devices of nobody": (lambda state: replace(state, devices=()), "1 instances, but devices of 0"),
    "more fuel left than granted": (lambda state: replace(state, fuel=Fuel(5, 6, True)), "5 granted, 6 left"),
    "fuel without bounds": (lambda state: replace(state, fuel=Fuel(1 << 63, 0, False)), "fuel that cannot be"),
    "more fuel used than can be": (lambda state: replace(state, fuel=Fuel(0, -(1 << 63), True)), "fuel that cannot be"),
    "more output than can be": (lambda state: replace(state, output_used=1 << 62), "bytes of output cannot be"),
    "a module that is not there": (linked(links=(Link(3, (0,)),)), "link section, entry 0: there is no module 3"),
    "an import too few": (linked(links=(Link(0, ()),)), "1 imports, of which 0 are filled"),
    "an import by a later function": (linked(links=(Link(0, (1,)),)), "function 1, which is none of"),
    "a thing of the host's that nobody imports": (linked(strangers=(MemoryType(1),)), "no instance imports what"),
}  # fmt: skip


@pytest.mark.parametrize("name", STACK)
def test_frames(name: str) -> None:
    change, words = STACK[name]
    with pytest.raises(SnapshotError, match=f"^stack section.*({words})"):
        loaded(change(paused()))


@pytest.mark.parametrize("name", REST)
def test_what_else_a_store_holds(name: str) -> None:
    change, words = REST[name]
    with pytest.raises(SnapshotError, match=words):
        loaded(change(guest_of().snapshot().state))


def test_what_was_not_changed_is_taken() -> None:
    for state in (paused(), paused("chosen"), guest_of().snapshot().state):
        again = loaded(state)
        assert again.state.record == state.record and again.state.globals == state.globals
        assert again.restore(host={"tell": print}).store.task is not None or state.standing is None


def test_an_indirect_call_waits_for_a_type() -> None:
    """Any function of the type will do, and no other."""
    state = paused("chosen")
    _, fp = headers(state)
    entered = with_slots(state, {fp + Header.FUNCTION: 2, fp + Header.OFFSET: 0})
    entered = replace(entered, record=replace(entered.record, slots=entered.record.slots[: fp + Header.CALLER + 1]))
    assert loaded(entered).restore(host={"tell": print}).task.run().value == 50
    with pytest.raises(SnapshotError, match="the frame below waits for another function"):
        loaded(with_slots(entered, {fp + Header.FUNCTION: 3}))


def test_no_frame_stands_in_a_loop_that_is_not_tested() -> None:
    """As a run of the fuzzer had it: with another counter such a loop would run on, and nothing could stop it."""
    guest = Module(from_text("""
        func $f (result i32)
          local $i i32
          loop $outer
            i32.const -10
            local.set $i
            loop $counted
              local.get $i
              i32.const 1
              i32.add
              local.tee $i
              i32.const -5
              i32.ne
              br_if $counted
            end
            br $outer
          end
          i32.const 0
        end
        export "f" func $f
        """)).spawn(engine="reference")  # fmt: skip
    guest.start("f").run(fuel=5)
    state = guest.snapshot().state
    assert state.record.slots == (0, 0, 2, 0, 0)
    with pytest.raises(SnapshotError, match="cannot stand at byte offset 0x8"):
        loaded(with_slots(state, {2: 8}))
    assert loaded(with_slots(state, {4: 77})).restore().task.run(fuel=100).fuel_used > 100


def test_the_focus_is_an_instance() -> None:
    with pytest.raises(SnapshotError, match="info section: there is no instance 1"):
        loaded(paused(), focus=1)


def test_objects_that_are_gone_cannot_be_held() -> None:
    """As a run of the fuzzer had it: the file has none for a reference that something holds."""
    guest = guest_of()
    guest.call("keep", "one")
    state = guest.snapshot().state
    assert loaded(state, (b"1",)).restore(host={"tell": print}, externs=bytes.decode).get_global is not None
    with pytest.raises(SnapshotError, match="global 2: 0x1 is no externref"):
        loaded(state, (None,))
    with pytest.raises(SnapshotError, match="table 1: 0x2 is no externref"):
        loaded(element(1, 0, 2)(state), (b"1", None))


def test_a_guest_that_used_more_than_its_new_limit_can_be_kept() -> None:
    """As a run of the fuzzer had it: what is left is below zero by all that was used."""
    state = replace(guest_of().snapshot().state, fuel=Fuel(1 << 61, 5, True))
    guest = loaded(state).restore(host={"tell": print}, limits=Limits(fuel=10))
    assert guest.fuel == 0 and guest.fuel_used == (1 << 61) - 5
    assert loaded(guest.snapshot().state).fuel_used == guest.fuel_used


def test_arguments_of_a_call_that_has_not_begun() -> None:
    state = guest_of().snapshot().state
    call = paused().standing
    assert call is not None
    for number, slot, bad in ((2, 1 << 32, True), (2, 5, False), (4, 1 << 40, False), (1, 7, False)):
        begun = replace(call, function=number, entered=False)
        waiting = replace(state, standing=begun, record=Record((slot,), -1))
        if bad:
            with pytest.raises(SnapshotError, match=r"arguments: .* is no i32"):
                loaded(waiting)
        else:
            loaded(waiting).restore(host={"tell": lambda value: None}).task.run()
    with pytest.raises(SnapshotError, match="2 slots, of which the frames have 1"):
        loaded(replace(waiting, record=Record((1, 2), -1)))


STRANGERS = """
    import "env" "memory" memory 1 4
    import "env" "table" table 2 5 funcref
    import "env" "cell" global $cell mut i64
    import "env" "stop" tag $stop (param i32)
    """


@pytest.mark.parametrize(("strangers", "words"), [
    ((MemoryType(1), TableType(FUNCREF, 2, 5), GlobalType(I64, True), (FuncType((I32,)), "t")), "memory 0, which does"),
    ((MemoryType(1, 4), TableType(FUNCREF, 2, 5), GlobalType(I64, True), (FuncType((I64,)), "t")), "tag 0, which does"),
    ((MemoryType(1, 4), TableType(FUNCREF, 2, 5), GlobalType(I64), (FuncType((I32,)), "t")), "global 0, which does"),
    ((MemoryType(1, 4), TableType(EXTERNREF, 2, 5)), "table 0, which does not fit"),
    ((MemoryType(1, 4), TableType(FUNCREF, 2, 9)), "table 0, which does not fit"),
    ((MemoryType(1, 4), TableType(FUNCREF, 9, 5)), "cannot be"),
    ((MemoryType(1 << 20),), "cannot be"),
    ((MemoryType(1, 4), TableType(FUNCREF, 2, 5), GlobalType(I32, True)), "global 0, which does not fit"),
    ((TableType(FUNCREF, 2, 5),), "memory 0, which does not fit"),
    ((), "a thing of the host's that is not listed"),
])  # fmt: skip
def test_things_of_the_hosts(strangers: tuple[Any, ...], words: str) -> None:
    store = Store(engine="reference")
    given = {
        "memory": MemoryInstance(store.arenas, MemoryType(1, 4)), "cell": GlobalInstance(GlobalType(I64, True), 0),
        "table": TableInstance(store.arenas, TableType(FUNCREF, 2, 5)), "stop": TagInstance(FuncType((I32,)), "stop"),
    }  # fmt: skip
    state = store.spawn(Module(from_text(STRANGERS)), imports={"env": given}).snapshot().state
    assert loaded(state).restore().store.guests
    with pytest.raises(SnapshotError, match=words):
        loaded(replace(state, shape=replace(state.shape, strangers=strangers)))


def test_an_import_is_no_function_of_the_host_s_that_came_with_it() -> None:
    """The host fills the first; the second says that it is filled by that one, which is not there before."""
    text = 'import "host" "one" func $one (param i32)\nimport "host" "two" func $two (param i32)\n'
    state = Module(from_text(text)).spawn(host=dict.fromkeys(("one", "two"), print)).snapshot().state
    assert state.shape.links == (Link(0, (HOST, HOST)),)
    with pytest.raises(SnapshotError, match=r"'two' .* is filled by function 1, which is none of"):
        loaded(replace(state, shape=replace(state.shape, links=(Link(0, (HOST, 1)),))))


# What the container says


def sections(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 9
    while at < len(data) - DIGEST_BYTES:
        number, size = struct.unpack_from("<BQ", data, at)
        found.append((number, data[at + 9 : at + 9 + size]))
        at += 9 + size
    return found


def file_of(parts: list[tuple[int, bytes]]) -> bytes:
    data = b"\0svs" + struct.pack("<IB", VERSION, 0)
    data += b"".join(struct.pack("<BQ", number, len(content)) + content for number, content in parts)
    return data + sha256(data).digest()


def test_sections_are_all_there_in_their_order() -> None:
    parts = sections(guest_of().snapshot().to_bytes())
    assert [number for number, _ in parts] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert Snapshot.load(file_of(parts))
    for at in range(len(parts)):
        with pytest.raises(SnapshotError, match="section is missing"):
            Snapshot.load(file_of(parts[:at] + parts[at + 1 :]))
        with pytest.raises(SnapshotError, match="cannot stand here"):
            Snapshot.load(file_of([*parts, parts[at]]))
        with pytest.raises(SnapshotError):
            Snapshot.load(file_of([*parts[:at], (parts[at][0], parts[at][1] + b"\0"), *parts[at + 1 :]]))
        if parts[at][1]:
            with pytest.raises(SnapshotError):
                Snapshot.load(file_of([*parts[:at], (parts[at][0], parts[at][1][:-1]), *parts[at + 1 :]]))


def test_pages_unpack_to_exactly_their_size() -> None:
    zstandard = pytest.importorskip("zstandard")
    guest = guest_of()
    guest.instance.memories[0].data[:8192] = b"a" * 8192
    parts = sections(guest.snapshot().to_bytes())
    count = struct.pack("<Q", 1)
    packed = zstandard.ZstdCompressor(level=1).compress
    bombs = [
        packed(b"a" * (64 << 20)), packed(b"a" * 4095), packed(b"a" * 4096)[:-3], b"nonsense", b"",
        zstandard.ZstdCompressor(level=1, write_content_size=False).compress(b"a" * 4096),
    ]  # fmt: skip
    for bomb in bombs:
        made = file_of([*parts[:-1], (9, count + struct.pack("<I", len(bomb)) + bomb)])
        with pytest.raises(SnapshotError, match="page section"):
            Snapshot.load(made).restore(host={"tell": print})
    good = packed(b"b" * 4096)
    made = file_of([*parts[:-1], (9, count + struct.pack("<I", len(good)) + good)])
    twin = Snapshot.load(made).restore(host={"tell": print})
    assert bytes(twin.instance.memories[0].data[:8193]) == b"b" * 8192 + b"\0"
    with pytest.raises(SnapshotError, match=r"memory section, entry 0: pages that are none of the 0 there are"):
        Snapshot.load(file_of([*parts[:-1], (9, struct.pack("<Q", 0))]))
