"""Who carries parcels, and says where they are."""

from __future__ import annotations

from .loop import Loop
from .loop_state import CARRIER_STATUSES
from .shopper import SimulatedReturn

__all__ = ["Carrier"]

STATUSES = (*CARRIER_STATUSES, "error", "failure")


class Carrier:
    """Scans parcels."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def scan(self, ret: SimulatedReturn | int, status: str = "pre_transit", *, parcel: int | None = None) -> None:
        """The label of one parcel, or of all, moves to a status.

        ``pre_transit``, ``in_transit``, ``out_for_delivery``, ``delivered``, ``error``, ``failure``.
        """
        if status not in STATUSES:
            raise ValueError(f"no carrier says {status!r}; it may be one of {', '.join(STATUSES)}")
        return_id = ret if isinstance(ret, int) else ret.id
        labels = self._loop.returns[return_id].labels
        if not labels:
            raise LookupError(f"return {return_id} has no label to scan")
        for label in labels if parcel is None else (labels[parcel],):
            self._loop.move_label(return_id, label.shipment_id, status)
