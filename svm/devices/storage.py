"""Storage: files of a guest's own, which lie in the device and nowhere else.

In: files that the host puts in. Out: the guest's reads and writes, through WASI; and the files, for the host to look at
and to take out. Invariant: nothing here reaches a file of the host's; and whoever takes a state of it, for a snapshot
or a clone, shares what is in it with the guest, which copies what it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping

from svm.devices.console import NoConsole
from svm.devices.descriptors import OpenFiles, copied
from svm.devices.state import DescriptorDevice, DeviceState
from svm.devices.storage_state import StorageState, read_state
from svm.devices.tree import MAX_FILE_BYTES, ROOT, Directory, File, check_name
from svm.devices.wasi import Errno, Refused
from svm.devices.wasi_files import over
from svm.errors import UsageError
from svm.hints import Self
from svm.limits import Limits
from svm.runtime import HostFunction

__all__ = ["Storage"]


class Storage(DescriptorDevice, MutableMapping[str, bytes]):
    """A private tree of files: `module.spawn(devices=[svm.Storage({"data/in.txt": b"…"})])`.

    A guest without one has no files at all. To the host it is a mapping from paths, such as `data/in.txt`, to contents;
    it can be looked at and changed whenever the guest does not run. Directories are made as they are needed. Snapshots,
    clones and rollbacks take the files along, and cost what is written after them, not what the files hold.
    """

    kind = "storage"
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self,
        files: Mapping[str, bytes] | None = None,
        *,
        read_only: bool = False,
        realtime: Callable[[], int] | None = None,
    ) -> None:
        """Make a storage.

        files: what is in it.  read_only: the guest can change nothing; the host still can.  realtime: nanoseconds since
        1970, such as `time.time_ns`, for the times of files; without it, files that the guest does not give other times
        are of 1970, so that they tell it nothing.

        Raises UsageError as `storage[path] = content`.
        """
        self._files = OpenFiles(read_only, realtime)
        self.update(files or {})

    # What the host does

    def __getitem__(self, path: str) -> bytes:
        """A file's content.  Raises KeyError where there is none."""
        file = self._files.tree[self._file(path)]
        assert isinstance(file, File)
        return file.read(0, file.size)

    def __setitem__(self, path: str, content: bytes) -> None:
        """Put a file, with the directories that it needs, or give one another content, whatever the guest's limit.

        Raises UsageError for a path that can be none, or leads through a file or to a directory, and for a content that
        is none or has 4 GiB.
        """
        try:
            content = bytes(memoryview(content))  # of an int, `bytes` would make zeros
        except TypeError:
            raise UsageError(f"a file's content is bytes, not {content!r:.80}") from None
        if len(content) > MAX_FILE_BYTES:
            raise UsageError(f"a file has at most {MAX_FILE_BYTES} bytes, not {len(content)}")
        parts = _parts(path)
        directory, name = self._directories(path, parts[:-1]), parts[-1]
        number = self._files.tree.directory(directory).entries.get(name)
        if number is None:
            number = self._create(path, directory, name, File)
        elif isinstance(self._files.tree[number], Directory):
            raise UsageError(f"{path!r:.80} is a directory")
        self._files.tree.resize(number, 0, self._files.now())
        self._files.tree.write(number, 0, content, self._files.now())

    def __delitem__(self, path: str) -> None:
        """Remove a file; its directories stay.  Raises KeyError where there is none."""
        self._file(path)
        parts = _parts(path)
        self._files.remove(self._directories(path, parts[:-1]), parts[-1])

    def __iter__(self) -> Iterator[str]:
        """Paths of all files."""
        return (path for path, node in self._files.tree.walk() if isinstance(node, File))

    def __len__(self) -> int:
        """How many files there are."""
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Remove all files; directories stay."""
        for path in list(self):
            del self[path]

    @property
    def directories(self) -> tuple[str, ...]:
        """Paths of all directories but the root."""
        return tuple(path for path, node in self._files.tree.walk() if isinstance(node, Directory))

    def make_directory(self, path: str) -> None:
        """Have a directory be there, with those that it needs.  Raises UsageError as `storage[path] = content`."""
        self._directories(path, _parts(path))

    @property
    def used(self) -> int:
        """Bytes that it takes of `Limits.storage`: contents, names, and 512 for each file and directory."""
        return self._files.tree.used

    def _file(self, path: str) -> int:
        """Number of a file.  Raises KeyError."""
        number: int | None = ROOT
        for part in path.split("/") if isinstance(path, str) else ():
            node = None if number is None else self._files.tree[number]
            number = node.entries.get(part) if isinstance(node, Directory) else None
        if number is None or isinstance(self._files.tree[number], Directory):
            raise KeyError(path)
        return number

    def _directories(self, path: str, parts: list[str]) -> int:
        """Number of the directory of some names, which are made where they are missing.  Raises UsageError."""
        number = ROOT
        for part in parts:
            found = self._files.tree.directory(number).entries.get(part)
            if found is None:
                found = self._create(path, number, part, Directory)
            elif isinstance(self._files.tree[found], File):
                raise UsageError(f"{path!r:.80} leads through a file, {part!r:.80}")
            number = found
        return number

    def _create(self, path: str, directory: int, name: str, kind: type[File | Directory]) -> int:
        try:
            return self._files.tree.create(directory, name, kind, self._files.now())
        except Refused:
            raise UsageError(f"{path!r:.80} has too many directories") from None

    # As a device

    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """The calls of WASI preview 1 that a storage can answer, with all others refused."""
        return self.over(NoConsole().imports())

    def over(self, others: Mapping[str, Mapping[str, HostFunction]]) -> Mapping[str, Mapping[str, HostFunction]]:
        """See `DescriptorDevice`."""
        return over(self._files, others)

    def twin(self) -> Self:
        """See `StatefulDevice`: a storage with the same files, which both copy before they change them."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _files=self._files.twin())
        return twin

    def state(self) -> DeviceState:
        """See `StatefulDevice`: files and descriptors."""
        return StorageState(self._files.tree.image(), copied(self._files.descriptors))

    def restore(self, state: DeviceState, *, replica: bool, limits: Limits | None = None) -> None:
        """See `StatefulDevice`: the files become those of the state, in the place of what was put in."""
        found = read_state(self, state, None if limits is None else limits.storage_bytes)
        self._files.put(found.image, found.descriptors)

    def __repr__(self) -> str:
        return f"<Storage, {len(self)} files, {self.used} bytes>"


def _parts(path: str) -> list[str]:
    """The names in a path of the host's.  Raises UsageError."""
    try:
        parts = path.split("/")
        for part in parts:
            check_name(part)
    except Refused as refused:
        why = "a name of it is too long" if refused.answer is Errno.NAMETOOLONG else "it is names with / between them"
        raise UsageError(f"{path!r:.80} is no path of a stored file: {why}") from None
    except (AttributeError, TypeError, UnicodeEncodeError):
        raise UsageError(f"{path!r:.80} is no path of a stored file: it is text of Unicode") from None
    return parts
