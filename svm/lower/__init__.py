"""Lowering: a checked body to the tables that every engine shares.

In comes a `ValidFunction`; out come where each value lies in a frame (`FrameLayout`) and what fuel is charged and
tested where (`Charges`).  An engine decides none of this, so that all of them pause, trap and count alike.
"""

from svm.lower.charges import BULK_CHUNK, CHARGES_VERSION, Charges, LoopCharge, bulk_charge, charges_of
from svm.lower.frame import HEADER_SLOTS, SLOT_BYTES, FrameLayout, Header, layout_of
from svm.lower.slots import SlotCode, SlotOp, operand_counts, slot_code
from svm.lower.tries import Handlers, TryRange, tries_of

__all__ = [
    "BULK_CHUNK",
    "CHARGES_VERSION",
    "HEADER_SLOTS",
    "SLOT_BYTES",
    "Charges",
    "FrameLayout",
    "Handlers",
    "Header",
    "LoopCharge",
    "SlotCode",
    "SlotOp",
    "TryRange",
    "bulk_charge",

    "charges_of",
    "layout_of",
    "operand_counts",
    "slot_code",
    "tries_of",
]
