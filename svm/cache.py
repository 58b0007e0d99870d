"""Files that svm keeps between runs: compiled objects, lowered code, parse tables.

In: a name below the cache's folder, and bytes. Out: paths and bytes. Invariant: a reader sees a whole file or none, and
no other user can have written it; whoever reads checks the contents as they would any input. The cache may vanish at
any time, and nothing but speed may depend on it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from functools import cache
from pathlib import Path

__all__ = ["atomic_write", "cache_dir", "read"]

_PRIVATE = 0o700


def cache_dir(*parts: str) -> Path:
    """Return the folder `parts` of the cache, made if it is not there, mode 0700.

    The cache lies at `SVM_CACHE`, else `svm` below `XDG_CACHE_HOME`, else where the platform keeps caches. Where that
    cannot be written, or others can write to it, a temporary folder takes its place for the life of the process.
    """
    folder = _usable(_preferred(), parts)
    return folder if folder is not None else _made(_temporary(), parts)


def atomic_write(path: Path, data: bytes) -> bool:
    """Write `data` to `path` so that other processes see the old file or the new one, never a part.

    Returns whether it was written: a full or read-only disk costs speed, so it is not an error.
    """
    import tempfile  # here, for it takes several milliseconds, and most runs only read

    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
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


def read(path: Path) -> bytes | None:
    """Return the bytes of a cached file, or None if there is none that can be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _preferred() -> Path | None:
    """Return where the cache belongs, or None where the user has no home folder."""
    if chosen := os.environ.get("SVM_CACHE"):
        return Path(chosen).absolute()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).absolute() / "svm"
    try:
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA")
            return (Path(local) if local else Path.home() / "AppData" / "Local") / "svm" / "Cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "svm"
        return Path.home() / ".cache" / "svm"
    except RuntimeError:
        return None


def _usable(base: Path | None, parts: tuple[str, ...]) -> Path | None:
    """Return the folder `parts` of `base`, made if need be, if this user alone can write to it; else None."""
    if base is None:
        return None
    try:
        base.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        if sys.platform != "win32":
            status = base.stat()
            # Machine code is loaded from here: nobody else may put any. A folder that was there before is left as it
            # is rather than given other permissions; it may have another use.
            if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o022:
                return None
        folder = _made(base, parts)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _made(base: Path, parts: tuple[str, ...]) -> Path:
    folder = base
    for part in parts:  # one by one: `parents=True` would give the folders between the default mode
        folder = folder / part
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
    return folder


@cache
def _temporary() -> Path:
    """Return a folder that only this user can open, removed when the process ends."""
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="svm-cache-", ignore_cleanup_errors=True)
    _kept.append(folder)
    return Path(folder.name)


_kept: list[object] = []  # a TemporaryDirectory removes its folder when it is collected
