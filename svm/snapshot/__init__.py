"""Guests that can be taken, kept, moved and put back, in the middle of whatever they do.

In come paused guests; out come `Snapshot`s, values from which guests are made again: here, or in another process, on
another engine or machine (docs/snapshot-format.md).  A snapshot holds no code of an engine, no address and no right.
"""

from svm.snapshot.guest import Guest, Snapshot, Store

__all__ = ["Guest", "Snapshot", "Store"]
