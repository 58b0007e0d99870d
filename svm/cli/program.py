"""Runs a program with what it is granted, within its limits.

In: a file, and the options of `svm run` as values. Out: the program's exit status. Invariant: nothing here or below
imports the command line's parser, which would take longer than to start a program.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from svm.cli.failures import Failure, about, interrupted
from svm.cli.status import Status
from svm.cli.terminal import clean, complain, say
from svm.errors import GuestError, LimitError, Traceback, UncaughtError, UsageError
from svm.hints import TYPE_CHECKING, Any
from svm.limits import DEFAULT_STACK, Limits

if TYPE_CHECKING:
    from svm.cli.resumable import Held
    from svm.devices import Device
    from svm.embed import Module
    from svm.isa import FuncType
    from svm.snapshot import Guest

__all__ = ["run"]

_GRANTED = frozenset({"console", "clock", "entropy"})
_LISTED = 10
_GRACE = 0.25  # seconds that the guest's own deadline comes before the alarm
_LONGEST = 1e6  # seconds


def run(
    file: str,
    args: tuple[str, ...] = (),
    *,
    engine: str = "auto",
    fuel: int | None = None,
    memory: int | None = None,
    stack: int = DEFAULT_STACK,
    timeout: float | None = None,
    env: tuple[tuple[str, str], ...] = (),
    storage: str | None = None,
    write_back: str | None = None,
    storage_limit: int | None = None,
    invoke: str | None = None,
    canonical_nans: bool = False,
    eager: bool = False,
    checkpoint: str | None = None,
    every: float = 5.0,
    on_exit: str | None = None,
    stats: bool = False,
    as_json: bool = False,
) -> int:
    """Run the program in a file; its exit status.  Raises Failure.  The options are those of the command."""
    from svm.devices import Clock, Console, Entropy
    from svm.embed import load

    limits = Limits(memory=memory, fuel=fuel, seconds=timeout, stack=stack, storage=storage_limit)
    kept = checkpoint is not None or on_exit is not None
    if kept and invoke:
        raise UsageError("--invoke calls a function: only programs are kept")
    with about(file):
        module = load(file, eager=eager)
        words = (file,) if invoke else (file, *args)
        stdout: Held | None = None
        if kept:
            from svm.cli import resumable

            stdout = resumable.Held(resumable.standard_output())
        console = Console(stdout=stdout, args=words, environ=dict(env))
        files = _Files(storage, write_back, storage_limit)
        _check_granted(file, module, files)
        with ExitStack() as ending, _alarm(timeout):  # the guest is closed last, which keeps its code for the next run
            devices: tuple[Device, ...] = (console, Clock(), Entropy(), *files.devices)
            guest = ending.enter_context(
                module.spawn(engine=engine, limits=limits, devices=devices, canonical_nans=canonical_nans)
            )
            begun = time.perf_counter()
            try:
                if stdout is not None:
                    said = {"args": list(words), "env": dict(env), **files.said}
                    return _kept(guest, file, stdout, (checkpoint, every, on_exit, timeout, said), files)
                status = _invoke(guest, invoke, args) if invoke else _program(guest, file)
                files.write_back()
                return status
            except UncaughtError as error:
                if console.broken_pipe and error.message.startswith("BrokenPipeError"):
                    raise Failure(Status.BROKEN_PIPE) from error
                raise
            except GuestError:
                guest.flush()  # what was printed before is part of the answer
                raise
            except KeyboardInterrupt:
                guest.flush()
                outcome = guest.task.outcome if guest.task else None
                raise interrupted(getattr(outcome, "traceback", Traceback())) from None
            finally:
                if stats or as_json:
                    _say_stats(guest, time.perf_counter() - begun, as_json)


class _Files:
    """What the options say of files.

    devices: the storage, if it is to be granted.  said: what a snapshot keeps of what it was given.  back: the folder
    to write to.  write_back: what is done when the program has ended.
    """

    def __init__(self, folder: str | None, back: str | None, limit: int | None) -> None:
        """Read the folder.  Raises as `read_folder` and `require_folder`."""
        self.devices: tuple[Device, ...] = ()
        self.said: dict[str, Any] = {}
        self.back = back
        self.write_back: Callable[[], None] = lambda: None
        if folder is None and back is None:
            return
        from svm.cli import storage  # here, for a run without files does without

        for named in (folder, back):
            if named is not None:
                storage.require_folder(named)
        found, given = storage.read_folder(folder, limit)
        self.devices, self.said = (found,), {"given": given.said()}
        if back is not None:

            def write_back() -> None:
                _disarm()  # what the program did is done
                storage.write_back(found, given, back)

            self.write_back = write_back


def _check_granted(file: str, module: Module, files: _Files) -> None:
    """Raise Failure, which lists all of it, where a module asks for what this command does not grant.

    WASI's calls are all there, even those that answer that they are not: a program that imports one may never call it.
    """
    from svm.devices import NoConsole

    given = NoConsole().imports()
    wanted = [f"the capability {item.name!r}{f' ({item.reason})' if item.reason else ''}"
              for item in module.capabilities
              if item.name not in _GRANTED and not (files.devices and item.name == "storage")]  # fmt: skip
    wanted += [f"the import {item.module!r} {item.name!r} ({item.kind})"
               for item in module.imports if item.name not in given.get(item.module, ())]  # fmt: skip
    if wanted:
        more = [f"and {len(wanted) - _LISTED} more"] if len(wanted) > _LISTED else []
        lines = "".join(f"\n  {item}" for item in wanted[:_LISTED] + more)
        raise Failure(Status.DENIED, clean(f"svm: {file} needs what `svm run` does not grant:{lines}"))


def _kept(
    guest: Guest,
    file: str,
    out: Held,
    said: tuple[str | None, float, str | None, float | None, Any],
    files: _Files,
) -> int:
    """Run a module's `_start` so that it can go on later; the status that the guest ends with."""
    from svm.cli.resumable import drive, plan_of

    _check_program(guest, file)
    checkpoint, every, on_exit, timeout, settings = said
    name = os.path.splitext(os.path.basename(file))[0].replace(":", "_") or "program"
    with plan_of(checkpoint, name, every, on_exit, timeout, settings, files.write_back, files.back) as plan:
        return drive(guest, guest.start("_start"), plan, out)


