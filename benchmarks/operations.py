"""What small things cost: a cold start, a call into a guest and out of it, with numbers and with lists, a slice, a
guest; many guests at once.

The peer is wasmtime's package for Python, with the same module in its text format; without it, svm is alone.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module, util
from pathlib import Path
from typing import Any

import svm
from benchmarks.measure import Contender, Row, own_engines, per_call, process_seconds, race, races
from svm.module import from_text

__all__ = ["SMALL", "Operation", "Wasmtime", "countdown", "measure_operations"]

SMALL = """
import "host" "next" func $next (param i32) (result i32)
memory $memory 1
func $add (param i32 i32) (result i32)
  local.get 0
  local.get 1
  i32.add
end
func $spin (param i32)
  loop
    local.get 0
    i32.const 1
    i32.sub
    local.tee 0
    br_if 0
  end
end
func $ask (param i32)
  loop
    local.get 0
    call $next
    local.tee 0
    br_if 0
  end
end
export "add" func $add
export "spin" func $spin
export "ask" func $ask
"""

_WAT = """
(module
  (import "host" "next" (func $next (param i32) (result i32)))
  (memory 1)
  (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "ask") (param i32)
    (loop local.get 0 call $next local.tee 0 br_if 0)))
"""

_RICH = """
from krait import export
from host import echo

kept: list[float] = []

@export
def keep(values: list[float]) -> int:
    global kept
    kept = values
    return len(values)

@export
def give() -> list[float]:
    return kept

@export
def pass_on(text: str) -> str:
    return echo(text)

@export
def count(words: dict[str, list[int]]) -> int:
    return len(words)
