"""Whiplash's HTTP face, V2: a request in, a reply out."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs

import attrs

from loop_whiplash.http.flow import Reply, Request

from .catalogue import Item, Order
from .clock import Clock
from .search import BadSearch, chosen, narrowed, parse, sorted_rows
from .truth import Truth
from .whiplash import ARRIVED, COMPLETED, DRAFT, EVENTS, IN_TRANSIT, PROCESSING, Notice, NotificationHook, Whiplash
from .whiplash_shapes import item_row, notice_originator, originator_row, scancode_row, stamp

__all__ = ["WhiplashApi"]

T = TypeVar("T")
LARGEST_PAGE = 250
UPDATABLE = [
    "sender",
    "eta",
    "tracking",
    "carrier",
    "shipping_method_text",
    "shipping_label_url",
    "total_boxes",
    "requires_label",
    "ship_3rdparty_cost",
    "reference",
    "notes_by_customer",
]
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


#: Kind of row → what is cheap to read of it: most searches ask for one of these, and most rows are not the ones asked for.
FIELDS: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    Notice: {
        "id": lambda notice: notice.id,
        "originator_original_id": lambda notice: notice.original_id,
        "tracking": lambda notice: notice.tracking,
        "order_id": lambda notice: notice.order_id,
    },
    Order: {"originator_original_id": lambda order: str(order.shop_id), "originator_group_id": lambda order: None},
}


class Trouble(Exception):
    """An answer that is not the one hoped for."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class WhiplashApi:
    """Answers requests below ``https://…/api/v2``, and ``/oauth/token`` beside it.

    `limit_clock` gives the time by which the limit of 10 a second is counted; `owner` says which Loop return an `original_id` names.
    """

    def __init__(self, whiplash: Whiplash, clock: Clock, truth: Truth, *, owner: Callable[[str | None], int | None]) -> None:
        self._whiplash = whiplash
        self._clock = clock
        self._truth = truth
        self._owner = owner
        self._recent: deque[datetime] = deque()
        self._expires: dict[str, datetime] = {}
        self._tokens = 0
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
            case "GET", ["consumer_returns"]:
                return 200, self._page(self._whiplash.indexed(), self._view, params, headers, "created_at desc", self._whiplash.row)
            case "GET", ["consumer_returns", "count"]:
                return 200, self._count(self._whiplash.indexed(), self._view, params)
            case "POST", ["consumer_returns"]:
                return 201, self._whiplash.row(self._create(body))
            case "POST", ["consumer_returns", "bulk"]:
                return 201, self._bulk(body)
            case "GET" | "PUT" | "DELETE", ["consumer_returns", number, *rest]:
                return self._one(method, number, rest, body)
            case "GET", ["items"]:
                return 200, self._page(self._items(), _item_view, params, headers, "id asc", self._item)
            case "GET", ["items", "count"]:
                return 200, self._count(self._items(), _item_view, params)
            case "GET", ["items", number, *rest]:
                return self._one_item(number, rest)
            case "GET", ["orders"]:
                return 200, self._page(self._whiplash.orders(), _order_view, params, headers, "id asc", self._order)
            case "GET", ["orders", "count"]:
                return 200, self._count(self._whiplash.orders(), _order_view, params)
            case "GET", ["orders", number, *rest]:
                order = self._whiplash.order(_number(number))
                if order is None or rest not in ([], ["order_items"]):
                    raise Trouble(404, "not_found")
                return 200, order["order_items"] if rest else order
            case "GET", ["originators"]:
                return 200, self._originators(params, headers)
            case "GET", ["me"]:
                customers = [self._whiplash.customer_id]
                return 200, USER | {"customer_ids": customers}
            case _, ["notification_events" | "notification_subscriptions", *_]:
                return self._notifications(method, parts, body)
            case "POST", ["simulate", "consumer_returns", "create"]:
                line = self._whiplash.new_line(self._items()[0], 1, description="Defective", return_action="refund")
                return 201, self._whiplash.row(self._whiplash.create(lines=[line], status=IN_TRANSIT, sender="Simulated"))
            case "PUT", ["simulate", "consumer_returns", number, "processing"]:
                return 200, self._simulate(self._notice(number), isinstance(body, dict) and body.get("finalize") is True)
        raise Trouble(404, "not_found")

    def _notice(self, number: str) -> Notice:
        notice = self._whiplash.notice(_number(number))
        if notice is None:
            raise Trouble(404, "not_found")
        return notice

    def _page(
        self,
        rows: Iterable[T],
        view: Callable[[T], Mapping[str, Any]],
        params: Mapping[str, str],
        headers: dict[str, str],
        default: str,
        write: Callable[[T], dict[str, Any]],
    ) -> list[dict[str, Any]]:
        found = self._found(rows, view, params)
        found = sorted_rows(found, params.get("sort"), view, default)
        page, size = _whole(params, "page", 1), min(_whole(params, "per_page", 25), LARGEST_PAGE)
        if self._whiplash.manners.totals and params.get("page_total", "").lower() == "true":
            headers["x-total"] = str(len(found))
        shown = [write(row) for row in found[(page - 1) * size : page * size]]
        fields = params.get("fields")
        if fields:
            wanted = [name.strip() for name in fields.split(",")]
            shown = [{name: row[name] for name in wanted if name in row} for row in shown]
        return shown

    def _found(self, rows: Iterable[T], view: Callable[[T], Mapping[str, Any]], params: Mapping[str, str]) -> list[T]:
        search = parse(params.get("search"))
        rows = list(rows)
        fields = FIELDS.get(type(rows[0]), {}) if rows else {}
        return chosen(search, narrowed(search, rows, fields), view)

    def _count(self, rows: Iterable[T], view: Callable[[T], Mapping[str, Any]], params: Mapping[str, str]) -> dict[str, int]:
        return {"count": len(self._found(rows, view, params))}

    # ------------------------------------------------------------------------------------- consumer returns

    def _view(self, notice: Notice) -> dict[str, Any]:
        """What can be searched and sorted by."""
        return {
            "id": notice.id,
            "order_id": notice.order_id,
            "customer_id": self._whiplash.customer_id,
            "warehouse_id": notice.warehouse_id,
            "sender": notice.sender,
            "status": notice.status,
            "tracking": notice.tracking,
            "carrier": notice.carrier,
            "reference": notice.reference,
            "requires_label": notice.requires_label,
            "created_at": notice.created_at,
            "updated_at": notice.updated_at,
            "completed_at": notice.completed_at,
            "arrived_at": notice.arrived_at,
            "delivered_at": notice.delivered_at,
            "eta": notice.eta,
            "originator_original_id": notice.original_id,
            "originator_group_id": notice.group_id,
            "return_items_item_id": [line.item.id for line in notice.lines],
        }

    def _create(self, body: Any) -> Notice:
        if not isinstance(body, dict):
            raise Trouble(422, "requires_label is missing, shipnotice_items_attributes is missing")
        if not isinstance(body.get("requires_label"), bool):
            raise Trouble(422, "requires_label is missing")
        given = body.get("shipnotice_items_attributes")
        if not isinstance(given, list) or not given:
            raise Trouble(422, "shipnotice_items_attributes is missing")
        lines = []
        for index, line in enumerate(given):
            lines.append(self._line(index, line))
        order_id = body.get("order_id")
        if order_id is not None and self._whiplash.order(order_id if isinstance(order_id, int) else -1) is None:
            raise Trouble(404, "not_found")
        customer = body.get("customer_id")
        if customer is not None and customer != self._whiplash.customer_id:
            raise Trouble(404, "not_found")
        originator = body.get("originator_attributes")
        originator = originator if isinstance(originator, dict) else {}
        original_id = _text(originator.get("original_id"))
        refused = original_id is not None and self._whiplash.manners.refuse_duplicates
        if refused and any(notice.original_id == original_id for notice in self._whiplash.notices()):
            raise Trouble(409, "Originator original_id has already been taken")
        return self._whiplash.create(
            lines=lines,
            return_id=self._owner(original_id),
            status=DRAFT if body["requires_label"] else IN_TRANSIT,
            original_id=original_id,
            group_id=_text(originator.get("group_id")),
            misc=_text(originator.get("misc")),
            order_id=order_id,
            warehouse_id=body.get("warehouse_id") or 1,
            requires_label=body["requires_label"],
            **{name: value for name, value in self._writable(body).items() if name != "requires_label"},
        )

    def _line(self, index: int, line: Any) -> Any:
        where = f"shipnotice_items_attributes[{index}]"
        if not isinstance(line, dict):
            raise Trouble(422, f"{where} is invalid")
        for name, kind in (("item_id", int), ("quantity", int), ("return_action", str), ("description", str)):
            if not isinstance(line.get(name), kind) or isinstance(line.get(name), bool):
                raise Trouble(422, f"{where}[{name}] is missing")
        if line["quantity"] < 1:
            raise Trouble(422, f"{where}[quantity] must be greater than 0")
        item = self._whiplash.catalogue.item(line["item_id"])
        if item is None:
            raise Trouble(404, "not_found")
        return self._whiplash.new_line(
            item,
            line["quantity"],
            description=line["description"],
            extended_description=_text(line.get("extended_description")),
            return_action=line["return_action"],
        )

    def _writable(self, body: Mapping[str, Any]) -> dict[str, Any]:
        names = {field.name for field in attrs.fields(Notice)}
        fields = {name: body[name] for name in UPDATABLE if name in body and name in names}
        if isinstance(fields.get("eta"), str):
            try:
                eta = datetime.fromisoformat(fields["eta"])
            except ValueError:
                raise Trouble(422, "eta is invalid") from None
            fields["eta"] = eta.replace(tzinfo=UTC) if eta.tzinfo is None else eta
        return fields

    def _bulk(self, body: Any) -> list[dict[str, str]]:
        resources = body.get("resources") if isinstance(body, dict) else None
        if not isinstance(resources, list):
            raise Trouble(422, "resources is missing")
        results = []
        for resource in resources:
            try:
                if isinstance(resource, dict) and not isinstance(resource.get("order_id"), int):
                    raise Trouble(422, "order_id is missing")
                results.append({"result": str(self._create(resource).id)})
            except Trouble as trouble:
                results.append({"result": trouble.text})
        return results

    def _one(self, method: str, number: str, rest: Sequence[str], body: Any) -> tuple[int, object]:
        notice = self._notice(number)
        if list(rest) == ["meta_fields"]:
            if method == "GET":
                return 200, notice.meta or {"fields": {}, "association_fields": {}}
            if method == "PUT" and isinstance(body, dict):
                self._whiplash.change(notice, meta=body)
                return 204, None
        if rest:
            raise Trouble(404, "not_found")
        if method == "GET":
            return 200, self._whiplash.row(notice)
        if method == "PUT":
            if not isinstance(body, dict):
                raise Trouble(422, "no changes given")
            return 200, self._whiplash.row(self._whiplash.change(notice, **self._writable(body)))
        if notice.status in (ARRIVED, PROCESSING, COMPLETED) or any(line.counted for line in notice.lines):
            raise Trouble(422, "Consumer return has been received and cannot be deleted")
        self._whiplash.delete(notice, by="api")
        return 204, None

    def _simulate(self, notice: Notice, finalize: bool) -> dict[str, Any]:
        now = self._clock.now()
        lines = tuple(attrs.evolve(line, good=line.quantity) for line in notice.lines)
        notice = self._whiplash.change(notice, status=PROCESSING, arrived_at=notice.arrived_at or now, lines=lines)
        return self._whiplash.row(self._whiplash.change(notice, status=COMPLETED, completed_at=now) if finalize else notice)

    # ------------------------------------------------------------------------------------- items and orders

    def _items(self) -> list[Item]:
        return self._whiplash.catalogue.items

    def _item(self, item: Item) -> dict[str, Any]:
        return item_row(item, customer_id=self._whiplash.customer_id)

    def _order(self, order: Order) -> dict[str, Any]:
        return self._whiplash.order(order.whiplash_id) or {}

    def _one_item(self, number: str, rest: Sequence[str]) -> tuple[int, object]:
        item = self._whiplash.catalogue.item(_number(number))
        if item is None:
            raise Trouble(404, "not_found")
        match list(rest):
            case []:
                return 200, self._item(item)
            case ["scancodes"]:
                return 200, [scancode_row(item, customer_id=self._whiplash.customer_id)] if item.scancode else []
            case ["originators"]:
                return 200, [_item_originator(item)]
            case ["originators", "count"]:
                return 200, {"count": 1}
            case ["bundle_items" | "in_bundles"]:
                return 200, []
            case ["transactions"]:
                return 200, self._transactions(item)
        raise Trouble(404, "not_found")

    def _transactions(self, item: Item) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        balance = 12
        for notice in self._whiplash.notices():
            for line in notice.lines:
                if line.item.id == item.id and line.counted:
                    balance += line.counted
                    rows.append(
                        {
                            "id": line.id,
                            "item_id": item.id,
                            "order_id": notice.order_id,
                            "shipnotice_id": notice.id,
                            "user_id": None,
                            "rule_id": None,
                            "description": "Received",
                            "quantity": balance,
                            "change": line.counted,
                            "created_at": stamp(notice.updated_at),
                            "updated_at": stamp(notice.updated_at),
                            "shipnotice_item_id": line.id,
                        }
                    )
        return rows

    def _originators(self, params: Mapping[str, str], headers: dict[str, str]) -> list[dict[str, Any]]:
        kind = params.get("originated_type")
        if not kind:
            raise Trouble(400, "originated_type is missing")
        rows: list[dict[str, Any]] = []
        if kind == "Item":
            rows = [_item_originator(item) for item in self._items()]
        elif kind == "Order":
            rows = [self._order(order)["originator"] for order in self._whiplash.orders()]
        elif kind == self._whiplash.manners.originated_type:
            named = (notice for notice in self._whiplash.indexed() if notice.original_id is not None)
            asked = narrowed(parse(params.get("search")), named, {"original_id": lambda notice: notice.original_id})
            rows = [notice_originator(notice) for notice in asked]
        return self._page(rows, lambda row: row, params, headers, "id asc", dict)

    # ---------------------------------------------------------------------------------------- notifications

    def _notifications(self, method: str, parts: Sequence[str], body: Any) -> tuple[int, object]:
        hooks = self._whiplash.subscriptions
        match method, list(parts):
            case "GET", ["notification_events"]:
                return 200, [_event(number) for number in range(31, 31 + len(EVENTS))]
            case "GET", ["notification_events", number] if 31 <= _number(number) < 31 + len(EVENTS):
                return 200, _event(_number(number))
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


