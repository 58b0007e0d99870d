"""Signatures of functions and fields of classes, worked out when something first asks.

In: declarations. Out: `Signature` in terms of type parameters; the fields of a class instance with their types.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from contextlib import nullcontext

from krait.check.annotations import Annotations
from krait.check.globals import prepare_global
from krait.check.mixing import mixed
from krait.check.names import scan
from krait.check.types import (
    BOOL,
    FLOAT,
    NEVER,
    NONE,
    OWNED,
    U32,
    ClassDecl,
    ClassType,
    FunctionDecl,
    FunctionType,
    GlobalVar,
    Import,
    Infer,
    Instance,
    Intrinsic,
    Parameter,
    Signature,
    Type,
    TypeParam,
    ancestor,
    base_of,
    is_known,
    is_object,
    optional,
    prune,
    resolve,
    substitute,
)
from krait.check.vocabulary import OPERANDS
from krait.check.world import MAX_CHECKS_AGAIN, Refusal, World
from krait.syntax import tree


def signature(world: World, decl: FunctionDecl) -> Signature:
    """Return what calls of ``decl`` take and give, without ``self``. Raises Refusal if its declaration is wrong."""
    if decl.broken:
        raise Refusal(decl.name)
    if decl.signature is None:
        try:
            with nullcontext() if decl.closure is not None else world.aloud():
                decl.signature = _Signatures(world, decl).work_out()
                if decl.closure is None and not is_known(decl.signature.result):
                    _infer(world, decl, decl.signature)
        except Refusal:
            decl.broken = True
            raise
    return decl.signature


def _infer(world: World, decl: FunctionDecl, sig: Signature) -> None:
    """Find the type of a result that no annotation gives, from what the body returns.

    An operator whose operand is nothing of its own class has a result for each that it is given.
    """
    assert world.infer_result is not None
    instance = Instance(decl, tuple(usual_type(world, decl, name) for name in decl.open_params))
    found = world.infer_result(world, instance)
    is_open = decl.name in OPERANDS and decl.open_params and not is_known(found)
    sig.result = OPEN_RESULT if is_open else _found_result(world, instance, found)


def _found_result(world: World, instance: Instance, found: Type) -> Type:
    """Return the type of what a function was found to return; what is annotated as `Any` can stay any object."""
    if is_known(found):
        return found
    decl = instance.decl
    annotations = Annotations(world, decl.module, {})
    if decl.node.returns is not None and annotations.is_special(decl.node.returns, "typing.Any"):
        return optional(world.anything)
    if world.quiet or world.check_function is None:
        raise Refusal(decl.name)
    before = len(world.root_sink.diagnostics)
    world.check_function(instance)
    if len(world.root_sink.diagnostics) > before:  # what is wrong in the body says more
        raise Refusal(decl.name)
    raise _unknown_result(annotations, decl)


def _unknown_result(annotations: Annotations, decl: FunctionDecl) -> Refusal:
    returned = returned_value(decl.node)
    return annotations.refuse(
        decl.node.span if returned is None else returned.span,
        f"`{decl.name}` returns a value, but its result has no type",
        f"write `def {decl.name}(…) -> int:`, for example",
    )


def library_type(world: World, name: str) -> ClassType:
    """Return a class of ``krait.exceptions`` that is no name of the built-in scope."""
    decl = world.library_symbol("krait.exceptions", name)
    assert isinstance(decl, ClassDecl)
    return ClassType(decl)


def self_type(decl: ClassDecl) -> Type:
    """Return the type of ``self`` in terms of the class's type parameters."""
    return decl.primitive if decl.primitive is not None else ClassType(decl, decl.type_params)


def is_new(decl: FunctionDecl) -> bool:
    """Return whether a method is ``__new__``, and says no more of what it returns than that it is of its class."""
    said = decl.node.returns
    is_open = said is None or (isinstance(said, tree.Name) and said.id == "Self")
    return decl.name == "__new__" and decl.kind == "class" and is_open


