"""Guests that are snapshotted, restored, cloned and rolled back, on every engine and with all that a store holds."""

from __future__ import annotations

import io
import threading

import pytest

from svm import (
    Clock,
    Console,
    Finished,
    LimitError,
    Limits,
    LinkError,
    Module,
    Paused,
    Snapshot,
    SnapshotError,
    Store,
    UsageError,
    compile,
)
from svm.devices.state import DeviceState
from svm.isa import FuncType
from svm.module import GlobalType, MemoryType, TableType, from_text
from svm.runtime import GlobalInstance, MemoryInstance, TableInstance, TagInstance
from tests.conftest import Spawn
from tests.snapshot.counter import COUNTER, spawned, told


def test_a_paused_call_goes_on_in_every_guest_made_from_its_snapshot(spawn: Spawn) -> None:
    said, guest = spawned(spawn)
    task = guest.start("f", 40)
    assert isinstance(task.run(fuel=200), Paused)
    before = list(said)
    snapshot = guest.snapshot("middle")
    end = task.run()
    assert isinstance(end, Finished) and end.value == 820
    whole = list(said)
    for engine in ("reference", "interpreter", "jit"):
        said[:] = before
        twin = snapshot.restore(engine=engine)
        assert twin.engine.name == engine and twin.task is not None
        assert twin.task.outcome == Paused("fuel", snapshot.fuel_used, task)
        assert twin.task.run() == end
        assert said == whole and twin.memory[:] == guest.memory[:] and twin.fuel_used == guest.fuel_used
        assert twin.get_global("rounds") == 820
        twin.close()


def test_a_snapshot_is_a_value(spawn: Spawn) -> None:
    """What happens to guests changes no snapshot, and guests of one do not see each other."""
    _, guest = spawned(spawn)
    guest.call("poke", 5, 50)
    snapshot = guest.snapshot()
    first, second = snapshot.restore(engine="reference"), snapshot.restore(engine="interpreter")
    guest.call("poke", 5, 51)
    first.call("poke", 5, 52)
    first.call("grow", 2)
    second.call("more", 3)
    second.set_global("rounds", 9)
    assert [one.call("peek", 5) for one in (guest, first, second)] == [51, 52, 50]
    assert [len(one.memory) for one in (guest, first, second)] == [65536, 3 * 65536, 65536]
    third = snapshot.restore()
    assert third.call("peek", 5) == 50 and third.get_global("rounds") == 0 and len(third.memory) == 65536
    guest.close()
    assert snapshot.restore().call("peek", 5) == 50


def test_what_a_host_gave_is_given_to_clones_and_can_be_given_anew(spawn: Spawn) -> None:
    said, guest = spawned(spawn)
    snapshot = guest.snapshot()
    assert guest.clone().call("f", 2) == 3 and said == [2, 3]
    other, host = told()
    assert snapshot.restore(host=host).call("f", 2) == 3
    assert other == [2, 3] and said == [2, 3]
    with pytest.raises(LinkError, match="unknown import: import 'host' 'tell'"):
        snapshot.restore(host={"other": print})


