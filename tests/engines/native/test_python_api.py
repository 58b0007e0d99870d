"""Native code that calls Python, and the other way across the border, where it cannot."""

from __future__ import annotations

import sys

import pytest

import svm.engines.native.blob as blobs
from svm import ENGINES, Finished, Module, UsageError
from svm.engines.native import NativeEngine, python_api
from svm.module import from_text
from tests.runtime.test_callbacks import TEXT, at, first

pytestmark = pytest.mark.skipif(blobs.supported() is None, reason="the native engine does not run here")


@pytest.mark.parametrize("engine", ["interpreter", "jit"])
def test_without_it_all_is_the_same(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One switch, and everything goes through ctypes and the driver."""
    monkeypatch.setattr(blobs, "usable", lambda: False)
    monkeypatch.setattr(blobs, "_loaded", {})
    assert NativeEngine().blob.python is None
    notes: list[int] = []
    other = ENGINES[engine]()
    guest = Module(from_text(TEXT)).spawn(engine=other, host={"f": at(2, lambda: 50), "note": notes.append})
    assert guest.engine.blob.python is None
    task = guest.start("many", 5)
    while not isinstance(task.run(fuel=1), Finished):
        pass
    assert task.outcome.value == 15 - 2 + 50
    notes.clear()
    assert guest.call("many", 5) == 15 - 2 + 50
    assert notes == [5, 4, 3, 2, 1]
    guest = Module(from_text(TEXT)).spawn(engine=other, host={"f": at(2, lambda: "x"), "note": notes.append})
    with pytest.raises(UsageError, match="i32 expected, str given"):
        guest.call("many", 5)


def test_it_is_used_where_python_is_what_it_was_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = sys.implementation.name == "cpython" and not sys.abiflags
    assert python_api.usable() is usual
    if usual:
        assert NativeEngine().blob.python is not None
    for owner, name, value in (
        (sys, "abiflags", "d"),
        (sys, "abiflags", "t"),
        (sys.implementation, "name", "pypy"),
        (python_api, "PYTHON", frozenset(("PyNo_SuchFunction",))),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            assert not python_api.usable.__wrapped__()


def test_a_host_function_is_called_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    if not python_api.usable():
        pytest.skip("native code does not call this Python")
    calls: list[object] = []
    import svm.engines.native.engine as engine_module

    through = engine_module.call_host
    monkeypatch.setattr(engine_module, "call_host", lambda *args: calls.append(args) or through(*args))
    for engine in ("interpreter", "jit"):
        calls.clear()
        guest = Module(from_text(TEXT)).spawn(engine=engine, host={"f": first, "note": lambda value: None})
        assert guest.call("many", 100) == 5050
        assert len(calls) == 2
