"""Files of snapshots: what goes in comes out, anywhere; what was damaged or forged does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from svm import (
    Console,
    Entropy,
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
from svm.module import from_text
from svm.wasm import read, write
from tests.conftest import Spawn
from tests.snapshot.counter import COUNTER, spawned, told

WIDE = COUNTER.replace("memory 1", "memory 16")


def test_a_file_goes_on_anywhere(spawn: Spawn, tmp_path: Path) -> None:
    said, guest = spawned(spawn, limits=Limits(fuel=1_000_000, memory="1 MiB", seconds=1000.0, stack=65536))
    guest.call("more", 3)
    guest.call("init")
    task = guest.start("f", 50)
    assert isinstance(task.run(fuel=300), Paused)
    snapshot = guest.snapshot("here", metadata={"step": [1, "zwei", None]})
    snapshot.save(tmp_path / "a.svms")
    end, whole = task.run(), list(said)
    assert isinstance(end, Finished)
    loaded = Snapshot.load(tmp_path / "a.svms")
    assert (loaded.name, loaded.metadata, loaded.identity) == ("here", snapshot.metadata, snapshot.identity)
    assert loaded.state.limits == guest.limits and loaded.fuel_used == snapshot.fuel_used
    assert loaded.to_bytes() == (tmp_path / "a.svms").read_bytes()
    for engine in ("reference", "interpreter", "jit"):
        again, host = told()
        twin = loaded.restore(engine=engine, host=host)
        assert twin.task is not None and twin.task.run() == end
        assert whole[-len(again):] == again and twin.memory[:] == guest.memory[:]
        assert (twin.fuel, twin.fuel_used) == (guest.fuel, guest.fuel_used)
        assert [twin.call("pick", at) for at in (0, 1, 4, 6)] == [1, 2, 2, 2]
        twin.close()
    with pytest.raises(LinkError, match=r"import 'host' 'tell' .* is missing"):
        loaded.restore()
    assert [path.name for path in tmp_path.iterdir()] == ["a.svms"]


def test_snapshots_of_snapshots_from_files(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    guest.call("poke", 5000, 1)
    first = Snapshot.load(guest.snapshot("first").to_bytes()).restore(host=told()[1])
    first.call("poke", 9000, 2)
    second = first.snapshot("second")
    loaded = Snapshot.load(second.to_bytes())
    assert second.parent is not None and loaded.parent_identity == second.parent.identity
    twin = loaded.restore(host=told()[1])
    assert (twin.call("peek", 5000), twin.call("peek", 9000), twin.call("peek", 1)) == (1, 2, 0)
    guest.rollback(loaded)
    assert guest.call("peek", 9000) == 2
    twin.rollback(second)
    assert twin.call("peek", 9000) == 2


def test_large_memories_are_kept_without_zero_pages_and_equal_ones_once(spawn: Spawn) -> None:
    guest = spawn(WIDE, host={"tell": lambda value: None})
    empty = len(guest.snapshot().to_bytes())
    block = bytes(range(256)) * 16
    for page in range(0, 200, 2):
        guest.memory[page * 4096 : (page + 1) * 4096] = block
    held = guest.memory[:]
    data = guest.snapshot().to_bytes()
    assert len(data) < empty + 1000
    twin = Snapshot.load(data).restore(host={"tell": print})
    assert twin.memory[:] == held
    assert twin.clone().memory[:] == held


def test_modules_can_be_left_out(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    data = guest.snapshot().to_bytes(embed=False)
    assert len(data) < len(guest.snapshot().to_bytes()) - 300
    with pytest.raises(SnapshotError, match=r"module section, entry 0, .* does not go along and was not given"):
        Snapshot.load(data)
    module = Module(from_text(COUNTER))
    assert Snapshot.load(data, modules=[module]).restore(host=told()[1]).call("f", 3) == 6


def test_a_key_tells_who_wrote_it(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    snapshot = guest.snapshot()
    for key in (b"k", b"k" * 64, b"k" * 65, b""):
        data = snapshot.to_bytes(key=key)
        assert Snapshot.load(data, key=key).identity == snapshot.identity
        with pytest.raises(SnapshotError, match="it was written with a key, and none is given"):
            Snapshot.load(data)
        with pytest.raises(SnapshotError, match="is damaged, or was written with another key"):
            Snapshot.load(data, key=b"other")
    with pytest.raises(SnapshotError, match="it was written without a key"):
        Snapshot.load(snapshot.to_bytes(), key=b"k")


def test_damage_is_seen(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    data = guest.snapshot().to_bytes()
    for at in range(0, len(data), 7):
        with pytest.raises(SnapshotError):
            Snapshot.load(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
        with pytest.raises(SnapshotError):
            Snapshot.load(data[:at])
    with pytest.raises(SnapshotError):
        Snapshot.load(data + b"\0")
    with pytest.raises(SnapshotError, match="this is no snapshot"):
        Snapshot.load(b"")
    with pytest.raises(SnapshotError, match="version 1 of the format is not known"):
        Snapshot.load(data[:4] + b"\1" + data[5:])


def test_a_call_that_has_not_begun(spawn: Spawn) -> None:
    guest = spawn(COUNTER, host={"tell": lambda value: None}, limits=Limits(fuel=30))
    with pytest.raises(LimitError):
        guest.call("f", 10)
    guest.task.cancel()
    with pytest.raises(LimitError):
        guest.call("f", 4)
    twin = Snapshot.load(guest.snapshot().to_bytes()).restore(limits=Limits(), host={"tell": lambda value: None})
    assert twin.task.run().value == twin.get_global("rounds") > 10


def test_metadata_is_json(spawn: Spawn) -> None:
    _, guest = spawned(spawn)
    for bad in ({"a": object()}, {"b": float("nan")}, {"c": "x" * 2_000_000}, {"d": "\ud800"}):
        with pytest.raises(UsageError, match="metadata"):
            guest.snapshot(metadata=bad).to_bytes()


def test_externrefs_go_as_the_host_says(spawn: Spawn) -> None:
    guest = spawn("""
        global $kept mut externref (ref.null externref)
        table 3 externref
        func $keep (param externref externref)
          local.get 0
          global.set $kept
          i32.const 2
          local.get 1
          table.set 0
        end
        func $given (result externref externref)
          global.get $kept
          i32.const 2
          table.get 0
        end
        func $f (param externref) (result externref)
          local $n i32
          loop $next
            local.get $n
            i32.const 1
            i32.add
            local.tee $n
            i32.const 100
            i32.lt_u
            br_if $next
          end
          local.get 0
        end
        export "keep" func $keep
        export "given" func $given
        export "f" func $f
        """)  # fmt: skip
    guest.call("keep", "one", "two")
    guest.call("keep", "three", "two")
    task = guest.start("f", "four")
    task.run(fuel=50)
    snapshot = guest.snapshot()
    with pytest.raises(UsageError, match="the guest holds a reference to 'two': `externs` is to make bytes of it"):
        snapshot.to_bytes()
    seen: list[Any] = []

    def encode(value: str) -> bytes:
        seen.append(value)
        return value.encode()

    loaded = Snapshot.load(snapshot.to_bytes(externs=encode))
    assert seen == ["two", "three", "four"]  # nothing holds "one" any more
    with pytest.raises(UsageError, match="references to objects of its host"):
        loaded.restore()
    twin = Snapshot.load(loaded.to_bytes()).restore(externs=lambda data: data.decode() + "!")
    assert twin.task.run().value == "four!" and twin.call("given") == ("three!", "two!")


def test_guests_that_are_linked_and_things_of_the_hosts(engine: str) -> None:
    store = Store(engine=engine)
    base = store.spawn(Module(from_text("""
        memory 1 2
        table 2 funcref
        global $g mut i64 (i64.const 7)
        tag $t (param i32)
        func $one (result i32)
          i32.const 1
        end
        elem active at (i32.const 0) funcref (ref.func $one)
        export "memory" memory 0
        export "table" table 0
        export "g" global $g
        export "t" tag $t
        export "one" func $one
        """)))  # fmt: skip
    top = store.spawn(Module(from_text("""
        import "base" "memory" memory 1
        import "base" "table" table 1 funcref
        import "base" "g" global $g mut i64
        import "base" "t" tag $t (param i32)
        import "base" "one" func $one (result i32)
        func $f (result i64)
          call $one
          drop
          i32.const 0
          call_indirect (result i32) 0
          i64.extend_i32_u
          global.get $g
          i64.add
          global.set $g
          global.get $g
        end
        export "f" func $f
        """)), imports={"base": base})  # fmt: skip
    assert top.call("f") == 8
    task = top.start("f")
    task.run(fuel=0)
    twin = Snapshot.load(top.snapshot().to_bytes()).restore()
    assert twin.task is not None and twin.task.run().value == 9
    other, _ = twin.store.guests
    assert other.get_global("g") == 9 and other.exports["memory"] is twin.instance.memories[0]
    assert top.get_global if task.run().value == 9 else False


def test_programs_from_wasm(engine: str) -> None:
    """A module that came as `.wasm` goes along as a `.svmb`, and runs as it did."""
    module = Module(read(write(compile("print(sum(i * i for i in range(300)))\n").model)))
    import io

    out = io.BytesIO()
    guest = module.spawn(engine=engine, devices=[Console(io.BytesIO(), out, io.BytesIO()), Entropy()])
    task = guest.start("_start")
    assert isinstance(task.run(fuel=1500), Paused)
    loaded = Snapshot.load(guest.snapshot().to_bytes())
    task.run()
    twin = loaded.restore(engine="reference", devices=[Console(io.BytesIO(), out, io.BytesIO()), Entropy()])
    twin.task.run()
    assert out.getvalue() == b"8955050\n" * 2 and twin.fuel_used == guest.fuel_used
    guest.rollback(loaded)
    assert guest.task is not None and guest.task.run() == task.outcome
