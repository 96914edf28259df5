"""What type checkers make of both clients in both colours: run mypy --strict and pyright over this file, not Python."""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any, assert_type

from loop_whiplash import (
    AsnRow,
    Assessment,
    AsyncLoopClient,
    AsyncWhiplashClient,
    Attempt,
    Bearer,
    BundleItem,
    ConsumerReturn,
    Destination,
    Grade,
    Item,
    Limiter,
    LineItem,
    LoopClient,
    MemoryTokenStore,
    MetaFields,
    Note,
    NotificationEvent,
    NotificationSubscription,
    OAuth,
    Order,
    OrderItem,
    Originator,
    RateLimit,
    Reply,
    Retry,
    Return,
    Scancode,
    SQLiteTokenStore,
    Token,
    TokenStore,
    Transaction,
    User,
    WebhookSubscription,
    WhiplashClient,
)
from loop_whiplash.loop.answers import QrCode


def loop_sync(loop: LoopClient, at: datetime) -> None:
    assert_type(loop.returns.get(5), Return)
    assert_type(loop.returns.get(5, currency_type="presentment"), Return)
    assert_type(loop.returns.find(order_name="#1"), list[Return])
    assert_type(loop.returns.list(at, at, by="created_at"), Generator[Return, None, None])
    for each in loop.returns.list(at, at):
        assert_type(each, Return)
    assert_type(loop.returns.process(5, {"trace": "t-1"}), None)
    assert_type(loop.returns.flag(5), None)
    assert_type(loop.returns.cancel(5), None)
    assert_type(loop.returns.close(5), None)
    assert_type(loop.returns.remove_line_items_and_process(5, [7, "8"]), None)
    assert_type(loop.returns.notes(5), list[Note])
    assert_type(loop.returns.add_note(5, "seen"), None)
    assert_type(loop.returns.asn(at, at), list[AsnRow])
    assert_type(loop.returns.deep_link(name="#1", zip="3511"), str)
    assert_type(loop.returns.qr_code(name="#1", zip="3511"), QrCode)
    assert_type(loop.grading.grade([Grade(line_item_id=7, description="", condition_category="grade_a")]), list[Mapping[str, Any]])
    assert_type(loop.grading.assess([Assessment(line_item_id=7, disposition_outcome="donate")]), list[Mapping[str, Any]])
    assert_type(loop.webhooks.list(), list[WebhookSubscription])
    assert_type(loop.webhooks.create(topic="return", trigger="label.updated", url="https://me.example/"), WebhookSubscription)
    assert_type(loop.webhooks.update(5, topic="return", trigger="label.updated", url="https://me.example/", status="inactive"), None)
    assert_type(loop.webhooks.delete(5), None)
    assert_type(loop.destinations.list(), list[Destination])
    assert_type(loop.destinations.get(5), Destination)
    assert_type(loop.destinations.create({"name": "Venlo"}), Destination)
    assert_type(loop.request("GET", "/label-requests"), Reply)
    assert_type(loop.replies(), AbstractContextManager[list[Reply]])
    assert_type(loop.with_options(timeout=5), LoopClient)
    with loop as same:
        assert_type(same, LoopClient)


async def loop_async(loop: AsyncLoopClient, at: datetime) -> None:
    assert_type(await loop.returns.get(5), Return)
    assert_type(await loop.returns.find(order_name="#1"), list[Return])
    assert_type(loop.returns.list(at, at), AsyncGenerator[Return, None])
    async for each in loop.returns.list(at, at):
        assert_type(each, Return)
    assert_type(await loop.returns.process(5), None)
    assert_type(await loop.returns.notes(5), list[Note])
    assert_type(await loop.returns.asn(at, at), list[AsnRow])
    assert_type(await loop.grading.grade([]), list[Mapping[str, Any]])
    assert_type(await loop.webhooks.list(), list[WebhookSubscription])
    assert_type(await loop.destinations.list(), list[Destination])
    assert_type(await loop.request("GET", "/label-requests"), Reply)
    assert_type(loop.with_options(timeout=5), AsyncLoopClient)
    async with loop as same:
        assert_type(same, AsyncLoopClient)


