"""Files of a folder to a program's storage, and what it changed of them back.

In: a folder that the command line names. Out: a storage with its files, and, when the program has ended, files written
into a folder. Invariant: nothing outside of the folder is read or written: no link in it is followed, whatever the
program calls its files; and no file in it is overwritten or removed but one that is as the program was given it.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from svm.cli.failures import Failure
from svm.cli.status import Status
from svm.cli.terminal import clean
from svm.devices import Storage
from svm.digest import digest
from svm.errors import UsageError
from svm.record import record

__all__ = ["Given", "read_folder", "require_folder", "write_back"]

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))})


@record
class Given:
    """What a program was given: digests of files by their paths, and directories."""

    files: dict[str, str]
    directories: list[str]

    def said(self) -> dict[str, Any]:
        """The same, as JSON says it."""
        return {"files": self.files, "directories": self.directories}

    @classmethod
    def of(cls, said: Any) -> Given:
        """What was said before; a snapshot may say anything.  Raises UsageError."""
        found = said if isinstance(said, dict) else {}
        files, directories = found.get("files", {}), found.get("directories", [])
        if (
            not isinstance(files, dict)
            or not isinstance(directories, list)
            or not all(isinstance(item, str) for item in (*files.values(), *directories))
        ):
            raise UsageError("what the snapshot says of the files that the program was given is none")
        storage = Storage(dict.fromkeys(files, b""))  # which looks at the paths
        for path in directories:
            storage.make_directory(path)
        return cls(files, directories)


class _Unfit(Exception):
    """A file that is not written or removed, and why."""


def require_folder(folder: str) -> None:
    """Raise Failure unless there is such a folder."""
    if not os.path.isdir(folder):
        raise Failure(Status.BAD_FILE, clean(f"svm: {folder}: no such folder"))


def read_folder(folder: str | None, limit: int | None) -> tuple[Storage, Given]:
    """A storage with what is in a folder, but for links and what is neither file nor directory.

    limit: bytes that there may be, looked at before much is read.  Raises UsageError where there are more, and for
    names that a storage does not have; OSError where something cannot be read.
    """
    storage, files = Storage(realtime=time.time_ns), dict[str, str]()
    for path, place, kind in () if folder is None else _found(folder):
        if kind == "directory":
            storage.make_directory(path)
            continue
        if limit is None or storage.used + os.lstat(place).st_size <= limit:
            storage[path] = content = _content(place)
            files[path] = _name(content)
        if limit is not None and (storage.used > limit or path not in files):
            raise UsageError(f"{folder} holds more than --storage-limit has room for, which is {limit} bytes")
    return storage, Given(files, list(storage.directories))


def _found(folder: str) -> Iterator[tuple[str, str, str]]:
    """Path in the storage, path outside, and kind of all that is in a folder, a directory before what is in it."""
    left = [("", folder)]
    while left:
        before, place = left.pop()
        with os.scandir(place) as there:
            entries = sorted(there, key=lambda entry: entry.name)
        for entry in entries:
            path = before + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield path, entry.path, "directory"
                left.append((path + "/", entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield path, entry.path, "file"


def _content(place: str) -> bytes:
    with open(os.open(place, os.O_RDONLY | _NO_LINK), "rb") as file:
        return file.read()


def _name(content: bytes) -> str:
    return digest(content).hex()[:32]


def write_back(storage: Storage, given: Given, folder: str) -> None:
    """Write into a folder what is other than it was given: files and directories that are new or changed; and remove
    there what was removed.

    A file in the folder that is neither as it was given nor as it is to be is left as it is, as is a directory that
    holds more.  Raises Failure, which lists what could not be done, when all else is done.
    """
    failed = [*_removed(storage, given, folder), *_written(storage, given, folder)]
    if failed:
        lines = "".join(f"\n  {line}" for line in failed)
        raise Failure(Status.BAD_FILE, clean(f"svm: {folder}: not all of the program's files could be written:{lines}"))


def _removed(storage: Storage, given: Given, folder: str) -> Iterator[str]:
    directories = set(storage.directories)
    for path, name in given.files.items():
        if path not in storage:
            try:
                place = _place(folder, path)
                if _standing(place, path) not in (None, name):
                    raise _Unfit(f"{path}: was changed meanwhile, and is not removed")
                os.unlink(place)
            except FileNotFoundError:  # somebody else has removed it
                continue
            except (OSError, _Unfit) as error:
                yield _said(path, error)
    for path in sorted(given.directories, key=lambda path: path.count("/"), reverse=True):
        if path not in directories:
            with suppress(OSError, _Unfit):
                os.rmdir(_place(folder, path))


def _written(storage: Storage, given: Given, folder: str) -> Iterator[str]:
    known = set(given.directories)
    for path in storage.directories:
        if path not in known:
            try:
                _make(_place(folder, path, make=True), path)
            except (OSError, _Unfit) as error:
                yield _said(path, error)
    for path, content in storage.items():
        name = _name(content)
        if given.files.get(path) == name:
            continue
        try:
            place = _place(folder, path, make=True)
            standing = _standing(place, path)
            if standing == name:
                continue
            if standing not in (None, given.files.get(path)):
                what = "was changed meanwhile" if path in given.files else "is there, and the program was not given it"
                raise _Unfit(f"{path}: {what}")
            _replace(place, content)
        except (OSError, _Unfit) as error:
            yield _said(path, error)


def _said(path: str, error: OSError | _Unfit) -> str:
    return f"{path}: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def _place(folder: str, path: str, *, make: bool = False) -> str:
    """Where a path lies in a folder, whose directories on the way are such and no links.  make: those that are missing.

    Raises _Unfit and OSError.
    """
    names = path.split("/")
    place = folder
    for name in names[:-1]:
        place = os.path.join(place, _fit(name, path))
        if make:
            _make(place, path)
        elif not stat.S_ISDIR(os.lstat(place).st_mode):
            raise _Unfit(f"{path}: lies in what is no directory there")
    return os.path.join(place, _fit(names[-1], path))


def _make(place: str, path: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(place)
    if not stat.S_ISDIR(os.lstat(place).st_mode):
        raise _Unfit(f"{path}: something that is no directory is in its place")


def _fit(name: str, path: str) -> str:
    """A name, if it is one on this system too: on Windows many are another thing's."""
    reserved = name.partition(".")[0].lower() in _RESERVED or name[-1] in ". "
    if os.name == "nt" and (reserved or any(character in '<>:"\\|?*' or character < " " for character in name)):
        raise _Unfit(f"{path}: {name!r:.80} can be no name of a file here")
    return name


def _standing(place: str, path: str) -> str | None:
    """Digest of a file that stands somewhere, None where there is nothing.  Raises _Unfit for anything else."""
    try:
        kind = os.lstat(place).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(kind):
        raise _Unfit(f"{path}: something that is no file is in its place")
    return _name(_content(place))


def _replace(place: str, content: bytes) -> None:
    """Write a file that takes the place of another, if there is one, as a whole, and with its permissions."""
    temporary = f"{os.path.dirname(place)}/.svm-{os.urandom(8).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        with suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(os.lstat(place).st_mode))
        os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise
