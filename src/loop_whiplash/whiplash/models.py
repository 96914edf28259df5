"""What Whiplash says, as frozen values. Attributes keep Whiplash's names; ids are `int`, `Originator.original_id` is text.

The published description is generated and its types are rough: fields declared non-null arrive null, numbers arrive as
text and the other way round. So every field is optional but the id. Times are aware and in UTC; money is `Decimal`.
Statuses are plain ints, so that one not known yet stays what it is. Whatever is not an attribute is in ``.raw``.

https://developers.getwhiplash.com (V2)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from loop_whiplash.decoding import (
    Record,
    count,
    flag,
    ident,
    many,
    mapping,
    money,
    number,
    number_id,
    one,
    text,
    texts,
    when,
)  # fmt: skip

__all__ = [
    "BundleItem",
    "ConsumerReturn",
    "ConsumerReturnStatus",
    "Item",
    "MetaFields",
    "NotificationEvent",
    "NotificationSubscription",
    "Order",
    "OrderItem",
    "Originator",
    "ReturnItem",
    "Scancode",
    "Transaction",
    "User",
]


class ConsumerReturnStatus:
    """The statuses a consumer return shares with ship notices, as plain ints; one not listed here may arrive any day.

    ``UNEXPECTED`` 25, ``DRAFT`` 50, ``LABEL_PURCHASED`` 80, ``REFUND_EXPIRED_REFUNDED`` 85 and ``REFUND_EXPIRED_UNREFUNDABLE`` 86
    (no longer used), ``IN_TRANSIT`` 100, ``NEVER_RECEIVED`` 105 (30 days after `eta`), ``ARRIVED`` 150 (not opened), ``PROCESSING`` 200,
    ``PROBLEM`` 250 (no longer used), ``COMPLETED`` 300, which can be reopened to 200.

    https://help.whiplash.com/hc/en-us/articles/31544469757979
    """

    UNEXPECTED: Final = 25
    DRAFT: Final = 50
    LABEL_PURCHASED: Final = 80
    REFUND_EXPIRED_REFUNDED: Final = 85
    REFUND_EXPIRED_UNREFUNDABLE: Final = 86
    IN_TRANSIT: Final = 100
    NEVER_RECEIVED: Final = 105
    ARRIVED: Final = 150
    PROCESSING: Final = 200
    PROBLEM: Final = 250
    COMPLETED: Final = 300


@attrs.frozen(kw_only=True)
class Originator(Record):
    """Your own id of a Whiplash object. `originated_type` of a consumer return is ``Shipnotice`` in published examples."""

    id: int | None = number_id()
    originated_id: int | None = number_id()
    originated_type: str | None = text()
    shop_id: int | None = number_id()
    shop_domain: str | None = text()
    provider: str | None = text()
    original_id: str | None = ident()
    group_id: str | None = ident()
    misc: str | None = text(repr=False)
    active: bool | None = flag()
    integration_id: int | None = number_id()
    application_id: int | None = number_id()
    distinct_originator_key: str | None = text()
    created_at: datetime | None = when()
    updated_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class ReturnItem(Record):
    """One line of a consumer return: `quantity` announced, `quantity_good` and `quantity_damaged` counted so far.

    Counts that are null read 0: nothing was counted yet. Whiplash does not say of which Loop line a unit is.
    `description` holds the return reason.
    """

    id: int = number_id(required=True)
    item_id: int | None = number_id()
    name: str | None = text()
    sku: str | None = text(soft=False)
    price: Decimal | None = money()
    quantity: int = count()
    quantity_good: int = count()
    quantity_damaged: int = count()
    description: str | None = text()
    extended_description: str | None = text(repr=False)
    return_action: str | None = text()
    order_item_id: int | None = number_id()
    return_item_originator_id: int | None = number_id()
    originator_id: int | None = number_id()
    lot_ids: tuple[str, ...] = texts()
    lot_numbers: tuple[str, ...] = texts()
    originator: Originator | None = one(Originator)


@attrs.frozen(kw_only=True)
class OrderItem(Record):
    """One line of an order."""

    id: int = number_id(required=True)
    order_id: int | None = number_id()
    customer_id: int | None = number_id()
    item_id: int | None = number_id()
    package_id: int | None = number_id()
    sku: str | None = text(soft=False)
    description: str | None = text()
    quantity: int = count()
    price: Decimal | None = money()
    returnable: bool | None = flag()
    is_bundle: bool | None = flag()
    packaging: bool | None = flag()
    currency: str | None = text()
    originator: Originator | None = one(Originator)
    created_at: datetime | None = when()
    updated_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class Order(Record):
    """One order. `order_orig` is the shop's reference; `originator.original_id` its id there. Consignee data is in ``.raw``."""

    id: int = number_id(required=True)
    customer_id: int | None = number_id()
    warehouse_id: int | None = number_id()
    return_warehouse_id: int | None = number_id()
    humanize_id: str | None = text()
    status: int | None = number()
    status_name: str | None = text()
    order_orig: str | None = text()
    order_type: str | None = text()
    purchase_order: str | None = text()
    email: str | None = text(repr=False)
    shipping_name: str | None = text(repr=False)
    shipping_country_iso2: str | None = text()
    shop_created_at: datetime | None = when()
    shop_updated_at: datetime | None = when()
    shipped_on: datetime | None = when()
    tracking: tuple[str, ...] = texts()
    within_return_time_limit: bool | None = flag()
    calculated_time_limit: str | None = text()
    proto_originator_id: str | None = ident()
    order_items: tuple[OrderItem, ...] = many(OrderItem)
    originator: Originator | None = one(Originator)
    created_at: datetime | None = when()
    updated_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class ConsumerReturn(Record):
    """One consumer return: the RMA at the warehouse, and what was counted. 300 Completed can be reopened to 200.

    Attributes:
        id: Whiplash's. order_id: Whiplash's id of the order that was shipped, None for an unexpected return.
        status: a number, see `ConsumerReturnStatus`. status_name: the same in words, which differ between sources.
        eta: when it is expected. arrived_at: when the parcel came. completed_at: when counting ended. All UTC.
        originator: whose `original_id` is yours: here, the Loop return id.
        return_items: its lines, with what was counted so far. reference: for people, e.g. the name of the order.
        tracking: the parcel's number, with its `carrier`. warehouse_id: where it goes.

    Example:
        >>> ConsumerReturn.from_dict({"id": 9, "status": 200, "return_items": [{"id": 1, "quantity": "2"}]}).return_items[0].quantity
        2
    """

    id: int = number_id(required=True)
    order_id: int | None = number_id()
    customer_id: int | None = number_id()
    warehouse_id: int | None = number_id()
    sender: str | None = text(repr=False)
    eta: datetime | None = when()
    status: int | None = number()
    status_name: str | None = text()
    received_by: str | None = text(repr=False)
    notes_by_whiplash: str | None = text(repr=False)
    notes_by_customer: str | None = text(repr=False)
    total_boxes: int | None = number()
    created_at: datetime | None = when()
    updated_at: datetime | None = when()
    arrived_at: datetime | None = when()
    delivered_at: datetime | None = when()
    completed_at: datetime | None = when()
    due_at: datetime | None = when()
    skip_images: bool | None = flag()
    easypostable_id: str | None = ident()
    easypostable_type: str | None = text()
    shipping_label_url: str | None = text(repr=False)
    shipping_method_text: str | None = text()
    ship_actual_cost: Decimal | None = money()
    ship_actual_currency: str | None = text()
    ship_3rdparty_cost: str | None = text()
    carrier: str | None = text()
    tracking: str | None = text()
    type: str | None = text()
    postage_billed: bool | None = flag()
    handling_billed: bool | None = flag()
    requires_label: bool | None = flag()
    reference: str | None = text()
    exchange_order_id: int | None = number_id()
    originator: Originator | None = one(Originator, soft=False)
    return_items: tuple[ReturnItem, ...] = many(ReturnItem)
    order: Order | None = one(Order)


