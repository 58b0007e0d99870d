"""Compiling beside a guest: the process that does it, and all that can go wrong with it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from svm import Guest, Module
from svm.engines.native.blob import get_blob
from svm.engines.native.jit import service, tier
from svm.engines.native.jit.service import Helper, HelperError, Job, Order, Service
from svm.module import from_text
from tests.engines.native.jit.test_engine import LOOP, spawn, tier_of

HOT = tier.Policy(first_call=False, hot=0, background=True)


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of its own without units, and a service of its own."""
    get_blob()
    monkeypatch.setenv("SVM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tier, "AUTO", HOT)
    monkeypatch.setattr(service, "_service", None)


def use(monkeypatch: pytest.MonkeyPatch, *args: Any) -> Service:
    made = Service(*args)
    monkeypatch.setattr(service, "_service", made)
    return made


def run_until(guest: Guest, done: Any, seconds: float = 20.0) -> None:
    """Run the guest, which has no end, in slices until something is so."""
    task = guest.task or guest.start("f", 1 << 62)
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, (tier_of(guest).failures, tier_of(guest).waiting)
        task.run(fuel=300_000)


def still_right(guest: Guest) -> None:
    """The guest's function gives what it should."""
    assert guest.task is not None
    guest.task.cancel()
    assert guest.call("f", 100_000) == 100_000 * 100_001 // 2


@pytest.mark.parametrize("mode", ["process", "thread"])
def test_a_running_loop_is_compiled_beside_it(cold: None, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    made = use(monkeypatch, mode)
    guest = spawn(LOOP, "auto")
    run_until(guest, lambda: len(tier_of(guest).units) == 2)  # the loop, and the function for its next call
    assert [(unit.function, unit.origin) for unit in tier_of(guest).log] == [("f", "compiled")] * 2
    still_right(guest)
    assert (made.helper is not None) == (mode == "process")
    made.drop_helper()


BY_TABLE = """
table $table 3 funcref
elem $all active table $table at (i32.const 0) funcref (ref.func $one) (ref.func $two) (ref.func $three)
func $one (param i64) (result i64)
  local.get 0
  i64.const 1
  i32.const 1
  call_indirect (param i64 i64) (result i64)
end
func $two (param i64 i64) (result i64)
  local.get 0
  local.get 1
  i64.sub
end
func $three (param i64) (result i64)
  local.get 0
end
func $f (param $turns i64) (result i64)
  local $sum i64
  loop $next
    local.get $sum
    local.get $turns
    i64.add
    local.set $sum
    local.get $turns
    i32.const 0
    call_indirect (param i64) (result i64)
    local.tee $turns
    i64.const 0
    i64.ne
    br_if $next
  end
  local.get $sum
end
export "f" func $f
"""


def test_what_hot_code_calls_is_compiled_though_no_pause_is_in_it(cold: None, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "thread")
    guest = spawn(BY_TABLE, "auto")
    run_until(guest, lambda: len(tier_of(guest).units) == 4)
    assert [unit.function for unit in tier_of(guest).log] == ["f", "f", "one", "two"]  # nobody ever called the third
    still_right(guest)
    assert tier_of(guest).units and guest.tiers.compiled_fuel > 0


def test_what_was_compiled_serves_the_next_guest(cold: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made = use(monkeypatch, "thread")
    guest = spawn(LOOP, "auto")
    run_until(guest, lambda: len(tier_of(guest).units) == 2)
    use(monkeypatch, "none")
    other = spawn(LOOP, "auto")
    run_until(other, lambda: len(tier_of(other).units) == 2)
    assert {unit.origin for unit in tier_of(other).log} == {"kept"}
    assert [id(unit) for unit in tier_of(other).units] == [id(unit) for unit in tier_of(guest).units]
    assert not made.jobs


@pytest.mark.parametrize(
    "what",
    [
        "import sys; sys.exit(1)",
        "print('x' * 100, flush=True); import time; time.sleep(60)",
        "import os; os.abort()",
        "import os; os.close(0); os.close(1); import time; time.sleep(60)",
    ],
)
def test_a_helper_that_is_none_is_done_without(cold: None, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    made = use(monkeypatch, "process", [sys.executable, "-I", "-S", "-c", what])
    guest = spawn(LOOP, "auto")
    run_until(guest, lambda: len(tier_of(guest).units) == 2)
    assert made.mode == "thread"
    still_right(guest)


GREETS = """
import os, struct, time
def say(data): os.write(1, struct.pack("<Q", len(data)) + data)
say({hello!r})
os.read(0, 100)
{then}
"""


@pytest.mark.parametrize(
    ("then", "why"),
    [
        ("say(b'garbage')", "something else"),
        ("os.write(1, b'\\xff' * 100)", "something else"),
        ("os.abort()", "ended with status -6"),
        ("os._exit(3)", "too long"),
        ("time.sleep(60)", "does not answer"),
    ],
)
def test_a_helper_that_fails_leaves_the_guest_interpreted(
    cold: None, monkeypatch: pytest.MonkeyPatch, then: str, why: str
) -> None:
    monkeypatch.setattr(service, "_SECONDS", 0.5)
    code = GREETS.format(hello=service.helper.hello(), then=then)
    made = use(monkeypatch, "process", [sys.executable, "-I", "-S", "-c", code])
    guest = spawn(LOOP, "auto")
    run_until(guest, lambda: len(tier_of(guest).failures) == 2)
    assert all(why in failure for failure in tier_of(guest).failures)
    assert tier_of(guest).units == [] and made.helper is None
    still_right(guest)


def test_no_other_process_may_be_started(cold: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for absent in ("", None, "/usr/bin/uwsgi"):
        monkeypatch.setattr(sys, "executable", absent)
        with pytest.raises(HelperError, match="no Python"):
            Helper()
    with pytest.raises(HelperError, match="can be started"):
        Helper(["/nonexistent"])


def test_a_helper_inherits_nothing_and_ends_with_its_host(cold: None) -> None:
    inherited = os.dup2(os.open(os.devnull, os.O_RDONLY), 90, inheritable=True)
    helper = Helper()
    helper.greet()
    assert not Path(f"/proc/{helper.process.pid}/fd/{inherited}").exists()
    os.close(inherited)
    helper.socket.close()
    assert helper.process.wait(10) == 0


def test_an_endless_compile_is_ended(cold: None) -> None:
    blob = get_blob()
    guest = Module(from_text(f"module $m version 1\n{LOOP}")).spawn(engine="auto")
    guest.call("f", 1)
    found = tier_of(guest)
    source = found.source(guest.store.arenas.native.space.parts[0])
    helper = Helper()
    helper.greet()
    order = Order(Job(f"{source.place}-0"), source, 0, None, blob)
    assert helper.make(order, 20.0).members == (0,)
    with pytest.raises(HelperError, match="does not answer"):
        helper.make(order, seconds=0.0)
    helper.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_host_has_a_service_of_its_own(cold: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made = use(monkeypatch, "process")
    guest = spawn(LOOP, "auto")
    run_until(guest, lambda: len(tier_of(guest).units) == 2)
    child = os.fork()
    if not child:
        os._exit(service._service is not None)
    assert os.waitpid(child, 0)[1] == 0
    assert made.helper is not None
    assert made.helper.process.poll() is None
    made.drop_helper()
