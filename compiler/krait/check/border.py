"""Values that cross the border to the host: which types can, how they are called in the interface, how they are passed.

In: types. Out: `RichType`s and the classes that they name; the code behind `encode` and `decode` of `krait.unsafe`,
which picks the function of `krait.border` for a type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from krait.check import hir
from krait.check.coerce import as_known, coerce, is_none, is_of, unwrap
from krait.check.context import Context
from krait.check.data import DataField
from krait.check.enums import AT, INDEX
from krait.check.invoke import invoke
from krait.check.signatures import declared_fields, field_type, signature
from krait.check.tuples import field_name, is_tuple, is_vector
from krait.check.types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    U32,
    ClassDecl,
    ClassType,
    Instance,
    Optional,
    Type,
    Union,
    is_object,
    prune,
    resolve,
)
from krait.check.world import World
from krait.diagnostics import Span
from krait.syntax import tree
from svm.module.interface import (
    Alias,
    Enumeration,
    Field,
    Interface,
    MemberValue,
    RichType,
    Signature,
    Structure,
    is_name,
)

_SCALARS: dict[Type, str] = {INT: "int", FLOAT: "float", BOOL: "bool", NONE: "None"}
_TEXTS = ("str", "bytes", "bytearray")
_CONTAINERS = ("list", "dict", "set", "frozenset")
_EMPTY = {"list": "[]", "dict": "{}", "set": "set()"}
_NOT_NAME = re.compile(r"\W+")
_BASES = {"enum": "Enum", "int": "IntEnum", "str": "StrEnum"}


class Uncrossable(Exception):
    """A type whose values cannot cross the border; the text says why and what to do."""

    def __init__(self, why: str, hint: str) -> None:
        self.why = why
        self.hint = hint
        super().__init__(why)


class Interfaces:
    """Collects the interface of a program: functions, and the classes that their types name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.functions: list[Signature] = []
        self._names: dict[ClassType, str] = {}
        self._unions: dict[Union, str] = {}
        self._classes: dict[str, Structure | Enumeration | Alias] = {}

    def interface(self) -> Interface:
        """Return all that was collected."""
        return Interface(tuple(self._classes.values()), tuple(self.functions))

    def rich(self, t: Type) -> RichType:
        """Return the type of the interface for a type. Raises Uncrossable."""
        t = resolve(t)
        if t in _SCALARS:
            return RichType(_SCALARS[t])
        if isinstance(t, Optional):
            return RichType("optional", (self.rich(t.inner),))
        if isinstance(t, Union):
            return self.named_union(t) if t.alias else RichType("union", self.parts(t.members))
        if not isinstance(t, ClassType):
            raise Uncrossable(f"a `{t}` cannot cross to the host", "pass numbers, texts, containers or dataclasses")
        if is_tuple(t.decl):
            return RichType("tuple", self.parts(t.args))
        if is_vector(t.decl):
            return RichType("vector", self.parts(t.args))
        if t.decl.module.library:
            if t.decl.name in _TEXTS and t.decl.module.name == f"krait.{t.decl.name}":
                return RichType(t.decl.name)
            if t.decl.name in _CONTAINERS and t.decl.module.name == f"krait.{_module_of(t.decl.name)}":
                return RichType(t.decl.name, self.parts(t.args))
            raise Uncrossable(f"a `{t}` cannot cross to the host", "make a list, a dict or a set of its items")
        return RichType(self._names.get(t) or self.declared(t))

    def named_union(self, t: Union) -> RichType:
        """Return the type for a union that contains itself, which is declared by its name."""
        if is_object(t):
            raise Uncrossable("an `object` cannot cross to the host", "name the types: `int | str`")
        if t not in self._unions:
            self._unions[t] = name = self.new_name(t.alias, t.alias)
            self._classes[name] = Alias(name, RichType("None"))  # its place
            self._classes[name] = Alias(name, RichType("union", self.parts(t.members)))
        return RichType(self._unions[t])

    def new_name(self, wanted: str, longer: str) -> str:
        """Return a name that the interface does not have yet. Raises Uncrossable."""
        for text in (wanted, longer):
            name = _NOT_NAME.sub("_", text).strip("_")
            if is_name(name) and name not in self._classes:
                return name
        raise Uncrossable(f"the name of the type `{wanted}` cannot be shown to a host", "give it another name")

    def parts(self, types: Sequence[Type]) -> tuple[RichType, ...]:
        """Return the types of the interface for several types."""
        return tuple(map(self.rich, types))

    def declared(self, t: ClassType) -> str:
        """Declare a class of the program, and return its name in the interface."""
        decl = t.decl
        if (decl.data is None and not decl.enum) or "flag" in decl.enum:
            raise Uncrossable(f"an object of the class `{t}` cannot cross to the host", "make it a `@dataclass`")
        name = self.new_name(str(t), f"{decl.module.name} {t}")
        self._names[t] = name
        self._classes[name] = Structure(name, ())  # its place, and for fields of the same class
        self._classes[name] = self.enumeration(name, decl) if decl.enum else self.structure(name, t)
        return name

    def enumeration(self, name: str, decl: ClassDecl) -> Enumeration:
        members: list[tuple[str, MemberValue]] = []
        for member in decl.members:
            node = decl.variables[member].node.value
            assert isinstance(node, tree.Call)
            if not is_name(member):
                raise Uncrossable(f"the member `{decl.name}.{member}` cannot be shown to a host", "rename it")
            members.append((member, _value_of(node.args[1])))
        return Enumeration(name, _BASES[decl.enum], tuple(members))

    def structure(self, name: str, t: ClassType) -> Structure:
        options = t.decl.data
        assert options is not None
        fields: list[Field] = []
        for item, _, found in _parts(self.world, t):
            if not is_name(item.name):
                raise Uncrossable(f"the field `{t}.{item.name}` cannot be shown to a host", "rename it")
            try:
                rich = self.rich(found)
            except Uncrossable as error:
                raise Uncrossable(f"{error.why} (the field `{t}.{item.name}`)", error.hint) from None
            default = None
            if item.has_default:
                default = self.factory_text(item.factory) if item.default is None else self.default_text(item.default)
            fields.append(Field(item.name, rich, default if item.init else None, item.init))
        wanted = {item.name for item in options.fields if item.init}
        init = t.decl.find_method("__init__")
        if init is None or {param.name for param in signature(self.world, init).params} != wanted:
            raise Uncrossable(f"the constructor of `{t}` does not take its fields", "leave `__init__` to `@dataclass`")
        hashed = t.decl.find_method("__hash__") is not None
        return Structure(name, tuple(fields), options.frozen or options.named, hashed or options.named, options.named)


    def default_text(self, node: tree.expr) -> str:
        """Return the text of a default that a host can see, ``...`` for one that only the guest knows."""
        match node:
            case tree.Constant(value=bool() | int() | float() | str() | None as value):
                return repr(value)
            case tree.UnaryOp(op=tree.USub(), operand=tree.Constant(value=int() | float() as value)):
                return repr(-value)
            case tree.Attribute(value=tree.Name(id=name), attr=attr):
                found = [shown for t, shown in self._names.items() if t.decl.name == name and attr in t.decl.members]
                return f"{found[0]}.{attr}" if len(found) == 1 else "..."
            case _:
                return "..."

    @staticmethod
    def factory_text(node: tree.expr | None) -> str:
        """Return the text of what a ``default_factory`` makes."""
        return _EMPTY.get(node.id, "...") if isinstance(node, tree.Name) else "..."


