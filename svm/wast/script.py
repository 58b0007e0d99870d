"""Scripts: the JSON of `wast2json` as values, checked for its shape.

In: the path of a JSON file. Out: a `Script` of commands, whose modules lie in files beside it. Invariant: values stay
as they are in the JSON until their command runs, so that one that svm has nothing for fails its own command only.
(https://github.com/WebAssembly/wabt/blob/main/docs/wast2json.md)
"""

from __future__ import annotations

import json
from os import PathLike, fspath
from os.path import dirname, join
from typing import Any, TypeVar

from svm.errors import ExhaustionError, InvalidError, LinkError, MalformedError, ModuleError, Place, TrapError
from svm.files import read_bytes
from svm.record import record

__all__ = [
    "Action",
    "Command",
    "ExpectRefused",
    "ExpectReturn",
    "ExpectTrap",
    "Instantiate",
    "Invoke",
    "Perform",
    "ReadGlobal",
    "Register",
    "Script",
    "read_script",
]

_T = TypeVar("_T")
Json = dict[str, Any]


@record
class Invoke:
    """Call an exported function of a module, the last one if it is not named."""

    module: str | None
    field: str
    args: tuple[Json, ...]


@record
class ReadGlobal:
    """Read an exported global."""

    module: str | None
    field: str


Action = Invoke | ReadGlobal


@record
class Instantiate:
    """Make an instance of a module: the last one from now on, and perhaps named."""

    line: int
    file: str
    name: str | None


@record
class Register:
    """Give modules that follow what a module exports, under a name for their imports."""

    line: int
    name: str | None
    space: str


@record
class Perform:
    """Do something that must not trap."""

    line: int
    action: Action


@record
class ExpectReturn:
    """Something that returns values that fit patterns."""

    line: int
    action: Action
    patterns: tuple[Json, ...]


@record
class ExpectTrap:
    """Something that traps, as `text` has it; `error` is the class that says so."""

    line: int
    action: Action
    text: str
    error: type[TrapError]


@record
class ExpectRefused:
    """A module that does not become an instance: `error` is the class that says why, `text` the specification's words.

    binary: whether the module is in the binary format, and not in WebAssembly's text.
    """

    line: int
    file: str
    text: str
    error: type[ModuleError | LinkError | TrapError]
    binary: bool


Command = Instantiate | Register | Perform | ExpectReturn | ExpectTrap | ExpectRefused

_TRAPS: dict[str, type[TrapError]] = {"assert_trap": TrapError, "assert_exhaustion": ExhaustionError}
_REFUSALS: dict[str, type[ModuleError | LinkError | TrapError]] = {
    "assert_malformed": MalformedError,
    "assert_invalid": InvalidError,
    "assert_unlinkable": LinkError,
    "assert_uninstantiable": TrapError,
}


@record
class Script:
    """The commands of a file, each with its name in the JSON.  source: the file it was made from, as it says."""

    file: str
    source: str
    commands: tuple[tuple[str, Command], ...]

    def read(self, name: str) -> bytes:
        """The bytes of a file that a command names.  Raises OSError, MalformedError for what is no name of a file."""
        try:
            return read_bytes(join(dirname(self.file), name))
        except ValueError as error:
            raise MalformedError(f"{name!r:.80} cannot be a file's name: {error}", Place(file=self.file)) from None


def read_script(path: str | PathLike[str]) -> Script:
    """Read a script.  Raises MalformedError for what is none, OSError where it cannot be read."""
    path = fspath(path)
    try:
        root = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}", Place(file=path)) from None
    script = _Fields(path, "the script", root)
    return Script(
        path,
        script.get("source_filename", str, default=path),
        tuple(
            _command(_Fields(path, f"command {at}", each)) for at, each in enumerate(script.get("commands", list), 1)
        ),
    )


class _Fields:
    """An object of the JSON, whose fields are asked for by name and type."""

    def __init__(self, path: str, what: str, data: Any) -> None:
        self.path, self.what, self.data = path, what, data
        if not isinstance(data, dict):
            raise self.wrong("is no object")

    def get(self, name: str, type_: type[_T], **default: _T) -> _T:
        """A field, or its default.  Raises MalformedError where it is missing or of another type."""
        value = self.data.get(name, default.get("default"))
        if not isinstance(value, type_):
            raise self.wrong(f"has no field {name!r} of type {type_.__name__}")
        return value

    def name(self, name: str) -> str | None:
        """A field that may be left out."""
        return self.get(name, str) if name in self.data else None

    def objects(self, name: str) -> tuple[Json, ...]:
        """A field that is a list of objects, or left out."""
        found = self.get(name, list, default=[])
        if not all(isinstance(each, dict) for each in found):
            raise self.wrong(f"has a field {name!r} with something else than objects in it")
        return tuple(found)

    def wrong(self, why: str) -> MalformedError:
        """An error about the object."""
        return MalformedError(f"{self.what} {why}", Place(file=self.path))


def _command(fields: _Fields) -> tuple[str, Command]:
    kind, line = fields.get("type", str), fields.get("line", int)
    return kind, _read_command(fields, kind, line)


def _read_command(fields: _Fields, kind: str, line: int) -> Command:
    if kind == "module":
        return Instantiate(line, fields.get("filename", str), fields.name("name"))
    if kind == "register":
        return Register(line, fields.name("name"), fields.get("as", str))
    if kind in _REFUSALS:
        binary = fields.get("module_type", str, default="binary") != "text"
        return ExpectRefused(line, fields.get("filename", str), fields.get("text", str), _REFUSALS[kind], binary)
    if kind == "action":
        return Perform(line, _action(fields))
    if kind == "assert_return":
        return ExpectReturn(line, _action(fields), fields.objects("expected"))
    if kind in _TRAPS:
        return ExpectTrap(line, _action(fields), fields.get("text", str), _TRAPS[kind])
    raise fields.wrong(f"is of the unknown type {kind!r:.80}")


def _action(outer: _Fields) -> Action:
    fields = _Fields(outer.path, f"the action of {outer.what}", outer.data.get("action"))
    kind = fields.get("type", str)
    if kind == "invoke":
        return Invoke(fields.name("module"), fields.get("field", str), fields.objects("args"))
    if kind == "get":
        return ReadGlobal(fields.name("module"), fields.get("field", str))
    raise fields.wrong(f"is of the unknown type {kind!r:.80}")
