"""No secret and no personal data in ``str``, ``repr``, logs, tracebacks or hooks: a canary in every place one can enter."""

from __future__ import annotations

import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from both_colours import Colour, Script, Time, reply
from pytest_httpx import HTTPXMock

from loop_whiplash.decoding import Record
from loop_whiplash.errors import ApiError, ConfigurationError, LoopWhiplashError
from loop_whiplash.http.auth import ApiKey, Bearer
from loop_whiplash.http.flow import Interrupted, NotSent, Request
from loop_whiplash.http.hooks import Attempt
from loop_whiplash.http.retry import Retry
from loop_whiplash.loop import models as loop_models
from loop_whiplash.whiplash import models as whiplash_models
from loop_whiplash.whiplash.oauth import OAuth
from loop_whiplash.whiplash.tokens import MemoryTokenStore, SQLiteTokenStore, Token

CANARY = "c4n4ry-jane-doe"
LINK = f"https://status.example/{CANARY}"
EMAIL = f"{CANARY}@shop.example"


def shown(error: BaseException) -> str:
    """Everything a traceback printer, a logger or a debugger that prints reprs would show, causes included."""
    parts = ["".join(traceback.format_exception(error))]
    seen: BaseException | None = error
    while seen is not None:
        parts += [str(seen), repr(seen), *map(str, getattr(seen, "__notes__", []))]
        assert "httpx" not in type(seen).__module__, seen
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)


BODIES: list[Any] = [
    {"message": f"{EMAIL} was not found"},
    {"error": EMAIL},
    {"errors": {EMAIL: [LINK]}},
    {"error": {"code": CANARY, "message": LINK}},
    {"errors": {"code": EMAIL, "message": f"Return is {CANARY} and cannot"}},
    {"content": f"Return is jane and cannot be processed. {LINK}"},
    f"{EMAIL}",
    [{"id": EMAIL}],
    [{"id": 5, "state": "open", "line_items": [{"line_item_id": {"x": EMAIL}, "price": EMAIL}], "customer": EMAIL}],
    {"id": EMAIL, "status_page_url": LINK},
    CANARY.encode(),
    f"<html>{LINK}".encode(),
]


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 422, 429, 500])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("what", ["get", "process"])
def test_what_a_vendor_answers_is_not_shown(
    colour: Colour, time: Time, caplog: pytest.LogCaptureFixture, status: int, body: Any, what: str
) -> None:
    told: list[Attempt] = []
    script = Script(
        answer=lambda request: reply(
            status, body, set_cookie=CANARY, location=LINK, x_echo=CANARY, x_request_id="r-1", www_authenticate=CANARY
        )
    )
    loop = colour.loop(script, key=CANARY, time=time, hooks=[told.append])
    with caplog.at_level(logging.DEBUG), pytest.raises(LoopWhiplashError) as caught:
        loop.call(lambda c: getattr(c.returns, what)(5))
    error = caught.value
    assert CANARY not in shown(error) + caplog.text + repr(told) + repr(loop.client) + repr(loop.client.session)
    assert isinstance(error, ApiError)
    assert CANARY not in str(error.headers)
    assert told


@pytest.mark.parametrize("failure", [NotSent(), Interrupted()])
def test_failures_show_no_credential(colour: Colour, time: Time, caplog: pytest.LogCaptureFixture, failure: Exception) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ApiError) as caught:
        colour.loop(Script(*[failure] * 4), key=CANARY, time=time).call(lambda c: c.returns.deep_link(name=CANARY, zip=EMAIL))
    assert CANARY not in shown(caught.value) + caplog.text
    assert CANARY.encode() not in pickle.dumps(caught.value)


@pytest.mark.parametrize(
    "kind", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.UnsupportedProtocol, httpx.ProxyError]
)
def test_what_httpx_raises_stays_inside(
    colour: Colour, time: Time, httpx_mock: HTTPXMock, caplog: pytest.LogCaptureFixture, kind: Any
) -> None:
    httpx_mock.add_exception(kind(f"while talking to {LINK}"), is_reusable=True)
    loop = colour.loop(None, key=CANARY, time=time)
    with caplog.at_level(logging.DEBUG), pytest.raises(ApiError) as caught:
        loop.call(lambda c: c.returns.find(order_name=EMAIL))
    loop.close()
    assert CANARY not in shown(caught.value) + caplog.text


def test_queries_are_not_logged_by_anybody(colour: Colour, httpx_mock: HTTPXMock, caplog: pytest.LogCaptureFixture) -> None:
    httpx_mock.add_response(json=[{"id": 7, "email": EMAIL}])
    whiplash = colour.whiplash(token=CANARY)
    with caplog.at_level(logging.DEBUG):
        assert len(whiplash.rows(lambda c: c.orders.list({"email_eq": EMAIL}))) == 1
    whiplash.close()
    assert CANARY not in caplog.text
    assert "/orders" in caplog.text


