"""The fake Whiplash answers as its published specification and records do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.simulator import SimulatedReturn, World
from shared_reference import payload, reference


def ask(world: World, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None, **headers: str) -> Reply:
    raw = None if body is None else json.dumps(body).encode()
    given = {"Authorization": f"Bearer {world.token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return world.whiplash_transport().send(Request(method=method, path=path, params=params or {}, headers=given, body=raw))


def read(world: World, path: str, search: Mapping[str, object] | None = None, **params: str) -> Any:
    if search is not None:
        params["search"] = json.dumps(search)
    reply = ask(world, "GET", path, params)
    assert reply.status == 200, reply.body
    world.clock.advance(seconds=1)
    return json.loads(reply.body)


def draft(world: World, ret: SimulatedReturn, **more: object) -> dict[str, object]:
    counts = {sku: ret.skus.count(sku) for sku in ret.skus}
    lines = [
        {"item_id": world.catalogue.items_of(sku)[0].id, "quantity": count, "return_action": "refund", "description": "Too big"}
        for sku, count in counts.items()
    ]
    return {
        "requires_label": False,
        "order_id": ret.order.whiplash_id,
        "originator_attributes": {"original_id": str(ret.id)},
        "shipnotice_items_attributes": lines,
        **more,
    }


def create(world: World, ret: SimulatedReturn, **more: object) -> dict[str, Any]:
    reply = ask(world, "POST", "/consumer_returns", body=draft(world, ret, **more))
    assert reply.status == 201, reply.body
    made: dict[str, Any] = json.loads(reply.body)
    return made


@pytest.fixture
def world() -> World:
    return World(seed=12)


@pytest.fixture
def ret(world: World) -> SimulatedReturn:
    return world.shopper.submit_return(["SLATE-BOOT-M", "SLATE-BOOT-M", "OCHRE-SANDAL-S"])


# --------------------------------------------------------------------------------------------------- shapes


def keys_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: keys_of(each) for name, each in value.items() if isinstance(each, dict | list)} | {"": set(value)}
    return [keys_of(value[0])] if isinstance(value, list) and value else None


def test_a_consumer_return_has_exactly_the_keys_of_the_published_record(world: World, ret: SimulatedReturn) -> None:
    published = payload("whiplash", "v2_consumer_return_in_transit.json")
    made = create(world, ret)
    assert set(made) == set(published)
    assert set(made["return_items"][0]) == set(published["return_items"][0])
    assert set(made["originator"]) == set(published["originator"])
    assert set(made["warehouse"]) == set(published["warehouse"])
    assert (made["status"], made["status_name"]) == (published["status"], published["status_name"])
    assert made["originator"]["originated_type"] == published["originator"]["originated_type"] == "Shipnotice"


def test_orders_and_items_have_the_keys_of_the_published_records(world: World, ret: SimulatedReturn) -> None:
    order = read(world, "/orders", {"originator_original_id_eq": str(ret.order.shop_id)})[0]
    published = payload("whiplash", "v2_order_processing.json")
    assert set(published) - set(order) == set()
    assert set(order["order_items"][0]) == set(published["order_items"][0])
    assert set(read(world, "/items")[0]) == set(payload("whiplash", "v2_items_list_single.json")[0])


@pytest.fixture(scope="module")
def specification() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reference("whiplash-openapi.json").read_bytes())
    return found


def wrong(specification: Mapping[str, Any], schema: Mapping[str, Any], value: Any, path: str = "$") -> list[str]:
    """What of a value contradicts a schema of the specification; null is let through, the published records have it everywhere."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return wrong(specification, specification["components"]["schemas"][name], value, path)
    if value is None:
        return []
    allowed = schema.get("type", "object")
    allowed = allowed if isinstance(allowed, list) else [allowed]
    python = {"integer": int, "string": str, "boolean": bool, "array": list, "object": dict, "number": (int, float), "null": type(None)}
    if not any(isinstance(value, python[kind]) and not (kind == "integer" and isinstance(value, bool)) for kind in allowed):
        return [f"{path}: {type(value).__name__}, declared {'/'.join(allowed)}"]
    if isinstance(value, list):
        return [
            each for number, row in enumerate(value) for each in wrong(specification, schema.get("items", {}), row, f"{path}[{number}]")
        ]
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        return [each for name, row in value.items() if name in fields for each in wrong(specification, fields[name], row, f"{path}.{name}")]
    return []


