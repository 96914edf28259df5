"""What is stored beside a journal for people and reports: the last plan's breaks, reasons and decision, as strict JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from loop_whiplash.planning.model import Acknowledged, Break, Plan

__all__ = ["UNREADABLE", "break_from_dict", "break_to_dict", "breaks_of", "summary_of"]

#: What reading a stored break raises when it is damaged, or another release wrote it.
UNREADABLE = (ValueError, ArithmeticError, TypeError, LookupError, AttributeError)


def summary_of(planned: Plan, at: datetime, made_at: str | None = None) -> dict[str, Any]:
    """The plan of `at`, as a JSON object. `made_at`: when Loop made the return, ISO 8601, where that is known."""
    return {
        "at": at.isoformat(),
        "made_at": made_at,
        "row": planned.row,
        "action": type(planned.action).__name__ if planned.action else None,
        "reasons": list(planned.reasons),
        "breaks": [break_to_dict(found) for found in planned.breaks],
        "decision": planned.decision.to_dict() if planned.decision else None,
    }


def break_to_dict(found: Break) -> dict[str, Any]:
    """A break as a JSON object; what is None or empty is left out."""
    return {name: value for name, value in attrs.asdict(found, value_serializer=_plain).items() if value not in (None, "", False)}


def breaks_of(summary: Mapping[str, Any]) -> tuple[Break, ...]:
    """The breaks of a stored summary. Raises one of `UNREADABLE`."""
    return tuple(break_from_dict(found) for found in summary.get("breaks", ()))


def break_from_dict(stored: Mapping[str, Any]) -> Break:
    """Read what `break_to_dict` wrote; names of a newer version are passed over."""
    known = {field.name for field in attrs.fields(Break)}
    values = {name: value for name, value in stored.items() if name in known}
    if values.get("since"):
        values["since"] = datetime.fromisoformat(values["since"])
    if values.get("money") is not None:
        values["money"] = Decimal(values["money"])
    if values.get("acknowledged"):
        word = values["acknowledged"]
        values["acknowledged"] = Acknowledged(until=datetime.fromisoformat(word["until"]), by=word.get("by", ""), note=word.get("note", ""))
    return Break(**values)


def _plain(_: type, __: Any, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
