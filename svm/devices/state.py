"""Devices whose state is part of a snapshot.

In: a device of a guest. Out: its state as bytes, and back. Invariant: what comes back may be anything, and gives a
guest no more than its new device was made to give.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from svm.errors import SnapshotError
from svm.hints import Any, ClassVar, Self
from svm.limits import Limits
from svm.runtime import HostFunction

__all__ = ["DescriptorDevice", "DeviceState", "StatefulDevice"]


class DeviceState:
    """What a device is made of at one time: a value, of which nothing changes any more."""

    made: Any = None
    """What a device made of it, where it came from a file: the next one need not make that again."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def data(self) -> bytes:
        """All of it but its pages."""
        return self._data

    def pages(self) -> Iterable[tuple[int, bytes]]:
        """What there may be much of: numbers, which ascend, and contents of pages of `svm.limits.SNAPSHOT_PAGE` bytes,
        without those that are all zero."""
        return ()


class StatefulDevice(ABC):
    """A device that goes with its guest into snapshots and clones.  kind: its name in them."""

    kind: ClassVar[str]

    @abstractmethod
    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """See `svm.devices.Device`."""

    @abstractmethod
    def twin(self) -> Self:
        """A device for a clone of the guest: the same grants and the same state, from then on its own."""

    @abstractmethod
    def state(self) -> DeviceState:
        """Its state."""

    @abstractmethod
    def restore(self, state: DeviceState, *, replica: bool, limits: Limits | None = None) -> None:
        """Take up a state.  replica: the guest is to run just as the one did whose state it is, else what should differ
        between guests does.  limits: new ones, if it comes under such, which are to have room for it.

        Raises SnapshotError where it is no state of such a device, LimitError where there is no room.
        """


class DescriptorDevice(StatefulDevice):
    """A device that answers calls of the same names as others do: each is for who has the descriptor that it names."""

    @abstractmethod
    def over(self, others: Mapping[str, Mapping[str, HostFunction]]) -> Mapping[str, Mapping[str, HostFunction]]:
        """What fills imports, by module and name.  others: what would fill them without this device, and answers the
        calls that name none of its descriptors.
        """


def unfit(device: StatefulDevice, why: str = "") -> SnapshotError:
    """The error for bytes that are no state of a device."""
    return SnapshotError(f"these bytes are no state of a device of kind {device.kind!r}{why and f': {why}'}")
