"""Loop's HTTP face: a request in, a reply out, nothing remembered but rate limits."""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import attrs

from loop_whiplash.http.flow import Reply, Request

from .clock import Clock
from .loop import Loop, Refusal, Subscription
from .loop_shapes import asn_rows, details_row, dump, list_row, note_row
from .loop_state import Return
from .truth import Truth

__all__ = ["LoopApi"]

STATES = ("open", "closed", "cancelled", "expired", "review")
SHOWN = ("open", "closed", "expired")
WINDOW = timedelta(days=120)
GRADES = ("grade_a", "grade_b", "grade_c", "grade_d", "incorrect_item", "missing", "junk")
DISPOSITIONS = ("back_to_stock", "resale_hold", "recycle", "donate", "missing")


class LoopApi:
    """Answers requests below ``https://…/api/v1``.

    `base_url` is what ``nextPageUrl`` starts with; `clock` gives the time by which the limit of 300 a minute is counted.
    """

    def __init__(self, loop: Loop, clock: Clock, truth: Truth) -> None:
        self._loop = loop
        self._clock = clock
        self._truth = truth
        self._recent: dict[str, deque[datetime]] = {}
        self.base_url = "https://api.loopreturns.example/api/v1"
        self.limit_clock: Callable[[], datetime] = clock.now

    def answer(self, request: Request) -> Reply:
        """One request, one reply."""
        path = "/" + re.sub(r"^/?(api/(v1|latest|\d{4}-\d{2})/)?", "", request.path).strip("/")
        self._truth.calls["loop", request.method, re.sub(r"/\d+(?=/|$)", "/{id}", path)] += 1
        key = next((value for name, value in request.headers.items() if name.lower() == "x-authorization"), None)
        headers = {"content-type": "application/json", "x-loop-api-version": self._loop.manners.version}
        if key not in self._loop.manners.api_keys:
            body: object = {"error": {"code": "401", "http_code": "GEN-UNAUTHORIZED", "message": "Unauthorized."}}
            return self._reply(401, {"errors": "Unauthorized."} if self._loop.manners.old_401 else body, headers)
        left = self._spend(key)
        headers |= {"x-ratelimit-limit": str(self._loop.manners.rate_limit), "x-ratelimit-remaining": str(max(0, left))}
        if left < 0:
            if self._loop.manners.retry_after is not None:
                headers["retry-after"] = str(self._loop.manners.retry_after)
            return self._reply(429, {"message": "Too Many Attempts."}, headers)
        status, answer = self._route(request.method, path, request.params, request.body)
        return self._reply(status, answer, headers)

    def _spend(self, key: str) -> int:
        now = self.limit_clock()
        recent = self._recent.setdefault(key, deque())
        while recent and now - recent[0] >= timedelta(minutes=1):
            recent.popleft()
        limit = self._loop.manners.rate_limit
        if len(recent) >= limit:
            self._truth.over_limit["loop"] += 1
            return -1
        recent.append(now)
        self._truth.busiest["loop"] = max(self._truth.busiest["loop"], len(recent))
        return limit - len(recent)

    def _reply(self, status: int, answer: object, headers: dict[str, str]) -> Reply:
        return Reply(status=status, headers=headers, body=b"" if status == 204 else dump(answer))

    # ------------------------------------------------------------------------------------------- routing

    def _route(self, method: str, path: str, params: Mapping[str, str], raw: bytes | None) -> tuple[int, object]:
        body: Any = None
        if raw:
            try:
                body = json.loads(raw)
            except ValueError:
                return 400, {"message": "Malformed JSON."}
        if path.startswith("/webhooks"):
            return self._webhooks(method, path, body)
        if path.startswith("/destinations"):
            return self._destinations(method, path)
        match method, path:
            case "GET", "/warehouse/return/list":
                return self._list(params)
            case "GET", "/warehouse/return/details":
                return self._details(params)
            case "GET", "/warehouse/reporting/asn":
                return self._asn(params)
            case "POST", "/order/link":
                return self._link(body)
            case "POST", "/dispositioning/grade":
                return self._judge(body, "condition_category", GRADES, "condition")
            case "POST", "/dispositioning/assess":
                return self._judge(body, "disposition_outcome", DISPOSITIONS, "disposition")
            case "GET", "/label-requests":
                return 200, {"data": []}
            case "GET", "/happy-returns/shipments":
                return 200, _page([])
        found = re.fullmatch(r"/warehouse/return/(\d+)/(\w+)", path)
        if found is None:
            return 404, {"message": "Not Found"}
        return self._action(method, int(found[1]), found[2], params, body)

    def _action(self, method: str, return_id: int, what: str, params: Mapping[str, str], body: Any) -> tuple[int, object]:
        refusal: Refusal | None
        match method, what:
            case "POST", "process" | "flag" | "cancel" | "close":
                details = body if isinstance(body, dict) else None
                refusal = self._loop.act(what, return_id, details=details)
            case "POST", "remove":
                given = params.get("line_item_id", "")
                refusal = self._loop.remove(return_id, tuple(int(part) for part in given.split(",") if part.strip().isdigit()))
            case "POST", "note":
                content = body.get("content") if isinstance(body, dict) else None
                if not isinstance(content, str) or not content or len(content) >= 255:
                    return 422, {"errors": {"message": "Content is required and must be less than 255 characters."}}
                note = self._loop.add_note(return_id, content)
                return (200, self._loop.manners.success) if note else (200, {"error": {"message": "No return found with this ID."}})
            case "GET", "notes":
                ret = self._loop.returns.get(return_id)
                if ret is None or not ret.notes:
                    return 422, False
                rows = [note_row(note) for note in ret.notes]
                return 200, {"notes": rows} if self._loop.manners.notes_wrapped else rows
            case _:
                return 405, {"message": "Method Not Allowed"}
        return (200, self._loop.manners.success) if refusal is None else (refusal.status, refusal.body)

    # ------------------------------------------------------------------------------------------- reading

    def _details(self, params: Mapping[str, str]) -> tuple[int, object]:
        return_id, order_id, name = (params.get(key) for key in ("return_id", "order_id", "order_name"))
        if return_id is None and order_id is None and name is None:
            return 422, {"message": "One of return_id, order_id or order_name is required."}
        if not all(value is None or value.isdigit() for value in (return_id, order_id)):
            return 422, {"message": "The given data was invalid.", "errors": {"return_id": ["The return id must be an integer."]}}
        found = self._loop.find(
            return_id=None if return_id is None else int(return_id), order_id=None if order_id is None else int(order_id), order_name=name
        )
        if not found:
            return 200, {"error": {"message": "No return found with this ID."}}
        rows = [self._row(details_row, ret) for ret in found]
        return 200, rows[0] if self._loop.manners.details_as == "object" and len(rows) == 1 else rows

    def _row(self, write: Callable[[Return], dict[str, Any]], ret: Return) -> dict[str, Any]:
        row = write(ret)
        if ret.id not in self._loop.manners.unreadable:
            return row
        return row | {"line_items": "see attachment"} if ret.id % 2 else {name: row[name] for name in row if name != "line_items"}

    def _list(self, params: Mapping[str, str]) -> tuple[int, object]:
        by = params.get("filter", "created_at")
        state = params.get("state")
        if by not in ("created_at", "updated_at") or (state is not None and state not in STATES):
            return 422, {"message": "The given data was invalid.", "errors": {"filter": ["The selected filter is invalid."]}}
        try:
            start, end = self._window(params)
            size = int(params.get("pageSize", "100"))
        except ValueError:
            return 422, {"message": "The given data was invalid.", "errors": {"from": ["The from is not a valid date."]}}
        if end - start > WINDOW:
            return 422, {
                "message": "The date range may not be longer than 120 days.",
                "errors": {"to": ["The date range may not be longer than 120 days."]},
            }
        if not 1 <= size <= 750:
            return 422, {"message": "The given data was invalid.", "errors": {"pageSize": ["The page size may not be greater than 750."]}}
        newest = self._loop.manners.list_order == "newest"
        rows = self._loop.between(start, end, by=by, states=SHOWN if state is None else (state,))
        rows.sort(key=lambda ret: (_second(ret, by), -ret.id if newest else ret.id), reverse=newest)
        if params.get("paginate", "").lower() not in ("true", "1"):
            return 200, [self._row(list_row, ret) for ret in rows]
        rows = self._after(rows, params.get("cursor"), by, newest)
        page, rest = rows[:size], rows[size:]
        following = None
        if rest:
            # The cursor holds the date of the edge and no id, so rows that share its second are skipped or repeated.
            cursor = json.dumps(
                {by: _second(page[-1], by).strftime("%Y-%m-%d %H:%M:%S"), "_pointsToNextItems": True}, separators=(",", ":")
            )
            encoded = base64.urlsafe_b64encode(cursor.encode()).decode().rstrip("=")
            given = {"to": end.strftime("%Y-%m-%d %H:%M:%S"), "filter": by, "pageSize": str(size), "cursor": encoded}
            following = f"{self.base_url}/warehouse/return/list?" + "&".join(
                f"{name}={quote(value, safe='')}" for name, value in given.items()
            )
        return 200, {"returns": [self._row(list_row, ret) for ret in page], "nextPageUrl": following, "previousPageUrl": None}

    def _after(self, rows: list[Return], cursor: str | None, by: str, newest: bool) -> list[Return]:
        if cursor is None:
            return rows
        try:
            held = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            edge = _date(next(value for name, value in held.items() if name.endswith("_at")))
        except (ValueError, AttributeError, StopIteration):
            return []
        repeat = self._loop.manners.list_ties == "repeat"
        if newest:
            return [ret for ret in rows if _second(ret, by) < edge or (repeat and _second(ret, by) == edge)]
        return [ret for ret in rows if _second(ret, by) > edge or (repeat and _second(ret, by) == edge)]

    def _window(self, params: Mapping[str, str]) -> tuple[datetime, datetime]:
        now = self._clock.now()
        if "from" not in params:
            return now - timedelta(hours=24), now
        start = _date(params["from"])
        return start, _date(params["to"]) if "to" in params else start + timedelta(hours=24)

    def _asn(self, params: Mapping[str, str]) -> tuple[int, object]:
        now = self._clock.now()
        start = _date_or_epoch(params["from"]) if "from" in params else now - timedelta(days=7)
        end = _date_or_epoch(params["to"]) if "to" in params else now.replace(hour=23, minute=59, second=59)
        if "to" in params and len(params["to"]) == 10:
            end += timedelta(days=1) - timedelta(seconds=1)
        found = self._loop.between(start, end, by="updated_at", states=STATES)
        return 200, [row for ret in found for row in asn_rows(ret, self._loop.destinations)]

    def _link(self, body: Any) -> tuple[int, object]:
        if not isinstance(body, dict) or not body.get("name") or not body.get("zip"):
            return 422, {"errors": {"message": 'Missing fields - "name" and "zip" are required.'}}
        return 200, {"url": f"https://shop.loopreturns.example/#/?order={quote(str(body['name']), safe='')}"}

    def _judge(self, body: Any, field: str, allowed: tuple[str, ...], where: str) -> tuple[int, object]:
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(items, list) or not 1 <= len(items) <= 30:
            return 422, {"message": "The items field is required.", "errors": {"items": ["The items field is required."]}}
        for index, item in enumerate(items):
            if not isinstance(item, dict) or item.get(field) not in allowed or not isinstance(item.get("line_item_id"), int):
                name = f"items.{index}.{field}"
                return 422, {"message": f"The {name} is invalid.", "errors": {name: [f"The {name} is invalid."]}}
        for item in items:
            for ret in list(self._loop.returns.values()):
                if any(line.line_id == item["line_item_id"] for line in ret.lines):
                    kept: dict[str, Any] = {where: {name: value for name, value in item.items() if name != "line_item_id"}}
                    lines = tuple(attrs.evolve(line, **kept) if line.line_id == item["line_item_id"] else line for line in ret.lines)
                    self._loop.change(ret, lines=lines)
        return 200, items

    # ------------------------------------------------------------------------------- destinations, webhooks

    def _destinations(self, method: str, path: str) -> tuple[int, object]:
        rows = [
            {
                "id": number,
                "type": "warehouse",
                "name": name,
                "enabled": True,
                "provider_location_id": None,
                "address": {
                    "address1": "1 Dock Road",
                    "address2": None,
                    "city": "Testville",
                    "state": "OH",
                    "zip": "44101",
                    "country": "United States",
                    "country_code": "US",
                },
            }
            for number, name in self._loop.destinations.items()
        ]
        if method != "GET":
            return 405, {"message": "Method Not Allowed"}
        if path == "/destinations":
            return 200, {"destinations": rows}
        row = next((row for row in rows if path == f"/destinations/{row['id']}"), None)
        return (200, row) if row else (404, {"code": "NOT_FOUND", "message": "Destination not found."})

    def _webhooks(self, method: str, path: str, body: Any) -> tuple[int, object]:
        hooks = self._loop.subscriptions
        if path == "/webhooks":
            if method == "GET":
                return 200, {"webhooks": [self._hook(hook) for hook in hooks]}
            if method != "POST":
                return 405, {"message": "Method Not Allowed"}
            wrong = _hook_problem(body)
            if wrong:
                return 422, wrong
            # What happens without `status` is in conflict between sources; the documented default is taken.
            hook = Subscription(
                id=self._loop.new_id(), topic=body["topic"], trigger=body["trigger"], url=body["url"], status=body.get("status", "inactive")
            )
            hooks.append(hook)
            return 201, self._hook(hook)
        number = path.removeprefix("/webhooks/")
        found = next((hook for hook in hooks if str(hook.id) == number), None)
        if found is None:
            return 404, {"errors": {"code": "NOT_FOUND"}}
        if method == "DELETE":
            hooks.remove(found)
            return 204, None
        if method == "PUT":
            wrong = _hook_problem(body)
            if wrong:
                return 422, wrong
            found.topic, found.trigger, found.url = body["topic"], body["trigger"], body["url"]
            found.status = body.get("status", found.status)
            return 204, None
        return 405, {"message": "Method Not Allowed"}

    def _hook(self, hook: Subscription) -> dict[str, object]:
        return {
            "id": hook.id,
            "shop_id": self._loop.shop_id,
            "topic": hook.topic,
            "trigger": hook.trigger,
            "url": hook.url,
            "status": hook.status,
        }


def _hook_problem(body: Any) -> dict[str, object] | None:
    for name in ("topic", "trigger", "url"):
        if not isinstance(body, dict) or not isinstance(body.get(name), str):
            return {"message": f"The {name} field is required.", "errors": {name: [f"The {name} field is required."]}}
    return None


def _second(ret: Return, by: str) -> datetime:
    return (ret.created_at if by == "created_at" else ret.updated_at).replace(microsecond=0)


def _date(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _date_or_epoch(text: str) -> datetime:
    """The ASN takes a date that it cannot read for the beginning of 1970."""
    try:
        return _date(text)
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)


def _page(rows: list[object]) -> dict[str, object]:
    path = "https://api.loopreturns.example/api/v1/happy-returns/shipments"
    return {
        "current_page": 1,
        "data": rows,
        "first_page_url": f"{path}?page=1",
        "from": 1 if rows else None,
        "last_page": 1,
        "last_page_url": f"{path}?page=1",
        "next_page_url": None,
        "path": path,
        "per_page": 200,
        "prev_page_url": None,
        "to": len(rows) or None,
        "total": len(rows),
    }