def test_what_holds_a_secret_does_not_print_it(tmp_path: Path) -> None:
    token = Token(access_token=CANARY, refresh_token=CANARY)
    for holder in (
        ApiKey("X-Authorization", CANARY),
        Bearer(CANARY),
        Bearer(lambda: CANARY),
        token,
        MemoryTokenStore(token),
        SQLiteTokenStore(tmp_path / "tokens.db"),
        OAuth(client_id="id", client_secret=CANARY, store=MemoryTokenStore(token)),
        Request(method="GET", path="/x", params={"email": EMAIL}, headers={"X-Authorization": CANARY}, body=CANARY.encode()),
        reply(200, {"email": EMAIL}, set_cookie=CANARY),
    ):
        assert CANARY not in repr(holder) + str(holder)


@pytest.mark.parametrize("key", [f"{CANARY}\n", f"{CANARY}\r\nX-Evil: 1", f"{CANARY} {CANARY}", f"{CANARY}é", "", "  ", f"\x00{CANARY}"])
def test_a_key_that_no_header_can_carry_is_not_quoted(colour: Colour, key: str) -> None:
    if key == f"{CANARY}\n":
        colour.loop(Script(), key=key)  # a line break at the end is what an environment variable often has
        return
    for make in (lambda: colour.loop(Script(), key=key), lambda: colour.whiplash(Script(), token=key)):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert CANARY not in shown(caught.value)


def test_bodies_that_cannot_be_written_are_not_quoted(colour: Colour) -> None:
    with pytest.raises(ConfigurationError) as caught:
        colour.loop(Script()).call(lambda c: c.returns.process(5, {EMAIL: {LINK}, "x": Attempt}))
    assert CANARY not in shown(caught.value)


@pytest.mark.parametrize(
    "url",
    [f"https://jane:{CANARY}@loop.example/api/v1", f"https://loop.example/api/v1?key={CANARY}", f"ftp://{CANARY}/", f"https://[{CANARY}"],
)
def test_a_base_url_that_cannot_be_used_is_not_quoted(colour: Colour, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        colour.loop(None, base_url=url)
    assert CANARY not in shown(caught.value)


def test_the_password_of_a_proxy_is_not_shown(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        loop = colour.loop(None, proxy=f"http://jane:{CANARY}@127.0.0.1:9", base_url="https://loop.example/api/v1", retry=Retry(attempts=1))
        with pytest.raises(ApiError) as caught:
            loop.call(lambda c: c.returns.get(5))
        loop.close()
    assert CANARY not in shown(caught.value) + caplog.text + repr(loop.client) + repr(loop.client.session)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_nothing_of_a_login_is_shown(colour: Colour, time: Time, caplog: pytest.LogCaptureFixture, status: int) -> None:
    spent = Token(access_token=CANARY, refresh_token=CANARY, expires_at=time.at)
    auth = OAuth(client_id="app", client_secret=CANARY, store=MemoryTokenStore(spent))
    script = Script(answer=lambda request: reply(status, {"error": CANARY, "error_description": EMAIL, "expires_in": CANARY}))
    driven = colour.whiplash(script, token=auth, time=time)
    for use in (
        lambda c: c.items.count(),
        lambda c: c.exchange_code(CANARY, redirect_uri=LINK, code_verifier=CANARY),
    ):
        with caplog.at_level(logging.DEBUG), pytest.raises(ApiError) as caught:
            driven.call(use)
        assert CANARY not in shown(caught.value) + caplog.text + repr(driven.client) + repr(driven.client.session) + repr(auth)


#: What says who somebody is, where they live, what they wrote, or opens something.
PRIVATE = {
    "customer",
    "customer_email",
    "customer_first_name",
    "customer_last_name",
    "email",
    "first_name",
    "last_name",
    "status_page_url",
    "label_url",
    "qr_code_url",
    "shipping_label_url",
    "integration_tracking_url",
    "sender",
    "shipping_name",
    "phone",
    "address1",
    "address2",
    "city",
    "zip",
    "company",
    "return_comment",
    "notes_by_customer",
    "notes_by_whiplash",
    "extended_description",
    "content",
    "note",
    "return_processor",
    "actioned_by",
    "received_by",
    "misc",
    "qr",
    "deeplink_url",
}


@pytest.mark.parametrize(
    "model",
    [
        found
        for found in (*vars(loop_models).values(), *vars(whiplash_models).values())
        if isinstance(found, type) and issubclass(found, Record) and found is not Record
    ],
    ids=lambda model: model.__name__,
)
def test_a_record_does_not_print_whose_it_is(model: type[Record]) -> None:
    names = {each.name for each in attrs.fields(model)}
    secret = PRIVATE | ({"name"} if model is loop_models.Address else set()) | ({"url"} if model is loop_models.Label else set())
    payload = dict.fromkeys(names & {"id", "line_item_id"}, 1) | dict.fromkeys(names & secret, EMAIL)
    found = model.from_dict(payload)
    assert CANARY not in repr(found) + str(found)
    for name in names & secret:
        assert getattr(found, name) == EMAIL


def test_the_record_of_an_attempt_holds_no_body_and_no_query(colour: Colour) -> None:
    told: list[Attempt] = []
    loop = colour.loop(Script(reply(200, [{"id": 5, "state": "open", "customer": EMAIL}])), hooks=[told.append])
    loop.call(lambda c: c.returns.find(order_name=EMAIL))
    assert CANARY not in repr(attrs.asdict(told[0]))
