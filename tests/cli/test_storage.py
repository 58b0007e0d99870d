"""`svm run --storage` and `--write-back`: what a program is given of a folder, and what comes back to it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import svm
from svm.cli.failures import Failure
from svm.cli.status import Status
from svm.cli.storage import Given, read_folder, write_back
from tests.cli.conftest import Cli

PROGRAM = r"""
    import "wasi_snapshot_preview1" "path_open" func $open
        (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)
    import "wasi_snapshot_preview1" "fd_read" func $read (param i32 i32 i32 i32) (result i32)
    import "wasi_snapshot_preview1" "fd_write" func $write (param i32 i32 i32 i32) (result i32)
    import "wasi_snapshot_preview1" "path_create_directory" func $mkdir (param i32 i32 i32) (result i32)
    import "wasi_snapshot_preview1" "path_unlink_file" func $unlink (param i32 i32 i32) (result i32)
    import "wasi_snapshot_preview1" "proc_exit" func $exit (param i32)
    memory 1
    data active at (i32.const 0) "in..gone" "out/copy"
    data active at (i32.const 100) "\00\02\00\00\00\01\00\00"
    func $fd (param $path i32) (param $size i32) (param $how i32) (param $rights i64) (result i32)
      i32.const 3
      i32.const 0
      local.get $path
      local.get $size
      local.get $how
      local.get $rights
      i64.const 0
      i32.const 0
      i32.const 120
      call $open
      call $check
      i32.const 120
      i32.load
    end
    func $check (param $status i32)
      local.get $status
      if
        local.get $status
        call $exit
      end
    end
    func $burn
      local $n i32
      loop
        local.get $n
        i32.const 1
        i32.add
        local.tee $n
        i32.const 100000
        i32.ne
        br_if 0
      end
    end
    func $main
      i32.const 0
      i32.const 2
      i32.const 0
      i64.const 2
      call $fd
      i32.const 100
      i32.const 1
      i32.const 104
      call $read
      call $check
      i32.const 3
      i32.const 8
      i32.const 3
      call $mkdir
      call $check
      call $burn
      i32.const 8
      i32.const 8
      i32.const 1
      i64.const 64
      call $fd
      i32.const 100
      i32.const 1
      i32.const 124
      call $write
      call $check
      i32.const 3
      i32.const 4
      i32.const 4
      call $unlink
      call $check
      i32.const 200
      call $exit
    end
    export "_start" func $main
    export "memory" memory 0
"""


@pytest.fixture
def data(folder: Path) -> Path:
    """The program as `files.svmt`, and a folder with files for it."""
    Path("files.svmt").write_text(PROGRAM.replace("\n        (param i32 i32 i32", " (param i32 i32 i32"))
    made = folder / "data"
    (made / "empty").mkdir(parents=True)
    (made / "in").write_text("some words")
    (made / "gone").write_text("1")
    (made / "kept").write_text("2")
    return made


def tree(folder: Path) -> dict[str, str | None]:
    """Files and directories below a folder."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_text() if path.is_file() else None for path in found}


GIVEN = {"empty": None, "gone": "1", "in": "some words", "kept": "2"}
ENDED = {"empty": None, "in": "some words", "kept": "2", "out": None, "out/copy": "some words"}


def test_a_program_has_a_copy_of_the_files(cli: Cli, data: Path) -> None:
    assert cli("run", "files.svmt").status == 8  # EBADF: there is no directory
    assert cli("run", "--storage", "data", "files.svmt") == (200, "", "")
    assert tree(data) == GIVEN


def test_what_it_changed_is_written_back(cli: Cli, data: Path, folder: Path) -> None:
    (data / "kept").chmod(0o640)
    assert cli("run", "--storage", "data", "--write-back", "data", "files.svmt") == (200, "", "")
    assert tree(data) == ENDED
    assert cli("run", "--storage", "data", "--write-back", "data", "files.svmt").status == 20  # it exists
    (folder / "other").mkdir()
    (data / "gone").write_text("3")
    (data / "out" / "copy").unlink()
    (data / "out").rmdir()
    assert cli("run", "--storage", "data", "--write-back", "other", "files.svmt").status == 200
    assert tree(folder / "other") == {"out": None, "out/copy": "some words"}


