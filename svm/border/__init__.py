"""The border: values of Python's types between a host and a guest, by the interface that the module carries.

In: an interface and Python values, or bytes that a guest handed out. Out: bytes, or values. Nothing here knows of
guests; `svm.runtime.rich` puts it to work. Invariant: whatever a guest hands out becomes a value of the promised
type, or an InterfaceError, or a LimitError; values are trees, for the form has no references, so none can lead back to
itself.
"""

from svm.border.annotations import Unfit, classes_for
from svm.border.calls import Call, PlainCall, pack_exception
from svm.border.classes import Codecs, GuestTypes, invalid
from svm.border.stream import Buffer

__all__ = ["Buffer", "Call", "Codecs", "GuestTypes", "PlainCall", "Unfit", "classes_for", "invalid", "pack_exception"]
