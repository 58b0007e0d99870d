"""A guest: one module's instance in a store, reached by the names that it exports."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from contextlib import suppress

from svm.errors import ExitError, LimitError, StoppedError, UsageError
from svm.hints import TYPE_CHECKING, Any, Self
from svm.isa import FuncType
from svm.limits import Limits
from svm.module import ValidModule
from svm.runtime.arenas import Extern, FunctionInstance, GlobalInstance
from svm.runtime.engine import DECLINED, Engine, GuestStack, Tiers
from svm.runtime.link import Imports, instantiate
from svm.runtime.store import Store
from svm.runtime.task import Task
from svm.runtime.values import Signature, from_slot, signature_of, to_slot

if TYPE_CHECKING:
    from svm.border import GuestTypes

__all__ = ["Guest"]

_FLUSH = "krait:flush"


class Guest:
    """See the module's docstring.  alone: the store is the guest's own, and is closed with it."""

    def __init__(self, store: Store, module: ValidModule, imports: Imports, *, alone: bool = False) -> None:
        """Instantiate a module in a store and run its start function.

        Raises LinkError for imports that are missing or do not fit, and LimitError where a limit has no room for the
        module; then nothing has changed.  Raises GuestError where a segment does not fit or the start function fails:
        what was written before stays, and what stands in the tables of other guests can be called.
        """
        self._live_in(store, alone)
        store.acquire()
        try:
            if module.module.start is not None:
                store.check_free()
            self.instance = instantiate(store.arenas, module, imports)
            if module.module.start is not None:
                self._run(Task(store, self.instance.functions[module.module.start], (), self.instance))
        finally:
            store.release()

    def _live_in(self, store: Store, alone: bool) -> None:
        self.store = store
        self._alone = alone
        self._closed = False
        self._prepared: dict[str, Callable[..., Any]] = {}  # what calls exports that were called before
        self._prepared_for: GuestStack | None = None
        self._handle: Any = None

    # Calls

    def call(self, name: str, /, *args: Any, **named: Any) -> Any:
        """Call an exported function and return its result.

        Where the module's interface has the function, arguments and the result are values of its types, and arguments
        may be given by name.  Else they are numbers, and several results come as a tuple.
        Raises UsageError for a wrong name or argument, and GuestError where the call does not return.  LimitError and
        StoppedError among them leave the call as `task`, to be gone on with.
        """
        prepared = self._prepared.get(name) or self._prepare(name)
        if prepared is None or named:
            return self._call(name, args, named)
        try:
            value = prepared(self._handle, *args)
            if value is not DECLINED:
                return value
        except BaseException as error:
            task = self.store.go_on(error)
            if task is None:
                raise
        else:
            task = self.store.go_on(None)
        return self._call(name, args, named) if task is None else self._finish(task)

    def _prepare(self, name: str) -> Callable[..., Any] | None:
        """What calls an export without a task; None where the engine has none, or not yet."""
        self._check_open()
        stack = self.store.stack
        if stack is not self._prepared_for:
            self._prepared_for, self._handle = stack, stack.handle
            self._prepared.clear()
        found = stack.prepared(self.instance, name)
        if found is not None:
            self._prepared[name] = found
        return found

    def _call(self, name: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Call a function by a task."""
        if self.store.stack is not self._prepared_for:
            self._prepared.clear()
        return self._run(self.start(name, *args, **named))

    async def call_async(self, name: str, /, *args: Any, **named: Any) -> Any:
        """Call an exported function as `call` does, on the thread of asyncio's loop.

        Host functions may be `async def`, or return anything that can be awaited: the guest is suspended until the
        answer is there, and no thread waits.  The loop has its turn at least every 10 ms.  Raises as `call` does;
        UsageError while another call of the guest is under way.  What cancelling means: see `Task.run_async`.
        """
        task = self.start(name, *args, **named)
        await task.run_async()
        return self._finish(task)

    def start(self, name: str, /, *args: Any, **named: Any) -> Task:
        """Prepare a call of an exported function; `Task.run` runs it.  Raises UsageError for a wrong name or
        argument.
        """
        found = self._function(name)
        return Task(self.store, found, _ordered(found, args, named) if named else args, self.instance)

    def function(self, name: str, *, arrays: bool = False) -> Callable[..., Any]:
        """An exported function as a Python function, which calls it.

        arrays: lists of int and float in its result come as `array.array`, without a Python object for each number.
        Raises UsageError for a wrong name.
        """
        found = self._function(name)
        signature: Any = None
        if arrays:
            from svm.runtime.rich import export_signature

            signature = export_signature(found, arrays=True)

        def call(*args: Any, **named: Any) -> Any:
            if signature is None:
                return self.call(name, *args, **named)
            self._check_open()
            given = _ordered(found, args, named) if named else args
            return self._run(Task(self.store, found, given, self.instance, signature=signature))

        call.__name__ = call.__qualname__ = name
        return call

    def _function(self, name: str) -> FunctionInstance:
        found = self.exports.get(name)
        if not isinstance(found, FunctionInstance):
            functions = sorted(key for key, item in self.exports.items() if isinstance(item, FunctionInstance))
            names = [name for name in functions if ":" not in name]
            hint = " (`@export` marks those that a host can call)" if len(names) < len(functions) else ""
            raise UsageError(f"the module exports no function {name!r}; it has {', '.join(names) or 'none'}{hint}")
        return found

    @property
    def types(self) -> GuestTypes:
        """The dataclasses and enums of the module's interface, as Python's: `guest.types.Point`."""
        from svm.runtime.rich import border_of

        return border_of(self.instance.module).types

    def run(self) -> int:
        """Run the module as a program (its export `_start`); its exit status.  Raises GuestError where it does not
        end.
        """
        try:
            self.call("_start")
        except ExitError as end:
            return end.code
        return 0

    def _run(self, task: Task) -> Any:
        task.run()
        return self._finish(task)

    def _finish(self, task: Task) -> Any:
        """The value of a call that has run, or its error raised."""
        assert task.outcome is not None
        try:
            return task.finish(task.outcome)
        except (LimitError, StoppedError) as error:
            if self.task is task:
                error.guest = self
            raise

    @property
    def task(self) -> Task | None:
        """The call that is paused or suspended in the guest's store, if there is one."""
        return self.store.task

    def pause(self) -> None:
        """Have the call that runs stop at its next safepoint, from any thread: its outcome is `Paused("pause")`.

        It takes effect within some 10 ms; what a host function does meanwhile is not cut short, and calls that it makes
        into the guest come to their end first.  Where no call runs, the next run stops at its first safepoint; a call
        that is paused already stays so, and asking more than once is asking once.
        """
        self.store.pause()

    @property
    def engine(self) -> Engine:
        """The engine of the guest's store.  Setting it moves the store, paused calls and all, to another."""
        return self.store.engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self.store.engine = engine

    # Looking in

    @property
    def exports(self) -> Mapping[str, Extern]:
        """What the module exports, by name."""
        self._check_open()
        return self.instance.exports

    @property
    def memory(self) -> mmap.mmap:
        """The bytes of the guest's first memory, as they are.

        `memoryview(guest.memory)` and NumPy's `frombuffer` read and write them without a copy.  While such a view is
        held, the memory cannot grow: to the guest it is as if there were no more.
        """
        self._check_open()
        return self.instance.memory

    def read_bytes(self, address: int, length: int) -> bytes:
        """A copy of bytes of the guest's memory.  Raises UsageError where they do not lie in it."""
        self._check_open()
        from svm.runtime import reach  # here, as below, for few hosts need it

        return reach.read(self.instance, address, length)

    def read_str(self, address: int, length: int | None = None, *, encoding: str = "utf-8") -> str:
        """A text in the guest's memory: of so many bytes, or up to the next zero byte.

        Raises UsageError where it does not lie in the memory, or is not in that encoding.
        """
        self._check_open()
        from svm.runtime import reach

        return reach.read_text(self.instance, address, length, encoding)

    def write_bytes(self, data: bytes | bytearray | memoryview, address: int | None = None) -> int:
        """Put bytes into the guest's memory, and return their address.

        Where no address is given, the guest's own allocator is asked for one: the export `cabi_realloc`, `malloc`,
        `alloc` or `allocate`, the first that there is.  The memory is the guest's from then on: giving it back is for
        its own `free`.  Raises UsageError where there is no allocator, or the bytes do not fit; GuestError as `call`.
        """
        self._check_open()
        from svm.runtime import reach

        data = memoryview(data).cast("B")
        if address is None:
            address = reach.allocate(self.instance, len(data), self.call)
        reach.write(self.instance, address, data)
        return address

    def write_str(self, text: str, address: int | None = None, *, encoding: str = "utf-8") -> tuple[int, int]:
        """Put a text into the guest's memory, as `write_bytes` does, and return its address and its length in bytes.

        No zero byte is put behind it.
        """
        data = text.encode(encoding)
        return self.write_bytes(data, address), len(data)

    def get_global(self, name: str) -> Any:
        """Value of an exported global."""
        found = self._exported_global(name)
        return from_slot(self.store.arenas, found.type.type, found.value)

    def set_global(self, name: str, value: Any) -> None:
        """Change an exported global.  Raises UsageError where it is not mutable, or the value does not fit."""
        found = self._exported_global(name)
        if not found.type.mutable:
            raise UsageError(f"the global {name!r} is not mutable")
        found.value = to_slot(self.store.arenas, found.type.type, value)

    def _exported_global(self, name: str) -> GlobalInstance:
        found = self.exports.get(name)
        if not isinstance(found, GlobalInstance):
            raise UsageError(f"the module exports no global {name!r}")
        return found

    @property
    def limits(self) -> Limits:
        """The limits of the guest's store.  Setting them, as they are or with some raised or lowered, holds from now
        on, also for a call that has stopped: `guest.limits = dataclasses.replace(guest.limits, memory="1 GiB")`.

        Raises UsageError for a stack that has no room for the frames there are, or of another size while a call runs.
        """
        return self.store.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._check_open()
        self.store.limits = limits

    @property
    def fuel(self) -> int | None:
        """Fuel that is left to the guest's store; None without a limit."""
        return self.store.fuel

    @property
    def fuel_used(self) -> int:
        """Fuel that the guest's store has used so far."""
        return self.store.fuel_used

    @property
    def tiers(self) -> Tiers:
        """What the engine compiled for the guest's store, and what share of the fuel compiled code has used."""
        return self.store.tiers

    def add_fuel(self, amount: int) -> None:
        """Grant the guest's store more fuel: what is left, and the limit, are so much higher.  Raises UsageError for
        what is no amount.
        """
        self.store.add_fuel(amount)

    # Its end

    def flush(self) -> None:
        """Have the guest's language write what it still holds of its output, where it exports a way to.

        For a host that gives a guest up, paused or not.  It has its own small portion of fuel, and whatever goes wrong
        in it is passed over.
        """
        self._check_open()
        self.store.acquire()
        try:
            with suppress(ExitError):
                self.store.call_aside(self.instance, _FLUSH, FuncType(), ())
        finally:
            self.store.release()

    def close(self) -> None:
        """Give up the guest: calls are refused.  May be called more than once.

        A store of its own is closed with it, which frees its memory.  In a store with others it stays there as long as
        they, who may have imported what it exports.
        """
        if self.store.running:
            raise UsageError("the guest is running, and cannot be closed from inside or from another thread")
        self._closed = True
        if self._alone:
            self.store.close()

    def _check_open(self) -> None:
        if self._closed or self.store.closed:
            raise UsageError("the guest is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = self.instance.module.module.names.module or "?"
        state = "closed" if self._closed or self.store.closed else self.store.doing
        return f"<Guest {name} on {self.engine.name}, {state}, fuel used {self.fuel_used}>"


def _ordered(function: FunctionInstance, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """Arguments by position and by name in the order of the parameters.  Raises UsageError."""
    signature: Any = signature_of(function)
    if isinstance(signature, Signature):
        raise UsageError(f"{function.name!r} takes no arguments by name: the module has no interface that names them")
    return signature.order(args, named)
