"""What the checker knows of the whole program: modules, signatures, fields, instances, and the errors found.

In: the parser's trees, by way of `loader`. Out: answers to "what does this name mean", "which method is that", "what
are the fields of this class"; and `refuse`, the one way in which the checker reports an error.

Invariant: an error in the library's own code is reported at the place in the program that asked for the instance.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from krait.check import hir, loader
from krait.check.class_variables import add_own_variables
from krait.check.data import DataOptions
from krait.check.dataclasses import make_methods
from krait.check.declare import declare
from krait.check.names import did_you_mean
from krait.check.private import with_private_names
from krait.check.roots import MARK_CLASS, is_root
from krait.check.types import (
    BOOL,
    CLASSES,
    FLOAT,
    INT,
    NONE,
    OBJECT,
    ClassDecl,
    ClassType,
    FunctionDecl,
    FunctionType,
    Import,
    Infer,
    Instance,
    Intrinsic,
    ModuleDecl,
    NamedType,
    Optional,
    Primitive,
    Symbol,
    Type,
    Union,
    ancestor,
    base_of,
    is_known,
    prune,
    resolve,
    union,
)
from krait.check.unification import unify
from krait.check.vocabulary import BUILTIN_FUNCTIONS, COMPILER_MODULES, HIDDEN_BUILTINS, LIBRARY, OTHER_NAMES, PROVIDED
from krait.diagnostics import DiagnosticSink, Note, Span
from krait.sources import Sources, text_of
from krait.syntax import tree

MAX_INSTANCES = 20_000
"""Instances of generic functions in one program; those that call themselves with ever larger types end here."""

MAX_CHECKS_AGAIN = 2_000
"""How often bodies are checked again in one compilation, with variables of more types than before, or for what they say
of fields. Some would get ever more types; and a function within another is checked with each round of that, so that
the depth of nesting would be an exponent.
"""


_MARKS = frozenset(
    {"abc.ABC", "typing.Generic", "typing.Protocol", "typing.NamedTuple", "enum.Enum", "enum.IntEnum", "enum.StrEnum"}
    | {"enum.Flag", "enum.IntFlag"}
)
"""Bases that say something of a class and have nothing to inherit."""

MARK = " (has a value)"
"""What the name of a field ends with that says whether another one has a value."""

MAX_TYPE = 100
"""Parts of a type argument: more means that a generic function calls itself with ever larger types."""


class Refusal(Exception):
    """Unwinds the checker to the statement, or argument, where it can go on. The diagnostic has been reported."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for an instance first: where its errors are shown if it belongs to the library."""

    module: ModuleDecl
    span: Span
    instance: Instance | None


class Mixes(IntEnum):
    """Where ints are as well what annotations say is a float: nowhere, among the items of what holds some, everywhere.

    A check that fails for such an int is tried anew, as the next of these has it.
    """

    NONE = 0
    ITEMS = 1
    ALL = 2


