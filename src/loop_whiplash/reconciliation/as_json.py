"""The report as JSON, by the versioned schema in ``docs/report.schema.json``.

Amounts are decimal text, times ISO 8601 in UTC. Ages are not written, only dates and buckets, so that two reports differ
where the world does and not because a day has passed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.planning.model import Break
from loop_whiplash.redaction import shown

from .ageing import bucket_of, days_of
from .case import CaseView, case_to_dict
from .report import Report, SideReport

__all__ = ["SCHEMA", "counts_of", "report_to_dict", "report_to_json", "shown_case"]

SCHEMA = "loop-whiplash/report/1"
"""Name and version of the schema. A field may be added within a version; none changes its meaning."""


def report_to_json(report: Report, *, personal: bool, cases: bool, indent: int | None) -> str:
    """See `Report.to_json`."""
    said = report_to_dict(report, personal=personal, cases=cases)
    return json.dumps(said, indent=indent, ensure_ascii=False, allow_nan=False, separators=None if indent else (",", ":")) + "\n"


def report_to_dict(report: Report, *, personal: bool = False, cases: bool = True) -> dict[str, Any]:
    """The report as plain JSON values."""
    totals = report.totals
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "at": _time(report.at),
        "complete": report.complete,
        "sides": [_side(side, personal) for side in report.sides],
        "webhooks": {"captured": report.captured, "missed": report.missed, "capture_rate": report.capture_rate},
        "totals": {
            "breaks": totals.breaks,
            "returns": totals.returns,
            "heals": totals.heals,
            "acknowledged": totals.acknowledged,
            "unacknowledged": totals.unacknowledged,
            "money": _money(totals.money),
            "oldest_since": _time(totals.oldest.since) if totals.oldest is not None else None,
        },
        "flow": None
        if report.flow is None
        else {name: getattr(report.flow, name) for name in ("returns", "announced", "received", "decided")},
        "actions": dict(sorted(report.actions.items())),
        "agreement": dict(sorted(report.agreement.items())),
        "unjudged": report.unjudged,
        "previous": None if report.previous is None else dict(sorted(report.previous.items())),
        "grid": [
            {"code": shown(code), "bucket": bucket, "count": cell.count, "money": _money(cell.money)}
            for code, row in report.grid.items()
            for bucket, cell in row.items()
            if cell.count
        ],
        "breaks": [_break(found, report.at, personal) for found in report.breaks],
    }
    if cases:
        said["cases"] = {
            str(key): shown_case(case, personal=personal) for key, case in sorted(report.cases.items(), key=lambda item: str(item[0]))
        }
    return said


def shown_case(case: CaseView, *, personal: bool) -> dict[str, Any]:
    """A case as JSON values, its texts fit to be shown."""
    said: dict[str, Any] = _shown(case_to_dict(case, personal=personal), personal)
    return said


def _shown(value: Any, personal: bool) -> Any:
    if isinstance(value, str):
        return shown(value, personal=personal)
    if isinstance(value, list):
        return [_shown(item, personal) for item in value]
    if isinstance(value, dict):
        return {name: _shown(item, personal) for name, item in value.items()}
    return value


def _side(side: SideReport, personal: bool) -> dict[str, Any]:
    return {
        "name": shown(side.name),
        "complete": side.complete,
        "rows": side.rows,
        "since": _time(side.since),
        "until": _time(side.until),
        "problems": [shown(problem, personal=personal) for problem in side.problems],
        "notes": [shown(note, personal=personal) for note in side.notes],
        "strangers": side.strangers,
    }


def _break(found: Break, at: datetime, personal: bool) -> dict[str, Any]:
    word = found.acknowledged
    return {
        "code": shown(found.code),
        "return_id": found.return_id,
        "consumer_return_id": found.consumer_return_id,
        "since": _time(found.since),
        "bucket": bucket_of(days_of(found, at)),
        "money": f"{found.money:f}" if found.money is not None else None,
        "currency": shown(found.currency) or None,
        "owner": shown(found.owner),
        "next_step": shown(found.next_step, personal=personal),
        "reason": shown(found.reason, personal=personal),
        "loop_says": shown(found.loop_says, personal=personal),
        "whiplash_says": shown(found.whiplash_says, personal=personal),
        "heals": found.heals,
        "order_name": shown(found.order_name, personal=personal) or None,
        "tracking": shown(found.tracking, personal=personal) or None,
        "acknowledged": None
        if word is None
        else {
            "until": _time(word.until),
            "note": shown(word.note, personal=personal),
            **({"by": shown(word.by, personal=True)} if personal else {}),
        },
    }


def _time(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat() if time is not None else None


def _money(money: Mapping[str, Decimal]) -> dict[str, str]:
    return {shown(currency): f"{amount:f}" for currency, amount in money.items()}


def counts_of(text: str) -> dict[str, int]:
    """Breaks by code in a report's JSON text. Raises `ConfigurationError` for anything else."""
    try:
        said = json.loads(text)
        version = said["schema"]
        counts = Counter(str(found["code"]) for found in said["breaks"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ConfigurationError("the previous report is not JSON as Report.to_json() writes it") from None
    if version != SCHEMA:
        raise ConfigurationError(f"the previous report has the schema {str(version)[:60]!r}; this library reads {SCHEMA!r}")
    return dict(counts)
