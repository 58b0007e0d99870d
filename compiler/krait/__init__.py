"""Krait: a typed language in Python's syntax, compiled to svm modules.

In: sources. Out: modules, or `CompileError` with everything that is wrong. The stages, in order: `syntax` (text to
tree), `check` (tree to typed tree), `emit` (typed tree to module); `compiler` runs them where the cache has no module.
"""

from __future__ import annotations

from collections.abc import Callable

from svm.hints import TYPE_CHECKING, Any, TypeVar
from svm.lazy import lazily

if TYPE_CHECKING:
    from krait.compiler import compile_file, compile_source
    from krait.diagnostics import CompileError, Diagnostic, Note, Span, render
else:
    __getattr__ = lazily(__name__, {
        "krait.compiler": ("compile_file", "compile_source"),
        "krait.diagnostics": ("CompileError", "Diagnostic", "Note", "Span", "render"),
    })  # fmt: skip

__all__ = ["CompileError", "Diagnostic", "Note", "Span", "compile_file", "compile_source", "export", "render"]

_F = TypeVar("_F", bound=Callable[..., Any])


def export(function: _F) -> _F:
    """Mark a function of a Krait program that a host can call; where CPython runs the program, this does nothing."""
    return function
