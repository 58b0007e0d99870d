"""A store of checkpoints: snapshots in one SQLite file, whose pages and modules are kept once, whoever has them.

In come snapshots, under names; out come the same, checked as hostile input like those of files.  Invariant: a
checkpoint is there as a whole or not at all, and one that `save` has returned outlives a crash of the process and of
the machine.  SQLite gives that by its write-ahead log, synchronised at each commit.
"""

from __future__ import annotations

import json
import sqlite3
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any, Self

from svm.digest import digest
from svm.errors import SnapshotError, UsageError
from svm.record import record
from svm.snapshot.guest import Snapshot
from svm.snapshot.packing import packer, unpacked
from svm.snapshot.pages import PAGE_BYTES

__all__ = ["Checkpoint", "CheckpointStore"]

_APPLICATION, _VERSION = 0x73766D63, 2
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
CREATE TABLE piece (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL);
CREATE TABLE checkpoint (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, created REAL NOT NULL, identity TEXT NOT NULL,
    parent TEXT, fuel INTEGER NOT NULL, memory INTEGER NOT NULL, paused INTEGER NOT NULL, metadata TEXT NOT NULL,
    modules INTEGER NOT NULL, sections BLOB NOT NULL, pages BLOB NOT NULL, output BLOB
);
CREATE INDEX checkpoint_by_name ON checkpoint (name, number);
"""
_COLUMNS = "name, number, created, identity, parent, fuel, memory, paused, metadata, length(pages) / 8"
_LEVEL = 1  # of Zstandard
_PATIENCE = 30.0  # seconds that a writer waits for another process's transaction
_MOST_BYTES = 1 << 30  # bytes: a ceiling for what a part of a hostile store may unpack to


@record
class Checkpoint:
    """What is known of a checkpoint without reading it.

    name, number: which one it is; numbers go up over the whole store.  created: seconds since 1970.  identity, parent:
    as of the snapshot.  fuel: used so far.  memory: bytes of all memories.  paused: whether a call is under way.
    metadata: what was said of it.  pages: how many of 4 KiB it has that are not all zero and differ from each other.
    """

    name: str
    number: int
    created: float
    identity: str
    parent: str | None
    fuel: int
    memory: int
    paused: bool
    metadata: dict[str, Any]
    pages: int


class CheckpointStore:
    """See the module's docstring.  A context; several processes may use one file at once."""

    def __init__(self, path: str | PathLike[str], *, create: bool = True) -> None:
        """Open a store, or make one.  Raises SnapshotError for a file that is none, OSError where it cannot be opened,
        FileNotFoundError among them with `create=False`.
        """
        self.path = fspath(path)
        if not create:
            with open(self.path, "rb"):
                pass
        self._ids: dict[bytes, int] = {}
        self._pack = packer(_LEVEL)
        self._seen = -1
        with self._told():
            self._base = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._base.close()
                raise

    def _prepare(self) -> None:
        with self._transaction("DEFERRED"):  # what is read belongs together: another process may be making the store
            there = self._is_store()
        if not there:
            with self._transaction():
                if not self._is_store():  # else another process was quicker
                    for statement in _SCHEMA.strip().split(";\n"):
                        self._base.execute(statement)
        self._use_log()
        self._base.execute("PRAGMA synchronous = FULL")

    def _use_log(self) -> None:
        """Go over to the write-ahead log; SQLite does not itself wait here for others that open a new file."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self._base.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(0.005)

    def _is_store(self) -> bool:
        """Whether the file is a store that this svm knows; it is not where it is still empty."""
        (application,) = self._base.execute("PRAGMA application_id").fetchone()
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        (tables,) = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != _APPLICATION and tables:
            raise SnapshotError(f"{self.path} is a database, but no store of checkpoints")
        if application == _APPLICATION and version != _VERSION:
            raise SnapshotError(f"{self.path}: version {version} of the store is not known; this svm knows {_VERSION}")
        return bool(application == _APPLICATION)

    def close(self) -> None:
        """Close the file.  May be called more than once."""
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Checkpoints

    def save(
        self, snapshot: Snapshot, name: str, *, keep: int | None = None, output: bytes | None = None
    ) -> Checkpoint:
        """Keep a snapshot; when this returns, it is on disk.

        keep: how many of the name's checkpoints stay, the last ones; all of them where it is not given.  output: what
        the guest has written that was not given to anybody yet (see `pending`).  Raises UsageError for a name that is
        none and for references to host objects, OSError where the disk refuses.
        """
        _check_name(name)
        if keep is not None and keep < 1:
            raise UsageError(f"at least one checkpoint is kept, not {keep}")
        sections, pages = snapshot.parts()
        with self._told(), self._transaction():
            (module,) = self._put([sections[0]])
            found = array("q", self._put(pages))
            row = (
                name, time.time(), snapshot.identity, snapshot.parent_identity, snapshot.fuel_used,
                snapshot.memory_bytes, snapshot.paused, json.dumps(snapshot.metadata), module,
                _joined(sections[1:]), found.tobytes(), output or None,
            )  # fmt: skip
            number = self._base.execute(
                "INSERT INTO checkpoint (name, created, identity, parent, fuel, memory, paused, metadata, modules,"
                " sections, pages, output) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row,
            ).lastrowid  # fmt: skip
            if keep is not None:
                self._base.execute(
                    "DELETE FROM checkpoint WHERE name = ? AND number NOT IN"
                    " (SELECT number FROM checkpoint WHERE name = ? ORDER BY number DESC LIMIT ?)", (name, name, keep),
                )  # fmt: skip
        assert number is not None
        return self.find(name, number)

    def find(self, name: str | None = None, number: int | None = None) -> Checkpoint:
        """The last checkpoint of a name, or of the store, or one by its number.  Raises UsageError where there is none.
        """
        found = self._select("1" if name is None else "name = ?", *(() if name is None else (name,)))
        if number is not None:
            found = [item for item in found if item.number == number]
        if not found:
            which = "" if number is None else f" with the number {number}"
            there = ", ".join(sorted({item.name for item in self._select("1")})) or "none"
            raise UsageError(f"{self.path} has no checkpoint{f' of {name!r}' if name else ''}{which}; it has {there}")
        return found[-1]

    def checkpoints(self, name: str | None = None) -> list[Checkpoint]:
        """All checkpoints, or those of a name, oldest first."""
        return self._select("1") if name is None else self._select("name = ?", name)

    def load(self, name: str | None = None, number: int | None = None) -> Snapshot:
        """The snapshot of a checkpoint (see `find`); whatever the file holds, it does no harm.

        Raises SnapshotError for what is damaged, and UsageError where there is none.
        """
        from svm.snapshot.file import assembled

        found = self.find(name, number)
        with self._told():
            module, rest, pages = self._base.execute(
                "SELECT modules, sections, pages FROM checkpoint WHERE number = ?", (found.number,)
            ).fetchone()
            ids = array("q", pages[: len(pages) // 8 * 8])
            data = dict(self._get(ids))
            missing = [id_ for id_ in ids if id_ not in data]
            modules, parted = dict(self._get([module], _MOST_BYTES)).get(module), _parted(rest)
        if missing or modules is None:
            raise SnapshotError(f"{self.path}: checkpoint {found.number} is damaged: it lacks some of its pages")
        sections = [modules, *parted]
        return Snapshot.load(b"".join(assembled(sections, [data[id_] for id_ in ids], None, compress=False)))

    def pending(self, number: int) -> bytes:
        """Output that was kept with a checkpoint and that nobody has had."""
        with self._told():
            row = self._base.execute("SELECT output FROM checkpoint WHERE number = ?", (number,)).fetchone()
        return b"" if row is None or row[0] is None else bytes(row[0])

    def given(self, number: int) -> None:
        """Forget the output that was kept with a checkpoint: it was given to who reads it."""
        with self._told(), self._transaction():
            self._base.execute("UPDATE checkpoint SET output = NULL WHERE number = ?", (number,))

    def remove(self, name: str, number: int | None = None) -> int:
        """Remove a checkpoint of a name, or all of them; how many there were."""
        where, values = ("name = ?", (name,)) if number is None else ("name = ? AND number = ?", (name, number))
        with self._told(), self._transaction():
            return self._base.execute(f"DELETE FROM checkpoint WHERE {where}", values).rowcount

    def collect(self) -> int:
        """Free the pages that no checkpoint has any more; how many bytes the file became smaller by."""
        with self._told():
            before = self._size()
            with self._transaction():
                used: set[int] = set()
                for module, pages in self._base.execute("SELECT modules, pages FROM checkpoint"):
                    used.add(module)
                    used.update(array("q", pages[: len(pages) // 8 * 8]))
                every = [row[0] for row in self._base.execute("SELECT id FROM piece")]
                self._base.executemany("DELETE FROM piece WHERE id = ?", [(id_,) for id_ in every if id_ not in used])
                self._ids.clear()
                self._seen = -1
            self._base.execute("VACUUM")
            self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return max(before - self._size(), 0)

    # Pieces: pages and modules, by their content

    def _put(self, pieces: Iterable[bytes]) -> list[int]:
        """Numbers of pieces, which are kept now if they were not."""
        self._look()
        found: list[int] = []
        for piece in pieces:
            name = digest(piece)
            id_ = self._ids.get(name)
            if id_ is None:
                small = self._pack(piece)
                data = b"\1" + small if len(small) < len(piece) else b"\0" + piece
                id_ = self._base.execute("INSERT INTO piece (digest, data) VALUES (?, ?)", (name, data)).lastrowid
                assert id_ is not None
                self._ids[name] = id_
            found.append(id_)
        return found

    def _look(self) -> None:
        """Learn which pieces there are, if others may have changed that."""
        (seen,) = self._base.execute("PRAGMA data_version").fetchone()
        if seen != self._seen:
            self._ids = {bytes(name): id_ for name, id_ in self._base.execute("SELECT digest, id FROM piece")}
            self._seen = seen

    def _get(self, ids: Iterable[int], most: int = PAGE_BYTES) -> Iterator[tuple[int, bytes]]:
        for id_ in sorted(set(ids)):
            row = self._base.execute("SELECT data, digest FROM piece WHERE id = ?", (id_,)).fetchone()
            if row is not None:
                data = bytes(row[0])
                piece = unpacked(data[1:], most) if data[:1] == b"\1" else data[1:]
                if digest(piece) != row[1]:
                    raise ValueError("a piece has another digest")
                yield id_, piece

    # The database

    def _select(self, where: str, *values: Any) -> list[Checkpoint]:
        with self._told():
            rows = self._base.execute(f"SELECT {_COLUMNS} FROM checkpoint WHERE {where} ORDER BY number", values)
            return [
                Checkpoint(name, number, created, identity, parent, fuel, memory, bool(paused), _metadata(said), pages)
                for name, number, created, identity, parent, fuel, memory, paused, said, pages in rows
            ]

    def _size(self) -> int:
        (count,) = self._base.execute("PRAGMA page_count").fetchone()
        (size,) = self._base.execute("PRAGMA page_size").fetchone()
        return int(count) * int(size)

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._base.execute(f"BEGIN {kind}")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            self._ids.clear()
            self._seen = -1
            raise
        self._base.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite says, in our errors."""
        try:
            yield
        except sqlite3.OperationalError as error:  # a full disk, a lock that is not given up, no right to write
            raise OSError(f"{self.path}: {error}") from error
        except sqlite3.ProgrammingError as error:
            raise UsageError(f"{self.path}: the store is closed") from error
        except (sqlite3.Error, UnicodeDecodeError, TypeError, ValueError) as error:
            if isinstance(error, SnapshotError | UsageError):
                raise
            raise SnapshotError(f"{self.path} is no store of checkpoints, or is damaged: {error}") from error

    def __repr__(self) -> str:
        return f"<CheckpointStore {self.path}>"


def _check_name(name: str) -> None:
    if not name or ":" in name or not name.isprintable() or len(name) > 200:
        raise UsageError(f"not a name of checkpoints: {name!r:.80}; it has printable characters but no colon")


def _metadata(text: str) -> dict[str, Any]:
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def _joined(sections: list[bytes]) -> bytes:
    sizes = array("Q", [len(section) for section in sections])
    return packer(_LEVEL)(bytes((len(sections),)) + sizes.tobytes() + b"".join(sections))


def _parted(data: bytes) -> list[bytes]:
    whole = unpacked(data, _MOST_BYTES)
    count = whole[0] if whole else 0
    sizes = array("Q", whole[1 : 1 + 8 * count])
    at, found = 1 + 8 * count, []
    for size in sizes:
        found.append(whole[at : at + size])
        at += size
    if len(sizes) != count or at != len(whole):
        raise ValueError("a checkpoint has other sections than it says")
    return found
