"""Devices of guests that are restored, cloned and rolled back: their state goes along, rights do not."""

from __future__ import annotations

import io

from svm import Clock, Console, Entropy, Finished, Limits, Paused, Snapshot, compile
from tests.conftest import Spawn


def test_devices_go_along_with_their_state() -> None:
    """And what the guest has used of its limit of output is the store's."""
    module = compile("import sys\nprint('a' * 10)\nsys.stdout.flush()\nprint('b' * 10)\n")
    out = io.BytesIO()
    console = Console(io.BytesIO(), out, io.BytesIO())
    guest = module.spawn(engine="interpreter", devices=[console], limits=Limits(output=15))
    task = guest.start("_start")
    while not out.getvalue():
        task.run(fuel=50)
    snapshot = guest.snapshot()
    twin = snapshot.restore()
    assert twin.task is not None
    outcome = twin.task.run()
    assert isinstance(outcome, Paused) and outcome.reason == "output"
    assert out.getvalue() == b"a" * 10 + b"\n" + b"b" * 4
    later = io.BytesIO()
    loaded = Snapshot.load(twin.snapshot().to_bytes())  # paused in the middle of what it writes
    again = loaded.restore(devices=[Console(io.BytesIO(), later, io.BytesIO())], limits=Limits(output="1 KiB"))
    assert again.task is not None
    assert isinstance(again.task.run(), Finished)
    assert later.getvalue() == b"b" * 6 + b"\n"


RANDOM = """
    import "wasi_snapshot_preview1" "random_get" func $random (param i32 i32) (result i32)
    import "wasi_snapshot_preview1" "clock_time_get" func $clock (param i32 i64 i32) (result i32)
    memory 1
    func $next (result i64)
      i32.const 0
      i32.const 8
      call $random
      drop
      i32.const 0
      i64.load
    end
    func $now (result i64)
      i32.const 1
      i64.const 0
      i32.const 8
      call $clock
      drop
      i32.const 8
      i64.load
    end
    export "next" func $next
    export "now" func $now
    """


def test_clones_have_entropy_of_their_own_unless_they_are_replicas(spawn: Spawn) -> None:
    guest = spawn(RANDOM, devices=[Entropy(seed=7)])
    assert guest.call("next") == spawn(RANDOM, devices=[Entropy(seed=7)]).call("next")
    snapshot = guest.snapshot()
    follows = guest.call("next")
    assert snapshot.restore(replica=True).call("next") == follows
    assert snapshot.restore(devices=[Entropy(seed=8)], replica=True).call("next") == follows
    assert snapshot.restore().call("next") != follows != guest.clone().call("next")
    again = guest.clone(replica=True)
    assert again.call("next") == guest.call("next")
    guest.rollback(snapshot)
    assert guest.call("next") != follows
    guest.rollback(snapshot, replica=True)
    assert guest.call("next") == follows


def test_the_monotonic_clock_goes_on_where_it_was(spawn: Spawn) -> None:
    time = [5_000_000]
    guest = spawn(RANDOM, devices=[Clock(monotonic=lambda: time[0])])
    time[0] += 1_000_000
    snapshot = guest.snapshot()
    time[0] += 7_000_000
    assert guest.call("now") == 8_000_000
    assert snapshot.restore().call("now") == 1_000_000
    other = Clock(monotonic=lambda: 99_000_000)
    assert snapshot.restore(devices=[other]).call("now") == 1_000_000