def _program(guest: Guest, file: str) -> int:
    """Run a module's `_start`; the status that the guest ends with."""
    _check_program(guest, file)
    return guest.run() & 0xFF


def _check_program(guest: Guest, file: str) -> None:
    """Raise Failure for a module that is no program."""
    from svm.isa import FuncType

    if (type_ := _function_type(guest, "_start")) != FuncType():
        what = f"its _start is {type_}" if type_ else "it exports no function _start"
        raise Failure(Status.BAD_MODULE, clean(f"svm: {file}: not a program: {what}; --invoke calls an export"))


def _invoke(guest: Guest, name: str, words: tuple[str, ...]) -> int:
    """Call an export with words as its arguments, and print what it returns, one value a line."""
    import click

    from svm.cli import scalars

    type_ = _function_type(guest, name)
    if type_ is None:
        guest.start(name)  # says which there are
        raise UsageError(f"the module exports no function {name!r}")
    result = guest.call(name, *scalars.parse(type_.params, words, name))
    for line in scalars.show(type_.results, result):
        click.echo(line)
    return Status.OK


def _function_type(guest: Guest, name: str) -> FuncType | None:
    from svm.runtime import FunctionInstance

    found = guest.exports.get(name)
    return found.type if isinstance(found, FunctionInstance) else None


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """End a guest that waits for input past its time; while it computes, its own deadline comes first.

    Windows has no such timer: there a guest that waits is ended when its input comes.
    """
    if seconds is None:
        yield
        return
    import signal

    if not hasattr(signal, "setitimer"):
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise LimitError(f"out of time: the limit is {seconds:g} s", "seconds", seconds)

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, min(seconds + _GRACE, _LONGEST))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _disarm() -> None:
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def _say_stats(guest: Guest, seconds: float, as_json: bool) -> None:
    memory = sum(item.size for item in guest.instance.memories)
    tiers, fuel = guest.tiers, guest.fuel_used
    compiled = min(tiers.compiled_fuel, fuel)
    if as_json:
        import json  # here, for it takes milliseconds of every start

        figures = {
            "engine": guest.engine.name,
            "fuel": fuel,
            "seconds": seconds,
            "memory": memory,
            "compiled_fuel": compiled,
            "units": [{name: getattr(unit, name) for name in unit.__match_args__} for unit in tiers.units],
            "refused": list(tiers.refused),
        }
        say(json.dumps(figures))
        return
    used = f"{fuel:,} fuel, {seconds:.3f} s, {memory // 1024:,} KiB of memory"
    complain(f"{used}, {guest.engine.name} engine, {compiled / max(fuel, 1):.1%} of the fuel in compiled code")
    for unit in tiers.units:
        what = "" if unit.offset is None else f", the loop at {unit.offset:#x}"
        took = f"{unit.origin} in {unit.seconds * 1000:.0f} ms"
        complain(clean(f"  {unit.at:.3f} s: {unit.function}{what}: {took}, {unit.size:,} bytes"))
    for why in tiers.refused:
        complain(clean(f"  not compiled: {why}"))
