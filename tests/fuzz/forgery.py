"""What is done with a snapshot that may be forged: load it, restore it, go on for a little, within small limits.

Whatever it is, that ends soon, in a guest that can be used or in an error of svm's own tree; anything else escapes.
And what passes for a snapshot is one: engines agree on how it goes on.
"""

from __future__ import annotations

from typing import Any

from svm import Error, LimitError, Limits, LinkError, Snapshot, SnapshotError, Storage, Store
from svm.runtime import FunctionInstance, Task
from tests.fuzz.mutants import Mutant
from tests.fuzz.runs import NATIVE, REFERENCE, Difference, clip
from tests.fuzz.snapshots import known, restored
from tests.fuzz.survival import readable
from tests.fuzz.values import bits

__all__ = ["survive_snapshot"]

LIMITS = Limits(fuel=1 << 61, memory="2 MiB", stack="64 KiB", table_elements=1_000, storage="1 MiB")
_FUEL = 3_000
_CALLS = 2
_BOTH = 3  # one in so many that can be restored goes on on the reference engine too, and they must agree
_AGAIN = 4


def survive_snapshot(mutant: Mutant, number: int, engine: str = NATIVE) -> str:
    """How far a file gets.  Raises what no file may cause."""
    try:
        snapshot = Snapshot.load(mutant.data, modules=known())
    except SnapshotError as error:
        return readable("refused", error)
    try:
        store = restored(snapshot, engine, LIMITS)
    except (LinkError, LimitError, SnapshotError) as error:
        return readable(f"not restored: {type(error).__name__}", error)
    ends = live(store, number)
    if number % _BOTH == 0:
        others = live(restored(snapshot, REFERENCE, LIMITS), number)
        if ends != others:
            raise Difference(f"{clip(ends)} on {engine}, {clip(others)} on the reference engine")
    return "restored"


def live(store: Store, number: int) -> list[Any]:
    """Go on with what is under way, call what is exported, take a snapshot; how all that went."""
    ends: list[Any] = []
    task = store.task
    if task is not None:
        ends.append(gone_on(task))
        ends.append(store.stack.record() if store.task is not None else None)
    if number % _AGAIN == 0 and store.guests:
        again = Snapshot.load(store.guests[0].snapshot().to_bytes(externs=bytes))
        assert again.state.globals == store.arenas.globals.tobytes()
        ends.append(again.state.record)
    if store.task is not None:
        store.task.cancel()
    ends.append([used(device) for grants in store.grants for device in grants.devices if isinstance(device, Storage)])
    for guest in store.guests[:2]:
        functions = [item for item in guest.exports.values() if isinstance(item, FunctionInstance)]
        for function in functions[:_CALLS]:
            if not function.type.params:
                ends.append(gone_on(store.start(function)))
                if store.task is not None:
                    store.task.cancel()
    ends.append(store.fuel_used)
    ends.append([bytes(memory.data[: memory.size]) for memory in store.survey().memories])
    ends.append(store.arenas.globals.tolist())
    store.close()
    return ends


def used(storage: Storage) -> Any:
    """Look at files, change them, close what is open; what they were."""
    found = dict(storage), storage.directories, storage.used
    for path in storage:
        storage[path] = b"changed"
    for number in list(storage._files.descriptors):
        storage._files.close(number)
    storage.clear()
    assert storage.used == sum(512 + len(path.rpartition("/")[2].encode()) for path in storage.directories)
    return found


def gone_on(task: Task) -> str:
    """How a call goes on."""
    try:
        outcome = task.run(fuel=_FUEL)
    except Error as error:
        return f"{type(error).__name__}: {error}"
    value = getattr(outcome, "value", None)
    values = value if isinstance(value, tuple) else (value,)
    shown = [bits_of(item) for item in values]
    return f"{type(outcome).__name__} {shown} {getattr(outcome, 'error', None)} {outcome.fuel_used}"


def bits_of(value: Any) -> Any:
    """A value in a form that tells no more than what engines agree on."""
    from svm.isa import F64

    if isinstance(value, float):
        return "nan" if value != value else bits(F64, value)
    return getattr(value, "number", value)
