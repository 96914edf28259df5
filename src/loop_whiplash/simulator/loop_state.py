"""What Loop remembers of a return. Frozen values: a change makes a new one, so nobody holds a stale reference by accident."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from .catalogue import Order, OrderLine, Variant

__all__ = ["CARRIER_STATUSES", "Label", "Line", "LoopManners", "Note", "Return"]

CARRIER_STATUSES = ("new", "pre_transit", "in_transit", "out_for_delivery", "delivered")
"""Label statuses in the order a parcel goes through them; ``error`` and ``failure`` stand outside it."""

ZERO = Decimal("0.00")


@attrs.frozen(kw_only=True)
class Line:
    """One unit that comes back. `outcome`: refund, credit, exchange, or keep (the shopper keeps it and is paid all the same)."""

    line_id: int
    order_line: OrderLine
    outcome: str
    price: Decimal
    discount: Decimal = ZERO
    tax: Decimal = ZERO
    reason: str = ""
    parent_reason: str | None = None
    comment: str | None = None
    returned_at: datetime | None = None
    removed: bool = False
    exchange_for: Variant | None = None
    exchange_id: int | None = None
    out_of_stock: bool = False
    delivered: bool = False
    sku: str | None = None
    barcode: str | None = None
    condition: dict[str, Any] | None = None
    disposition: dict[str, Any] | None = None

    @property
    def variant(self) -> Variant:
        """What it is."""
        return self.order_line.variant

    @property
    def value(self) -> Decimal:
        """What it is worth to the shopper: price, less discount, plus tax. A removed line is worth nothing."""
        return ZERO if self.removed else self.price - self.discount + self.tax


@attrs.frozen(kw_only=True)
class Label:
    """One parcel's label. `rate` in minor units. `line_ids`: what is in the parcel."""

    shipment_id: int
    carrier: str
    tracking: str
    status: str
    created_at: datetime
    updated_at: datetime
    line_ids: tuple[int, ...]
    rate: int = 842


@attrs.frozen(kw_only=True)
class Note:
    """One note on a return."""

    id: int
    content: str
    created_at: datetime


@attrs.frozen(kw_only=True)
class Return:
    """One return. `flagged` is Loop's own knowledge: a flagged return may still read ``open``."""

    id: int
    order: Order
    lines: tuple[Line, ...]
    outcome: str
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None = None
    state: str = "open"
    flagged: bool = False
    was_processed: bool = False
    return_processed: datetime | None = None
    refund_processed: datetime | None = None
    gift_card_processed: datetime | None = None
    exchange_processed: datetime | None = None
    labels: tuple[Label, ...] = ()
    notes: tuple[Note, ...] = ()
    destination_id: int | None = None
    handling_fee: Decimal = ZERO
    currency: str = "USD"
    gift: bool = False
    refund_before_inspection: bool = False
    return_method: dict[str, Any] | None = None
    package_reference: str | None = None
    page: str = ""
    details: dict[str, Any] | None = None

    @property
    def live_lines(self) -> tuple[Line, ...]:
        """Lines that were not removed."""
        return tuple(line for line in self.lines if not line.removed)

    @property
    def value(self) -> Decimal:
        """What processing releases in all."""
        return sum((line.value for line in self.lines), ZERO)

    def sum_of(self, *outcomes: str) -> Decimal:
        """Value of the lines with these outcomes."""
        return sum((line.value for line in self.lines if line.outcome in outcomes), ZERO)


@attrs.define(kw_only=True)
class LoopManners:
    """How this Loop, and this shop's settings in it, behave. The defaults are as good-natured as the documentation allows.

    Attributes:
        api_keys: those that are let in. webhook_secret: what webhooks are signed with.
        processing_takes: seconds between `true` and the end of processing, least and most.
        failing: share of processings that fail. failed_state: what a return reads after that: ``open`` or ``review``.
        allow_flagged: the shop's setting "Allow flagged returns to process".
        hidden_flags: share of flags after which the state still reads ``open``.
        process_on_scan: Loop's own automation: process when the carrier says ``in_transit`` or ``delivered``. A shop whose warehouse
            inspects must switch it off.
        label_life: days until a label that was never handed over expires, and its return with it.
        rate_limit: requests a minute for each key. retry_after: seconds put in that header of a 429, or None for no header.
        details_as: ``list`` (as captured) or ``object`` (as documented). success: the body of success, ``true`` or ``"true"``.
        list_order: ``newest`` or ``oldest`` first. list_ties: rows that share a second with a page's edge are ``skip``-ped or
            ``repeat``-ed.
        label_touches_return: a carrier scan moves the return's `updated_at`.
        version: value of the header ``x-loop-api-version``. old_401: the older of the two envelopes.
        notes_wrapped: notes as ``{"notes": []}`` instead of a bare array.
        refuse: share of actions that are refused for no visible reason, with code ``UNEXPECTED_ERROR`` under a 200.
        another_shop: the key opens another shop: nothing of this one is known there.
        unreadable: ids of returns whose lines are written in a shape that nobody can read (odd ids), or left out (even ones).
    """

    api_keys: list[str] = attrs.field(factory=lambda: ["loop-api-key"])
    webhook_secret: str = "loop-webhook-secret"
    processing_takes: tuple[float, float] = (5.0, 60.0)
    failing: float = 0.0
    failed_state: str = "open"
    allow_flagged: bool = False
    hidden_flags: float = 0.0
    process_on_scan: str | None = None
    label_life: float = 28.0
    rate_limit: int = 300
    retry_after: int | None = None
    details_as: str = "list"
    success: object = True
    list_order: str = "newest"
    list_ties: str = "skip"
    label_touches_return: bool = True
    version: str = "2026-07"
    old_401: bool = False
    notes_wrapped: bool = False
    refuse: float = 0.0
    another_shop: bool = False
    unreadable: set[int] = attrs.field(factory=set)
