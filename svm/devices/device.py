"""What a guest is granted: devices, host functions, and what else a host fills its imports with.

In: what a host gives. Out: what fills imports, by module and name. Invariant: these are rights, and a snapshot keeps
none of them: who restores one in another process grants anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from svm.devices.console import NoConsole
from svm.devices.state import DescriptorDevice, DeviceState, StatefulDevice
from svm.errors import LinkError, UsageError
from svm.hints import Any, Protocol, Self
from svm.limits import Limits
from svm.record import record
from svm.runtime import Extern, Guest, HostFunction, Store

__all__ = ["Device", "Grants", "Imports"]

Imports = Mapping[str, "Guest | Mapping[str, Extern | HostFunction | Callable[..., Any]]"]
"""What fills imports, by module name: things by name, or a guest of the same store, which gives its exports."""


class Device(Protocol):
    """Something of the outside world that a guest can be granted: it fills imports."""

    def imports(self) -> Mapping[str, Mapping[str, HostFunction]]:
        """Host functions by module and name."""


@record(frozen=False, eq=False)
class Grants:
    """What one guest was granted; see `svm.Store.spawn`."""

    devices: tuple[Device, ...]
    host: Mapping[str, Callable[..., Any] | HostFunction]
    imports: Imports

    def filled(self, store: Store) -> Mapping[str, Mapping[str, Any]]:
        """All that fills imports, by module and name; what is given last wins."""
        filled: dict[str, Mapping[str, Any]] = dict(NoConsole().imports())
        for device in self.devices:
            if not isinstance(device, DescriptorDevice):
                for space, functions in device.imports().items():
                    filled[space] = {**filled.get(space, {}), **functions}
        for device in self.devices:
            if isinstance(device, DescriptorDevice):  # over all that the others fill, wherever it stands among them
                filled.update(device.over(filled))
        if self.host:
            filled["host"] = {**filled.get("host", {}), **self.host}
        for space, given in self.imports.items():
            if isinstance(given, Guest):
                if given.store is not store:
                    raise LinkError(f"imports of {space!r}: {given!r} belongs to another store")
                given = given.exports
            elif not isinstance(given, Mapping):
                raise UsageError(f"imports of {space!r}: names with what fills them, or a guest, not {given!r:.80}")
            filled[space] = {**filled.get(space, {}), **given}
        return filled

    def twin(
        self,
        devices: tuple[Device, ...] | None = None,
        host: Mapping[str, Callable[..., Any] | HostFunction] | None = None,
        imports: Imports | None = None,
        *,
        twins: dict[int, Device],
    ) -> Self:
        """The same for a clone of the guest, or others where others are given.

        What other guests fill is left out, for they are linked by the clone's own store.  twins: of devices by their
        `id`, so that what guests share their clones share, too.
        """
        if devices is None:
            devices = tuple(_twin(device, twins) for device in self.devices)
        if imports is None:
            imports = {space: given for space, given in self.imports.items() if not isinstance(given, Guest)}
        return type(self)(devices, self.host if host is None else host, imports)

    @property
    def states(self) -> tuple[tuple[str, DeviceState], ...]:
        """Kind and state of each device that has one."""
        return tuple((item.kind, item.state()) for item in self.devices if isinstance(item, StatefulDevice))

    def restore(
        self, states: tuple[tuple[str, DeviceState], ...], *, replica: bool, limits: Limits | None = None
    ) -> None:
        """Give devices states, each the next of its kind; see `StatefulDevice.restore`."""
        left = list(states)
        for device in self.devices:
            if isinstance(device, StatefulDevice):
                for at, (kind, state) in enumerate(left):
                    if kind == device.kind:
                        device.restore(state, replica=replica, limits=limits)
                        del left[at]
                        break


def _twin(device: Device, twins: dict[int, Device]) -> Device:
    if isinstance(device, StatefulDevice) and id(device) not in twins:
        twins[id(device)] = device.twin()
    return twins.get(id(device), device)