OPEN_RESULT = TypeParam("its result")
"""The result of a generic function that does not say what it returns: each of its instances has its own."""


def open_result(world: World, instance: Instance) -> Type:
    """Return the result of an instance of a function, from what its body returns where nothing says it."""
    decl = instance.decl
    said = signature(world, decl).result
    if said is not OPEN_RESULT:
        return substitute(said, instance.env)
    instance = instance.resolved()
    if instance not in world.results:
        assert world.infer_result is not None
        world.results[instance] = Infer()  # what calls of the same within it give
        try:
            world.results[instance] = _found_result(world, instance, world.infer_result(world, instance))
        except Refusal:
            del world.results[instance]
            raise
    return world.results[instance]


_ITERATED = frozenset(("typing.Iterable", "typing.Sequence", "typing.Collection"))


class _Signatures:
    def __init__(self, world: World, decl: FunctionDecl) -> None:
        self.world = world
        self.decl = decl
        self.module = decl.module
        params: dict[str, Type] = {**decl.scope, **{param.name: param for param in decl.all_type_params}}
        meaning = decl.module.symbols.get("Self")
        if decl.owner is not None and isinstance(meaning, Import) and meaning.module == "typing":
            params["Self"] = decl.type_params[-1] if decl.kind == "class" else self_type(decl.owner)
        self.annotations = Annotations(world, decl.module, params)
        self.annotations.is_exact = decl.host is not None
        self.items_of: dict[tree.Subscript, Type] = {}

    def work_out(self) -> Signature:
        arguments = self.decl.node.args
        leaves = self.decl.name == "__exit__" and self.decl.kind == "method"
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: dict[str, tree.expr] = {}
        for arg, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
            defaults[arg.arg] = default
        for arg, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if keyword_default is not None:
                defaults[arg.arg] = keyword_default
        if self.decl.kind in ("method", "property", "setter", "class"):
            if not positional:
                own = "cls" if self.decl.kind == "class" else "self"
                raise self.annotations.refuse(
                    self.decl.node.span, f"the method `{self.decl.name}` has no parameter `{own}`"
                )
            positional = positional[1:]
        if leaves:
            return Signature(tuple(map(self.leaving, positional, range(3))), self.result())
        params = [self.parameter(arg, defaults, False, arg in arguments.posonlyargs) for arg in positional]
        if arguments.vararg is not None:
            params.append(self.variadic(arguments.vararg))
        params += [self.parameter(arg, defaults, True, False) for arg in arguments.kwonlyargs]
        if arguments.kwarg is not None:
            parameter = self.parameter(arguments.kwarg, {}, True, False)
            parameter.type, parameter.keywords = self.world.dict_type(self.world.str_type, parameter.type), True
            params.append(parameter)
        return Signature(tuple(params), self.result())

    def variadic(self, arg: tree.arg) -> Parameter:
        """``*args: T``: a tuple whose length each call says, so the function is generic in it.

        A function within another one, which is not generic, has a tuple of any length.
        """
        parameter = self.parameter(arg, {}, False, True)
        parameter.item, parameter.variadic = parameter.type, True
        if self.decl.closure is not None:
            parameter.type = self.world.vector_type(parameter.type)
            return parameter
        found = TypeParam(f"*{arg.arg}")
        at = len(self.decl.type_params) - (self.decl.kind == "class")  # the class of a class method stays the last
        self.decl.type_params = (*self.decl.type_params[:at], found, *self.decl.type_params[at:])
        parameter.type = found
        return parameter

    def leaving(self, arg: tree.arg, at: int) -> Parameter:
        """A parameter of ``__exit__``: what `with` gives it is known, however it is annotated."""
        given: tuple[Type, ...] = (
            library_type(self.world, "ExceptionClass"),
            self.world.library_class("BaseException"),
            library_type(self.world, "TracebackType"),
        )
        return Parameter(arg.arg, optional(given[at]), None, False, False, arg.span)

    def iterated(self, annotation: tree.expr, names: Container[str] = _ITERATED) -> TypeParam | None:
        """What ``Iterable[T]`` and ``Sequence[T]`` mean for a parameter: whatever each call gives, as a generic's."""
        match annotation:
            case tree.Subscript(value=tree.Name(id=name)):
                symbol = self.world.lookup(self.module, name)
            case _:
                return None
        if not isinstance(symbol, Intrinsic) or symbol.name not in names:
            return None
        inner = self.items(annotation)
        usual = inner.usual if isinstance(inner, TypeParam) and inner.usual is not None else inner
        found = TypeParam(f"{name}[…]", self.world.list_type(usual))
        self.decl.type_params = (*self.decl.type_params, found)
        return found

    def items(self, annotation: tree.Subscript) -> Type:
        """The type of the items of what a parameter takes that can be anything to go through."""
        if annotation not in self.items_of:
            inner = annotation.slice
            self.items_of[annotation] = self.iterated(inner, ("typing.Iterable",)) or self.annotations.type(inner)
        return self.items_of[annotation]

    def parameter(self, arg: tree.arg, defaults: Mapping[str, tree.expr], keyword: bool, positional: bool) -> Parameter:
        known = self.decl.open_params.get(arg.arg) or self.untyped(arg, defaults.get(arg.arg))
        if arg.annotation is None and known is None:
            raise self.annotations.refuse(
                arg.span,
                f"the parameter `{arg.arg}` has no type",
                f"write `{arg.arg}: int`, for example",
                label="needs an annotation",
            )
        t: Type | None = known
        if t is None and self.decl.closure is None and arg.annotation is not None:
            t = self.iterated(arg.annotation)
        if t is None and arg.annotation is not None:
            self.annotations.opened = [] if self.decl.closure is None and not self.decl.module.library else None
            t = self.annotations.type(arg.annotation)
            self.decl.type_params += tuple(self.annotations.opened or ())
            self.annotations.opened = None
        assert t is not None
        default = defaults.get(arg.arg)
        if self.decl.exported is not None and isinstance(default, tree.Constant) and type(default.value) is int:
            t = mixed(t) if prune(t) is FLOAT else t  # the host need not give it, and then it is an int
        if arg.annotation is not None and prune(t) in (NONE, NEVER):
            raise self.annotations.refuse(arg.annotation.span, f"`{t}` cannot be the type of a parameter")
        parameter = Parameter(
            arg.arg, t, defaults.get(arg.arg), keyword, positional, arg.span, annotation=arg.annotation
        )
        if isinstance(t, TypeParam) and isinstance(arg.annotation, tree.Subscript):
            is_own = t.name.endswith("[…]")
            parameter.of = self.items(arg.annotation) if is_own else None
        parameter.factory = self.decl.factories.get(arg.arg)
        if parameter.factory is None and parameter.default is not None and not _is_constant(parameter.default):
            if self.decl.kind == "nested":
                parameter.default_field = f"default {arg.arg}"
                return parameter
            name = f"{self.decl.qualified_name}.{arg.arg}"
            is_open = substitute(t, dict.fromkeys(self.decl.all_type_params, NEVER)) != t
            parameter.default_var = GlobalVar(name, self.module, None if is_open else t, annotated=True, span=arg.span)
        return parameter

    def untyped(self, arg: tree.arg, default: tree.expr | None) -> Type | None:
        """What a parameter without a type is found to take by what its calls give it; None if it must have one."""
        decl, world = self.decl, self.world
        if arg.annotation is not None or self.module.library or decl.closure is not None or decl.exported is not None:
            return None
        if arg in (decl.node.args.vararg, decl.node.args.kwarg):
            world.meets_any = True
            if not world.infers_any:
                return optional(world.anything)
            param = TypeParam(f"Any {arg.arg}")
            decl.type_params += (param,)
            return param
        if decl.name != "__init__":
            return None
        key = (self.module.name, decl.qualified_name, arg.arg)
        of_default = self.annotations.of_constant(default) if isinstance(default, tree.Constant) else None
        world.found_given.setdefault(key, [] if of_default is None else [of_default])
        return world.given_type(key) or optional(world.anything)

    def is_for_others(self) -> bool:
        """Return whether a method does nothing but raise, so that what it returns is for derived classes to say."""
        decl = self.decl
        plain = decl.kind == "method" and not decl.name.startswith("__") and decl.closure is None
        first, *others = decl.node.body
        if others and isinstance(first, tree.Expr) and isinstance(first.value, tree.Constant):  # what it is for
            first, *others = others
        return plain and not decl.module.library and not others and isinstance(first, tree.Raise)

    def result(self) -> Type:
        node = self.decl.node
        if is_new(self.decl) and self.decl.owner is not None:
            return self_type(self.decl.owner)  # a call asks whether it is of the class that is called
        own = self.decl.open_params if self.decl.name in OPERANDS else ()
        is_generic = len(self.decl.all_type_params) > len(own)
        if node.returns is not None and (
            self.decl.module.library or not self.annotations.leaves_items_open(node.returns)
        ):
            key = (self.decl.module.name, node.name, node.span.start_line)
            said = self.annotations.type(node.returns)
            generates = is_object(said) and scan(node.body).has_yield  # what it yields says more
            if (key not in self.world.mixed or self.world.mixes) and not generates:
                return said
            holds = isinstance(said, ClassType) and said.decl.name in ("list", "dict", "set")
            if not generates and (not holds or is_generic):
                return mixed(said)
        elif returned_value(node) is None and not scan(node.body).has_yield:
            return NEVER if self.is_for_others() else NONE
        if self.decl.module.library:
            raise _unknown_result(self.annotations, self.decl)
        return OPEN_RESULT if is_generic else Infer()


