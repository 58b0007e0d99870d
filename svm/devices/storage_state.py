"""What a storage holds, as bytes and pages, and back (docs/snapshot-format.md).

In comes an image of a tree with the descriptors that are open; out comes a state that a file keeps; and back, where it
may be anything.  Invariant: sizes, names, shape and descriptors are checked, and held against the limit, before a page
is looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from svm.devices.descriptors import MAX_DESCRIPTORS, Descriptor
from svm.devices.state import DeviceState, StatefulDevice, unfit
from svm.devices.tree import (
    CHARGE,
    FIRST,
    MAX_DEPTH,
    MAX_FILE_BYTES,
    ROOT,
    Directory,
    File,
    Image,
    Node,
    check_name,
)  # fmt: skip
from svm.devices.wasi import Refused
from svm.errors import LimitError, ModuleError
from svm.limits import SNAPSHOT_PAGE
from svm.module.leb import unsigned
from svm.module.pieces import text, vector
from svm.module.reader import Reader

__all__ = ["StorageState", "read_state"]

_NODE, _FILE, _DESCRIPTOR = struct.Struct("<QQBQQ"), struct.Struct("<Q"), struct.Struct("<QBBQ")
_FOLLOWING = struct.Struct("<Q")
_READS, _WRITES, _PREOPENED = 1, 2, 4
_DIRECTORY_KIND, _FILE_KIND = 3, 4  # as WASI's
_MOST_NUMBER = 1 << 62
_MOST_POSITION = 1 << 63
_MOST_FLAGS = 31
_MOST_NODES = 1 << 26


class StorageState(DeviceState):
    """See the module's docstring."""

    def __init__(self, image: Image, descriptors: Mapping[int, Descriptor]) -> None:
        super().__init__(b"")
        self.image = image
        self.descriptors = descriptors

    def data(self) -> bytes:
        """See `DeviceState`."""
        nodes = [_node(number, parent, name, node) for number, parent, name, node in self._walk()]
        descriptors = [
            unsigned(number)
            + _DESCRIPTOR.pack(
                item.node, _READS * item.reads | _WRITES * item.writes | _PREOPENED * item.preopened, item.flags,
                item.position,
            )
            for number, item in self.descriptors.items()
        ]  # fmt: skip
        return _FOLLOWING.pack(self.image.following) + vector(nodes) + vector(descriptors)

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """See `DeviceState`: the contents of the files, each from a page's beginning on."""
        first = 0
        for _, _, _, node in self._walk():
            if isinstance(node, File):
                for number, block in node.blocks:
                    yield first + number, block.ljust(SNAPSHOT_PAGE, b"\0")
                first += _pages(node.size)

    def _walk(self) -> Iterator[tuple[int, int, str, Node]]:
        """Number, number of its directory, name and node; a directory before what is in it, then what no one has."""
        nodes = self.image.nodes
        yield ROOT, 0, "", nodes[ROOT]
        left = [ROOT]
        while left:
            parent = left.pop()
            node = nodes[parent]
            assert isinstance(node, Directory)
            for name, number in node.entries.items():
                yield number, parent, name, nodes[number]
                if isinstance(nodes[number], Directory):
                    left.append(number)
        for number, node in nodes.items():
            if not node.linked:
                yield number, 0, "", node


