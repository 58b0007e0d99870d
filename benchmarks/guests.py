"""What guests cost as such: to spawn one, with and without a call, and to have very many.

The peer is wasmtime's package for Python, as in `benchmarks.operations`.  Live guests are counted in a process of their
own, whose memory nothing else was taken from: what it grows by, beyond the pages that the guests touch.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import svm
from benchmarks.measure import Contender, per_call, race
from benchmarks.operations import SMALL, Operation, Wasmtime, countdown
from svm.module import from_text
from svm.runtime.mapping import written

__all__ = ["measure_guests", "report"]

_KRAIT = """
from krait import export

@export
def add(a: int, b: int) -> int:
    words: dict[str, int] = {"a": a}
    return words["a"] + b
"""
_MODULES: dict[str, Callable[[], svm.Module]] = {
    "small": lambda: svm.Module(from_text(SMALL)), "Krait": lambda: svm.compile(_KRAIT),
}  # fmt: skip


def measure_guests(rounds: int, count: int, peer: Wasmtime | None) -> Iterator[Operation]:
    """Measure each operation, in loops of some hundredths of `count`."""
    module, few = _MODULES["small"](), count // 20
    spawns: dict[str, Contender] = {"svm": per_call(few, _spawn, module)}
    firsts: dict[str, Contender] = {"svm": per_call(few, _spawn_and_call, module)}
    if peer is not None:
        spawns["wasmtime"], firsts["wasmtime"] = peer.spawn(few), peer.spawn_and_call(few)
    note = "one page of memory, one import; wasmtime: Store, Func and Instance"
    yield Operation(race("spawn and close a guest", spawns, rounds), "µs", "≤ 1 × wasmtime", note)
    note = "of a module that ran before; wasmtime: and the export is looked up"
    yield Operation(race("spawn, call once and close", firsts, rounds), "µs", "≤ ⅓ × wasmtime", note)
    for kind, number in (("small", count // 2), ("Krait", count // 2), ("small", count * 5 // 2)):
        taken = [_child(kind, number) for _ in range(min(rounds, 2))]
        columns: list[Any] = list(zip(*taken, strict=True))
        title = f"{number:,} live {kind} guests"
        each = partial(_row, columns)
        yield Operation(each(0, f"{title}: spawning each"), "µs", "≤ 100 µs" if kind == "small" else "")
        note = "beyond the pages that it touches, once it was called"
        yield Operation(each(1, f"{title}: memory of each"), "KiB", "≤ 32 KiB", note)


def _row(columns: list[tuple[float, ...]], at: int, title: str) -> Any:
    values = iter((0.0, *columns[at]))  # a race warms up by one, which these did
    return race(title, {"svm": lambda: next(values)}, len(columns[at]))


def _spawn(module: svm.Module) -> None:
    module.spawn(host={"next": countdown}).close()


def _spawn_and_call(module: svm.Module) -> None:
    guest = module.spawn(host={"next": countdown})
    guest.call("add", 1, 2)
    guest.close()


def _child(kind: str, count: int) -> tuple[float, float]:
    """Seconds to spawn each, and bytes of each, in a new process."""
    code = f"from benchmarks.guests import report; report({kind!r}, {count})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, size = map(float, done.stdout.split())
    return seconds, size


def report(kind: str, count: int) -> None:
    """Have so many guests at once, and print what `_child` reads."""
    module = _MODULES[kind]()

    def spawn() -> svm.Guest:
        return module.spawn(host={"next": countdown})

    for _ in range(3):
        with spawn() as guest:
            guest.call("add", 1, 2)
    before, begun = _resident(), time.thread_time()
    guests = [spawn() for _ in range(count)]
    taken = time.thread_time() - begun
    for guest in guests:
        guest.call("add", 1, 2)
    size = (_resident() - before) / count
    print(taken / count, size - _touched(guests[-1]))
    for guest in guests:
        guest.close()


def _touched(guest: svm.Guest) -> int:
    """Bytes of the pages of its memory and stack that a guest has touched."""
    mappings = [item.mapping for item in guest.instance.memories]
    mappings += [guest.store.stack.mapping] if hasattr(guest.store.stack, "mapping") else []
    return sum(end - start for mapping in mappings for start, end in written(mapping, len(mapping)))


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096