"""
_BOTH = "from krait import export\n\n@export\ndef both(a: bool, b: bool) -> bool:\n    return a and b\n"
_ECHO = "def echo(text: str) -> str: ...\n"
_FLOATS = 100_000
_WORDS = 1_000

_HELLO = 'print("hello")\n'
_SVM = "import sys; from svm.cli import main; sys.exit(main())"  # what the installed command does
_FOREVER = 0  # `spin` counts down from 2**32


@dataclass(frozen=True)
class Operation:
    """One measured.

    unit: "ms", "µs", or "KiB" for bytes in the place of seconds.  aim: what DESIGN and its issues ask of svm.
    """

    race: Row
    unit: str
    aim: str
    note: str = ""


def measure_operations(rounds: int, count: int) -> Iterator[Operation]:
    """Measure each operation, in loops of `count`."""
    module = svm.Module(from_text(SMALL))
    peer = Wasmtime.found()
    if hasattr(os, "posix_spawn"):
        yield from _cold_start(rounds, peer is not None)
    guest = module.spawn(host={"next": countdown})
    calls = {"svm": per_call(count, guest.call, "add", 1, 2)}
    asks = {"svm": _per_ask(count, guest.call, "ask")}
    if peer is not None:
        calls["wasmtime"], asks["wasmtime"] = peer.call(count), peer.ask(count)
    yield Operation(race("guest call add(i32, i32)", calls, rounds), "µs", "≤ 3 µs")
    yield Operation(race("host call, there and back", asks, rounds), "µs", "≤ 2 µs", "from a loop in the guest")
    yield from _rich(rounds, count)
    yield _bools(rounds, count)
    yield from _slices(module, rounds, count)
    yield _waiting(module, rounds, count // 2)
    yield from _parallel(module, rounds, count * 2_000)


def countdown(value: int) -> int:
    """The host function of the modules here."""
    return value - 1


def _per_ask(count: int, function: Callable[..., Any], *args: Any) -> Contender:
    once = per_call(1, function, *args, count)
    return lambda: once() / count


def _rich(rounds: int, count: int) -> Iterator[Operation]:
    """Calls of a Krait module with lists, texts and dicts."""
    guest = svm.compile(_RICH, stubs={"host": _ECHO}).spawn(host={"echo": lambda text: text})
    floats = [float(number) for number in range(_FLOATS)]
    block = array("d", floats)
    few = max(count // 1_000, 1)
    keep, give = guest.function("keep"), guest.function("give", arrays=True)
    for title, function, args, aim in (
        ("100,000 floats in, a list", keep, (floats,), "≤ 5 ms"),
        ("100,000 floats in, an array", keep, (block,), "≤ 0.2 ms"),
        ("100,000 floats out, a list", guest.function("give"), (), "≤ 5 ms"),
        ("100,000 floats out, an array", give, (), "≤ 0.2 ms"),
        ("a dict of 1,000 lists in", guest.function("count"), ({str(n): [n, n] for n in range(_WORDS)},), ""),
    ):
        yield Operation(race(f"rich call: {title}", {"svm": per_call(few, function, *args)}, rounds), "ms", aim)
    text = per_call(count // 10, guest.call, "pass_on", "some text")
    yield Operation(race("rich call: a text in, to the host and back", {"svm": text}, rounds), "µs", "")
    guest.close()


def _bools(rounds: int, count: int) -> Operation:
    with svm.compile(_BOTH).spawn() as guest:
        calls = {"svm": per_call(count, guest.call, "both", True, False)}
        return Operation(race("guest call both(bool, bool) -> bool", calls, rounds), "µs", "≤ 3 µs")


def _cold_start(rounds: int, peer: bool) -> Iterator[Operation]:
    """Whole processes, with warm caches of Python's and of svm's."""
    with tempfile.TemporaryDirectory() as folder:
        hello = Path(folder) / "hello.svmb"
        hello.write_bytes(svm.compile(_HELLO, "hello.kr").to_bytes())
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environ["PYTHONPYCACHEPREFIX"] = folder

        def python(*args: str) -> Contender:
            return lambda: process_seconds([sys.executable, *args], environ)

        start = python("-c", _SVM, "run", str(hello))
        start()  # the first makes bytecode, and perhaps the interpreter; a race warms up by one more
        contenders = {"svm": start, "python -c pass": python("-c", "pass")}
        if peer:
            contenders["import wasmtime"] = python("-c", "import wasmtime")
        yield Operation(
            race("cold `svm run hello.svmb`", contenders, 2 * rounds), "ms", "≤ 1 × import wasmtime",
            "whole processes, Python's own start included",
        )  # fmt: skip


def _slices(module: svm.Module, rounds: int, count: int) -> Iterator[Operation]:
    title = "slice of a task, `task.run(fuel=1)`"
    for engine in own_engines():
        with module.spawn(engine=engine, host={"next": countdown}) as guest:
            task = guest.start("spin", _FOREVER)
            contenders = {"svm": per_call(count, lambda task=task: task.run(fuel=1))}
            yield Operation(race(f"{title}, {engine}", contenders, rounds), "µs", "≤ 2 µs")


def _waiting(module: svm.Module, rounds: int, count: int) -> Operation:
    """Guests that are all suspended in one `await` of one event loop."""
    slowest = 1.0

    async def later(value: int) -> int:
        await asyncio.sleep(slowest)
        return value - value

    async def together() -> None:
        await asyncio.gather(*(guest.call_async("ask", 1) for guest in guests))

    def beyond() -> float:
        begun = time.perf_counter()
        asyncio.run(together())
        return time.perf_counter() - begun - slowest

    guests = [module.spawn(host={"next": later}) for _ in range(count)]
    try:
        row = race(f"{count:,} guests suspended in one `await`, beyond the slowest", {"svm": beyond}, rounds)
    finally:
        for guest in guests:
            guest.close()
    return Operation(row, "ms", "≤ 3,000 ms", "each calls the host, which sleeps for a second; one thread")


def _parallel(module: svm.Module, rounds: int, turns: int) -> Iterator[Operation]:
    """Two guests one after the other, against both at once; in the same rounds, work known to run in parallel."""
    guests = [module.spawn(engine="interpreter", host={"next": countdown}) for _ in range(2)]  # long enough to be seen
    data = bytes(turns * 3 // 2)
    ours, ceiling = races(
        {
            "two guests on two threads": _threads(lambda number: guests[number].call("spin", turns)),
            "two SHA-256 of CPython's": _threads(lambda _: sha256(data)),
        },
        rounds,
    )
    yield Operation(ours, "ms", "≥ 1.6 ×", "wall time")
    yield Operation(ceiling, "ms", "", "wall time: what the machine gave just then; svm's speed-up can be no more")


def _threads(work: Callable[[int], object]) -> dict[str, Contender]:
    def at_once() -> float:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begun

    def in_turn() -> float:
        begun = time.perf_counter()
        for number in range(2):
            work(number)
        return time.perf_counter() - begun

    return {"at once": at_once, "one after the other": in_turn}


class Wasmtime:
    """The same operations in wasmtime."""

    @classmethod
    def found(cls) -> Wasmtime | None:
        """This, where it is installed."""
        return cls() if util.find_spec("wasmtime") else None

    def __init__(self) -> None:
        self.lib: Any = import_module("wasmtime")
        self.engine = self.lib.Engine()
        self.module = self.lib.Module(self.engine, _WAT)
        self.type = self.lib.FuncType([self.lib.ValType.i32()], [self.lib.ValType.i32()])
        self.store = self.lib.Store(self.engine)
        self.exports = self.instance(self.store).exports(self.store)

    def instance(self, store: Any) -> Any:
        return self.lib.Instance(store, self.module, [self.lib.Func(store, self.type, countdown)])

    def call(self, count: int) -> Contender:
        return per_call(count, self.exports["add"], self.store, 1, 2)

    def ask(self, count: int) -> Contender:
        return _per_ask(count, self.exports["ask"], self.store)

    def spawn(self, count: int) -> Contender:
        return per_call(count, lambda: self.instance(self.lib.Store(self.engine)))

    def spawn_and_call(self, count: int) -> Contender:
        def run() -> None:
            store = self.lib.Store(self.engine)
            self.instance(store).exports(store)["add"](store, 1, 2)

        return per_call(count, run)
