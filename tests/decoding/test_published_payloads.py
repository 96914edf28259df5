"""Each decoder is fed what the vendors publish, and what was captured; skipped where those files are not at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from loop_whiplash import (
    AsnRow,
    ConsumerReturn,
    ConsumerReturnEvent,
    Item,
    LabelEvent,
    Note,
    Order,
    OrderItem,
    OtherLoopEvent,
    ProcessingFailed,
    Return,
    ReturnEvent,
    WebhookSubscription,
    parse_loop_webhook,
    parse_whiplash_webhook,
    sign_loop,
    sign_whiplash,
)
from loop_whiplash.decoding import Record
from shared_reference import SHARED, payload, payload_bytes

PUBLISHED: list[tuple[type[Record], str, str, str | None]] = [
    (Return, "loop", "list_returns_real_2026-06", None),
    (Return, "loop", "return_details_real_2026-06", None),
    (Return, "loop", "webhook_return_created_real_2020", None),
    (Return, "loop", "webhook_return_official_partial", None),
    (Note, "loop", "return_notes_gladly_fixture", None),
    (WebhookSubscription, "loop", "webhook_subscription_create_response_official", None),
    (ConsumerReturn, "whiplash", "v2_consumer_return_in_transit", None),
    (ConsumerReturn, "whiplash", "v2_1_consumer_returns_list", None),
    (ConsumerReturn, "whiplash", "v2_1_consumer_return_in_transit", None),
    (ConsumerReturn, "whiplash", "v2_1_post_response", None),
    (ConsumerReturn, "whiplash", "webhook_v2_consumer_return_completed_PARTIAL", "consumer_return"),
    (Item, "whiplash", "v2_items_list_single", None),
    (Item, "whiplash", "v2_items_list_merch", None),
    (Item, "whiplash", "v2_items_list_bundle", None),
    (Item, "whiplash", "v2_items_list_packaging", None),
    (Item, "whiplash", "v2_1_items_list_merch", None),
    (Item, "whiplash", "v1_items_list", None),
    (Order, "whiplash", "v2_order_processing", None),
    (Order, "whiplash", "v2_orders_list", None),
    (Order, "whiplash", "v2_1_order_processing", None),
    (OrderItem, "whiplash", "v1_order_items_list", None),
]


@pytest.mark.parametrize(("model", "side", "name", "key"), PUBLISHED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_published_payload_is_read(model: type[Record], side: str, name: str, key: str | None) -> None:
    published = payload(side, f"{name}.json")
    rows = published[key] if key else published
    for row in rows if isinstance(rows, list) else [rows]:
        found = model.from_dict(row)
        assert found.raw is row
        assert model.from_json(json.dumps(row).encode()) == found
        assert_nothing_was_lost(found, row)


def assert_nothing_was_lost(found: Record, row: Mapping[str, Any]) -> None:
    """What the payload says under an attribute's name is in the attribute, unless it says nothing."""
    for each in attrs.fields(type(found)):
        said = row.get(each.name)
        if each.name == "raw" or said in (None, "", "N/A", [], {}) or (each.name == "order_id" and isinstance(found, Return)):
            continue
        value = getattr(found, each.name)
        assert value is not None, f"{type(found).__name__}.{each.name} lost {said!r}"
        if isinstance(value, str) and isinstance(said, (str, int)):
            assert value == str(said)
        elif isinstance(value, Decimal):
            assert value == Decimal(str(said))
        elif isinstance(value, tuple) and isinstance(said, list):
            assert len(value) == len(said)


def test_all_files_of_returns_items_and_orders_are_fed() -> None:
    if SHARED is None:
        pytest.skip("the reference payloads are not beside this repository")
    fed = {(side, f"{name}.json") for _, side, name, _ in PUBLISHED} | {(side, name) for side, name in ELSEWHERE}
    there = {(side, path.name) for side in ("loop", "whiplash") for path in (SHARED / "reference" / "payloads" / side).glob("*.json")}
    assert there - fed == set()


#: Files that another test feeds to what reads them, or that this library has no decoder for, and why.
ELSEWHERE = [
    ("loop", name)
    for name in (
        "webhook_label_official.json", "webhook_return_processing_failed_official.json", "webhook_giftcard_official.json",
        "webhook_restock_official.json", "webhook_happy_returns_shipment_official.json", "webhook_label_request_official.json",  # below
        "errors_catalog.json", "pagination_envelope_official.json", "deep_link_create_response_gladly.json",
        "response_headers_real_2026-06.json",
        "grade_items_request_official.json", "grade_items_response_official.json", "assess_dispositions_request_official.json",
        "assess_dispositions_response_official.json", "webhook_subscription_create_request_official.json",  # tests/clients
        "list_returns_official_partial.json", "return_details_official_partial.json", "asn_row_skeleton_official.json",  # below
        "allowlist_create_response_gladly.json", "happy_returns_shipment_items_official.json", "happy_returns_shipments_list_official.json",
        "label_requests_list_official.json", "v2_returns_gladly_fixture.json",  # endpoints without a function: docs/coverage.md
    )
] + [
    ("whiplash", name)
    for name in (
        "oauth_token_response.json", "oauth_authorization_server_metadata.json",  # below, tests/clients
        "v1_shipnotices_list.json", "v1_web_hooks_list.json", "v2_1_shipnotice_arrived_fixture.json", "v2_1_shipnotice_processing.json",
        "v2_1_shipnotices_list.json", "v2_shipnotice_in_transit.json", "v2_shipnotice_processing.json", "v2_shipnotices_list.json",
    )
]  # fmt: skip


