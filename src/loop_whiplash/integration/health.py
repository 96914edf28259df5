"""How the integration is doing, from the ledger alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from loop_whiplash.http.flow import Store

from .core import Core
from .sweep import LAST

__all__ = ["Health", "health"]


@attrs.frozen(kw_only=True)
class Health:
    """Numbers to watch.

    Attributes:
        ok: no case is overdue by more than `Settings.recheck`, no outcome is unknown, and the last whole sweep is younger than two days.
        cases, open, due: counts. oldest_due_at: since when the longest-waiting return is due, UTC.
        unknown_outcomes: creates, processes and flags that were sent and whose effect is not seen yet.
        capture_rate: share of the open returns in work that a webhook found before a sweep did; None without any.
        last_complete_sweep: UTC, or None. breaks: open breaks by code. asides: webhooks that named no return or could not be read.
        reasons: why not ok, one sentence each.
    """

    ok: bool
    at: datetime
    cases: int
    open: int
    due: int
    oldest_due_at: datetime | None
    unknown_outcomes: int
    capture_rate: float | None
    last_complete_sweep: datetime | None
    breaks: Mapping[str, int]
    asides: int
    reasons: tuple[str, ...]


async def health(core: Core) -> Health:
    """Read the ledger once over."""
    return await Store(lambda: _read(core))


def _read(core: Core) -> Health:
    at = core.now()
    stats = core.ledger.stats(at=at)
    unknown, found = 0, Counter[str]()
    breaks: Counter[str] = Counter()
    after = 0
    while page := core.ledger.open_cases(after=after, limit=1000):
        for row in page:
            journal = row.journal
            unknown += any(journal.get(kind, {}).get("phase") == "sending" for kind in ("create", "process", "flag"))
            if journal.get("create", {}).get("phase", "none") != "none" and journal.get("found_by"):
                found[journal["found_by"]] += 1
        after = page[-1].return_id
    after = 0
    while page := core.ledger.cases_with_breaks(after=after, limit=1000):
        breaks.update(each["code"] for row in page for each in row.summary.get("breaks", ()))
        after = page[-1].return_id
    stored = core.ledger.get(LAST)
    last = datetime.fromisoformat(stored) if stored else None
    oldest = stats["oldest_due_at"]
    reasons = []
    if oldest is not None and at - oldest > core.settings.recheck:
        reasons.append(f"a return has been due since {oldest.isoformat()}: is run_due() being called?")
    if unknown:
        reasons.append(f"{unknown} sent actions have not been seen to take effect yet")
    if last is None or at - last > timedelta(days=2):
        reasons.append("no whole sweep in the last two days: is sweep() being called, and does it end complete?")
    return Health(
        ok=not reasons,
        at=at,
        cases=stats["cases"],
        open=stats["open"],
        due=stats["due"],
        oldest_due_at=oldest,
        unknown_outcomes=unknown,
        capture_rate=found["webhook"] / found.total() if found.total() else None,
        last_complete_sweep=last,
        breaks=dict(sorted(breaks.items())),
        asides=stats["asides"],
        reasons=tuple(reasons),
    )