def test_what_does_not_end_changes_nothing(cli: Cli, data: Path) -> None:
    options = ("--storage", "data", "--write-back", "data")
    assert cli("run", *options, "--fuel", "100000", "files.svmt").status == Status.LIMIT
    done = cli("run", *options, "--storage-limit", "3KiB", "--memory", "1MiB", "files.svmt")
    assert done.status == Status.LIMIT
    assert "the limit of storage, 3072 bytes, is reached; --storage-limit sets it" in done.err
    assert tree(data) == GIVEN


def test_it_goes_on_with_its_files(cli: Cli, data: Path, folder: Path) -> None:
    """And what it was given is known then, wherever it goes on."""
    options = ("--storage", "data", "--snapshot-on-exit", "half.svms", "--fuel", "100000")
    done = cli("run", *options, "--write-back", "data", "files.svmt")
    assert done.status == Status.LIMIT and "`svm resume --write-back data half.svms` goes on from here" in done.err
    shown = json.loads(cli("snapshot", "show", "--json", "half.svms").out)
    assert shown["files"] == 3 and shown["storage"] == 5 * 512 + len("goneinkeptemptyout") + 12
    assert cli("resume", "--fuel", "10000000", "half.svms") == (200, "", "")
    assert tree(data) == GIVEN
    (data / "gone").write_text("changed meanwhile")
    done = cli("resume", "--fuel", "10000000", "--write-back", "data", "half.svms")
    assert done.status == Status.BAD_FILE and "gone: was changed meanwhile, and is not removed" in done.err
    assert tree(data) == ENDED | {"gone": "changed meanwhile"}
    assert cli("run", *options, "--checkpoint", "store", "--storage-limit", "1MiB", "demo.svmb").status == 0
    assert cli("snapshot", "diff", "half.svms", "half.svms").out.count("files changed: 0") == 1


def test_a_checkpoint_stays_until_the_files_are_written(cli: Cli, data: Path) -> None:
    (data / "out").write_text("is in the way")
    (data / "in").write_text("x")
    options = ("--storage", "data", "--checkpoint", "store", "--snapshot-on-exit", "half.svms", "--fuel", "100000")
    assert cli("run", *options, "files.svmt").status == 20
    (data / "out").unlink()
    assert cli("run", *options, "files.svmt").status == Status.LIMIT
    (data / "out").write_text("is in the way")
    done = cli("resume", "--fuel", "10000000", "--write-back", "data", "store")
    assert done.status == Status.BAD_FILE and "out: something that is no directory is in its place" in done.err
    (data / "out").unlink()
    assert cli("resume", "--fuel", "10000000", "--write-back", "data", "store").status == 200
    assert (data / "out" / "copy").read_text() == "x" and not (data / "gone").exists()
    assert cli("snapshot", "list", "store").out == ""


@pytest.mark.parametrize(("options", "status", "message"), [
    (("--storage", "nowhere"), Status.BAD_FILE, "nowhere: no such folder"),
    (("--storage", "demo.svmb"), Status.BAD_FILE, "demo.svmb: no such folder"),
    (("--storage", "data", "--write-back", "nowhere"), Status.BAD_FILE, "nowhere: no such folder"),
    (("--storage", "data", "--storage-limit", "1000"), Status.USAGE, "data holds more than --storage-limit has room"),
    (("--storage", "data", "--storage-limit", "2070"), Status.USAGE, "data holds more than --storage-limit has room"),
    (("--storage-limit", "x"), Status.USAGE, "not a size: 'x'"),
])  # fmt: skip
def test_wrong_options(cli: Cli, data: Path, options: tuple[str, ...], status: int, message: str) -> None:
    done = cli("run", *options, "demo.svmb")
    assert done.status == status and message in done.err and done.out == ""


