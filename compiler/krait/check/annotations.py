"""Types from annotations.

In: the expression of an annotation, the module it stands in, the values of type parameters in scope. Out: a `Type`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from krait.check.mixing import mixed, mixed_items
from krait.check.names import did_you_mean
from krait.check.roots import is_root
from krait.check.tuples import tuple_type
from krait.check.types import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    Alias,
    ClassDecl,
    ClassType,
    FunctionDecl,
    FunctionType,
    Instance,
    Intrinsic,
    ModuleDecl,
    NamedType,
    Optional,
    Pack,
    Type,
    TypeParam,
    Union,
    is_object,
    members_of_union,
    optional,
    prune,
    substitute,
    union,
)
from krait.check.vocabulary import ANY_PARAMETERS, ANY_RESULT, TYPES_LATER
from krait.check.world import Mixes, Refusal, World
from krait.diagnostics import DiagnosticSink, Span
from krait.syntax import tree
from krait.syntax.parser import parse

_OPENED = {"typing.List": "list", "typing.Dict": "dict", "typing.Set": "set", "typing.FrozenSet": "frozenset",
           "typing.Tuple": "tuple"}  # fmt: skip
_LIBRARY = {
    "typing.TracebackType": ("krait.exceptions", "TracebackType"),
    "typing.TextIO": ("krait.io", "TextOutput"),
}
"""Names of typing that mean a class of the library."""
_OF_ITEMS = ("tuple", "typing.Iterator", "typing.Generator", *_OPENED)
"""Names of typing that say the types of items in brackets, or leave them open: for parameters those of `_OPENED`."""


class Annotations:
    """Resolves annotations of one module, with ``params`` as the meaning of type parameters by name."""

    def __init__(
        self, world: World, module: ModuleDecl, params: Mapping[str, Type], instance: Instance | None = None
    ) -> None:
        self.world = world
        self.module = module
        self.params = params
        self.instance = instance
        self.place: Span | None = None
        self.is_exact = False  # those of a function of the host, which takes what it says
        self.opened: list[TypeParam] | None = None  # those that stand for the items of a `list` without their type

    def refuse(self, span: Span, message: str, *hints: str, label: str = "") -> Refusal:
        """Report an error and return the exception to raise."""
        place = self.place or span
        return self.world.refuse(self.module, place, message, label=label, hints=hints, instance=self.instance)

    def type(self, node: tree.expr) -> Type:
        """Return the type that an annotation means; with ints as well as floats where a check asks for that."""
        found = self.said(node)
        takes = Mixes.NONE if self.module.library or self.is_exact else self.world.mixes
        return found if takes is Mixes.NONE else mixed_items(found) if takes is Mixes.ITEMS else mixed(found)

    def said(self, node: tree.expr) -> Type:
        """Return the type that an annotation says."""
        match node:
            case tree.Constant(value=None):
                return NONE
            case tree.Constant(value=str(text)):
                return self.quoted(text, node.span)
            case tree.Name() | tree.Attribute():
                return self.named(node)
            case tree.Subscript(value=value, slice=arguments):
                items = arguments.elts if isinstance(arguments, tree.Tuple) else (arguments,)
                return self.generic(value, items, node.span)
            case tree.BinOp(op=tree.BitOr(), left=left, right=right):
                return self.union((left, right), node.span)
            case _:
                raise self.refuse(node.span, "this is not a type", "write a type such as `int`, `str` or `list[int]`")

    def class_variable(self, node: tree.expr) -> Type | None:
        """Return the type of a variable of a class; None where ``Final`` leaves it to the value."""
        match node:
            case tree.Subscript(value=value, slice=inner) if self.is_special(value, "typing.ClassVar", "typing.Final"):
                return self.class_variable(inner)
            case tree.Constant(value=str("Final")):
                return self.class_variable(tree.Name("Final", tree.LOAD, node.span))
            case tree.Name() | tree.Attribute() if self.is_special(node, "typing.ClassVar", "typing.Final"):
                return None
            case _ if self.leaves_items_open(node):
                return None
            case _:
                return self.type(node)

    def leaves_items_open(self, node: tree.expr) -> bool:
        """Return whether an annotation names a container or generator, but not the type of its items.

        Neither says `Any` what there is, where a check has failed that took it for any object.
        """
        if self.world.infers_any and any(map(self.is_any, tree.walk(node))):
            return True
        if not isinstance(node, tree.Name | tree.Attribute):
            return False
        if self.is_special(node, "tuple", *_OF_ITEMS):
            return True
        symbol = self.world.symbol_named(self.module, node)
        return isinstance(symbol, ClassDecl) and symbol.module.library and bool(symbol.type_params)

    def is_special(self, node: tree.expr, *forms: str) -> bool:
        """Return whether an expression names one of these forms of typing."""
        shadowed = isinstance(node, tree.Name) and node.id in self.params
        symbol = None if shadowed else self.world.symbol_named(self.module, node)
        return isinstance(symbol, Intrinsic) and symbol.name in forms

    def is_any(self, node: tree.AST) -> bool:
        """Return whether a part of an annotation is `Any`."""
        return isinstance(node, tree.Name | tree.Attribute) and self.is_special(node, "typing.Any")

    def quoted(self, text: str, span: Span) -> Type:
        """A type in quotes, which may name a class that is declared further down."""
        parsed = parse(text, self.module.filename, DiagnosticSink(self.module.filename, text))
        match parsed.body if parsed is not None else ():
            case (tree.Expr(value=value),):
                nested = Annotations(self.world, self.module, self.params, self.instance)
                nested.place = self.place or span  # the spans of the parsed text count from its own start
                return nested.type(value)
            case _:
                raise self.refuse(span, "this text is not a type")

    def named(self, node: tree.Name | tree.Attribute) -> Type:
        meaning = self.meaning(node)
        if isinstance(meaning, Type):
            return meaning
        if isinstance(meaning, ClassDecl):
            return self.instantiate(meaning, (), node.span)
        if meaning == "typing.Callable" and ANY_PARAMETERS in self.params:
            return substitute(FunctionType((self.params[ANY_PARAMETERS],), self.params[ANY_RESULT]), {})
        if meaning == "typing.Type":
            return self.world.class_type(None)
        if self.opened is not None and meaning in _OPENED:
            if meaning == "typing.Tuple":
                self.opened.append(TypeParam("tuple[…]"))
                return self.opened[-1]
            return self.instantiate(self.world.library_class(_OPENED[meaning]).decl, (), node.span)
        raise self.refuse(node.span, "this is not a type")

    def meaning(self, node: tree.expr) -> Type | ClassDecl | str:
        """Return what the root of an annotation names: a type, a class, or a special form of typing."""
        match node:
            case tree.Name(id=name):
                if name in self.params:
                    return self.params[name]
                symbol = self.world.lookup(self.module, name)
                if isinstance(symbol, Intrinsic) and symbol.name == "tuple":
                    return "typing.Tuple"
                if isinstance(symbol, Intrinsic) and symbol.name == "range":
                    symbol = self.world.library_symbol("krait.range", "range")
            case tree.Attribute(attr=name):
                symbol = self.world.symbol_named(self.module, node)
            case _:
                raise self.refuse(node.span, "this is not a type")
        if isinstance(symbol, Intrinsic) and symbol.name == "typing.Any":
            self.world.meets_any |= not self.module.library
            if self.world.infers_any and self.opened is not None:
                self.opened.append(TypeParam("Any"))
                return self.opened[-1]
            return optional(self.world.anything)
        if isinstance(symbol, ClassDecl) and is_root(symbol):
            return optional(self.world.anything)
        match symbol:
            case ClassDecl():
                return symbol
            case NamedType():
                return symbol.type
            case Intrinsic(name=special) if special.startswith("typing.collections."):
                found = self.world.library_symbol("collections", special.rpartition(".")[2])
                assert isinstance(found, ClassDecl)
                return found
            case FunctionDecl(name="count", module=ModuleDecl(name="itertools")):
                return ClassType(self.iterator_class(), (INT,))
            case Alias(params=(_, *_)):
                raise self.wrong_number(symbol, 0, node.span)
            case Alias():
                return self.alias(symbol, node.span)
            case Intrinsic(name=special) if special in ("typing.NoReturn", "typing.Never"):
                return NEVER
            case Intrinsic(name="typing.Text" | "typing.LiteralString"):
                return self.world.str_type
            case Intrinsic(name="type" | "typing.Type"):
                return "typing.Type"
            case Intrinsic(name=special) if special in _LIBRARY:
                found = self.world.library_symbol(*_LIBRARY[special])
                assert isinstance(found, ClassDecl)
                return self.instantiate(found, (), node.span)
            case Intrinsic(name=special) if special.startswith("typing.") and name not in TYPES_LATER:
                return special
            case _:
                pass
        if name in TYPES_LATER:
            raise self.refuse(node.span, f"not yet part of Krait: the type `{name}`", TYPES_LATER[name])
        if symbol is None:
            known = [*self.params, *self.module.symbols, *self.world.builtin_names()]
            raise self.refuse(node.span, f"there is no type `{name}`", *did_you_mean(name, known))
        raise self.refuse(node.span, f"`{name}` is not a type")

    def alias(self, alias: Alias, span: Span) -> Type:
        """What an alias stands for; within itself, a union that has its members when the whole is known."""
        if alias.type is not None:
            return alias.type
        if alias.open is not None:
            alias.is_recursive = True
            return optional(alias.open) if _names_none(alias.node) else alias.open
        alias.open = Union((), alias.name)
        try:
            found = Annotations(self.world, alias.module, {}, self.instance).type(alias.node)
        finally:
            made, alias.open = alias.open, None
        if alias.is_recursive:
            inner = prune(found.inner) if isinstance(found, Optional) else found
            if not isinstance(inner, Union):
                raise self.refuse(span, f"`{alias.name}` contains itself, and is no union", "write a class")
            made.members = inner.members
            found = optional(made) if isinstance(found, Optional) else made
        alias.type = found
        return found

    def generic_alias(self, value: tree.expr) -> Alias | None:
        """Return the alias with type parameters that an expression names, None if it names none."""
        shadowed = isinstance(value, tree.Name) and value.id in self.params
        symbol = None if shadowed else self.world.symbol_named(self.module, value)
        return symbol if isinstance(symbol, Alias) and symbol.params else None

    def wrong_number(self, alias: Alias, count: int, span: Span) -> Refusal:
        """Report an alias with more or fewer types than it has type parameters."""
        wanted = f"takes {len(alias.params)} ({', '.join(alias.params)})"
        return self.refuse(span, f"`{alias.name}` {wanted}, not {count}")

    def generic(self, value: tree.expr, items: tuple[tree.expr, ...], span: Span) -> Type:
        alias = self.generic_alias(value)
        if alias is not None:
            if len(items) != len(alias.params):
                raise self.wrong_number(alias, len(items), span)
            given = dict(zip(alias.params, map(self.value_type, items), strict=True))
            return Annotations(self.world, alias.module, given, self.instance).type(alias.node)
        meaning = self.meaning(value)
        match meaning:
            case "typing.Literal":
                return union([self.literal(item) for item in items])
            case "typing.Annotated":
                return self.type(items[0])
            case "typing.TypeGuard":
                return BOOL
            case "typing.Optional" | "typing.Final" if len(items) != 1:
                raise self.refuse(span, "this takes one type")
            case "typing.Optional":
                return optional(self.type(items[0]))
            case "typing.Union":
                return self.union(items, span)
            case "typing.Final":
                return self.type(items[0])
            case "typing.List" | "typing.MutableSequence":
                return self.instantiate(self.world.list_type(INT).decl, items, span)
            case "typing.Sequence" | "typing.Collection" | "typing.Reversible":
                return self.instantiate(self.world.list_type(INT).decl, items, span)
            case "typing.Dict" | "typing.Mapping" | "typing.MutableMapping":
                return self.instantiate(self.world.dict_type(INT, INT).decl, items, span)
            case "typing.Iterator" | "typing.Iterable" if len(items) == 1:
                return self.iterator(items[0])
            case "typing.Generator" if 1 <= len(items) <= 3:
                return self.generator(items)
            case "typing.Type" if len(items) == 1:
                return self.class_type(items[0])
            case "typing.Callable":
                return self.callable(items, span)
            case "typing.Set" | "typing.FrozenSet" | "typing.AbstractSet" | "typing.MutableSet":
                name = "frozenset" if meaning == "typing.FrozenSet" else "set"
                return self.instantiate(self.world.library_class(name).decl, items, span)
            case "typing.Tuple":
                if any(isinstance(item, tree.Constant) and item.value is ... for item in items):
                    if len(items) != 2 or (isinstance(items[0], tree.Constant) and items[0].value is ...):
                        raise self.refuse(span, "a tuple of any length has items of one type", "write `tuple[T, ...]`")
                    return self.world.vector_type(self.value_type(items[0]))
                parts = tuple(self.type(item) for item in items if not (isinstance(item, tree.Tuple) and not item.elts))
                return tuple_type(self.world, parts)
            case ClassDecl():
                return self.instantiate(meaning, items, span)
            case _:
                raise self.refuse(span, "this type takes no arguments")

    def class_type(self, item: tree.expr) -> Type:
        """``type[C]``: of a union, one of the classes; of a class with type parameters, any class."""
        found = [prune(t) for t in members_of_union(self.value_type(item))]
        if any(is_object(t) or (isinstance(t, ClassType) and t.args) for t in found):
            return self.world.class_type(None)
        return union(map(self.world.class_type, found))

    def iterator(self, item: tree.expr) -> Type:
        found = self.type(item)
        if prune(found) is NONE:  # an iterator of nothing gives the None of an `int | None`
            return ClassType(self.iterator_class(), (optional(INT),))
        return ClassType(self.iterator_class(), (self.value_type(item),))

    def generator(self, items: tuple[tree.expr, ...]) -> Type:
        """``Generator[Y, S, R]``: an iterator, if nothing is sent to it and it returns nothing."""
        more = [self.type(item) for item in items[1:]]
        if all(prune(t) is NONE or is_object(t) for t in more):
            return self.iterator(items[0])
        found = self.iterator(items[0])
        assert isinstance(found, ClassType)
        decl = self.world.library_symbol("krait.generator", "Generator")
        assert isinstance(decl, ClassDecl)
        given = [optional(INT) if prune(t) is NONE else t for t in (*more, NONE)[:2]]
        return ClassType(decl, (*found.args, *given))

    def iterator_class(self) -> ClassDecl:
        decl = self.world.library_symbol("krait.iterator", "Iterator")
        assert isinstance(decl, ClassDecl)
        return decl

    def literal(self, node: tree.expr) -> Type:
        """The type of a literal in ``Literal[…]``; which of its values it has is not looked at."""
        match node:
            case tree.UnaryOp(op=tree.USub(), operand=operand):
                return self.literal(operand)
            case tree.Constant(value=bool()):
                return BOOL
            case tree.Constant(value=int()):
                return INT
            case tree.Constant(value=str()):
                return self.world.str_type
            case tree.Constant(value=bytes()):
                return self.world.library_class("bytes")
            case tree.Constant(value=None):
                return NONE
            case tree.Attribute(value=value):
                return self.type(value)
            case _:
                raise self.refuse(node.span, "this is not a literal")

    def of_constant(self, node: tree.Constant) -> Type:
        """The type of a constant."""
        return FLOAT if isinstance(node.value, float) else self.literal(node)

    def callable(self, items: tuple[tree.expr, ...], span: Span) -> Type:
        pack = self.pack(items[0]) if len(items) == 2 else None
        if pack is not None:
            is_any = isinstance(items[1], tree.Name) and items[1].id in ("Any", "object") and ANY_RESULT in self.params
            result = self.params[ANY_RESULT] if is_any else self.type(items[1])
            return substitute(FunctionType((pack,), result), {})
        if len(items) != 2 or not isinstance(items[0], tree.List):
            hint = "write the types of the parameters: `Callable[[int, str], bool]`"
            raise self.refuse(span, "not part of Krait: a `Callable` with any parameters", hint)
        return FunctionType(tuple(self.value_type(item) for item in items[0].elts), self.type(items[1]))

    def pack(self, node: tree.expr) -> Type | None:
        """Return the pack that stands in the place of the parameters of a function, if one does."""
        match node:
            case tree.Constant(value=value) if value is ...:
                return self.params.get(ANY_PARAMETERS)
            case tree.Name(id=name) if isinstance(found := self.params.get(name), TypeParam | Pack):
                return found if isinstance(found, Pack) or found.pack else None
            case _:
                return None

    def instantiate(self, decl: ClassDecl, items: tuple[tree.expr, ...], span: Span) -> Type:
        if decl.primitive is not None and not items:
            return decl.primitive
        if len(items) != len(decl.type_params):
            names = ", ".join(param.name for param in decl.type_params)
            if not items and self.opened is not None:
                made = tuple(TypeParam(f"{decl.name}[…]") for _ in decl.type_params)
                self.opened += made
                return ClassType(decl, made)
            if not items:
                raise self.refuse(
                    span, f"`{decl.name}` needs the type of its items", f"write `{decl.name}[int]`, for example"
                )
            wanted = f"takes {len(decl.type_params)} ({names})" if names else "takes no type arguments"
            raise self.refuse(span, f"`{decl.name}` {wanted}, not {len(items)}")
        if decl.protocol and not decl.type_params and self.world.protocol_type is not None:
            found = self.world.protocol_type(self.world, decl)
            if found is not None:
                return found
        return ClassType(decl, tuple(self.value_type(item) for item in items))

    def value_type(self, node: tree.expr) -> Type:
        """Return a type that values can have."""
        found = self.type(node)
        if prune(found) in (NONE, NEVER):
            raise self.refuse(node.span, f"`{found}` cannot be the type of an item")
        return found

    def union(self, nodes: Sequence[tree.expr], span: Span) -> Type:
        """``A | B``, ``Union[A, B]``."""
        parts = [prune(self.type(node)) for node in nodes]
        for part, node in zip(parts, nodes, strict=True):
            if isinstance(part, ClassType) and part.decl is self.iterator_class() and len(set(parts) - {NONE}) > 1:
                message = "not part of Krait: iterators in a union"
                raise self.refuse(node.span, message, "make a list of the items")
        return union(parts)


def _names_none(node: tree.expr) -> bool:
    """Return whether a union, or what a text says in its place, has None among its parts."""
    match node:
        case tree.Constant(value=None):
            return True
        case tree.BinOp(op=tree.BitOr(), left=left, right=right):
            return _names_none(left) or _names_none(right)
        case tree.Subscript(value=tree.Name(id="Optional") | tree.Attribute(attr="Optional")):
            return True
        case tree.Subscript(value=tree.Name(id="Union") | tree.Attribute(attr="Union"), slice=tree.Tuple(elts=parts)):
            return any(map(_names_none, parts))
        case _:
            return False
