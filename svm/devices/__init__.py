"""What a guest can be granted of the outside world.

In: a host's streams, arguments and the like. Out: objects that fill a guest's imports (`imports()`), each with limits
of its own. Invariant: a guest sees nothing that the host did not grant, and whatever it passes to a device ends in an
answer or an error number, never in an exception of the host's.
"""

from svm.devices.clock import Clock
from svm.devices.console import Console, NoConsole
from svm.devices.device import Device, Grants, Imports
from svm.devices.entropy import Entropy
from svm.devices.state import StatefulDevice

__all__ = ["Clock", "Console", "Device", "Entropy", "Grants", "Imports", "NoConsole", "StatefulDevice"]
