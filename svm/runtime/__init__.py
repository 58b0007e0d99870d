"""Running: stores, instances, guests and their calls, host functions, and what an engine is.

In come a `ValidModule`, imports and a `Store` with limits; out comes a `Guest`.  All state of a store's guests lies in
its arenas and its stack.
"""

from svm.runtime.arenas import (
    Arenas,
    Extern,
    FunctionInstance,
    GlobalInstance,
    HostFunction,
    Instance,
    MemoryInstance,
    TableInstance,
    TagInstance,
)
from svm.runtime.engine import Engine, GuestStack, GuestThrow, GuestTrap, Status, Tiers
from svm.runtime.guest import Guest
from svm.runtime.link import Imports
from svm.runtime.outcome import Exited, Finished, Outcome, Paused, Suspended, Trapped
from svm.runtime.store import Store
from svm.runtime.task import Task
from svm.runtime.waits import Suspend

__all__ = [
    "Arenas",
    "Engine",
    "Exited",
    "Extern",
    "Finished",
    "FunctionInstance",
    "GlobalInstance",
    "Guest",
    "GuestStack",
    "GuestThrow",
    "GuestTrap",
    "HostFunction",
    "Imports",
    "Instance",
    "MemoryInstance",
    "Outcome",
    "Paused",
    "Status",
    "Store",
    "Suspend",
    "Suspended",
    "TableInstance",
    "TagInstance",
    "Task",
    "Tiers",
    "Trapped",
]
