"""A Whiplash that remembers and counts: consumer returns and what is received on them. Requests and replies are in `whiplash_api`.

Every change makes a new version of a notice. Reading by id gives the newest at once; searching gives the newest that the
search index has caught up with, which may be minutes behind (`WhiplashManners.lag`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs

from .catalogue import Catalogue, Item, Order
from .clock import Clock
from .truth import Made, Truth
from .webhooks import Message, Outbox, whiplash_headers
from .whiplash_shapes import consumer_return_row, order_row

__all__ = ["EVENTS", "Notice", "NoticeLine", "NotificationHook", "Whiplash", "WhiplashManners"]

EVENTS = (
    "consumer_return.completed",
    "consumer_return.created",
    "consumer_return.deleted",
    "consumer_return.status_changed",
    "consumer_return.unexpected",
    "item.inventory_received",
    "order.shipped",
)
"""Event ids are 31, 32, … in this order. https://docs.getwhiplash.com/webhooks"""

ARRIVED, PROCESSING, COMPLETED, IN_TRANSIT, DRAFT, UNEXPECTED, NEVER_RECEIVED = 150, 200, 300, 100, 50, 25, 105


@attrs.frozen(kw_only=True)
class NoticeLine:
    """One line: announced `quantity`, counted `good` and `damaged`."""

    id: int
    item: Item
    quantity: int
    good: int = 0
    damaged: int = 0
    description: str = ""
    extended_description: str | None = None
    return_action: str | None = None

    @property
    def counted(self) -> int:
        """Units received in any condition."""
        return self.good + self.damaged


@attrs.frozen(kw_only=True)
class Notice:
    """One consumer return, at one moment."""

    id: int
    lines: tuple[NoticeLine, ...]
    status: int
    created_at: datetime
    updated_at: datetime
    originator_id: int
    original_id: str | None = None
    group_id: str | None = None
    misc: str | None = None
    originated_type: str = "Shipnotice"
    tied: bool = True
    order_id: int | None = None
    warehouse_id: int = 1
    sender: str | None = None
    eta: datetime | None = None
    carrier: str | None = None
    tracking: str | None = None
    reference: str | None = None
    requires_label: bool = False
    arrived_at: datetime | None = None
    delivered_at: datetime | None = None
    completed_at: datetime | None = None
    total_boxes: int | None = None
    notes_by_customer: str | None = None
    notes_by_whiplash: str | None = None
    shipping_label_url: str | None = None
    shipping_method_text: str | None = None
    meta: dict[str, Any] | None = None

    def __repr__(self) -> str:
        counted, announced = sum(line.counted for line in self.lines), sum(line.quantity for line in self.lines)
        return f"<RMA {self.id} of {self.original_id}: status {self.status}, {counted} counted of {announced}>"


@attrs.define(kw_only=True)
class NotificationHook:
    """One event, one address."""

    id: int
    event: str
    endpoint: str
    active: bool = True
    discarded_at: datetime | None = None


@attrs.define(kw_only=True)
class WhiplashManners:
    """How this Whiplash behaves.

    Attributes:
        tokens: bearer tokens that are let in (OAuth adds its own). client_id, client_secret: of the OAuth application. refresh_token:
            the current one.
        token_life: seconds an OAuth token lives. rotate_refresh: a refresh token works once and the answer holds the next.
        webhook_secret: what webhooks are signed with (client secret or API key).
        refuse_duplicates: answer 409 to a create whose `original_id` exists.
        lag: seconds by which search runs behind, least and most, drawn anew for each change.
        originated_type: what an originator of a consumer return says it belongs to: ``Shipnotice`` (published) or ``ConsumerReturn``
            (documented).
        tied: originators carry `originated_id`.
        rate_limit: requests a second. retry_after: seconds put in that header of a 429, or None.
        nested: consumer returns hold the whole order, customer and warehouse. error_key: ``message``, ``error`` or ``errors``.
        totals: page totals and links are answered in headers when asked for.
    """

    tokens: list[str] = attrs.field(factory=lambda: ["whiplash-token"])
    client_id: str = "client-id"
    client_secret: str = "whiplash-client-secret"
    refresh_token: str = "refresh-1"
    token_life: float = 7200.0
    rotate_refresh: bool = True
    webhook_secret: str = "whiplash-webhook-secret"
    refuse_duplicates: bool = False
    lag: tuple[float, float] = (0.0, 0.0)
    originated_type: str = "Shipnotice"
    tied: bool = True
    rate_limit: int = 10
    retry_after: int | None = None
    nested: bool = True
    error_key: str = "message"
    totals: bool = True


