"""Files that svm keeps between runs: compiled objects and programs, lowered code, syntax trees, parse tables.

In: a name below the cache's folder, and bytes. Out: paths and bytes. Invariant: a reader sees a whole file or none, and
no other user can have written it; what `kept` gives is what `keep` was given for that name, and whoever else reads
checks the contents as they would any input. The cache may vanish at any time, and nothing but speed may depend on it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterable
from functools import cache

from svm.digest import DIGEST_BYTES, digest
from svm.hints import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["atomic_write", "cache_dir", "cache_folder", "digest_of", "keep", "kept", "make_room", "read"]

_PRIVATE = 0o700
_SETTLED = 2_000_000_000  # ns after a change of a file that its next change has another time on any file system
_MOST_DIGESTS = 1000


def cache_dir(*parts: str) -> Path:
    """`cache_folder` as a Path."""
    from pathlib import Path  # here, for it takes several milliseconds, and a run does without

    return Path(cache_folder(*parts))


def cache_folder(*parts: str) -> str:
    """Return the folder `parts` of the cache, made if it is not there, mode 0700.

    The cache lies at `SVM_CACHE`, else `svm` below `XDG_CACHE_HOME`, else where the platform keeps caches. Where that
    cannot be written, or others can write to it, a temporary folder takes its place for the life of the process.
    """
    folder = _usable(_preferred(), parts)
    return folder if folder is not None else _made(_temporary(), parts)


def atomic_write(path: str | Path, data: bytes) -> bool:
    """Write `data` to `path` so that other processes see the old file or the new one, never a part.

    Returns whether it was written: a full or read-only disk costs speed, so it is not an error.
    """
    import tempfile  # here, for it takes several milliseconds, and most runs only read

    try:
        folder, own = os.path.split(path)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{own}.")
    except OSError:
        return False
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError):
            return False
        raise
    return True


def read(path: str | Path) -> bytes | None:
    """Return the bytes of a cached file, or None if there is none that can be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def keep(folder: str, name: str, body: bytes, most: int) -> None:
    """Keep what is found again by its name, in a folder of at most `most` files.

    A cache that cannot be written is no error.
    """
    path = cache_folder(folder)
    make_room(path, most)
    atomic_write(os.path.join(path, name), _seal(name, body) + body)


def kept(folder: str, name: str) -> bytes | None:
    """Return what was kept under a name; None if nothing was, or the file is damaged, or another has its name."""
    data = read(os.path.join(cache_folder(folder), name))
    if data is None:
        return None
    body = data[DIGEST_BYTES:]
    return body if data[:DIGEST_BYTES] == _seal(name, body) else None


def _seal(name: str, body: bytes) -> bytes:
    return digest(name.encode(), b"\0", body)


def digest_of(paths: Iterable[str]) -> str:
    """Name what is made from the files at `paths`: a digest of their names and contents, in hexadecimal.

    Files that are as they were are not read again: to read all that machine code is made from takes a tenth of a start.
    """
    paths = list(paths)
    looks = [_look(path) for path in paths]
    name = digest(repr(looks).encode()).hex()[:40]
    found = kept("digests", name)
    if found is None:
        found = digest(*(os.path.basename(path).encode() + (read(path) or b"") for path in paths)).hex().encode()
        now = time.time_ns()
        if all(now - changed > _SETTLED for _, _, changed, *_ in looks):  # else a change may leave the time as it is
            keep("digests", name, found, _MOST_DIGESTS)
    return found.decode()


def _look(path: str) -> tuple[str, int, int, int, int]:
    """What tells a file from what it was: its path, and when it was written and changed, its size and its number."""
    try:
        status = os.stat(path)
    except OSError:
        return path, 0, 0, 0, 0
    return path, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def make_room(folder: str, most: int) -> None:
    """Where a folder of the cache holds `most` files, remove the oldest eighth, so that there is room for one more.

    To look at each file's age takes milliseconds where there are thousands, so it is done once for many new files.
    """
    try:
        if len(os.listdir(folder)) < most:
            return
        with os.scandir(folder) as found:
            files = sorted(found, key=lambda entry: entry.stat().st_mtime)
        for entry in files[: len(files) - most + most // 8 + 1]:
            os.unlink(entry)
    except OSError:
        pass  # another process was quicker


def _preferred() -> str | None:
    """Return where the cache belongs, or None where the user has no home folder."""
    if chosen := os.environ.get("SVM_CACHE"):
        return os.path.abspath(chosen)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return os.path.join(os.path.abspath(xdg), "svm")
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        if local := os.environ.get("LOCALAPPDATA"):
            return os.path.join(local, "svm", "Cache")
        return None if home == "~" else os.path.join(home, "AppData", "Local", "svm", "Cache")
    if home == "~":
        return None
    return os.path.join(home, "Library", "Caches", "svm") if sys.platform == "darwin" else f"{home}/.cache/svm"


def _usable(base: str | None, parts: tuple[str, ...]) -> str | None:
    """Return the folder `parts` of `base`, made if need be, if this user alone can write to it; else None."""
    if base is None:
        return None
    try:
        os.makedirs(os.path.dirname(base), exist_ok=True)
        _make(base)
        if sys.platform != "win32":
            status = os.stat(base)
            # Machine code is loaded from here: nobody else may put any. A folder that was there before is left as it
            # is rather than given other permissions; it may have another use.
            if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o022:
                return None
        folder = _made(base, parts)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _made(base: str, parts: tuple[str, ...]) -> str:
    folder = base
    for part in parts:  # one by one: `makedirs` would give the folders between the default mode
        folder = os.path.join(folder, part)
        _make(folder)
    return folder


def _make(folder: str) -> None:
    try:
        os.mkdir(folder, _PRIVATE)
    except FileExistsError:
        if not os.path.isdir(folder):
            raise


@cache
def _temporary() -> str:
    """Return a folder that only this user can open, removed when the process ends."""
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="svm-cache-", ignore_cleanup_errors=True)
    _kept.append(folder)
    return folder.name


_kept: list[object] = []  # a TemporaryDirectory removes its folder when it is collected
