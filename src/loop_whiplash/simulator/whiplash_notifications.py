"""Who is told of what by the fake Whiplash: its events, and the subscriptions to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from .clock import Clock
from .trouble import Trouble, number_of
from .whiplash import EVENTS, NotificationHook, Whiplash
from .whiplash_shapes import stamp

__all__ = ["Notifications"]


class Notifications:
    """Below ``/notification_events`` and ``/notification_subscriptions``."""

    def __init__(self, whiplash: Whiplash, clock: Clock) -> None:
        self._whiplash = whiplash
        self._clock = clock

    def answer(self, method: str, parts: Sequence[str], body: Any) -> tuple[int, object]:
        """All that is asked of events and subscriptions."""
        hooks = self._whiplash.subscriptions
        match method, list(parts):
            case "GET", ["notification_events"]:
                return 200, [_event(number) for number in range(31, 31 + len(EVENTS))]
            case "GET", ["notification_events", number] if 31 <= number_of(number) < 31 + len(EVENTS):
                return 200, _event(number_of(number))
            case "GET", ["notification_subscriptions"]:
                return 200, [self._hook(hook) for hook in hooks if hook.discarded_at is None]
            case "GET", ["notification_subscriptions", "count"]:
                return 200, {"count": sum(hook.discarded_at is None for hook in hooks)}
            case "POST", ["notification_subscriptions"]:
                hook = NotificationHook(id=8_500 + len(hooks), event="", endpoint="")
                self._write_hook(hook, body)
                if not hook.event or not hook.endpoint:
                    raise Trouble(422, "notification_event_id is missing, endpoint is missing")
                hooks.append(hook)
                return 201, self._hook(hook)
            case _, ["notification_subscriptions", number, *rest]:
                found = next((hook for hook in hooks if str(hook.id) == number and hook.discarded_at is None), None)
                if found is None or rest not in ([], ["test"]):
                    raise Trouble(404, "not_found")
                if method == "PUT" and not rest:
                    self._write_hook(found, body)
                elif method == "DELETE" and not rest:
                    found.discarded_at = self._clock.now()
                    return 204, None
                return 200, self._hook(found)
        raise Trouble(404, "not_found")

    def _write_hook(self, hook: NotificationHook, body: Any) -> None:
        given = body if isinstance(body, dict) else {}
        number = given.get("notification_event_id")
        if isinstance(number, int) and 31 <= number < 31 + len(EVENTS):
            hook.event = EVENTS[number - 31]
        if isinstance(given.get("endpoint"), str):
            hook.endpoint = given["endpoint"]
        if isinstance(given.get("active"), bool):
            hook.active = given["active"]

    def _hook(self, hook: NotificationHook) -> dict[str, object]:
        began = stamp(datetime(2026, 1, 1, tzinfo=UTC))
        return {
            "id": hook.id,
            "notification_event_id": 31 + EVENTS.index(hook.event),
            "customer_id": self._whiplash.customer_id,
            "user_id": 71,
            "notification_type": "Webhook",
            "endpoint": hook.endpoint,
            "active": hook.active,
            "version": 2,
            "created_at": began,
            "updated_at": began,
            "discarded_at": stamp(hook.discarded_at),
            "user": None,
        }


def _event(number: int) -> dict[str, object]:
    name = EVENTS[number - 31]
    began = stamp(datetime(2020, 1, 1, tzinfo=UTC))
    human = name.replace("_", " ").replace(".", " ").title()
    kind = {"consumer_return": "ConsumerReturn", "item": "Item", "order": "Order"}[name.split(".")[0]]
    return {
        "id": number,
        "name": name,
        "humanized_name": human,
        "resource_type": kind,
        "resource_message": None,
        "requires_subscription": True,
        "description": human,
        "created_at": began,
        "updated_at": began,
    }
