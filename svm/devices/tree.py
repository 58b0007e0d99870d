"""A tree of files and directories that lies in memory: what a storage is made of.

In come numbers of nodes, names and bytes; out come what there is, or a `Refused` with WASI's number for what is wrong.
Invariant: an `Image` of the tree never changes.  What an image has is copied before it is changed, a directory at a
time, or a part of a file's list of blocks.  So an image costs nothing when it is taken, and then as much as is changed,
whatever the files hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from svm.devices.blocks import BLOCK, Blocks
from svm.devices.wasi import Errno, Refused
from svm.record import record

__all__ = ["CHARGE", "FIRST", "MAX_DEPTH", "MAX_FILE_BYTES", "MAX_NAME_BYTES", "ROOT", "Directory", "File", "Image",
           "Node", "Tree", "check_name"]  # fmt: skip

ROOT = 2
"""The number of the root; 1 and 2 are places that a listing gives to `.` and `..`."""

FIRST = 3
"""The least number of any other node."""

CHARGE = 512
"""Bytes that a file or directory takes of the limit, beside its name and its content: about what it takes of memory."""

MAX_NAME_BYTES = 255
MAX_DEPTH = 100
"""Directories below one another, the root not counted, so that a path is never long."""

MAX_FILE_BYTES = (1 << 32) - 1


class File:
    """A file's content, and what is known of it.

    accessed, modified: times in nanoseconds.  linked: whether a directory has it.
    """

    __slots__ = ("accessed", "blocks", "linked", "modified", "size")

    def __init__(self, accessed: int = 0, modified: int = 0, size: int = 0) -> None:
        self.accessed = accessed
        self.modified = modified
        self.linked = True
        self.size = size
        self.blocks = Blocks()

    def copy(self) -> File:
        """Another with the same content; this one is not changed any more."""
        found = File(self.accessed, self.modified, self.size)
        found.linked, found.blocks = self.linked, self.blocks.copy()
        return found

    def read(self, start: int, size: int) -> bytes:
        """Bytes from a place on, as far as there are any."""
        end = min(start + size, self.size)
        if start >= end:
            return b""
        first = start // BLOCK
        blocks = (self.blocks[number].ljust(BLOCK, b"\0") for number in range(first, -(-end // BLOCK)))
        return b"".join(blocks)[start - first * BLOCK : end - first * BLOCK]

    def write(self, start: int, data: bytes) -> None:
        """Put bytes at a place; what lies between the end and that is zero."""
        at = 0
        while at < len(data):
            number, skipped = divmod(start + at, BLOCK)
            part = data[at : at + BLOCK - skipped]
            at += len(part)
            if len(part) < BLOCK:
                old = self.blocks[number]
                part = old[:skipped].ljust(skipped, b"\0") + part + old[skipped + len(part) :]
            self.blocks[number] = part
        self.size = max(self.size, start + len(data))

    def resize(self, size: int) -> None:
        """Cut it, or lengthen it by zeros."""
        if size < self.size:
            whole, rest = divmod(size, BLOCK)
            last = self.blocks[whole][:rest]
            self.blocks.cut(whole)
            self.blocks[whole] = last
        self.size = size


class Directory:
    """Numbers of nodes by their names.  parent: number of the directory that has it; the root is its own."""

    __slots__ = ("accessed", "entries", "linked", "modified", "parent")

    def __init__(self, accessed: int = 0, modified: int = 0, parent: int = ROOT) -> None:
        self.accessed = accessed
        self.modified = modified
        self.linked = True
        self.parent = parent
        self.entries: dict[str, int] = {}

    size = 0

    def copy(self) -> Directory:
        """Another with the same entries."""
        found = Directory(self.accessed, self.modified, self.parent)
        found.linked, found.entries = self.linked, dict(self.entries)
        return found


Node = File | Directory


@record(eq=False)
class Image:
    """A tree at one time.  following: number of the next node.  used: bytes of the limit of storage."""

    nodes: dict[int, Node]
    following: int
    used: int


def check_name(name: str) -> None:
    """Refuse what can be no name of an entry."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise Refused(Errno.INVAL)
    if len(name.encode()) > MAX_NAME_BYTES:
        raise Refused(Errno.NAMETOOLONG)


