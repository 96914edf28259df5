"""How Loop writes a return down: once for the list, once for details, once for webhooks, and each time differently.

Written from the published payloads, not from the library's decoders: what both get wrong would cancel out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from .loop_state import ZERO, Label, Line, Note, Return

__all__ = ["asn_rows", "details_row", "dump", "label_message", "list_row", "note_row", "return_message"]


def dump(value: object) -> bytes:
    """JSON as PHP writes it: no spaces, slashes escaped, not ASCII escaped as ``\\u``."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _naive(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _newest(ret: Return) -> Label | None:
    return max(ret.labels, key=lambda label: (label.created_at, label.shipment_id)) if ret.labels else None


def _totals(ret: Return) -> dict[str, str]:
    live = ret.live_lines
    product, discount, tax = (sum((getattr(line, name) for line in live), ZERO) for name in ("price", "discount", "tax"))
    exchanged = ret.sum_of("exchange")
    credit = ret.sum_of("credit")
    refund = max(ZERO, ret.sum_of("refund", "keep") - ret.handling_fee)
    return {
        "total": _money(refund),
        "return_product_total": _money(product),
        "return_discount_total": _money(discount),
        "return_tax_total": _money(tax),
        "return_total": _money(product - discount + tax),
        "return_credit_total": _money(exchanged + credit),
        "exchange_product_total": _money(exchanged),
        "exchange_discount_total": _money(ZERO),
        "exchange_tax_total": _money(ZERO),
        "exchange_total": _money(exchanged),
        "exchange_credit_total": _money(exchanged),
        "gift_card": _money(credit),
        "handling_fee": _money(ret.handling_fee),
        "refund": _money(refund),
        "upsell": _money(ZERO),
    }


def _times(ret: Return, write: Any) -> dict[str, Any]:
    return {
        "return_processed": write(ret.return_processed),
        "refund_processed": write(ret.refund_processed),
        "gift_card_processed": write(ret.gift_card_processed),
        "exchange_processed": write(ret.exchange_processed),
    }


def _title(line: Line) -> str:
    return f"{line.variant.title} - {line.variant.variant_title}"


def _line(line: Line, *, write: Any, comment: bool = True) -> dict[str, Any]:
    """The part that all shapes share. `write` makes ids what the shape wants: str or int."""
    refund = line.value if line.outcome in ("refund", "keep") else ZERO
    tax = ZERO if line.removed else line.tax
    row: dict[str, Any] = {
        "line_item_id": write(line.line_id),
        "provider_line_item_id": write(line.order_line.line_id),
        "product_id": write(line.variant.product_id),
        "variant_id": write(line.variant.variant_id),
        "sku": line.variant.sku if line.sku is None else line.sku,
        "title": _title(line),
        "price": _money(ZERO if line.removed else line.price),
        "discount": _money(ZERO if line.removed else line.discount),
        "tax": _money(tax),
        "refund": _money(refund),
        "returned_at": None if line.removed else _naive(line.returned_at),
        "exchange_variant": write(line.exchange_for.variant_id) if line.exchange_for is not None else "",
        "barcode": (line.variant.barcode if line.barcode is None else line.barcode),
        "outcome": "default",
    }
    if comment:
        row |= {
            "refund_tax": _money(tax if refund else ZERO),
            "refund_item": _money(refund - tax if refund else ZERO),
            "return_comment": line.comment or "N/A",
            "provider_restock_location_id": None,
            "consolidation_tracking": None,
            "consolidation_destination_id": None,
            "condition": line.condition,
            "disposition": line.disposition,
        }
    return row


def _exchanges(ret: Return) -> list[dict[str, Any]]:
    return [
        {
            "exchange_id": str(line.exchange_id),
            "exchange_order_id": str(line.exchange_id) if line.delivered else None,
            "exchange_order_name": f"EXC-{ret.order.number}-1" if line.delivered else None,
            "product_id": str(line.exchange_for.product_id),
            "variant_id": str(line.exchange_for.variant_id),
            "sku": line.exchange_for.sku,
            "type": "exchange",
            "title": f"{line.exchange_for.title} - {line.exchange_for.variant_title}",
            "price": _money(line.exchange_for.price),
            "discount": _money(ZERO),
            "tax": _money(ZERO),
            "total": _money(line.exchange_for.price),
            "out_of_stock": line.out_of_stock,
            "out_of_stock_resolution": None,
        }
        for line in ret.live_lines
        if line.exchange_for is not None
    ]


def _labels(ret: Return, *, number: Any) -> list[dict[str, Any]]:
    return [
        {
            "status": label.status,
            "updated_at": label.updated_at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "url": f"https://labels.loop.example/{label.shipment_id}",
            "rate": label.rate,
            "carrier": label.carrier,
            "tracking_number": label.tracking,
            "line_items": [number(line_id) for line_id in label.line_ids],
        }
        for label in ret.labels
    ]