def test_resuming_without_files(cli: Cli, data: Path) -> None:
    assert cli("run", "--fuel", "50", "--snapshot-on-exit", "none.svms", "demo.svmb", "x").status in (0, Status.LIMIT)
    Path("spin.svmt").write_text('func $f\nloop\nbr 0\nend\nend\nexport "_start" func $f\n')
    assert cli("run", "--fuel", "50", "--snapshot-on-exit", "none.svms", "spin.svmt").status == Status.LIMIT
    done = cli("resume", "--write-back", "data", "none.svms")
    assert done.status == Status.USAGE and "the program has no files of its own" in done.err


# Folders


def test_links_and_other_things_are_not_given(tmp_path: Path) -> None:
    (tmp_path / "inside" / "d").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    inside = tmp_path / "inside"
    (inside / "d" / "f").write_text("f")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "up").symlink_to(tmp_path)
    os.mkfifo(inside / "pipe")
    storage, given = read_folder(str(inside), None)
    assert dict(storage) == {"d/f": b"f"} and storage.directories == ("d",)
    assert list(given.files) == ["d/f"] and given.directories == ["d"]


def test_names_that_a_storage_does_not_have(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_text("")
    with pytest.raises(svm.UsageError, match="it is text of Unicode"):
        read_folder(str(tmp_path), None)


def test_nothing_is_written_through_links_or_over_what_was_not_given(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "f").write_text("safe")
    (inside / "dir").symlink_to(outside)
    (inside / "link").symlink_to(outside / "f")
    (inside / "dangling").symlink_to(outside / "new")
    (inside / "theirs").write_text("theirs")
    (inside / "folder").mkdir()
    storage = svm.Storage(dict.fromkeys(("dir/f", "dir/new/g", "link", "dangling", "theirs", "folder", "ok"), b"guest"))
    with pytest.raises(Failure) as caught:
        write_back(storage, Given({"dir/h": "0" * 32}, []), str(inside))
    text = caught.value.text
    for path in ("dir/f", "dir/new", "link", "dangling", "folder"):
        assert f"  {path}: something that is no" in text
    assert "  dir/h: lies in what is no directory there" in text
    assert "  theirs: is there, and the program was not given it" in text
    assert tree(outside) == {"f": "safe"}
    assert (inside / "ok").read_text() == "guest" and (inside / "theirs").read_text() == "theirs"
    assert not [path for path in inside.iterdir() if path.name.startswith(".svm")]


def test_what_changed_meanwhile_is_left(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).write_text(name)
    (tmp_path / "d2").mkdir()
    (tmp_path / "d3").mkdir()
    storage, given = read_folder(str(tmp_path), None)
    storage.update({"a": b"guest", "b": b"same", "d": b"d"})
    del storage["c"]
    (tmp_path / "a").write_text("host")
    (tmp_path / "b").write_text("same")
    (tmp_path / "d").write_text("host's affair")
    other = svm.Storage(dict(storage))  # without the directories
    (tmp_path / "d2" / "new").write_text("")
    with pytest.raises(Failure, match="a: was changed meanwhile"):
        write_back(other, given, str(tmp_path))
    assert tree(tmp_path) == {"a": "host", "b": "same", "d": "host's affair", "d2": None, "d2/new": ""}


def test_a_file_takes_a_directory_s_place_and_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_text("")
    (tmp_path / "mode").write_text("")
    (tmp_path / "mode").chmod(0o600)
    _, given = read_folder(str(tmp_path), None)
    write_back(svm.Storage({"d": b"file", "f/g": b"inner", "mode": b"x"}), given, str(tmp_path))
    assert tree(tmp_path) == {"d": "file", "f": None, "f/g": "inner", "mode": "x"}
    assert (tmp_path / "mode").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("said", [
    {"files": []}, {"files": {"a": 1}}, {"directories": {}}, {"directories": [1]}, {"files": {"../x": ""}},
    {"directories": ["/etc"]}, {"files": {"a": ""}, "directories": [".."]},
])  # fmt: skip
def test_what_a_snapshot_says_was_given_may_be_anything(said: object) -> None:
    with pytest.raises(svm.UsageError):
        Given.of(said)


def test_what_was_given_comes_back(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("")
    _, given = read_folder(str(tmp_path), None)
    assert Given.of(json.loads(json.dumps(given.said()))) == given
    assert Given.of(None) == Given({}, [])
