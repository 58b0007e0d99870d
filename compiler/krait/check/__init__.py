"""Syntax tree to typed tree: names, types, instances; everything that is wrong with a program."""

from krait.check.program import check_program

__all__ = ["check_program"]
