"""The outbox of both vendors: what is signed, sent, sent again, or lost.

Neither vendor sends an event id, a time or an order. Loop tries six times and gives up at once on most 4xx; Whiplash tries ten
times and switches a subscription off after a hundred failures in a row.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import http.client
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import attrs

from loop_whiplash.errors import ConfigurationError

from .clock import Clock

__all__ = ["Delivery", "Message", "Outbox", "Receiver"]

LOOP_GIVES_UP = (400, 401, 403, 404, 405)
"""Statuses after which Loop never sends an event again; other failures are retried. https://docs.loopreturns.com/ (webhooks, retries)"""


@attrs.frozen(kw_only=True)
class Message:
    """One webhook on its way.

    `system`: ``loop`` or ``whiplash``. `headers` hold the signature. `attempt` counts from 1. `topic`: for people who read logs.
    """

    system: str
    topic: str
    return_id: int | None
    url: str
    body: bytes = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    attempt: int = 1
    due_at: datetime
    subscription_id: int = 0
    number: int = 0

    def __repr__(self) -> str:
        return f"<{self.system} {self.topic}{'' if self.return_id is None else f' of return {self.return_id}'}, attempt {self.attempt}>"


@attrs.frozen(kw_only=True)
class Delivery:
    """One attempt: the message and the status it was answered with; 0 when nobody answered."""

    message: Message
    status: int

    def __repr__(self) -> str:
        return f"{self.message!r}: {self.status}"


class Handles(Protocol):
    """Anything with the two handlers of an integration."""

    def handle_loop(self, body: bytes, headers: Mapping[str, str]) -> Any: ...

    def handle_whiplash(self, body: bytes, headers: Mapping[str, str]) -> Any: ...


Receiver = Handles | Callable[[Message], Any] | Mapping[str, str]


class Outbox:
    """Webhooks waiting to be delivered.

    Attributes:
        lost: True while every new webhook vanishes (an outage of days). fate: called for each new message, gives the delays in seconds
            after which copies of it are sent: ``[]`` loses it, ``[0, 9]`` sends it twice.
        given_up: messages that will never be sent again. failures: whiplash subscription id → failures in a row.
    """

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._waiting: list[tuple[datetime, int, Message]] = []
        self._number = 0
        self.lost = False
        self.fate: Callable[[Message], list[float]] = lambda message: [0.0]
        self.given_up: list[Message] = []
        self.failures: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Message) -> None:
        """A vendor sends. What becomes of it is up to `lost` and `fate`."""
        if self.lost:
            return
        for delay in self.fate(message):
            self._push(attrs.evolve(message, due_at=message.due_at + timedelta(seconds=delay)))

    def _push(self, message: Message) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (message.due_at, self._number, attrs.evolve(message, number=self._number)))

    def next_at(self) -> datetime | None:
        """When the next one is due, or None."""
        return self._waiting[0][0] if self._waiting else None

    def take(self) -> Message | None:
        """Take the next one that is due now off the queue; call `settle` with what it was answered."""
        if self._waiting and self._waiting[0][0] <= self._clock.now():
            return heapq.heappop(self._waiting)[2]
        return None

    def drop_all(self) -> int:
        """Lose everything that is waiting; gives how many."""
        count = len(self._waiting)
        self._waiting.clear()
        return count

    def settle(self, message: Message, status: int) -> None:
        """Tell what a delivery was answered with; a failed one is put back as the vendor would."""
        if 200 <= status < 300:
            self.failures[message.subscription_id] = 0
            return
        self.failures[message.subscription_id] = self.failures.get(message.subscription_id, 0) + 1
        tries = 6 if message.system == "loop" else 10
        if message.attempt >= tries or (message.system == "loop" and status in LOOP_GIVES_UP):
            self.given_up.append(message)
            return
        wait = 60.0 * 2.0 ** (message.attempt - 1) * (1 + 0.2 * self._rng.random())
        self._push(attrs.evolve(message, attempt=message.attempt + 1, due_at=self._clock.now() + timedelta(seconds=wait)))

    def deliver(self, receiver: Receiver) -> list[Delivery]:
        """Deliver all that is due now, and give each attempt.

        `receiver` is an integration (anything with `handle_loop` and `handle_whiplash`), a function of a `Message`, or the
        addresses to POST to, ``{"loop": "http://127.0.0.1:8000/loop", "whiplash": …}``. What a handler gives is a status, or has one
            as `.status`.
        """
        deliveries: list[Delivery] = []
        while (message := self.take()) is not None:
            status = _hand_over(message, receiver)
            self.settle(message, status)
            deliveries.append(Delivery(message=message, status=status))
        return deliveries


def _hand_over(message: Message, receiver: Receiver) -> int:
    if isinstance(receiver, Mapping):
        address = receiver.get(message.system)
        return 0 if address is None else post(address, message.body, message.headers)
    handler = getattr(receiver, f"handle_{message.system}", None)
    answer = handler(message.body, message.headers) if handler is not None else receiver(message)  # type: ignore[operator]
    if isinstance(answer, Awaitable):
        getattr(answer, "close", lambda: None)()
        raise ConfigurationError("this receiver is async: take webhooks one by one and await it, as async_integration_for() shows")
    return int(getattr(answer, "status", answer))


def post(address: str, body: bytes, headers: Mapping[str, str], *, timeout: float = 30.0) -> int:
    """POST to an address on this machine; 0 when nobody answers."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=timeout)
    try:
        connection.request("POST", parts.path or "/", body=body, headers=dict(headers))
        reply = connection.getresponse()
        reply.read()
        return reply.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def loop_headers(body: bytes, secret: str) -> dict[str, str]:
    """Base64 of the HMAC-SHA256 of the raw body, under the secret as UTF-8 text. https://docs.loopreturns.com/ (webhook validation)"""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"Content-Type": "application/json", "X-Loop-Signature": base64.b64encode(digest).decode()}


def whiplash_headers(body: bytes, secret: str) -> dict[str, str]:
    """Lower-case hex of the same. https://docs.getwhiplash.com/webhooks"""
    return {"Content-Type": "application/json", "X-WHIPLASH-SIGNATURE": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