# Where the published records themselves differ from the declared types; and the one list ("list associated originators", with
# pages) that is declared as a single object.
KNOWN = (".latitude", ".longitude", ".calculated_time_limit", "/originators: list, declared object")


def test_every_reply_is_of_the_type_the_specification_declares(world: World, ret: SimulatedReturn, specification: dict[str, Any]) -> None:
    create(world, ret)
    world.warehouse.receive(ret, damaged=1)
    item = world.catalogue.items[0].id
    notice = world.warehouse.rmas(ret)[0].id
    event = read(world, "/notification_events")[0]["id"]
    questions = {
        "/api/v2/consumer_returns": "/consumer_returns",
        "/api/v2/consumer_returns/count": "/consumer_returns/count",
        "/api/v2/consumer_returns/{id}": f"/consumer_returns/{notice}",
        "/api/v2/consumer_returns/{id}/meta_fields": f"/consumer_returns/{notice}/meta_fields",
        "/api/v2/items": "/items",
        "/api/v2/items/count": "/items/count",
        "/api/v2/items/{id}": f"/items/{item}",
        "/api/v2/items/{id}/originators": f"/items/{item}/originators",
        "/api/v2/items/{id}/scancodes": f"/items/{item}/scancodes",
        "/api/v2/items/{id}/transactions": f"/items/{world.warehouse.rmas(ret)[0].lines[0].item.id}/transactions",
        "/api/v2/orders": "/orders",
        "/api/v2/orders/{id}": f"/orders/{ret.order.whiplash_id}",
        "/api/v2/orders/{id}/order_items": f"/orders/{ret.order.whiplash_id}/order_items",
        "/api/v2/originators": "/originators",
        "/api/v2/notification_events": "/notification_events",
        "/api/v2/notification_events/{id}": f"/notification_events/{event}",
        "/api/v2/notification_subscriptions": "/notification_subscriptions",
        "/api/v2/notification_subscriptions/count": "/notification_subscriptions/count",
    }
    problems: list[str] = []
    for declared, path in questions.items():
        value = read(world, path, originated_type="Order") if path == "/originators" else read(world, path)
        assert value != [], path
        operation = specification["paths"][declared]["get"]
        schema = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
        found = wrong(specification, schema, value, path) if schema else []
        problems += [each for each in found if not any(name in each for name in KNOWN)]
    assert problems == []


def test_what_the_specification_requires_of_a_create_is_required(world: World, ret: SimulatedReturn, specification: dict[str, Any]) -> None:
    schema = specification["components"]["schemas"]["PostApiV2ConsumerReturnsRequest"]
    line = schema["properties"]["shipnotice_items_attributes"]["items"]
    for name in schema["required"]:
        body = draft(world, ret)
        del body[name]
        assert ask(world, "POST", "/consumer_returns", body=body).status == 422, name
    for name in line["required"]:
        body = draft(world, ret)
        del body["shipnotice_items_attributes"][0][name]  # type: ignore[index]
        assert ask(world, "POST", "/consumer_returns", body=body).status == 422, name
    assert world.truth.made == []


# -------------------------------------------------------------------------------------------------- create


def test_a_create_without_an_original_id_has_no_protection_and_with_one_only_if_the_account_refuses(
    world: World, ret: SimulatedReturn
) -> None:
    create(world, ret)
    create(world, ret)
    assert len(world.truth.rmas(ret.id)) == 2
    world.whiplash.manners.refuse_duplicates = True
    assert ask(world, "POST", "/consumer_returns", body=draft(world, ret)).status == 409
    assert len(world.truth.live_rmas(ret.id)) == 2


