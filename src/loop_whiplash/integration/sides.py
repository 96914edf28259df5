"""Reading both systems for a sweep, and being honest about what could not be read.

Loop is read by `updated_at` since the watermark, less an overlap, in all five states; then every open return of ours
that did not show is looked for among those created since the oldest of them, and what is still missing is read by id.
Whiplash is read by `updated_at` over the same window; then every return that has no row yet is asked for by key, a
hundred keys a call. Absence is concluded only from those reads by id and by key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import attrs

from loop_whiplash.errors import ApiError, ListIncomplete, LoopWhiplashError, NotFound
from loop_whiplash.http.flow import Store
from loop_whiplash.ledger.protocol import CaseRow
from loop_whiplash.loop.calls import get_return
from loop_whiplash.loop.lists import list_returns
from loop_whiplash.returns import to_rma
from loop_whiplash.returns.model import Rma
from loop_whiplash.whiplash.lists import consumer_returns_by_original_ids, list_consumer_returns
from loop_whiplash.whiplash.models import ConsumerReturn

from .core import Core
from .inbox import owner_of

__all__ = ["OpenCase", "Side", "open_cases", "read_loop", "read_whiplash"]

#: What a sweep reads again of what the last one has read: vendors' clocks and lagging indexes differ.
OVERLAP = timedelta(hours=48)
#: Missing returns are listed by creation rather than read one by one from this many on.
LIST_FROM = 50
#: … but no further back than this; older ones are read by id.
LIST_BACK = timedelta(days=45)
#: Whiplash's status of a delivery nobody announced (https://help.whiplash.com, status table).
UNEXPECTED = 25


@attrs.frozen(kw_only=True)
class OpenCase:
    """What a sweep needs of a case that is not settled."""

    return_id: int
    created_at: datetime
    consumer_return_ids: tuple[int, ...]


@attrs.define(kw_only=True)
class Side:
    """What one side said.

    `absent`: known return ids it was asked for by id or key and does not know. `complete`: nothing was left unread.
    """

    name: str
    rows: int = 0
    complete: bool = True
    problems: list[str] = attrs.field(factory=list)
    since: datetime | None = None
    until: datetime | None = None
    rmas: dict[int, Rma] = attrs.field(factory=dict)
    receipts: dict[int, dict[int, ConsumerReturn]] = attrs.field(factory=dict)
    strangers: dict[int, ConsumerReturn] = attrs.field(factory=dict)
    absent: set[int] = attrs.field(factory=set)

    def fail(self, why: LoopWhiplashError | str) -> None:
        self.complete = False
        if str(why) not in self.problems:
            self.problems.append(str(why))


async def open_cases(core: Core) -> dict[int, OpenCase]:
    """Every case that is not settled, by return id."""
    found: dict[int, OpenCase] = {}
    after = 0
    while True:
        page: list[CaseRow] = await Store(partial(core.ledger.open_cases, after=after, limit=1000))
        for row in page:
            made = row.journal.get("create", {}).get("consumer_return_id")
            ids = {made, *row.journal.get("attached", ())} - {None}
            found[row.return_id] = OpenCase(return_id=row.return_id, created_at=row.created_at, consumer_return_ids=tuple(sorted(ids)))
        if len(page) < 1000:
            return found
        after = page[-1].return_id


async def read_loop(core: Core, since: datetime, until: datetime, known: dict[int, OpenCase], told: Callable[[int], None]) -> Side:
    """All returns that changed since, and every open one of ours."""
    side = Side(name="Loop", since=since, until=until)
    await _list(side, core, since, until, "updated_at", told)
    missing = [known[i] for i in known if i not in side.rmas]
    if len(missing) >= LIST_FROM:
        oldest = max(min(case.created_at for case in missing), until - LIST_BACK) - OVERLAP
        await _list(side, core, oldest, until, "created_at", told)
        missing = [case for case in missing if case.return_id not in side.rmas]
    for case in missing:
        try:
            side.rmas[case.return_id] = to_rma(await core.loop.perform(get_return(case.return_id)))
        except NotFound:
            side.absent.add(case.return_id)
        except ApiError as unread:
            side.fail(f"return {case.return_id}: {unread}")
    if len(side.absent) > max(3, core.settings.absent_limit * len(known)):
        side.fail(
            f"Loop does not know {len(side.absent)} of our {len(known)} open returns; that is more likely the wrong API key or shop "
            "than so many deletions; nothing is concluded from it"
        )
    return side


async def _list(
    side: Side, core: Core, since: datetime, until: datetime, by: Literal["updated_at", "created_at"], told: Callable[[int], None]
) -> None:
    try:
        async for row in list_returns(core.loop, since, until, by=by):
            rma = to_rma(row)
            before = side.rmas.get(rma.return_id)
            if before is None or (before.updated_at or since) <= (rma.updated_at or since):
                side.rmas[rma.return_id] = rma
            side.rows += 1
            told(side.rows)
    except (ApiError, ListIncomplete) as unread:
        side.fail(unread)


async def read_whiplash(
    core: Core, since: datetime, until: datetime, wanted: Iterable[int], known: dict[int, OpenCase], told: Callable[[int], None]
) -> Side:
    """All consumer returns that changed since, all unexpected ones, and those of every return in `wanted`."""
    side = Side(name="Whiplash", since=since, until=until)
    changed = {"updated_at_gteq": since.isoformat()}
    await _take(side, core, list_consumer_returns(core.whiplash, changed), told)
    await _take(side, core, list_consumer_returns(core.whiplash, {"status_eq": UNEXPECTED}), told)
    asked = [i for i in wanted if i not in side.receipts]
    if asked:
        try:
            rows = await consumer_returns_by_original_ids(core.whiplash, [core.original_id(i) for i in asked])
            for row in rows:
                await _place(side, core, row)
            side.rows += len(rows)
        except ApiError as unread:
            side.fail(unread)
    by_id = sorted({i for case in known.values() for i in case.consumer_return_ids} - {i for rows in side.receipts.values() for i in rows})
    for start in range(0, len(by_id), 100):
        await _take(side, core, list_consumer_returns(core.whiplash, {"id_in": by_id[start : start + 100]}), told)
    return side


async def _take(side: Side, core: Core, rows: AsyncIterator[ConsumerReturn], told: Callable[[int], None]) -> None:
    try:
        async for row in rows:
            await _place(side, core, row)
            side.rows += 1
            told(side.rows)
    except (ApiError, ListIncomplete) as unread:
        side.fail(unread)


async def _place(side: Side, core: Core, row: ConsumerReturn) -> None:
    owner: Any = await Store(lambda: owner_of(core, row))
    if owner is None:
        side.strangers[row.id] = row
    else:
        side.receipts.setdefault(owner, {})[row.id] = row