class Tree:
    """The tree as it is.  used: bytes of the limit of storage that it takes."""

    def __init__(self, image: Image | None = None) -> None:
        self.put(image or Image({ROOT: Directory()}, FIRST, 0))

    def put(self, image: Image) -> None:
        """Become what an image is."""
        self._nodes, self._following, self.used = image.nodes, image.following, image.used
        self._own: set[int] = set()  # numbers of nodes that no image has
        self._apart = False  # whether no image has `_nodes`

    def image(self) -> Image:
        """What it is now, which it shares from then on."""
        self._own, self._apart = set(), False
        return Image(self._nodes, self._following, self.used)

    def __getitem__(self, number: int) -> Node:
        """A node, to be looked at."""
        return self._nodes[number]

    def directory(self, number: int) -> Directory:
        """A directory, to be looked at.  Raises Refused for a file."""
        node = self._nodes[number]
        if not isinstance(node, Directory):
            raise Refused(Errno.NOTDIR)
        return node

    def _apart_nodes(self) -> dict[int, Node]:
        if not self._apart:
            self._nodes, self._apart = dict(self._nodes), True
        return self._nodes

    def _changing(self, number: int) -> Node:
        """A node, to be changed."""
        nodes = self._apart_nodes()
        if number not in self._own:
            nodes[number] = nodes[number].copy()
            self._own.add(number)
        return nodes[number]

    def _changing_file(self, number: int) -> File:
        node = self._changing(number)
        assert isinstance(node, File)
        return node

    def _changing_directory(self, number: int, now: int) -> Directory:
        node = self._changing(number)
        assert isinstance(node, Directory)
        node.modified = now
        return node

    # Files

    def write(self, number: int, start: int, data: bytes, now: int) -> None:
        """Put bytes into a file."""
        file = self._changing_file(number)
        self.used += max(start + len(data) - file.size, 0)
        file.write(start, data)
        file.modified = now

    def resize(self, number: int, size: int, now: int) -> None:
        """Cut or lengthen a file."""
        file = self._changing_file(number)
        self.used += size - file.size
        file.resize(size)
        file.modified = now

    def set_times(self, number: int, accessed: int | None, modified: int | None) -> None:
        """Set the times of a node that are given."""
        node = self._changing(number)
        node.accessed = node.accessed if accessed is None else accessed
        node.modified = node.modified if modified is None else modified

    # Directories

    def require_place(self, directory: int, height: int) -> None:
        """Raise Refused unless a node can come into a directory.  height: see `height`."""
        if not self.directory(directory).linked:
            raise Refused(Errno.NOENT)
        if height and self.depth(directory) + height > MAX_DEPTH:
            raise Refused(Errno.NAMETOOLONG)

    def create(self, directory: int, name: str, kind: type[Node], now: int) -> int:
        """Make an empty file or directory; its number.  There is nothing of the name yet.  Raises Refused."""
        self.require_place(directory, kind is Directory)
        number = self._following
        self._following += 1
        self._apart_nodes()[number] = Directory(now, now, directory) if kind is Directory else File(now, now)
        self._own.add(number)
        self._changing_directory(directory, now).entries[name] = number
        self.used += CHARGE + len(name.encode())
        return number

    def unlink(self, directory: int, name: str, now: int) -> int:
        """Take a node out of its directory; its number.  It is there until it is dropped."""
        number = self._changing_directory(directory, now).entries.pop(name)
        node = self._changing(number)
        node.linked = False
        if isinstance(node, Directory):
            node.parent = ROOT  # its own may be forgotten before it is
        self.used -= len(name.encode())
        return number

    def drop(self, number: int) -> None:
        """Forget a node that no directory has."""
        node = self._apart_nodes().pop(number)
        self._own.discard(number)
        self.used -= CHARGE + node.size

    def rename(self, source: tuple[int, str], target: tuple[int, str], now: int) -> None:
        """Have a node in another place, which is one for it and where there is nothing."""
        (old, old_name), (new, new_name) = source, target
        number = self._changing_directory(old, now).entries.pop(old_name)
        if isinstance(self._nodes[number], Directory):
            moved = self._changing(number)
            assert isinstance(moved, Directory)
            moved.parent = new
        self._changing_directory(new, now).entries[new_name] = number
        self.used += len(new_name.encode()) - len(old_name.encode())

    def is_within(self, number: int, outer: int) -> bool:
        """Whether a directory is another one, or lies somewhere below it."""
        while number not in (outer, ROOT):
            number = self.directory(number).parent
        return number == outer

    def depth(self, number: int) -> int:
        """How many directories lie between a directory and the root, itself counted."""
        depth = 0
        while number != ROOT:
            number = self.directory(number).parent
            depth += 1
        return depth

    def height(self, number: int) -> int:
        """How many directories lie below one another in a node, itself counted."""
        height, level = 0, [number]
        while level := [item for item in level if isinstance(self._nodes[item], Directory)]:
            height += 1
            level = [child for item in level for child in self.directory(item).entries.values()]
        return height

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Path and node of all that is in the tree but the root, a directory before what is in it; what is removed
        meanwhile may be left out."""
        left = [("", ROOT)]
        while left:
            path, number = left.pop()
            node = self._nodes.get(number)
            if node is None:
                continue
            if number != ROOT:
                yield path, node
            if isinstance(node, Directory):
                before = f"{path}/" if path else ""
                left += [(before + name, child) for name, child in reversed(node.entries.items())]
