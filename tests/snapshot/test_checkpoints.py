"""Stores of checkpoints: what was kept comes back, whatever happened to the process, and no file does harm."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from svm import CheckpointStore, Guest, Module, Paused, SnapshotError, Storage, UsageError
from svm.module import from_text

TEXT = """
    memory 4
    global $sum mut i64 (i64.const 0)
    func $work (param $n i32) (result i64)
      loop
        local.get $n
        i32.const 64
        i32.mul
        i32.const 131071
        i32.and
        local.get $n
        i32.store
        global.get $sum
        local.get $n
        i64.extend_i32_u
        i64.add
        global.set $sum
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if 0
      end
      global.get $sum
    end
    export "work" func $work
    export "memory" memory 0
"""
TURNS, RESULT = 3000, 3000 * 3001 // 2


def spawn(engine: str = "interpreter") -> Guest:
    return Module(from_text(TEXT)).spawn(engine=engine)


def paused(fuel: int = 5000) -> Guest:
    guest = spawn()
    assert isinstance(guest.start("work", TURNS).run(fuel=fuel), Paused)
    return guest


def finish(guest: Guest) -> Any:
    assert guest.task is not None
    outcome = guest.task.run()
    return outcome, bytes(guest.memory[: guest.instance.memories[0].size])


@pytest.mark.parametrize("engine", ["interpreter", "jit", "reference"])
def test_what_was_kept_goes_on(tmp_path: Path, engine: str) -> None:
    guest = paused()
    with CheckpointStore(tmp_path / "store") as store:
        made = store.save(guest.snapshot(metadata={"a": [1]}), "job")
        assert (made.name, made.number, made.paused, made.metadata) == ("job", 1, True, {"a": [1]})
        assert made.memory == 4 << 16 and made.fuel == guest.fuel_used
    expected = finish(guest)
    with CheckpointStore(tmp_path / "store", create=False) as store:
        twin = store.load("job").restore(engine=engine)
        assert finish(twin) == expected
        assert twin.fuel_used == guest.fuel_used


def test_generations_names_and_numbers(tmp_path: Path) -> None:
    guest = paused(1000)
    assert guest.task is not None
    with CheckpointStore(tmp_path / "store") as store:
        for _ in range(5):
            store.save(guest.snapshot(), "a", keep=3)
            guest.task.run(fuel=1000)
        store.save(guest.snapshot(), "b")
        assert [(item.name, item.number) for item in store.checkpoints()] == [("a", 3), ("a", 4), ("a", 5), ("b", 6)]
        assert [item.number for item in store.checkpoints("a")] == [3, 4, 5]
        assert store.find().number == 6 and store.find("a").number == 5 and store.find("a", 3).number == 3
        ends = {finish(store.load("a", number).restore())[0].value for number in (3, 4, 5)}
        assert ends == {RESULT}
        for name, number in (("c", None), ("a", 1), ("b", 3)):
            with pytest.raises(UsageError, match="it has a, b"):
                store.find(name, number)
        assert store.remove("a", 4) == 1 and store.remove("a") == 2 and store.remove("a") == 0
        with pytest.raises(UsageError, match="at least one"):
            store.save(guest.snapshot(), "a", keep=0)
        for name in ("", "a:b", "a\n", "x" * 300):
            with pytest.raises(UsageError, match="not a name"):
                store.save(guest.snapshot(), name)


def test_pages_are_kept_once_and_freed(tmp_path: Path) -> None:
    guest = paused(40_000)
    twin = guest.clone()

    def pieces() -> int:
        with closing(sqlite3.connect(tmp_path / "store")) as base:
            (count,) = base.execute("SELECT count(*) FROM piece").fetchone()
        return int(count)

    with CheckpointStore(tmp_path / "store") as store:
        first = store.save(guest.snapshot(), "one")
        assert first.pages > 20
        before = pieces()
        store.save(twin.snapshot(), "two")
        store.save(guest.snapshot(), "one")
        assert pieces() == before
        finish(guest)
        store.save(guest.snapshot(), "one")
        assert before < pieces() < 2 * before
        store.remove("one")
        assert store.collect() >= 0 and pieces() == before
        assert finish(store.load("two").restore())[0].value == RESULT
        store.save(twin.snapshot(), "three")  # what was collected is not taken for there
        store.remove("two")
        store.remove("three")
        store.collect()
        assert pieces() == 0
        store.save(twin.snapshot(), "four")
        assert finish(store.load("four").restore())[0].value == RESULT


def test_files_are_kept_once_over_generations(tmp_path: Path) -> None:
    storage = Storage({"big": random.Random(1).randbytes(1 << 20), "small": b"1"})
    guest = Module(from_text(TEXT)).spawn(devices=[storage])
    with CheckpointStore(tmp_path / "store") as store:
        store.save(guest.snapshot(), "job")
        pieces = kept(tmp_path / "store")
        assert pieces >= 257
        storage["small"] = b"2"
        store.save(guest.snapshot(), "job")
        assert kept(tmp_path / "store") == pieces + 1
        for number, small in ((1, b"1"), (2, b"2")):
            twin = Storage()
            store.load("job", number).restore(devices=[twin])
            assert twin["small"] == small and twin["big"] == storage["big"]


def kept(file: Path) -> int:
    """How many pieces a store has."""
    with closing(sqlite3.connect(file)) as base:
        return int(base.execute("SELECT count(*) FROM piece").fetchone()[0])


def test_output_that_nobody_had(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path / "store") as store:
        made = store.save(paused().snapshot(), "job", output=b"some")
        assert store.pending(made.number) == b"some"
        store.given(made.number)
        assert store.pending(made.number) == b"" == store.pending(99)


def test_two_writers(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            with CheckpointStore(tmp_path / "store") as store:
                guest = paused(1000)
                assert guest.task is not None
                for _ in range(10):
                    store.save(guest.snapshot(), name, keep=2)
                    guest.task.run(fuel=2000)
                    store.collect()
                assert finish(store.load(name).restore())[0].value == RESULT
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_many_make_one_store_at_once(tmp_path: Path) -> None:
    """One of them makes it; the others wait, and see a whole store."""
    for turn in range(8):
        path, start, found = tmp_path / str(turn), threading.Barrier(6), []

        def work(path: Path = path, start: threading.Barrier = start, found: list[object] = found) -> None:
            start.wait()
            try:
                with CheckpointStore(path) as store:
                    found.append(store.checkpoints())
            except BaseException as error:
                found.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[]] * 6


def test_a_copy_made_at_any_time_has_what_was_acknowledged(tmp_path: Path) -> None:
    """A crash of the machine leaves the files as they were written so far; copies stand for that."""
    guest = paused(1000)
    assert guest.task is not None
    with CheckpointStore(tmp_path / "store") as store:
        for at in range(1, 7):
            store.save(guest.snapshot(), "job", keep=2)
            copy = tmp_path / f"copy-{at}"
            for suffix in ("", "-wal"):
                shutil.copy(f"{tmp_path / 'store'}{suffix}", f"{copy}{suffix}")
            with CheckpointStore(copy, create=False) as other:
                assert other.find("job").number == at
                assert finish(other.load("job").restore())[0].value == RESULT
            guest.task.run(fuel=3000)


def test_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CheckpointStore(tmp_path / "none", create=False)
    with pytest.raises(OSError, match="unable to open"):
        CheckpointStore(tmp_path / "no" / "folder")
    (tmp_path / "text").write_bytes(b"no database, but long enough to be looked at" * 100)
    with pytest.raises(SnapshotError, match="no store of checkpoints"):
        CheckpointStore(tmp_path / "text")
    with closing(sqlite3.connect(tmp_path / "other")) as base, base:
        base.execute("CREATE TABLE t (x)")
    with pytest.raises(SnapshotError, match="a database, but no store"):
        CheckpointStore(tmp_path / "other")
    with CheckpointStore(tmp_path / "store") as store:
        store.save(paused().snapshot(), "job")
    with closing(sqlite3.connect(tmp_path / "store")) as base, base:
        base.execute("PRAGMA user_version = 9")
    with pytest.raises(SnapshotError, match="version 9"):
        CheckpointStore(tmp_path / "store")
    with pytest.raises(UsageError, match="closed"):
        store.checkpoints()


@pytest.mark.parametrize("count", [150, pytest.param(5000, marks=pytest.mark.slow)])
def test_damaged_stores_do_no_harm(tmp_path: Path, count: int) -> None:
    path = tmp_path / "store"
    with CheckpointStore(path) as store:
        store.save(paused().snapshot(), "job")
    columns = [("piece", "data"), ("piece", "digest"), ("checkpoint", "sections"), ("checkpoint", "pages"),
               ("checkpoint", "metadata"), ("checkpoint", "modules"), ("checkpoint", "name")]  # fmt: skip
    whole = path.read_bytes()
    rng, ends = random.Random(5), []
    for number in range(count):
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(whole)
        if number % 3:
            with closing(sqlite3.connect(path)) as base, base:
                table, column = rng.choice(columns)
                rows = base.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
                row, value = rng.choice(rows)
                changed = bytearray(value if isinstance(value, bytes) else str(value).encode())
                for _ in range(rng.randrange(1, 4)):
                    changed[rng.randrange(len(changed))] = rng.randrange(256)
                del changed[rng.choice((len(changed), rng.randrange(len(changed) + 1))) :]
                base.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (bytes(changed), row))
        else:
            data = bytearray(whole)
            for _ in range(rng.randrange(1, 20)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            path.write_bytes(data)
        try:
            with CheckpointStore(path, create=False) as store:
                guest = store.load().restore()
                assert guest.task is not None
                guest.task.run(fuel=1000)
            ends.append("ran")
        except (SnapshotError, UsageError, OSError) as error:
            ends.append(type(error).__name__)
    assert ends.count("SnapshotError") > count // 4