def _value_of(node: tree.expr) -> MemberValue:
    """Return the value of a member of an enum, which is made of literals."""
    match node:
        case tree.Constant(value=int() | float() | str() as value):
            return value
        case tree.UnaryOp(operand=tree.Constant(value=int() | float() as value)):
            return -value
        case tree.Tuple(elts=items):
            return tuple(map(_value_of, items))
        case _:
            raise AssertionError("a member of an enum is no literal")


def _parts(world: World, t: ClassType) -> list[tuple[DataField, str, Type]]:
    """Return the fields of a dataclass or a named tuple, each with the name that objects have it by, and its type."""
    options = t.decl.data
    assert options is not None
    parts: list[tuple[DataField, str, Type]] = []
    for at, item in enumerate(options.fields):
        name = field_name(at) if options.named else item.name
        found = field_type(world, t, name)
        assert found is not None, name
        parts.append((item, name, found))
    return parts


def _module_of(name: str) -> str:
    return "set" if name == "frozenset" else name


# --- the intrinsics --------------------------------------------------------------------------------------------------


def encode(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return what hands out a value, by its type."""
    t = prune(value.type)
    if isinstance(t, Optional):
        held, kept = ctx.hold(value)
        inner = encode(ctx, unwrap(ctx, kept), span)
        present = _put(ctx, "bool", hir.Const(BOOL, True), span)
        body: hir.Block = [hir.Evaluate(ctx.line, present), hir.Evaluate(ctx.line, inner)]
        absent: hir.Block = [hir.Evaluate(ctx.line, _put(ctx, "bool", hir.Const(BOOL, False), span))]
        return hir.Let(NONE, [*held, hir.If(ctx.line, is_none(kept), absent, body)], hir.Const(NONE, None))
    if isinstance(t, Union):
        return _put(ctx, "object", value, span, t) if t.alias else _encode_union(ctx, t, value, span)
    if t in _SCALARS:
        return _put(ctx, _SCALARS[t], value, span)
    assert isinstance(t, ClassType)
    if is_tuple(t.decl):
        held, kept = ctx.hold(value)
        items = [hir.FieldGet(item, kept, field_name(at)) for at, item in enumerate(t.args)]
        parts = [hir.Evaluate(ctx.line, encode(ctx, item, span)) for item in items]
        return hir.Let(NONE, [*held, *parts], hir.Const(NONE, None))
    if is_vector(t.decl):
        return encode(ctx, hir.FieldGet(ctx.world.list_type(t.args[0]), value, "items"), span)
    if t.decl.enum:
        place = ctx.call(Instance(t.decl.methods[INDEX]), [value], INT, span)
        return _put(ctx, "count", hir.Op(U32, "i32.wrap_i64", [place]), span)
    if not t.decl.module.library:
        return _put(ctx, "object", value, span, t)
    if t.decl.name == "frozenset":
        return _put(ctx, "set", hir.FieldGet(ctx.world.library_class("set", *t.args), value, "items"), span, *t.args)
    return _put(ctx, _form(t), value, span, *t.args)


def _encode_union(ctx: Context, t: Union, value: hir.Expr, span: Span) -> hir.Expr:
    """Return what hands out the place of a value's type, then the value; derived classes are asked for first."""
    held, kept = ctx.hold(value)
    body: hir.Block = []
    for place, member in sorted(enumerate(t.members), key=lambda item: _ancestors(item[1])):
        one: hir.Block = [
            hir.Evaluate(ctx.line, _put(ctx, "place", hir.Const(U32, place), span)),
            hir.Evaluate(ctx.line, encode(ctx, as_known(ctx, kept, member), span)),
        ]
        body = [hir.If(ctx.line, is_of(ctx, kept, member), one, body)] if body else one
    return hir.Let(NONE, [*held, *body], hir.Const(NONE, None))


def _ancestors(t: Type) -> int:
    t = prune(t)
    return len(list(t.decl.mro())) if isinstance(t, ClassType) else 0


def _decode_union(ctx: Context, t: Union, source: hir.Expr, span: Span) -> hir.Expr:
    held, place = ctx.hold(_take(ctx, "place", source, U32, span))
    made: hir.Expr | None = None
    for at, member in enumerate(t.members):
        one = coerce(ctx, decode(ctx, member, source, span), t, span)
        test = hir.Op(BOOL, "i32.eq", [place, hir.Const(U32, at)])
        made = one if made is None else hir.Conditional(t, test, one, made)
    assert made is not None
    return hir.Let(t, held, made)


def _form(t: ClassType) -> str:
    """Return the name of a class of the library as its functions in `krait.border` have it."""
    return "block" if t.decl.name == "list" and prune(t.args[0]) in (INT, FLOAT) else t.decl.name


def _put(ctx: Context, what: str, value: hir.Expr, span: Span, *types: Type) -> hir.Expr:
    return ctx.library("krait.border", f"put_{what}", [value], NONE, span, *types)


def encode_fields(ctx: Context, value: hir.Expr, span: Span) -> hir.Expr:
    """Return what hands out the fields of an object, which must be of the very class that its type says.

    A value of a union that contains itself counts as an object.
    """
    t = prune(value.type)
    if isinstance(t, Union):
        return _encode_union(ctx, t, value, span)
    assert isinstance(t, ClassType) and t.decl.data is not None
    held, kept = ctx.hold(value)
    body: hir.Block = [*held]
    if ctx.world.subclasses(t):
        other = hir.Op(BOOL, "i32.ne", [hir.TypeId(U32, kept), hir.ClassId(U32, t)])
        message = f"where the interface says {t.decl.name}, an object of a class that derives from it cannot be handed"
        body.append(hir.If(ctx.line, other, ctx.raising("TypeError", f"{message} to the host", span), []))
    for _, name, found in _parts(ctx.world, t):
        body.append(hir.Evaluate(ctx.line, encode(ctx, hir.FieldGet(found, kept, name), span)))
    return hir.Let(NONE, body, hir.Const(NONE, None))


def decode(ctx: Context, t: Type, source: hir.Expr, span: Span) -> hir.Expr:
    """Return what makes a value of the next bytes of a `krait.border.Source`, by its type."""
    t = prune(t)
    if isinstance(t, Optional):
        inner = coerce(ctx, decode(ctx, t.inner, source, span), t, span)
        return hir.Conditional(t, _take(ctx, "bool", source, BOOL, span), inner, hir.Const(t, None))
    if isinstance(t, Union):
        return _take(ctx, "object", source, t, span, t) if t.alias else _decode_union(ctx, t, source, span)
    if t in _SCALARS:
        return _take(ctx, _SCALARS[t], source, t, span)
    assert isinstance(t, ClassType)
    if is_tuple(t.decl):
        return _constructed(ctx, t, [decode(ctx, item, source, span) for item in t.args], span)
    if is_vector(t.decl):
        return _take(ctx, "vector", source, t, span, *t.args)
    if t.decl.enum:
        place = hir.Op(INT, "i64.extend_i32_u", [_take(ctx, "count", source, U32, span)])
        return ctx.call(Instance(t.decl.methods[AT]), [place], t, span)
    if not t.decl.module.library:
        return _take(ctx, "object", source, t, span, t)
    if t.decl.module.name == "krait.border":
        return _take(ctx, "given", source, t, span, *t.args)
    return _take(ctx, _form(t), source, t, span, *t.args)


def _take(ctx: Context, what: str, source: hir.Expr, result: Type, span: Span, *types: Type) -> hir.Expr:
    return ctx.library("krait.border", f"take_{what}", [source], result, span, *types)


def decode_fields(ctx: Context, t: Type, source: hir.Expr, span: Span) -> hir.Expr:
    """Return what makes an object of its fields, by its constructor; or a value of a union that contains itself."""
    t = prune(t)
    if isinstance(t, Union):
        return _decode_union(ctx, t, source, span)
    assert isinstance(t, ClassType) and t.decl.data is not None
    body: hir.Block = []
    values: dict[str, hir.Expr] = {}
    for item, _, found in _parts(ctx.world, t):
        if item.init:
            held, values[item.name] = ctx.hold(decode(ctx, found, source, span))
            body += held
    init = t.decl.find_method("__init__")
    assert init is not None
    order = [values[param.name] for param in signature(ctx.world, init).params]
    made = _constructed(ctx, t, order, span)
    return hir.Let(t, body, made)


def _constructed(ctx: Context, t: ClassType, values: Sequence[hir.Expr], span: Span) -> hir.Expr:
    """Return a new object, its ``__init__`` called with these values."""
    local = ctx.temp(t)
    declared_fields(ctx.world, t)
    body: hir.Block = []
    kept: list[hir.Expr] = []
    for value in values:
        held, one = ctx.hold(value)
        body += held
        kept.append(one)
    own = hir.LocalGet(t, local)
    body.append(hir.Assign(ctx.line, local, hir.New(t, None, span.start_line)))
    body.append(hir.Evaluate(ctx.line, invoke(ctx, own, "__init__", [(value, span) for value in kept], span)))
    return hir.Let(t, body, own)
