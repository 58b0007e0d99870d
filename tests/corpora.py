"""Outside test material, which is no part of the project: where it lies, and what a test does without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["ROOT", "corpora", "needed"]

ROOT = Path(__file__).parents[1]


def corpora() -> Path:
    """The folder that SVM_CORPORA names, or else the one beside the project; it may not exist."""
    return Path(os.environ.get("SVM_CORPORA") or ROOT.parent / "shared" / "corpora")


def needed(name: str) -> Path:
    """A file of the corpora; where it is absent, the test is skipped."""
    path = corpora() / name
    if not path.exists():
        pytest.skip(f"{path} is absent; SVM_CORPORA may name the folder that has {name}")
    return path
