"""How Whiplash writes things down: the V2 objects, with all the fields the published ones have.

Times are ISO 8601 with milliseconds and an offset that is not UTC; money, weights and sizes are text.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from .catalogue import Item, Order, OrderLine

if TYPE_CHECKING:
    from .whiplash import Notice, NoticeLine

__all__ = ["STATUS_NAMES", "consumer_return_row", "item_row", "notice_originator", "order_row", "originator_row", "scancode_row", "stamp"]

OFFSET = timezone(timedelta(hours=-4))
"""The published records are in US Eastern time; one fixed offset keeps the simulator free of time-zone data."""

STATUS_NAMES = {
    25: "Unexpected",
    50: "Draft",
    80: "Label Purchased",
    85: "Refund Expired - Refunded",
    86: "Refund Expired - Unrefundable",
    100: "In Transit",
    105: "Never Received",
    150: "Arrived",
    200: "Processing",
    250: "Problem",
    300: "Completed",
}

_ORDER_NONE = [
    "order_batch_id",
    "quote_id",
    "estimated_shipping_method_id",
    "order_orig",
    "package_label_reference",
    "due_at",
    "meta_data",
    "customer_provided_label_carrier",
    "purchase_order",
    "address_verified",
    "address_message",
    "scac",
    "tms_id",
    "tms_required",
    "shop_shipping_method_currency",
    "shop_shipping_method_text",
    "billing_company",
    "billing_address_1",
    "billing_address_2",
    "billing_address_3",
    "billing_city",
    "billing_state",
    "billing_zip",
    "billing_country",
    "billing_phone",
    "billing_name",
    "shipping_company",
    "shipping_address_2",
    "shipping_address_3",
    "shipping_phone",
    "incoterm",
    "shipping_carrier_facility",
    "shipping_hold_for_pickup",
    "ship_actual_cost",
    "ship_notes",
    "ship_3rdparty_account",
    "ship_3rdparty_zip",
    "ship_3rdparty_country",
    "public_note",
    "days_in_transit_carrier_estimate",
    "req_insurance_value",
    "packingslip_pdf_url",
    "cf_packingslip_pdf_url",
    "customs_vat_number",
    "customs_eori_number",
    "customs_ioss_number",
    "customs_receiver_tax_id",
    "approximate_delivery_date",
    "return_name",
    "return_company",
    "return_address_1",
    "return_address_2",
    "return_city",
    "return_state",
    "return_country",
    "return_zip",
    "return_phone",
    "return_email",
    "return_address_verified",
    "return_time_limit",
]
_ORDER_FALSE = [
    "skip_street_date",
    "batch_priority",
    "skip_address_verification",
    "billed",
    "do_not_bill",
    "expedited",
    "require_signature",
    "require_adult_signature",
    "saturday_delivery",
    "gift",
    "insure",
    "contains_alcohol",
    "customs_required",
    "global_e_ge_order",
    "is_gestating",
    "permissions_limited",
]
_ITEM_NONE = [
    "image_originator_url",
    "vendor",
    "wholesale_cost",
    "packaging_type",
    "street_date",
    "category",
    "returnable",
    "return_sku_match",
    "return_price_restricted",
    "request_serial_number",
    "tariff_number",
    "notify_originator_inventory",
    "nmfc_code",
    "nmfc_class",
    "commodity_description",
    "image_url",
    "hazmat_type",
    "misc",
    "ean",
    "expiration_period",
    "case_quantity",
    "carton_quantity",
    "origin_country",
    "label_format",
    "replenishment_min",
    "replenishment_target",
    "low_inventory_threshold",
]
_ITEM_FALSE = [
    "media_mail",
    "packaging",
    "promo",
    "include_inbound_in_published",
    "hazmat",
    "lot_control",
    "alcohol",
    "shippable_container",
    "goh",
]


def stamp(at: datetime | None) -> str | None:
    """A time as Whiplash writes it."""
    if at is None:
        return None
    local = at.astimezone(OFFSET)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}-04:00"


def originator_row(
    *,
    number: int,
    originated_type: str,
    originated_id: int | None,
    original_id: str | None,
    group_id: str | None = None,
    misc: str | None = None,
    provider: str = "api",
    at: datetime,
    shop_id: int | None = None,
) -> dict[str, Any]:
    """The tie between a Whiplash object and an id elsewhere."""
    return {
        "id": number,
        "originated_id": originated_id,
        "originated_type": originated_type,
        "shop_id": shop_id,
        "provider": provider,
        "original_id": original_id,
        "group_id": group_id,
        "misc": misc,
        "active": True,
        "integration_id": None,
        "last_notified_at": None,
        "last_notification_status": None,
        "last_synced_at": None,
        "distinct_originator_key": None,
        "created_at": stamp(at),
        "updated_at": stamp(at),
        "application_id": 1 if provider == "api" else None,
    }


def item_row(item: Item, *, customer_id: int) -> dict[str, Any]:
    """An item; its originators are not part of it."""
    row: dict[str, Any] = dict.fromkeys(_ITEM_NONE) | dict.fromkeys(_ITEM_FALSE, False)
    name = f"{item.title}, {item.description}"
    row |= {
        "id": item.id,
        "sku": item.sku,
        "title": item.title,
        "description": item.description,
        "full_description": name,
        "name": name,
        "created_at": stamp(item.created_at),
        "updated_at": stamp(item.created_at),
        "customer_id": customer_id,
        "quantity": 12,
        "published_quantity": 12,
        "weight": "1.5",
        "available": True,
        "active": item.active,
        "scancode": item.scancode or None,
        "price": f"{item.price:.2f}",
        "currency": None,
        "length": "10.0",
        "width": "8.0",
        "height": "3.0",
        "is_bundle": item.is_bundle,
        "ship_strategy": 1,
        "velocity": 0,
    }
    return row


def scancode_row(item: Item, *, customer_id: int) -> dict[str, Any]:
    """A bar code of an item."""
    return {
        "id": 700_000 + item.id,
        "item_id": item.id,
        "primary": True,
        "customer_id": customer_id,
        "name": item.scancode,
        "scancode": item.scancode,
        "active": True,
        "created_at": stamp(item.created_at),
        "updated_at": stamp(item.created_at),
        "label_format": None,
    }


def _order_item_row(line: OrderLine, order: Order, *, customer_id: int) -> dict[str, Any]:
    return {
        "id": line.order_item_id,
        "order_id": order.whiplash_id,
        "customer_id": customer_id,
        "item_id": line.item.id if line.item else None,
        "package_id": None,
        "quote_item_id": None,
        "sku": line.variant.sku,
        "description": f"{line.variant.title}, {line.variant.variant_title}",
        "quantity": line.quantity,
        "price": f"{line.variant.price:.2f}",
        "created_at": stamp(order.created_at),
        "updated_at": stamp(order.created_at),
        "unshippable": False,
        "available": True,
        "packed": line.quantity,
        "packaging": False,
        "wholesale_cost": None,
        "is_bundle": False,
        "retail_fee": None,
        "promo": False,
        "returnable": None,
        "currency": "USD",
        "wholesale_fee": None,
        "hazmat": False,
        "misc": None,
        "request_serial_number": False,
        "case_quantity": None,
        "carton_quantity": None,
        "goh": False,
        "originator": originator_row(
            number=3_000_000 + line.order_item_id,
            originated_type="OrderItem",
            originated_id=line.order_item_id,
            original_id=str(line.line_id),
            provider="shopify",
            at=order.created_at,
            shop_id=77,
        ),
        "wholesale_item": None,
    }


def order_row(order: Order, *, customer_id: int) -> dict[str, Any]:
    """An order that was delivered. Its originator holds the shop's order id."""
    row: dict[str, Any] = dict.fromkeys(_ORDER_NONE) | dict.fromkeys(_ORDER_FALSE, False)
    row |= {
        "id": order.whiplash_id,
        "customer_id": customer_id,
        "warehouse_id": 1,
        "return_warehouse_id": 1,
        "shipping_method_id": 28,
        "humanize_id": str(order.whiplash_id),
        "status": 350,
        "status_name": "Delivered",
        "previous_status": 300,
        "order_orig": str(order.number),
        "level1_token": "0" * 32,
        "level2_token": "1" * 32,
        "workable_at": stamp(order.created_at),
        "created_at": stamp(order.created_at),
        "updated_at": stamp(order.created_at),
        "order_type": "direct_to_consumer",
        "email": order.email,
        "items_updateable": False,
        "shop_warehouse_ids": [],
        "shop_created_at": stamp(order.created_at),
        "shop_updated_at": stamp(order.created_at),
        "shop_shipping_method_price": "0.0",
        "first_name": order.first_name,
        "last_name": order.last_name,
        "full_name": f"{order.first_name} {order.last_name}",
        "shipping_name": f"{order.first_name} {order.last_name}",
        "shipping_address_1": "1 Test Street",
        "shipping_city": "Testville",
        "shipping_state": "Ohio",
        "shipping_zip": "44101",
        "shipping_country": "United States",
        "shipping_country_iso2": "US",
        "requested_address": "1 Test Street 44101",
        "residential": True,
        "shipped_on": stamp(order.created_at),
        "shipping_confirmation_sent": True,
        "ship_3rdparty_cost": "0.0",
        "payment_type": "sender",
        "days_in_transit": 2,
        "ship_method": "Cheapest Rate",
        "tracking": [],
        "tracking_links": [],
        "calculated_time_limit": 30,
        "within_return_time_limit": True,
        "is_workable": False,
        "order_items": [_order_item_row(line, order, customer_id=customer_id) for line in order.lines],
        "originator": originator_row(
            number=2_000_000 + order.number,
            originated_type="Order",
            originated_id=order.whiplash_id,
            original_id=str(order.shop_id),
            provider="shopify",
            at=order.created_at,
            shop_id=77,
        ),
        "proto_originator_id": None,
        "packages": [],
        "shipping_method": {
            "id": 28,
            "carrier": "Whiplash",
            "service": "cheapest",
            "description": "Cheapest Rate",
            "name": "Cheapest Rate",
            "international": False,
            "active": True,
            "flat_rate": False,
            "expedited": False,
            "trackable": True,
            "origins": ["US"],
            "extended_description": None,
            "multi_parcel": False,
            "created_at": stamp(order.created_at),
            "updated_at": stamp(order.created_at),
        },
        "serial_numbers": [],
    }
    return row


