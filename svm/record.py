"""Records: classes as `dataclasses.dataclass(slots=True)` makes them, at a small part of the time.

In: a class whose annotations are its fields. Out: the class with slots, `__init__`, equality, hash and `repr`, frozen
unless asked otherwise. Invariant: whoever looks finds a dataclass (`replace`, `fields` and `asdict` work on it), but
`dataclasses` itself, and `inspect` behind it, is imported only then: a cold start makes some forty such classes, and
spent more time on making them than on running the program.
"""

from __future__ import annotations

from collections.abc import Callable

from svm.hints import Any, TypeVar, dataclass_transform, overload

__all__ = ["FrozenError", "field", "record", "replaced"]

_T = TypeVar("_T")
_MISSING: Any = object()


class FrozenError(AttributeError):
    """A field of a frozen record was assigned to."""


class _Field:
    """What is said of a field beside its type."""

    def __init__(self, default: Any, factory: Callable[[], Any] | None, compare: bool, repr: bool) -> None:
        self.default = default
        self.factory = factory
        self.compare = compare
        self.repr = repr


def field(
    *,
    default: Any = _MISSING,
    default_factory: Callable[[], Any] | None = None,
    compare: bool = True,
    repr: bool = True,
) -> Any:
    """A field with a default, or one that is left out of comparisons or of `repr`, as `dataclasses.field`."""
    return _Field(default, default_factory, compare, repr)


class _Fields:
    """`__dataclass_fields__` of a record, made when it is first asked for."""

    def __init__(self, fields: dict[str, _Field]) -> None:
        self.fields = fields
        self.made: dict[str, Any] | None = None

    def __get__(self, instance: object, owner: type) -> dict[str, Any]:
        if self.made is None:  # making a class takes milliseconds, and `replace` asks each time
            self.made = self.make(owner)
        return self.made

    def make(self, owner: type) -> dict[str, Any]:
        """The fields, as `dataclasses` makes them of a class that looks the same."""
        import dataclasses

        specs = []
        for name, item in self.fields.items():
            options: dict[str, Any] = {"compare": item.compare, "repr": item.repr}
            if item.factory is not None:
                options["default_factory"] = item.factory
            elif item.default is not _MISSING:
                options["default"] = item.default
            specs.append((name, owner.__annotations__[name], dataclasses.field(**options)))
        made = dataclasses.make_dataclass(owner.__name__, specs)
        return {item.name: item for item in dataclasses.fields(made)}


def replaced(item: _T, **changes: Any) -> _T:
    """A record with other values of some fields, as `dataclasses.replace`."""
    cls: Any = type(item)
    return cls(**{name: changes.get(name, getattr(item, name)) for name in cls.__match_args__})  # type: ignore[no-any-return]  # it is of the class


def _refuse_set(self: object, name: str, value: object) -> None:
    raise FrozenError(f"cannot assign to field {name!r}")


def _refuse_delete(self: object, name: str) -> None:
    raise FrozenError(f"cannot delete field {name!r}")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__slots__]


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__slots__, state, strict=True):
        object.__setattr__(self, name, value)


@overload
def record(cls: type[_T], /) -> type[_T]: ...
@overload
def record(*, frozen: bool = True, eq: bool = True) -> Callable[[type[_T]], type[_T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: Any = None, /, *, frozen: bool = True, eq: bool = True) -> Any:
    """Make a class a record.  eq=False: two are equal only if they are one object."""
    if cls is None:
        return lambda cls: _made(cls, frozen, eq)
    return _made(cls, frozen, eq)


class _Method:
    """A method made of source when it is first looked up, for of most records a run makes no object."""

    def __init__(self, source: Callable[[], str], scope: dict[str, Any]) -> None:
        self.source = source
        self.scope = scope

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner = owner
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        exec(self.source(), self.scope)
        method = self.scope[self.name]
        setattr(self.owner, self.name, method)
        return method.__get__(instance, owner)


def _made(cls: type[Any], frozen: bool, eq: bool) -> type[Any]:
    own = {name: value for name, value in cls.__dict__.items() if name not in ("__dict__", "__weakref__")}
    fields: dict[str, _Field] = {}
    for name in cls.__annotations__:
        given = own.pop(name, _MISSING)
        fields[name] = given if isinstance(given, _Field) else _Field(given, None, True, True)
    scope: dict[str, Any] = {"_set": object.__setattr__, "_missing": _MISSING}
    then = "__post_init__" in own
    own["__init__"] = _Method(lambda: _init_source(fields, scope, frozen, then), scope)
    if eq:
        own.setdefault("__eq__", _Method(lambda: _eq_source(fields), scope))
        if own.get("__hash__") is None:  # a class with an `__eq__` of its own has None there
            own["__hash__"] = _Method(lambda: _hash_source(fields), scope) if frozen else None
    own.setdefault("__repr__", _repr(cls.__qualname__, fields))
    own |= {"__slots__": tuple(fields), "__match_args__": tuple(fields), "__dataclass_fields__": _Fields(fields)}
    if frozen:
        own |= {"__setattr__": _refuse_set, "__delattr__": _refuse_delete}
        own |= {"__getstate__": _get_state, "__setstate__": _set_state}
    made: type[Any] = type(cls.__name__, cls.__bases__, own)  # anew, for slots cannot be added
    return made


def _repr(title: str, fields: dict[str, _Field]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:
        shown = (name for name, item in fields.items() if item.repr)
        return f"{title}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    return __repr__


def _init_source(fields: dict[str, _Field], scope: dict[str, Any], frozen: bool, then: bool) -> str:
    """Source of `__init__`; defaults go into the scope.  then: it ends with `__post_init__`."""
    params, lines = ["self"], []
    for name, item in fields.items():
        value = name
        if item.factory is not None:
            scope[f"_made_{name}"] = item.factory
            value = f"_made_{name}() if {name} is _missing else {name}"
        scope[f"_default_{name}"] = item.default
        optional = item.factory is not None or item.default is not _MISSING
        params.append(f"{name}=_default_{name}" if optional else name)
        lines.append(f" _set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    lines += [" self.__post_init__()"] if then else []
    return "\n".join((f"def __init__({', '.join(params)}):", *(lines or [" pass"])))


def _eq_source(fields: dict[str, _Field]) -> str:
    same = f"{_compared(fields, 'self')} == {_compared(fields, 'other')}"
    return f"def __eq__(self, other): return {same} if other.__class__ is self.__class__ else NotImplemented"


def _hash_source(fields: dict[str, _Field]) -> str:
    return f"def __hash__(self): return hash({_compared(fields, 'self')})"


def _compared(fields: dict[str, _Field], who: str) -> str:
    return f"({''.join(f'{who}.{name}, ' for name, item in fields.items() if item.compare)})"