def _is_constant(node: tree.expr) -> bool:
    if isinstance(node, tree.UnaryOp) and isinstance(node.op, tree.USub | tree.UAdd):
        node = node.operand
    return isinstance(node, tree.Constant) or (isinstance(node, tree.Tuple) and not node.elts)


def _is_none(node: tree.expr | None) -> bool:
    return node is None or (isinstance(node, tree.Constant) and node.value is None)


def returned_value(node: tree.FunctionDef) -> tree.expr | None:
    """Return the first value that the function returns and that is not written as None."""
    pending: list[tree.AST] = [*reversed(node.body)]
    while pending:
        current = pending.pop()
        if isinstance(current, tree.Return) and not _is_none(current.value):
            return current.value
        if not isinstance(current, tree.FunctionDef | tree.ClassDef | tree.Lambda):
            pending.extend(reversed(list(tree.iter_child_nodes(current))))
    return None


# --- fields --------------------------------------------------------------------------------------------------------


def declared_fields(world: World, cls: ClassType) -> dict[str, Type]:
    """Return the fields of ``cls`` by name, bases' first.

    A type may be an inference variable that `field_type` settles.
    """
    cls = ClassType(cls.decl, tuple(map(resolve, cls.args)))
    found = world.field_types.get(cls)
    if found is None:
        found = {}
        base = base_of(cls)
        if base is not None:
            found.update(declared_fields(world, base))
        env = {param.name: value for param, value in zip(cls.decl.type_params, cls.args, strict=True)}
        annotations = Annotations(world, cls.decl.module, env)
        for node in cls.decl.field_nodes:
            assert isinstance(node.target, tree.Name)
            if cls.decl.data is not None or not annotations.leaves_items_open(node.annotation):
                found[node.target.id] = annotations.type(node.annotation)
        for variable in cls.decl.variables.values():
            if variable.is_default and variable.name not in found:
                annotation = variable.node.annotation if isinstance(variable.node, tree.AnnAssign) else None
                t = annotations.class_variable(annotation) if annotation is not None else None
                if t is None:
                    prepare_global(world, variable.var)
                found[variable.name] = t or variable.var.type or Infer()
        for name, annotation in _all_assigned(cls.decl).items():
            if name not in found:
                t = annotations.class_variable(annotation) if annotation is not None else None
                found[name] = t or Infer()
        inherited = declared_fields(world, base) if base is not None else {}
        for name in [name for name in found if name not in inherited]:
            mark = world.mark_of(cls.decl, name)
            if mark is not None:
                found[mark] = BOOL
        for name in found:
            if (cls.decl.module.name, cls.decl.name, name) in world.mixed:
                found[name] = mixed(FLOAT)
        world.field_types[cls] = found
    return found