def _item_view(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "sku": item.sku,
        "title": item.title,
        "description": item.description,
        "scancode": item.scancode,
        "scancodes_scancode": item.scancode,
        "scancodes_name": item.scancode,
        "active": item.active,
        "is_bundle": item.is_bundle,
        "created_at": item.created_at,
        "updated_at": item.created_at,
        "originators_original_id": None if item.variant_id is None else str(item.variant_id),
        "originators_group_id": None if item.product_id is None else str(item.product_id),
    }


def _order_view(order: Order) -> dict[str, Any]:
    return {
        "id": order.whiplash_id,
        "status": 350,
        "email": order.email,
        "order_orig": str(order.number),
        "humanize_id": str(order.whiplash_id),
        "shipping_name": f"{order.first_name} {order.last_name}",
        "created_at": order.created_at,
        "updated_at": order.created_at,
        "originator_original_id": str(order.shop_id),
        "originator_group_id": None,
        "order_items_sku": [line.variant.sku for line in order.lines],
        "order_items_originator_original_id": [str(line.line_id) for line in order.lines],
    }


def _item_originator(item: Item) -> dict[str, Any]:
    return originator_row(
        number=1_000_000 + item.id,
        originated_type="Item",
        originated_id=item.id,
        original_id=None if item.variant_id is None else str(item.variant_id),
        group_id=None if item.product_id is None else str(item.product_id),
        provider="shopify",
        at=item.created_at,
        shop_id=77,
    )


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


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1


def _whole(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name, "")
    return max(1, int(text)) if text.isdigit() else default


def _text(value: object) -> str | None:
    return None if value is None else str(value)
