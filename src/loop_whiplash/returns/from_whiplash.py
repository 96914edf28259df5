"""A Whiplash consumer return, as what was counted: a `Receipt`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.redaction import kind_of
from loop_whiplash.whiplash.models import ConsumerReturn, ConsumerReturnStatus, ReturnItem

from .model import Receipt, ReceiptLine, ReceivedUnit, Rma

MAX_UNITS_PER_LINE = 10_000
"""More than a pallet of one item in one parcel is a slip of the keyboard, not a count."""

MAX_UNITS = 20_000
"""In all of one consumer return, for the same reason."""

_RETURN_ID = re.compile(r"\d{1,18}", re.ASCII)


def to_receipt(
    consumer_return: ConsumerReturn,
    *,
    final_statuses: Collection[int] = (ConsumerReturnStatus.COMPLETED,),
    original_id_prefix: str = "",
    line_map: Mapping[str, Sequence[str]] | None = None,
) -> Receipt:
    """What one consumer return says was counted, unit by unit: good ones first, then damaged.

    `final`: its status is one of `final_statuses` **and** something was counted. A completed return that counted
    nothing at all is not taken as evidence of an empty parcel: published completed records count nothing, a return can
    be completed before its lines are written, and no field tells the two apart. It stays open to correction until the
    grace of whoever judges it ends, and then a person looks. It never releases money either way.

    `line_map` (Whiplash item id as text → Loop line ids, as stored at create) gives units their Loop line where there
    is no choice: the item stands for one line, or as many of its units were counted as it has lines. Otherwise units
    of one item are alike, and only the item id says what they are.

    A negative count, one beyond `MAX_UNITS_PER_LINE` or with the others beyond `MAX_UNITS`, a line listed twice, or a
    record without lines (V2.1, some webhooks) is told in `problems` and makes no units.

    Example:
        >>> line = {"id": 5, "sku": "A", "quantity": 2, "quantity_good": 1, "quantity_damaged": 1}
        >>> row = {"id": 9, "status": 300, "return_items": [line]}
        >>> [(unit.id, unit.condition) for unit in to_receipt(ConsumerReturn.from_dict(row)).units]
        [('5/1', 'good'), ('5/2', 'damaged')]
    """
    if not isinstance(consumer_return, ConsumerReturn):
        what = "to_receipt() takes a ConsumerReturn; of a payload, ConsumerReturn.from_dict() makes one"
        raise ConfigurationError(f"{what}; it got {kind_of(consumer_return)}")
    problems: list[str] = []
    units: list[ReceivedUnit] = []
    lines: dict[int, ReceiptLine] = {}
    if consumer_return.raw and not isinstance(consumer_return.raw.get("return_items"), (list, tuple, Mapping)):
        problems.append(f"consumer return {consumer_return.id} came without its lines; read it by id from Whiplash V2")
    for item in sorted(consumer_return.return_items, key=lambda row: row.id):
        if item.id in lines:
            if _line(item) != lines[item.id]:
                problems.append(f"line {item.id} is listed twice with different counts")
            continue
        lines[item.id] = _line(item)
        wrong = _absurd(item, len(units))
        if wrong:
            problems.append(wrong)
        else:
            units.extend(_units(item))
    original_id = consumer_return.originator.original_id if consumer_return.originator else None
    return Receipt(
        id=consumer_return.id,
        units=_with_lines(units, line_map or {}),
        final=consumer_return.status in final_statuses and bool(units),
        received_at=consumer_return.completed_at or consumer_return.arrived_at,
        return_id=return_id_of(original_id, original_id_prefix),
        status=consumer_return.status,
        lines=tuple(lines.values()),
        original_id=original_id,
        order_id=consumer_return.order_id,
        warehouse_id=consumer_return.warehouse_id,
        carrier=consumer_return.carrier,
        tracking=consumer_return.tracking,
        created_at=consumer_return.created_at,
        updated_at=consumer_return.updated_at,
        arrived_at=consumer_return.arrived_at,
        delivered_at=consumer_return.delivered_at,
        completed_at=consumer_return.completed_at,
        problems=tuple(problems),
    )


def with_item_ids(rma: Rma, line_map: Mapping[str, Sequence[str]]) -> Rma:
    """The same `rma`, its units carrying the Whiplash item under which they were announced (`ConsumerReturnDraft.lines`).

    With it, units pair by item even where the two systems' SKUs differ.
    """
    items = {line_id: int(item_id) for item_id, line_ids in line_map.items() if _RETURN_ID.fullmatch(item_id) for line_id in line_ids}
    return attrs.evolve(rma, units=tuple(attrs.evolve(unit, item_id=items.get(unit.line_id, unit.item_id)) for unit in rma.units))


def _line(item: ReturnItem) -> ReceiptLine:
    return ReceiptLine(
        id=item.id,
        item_id=item.item_id,
        sku=item.sku,
        quantity=item.quantity,
        quantity_good=item.quantity_good,
        quantity_damaged=item.quantity_damaged,
        description=item.description,
    )


def _absurd(item: ReturnItem, before: int) -> str | None:
    good, damaged = item.quantity_good, item.quantity_damaged
    if good < 0 or damaged < 0:
        return f"line {item.id} counts less than nothing: {good} good, {damaged} damaged; correct the count in Whiplash"
    if good + damaged > MAX_UNITS_PER_LINE:
        return f"line {item.id} counts {good + damaged:,} units, more than {MAX_UNITS_PER_LINE:,}; correct the count in Whiplash"
    if before + good + damaged > MAX_UNITS:
        return f"with line {item.id} more than {MAX_UNITS:,} units are counted; correct the counts in Whiplash"
    return None


def _units(item: ReturnItem) -> list[ReceivedUnit]:
    conditions = ["good"] * item.quantity_good + ["damaged"] * item.quantity_damaged
    return [
        ReceivedUnit(id=f"{item.id}/{ordinal}", sku=item.sku, item_id=item.item_id, condition=condition)
        for ordinal, condition in enumerate(conditions, start=1)
    ]


def _with_lines(units: list[ReceivedUnit], line_map: Mapping[str, Sequence[str]]) -> tuple[ReceivedUnit, ...]:
    counted: dict[str, int] = {}
    for unit in units:
        counted[str(unit.item_id)] = counted.get(str(unit.item_id), 0) + 1
    spare = {
        item: iter(line_ids) for item, line_ids in line_map.items() if len(line_ids) == 1 or len(line_ids) == counted.get(item, 0)
    }  # fmt: skip
    return tuple(attrs.evolve(unit, line_id=next(spare[str(unit.item_id)], None)) if str(unit.item_id) in spare else unit for unit in units)


def return_id_of(original_id: str | None, prefix: str = "") -> int | None:
    """The Loop return an original id names: the prefix and an id of up to 18 digits, as we write it; None for any other text.

    >>> return_id_of("shop-110", "shop-"), return_id_of("110b"), return_id_of("0110"), return_id_of(None)
    (110, None, None, None)
    """
    if original_id is None or not original_id.startswith(prefix):
        return None
    digits = original_id[len(prefix) :] if prefix else original_id
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18 or digits[0] == "0":
        return None
    return int(digits)
