"""Typed tree to bytecode."""

from krait.emit.module import emit_module

__all__ = ["emit_module"]