def test_the_real_return_reads_the_same_from_list_and_details() -> None:
    detailed = Return.from_dict(payload("loop", "return_details_real_2026-06.json")[0])
    listed = next(found for row in payload("loop", "list_returns_real_2026-06.json") if (found := Return.from_dict(row)).id == detailed.id)
    for name in (
        "created_at",
        "state",
        "was_processed",
        "outcome",
        "total",
        "refund",
        "currency",
        "provider_order_id",
        "exchanges",
        "carrier",
    ):
        assert getattr(listed, name) == getattr(detailed, name), name
    assert [line.line_item_id for line in listed.line_items] == [line.line_item_id for line in detailed.line_items]
    assert listed.line_items[0].return_reason == detailed.line_items[0].return_reason
    assert (listed.tracking_number, listed.label_status, listed.labels) == (None, None, ())
    assert detailed.order_id is None
    assert listed.order_id is not None


@pytest.mark.parametrize("name", ["list_returns_official_partial", "return_details_official_partial"])
def test_examples_with_place_holders_for_amounts_say_what_is_wrong_with_them_or_are_read(name: str) -> None:
    from loop_whiplash import DecodeError

    rows = payload("loop", f"{name}.json")
    for row in rows if isinstance(rows, list) else [rows]:
        try:
            assert Return.from_dict(row).id
        except DecodeError as error:
            assert all("<" not in problem for problem in error.problems)  # noqa: PT017 - either is right, a foreign error is not


def test_the_asn_row_has_every_field_the_documentation_names() -> None:
    (skeleton,) = payload("loop", "asn_row_skeleton_official.json")
    known = {each.name for each in attrs.fields(AsnRow)} | {"label_rate"}
    assert set(skeleton) - known == set()
    assert AsnRow.from_dict(skeleton | {"id": 5, "purchase_price": "9.90"}).purchase_price == Decimal("9.90")


def test_a_consumer_return_as_published() -> None:
    found = ConsumerReturn.from_dict(payload("whiplash", "v2_consumer_return_in_transit.json"))
    assert (found.status, found.status_name, found.type) == (100, "In Transit", "ConsumerReturn")
    assert found.originator is not None
    assert found.originator.originated_type == "Shipnotice"
    assert found.order is not None
    assert found.return_items
    assert all(line.quantity > 0 and line.quantity_good == line.quantity_damaged == 0 for line in found.return_items)


@pytest.mark.parametrize(
    ("name", "kind", "return_id"),
    [
        ("webhook_return_created_real_2020", ReturnEvent, ...),
        ("webhook_label_official", LabelEvent, 12345),
        ("webhook_return_processing_failed_official", ProcessingFailed, 1673),
        ("webhook_giftcard_official", OtherLoopEvent, 23456),
        ("webhook_restock_official", OtherLoopEvent, None),
        ("webhook_happy_returns_shipment_official", OtherLoopEvent, None),
        ("webhook_label_request_official", OtherLoopEvent, 1001),
    ],
)
def test_loops_webhooks(name: str, kind: type[Any], return_id: Any) -> None:
    body = payload_bytes("loop", f"{name}.json")
    event = parse_loop_webhook(body, sign_loop(body, "secret"), ["secret"])
    assert type(event) is kind
    assert event.return_id == (int(event.raw["id"]) if return_id is ... else return_id)
    assert (event.topic, event.trigger) == (event.raw["topic"], event.raw["trigger"])


def test_a_label_webhook_tells_of_the_label() -> None:
    body = payload_bytes("loop", "webhook_label_official.json")
    event = parse_loop_webhook(body, sign_loop(body, "secret"), ["secret"])
    assert isinstance(event, LabelEvent)
    assert (event.label_status, event.tracking_number) == ("in_transit", "28735625627856237856287")
    assert event.label_updated_at == datetime(2019, 4, 1, 12, tzinfo=UTC)


def test_whiplashs_webhook() -> None:
    body = payload_bytes("whiplash", "webhook_v2_consumer_return_completed_PARTIAL.json")
    event = parse_whiplash_webhook(body, sign_whiplash(body, "secret"), ["secret"])
    assert isinstance(event, ConsumerReturnEvent)
    assert (event.consumer_return.id, event.consumer_return.status, event.event_name) == (181660, 300, None)