@attrs.frozen(kw_only=True)
class Item(Record):
    """One shippable unit: a shop's variant. `sku` is not unique within an account."""

    id: int = number_id(required=True)
    sku: str | None = text(soft=False)
    title: str | None = text()
    description: str | None = text()
    name: str | None = text()
    customer_id: int | None = number_id()
    quantity: int | None = number()
    scancode: str | None = text(soft=False)
    ean: str | None = text()
    price: Decimal | None = money()
    currency: str | None = text()
    category: str | None = text()
    vendor: str | None = text()
    active: bool | None = flag()
    available: bool | None = flag()
    packaging: bool | None = flag()
    is_bundle: bool | None = flag()
    returnable: bool | None = flag()
    return_sku_match: str | None = text()
    lot_control: bool | None = flag()
    origin_country: str | None = text()
    created_at: datetime | None = when()
    updated_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class Scancode(Record):
    """One barcode of an item."""

    id: int = number_id(required=True)
    item_id: int | None = number_id()
    customer_id: int | None = number_id()
    scancode: str | None = text(soft=False)
    name: str | None = text()
    primary: bool | None = flag()
    active: bool | None = flag()
    label_format: str | None = text()
    created_at: datetime | None = when()
    updated_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class BundleItem(Record):
    """One component of a bundle."""

    id: int = number_id(required=True)
    item_id: int | None = number_id()
    bundle_id: int | None = number_id()
    parent_item_id: int | None = number_id()
    quantity: int = count()
    item_name: str | None = text()
    item_quantity: int | None = number()
    max_per_package: int | None = number()
    created_at: datetime | None = when()
    updated_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class Transaction(Record):
    """One movement of stock: `change` is the difference, `quantity` the running balance."""

    id: int = number_id(required=True)
    item_id: int | None = number_id()
    order_id: int | None = number_id()
    shipnotice_id: int | None = number_id()
    shipnotice_item_id: int | None = number_id()
    user_id: int | None = number_id()
    rule_id: int | None = number_id()
    description: str | None = text()
    quantity: int | None = number()
    change: int | None = number()
    created_at: datetime | None = when()
    updated_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class NotificationEvent(Record):
    """One event that can be subscribed to, e.g. ``consumer_return.completed``."""

    id: int = number_id(required=True)
    name: str | None = text()
    humanized_name: str | None = text()
    resource_type: str | None = text()
    resource_message: str | None = text()
    requires_subscription: bool | None = flag()
    description: str | None = text()
    created_at: datetime | None = when()
    updated_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class User(Record):
    """Whose token it is."""

    id: int = number_id(required=True)
    email: str | None = text(repr=False)
    first_name: str | None = text(repr=False)
    last_name: str | None = text(repr=False)
    role: str | None = text()
    locale: str | None = text()
    partner_id: int | None = number_id()
    warehouse_id: int | None = number_id()
    customer_ids: tuple[str, ...] = texts()


@attrs.frozen(kw_only=True)
class NotificationSubscription(Record):
    """One event, one endpoint. `version` is the payload style, 1 or 2."""

    id: int = number_id(required=True)
    notification_event_id: int | None = number_id()
    customer_id: int | None = number_id()
    user_id: int | None = number_id()
    notification_type: str | None = text()
    endpoint: str | None = text()
    active: bool | None = flag()
    version: int | None = number()
    created_at: datetime | None = when()
    updated_at: datetime | None = when()
    discarded_at: datetime | None = when()
    user: User | None = one(User, repr=False)


@attrs.frozen(kw_only=True)
class MetaFields(Record):
    """Your own fields on an object; the keys must be configured for the account."""

    fields: Mapping[str, Any] | None = mapping()
    association_fields: Mapping[str, Any] | None = mapping()
