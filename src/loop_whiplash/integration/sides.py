"""What a sweep knows of each side: what was read, what could not be, and what may be concluded from it.

A list names returns; it proves nothing about those it does not name. So a return is judged by a sweep only where Loop's
row of it was read, or Loop said by id that there is none, *and* Whiplash answered the search for its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from loop_whiplash.errors import ApiError, AuthenticationFailed, DecodeError, LoopWhiplashError
from loop_whiplash.ledger.protocol import CaseRow
from loop_whiplash.planning.model import EMPTY, Journal, Observation
from loop_whiplash.reconciliation import SideReport
from loop_whiplash.returns.model import Receipt, Rma

from .observe import rma_of

__all__ = ["Both", "Known", "LoopSide", "Side", "WhiplashSide"]

#: A side that failed so often in a row is asked nothing more in this sweep.
PATIENCE = 3
#: So many absent ids are taken for deletions, whatever share of all they are.
FEW = 3


@attrs.frozen(kw_only=True)
class Known:
    """What the ledger holds of one return before the sweep reads it.

    `created_at`: when Loop made it, else when we met it. `stored`: its journal. `open`: it is not settled.
    """

    return_id: int
    created_at: datetime
    stored: Mapping[str, Any]
    open: bool

    @classmethod
    def of(cls, row: CaseRow) -> Known:
        made_at = row.summary.get("made_at")
        created_at = datetime.fromisoformat(made_at) if made_at else row.created_at
        return cls(return_id=row.return_id, created_at=created_at, stored=row.journal, open=row.due_at is not None)

    @property
    def journal(self) -> Journal:
        """The journal; the empty one where it cannot be read, which is said when the return is worked on."""
        try:
            return Journal.from_dict(self.stored)
        except LoopWhiplashError:
            return EMPTY

    @property
    def rma_ids(self) -> frozenset[int]:
        """The consumer returns that were made for it, adopted, or attached by a person."""
        made = self.stored.get("create", {}).get("consumer_return_id")
        return frozenset({made, *self.stored.get("attached", ())} - {None})

    @property
    def met(self) -> bool:
        """Loop knew it when it was last looked at."""
        return any(key.startswith("state:") for key in self.stored.get("since", {}))


@attrs.define(kw_only=True)
class Side:
    """What one side said.

    `complete`: nothing was left unread. `distrusted`: so much of what is known is absent that the key or the shop must be
    the wrong one; nothing at all is concluded. `silent`: it stopped answering. `unreadable`: return id → what cannot be read.
    """

    name: str
    since: datetime | None = None
    until: datetime | None = None
    rows: int = 0
    complete: bool = True
    distrusted: bool = False
    problems: list[str] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    unreadable: dict[int, str] = attrs.field(factory=dict)
    _failures: int = 0
    _refused: bool = False

    def fail(self, why: Exception | str) -> None:
        """Something was left unread."""
        self.complete = False
        if str(why) not in self.problems and not self.refuses(why):
            self.problems.append(str(why))
        self._refused = self._refused or isinstance(why, AuthenticationFailed)

    def refuses(self, why: Exception | str) -> bool:
        """It has said before that the key or token is no good: once is enough for a reader."""
        return self._refused and isinstance(why, AuthenticationFailed)

    def answered(self, failure: ApiError | None = None) -> None:
        """One more request was answered, or failed."""
        self._failures = 0 if failure is None else self._failures + 1
        if failure is not None:
            self.fail(failure)

    @property
    def silent(self) -> bool:
        """It failed too often in a row to go on asking."""
        return self._failures >= PATIENCE

    def too_many(self, absent: int, known: int, limit: float) -> bool:
        """Are so many absent that it cannot be so many deletions?"""
        return absent > max(FEW, limit * known)

    def compare(self, absent: int, known: int, limit: float, what: str) -> None:
        """Too many absent ids are the wrong key rather than so many deletions."""
        if self.too_many(absent, known, limit):
            self.distrusted = True
            self.fail(
                f"{self.name} does not know {absent:,} of {known:,} {what}; that is more likely the wrong key, shop or customer than so "
                "many deletions; nothing is concluded from it, and nothing is done"
            )

    def report(self) -> SideReport:
        """The account, for the report."""
        return SideReport(
            name=self.name, complete=self.complete, rows=self.rows, since=self.since, until=self.until, problems=self.problems,
            notes=self.notes,
        )  # fmt: skip


@attrs.define(kw_only=True)
class LoopSide(Side):
    """`rmas`: each return as it is. `absent`: ids that Loop, asked by id, does not know. `lines`: ids of all their line items,
    removed ones too. `people`: return id → what is personal, for a report that is asked for it."""

    rmas: dict[int, Rma] = attrs.field(factory=dict)
    absent: set[int] = attrs.field(factory=set)
    lines: set[str] = attrs.field(factory=set)
    people: dict[int, Mapping[str, str]] = attrs.field(factory=dict, repr=False)


@attrs.define(kw_only=True)
class WhiplashSide(Side):
    """`receipts`: return id → its RMAs by id. `asked`: returns whose key was searched for and answered. `strangers`: consumer
    returns of nobody, by id. `unread_rows`: rows of a list that cannot be read, by id."""

    receipts: dict[int, dict[int, Receipt]] = attrs.field(factory=dict)
    asked: set[int] = attrs.field(factory=set)
    strangers: dict[int, Receipt] = attrs.field(factory=dict)
    unread_rows: dict[int, str] = attrs.field(factory=dict)

    @property
    def found(self) -> frozenset[int]:
        """The ids of all consumer returns that were met."""
        return frozenset({number for rows in self.receipts.values() for number in rows} | set(self.strangers))


@attrs.frozen(kw_only=True)
class Both:
    """Both sides, read since `began`."""

    began: datetime
    loop: LoopSide
    whiplash: WhiplashSide
    known: dict[int, Known]

    @property
    def complete(self) -> bool:
        return self.loop.complete and self.whiplash.complete

    @property
    def distrusted(self) -> bool:
        return self.loop.distrusted or self.whiplash.distrusted

    @property
    def ids(self) -> list[int]:
        """Every return there is something to say about, in order."""
        named = {*self.loop.rmas, *self.loop.absent, *self.loop.unreadable, *self.whiplash.receipts, *self.whiplash.unreadable}
        return sorted(named | {return_id for return_id, known in self.known.items() if known.open})

    def receipts(self, return_id: int) -> tuple[Receipt, ...]:
        """What Whiplash says of one return, by id."""
        return tuple(receipt for _, receipt in sorted(self.whiplash.receipts.get(return_id, {}).items()))

    def observation(self, return_id: int, journal: Journal) -> Observation | None:
        """What both sides say of one return; None where one of them could not be looked at."""
        loop, whiplash = self.loop, self.whiplash
        rma = loop.rmas.get(return_id)
        loop_problem = loop.unreadable.get(return_id) if rma is None else None
        whiplash_problem = whiplash.unreadable.get(return_id)
        if self.distrusted or (rma is None and return_id not in loop.absent and loop_problem is None):
            return None
        if return_id not in whiplash.asked and whiplash_problem is None:
            return None
        problems = [
            f"UNREADABLE: {name}'s answer could not be read: {what}"
            for name, what in (("Whiplash", whiplash_problem), ("Loop", loop_problem))
            if what is not None
        ]
        return Observation(
            return_id=return_id,
            rma=rma_of(journal, rma) if rma is not None else None,
            receipts=self.receipts(return_id),
            loop_read=loop_problem is None,
            whiplash_read=whiplash_problem is None,
            problems=problems,
        )


def problem_of(unread: DecodeError) -> str:
    """What of an answer cannot be read."""
    return "; ".join(unread.problems[:3]) or str(unread)


def in_batches(values: Iterable[int], size: int) -> list[list[int]]:
    """Sorted, `size` at a time."""
    ordered = sorted(values)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


#: What a sweep reads again of what the last one has read: vendors' clocks and lagging indexes differ.
OVERLAP = timedelta(hours=48)
