"""What names stand for where they are read.

In: names. Out: reads of variables (checked at run time where no path proves them bound), members of modules; refusals
with spelling suggestions for names that nothing defines.
"""

from __future__ import annotations

from pathlib import PurePath

from krait.check import hir
from krait.check.cells import read_local
from krait.check.class_values import class_object
from krait.check.coerce import as_known, checked_as
from krait.check.context import Context
from krait.check.function_values import value_of_local, value_of_symbol
from krait.check.globals import prepare_global
from krait.check.names import did_you_mean
from krait.check.types import (
    BOOL,
    NONE,
    ClassDecl,
    FunctionDecl,
    GlobalVar,
    Import,
    Intrinsic,
    Local,
    ModuleDecl,
    NamedType,
    Optional,
    Symbol,
    Type,
    prune,
)
from krait.check.vocabulary import PROVIDED, REFUSED_BUILTINS
from krait.check.world import Refusal
from krait.syntax import tree


def read_name(ctx: Context, node: tree.Name, expected: Type | None = None) -> hir.Expr:
    """Return the value of a variable or function; ``expected`` says how a function will be called."""
    local = ctx.scope.get(node.id)
    if local is not None:
        return value_of_local(ctx, local, _read_local(ctx, local, node), node, expected)
    if node.id == "__name__":
        return _module_name(ctx)
    if node.id in ctx.classes:
        return class_object(ctx, ctx.classes[node.id])
    own = ctx.class_body.variables.get(node.id) if ctx.class_body is not None else None
    if own is not None and (ctx.flow.is_bound(own.var) or ctx.lookup(node.id) is None):
        symbol: Symbol = own.var
    else:  # a class that has not set the variable yet sees that of the module
        symbol = find(ctx, node)
    match symbol:
        case GlobalVar():
            return read_global(ctx, symbol, node)
        case Intrinsic(name="typing.TYPE_CHECKING"):
            return hir.Const(BOOL, False)
        case ClassDecl():
            return touch_declaration(ctx, symbol, node, value_of_symbol(ctx, symbol, node, expected))
        case FunctionDecl() | Intrinsic() | NamedType():
            return value_of_symbol(ctx, symbol, node, expected)
        case _:
            raise ctx.refuse(node.span, f"`{node.id}` is a module, not a value")


def is_variable(ctx: Context, node: tree.Name) -> bool:
    """Return whether a name means a variable."""
    return node.id in ctx.scope or isinstance(ctx.lookup(node.id), GlobalVar)


def read_function(ctx: Context, local: Local, node: tree.Name) -> hir.Expr:
    """Return the object of a function within this one, to call it."""
    return _read_local(ctx, local, node)


def _module_name(ctx: Context) -> hir.Expr:
    """The value of ``__name__``: of the main module, that of a program or that of an import."""
    text = ctx.world.str_type
    if not ctx.module.is_main:
        return hir.Text(text, ctx.module.name)
    imported = hir.Text(text, PurePath(ctx.module.filename).stem)
    return hir.Conditional(text, hir.RunsAsProgram(BOOL), hir.Text(text, "__main__"), imported)


def find(ctx: Context, node: tree.Name) -> Symbol:
    """Return what a name that is not a local variable means; refuse one that means nothing."""
    symbol = ctx.lookup(node.id)
    if symbol is not None:
        return symbol
    if node.id in REFUSED_BUILTINS:
        raise ctx.refuse(node.span, f"not part of Krait, or not yet: `{node.id}`", REFUSED_BUILTINS[node.id])
    known = [*ctx.scope, *ctx.module.symbols, *ctx.world.builtin_names()]
    raise ctx.refuse(
        node.span,
        f"the name `{node.id}` is not defined",
        *did_you_mean(node.id, known),
        label="not found in this scope",
    )


def _read_local(ctx: Context, local: Local, node: tree.Name) -> hir.Expr:
    if local.broken:
        raise Refusal(node.id)
    if local.type is None:
        local.type = ctx.seeds.get(local)
    if local.type is None:
        raise ctx.unknown(node.span, f"`{node.id}`")
    if local is ctx.self_local:
        check_complete(ctx, node)
    value = read_local(ctx, local, node.span.start_line)
    known = ctx.flow.narrowed.get((local,))
    if known is None:
        return value
    if ctx.owns(local):
        return as_known(ctx, value, known)
    if node is ctx.attribute_base and _is_present(value.type, known):
        return value
    return checked_as(ctx, value, known, local.name, node.span)


def check_complete(ctx: Context, node: tree.Name) -> None:
    """In ``__init__``, where the object itself is used, note which of its fields have no values yet."""
    if ctx.own_fields is None or node is ctx.attribute_base:
        return
    ctx.note_late()


def _is_present(declared: Type, known: Type) -> bool:
    """Return whether all that is known of a value is that it is not None."""
    declared = prune(declared)
    return isinstance(declared, Optional) and prune(declared.inner) == prune(known)


