"""What a module declares: the symbols at its top level, found without looking into bodies.

In: a module's tree. Out: its `ModuleDecl.symbols` (functions, classes, variables, imported names), with diagnostics for
declarations that Krait does not have. Types of signatures are worked out later, when something asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property

from krait.check.class_decorators import with_class_types
from krait.check.class_variables import late_variable
from krait.check.data import DataField, DataOptions
from krait.check.dataclasses import make_ordering
from krait.check.decorators import (
    cached_property_of,
    decorator_name,
    is_overload,
    managed,
    undecorated,
    without_decorator,
    without_wraps,
)
from krait.check.enums import KINDS, make_enum
from krait.check.functional import classes_of_calls
from krait.check.leaving import leaving_written_out
from krait.check.lifted import with_lifted_yields
from krait.check.local_classes import with_local_classes
from krait.check.names import object_of_type, scan
from krait.check.roots import with_roots
from krait.check.types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    Alias,
    ClassDecl,
    ClassVariable,
    FunctionDecl,
    GlobalVar,
    Import,
    Intrinsic,
    ModuleDecl,
    Symbol,
    TypeParam,
)
from krait.check.vocabulary import ANY_PARAMETERS, ANY_RESULT, LIBRARY, METHODS_OF_TUPLES, REFUSED_METHODS
from krait.diagnostics import DiagnosticSink, Span
from krait.syntax import tree

_PRIMITIVES = {"int": INT, "float": FLOAT, "bool": BOOL}

def declare(module: ModuleDecl, sink: DiagnosticSink) -> None:
    """Fill ``module.symbols``."""
    _Declarer(module, sink).run()


class _Declarer:
    def __init__(self, module: ModuleDecl, sink: DiagnosticSink) -> None:
        self.module = module
        self.sink = sink
        self.type_variables: set[str] = set()
        self.packs: set[str] = set()
        self.protocols: set[str] = set()
        self.places: dict[str, str] = {}
        self.described: list[tree.stmt] = []

    def error(self, message: str, span: Span, label: str = "", *hints: str) -> None:
        self.sink.error(message, span, label=label, hints=hints, filename=self.module.filename)

    @cached_property
    def stored_fields(self) -> frozenset[str]:
        """The attributes that something in the module assigns to, other than as those of a class of its own."""
        nodes = [*tree.walk(self.module.tree)]
        classes = {node.name for node in self.module.tree.body if isinstance(node, tree.ClassDef)} | {"cls"}
        classes |= {
            node.arg
            for node in nodes
            if isinstance(node, tree.arg) and isinstance(node.annotation, tree.Subscript)
            and _root_name(node.annotation) in ("type", "Type")
        }
        return frozenset(
            node.attr
            for node in nodes
            if isinstance(node, tree.Attribute)
            and isinstance(node.ctx, tree.Store)
            and not (isinstance(node.value, tree.Name) and node.value.id in classes)
            and object_of_type(node.value) is None
        )

    @cached_property
    def given_to_classes(self) -> frozenset[str]:
        """The names that the bodies of classes with a base give values, and the attributes of classes assigned to."""
        found: set[str] = set()
        for node in tree.walk(self.module.tree):
            match node:
                case tree.ClassDef(bases=(_, *_), body=body):
                    found.update(name for part in body if not isinstance(part, tree.FunctionDef)
                                 for name in scan((part,)).assigned if _has_value(part))  # fmt: skip
                case tree.Attribute(value=tree.Name(id=name), attr=attr, ctx=tree.Store()):
                    if name == "cls" or name in self.class_names:
                        found.add(attr)
                case _:
                    pass
        return frozenset(found)

    def is_of_class(self, decl: ClassDecl, name: str) -> bool:
        """Return whether a line such as ``name: str`` declares a variable of the class, not a field of its objects."""
        is_plain = decl.data is None and not self.module.library and decl.name not in self.protocols
        return is_plain and name in self.given_to_classes and name not in self.stored_fields

    def run(self) -> None:
        if not self.module.library:

            def report(span: Span, text: str, hint: str) -> None:
                self.error(text, span, "", hint)

            body, self.places = with_local_classes(with_roots(self.module.tree.body, self.module.source))
            self.described = [node for node in body if is_overload(node)]
            body = with_lifted_yields(classes_of_calls(undecorated(with_class_types(body), report), report))
            self.module.tree = tree.Module(body, self.module.tree.span)
        self.module.unsafe = any(
            isinstance(node, tree.ImportFrom) and node.module == "krait.unsafe" for node in self.module.tree.body
        )
        if not self.module.library:
            for statement in self.module.tree.body:
                self.type_name(statement)
        for statement in self.module.tree.body:
            self.statement(statement)
        self.variables()

    def type_name(self, node: tree.stmt) -> None:
        """Declare what a statement gives a name for types alone: a type variable, a protocol, an alias."""
        match node:
            case tree.Assign(targets=(tree.Name(id=name),), value=tree.Call(func=func)) if (
                _dotted_name(func).rpartition(".")[2] == "TypeVar"
            ):
                self.type_variables.add(name)
                self.module.symbols[name] = Intrinsic("typing.TypeVar")
            case tree.Assign(targets=(tree.Name(id=name),), value=tree.Call(func=func)) if (
                _dotted_name(func).rpartition(".")[2] == "ParamSpec"
            ):
                self.packs.add(name)
                self.module.symbols[name] = Intrinsic("typing.TypeVar")
            case tree.Assign(targets=(tree.Name(id=name),), value=tree.Call(func=func, args=(_, meant))) if (
                _dotted_name(func).rpartition(".")[2] == "NewType"
            ):
                self.module.symbols[name] = Alias(name, self.module, meant, is_new=True)
            case tree.ClassDef(name=name, bases=bases) if any(_root_name(base) == "Protocol" for base in bases):
                self.protocols.add(name)
            case tree.TypeAlias(name=tree.Name(id=name), value=value, type_params=params):
                names = tuple(param.name for param in self.type_params(params))
                self.module.symbols[name] = Alias(name, self.module, value, params=names)
            case tree.AnnAssign(target=tree.Name(id=name), annotation=annotation, value=value) if (
                value is not None and _dotted_name(annotation).rpartition(".")[2] == "TypeAlias"
            ):
                self.module.symbols[name] = Alias(name, self.module, value, params=self.variables_in(value))
            case tree.Assign(targets=(tree.Name(id=name),), value=tree.Subscript() | tree.BinOp() as value) if (
                self.is_type(value)
            ):
                self.module.symbols[name] = Alias(name, self.module, value, params=self.variables_in(value))
            case _:
                pass

    def variables_in(self, node: tree.expr) -> tuple[str, ...]:
        """The type variables that an alias names, in their order: its type parameters."""
        names = [part for part in tree.walk(node) if isinstance(part, tree.Name) and part.id in self.type_variables]
        return tuple(dict.fromkeys(part.id for part in sorted(names, key=lambda part: part.span)))

    def is_type(self, node: tree.expr) -> bool:
        """Return whether the value of an assignment is a type by its form, so that its target is another name of it."""
        match node:
            case tree.BinOp(op=tree.BitOr(), left=left, right=right):
                return self.is_type(left) and (self.is_type(right) or isinstance(right, tree.Constant))
            case tree.Name(id=name):
                return name in _TYPE_NAMES or name in self.class_names
            case _:
                if not isinstance(node, tree.Subscript):
                    return False
                return _root_name(node) in _ALIASED or _root_name(node) in self.class_names

    @cached_property
    def class_names(self) -> frozenset[str]:
        """The classes that the module declares."""
        return frozenset(node.name for node in self.module.tree.body if isinstance(node, tree.ClassDef))

    def statement(self, node: tree.stmt) -> None:
        match node:
            case tree.FunctionDef():
                function = self.function(node, None)
                function.overloads = self.overloads(node.name, self.described, None)
                function.bound_var = self.bound_var(node.name)
                self.add(node.name, function, node.span)
            case tree.ClassDef():
                decl = self.cls(node)
                decl.bound_var = self.bound_var(node.name)
                self.add(node.name, decl, node.span)
            case tree.Import() | tree.ImportFrom():
                for name, link in import_links(node, self.module, self.sink):
                    self.add(name, link, link.span)
            case tree.If():
                for inner in (*node.body, *node.orelse):
                    self.statement(inner)
            case _:
                pass

    def bound_var(self, name: str) -> GlobalVar | None:
        """The variable that says whether a function's or class's name has a meaning yet; the library's always have."""
        return None if self.module.library else GlobalVar(name, self.module, NONE)

    def add(self, name: str, symbol: Symbol, span: Span) -> None:
        if name in self.module.symbols and not isinstance(symbol, Import) and name not in self.protocols:
            self.error(
                f"`{name}` is defined twice in this module",
                span,
                "second definition",
                "give the second one another name",
            )
            return
        self.module.symbols[name] = symbol

    # --- functions and classes -------------------------------------------------------------------------------------

    def type_params(self, nodes: tuple[tree.type_param, ...], *, packs: bool = False) -> tuple[TypeParam, ...]:
        params = []
        for node in nodes:
            if isinstance(node, tree.TypeVar) or (packs and isinstance(node, tree.ParamSpec)):
                params.append(TypeParam(node.name, pack=isinstance(node, tree.ParamSpec)))
            else:
                self.error("not yet part of Krait: `*` and `**` type parameters", node.span)
        return tuple(params)

    def function(self, node: tree.FunctionDef, owner: ClassDecl | None) -> FunctionDecl:
        decl = FunctionDecl(
            node.name,
            self.module,
            node,
            owner,
            "method" if owner else "function",
            type_params=self.type_params(node.type_params, packs=True),
        )
        decl.type_params += self.named_params(_annotations(node), decl.all_type_params)
        if not self.module.library and not (owner is not None and node.name == "__exit__"):
            self.open_params(decl)
        if not self.module.library and owner is None and any(map(_takes_any_function, _annotations(node))):
            decl.type_params += (TypeParam(ANY_PARAMETERS, pack=True), TypeParam(ANY_RESULT))
        for decorator in without_wraps(node).decorator_list:
            self.decorator(decl, decorator)
        if owner is not None and node.name in ("__new__", "__init_subclass__") and decl.kind == "method":
            self.of_method(decl, "classmethod")
        return decl

    def overloads(
        self, name: str, described: Iterable[tree.stmt], owner: ClassDecl | None
    ) -> tuple[FunctionDecl, ...]:
        """What ``@overload`` says of a function, among statements that do so."""
        found = []
        for node in described:
            if isinstance(node, tree.FunctionDef) and node.name == name:
                found.append(self.function(without_decorator(node, "overload"), owner))
        return tuple(found)

    def named_params(self, nodes: Iterable[tree.expr], known: Iterable[TypeParam]) -> tuple[TypeParam, ...]:
        """New type parameters for the variables made by ``TypeVar`` that annotations name."""
        names = {param.name for param in known}
        found: dict[str, TypeParam] = {}
        for root in nodes:
            for node in sorted(tree.walk(root), key=lambda node: node.span):
                name = node.id if isinstance(node, tree.Name) else None
                if isinstance(node, tree.Constant) and isinstance(node.value, str):
                    name = node.value
                if name in self.type_variables | self.packs and name not in names:
                    found.setdefault(name, TypeParam(name, pack=name in self.packs))
        return tuple(found.values())

    def open_params(self, decl: FunctionDecl) -> None:
        """A parameter that takes any object, or all that a protocol describes, has a type parameter of its own."""
        arguments = decl.node.args
        for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            match arg.annotation:
                case tree.Name(id=name) if name in ("object", "Any") or name in self.protocols:
                    decl.open_params[arg.arg] = TypeParam(f"{name} {arg.arg}")
                case None if self.is_open(decl, arg):
                    decl.open_params[arg.arg] = TypeParam(f"object {arg.arg}")
                case _:
                    pass
        decl.type_params += tuple(decl.open_params.values())

    def is_open(self, decl: FunctionDecl, arg: tree.arg) -> bool:
        """Return whether a parameter without a type takes what its calls give."""
        if decl.owner is not None:
            return decl.name not in ("__init__", "__new__") and arg in decl.node.args.args[1:]
        return not any(_dotted_name(part).rpartition(".")[2] == "export" for part in decl.node.decorator_list)

    def decorator(self, decl: FunctionDecl, node: tree.expr) -> None:
        name = _dotted_name(node.func if isinstance(node, tree.Call) else node)
        match node:
            case tree.Call(args=(tree.Constant(value=str(module)), tree.Constant(value=str(field)))) if name == "host":
                decl.host = (module, field)
                return
            case tree.Attribute(value=tree.Name(id=target), attr="setter") if target == decl.name and decl.owner:
                decl.kind = "setter"
                return
            case tree.Attribute(value=tree.Name(id=target), attr="deleter") if target == decl.name and decl.owner:
                decl.name += DELETER
                return
            case _:
                pass
        short = name.rpartition(".")[2]
        if short == "export" and self.exports(decl, name, node.span):
            return
        if decl.owner is not None and self.of_method(decl, short):
            return
        hint = "call the wrapping function where the result is used"
        self.error(f"not yet part of Krait: the decorator `@{name or 'expression'}`", node.span, "", hint)

    def exports(self, decl: FunctionDecl, name: str, span: Span) -> bool:
        """Mark a function that a host can call; return whether the decorator is that of ``krait``."""
        link = self.module.symbols.get(name.partition(".")[0])
        if name == "export" and link is None:
            self.error("`export` is not defined", span, "", "write `from krait import export`")
            return True
        if not isinstance(link, Import) or link.module != "krait" or name.partition(".")[2] not in ("", "export"):
            return False
        if decl.owner is not None:
            self.error("a method cannot be exported", span, "", "export a function that calls it")
        decl.exported = span
        return True

    def of_method(self, decl: FunctionDecl, decorator: str) -> bool:
        """Apply a decorator that methods have; return whether it is one."""
        assert decl.owner is not None
        match decorator:
            case "staticmethod":
                decl.kind = "static"
            case "property":
                decl.kind = "property"
            case "classmethod":
                decl.kind = "class"
                arguments = (*decl.node.args.posonlyargs, *decl.node.args.args)
                decl.type_params += (TypeParam(arguments[0].arg if arguments else "cls"),)
                match arguments:
                    case [tree.arg(annotation=tree.Subscript(value=root, slice=tree.Name(id=name))), *_] if (
                        _root_name(root) in ("type", "Type")
                    ):  # what it stands for is the class that the method is called on
                        decl.type_params = tuple(param for param in decl.type_params if param.name != name)
                        decl.scope = {name: decl.type_params[-1]}
                    case _:
                        pass
            case "abstractmethod":
                decl.owner.abstract.add(decl.name)
            case "override" | "final":
                pass
            case _:
                return False
        return True

    def cls(self, node: tree.ClassDef, place: str = "") -> ClassDecl:
        decl = ClassDecl(node.name, self.module, node, self.type_params(node.type_params))
        decl.place = place or self.places.get(node.name, "")
        generic = sorted(node.bases, key=lambda base: _root_name(base) != "Generic")
        decl.type_params += self.named_params(generic, decl.type_params)
        if self.module.library and self.module.name.startswith("krait."):
            decl.primitive = _PRIMITIVES.get(node.name)
        total, unique = False, None
        for decorator in node.decorator_list:
            name = _dotted_name(decorator.func if isinstance(decorator, tree.Call) else decorator)
            if name in ("dataclass", "dataclasses.dataclass"):
                decl.data = self.data_options(decorator)
                continue
            if name in ("unique", "enum.unique"):
                unique = decorator.span
                continue
            if name.rpartition(".")[2] == "total_ordering":
                total = True
        for keyword in node.keywords:
            if keyword.arg == "metaclass" and _dotted_name(keyword.value).rpartition(".")[2] != "ABCMeta":
                self.error("not part of Krait: metaclasses", keyword.span, "", "leave it out")
        if any(_root_name(base) == "NamedTuple" for base in node.bases):
            decl.data = DataOptions(named=True)
        for statement in node.body:
            for part in _one_by_one(statement):
                self.member(decl, part)
        if total:
            make_ordering(decl, lambda span, text, hint: self.error(text, span, "", hint))
        if node.name in self.protocols:
            decl.protocol = True
            decl.abstract.update(decl.methods)
        names = [_dotted_name(base).removeprefix(LIBRARY).removeprefix("enum.") for base in node.bases]
        for kind in (KINDS.get(name) for name in names):
            if kind is not None and not self.module.library:
                decl.enum = names[0] if names in (["int", "Enum"], ["str", "Enum"]) else kind
                is_named = names[0] == "Enum" or len(names) > 1
                make_enum(decl, is_named, lambda span, text, hint: self.error(text, span, "", hint))
                if unique is not None and (others := set(decl.variables) - set(decl.members)):
                    self.error(f"`{min(others)}` of `{decl.name}` is another name of a member", unique)
        return decl

    def member(self, decl: ClassDecl, node: tree.stmt) -> None:
        names = [decorator_name(item) for item in node.decorator_list] if isinstance(node, tree.FunctionDef) else []
        if isinstance(node, tree.FunctionDef) and names in (["contextmanager"], ["cached_property"]) and node.args.args:
            written = managed if names == ["contextmanager"] else cached_property_of
            for part in written(node, node.args.args[0].arg):
                self.member(decl, part)
            return
        if is_overload(node):
            return
        match node:
            case tree.FunctionDef(name=name) if name in REFUSED_METHODS and not self.module.library:
                self.error(f"not part of Krait: the method `{name}`", node.span, "", REFUSED_METHODS[name])
            case tree.FunctionDef(name=name) if name in METHODS_OF_TUPLES and decl.data is not None and decl.data.named:
                message = f"not part of Krait: `{name}` of a named tuple, which is that of tuples"
                self.error(message, node.span, "", "write a method with a name of its own")
            case tree.FunctionDef():
                method = self.function(leaving_written_out(node), decl)
                method.overloads = self.overloads(node.name, filter(is_overload, decl.node.body), decl)
                members = decl.setters if method.kind == "setter" else decl.methods
                if method.name in members or method.name in decl.variables:
                    self.error(f"`{decl.name}.{node.name}` is defined twice", node.span, "second definition")
                members[method.name] = method
            case tree.AnnAssign(target=tree.Name(id=name)) if (
                decl.data is not None and not _is_class_var(node) and " " not in name
            ):
                if not decl.data.named:
                    decl.field_nodes.append(node)
                decl.data.fields.append(self.data_field(name, node, decl.data.kw_only))
            case tree.AnnAssign(target=tree.Name(id=name), value=None) if self.is_of_class(decl, name):
                decl.variables[name] = late_variable(decl, name, node.annotation, node.span)
            case tree.AnnAssign(target=tree.Name(), value=None):
                decl.field_nodes.append(node)
            case tree.Pass() | tree.Expr(value=tree.Constant()):
                pass
            case tree.ClassDef(name=name):
                decl.nested[name] = self.cls(node, f"{decl.qualified_name}.")
                self.add(f"{decl.name}.{name}", decl.nested[name], node.span)
            case tree.Assign(targets=(tree.Name(id="__slots__" | "__match_args__"),)):
                pass
            case tree.Assign(targets=(tree.Name(id="_ignore_"),)):
                self.error("not part of Krait: `_ignore_`", node.span, "", "give the name a value outside of the class")
            case tree.Assign(targets=(tree.Name(id=name),), value=tree.Name(id=other)) if other in decl.methods:
                decl.methods[name] = replace(decl.methods[other], name=name)
            case tree.Assign(targets=(tree.Name(id=name),)) | tree.AnnAssign(target=tree.Name(id=name)):
                self.class_variable(decl, name, node)
            case _:
                self.error(
                    "not part of Krait: this statement in the body of a class",
                    node.span,
                    "",
                    "a class holds fields and methods",
                )

    def data_options(self, node: tree.expr) -> DataOptions:
        """What ``@dataclass(…)`` says."""
        options = DataOptions()
        for keyword in node.keywords if isinstance(node, tree.Call) else ():
            match keyword:
                case tree.keyword(arg="init" | "repr" | "eq" | "order" | "unsafe_hash" | "frozen" | "kw_only" as name,
                                  value=tree.Constant(value=bool(value))):  # fmt: skip
                    setattr(options, name, value)
                case tree.keyword(arg="slots" | "match_args" | "weakref_slot"):
                    pass
                case _:
                    self.error(f"not part of Krait: `{keyword.arg}` of `dataclass`", keyword.span, "", "leave it out")
        return options

    def data_field(self, name: str, node: tree.AnnAssign, kw_only: bool) -> DataField:
        """A line of a dataclass's body: ``name: type``, with a default, with ``field(…)``."""
        match node.value:
            case tree.Call(func=func, keywords=keywords) if _dotted_name(func) in ("field", "dataclasses.field"):
                options: dict[str, bool] = {}
                values: dict[str, tree.expr] = {}
                for keyword in keywords:
                    match keyword:
                        case tree.keyword(arg="init" | "repr" | "compare" | "hash" | "kw_only" as option,
                                          value=tree.Constant(value=bool(value))):  # fmt: skip
                            options[option] = value
                        case tree.keyword(arg="default" | "default_factory" as option, value=value):
                            values[option] = value
                        case _:
                            message = f"not part of Krait: `{keyword.arg}` of `field`"
                            self.error(message, keyword.span, "", "leave it out")
                return DataField(
                    name,
                    node.annotation,
                    node.span,
                    values.get("default"),
                    values.get("default_factory"),
                    init=options.get("init", True),
                    repr=options.get("repr", True),
                    compare=options.get("compare", True),
                    hash=options.get("hash"),
                    keyword_only=options.get("kw_only", kw_only),
                )
            case _:
                return DataField(name, node.annotation, node.span, node.value, keyword_only=kw_only)

    def class_variable(self, decl: ClassDecl, name: str, node: tree.Assign | tree.AnnAssign) -> None:
        """A name that the class's body gives a value: the default of a field if instances have it, else shared."""
        if name in decl.methods or name in decl.variables:
            self.error(f"`{decl.name}.{name}` is defined twice", node.span, "second definition")
        if node.value is not None and not decl.place and holds_object(decl.node, name, node):
            own = tree.BinOp(tree.Name(decl.name, tree.LOAD, node.span), tree.BIT_OR, node.value, node.span)
            node = tree.AnnAssign(tree.Name(name, tree.STORE, node.span), own, node.value, True, node.span)
        var = GlobalVar(f"{decl.name}.{name}", self.module, span=node.span)
        decl.variables[name] = ClassVariable(name, decl, node, var, name in self.stored_fields)

    # --- variables -------------------------------------------------------------------------------------------------

    def variables(self) -> None:
        """Declare what is assigned at the top level, and by functions through ``global``."""
        names = scan(self.module.tree.body)
        for name, spans in names.assigned.items():
            if name not in self.module.symbols:
                self.module.symbols[name] = GlobalVar(name, self.module, span=spans[0])
        for node in statements_of(self.module.tree.body):
            if isinstance(node, tree.Global):
                for name in node.names:
                    self.module.reassigned.add(name)
                    self.module.shared.add(name)
                    if name not in self.module.symbols:
                        self.module.symbols[name] = GlobalVar(name, self.module, span=node.span)
        self.module.reassigned.update(name for name, spans in names.assigned.items() if len(set(spans)) > 1)


