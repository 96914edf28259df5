"""Answers of shapes nobody documents, and arguments that cannot work: one sentence of ours each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from both_colours import Colour, Script, reply

from loop_whiplash import ActionRefused, Assessment, ConfigurationError, DecodeError, Grade
from loop_whiplash.http.call import Call

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", {"url": None}, {"url": ""}, [], "x", 5])
def test_a_link_or_a_code_that_is_none(colour: Colour, body: Any) -> None:
    for use in (lambda c: c.returns.deep_link(name="#1", zip="3511"), lambda c: c.returns.qr_code(name="#1", zip="3511")):
        with pytest.raises(DecodeError) as caught:
            colour.loop(Script(reply(200, body))).call(use)
        assert caught.value.maybe_applied  # it was a POST, and it was answered


@pytest.mark.parametrize("body", [b"nothing", {"webhooks": None}, {"other": []}, "x", None])
def test_a_list_that_is_none(colour: Colour, body: Any) -> None:
    with pytest.raises(DecodeError):
        colour.loop(Script(reply(200, body))).call(lambda c: c.webhooks.list())


@pytest.mark.parametrize("body", [b"<html>", {"returns": 5}, 5, "x"])
def test_a_page_that_is_none(colour: Colour, body: Any) -> None:
    _, error = colour.loop(Script(reply(200, body))).take(lambda c: c.returns.list(START, START, states=["open"]))
    assert isinstance(error, DecodeError)


def test_an_object_bare_or_under_its_name(colour: Colour) -> None:
    row = {"id": 5, "topic": "return", "status": "active"}
    for body in (row, {"webhook": row}):
        made = colour.loop(Script(reply(201, body))).call(
            lambda c: c.webhooks.create(topic="return", trigger="label.updated", url="https://x.example")
        )
        assert (made.id, made.status) == ("5", "active")


def test_an_error_under_200_where_an_echo_is_due(colour: Colour) -> None:
    item = Assessment(line_item_id=5, disposition_outcome="donate")
    with pytest.raises(ActionRefused):
        colour.loop(Script(reply(200, {"errors": {"code": "UNEXPECTED_ERROR", "message": "x"}}))).call(lambda c: c.grading.assess([item]))
    for body in (b"<html>", 5, {"items": None}):
        with pytest.raises(DecodeError):
            colour.loop(Script(reply(200, body))).call(lambda c: c.grading.assess([item]))
    assert colour.loop(Script(reply(200, {"items": [{"line_item_id": 5}, 7]}))).call(lambda c: c.grading.assess([item])) == [
        {"line_item_id": 5}
    ]


def test_an_error_under_200_where_a_delete_is_done(colour: Colour) -> None:
    for body in (b"", b'"Success"', b'{"id": 5}'):
        assert colour.loop(Script(reply(200, body))).call(lambda c: c.webhooks.delete(5)) is None
        assert colour.whiplash(Script(reply(200, body))).call(lambda c: c.consumer_returns.delete(5)) is None
    with pytest.raises(ActionRefused):
        colour.whiplash(Script(reply(200, {"error": "not allowed"}))).call(lambda c: c.consumer_returns.delete(5))


def test_results_of_a_bulk_create_are_texts(colour: Colour) -> None:
    found = colour.whiplash(Script(reply(201, [{"result": "created"}, {"result": None}, "x"]))).call(
        lambda c: c.consumer_returns.create_many([{}])
    )
    assert found == ["created", "", "x"]


@pytest.mark.parametrize("body", [b"<html>", {"a": 1}, 5])
def test_rows_that_are_none(colour: Colour, body: Any) -> None:
    _, error = colour.whiplash(Script(reply(200, body))).take(lambda c: c.items.list())
    assert isinstance(error, DecodeError)


@pytest.mark.parametrize(
    "use",
    [
        lambda c: c.returns.asn(START, START + timedelta(days=121)),
        lambda c: c.returns.asn(START, START - timedelta(days=1)),
        lambda c: c.returns.asn(datetime(2026, 3, 1), START),
        lambda c: c.returns.remove_line_items_and_process(5, []),
        lambda c: c.returns.remove_line_items_and_process(5, "71"),
        lambda c: c.returns.add_note(5, " "),
        lambda c: c.returns.add_note(5, "x" * 255),
        lambda c: c.returns.find(),
        lambda c: c.returns.find(order_name="#1", provider_order_id=5),
        lambda c: c.webhooks.create(topic="return", trigger="label.updated", url="https://x.example", status="on"),
        lambda c: c.grading.grade([Grade(line_item_id="x", description="", condition_category="grade_a")]),
        lambda c: c.returns.get(True),
        lambda c: c.returns.get("../5"),
        lambda c: c.returns.get(0),
    ],
)
def test_arguments_that_cannot_work_send_nothing(colour: Colour, use: Any) -> None:
    script = Script()
    with pytest.raises(ConfigurationError):
        colour.loop(script).call(use)
    assert script.requests == []


def test_the_asn_is_asked_for_by_days_in_utc(colour: Colour) -> None:
    script = Script(answer=lambda request: reply(200, []))
    loop = colour.loop(script)
    loop.call(lambda c: c.returns.asn(date(2026, 3, 1), datetime(2026, 3, 2, 23, 30, tzinfo=timezone(timedelta(hours=-5)))))
    assert dict(script.last.params) == {"from": "2026-03-01", "to": "2026-03-03"}


def test_a_body_is_written_exactly(colour: Colour) -> None:
    script = Script(reply(201, {"id": 5}))
    body = MappingProxyType(
        {
            "price": Decimal("0.10"),
            "eta": START,
            "day": date(2026, 3, 1),
            "ids": (1, 2),
            "set": frozenset({3}),
            "deep": MappingProxyType({"é": None}),
        }
    )
    colour.whiplash(script).call(lambda c: c.consumer_returns.create(body))
    assert script.sent_json == {
        "price": "0.10",
        "eta": "2026-03-01T00:00:00+00:00",
        "day": "2026-03-01",
        "ids": [1, 2],
        "set": [3],
        "deep": {"é": None},
    }
    for wrong in ({"at": datetime(2026, 3, 1)}, {"x": float("nan")}, {"x": object()}, {"x": b"bytes"}):
        with pytest.raises(ConfigurationError, match="cannot be written as JSON"):
            colour.whiplash(Script()).call(lambda c, wrong=wrong: c.consumer_returns.create(wrong))


def test_a_decoder_that_breaks_is_a_decode_error_with_the_facts(colour: Colour) -> None:
    def broken(_: object) -> None:
        raise LookupError("nothing here")

    call: Call[None] = Call(system="loop", method="POST", path="/x", decode=broken)
    loop = colour.loop(Script(reply(200, {}, x_request_id="r-1")))
    with pytest.raises(DecodeError, match="LookupError") as caught:
        loop.call(lambda c: c.run(c.session.perform(call)))
    assert (caught.value.request_id, caught.value.status, caught.value.maybe_applied) == ("r-1", 200, True)
    assert isinstance(caught.value.__cause__, LookupError)


def test_the_reply_of_a_request_reads_its_json_exactly(colour: Colour) -> None:
    got = colour.loop(Script(reply(200, b'{"rate": 10.10}'))).call(lambda c: c.request("GET", "/label-requests"))
    assert str(got.json()["rate"]) == "10.10"
    for body in (b"<html>", b"{broken"):
        got = colour.loop(Script(reply(200, body))).call(lambda c: c.request("GET", "/label-requests"))
        with pytest.raises(DecodeError):
            got.json()
