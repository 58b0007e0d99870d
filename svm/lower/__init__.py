"""Lowering: a checked body to the tables that every engine shares.

In comes a `ValidFunction`; out come where each value lies in a frame (`FrameLayout`) and what fuel is charged and
tested where (`Charges`).  An engine decides none of this, so that all of them pause, trap and count alike.  What
lowers is imported when it is first asked for: code that is lowered already runs without it.
"""

from svm.hints import TYPE_CHECKING
from svm.lazy import lazily
from svm.lower.frame import HEADER_SLOTS, SLOT_BYTES, Charges, FrameLayout, Header, LoopCharge, layout_of

if TYPE_CHECKING:
    from svm.lower.charges import BULK_CHUNK, CHARGES_VERSION, bulk_charge, charges_of
    from svm.lower.liveness import clear_dead, live_locals
    from svm.lower.safepoints import Safepoint, safepoints_of
    from svm.lower.slots import SlotCode, SlotOp, operand_counts, slot_code
    from svm.lower.tries import Handlers, TryRange, tries_of
else:
    __getattr__ = lazily(__name__, {
        "svm.lower.charges": ("BULK_CHUNK", "CHARGES_VERSION", "bulk_charge", "charges_of"),
        "svm.lower.liveness": ("clear_dead", "live_locals"),
        "svm.lower.safepoints": ("Safepoint", "safepoints_of"),
        "svm.lower.slots": ("SlotCode", "SlotOp", "operand_counts", "slot_code"),
        "svm.lower.tries": ("Handlers", "TryRange", "tries_of"),
    })  # fmt: skip

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
    "Safepoint",
    "SlotCode",
    "SlotOp",
    "TryRange",
    "bulk_charge",
    "charges_of",
    "clear_dead",
    "layout_of",
    "live_locals",
    "operand_counts",
    "safepoints_of",
    "slot_code",
    "tries_of",
]