def _has_value(node: tree.stmt) -> bool:
    return isinstance(node, tree.Assign) or (isinstance(node, tree.AnnAssign) and node.value is not None)


def holds_object(cls: tree.ClassDef, name: str, node: tree.Assign | tree.AnnAssign) -> bool:
    """Return whether a variable of a class that begins as None is later given an object that the class makes."""
    if isinstance(node, tree.AnnAssign) or not isinstance(node.value, tree.Constant) or node.value.value is not None:
        return False
    own = ("cls", cls.name)
    for part in tree.walk(cls):
        match part:
            case tree.Assign(targets=(tree.Attribute(value=target, attr=attr),), value=tree.Call(func=func)) if (
                attr == name and _dotted_name(target) in own
            ):
                if _dotted_name(func) in own or (isinstance(func, tree.Attribute) and func.attr == "__new__"):
                    return True
            case _:
                pass
    return False


def import_links(
    node: tree.Import | tree.ImportFrom, module: ModuleDecl, sink: DiagnosticSink
) -> Iterator[tuple[str, Import]]:
    """The names that an import binds, each with what it stands for."""

    def error(message: str, span: Span, hint: str) -> None:
        sink.error(message, span, hints=[hint], filename=module.filename)

    source = _absolute(node, module) if isinstance(node, tree.ImportFrom) else None
    if source == "__future__":
        return
    if source == "":
        error("a relative import leads out of the packages of the program", node.span, "write the module's whole name")
        return
    for alias in node.names:
        if source is not None and alias.name == "*":
            error("not part of Krait: `import *`", node.span, "name what you import")
        elif source is not None:
            yield alias.asname or alias.name, Import(source, alias.name, alias.span)
        elif alias.asname is None:
            root = alias.name.partition(".")[0]
            yield root, Import(root, None, alias.span)
        else:
            yield alias.asname, Import(alias.name, None, alias.span)