def read_global(ctx: Context, var: GlobalVar, node: tree.expr) -> hir.Expr:
    """Return the value of a variable of a module."""
    prepare_global(ctx.world, var)
    if var.broken:
        raise Refusal(var.name)
    if var.type is None:
        raise ctx.unknown(node.span, f"`{var.name}`")
    checked = not is_global_bound(ctx, var)
    if var.constant is not None and not checked:
        return hir.Const(var.type, var.constant)
    var.needs_flag = var.needs_flag or checked
    value = hir.GlobalGet(var.type, var, checked, node.span.start_line)
    known = ctx.flow.narrowed.get((var,))
    if known is None:
        return value
    if ctx.owns(var):
        return as_known(ctx, value, known)
    if node is ctx.attribute_base and _is_present(value.type, known):
        return value
    return checked_as(ctx, value, known, var.name, node.span)


def is_global_bound(ctx: Context, var: GlobalVar) -> bool:
    """Return whether a variable of a module surely has a value here."""
    if var.module.library:
        return True
    if var.module is ctx.module and ctx.is_module_code:
        return ctx.flow.is_bound(var)
    if var.module is ctx.module and ctx.runs_with_module:
        return ctx.flow.is_bound(var)
    if var.module is ctx.module:
        return ctx.flow.is_bound(var) or (var.module.bound is not None and var in var.module.bound)
    return var.module.finally_bound is not None and var in var.module.finally_bound


def touch_declaration(ctx: Context, decl: FunctionDecl | ClassDecl, node: tree.expr, value: hir.Expr) -> hir.Expr:
    """Return ``value``, which uses a function or class of the program, after asking whether its ``def`` has run.

    A class that is at hand is there, though its name may have no meaning yet.
    """
    var = decl.bound_var
    is_at_hand = any(cls.decl is decl for cls in ctx.classes.values())
    if var is None or is_at_hand or decl.module is not ctx.module or is_global_bound(ctx, var):
        return value
    var.needs_flag = True
    asked = hir.GlobalGet(NONE, var, True, node.span.start_line)
    return hir.Let(value.type, [hir.Evaluate(ctx.line, asked)], value)


def module_named(ctx: Context, node: tree.expr) -> ModuleDecl | None:
    """Return the module that an expression names, None if it names none."""
    if isinstance(node, tree.Name) and node.id not in ctx.scope:
        if isinstance(ctx.imports.get(node.id) or ctx.module.symbols.get(node.id), Import):
            found = ctx.lookup(node.id)
            return found if isinstance(found, ModuleDecl) else None
    if isinstance(node, tree.Attribute):
        package = module_named(ctx, node.value)
        if package is not None and node.attr not in package.symbols:
            return ctx.world.modules.get(f"{package.name}.{node.attr}")
        inner = package.symbols[node.attr] if package is not None else None
        if isinstance(inner, Import) and package is not None:
            found = ctx.world.follow(package, inner)
            return found if isinstance(found, ModuleDecl) else None
    return None


def function_called(ctx: Context, node: tree.Call) -> Symbol | None:
    """Return what the name that a call begins with means, None if it is that of a variable, or no name."""
    match node.func:
        case tree.Name(id=name):
            return ctx.lookup(name) if name not in ctx.scope else None
        case tree.Attribute(value=value) as func:
            module = module_named(ctx, value)
            return find_in_module(ctx, module, func) if module is not None else None
        case _:
            return None


def find_in_module(ctx: Context, module: ModuleDecl, node: tree.Attribute) -> Symbol:
    """Return what ``module.attr`` means."""
    if (module.name, node.attr) in PROVIDED:
        return Intrinsic(PROVIDED[module.name, node.attr])
    symbol = module.symbols.get(node.attr)
    if isinstance(symbol, Import):
        found = ctx.world.follow(module, symbol)
        if found is not None and not module.library:
            return found
        symbol = None
    if symbol is None or (module.library and not ctx.module.library and node.attr.startswith("_")):
        raise ctx.refuse(
            node.span, f"the module `{module.name}` has no `{node.attr}`", *did_you_mean(node.attr, module.symbols)
        )
    return symbol


def member_of_module(
    ctx: Context, module: ModuleDecl, node: tree.Attribute, expected: Type | None = None
) -> hir.Expr:
    """Return the value of ``module.attr``."""
    symbol = find_in_module(ctx, module, node)
    if isinstance(symbol, GlobalVar):
        return read_global(ctx, symbol, node)
    if isinstance(symbol, ModuleDecl | Import):
        raise ctx.refuse(node.span, f"`{node.attr}` is a module, not a value")
    return value_of_symbol(ctx, symbol, node, expected)


__all__ = [
    "find",
    "find_in_module",
    "function_called",
    "is_global_bound",
    "is_variable",
    "member_of_module",
    "module_named",
    "read_function",
    "read_global",
    "read_name",
    "touch_declaration",
]