def test_unknown_items_orders_and_customers_are_not_found(world: World, ret: SimulatedReturn) -> None:
    body = draft(world, ret)
    body["shipnotice_items_attributes"][0]["item_id"] = 1  # type: ignore[index]
    reply = ask(world, "POST", "/consumer_returns", body=body)
    assert (reply.status, json.loads(reply.body)) == (404, {"message": "not_found"})
    assert ask(world, "POST", "/consumer_returns", body=draft(world, ret, order_id=1)).status == 404
    assert ask(world, "GET", "/items", X_Customer_Id="1").status == 404
    assert ask(world, "GET", "/items", X_Customer_Id=str(world.customer_id)).status == 200


def test_bulk_wants_an_order_id_and_answers_each(world: World, ret: SimulatedReturn) -> None:
    lonely = draft(world, ret)
    del lonely["order_id"]
    reply = ask(world, "POST", "/consumer_returns/bulk", body={"resources": [draft(world, ret), lonely]})
    assert reply.status == 201
    results = [row["result"] for row in json.loads(reply.body)]
    assert results == [str(world.truth.rmas(ret.id)[0]), "order_id is missing"]


def test_an_update_changes_neither_status_nor_lines(world: World, ret: SimulatedReturn) -> None:
    made = create(world, ret)
    body = {"tracking": "T-2", "status": 300, "shipnotice_items_attributes": []}
    changed = json.loads(ask(world, "PUT", f"/consumer_returns/{made['id']}", body=body).body)
    assert (changed["tracking"], changed["status"], len(changed["return_items"])) == ("T-2", 100, 2)


def test_only_what_never_arrived_can_be_deleted(world: World, ret: SimulatedReturn) -> None:
    first, second = create(world, ret), create(world, ret)
    assert ask(world, "DELETE", f"/consumer_returns/{first['id']}").status == 204
    assert ask(world, "GET", f"/consumer_returns/{first['id']}").status == 404
    world.warehouse.receive(ret)
    assert ask(world, "DELETE", f"/consumer_returns/{second['id']}").status == 422


# -------------------------------------------------------------------------------------------------- search


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


def test_predicates(world: World) -> None:
    rets = [world.shopper.submit_return(1) for _ in range(3)]
    made = []
    for ret in rets:
        made.append(create(world, ret)["id"])
        world.clock.advance(hours=1)
    one, two, three = made
    second = world.whiplash.notice(two)
    assert second is not None
    at = second.created_at.isoformat()

    def found(search: Mapping[str, object]) -> list[int]:
        return sorted(ids(read(world, "/consumer_returns", search)))

    keys = [str(ret.id) for ret in rets]
    assert found({"originator_original_id_eq": keys[0]}) == [one]
    assert found({"originator_original_id_in": keys[1:]}) == [two, three]
    assert found({"id_in": [one, three]}) == [one, three]
    assert found({"id_not_in": [one, three]}) == [two]
    assert found({"status_eq": "100"}) == made
    assert found({"status_not_eq": 100}) == []
    assert found({"created_at_gt": at}) == [three]
    assert found({"created_at_gteq": at}) == [two, three]
    assert found({"created_at_gteq": at[:19] + "Z", "created_at_lteq": at[:19] + ".999Z"}) == [two]
    assert found({"order_id_eq": rets[2].order.whiplash_id}) == [three]
    assert found({"originator_original_id_eq": keys[0], "order_id_eq": rets[2].order.whiplash_id}) == []
    assert found({"originator_original_id_eq": keys[0], "order_id_eq": rets[2].order.whiplash_id, "m": "or"}) == [one, three]
    assert found({"originator_original_id_cont": keys[0][3:]}) == [one]
    assert ask(world, "GET", "/consumer_returns", {"search": '{"colour_eq": 1}'}).status == 400
    assert ask(world, "GET", "/consumer_returns", {"search": "q[status_eq]=1"}).status == 400


