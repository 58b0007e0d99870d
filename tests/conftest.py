"""What every test gets: a cache of its own, so that no test sees or leaves the user's files; and engines in turn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from svm import ENGINES, Guest, Module
from svm.engines.native.jit import tier
from svm.engines.native.stack import NativeStack
from svm.module import Module as Model
from svm.module import from_text
from svm.runtime.engine import GuestStack

Spawn = Callable[..., Guest]


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point svm's cache at a folder of this test run; one for all tests, for some of it is dear to make."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SVM_CACHE", str(tmp_path_factory.mktemp("cache", numbered=True) / "svm"))
    yield
    patch.undo()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole programs and the specification's scripts take long to compile: with that engine they are slow tests."""
    for item in items:
        if _COMPILED.search(item.nodeid):
            item.add_marker(pytest.mark.slow)


_COMPILED = re.compile(r"tests/(krait|wasm|wast|cli|stdlib|devices)/.*\[(.*-)?(jit|auto)\b")


@pytest.fixture(scope="session", autouse=True)
def all_is_hot() -> Iterator[None]:
    """What is met at any pause is compiled then and there: results depend on no clock."""
    patch = pytest.MonkeyPatch()
    for name in ("AUTO", "JIT"):
        patch.setattr(tier, name, tier.Policy(first_call=name == "JIT", hot=0, background=False))
    yield
    patch.undo()


def set_first_slice(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Have first slices of all guests made from now on be of a size."""
    for kind in (GuestStack, NativeStack):
        monkeypatch.setattr(kind, "first_slice", size)


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of an engine: a test that takes it runs on each."""
    if request.param == "auto":
        set_first_slice(monkeypatch, 20)  # so that short runs change to compiled code too
    return str(request.param)


@pytest.fixture
def spawn(engine: str) -> Spawn:
    """Spawns a guest of a module, or of its text, on the engine; takes what `Module.spawn` takes.  Unless it is told
    otherwise, engines agree on NaNs.
    """

    def make(module: str | Model, **options: Any) -> Guest:
        options.setdefault("canonical_nans", True)
        model = from_text(module) if isinstance(module, str) else module
        return Module(model).spawn(engine=engine, **options)

    return make