def _all_assigned(decl: ClassDecl) -> dict[str, tree.expr | None]:
    """Return the fields that ``__init__`` assigns to, then those that other methods of a program's class do."""
    found = assigned_fields(decl)
    if decl.module.library or decl.module.unsafe or decl.enum or decl.data is not None:
        return found
    for method in (*decl.methods.values(), *decl.setters.values()):
        is_made = method.name == "__new__"
        if (method.kind in ("method", "property", "setter") or is_made) and method.node in decl.node.body:
            for name, annotation in _assigned_by(method, _made_in(method.node) if is_made else "").items():
                if not any(name in part.methods or name in part.variables for part in decl.mro()):
                    found.setdefault(name, annotation)
    return found


def assigned_fields(decl: ClassDecl, method: str = "__init__") -> dict[str, tree.expr | None]:
    """Return the fields that ``__init__`` assigns to, in order, each with its annotation if it has one."""
    init = decl.methods.get(method)
    return _assigned_by(init) if init is not None else {}


def _made_in(node: tree.FunctionDef) -> str:
    """Return the name of the variable that ``__new__`` gives a new object."""
    for part in _preorder(node):
        match part:
            case tree.Assign(targets=(tree.Name(id=name),), value=tree.Call(func=tree.Attribute(attr="__new__"))):
                return name
            case _:
                pass
    return ""