def test_skus_are_not_unique_and_bar_codes_can_be_searched(world: World) -> None:
    variant = world.catalogue.add_variant(sku="TWICE", items=2)
    assert len(read(world, "/items", {"sku_in": ["TWICE", "NONE"]})) == 2
    assert len(read(world, "/items", {"scancode_in": [variant.barcode]})) == 2
    assert read(world, "/items/count", {"sku_eq": "TWICE"}) == {"count": 2}


def test_pages_are_bare_arrays_cut_at_250(world: World) -> None:
    for number in range(300):
        world.catalogue.add_variant(sku=f"BULK-{number}")
    assert len(read(world, "/items")) == 25
    assert len(read(world, "/items", per_page="1000")) == 250
    assert len(read(world, "/items", per_page="250", page="2")) == len(world.catalogue.items) - 250
    assert read(world, "/items", per_page="250", page="9") == []
    assert ids(read(world, "/items", sort="id desc", per_page="2")) == [world.catalogue.items[-1].id, world.catalogue.items[-2].id]
    assert set(read(world, "/items", fields="id,sku")[0]) == {"id", "sku"}


def test_search_runs_behind_and_reading_by_id_does_not(world: World, ret: SimulatedReturn) -> None:
    world.whiplash.manners.lag = (60.0, 60.0)
    made = create(world, ret)
    search = {"originator_original_id_eq": str(ret.id)}
    assert read(world, "/consumer_returns", search) == []
    assert read(world, f"/consumer_returns/{made['id']}")["id"] == made["id"]
    world.clock.advance(minutes=2)
    assert ids(read(world, "/consumer_returns", search)) == [made["id"]]
    world.warehouse.receive(ret)
    assert read(world, "/consumer_returns", search)[0]["status"] == 100
    assert read(world, f"/consumer_returns/{made['id']}")["status"] == 300


# ------------------------------------------------------------------------------------------------ receiving


def test_a_receipt_counts_good_damaged_short_extra_and_swapped(world: World, ret: SimulatedReturn) -> None:
    create(world, ret)
    notice = world.warehouse.receive(ret, short=0, damaged=1, extra=["MOSS-PARKA-L"], substitute={"OCHRE-SANDAL-S": "OCHRE-SANDAL-M"})
    counts = {line.item.sku: (line.quantity, line.good, line.damaged) for line in notice.lines}
    assert counts == {
        "SLATE-BOOT-M": (2, 1, 1),
        "OCHRE-SANDAL-S": (1, 0, 0),
        "OCHRE-SANDAL-M": (0, 1, 0),
        "MOSS-PARKA-L": (0, 1, 0),
    }
    assert notice.status == 300
    assert notice.completed_at == world.clock.now()


def test_half_a_box_stays_open_and_the_rest_is_counted_later(world: World, ret: SimulatedReturn) -> None:
    create(world, ret)
    half = world.warehouse.receive(ret, half=True)
    assert (half.status, sum(line.counted for line in half.lines)) == (200, 2)
    whole = world.warehouse.receive(ret)
    assert (whole.status, sum(line.counted for line in whole.lines)) == (300, 3)


def test_parcels_of_one_return_are_counted_one_by_one(world: World) -> None:
    ret = world.shopper.submit_return(["SLATE-BOOT-M", "OCHRE-SANDAL-S"], parcels=2)
    create(world, ret)
    first = world.warehouse.receive(ret, parcel=0, complete=False)
    assert sum(line.counted for line in first.lines) == 1
    assert sum(line.counted for line in world.warehouse.receive(ret, parcel=1).lines) == 2


def test_completed_can_be_reopened_and_counted_again(world: World, ret: SimulatedReturn) -> None:
    create(world, ret)
    world.warehouse.receive(ret, short=1)
    assert world.warehouse.reopen(ret).status == 200
    world.warehouse.recount(ret, {"OCHRE-SANDAL-S": (1, 0)})
    assert world.warehouse.complete(ret).status == 300
    events = [delivery.message.topic for delivery in world.deliver(lambda message: 200)]
    assert events.count("consumer_return.completed") == 2


