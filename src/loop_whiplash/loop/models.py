"""What Loop says, as frozen values. Attributes keep Loop's names; where list and details disagree, the list's name wins.

One class reads every published shape of a return: a row of the list, the details, the ``return`` webhook. `Return.id`
is an `int`, every other id is `str` (shops fed through Loop's orders API have ids of 18 digits). Times are aware and in
UTC, money is `Decimal` in major units, ``"N/A"``, ``""`` and null are None. Whatever is not an attribute is in ``.raw``.

E-mails, names, addresses, label links and the status page (whose link is a secret) are left out of every ``repr``.

https://docs.loopreturns.com/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from loop_whiplash.decoding import (
    Record,
    decode,
    derived,
    flag,
    ident,
    is_nothing,
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
from loop_whiplash.decoding.values import read_ident, read_text
from loop_whiplash.errors import DecodeError, NotFound

__all__ = [
    "Address",
    "AsnRow",
    "Condition",
    "Destination",
    "Disposition",
    "Exchange",
    "Label",
    "LineItem",
    "Note",
    "OutcomesProcessedAt",
    "Refund",
    "Return",
    "ReturnMethod",
    "WebhookSubscription",
    "decode_details",
]


@attrs.frozen(kw_only=True)
class Address(Record):
    """A postal address; only its country is ever shown."""

    name: str | None = text(repr=False)
    company: str | None = text(repr=False)
    address1: str | None = text(repr=False)
    address2: str | None = text(repr=False)
    city: str | None = text(repr=False)
    state: str | None = text("state", "region", repr=False)
    zip: str | None = text("zip", "postal_code", repr=False)
    country: str | None = text()
    country_code: str | None = text()
    phone: str | None = text(repr=False)


@attrs.frozen(kw_only=True)
class Condition(Record):
    """The grade of a returned item, as set by *grade*.

    `condition_category` is Loop's grade (``grade_a`` … ``junk``). Up to API version 2026-07 it arrives as text, from
    2026-10 as an object whose `grade` is that text; `subject` and `title` come with the object only.
    """

    line_item_id: str | None = ident()
    description: str | None = text()
    condition_category: str | None = derived(lambda payload: _grade(payload, "grade"))
    subject: str | None = derived(lambda payload: _grade(payload, "subject"))
    title: str | None = derived(lambda payload: _grade(payload, "title"))
    return_processor: str | None = text(repr=False)
    note: str | None = text(repr=False)
    images: tuple[str, ...] = texts(repr=False)
    inspected_at: datetime | None = when()


def _grade(payload: Mapping[str, Any], key: str) -> str | None:
    category = payload.get("condition_category")
    if isinstance(category, Mapping):
        found = category.get(key)
        if found is None and key == "grade":
            found = category.get("title")
    else:
        found = category if key == "grade" else None
    return found if isinstance(found, str) and not is_nothing(found) else None


@attrs.frozen(kw_only=True)
class Disposition(Record):
    """What is to become of a returned item, as set by *assess*.

    ``back_to_stock``, ``resale_hold``, ``recycle``, ``donate`` or ``missing``.
    """

    line_item_id: str | None = ident()
    disposition_outcome: str | None = text()
    return_processor: str | None = text(repr=False)
    note: str | None = text(repr=False)
    inspected_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class LineItem(Record):
    """One unit of a return: Loop has no quantities. A removed line lingers with its amounts zeroed and `returned_at` None.

    `provider_line_item_id` is the order line on the shop platform, shared by all its units. `refund` is what is paid
    back for this unit (`refund_item` + `refund_tax`), the handling fee already taken off.
    """

    line_item_id: str = ident(required=True)
    provider_line_item_id: str | None = ident()
    product_id: str | None = ident()
    variant_id: str | None = ident()
    sku: str | None = text(soft=False)
    barcode: str | None = text(soft=False)
    title: str | None = text()
    line_item_title: str | None = text()
    variant_title: str | None = text()
    image: str | None = text()
    price: Decimal | None = money()
    discount: Decimal | None = money()
    tax: Decimal | None = money()
    refund: Decimal | None = money()
    refund_item: Decimal | None = money()
    refund_tax: Decimal | None = money()
    refund_shipping: Decimal | None = money()
    refund_shipping_tax: Decimal | None = money()
    returned_at: datetime | None = when()
    exchange_variant: str | None = ident()
    return_reason: str | None = text("return_reason", "reason")
    parent_return_reason: str | None = text("parent_return_reason", "parent_reason")
    return_comment: str | None = text(repr=False)
    outcome: str | None = text()
    provider_restock_location_id: str | None = ident()
    consolidation_tracking: str | None = text()
    consolidation_destination_id: str | None = ident()
    condition: Condition | None = one(Condition)
    disposition: Disposition | None = one(Disposition)


@attrs.frozen(kw_only=True)
class Exchange(Record):
    """One article sent out in exchange. Its order id is None until the return is processed; it names no line it replaces."""

    exchange_id: str | None = ident()
    exchange_order_id: str | None = ident()
    exchange_order_name: str | None = text()
    product_id: str | None = ident()
    variant_id: str | None = ident()
    sku: str | None = text()
    type: str | None = text()
    title: str | None = text()
    price: Decimal | None = money()
    discount: Decimal | None = money()
    tax: Decimal | None = money()
    total: Decimal | None = money()
    out_of_stock: bool | None = flag()
    out_of_stock_resolution: str | None = text()


@attrs.frozen(kw_only=True)
class Label(Record):
    """One parcel label. `rate` is in minor units (cents), unlike all other money. `line_items` are line ids."""

    status: str | None = text()
    updated_at: datetime | None = when()
    url: str | None = text(repr=False)
    rate: int | None = number()
    carrier: str | None = text()
    tracking_number: str | None = text()
    line_items: tuple[str, ...] = texts()


@attrs.frozen(kw_only=True)
class Refund(Record):
    """One payment made back to the shopper."""

    gateway: str | None = text()
    amount: Decimal | None = money()
    currency: str | None = text()
    provider_refund_id: str | None = ident()


@attrs.frozen(kw_only=True)
class OutcomesProcessedAt(Record):
    """When each outcome was delivered; None: not yet."""

    return_processed: datetime | None = when()
    refund_processed: datetime | None = when()
    gift_card_processed: datetime | None = when()
    exchange_processed: datetime | None = when()


@attrs.frozen(kw_only=True)
class ReturnMethod(Record):
    """How the goods travel when it is not a plain parcel label, e.g. a Happy Returns drop-off."""

    provider: str | None = text()
    method_type: str | None = text()
    address: Mapping[str, Any] | None = mapping()
    state: str | None = text()
    rma_id: str | None = text()
    qr_code_url: str | None = text(repr=False)
    scheduled_at: datetime | None = when()
    scannable_id: str | None = text()


def _loop_order_id(payload: Mapping[str, Any]) -> str | None:
    # In details `order_id` holds the shop's order id, equal to `provider_order_id`; in list and webhook, Loop's own.
    found = payload.get("order_id")
    if found is None:
        return None
    loops, shops = read_ident(found), payload.get("provider_order_id")
    return None if shops is not None and loops == read_ident(shops) else loops


STATES = ("open", "closed", "cancelled", "expired", "review")
# Editions of the webhook page write the flagged state in words; list filter and refusals say `review`.
_STATES = {"needs review": "review", "needs_review": "review"} | dict(zip(STATES, STATES, strict=True))


def _state(payload: Mapping[str, Any]) -> str | None:
    found = payload.get("state")
    if type(found) is str and found in _STATES:
        return _STATES[found]
    state = None if found is None else read_text(found)
    return None if state is None else _STATES.get(state.lower(), state)


def _return_method(payload: Mapping[str, Any]) -> ReturnMethod | None:
    found = payload.get("return_method")
    if not found or found == "N/A":
        return None
    if isinstance(found, str):  # an object today; plain text in 2022
        return ReturnMethod(method_type=found)
    try:
        return ReturnMethod.from_dict(found)
    except DecodeError:
        return None


@attrs.frozen(kw_only=True)
class Return(Record):
    """One Loop return, from a list row, from details, or from a ``return`` webhook.

    A row of the list has no customer data but the e-mail; the webhook has no `updated_at` and no `outcome`. Amounts are in
    `currency`, in major units.

    Attributes:
        id: Loop's return id, which is the RMA number.
        state: ``open``, ``closed``, ``cancelled``, ``expired``, ``review``, or a word not known yet.
        outcome: ``refund``, ``exchange``, ``credit``, ``upsell``, or two of them with a ``+`` between.
        was_processed: tells a closed return that was paid from one closed by hand. outcomes_processed_at: when value was released.
        order_id: always Loop's own order id; None where details give the shop's. provider_order_id: the shop's.
        order_name: as the shopper knows it, e.g. ``#1413886``.
        line_items: one each unit, removed ones included. exchanges: what is sent out instead.
        label_status: of one label, as `carrier` and `tracking_number` are. labels: all of them, each with its lines; empty without any.
        return_total: Loop's total of what comes back. refund: what of it is paid back in money.
        destination_id: where it goes; see `Destination`. return_method: how, when it is no plain parcel.

    Example:
        >>> Return.from_dict({"id": "7", "state": "open", "line_items": [{"line_item_id": 1, "price": "9.90"}]}).line_items[0].price
        Decimal('9.90')
    """

    id: int = number_id(required=True)
    state: str | None = derived(_state)
    type: str | None = text()
    outcome: str | None = text()
    was_processed: bool | None = flag(soft=False)
    outcomes_processed_at: OutcomesProcessedAt | None = one(OutcomesProcessedAt)
    refund_before_inspection: bool | None = flag(soft=False)
    created_at: datetime | None = when()
    updated_at: datetime | None = when()
    edited_at: datetime | None = when()
    order_id: str | None = derived(_loop_order_id)
    provider_order_id: str | None = ident()
    provider_return_id: str | None = ident()
    order_name: str | None = text()
    order_number: str | None = text()
    provider_order_number: str | None = text()
    provider_order_external_id: str | None = ident()
    provider_order_sales_channel: str | None = text()
    customer: str | None = text(repr=False)
    customer_email: str | None = text(repr=False)
    customer_first_name: str | None = text(repr=False)
    customer_last_name: str | None = text(repr=False)
    address: Address | None = one(Address, repr=False)
    origin_country: str | None = text()
    origin_country_code: str | None = text()
    is_gift_return: bool | None = flag()
    multi_currency: bool | None = flag()
    currency: str | None = text()
    total: Decimal | None = money()
    return_product_total: Decimal | None = money()
    return_discount_total: Decimal | None = money()
    return_tax_total: Decimal | None = money()
    return_total: Decimal | None = money()
    return_credit_total: Decimal | None = money()
    exchange_product_total: Decimal | None = money()
    exchange_discount_total: Decimal | None = money()
    exchange_tax_total: Decimal | None = money()
    exchange_total: Decimal | None = money()
    exchange_credit_total: Decimal | None = money()
    exchange: Decimal | None = money()
    gift_card: Decimal | None = money()
    handling_fee: Decimal | None = money()
    refund: Decimal | None = money()
    upsell: Decimal | None = money()
    refund_shipping_total: Decimal | None = money()
    refund_shipping_tax_total: Decimal | None = money()
    gift_card_order_name: str | None = text()
    gift_card_order_id: str | None = ident()
    exchange_order_name: tuple[str, ...] = texts()
    exchange_order_id: tuple[str, ...] = texts()
    refunds: tuple[Refund, ...] = many(Refund)
    line_items: tuple[LineItem, ...] = many(LineItem)
    exchanges: tuple[Exchange, ...] = many(Exchange)
    carrier: str | None = text()
    tracking_number: str | None = text()
    label_status: str | None = text()
    label_updated_at: datetime | None = when()
    label_url: str | None = text(repr=False)
    label_rate: int | None = number()
    labels: tuple[Label, ...] = many(Label, soft=True)
    destination_id: str | None = ident()
    return_method: ReturnMethod | None = derived(_return_method)
    package_reference: str | None = text()
    status_page_url: str | None = text(repr=False)
    shop_id: str | None = ident()


@attrs.frozen(kw_only=True)
class Note(Record):
    """One note of a return's timeline, newest first in Loop's answer."""

    id: str | None = ident()
    content: str | None = text(repr=False)
    created_at: datetime | None = when()


@attrs.frozen(kw_only=True)
class AsnRow(Record):
    """One row of the Advanced Shipping Notice: one returned line item.

    No field is known to hold the return id, and what `id` counts is not documented: take a row as a hint and look the
    return up by `order_name`, then match `return_line_item_id`.
    """

    id: str | None = ident()
    return_line_item_id: str | None = ident()
    order_id: str | None = ident()
    order_name: str | None = text()
    order_number: str | None = text()
    provider_order_number: str | None = text()
    state: str | None = derived(_state)
    customer_email: str | None = text(repr=False)
    title: str | None = text()
    purchase_price: Decimal | None = money()
    sku: str | None = text(soft=False)
    barcode: str | None = text(soft=False)
    carrier: str | None = text()
    service: str | None = text()
    label_status: str | None = text()
    tracking_number: str | None = text()
    integration_tracking_url: str | None = text(repr=False)
    restock_status: str | None = text()
    currency: str | None = text()
    label_updated_at: datetime | None = when()
    label_url: str | None = text(repr=False)
    closed_at: datetime | None = when()
    updated_at: datetime | None = when()
    created_at: datetime | None = when()
    return_reason: str | None = text()
    actioned_by: str | None = text(repr=False)
    return_method: str | None = text()
    return_method_rma_code: str | None = text()
    return_method_state: str | None = text()
    date_delivered: datetime | None = when()
    outcome: str | None = text()
    scannable_id: str | None = text()
    package_reference: str | None = text()
    shipping_box_barcode: str | None = text()
    provider_created_at: datetime | None = when()
    destination_id: str | None = ident()
    destination_name: str | None = text()


@attrs.frozen(kw_only=True)
class Destination(Record):
    """Where returns go: a warehouse or a charity."""

    id: str = ident(required=True)
    type: str | None = text()
    name: str | None = text()
    enabled: bool | None = flag()
    provider_location_id: str | None = ident()
    address: Address | None = one(Address)


@attrs.frozen(kw_only=True)
class WebhookSubscription(Record):
    """One subscription: one topic (the shape), one trigger (the event), one URL. The secret is never in an answer."""

    id: str = ident(required=True)
    shop_id: str | None = ident()
    topic: str | None = text()
    trigger: str | None = text()
    url: str | None = text()
    status: str | None = text()


def decode_details(payload: Any) -> Return:
    """The return in an answer to *details*, in each of its three shapes: an array, an object, an error under status 200.

    Of several returns (several of one order) the first is given: ask by `return_id` to have one. Raises `NotFound` for
    Loop's error object and for an empty array, `DecodeError` for what cannot be read.
    https://docs.loopreturns.com/api-reference/latest/return-data/get-return-details
    """
    if isinstance(payload, Mapping) and "id" not in payload:
        refusal = payload.get("error", payload.get("errors", payload.get("message")))
        if refusal is not None:
            raise NotFound("Loop knows no such return; check the id and that the key is this shop's", system="loop")
    if isinstance(payload, Sequence) and not isinstance(payload, (str, bytes, bytearray)):
        if not payload:
            raise NotFound("Loop knows no such return; check the id and that the key is this shop's", system="loop")
        payload = payload[0]
    return decode(Return, payload)
