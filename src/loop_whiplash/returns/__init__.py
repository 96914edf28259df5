"""The neutral language between the two systems, and the mapping from and to each side."""

from __future__ import annotations

from .from_loop import to_rma
from .from_whiplash import MAX_UNITS, MAX_UNITS_PER_LINE, return_id_of, to_receipt, with_item_ids
from .model import ExpectedUnit, Receipt, ReceiptLine, ReceivedUnit, Rma
from .to_whiplash import ConsumerReturnDraft, to_consumer_return

__all__ = [
    "MAX_UNITS",
    "MAX_UNITS_PER_LINE",
    "ConsumerReturnDraft",
    "ExpectedUnit",
    "Receipt",
    "ReceiptLine",
    "ReceivedUnit",
    "Rma",
    "return_id_of",
    "to_consumer_return",
    "to_receipt",
    "to_rma",
    "with_item_ids",
]
