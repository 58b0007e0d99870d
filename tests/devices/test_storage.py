"""The storage as its host sees it, and its state: shared where nothing changes, and looked at where it is read."""

from __future__ import annotations

import struct
from typing import Any

import pytest

import svm
from svm.devices import DeviceState
from svm.devices.descriptors import MAX_DESCRIPTORS
from svm.devices.storage_state import StorageState
from svm.devices.tree import CHARGE, MAX_DEPTH, ROOT
from svm.devices.wasi import Errno
from svm.limits import SNAPSHOT_PAGE
from svm.module.leb import unsigned
from svm.module.pieces import text, vector
from tests.devices.calls import CREATE, MODULE, READ, WRITE, Ours, opened, path_call, read, write

# As a mapping


def test_it_is_a_mapping_from_paths_to_contents() -> None:
    storage = svm.Storage({"data/in.txt": b"in", "a": bytearray(b"x" * 9000)})
    assert list(storage) == ["data/in.txt", "a"] and len(storage) == 2
    assert storage["data/in.txt"] == b"in" and storage["a"] == b"x" * 9000
    assert "data" not in storage and "data/x" not in storage and "a/x" not in storage and "" not in storage
    storage["data/in.txt"] = b"other"
    storage["data/deep/er/f"] = b""
    assert storage.directories == ("data", "data/deep", "data/deep/er")
    del storage["data/in.txt"]
    assert storage.pop("a") == b"x" * 9000
    assert dict(storage) == {"data/deep/er/f": b""}
    storage.make_directory("data/other")
    storage.make_directory("data/other")
    assert storage.directories[-1] == "data/other"
    assert storage.used == 5 * CHARGE + len("datadeeperfother")
    assert repr(storage) == f"<Storage, 1 files, {storage.used} bytes>"
    assert storage != svm.Storage({"data/deep/er/f": b""}) and hash(storage)
    for missing in ("data", "zz", "data/in.txt", "../x"):
        with pytest.raises(KeyError, match=missing):
            storage[missing]
        with pytest.raises(KeyError):
            del storage[missing]


@pytest.mark.parametrize(("path", "message"), [
    ("", "names with / between"), ("/a", "names with / between"), ("a/", "names with / between"),
    ("a//b", "names with / between"), ("a/../b", "names with / between"), (".", "names with / between"),
    ("a\0", "names with / between"), ("x" * 256, "too long"), ("\ud800", "Unicode"), (7, "Unicode"), (b"a", "Unicode"),
    ("f/x", "leads through a file, 'f'"), ("d", "'d' is a directory"),
    ("x/" * MAX_DEPTH + "x/y", "too many directories"),
])  # fmt: skip
def test_paths_that_are_none(path: Any, message: str) -> None:
    storage = svm.Storage({"f": b"", "d/x": b""})
    with pytest.raises(svm.UsageError, match=message):
        storage[path] = b""
    assert list(storage) == ["f", "d/x"]
    if path != "d":
        with pytest.raises(svm.UsageError, match=message):
            storage.make_directory(path if path != "f/x" else "f")


@pytest.mark.parametrize("content", [5, "text", None, ["a"]])
def test_contents_that_are_none(content: Any) -> None:
    storage = svm.Storage()
    with pytest.raises(svm.UsageError, match="a file's content is bytes, not"):
        storage["f"] = content
    assert not len(storage)


def test_files_are_removed_while_they_are_gone_through() -> None:
    storage = svm.Storage({f"d{n % 3}/f{n}": b"x" for n in range(30)})
    for path in storage:
        storage.pop(path)
        storage.pop("d2/f29", None)
    assert not len(storage) and storage.directories == ("d0", "d1", "d2")
    storage.update({"a": b"", "b/c": b""})
    storage.clear()
    assert not len(storage) and storage.used == 4 * 512 + len("d0d1d2b")


def test_the_host_changes_files_while_the_guest_has_them_open(engine: str) -> None:
    ours = Ours({"f": b"hello"}, engine)
    fd = opened(ours, "f", 0, READ | WRITE)
    assert read(ours, fd, 2) == b"he"
    ours.storage["f"] = b"HELLO"
    assert read(ours, fd, 9) == b"LLO"
    del ours.storage["f"]
    assert write(ours, fd, b"!", offset=5) == (0, 1) and read(ours, fd, 9, offset=0) == b"HELLO!"
    assert not len(ours.storage) and ours.storage.used == CHARGE + 6
    assert ours.call("fd_close", fd) == 0 and ours.storage.used == 0


