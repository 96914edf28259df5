"""An `Rma`, as the body that announces it to Whiplash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

from loop_whiplash.errors import ConfigurationError, UnresolvedItems

from .model import ExpectedUnit, Rma

NO_REASON = "No reason given"
MAX_DESCRIPTION = 255


@attrs.frozen(kw_only=True, eq=False)
class ConsumerReturnDraft(Mapping[str, Any]):
    """The body of ``POST /consumer_returns``: a frozen mapping of plain JSON values, with the same names as attributes.

    What is not known is left out of the mapping. `lines` is not sent: it tells, for each Whiplash item id (as text),
    which Loop lines it announces. Whiplash never gives a line id back, so store it with the create.
    https://developers.getwhiplash.com (POST /api/v2/consumer_returns)
    """

    requires_label: bool
    shipnotice_items_attributes: tuple[Mapping[str, Any], ...]
    originator_attributes: Mapping[str, str]
    order_id: int | None = None
    warehouse_id: int | None = None
    sender: str | None = attrs.field(default=None, repr=False)
    eta: str | None = None
    carrier: str | None = None
    tracking: str | None = None
    reference: str | None = None
    lines: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The body as a new dict of dicts and lists."""
        return {name: self[name] for name in self}

    def __getitem__(self, name: str) -> Any:
        value = getattr(self, name) if name in _BODY else None
        if value is None:
            raise KeyError(name)
        if name == "shipnotice_items_attributes":
            return [dict(line) for line in value]
        return dict(value) if isinstance(value, Mapping) else value

    def __iter__(self) -> Iterator[str]:
        return (name for name in _BODY if getattr(self, name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


_BODY = (
    "order_id", "warehouse_id", "sender", "requires_label", "eta", "carrier", "tracking", "reference", "originator_attributes",
    "shipnotice_items_attributes",
)  # fmt: skip


def to_consumer_return(
    rma: Rma,
    *,
    item_ids: Mapping[str, int],
    order_id: int | None = None,
    warehouse_id: int | None = None,
    original_id: str | None = None,
    requires_label: bool = False,
    return_actions: Mapping[str, str] | None = None,
    return_action: str = "no_action_required",
    eta: datetime | None = None,
) -> ConsumerReturnDraft:
    """The body that announces `rma` to Whiplash.

    `item_ids` maps Loop line ids or SKUs to Whiplash item ids; a line id wins. Units of the same item become one line
    with a quantity. `original_id` is the only handle by which the return is found again; by default Loop's return id.
    `return_actions` maps an outcome to Whiplash's `return_action`; units of one item that differ get `return_action`.
    `eta` must be aware.

    Raises `UnresolvedItems`, naming the units without an item, and for a return without units.

    Example:
        >>> unit = ExpectedUnit(line_id="31", sku="SHOE-42", reason="Too small")
        >>> draft = to_consumer_return(Rma(return_id=7, units=[unit, attrs.evolve(unit, line_id="32")]), item_ids={"SHOE-42": 1965})
        >>> draft["shipnotice_items_attributes"]
        [{'item_id': 1965, 'quantity': 2, 'return_action': 'no_action_required', 'description': 'Too small'}]
        >>> draft.lines
        {'1965': ('31', '32')}
    """
    if eta is not None and eta.tzinfo is None:
        raise ConfigurationError("eta must be an aware datetime, e.g. datetime(2026, 1, 31, tzinfo=UTC)", return_id=rma.return_id)
    by_item = _by_item(rma, {str(key): value for key, value in item_ids.items()})
    return ConsumerReturnDraft(
        order_id=order_id,
        warehouse_id=warehouse_id,
        sender=rma.sender,
        requires_label=requires_label,
        eta=None if eta is None else eta.isoformat(),
        carrier=rma.carrier,
        tracking=rma.tracking,
        reference=rma.order_name,
        originator_attributes={"original_id": str(rma.return_id) if original_id is None else original_id},
        shipnotice_items_attributes=tuple(_line(item_id, units, return_actions or {}, return_action) for item_id, units in by_item.items()),
        lines={str(item_id): tuple(unit.line_id for unit in units) for item_id, units in by_item.items()},
    )


def _by_item(rma: Rma, item_ids: Mapping[str, object]) -> dict[int, list[ExpectedUnit]]:
    if not rma.units:
        raise UnresolvedItems(f"return {rma.return_id} has no units to announce: all its lines were removed", return_id=rma.return_id)
    line_ids = {unit.line_id for unit in rma.units}
    found: dict[int, list[ExpectedUnit]] = {}
    reasons: dict[str, str] = {}
    for unit in rma.units:
        item_id = item_ids.get(unit.line_id)
        if item_id is None and unit.sku is not None and unit.sku not in line_ids:  # a key that is a line id is no SKU
            item_id = item_ids.get(unit.sku)
        if item_id is None:
            item_id = unit.item_id
        if isinstance(item_id, int) and not isinstance(item_id, bool) and item_id > 0:
            found.setdefault(item_id, []).append(unit)
        elif item_id is None:
            reasons[unit.line_id] = "no SKU" if unit.sku is None else f"no Whiplash item for SKU {unit.sku}"
        else:
            reasons[unit.line_id] = f"{item_id!r} is no Whiplash item id"
    if reasons:
        told = "; ".join(f"line {line_id}: {why}" for line_id, why in reasons.items())
        raise UnresolvedItems(
            f"return {rma.return_id} cannot be announced: {told}. Give an item id by line id or SKU, or create the item in Whiplash",
            line_ids=tuple(reasons),
            reasons=reasons,
            return_id=rma.return_id,
        )
    return found


def _line(item_id: int, units: list[ExpectedUnit], return_actions: Mapping[str, str], return_action: str) -> dict[str, Any]:
    actions = {return_actions.get(unit.outcome or "", return_action) for unit in units}
    reasons = "; ".join(dict.fromkeys(unit.reason for unit in units if unit.reason))
    return {
        "item_id": item_id,
        "quantity": len(units),
        "return_action": actions.pop() if len(actions) == 1 else return_action,
        "description": reasons[:MAX_DESCRIPTION] or NO_REASON,  # published examples hold the return reason here
    }
