"""What each Whiplash method sends; and that all of it is what the vendor's OpenAPI allows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from both_colours import WHIPLASH_URL, Colour, Script, reply
from jsonschema import Draft202012Validator
from pytest_httpx import HTTPXMock

from loop_whiplash.errors import ActionRefused, ConfigurationError, DecodeError
from loop_whiplash.http.flow import Request
from loop_whiplash.whiplash.models import ConsumerReturn
from shared_reference import payload, reference

CONSUMER_RETURN: dict[str, Any] = {"id": 7, "status": 100, "return_items": [{"id": 1, "item_id": 3, "quantity": 2}]}
BODY: dict[str, Any] = {
    "requires_label": False,
    "order_id": 100,
    "originator_attributes": {"original_id": "5"},
    "shipnotice_items_attributes": [{"item_id": 3, "quantity": 1, "return_action": "refund", "description": "Too small"}],
}
NAMED = {"id": 31, "name": "consumer_return.completed"}
HOOK = {"id": 8, "notification_event_id": 31, "endpoint": "https://me.example/", "active": True}

Use = Callable[[Any], Any]
# name → (use, method, path, params without paging, body, answer)
ENDPOINTS: dict[str, tuple[Use, str, str, dict[str, str], Any, Any]] = {
    "consumer_returns.get": (lambda c: c.consumer_returns.get(7), "GET", "/consumer_returns/7", {}, None, CONSUMER_RETURN),
    "consumer_returns.create": (lambda c: c.consumer_returns.create(BODY), "POST", "/consumer_returns", {}, BODY, CONSUMER_RETURN),
    "consumer_returns.create_many": (
        lambda c: c.consumer_returns.create_many([BODY, BODY]),
        "POST",
        "/consumer_returns/bulk",
        {},
        {"resources": [BODY, BODY]},
        [{"result": "7"}, {"result": "8"}],
    ),
    "consumer_returns.update": (
        lambda c: c.consumer_returns.update(7, {"tracking": "T1", "carrier": "UPS"}),
        "PUT",
        "/consumer_returns/7",
        {},
        {"tracking": "T1", "carrier": "UPS"},
        CONSUMER_RETURN,
    ),
    "consumer_returns.delete": (lambda c: c.consumer_returns.delete(7), "DELETE", "/consumer_returns/7", {}, None, b""),
    "consumer_returns.count": (
        lambda c: c.consumer_returns.count({"status_eq": 300}),
        "GET",
        "/consumer_returns/count",
        {"search": '{"status_eq":300}'},
        None,
        {"count": 3},
    ),
    "consumer_returns.meta_fields": (
        lambda c: c.consumer_returns.meta_fields(7),
        "GET",
        "/consumer_returns/7/meta_fields",
        {},
        None,
        {"fields": {"a": 1}, "association_fields": {}},
    ),
    "consumer_returns.set_meta_fields": (
        lambda c: c.consumer_returns.set_meta_fields(7, {"a": "1"}),
        "PUT",
        "/consumer_returns/7/meta_fields",
        {},
        {"fields": {"a": "1"}},
        b"",
    ),
    "items.get": (lambda c: c.items.get(3), "GET", "/items/3", {}, None, {"id": 3, "sku": "A"}),
    "items.count": (lambda c: c.items.count(), "GET", "/items/count", {}, None, {"count": 9}),
    "items.bundle_items": (lambda c: c.items.bundle_items(3), "GET", "/items/3/bundle_items", {}, None, [{"id": 1, "quantity": 2}]),
    "items.in_bundles": (lambda c: c.items.in_bundles(3), "GET", "/items/3/in_bundles", {}, None, []),
    "items.create_scancode": (
        lambda c: c.items.create_scancode(item_id=3, name="4006381333931"),
        "POST",
        "/scancodes",
        {},
        {"item_id": 3, "name": "4006381333931"},
        {"id": 1, "item_id": 3},
    ),
    "items.count_originators": (lambda c: c.items.count_originators(3), "GET", "/items/3/originators/count", {}, None, {"count": 2}),
    "items.count_transactions": (lambda c: c.items.count_transactions(3), "GET", "/items/3/transactions/count", {}, None, {"count": 0}),
    "items.meta_fields": (lambda c: c.items.meta_fields(3), "GET", "/items/3/meta_fields", {}, None, {"fields": {}}),
    "items.set_meta_fields": (
        lambda c: c.items.set_meta_fields(3, {"a": "1"}),
        "PUT",
        "/items/3/meta_fields",
        {},
        {"fields": {"a": "1"}},
        b"",
    ),
    "orders.get": (lambda c: c.orders.get(100), "GET", "/orders/100", {}, None, {"id": 100}),
    "orders.count": (
        lambda c: c.orders.count({"email_eq": "a@b.example"}),
        "GET",
        "/orders/count",
        {"search": '{"email_eq":"a@b.example"}'},
        None,
        {"count": 1},
    ),
    "orders.count_items": (lambda c: c.orders.count_items(100), "GET", "/orders/100/order_items/count", {}, None, {"count": 2}),
    "orders.meta_fields": (lambda c: c.orders.meta_fields(100), "GET", "/orders/100/meta_fields", {}, None, {"fields": {}}),
    "orders.set_meta_fields": (lambda c: c.orders.set_meta_fields(100, {}), "PUT", "/orders/100/meta_fields", {}, {"fields": {}}, b""),
    "order_items.get": (lambda c: c.order_items.get(55), "GET", "/order_items/55", {}, None, {"id": 55}),
    "notifications.event": (lambda c: c.notifications.event(31), "GET", "/notification_events/31", {}, None, NAMED),
    "notifications.subscription": (lambda c: c.notifications.subscription(8), "GET", "/notification_subscriptions/8", {}, None, HOOK),
    "notifications.count": (lambda c: c.notifications.count(), "GET", "/notification_subscriptions/count", {}, None, {"count": 1}),
    "notifications.subscribe": (
        lambda c: c.notifications.subscribe(notification_event_id=31, endpoint="https://me.example/"),
        "POST",
        "/notification_subscriptions",
        {},
        {"notification_event_id": 31, "notification_type": "Webhook", "endpoint": "https://me.example/", "active": True, "version": 2},
        HOOK,
    ),
    "notifications.update": (
        lambda c: c.notifications.update(8, {"active": True}),
        "PUT",
        "/notification_subscriptions/8",
        {},
        {"active": True},
        HOOK,
    ),
    "notifications.unsubscribe": (lambda c: c.notifications.unsubscribe(8), "DELETE", "/notification_subscriptions/8", {}, None, b""),
    "notifications.test": (lambda c: c.notifications.test(8), "GET", "/notification_subscriptions/8/test", {}, None, HOOK),
    "simulate.create_consumer_return": (
        lambda c: c.simulate.create_consumer_return(),
        "POST",
        "/simulate/consumer_returns/create",
        {},
        {},
        CONSUMER_RETURN,
    ),
    "simulate.process_consumer_return": (
        lambda c: c.simulate.process_consumer_return(7, finalize=True),
        "PUT",
        "/simulate/consumer_returns/7/processing",
        {},
        {"finalize": True},
        CONSUMER_RETURN,
    ),
    "me": (lambda c: c.me(), "GET", "/me", {}, None, {"id": 1, "customer_ids": [3]}),
}

LISTS: dict[str, tuple[Use, str, dict[str, str]]] = {
    "consumer_returns.list": (lambda c: c.consumer_returns.list({"status_eq": 300}), "/consumer_returns", {"search": '{"status_eq":300}'}),
    "items.list": (lambda c: c.items.list(sort="sku asc"), "/items", {"sort": "sku asc,id asc"}),
    "items.originators": (lambda c: c.items.originators(3), "/items/3/originators", {}),
    "items.scancodes": (lambda c: c.items.scancodes(3), "/items/3/scancodes", {}),
    "items.transactions": (lambda c: c.items.transactions(3), "/items/3/transactions", {}),
    "orders.list": (lambda c: c.orders.list(), "/orders", {}),
    "orders.items": (lambda c: c.orders.items(100), "/orders/100/order_items", {}),
    "order_items.list": (lambda c: c.order_items.list(100), "/orders/100/order_items", {}),
    "originators.list": (lambda c: c.originators.list("Shipnotice"), "/originators", {"originated_type": "Shipnotice"}),
    "notifications.events": (lambda c: c.notifications.events(), "/notification_events", {}),
    "notifications.subscriptions": (lambda c: c.notifications.subscriptions(), "/notification_subscriptions", {}),
}

LOOKUPS: dict[str, Use] = {
    "consumer_returns.by_original_id": lambda c: c.consumer_returns.by_original_id("5"),
    "consumer_returns.by_original_ids": lambda c: c.consumer_returns.by_original_ids(["5", "6"]),
    "items.by_sku": lambda c: c.items.by_sku(["A", "B"]),
    "items.by_barcode": lambda c: c.items.by_barcode(["4006381333931"]),
    "orders.by_original_id": lambda c: c.orders.by_original_id("900"),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_endpoint(colour: Colour, name: str) -> None:
    use, method, path, params, body, answer = ENDPOINTS[name]
    script = Script(reply(200, answer))
    colour.whiplash(script).call(use)
    assert (script.last.method, script.last.path, dict(script.last.params), script.sent_json) == (method, path, params, body)
    assert_allowed(script.last)


@pytest.mark.parametrize("name", LISTS)
def test_a_list(colour: Colour, name: str) -> None:
    use, path, params = LISTS[name]
    script = Script(reply(200, [{"id": 7}]))
    assert [row.id for row in colour.whiplash(script).rows(use)] == [7]
    assert (script.last.method, script.last.path) == ("GET", path)
    assert dict(script.last.params).items() >= ({"sort": "id asc"} | params | {"page": "1", "per_page": "250"}).items()
    assert_allowed(script.last)


@pytest.mark.parametrize("name", LOOKUPS)
def test_every_request_of_a_look_up_is_allowed(colour: Colour, name: str) -> None:
    script = Script(answer=lambda request: reply(200, []))
    assert colour.whiplash(script).call(LOOKUPS[name]) == []
    for request in script.requests:
        assert_allowed(request)


def assert_allowed(request: Request) -> None:
    """The request is one of the OpenAPI's, with parameters and a body its schemas take."""
    if request.path == "/me" or request.path.startswith("/order_items/"):
        return  # in the official gem and npm package, not in this copy of the OpenAPI
    openapi = json.loads(reference("whiplash-openapi.json").read_bytes())
    operation = _operation(openapi, request)
    known = {parameter["name"]: parameter for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
    assert set(request.params) <= set(known), request
    assert {name for name, parameter in known.items() if parameter.get("required")} <= set(request.params)
    for name, value in request.params.items():
        if known[name]["schema"]["type"] == "integer":
            assert value.isdigit()
    asked = operation.get("requestBody")
    if asked is None:
        assert request.body is None, request
        return
    schema = {"$ref": asked["content"]["application/json"]["schema"]["$ref"], "components": openapi["components"]}
    sent = json.loads(request.body or b"null")
    Draft202012Validator(schema).validate(sent)
    properties = openapi["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]].get("properties", {})
    assert set(sent) <= set(properties), request


def _operation(openapi: Any, request: Request) -> Any:
    for path, operations in openapi["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        if re.fullmatch(pattern, f"/api/v2{request.path}") and request.method.lower() in operations:
            exact = openapi["paths"].get(f"/api/v2{request.path}", {})
            return exact.get(request.method.lower(), operations[request.method.lower()])
    raise AssertionError(f"no operation {request.method} {request.path}")


def test_the_contract_test_would_notice() -> None:
    good = Request(method="POST", path="/consumer_returns", body=json.dumps(BODY).encode())
    assert_allowed(good)
    for bad in (
        Request(method="POST", path="/consumer_returns", body=b'{"requires_label": "no"}'),
        Request(method="GET", path="/consumer_returns/7/receipts"),
        Request(method="GET", path="/consumer_returns", params={"q": "x"}),
        Request(method="GET", path="/originators"),
    ):
        with pytest.raises(Exception):  # noqa: B017 - either kind of complaint will do
            assert_allowed(bad)


def test_every_public_method_is_in_one_of_these_tables(colour: Colour) -> None:
    client = colour.whiplash(Script()).client
    groups = ["consumer_returns", "items", "orders", "order_items", "originators", "notifications", "simulate"]
    methods = {f"{group}.{name}" for group in groups for name in dir(getattr(client, group)) if not name.startswith("_")}
    assert methods | {"me"} == ENDPOINTS.keys() | LISTS.keys() | LOOKUPS.keys()


def test_the_published_examples_are_read(colour: Colour) -> None:
    for name in ("v2_1_consumer_returns_list.json", "v2_orders_list.json"):
        rows = payload("whiplash", name)
        found = colour.whiplash(Script(reply(200, rows))).rows(
            lambda c, name=name: c.orders.list() if "orders" in name else c.consumer_returns.list()
        )
        assert [row.id for row in found] == list(dict.fromkeys(row["id"] for row in rows))
    one = payload("whiplash", "v2_consumer_return_in_transit.json")
    assert colour.whiplash(Script(reply(200, one))).call(lambda c: c.consumer_returns.get(one["id"])).id == one["id"]
    for name in ("single", "merch", "bundle", "packaging"):
        rows = payload("whiplash", f"v2_items_list_{name}.json")
        assert len(colour.whiplash(Script(reply(200, rows))).rows(lambda c: c.items.list())) == len(rows)
    order = payload("whiplash", "v2_order_processing.json")
    assert colour.whiplash(Script(reply(200, order))).call(lambda c: c.orders.get(order["id"])).id == order["id"]


def test_over_the_wire(colour: Colour, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=201, json=CONSUMER_RETURN)
    whiplash = colour.whiplash(customer_id=3545)
    made = whiplash.call(lambda c: c.consumer_returns.create(BODY))
    whiplash.close()
    assert isinstance(made, ConsumerReturn)
    request = httpx_mock.get_request()
    assert request is not None
    assert (request.method, str(request.url)) == ("POST", f"{WHIPLASH_URL}/consumer_returns")
    assert request.headers["authorization"] == "Bearer token-of-whiplash"
    assert request.headers["x-customer-id"] == "3545"
    assert request.headers["accept-version"] == "v2"
    assert "x-shop-id" not in request.headers
    assert json.loads(request.content) == BODY


def test_a_shop_id_is_sent_only_when_given(colour: Colour) -> None:
    script = Script(reply(200, {"count": 0}))
    colour.whiplash(script, shop_id=12).call(lambda c: c.items.count())
    assert script.last.headers["X-Shop-Id"] == "12"
    with pytest.raises(ConfigurationError):
        colour.whiplash(script, customer_id="a\r\nX-Evil: 1")


@pytest.mark.parametrize("changes", [{"status": 300}, {"shipnotice_items_attributes": []}, {}])
def test_what_an_update_cannot_change_is_refused_here(colour: Colour, changes: dict[str, Any]) -> None:
    script = Script()
    with pytest.raises(ConfigurationError):
        colour.whiplash(script).call(lambda c: c.consumer_returns.update(7, changes))
    assert script.requests == []


@pytest.mark.parametrize(("body", "count"), [({"count": 3}, 3), (3, 3), ({"count": "3"}, 3)])
def test_counts(colour: Colour, body: object, count: int) -> None:
    assert colour.whiplash(Script(reply(200, body))).call(lambda c: c.items.count()) == count


@pytest.mark.parametrize("body", [{"count": None}, {}, [], {"count": -1}, {"count": 1.5}, "x"])
def test_what_is_no_count(colour: Colour, body: object) -> None:
    with pytest.raises(DecodeError):
        colour.whiplash(Script(reply(200, body))).call(lambda c: c.items.count())


def test_an_error_under_200_is_an_error(colour: Colour) -> None:
    with pytest.raises(ActionRefused) as caught:
        colour.whiplash(Script(reply(200, {"error": "not_found"}))).call(lambda c: c.consumer_returns.get(7))
    assert caught.value.detail == "not_found"


def test_create_many_takes_a_list(colour: Colour) -> None:
    with pytest.raises(ConfigurationError):
        colour.whiplash(Script()).call(lambda c: c.consumer_returns.create_many(BODY))
    with pytest.raises(ConfigurationError):
        colour.whiplash(Script()).call(lambda c: c.consumer_returns.create_many([]))
