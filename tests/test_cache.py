"""The cache: private folders, whole files, and no error where nothing can be written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from svm import cache
from svm.cache import atomic_write, cache_dir, digest_of, make_room, read

posix = pytest.mark.skipif(sys.platform == "win32", reason="permission bits are POSIX's")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    base = tmp_path / "cache"
    monkeypatch.setenv("SVM_CACHE", str(base))
    return base


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_every_folder_is_private(base: Path) -> None:
    folder = cache_dir("code", "v1")
    assert folder == base / "code" / "v1"
    assert [mode(path) for path in (base, base / "code", folder)] == [0o700] * 3


def test_xdg_and_home_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SVM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "svm"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert cache_dir("a").is_relative_to(tmp_path / "home")


def test_a_file_in_the_way_leads_to_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SVM_CACHE", str(tmp_path / "file"))
    folder = cache_dir("a")
    assert folder.is_dir()
    assert not folder.is_relative_to(tmp_path)
    assert cache_dir("a") == folder
    assert atomic_write(folder / "x", b"1")


@posix
def test_a_folder_that_others_can_write_to_is_not_used(base: Path) -> None:
    base.mkdir()
    base.chmod(0o777)
    assert not cache_dir("a").is_relative_to(base)
    assert mode(base) == 0o777
    assert list(base.iterdir()) == []


def test_the_temporary_folder_goes_with_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    program = "from svm.cache import cache_dir; print(cache_dir('a'))"
    environment = {**os.environ, "SVM_CACHE": str(tmp_path / "file"), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    assert folder.name == "a"
    assert not folder.parent.exists()


def test_written_files_read_back(base: Path) -> None:
    path = cache_dir() / "x"
    assert read(path) is None
    assert atomic_write(path, b"first")
    assert atomic_write(path, b"second")
    assert read(path) == b"second"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_is_no_error_and_leaves_nothing(base: Path) -> None:
    folder = cache_dir()
    assert not atomic_write(folder / "missing" / "x", b"1")
    (folder / "taken").mkdir()
    assert not atomic_write(folder / "taken", b"1")
    assert list(folder.iterdir()) == [folder / "taken"]


def test_readers_see_whole_files_while_writers_race(base: Path) -> None:
    path = cache_dir() / "x"
    contents = [bytes([i]) * 50_000 for i in range(4)]
    atomic_write(path, contents[0])
    writers = [threading.Thread(target=lambda c=c: [atomic_write(path, c) for _ in range(50)]) for c in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert read(path) in contents
    for writer in writers:
        writer.join()
    assert list(path.parent.iterdir()) == [path]


def test_the_oldest_files_make_room_for_several_new_ones(base: Path) -> None:
    folder = cache_dir("code")
    for age in range(17):
        make_room(str(folder), 16)
        (folder / str(age)).touch()
        os.utime(folder / str(age), (age, age))
        assert len(list(folder.iterdir())) <= 16
    assert {path.name for path in folder.iterdir()} == {str(age) for age in range(3, 17)}


def test_files_are_known_again_without_being_read(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_SETTLED", -1)
    paths = [str(tmp_path / name) for name in "ab"]
    Path(paths[0]).write_text("one")
    found = digest_of(paths)  # the other file is missing, which is no error
    looked: list[str] = []

    def look(path: str) -> bytes | None:
        looked.append(path)
        return read(path)

    monkeypatch.setattr(cache, "read", look)
    assert digest_of(iter(paths)) == found
    assert not set(looked) & set(paths)
    times = os.stat(paths[0])
    Path(paths[0]).write_text("two")
    os.utime(paths[0], ns=(times.st_atime_ns, times.st_mtime_ns))  # as an unpacked archive may have it
    assert digest_of(paths) != found
    Path(paths[1]).touch()
    assert digest_of(paths) not in (found, digest_of(paths[:1]))


def test_files_that_were_just_changed_are_read_again(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    found = digest_of([str(path)])
    assert not list((base / "digests").iterdir())  # the next change might leave its time as it is
    path.write_text("two")
    assert digest_of([str(path)]) != found