def _absolute(node: tree.ImportFrom, module: ModuleDecl) -> str:
    """Return the whole name of the module that ``from … import`` names; nothing if it leads out of all packages."""
    if not node.level:
        return node.module or ""
    parts = [] if module.is_main else module.name.split(".")
    kept = len(parts) - node.level + (1 if module.is_package else 0)
    return ".".join([*parts[:kept], *([node.module] if node.module else [])]) if kept > 0 else ""


def _one_by_one(node: tree.stmt) -> Iterable[tree.stmt]:
    """``A, B = a, b`` in the body of a class, as two assignments."""
    match node:
        case tree.Assign(targets=(tree.Tuple(elts=targets),), value=tree.Tuple(elts=values)) if (
            len(targets) == len(values) and all(isinstance(target, tree.Name) for target in targets)
        ):
            return [tree.Assign((target,), value, node.span) for target, value in zip(targets, values, strict=True)]
        case _:
            return [node]


def statements_of(roots: Iterable[tree.stmt]) -> Iterator[tree.stmt]:
    """All statements below ``roots``, those of functions included."""
    pending = list(roots)
    while pending:
        node = pending.pop()
        yield node
        for name in ("body", "orelse", "finalbody"):
            pending.extend(getattr(node, name, ()))
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            pending.extend(part.body)


