"""Runs the commands of a script, one store for all of them.

In: a `Script` and the name of an engine. Out: a `Report`. Invariant: whatever a command comes to, even an error inside
svm, is its own verdict, and the commands after it run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import svm.wasm
from svm import embed
from svm.errors import Error, LinkError, TrapError
from svm.isa import EXTERNREF, FuncType, TrapKind, ValueType
from svm.limits import Limits
from svm.runtime import FunctionInstance, GlobalInstance, Guest, Task
from svm.runtime.values import from_slot
from svm.snapshot import Store
from svm.wast import spectest
from svm.wast.report import Failure, Report, Skip
from svm.wast.script import (
    Action,
    Command,
    ExpectRefused,
    ExpectReturn,
    ExpectTrap,
    Instantiate,
    Invoke,
    Perform,
    Register,
    Script,
)
from svm.wast.values import Pattern, UnknownValueError, Value, read_pattern, read_value

__all__ = ["run_script"]

_TEXT_FORMAT = "the module is in WebAssembly's text format, which svm does not read"


class _Failed(Exception):
    """A command did not do what was expected of it."""

    def __init__(self, expected: str, got: str) -> None:
        self.expected = expected
        self.got = got


class _Skipped(Exception):
    """A command does not concern svm; the message says why."""


def run_script(script: Script, *, engine: str = "auto", seconds: float | None = None) -> Report:
    """Run a script.

    engine: its name in `svm.ENGINES`, or "auto".  seconds: wall time that each call may take.
    Raises OSError where a module's file cannot be read, MalformedError where it cannot be one, UsageError for an engine
    that there is not.
    """
    begun = time.monotonic()
    runner = _Runner(script, engine, seconds)
    report = Report(script.file, script.source)
    for kind, command in script.commands:
        try:
            runner.run(command)
        except _Failed as failed:
            report.failures.append(Failure(command.line, kind, failed.expected, failed.got))
        except _Skipped as skipped:
            report.skips.append(Skip(command.line, kind, str(skipped)))
        else:
            report.passed += isinstance(command, ExpectReturn | ExpectTrap | ExpectRefused)
    report.seconds = time.monotonic() - begun
    return report


class _Runner:
    """What a script has made so far."""

    def __init__(self, script: Script, engine: str, seconds: float | None) -> None:
        self.script = script
        self.store = Store(engine=engine, limits=Limits(seconds=seconds), canonical_nans=True)
        host = self.store.spawn(embed.Module(spectest.model()), host=spectest.PRINTERS)
        self.registered: dict[str, Guest] = {"spectest": host}
        self.modules: dict[str | None, Guest | str] = {None: "the script has made none yet"}
        """Instances by the names that the script gave them, the last one by None; or why there is none."""

    def run(self, command: Command) -> None:
        """Run a command.  Raises _Failed and _Skipped, and what `Script.read` raises."""
        match command:
            case Instantiate():
                self._instantiate(command)
            case Register():
                self.registered[command.space] = self._module(command.name, "an instance to register")
            case Perform():
                self._perform(command.action, "no trap")
            case ExpectReturn():
                self._expect_return(command)
            case ExpectTrap():
                self._expect_trap(command)
            case ExpectRefused():
                self._expect_refused(command)

    # Modules

    def _instantiate(self, command: Instantiate) -> None:
        data = self.script.read(command.file)
        made: Guest | str
        try:
            made = self._spawn(data)
        except Exception as error:
            made = _describe(error)
        self.modules[None] = made
        if command.name is not None:
            self.modules[command.name] = made
        if isinstance(made, str):
            raise _Failed("an instance", made)

    def _expect_refused(self, command: ExpectRefused) -> None:
        if not command.binary:
            raise _Skipped(_TEXT_FORMAT)
        data = self.script.read(command.file)
        try:
            self._spawn(data)
        except Exception as error:
            if not _is_as_expected(error, command.error, command.text):
                raise _Failed(f"{command.error.__name__}: {command.text}", _describe(error)) from None
        else:
            raise _Failed(f"{command.error.__name__}: {command.text}", "an instance")

    def _spawn(self, data: bytes) -> Guest:
        try:
            return self.store.spawn(embed.Module(svm.wasm.read(data)), imports=self.registered)
        finally:
            if self.store.task is not None:  # the start function met the time limit, and is only paused
                self.store.task.cancel()

    def _module(self, name: str | None, expected: str) -> Guest:
        found = self.modules.get(name, f"the script has made none of the name {name!r:.80}")
        if isinstance(found, str):
            raise _Failed(expected, f"no instance: {found}")
        return found

    # Actions

    def _expect_return(self, command: ExpectReturn) -> None:
        try:
            patterns = tuple(map(read_pattern, command.patterns))
        except UnknownValueError as error:
            raise _Failed(f"a value that svm does not know: {error}", "nothing") from None
        expected = _listed(patterns)
        values = self._perform(command.action, expected)
        if len(values) != len(patterns) or not all(map(Pattern.fits, patterns, values)):
            raise _Failed(expected, _listed(values))

    def _expect_trap(self, command: ExpectTrap) -> None:
        expected = f"{command.error.__name__}: {command.text}"
        try:
            values = self._act(command.action, expected)
        except _Failed:
            raise
        except Exception as error:
            if not _is_as_expected(error, command.error, command.text):
                raise _Failed(expected, _describe(error)) from None
        else:
            raise _Failed(expected, _listed(values))

    def _perform(self, action: Action, expected: str) -> Sequence[Value]:
        """Do what must not fail."""
        try:
            return self._act(action, expected)
        except _Failed:
            raise
        except Exception as error:
            raise _Failed(expected, _describe(error)) from None

    def _act(self, action: Action, expected: str) -> Sequence[Value]:
        """The values that an action gives.  Raises _Failed where it cannot begin, and whatever svm raises in it."""
        guest = self._module(action.module, expected)
        found = guest.exports.get(action.field)
        if not isinstance(action, Invoke):
            if not isinstance(found, GlobalInstance):
                raise _Failed(expected, f"no exported global {action.field!r:.80}")
            return [self._value(found.type.type, found.value)]
        if not isinstance(found, FunctionInstance):
            raise _Failed(expected, f"no exported function {action.field!r:.80}")
        try:
            args = [read_value(each) for each in action.args]
        except UnknownValueError as error:
            raise _Failed(expected, f"an argument that svm does not know: {error}") from None
        given = FuncType(tuple(each.type for each in args), found.type.results)
        if given != found.type:
            raise _Failed(expected, f"the function is of type {found.type}, called as {given}")
        task = Task(self.store, found, tuple(map(self._slot, args)), guest.instance, slots=True)
        try:
            slots = task.finish(task.run())
        finally:
            task.cancel()  # where it met the time limit, and so is only paused
        return list(map(self._value, found.type.results, slots))

    def _slot(self, value: Value) -> int:
        slot: int = self.store.arenas.hold(value.content) if value.type is EXTERNREF else value.content or 0
        return slot

    def _value(self, type_: ValueType, slot: int) -> Value:
        return Value(type_, from_slot(self.store.arenas, type_, slot) if type_.is_reference else slot)


def _is_as_expected(error: Exception, class_: type[Exception], text: str) -> bool:
    """Whether an error is of the kind that a script names by class and text.

    Traps and failures of linking are told apart by the specification's words.  Why a module is malformed or invalid is
    not: engines meet the faults of a module in different orders, and the specification leaves the words to them.
    """
    match error:
        case TrapError(kind=kind):
            named = [each.name.lower() for each in TrapKind if text.startswith(each.message)]
            return isinstance(error, class_) and kind in named
        case LinkError():
            return isinstance(error, class_) and str(error).startswith(text)
    return isinstance(error, class_)


def _describe(error: Exception) -> str:
    """An error in one line; one that is not svm's own is a bug."""
    text = f"{type(error).__name__}: {error}"
    return text if isinstance(error, Error) else f"internal error: {text}"


def _listed(values: Sequence[Value | Pattern]) -> str:
    return ", ".join(map(str, values)) or "no value"
