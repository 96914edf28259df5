"""The neutral language: what is expected back (`Rma`), and what was counted (`Receipt`), unit by unit.

Loop sends one line item a unit; Whiplash sends quantities. Here both are units, so that everything above this room
reasons about things one can hold in a hand. What is not known is None; no sentinel of either vendor reaches this far.
Loop return ids and Whiplash ids are `int`, all other ids `str`. Times are aware and in UTC, money is `Decimal`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

__all__ = ["ExpectedUnit", "Receipt", "ReceiptLine", "ReceivedUnit", "Rma"]


def _tuple(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(values)  # `tuple` itself, as a converter, leaves type checkers with an unsolved variable


@attrs.frozen(kw_only=True)
class ExpectedUnit:
    """One unit that should come back: one Loop line item.

    `value` is what *process* releases for it, in the currency of the `Rma`. `outcome` is Loop's word for the line or
    the return (``refund``, ``exchange``, ``credit`` …). `reason` is the shopper's, as the merchant words it.
    """

    line_id: str
    sku: str | None = None
    item_id: int | None = None
    barcode: str | None = None
    variant_id: str | None = None
    product_id: str | None = None
    value: Decimal | None = None
    outcome: str | None = None
    title: str | None = None
    reason: str | None = None
    destination_id: str | None = None


@attrs.frozen(kw_only=True)
class ReceivedUnit:
    """One unit that was counted. `condition` is ``"good"``, ``"damaged"``, or None: not graded.

    `id` is ``"<whiplash line id>/<ordinal>"`` where `to_receipt` made it. `line_id` is Loop's line, where the map
    stored at create tells it; Whiplash itself never returns it.
    """

    id: str
    line_id: str | None = None
    sku: str | None = None
    item_id: int | None = None
    barcode: str | None = None
    variant_id: str | None = None
    product_id: str | None = None
    condition: str | None = None


@attrs.frozen(kw_only=True)
class Rma:
    """What is expected back for one Loop return, and what is known of its way.

    Attributes:
        return_id: Loop's return id = the RMA number.
        units: one per live line; removed lines are left out.
        state: Loop's state as text: ``open``, ``closed``, ``cancelled``, ``expired``, ``review``, or one not known yet.
        label_statuses: the status of each label (``pre_transit`` …), empty when the return has no label.
        trackings: all tracking numbers of its labels; `tracking` and `carrier` are those of the newest one.
        provider_order_id: the shop's order id; order_name: as shown to the shopper.
        released_at: when Loop released value (the earliest of its `outcomes_processed_at`), if it did.
        total: what process releases in all: Loop's total of what comes back, else the sum of the units' values; at the least what is paid
            out in money and credit. None where a part is not known.
    """

    return_id: int
    units: tuple[ExpectedUnit, ...] = attrs.field(default=(), converter=_tuple)
    state: str = "open"
    currency: str | None = None
    outcome: str | None = None
    was_processed: bool | None = None
    released_at: datetime | None = None
    refund_before_inspection: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    order_id: str | None = None
    provider_order_id: str | None = None
    order_name: str | None = None
    carrier: str | None = None
    tracking: str | None = None
    trackings: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
    label_statuses: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
    label_updated_at: datetime | None = None
    destination_id: str | None = None
    method: str | None = None
    total: Decimal | None = None
    sender: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class ReceiptLine:
    """One line of a Whiplash consumer return, as counted so far. `quantity` is what was announced."""

    id: int
    item_id: int | None = None
    sku: str | None = None
    quantity: int = 0
    quantity_good: int = 0
    quantity_damaged: int = 0
    description: str | None = None


@attrs.frozen(kw_only=True)
class Receipt:
    """What one Whiplash consumer return says was counted.

    A receipt is a *snapshot*: a later version of the same `id` replaces an earlier one, several ids add up.

    Attributes:
        id: the Whiplash consumer return id.
        units: the counted units, one each.
        final: its status is one of the final ones (300 Completed by default) **and** at least one unit was counted. It can
            still be reopened.
        status: Whiplash's number, e.g. 100 In Transit, 200 Processing, 300 Completed. None when unknown.
        received_at: when counting ended (`completed_at`), else when goods arrived (`arrived_at`), else None.
        lines: the lines with their quantities. return_id: Loop's, from `original_id`, None when it names none.
        original_id: the raw originator id. problems: what could not be read, one sentence each; a receipt with problems never
            leads to PROCESS.
    """

    id: int
    units: tuple[ReceivedUnit, ...] = attrs.field(default=(), converter=_tuple)
    final: bool = False
    received_at: datetime | None = None
    return_id: int | None = None
    status: int | None = None
    lines: tuple[ReceiptLine, ...] = attrs.field(default=(), converter=_tuple)
    original_id: str | None = None
    order_id: int | None = None
    warehouse_id: int | None = None
    carrier: str | None = None
    tracking: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    arrived_at: datetime | None = None
    delivered_at: datetime | None = None
    completed_at: datetime | None = None
    problems: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
