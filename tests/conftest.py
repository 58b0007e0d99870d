"""What every test gets: a cache of its own, so that no test sees or leaves files of the user's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point svm's cache at a folder of this test run; one for all tests, for some of it is dear to make."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SVM_CACHE", str(tmp_path_factory.mktemp("cache", numbered=True) / "svm"))
    yield
    patch.undo()
