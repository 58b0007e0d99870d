"""svm: a process virtual machine for Python hosts.

`load` or `compile` gives a `Module`, `Module.spawn` a `Guest` with limits of its own, `Guest.call` a result;
`Guest.start` gives a `Task` that runs in slices.  Guests that are to be linked live in one `Store`.  Whatever goes
wrong is an `Error`.
"""

from __future__ import annotations

from svm.hints import TYPE_CHECKING
from svm.lazy import lazily

if TYPE_CHECKING:
    from svm.devices import Clock, Console, Entropy, Storage
    from svm.embed import Module, compile, load
    from svm.engines.named import ENGINES
    from svm.errors import (
        Error,
        ExhaustionError,
        ExitError,
        GuestError,
        InterfaceError,
        InvalidError,
        LimitError,
        LinkError,
        MalformedError,
        ModuleError,
        SnapshotError,
        StoppedError,
        TrapError,
        UncaughtError,
        UsageError,
    )
    from svm.limits import Limits
    from svm.runtime import Exited, Finished, HostFunction, Outcome, Paused, Suspend, Suspended, Task, Trapped
    from svm.snapshot import Guest, Snapshot, Store
    from svm.snapshot.checkpoints import Checkpoint, CheckpointStore
else:
    __getattr__ = lazily(__name__, {
        "svm.devices": ("Clock", "Console", "Entropy", "Storage"),
        "svm.embed": ("Module", "compile", "load"),
        "svm.engines.named": ("ENGINES",),
        "svm.errors": (
            "Error", "ExhaustionError", "ExitError", "GuestError", "InterfaceError", "InvalidError", "LimitError",
            "LinkError", "MalformedError", "ModuleError", "SnapshotError", "StoppedError", "TrapError",
            "UncaughtError", "UsageError",
        ),
        "svm.limits": ("Limits",),
        "svm.runtime": (
            "Exited", "Finished", "HostFunction", "Outcome", "Paused", "Suspend", "Suspended", "Task", "Trapped",
        ),
        "svm.snapshot": ("Guest", "Snapshot", "Store"),
        "svm.snapshot.checkpoints": ("Checkpoint", "CheckpointStore"),
    })  # fmt: skip

__all__ = [
    "ENGINES",
    "Checkpoint",
    "CheckpointStore",
    "Clock",
    "Console",
    "Entropy",
    "Error",
    "ExhaustionError",
    "ExitError",
    "Exited",
    "Finished",
    "Guest",
    "GuestError",
    "HostFunction",
    "InterfaceError",
    "InvalidError",
    "LimitError",
    "Limits",
    "LinkError",
    "MalformedError",
    "Module",
    "ModuleError",
    "Outcome",
    "Paused",
    "Snapshot",
    "SnapshotError",
    "StoppedError",
    "Storage",
    "Store",
    "Suspend",
    "Suspended",
    "Task",
    "TrapError",
    "Trapped",
    "UncaughtError",
    "UsageError",
    "compile",
    "load",
]
