"""The report, as typed data: which breaks there are, how old, worth what, and how much of both systems could be read.

Text, JSON, CSV and HTML are renderings of it, each in a file of its own. Whatever builds a report (`reconcile`, a sweep)
fills the same few fields; everything else is counted from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.planning.breaks import BREAKS
from loop_whiplash.planning.model import Break

from .ageing import BUCKETS, bucket_of, days_of, weight_of
from .case import CaseKey, CaseView, case_key

__all__ = ["Cell", "Flow", "Report", "SideReport", "Totals"]

#: Codes in the order of the table of breaks; one that is not in it comes last.
_ORDER = {code: position for position, code in enumerate(BREAKS)}
#: Counted for the health of the webhooks; nobody has anything to do for the return itself.
COUNTED_ONLY = frozenset({"WEBHOOK_MISSED"})
#: Why the rest may be wrong: these stand before all others.
BLIND = "SOURCE_INCOMPLETE"


def _breaks(values: Iterable[Break]) -> tuple[Break, ...]:
    return tuple(sorted(values, key=_place))


def _place(found: Break) -> tuple[int, str, int, int, str]:
    return (_ORDER.get(found.code, len(_ORDER)), found.code, found.return_id or 0, found.consumer_return_id or 0, found.reason)


def _sides(values: Iterable[SideReport]) -> tuple[SideReport, ...]:
    return tuple(values)


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class SideReport:
    """What was read of one system, and whether that was all of it.

    Attributes:
        name: ``Loop`` or ``Whiplash``. complete: nothing was left unread. rows: how many were read, each counted once.
        since, until: the window that was asked for, UTC; None where there was none.
        problems: why it is not complete, and what else made the reading doubtful, in sentences.
        notes: what was noticed and takes nothing away, e.g. rows that came twice with different content.
        strangers: consumer returns that name no return of this shop and have no goods.
    """

    name: str
    complete: bool = True
    rows: int = 0
    since: datetime | None = None
    until: datetime | None = None
    problems: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    notes: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    strangers: int = 0


@attrs.frozen(kw_only=True)
class Flow:
    """How far the returns have come, each counted once in every stage it has reached.

    `returns`: in Loop. `announced`: with an RMA in Whiplash. `received`: goods were counted. `decided`: value was
    released, or it is in review, or it is over without either.
    """

    returns: int = 0
    announced: int = 0
    received: int = 0
    decided: int = 0


@attrs.frozen(kw_only=True)
class Cell:
    """How many breaks, and the money at risk by currency (``""`` where it is not known)."""

    count: int = 0
    money: Mapping[str, Decimal] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Totals:
    """Counts over all breaks but those that are only counted (``WEBHOOK_MISSED``).

    `money`: at risk, by currency, each return once. `oldest`: the break that has lasted longest.
    """

    breaks: int = 0
    returns: int = 0
    heals: int = 0
    acknowledged: int = 0
    unacknowledged: int = 0
    money: Mapping[str, Decimal] = attrs.field(factory=dict)
    oldest: Break | None = None


@attrs.frozen(kw_only=True)
class Report:
    """Every break between the two systems at one time.

    >>> from datetime import UTC, datetime
    >>> now = datetime(2026, 3, 1, tzinfo=UTC)
    >>> report = Report(at=now, sides=(SideReport(name="Loop"), SideReport(name="Whiplash", complete=False)))
    >>> report.complete, report.exit_code()
    (False, 2)

    Attributes:
        at: when; aware, UTC. breaks: by code, return id and RMA id, whatever order they came in.
        sides: what was read of each system. flow: how far the returns have come, where that was counted.
        cases: the drill-down: Loop return id (or ``"rma-55"``) → `CaseView`.
        captured, missed: returns and receipts that a webhook told of first, and those that only a sweep found.
        actions: what was done while the report was made (healed), by name. agreement: in shadow mode, e.g. ``process/processed`` → count.
        unjudged: returns of which nothing could be concluded because a side was not read whole.
        previous: breaks by code at the last run, for the change since; None where there was none.
    """

    at: datetime
    breaks: tuple[Break, ...] = attrs.field(default=(), converter=_breaks)
    sides: tuple[SideReport, ...] = attrs.field(default=(), converter=_sides)
    flow: Flow | None = None
    cases: Mapping[CaseKey, CaseView] = attrs.field(factory=dict, repr=False, eq=False)
    captured: int = 0
    missed: int = 0
    actions: Mapping[str, int] = attrs.field(factory=dict)
    agreement: Mapping[str, int] = attrs.field(factory=dict)
    unjudged: int = 0
    previous: Mapping[str, int] | None = None

    def __attrs_post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ConfigurationError("Report(at=…) must be a datetime with a time zone, e.g. datetime.now(UTC)")

    # ---------------------------------------------------------------------------------------------------- counted

    @property
    def complete(self) -> bool:
        """Both systems were read whole. False where nothing is known of any side: nobody has looked."""
        return bool(self.sides) and all(side.complete for side in self.sides)

    @property
    def capture_rate(self) -> float | None:
        """Share of what there was to tell that a webhook told first, 0 to 1; None where nothing was counted."""
        told = self.captured + self.missed
        return self.captured / told if told else None

    @property
    def healed(self) -> int:
        """How much was put right while the report was made."""
        return sum(self.actions.values())

    @property
    def counts(self) -> Mapping[str, int]:
        """Breaks by code, in the order of the table of breaks."""
        return dict(Counter(found.code for found in self.breaks))

    @property
    def money(self) -> Mapping[str, Decimal]:
        """Money at risk by currency. A return with several breaks counts once, with the largest amount."""
        return self.totals.money

    @property
    def grid(self) -> Mapping[str, Mapping[str, Cell]]:
        """Code → age bucket → how many, and the money. Each code that occurs has all the buckets."""
        counts: dict[str, dict[str, int]] = {}
        sums: dict[str, dict[str, dict[str, Decimal]]] = {}
        for found in self.breaks:
            row = counts.setdefault(found.code, dict.fromkeys(BUCKETS, 0))
            money = sums.setdefault(found.code, {bucket: {} for bucket in BUCKETS})
            bucket = bucket_of(days_of(found, self.at))
            row[bucket] += 1
            if found.money is not None:
                _add(money[bucket], found.currency, found.money)
        return {
            code: {bucket: Cell(count=row[bucket], money=dict(sorted(sums[code][bucket].items()))) for bucket in BUCKETS}
            for code, row in counts.items()
        }

    @property
    def worklist(self) -> tuple[Break, ...]:
        """What people have to do: by money × age, the largest first; what a side did not say before all, what is acknowledged last."""
        at = self.at

        def place(found: Break) -> tuple[Any, ...]:
            return (found.code != BLIND, found.acknowledged is not None, -weight_of(found, at), found.since or at, *_place(found))

        return tuple(sorted((found for found in self.breaks if found.code not in COUNTED_ONLY), key=place))

    @property
    def unacknowledged(self) -> tuple[Break, ...]:
        """The breaks nobody has taken note of, but for those that are only counted."""
        return tuple(found for found in self.breaks if found.acknowledged is None and found.code not in COUNTED_ONLY)

    @property
    def totals(self) -> Totals:
        """The head line in numbers."""
        returns: set[CaseKey] = set()
        heals = acknowledged = breaks = 0
        oldest: Break | None = None
        worst: dict[tuple[CaseKey | None, str], Decimal] = {}
        for found in self.breaks:
            if found.code in COUNTED_ONLY:
                continue
            breaks += 1
            heals += found.heals
            acknowledged += found.acknowledged is not None
            key = case_key(found)
            if key is not None:
                returns.add(key)
            if found.money is not None:
                place = (key, found.currency or "")
                worst[place] = max(worst.get(place, found.money), found.money)
            if found.since is not None and (oldest is None or oldest.since is None or found.since < oldest.since):
                oldest = found
        money: dict[str, Decimal] = {}
        for (_, currency), amount in worst.items():
            _add(money, currency, amount)
        return Totals(
            breaks=breaks,
            returns=len(returns),
            heals=heals,
            acknowledged=acknowledged,
            unacknowledged=breaks - acknowledged,
            money=dict(sorted(money.items())),
            oldest=oldest,
        )

    def exit_code(self, limit: int = 0) -> int:
        """For a scheduled job: 2 when a side was not read whole, 1 when more than `limit` breaks are unacknowledged, else 0."""
        if not self.complete:
            return 2
        return 1 if len(self.unacknowledged) > limit else 0

    def case(self, found: Break) -> CaseView | None:
        """The drill-down of a break, where there is one."""
        key = case_key(found)
        return self.cases.get(key) if key is not None else None

    # --------------------------------------------------------------------------------------------------- together

    def merge(self, *others: Report) -> Report:
        """One report of several (of several shops, say): breaks once each, counts added, complete only if all are."""
        merged = self
        for other in others:
            merged = attrs.evolve(
                merged,
                at=max(merged.at, other.at),
                breaks=dict.fromkeys((*merged.breaks, *other.breaks)),
                sides=(*merged.sides, *other.sides),
                flow=_sum(merged.flow, other.flow),
                cases={**merged.cases, **other.cases},
                captured=merged.captured + other.captured,
                missed=merged.missed + other.missed,
                actions=dict(Counter(merged.actions) + Counter(other.actions)),
                agreement=dict(Counter(merged.agreement) + Counter(other.agreement)),
                unjudged=merged.unjudged + other.unjudged,
            )
        return merged

    def compared_to(self, previous: Report | str) -> Report:
        """The same report, knowing how many breaks of each code there were at the last run: a report, or its JSON text.

        Raises `ConfigurationError` for text that is not a report of ours.
        """
        if isinstance(previous, Report):
            return attrs.evolve(self, previous=previous.counts)
        from .as_json import counts_of

        return attrs.evolve(self, previous=counts_of(previous))

    # -------------------------------------------------------------------------------------------------- renderings

    def to_text(self, *, worklist: int = 50, personal: bool = False) -> str:
        """For a terminal or an e-mail: head line, grid, and the first `worklist` breaks with their next steps."""
        from .text import report_to_text

        return report_to_text(self, worklist=worklist, personal=personal)

    def to_json(self, *, personal: bool = False, cases: bool = True, indent: int | None = None) -> str:
        """JSON by the schema in ``docs/report.schema.json``; `cases`: with the drill-down."""
        from .as_json import report_to_json

        return report_to_json(self, personal=personal, cases=cases, indent=indent)

    def to_csv(self, *, personal: bool = False) -> str:
        """One header, then one row a break. Text that a spreadsheet would take for a formula gets an apostrophe before it."""
        from .as_csv import report_to_csv

        return report_to_csv(self, personal=personal)

    def to_html(self, *, personal: bool = False, title: str = "Returns reconciliation") -> str:
        """One self-contained page: nothing is loaded from elsewhere, and no request leaves it."""
        from .html import report_to_html

        return report_to_html(self, personal=personal, title=title)


def _add(money: dict[str, Decimal], currency: str | None, amount: Decimal) -> None:
    money[currency or ""] = money.get(currency or "", Decimal(0)) + amount


def _sum(one: Flow | None, other: Flow | None) -> Flow | None:
    if one is None or other is None:
        return one or other
    return Flow(**{name: getattr(one, name) + getattr(other, name) for name in ("returns", "announced", "received", "decided")})
