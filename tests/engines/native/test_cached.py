"""What the native engine keeps on disk, machine code and encoded functions: whatever is wrong with a file is a miss."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from random import Random

import pytest

import svm.engines.native.blob as blobs
import svm.engines.native.kept as kept_module
from svm import Module
from svm.cache import cache_dir
from svm.engines.native.blob import Blob, get_blob
from svm.engines.native.kept import KeptCode
from svm.module import from_text
from tests.engines.programs import PROGRAMS

TARGET = blobs.supported()
pytestmark = pytest.mark.skipif(TARGET is None, reason="the native engine does not run here")

SMALL = ["halt::", "far_return::", "i64.add:ss:s", "copy:s:s"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Builds take no time, for there are few handlers; a cache of its own; what a person was told."""
    import svm.engines.native.keys as keys

    monkeypatch.setattr(keys, "all_keys", lambda: SMALL)
    monkeypatch.setattr(blobs, "_loaded", {})
    monkeypatch.setenv("SVM_CACHE", str(tmp_path / "cache"))
    return []


def test_a_blob_is_built_once_with_a_message(small: list[str]) -> None:
    assert get_blob(small.append).keys == SMALL
    assert len(small) == 1 and "building the interpreter" in small[0]
    blobs._loaded.clear()
    assert get_blob(small.append).keys == SMALL
    assert len(small) == 1
    (path,) = cache_dir("native").iterdir()
    assert cache_dir("native").stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o077 == 0


def test_a_damaged_blob_is_a_miss(small: list[str]) -> None:
    get_blob()
    (path,) = cache_dir("native").iterdir()
    whole = path.read_bytes()
    random = Random(1)
    bad = [b"", whole[:7], whole[:39], whole[:51], whole[:52], whole[:-1], whole + b"\0", bytes(len(whole))]
    for _ in range(40):
        at = random.randrange(len(whole))
        bad.append(whole[:at] + bytes((whole[at] ^ 1 << random.randrange(8),)) + whole[at + 1 :])
    for data in bad:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"too short|damaged"):
            Blob(path.stem, data)
    blobs._loaded.clear()
    assert get_blob(small.append).keys == SMALL
    assert len(small) == 1 and path.read_bytes() == whole


def test_a_blob_that_was_made_from_something_else_is_a_miss(small: list[str]) -> None:
    assert TARGET is not None
    get_blob()
    (path,) = cache_dir("native").iterdir()
    path.write_bytes(blobs.make_blob(TARGET, "0" * 24))
    blobs._loaded.clear()
    assert path.stem.startswith(get_blob(small.append).build)
    assert len(small) == 1


def test_a_folder_in_the_place_of_a_blob_is_a_miss(small: list[str]) -> None:
    get_blob()
    (path,) = cache_dir("native").iterdir()
    path.unlink()
    path.mkdir()
    blobs._loaded.clear()
    assert get_blob().keys == SMALL


# Code


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of kept code, in a cache of its own; the interpreter is loaded already."""
    get_blob()
    monkeypatch.setenv("SVM_CACHE", str(tmp_path / "cache"))
    return cache_dir("code")


def result(name: str) -> tuple[object, int]:
    """Result and fuel of a program."""
    program = PROGRAMS[name]
    with Module(from_text(program.text)).spawn(engine="interpreter") as guest:
        return guest.call("f", *program.args), guest.fuel_used


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_the_same_with_kept_code(code: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = result(name)
    assert len(list(code.iterdir())) == 1
    monkeypatch.setattr("svm.engines.native.encode.slot_code", None)  # nothing is lowered again
    assert result(name) == first == (PROGRAMS[name].result, first[1])


def test_damaged_code_is_a_miss(code: Path) -> None:
    first = result("fib")
    (path,) = code.iterdir()
    whole = path.read_bytes()
    random = Random(1)
    for at in [0, 7, 8, 39, 40, len(whole) - 1, *(random.randrange(len(whole)) for _ in range(20))]:
        for bad in (whole[:at], whole[:at] + bytes((whole[at] ^ 0x10,)) + whole[at + 1 :]):
            path.write_bytes(bad)
            assert result("fib") == first
            assert path.read_bytes() == whole


def test_code_of_another_module_or_build_is_a_miss(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result("fib")
    (fib,) = code.iterdir()
    result("sieve")
    (sieve,) = set(code.iterdir()) - {fib}
    whole = sieve.read_bytes()
    sieve.write_bytes(fib.read_bytes())
    assert result("sieve")[0] == PROGRAMS["sieve"].result
    assert sieve.read_bytes() == whole
    assert KeptCode("fingerprint", "one")._name != KeptCode("fingerprint", "other")._name
    before = KeptCode("fingerprint", "one")._name
    monkeypatch.setattr(kept_module, "_version", lambda: "changed")
    assert KeptCode("fingerprint", "one")._name != before


def test_many_writers_at_once(code: Path) -> None:
    first = result("fib")
    (path,) = code.iterdir()
    path.unlink()
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(result("fib"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [first] * 8
    assert list(code.iterdir()) == [path]
    assert result("fib") == first


def test_the_oldest_code_makes_room(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "MOST_FILES", 3)
    for age, name in enumerate(PROGRAMS):
        before = set(code.iterdir())
        result(name)
        for path in set(code.iterdir()) - before:
            os.utime(path, (age, age))
    assert len(list(code.iterdir())) == 3


def test_code_that_cannot_be_written_is_no_error(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "MOST_BYTES", 0)
    assert result("fib")[0] == PROGRAMS["fib"].result
    assert list(code.iterdir()) == []
