"""WASI preview 1 over a tree of files: the calls that name a descriptor of it.

In: a guest's calls, whose numbers and paths may be anything. Out: WASI's error numbers, those that wasmtime gives where
it follows POSIX. Invariant: a path leads nowhere but into the tree: not above the directory that it starts from,
and not by an absolute name. A call that finds no room under the limit has changed nothing, for it is made again.

Layouts and numbers: https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Mapping

from svm.devices.descriptors import Descriptor, OpenFiles
from svm.devices.tree import CHARGE, MAX_FILE_BYTES, Directory, File, Node, check_name
from svm.devices.wasi import SIGNATURES, SPACE, Errno, Refused, check, gathered, host, put, scattered
from svm.isa import Memory
from svm.record import record
from svm.runtime import HostFunction, Instance

__all__ = ["over"]

_MAX_PATH_BYTES = 4096
_MOST = (1 << 63) - 1  # of a position: files have signed ones

_CREATE, _DIRECTORY, _EXCLUSIVE, _TRUNCATE = 1, 2, 4, 8  # how a path is opened
_APPEND, _NONBLOCK, _FLAGS = 1, 4, 31  # how a descriptor writes
_SET, _CURRENT, _END = 0, 1, 2  # what a position is counted from
_ACCESSED, _ACCESSED_NOW, _MODIFIED, _MODIFIED_NOW = 1, 2, 4, 8  # which times are set

_DIRECTORY_KIND, _FILE_KIND = 3, 4


def _bits(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


# Rights, which descriptors only tell: what one can do follows from what it was opened for.
_READ, _WRITE = _bits(1), _bits(6)
_TO_WRITE = _bits(6, 8, 22)  # bytes, room, the size
_TO_CHANGE = _TO_WRITE | _bits(9, 10, 16, 17, 19, 20, 23, 25, 26)  # all that a storage to be read only has not
_OF_FILES = _bits(0, 2, 3, 4, 5, 7, 21, 23, 27)
_OF_DIRECTORIES = _bits(0, 3, 4, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23, 25, 26)

_ROOT_NAME = b"/"
_DEVICE = 1
_PRESTAT, _STATUS, _ENTRY = "<BxxxI", "<BxHxxxxQQ", struct.Struct("<QQIB3x")
_FILE_STATUS = "<QQBxxxxxxxQQQQQ"


@record
class _Place:
    """Where a path leads: a name in a directory, or, where that is None, the directory itself.

    slashed: whether it ends in a slash, so that it can only lead to a directory.
    """

    directory: int
    name: str | None
    slashed: bool


def over(files: OpenFiles, others: Mapping[str, Mapping[str, HostFunction]]) -> dict[str, dict[str, HostFunction]]:
    """All calls of preview 1: those that name a descriptor of these files are answered here, all else by `others`."""
    beneath = dict(others.get(SPACE, {}))
    calls = _Calls(files, beneath.get("fd_close"))
    for name in SIGNATURES:
        if name.startswith(("fd_", "path_", "sock_")):
            own: Callable[..., Errno] = getattr(calls, name, None) or calls.refusal
            beneath[name] = _either(name, host(name, own, caller=True), beneath.get(name), files)
    return {SPACE: beneath}


def _either(name: str, own: HostFunction, other: HostFunction | None, files: OpenFiles) -> HostFunction:
    """A call that goes by the descriptor that it names."""
    at = 2 if name == "path_symlink" else 0

    def function(caller: Instance, *args: int) -> object:
        if args[at] & 0xFFFF_FFFF in files.descriptors:
            return own.function(caller, *args)
        if other is None:
            return Errno.BADF
        return other.function(caller, *args) if other.caller else other.function(*args)

    return HostFunction(function, caller=True, type=own.type)


class _Calls:
    """The calls; each takes the caller, its memory, and the numbers that WASI gives it, the first of which is an open
    descriptor but in `path_symlink`.
    """

    def __init__(self, files: OpenFiles, close_other: HostFunction | None) -> None:
        self._files = files
        self._close_other = close_other

    def refusal(self, caller: Instance, memory: Memory, *numbers: int) -> Errno:
        """What sockets do."""
        return Errno.NOTSOCK

    # Descriptors

    def fd_close(self, caller: Instance, memory: Memory, fd: int) -> Errno:
        self._files.close(fd)
        return Errno.SUCCESS

    def fd_renumber(self, caller: Instance, memory: Memory, fd: int, target: int) -> Errno:
        """Have it take the place of another that is open, such as standard output."""
        if target == fd:
            return Errno.SUCCESS
        if target not in self._files.descriptors:
            other = self._close_other
            if other is None or other.function(caller, target) != Errno.SUCCESS:
                return Errno.BADF
        self._files.renumber(fd, target)
        return Errno.SUCCESS

    def fd_fdstat_get(self, caller: Instance, memory: Memory, fd: int, status: int) -> Errno:
        descriptor = self._files.descriptors[fd]
        node = self._files.tree[descriptor.node]
        # Nothing is withheld of what a directory passes on: a C library would leave it out of what it asks for, and
        # take a file that it cannot write to for one that it can.
        withheld = _TO_CHANGE if self._files.read_only else 0
        if isinstance(node, File):
            rights, passed = _OF_FILES | _READ * descriptor.reads | _TO_WRITE * descriptor.writes, 0
        else:
            rights, passed = _OF_DIRECTORIES, _OF_DIRECTORIES | _OF_FILES | _READ | _TO_WRITE
        return put(memory, status, _STATUS, _kind(node), descriptor.flags, rights & ~withheld, passed)

    def fd_fdstat_set_flags(self, caller: Instance, memory: Memory, fd: int, flags: int) -> Errno:
        descriptor, _ = self._file(fd)
        if flags & ~(_APPEND | _NONBLOCK):
            return Errno.INVAL
        descriptor.flags = flags
        return Errno.SUCCESS

    def fd_fdstat_set_rights(self, caller: Instance, memory: Memory, fd: int, rights: int, passed: int) -> Errno:
        return Errno.NOTSUP

    def fd_prestat_get(self, caller: Instance, memory: Memory, fd: int, result: int) -> Errno:
        if not self._files.descriptors[fd].preopened:
            return Errno.BADF
        return put(memory, result, _PRESTAT, 0, len(_ROOT_NAME))

    def fd_prestat_dir_name(self, caller: Instance, memory: Memory, fd: int, path: int, size: int) -> Errno:
        if not self._files.descriptors[fd].preopened:
            return Errno.NOTDIR
        if size < len(_ROOT_NAME):
            return Errno.NAMETOOLONG
        return put(memory, path, f"{len(_ROOT_NAME)}s", _ROOT_NAME)

    # Bytes

    def fd_read(self, caller: Instance, memory: Memory, fd: int, vectors: int, count: int, received: int) -> Errno:
        descriptor, file = self._file(fd, reads=True)

        def read(size: int) -> bytes:
            data = file.read(descriptor.position, size)
            descriptor.position += len(data)
            return data

        return scattered(memory, vectors, count, received, read)

    def fd_pread(
        self, caller: Instance, memory: Memory, fd: int, vectors: int, count: int, offset: int, received: int
    ) -> Errno:
        _, file = self._file(fd, reads=True)
        start = _position(offset)
        return scattered(memory, vectors, count, received, lambda size: file.read(start, size))

    def fd_write(self, caller: Instance, memory: Memory, fd: int, vectors: int, count: int, written: int) -> Errno:
        """Write at the position, or at the end, as much as there is room for.

        Where there is none at all, the call is to be made again when the limit was raised.
        """
        descriptor, file = self._file(fd, writes=True)
        start = file.size if descriptor.flags & _APPEND else descriptor.position
        check(memory, written, 4)
        taken = self._write(caller, descriptor, start, gathered(memory, vectors, count))
        descriptor.position = start + taken
        return put(memory, written, "<I", taken)

    def fd_pwrite(
        self, caller: Instance, memory: Memory, fd: int, vectors: int, count: int, offset: int, written: int
    ) -> Errno:
        descriptor, _ = self._file(fd, writes=True)
        start = _position(offset)
        check(memory, written, 4)
        taken = self._write(caller, descriptor, start, gathered(memory, vectors, count))
        return put(memory, written, "<I", taken)

    def _write(self, caller: Instance, descriptor: Descriptor, start: int, data: bytes) -> int:
        """How many bytes were written."""
        tree, files = self._files.tree, self._files
        if not data:
            return 0
        if start >= MAX_FILE_BYTES:
            raise Refused(Errno.FBIG)
        data = data[: MAX_FILE_BYTES - start]
        size = tree[descriptor.node].size
        more = start + len(data) - size
        if more > 0:
            room = caller.arenas.storage_room(tree.used, more, least=max(start - size, 0) + 1)
            data = data[: len(data) - more + room]
        tree.write(descriptor.node, start, data, files.now())
        return len(data)

    def fd_seek(self, caller: Instance, memory: Memory, fd: int, offset: int, whence: int, result: int) -> Errno:
        descriptor, file = self._file(fd)
        if whence not in (_SET, _CURRENT, _END):
            return Errno.INVAL
        offset = (offset & (1 << 64) - 1 ^ 1 << 63) - (1 << 63)  # it is signed
        check(memory, result, 8)
        start = _position(offset + {_SET: 0, _CURRENT: descriptor.position, _END: file.size}[whence])
        descriptor.position = start
        return put(memory, result, "<Q", start)

    def fd_tell(self, caller: Instance, memory: Memory, fd: int, result: int) -> Errno:
        descriptor, _ = self._file(fd)
        return put(memory, result, "<Q", descriptor.position)

    # Files

    def fd_advise(self, caller: Instance, memory: Memory, fd: int, offset: int, size: int, advice: int) -> Errno:
        self._file(fd)
        return Errno.SUCCESS if advice <= 5 else Errno.INVAL

    def fd_allocate(self, caller: Instance, memory: Memory, fd: int, offset: int, size: int) -> Errno:
        """Lengthen it to have a range."""
        descriptor, file = self._file(fd, writes=True)
        offset, size = offset & (1 << 64) - 1, size & (1 << 64) - 1
        if not size:
            return Errno.INVAL
        return self._resize(caller, descriptor, max(offset + size, file.size))

    def fd_datasync(self, caller: Instance, memory: Memory, fd: int) -> Errno:
        """There is nothing to wait for."""
        return Errno.SUCCESS

    fd_sync = fd_datasync

    def fd_filestat_get(self, caller: Instance, memory: Memory, fd: int, status: int) -> Errno:
        return self._put_status(memory, status, self._files.descriptors[fd].node)

    def fd_filestat_set_size(self, caller: Instance, memory: Memory, fd: int, size: int) -> Errno:
        descriptor, _ = self._file(fd)
        self._require_changeable()
        if not descriptor.writes:
            return Errno.INVAL
        return self._resize(caller, descriptor, _position(size))

    def fd_filestat_set_times(
        self, caller: Instance, memory: Memory, fd: int, accessed: int, modified: int, which: int
    ) -> Errno:
        _require_times(which)
        return self._set_times(self._files.descriptors[fd].node, accessed, modified, which)

    def _resize(self, caller: Instance, descriptor: Descriptor, size: int) -> Errno:
        tree = self._files.tree
        if size > MAX_FILE_BYTES:
            return Errno.FBIG
        more = size - tree[descriptor.node].size
        caller.arenas.storage_room(tree.used, more, least=more)
        tree.resize(descriptor.node, size, self._files.now())
        return Errno.SUCCESS

    def _set_times(self, node: int, accessed: int, modified: int, which: int) -> Errno:
        self._require_changeable()
        now, mask = self._files.now(), (1 << 64) - 1
        self._files.tree.set_times(
            node,
            now if which & _ACCESSED_NOW else accessed & mask if which & _ACCESSED else None,
            now if which & _MODIFIED_NOW else modified & mask if which & _MODIFIED else None,
        )
        return Errno.SUCCESS

    def _put_status(self, memory: Memory, status: int, number: int) -> Errno:
        node = self._files.tree[number]
        return put(
            memory, status, _FILE_STATUS, _DEVICE, number, _kind(node), node.linked, node.size, node.accessed,
            node.modified, node.modified,
        )  # fmt: skip

    # Directories

    def fd_readdir(
        self, caller: Instance, memory: Memory, fd: int, start: int, size: int, cookie: int, used: int
    ) -> Errno:
        """Put entries, the last of them cut where it does not fit.

        An entry's cookie is the number of its node, so that who goes on from one finds what follows, whatever was
        removed meanwhile.
        """
        descriptor = self._files.descriptors[fd]
        tree = self._files.tree
        node = tree[descriptor.node]
        if not isinstance(node, Directory):
            return Errno.BADF
        check(memory, start, size)
        check(memory, used, 4)
        cookie &= (1 << 64) - 1
        if not cookie or descriptor.listing is None:
            entries = sorted((number, name) for name, number in node.entries.items())
            descriptor.listing = [1, 2, *(number for number, _ in entries)], [".", "..", *(name for _, name in entries)]
        numbers, names = descriptor.listing
        at, end = start, start + size
        for place in range(bisect_right(numbers, cookie), len(numbers)):
            if at >= end:
                break
            number, name = numbers[place], names[place]
            if number > 2 and node.entries.get(name) != number:
                continue  # it is gone
            found = descriptor.node if number == 1 else node.parent if number == 2 else number
            text = name.encode()
            entry = _ENTRY.pack(number, found, len(text), _kind(tree[found])) + text
            entry = entry[: end - at]
            memory[at : at + len(entry)] = entry
            at += len(entry)
        return put(memory, used, "<I", at - start)

    def path_create_directory(self, caller: Instance, memory: Memory, fd: int, path: int, size: int) -> Errno:
        self._require_changeable()
        place = self._place(memory, fd, path, size)
        if self._found(place) is not None:
            return Errno.EXIST
        self._create(caller, place, Directory)
        return Errno.SUCCESS

    def path_remove_directory(self, caller: Instance, memory: Memory, fd: int, path: int, size: int) -> Errno:
        self._require_changeable()
        place = self._place(memory, fd, path, size)
        if place.name is None:
            return Errno.INVAL
        node = self._files.tree[self._there(place)]
        if not isinstance(node, Directory):
            return Errno.NOTDIR
        if node.entries:
            return Errno.NOTEMPTY
        self._files.remove(place.directory, place.name)
        return Errno.SUCCESS

    def path_unlink_file(self, caller: Instance, memory: Memory, fd: int, path: int, size: int) -> Errno:
        self._require_changeable()
        place = self._place(memory, fd, path, size)
        node = self._files.tree[self._there(place)]
        if place.name is None or isinstance(node, Directory):
            return Errno.ISDIR
        self._files.remove(place.directory, place.name)
        return Errno.SUCCESS

    def path_rename(
        self, caller: Instance, memory: Memory, fd: int, path: int, size: int, new_fd: int, new_path: int, new_size: int
    ) -> Errno:
        self._require_changeable()
        tree = self._files.tree
        old = self._place(memory, fd, path, size)
        if new_fd not in self._files.descriptors:
            return Errno.BADF
        new = self._place(memory, new_fd, new_path, new_size)
        if old.name is None or new.name is None:
            return Errno.BUSY
        number, taken = self._there(old), self._found(new)
        if not tree.directory(new.directory).linked:
            return Errno.NOENT
        if new.slashed:
            tree.directory(number)
        if number == taken:
            return Errno.SUCCESS
        moved, other = tree[number], None if taken is None else tree[taken]
        if isinstance(moved, Directory):
            if tree.is_within(new.directory, number):
                return Errno.INVAL
            if isinstance(other, File):
                return Errno.NOTDIR
            if other is not None and other.entries:
                return Errno.NOTEMPTY
        elif taken is not None and isinstance(other, Directory):
            return Errno.NOTEMPTY if tree.is_within(old.directory, taken) else Errno.ISDIR
        deeper = tree.depth(new.directory) > tree.depth(old.directory)
        tree.require_place(new.directory, tree.height(number) if deeper else 0)
        if other is None:
            more = len(new.name.encode()) - len(old.name.encode())
            caller.arenas.storage_room(tree.used, more, least=more)
        else:
            self._files.remove(new.directory, new.name)
        tree.rename((old.directory, old.name), (new.directory, new.name), self._files.now())
        return Errno.SUCCESS

    # Paths

    def path_open(
        self, caller: Instance, memory: Memory, fd: int, lookup: int, path: int, size: int, how: int, rights: int,
        passed: int, flags: int, result: int,
    ) -> Errno:  # fmt: skip
        """Open a file or directory, which may be made; to `result` goes its descriptor."""
        if how & ~15 or flags & ~_FLAGS or how & (_CREATE | _DIRECTORY) == _CREATE | _DIRECTORY:
            return Errno.INVAL
        check(memory, result, 4)
        writes = bool(rights & _WRITE)
        self._files.tree.directory(self._files.descriptors[fd].node)
        if writes or how & (_CREATE | _TRUNCATE):
            self._require_changeable()
        place = self._place(memory, fd, path, size)
        number = self._found(place)
        self._files.require_descriptor()
        if how & _CREATE and place.slashed and place.name is not None:
            return Errno.ISDIR
        if number is None:
            if not how & _CREATE:
                return Errno.NOENT
            number = self._create(caller, place, File)
        else:
            node = self._files.tree[number]
            if how & _CREATE and how & _EXCLUSIVE:
                return Errno.EXIST
            if isinstance(node, Directory):
                if writes or how & (_CREATE | _TRUNCATE):
                    return Errno.ISDIR
                flags = 0
            elif place.slashed or how & _DIRECTORY:
                return Errno.NOTDIR
            elif how & _TRUNCATE:
                self._files.tree.resize(number, 0, self._files.now())
        opened = self._files.open(Descriptor(number, not writes or bool(rights & _READ), writes, flags))
        return put(memory, result, "<I", opened)

    def path_filestat_get(
        self, caller: Instance, memory: Memory, fd: int, lookup: int, path: int, size: int, status: int
    ) -> Errno:
        return self._put_status(memory, status, self._there(self._place(memory, fd, path, size)))

    def path_filestat_set_times(
        self, caller: Instance, memory: Memory, fd: int, lookup: int, path: int, size: int, accessed: int,
        modified: int, which: int,
    ) -> Errno:  # fmt: skip
        _require_times(which)
        self._require_changeable()
        return self._set_times(self._there(self._place(memory, fd, path, size)), accessed, modified, which)

    def path_link(self, caller: Instance, memory: Memory, fd: int, *numbers: int) -> Errno:
        """A file has one name."""
        return Errno.NOTSUP

    path_symlink = path_link

    def path_readlink(
        self, caller: Instance, memory: Memory, fd: int, path: int, size: int, start: int, room: int, used: int
    ) -> Errno:
        """Nothing is a link."""
        self._there(self._place(memory, fd, path, size))
        return Errno.INVAL

    # Pieces

    def _file(self, fd: int, *, reads: bool = False, writes: bool = False) -> tuple[Descriptor, File]:
        """A descriptor of a file, which was opened for what is to be done."""
        descriptor = self._files.descriptors[fd]
        file = self._files.tree[descriptor.node]
        if not isinstance(file, File) or (reads and not descriptor.reads) or (writes and not descriptor.writes):
            raise Refused(Errno.BADF)
        if writes:
            self._require_changeable()  # the guest may be one that was restored with less than it had
        return descriptor, file

    def _require_changeable(self) -> None:
        if self._files.read_only:
            raise Refused(Errno.PERM)

    def _place(self, memory: Memory, fd: int, start: int, size: int) -> _Place:
        """Where a path leads from a directory."""
        tree = self._files.tree
        base = self._files.descriptors[fd].node
        tree.directory(base)
        path = _path(memory, start, size)
        names = [name for name in path.split("/") if name]
        inner = [base]
        for at, name in enumerate(names, 1):
            if name == "..":
                inner.pop()
                if not inner:
                    raise Refused(Errno.PERM)
                continue
            if name == ".":
                continue
            check_name(name)
            if at == len(names):
                return _Place(inner[-1], name, path.endswith("/"))
            number = tree.directory(inner[-1]).entries.get(name)
            if number is None:
                raise Refused(Errno.NOENT)
            tree.directory(number)
            inner.append(number)
        return _Place(inner[-1], None, True)

    def _found(self, place: _Place) -> int | None:
        """Number of the node at a place."""
        if place.name is None:
            return place.directory
        return self._files.tree.directory(place.directory).entries.get(place.name)

    def _there(self, place: _Place) -> int:
        """The same, which must be there."""
        number = self._found(place)
        if number is None:
            raise Refused(Errno.NOENT)
        if place.slashed:
            self._files.tree.directory(number)
        return number

    def _create(self, caller: Instance, place: _Place, kind: type[Node]) -> int:
        assert place.name is not None
        tree = self._files.tree
        tree.require_place(place.directory, kind is Directory)
        more = CHARGE + len(place.name.encode())
        caller.arenas.storage_room(tree.used, more, least=more)
        return tree.create(place.directory, place.name, kind, self._files.now())


def _kind(node: Node) -> int:
    return _FILE_KIND if isinstance(node, File) else _DIRECTORY_KIND


def _require_times(which: int) -> None:
    if which > 15 or which & 3 == 3 or which & 12 == 12:
        raise Refused(Errno.INVAL)


def _position(value: int) -> int:
    """A place in a file."""
    if not 0 <= value <= _MOST:
        raise Refused(Errno.INVAL)
    return value


def _path(memory: Memory, start: int, size: int) -> str:
    """The path in a guest's memory."""
    check(memory, start, size)
    if size > _MAX_PATH_BYTES:
        raise Refused(Errno.NAMETOOLONG)
    try:
        path = bytes(memory[start : start + size]).decode()
    except UnicodeDecodeError:
        raise Refused(Errno.ILSEQ) from None
    if not path:
        raise Refused(Errno.NOENT)
    if path.startswith("/"):
        raise Refused(Errno.PERM)
    if "\0" in path:
        raise Refused(Errno.INVAL)
    return path
