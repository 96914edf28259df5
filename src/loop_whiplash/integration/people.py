"""What people say. Each word is an event: stored first, folded into the journal by whoever works on the return next.

Because an action's intent is refused while an unread event stands, a `hold` is obeyed from the moment it is stored.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.flow import Store
from loop_whiplash.ledger.protocol import Event
from loop_whiplash.matching.decision import Decision
from loop_whiplash.planning import fold
from loop_whiplash.planning.breaks import BREAKS
from loop_whiplash.planning.model import Break, Journal

from .core import Core
from .inbox import rma_key
from .summary import breaks_of

__all__ = ["Case", "acknowledge", "attach", "case_of", "forget", "hold", "release", "retry"]


@attrs.frozen(kw_only=True)
class Case:
    """All that is known of one return.

    Attributes:
        return_id: Loop's. due_at: when it is looked at next, UTC; None when settled. journal: what is remembered.
        decision: the matcher's last, or None. breaks, reasons: of the last plan.
        history: its events, oldest first, each with `kind`, `at`, `source`, `body` (bytes) and `count`.
        looked_at: when it was last worked on.
    """

    return_id: int
    due_at: datetime | None
    journal: Journal
    decision: Decision | None
    breaks: tuple[Break, ...]
    reasons: tuple[str, ...]
    history: tuple[Event, ...]
    looked_at: datetime | None = None

    @property
    def held(self) -> bool:
        """A person holds it."""
        return self.journal.held_by is not None


async def case_of(core: Core, return_id: int) -> Case | None:
    """The case of a return, words of people included that no worker has taken in yet; None when it was never met."""

    def read() -> Case | None:
        row = core.ledger.case(return_id)
        if row is None:
            return None
        history = tuple(core.ledger.history(return_id))
        journal = Journal.from_dict(row.journal)
        for event in core.ledger.unread(return_id):
            journal = fold(journal, event, settings=core.settings)
        summary = row.summary
        return Case(
            return_id=return_id,
            due_at=row.due_at,
            journal=journal,
            decision=Decision.from_dict(summary["decision"]) if summary.get("decision") else None,
            breaks=breaks_of(summary),
            reasons=tuple(summary.get("reasons", ())),
            history=history,
            looked_at=datetime.fromisoformat(summary["at"]) if summary.get("at") else None,
        )

    return await Store(read)


def _check(what: str, number: Any) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
        raise ConfigurationError(f"{what}, a positive int; got {number!r}")


async def _say(core: Core, return_id: int, word: str, **facts: Any) -> None:
    _check("return_id is Loop's return id", return_id)
    at = core.now()
    event = Event(kind=f"person.{word}", return_id=return_id, at=at, body=json.dumps(facts).encode(), source=str(facts.get("by", "")))
    await Store(lambda: core.ledger.accept(event, due_at=at))


async def hold(core: Core, return_id: int, *, by: str = "", note: str = "") -> None:
    """Keep the integration's hands off this return until `release`."""
    await _say(core, return_id, "hold", by=by, note=note)


async def release(core: Core, return_id: int, *, by: str = "") -> None:
    """Give it back to the integration; it is due at once."""
    await _say(core, return_id, "release", by=by)


async def retry(core: Core, return_id: int, *, by: str = "") -> None:
    """Allow one more send of what was refused, failed or stayed in doubt; it is due at once."""
    await _say(core, return_id, "retry", by=by)


async def acknowledge(core: Core, return_id: int, code: str, until: datetime, by: str, note: str = "") -> None:
    """Take note of a break until a date; it is still reported, marked so."""
    if code not in BREAKS:
        raise ConfigurationError(f"no break has the code {code!r}; the codes are {', '.join(sorted(BREAKS))}")
    if not isinstance(until, datetime) or until.tzinfo is None:
        raise ConfigurationError(f"until is a datetime with a time zone; got {until!r}")
    if until <= core.now():
        raise ConfigurationError(f"until is to come; got {until:%Y-%m-%d %H:%M %Z}, which is over")
    await _say(core, return_id, "acknowledge", code=code, until=until.isoformat(), by=by, note=note)


async def attach(core: Core, return_id: int, consumer_return_id: int, *, by: str = "") -> None:
    """Say that a Whiplash consumer return belongs to this Loop return, and to no other any more.

    Of two people who attach it to different returns at once, the one whose fact stands has it; the other is told off it.
    """
    _check("consumer_return_id is Whiplash's id of a consumer return", consumer_return_id)
    _check("return_id is Loop's return id", return_id)
    key = rma_key(consumer_return_id)
    # The word first: should the ledger fail in between, the parcel is still the other's, and never nobody's.
    await _say(core, return_id, "attach", consumer_return_id=consumer_return_id, by=by)
    owner = await Store(lambda: core.ledger.put_first(key, str(return_id)))
    if owner != str(return_id):
        await Store(lambda: core.ledger.put(key, str(return_id)))
        await _say(core, int(owner), "detach", consumer_return_id=consumer_return_id, by=by)
        await _say(core, return_id, "attach", consumer_return_id=consumer_return_id, by=by)  # the first may have been taken in before
        # A third may have taken it meanwhile, and told us off it before that: the fact decides.
        if await Store(lambda: core.ledger.get(key)) != str(return_id):
            await _say(core, return_id, "detach", consumer_return_id=consumer_return_id, by=by)


async def forget(core: Core, return_id: int) -> None:
    """Delete what is personal about this return; what guards against paying twice stays."""
    await Store(lambda: core.ledger.forget(return_id))