def _assigned_by(init: FunctionDecl, own: str = "") -> dict[str, tree.expr | None]:
    """Return the attributes of ``self``, or of another variable, that a method assigns to."""
    arguments = [*init.node.args.posonlyargs, *init.node.args.args]
    own = own or (arguments[0].arg if arguments else "")
    given = {arg.arg: arg.annotation for arg in arguments if arg.arg in init.open_params}
    found: dict[str, tree.expr | None] = {}
    for statement in init.node.body:
        for node in _preorder(statement):
            match node:
                case tree.AnnAssign(target=tree.Attribute(value=tree.Name(id=name), attr=attr), annotation=annotation):
                    if name == own and found.get(attr) is None:
                        found[attr] = annotation
                case tree.Assign(
                    targets=(tree.Attribute(value=tree.Name(id=name), attr=attr),), value=tree.Name(id=source)
                ) if name == own and source in given:
                    found.setdefault(attr, given[source])
                case tree.Attribute(value=tree.Name(id=name), attr=attr, ctx=tree.Store()) if name == own:
                    found.setdefault(attr, None)
                case _:
                    pass
    return found


def _preorder(node: tree.AST) -> list[tree.AST]:
    found = [node]
    for child in tree.iter_child_nodes(node):
        found += _preorder(child)
    return found


def field_type(world: World, cls: ClassType, name: str) -> Type | None:
    """Return the type of a field's values, None if there is no such field.

    Checks ``__init__`` where that is what determines it, and other methods for what they say of it.
    """
    fields = declared_fields(world, cls)
    found = fields.get(name)
    if found is not None and not is_known(found):
        _settle(world, cls, name, found)
    return U32 if found is OWNED else found


