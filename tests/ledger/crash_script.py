"""A worker's day in calls to a ledger, and a picture of all that is stored: what the crash tests cut short and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from loop_whiplash.ledger import Event, Intent, Ledger

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LEASE = timedelta(days=400)  # no lease runs out while the database's real clock runs


#: How many steps `day` has.
STEPS = 15


def _hint(return_id: int | None, body: bytes) -> Event:
    return Event(kind="loop.hint", return_id=return_id, at=START, body=body, source="test")


def day(ledger: Ledger) -> Iterator[str]:
    """Each step is one call. What it yields, the ledger has acknowledged."""
    intent = Intent(kind="create", ordinal=1, at=START, evidence="e")
    ledger.accept(_hint(1, b"x" * 9000), due_at=START)
    yield "accepted"
    ledger.accept_many([(_hint(2, b"two"), START), (_hint(None, b"aside"), None), (_hint(1, b"more"), START)])
    yield "accepted many"
    (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
    yield "claimed the longest due"
    ledger.commit(claim, journal={"phase": "sending", "pad": "p" * 5000}, read_to=claim.unread[-1].seq, intent=intent)
    yield "intended"
    ledger.commit(claim, journal={"phase": "none"}, withdraw=intent, events=[Event(kind="step.withdrawn", return_id=1, at=START)])
    yield "withdrew"
    ledger.commit(claim, journal={"phase": "sending"}, intent=intent)
    yield "intended again"
    ledger.accept(_hint(1, b"meanwhile"), due_at=START)
    yield "heard something meanwhile"
    ledger.accept(_hint(1, b"meanwhile"), due_at=START)
    yield "heard it again"
    ledger.finish(claim, journal={"phase": "done"}, read_to=0, due_at=None, summary={"breaks": [{"code": "X"}]}, at=START)
    yield "finished"
    ledger.put("watermark", "2026-03-01")
    yield "put"
    second = ledger.claim(2, at=START, lease=LEASE)
    yield "claimed one"
    assert second is not None
    ledger.finish(second, journal={"n": 2}, read_to=second.unread[-1].seq, due_at=None, summary={}, at=START)
    yield "settled it"
    ledger.forget(1)
    yield "forgot"
    ledger.expire(before=START + timedelta(days=1))
    yield "expired"
    ledger.accept(_hint(3, b"y" * 20000), due_at=START)
    yield "accepted one more"


PICTURE = (
    "SELECT return_id, due_at, fence, lease_until IS NULL, lease_token IS NULL, forgotten FROM lw_cases WHERE shop = '{shop}' ORDER BY 1",
    "SELECT return_id, journal, summary, has_breaks FROM lw_journals WHERE shop = '{shop}' ORDER BY 1",
    "SELECT return_id, kind, times, body, digest FROM lw_events WHERE shop = '{shop}' ORDER BY seq",
    "SELECT return_id, kind, ordinal, evidence FROM lw_intents WHERE shop = '{shop}' ORDER BY 1, 2, 3",
    "SELECT name, value FROM lw_facts WHERE shop = '{shop}' ORDER BY 1",
)


def picture(rows: Callable[[str], list[tuple[Any, ...]]], shop: str = "") -> str:
    """Everything stored, but for tokens, sequence numbers and the database's own times."""
    return repr([[tuple(_plain(value) for value in row) for row in rows(sql.format(shop=shop))] for sql in PICTURE])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return int(value) if isinstance(value, bool) else value
