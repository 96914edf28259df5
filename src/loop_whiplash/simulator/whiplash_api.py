"""Whiplash's HTTP face, V2: a request in, a reply out. Who is let in, and which part of it answers."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from loop_whiplash.http.flow import Reply, Request

from .clock import Clock
from .search import BadSearch
from .trouble import Trouble
from .truth import Truth
from .whiplash import Whiplash
from .whiplash_lists import Lists
from .whiplash_notifications import Notifications
from .whiplash_writes import Writes

__all__ = ["WhiplashApi"]

USER: dict[str, Any] = {
    "id": 71,
    "email": "warehouse@shop.example",
    "first_name": "Test",
    "last_name": "User",
    "role": "customer",
    "locale": "en",
    "partner_id": 1,
    "warehouse_id": 1,
    "current_sign_in_expires_at": None,
}


class WhiplashApi:
    """Answers requests below ``https://…/api/v2``, and ``/oauth/token`` beside it.

    `limit_clock` gives the time by which the limit of 10 a second is counted; `owner` says which Loop return an `original_id` names.
    """

    def __init__(self, whiplash: Whiplash, clock: Clock, truth: Truth, *, owner: Callable[[str | None], int | None]) -> None:
        self._whiplash = whiplash
        self._clock = clock
        self._truth = truth
        self._recent: deque[datetime] = deque()
        self._expires: dict[str, datetime] = {}
        self._tokens = 0
        self._lists = Lists(whiplash)
        self._writes = Writes(whiplash, clock, owner=owner)
        self._notifications = Notifications(whiplash, clock)
        self.limit_clock: Callable[[], datetime] = clock.now

    def answer(self, request: Request) -> Reply:
        """One request, one reply."""
        path = "/" + re.sub(r"^/?(api/v2/)?", "", request.path).strip("/")
        self._truth.calls["whiplash", request.method, re.sub(r"/\d+(?=/|$)", "/{id}", path)] += 1
        headers: dict[str, str] = {}
        try:
            if path == "/oauth/token":
                return _reply(200, self._token(request.body), {})
            self._let_in(request.headers)
            status, answer = self._route(request.method, path, request.params, _body(request.body), headers)
        except Trouble as trouble:
            if trouble.status == 429 and self._whiplash.manners.retry_after is not None:
                headers["retry-after"] = str(self._whiplash.manners.retry_after)
            key = self._whiplash.manners.error_key
            return _reply(trouble.status, {key: [trouble.text] if key == "errors" else trouble.text}, headers)
        except BadSearch as bad:
            return _reply(400, {self._whiplash.manners.error_key: str(bad)}, headers)
        return _reply(status, answer, headers)

    # -------------------------------------------------------------------------------------------- who is it

    def _let_in(self, headers: Mapping[str, str]) -> None:
        given = {name.lower(): value for name, value in headers.items()}
        token = given.get("authorization", "").removeprefix("Bearer ")
        expired = token in self._expires and self._expires[token] <= self._clock.now()
        if token not in self._whiplash.manners.tokens or expired:
            raise Trouble(401, "unauthorized")
        customer = given.get("x-customer-id")
        if customer is not None and customer != str(self._whiplash.customer_id):
            raise Trouble(404, "not_found")
        now = self.limit_clock()
        while self._recent and now - self._recent[0] >= timedelta(seconds=1):
            self._recent.popleft()
        if len(self._recent) >= self._whiplash.manners.rate_limit:
            self._truth.over_limit["whiplash"] += 1
            raise Trouble(429, "Rate limit exceeded")
        self._recent.append(now)
        self._truth.busiest["whiplash"] = max(self._truth.busiest["whiplash"], len(self._recent))

    def _token(self, raw: bytes | None) -> dict[str, object]:
        text = (raw or b"").decode("utf-8", "replace")
        try:
            given = json.loads(text)
        except ValueError:
            given = {name: values[0] for name, values in parse_qs(text).items()}
        manners = self._whiplash.manners
        if (
            not isinstance(given, dict)
            or given.get("client_id") != manners.client_id
            or given.get("client_secret") != manners.client_secret
        ):
            raise Trouble(401, "invalid_client")
        if given.get("grant_type") != "refresh_token" or given.get("refresh_token") != manners.refresh_token:
            raise Trouble(400, "invalid_grant")
        return self.issue()

    def issue(self) -> dict[str, object]:
        """A new access token, and with `rotate_refresh` a new refresh token in place of the old one."""
        manners = self._whiplash.manners
        self._tokens += 1
        token = f"oauth-{self._tokens}"
        manners.tokens.append(token)
        self._expires[token] = self._clock.now() + timedelta(seconds=manners.token_life)
        if manners.rotate_refresh:
            manners.refresh_token = f"refresh-{self._tokens + 1}"
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(manners.token_life),
            "refresh_token": manners.refresh_token,
            "scope": "user_manage",
            "created_at": int(self._clock.now().timestamp()),
        }

    # ---------------------------------------------------------------------------------------------- routing

    def _route(self, method: str, path: str, params: Mapping[str, str], body: Any, headers: dict[str, str]) -> tuple[int, object]:
        parts = path.strip("/").split("/")
        match method, parts:
            case "GET", ["consumer_returns" | "items" | "orders" as kind]:
                return 200, self._lists.of(kind, params, headers)
            case "GET", ["consumer_returns" | "items" | "orders" as kind, "count"]:
                return 200, self._lists.count(kind, params)
            case "POST", ["consumer_returns"]:
                return 201, self._writes.new(body)
            case "POST", ["consumer_returns", "bulk"]:
                return 201, self._writes.bulk(body)
            case "GET" | "PUT" | "DELETE", ["consumer_returns", number, *rest]:
                return self._writes.one(method, number, rest, body)
            case "GET", ["items", number, *rest]:
                return self._lists.one_item(number, rest)
            case "GET", ["orders", number, *rest]:
                return self._lists.one_order(number, rest)
            case "GET", ["originators"]:
                return 200, self._lists.originators(params, headers)
            case "GET", ["me"]:
                customers = [self._whiplash.customer_id]
                return 200, USER | {"customer_ids": customers}
            case _, ["notification_events" | "notification_subscriptions", *_]:
                return self._notifications.answer(method, parts, body)
            case "POST", ["simulate", "consumer_returns", "create"]:
                return 201, self._writes.simulated()
            case "PUT", ["simulate", "consumer_returns", number, "processing"]:
                return 200, self._writes.simulate(number, isinstance(body, dict) and body.get("finalize") is True)
        raise Trouble(404, "not_found")


def _reply(status: int, answer: object, headers: dict[str, str]) -> Reply:
    return Reply(
        status=status, headers={"content-type": "application/json"} | headers, body=b"" if status == 204 else json.dumps(answer).encode()
    )


def _body(raw: bytes | None) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise Trouble(400, "not_found") from None
