"""What a guest has open in a tree of files.

In come nodes that are opened, and numbers of descriptors; out come descriptors. Invariant: a node that no directory has
any more stays as long as somebody has it open, and no longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from svm.devices.tree import ROOT, Image, Tree
from svm.devices.wasi import Errno, Refused
from svm.record import record, replaced

__all__ = ["MAX_DESCRIPTORS", "Descriptor", "OpenFiles"]

PREOPENED = 3
"""The descriptor by which a guest reaches the root."""

MAX_DESCRIPTORS = 1024
_RESOLUTION = 1000  # nanoseconds, as the clock's


@record(frozen=False, eq=False)
class Descriptor:
    """A file or directory that the guest has open.

    node: its number in the tree.  reads, writes: what it was opened for.  flags: WASI's `fdflags`.  position: where the
    next byte is read or written.  preopened: whether the guest had it from the start.
    listing: names in a directory by the numbers of their nodes, in order, as they were when its listing began.
    """

    node: int
    reads: bool
    writes: bool
    flags: int = 0
    position: int = 0
    preopened: bool = False
    listing: tuple[list[int], list[str]] | None = None

    def copy(self) -> Descriptor:
        """Another one, whose listing is made anew when it is asked for."""
        return replaced(self, listing=None)


class OpenFiles:
    """A tree, and the descriptors by which a guest reaches it.

    read_only: whether the guest can change nothing.
    """

    def __init__(self, read_only: bool, realtime: Callable[[], int] | None) -> None:
        """realtime: nanoseconds since 1970; without it files tell no times."""
        self.read_only = read_only
        self.tree = Tree()
        self.descriptors = {PREOPENED: Descriptor(ROOT, reads=True, writes=False, preopened=True)}
        self._realtime = realtime

    def twin(self) -> OpenFiles:
        """The same, which both copy before they change it."""
        twin = OpenFiles(self.read_only, self._realtime)
        twin.put(self.tree.image(), self.descriptors)
        return twin

    def put(self, image: Image, descriptors: Mapping[int, Descriptor]) -> None:
        """Become what others were."""
        self.tree.put(image)
        self.descriptors = copied(descriptors)

    def now(self) -> int:
        """The time that files get."""
        if self._realtime is None:
            return 0
        now = self._realtime() & 0xFFFF_FFFF_FFFF_FFFF
        return now - now % _RESOLUTION

    def require_descriptor(self) -> None:
        """Raise Refused unless one more descriptor can be open."""
        if len(self.descriptors) >= MAX_DESCRIPTORS:
            raise Refused(Errno.MFILE)

    def open(self, descriptor: Descriptor) -> int:
        """The number of a new descriptor, the least that is free.  Raises Refused."""
        self.require_descriptor()
        number = PREOPENED
        while number in self.descriptors:
            number += 1
        self.descriptors[number] = descriptor
        return number

    def renumber(self, number: int, target: int) -> None:
        """Have a descriptor have another number, whose own is closed."""
        descriptor = self.descriptors.pop(number)
        if target in self.descriptors:
            self.close(target)
        self.descriptors[target] = descriptor

    def close(self, number: int) -> None:
        """Give up a descriptor."""
        self._forget(self.descriptors.pop(number).node)

    def remove(self, directory: int, name: str) -> None:
        """Take a node out of its directory."""
        self._forget(self.tree.unlink(directory, name, self.now()))

    def _forget(self, node: int) -> None:
        if not self.tree[node].linked and not any(item.node == node for item in self.descriptors.values()):
            self.tree.drop(node)


def copied(descriptors: Mapping[int, Descriptor]) -> dict[int, Descriptor]:
    """The same descriptors, which then change apart from these."""
    return {number: item.copy() for number, item in descriptors.items()}