def test_a_storage_outlives_its_guest(engine: str) -> None:
    first = Ours({"f": b"1"}, engine)
    opened(first, "g", CREATE, WRITE)
    first.guest.close()
    second = Ours(first.storage, engine)
    assert read(second, opened(second, "f"), 9) == b"1" and "g" in second.storage


# Snapshots, clones, rollbacks


def test_files_and_descriptors_go_along(engine: str) -> None:
    ours = Ours({"big": bytes(range(256)) * 4096, "dir/f": b"hello"}, engine)
    fd, gone = opened(ours, "dir/f", 0, READ | WRITE), opened(ours, "gone", CREATE, READ | WRITE)
    assert read(ours, fd, 2) == b"he" and write(ours, gone, b"here still") == (0, 10)
    assert path_call(ours, "path_unlink_file", "gone") == 0
    snapshot = ours.guest.snapshot()
    used = ours.storage.used
    assert write(ours, fd, b"XX") == (0, 2)
    del ours.storage["big"]
    loaded = svm.Snapshot.load(snapshot.to_bytes())
    for other in (ours.guest.clone(), snapshot.restore(engine=engine), loaded.restore(devices=[svm.Storage()])):
        twin = Ours()
        twin.guest = other
        twin.storage = other.store.grants[0].devices[0]
        changed = other.store.latest is not snapshot and other.store.latest is not loaded
        assert read(twin, fd, 9) == (b"o" if changed else b"llo")
        assert read(twin, gone, 99, offset=0) == b"here still"
        assert ("big" in twin.storage) is not changed
        assert write(twin, fd, b"twin", offset=0) == (0, 4)
        assert ours.storage["dir/f"] == b"heXXo"
    ours.guest.rollback(snapshot)
    assert ours.storage["dir/f"] == b"hello" and ours.storage["big"] == bytes(range(256)) * 4096
    assert ours.storage.used == used and read(ours, fd, 9) == b"llo"
    assert ours.call("fd_close", gone) == 0 and ours.storage.used == used - CHARGE - 10


def test_a_snapshot_shares_what_is_not_written() -> None:
    ours = Ours({"big": b"x" * (4 << 20)})
    first, second = ours.guest.snapshot().state, ours.guest.snapshot().state
    (_, one), (_, other) = first.devices[0][0], second.devices[0][0]
    assert isinstance(one, StorageState) and isinstance(other, StorageState)
    assert one.image.nodes is other.image.nodes