def whiplash_sync(whiplash: WhiplashClient) -> None:
    assert_type(whiplash.consumer_returns.list({"status_eq": 300}), Generator[ConsumerReturn, None, None])
    assert_type(whiplash.consumer_returns.get(5), ConsumerReturn)
    assert_type(whiplash.consumer_returns.create({"requires_label": False}), ConsumerReturn)
    assert_type(whiplash.consumer_returns.create_many([{}]), list[str])
    assert_type(whiplash.consumer_returns.update(5, {"tracking": "T"}), ConsumerReturn)
    assert_type(whiplash.consumer_returns.delete(5), None)
    assert_type(whiplash.consumer_returns.count(), int)
    assert_type(whiplash.consumer_returns.by_original_id("5"), list[ConsumerReturn])
    assert_type(whiplash.consumer_returns.by_original_ids(["5"]), list[ConsumerReturn])
    assert_type(whiplash.consumer_returns.meta_fields(5), MetaFields)
    assert_type(whiplash.consumer_returns.set_meta_fields(5, {}), None)
    assert_type(whiplash.items.list(sort="sku asc"), Generator[Item, None, None])
    assert_type(whiplash.items.get(5), Item)
    assert_type(whiplash.items.by_sku(["A"]), list[Item])
    assert_type(whiplash.items.by_barcode(["4"]), list[Item])
    assert_type(whiplash.items.originators(5), Generator[Originator, None, None])
    assert_type(whiplash.items.scancodes(5), Generator[Scancode, None, None])
    assert_type(whiplash.items.create_scancode(item_id=5, name="4"), Scancode)
    assert_type(whiplash.items.bundle_items(5), list[BundleItem])
    assert_type(whiplash.items.transactions(5), Generator[Transaction, None, None])
    assert_type(whiplash.orders.by_original_id("5"), list[Order])
    assert_type(whiplash.orders.get(5), Order)
    assert_type(whiplash.orders.items(5), Generator[OrderItem, None, None])
    assert_type(whiplash.order_items.get(5), OrderItem)
    assert_type(whiplash.originators.list("Shipnotice"), Generator[Originator, None, None])
    assert_type(whiplash.notifications.events(), Generator[NotificationEvent, None, None])
    assert_type(whiplash.notifications.subscribe(notification_event_id=1, endpoint="https://me.example/"), NotificationSubscription)
    assert_type(whiplash.simulate.create_consumer_return(), ConsumerReturn)
    assert_type(whiplash.me(), User)
    assert_type(whiplash.exchange_code("c", redirect_uri="https://me.example/"), Token)
    assert_type(whiplash.with_options(retry=Retry(attempts=1)), WhiplashClient)


async def whiplash_async(whiplash: AsyncWhiplashClient) -> None:
    assert_type(whiplash.consumer_returns.list(), AsyncGenerator[ConsumerReturn, None])
    assert_type(await whiplash.consumer_returns.get(5), ConsumerReturn)
    assert_type(await whiplash.consumer_returns.by_original_id("5"), list[ConsumerReturn])
    assert_type(await whiplash.consumer_returns.count(), int)
    assert_type(await whiplash.items.by_sku(["A"]), list[Item])
    assert_type(await whiplash.orders.by_original_id("5"), list[Order])
    assert_type(await whiplash.me(), User)
    assert_type(await whiplash.exchange_code("c", redirect_uri="https://me.example/"), Token)


def values(return_: Return, line: LineItem, consumer_return: ConsumerReturn) -> None:
    assert_type(return_.id, int)
    assert_type(return_.state, str | None)
    assert_type(return_.refund, Decimal | None)
    assert_type(return_.created_at, datetime | None)
    assert_type(return_.line_items, tuple[LineItem, ...])
    assert_type(return_.raw, Mapping[str, Any])
    assert_type(line.line_item_id, str)
    assert_type(consumer_return.status, int | None)
    assert_type(consumer_return.return_items[0].quantity_good, int)
    assert_type(Return.from_dict({}), Return)
    assert_type(ConsumerReturn.from_json(b""), ConsumerReturn)


def told(attempt: Attempt) -> None:
    assert_type(attempt.status, int | None)


def options(store: TokenStore, limiter: Limiter) -> None:
    LoopClient("key", limiter=RateLimit(300, 60), retry=Retry(budget=10), hooks=[told])
    LoopClient(Bearer(lambda: "token"), limiter=limiter)
    WhiplashClient(OAuth(client_id="a", client_secret="b", store=store), customer_id=5)
    stores: list[TokenStore] = [MemoryTokenStore(), SQLiteTokenStore("tokens.db")]
    assert_type(stores[0].load(), Token | None)


def mistakes(loop: LoopClient, other: AsyncLoopClient, at: datetime) -> None:
    loop.returns.get("5")  # type: ignore[arg-type]
    loop.returns.get()  # type: ignore[call-arg]
    loop.returns.list(at, at, by="closed_at")  # type: ignore[arg-type]
    loop.returns.process(5, note="x")  # type: ignore[call-arg]
    loop.returns.proces(5)  # type: ignore[attr-defined]
    loop.request("PATCH", "/x")  # type: ignore[arg-type]
    for _ in other.returns.list(at, at):  # type: ignore[attr-defined]
        pass
    Return.from_dict({}).id = 5  # type: ignore[misc]
    WhiplashClient(5)  # type: ignore[arg-type]
