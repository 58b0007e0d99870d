"""What snapshots cost: clones and rollbacks of small and large guests, and a snapshot's way through a file.

No peer has anything to compare; the aims are those of DESIGN's issues.
"""

from __future__ import annotations

import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import svm
from benchmarks.measure import Contender, per_call, race
from benchmarks.operations import Operation
from svm.module import from_text
from svm.runtime import Engine

__all__ = ["measure_snapshots"]

_MODULE = """
memory {pages}
func $write (param $at i32) (param $end i32) (param $step i32)
  loop $next
    local.get $at
    local.get $at
    i32.store
    local.get $at
    local.get $step
    i32.add
    local.tee $at
    local.get $end
    i32.lt_u
    br_if $next
  end
end
export "write" func $write
export "memory" memory 0
"""
_PAGE = 4096
_SHARE = 100  # one page in so many is written to
_LIVE = 16 << 20


def measure_snapshots(rounds: int, count: int) -> Iterator[Operation]:
    """Measure each operation, in loops of some hundredths of `count`."""
    few = max(count // 100, 2)
    for mebibytes, clone in ((1, "≤ 100 µs"), (256, "≤ 1 ms")):
        title = f"{mebibytes} MiB"
        guest = svm.Module(from_text(_MODULE.format(pages=mebibytes * 16))).spawn()
        size = mebibytes << 20
        guest.call("write", 0, size, _PAGE)  # warm: every page is there
        snapshot = guest.snapshot()
        twin = snapshot.restore(engine=guest.engine)
        contenders = {"svm": per_call(few, _clone, snapshot, guest.engine)}
        yield Operation(race(f"clone from a snapshot, {title}", contenders, rounds), "µs", clone, "and close it")
        contenders = {
            "svm": per_call(few, _write_in_clone, snapshot, guest.engine, size),
            "rolled back": per_call(few, _write_and_roll_back, twin, snapshot, size),
        }
        note = "written in a clone that is closed then, and in a guest that is rolled back then"
        yield Operation(race(f"write to 1 % of the pages, {title}", contenders, rounds), "µs", "", note)
        contenders = {"svm": _after(few, twin, size, partial(twin.rollback, snapshot))}
        note = "1 % of the pages written before"
        yield Operation(race(f"roll back, {title}", contenders, rounds), "µs", clone, note)
        contenders = {"svm": _after(few, guest, size, partial(_clone_running, guest))}
        note = "1 % of the pages written since its last snapshot"
        yield Operation(race(f"clone a running guest, {title}", contenders, rounds), "µs", "", note)
        guest.close()
        twin.close()
    yield from _files(rounds)


def _clone(snapshot: svm.Snapshot, engine: Engine) -> None:
    snapshot.restore(engine=engine).close()


def _write_in_clone(snapshot: svm.Snapshot, engine: Engine, size: int) -> None:
    with snapshot.restore(engine=engine) as guest:
        guest.call("write", 0, size // _SHARE, _PAGE)


def _write_and_roll_back(guest: svm.Guest, snapshot: svm.Snapshot, size: int) -> None:
    guest.call("write", 0, size // _SHARE, _PAGE)
    guest.rollback(snapshot)


def _clone_running(guest: svm.Guest) -> None:
    guest.clone().close()


def _after(count: int, guest: svm.Guest, size: int, act: Callable[[], None]) -> Contender:
    """CPU seconds of one act, each time after the guest wrote."""

    def run() -> float:
        taken = 0.0
        for _ in range(count):
            guest.call("write", 0, size // _SHARE, _PAGE)
            begun = time.thread_time()
            act()
            taken += time.thread_time() - begun
        return taken / count

    return run


def _files(rounds: int) -> Iterator[Operation]:
    """16 MiB of a quarter each of small integers, text, floats and noise; and of text, which is packed slowest."""
    random = Random(1)
    part = _LIVE // 4
    words = [bytes(random.choices(b"etaoinshrdlu", k=random.randrange(2, 9))) for _ in range(4000)]
    text = b" ".join(random.choices(words, k=_LIVE // 4))[:_LIVE].ljust(_LIVE)
    mixed = array("q", [random.randrange(100_000) for _ in range(part // 8)]).tobytes() + text[:part]
    mixed += array("d", [random.random() for _ in range(part // 8)]).tobytes() + random.randbytes(part)
    module = svm.Module(from_text(_MODULE.format(pages=_LIVE >> 16)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "guest.svms"

        def save(data: bytes) -> float:
            with module.spawn() as guest:
                guest.memory[:] = data
                begun = time.perf_counter()
                guest.snapshot().save(path)
                return time.perf_counter() - begun

        def restore() -> float:
            begun = time.thread_time()
            guest = svm.Snapshot.load(path).restore()
            taken = time.thread_time() - begun
            guest.close()
            return taken

        for title, data in (("live data", mixed), ("text", text)):
            save(data)
            note = f"a file of {path.stat().st_size >> 10:,} KiB; wall time, for all cores compress"
            contenders = {"svm": partial(save, data)}
            yield Operation(race(f"snapshot to a file, 16 MiB of {title}", contenders, rounds), "ms", "≤ 56 ms", note)
            restored = race("restore it", {"svm": restore}, rounds)
            yield Operation(restored, "ms", "≤ 33 ms", "read, checked and unpacked")
