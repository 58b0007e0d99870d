"""The life of guests: spawned into a store, snapshotted, restored anywhere, cloned, rolled back.

In come checked modules and what their guests are granted, or snapshots; out come guests that run.  Invariant: a
snapshot is a value.  Nothing that happens to the guest it was taken of, or to those made from it, changes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike

from svm.devices import DescriptorDevice, Device, Grants, Imports
from svm.engines.named import engine_named
from svm.errors import UsageError
from svm.hints import TYPE_CHECKING, Any, Protocol
from svm.limits import Limits
from svm.module import ValidModule
from svm.runtime import Engine, HostFunction, Instance
from svm.runtime import Guest as RuntimeGuest
from svm.runtime import Store as RuntimeStore

if TYPE_CHECKING:
    from svm.snapshot.state import State, Survey

__all__ = ["Guest", "Snapshot", "Store"]

_NO_LIMITS = Limits()


class Checked(Protocol):
    """What holds a checked module, as `svm.Module`."""

    valid: ValidModule


class Store(RuntimeStore):
    """A place for guests that are linked together: they share its limits, fuel, stack, engine and thread.

    grants: what each instance was granted.  latest: the snapshot that was last taken of it, or that it is made from.
    """

    def __init__(
        self, *, engine: str | Engine = "auto", limits: Limits | None = None, canonical_nans: bool = False
    ) -> None:
        """An empty store.  engine: a name in `ENGINES`, or an engine.  canonical_nans: the NaNs that arithmetic makes
        have the same bits on every engine and processor; else compiled code leaves them what the processor gave, which
        may differ in sign and payload.  Raises UsageError for any other name of an engine.
        """
        super().__init__(engine_named(engine) if isinstance(engine, str) else engine, limits or _NO_LIMITS)
        self.arenas.canonical_nans = canonical_nans
        self.grants: list[Grants] = []
        self.latest: Snapshot | None = None
        self._guests: dict[int, Guest] = {}
        self._survey: Survey | None = None

    def spawn(
        self,
        module: Checked,
        *,
        devices: Sequence[Device] = (),
        host: Mapping[str, Callable[..., Any] | HostFunction] | None = None,
        imports: Imports | None = None,
    ) -> Guest:
        """A guest of this store.

        host: functions for the imports of module "host", by name.  imports: whatever fills imports, by module name: a
        guest of this store gives its exports.  devices: what it is granted of the outside world; without any, what it
        would do to a console is refused to it.

        Raises LinkError where something is missing, does not fit or belongs to another store, and LimitError where a
        limit has no room for the module; then nothing has changed.  Raises GuestError where a segment does not fit or
        the start function fails: what was written before stays.  Where the start function meets a limit it is paused:
        `LimitError.guest` is the guest, whose `task` can go on.
        """
        return Guest(self, module.valid, Grants(tuple(devices), host or {}, imports or {}))

    def close(self) -> None:
        """See `svm.runtime.Store`."""
        super().close()
        self._guests.clear()  # they refer to the store, and neither should wait for the other to go

    @property
    def guests(self) -> tuple[Guest, ...]:
        """The guests that live here, in the order in which they came."""
        return tuple(self.guest_of(instance) for instance in self.arenas.instances)

    def guest_of(self, instance: Instance) -> Guest:
        """The guest that is an instance of the store."""
        found = self._guests.get(instance.number)
        return Guest.of(self, instance) if found is None else found

    def survey(self) -> Survey:
        """What is in the store.  Raises UsageError where no snapshot can be taken of it."""
        from svm.snapshot.state import Survey  # here, as below: a run that takes no snapshot does without

        found, count = self._survey, len(self.arenas.instances)
        if found is None or len(found.shape.links) != count:
            found = self._survey = Survey(self)
        return found

    def state(self) -> State:
        """The store's state.  Raises UsageError where a call runs just now, on this thread or another."""
        from svm.snapshot.state import take_state

        with self.still("no snapshot can be taken of it"):
            before = self.latest.state if self.latest is not None else None
            devices = tuple(grants.states for grants in self.grants)
            return take_state(self, self.survey(), devices, before)


