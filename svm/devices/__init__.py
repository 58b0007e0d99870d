"""What a guest can be granted of the outside world.

In: a host's streams, arguments and the like. Out: objects that fill a guest's imports (`imports()`), each with limits
of its own. Invariant: a guest sees nothing that the host did not grant, and whatever it passes to a device ends in an
answer or an error number, never in an exception of the host's.
"""

from svm.devices.clock import Clock
from svm.devices.console import Console, NoConsole
from svm.devices.device import Device, Grants, Imports
from svm.devices.entropy import Entropy
from svm.devices.state import DescriptorDevice, DeviceState, StatefulDevice
from svm.hints import TYPE_CHECKING
from svm.lazy import lazily

if TYPE_CHECKING:
    from svm.devices.storage import Storage
else:
    __getattr__ = lazily(__name__, {"svm.devices.storage": ("Storage",)})  # for a guest without does without it

__all__ = [
    "Clock",
    "Console",
    "DescriptorDevice",
    "Device",
    "DeviceState",
    "Entropy",
    "Grants",
    "Imports",
    "NoConsole",
    "StatefulDevice",
    "Storage",
]