def test_files_are_pages_of_a_file_once() -> None:
    """Pages that are the same, in memory or in files, are kept once; zeros and holes not at all."""
    page = b"0123456789abcdef" * (SNAPSHOT_PAGE // 16)
    ours = Ours({"a": page * 100, "b": page * 50 + b"tail", "hole": bytes(10 << 20)})
    sections, pages = ours.guest.snapshot().parts()
    assert [item[:4] for item in pages] == [b"0123", b"tail"]
    assert sum(map(len, sections)) < 5000
    loaded = svm.Snapshot.load(ours.guest.snapshot().to_bytes())
    for _ in range(2):
        storage = svm.Storage({"other": b"is gone"})
        loaded.restore(devices=[storage])
        assert dict(storage) == dict(ours.storage)
    assert loaded.restore(devices=[]).snapshot().state.devices == ((),)


def test_what_guests_share_their_clones_share() -> None:
    shared = svm.Storage({"f": b""})
    store = svm.Store()
    guests = [store.spawn(MODULE, devices=[shared]) for _ in "ab"]
    clone = guests[0].clone()
    mine, theirs = (grants.devices[0] for grants in clone.store.grants)
    assert mine is theirs is not shared


def test_guests_of_a_file_have_files_of_their_own() -> None:
    store = svm.Store()
    guests = [store.spawn(MODULE, devices=[svm.Storage({"who": name})]) for name in (b"first", b"second")]
    loaded = svm.Snapshot.load(guests[1].snapshot().to_bytes())
    storage = svm.Storage()
    restored = loaded.restore(devices=[storage]).store
    assert storage["who"] == b"second"
    assert [grants.devices[0]["who"] for grants in restored.grants] == [b"first", b"second"]


def test_a_snapshot_needs_room_under_the_limit() -> None:
    ours = Ours({"f": bytes(1000)})
    snapshot = ours.guest.snapshot()
    for source in (snapshot, svm.Snapshot.load(snapshot.to_bytes())):
        with pytest.raises(svm.LimitError, match="storage needs 1513 bytes, the limit is 1512") as caught:
            source.restore(devices=[svm.Storage()], limits=svm.Limits(storage=1512))
        assert (caught.value.limit, caught.value.value) == ("storage", 1512)
        assert source.restore(devices=[svm.Storage()], limits=svm.Limits(storage=1513)).limits.storage == 1513
    ours.guest.limits = svm.Limits(storage=10)
    assert ours.guest.clone().limits.storage == 10  # what the host put in is not refused
    ours.guest.rollback(snapshot)  # a limit takes nothing away
    assert ours.storage["f"] == bytes(1000)


def test_limits_go_along() -> None:
    guest = Ours(limits=svm.Limits(storage="1 MiB")).guest
    assert svm.Snapshot.load(guest.snapshot().to_bytes()).state.limits.storage == 1 << 20


# States that are none


def node(number: int, parent: int, name: str, kind: int = 4, size: int = 0) -> bytes:
    head = struct.pack("<QQBQQ", number, parent, kind, 0, 0) + text(name)
    return head + struct.pack("<Q", size) if kind == 4 else head


def descriptor(number: int, node: int, rights: int = 1, flags: int = 0, position: int = 0) -> bytes:
    return unsigned(number) + struct.pack("<QBBQ", node, rights, flags, position)


ROOT_NODE = node(ROOT, 0, "", 3)
PREOPENED = descriptor(3, ROOT, 5)


def state(*nodes: bytes, descriptors: tuple[bytes, ...] = (PREOPENED,), following: int = 100) -> bytes:
    return struct.pack("<Q", following) + vector([ROOT_NODE, *nodes]) + vector(list(descriptors))


class Paged(DeviceState):
    """A state with pages."""

    def __init__(self, data: bytes, *pages: tuple[int, bytes]) -> None:
        super().__init__(data)
        self._pages = pages

    def pages(self) -> tuple[tuple[int, bytes], ...]:
        return self._pages


def taken(data: bytes, *pages: tuple[int, bytes]) -> svm.Storage:
    storage = svm.Storage({"before": b""})
    storage.restore(Paged(data, *((at, page.ljust(SNAPSHOT_PAGE, b"\0")) for at, page in pages)), replica=True)
    return storage


def test_a_state_that_is_one() -> None:
    nodes = (node(5, ROOT, "d", 3), node(4, 5, "f", size=5000), node(9, 5, "e"), node(7, 0, "", size=3))
    data = state(*nodes, descriptors=(PREOPENED, descriptor(8, 7, 3, 1, 2)))
    storage = taken(data, (0, b"a"), (1, b"b"), (2, b"xyz"))
    assert dict(storage) == {"d/f": b"a" + bytes(4095) + b"b" + bytes(903), "d/e": b""}
    assert storage.used == 4 * CHARGE + 3 + 5003
    ours = Ours(storage)
    assert read(ours, 8, 9) == b"z" and ours.call("fd_close", 8) == 0
    assert opened(ours, "new", CREATE, WRITE) == 4 and storage.used == 4 * CHARGE + 6 + 5000


DEEP = [node(3 + at, 2 + at, "x", 3) for at in range(MAX_DEPTH + 1)]


@pytest.mark.parametrize(("data", "message"), [
    (b"", "unexpected end"), (b"\0" * 9, "the next file cannot have the number 0"),
    (state() + b"\0", "left over"), (struct.pack("<Q", 9) + b"\0\0", "no root"),
    (struct.pack("<Q", 9) + vector([node(2, 0, "")]) + b"\0", "the first of its files is not the root"),
    (struct.pack("<Q", 9) + vector([node(3, 0, "", 3)]) + b"\0", "the first of its files is not the root"),
    (struct.pack("<Q", 9) + unsigned(1 << 31), "entries"),
    (struct.pack("<Q", 1 << 63) + vector([ROOT_NODE]) + b"\0", "the next file cannot have the number"),
    (state(node(ROOT, ROOT, "x")), "a file with the number 2"), (state(node(1, ROOT, "x")), "a file with the number 1"),
    (state(node(100, ROOT, "x")), "a file with the number 100"),
    (state(node(3, ROOT, "x"), node(3, ROOT, "y")), "a file with the number 3"),
    (state(node(3, ROOT, "x"), node(4, ROOT, "x")), "'x' is there twice"),
    (state(node(3, ROOT, "x"), node(4, 3, "y")), "'y' is in 3, which is no directory"),
    (state(node(3, 4, "x"), node(4, ROOT, "y", 3)), "'x' is in 4, which is no directory"),
    (state(node(3, 3, "x", 3)), "'x' is in 3, which is no directory"),
    *((state(node(3, ROOT, name)), "is no name of a file") for name in ("", ".", "..", "a/b", "a\0", "x" * 256)),
    (state(node(3, ROOT, "x", 5)), "a file of the kind 5"),
    (state(node(3, ROOT, "x", size=1 << 32)), "a file of 4294967296 bytes"),
    (state(node(3, 0, "x"), descriptors=(descriptor(4, 3),)), "'x' has a name, but no directory"),
    (state(node(3, 0, "")), "file 3 is in no directory, and nobody has it open"),
    (state(node(3, 0, "", 3), node(4, 3, "x"), descriptors=(descriptor(4, 3),)), "'x' is in 3, which is no directory"),
    (state(*DEEP, following=1000), "more than 100 directories"),
    (state(descriptors=(PREOPENED, PREOPENED)), "descriptor 3 of file 2"),
    (state(descriptors=(descriptor(4, 77),)), "descriptor 4 of file 77"),
    (state(descriptors=(descriptor(4, ROOT, 8),)), "descriptor 4 is for 0x8"),
    (state(descriptors=(descriptor(4, ROOT, 2),)), "descriptor 4 of a directory"),
    (state(descriptors=(descriptor(4, ROOT, 1, 0, 1),)), "descriptor 4 of a directory"),
    (state(node(3, ROOT, "x"), descriptors=(descriptor(4, 3, 4),)), "descriptor 4 was not open from the start"),
    (state(node(3, ROOT, "x"), descriptors=(descriptor(4, 3, 1, 32),)), "descriptor 4 is for 0x1 0x20"),
    (state(node(3, ROOT, "x"), descriptors=(descriptor(4, 3, 1, 0, 1 << 63),)), "descriptor 4 is for"),
    (state(descriptors=tuple(descriptor(at, ROOT) for at in range(MAX_DESCRIPTORS + 1))), "1025 entries are more"),
])  # fmt: skip
def test_states_that_are_none(data: bytes, message: str) -> None:
    with pytest.raises(svm.SnapshotError, match=message):
        taken(data)


@pytest.mark.parametrize("pages", [[(2, b"x")], [(0, b""), (1 << 31, b"x")], [(1, b"x" * 5)]])
def test_pages_that_are_none(pages: list[tuple[int, bytes]]) -> None:
    with pytest.raises(svm.SnapshotError, match=r"pages behind those of its files|content is longer than the file"):
        taken(state(node(3, ROOT, "x", size=SNAPSHOT_PAGE), node(4, ROOT, "y", size=4)), *pages)


def test_pages_are_not_looked_at_before_the_limit() -> None:
    class Never(DeviceState):
        def pages(self) -> Any:
            raise AssertionError

    sizes = [node(3 + at, ROOT, f"f{at}", size=(1 << 32) - 1) for at in range(50)]
    with pytest.raises(svm.LimitError, match="needs 214748390490 bytes"):
        svm.Storage().restore(Never(state(*sizes)), replica=True, limits=svm.Limits(storage="1 GiB"))


def test_a_new_storage_gives_no_more_than_it_was_made_to_give(engine: str) -> None:
    ours = Ours({"f": b"x"}, engine)
    fd = opened(ours, "f", 0, READ | WRITE)
    data = ours.guest.snapshot().to_bytes()
    twin = Ours()
    twin.guest = svm.Snapshot.load(data).restore(engine=engine, devices=[svm.Storage(read_only=True)])
    assert read(twin, fd, 9) == b"x" and write(twin, fd, b"y")[0] == Errno.PERM
