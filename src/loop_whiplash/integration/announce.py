"""Before goods are announced: is there an RMA already, and which Whiplash items are they?

*Candidates* are consumer returns that fit a return without carrying its id: found by tracking number, or by order with
exactly the lines we would announce. They are adopted, which is how a shop moves over from Loop's own integration.

*Items* are resolved by the Whiplash order of the same shop order when there is one, else by SKU, else by barcode. SKUs
are not unique in Whiplash, so an identifier that names several items names none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import attrs

from loop_whiplash.errors import LoopWhiplashError
from loop_whiplash.http.flow import Store
from loop_whiplash.loop.calls import find_returns
from loop_whiplash.returns import return_id_of, to_rma
from loop_whiplash.returns.model import ExpectedUnit, Rma
from loop_whiplash.whiplash.lists import items_by_barcode, items_by_sku, list_consumer_returns, orders_by_original_id
from loop_whiplash.whiplash.models import ConsumerReturn, Item, Order

from .core import Core
from .inbox import rma_key
from .observe import whole

__all__ = ["Resolved", "Unresolved", "candidates", "resolve", "shop_orders", "twins"]


class Unresolved(LoopWhiplashError):
    """Units whose Whiplash item is unknown or ambiguous; the message names each and why."""


@attrs.frozen(kw_only=True)
class Resolved:
    """Whiplash item id by Loop line id, and the Whiplash order of the same shop order, if there is one."""

    item_ids: Mapping[str, int]
    order_id: int | None = None


async def shop_orders(core: Core, rma: Rma) -> list[Order]:
    """The Whiplash orders of the return's shop order: one, several where it was split, or none."""
    return await orders_by_original_id(core.whiplash, rma.provider_order_id) if rma.provider_order_id else []


async def candidates(core: Core, rma: Rma, orders: Iterable[Order]) -> list[ConsumerReturn]:
    """Live consumer returns that belong to this return though they do not carry its id."""
    fits: dict[int, ConsumerReturn] = {}
    # Each row is looked at here too: a server that did not understand a condition would answer with everything.
    for tracking in sorted(set(rma.trackings)):
        async for row in list_consumer_returns(core.whiplash, {"tracking_eq": tracking}):
            if row.tracking is not None and row.tracking.strip().casefold() == tracking.strip().casefold():
                fits[row.id] = row
    wanted = Counter(unit.sku for unit in rma.units)
    for order in orders:
        async for row in list_consumer_returns(core.whiplash, {"order_id_eq": order.id}):
            lines: Counter[str | None] = Counter()
            for line in row.return_items:
                lines[line.sku] += line.quantity or 0
            # Of two returns of one order with equal lines, a parcel belongs to the one whose tracking number it carries.
            unlike = row.order_id != order.id or lines != wanted or None in wanted
            if not unlike and (row.tracking is None or row.tracking in rma.trackings):
                fits[row.id] = row
    return [row for _, row in sorted(fits.items()) if await _free(core, rma, row)]


async def twins(core: Core, rma: Rma, row: ConsumerReturn) -> list[int]:
    """Other returns of the same order that a candidate may be meant for just as well, since nothing on it says which."""
    named = return_id_of(row.originator.original_id if row.originator else None, core.settings.original_id_prefix)
    tracked = row.tracking is not None and row.tracking.strip().casefold() in {each.strip().casefold() for each in rma.trackings}
    if tracked or named == rma.return_id or await Store(lambda: core.ledger.get(rma_key(row.id))) == str(rma.return_id):
        return []
    wanted = Counter(unit.sku for unit in rma.units)
    others = [to_rma(whole(each)) for each in await core.loop.perform(find_returns(provider_order_id=rma.provider_order_id))]
    return [
        each.return_id
        for each in others
        if each.return_id != rma.return_id and each.state != "cancelled" and wanted <= Counter(unit.sku for unit in each.units)
    ]


async def _free(core: Core, rma: Rma, row: ConsumerReturn) -> bool:
    """Not the RMA of another return: neither by its original id nor by what the ledger knows."""
    owner = await Store(lambda: core.ledger.get(rma_key(row.id)))
    if owner is not None:
        return owner == str(rma.return_id)
    named = return_id_of(row.originator.original_id if row.originator else None, core.settings.original_id_prefix)
    if named is not None and named != rma.return_id:
        return False
    # One that is older than the return cannot have been made for it.
    return rma.created_at is None or row.created_at is None or row.created_at >= rma.created_at


async def resolve(core: Core, rma: Rma, orders: Iterable[Order]) -> Resolved:
    """The Whiplash item of every unit. Raises `Unresolved` naming the units and why; that holds back this return only."""
    found, order_id = _by_order(rma, orders)
    rest = [unit for unit in rma.units if unit.line_id not in found]
    why: dict[str, str] = {}
    if rest:
        skus = sorted({unit.sku for unit in rest if unit.sku})
        codes = sorted({unit.barcode for unit in rest if unit.barcode})
        by_sku = _index(await items_by_sku(core.whiplash, skus) if skus else [], lambda item: (item.sku,))
        by_code = _index(await items_by_barcode(core.whiplash, codes) if codes else [], lambda item: (item.scancode, item.ean))
        for unit in rest:
            item_id, reason = _choose(unit, by_sku, by_code)
            if item_id is None:
                why[unit.line_id] = reason
            else:
                found[unit.line_id] = item_id
    if why:
        raise Unresolved(
            f"return {rma.return_id}: " + "; ".join(f"line {line}: {reason}" for line, reason in sorted(why.items())),
            return_id=rma.return_id,
        )
    return Resolved(item_ids=found, order_id=order_id)


def _by_order(rma: Rma, orders: Iterable[Order]) -> tuple[dict[str, int], int | None]:
    """Items by the SKUs of the order's own lines; an order that was split is several orders of one shop order."""
    orders = sorted(orders, key=lambda order: order.id)
    by_sku: dict[str, set[int]] = {}
    for order in orders:
        for line in order.order_items:
            if line.sku and line.item_id:
                by_sku.setdefault(line.sku, set()).add(line.item_id)
    found = {unit.line_id: next(iter(by_sku[unit.sku])) for unit in rma.units if unit.sku and len(by_sku.get(unit.sku, ())) == 1}
    return found, orders[0].id if orders else None


def _index(items: Iterable[Item], keys: object) -> dict[str, dict[int, Item]]:
    index: dict[str, dict[int, Item]] = {}
    for item in items:
        for key in keys(item):  # type: ignore[operator]
            if key:
                index.setdefault(key, {})[item.id] = item
    return index


def _choose(
    unit: ExpectedUnit, by_sku: Mapping[str, Mapping[int, Item]], by_code: Mapping[str, Mapping[int, Item]]
) -> tuple[int | None, str]:
    skus = by_sku.get(unit.sku or "", {})
    codes = by_code.get(unit.barcode or "", {})
    if len(skus) == 1:
        return next(iter(skus)), ""
    both = sorted(set(skus) & set(codes))
    if len(both) == 1:
        return both[0], ""
    if skus:
        return (
            None,
            f"SKU {unit.sku} names {len(skus)} Whiplash items ({', '.join(map(str, sorted(skus)))}); "
            "make it unique, or attach the RMA by hand",
        )
    if len(codes) == 1:
        return next(iter(codes)), ""
    if codes:
        return None, f"barcode {unit.barcode} names {len(codes)} Whiplash items"
    return None, f"no Whiplash item has SKU {unit.sku or '(none)'} or barcode {unit.barcode or '(none)'}; create it in Whiplash"
