"""The list of returns, losing nothing.

Loop's list has windows of 120 days, hides two states unless asked by name, pages only when asked, and its cursor carries
a date and no id, so rows that share the second of a page's edge are skipped or repeated
(https://docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list). So:

1. Each state is asked for by name, in the order in which returns move on: one that moves on while we read is met again.
2. No cursor: a window that does not fit one page is halved, oldest half first. Halves share their edge, and ids are given
   once, so it does not matter whether Loop counts an edge in.
3. A window of one second that still does not fit is read along the cursor, and `ListIncomplete` is raised at the end:
   nothing can prove it whole.
4. A window that reaches the present is asked for beyond it, and afterwards whatever changed while we read is asked for,
   until that finds no return that was there before: one that slipped from an unread state into a read one is found here.

No address in an answer is ever followed; the cursor is taken out of it, and only if it is of our own origin.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import attrs

from loop_whiplash.decoding import decode
from loop_whiplash.errors import ConfigurationError, DecodeError, ListIncomplete
from loop_whiplash.http.session import Session

from .calls import list_page
from .models import Return

__all__ = ["ALL_STATES", "list_returns"]

#: In the order in which a return moves on.
ALL_STATES = ("open", "review", "expired", "cancelled", "closed")
#: A little below Loop's 120 days, so that rounding to seconds cannot exceed them.
LONGEST_WINDOW = timedelta(days=119)
SECOND = timedelta(seconds=1)
#: The largest page that every edition of the documentation allows (750, 700 and 500 have been written).
PAGE_SIZE = 500
#: Loop's clock and ours may differ by so much.
CLOCKS = timedelta(minutes=5)
#: How often what changed while we read is asked for again; and pages along a cursor.
MAX_PASSES = 5
MAX_PAGES = 1000

By = Literal["updated_at", "created_at"]


def list_returns(
    session: Session, start: datetime, end: datetime, *, by: By = "updated_at", states: Sequence[str] = ALL_STATES
) -> AsyncGenerator[Return, None]:
    """Every return that was updated (or created) between two times, in all states, each once, in no order.

    Args:
        start, end: aware; any length. by: which time counts. states: those asked for.

    Raises:
        ConfigurationError: at once, for a time without a zone, or what cannot be asked for.
        ListIncomplete: after the last row, when it cannot be proven that these were all; `.windows` and `.unreadable` say
            what is missing.

    https://docs.loopreturns.com/api-reference/latest/return-data/get-detailed-returns-list
    """
    start, end = _utc(start, "start").replace(microsecond=0), _utc(end, "end")
    end = end if end.microsecond == 0 else end.replace(microsecond=0) + SECOND
    _check(start, end, by, states)
    return _list(session, start, max(end, start + SECOND), by, states)


async def _list(session: Session, start: datetime, end: datetime, by: By, states: Sequence[str]) -> AsyncGenerator[Return, None]:
    began = session.now()
    reaches_now = end >= began - CLOCKS
    reading = _Reading(session=session, before=began)
    reading.want(states, by, start, end + 2 * CLOCKS if reaches_now else end)
    while (rows := await reading.more()) is not None:
        for row in rows:
            yield row
    since = began
    # A past window of updated_at needs no second look: what changes now leaves it by right.
    for left in range(MAX_PASSES if reaches_now or by == "created_at" else 0, 0, -1):
        reading.late = 0
        window = since - CLOCKS, session.now() + 2 * CLOCKS
        since = session.now()
        reading.want(states, "updated_at", *window)
        while (rows := await reading.more()) is not None:
            for row in rows:
                if by == "updated_at" or row.created_at is None or start <= row.created_at <= end:
                    yield row
        if not reading.late:
            break
        if left == 1:
            reading.doubt(*window)
    reading.finish()


def _check(start: datetime, end: datetime, by: str, states: Sequence[str]) -> None:
    if start > end:
        raise ConfigurationError("start is after end")
    if by not in ("updated_at", "created_at"):
        raise ConfigurationError("list by 'updated_at' or 'created_at'")
    if isinstance(states, str) or not states:
        raise ConfigurationError(f"states is a sequence of states, e.g. {ALL_STATES}")


def _utc(value: datetime, what: str) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ConfigurationError(f"{what} is a datetime with a time zone, e.g. datetime(2026, 3, 2, tzinfo=UTC)")
    return value.astimezone(UTC)


def _shown(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S")


@attrs.frozen
class _Window:
    state: str
    by: By
    start: datetime
    end: datetime


@attrs.define(kw_only=True)
class _Reading:
    """What is still to be read, and what has been. `late`: returns older than `before` that were first met since it was set to 0."""

    session: Session
    before: datetime
    late: int = 0
    _seen: set[int] = attrs.field(factory=set)
    _wanted: list[_Window] = attrs.field(factory=list)
    _doubtful: dict[tuple[str, str], None] = attrs.field(factory=dict)
    _unreadable: dict[str, str] = attrs.field(factory=dict)

    def want(self, states: Sequence[str], by: By, start: datetime, end: datetime) -> None:
        """Put on the list of work: each state, in windows that Loop takes, to be read in order."""
        order = {state: place for place, state in enumerate(ALL_STATES)}
        for state in sorted(dict.fromkeys(states), key=lambda each: order.get(each, len(order))):
            at = start
            while True:
                upto = min(at + LONGEST_WINDOW, end)
                self._wanted.append(_Window(state, by, at, upto))
                if upto >= end:
                    break
                at = upto
        self._wanted.reverse()

    async def more(self) -> list[Return] | None:
        """The rows of the next window that were not given yet, perhaps none; None when nothing is left to read."""
        if not self._wanted:
            return None
        window = self._wanted.pop()
        page = await self.session.perform(list_page(_query(window)))
        if page.next_url is None:
            return self._fresh(page.rows)
        if window.end - window.start > SECOND and page.rows:
            middle = window.start + max(SECOND, ((window.end - window.start) / 2) // SECOND * SECOND)
            self._wanted += [attrs.evolve(window, start=middle), attrs.evolve(window, end=middle)]
            return []
        self.doubt(window.start, window.end)
        return await self._along_the_cursor(window, page.rows, page.next_url)

    async def _along_the_cursor(self, window: _Window, rows: list[Any], next_url: str | None) -> list[Return]:
        fresh, cursors = self._fresh(rows), set[str]()
        for _ in range(MAX_PAGES):
            cursor = self._cursor(next_url)
            if cursor is None or cursor in cursors:
                break
            cursors.add(cursor)
            # Our own parameters again: the example of nextPageUrl in the documentation carries neither state nor from.
            page = await self.session.perform(list_page(_query(window) | {"cursor": cursor}))
            fresh += self._fresh(page.rows)
            next_url = page.next_url
        return fresh

    def _cursor(self, next_url: str | None) -> str | None:
        """The cursor of an address of our own origin."""
        try:
            parts = urlsplit(next_url or "")
            base = urlsplit(getattr(self.session.transport, "base_url", "") or "")
            found = parse_qs(parts.query).get("cursor")
        except ValueError:
            return None
        if base.hostname and parts.hostname and (parts.scheme, parts.netloc) != (base.scheme, base.netloc):
            return None
        return found[0] if found else None

    def _fresh(self, rows: list[Any]) -> list[Return]:
        """Decode what was not seen yet. A row that cannot be read stops no other; it is named at the end."""
        fresh = []
        for row in rows:
            try:
                read = decode(Return, row)
            except DecodeError as error:
                known = row.get("id") if isinstance(row, Mapping) else None
                self._unreadable[str(known) if isinstance(known, (str, int)) else ""] = "; ".join(error.problems[:3])
                continue
            if read.id not in self._seen:
                self._seen.add(read.id)
                self.late += read.created_at is None or read.created_at < self.before
                fresh.append(read)
        return fresh

    def doubt(self, start: datetime, end: datetime) -> None:
        """Nothing can prove that this window was read whole."""
        self._doubtful[start.isoformat(), end.isoformat()] = None

    def finish(self) -> None:
        """Raise `ListIncomplete` unless everything was read whole."""
        unreadable = tuple((id, problem) for id, problem in self._unreadable.items() if not id.isdigit() or int(id) not in self._seen)
        if not self._doubtful and not unreadable:
            return
        why = []
        if self._doubtful:
            first = " to ".join(next(iter(self._doubtful)))
            why.append(f"{len(self._doubtful)} window(s) hold more than Loop's list can give for certain, the first {first}")
        if unreadable:
            why.append(f"{len(unreadable)} row(s) could not be read; ask for each by its id (.unreadable)")
        raise ListIncomplete(
            f"Loop's list of returns may be incomplete after {len(self._seen)} rows: {'; '.join(why)}",
            system="loop",
            windows=tuple(self._doubtful),
            rows=len(self._seen),
            unreadable=unreadable,
        )


def _query(window: _Window) -> dict[str, str]:
    return {
        "from": _shown(window.start),
        "to": _shown(window.end),
        "filter": window.by,
        "state": window.state,
        "paginate": "true",
        "pageSize": str(PAGE_SIZE),
    }