def test_segments_that_were_dropped_stay_dropped(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    whole = guest.snapshot()
    guest.call("drop")
    dropped = guest.snapshot()
    assert whole.restore().call("init") is None
    with pytest.raises(Exception, match="out of bounds table access"):
        dropped.restore().call("init")
    guest.rollback(whole)
    guest.call("init")
    assert (guest.call("pick", 0), guest.call("pick", 1), guest.call("peek", 102)) == (1, 2, ord("c"))
    twin = guest.clone()
    assert (twin.call("pick", 0), twin.call("pick", 1), twin.call("peek", 102)) == (1, 2, ord("c"))


def test_rollback_to_older_snapshots_whatever_grew(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    states = []
    for number in range(4):
        guest.call("poke", 7, number)
        states.append(guest.snapshot(str(number)))
        guest.call("grow", 1)
        guest.call("poke", (number + 1) * 65536 + 1, 99)
        guest.call("more", 1)
    for number in (2, 0, 3, 1):
        guest.rollback(states[number])
        assert len(guest.memory) == (number + 1) * 65536 and guest.call("peek", 7) == number
        assert guest.call("grow", 0) == number + 1 and guest.call("more", 0) == number + 4
        assert not any(guest.memory[1 + page * 65536] not in (0, 99) for page in range(number + 1))
        with pytest.raises(Exception, match="out of bounds memory access"):
            guest.call("peek", (number + 1) * 65536)
        assert guest.call("pick", 4) == 2 if number else True
    assert [state.name for state in states] == ["0", "1", "2", "3"]
    assert states[3].parent is states[2] and states[0].parent is None


def test_rollback_to_what_no_device_can_be_changes_nothing(spawn: Spawn) -> None:
    _, guest = spawned(spawn, devices=[Clock()])
    guest.call("poke", 7, 1)
    snapshot = Snapshot.load(guest.snapshot().to_bytes())
    guest.rollback(snapshot)
    guest.call("poke", 7, 2)
    object.__setattr__(snapshot.state, "devices", ((("clock", DeviceState(b"none")),),))
    with pytest.raises(SnapshotError, match="no state of a device of kind 'clock'"):
        guest.rollback(snapshot)
    assert guest.call("peek", 7) == 2


def test_rollback_gives_up_the_call_that_is_under_way(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    idle = guest.snapshot()
    task = guest.start("f", 30)
    task.run(fuel=100)
    middle = guest.snapshot()
    assert task.run().value == 465
    guest.rollback(middle)
    assert guest.task is not None and guest.task is not task and guest.task.run().value == 465
    guest.rollback(middle)
    guest.rollback(idle)
    assert guest.task is None and guest.get_global("rounds") == 0 and guest.fuel_used == 0
    with pytest.raises(UsageError, match="the call has ended"):
        task.run()
    assert guest.call("f", 3) == 6


def test_a_clone_of_a_clone(spawn: Spawn) -> None:
    _, guest = spawned(spawn, limits=Limits(fuel=100_000, memory="1 MiB"))
    task = guest.start("f", 60)
    task.run(fuel=50)
    line = [guest]
    for _ in range(5):
        assert line[-1].task is not None
        assert isinstance(line[-1].task.run(fuel=50), Paused)
        line.append(line[-1].clone())
    ends = []
    for one in reversed(line):
        assert one.task is not None
        ends.append((one.task.run(), one.fuel_used, one.fuel, bytes(one.memory[:])))
    assert len(set(map(repr, ends))) == 1 and ends[0][0].value == 1830
    assert task.done


def test_snapshots_of_guests_that_are_linked(spawn: Spawn, engine: str) -> None:
    store = Store(engine=engine)
    memory = MemoryInstance(store.arenas, MemoryType(1, 3))
    table = TableInstance(store.arenas, TableType(from_text("table 1 funcref").tables[0].element, 3, 9))
    cell, tag = GlobalInstance(GlobalType(from_text("global i32 (i32.const 0)").globals[0].type.type, True), 5), \
        TagInstance(FuncType(), "stop")  # fmt: skip
    base = store.spawn(Module(from_text("""
        import "env" "memory" memory 1 4
        import "env" "table" table 3 funcref
        import "env" "cell" global $cell mut i32
        import "env" "stop" tag $stop
        import "host" "ask" func $ask (param i32) (result i32)
        global $own mut i64 (i64.const 1)
        func $add (param i32) (result i32)
          local.get 0
          call $ask
          global.get $cell
          i32.add
          global.set $cell
          global.get $cell
          i32.const 100
          i32.gt_u
          if
            throw $stop
          end
          global.get $cell
        end
        export "add" func $add
        export "ask" func $ask
        export "memory" memory 0
        export "cell" global $cell
        export "stop" tag $stop
        export "table" table 0
        """)), host={"ask": lambda value: value + 1},
        imports={"env": {"memory": memory, "table": table, "cell": cell, "stop": tag}})  # fmt: skip
    top = store.spawn(Module(from_text("""
        import "base" "add" func $add (param i32) (result i32)
        import "base" "ask" func $ask (param i32) (result i32)
        import "base" "memory" memory 1
        import "base" "cell" global $cell mut i32
        import "base" "stop" tag $stop
        import "base" "table" table 1 funcref
        func $f (param $n i32) (result i32)
          block $caught
            try_table (catch $stop $caught)
              loop $next
                local.get $n
                i32.const 1
                i32.sub
                local.set $n
                i32.const 3
                call $add
                drop
                i32.const 0
                i32.const 0
                i32.load
                i32.const 1
                call $ask
                i32.add
                i32.store
                local.get $n
                br_if $next
              end
            end
            i32.const -1
            return
          end
          i32.const 0
          i32.load
          global.get $cell
          i32.add
        end
        export "f" func $f
        elem active at (i32.const 1) funcref (ref.func $f)
        """)), imports={"base": base})  # fmt: skip
    task = top.start("f", 1000)
    for fuel in range(1, 600, 60):
        if isinstance(task.run(fuel=fuel), Finished):
            break
        snapshot = top.snapshot()
        for other in ("reference", "interpreter"):
            twin = snapshot.restore(engine=other)
            assert twin.task is not None and twin.task.run().value == 147, fuel
            first, second = twin.store.guests
            assert second is twin and first.get_global("cell") == 101
            assert first.exports["memory"] is twin.instance.memories[0]
            assert first.exports["table"].elements.tolist()[1] == twin.exports["f"].number
            assert first.call("ask", 1) == 2
            twin.close()
    assert task.done
    late = store.spawn(Module(from_text("func\nend")))
    with pytest.raises(UsageError, match="before other guests were spawned"):
        top.rollback(snapshot)
    assert late.snapshot().restore().store.guests[2].exports == {}


def test_a_guest_paused_in_its_start_function(spawn: Spawn, engine: str) -> None:
    module = Module(from_text("""
        global $n mut i32 (i32.const 0)
        func $start
          loop $next
            global.get $n
            i32.const 1
            i32.add
            global.set $n
            global.get $n
            i32.const 500
            i32.lt_u
            br_if $next
          end
        end
        export "n" global $n
        start $start
        """))  # fmt: skip
    with pytest.raises(LimitError) as error:
        module.spawn(engine=engine, limits=Limits(fuel=1_000))
    guest = error.value.guest
    twin = guest.snapshot().restore(limits=Limits(fuel=50_000))
    assert 0 < twin.get_global("n") < 500 and twin.fuel == 50_000 - twin.fuel_used
    assert isinstance(twin.task.run(), Finished) and twin.get_global("n") == 500
    again = guest.clone()
    assert again.fuel == 0 and isinstance(again.task.run(), Paused)
    again.add_fuel(50_000)
    assert isinstance(again.task.run(), Finished) and again.get_global("n") == 500


def test_a_program_paused_in_its_start(engine: str) -> None:
    module = compile("import sys\ntotal = 0\nfor line in sys.stdin:\n    total += int(line)\nprint(total)\n")
    out = io.BytesIO()
    lines = b"".join(b"%d\n" % number for number in range(500))
    console = Console(io.BytesIO(lines), out, io.BytesIO())
    guest = module.spawn(engine=engine, devices=[console], limits=Limits(fuel=20_000))
    with pytest.raises(LimitError):
        guest.run()
    twin = guest.snapshot().restore(engine="interpreter", limits=Limits(),
                                    devices=[Console(io.BytesIO(b""), out, io.BytesIO())])  # fmt: skip
    assert isinstance(twin.task.run(), Finished)
    first = int(out.getvalue())
    assert 0 < first <= sum(range(500))  # what was read so far; the rest was in the other's stream


def test_the_host_function_that_runs_is_named(spawn: Spawn) -> None:
    found: list[UsageError] = []

    def tell(value: int) -> None:
        for what in (guest.snapshot, guest.clone, lambda: guest.rollback(snapshot)):
            with pytest.raises(UsageError, match="inside of the host function 'tell'") as error:
                what()
            found.append(error.value)

    guest = spawn(COUNTER, host={"tell": tell})
    snapshot = guest.snapshot()
    guest.call("f", 1)
    assert len(found) == 3 and "no snapshot can be taken of it" in str(found[0])
    assert "cannot be rolled back" in str(found[2])


def test_another_thread_gets_an_error(spawn: Spawn) -> None:
    entered, leave = threading.Event(), threading.Event()

    def tell(value: int) -> None:
        entered.set()
        leave.wait(10)

    guest = spawn(COUNTER, host={"tell": tell})
    thread = threading.Thread(target=guest.call, args=("f", 1))
    thread.start()
    entered.wait(10)
    try:
        with pytest.raises(UsageError, match="driven by another thread"):
            guest.snapshot()
    finally:
        leave.set()
        thread.join()
    assert guest.snapshot().fuel_used > 0


def test_closed_guests(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    snapshot = guest.snapshot()
    guest.close()
    for what in (guest.snapshot, guest.clone, lambda: guest.rollback(snapshot)):
        with pytest.raises(UsageError, match="the guest is closed"):
            what()
    other = snapshot.restore()
    with other as open_guest:
        assert open_guest.call("two") == 2
    with pytest.raises(UsageError, match="closed"):
        other.call("two")


def test_closing_inside_of_a_call_leaves_a_guest_that_can_be_cloned(spawn: Spawn) -> None:
    def tell(value: int) -> None:
        with pytest.raises(UsageError, match="cannot be closed from inside"):
            guest.close()

    guest = spawn(COUNTER, host={"tell": tell})
    task = guest.start("f", 20)
    task.run(fuel=100)
    twin = guest.clone()
    guest.close()
    assert task.done or twin.task is not None
    twin.rollback(twin.snapshot())
    assert twin.task is not None
    host = {"tell": lambda value: None}
    assert twin.snapshot().restore(host=host).task.run().value == 210


def test_limits_have_room_or_say_so(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    guest.call("grow", 3)
    snapshot = guest.snapshot()
    with pytest.raises(LimitError, match="the snapshot's memory needs 262144 bytes, the limit is 131072"):
        snapshot.restore(limits=Limits(memory=131072))
    with pytest.raises(LimitError, match="the snapshot's tables need 4 elements, the limit is 2"):
        snapshot.restore(limits=Limits(table_elements=2))
    twin = snapshot.restore(limits=Limits(memory=5 * 65536))
    assert twin.call("grow", 2) == -1 and twin.call("grow", 1) == 4


def test_a_deep_stack_needs_its_limit(spawn: Spawn) -> None:
    guest = spawn("""
        func $f (param $n i32) (result i32)
          local.get $n
          if (result i32)
            local.get $n
            i32.const 1
            i32.sub
            call $f
            i32.const 1
            i32.add
          else
            loop $next
              local.get $n
              i32.const 1
              i32.add
              local.tee $n
              i32.const 100
              i32.lt_u
              br_if $next
            end
            i32.const 0
          end
        end
        export "f" func $f
        """)  # fmt: skip
    assert guest.call("f", 900) == 900
    task = guest.start("f", 900)
    assert isinstance(task.run(fuel=guest.fuel_used - 300), Paused)  # in the innermost call's loop
    snapshot = guest.snapshot()
    with pytest.raises(LimitError, match=r"the snapshot's stack needs \d+ bytes, the limit is 4096") as error:
        snapshot.restore(limits=Limits(stack=4096))
    needed = int(str(error.value).split()[4])
    with pytest.raises(LimitError):
        snapshot.restore(limits=Limits(stack=needed - 8))
    for engine in ("reference", "interpreter"):
        twin = snapshot.restore(engine=engine, limits=Limits(stack=needed))
        assert twin.task.run().value == 900


def test_externrefs_go_along_within_a_process(spawn: Spawn) -> None:
    guest = spawn("""
        global $kept mut externref (ref.null externref)
        func $keep (param externref)
          local.get 0
          global.set $kept
        end
        func $given (result externref)
          global.get $kept
        end
        export "keep" func $keep
        export "given" func $given
        """)  # fmt: skip
    thing, other = object(), object()
    guest.call("keep", thing)
    snapshot = guest.snapshot()
    guest.call("keep", other)
    assert snapshot.restore().call("given") is thing and guest.call("given") is other
    guest.rollback(snapshot)
    assert guest.call("given") is thing
    guest.call("keep", other)
    assert guest.call("given") is other and snapshot.restore().call("given") is thing


def test_the_tree_of_snapshots(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    root = guest.snapshot("root", metadata={"step": 0})
    left = guest.snapshot("left")
    guest.rollback(root)
    right = guest.snapshot("right", metadata={"note": ["x", 1]})
    below = right.restore().snapshot("below")
    other = guest.snapshot(since=left)
    assert (left.parent, right.parent, below.parent, other.parent) == (root, root, right, left)
    assert root.metadata == {"step": 0} and right.metadata == {"note": ["x", 1]} and left.metadata == {}
    assert repr(below) == f"<Snapshot 'below': idle, fuel used {guest.fuel_used}, 65536 bytes of memory>"


def test_snapshots_are_only_of_their_own_kind(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    other = spawn("func\nend")
    with pytest.raises(UsageError, match="is of another store"):
        guest.rollback(other.snapshot())
    assert isinstance(guest.snapshot(), Snapshot)