DELETER = " (deleter)"
"""What the name of the method ends with that `del` calls for a property."""

_ALIASED = frozenset(
    {
        *("list", "dict", "set", "tuple", "frozenset", "List", "Dict", "Set", "Tuple", "FrozenSet"),
        *("Optional", "Union", "Callable", "Iterable", "Iterator", "Sequence", "Literal"),
    }
)
"""What the value of an assignment begins with if it is a type."""

_TYPE_NAMES = frozenset(("int", "float", "bool", "str", "bytes", "bytearray"))
"""Names of types that are parts of unions."""


def _root_name(node: tree.expr) -> str:
    return _dotted_name(node.value if isinstance(node, tree.Subscript) else node).rpartition(".")[2]


def _annotations(node: tree.FunctionDef) -> list[tree.expr]:
    arguments = node.args
    parts = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    parts += [part for part in (arguments.vararg, arguments.kwarg) if part is not None]
    found = [part.annotation for part in parts if part.annotation is not None]
    return [*found, node.returns] if node.returns is not None else found


def _takes_any_function(node: tree.AST) -> bool:
    """Return whether an annotation names functions with any parameters: ``Callable[..., T]``, ``Callable``."""
    if isinstance(node, tree.Name | tree.Attribute):
        return _dotted_name(node).rpartition(".")[2] == "Callable"
    if isinstance(node, tree.Subscript) and _root_name(node) == "Callable":
        first = node.slice.elts[0] if isinstance(node.slice, tree.Tuple) and node.slice.elts else node.slice
        if isinstance(first, tree.Constant) and first.value is ...:
            return True
        return _takes_any_function(node.slice)
    return any(map(_takes_any_function, tree.iter_child_nodes(node)))


def _is_class_var(node: tree.AnnAssign) -> bool:
    root = node.annotation.value if isinstance(node.annotation, tree.Subscript) else node.annotation
    return _dotted_name(root).rpartition(".")[2] == "ClassVar"


def _dotted_name(node: tree.expr) -> str:
    match node:
        case tree.Name(id=name):
            return name
        case tree.Attribute(value=value, attr=attr):
            prefix = _dotted_name(value)
            return f"{prefix}.{attr}" if prefix else ""
        case _:
            return ""
