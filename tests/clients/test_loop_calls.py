"""What each Loop method sends, and what it makes of the published answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from both_colours import LOOP_URL, Colour, Script, reply
from pytest_httpx import HTTPXMock

from loop_whiplash.errors import ConfigurationError, DecodeError, NotFound, ValidationFailed
from loop_whiplash.http.auth import Bearer
from loop_whiplash.loop.answers import QrCode
from loop_whiplash.loop.models import Return

RETURN: dict[str, Any] = {"id": 5, "state": "open", "line_items": [{"line_item_id": 71, "sku": "A", "price": "12.50"}]}


def test_reads_a_return_over_the_wire(colour: Colour, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json=[RETURN], headers={"x-loop-request-id": "r-1"})
    loop = colour.loop()
    found = loop.call(lambda c: c.returns.get(5))
    loop.close()
    assert isinstance(found, Return)
    assert (found.id, found.state, str(found.line_items[0].price)) == (5, "open", "12.50")
    request = httpx_mock.get_request()
    assert request is not None
    assert (request.method, str(request.url)) == ("GET", f"{LOOP_URL}/warehouse/return/details?return_id=5")
    assert request.headers["x-authorization"] == "key-of-loop"
    assert "authorization" not in request.headers
    assert request.headers["user-agent"].startswith("loop-whiplash")


def test_an_id_from_a_form_is_read_as_the_number_it_is(colour: Colour, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json=[RETURN])
    loop = colour.loop()
    assert loop.call(lambda c: c.returns.get("5")).id == 5
    loop.close()


def test_a_bearer_signs_with_authorization(colour: Colour, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json=[RETURN])
    loop = colour.loop(key=Bearer("token-1"))
    loop.call(lambda c: c.returns.get(5))
    loop.close()
    request = httpx_mock.get_request()
    assert request is not None
    assert request.headers["authorization"] == "Bearer token-1"
    assert "x-authorization" not in request.headers


def test_times_are_written_in_utc_and_encoded_as_in_loops_own_example(colour: Colour, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json={"returns": [], "nextPageUrl": None}, is_reusable=True)
    loop = colour.loop()
    start = datetime(2022, 7, 28, 2, 0, tzinfo=UTC)
    assert loop.rows(lambda c: c.returns.list(start, start + timedelta(days=1), states=["review"])) == []
    loop.close()
    request = httpx_mock.get_requests()[0]
    assert "from=2022-07-28%2002%3A00%3A00" in str(request.url)
    asked = parse_qs(urlsplit(str(request.url)).query)
    assert asked["to"] == ["2022-07-29 02:00:00"]
    assert (asked["paginate"], asked["state"], asked["filter"]) == (["true"], ["review"], ["updated_at"])


ACTIONS = [
    ("process", lambda c: c.returns.process(5), "/warehouse/return/5/process", None),
    ("process", lambda c: c.returns.process(5, {"trace": "t-1"}), "/warehouse/return/5/process", {"trace": "t-1"}),
    ("flag", lambda c: c.returns.flag(5), "/warehouse/return/5/flag", None),
    ("cancel", lambda c: c.returns.cancel(5), "/warehouse/return/5/cancel", None),
    ("close", lambda c: c.returns.close(5), "/warehouse/return/5/close", None),
    ("note", lambda c: c.returns.add_note(5, "seen"), "/warehouse/return/5/note", {"content": "seen"}),
]


@pytest.mark.parametrize(("name", "use", "path", "body"), ACTIONS, ids=[f"{name}-{bool(body)}" for name, _, _, body in ACTIONS])
@pytest.mark.parametrize("success", [b"true", b'"true"', b" true\n"])
def test_an_action_is_one_post_and_true_means_done(colour: Colour, name: str, use: Any, path: str, body: object, success: bytes) -> None:
    script = Script(reply(200, success))
    assert colour.loop(script).call(use) is None
    assert (script.last.method, script.last.path, script.sent_json) == ("POST", path, body)
    assert len(script.requests) == 1


def test_lines_are_removed_in_one_call_with_all_ids(colour: Colour) -> None:
    script = Script(reply(200, True))
    colour.loop(script).call(lambda c: c.returns.remove_line_items_and_process(5, [71, "72"]))
    assert (script.last.path, dict(script.last.params), script.last.body) == ("/warehouse/return/5/remove", {"line_item_id": "71,72"}, None)


def test_an_unknown_return_to_remove_from_is_not_found_though_loop_says_403(colour: Colour) -> None:
    script = Script(reply(403, {"errors": [{"message": "Return not found."}]}))
    with pytest.raises(NotFound):
        colour.loop(script).call(lambda c: c.returns.remove_line_items_and_process(5, [71]))


@pytest.mark.parametrize(
    "body",
    [[RETURN], RETURN, [RETURN | {"id": "5"}], [RETURN | {"id": 4}, RETURN]],
    ids=["array", "object", "id as text", "several of one order"],
)
def test_details_are_read_in_every_shape(colour: Colour, body: object) -> None:
    assert colour.loop(Script(reply(200, body))).call(lambda c: c.returns.get(5)).id == 5


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, {"error": {"message": "No return found with this ID."}}),
        reply(200, {"errors": {"code": "NOT_FOUND"}}),
        reply(200, {"message": "Return not found"}),
        reply(200, []),
        reply(404, {"message": "Not Found"}),
        reply(404, b"<html>nothing here</html>"),
    ],
    ids=["error", "code", "message", "empty", "404", "404 html"],
)
def test_absence_has_several_shapes(colour: Colour, answer: Any) -> None:
    with pytest.raises(NotFound) as caught:
        colour.loop(Script(answer)).call(lambda c: c.returns.get(5))
    assert (caught.value.return_id, caught.value.system, caught.value.status) == (5, "loop", answer.status)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"<html>", b'{"id": "x"}', b"[3]", b'[{"id": 6, "state": "open"}]', b'{"id": 5'],
    ids=["empty", "null", "html", "bad id", "number", "another return", "cut"],
)
def test_what_is_no_return_is_a_decode_error_and_never_absence(colour: Colour, body: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        colour.loop(Script(reply(200, body))).call(lambda c: c.returns.get(5))
    assert caught.value.body == body
    assert caught.value.maybe_applied is False


def test_an_unknown_error_under_200_is_not_taken_for_absence(colour: Colour) -> None:
    script = Script(reply(200, {"error": {"message": "Temporarily unavailable", "code": "UNEXPECTED_ERROR"}}))
    with pytest.raises(Exception, match="UNEXPECTED_ERROR") as caught:
        colour.loop(script).call(lambda c: c.returns.get(5))
    assert not isinstance(caught.value, NotFound)


def test_the_returns_of_one_order(colour: Colour) -> None:
    script = Script(reply(200, [RETURN, RETURN | {"id": 6}]), reply(200, RETURN))
    loop = colour.loop(script)
    assert [ret.id for ret in loop.call(lambda c: c.returns.find(order_name="#1001"))] == [5, 6]
    assert dict(script.last.params) == {"order_name": "#1001"}
    assert [ret.id for ret in loop.call(lambda c: c.returns.find(provider_order_id=900))] == [5]
    assert dict(script.last.params) == {"order_id": "900"}
    with pytest.raises(ConfigurationError):
        loop.call(lambda c: c.returns.find())


@pytest.mark.parametrize("body", [[{"id": 1, "content": "hello"}], {"notes": [{"id": 1, "content": "hello"}]}], ids=["array", "wrapped"])
def test_notes_in_both_shapes(colour: Colour, body: object) -> None:
    assert [note.content for note in colour.loop(Script(reply(200, body))).call(lambda c: c.returns.notes(5))] == ["hello"]


def test_no_notes_is_422_with_false(colour: Colour) -> None:
    assert colour.loop(Script(reply(422, b"false"))).call(lambda c: c.returns.notes(5)) == []


def test_a_real_422_for_notes_is_an_error(colour: Colour) -> None:
    with pytest.raises(ValidationFailed):
        colour.loop(Script(reply(422, {"message": "The id is invalid."}))).call(lambda c: c.returns.notes(5))


@pytest.mark.parametrize("text", ["", "   ", "x" * 255, 5])
def test_a_note_is_checked_before_it_is_sent(colour: Colour, text: Any) -> None:
    script = Script()
    with pytest.raises(ConfigurationError):
        colour.loop(script).call(lambda c: c.returns.add_note(5, text))
    assert script.requests == []


@pytest.mark.parametrize("return_id", [0, -1, True, "5/../6", "", None, 5.0])
def test_an_id_is_a_number_above_zero_or_nothing_is_sent(colour: Colour, return_id: Any) -> None:
    script = Script()
    with pytest.raises(ConfigurationError):
        colour.loop(script).call(lambda c: c.returns.process(return_id))
    assert script.requests == []


def test_the_asn_is_asked_by_days(colour: Colour) -> None:
    script = Script(reply(200, [{"id": 1, "return_line_item_id": "71", "order_name": "#1001"}]))
    at = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    rows = colour.loop(script).call(lambda c: c.returns.asn(at - timedelta(days=1), at))
    assert dict(script.last.params) == {"from": "2026-03-01", "to": "2026-03-02"}
    assert rows[0].order_name == "#1001"
    with pytest.raises(ConfigurationError, match="120"):
        colour.loop(script).call(lambda c: c.returns.asn(at - timedelta(days=121), at))


def test_links_and_qr_codes(colour: Colour) -> None:
    script = Script(
        reply(200, {"url": "https://shop.example/#/secret"}), reply(200, {"qr": "PHN2Zz4=", "deeplink_url": "https://x.example/s"})
    )
    loop = colour.loop(script)
    assert loop.call(lambda c: c.returns.deep_link(name="#1001", zip="12345")) == "https://shop.example/#/secret"
    assert script.sent_json == {"name": "#1001", "zip": "12345"}
    found = loop.call(lambda c: c.returns.qr_code(name="#1001", zip="12345", gift=True, type="svg", size=200))
    assert found == QrCode(qr="PHN2Zz4=", deeplink_url="https://x.example/s")
    assert "x.example" not in repr(found)
    assert script.sent_json == {"name": "#1001", "zip": "12345", "gift": True, "type": "svg", "size": 200}


def test_a_subscription_always_says_whether_it_is_active(colour: Colour) -> None:
    row = {"id": 9, "shop_id": 1, "topic": "return", "trigger": "label.updated", "url": "https://me.example/", "status": "active"}
    script = Script(reply(201, row), reply(200, {"webhooks": [row]}), reply(204, b""), reply(204, b""))
    loop = colour.loop(script)
    made = loop.call(lambda c: c.webhooks.create(topic="return", trigger="label.updated", url="https://me.example/"))
    assert (made.id, script.sent_json["status"]) == ("9", "active")
    assert [hook.url for hook in loop.call(lambda c: c.webhooks.list())] == ["https://me.example/"]
    loop.call(lambda c: c.webhooks.update(9, topic="return", trigger="label.updated", url="https://me.example/", status="inactive"))
    assert (script.last.method, script.last.path, script.sent_json["status"]) == ("PUT", "/webhooks/9", "inactive")
    loop.call(lambda c: c.webhooks.delete("9"))
    assert (script.last.method, script.last.path) == ("DELETE", "/webhooks/9")
    with pytest.raises(ConfigurationError):
        loop.call(lambda c: c.webhooks.create(topic="return", trigger="label.updated", url="https://me.example/", status="on"))


def test_a_webhook_that_is_gone(colour: Colour) -> None:
    with pytest.raises(NotFound) as caught:
        colour.loop(Script(reply(404, {"errors": {"code": "NOT_FOUND"}}))).call(lambda c: c.webhooks.delete(9))
    assert caught.value.code == "NOT_FOUND"


def test_destinations(colour: Colour) -> None:
    row = {"id": 3, "name": "Dock", "type": "warehouse", "enabled": True}
    script = Script(
        reply(200, {"destinations": [row]}), reply(200, row), reply(200, {"destination": row}), reply(200, row), reply(200, b'"Success"')
    )
    loop = colour.loop(script)
    assert [dock.name for dock in loop.call(lambda c: c.destinations.list())] == ["Dock"]
    assert loop.call(lambda c: c.destinations.get(3)).id == "3"
    assert loop.call(lambda c: c.destinations.create({"name": "Dock", "type": "warehouse"})).name == "Dock"
    loop.call(lambda c: c.destinations.update(3, {"enabled": False}))
    assert (script.last.method, script.sent_json) == ("PUT", {"enabled": False})
    loop.call(lambda c: c.destinations.delete(3))
    assert (script.last.method, script.last.path) == ("DELETE", "/destinations/3")


def test_a_destination_limit_is_a_validation_error_with_loops_code(colour: Colour) -> None:
    script = Script(reply(422, {"code": "DESTINATION_LIMIT_EXCEEDED", "message": "You have reached the destination limit."}))
    with pytest.raises(ValidationFailed) as caught:
        colour.loop(script).call(lambda c: c.destinations.create({"name": "Dock"}))
    assert caught.value.code == "DESTINATION_LIMIT_EXCEEDED"
    assert "DESTINATION_LIMIT_EXCEEDED" in str(caught.value)


def test_a_body_that_is_no_json_is_refused_before_it_is_sent(colour: Colour) -> None:
    script = Script()
    with pytest.raises(ConfigurationError):
        colour.loop(script).call(lambda c: c.returns.process(5, {"when": object()}))
    with pytest.raises(ConfigurationError):
        colour.loop(script).call(lambda c: c.returns.process(5, {"ratio": float("nan")}))
    assert script.requests == []


def test_bodies_carry_decimals_and_times(colour: Colour) -> None:
    from decimal import Decimal

    script = Script(reply(200, True))
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    colour.loop(script).call(lambda c: c.returns.process(5, {"amount": Decimal("10.50"), "at": at, "lines": ("a",)}))
    assert json.loads(script.last.body or b"") == {"amount": "10.50", "at": "2026-03-02T09:00:00+00:00", "lines": ["a"]}
