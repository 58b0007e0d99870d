"""Running: stores, instances, guests and their calls, host functions, and what an engine is.

In come a `ValidModule`, imports and limits; out comes a `Guest`.  All of a guest's state lies in its store and its
stack.
"""

from svm.runtime.engine import Engine, GuestStack, GuestThrow, GuestTrap, Status
from svm.runtime.guest import Exited, Finished, Guest, Outcome, Paused, Task, Trapped
from svm.runtime.link import Imports
from svm.runtime.store import (
    Extern,
    FunctionInstance,
    GlobalInstance,
    HostFunction,
    Instance,
    MemoryInstance,
    Store,
    TableInstance,
    TagInstance,
)

__all__ = [
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
    "TableInstance",
    "TagInstance",
    "Task",
    "Trapped",
]
