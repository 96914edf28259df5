"""What can be read of the fake Whiplash in lists: searched, sorted, paged, counted; and items and orders one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .catalogue import Item, Order
from .search import chosen, narrowed, parse, sorted_rows
from .trouble import Trouble, number_of
from .whiplash import Notice, Whiplash
from .whiplash_shapes import item_row, notice_originator, originator_row, scancode_row, stamp

__all__ = ["Lists"]

T = TypeVar("T")
LARGEST_PAGE = 250

#: Kind of row → what is cheap to read of it: most searches ask for one of these, and most rows are not the ones asked for.
FIELDS: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    Notice: {
        "id": lambda notice: notice.id,
        "originator_original_id": lambda notice: notice.original_id,
        "tracking": lambda notice: notice.tracking,
        "order_id": lambda notice: notice.order_id,
    },
    Order: {"originator_original_id": lambda order: str(order.shop_id), "originator_group_id": lambda order: None},
}


class Lists:
    """Reads, and changes nothing. `params` is the query; `headers` those of the answer, which a list may add to."""

    def __init__(self, whiplash: Whiplash) -> None:
        self._whiplash = whiplash

    def of(self, kind: str, params: Mapping[str, str], headers: dict[str, str]) -> list[dict[str, Any]]:
        """One page of ``consumer_returns``, ``items`` or ``orders``."""
        match kind:
            case "consumer_returns":
                return self._page(self._whiplash.indexed(), self._view, params, headers, "created_at desc", self._whiplash.row)
            case "items":
                return self._page(self._items(), _item_view, params, headers, "id asc", self._item)
        return self._page(self._whiplash.orders(), _order_view, params, headers, "id asc", self._order)

    def count(self, kind: str, params: Mapping[str, str]) -> dict[str, int]:
        """How many rows such a list has."""
        match kind:
            case "consumer_returns":
                return self._count(self._whiplash.indexed(), self._view, params)
            case "items":
                return self._count(self._items(), _item_view, params)
        return self._count(self._whiplash.orders(), _order_view, params)

    def one_order(self, number: str, rest: Sequence[str]) -> tuple[int, object]:
        """One order, or its lines."""
        order = self._whiplash.order(number_of(number))
        if order is None or list(rest) not in ([], ["order_items"]):
            raise Trouble(404, "not_found")
        return 200, order["order_items"] if rest else order

    def _items(self) -> list[Item]:
        return self._whiplash.catalogue.items

    def _item(self, item: Item) -> dict[str, Any]:
        return item_row(item, customer_id=self._whiplash.customer_id)

    def _order(self, order: Order) -> dict[str, Any]:
        return self._whiplash.order(order.whiplash_id) or {}

    def one_item(self, number: str, rest: Sequence[str]) -> tuple[int, object]:
        """One item, or what hangs on it."""
        item = self._whiplash.catalogue.item(number_of(number))
        if item is None:
            raise Trouble(404, "not_found")
        match list(rest):
            case []:
                return 200, self._item(item)
            case ["scancodes"]:
                return 200, [scancode_row(item, customer_id=self._whiplash.customer_id)] if item.scancode else []
            case ["originators"]:
                return 200, [_item_originator(item)]
            case ["originators", "count"]:
                return 200, {"count": 1}
            case ["bundle_items" | "in_bundles"]:
                return 200, []
            case ["transactions"]:
                return 200, self._transactions(item)
        raise Trouble(404, "not_found")

    def _transactions(self, item: Item) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        balance = 12
        for notice in self._whiplash.notices():
            for line in notice.lines:
                if line.item.id == item.id and line.counted:
                    balance += line.counted
                    rows.append(
                        {
                            "id": line.id,
                            "item_id": item.id,
                            "order_id": notice.order_id,
                            "shipnotice_id": notice.id,
                            "user_id": None,
                            "rule_id": None,
                            "description": "Received",
                            "quantity": balance,
                            "change": line.counted,
                            "created_at": stamp(notice.updated_at),
                            "updated_at": stamp(notice.updated_at),
                            "shipnotice_item_id": line.id,
                        }
                    )
        return rows

    def originators(self, params: Mapping[str, str], headers: dict[str, str]) -> list[dict[str, Any]]:
        """Ids elsewhere of one kind of object."""
        kind = params.get("originated_type")
        if not kind:
            raise Trouble(400, "originated_type is missing")
        rows: list[dict[str, Any]] = []
        if kind == "Item":
            rows = [_item_originator(item) for item in self._items()]
        elif kind == "Order":
            rows = [self._order(order)["originator"] for order in self._whiplash.orders()]
        elif kind == self._whiplash.manners.originated_type:
            named = (notice for notice in self._whiplash.indexed() if notice.original_id is not None)
            asked = narrowed(parse(params.get("search")), named, {"original_id": lambda notice: notice.original_id})
            rows = [notice_originator(notice) for notice in asked]
        return self._page(rows, lambda row: row, params, headers, "id asc", dict)

    def _page(
        self,
        rows: Iterable[T],
        view: Callable[[T], Mapping[str, Any]],
        params: Mapping[str, str],
        headers: dict[str, str],
        default: str,
        write: Callable[[T], dict[str, Any]],
    ) -> list[dict[str, Any]]:
        found = self._found(rows, view, params)
        found = sorted_rows(found, params.get("sort"), view, default)
        page, size = _whole(params, "page", 1), min(_whole(params, "per_page", 25), LARGEST_PAGE)
        if self._whiplash.manners.totals and params.get("page_total", "").lower() == "true":
            headers["x-total"] = str(len(found))
        shown = [write(row) for row in found[(page - 1) * size : page * size]]
        fields = params.get("fields")
        if fields:
            wanted = [name.strip() for name in fields.split(",")]
            shown = [{name: row[name] for name in wanted if name in row} for row in shown]
        return shown

    def _found(self, rows: Iterable[T], view: Callable[[T], Mapping[str, Any]], params: Mapping[str, str]) -> list[T]:
        search = parse(params.get("search"))
        rows = list(rows)
        fields = FIELDS.get(type(rows[0]), {}) if rows else {}
        return chosen(search, narrowed(search, rows, fields), view)

    def _count(self, rows: Iterable[T], view: Callable[[T], Mapping[str, Any]], params: Mapping[str, str]) -> dict[str, int]:
        return {"count": len(self._found(rows, view, params))}

    def _view(self, notice: Notice) -> dict[str, Any]:
        """What can be searched and sorted by."""
        return {
            "id": notice.id,
            "order_id": notice.order_id,
            "customer_id": self._whiplash.customer_id,
            "warehouse_id": notice.warehouse_id,
            "sender": notice.sender,
            "status": notice.status,
            "tracking": notice.tracking,
            "carrier": notice.carrier,
            "reference": notice.reference,
            "requires_label": notice.requires_label,
            "created_at": notice.created_at,
            "updated_at": notice.updated_at,
            "completed_at": notice.completed_at,
            "arrived_at": notice.arrived_at,
            "delivered_at": notice.delivered_at,
            "eta": notice.eta,
            "originator_original_id": notice.original_id,
            "originator_group_id": notice.group_id,
            "return_items_item_id": [line.item.id for line in notice.lines],
        }


def _item_view(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "sku": item.sku,
        "title": item.title,
        "description": item.description,
        "scancode": item.scancode,
        "scancodes_scancode": item.scancode,
        "scancodes_name": item.scancode,
        "active": item.active,
        "is_bundle": item.is_bundle,
        "created_at": item.created_at,
        "updated_at": item.created_at,
        "originators_original_id": None if item.variant_id is None else str(item.variant_id),
        "originators_group_id": None if item.product_id is None else str(item.product_id),
    }


def _order_view(order: Order) -> dict[str, Any]:
    return {
        "id": order.whiplash_id,
        "status": 350,
        "email": order.email,
        "order_orig": str(order.number),
        "humanize_id": str(order.whiplash_id),
        "shipping_name": f"{order.first_name} {order.last_name}",
        "created_at": order.created_at,
        "updated_at": order.created_at,
        "originator_original_id": str(order.shop_id),
        "originator_group_id": None,
        "order_items_sku": [line.variant.sku for line in order.lines],
        "order_items_originator_original_id": [str(line.line_id) for line in order.lines],
    }


def _item_originator(item: Item) -> dict[str, Any]:
    return originator_row(
        number=1_000_000 + item.id,
        originated_type="Item",
        originated_id=item.id,
        original_id=None if item.variant_id is None else str(item.variant_id),
        group_id=None if item.product_id is None else str(item.product_id),
        provider="shopify",
        at=item.created_at,
        shop_id=77,
    )


def _whole(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name, "")
    return max(1, int(text)) if text.isdigit() else default
