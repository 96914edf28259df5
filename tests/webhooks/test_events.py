"""What a webhook says: an event of its kind, a message of another kind, or a genuine one that cannot be read."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from fixture_files import fixture, fixture_bytes
from loop_whiplash import (
    ConsumerReturnEvent,
    InvalidSignature,
    LabelEvent,
    MalformedPayload,
    OtherLoopEvent,
    OtherWhiplashEvent,
    ProcessingFailed,
    Return,
    ReturnEvent,
    parse_loop_webhook,
    parse_whiplash_webhook,
    sign_loop,
    sign_whiplash,
)
from loop_whiplash.loop.webhooks import decode_loop_event
from loop_whiplash.whiplash.webhooks import decode_whiplash_event


def loop_event(payload: object) -> Any:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return parse_loop_webhook(body, sign_loop(body, "secret"), ["secret"])


def whiplash_event(payload: object) -> Any:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return parse_whiplash_webhook(body, sign_whiplash(body, "secret"), ["secret"])


# ------------------------------------------------------------------------------------------------------------- loop


@pytest.mark.parametrize(
    "trigger", ["return.created", "return.updated", "return.closed", "label.created", "label.updated", "a.new.one", None]
)
def test_the_topic_says_what_it_holds_whatever_the_trigger(trigger: str | None) -> None:
    event = loop_event(fixture("return_webhook") | {"trigger": trigger})
    assert isinstance(event, ReturnEvent)
    assert (event.topic, event.trigger, event.return_id) == ("return", trigger, 88031207)
    assert event.return_ == Return.from_dict(fixture("return_webhook"))
    assert pickle.loads(pickle.dumps(event)) == event


@pytest.mark.parametrize(
    ("payload", "return_id"),
    [
        ({"id": 7, "label_status": "delivered", "shipment_id": 6789}, 7),
        ({"id": "7"}, 7),
        ({"return_id": 7}, 7),  # the oldest edition
        ({"return_id": 7, "id": 99}, 7),
        ({"label_status": "delivered"}, None),
    ],
)
def test_a_label_event_names_its_return(payload: dict[str, Any], return_id: int | None) -> None:
    event = loop_event({"topic": "label", "trigger": "label.updated", **payload})
    assert isinstance(event, LabelEvent)
    assert event.return_id == return_id


def test_a_label_event_reads_the_label() -> None:
    event = loop_event(
        {
            "topic": "label",
            "trigger": "label.created",
            "id": 7,
            "order_id": 123,
            "provider_order_id": 456,
            "carrier": "N/A",
            "tracking_number": 28735,
            "label_status": "in_transit",
            "label_updated_at": "2019-04-01T12:00:00.000Z",
            "shop_id": 9,
        }
    )
    assert (event.order_id, event.provider_order_id, event.carrier, event.tracking_number, event.shop_id) == (
        "123",
        "456",
        None,
        "28735",
        "9",
    )
    assert event.label_updated_at == datetime(2019, 4, 1, 12, tzinfo=UTC)


def test_processing_that_failed() -> None:
    event = loop_event(
        {"topic": "return.processing", "trigger": "return.processing.failed", "return_id": 1673, "return_state": "review", "message": None}
    )
    assert isinstance(event, ProcessingFailed)
    assert (event.return_id, event.return_state, event.message, event.source) == (1673, "review", None, None)
    other = loop_event({"topic": "return.processing", "trigger": "return.processing.finished", "return_id": 1673})
    assert isinstance(other, OtherLoopEvent)  # not known to be a failure, so not taken for one
    assert other.return_id == 1673


@pytest.mark.parametrize(
    ("payload", "return_id"),
    [
        ({"topic": "giftcard", "trigger": "giftcard.requested", "id": 5, "return_id": "23456"}, 23456),
        ({"topic": "restock", "trigger": "restock.requested", "id": 12345}, None),  # this `id` is not documented to be a return's
        ({"topic": "label.request", "trigger": "label.request.issued", "id": "5fc3126e", "return_id": 1001}, 1001),
        ({"topic": "happy.returns.shipment", "loop_shipment_id": 123}, None),
        ({"topic": "something.new", "return_id": "x"}, None),
        ({"topic": 5, "trigger": []}, None),
        ({}, None),
    ],
)
def test_other_messages_are_kept_whole(payload: dict[str, Any], return_id: int | None) -> None:
    event = loop_event(payload)
    assert isinstance(event, OtherLoopEvent)
    assert event.return_id == return_id
    assert event.raw == payload
    assert event.topic == (payload["topic"] if isinstance(payload.get("topic"), str) else None)


@pytest.mark.parametrize(
    ("payload", "return_id"),
    [
        ({"topic": "return", "id": 7, "line_items": [{"sku": "A"}]}, 7),
        ({"topic": "return", "id": "7", "total": "much"}, 7),
        ({"topic": "return", "id": None}, None),
        ({"topic": "return", "id": "x", "return_id": 8}, 8),
        ({"topic": "label", "id": []}, None),
        ({"topic": "return.processing", "trigger": "return.processing.failed", "return_id": {}}, None),
    ],
)
def test_a_genuine_message_that_cannot_be_read_still_names_its_return(payload: dict[str, Any], return_id: int | None) -> None:
    with pytest.raises(MalformedPayload) as caught:
        loop_event(payload)
    assert caught.value.return_id == return_id
    assert caught.value.status_hint == 202  # a 4xx would lose it for good


# --------------------------------------------------------------------------------------------------------- whiplash


@pytest.mark.parametrize("name", ["consumer_return.completed", "consumer_return.status_changed", "consumer_return.unexpected", None])
def test_a_consumer_return_event(name: str | None) -> None:
    payload = {"consumer_return": fixture("consumer_return")} | ({} if name is None else {"event_name": name})
    for ordered in (payload, dict(reversed(payload.items()))):
        event = whiplash_event(ordered)
        assert isinstance(event, ConsumerReturnEvent)
        assert (event.event_name, event.consumer_return.id) == (name, 73104)


def test_a_json_body_in_a_webhook_root_is_read_as_well() -> None:
    event = whiplash_event({"webhook": {"event_name": "consumer_return.completed", "consumer_return": {"id": 5}}})
    assert isinstance(event, ConsumerReturnEvent)
    assert event.consumer_return.id == 5


@pytest.mark.parametrize(
    ("payload", "name", "resource"),
    [
        ({"event_name": "order.shipped", "order": {"id": 1}}, "order.shipped", "order"),
        ({"event_name": "item.inventory_received", "item": {"id": 1}}, "item.inventory_received", "item"),
        ({"event_name": "order.returned", "consumer_return": {"id": 1}}, "order.returned", "consumer_return"),
        ({"event_name": "consumer_return.deleted"}, "consumer_return.deleted", None),
        ({"event_name": 5, "consumer_return": [1]}, None, None),
        ({}, None, None),
    ],
)
def test_other_messages_of_whiplash(payload: dict[str, Any], name: str | None, resource: str | None) -> None:
    event = whiplash_event(payload)
    assert isinstance(event, OtherWhiplashEvent)
    assert (event.event_name, event.resource, event.raw) == (name, resource, payload)


def test_a_consumer_return_that_cannot_be_read() -> None:
    with pytest.raises(MalformedPayload, match=r"consumer_return\.completed.*return_items\[0\]\.id"):
        whiplash_event({"event_name": "consumer_return.completed", "consumer_return": {"id": 5, "return_items": [{}]}})


@pytest.mark.parametrize("body", [b"<?xml version='1.0'?><webhook/>", b"  \n<webhook><consumer-return/></webhook>"])
def test_xml_is_refused_with_the_remedy(body: bytes) -> None:
    with pytest.raises(MalformedPayload, match="choose JSON"):
        whiplash_event(body)


# -------------------------------------------------------------------------------------------------------- both sides


@pytest.mark.parametrize("event", [loop_event, whiplash_event])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[1]",
        b'"x"',
        b"5",
        b"true",
        b"{",
        b'{"a":}',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"{}{}",
        b"topic=return&id=1",
        b'{"a": "\\ud800"}',
        b'{"a":' * 70 + b"1" + b"}" * 70,
        b"[" * 200_000,
        b'{"a":' * 200_000,
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_a_genuine_body_that_is_no_json_object(event: Any, body: bytes) -> None:
    with pytest.raises(MalformedPayload) as caught:
        event(body)
    assert caught.value.status_hint == 202


def test_a_huge_body_is_not_read_at_all() -> None:
    body = b'{"topic":"return","id":7,"note":"' + b"x" * 5_000_001 + b'"}'
    with pytest.raises(MalformedPayload, match="more than the 5,000,000 allowed"):
        loop_event(body)
    with pytest.raises(MalformedPayload, match="more than the 10 allowed"):
        parse_whiplash_webhook(b'{"a":"aaaaaaaaaa"}', sign_whiplash(b'{"a":"aaaaaaaaaa"}', "s"), ["s"], max_body=10)
    with pytest.raises(InvalidSignature):  # and one nobody signed is not measured by its content either
        parse_loop_webhook(body, {}, ["secret"])


def test_a_large_return_is_read() -> None:
    lines = [{"line_item_id": number, "sku": "A", "price": "1.00"} for number in range(1, 2001)]
    assert len(loop_event({"topic": "return", "id": 7, "line_items": lines}).return_.line_items) == 2000


def test_signature_first_then_content() -> None:
    for body in (b"", b"<x/>", b"not json"):
        with pytest.raises(InvalidSignature):
            parse_loop_webhook(body, {"X-Loop-Signature": "x"}, ["secret"])
        with pytest.raises(InvalidSignature):
            parse_whiplash_webhook(body, {"X-WHIPLASH-SIGNATURE": "x"}, ["secret"])


def test_verify_at_the_edge_and_decode_what_was_stored_later() -> None:
    assert decode_loop_event(fixture_bytes("return_webhook")).return_id == 88031207
    assert isinstance(decode_whiplash_event(b'{"consumer_return": {"id": 1}}'), ConsumerReturnEvent)


def test_no_event_shows_what_the_shopper_wrote() -> None:
    shown = repr(loop_event(fixture("return_webhook"))) + str(loop_event(fixture("return_webhook")))
    for private in ("robin@example.org", "Robin", "Kade 4", "2b0f9f3e", "Utrecht"):
        assert private not in shown
    with pytest.raises(MalformedPayload) as caught:
        loop_event(fixture("return_webhook") | {"total": "robin@example.org"})
    assert "robin" not in str(caught.value) + repr(caught.value)
