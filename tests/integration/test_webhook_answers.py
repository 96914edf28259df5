"""What a webhook is answered with: 200 stored, 202 kept aside and reported, 401 forged, 503 send it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from house import House

from loop_whiplash import ConfigurationError, LedgerUnavailable, MemoryLedger, sign_loop, sign_whiplash


def loop_body(**changes: Any) -> bytes:
    return json.dumps({"topic": "label", "trigger": "label.updated", "return_id": 4711, "label_status": "pre_transit", **changes}).encode()


def whiplash_body(original_id: str | None = "4711", **changes: Any) -> bytes:
    row = {"id": 55, "status": 200, "originator": {"original_id": original_id}, "return_items": [], **changes}
    return json.dumps({"event_name": "consumer_return.status_changed", "consumer_return": row}).encode()


def to_loop(house: House, body: bytes, secret: str | None = None) -> Any:
    return house.integration.handle_loop(body, sign_loop(body, secret or house.world.loop_secret))


def to_whiplash(house: House, body: bytes, secret: str | None = None) -> Any:
    return house.integration.handle_whiplash(body, sign_whiplash(body, secret or house.world.whiplash_secret))


def test_a_genuine_webhook_is_stored_and_makes_its_return_due_at_once(house: House) -> None:
    reply = to_loop(house, loop_body())
    assert (reply.status, reply.return_id) == (200, 4711)
    case = house.case(4711)
    assert case.due_at == house.world.clock.now()
    assert [(event.kind, event.source, event.body) for event in case.history] == [("loop.hint", "label label.updated", loop_body())]
    assert case.journal.found_by == "webhook"
    reply = to_whiplash(house, whiplash_body())
    assert (reply.status, reply.return_id) == (200, 4711)
    assert house.case(4711).journal.receipt_found_by == "webhook"


def test_a_webhook_with_a_long_name_is_stored_under_a_short_one(house: House) -> None:
    assert to_loop(house, loop_body(trigger="x" * 10_000)).status == 200
    assert to_whiplash(house, whiplash_body().replace(b"status_changed", b"y" * 10_000)).status == 200
    assert [len(event.source) for event in house.case(4711).history] == [200, 200]


def test_a_webhook_that_only_tells_of_the_rma_tells_nothing_of_a_receipt(house: House) -> None:
    body = whiplash_body().replace(b"consumer_return.status_changed", b"consumer_return.created")
    assert to_whiplash(house, body).status == 200
    assert house.case(4711).journal.receipt_found_by is None


@pytest.mark.parametrize("secret", ["wrong", "loop-webhook-secret "])
def test_a_forged_webhook_is_refused_and_leaves_no_trace(house: House, secret: str) -> None:
    for reply in (to_loop(house, loop_body(), secret), to_whiplash(house, whiplash_body(), secret)):
        assert (reply.status, reply.return_id) == (401, None)
        assert secret not in reply.body
    unsigned = house.integration.handle_loop(loop_body(), {})
    assert (unsigned.status, unsigned.body) == (401, "the request has no X-Loop-Signature header")
    assert house.integration.case(4711) is None
    assert house.integration.health().asides == 0


def test_either_secret_is_good_while_one_is_being_rotated(build: Callable[..., House]) -> None:
    house = build(loop_secrets=["new", "old"], whiplash_secrets=["the-api-key", "the-client-secret"])
    assert [to_loop(house, loop_body(), secret).status for secret in ("new", "old", "older")] == [200, 200, 401]
    assert [to_whiplash(house, whiplash_body(), secret).status for secret in ("the-api-key", "the-client-secret", "")] == [200, 200, 401]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 50_000, b'"text"', b"<webhook/>", loop_body()[:-1]],
    ids=["nothing", "cut", "array", "null", "no text", "deep", "text", "xml", "cut short"],
)
def test_a_genuine_webhook_that_cannot_be_read_is_kept_aside_and_reported(house: House, body: bytes) -> None:
    assert to_loop(house, body).status == 202
    assert to_whiplash(house, body).status == 202
    assert house.integration.health().asides == 2
    report = house.integration.sweep()
    found = [found for found in report.breaks if found.code == "UNREADABLE"]
    assert sorted(each.reason.split()[3] for each in found) == ["Loop", "Whiplash"]
    assert {each.since for each in found} == {house.start}
    assert report.complete


def test_a_webhook_whose_return_can_be_read_and_nothing_else_makes_that_return_due(house: House) -> None:
    """It is a hint: whatever else it holds is not looked at, so no change of its shape can hide a return, or a count."""
    ret = house.world.shopper.submit_return(1)
    body = json.dumps({"topic": "return", "trigger": "return.updated", "id": ret.id, "line_items": [{"line_item_id": 1, "price": "dear"}]})
    reply = to_loop(house, body.encode())
    assert (reply.status, reply.return_id) == (200, ret.id)
    assert house.case(ret).due_at == house.world.clock.now()
    reply = to_whiplash(house, whiplash_body(str(ret.id), return_items="none", status={}))
    assert (reply.status, reply.return_id) == (200, ret.id)
    assert to_whiplash(house, whiplash_body(str(ret.id), id="??")).return_id == ret.id
    assert [event.kind for event in house.case(ret).history] == ["loop.hint", "whiplash.hint", "whiplash.hint"]
    house.world.carrier.scan(ret, "pre_transit")
    assert [outcome.action for outcome in house.integration.run_due()] == ["CreateRma"]


def test_a_webhook_about_a_return_that_does_not_say_which_is_kept_aside(house: House) -> None:
    for topic in ("return", "label", "return.processing"):
        assert to_loop(house, json.dumps({"topic": topic, "return_id": {}, "id": None}).encode()).status == 202
    assert to_whiplash(house, whiplash_body(None, id=[])).status == 202
    assert house.integration.health().asides == 4


def test_a_failure_is_taken_in_whatever_else_came_with_it(house: House) -> None:
    ret = house.world.shopper.submit_return(1)
    body = {"topic": "return.processing", "trigger": "return.processing.failed", "return_id": str(ret.id), "message": ["?"], "source": 5}
    assert to_loop(house, json.dumps(body).encode()).return_id == ret.id
    assert house.case(ret).journal.failure == "Loop gave no reason"


def test_a_webhook_of_another_topic_names_no_return_and_is_still_answered(house: House) -> None:
    assert to_loop(house, b'{"topic":"giftcard","trigger":"giftcard.requested","id":9}').status == 200
    assert to_whiplash(house, b'{"event_name":"order.shipped","order":{"id":7}}').status == 200
    assert to_whiplash(house, whiplash_body("SO-1001")).status == 200
    assert to_whiplash(house, whiplash_body(None)).status == 200
    assert house.integration.run_due() == []


@pytest.mark.parametrize("number", [0, -5, 10**30, 2**63, True, "x", [], {"id": 1}, 1.5, "0x10"])
def test_no_id_however_odd_is_taken_for_a_return_or_stops_the_answer(house: House, number: object) -> None:
    reply = to_loop(house, loop_body(return_id=number))
    assert reply.status in (200, 202)
    assert reply.return_id is None
    assert to_whiplash(house, whiplash_body(str(number))).status == 200
    assert [outcome.return_id for outcome in house.integration.run_due()] == []


def test_a_prefix_tells_our_rmas_from_those_of_others(build: Callable[..., House]) -> None:
    house = build(settings={"original_id_prefix": "acme-"})
    assert to_whiplash(house, whiplash_body("4711")).return_id is None
    assert to_whiplash(house, whiplash_body("acme-4711")).return_id == 4711
    assert to_whiplash(house, whiplash_body("acme-4711x")).return_id is None


class Failing(MemoryLedger):
    """A ledger whose disk is full."""

    def accept(self, *args: Any, **options: Any) -> int:
        raise LedgerUnavailable("the disk is full")

    def get(self, key: str) -> str | None:
        raise LedgerUnavailable("the disk is full")


def test_a_webhook_that_cannot_be_stored_is_to_be_sent_again(build: Callable[..., House]) -> None:
    house = build(ledger=Failing())
    for reply in (to_loop(house, loop_body()), to_whiplash(house, whiplash_body()), to_loop(house, b"{")):
        assert reply.status == 503
        assert "full" not in reply.body
    assert to_loop(house, loop_body(), "wrong").status == 401


def test_a_house_without_secrets_accepts_nothing_and_says_so(build: Callable[..., House]) -> None:
    house = build(loop_secrets=[], whiplash_secrets=[])
    with pytest.raises(ConfigurationError, match="secret"):
        to_loop(house, loop_body())
    with pytest.raises(ConfigurationError, match="secret"):
        to_whiplash(house, whiplash_body())


def test_a_body_that_is_not_raw_bytes_is_a_mistake_of_the_host(house: House) -> None:
    with pytest.raises(ConfigurationError, match="bytes"):
        house.integration.handle_loop({"topic": "label"}, {})


def test_of_a_huge_webhook_only_the_beginning_is_kept(house: House) -> None:
    body = b'{"topic":"label","return_id":"' + b"7" * 3_000_000 + b'"}'
    assert to_loop(house, body).status == 202
    (kept,) = house.ledger.asides()
    assert len(kept.body) <= 100_000


@pytest.mark.parametrize("name", ["loop_secrets", "whiplash_secrets"])
def test_one_secret_given_as_text_is_refused_before_it_is_taken_for_many(build: Callable[..., House], name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is a list of secrets, not one: \[" + name[:-1]):
        build(**{name: "secret"})
