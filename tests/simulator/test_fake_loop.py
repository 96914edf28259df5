"""The fake Loop answers, refuses and forgets as the documentation says the real one does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.simulator import World
from shared_reference import payload


def ask(
    world: World, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None, key: str | None = None
) -> Reply:
    raw = None if body is None else json.dumps(body).encode()
    headers = {"X-Authorization": key or world.api_key}
    return world.loop_transport().send(Request(method=method, path=path, params=params or {}, headers=headers, body=raw))


def read(world: World, path: str, **params: str) -> Any:
    reply = ask(world, "GET", path, {name.rstrip("_"): value for name, value in params.items()})
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def act(world: World, return_id: int, what: str) -> Any:
    reply = ask(world, "POST", f"/warehouse/return/{return_id}/{what}")
    assert reply.status == 200
    return json.loads(reply.body)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture
def world() -> World:
    return World(seed=11)


# -------------------------------------------------------------------------------------------------- shapes


def kinds(value: Any) -> Any:
    """The shape of a value: keys and JSON types, lists by their first element."""
    if isinstance(value, dict):
        return {name: kinds(each) for name, each in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return type(value).__name__


def test_a_list_row_has_the_keys_and_types_of_the_captured_one(world: World) -> None:
    captured = payload("loop", "list_returns_real_2026-06.json")[0]
    ret = world.shopper.submit_return(["SLATE-BOOT-M"], outcome="exchange", label=False, destination_id=41_000)
    row = read(world, "/warehouse/return/list")[0]
    assert set(row) == set(captured)
    assert row["id"] == str(ret.id)
    assert kinds(row) == kinds(captured)


def test_details_have_the_keys_and_types_of_the_captured_ones_except_where_only_that_shop_has_none(world: World) -> None:
    captured = payload("loop", "return_details_real_2026-06.json")[0]
    ret = world.shopper.submit_return(["SLATE-BOOT-M"], outcome="exchange", label=False, destination_id=41_000)
    row = read(world, "/warehouse/return/details", return_id=str(ret.id))[0]
    ours, theirs = kinds(row), kinds(captured)
    # That shop is not on Shopify, so its orders have no number.
    assert theirs.pop("order_number") == "NoneType"
    assert ours.pop("order_number") == "int"
    assert ours == theirs


def test_the_return_webhook_has_at_least_the_keys_of_the_captured_one(world: World) -> None:
    captured = payload("loop", "webhook_return_created_real_2020.json")
    world.shopper.submit_return(1)
    sent: list[dict[str, Any]] = []
    world.deliver(lambda message: sent.append(json.loads(message.body)) or 200)
    assert set(captured) <= set(sent[0])
    assert set(captured["line_items"][0]) <= set(sent[0]["line_items"][0])


def test_label_and_failure_webhooks_have_the_published_keys(world: World) -> None:
    ret = world.shopper.submit_return(1)
    world.loop.manners.failing = 1.0
    act(world, ret.id, "process")
    world.clock.advance(minutes=5)
    sent: dict[str, dict[str, Any]] = {}
    world.deliver(lambda message: sent.setdefault(message.topic, json.loads(message.body)) and 200)
    assert set(sent["label/label.created"]) == set(payload("loop", "webhook_label_official.json"))
    assert set(sent["return.processing/return.processing.failed"]) == set(payload("loop", "webhook_return_processing_failed_official.json"))
    assert kinds(sent["label/label.created"]) == kinds(payload("loop", "webhook_label_official.json"))


def test_asn_rows_have_the_published_columns(world: World) -> None:
    world.shopper.submit_return(2)
    rows = read(world, "/warehouse/reporting/asn")
    assert len(rows) == 2
    assert set(rows[0]) == set(payload("loop", "asn_row_skeleton_official.json")[0])


def test_list_and_details_disagree_as_the_real_ones_do(world: World) -> None:
    ret = world.shopper.submit_return(1)
    row = read(world, "/warehouse/return/list")[0]
    details = read(world, "/warehouse/return/details", return_id=str(ret.id))[0]
    assert (row["id"], details["id"]) == (str(ret.id), ret.id)
    assert (row["order_id"], details["order_id"]) == (str(ret.order.loop_id), ret.order.shop_id)
    assert row["created_at"].endswith("+00:00")
    assert " " in details["created_at"]
    assert "return_reason" in row["line_items"][0]
    assert "reason" in details["line_items"][0]


def test_a_removed_line_lingers_with_nothing_left_on_it(world: World) -> None:
    ret = world.shopper.submit_return(["SLATE-BOOT-M", "SLATE-BOOT-S"])
    world.people.remove_line(ret, 0)
    lines = read(world, "/warehouse/return/list")[0]["line_items"]
    assert [line["returned_at"] is None for line in lines] == [True, False]
    assert lines[0]["price"] == lines[0]["refund"] == "0.00"


def test_the_body_is_written_as_php_writes_it(world: World) -> None:
    ret = world.shopper.submit_return(1)
    raw = ask(world, "GET", "/warehouse/return/details", {"return_id": str(ret.id)}).body
    assert b"https:\\/\\/shop.loopreturns.example" in raw


# ----------------------------------------------------------------------------------------------- refusals


def test_refusals_come_with_status_200_and_the_documented_bodies(world: World) -> None:
    catalogue = {case["case"]: case["body"] for case in payload("loop", "errors_catalog.json")}
    flagged, closed, cancelled, expired = (world.shopper.submit_return(1) for _ in range(4))
    assert act(world, flagged.id, "flag") is True
    assert act(world, closed.id, "close") is True
    assert act(world, cancelled.id, "cancel") is True
    world.clock.advance(days=29)
    assert expired.state == "expired"

    assert act(world, flagged.id, "process") == catalogue["process: flagged return, flagged processing not enabled"]
    for what in ("process", "cancel", "flag", "close"):
        assert act(world, closed.id, what) == catalogue["process/cancel/flag/close: wrong state"]
    assert act(world, cancelled.id, "process") == catalogue["process/close: already cancelled"]
    assert act(world, expired.id, "cancel") == catalogue["cancel: expired"]
    assert act(world, flagged.id, "cancel") == catalogue["cancel: flagged"]
    assert read(world, "/warehouse/return/details", return_id="1") == catalogue["details: nothing matched"]


def test_notes_are_newest_first_and_none_is_a_422_that_says_false(world: World) -> None:
    ret = world.shopper.submit_return(1)
    reply = ask(world, "GET", f"/warehouse/return/{ret.id}/notes")
    assert (reply.status, reply.body) == (422, b"false")
    for text in ("first", "second"):
        ask(world, "POST", f"/warehouse/return/{ret.id}/note", body={"content": text})
    notes = read(world, f"/warehouse/return/{ret.id}/notes")
    assert [note["content"] for note in notes] == ["second", "first"]
    assert set(notes[0]) == set(payload("loop", "return_notes_gladly_fixture.json")[0])
    assert ask(world, "POST", f"/warehouse/return/{ret.id}/note", body={"content": "x" * 255}).status == 422


def test_a_wrong_key_is_401_and_the_envelope_is_the_measured_one(world: World) -> None:
    catalogue = {case["case"]: case["body"] for case in payload("loop", "errors_catalog.json")}
    reply = ask(world, "GET", "/warehouse/return/list", key="not-the-key")
    assert (reply.status, json.loads(reply.body)) == (401, catalogue["unauthorized, newer envelope"])


def test_the_301st_request_of_a_minute_is_refused_and_a_minute_later_it_is_not(world: World) -> None:
    replies = [ask(world, "GET", "/destinations") for _ in range(301)]
    assert {reply.status for reply in replies[:300]} == {200}
    assert replies[300].status == 429
    assert replies[0].headers["x-ratelimit-remaining"] == "299"
    assert world.truth.over_limit["loop"] == 1
    world.clock.advance(minutes=1)
    assert ask(world, "GET", "/destinations").status == 200


def test_remove_takes_lines_out_and_pays_the_rest_at_once(world: World) -> None:
    ret = world.shopper.submit_return(["SLATE-BOOT-M", "SLATE-BOOT-S"])
    line = ret.lines[0]
    assert ask(world, "POST", f"/warehouse/return/{ret.id}/remove").status == 422
    assert ask(world, "POST", "/warehouse/return/5/remove", {"line_item_id": "1"}).status == 403
    reply = ask(world, "POST", f"/warehouse/return/{ret.id}/remove", {"line_item_id": str(line.line_id)})
    assert reply.body == b"true"
    assert ret.state == "closed"
    assert world.truth.paid(ret.id) == ret.lines[1].value


# ---------------------------------------------------------------------------------------------------- list


def test_the_list_hides_cancelled_and_review_unless_they_are_asked_for_by_name(world: World) -> None:
    seen, hidden = world.shopper.submit_return(1), world.shopper.submit_return(1)
    world.people.cancel(hidden)
    assert [row["id"] for row in read(world, "/warehouse/return/list")] == [str(seen.id)]
    assert [row["id"] for row in read(world, "/warehouse/return/list", state="cancelled")] == [str(hidden.id)]


def test_windows_default_to_a_day_and_end_at_120(world: World) -> None:
    ret = world.shopper.submit_return(1)
    world.clock.advance(days=2)
    assert read(world, "/warehouse/return/list") == []
    start = ret.now.created_at - timedelta(hours=1)
    assert len(read(world, "/warehouse/return/list", from_=stamp(start))) == 1
    assert read(world, "/warehouse/return/list", to=stamp(world.clock.now())) == [], "a `to` alone is ignored"
    too_long = {"from": stamp(start - timedelta(days=120)), "to": stamp(start + timedelta(seconds=1))}
    assert ask(world, "GET", "/warehouse/return/list", too_long).status == 422


def test_a_cursor_holds_only_a_date_so_rows_that_share_a_second_are_skipped_or_repeated(world: World) -> None:
    for _ in range(5):
        world.shopper.submit_return(1)
    first = read(world, "/warehouse/return/list", paginate="true", pageSize="3")
    assert set(first) == set(payload("loop", "pagination_envelope_official.json"))
    assert len(first["returns"]) == 3
    query = {name: values[0] for name, values in parse_qs(urlsplit(first["nextPageUrl"]).query).items()}
    assert set(query) == {"to", "filter", "pageSize", "cursor"}, "neither paginate nor from nor state is carried on"
    again = {**query, "from": stamp(world.clock.now() - timedelta(hours=1)), "paginate": "true"}
    assert read_all(world, again) == [], "the two that share the edge's second are lost"
    world.loop.manners.list_ties = "repeat"
    assert len(read_all(world, again)) == 3, "and here three come again"


def read_all(world: World, params: Mapping[str, str]) -> list[dict[str, Any]]:
    reply = ask(world, "GET", "/warehouse/return/list", params)
    rows: list[dict[str, Any]] = json.loads(reply.body)["returns"]
    return rows


def test_an_asn_date_that_cannot_be_read_is_1970(world: World) -> None:
    world.shopper.submit_return(1)
    world.clock.advance(days=20)
    assert read(world, "/warehouse/reporting/asn") == [], "without dates it is the last seven days"
    assert len(read(world, "/warehouse/reporting/asn", from_="yesterday")) == 1


# --------------------------------------------------------------------------------------------------- states


def test_processing_is_queued_and_ends_by_itself(world: World) -> None:
    ret = world.shopper.submit_return(["SLATE-BOOT-M"])
    assert act(world, ret.id, "process") is True
    assert ret.state == "open"
    assert world.truth.released == []
    world.clock.advance(minutes=2)
    assert ret.state == "closed"
    assert ret.was_processed
    assert [(each.by, each.amount) for each in world.truth.released] == [("api", ret.lines[0].value)]


def test_a_processing_may_fail_late_and_says_so_only_by_webhook(world: World) -> None:
    world.loop.manners.failing, world.loop.manners.failed_state = 1.0, "review"
    ret = world.shopper.submit_return(1)
    act(world, ret.id, "process")
    world.clock.advance(minutes=2)
    assert ret.state == "review"
    assert not ret.was_processed
    assert world.truth.released == []
    topics = [delivery.message.topic for delivery in world.deliver(lambda message: 200)]
    assert "return.processing/return.processing.failed" in topics


def test_a_hidden_flag_reads_open_and_still_blocks(world: World) -> None:
    world.loop.manners.hidden_flags = 1.0
    ret = world.shopper.submit_return(1)
    assert act(world, ret.id, "flag") is True
    assert ret.state == "open"
    assert act(world, ret.id, "process")["errors"]["code"] == "UNPROCESSABLE_FLAGGED_RETURN"


def test_a_label_never_handed_over_takes_its_return_with_it_after_28_days(world: World) -> None:
    kept, moved = world.shopper.submit_return(1), world.shopper.submit_return(1)
    world.carrier.scan(kept, "pre_transit")
    world.carrier.scan(moved, "in_transit")
    world.clock.advance(days=27)
    assert kept.state == "open"
    world.clock.advance(days=1)
    assert (kept.state, moved.state) == ("expired", "open")


def test_loops_own_automation_pays_on_a_carrier_scan_when_the_shop_left_it_on(world: World) -> None:
    world.loop.manners.process_on_scan = "delivered"
    ret = world.shopper.submit_return(1)
    world.carrier.scan(ret, "in_transit")
    world.clock.advance(hours=1)
    assert ret.state == "open"
    world.carrier.scan(ret, "delivered")
    world.clock.advance(hours=1)
    assert ret.state == "closed"
    assert world.truth.paid(ret.id, by="auto") == ret.now.value


def test_people_may_do_in_review_what_the_api_may_not(world: World) -> None:
    ret = world.shopper.submit_return(1)
    world.people.flag(ret)
    assert ret.state == "review"
    assert world.people.clear_flag(ret)
    assert ret.state == "open"
    world.people.flag(ret)
    assert world.people.process(ret)
    world.clock.advance(minutes=2)
    assert ret.state == "closed"
    assert world.truth.paid(ret.id, by="person") > 0


def test_happy_returns_pays_before_the_warehouse_sees_anything(world: World) -> None:
    ret = world.shopper.submit_return(1, happy_returns=True)
    world.clock.advance(hours=13)
    assert ret.was_processed
    assert ret.labels == ()
    assert world.truth.paid(ret.id, by="happy_returns") == ret.now.value


def test_an_out_of_stock_exchange_pays_the_rest_and_waits_in_review(world: World) -> None:
    import attrs

    ret = world.shopper.submit_return(["SLATE-BOOT-M", "SLATE-BOOT-S"])
    lines = (
        attrs.evolve(ret.lines[0], outcome="exchange", exchange_for=ret.lines[0].variant, exchange_id=9, out_of_stock=True),
        ret.lines[1],
    )
    world.loop.change(ret.now, lines=lines)
    act(world, ret.id, "process")
    world.clock.advance(minutes=2)
    assert ret.state == "review"
    assert world.truth.paid(ret.id) == ret.lines[1].value


# ------------------------------------------------------------------------------------------- subscriptions


def test_subscriptions_cross_topic_and_trigger_and_never_show_the_secret(world: World) -> None:
    world.loop.subscriptions.clear()
    body = {"topic": "return", "trigger": "label.updated", "url": "https://hooks.example/loop", "status": "active"}
    reply = ask(world, "POST", "/webhooks", body=body)
    assert reply.status == 201
    assert set(json.loads(reply.body)) == set(payload("loop", "webhook_subscription_create_response_official.json"))
    assert world.loop_secret.encode() not in reply.body
    ret = world.shopper.submit_return(1)
    world.carrier.scan(ret)
    sent: list[dict[str, Any]] = []
    world.deliver(lambda message: sent.append(json.loads(message.body)) or 200)
    assert [(each["topic"], each["trigger"], len(each["line_items"])) for each in sent] == [("return", "label.updated", 1)]
    hook = json.loads(reply.body)["id"]
    assert ask(world, "DELETE", f"/webhooks/{hook}").status == 204
    gone = ask(world, "DELETE", f"/webhooks/{hook}")
    assert (gone.status, json.loads(gone.body)) == (404, {"errors": {"code": "NOT_FOUND"}})


def test_dates_are_utc_whatever_the_offset_of_the_question(world: World) -> None:
    ret = world.shopper.submit_return(1)
    at = ret.now.created_at.astimezone(UTC)
    east = (at + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%S+03:00")
    assert len(read(world, "/warehouse/return/list", from_=east, to=east)) == 1