def test_what_nobody_announced_is_unexpected_and_carries_no_original_id(world: World) -> None:
    ret = world.shopper.submit_return(1)
    notice = world.warehouse.receive(ret)
    assert (notice.original_id, notice.tracking, notice.status) == (None, ret.labels[0].tracking, 300)
    assert "consumer_return.unexpected" in [each.message.topic for each in world.deliver(lambda message: 200)]
    assert world.truth.rmas(ret.id) == []


def test_a_notice_that_never_arrives_is_deleted_37_days_after_its_eta(world: World, ret: SimulatedReturn) -> None:
    made = create(world, ret, eta=world.clock.now().isoformat())
    world.clock.advance(days=30)
    notice = world.whiplash.notice(made["id"])
    assert notice is not None
    assert notice.status == 105
    world.clock.advance(days=7)
    assert world.whiplash.notice(made["id"]) is None
    assert world.truth.live_rmas(ret.id) == []


# ----------------------------------------------------------------------------------------- tokens and limits


def token(world: World, refresh: str) -> Reply:
    manners = world.whiplash.manners
    body = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": manners.client_id, "client_secret": manners.client_secret}
    request = Request(method="POST", path="/oauth/token", body=json.dumps(body).encode())
    return world.whiplash_transport().send(request)


def test_a_refresh_token_works_once_and_the_access_token_two_hours(world: World) -> None:
    first = json.loads(token(world, "refresh-1").body)
    assert set(first) == set(payload("whiplash", "oauth_token_response.json"))
    assert token(world, "refresh-1").status == 400, "another worker has rotated it"
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    request = Request(method="GET", path="/me", headers=bearer)
    assert world.whiplash_transport().send(request).status == 200
    world.clock.advance(hours=2)
    assert world.whiplash_transport().send(request).status == 401
    assert token(world, first["refresh_token"]).status == 200


def test_the_eleventh_request_of_a_second_is_refused(world: World) -> None:
    assert [ask(world, "GET", "/me").status for _ in range(11)] == [200] * 10 + [429]
    world.clock.advance(seconds=1)
    assert ask(world, "GET", "/me").status == 200
    assert world.truth.over_limit["whiplash"] == 1
    assert world.truth.busiest["whiplash"] == 10


@pytest.mark.parametrize(("key", "body"), [("message", "not_found"), ("error", "not_found"), ("errors", ["not_found"])])
def test_errors_come_in_three_envelopes(world: World, key: str, body: object) -> None:
    world.whiplash.manners.error_key = key
    assert json.loads(ask(world, "GET", "/items/1").body) == {key: body}


def test_subscriptions_are_by_event(world: World, ret: SimulatedReturn) -> None:
    event = next(row for row in read(world, "/notification_events") if row["name"] == "consumer_return.created")
    world.whiplash.subscriptions.clear()
    reply = ask(world, "POST", "/notification_subscriptions", body={"notification_event_id": event["id"], "endpoint": "https://x.example"})
    assert reply.status == 201
    create(world, ret)
    world.warehouse.receive(ret)
    assert [each.message.topic for each in world.deliver(lambda message: 200)][-1:] == ["consumer_return.created"]
    number = json.loads(reply.body)["id"]
    assert ask(world, "DELETE", f"/notification_subscriptions/{number}").status == 204
    assert read(world, "/notification_subscriptions") == []


def test_the_sandboxs_simulate_calls(world: World) -> None:
    made = json.loads(ask(world, "POST", "/simulate/consumer_returns/create", body={}).body)
    done = json.loads(ask(world, "PUT", f"/simulate/consumer_returns/{made['id']}/processing", body={"finalize": True}).body)
    assert (made["status"], done["status"], done["return_items"][0]["quantity_good"]) == (100, 300, 1)