def _pages(size: int) -> int:
    return -(-size // SNAPSHOT_PAGE)


def _node(number: int, parent: int, name: str, node: Node) -> bytes:
    kind = _FILE_KIND if isinstance(node, File) else _DIRECTORY_KIND
    head = _NODE.pack(number, parent, kind, node.accessed, node.modified) + text(name)
    return head + _FILE.pack(node.size) if isinstance(node, File) else head


def read_state(device: StatefulDevice, state: DeviceState, limit: int | None) -> StorageState:
    """What a state says.  limit: bytes that it may take.  Raises SnapshotError, and LimitError before pages are looked
    at."""
    found = state if isinstance(state, StorageState) else state.made
    if not isinstance(found, StorageState):
        data = state.data()
        parser = _Parser(device, data)
        try:
            found = parser.state()
            parser.finish()
        except ModuleError as error:
            raise unfit(device, error.message) from None
        _require_room(found, limit)
        parser.fill(state)
        state.made = found
    _require_room(found, limit)
    return found


def _require_room(found: StorageState, limit: int | None) -> None:
    used = found.image.used
    if limit is not None and used > limit:
        raise LimitError(f"the snapshot's storage needs {used} bytes, the limit is {limit}", "storage", limit)


class _Parser(Reader):
    """Reads a storage's state."""

    def __init__(self, device: StatefulDevice, data: bytes) -> None:
        super().__init__(data, 0, len(data), None)
        self._device = device
        self._nodes: dict[int, Node] = {}
        self._depths = {ROOT: 0}
        self._files: list[File] = []
        self._used = 0

    def state(self) -> StorageState:
        """All but the files' contents."""
        (following,) = self._unpack(_FOLLOWING)
        if not FIRST <= following <= _MOST_NUMBER:
            raise self.fail(f"the next file cannot have the number {following}")
        self.vector(lambda: self._node(following), _MOST_NODES)
        if ROOT not in self._nodes:
            raise self.fail("it has no root")
        return StorageState(Image(self._nodes, following, self._used), self._descriptors())

    def _unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        return layout.unpack(self.take(layout.size))

    def _node(self, following: int) -> None:
        number, parent, kind, accessed, modified = self._unpack(_NODE)
        name = self.text()
        if number in self._nodes or not ROOT <= number < following:
            raise self.fail(f"a file with the number {number}")
        node: Node
        if kind == _FILE_KIND:
            node = File(accessed, modified, self._unpack(_FILE)[0])
            if node.size > MAX_FILE_BYTES:
                raise self.fail(f"a file of {node.size} bytes")
            self._files.append(node)
        elif kind == _DIRECTORY_KIND:
            node = Directory(accessed, modified, parent or ROOT)
        else:
            raise self.fail(f"a file of the kind {kind}")
        if not self._nodes:
            if (number, parent, name, kind) != (ROOT, 0, "", _DIRECTORY_KIND):
                raise self.fail("the first of its files is not the root")
        else:
            self._place(number, parent, name, node)
            self._used += CHARGE + node.size + len(name.encode())
        self._nodes[number] = node

    def _place(self, number: int, parent: int, name: str, node: Node) -> None:
        """Put a node into its directory, which stands before it."""
        if not parent:
            node.linked = False
            if name:
                raise self.fail(f"{name!r:.80} has a name, but no directory")
            return
        directory = self._nodes.get(parent)
        if not isinstance(directory, Directory) or not directory.linked:
            raise self.fail(f"{name!r:.80} is in {parent}, which is no directory before it")
        try:
            check_name(name)
        except Refused:
            raise self.fail(f"{name!r:.80} is no name of a file") from None
        if name in directory.entries:
            raise self.fail(f"{name!r:.80} is there twice")
        directory.entries[name] = number
        if isinstance(node, Directory):
            depth = self._depths[number] = self._depths[parent] + 1
            if depth > MAX_DEPTH:
                raise self.fail(f"more than {MAX_DEPTH} directories below one another")

    def _descriptors(self) -> dict[int, Descriptor]:
        found: dict[int, Descriptor] = {}

        def read() -> None:
            number = self.u32()
            node, rights, flags, position = self._unpack(_DESCRIPTOR)
            there = self._nodes.get(node)
            if number in found or there is None:
                raise self.fail(f"descriptor {number} of file {node}")
            if rights > (_READS | _WRITES | _PREOPENED) or flags > _MOST_FLAGS or position >= _MOST_POSITION:
                raise self.fail(f"descriptor {number} is for {rights:#x} {flags:#x} at {position}")
            if isinstance(there, Directory) and (rights & _WRITES or position):
                raise self.fail(f"descriptor {number} of a directory is for {rights:#x} at {position}")
            if rights & _PREOPENED and node != ROOT:
                raise self.fail(f"descriptor {number} was not open from the start")
            found[number] = Descriptor(
                node, bool(rights & _READS), bool(rights & _WRITES), flags, position, bool(rights & _PREOPENED)
            )

        self.vector(read, MAX_DESCRIPTORS)
        opened = {item.node for item in found.values()}
        lost = next((number for number, node in self._nodes.items() if not node.linked and number not in opened), None)
        if lost is not None:
            raise self.fail(f"file {lost} is in no directory, and nobody has it open")
        return found

    def fill(self, state: DeviceState) -> None:
        """Put the pages into the files."""
        files = iter(self._files)
        file, first, end = File(), 0, 0
        seen: dict[bytes, bytes] = {}  # one block may stand for many
        for number, page in state.pages():
            while number >= end:
                following = next(files, None)
                if following is None:
                    raise unfit(self._device, "pages behind those of its files")
                file, first = following, end
                end += _pages(file.size)
            block = page.rstrip(b"\0")
            if (number - first) * SNAPSHOT_PAGE + len(block) > file.size:
                raise unfit(self._device, "a file's content is longer than the file")
            if block:
                file.blocks[number - first] = seen.setdefault(block, block)