def _parcel(ret: Return, write: Any) -> dict[str, Any]:
    label = _newest(ret)
    return {
        "carrier": label.carrier if label else "N/A",
        "tracking_number": label.tracking if label else "N/A",
        "label_status": label.status if label else "N/A",
        "label_updated_at": write(label.updated_at) if label else "N/A",
        "label_url": f"https://labels.loop.example/{label.shipment_id}" if label else None,
        "label_rate": label.rate if label else None,
    }


def list_row(ret: Return) -> dict[str, Any]:
    """One row of ``GET /warehouse/return/list``: ids as text, times with an offset."""
    exchange = next((line for line in ret.live_lines if line.exchange_for is not None), None)
    return {
        "id": str(ret.id),
        "refund_before_inspection": ret.refund_before_inspection,
        "state": ret.state,
        "was_processed": ret.was_processed,
        "outcomes_processed_at": _times(ret, _iso),
        "created_at": _iso(ret.created_at),
        "updated_at": _iso(ret.updated_at),
        "edited_at": None,
        "outcome": ret.outcome,
        "order_id": str(ret.order.loop_id),
        "order_name": ret.order.name,
        "provider_order_id": str(ret.order.shop_id),
        "order_number": str(ret.order.number),
        "provider_order_number": str(ret.order.number),
        "customer": ret.order.email,
        "origin_country": "United States",
        "origin_country_code": "US",
        "multi_currency": False,
        "currency": ret.currency,
        **_totals(ret),
        "gift_card_order_name": None,
        "gift_card_order_id": None,
        "line_items": [
            _line(line, write=str) | {"return_reason": line.reason, "parent_return_reason": line.parent_reason} for line in ret.lines
        ],
        "exchanges": _exchanges(ret) if exchange is not None else [],
        **_parcel(ret, _iso),
        "status_page_url": ret.page,
        "labels": _labels(ret, number=str),
        "destination_id": ret.destination_id,
        "return_method": ret.return_method,
        "package_reference": ret.package_reference,
        "type": "standard",
        "shopify_refund_object": [],
    }


def details_row(ret: Return) -> dict[str, Any]:
    """One element of ``GET /warehouse/return/details``: ids as numbers, times naive, and `order_id` the *shop's*."""
    delivered = [line for line in ret.live_lines if line.delivered]
    paid = ret.refund_processed is not None
    return {
        "id": ret.id,
        "refund_before_inspection": ret.refund_before_inspection,
        "created_at": _naive(ret.created_at),
        "updated_at": _naive(ret.updated_at),
        "edited_at": _naive(ret.edited_at or ret.updated_at),
        "order_id": ret.order.shop_id,
        "order_name": ret.order.name,
        "order_number": ret.order.number,
        "provider_order_number": str(ret.order.number),
        "provider_order_id": ret.order.shop_id,
        "provider_return_id": None,
        "customer_first_name": ret.order.first_name,
        "customer_last_name": ret.order.last_name,
        "customer": ret.order.email,
        "customer_email": ret.order.email,
        "origin_country": "United States",
        "origin_country_code": "US",
        "multi_currency": False,
        "state": ret.state,
        "was_processed": ret.was_processed,
        "outcomes_processed_at": _times(ret, _naive),
        "currency": ret.currency,
        **_totals(ret),
        "exchange": _money(ret.sum_of("exchange")),
        "exchange_order_name": [f"EXC-{ret.order.number}-1" for _ in delivered[:1]],
        "exchange_order_id": [line.exchange_id for line in delivered[:1]],
        "gift_card_order_name": None,
        "gift_card_order_id": None,
        "refunds": (
            [
                {
                    "gateway": "shopify_payments",
                    "amount": _totals(ret)["refund"],
                    "currency": ret.currency,
                    "provider_refund_id": 900_000_000 + ret.id,
                }
            ]
            if paid
            else []
        ),
        "line_items": [
            _line(line, write=int)
            | {
                "line_item_title": line.variant.title,
                "variant_title": line.variant.variant_title,
                "image": None,
                "reason": line.reason,
                "parent_reason": line.parent_reason,
            }
            for line in ret.lines
        ],
        **_parcel(ret, _naive),
        "outcome": ret.outcome,
        "destination_id": ret.destination_id,
        "status_page_url": ret.page,
        "return_method": ret.return_method,
        "package_reference": ret.package_reference,
        "shopify_refund_object": [],
        "exchanges": _exchanges(ret),
        "type": "standard",
        "labels": _labels(ret, number=int),
    }


