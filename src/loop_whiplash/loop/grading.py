"""Grading and disposition: what a warehouse saw, written to Loop. Neither processes a return.

20 items a call: the OpenAPI allows 30, the guide 20 (https://docs.loopreturns.com/integration-guides/grading-and-disposition).

The shape of ``condition_category`` depends on the API version: text up to ``2026-07``, an object from ``2026-10``
(https://docs.loopreturns.com/integration-guides/migration-2026-07-to-2026-10). Which one is in force is read from the base
URL or the last reply; where neither tells, the text is tried, and a 422 that names the field, which changes nothing, makes
it the object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from loop_whiplash.decoding import NotJson, loads
from loop_whiplash.errors import ApiError, ConfigurationError, DecodeError, ValidationFailed
from loop_whiplash.http.call import Call
from loop_whiplash.http.failures import is_refusal, refusal
from loop_whiplash.http.flow import Reply
from loop_whiplash.http.session import Session

__all__ = ["Assessment", "ConditionCategory", "Grade", "assess", "assess_items", "grade", "grade_items"]

BATCH = 20
OBJECTS_FROM = "2026-10"
Shape = Literal["text", "object"]
GRADES = {
    "grade_a": "Grade A", "grade_b": "Grade B", "grade_c": "Grade C", "grade_d": "Grade D",
    "incorrect_item": "Incorrect item", "missing": "Missing", "junk": "Junk",
}  # fmt: skip


@attrs.frozen(kw_only=True)
class ConditionCategory:
    """A condition as versions from ``2026-10`` know it. A pair of `subject` and `title` that does not exist is created."""

    subject: str = "Item condition grade"
    title: str
    grade: str | None = None
    category_name: str | None = None
    category_parent: str | None = None


def _at_most(length: int) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
        if value is not None and len(value) > length:
            raise ConfigurationError(f"{attribute.name} has at most {length} characters")

    return check


@attrs.frozen(kw_only=True)
class Grade:
    """The condition one line item was found in.

    Attributes:
        line_item_id: Loop's. description: up to 255 characters. condition_category: ``grade_a`` … ``grade_d``, ``incorrect_item``,
            ``missing``, ``junk``, or a `ConditionCategory`. return_processor: an e-mail, up to 100. note: up to 65,535.
        images: up to 5 URLs. inspected_at: aware.
    """

    line_item_id: int | str
    description: str = attrs.field(validator=_at_most(255))
    condition_category: str | ConditionCategory
    return_processor: str | None = attrs.field(default=None, repr=False, validator=_at_most(100))
    note: str | None = attrs.field(default=None, repr=False, validator=_at_most(65535))
    images: Sequence[str] = attrs.field(default=(), converter=tuple, repr=False)
    inspected_at: datetime | None = None

    def body(self, shape: Shape) -> dict[str, Any]:
        """As Loop takes it, with ``condition_category`` as text or as an object."""
        if len(self.images) > 5:
            raise ConfigurationError(f"line item {self.line_item_id}: at most 5 images")
        return _common(self) | {
            "description": self.description,
            "condition_category": _category(self.condition_category, shape),
            **({"images": list(self.images)} if self.images else {}),
        }


@attrs.frozen(kw_only=True)
class Assessment:
    """What becomes of one line item: ``back_to_stock``, ``resale_hold``, ``recycle``, ``donate`` or ``missing``."""

    line_item_id: int | str
    disposition_outcome: str
    return_processor: str | None = attrs.field(default=None, repr=False, validator=_at_most(100))
    note: str | None = attrs.field(default=None, repr=False, validator=_at_most(65535))
    inspected_at: datetime | None = None

    def body(self, shape: Shape = "text") -> dict[str, Any]:
        """As Loop takes it."""
        return _common(self) | {"disposition_outcome": self.disposition_outcome}


def _common(item: Grade | Assessment) -> dict[str, Any]:
    number = str(item.line_item_id)
    if not number.isascii() or not number.isdigit():
        raise ConfigurationError("line_item_id is a whole number above zero")
    found: dict[str, Any] = {"line_item_id": int(number)}
    if item.inspected_at is not None:
        if item.inspected_at.tzinfo is None:
            raise ConfigurationError(f"line item {number}: inspected_at has no time zone")
        found["inspected_at"] = item.inspected_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return found | {key: value for key in ("return_processor", "note") if (value := getattr(item, key)) is not None}


def _category(category: str | ConditionCategory, shape: Shape) -> object:
    if shape == "object":
        if isinstance(category, str):
            category = ConditionCategory(title=GRADES.get(category, category), grade=category if category in GRADES else None)
        return attrs.asdict(category, filter=lambda _, value: value is not None)
    if isinstance(category, str):
        return category
    if category.grade is None:
        raise ConfigurationError(
            f"API versions before {OBJECTS_FROM} take a grade as text only; set ConditionCategory.grade or pin {OBJECTS_FROM}"
        )
    return category.grade


def grade_items(items: Sequence[Grade], *, shape: Shape = "text") -> Call[list[Mapping[str, Any]]]:
    """Write the conditions of up to 20 line items. https://docs.loopreturns.com/integration-guides/grading-and-disposition"""
    return _batch("/dispositioning/grade", [item.body(shape) for item in items])


