"""Rows as both vendors send them, short: a return and the consumer return that announces it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from loop_whiplash.loop.models import Return
from loop_whiplash.whiplash.models import ConsumerReturn

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


def ago(days: float) -> str:
    """A time before NOW, as both vendors write it."""
    return (NOW - timedelta(days=days)).isoformat()


def when(days: float) -> datetime:
    """The same as a datetime."""
    return NOW - timedelta(days=days)


def loop_row(return_id: int = 1001, **changes: Any) -> dict[str, Any]:
    """A row of Loop's list: open, on its way, one boot of 40 EUR."""
    row: dict[str, Any] = {
        "id": str(return_id),
        "state": "open",
        "outcome": "refund",
        "was_processed": False,
        "outcomes_processed_at": {
            "return_processed": None,
            "refund_processed": None,
            "gift_card_processed": None,
            "exchange_processed": None,
        },
        "created_at": ago(5),
        "updated_at": ago(4),
        "order_id": "9001",
        "provider_order_id": "550011",
        "order_name": f"#{return_id}",
        "customer": "ann@example.org",
        "currency": "EUR",
        "return_total": "40.00",
        "line_items": [loop_line(f"{return_id}1")],
        "carrier": "DHL",
        "tracking_number": f"TRACK{return_id}",
        "label_status": "in_transit",
        "label_updated_at": ago(4),
        "status_page_url": "https://shop.example/return/secret",
        "labels": [{"status": "in_transit", "updated_at": ago(4), "carrier": "DHL", "tracking_number": f"TRACK{return_id}", "rate": 500}],
        "destination_id": 42,
    }
    return {**row, **changes}


def loop_line(line_id: str, sku: str | None = "BOOT-M", **changes: Any) -> dict[str, Any]:
    """One line of a return."""
    line: dict[str, Any] = {
        "line_item_id": line_id,
        "variant_id": "77",
        "product_id": "7",
        "sku": sku,
        "title": "Boot",
        "price": "40.00",
        "discount": "0.00",
        "tax": "0.00",
        "refund": "40.00",
        "returned_at": "2026-02-24 06:00:00",
        "outcome": "default",
    }
    return {**line, **changes}


def paid(days: float, **changes: Any) -> dict[str, Any]:
    """What a processed return says besides."""
    times = {"return_processed": ago(days), "refund_processed": ago(days), "gift_card_processed": None, "exchange_processed": None}
    return {"state": "closed", "was_processed": True, "outcomes_processed_at": times, "updated_at": ago(days), **changes}


def whiplash_row(return_id: int | None = 1001, row_id: int | None = None, **changes: Any) -> dict[str, Any]:
    """The consumer return that announces it: in transit, nothing counted."""
    own = row_id if row_id is not None else (return_id or 0) + 500_000
    row: dict[str, Any] = {
        "id": own,
        "order_id": 31,
        "warehouse_id": 2,
        "sender": "Ann Example",
        "status": 100,
        "status_name": "In Transit",
        "created_at": ago(4),
        "updated_at": ago(4),
        "arrived_at": None,
        "delivered_at": None,
        "completed_at": None,
        "carrier": "DHL",
        "tracking": f"TRACK{return_id}",
        "originator": {"id": 8, "original_id": str(return_id), "originated_type": "Shipnotice"} if return_id is not None else None,
        "return_items": [whiplash_line(own * 10)],
    }
    return {**row, **changes}


def whiplash_line(
    line_id: int, sku: str | None = "BOOT-M", item_id: int = 1965, quantity: int = 1, good: int = 0, damaged: int = 0
) -> dict[str, Any]:
    """One line of a consumer return."""
    return {
        "id": line_id,
        "item_id": item_id,
        "sku": sku,
        "quantity": quantity,
        "quantity_good": good,
        "quantity_damaged": damaged,
        "description": "Too small",
        "return_action": "no_action_required",
    }


def received(days: float, good: int = 1, damaged: int = 0, **changes: Any) -> dict[str, Any]:
    """What a completed consumer return says besides."""
    times = {"arrived_at": ago(days + 0.5), "completed_at": ago(days), "updated_at": ago(days)}
    return {"status": 300, "status_name": "Completed", **times, "return_items": [whiplash_line(1, good=good, damaged=damaged)], **changes}


def return_(*args: Any, **changes: Any) -> Return:
    """The same, decoded."""
    return Return.from_dict(loop_row(*args, **changes))


def consumer_return(*args: Any, **changes: Any) -> ConsumerReturn:
    """The same, decoded."""
    return ConsumerReturn.from_dict(whiplash_row(*args, **changes))


def codes(report: Any) -> list[tuple[str, int | None]]:
    """Code and return of each break."""
    return [(found.code, found.return_id) for found in report.breaks]


def details(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the list as *details* gives the same version: ids as numbers, naive times, other names."""
    said = {**row, "id": int(row["id"]), "order_id": int(row["provider_order_id"]), "edited_at": ago(1)[:19].replace("T", " ")}
    for name in ("created_at", "updated_at", "label_updated_at"):
        said[name] = said[name][:19].replace("T", " ") if said[name] else said[name]
    said["line_items"] = [
        {**line, "line_item_id": int(line["line_item_id"]), "reason": line.get("return_reason"), "variant_id": int(line["variant_id"])}
        for line in row["line_items"]
    ]
    return said