def return_message(ret: Return, *, trigger: str, shop_id: int) -> dict[str, Any]:
    """A webhook of topic ``return``. It carries neither `updated_at` nor `outcome` nor `was_processed`."""
    parcel = _parcel(ret, _iso)
    return {
        "topic": "return",
        "trigger": trigger,
        "shop_id": shop_id,
        "id": str(ret.id),
        "state": ret.state,
        "created_at": _iso(ret.created_at),
        "edited_at": _iso(ret.edited_at),
        "order_id": ret.order.loop_id,
        "order_name": ret.order.name,
        "provider_order_id": str(ret.order.shop_id),
        "order_number": str(ret.order.number),
        "provider_order_number": ret.order.number,
        "customer": ret.order.email,
        "customer_detail": {"email": ret.order.email, "first_name": ret.order.first_name, "last_name": ret.order.last_name},
        "address": {
            "name": f"{ret.order.first_name} {ret.order.last_name}",
            "company": None,
            "address1": "1 Test Street",
            "address2": "",
            "city": "Testville",
            "state": "Ohio",
            "zip": "44101",
            "country": "United States",
            "country_code": "US",
            "phone": "",
        },
        "currency": ret.currency,
        **_totals(ret),
        "status_page_url": ret.page,
        "is_gift_return": ret.gift,
        "refunds": [],
        "labels": _labels(ret, number=int),
        "line_items": [
            _line(line, write=str, comment=False) | {"return_reason": line.reason, "parent_return_reason": line.parent_reason}
            for line in ret.lines
        ],
        "exchanges": _exchanges(ret),
        "carrier": parcel["carrier"] if ret.labels else "",
        "tracking_number": parcel["tracking_number"],
        "label_status": parcel["label_status"],
        "label_updated_at": parcel["label_updated_at"],
        "destination_id": None if ret.destination_id is None else str(ret.destination_id),
        "package_reference": ret.package_reference,
    }


def label_message(ret: Return, label: Label, *, trigger: str, shop_id: int) -> dict[str, Any]:
    """A webhook of topic ``label``: no lines, no address of the label."""
    return {
        "topic": "label",
        "trigger": trigger,
        "shop_id": shop_id,
        "id": ret.id,
        "order_id": ret.order.loop_id,
        "provider_order_id": ret.order.shop_id,
        "carrier": label.carrier,
        "tracking_number": label.tracking,
        "label_status": label.status,
        "label_updated_at": label.updated_at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "shipment_id": str(label.shipment_id),
    }


def note_row(note: Note) -> dict[str, Any]:
    """One row of ``GET …/notes``."""
    return {"id": note.id, "content": note.content, "created_at": _naive(note.created_at)}


def asn_rows(ret: Return, destinations: Mapping[int, str]) -> list[dict[str, Any]]:
    """Rows of the Advanced Shipping Notice: one a live line. What `id` is, the documentation does not say; here it is the return's."""
    rows: list[dict[str, Any]] = []
    for line in ret.live_lines:
        label = next((each for each in ret.labels if line.line_id in each.line_ids), None)
        rows.append(
            {
                "id": ret.id,
                "return_line_item_id": str(line.line_id),
                "order_id": str(ret.order.loop_id),
                "order_name": ret.order.name,
                "order_number": str(ret.order.number),
                "provider_order_number": str(ret.order.number),
                "state": ret.state,
                "customer_email": ret.order.email,
                "title": _title(line),
                "purchase_price": _money(line.price),
                "sku": line.variant.sku,
                "barcode": line.variant.barcode,
                "carrier": label.carrier if label else "N/A",
                "service": None,
                "label_status": label.status if label else "N/A",
                "tracking_number": label.tracking if label else "N/A",
                "integration_tracking_url": None,
                "restock_status": "not_restocked",
                "currency": ret.currency,
                "label_updated_at": _iso(label.updated_at) if label else "N/A",
                "label_url": None,
                "label_rate": None,
                "closed_at": _iso(ret.updated_at) if ret.state == "closed" else None,
                "updated_at": _iso(ret.updated_at),
                "created_at": _iso(ret.created_at),
                "return_reason": line.reason,
                "actioned_by": None,
                "return_method": None,
                "return_method_rma_code": None,
                "return_method_state": None,
                "date_delivered": _iso(label.updated_at) if label and label.status == "delivered" else None,
                "outcome": ret.outcome,
                "scannable_id": None,
                "package_reference": ret.package_reference,
                "shipping_box_barcode": None,
                "provider_created_at": _iso(ret.order.created_at),
                "destination_id": ret.destination_id,
                "destination_name": destinations.get(ret.destination_id) if ret.destination_id is not None else None,
            }
        )
    return rows