class Guest(RuntimeGuest):
    """A guest: one module's instance in a store, reached by the names that it exports."""

    store: Store

    def __init__(self, store: Store, module: ValidModule, grants: Grants, *, alone: bool = False) -> None:
        """See `Store.spawn`.  alone: the store is the guest's own, and is closed with it."""
        number = len(store.arenas.instances)
        store._guests[number] = self
        try:
            super().__init__(store, module, grants.filled(store), alone=alone)
        finally:
            if len(store.arenas.instances) > number:
                store.grants.append(grants)
            else:
                del store._guests[number]

    @classmethod
    def of(cls, store: Store, instance: Instance, *, alone: bool = False) -> Guest:
        """The guest that an instance of a restored store is."""
        guest = cls.__new__(cls)
        guest._live_in(store, alone)
        guest.instance = instance
        store._guests[instance.number] = guest
        return guest

    def snapshot(
        self, name: str | None = None, *, since: Snapshot | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Snapshot:
        """A snapshot of all that is in the guest's store, which can be in the middle of a call that is paused.

        It costs what was written since the last one, not what the memories hold.  since: the snapshot that this one
        follows in the tree; the last that was taken, or the one that the guest comes from, where none is given.
        name, metadata: for people and programs; metadata is what JSON can say.

        Raises UsageError where the guest runs just now: in a host function, which the error names, or on another
        thread.
        """
        self._check_open()
        store = self.store
        parent = store.latest if since is None else since
        found = Snapshot(store.state(), self.instance.number, tuple(store.grants), parent, name, metadata)
        store.latest = found
        return found

    def rollback(self, snapshot: Snapshot, *, replica: bool = False) -> None:
        """Have the guest, and all that is in its store, be as it was when a snapshot was taken; `task` is the call that
        was paused then.

        The snapshot is one of this store, or of one that it was cloned or restored from.  What the host granted since,
        fuel too, is gone; what left the store, such as output, is not taken back.  replica: as for
        `Snapshot.restore`.

        Raises UsageError where the snapshot is of another store or guests came to this one since, where the guest runs
        just now, and where a memory is to have another size while somebody holds a view of it; SnapshotError where what
        a file says of a device is no state of it.  Then nothing has changed.
        """
        from svm.snapshot.build import overwrite

        self._check_open()
        store, state = self.store, snapshot.state
        with store.still("it cannot be rolled back"):
            survey = store.survey()
            if not survey.shape.fits(state.shape):
                raise UsageError(f"{snapshot!r} is of another store, or of this one before other guests were spawned")
            twins: dict[int, Device] = {}
            for grants, states in zip(store.grants, state.devices, strict=True):  # before anything has changed
                grants.twin(twins=twins).restore(states, replica=True)
            overwrite(store, survey, state)
            for grants, states in zip(store.grants, state.devices, strict=True):
                grants.restore(states, replica=replica)
            store.latest = snapshot

    def clone(self, *, replica: bool = False) -> Guest:
        """Another guest that goes on from here, in a store of its own with the same limits, engine and grants.

        Its memory is this one's until one of them writes to it.  replica: as for `Snapshot.restore`.  Raises UsageError
        where the guest runs just now.
        """
        self._check_open()
        store = self.store
        snapshot = Snapshot(store.state(), self.instance.number, tuple(store.grants), store.latest)
        return snapshot.restore(engine=store.engine, canonical_nans=store.arenas.canonical_nans, replica=replica)


class Snapshot:
    """A guest at one time, with all that its store holds.

    name, metadata: what was said of it.  parent: the snapshot that it follows, None for a first one, and for one from a
    file.  identity, parent_identity: names that no others have, and that files keep.
    """

    def __init__(
        self,
        state: State,
        focus: int,
        grants: tuple[Grants, ...] = (),
        parent: Snapshot | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """For `Guest.snapshot` and what reads files.  focus: number of the guest's instance.  grants: what guests had
        been granted, where that is known."""
        self.state = state
        self.focus = focus
        self._grants = grants or (Grants((), {}, {}),) * len(state.shape.links)
        self.parent = parent
        self.parent_identity: str | None = None if parent is None else parent.identity
        self.identity: str = os.urandom(16).hex()
        self.name = name
        self.metadata: dict[str, Any] = dict(metadata or {})

    @property
    def fuel_used(self) -> int:
        """Fuel that the store had used."""
        return self.state.fuel.granted - self.state.fuel.left

    @property
    def memory_bytes(self) -> int:
        """Size of all memories together."""
        return self.state.memory_bytes

    @property
    def paused(self) -> bool:
        """Whether a call was under way."""
        return self.state.standing is not None

    def restore(
        self,
        *,
        engine: str | Engine = "auto",
        limits: Limits | None = None,
        canonical_nans: bool = False,
        host: Mapping[str, Callable[..., Any] | HostFunction] | None = None,
        devices: Sequence[Device] | None = None,
        imports: Imports | None = None,
        replica: bool = False,
        externs: Callable[[bytes], Any] | None = None,
    ) -> Guest:
        """A guest that goes on from here, in a store of its own; `task` is the call that was paused, if there was one.

        engine: a name, or an engine.  limits: in the place of the snapshot's; the fuel used before counts.
        canonical_nans: as for `Store`; a replica has it so, and the other should.  host,
        devices, imports: what the guests of the store are granted, as for `Store.spawn`; what is not given is as it
        was for the guest that the snapshot was taken of, if that was in this process, and nothing otherwise.  replica:
        the guest is to run just as the other does, so that entropy from a seed goes on; else it is sown anew.
        externs: makes host objects of what was made of them for a file.

        Raises LimitError where the limits have no room for it, LinkError where an import is missing or does not fit,
        and SnapshotError for pages or states of devices in a file that are none.
        """
        from svm.snapshot.build import fill, fuel_under
        from svm.snapshot.externs import with_externs

        state = with_externs(self.state, externs)
        store = Store(engine=engine, limits=limits or state.limits, canonical_nans=canonical_nans or replica)
        fuel = state.fuel if limits is None else fuel_under(limits, state.fuel)
        twins: dict[int, Device] = {}
        try:
            grants = [
                item.twin(self._given(devices, number), host, imports, twins=twins)
                for number, item in enumerate(self._grants)
            ]
            fill(store, state, fuel, lambda number: grants[number].filled(store))
            store.grants += grants
            for item, states in zip(grants, state.devices, strict=True):
                item.restore(states, replica=replica, limits=limits)
        except BaseException:
            store.close()
            raise
        store.latest = self
        return Guest.of(store, store.arenas.instances[self.focus], alone=True)

    def _given(self, devices: Sequence[Device] | None, number: int) -> tuple[Device, ...] | None:
        """What of the devices that are given an instance gets: of those with files, others than the snapshot's guest
        get twins, for each had files of its own."""
        if devices is None or number == self.focus:
            return None if devices is None else tuple(devices)
        return tuple(device.twin() if isinstance(device, DescriptorDevice) else device for device in devices)

    def to_bytes(
        self,
        *,
        key: bytes | None = None,
        embed: bool = True,
        externs: Callable[[Any], bytes] | None = None,
    ) -> bytes:
        """The snapshot as a `.svms` file; see `save`."""
        return b"".join(self._pieces(key, embed, externs))

    def save(
        self,
        path: str | PathLike[str],
        *,
        key: bytes | None = None,
        embed: bool = True,
        externs: Callable[[Any], bytes] | None = None,
    ) -> None:
        """Write a `.svms` file, which takes the place of another as a whole.

        key: whoever has it can tell, as nobody else can, that the file was written with it.  embed: whether the modules
        go along; else who loads the file gives them.  externs: makes bytes of the host objects that guests hold
        references to.

        Raises UsageError for references to host objects without `externs`, and OSError where the file cannot be
        written.
        """
        import tempfile

        pieces = self._pieces(key, embed, externs)
        folder, name = os.path.split(os.path.abspath(path))
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        try:
            with open(descriptor, "wb") as file:
                file.writelines(pieces)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def _pieces(
        self, key: bytes | None, embed: bool, externs: Callable[[Any], bytes] | None
    ) -> Iterator[bytes]:
        from svm.snapshot.file import assembled

        return assembled(*self.parts(embed, externs), key)

    def parts(
        self, embed: bool = True, externs: Callable[[Any], bytes] | None = None
    ) -> tuple[list[bytes], list[bytes]]:
        """What a file of it is made of, for who keeps it in another way (docs/snapshot-format.md): the contents of all
        sections but the last, and the pages that this holds.  embed, externs: as for `save`.
        """
        from svm.snapshot.externs import encoded_externs
        from svm.snapshot.file import parts_of
        from svm.snapshot.format import Info

        info = Info(self.focus, self.identity, self.parent_identity, self.name, self.metadata)
        return parts_of(self.state, info, encoded_externs(self.state, externs), embed=embed)

    @classmethod
    def load(
        cls,
        source: str | PathLike[str] | bytes,
        *,
        key: bytes | None = None,
        modules: Sequence[Checked] = (),
    ) -> Snapshot:
        """The snapshot in a `.svms` file, or in the bytes of one; whatever they are, they do no harm.

        key: with which it was written.  modules: those that do not go along.  Limits that it says are its writer's:
        who does not trust that one restores it with `limits` of their own.

        Raises SnapshotError for what is no snapshot, or has another key, and OSError for a file that cannot be read.
        """
        from svm.snapshot.file import read_file

        if not isinstance(source, bytes | bytearray | memoryview):
            with open(source, "rb") as file:
                source = file.read()
        state, info = read_file(bytes(source), [module.valid for module in modules], key)
        found = cls(state, info.focus, name=info.name, metadata=info.metadata)
        found.identity, found.parent_identity = info.identity, info.parent
        return found

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        state = "paused" if self.paused else "idle"
        return f"<Snapshot{name}: {state}, fuel used {self.fuel_used}, {self.memory_bytes} bytes of memory>"
