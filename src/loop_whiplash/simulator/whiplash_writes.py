"""Consumer returns of the fake Whiplash one by one: made, changed, deleted, counted in its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from .clock import Clock
from .trouble import Trouble, number_of
from .whiplash import ARRIVED, COMPLETED, DRAFT, IN_TRANSIT, PROCESSING, Notice, Whiplash

__all__ = ["Writes"]

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


class Writes:
    """`owner` says which Loop return an `original_id` names."""

    def __init__(self, whiplash: Whiplash, clock: Clock, *, owner: Callable[[str | None], int | None]) -> None:
        self._whiplash = whiplash
        self._clock = clock
        self._owner = owner

    def new(self, body: Any) -> dict[str, Any]:
        """``POST /consumer_returns``"""
        return self._whiplash.row(self._create(body))

    def simulated(self) -> dict[str, Any]:
        """One with made-up data, as the sandbox makes it."""
        line = self._whiplash.new_line(self._whiplash.catalogue.items[0], 1, description="Defective", return_action="refund")
        return self._whiplash.row(self._whiplash.create(lines=[line], status=IN_TRANSIT, sender="Simulated"))

    def _notice(self, number: str) -> Notice:
        notice = self._whiplash.notice(number_of(number))
        if notice is None:
            raise Trouble(404, "not_found")
        return notice

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

    def bulk(self, body: Any) -> list[dict[str, str]]:
        """``POST /consumer_returns/bulk``"""
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

    def one(self, method: str, number: str, rest: Sequence[str], body: Any) -> tuple[int, object]:
        """All that is asked below ``/consumer_returns/{id}``."""
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

    def simulate(self, number: str, finalize: bool) -> dict[str, Any]:
        """Receive it, and finish it with `finalize`, as the sandbox does."""
        notice = self._notice(number)
        now = self._clock.now()
        lines = tuple(attrs.evolve(line, good=line.quantity) for line in notice.lines)
        notice = self._whiplash.change(notice, status=PROCESSING, arrived_at=notice.arrived_at or now, lines=lines)
        return self._whiplash.row(self._whiplash.change(notice, status=COMPLETED, completed_at=now) if finalize else notice)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