def _return_item_row(line: NoticeLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "item_id": line.item.id,
        "name": f"{line.item.title}, {line.item.description}",
        "sku": line.item.sku,
        "price": f"{line.item.price:.2f}",
        "quantity": line.quantity,
        "quantity_good": line.good,
        "quantity_damaged": line.damaged,
        "description": line.description,
        "extended_description": line.extended_description,
        "return_action": line.return_action,
        "order_item_id": None,
        "return_item_originator_id": None,
        "originator_id": None,
        "lot_ids": [],
        "lot_numbers": [],
    }


def notice_originator(notice: Notice) -> dict[str, Any]:
    """The tie between a consumer return and an id elsewhere."""
    return originator_row(
        number=notice.originator_id,
        originated_type=notice.originated_type,
        originated_id=notice.id if notice.tied else None,
        original_id=notice.original_id,
        group_id=notice.group_id,
        misc=notice.misc,
        provider="api" if notice.original_id is not None else "whiplash",
        at=notice.created_at,
    )


def consumer_return_row(notice: Notice, *, customer_id: int, order: dict[str, Any] | None, nested: bool = True) -> dict[str, Any]:
    """A consumer return with its lines, its originator, and (`nested`) the whole order, customer and warehouse."""
    row: dict[str, Any] = {
        "id": notice.id,
        "order_id": notice.order_id,
        "customer_id": customer_id,
        "warehouse_id": notice.warehouse_id,
        "sender": notice.sender,
        "eta": stamp(notice.eta),
        "status": notice.status,
        "status_name": STATUS_NAMES.get(notice.status, "Unknown"),
        "received_by": None,
        "notes_by_whiplash": notice.notes_by_whiplash,
        "notes_by_customer": notice.notes_by_customer,
        "total_boxes": notice.total_boxes,
        "created_at": stamp(notice.created_at),
        "updated_at": stamp(notice.updated_at),
        "arrived_at": stamp(notice.arrived_at),
        "skip_images": None,
        "easypostable_id": None,
        "easypostable_type": "Shipment",
        "shipping_label_url": notice.shipping_label_url,
        "ship_actual_cost": None,
        "shipping_method_text": notice.shipping_method_text,
        "carrier": notice.carrier,
        "tracking": notice.tracking,
        "type": "ConsumerReturn",
        "postage_billed": None,
        "handling_billed": None,
        "ship_3rdparty_cost": None,
        "requires_label": notice.requires_label,
        "completed_at": stamp(notice.completed_at),
        "ship_actual_currency": None,
        "delivered_at": stamp(notice.delivered_at),
        "due_at": None,
        "reference": notice.reference,
        "originator": notice_originator(notice),
        "return_items": [_return_item_row(line) for line in notice.lines],
        "exchange_order": None,
        "order": order if nested else None,
    }
    if nested:
        row["customer"] = {
            "id": customer_id,
            "name": "Test Shop",
            "created_at": stamp(notice.created_at),
            "active": True,
            "default_warehouse_id": 1,
        }
        row["warehouse"] = {
            "id": notice.warehouse_id,
            "name": f"Warehouse {notice.warehouse_id}",
            "timezone": "Eastern Time (US & Canada)",
            "timezone_raw": "America/New_York",
            "partner_id": 1,
            "shipping_address_1": "1 Dock Road",
            "shipping_address_2": "",
            "shipping_city": "Testville",
            "shipping_state": "Ohio",
            "shipping_zip": "44101",
            "shipping_country": "United States",
            "shipping_country_iso2": "US",
            "latitude": 41.5,
            "longitude": -81.7,
            "slug": f"warehouse-{notice.warehouse_id}",
        }
    return row