class Whiplash:
    """One customer's Whiplash.

    Attributes:
        manners: how it behaves. customer_id: whose account it is. subscriptions: who gets webhooks.
    """

    def __init__(self, clock: Clock, rng: random.Random, truth: Truth, outbox: Outbox, catalogue: Catalogue) -> None:
        self._clock = clock
        self._rng = rng
        self._truth = truth
        self._outbox = outbox
        self.catalogue = catalogue
        self.manners: WhiplashManners = WhiplashManners()
        self.customer_id: int = rng.randrange(200, 9_000)
        self.subscriptions: list[NotificationHook] = [
            NotificationHook(id=number, event=event, endpoint="https://receiver.example/whiplash")
            for number, event in enumerate(EVENTS[:5], start=8_101)
        ]
        self._versions: dict[int, list[tuple[datetime, Notice | None]]] = {}
        self._notice_id = rng.randrange(150_000, 400_000)
        self._line_id = rng.randrange(900_000, 2_000_000)
        self._orders: dict[int, dict[str, Any]] = {}

    # ------------------------------------------------------------------------------------------------ reading

    def notice(self, notice_id: int) -> Notice | None:
        """The newest version, or None if it never was or is gone."""
        versions = self._versions.get(notice_id)
        return versions[-1][1] if versions else None

    def notices(self) -> list[Notice]:
        """The newest version of all that exist."""
        return [versions[-1][1] for versions in self._versions.values() if versions[-1][1] is not None]

    def versions(self) -> list[list[tuple[datetime, Notice | None]]]:
        """Every version of everything there ever was, oldest first, each with the time from which search shows it; None: deleted."""
        return list(self._versions.values())

    def indexed(self) -> list[Notice]:
        """All that search finds now."""
        now = self._clock.now()
        found: list[Notice] = []
        for versions in self._versions.values():
            newest = next((notice for visible_at, notice in reversed(versions) if visible_at <= now), None)
            if newest is not None:
                found.append(newest)
        return found

    def order(self, whiplash_id: int | None) -> dict[str, Any] | None:
        """The order as written down; the same object each time."""
        if whiplash_id is None:
            return None
        if whiplash_id not in self._orders:
            order = self.catalogue.order_by_whiplash_id(whiplash_id)
            if order is None:
                return None
            self._orders[whiplash_id] = order_row(order, customer_id=self.customer_id)
        return self._orders[whiplash_id]

    def row(self, notice: Notice) -> dict[str, Any]:
        """A notice as written down."""
        order = self.order(notice.order_id) if self.manners.nested else None
        return consumer_return_row(notice, customer_id=self.customer_id, order=order, nested=self.manners.nested)

    # ----------------------------------------------------------------------------------------------- changing

    def _put(self, notice_id: int, notice: Notice | None) -> None:
        least, most = self.manners.lag
        delay = least + (most - least) * self._rng.random() if most > 0 else 0.0
        versions = self._versions.setdefault(notice_id, [])
        visible = self._clock.now() + timedelta(seconds=delay)
        if versions:
            visible = max(visible, versions[-1][0])
        versions.append((visible, notice))

    def new_line(self, item: Item, quantity: int, **more: Any) -> NoticeLine:
        """A line with an id of its own."""
        self._line_id += 1
        return NoticeLine(id=self._line_id, item=item, quantity=quantity, **more)

    def create(self, *, lines: Iterable[NoticeLine], by: str = "api", return_id: int | None = None, **fields: Any) -> Notice:
        """A consumer return comes into being. `return_id` is for the record of the truth only."""
        self._notice_id += self._rng.randrange(1, 9)
        now = self._clock.now()
        notice = Notice(
            id=self._notice_id,
            lines=tuple(lines),
            created_at=now,
            updated_at=now,
            originator_id=5_000_000 + self._notice_id,
            originated_type=self.manners.originated_type,
            tied=self.manners.tied,
            **fields,
        )
        self._put(notice.id, notice)
        self._truth.made.append(Made(consumer_return_id=notice.id, return_id=return_id, original_id=notice.original_id, at=now, by=by))
        self.emit("consumer_return.unexpected" if notice.status == UNEXPECTED else "consumer_return.created", notice)
        self._watch_for_never(notice)
        return notice

    def change(self, notice: Notice, **changes: Any) -> Notice:
        """Store a changed notice; a change of status is told to who listens."""
        before = notice.status
        notice = attrs.evolve(notice, updated_at=self._clock.now(), **changes)
        self._put(notice.id, notice)
        if notice.status != before:
            self.emit("consumer_return.status_changed", notice)
            if notice.status == COMPLETED:
                self.emit("consumer_return.completed", notice)
        return notice

    def delete(self, notice: Notice, *, by: str = "warehouse") -> None:
        """It is gone; reading by id says so at once, search when it catches up. `by`: ``api`` or ``warehouse``."""
        self._put(notice.id, None)
        self._truth.deleted[notice.id] = self._clock.now()
        if by == "api":
            self._truth.deleted_by_api[notice.id] = self._clock.now()
        self.emit("consumer_return.deleted", notice)

    def _watch_for_never(self, notice: Notice) -> None:
        """30 days after its `eta` a notice that never arrived reads Never Received; a week later it is deleted."""
        if notice.eta is None:
            return

        def never() -> None:
            current = self.notice(notice.id)
            if current is not None and current.status in (DRAFT, IN_TRANSIT):
                self.change(current, status=NEVER_RECEIVED)
                self._clock.after(7 * 86_400.0, gone)

        def gone() -> None:
            current = self.notice(notice.id)
            if current is not None and current.status == NEVER_RECEIVED:
                self.delete(current)

        self._clock.at(notice.eta + timedelta(days=30), never)

    def emit(self, event: str, notice: Notice) -> None:
        """Send the webhooks of one event to all who asked for it."""
        for hook in self.subscriptions:
            if hook.event != event or not hook.active or hook.discarded_at is not None:
                continue
            if self._outbox.failures.get(hook.id, 0) >= 100:
                hook.active = False
                continue
            raw = json.dumps({"consumer_return": self.row(notice), "event_name": event}).encode()
            self._outbox.put(
                Message(
                    system="whiplash",
                    topic=event,
                    return_id=None,
                    url=hook.endpoint,
                    body=raw,
                    headers=whiplash_headers(raw, self.manners.webhook_secret),
                    due_at=self._clock.now(),
                    subscription_id=hook.id,
                )
            )

    def orders(self) -> list[Order]:
        """Orders that Whiplash shipped."""
        return [order for order in self.catalogue.orders if order.whiplash_id is not None]
