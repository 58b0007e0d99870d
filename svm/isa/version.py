"""The version of the instruction set."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = 1
"""A module says which it was made for."""
