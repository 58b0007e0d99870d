"""svm: a process virtual machine for Python hosts.

`load` or `compile` gives a `Module`, `Module.spawn` a `Guest` with limits of its own, `Guest.call` a result;
`Guest.start` gives a `Task` that runs in slices.  Whatever goes wrong is an `Error`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svm.devices import Console
    from svm.embed import ENGINES, Module, compile, load
    from svm.errors import (
        Error,
        ExhaustionError,
        ExitError,
        GuestError,
        InvalidError,
        LimitError,
        LinkError,
        MalformedError,
        ModuleError,
        TrapError,
        UncaughtError,
        UsageError,
    )
    from svm.limits import Limits
    from svm.runtime import Exited, Finished, Guest, HostFunction, Outcome, Paused, Task, Trapped

__all__ = [
    "ENGINES",
    "Console",
    "Error",
    "ExhaustionError",
    "ExitError",
    "Exited",
    "Finished",
    "Guest",
    "GuestError",
    "HostFunction",
    "InvalidError",
    "LimitError",
    "Limits",
    "LinkError",
    "MalformedError",
    "Module",
    "ModuleError",
    "Outcome",
    "Paused",
    "Task",
    "TrapError",
    "Trapped",
    "UncaughtError",
    "UsageError",
    "compile",
    "load",
]

_HOMES = {
    "svm.devices": ("Console",),
    "svm.embed": ("ENGINES", "Module", "compile", "load"),
    "svm.limits": ("Limits",),
    "svm.runtime": ("Exited", "Finished", "Guest", "HostFunction", "Outcome", "Paused", "Task", "Trapped"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that a command pays for what it uses."""
    if name not in __all__:
        raise AttributeError(f"module 'svm' has no attribute {name!r}")
    value = getattr(import_module(_HOME.get(name, "svm.errors")), name)
    globals()[name] = value
    return value