def assess_items(items: Sequence[Assessment]) -> Call[list[Mapping[str, Any]]]:
    """Write the dispositions of up to 20 line items. https://docs.loopreturns.com/integration-guides/grading-and-disposition"""
    return _batch("/dispositioning/assess", [item.body() for item in items])


def _batch(path: str, items: list[dict[str, Any]]) -> Call[list[Mapping[str, Any]]]:
    if not 1 <= len(items) <= BATCH:
        raise ConfigurationError(f"grade and assess take 1 to {BATCH} items a call")
    return Call(system="loop", method="POST", path=path, json={"items": items}, decode=_echoed)


def _echoed(reply: Reply) -> list[Mapping[str, Any]]:
    try:
        value = loads(reply.body)
    except NotJson as error:
        raise DecodeError(f"Loop's answer cannot be read: {error}", problems=(f"$: {error}",)) from None
    if is_refusal(value):
        raise refusal("grade", reply.body)
    if isinstance(value, Mapping):
        value = value.get("items")
    if not isinstance(value, list):
        raise DecodeError("Loop's answer is not an array of the items", problems=("$: not an array",))
    return [row for row in value if isinstance(row, Mapping)]


def shape_of(session: Session) -> Shape | None:
    """The shape the API version in force asks for, or None where nothing tells the version."""
    pinned = re.search(r"/(\d{4}-\d{2})/?$", getattr(session.transport, "base_url", "") or "")
    version = pinned[1] if pinned else session.api_version
    if version is None or not re.fullmatch(r"\d{4}-\d{2}", version):
        return None
    return "object" if version >= OBJECTS_FROM else "text"


async def grade(session: Session, items: Sequence[Grade]) -> list[Mapping[str, Any]]:
    """Write the conditions of line items, 20 a call; gives what Loop echoes.

    An error's `items_done` says how many items were written before it; those need not be sent again.
    https://docs.loopreturns.com/api-reference/latest/dispositioning/grade-items
    """
    shape: Shape = shape_of(session) or "text"
    echoed: list[Mapping[str, Any]] = []
    for start in range(0, len(items), BATCH):
        part = items[start : start + BATCH]
        try:
            try:
                echoed += await session.perform(grade_items(part, shape=shape))
            except ValidationFailed as refused:
                if shape == "object" or not any("condition_category" in field for field in refused.fields):
                    raise
                shape = "object"  # a 422 changed nothing, and says that this version wants the other shape
                echoed += await session.perform(grade_items(part, shape=shape))
        except ApiError as error:
            raise _after(error, start) from error
    return echoed


async def assess(session: Session, items: Sequence[Assessment]) -> list[Mapping[str, Any]]:
    """Write the dispositions of line items, 20 a call; gives what Loop echoes. Errors as in `grade`.

    https://docs.loopreturns.com/api-reference/latest/dispositioning/assess-dispositions
    """
    echoed: list[Mapping[str, Any]] = []
    for start in range(0, len(items), BATCH):
        try:
            echoed += await session.perform(assess_items(items[start : start + BATCH]))
        except ApiError as error:
            raise _after(error, start) from error
    return echoed


def _after(error: ApiError, done: int) -> ApiError:
    """The error, saying how many items were written before it."""
    error.items_done = done
    return error