class World:
    """The state of one compilation."""

    def __init__(self, sink: DiagnosticSink, sources: Sources) -> None:
        self.sink = sink
        self.root_sink = sink
        self.sources = sources
        self.modules: dict[str, ModuleDecl] = {}
        self.broken_modules: set[str] = set()
        self.functions: dict[Instance, hir.Function] = {}
        self.generic_instances = 0
        self.checks_again = 0
        self.requests: dict[Instance, Request] = {}
        self.results: dict[Instance, Type] = {}
        self.asked: set[FunctionDecl] = set()
        self.settling: set[tuple[ClassType, str]] = set()
        self.learn_from: Callable[[World, Instance], None] | None = None
        self.called: dict[FunctionDecl, list[Instance]] = {}
        self.field_types: dict[ClassType, dict[str, Type]] = {}
        self.check_function: Callable[[Instance], hir.Function] | None = None
        self.infer_result: Callable[[World, Instance], Type] | None = None
        self.protocol_type: Callable[[World, ClassDecl], Type | None] | None = None
        self.function_of: Callable[[Any, hir.Expr, FunctionType], hir.Expr | None] | None = None
        self.annotate: Callable[[ModuleDecl, Mapping[str, Type], tree.expr], Type] | None = None
        self.named_functions = False
        self.asks_names = False
        self.keeps_arguments = False
        self.asks_arguments = False
        self.gives_arguments = False
        self.throws = False
        self.found_throws = False
        self.found_closings = False
        self.asking: tuple[int, frozenset[str]] = (0, frozenset())
        self.mixed: frozenset[tuple[str, str, int | str]] = frozenset()
        self.found_mixed: set[tuple[str, str, int | str]] = set()
        self.given: Callable[[World, tuple[str, str, str]], Type | None] | None = None
        self.found_given: dict[tuple[str, str, str], list[Type]] = {}
        self.mixes = Mixes.NONE
        self.meets_ints = False
        self.infers_any = False
        self.meets_any = False
        self.promoting = 0
        self.no_keywords: dict[tree.FunctionDef, str] = {}
        self.late: frozenset[tuple[str, str, str]] = frozenset()
        self.found_late: set[tuple[ClassDecl, str]] = set()
        self.own_variables: frozenset[tuple[str, str, str]] = frozenset()
        self.found_own: set[tuple[str, str, str]] = set()
        self.protocols: dict[ClassDecl, Type] = {}
        self.alike: dict[tuple[FunctionDecl, FunctionDecl], bool] = {}
        self.derived: dict[ClassDecl, list[ClassDecl]] = {}
        self.in_progress: set[Instance] = set()
        self.quiet = 0
        self.anything = Union((), OBJECT)

    def given_type(self, key: tuple[str, str, str]) -> Type | None:
        """Return the type that an earlier check has found for what has none of its own, None if it has found none."""
        return self.given(self, key) if self.given is not None else None

    def note_given(self, decl: FunctionDecl, name: str, given: Type) -> None:
        """Note what a call gives to a parameter, if that has no type of its own."""
        found = self.found_given.get((decl.module.name, decl.qualified_name, name))
        if found is not None and not self.quiet:
            found.append(given)

    def note_called(self, instance: Instance) -> None:
        """Note which instances of a generic method there are."""
        decl = instance.decl
        self.called.setdefault(decl, []).append(instance)
        key = (decl.module.name, decl.qualified_name, "<call>")
        self.found_given.setdefault(key, []).append(FunctionType(instance.args, NONE))

    # --- errors ----------------------------------------------------------------------------------------------------

    def refuse(
        self,
        module: ModuleDecl,
        span: Span,
        message: str,
        *,
        label: str = "",
        hints: Iterable[str] = (),
        notes: Iterable[Note] = (),
        instance: Instance | None = None,
    ) -> Refusal:
        """Report an error at a place of ``module`` and return the exception to raise."""
        if self.quiet:
            return Refusal(message)
        notes = tuple(notes)
        request = self.requests.get(instance) if instance is not None else None
        if module.library and request is not None:
            notes = (Note(f"in `{_describe(instance)}` of the library"),)
            while request.module.library and request.instance in self.requests:
                request = self.requests[request.instance]
            module, span, label = request.module, request.span, ""
        elif request is not None and instance is not None and instance.args:
            notes = (*notes, Note(f"in `{_describe(instance)}`", request.span if request.module is module else None))
        self.sink.add_source(module.filename, module.source)
        self.sink.error(message, span, label=label, hints=hints, notes=notes, filename=module.filename)
        return Refusal(message)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Report nothing within: what is checked there is an attempt."""
        self.quiet += 1
        try:
            yield
        finally:
            self.quiet -= 1

    @contextmanager
    def aloud(self) -> Iterator[None]:
        """Report for good what is found within, even in an attempt, or in a check that may be done again."""
        quiet, sink = self.quiet, self.sink
        self.quiet, self.sink = 0, self.root_sink
        try:
            yield
        finally:
            self.quiet, self.sink = quiet, sink

    # --- modules and names -----------------------------------------------------------------------------------------

    def add_module(self, module: ModuleDecl) -> None:
        """Make ``module`` known and find what it declares."""
        self.modules[module.name] = module
        self.sink.add_source(module.filename, module.source)
        if not module.library:
            module.tree = with_private_names(module.tree, module.source)
        declare(module, self.root_sink)
        for symbol in list(module.symbols.values()):
            if isinstance(symbol, ClassDecl) and symbol.node.bases:
                with suppress(Refusal):
                    self._find_base(symbol)
        for symbol in list(module.symbols.values()):
            if isinstance(symbol, ClassDecl) and symbol.data is not None and symbol.data.named:
                with suppress(Refusal):
                    self._be_a_tuple(symbol, symbol.data)
        for symbol in list(module.symbols.values()):
            if isinstance(symbol, ClassDecl):
                add_own_variables(symbol, self.own_variables)
                self._make_data_class(symbol)

    def _make_data_class(self, decl: ClassDecl) -> None:
        """Give a dataclass its methods, its bases first."""
        if decl.data is None or decl.data_made:
            return
        decl.data_made = True
        if decl.base is not None:
            self._make_data_class(decl.base)
        make_methods(decl, lambda span, text, hint: self.refuse(decl.module, span, text, hints=(hint,)))

    def _be_a_tuple(self, decl: ClassDecl, data: DataOptions) -> None:
        """Let a ``NamedTuple`` derive from the tuple of its fields."""
        if decl.base is not None:
            raise self.refuse(decl.module, decl.node.span, "not part of Krait: a `NamedTuple` with another base")
        assert self.annotate is not None
        params = {param.name: param for param in decl.type_params}
        span = decl.node.span
        items = tree.Tuple(tuple(item.annotation for item in data.fields), tree.LOAD, span)
        base = self.annotate(
            decl.module, params, tree.Subscript(tree.Name("tuple", tree.LOAD, span), items, tree.LOAD, span)
        )
        assert isinstance(base, ClassType)
        mixed = [(decl.module.name, decl.name, f"item{at}") in self.mixed for at in range(len(base.args))]
        decl.base = base.decl
        decl.base_args = tuple(union((INT, t)) if is_mixed else t for t, is_mixed in zip(base.args, mixed, strict=True))
        self.derived.setdefault(base.decl, []).append(decl)

    def _find_base(self, decl: ClassDecl) -> None:
        """Find the class that a class derives from; ``ABC`` beside it is only a mark, and so is a protocol that adds no
        method.
        """
        found: list[tree.expr] = []
        protocols: list[tuple[ClassDecl, bool]] = []  # and whether it stands behind the base
        for node in decl.node.bases:
            root = self.symbol_named(decl.module, node.value if isinstance(node, tree.Subscript) else node)
            if isinstance(root, Intrinsic) and root.name in _MARKS:
                continue
            if decl.enum and isinstance(root, ClassDecl) and (root.primitive is INT or root is self.str_type.decl):
                continue  # it says what the members are
            if isinstance(root, ClassDecl) and is_root(root) and not decl.name.startswith(MARK_CLASS):
                continue
            if len(decl.node.bases) > 1 and isinstance(root, ClassDecl) and root.protocol and not decl.protocol:
                protocols.append((root, bool(found)))
                continue
            found.append(node)
        if len(found) > 1:
            raise self.refuse(
                decl.module,
                found[1].span,
                "not part of Krait: several base classes",
                hints=("derive from one class, and keep an object of the other in a field",),
            )
        if found:
            self._set_base(decl, found[0])
        base = decl.base
        for protocol, is_behind in protocols:
            inherited = base if is_behind else None
            for name in (name for part in protocol.mro() for name in part.methods):
                if name not in decl.methods and (inherited is None or inherited.find_method(name) is None):
                    hints = (f"write `{name}` in `{decl.name}`",)
                    text = f"not yet part of Krait: a method `{name}` that is only the protocol's `{protocol.name}`"
                    raise self.refuse(decl.module, decl.node.bases[0].span, text, hints=hints)

    def _set_base(self, decl: ClassDecl, node: tree.expr) -> None:
        base = self.symbol_named(decl.module, node.value if isinstance(node, tree.Subscript) else node)
        if not isinstance(base, ClassDecl):
            raise self.refuse(decl.module, node.span, "a base must be a class")
        if base.is_subclass(decl):
            raise self.refuse(decl.module, node.span, f"`{decl.name}` would derive from itself")
        closed = base.module.library and not decl.module.library and not self.is_exception(base) and not is_root(base)
        if base.primitive is not None or closed:
            raise self.refuse(
                decl.module,
                node.span,
                f"not yet part of Krait: classes that derive from `{base.name}`",
                hints=(f"keep the `{base.name}` in a field",),
            )
        if self.annotate is not None and base.type_params:
            params = {param.name: param for param in decl.type_params}
            t = self.annotate(decl.module, params, node)
            assert isinstance(t, ClassType)
            decl.base_args = t.args
        decl.base = base
        self.derived.setdefault(base, []).append(decl)

    def symbol_named(self, module: ModuleDecl, node: tree.expr) -> Symbol | None:
        """Return what a name, or a name in a module, means at the top level of ``module``."""
        match node:
            case tree.Name(id=name):
                return self.lookup(module, name)
            case tree.Attribute(value=value, attr=attr):
                owner = self.symbol_named(module, value)
                if isinstance(owner, ClassDecl):
                    return owner.nested.get(attr)
                return self.lookup(owner, attr) if isinstance(owner, ModuleDecl) else None
            case _:
                return None

    def overriders(self, instance: Instance) -> list[tuple[Instance, ClassType]]:
        """Return the methods of derived classes that take the place of a method, with their classes.

        The most derived come first.
        """
        decl = instance.decl
        if decl.owner is None or decl.kind in ("static", "class") or decl.name == "__init__":
            return []
        count = len(decl.owner.type_params)
        own = instance.args[count:]
        found: list[tuple[Instance, ClassType]] = []
        for cls in self.subclasses(ClassType(decl.owner, instance.args[:count])):
            members = cls.decl.setters if decl.kind == "setter" else cls.decl.methods
            method = members.get(decl.name)
            if method is not None and len(method.type_params) == len(own):
                found.append((Instance(method, (*cls.args, *own)), cls))
        return found[::-1]

    def has_own_format(self, t: Type) -> bool:
        """Return whether a value may be of a class of the program that says how it is formatted."""
        t = prune(t)
        if isinstance(t, Optional):
            return self.has_own_format(t.inner)
        if isinstance(t, Union):
            own = (module for module in self.modules.values() if not module.library)
            symbols = (symbol for module in own for symbol in module.symbols.values())
            return any(isinstance(symbol, ClassDecl) and "__format__" in symbol.methods for symbol in symbols)
        if not isinstance(t, ClassType) or t.decl.module.library:
            return False
        return any("__format__" in decl.methods for decl in (*t.decl.mro(), *(cls.decl for cls in self.subclasses(t))))

    def subclasses(self, cls: ClassType) -> list[ClassType]:
        """Return the classes that derive from a class, bases before what derives from them.

        A generic one is there with the values of its type parameters that follow from those of the base.
        """
        if cls.decl.module.name == CLASSES:
            meant = prune(cls.args[0])
            below = self.subclasses(meant) if isinstance(meant, ClassType) else []
            return [ClassType(cls.decl, (derived,)) for derived in below]
        found: list[ClassType] = []
        pending = [cls]
        for base in pending:
            for decl in self.derived.get(base.decl, ()):
                fresh = ClassType(decl, tuple(Infer() for _ in decl.type_params))
                up = base_of(fresh)
                if up is not None and unify(up, base) and is_known(fresh):
                    derived = resolve(fresh)
                    assert isinstance(derived, ClassType)
                    found.append(derived)
                    pending.append(derived)
        return found

    def module(self, name: str) -> ModuleDecl | None:
        """Return the module ``name``, loaded if need be; None if there is none.

        Raises Refusal where it has syntax errors, which are reported once, and OSError where it cannot be read.
        """
        if name in self.modules:
            return self.modules[name]
        if name in self.broken_modules:
            raise Refusal(name)
        source = self.sources.find(name)
        if source is None:
            return None
        text = text_of(source.data)
        self.root_sink.add_source(source.filename, text)
        found = loader.module_tree(source, self.root_sink)
        if found is None:
            self.broken_modules.add(name)
            raise Refusal(name)
        library, package = source.library, source.package
        module = ModuleDecl(name, source.filename, text, found, library, is_package=package, stub=source.stub)
        self.add_module(module)
        return module

    def lookup(self, module: ModuleDecl, name: str) -> Symbol | None:
        """Return what ``name`` means at the top level of ``module``, the built-in scope included."""
        if name.startswith(LIBRARY):
            owner, _, member = name.removeprefix(LIBRARY).rpartition(".")
            if owner in COMPILER_MODULES:
                return _meaning(member, COMPILER_MODULES[owner][member])
            return self.library_symbol(owner, member) if owner else self.builtin(member)
        symbol = module.symbols.get(name)
        if symbol is None:
            return self.builtin(name)
        if isinstance(symbol, Import):
            return self.follow(module, symbol)
        return symbol

    def builtin(self, name: str) -> Symbol | None:
        """Return what ``name`` means in the built-in scope."""
        if name in BUILTIN_FUNCTIONS:
            return Intrinsic(name)
        if name in OTHER_NAMES:
            return Intrinsic(OTHER_NAMES[name])
        prelude = self.module("krait.builtins")
        assert prelude is not None, "the library is incomplete"
        if name.startswith("_") or name in HIDDEN_BUILTINS:
            return None
        symbol = prelude.symbols.get(name)
        return self.follow(prelude, symbol) if isinstance(symbol, Import) else symbol

    def builtin_names(self) -> list[str]:
        """Return the names of the built-in scope, for spelling suggestions."""
        prelude = self.module("krait.builtins")
        return [*BUILTIN_FUNCTIONS, *OTHER_NAMES, *(prelude.symbols if prelude is not None else ())]

    def follow(self, module: ModuleDecl, link: Import) -> Symbol | None:
        """Return what an import binds; an error of the program raises Refusal."""
        if link.module in COMPILER_MODULES:
            return self.compiler_module(link) if link.member is None else self.compiler_symbol(module, link)
        if link.module.startswith("krait.") and not module.library and link.module != "krait.unsafe":
            raise self.refuse(module, link.span, f"`{link.module}` is private to the standard library")
        target = self._imported(module, link, link.module)
        if target is None and link.module.partition(".")[0] in sys.stdlib_module_names:
            raise self.refuse(module, link.span, f"not yet part of Krait: the module `{link.module}`")
        if target is None:
            raise self.refuse(
                module,
                link.span,
                f"there is no module `{link.module}`",
                hints=("modules are looked for beside the program, then in the standard library",),
            )
        if link.member is None:
            return target
        if (link.module, link.member) in PROVIDED:
            return Intrinsic(PROVIDED[link.module, link.member])
        symbol = target.symbols.get(link.member)
        if isinstance(symbol, Import) and (symbol.module, symbol.member) == (link.module, link.member):
            symbol = None  # `from . import part` in a package: the name means the module
        if isinstance(symbol, Import):
            return self.follow(target, symbol)
        if symbol is None or (target.library and not module.library and link.member.startswith("_")):
            nested = self._imported(module, link, f"{link.module}.{link.member}")
            if nested is not None:
                return nested
            raise self.refuse(
                module,
                link.span,
                f"the module `{link.module}` has no `{link.member}`",
                hints=did_you_mean(link.member, target.symbols),
            )
        return symbol

    def _imported(self, module: ModuleDecl, link: Import, name: str) -> ModuleDecl | None:
        """Return the module that an import asks for, None if there is none."""
        try:
            return self.module(name)
        except OSError as error:
            what = f"the module `{name}` cannot be read: {error.strerror or error}"
            raise self.refuse(module, link.span, what) from None

    def compiler_symbol(self, module: ModuleDecl, link: Import) -> Symbol:
        """Return a name of a module that the compiler itself provides."""
        names = COMPILER_MODULES[link.module]
        if link.member is None:
            return self.compiler_module(link)
        if link.member not in names:
            raise self.refuse(
                module,
                link.span,
                f"the module `{link.module}` has no `{link.member}`",
                hints=did_you_mean(link.member, names),
            )
        return _meaning(link.member, names[link.member])

    def compiler_module(self, link: Import) -> ModuleDecl:
        """Return a module that the compiler itself provides."""
        found = self.modules.get(link.module)
        if found is None:
            found = ModuleDecl(link.module, f"<{link.module}>", "", tree.Module((), link.span), library=True)
            for name, meaning in COMPILER_MODULES[link.module].items():
                found.symbols[name] = _meaning(name, meaning)
            self.modules[link.module] = found
        return found

    # --- the library's declarations --------------------------------------------------------------------------------

    def library_symbol(self, module: str, name: str) -> Symbol:
        """Return a declaration of the library that the compiler relies on."""
        found = self.module(module)
        assert found is not None, f"the library has no module {module}"
        symbol = self.lookup(found, name)
        assert symbol is not None, f"the library has no {module}.{name}"
        return symbol

    def library_function(self, module: str, name: str, *args: Type) -> Instance:
        """Return an instance of a function of the library."""
        decl = self.library_symbol(module, name)
        assert isinstance(decl, FunctionDecl)
        return Instance(decl, args)

    def library_class(self, name: str, *args: Type) -> ClassType:
        """Return a built-in class with type arguments."""
        decl = self.builtin(name)
        assert isinstance(decl, ClassDecl), name
        return ClassType(decl, args)

    @property
    def str_type(self) -> ClassType:
        """The type ``str``."""
        return self.library_class("str")

    def list_type(self, item: Type) -> ClassType:
        """The type ``list[item]``."""
        return self.library_class("list", item)

    def dict_type(self, key: Type, value: Type) -> ClassType:
        """The type ``dict[key, value]``."""
        return self.library_class("dict", key, value)

    def vector_type(self, item: Type) -> ClassType:
        """The type ``tuple[item, ...]``."""
        decl = self.library_symbol("krait.tuple", "tuple")
        assert isinstance(decl, ClassDecl)
        return ClassType(decl, (item,))

    def class_type(self, t: Type | None) -> ClassType:
        """The type ``type[t]``; without one, ``type``: that of all classes."""
        decl = self.library_symbol(CLASSES if t is not None else "krait.type", "type")
        assert isinstance(decl, ClassDecl)
        return ClassType(decl, (t,) if t is not None else ())

    # --- classes ---------------------------------------------------------------------------------------------------

    def class_of(self, t: Type) -> tuple[ClassDecl, tuple[Type, ...]] | None:
        """Return the class whose methods values of the type have, with the values of its type parameters."""
        t = prune(t)
        if isinstance(t, ClassType):
            return t.decl, t.args
        if t in (INT, FLOAT, BOOL):
            assert isinstance(t, Primitive)
            decl = self.builtin(t.name)
            assert isinstance(decl, ClassDecl)
            return decl, ()
        return None

    def find_method(self, t: Type, name: str) -> tuple[FunctionDecl, tuple[Type, ...]] | None:
        """Return the method ``name`` of values of the type, with the values of its class's type parameters."""
        found = self.class_of(t)
        if found is None:
            return None
        decl, args = found
        method = decl.find_method(name)
        if method is None:
            return None
        assert method.owner is not None
        up = ancestor(ClassType(decl, args), method.owner)
        assert up is not None
        return method, up.args

    def mark_of(self, decl: ClassDecl, name: str) -> str | None:
        """Return the name of the field that says whether another one has a value, None if that always has one."""
        is_late = any((part.module.name, part.name, name) in self.late for part in decl.mro())
        return name + MARK if is_late else None

    def is_exception(self, decl: ClassDecl) -> bool:
        """Return whether the class derives from BaseException."""
        base = self.builtin("BaseException")
        return isinstance(base, ClassDecl) and decl.is_subclass(base)


def _meaning(name: str, meaning: Type | str) -> Symbol:
    return NamedType(name, meaning) if isinstance(meaning, Type) else Intrinsic(meaning)


def _describe(instance: Instance | None) -> str:
    if instance is None:
        return ""
    decl, args = instance.decl, instance.args
    if decl.owner is not None:
        count = len(decl.owner.type_params)
        owner = str(ClassType(decl.owner, args[:count]))
        rest = f"[{', '.join(map(str, args[count:]))}]" if args[count:] else ""
        return f"{owner}.{decl.name}{rest}"
    return decl.name + (f"[{', '.join(map(str, args))}]" if args else "")
