"""One consumer return in about a hundred bytes, as long as its Loop return has not been met.

Both sides of a reconciliation come in any order, so one of them must be remembered whole. A decoded row takes some ten
kilobytes; what planning and matching need of it fits in a tuple of numbers and two texts, written with `marshal` (this
process alone reads it back). Items and SKUs repeat, so they are numbered once. What is left out is what only people read:
carrier, sender, notes and the lines' descriptions.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from loop_whiplash.returns import to_receipt
from loop_whiplash.returns.from_whiplash import MAX_UNITS_PER_LINE
from loop_whiplash.returns.model import Receipt
from loop_whiplash.whiplash.models import ConsumerReturn, Originator, ReturnItem

__all__ = [
    "ARRIVED", "COUNTED", "DELIVERED", "ID", "KIND", "LINES", "ODD", "STATUS", "TRACKING", "UNCOUNTED", "UPDATED",
    "Catalogue", "line_numbers", "pack", "seconds_of", "time_of", "unpack",
]  # fmt: skip

#: Kinds: nothing counted, something counted; `ODD` ones have problems and are never judged in passing.
UNCOUNTED, COUNTED, ODD, ODD_WITHOUT_LINES = 0, 1, 2, 3
#: Positions in the tuple. From `LINES` on come, a line at a time: id, number in the catalogue, quantity; good and damaged
#: too unless `UNCOUNTED`.
ID, KIND, UPDATED, STATUS, ORIGINAL, ORDER, WAREHOUSE, TRACKING, CREATED, ARRIVED, DELIVERED, COMPLETED, LINES = range(13)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = 2**33  # up to here (the year 2242) a float of seconds is exact to the microsecond
_VERSION = 2  # of marshal: the newer ones write references, by which equal values differ in their bytes
_dumps = marshal.dumps


class Catalogue:
    """Each pair of Whiplash item id and SKU once, by number."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int | None, str | None], int] = {}
        self.items: list[int | None] = []
        self.skus: list[str | None] = []

    def number(self, item_id: int | None, sku: str | None) -> int:
        """The number of this pair, given on first sight."""
        known = self.numbers.get((item_id, sku))
        if known is None:
            known = self.numbers[item_id, sku] = len(self.items)
            self.items.append(item_id)
            self.skus.append(sku)
        return known


def seconds_of(time: datetime | None) -> int | float | str | None:
    """An aware time as seconds since 1970, a whole number where it is one; as text where a float is not exact."""
    if time is None:
        return None
    passed = time - _EPOCH
    whole = passed.days * 86400 + passed.seconds
    if not passed.microseconds:
        return whole
    return whole + passed.microseconds / 1e6 if -_EXACT < whole < _EXACT else time.isoformat()


def time_of(seconds: int | float | str | None) -> datetime | None:
    """What `seconds_of` was given, in UTC."""
    if seconds is None:
        return None
    if isinstance(seconds, str):
        return datetime.fromisoformat(seconds).astimezone(UTC)
    return _EPOCH + timedelta(seconds=seconds)


def pack(row: ConsumerReturn, key: str | None, catalogue: Catalogue) -> bytes:
    """The compact record. `key`: the original id its owner is called by; kept only where it is another."""
    raw = row.raw
    kind = ODD_WITHOUT_LINES if raw and not isinstance(raw.get("return_items"), (list, tuple, Mapping)) else UNCOUNTED
    items = row.return_items
    for item in items:
        good, damaged = item.quantity_good, item.quantity_damaged
        if good or damaged:
            if good < 0 or damaged < 0 or good + damaged > MAX_UNITS_PER_LINE:
                kind = max(kind, ODD)
            elif kind == UNCOUNTED:
                kind = COUNTED
    if len(items) > 1 and len({item.id for item in items}) < len(items):
        kind = max(kind, ODD)
    lines: list[Any] = []
    for item in items:
        lines += (item.id, catalogue.number(item.item_id, item.sku), item.quantity)
        if kind:
            lines += (item.quantity_good, item.quantity_damaged)
    arrived, delivered, completed = row.arrived_at, row.delivered_at, row.completed_at
    original = row.originator.original_id if row.originator is not None else None
    return _dumps(
        (
            row.id, kind, seconds_of(row.updated_at), row.status, None if original == key else (original or ""), row.order_id,
            row.warehouse_id, row.tracking, seconds_of(row.created_at), None if arrived is None else seconds_of(arrived),
            None if delivered is None else seconds_of(delivered), None if completed is None else seconds_of(completed), *lines,
        ),
        _VERSION,
    )  # fmt: skip


def unpack(
    record: tuple[Any, ...],
    key: str | None,
    catalogue: Catalogue,
    *,
    final_statuses: Sequence[int],
    prefix: str,
    line_map: Mapping[str, Sequence[str]] | None,
) -> Receipt:
    """The receipt that `to_receipt` makes of the row, but for its carrier and its lines' descriptions."""
    original = key if record[ORIGINAL] is None else (record[ORIGINAL] or None)
    row = ConsumerReturn(
        id=record[ID],
        status=record[STATUS],
        order_id=record[ORDER],
        warehouse_id=record[WAREHOUSE],
        tracking=record[TRACKING],
        created_at=time_of(record[CREATED]),
        updated_at=time_of(record[UPDATED]),
        arrived_at=time_of(record[ARRIVED]),
        delivered_at=time_of(record[DELIVERED]),
        completed_at=time_of(record[COMPLETED]),
        originator=Originator(original_id=original) if original is not None else None,
        return_items=_items(record, catalogue),
        raw={"return_items": None} if record[KIND] == ODD_WITHOUT_LINES else {},
    )
    return to_receipt(row, final_statuses=final_statuses, original_id_prefix=prefix, line_map=line_map)


def line_numbers(record: tuple[Any, ...]) -> tuple[int, ...]:
    """The numbers in the catalogue of its lines, in order."""
    return record[LINES + 1 :: 5 if record[KIND] else 3]


def _items(record: tuple[Any, ...], catalogue: Catalogue) -> tuple[ReturnItem, ...]:
    width = 5 if record[KIND] else 3
    return tuple(
        ReturnItem(
            id=record[at],
            item_id=catalogue.items[record[at + 1]],
            sku=catalogue.skus[record[at + 1]],
            quantity=record[at + 2],
            quantity_good=record[at + 3] if width == 5 else 0,
            quantity_damaged=record[at + 4] if width == 5 else 0,
        )
        for at in range(LINES, len(record), width)
    )
