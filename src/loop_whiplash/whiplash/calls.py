"""Whiplash's endpoints (V2), one plain function each. Each returns a `Call`; a `Session` carries it out.

All are in the OpenAPI of https://developers.getwhiplash.com under the path named here, unless said otherwise. Lists are in
`loop_whiplash.whiplash.lists`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from loop_whiplash.decoding import Record
from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.call import Call, segment
from loop_whiplash.http.session import encode

from . import answers
from .models import (
    BundleItem,
    ConsumerReturn,
    Item,
    MetaFields,
    NotificationEvent,
    NotificationSubscription,
    Order,
    OrderItem,
    Scancode,
    User,
)

__all__ = [
    "count",
    "count_consumer_returns",
    "count_items",
    "count_notification_subscriptions",
    "count_order_items",
    "count_orders",
    "count_originators_of_item",
    "count_transactions",
    "create_consumer_return",
    "create_consumer_returns",
    "create_scancode",
    "delete_consumer_return",
    "get_consumer_return",
    "get_item",
    "get_me",
    "get_meta_fields",
    "get_notification_event",
    "get_notification_subscription",
    "get_order",
    "get_order_item",
    "list_bundle_items",
    "list_in_bundles",
    "set_meta_fields",
    "simulate_consumer_return",
    "simulate_consumer_return_processing",
    "subscribe",
    "test_subscription",
    "unsubscribe",
    "update_consumer_return",
    "update_subscription",
]

T = TypeVar("T", bound=Record)
Search = Mapping[str, Any]

#: What an update may name; the rest, status and lines above all, is the warehouse's.
UPDATABLE = frozenset(
    {
        "carrier", "eta", "notes_by_customer", "reference", "requires_label", "sender", "ship_3rdparty_cost", "shipping_label_url",
        "shipping_method_text", "total_boxes", "tracking",
    }
)  # fmt: skip


def search_param(search: Search | None) -> dict[str, str]:
    """``search`` as Whiplash takes it: one JSON object in the manner of Ransack (https://help.whiplash.com, article 360050407332)."""
    if not search:
        return {}
    if not isinstance(search, Mapping):
        raise ConfigurationError('search is a mapping of attribute and predicate to value, e.g. {"status_eq": 300}')
    return {"search": encode(search).decode()}


def _get(path: str, model: type[T]) -> Call[T]:
    return Call(system="whiplash", method="GET", path=path, decode=answers.one(model))


def _id(kind: str, number: int) -> str:
    return f"/{kind}/{segment(number, f'the id of {kind}')}"


def page(path: str, params: Mapping[str, str]) -> Call[list[Any]]:
    """One page of a list, its rows undecoded: `loop_whiplash.whiplash.lists` reads them one by one."""
    return Call(system="whiplash", method="GET", path=path, params=params, decode=answers.rows)


def count(path: str, search: Search | None = None) -> Call[int]:
    """``GET {path}/count``: how many rows a list has."""
    return Call(system="whiplash", method="GET", path=f"{path}/count", params=search_param(search), decode=answers.counted)


# ------------------------------------------------------------------------------------------------ consumer returns


def get_consumer_return(consumer_return_id: int) -> Call[ConsumerReturn]:
    """One consumer return, with what was counted. Raises `NotFound`. ``GET /consumer_returns/{id}``"""
    return _get(_id("consumer_returns", consumer_return_id), ConsumerReturn)


def create_consumer_return(body: Mapping[str, Any]) -> Call[ConsumerReturn]:
    """Announce one return. ``POST /consumer_returns``

    Args:
        body: `to_consumer_return` makes one. ``requires_label`` and ``shipnotice_items_attributes`` are required;
            ``originator_attributes.original_id`` is the only handle to find it by.

    Raises `OutcomeUnknown` when in doubt: look it up by its original id before anything else. `Conflict` when it exists.
    """
    return Call(system="whiplash", method="POST", path="/consumer_returns", json=dict(body), decode=answers.one(ConsumerReturn))


def create_consumer_returns(bodies: Sequence[Mapping[str, Any]]) -> Call[list[str]]:
    """Announce several at once; each must name its ``order_id``. Gives one text each, whose wording is not documented.

    How many one request may hold is not documented either. ``POST /consumer_returns/bulk``
    """
    if isinstance(bodies, Mapping) or not bodies:
        raise ConfigurationError("create_many takes a list with at least one body")
    json = {"resources": [dict(body) for body in bodies]}
    return Call(system="whiplash", method="POST", path="/consumer_returns/bulk", json=json, decode=answers.results)


def update_consumer_return(consumer_return_id: int, changes: Mapping[str, Any]) -> Call[ConsumerReturn]:
    """Change what may be changed: sender, eta, tracking, carrier, label, boxes, reference, notes. Never status, never lines.

    ``PUT /consumer_returns/{id}``
    """
    unknown = sorted(set(changes) - UPDATABLE)
    if unknown or not changes:
        raise ConfigurationError(
            f"a consumer return's {', '.join(unknown) or 'nothing'} cannot be updated; it may be: {', '.join(sorted(UPDATABLE))}"
        )
    path = _id("consumer_returns", consumer_return_id)
    return Call(system="whiplash", method="PUT", path=path, json=dict(changes), decode=answers.one(ConsumerReturn))


def delete_consumer_return(consumer_return_id: int) -> Call[None]:
    """Take an announcement back. Whether it works after arrival is not documented. ``DELETE /consumer_returns/{id}``"""
    return Call(system="whiplash", method="DELETE", path=_id("consumer_returns", consumer_return_id), decode=answers.done)


def count_consumer_returns(search: Search | None = None) -> Call[int]:
    """How many consumer returns fit a search. ``GET /consumer_returns/count``"""
    return count("/consumer_returns", search)


WithMetaFields = Literal["consumer_returns", "items", "orders"]


def get_meta_fields(kind: WithMetaFields, number: int, *, associations: Sequence[str] = ()) -> Call[MetaFields]:
    """Your own fields on an object. ``GET /{kind}/{id}/meta_fields``"""
    params = {"associations": ",".join(associations)} if associations else {}
    return Call(system="whiplash", method="GET", path=_id(kind, number) + "/meta_fields", params=params, decode=answers.one(MetaFields))


def set_meta_fields(
    kind: WithMetaFields, number: int, fields: Mapping[str, Any], *, association_fields: Mapping[str, Any] | None = None
) -> Call[None]:
    """Set your own fields; their keys must be configured for the account. ``PUT /{kind}/{id}/meta_fields``"""
    json: dict[str, Any] = {"fields": dict(fields)} | (
        {} if association_fields is None else {"association_fields": dict(association_fields)}
    )
    return Call(system="whiplash", method="PUT", path=_id(kind, number) + "/meta_fields", json=json, decode=answers.done)


# ------------------------------------------------------------------------------------------------- items and orders


def get_item(item_id: int) -> Call[Item]:
    """One item. ``GET /items/{id}``"""
    return _get(_id("items", item_id), Item)


def count_items(search: Search | None = None) -> Call[int]:
    """How many items fit a search. ``GET /items/count``"""
    return count("/items", search)


def count_originators_of_item(item_id: int, search: Search | None = None) -> Call[int]:
    """How many ids an item has elsewhere. ``GET /items/{id}/originators/count``"""
    return count(_id("items", item_id) + "/originators", search)


def count_transactions(item_id: int, search: Search | None = None) -> Call[int]:
    """How many movements of stock an item has. ``GET /items/{id}/transactions/count``"""
    return count(_id("items", item_id) + "/transactions", search)


def list_bundle_items(item_id: int) -> Call[list[BundleItem]]:
    """What a bundle is made of. ``GET /items/{id}/bundle_items``"""
    return Call(system="whiplash", method="GET", path=_id("items", item_id) + "/bundle_items", decode=answers.many(BundleItem))


def list_in_bundles(item_id: int) -> Call[list[BundleItem]]:
    """The bundles an item is part of. ``GET /items/{id}/in_bundles``"""
    return Call(system="whiplash", method="GET", path=_id("items", item_id) + "/in_bundles", decode=answers.many(BundleItem))


def create_scancode(*, item_id: int, name: str) -> Call[Scancode]:
    """Give an item a further barcode. ``POST /scancodes``"""
    return Call(system="whiplash", method="POST", path="/scancodes", json={"item_id": item_id, "name": name}, decode=answers.one(Scancode))


def get_order(order_id: int) -> Call[Order]:
    """One order, with its lines. ``GET /orders/{id}``"""
    return _get(_id("orders", order_id), Order)


def count_orders(search: Search | None = None) -> Call[int]:
    """How many orders fit a search. ``GET /orders/count``"""
    return count("/orders", search)


def count_order_items(order_id: int, search: Search | None = None) -> Call[int]:
    """How many lines an order has. ``GET /orders/{id}/order_items/count``"""
    return count(_id("orders", order_id) + "/order_items", search)


def get_order_item(order_item_id: int) -> Call[OrderItem]:
    """One line of an order. ``GET /order_items/{id}``, in the published V2 client though not in every copy of the OpenAPI."""
    return _get(_id("order_items", order_item_id), OrderItem)


# --------------------------------------------------------------------------------------------------- notifications


def get_notification_event(event_id: int) -> Call[NotificationEvent]:
    """One event that can be subscribed to. ``GET /notification_events/{id}``"""
    return _get(_id("notification_events", event_id), NotificationEvent)


def get_notification_subscription(subscription_id: int) -> Call[NotificationSubscription]:
    """One subscription. ``GET /notification_subscriptions/{id}``"""
    return _get(_id("notification_subscriptions", subscription_id), NotificationSubscription)


def count_notification_subscriptions(search: Search | None = None) -> Call[int]:
    """How many subscriptions fit a search. ``GET /notification_subscriptions/count``"""
    return count("/notification_subscriptions", search)


def subscribe(
    *,
    notification_event_id: int,
    endpoint: str,
    notification_type: str = "Webhook",
    active: bool = True,
    version: int = 2,
    customer_id: int | None = None,
    user_id: int | None = None,
) -> Call[NotificationSubscription]:
    """Subscribe an address to one event (their ids: `notification_events`). ``POST /notification_subscriptions``

    Args:
        notification_type: the OpenAPI speaks of "Slack and Webhook types" and names no value. version: payload style, 1 or 2.
    """
    body: dict[str, Any] = {
        "notification_event_id": notification_event_id, "notification_type": notification_type, "endpoint": endpoint,
        "active": active, "version": version, "customer_id": customer_id, "user_id": user_id,
    }  # fmt: skip
    json = {name: value for name, value in body.items() if value is not None}
    return Call(
        system="whiplash", method="POST", path="/notification_subscriptions", json=json, decode=answers.one(NotificationSubscription)
    )


def update_subscription(subscription_id: int, changes: Mapping[str, Any]) -> Call[NotificationSubscription]:
    """Change a subscription, e.g. ``{"active": True}`` after it was switched off. ``PUT /notification_subscriptions/{id}``"""
    path = _id("notification_subscriptions", subscription_id)
    return Call(system="whiplash", method="PUT", path=path, json=dict(changes), decode=answers.one(NotificationSubscription))


def unsubscribe(subscription_id: int) -> Call[None]:
    """Drop a subscription. ``DELETE /notification_subscriptions/{id}``"""
    return Call(system="whiplash", method="DELETE", path=_id("notification_subscriptions", subscription_id), decode=answers.done)


def test_subscription(subscription_id: int) -> Call[NotificationSubscription]:
    """Let Whiplash send a test. It is a GET with an effect, so it is not repeated. ``GET /notification_subscriptions/{id}/test``"""
    path = _id("notification_subscriptions", subscription_id) + "/test"
    return Call(system="whiplash", method="GET", path=path, decode=answers.one(NotificationSubscription), repeatable=False)


# -------------------------------------------------------------------------------------------------------- the rest


def get_me() -> Call[User]:
    """Whose token it is. ``GET /me``: the official Ruby gem's; not in the OpenAPI."""
    return _get("/me", User)


def simulate_consumer_return(consumer_return_id: int | None = None) -> Call[ConsumerReturn]:
    """Sandbox only: a consumer return with made-up data. What the id does is not documented. ``POST /simulate/consumer_returns/create``"""
    json = {} if consumer_return_id is None else {"consumer_return_id": consumer_return_id}
    return Call(system="whiplash", method="POST", path="/simulate/consumer_returns/create", json=json, decode=answers.one(ConsumerReturn))


def simulate_consumer_return_processing(consumer_return_id: int, *, finalize: bool = True) -> Call[ConsumerReturn]:
    """Sandbox only: receive it, and finish it with `finalize`. ``PUT /simulate/consumer_returns/{id}/processing``"""
    path = f"/simulate/consumer_returns/{segment(consumer_return_id, 'consumer_return_id')}/processing"
    return Call(system="whiplash", method="PUT", path=path, json={"finalize": finalize}, decode=answers.one(ConsumerReturn))