def _settle(world: World, cls: ClassType, name: str, wanted: Type) -> None:
    """Find the type of a field: ``__new__`` and ``__init__`` come first, then methods that name it, then bases'."""
    first = [found for made in ("__new__", "__init__") if (found := cls.decl.find_method(made)) is not None]
    for instance in (instance for method in first for instance in _known_instances(world, cls, method)):
        if instance in world.in_progress:
            return  # what it assigns comes first
        if world.check_function is not None:
            world.check_function(instance)
    if (cls, name) in world.settling or world.learn_from is None:
        return
    world.settling.add((cls, name))
    own = [method for part in cls.decl.mro() for method in part.methods.values() if method not in first]
    for method in own:
        for instance in _known_instances(world, cls, method) if _names_field(method, name) else ():
            if not is_known(wanted) and world.checks_again < MAX_CHECKS_AGAIN:
                world.checks_again += 1
                world.learn_from(world, instance)
    world.settling.discard((cls, name))


def _names_field(method: FunctionDecl, name: str) -> bool:
    return any(isinstance(node, tree.Attribute) and node.attr == name for node in tree.walk(method.node))


def _known_instances(world: World, cls: ClassType, method: FunctionDecl) -> list[Instance]:
    """Return the instances of a method that can be checked: of a generic one those that have been called."""
    assert method.owner is not None
    up = ancestor(cls, method.owner)
    assert up is not None
    own_types = _usual_types(world, method)
    if own_types is None:
        found = [instance for instance in world.called.get(method, ()) if all(map(is_known, instance.args))]
        earlier = world.given_type((method.module.name, method.qualified_name, "<call>"))
        if not found and isinstance(earlier, FunctionType):
            found = [Instance(method, earlier.params)]
        return found
    env = dict(zip(method.owner.type_params, up.args, strict=True))
    args = (*map(resolve, up.args), *(resolve(substitute(t, env)) for t in own_types))
    return [Instance(method, args)]


def has_usual_types(decl: FunctionDecl) -> bool:
    """Return whether a method of a class that is not generic can be checked before anything calls it."""
    is_open = decl.signature is not None and decl.signature.result is OPEN_RESULT
    is_checked = (decl.name in OPERANDS and not is_open) or decl.name == "__init__"
    return decl.owner is not None and is_checked and len(decl.all_type_params) == len(decl.open_params)


def usual_type(world: World, decl: FunctionDecl, name: str) -> Type:
    """What an open parameter of a method is checked with: what a protocol describes, else an object of the class;
    for `__init__`, which says what fields hold, any object.
    """
    assert decl.owner is not None
    arguments = decl.node.args
    for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if arg.arg == name and arg.annotation is not None:
            symbol = world.symbol_named(decl.module, arg.annotation)
            if isinstance(symbol, ClassDecl) and world.protocol_type is not None:
                found = world.protocol_type(world, symbol)
                if found is not None:
                    return found
    return optional(world.anything) if decl.name == "__init__" else ClassType(decl.owner)


def _usual_types(world: World, method: FunctionDecl) -> tuple[Type, ...] | None:
    """Return what a method's own type parameters can stand for, so that it can be checked; None if that is open."""
    sig = signature(world, method)
    found: dict[TypeParam, Type] = {}
    for param in sig.params:
        t = param.type
        if isinstance(t, TypeParam) and param.item is not None:
            found[t] = world.vector_type(param.item)
        elif isinstance(t, TypeParam) and param.of is not None:
            found[t] = world.list_type(param.of)
    if method.name == "__init__":
        found.update((param, usual_type(world, method, name)) for name, param in method.open_params.items())
    if method.name == "__new__" and method.kind == "class" and method.owner is not None:
        found[method.type_params[-1]] = ClassType(method.owner, method.owner.type_params)
    found.update((param, param.usual) for param in method.type_params if param.usual is not None)
    if any(param not in found for param in method.type_params):
        return None
    return tuple(found[param] for param in method.type_params)


def field_names(world: World, cls: ClassType) -> list[str]:
    """Return the names of the fields and methods of a class, for spelling suggestions."""
    methods = [name for decl in cls.decl.mro() for name in (*decl.methods, *decl.variables)]
    return [*declared_fields(world, cls), *methods]
