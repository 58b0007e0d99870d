"""Types and constant values of modules' variables.

In: a variable that something reads. Out: its type, found from its annotation or by checking the module's code; its
value where that is a constant known at compile time.

Invariant: variables of the library's own modules (``krait.…``) have constant initialisers, so they have their values
before any code runs, and their modules have no code.
"""

from __future__ import annotations

from krait.check.annotations import Annotations
from krait.check.constants import literal_int
from krait.check.mixing import mixed
from krait.check.types import FIXED, FLOAT, INT, Assignment, FunctionDecl, GlobalVar, Instance, ModuleDecl
from krait.check.world import World
from krait.diagnostics import Span
from krait.syntax import tree

MIXED_GLOBAL = "<global>"
"""What stands for a class in `World.mixed`, for variables of modules."""


def prepare_global(world: World, var: GlobalVar) -> None:
    """Find the type of a variable, and its constant value, if they are not known yet."""
    if var.type is not None or var.broken:
        return
    node = only_assignment(var)
    if isinstance(node, tree.AnnAssign):
        var.type = Annotations(world, var.module, {}).class_variable(node.annotation)
        var.annotated = var.type is not None
    if var.type is FLOAT and (var.module.name, MIXED_GLOBAL, var.name) in world.mixed:
        var.type = mixed(FLOAT)
    if node is not None and node.value is not None:
        _find_value(world, var, node.value)
    code = Instance(init_function(var.module))
    if var.type is None and code not in world.functions and world.check_function is not None:
        world.check_function(code)


def is_static(module: ModuleDecl) -> bool:
    """Return whether the module is one of the library's own, whose variables need no code."""
    return module.library and module.name.startswith("krait.")


def only_assignment(var: GlobalVar) -> Assignment | None:
    """Return the statement at the top level that gives a variable its first value."""
    if var.module.assignments is None:
        found: dict[str, Assignment] = {}
        for node in var.module.tree.body:
            match node:
                case tree.AnnAssign(target=tree.Name(id=name)) | tree.Assign(targets=(tree.Name(id=name),)):
                    found.setdefault(name, node)
                case _:
                    pass
        var.module.assignments = found
    return var.module.assignments.get(var.name)


def _find_value(world: World, var: GlobalVar, value: tree.expr) -> None:
    if var.name not in var.module.reassigned:
        number = literal_int(value)
        if number is not None and -(2**63) <= number < 2**63:
            if var.type is INT or var.type in FIXED or not var.annotated:
                var.constant = number
        elif isinstance(value, tree.Constant) and isinstance(value.value, float):
            if var.type is FLOAT or not var.annotated:
                var.constant = value.value
        if var.constant is not None and var.type is None:
            var.type = INT if isinstance(var.constant, int) else FLOAT
    if is_static(var.module):
        _find_initial(world, var, value)


def _find_initial(world: World, var: GlobalVar, value: tree.expr) -> None:
    number = literal_int(value)
    match value:
        case _ if number is not None:
            var.initial = number
        case tree.Constant(value=bool() | float() | str() | None as literal):
            var.initial = literal
        case tree.Call(func=tree.Name(id="data"), args=(tree.Constant(value=bytes(data)),)):
            var.initial = data
        case _:
            world.refuse(var.module, value.span, "a variable of the library needs a constant first value")


def init_function(module: ModuleDecl) -> FunctionDecl:
    """Return the function that runs a module's code."""
    if module.init is None:
        start = Span(1, 0, 1, 0)
        arguments = tree.arguments((), (), None, (), (), None, (), start)
        body = module.tree.body or (tree.Pass(start),)
        nothing = tree.Constant(None, start)
        module.init = FunctionDecl(
            "<module>", module, tree.FunctionDef("<module>", arguments, body, (), nothing, (), start)
        )
    return module.init
