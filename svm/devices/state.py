"""Devices whose state is part of a snapshot.

In: a device of a guest. Out: its state as bytes, and back. Invariant: what comes back may be anything, and gives a
guest no more than its new device was made to give.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from svm.errors import SnapshotError
from svm.hints import ClassVar, Self

__all__ = ["StatefulDevice"]


class StatefulDevice(ABC):
    """A device that goes with its guest into snapshots and clones.  kind: its name in them."""

    kind: ClassVar[str]

    @abstractmethod
    def twin(self) -> Self:
        """A device for a clone of the guest: the same grants and the same state, from then on its own."""

    @abstractmethod
    def state(self) -> bytes:
        """Its state."""

    @abstractmethod
    def restore(self, state: bytes, *, replica: bool) -> None:
        """Take up a state.  replica: the guest is to run just as the one did whose state it is, else what should differ
        between guests does.  Raises SnapshotError where it is no state of such a device.
        """


def unfit(device: StatefulDevice) -> SnapshotError:
    """The error for bytes that are no state of a device."""
    return SnapshotError(f"these bytes are no state of a device of kind {device.kind!r}")
