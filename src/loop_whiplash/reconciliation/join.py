"""`reconcile`: both sides in, every break out. Pure; `plan` mapped over the union of two unsorted streams.

The consumer returns are read first and remembered, about a hundred bytes each (announced.py). Then the returns go by, one
at a time: each meets its RMAs and is judged on the spot, nearly always by a cheap look (healthy.py), else by `plan`
(judge.py). What is left over when both have been read names no return that is there.
"""

from __future__ import annotations

import heapq
import marshal
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.loop.models import Return
from loop_whiplash.matching.decision import Matcher
from loop_whiplash.matching.policy import Policy
from loop_whiplash.planning.breaks import open_break
from loop_whiplash.planning.model import Break, Journal
from loop_whiplash.planning.settings import Settings
from loop_whiplash.returns.model import Receipt, Rma
from loop_whiplash.whiplash.models import ConsumerReturn

from .announced import DIFFERED, Announced
from .compact import COUNTED, ID, KIND, Catalogue, seconds_of, unpack
from .healthy import healthy_check
from .judge import Judge, or_list, unexpected
from .report import Flow, Report
from .rows import EXAMPLES, Reading, problem_of, return_id_in

__all__ = ["reconcile"]

#: Bits of a return's flags: met at all; has an RMA; goods were counted; its decision (two bits); came again with
#: different content. The last one is DIFFERED, for its RMAs.
MET, WITH_RMA, RECEIVED, LEVEL, CAME_AGAIN = 1, 2, 4, 8, 32
#: How far a state is decided: the higher counts, where two versions of one return are equally new. Any other state is 0.
_LEVELS = {"review": 1, "cancelled": 2, "expired": 2, "closed": 3}
_NEVER = float("-inf")
#: Up to so many absent ids are taken for deletions, whatever share of all they are.
FEW = 10

_loads = marshal.loads
_dumps = marshal.dumps


def reconcile(
    returns: Iterable[Return | Rma | Mapping[str, Any]],
    consumer_returns: Iterable[ConsumerReturn | Receipt | Mapping[str, Any]],
    *,
    policy: Policy | None = None,
    at: datetime,
    settings: Settings | None = None,
    journals: Mapping[int, Journal | Mapping[str, Any]] | None = None,
    matcher: Matcher | None = None,
) -> Report:
    """Every break between Loop's returns and Whiplash's consumer returns at `at` (aware). Reads nothing else, writes nothing.

    Both iterables are gone through once, `consumer_returns` first; rows come in any order, more than once, from a list
    or from details, as models, as `Rma` and `Receipt`, or as the vendors' JSON objects. They may be generators over
    files larger than memory. Whatever a generator raises makes that side incomplete: the report says so with
    ``SOURCE_INCOMPLETE``, and nothing is concluded from what is not there. A row that cannot be read is ``UNREADABLE``
    for its return, or makes its side incomplete when it does not say whose it is. Of two rows with one id the newer
    counts (`updated_at`), and the report says where they differed.

    What `plan` would do is itself a break, one that heals: an RMA to be made is ``MISSING_IN_WMS``, a process or a flag
    to be sent ``RECEIVED_NOT_ACTIONED``. `policy` and `settings` None mean the defaults, and no `start`. Without
    `journals` (Loop return id → `Journal`, or what `Journal.to_dict` wrote) there is no ``ACTION_UNCONFIRMED``,
    ``PROCESSING_FAILED``, ``POST_ACTION_CORRECTION`` or ``WEBHOOK_MISSED``. `matcher`: `match` when None.

    Both iterables must cover the same returns: an RMA whose return was not given reads as ``ORPHAN_IN_WMS``. Where more
    than `Settings.absent_limit` of them have none (and more than ten), that is taken for the wrong shop or window.

    Raises:
        ConfigurationError: `at` has no time zone, or an argument is not of its type. Rows never raise.

    Example:
        >>> row = {"id": 7, "state": "open", "created_at": "2026-02-01T00:00:00Z", "label_status": "in_transit",
        ...        "line_items": [{"line_item_id": 1, "sku": "A", "price": "9.90", "returned_at": "2026-02-01 00:00:00"}]}
        >>> report = reconcile([row], [], at=datetime(2026, 2, 5, tzinfo=UTC))
        >>> [(found.code, found.return_id) for found in report.breaks]
        [('MISSING_IN_WMS', 7)]
    """
    _check(at, policy, settings, journals, matcher)
    settings = Settings() if settings is None else settings
    judge = Judge(
        policy=Policy() if policy is None else policy, settings=settings, journals=journals, matcher=matcher, at=at.astimezone(UTC)
    )
    catalogue = Catalogue()
    announced = Announced(prefix=settings.original_id_prefix, owners=judge.owners(), catalogue=catalogue)
    announced.read(consumer_returns)
    join = _Join(announced=announced, judge=judge, catalogue=catalogue)
    join.read(returns)
    return join.report()


def _check(at: object, policy: object, settings: object, journals: object, matcher: object) -> None:
    """Say at once what would otherwise spoil every return, one by one."""
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise ConfigurationError(f"reconcile(at=…) must be a datetime with a time zone, e.g. datetime.now(UTC); it is {at!r}")
    for name, value, wanted in (("policy", policy, Policy), ("settings", settings, Settings), ("journals", journals, Mapping)):
        if value is not None and not isinstance(value, wanted):
            raise ConfigurationError(f"reconcile({name}=…) must be a {wanted.__name__}; it got a {type(value).__name__}")
    if isinstance(journals, Mapping) and not all(isinstance(key, int) for key in journals):
        wrong = next(key for key in journals if not isinstance(key, int))
        raise ConfigurationError(f"reconcile(journals=…) goes by Loop return id, a whole number; one key is {wrong!r}")
    if matcher is not None and not callable(matcher):
        raise ConfigurationError(f"reconcile(matcher=…) must be callable, as `match` is; it got a {type(matcher).__name__}")


class _Join:
    """Returns meet their RMAs."""

    def __init__(self, *, announced: Announced, judge: Judge, catalogue: Catalogue) -> None:
        self.announced, self.judge, self.catalogue = announced, judge, catalogue
        self.memory = announced.memory
        self.loop = Reading(name="Loop")
        self.whiplash = announced.reading
        self.healthy = healthy_check(judge.settings, judge.at, catalogue)
        # Where anything is known of a return besides its rows, the cheap look is not enough.
        self.special = frozenset({*judge.journals, *announced.whole, *announced.unread})
        self.candidates: dict[int, set[int]] = {}
        self.unread: dict[int, str] = {}
        judge.whiplash_whole = announced.reading.complete

    # ---------------------------------------------------------------------------------------------------------- rows

    def read(self, rows: Iterable[Any]) -> None:
        """Take in every return, in any order."""
        for row in self.loop.read(rows):
            if type(row) is Return:
                self._meet(row)
            else:
                self._take(row)
        for text, what in self.loop.unreadable:
            self._unreadable(int(text) if text.isdecimal() else None, what)

    def _take(self, row: Any) -> None:
        """A row that is not a decoded return: an `Rma`, a payload, or an answer to *details*, which is an array."""
        if isinstance(row, (list, tuple)) and row:
            for each in row:
                self._take(each)
            return
        try:
            decoded = row if isinstance(row, Rma | Return) else Return.from_dict(row)
        except Exception as unreadable:
            self._unreadable(return_id_in(row), problem_of(unreadable))
        else:
            self._meet(decoded)

    def _unreadable(self, return_id: int | None, what: str) -> None:
        if return_id is None:
            self.loop.nobodys(what)
        else:
            self.unread[return_id] = what

    def _meet(self, row: Return | Rma) -> None:
        return_id = row.id if isinstance(row, Return) else row.return_id
        memory = self.memory
        level = _LEVELS.get(row.state or "", 0)
        try:
            updated = seconds_of(row.updated_at)
            number = memory.number(return_id)
        except (TypeError, OverflowError) as wrong:  # a row made by hand: a time without a zone, an id without end
            self._unreadable(return_id, f"updated_at or id: {wrong}")
            return
        flags = known = memory.flags[number]
        version, checksum = updated if isinstance(updated, (int, float)) else _NEVER, _checksum(row)
        if known & MET:
            before = (memory.versions[number], known // LEVEL % 4, memory.checksums[number])
            if (level, checksum) != before[1:]:
                flags |= CAME_AGAIN
            if (version, level, checksum) <= before:
                memory.flags[number] = flags
                return
        record = self.announced.record(number)
        if self.announced.trackings:
            self._compare_trackings(return_id, row)
        if isinstance(row, Return) and type(record) is not list and return_id not in self.special and self.healthy(row, record):
            if known & MET:
                self.judge.forget(return_id)
            counted = record is not None and record[KIND] == COUNTED
        else:
            counted = self._judge(return_id, row, record)
        flags = flags & (CAME_AGAIN | DIFFERED) | MET | LEVEL * level
        if counted:
            flags |= RECEIVED
        if record is not None or return_id in self.announced.whole:
            flags |= WITH_RMA
        memory.flags[number] = flags
        memory.versions[number] = version
        memory.checksums[number] = checksum

    def _compare_trackings(self, return_id: int, row: Return | Rma) -> None:
        tracking = row.tracking_number if isinstance(row, Return) else row.tracking
        stranger = self.announced.trackings.get(tracking) if tracking else None
        if stranger is not None:
            self.candidates.setdefault(stranger, set()).add(return_id)

    # ------------------------------------------------------------------------------------------------- the long way

    def _judge(self, return_id: int, row: Return | Rma | None, record: Any, problem: str | None = None) -> bool:
        return self.judge.judge(
            return_id,
            row,
            lambda journal: self._receipts(return_id, record, journal),
            loop_problem=problem,
            whiplash_problems=self.announced.unread.get(return_id, ()),
        )

    def _receipts(self, return_id: int | None, record: Any, journal: Journal) -> Iterable[Receipt]:
        several = record if type(record) is list else [] if record is None else [record]
        settings = self.judge.settings
        for each in several:
            values = _loads(each) if isinstance(each, bytes) else each
            yield unpack(
                values,
                f"{settings.original_id_prefix}{return_id}" if return_id is not None else None,
                self.catalogue,
                final_statuses=self.judge.policy.final_statuses,
                prefix=settings.original_id_prefix,
                line_map=journal.create.lines if journal.create.consumer_return_id == values[ID] else None,
            )
        yield from self.announced.whole.get(return_id or 0, {}).values()

    # ----------------------------------------------------------------------------------------------------- the end

    def report(self) -> Report:
        """Judge what is left over, and count."""
        met = Counter(self.memory.flags)
        self._tell_differing(met)
        unjudged = self._left_over(met)
        if not self.whiplash.complete:
            unjudged += sum(number for flags, number in met.items() if flags & MET and not flags & WITH_RMA)
        self._forget_gone()
        captured, missed = self._captured()
        breaks = [*self._strangers(), *missed, *self._whole_sides(), *self._hinted()]
        return Report(
            at=self.judge.at,
            breaks=breaks,
            sides=(self.loop.report(), self.whiplash.report()),
            flow=_flow(met),
            cases=self.judge.cases,
            captured=captured,
            missed=len(missed),
            unjudged=unjudged,
        )

    def _tell_differing(self, met: Counter[int]) -> None:
        for reading, bit, what in ((self.loop, CAME_AGAIN, "return"), (self.whiplash, DIFFERED, "RMA of return")):
            reading.differing = sum(number for flags, number in met.items() if flags & bit)
            if reading.differing:
                first = heapq.nsmallest(EXAMPLES, (self.memory.ids[n] for n, flags in enumerate(self.memory.flags) if flags & bit))
                reading.differing_examples = [f"{what} {return_id}" for return_id in first]

    def _left_over(self, met: Counter[int]) -> int:
        """RMAs whose return did not come by, and journals of returns that neither side named. Gives how many could not be judged."""
        for return_id, what in self.unread.items():
            number = self.memory.find(return_id)
            if number >= 0 and self.memory.flags[number] & MET:
                self.judge.unreadable_too(return_id, what)
            else:
                self._judge(return_id, None, self._record(number), what)
        orphans = [n for n, flags in enumerate(self.memory.flags) if not flags & MET and self.memory.ids[n] not in self.unread]
        named = len(orphans) + sum(number for flags, number in met.items() if flags & WITH_RMA)
        if len(orphans) > max(FEW, self.judge.settings.absent_limit * named):
            self.loop.fail(
                f"{len(orphans):,} of {named:,} returns that Whiplash has RMAs for are not among Loop's; that is more likely the wrong "
                "shop, key or window than so many deletions"
            )
        forgotten = [return_id for return_id in self.judge.journals if self.memory.find(return_id) < 0 and return_id not in self.unread]
        if not self.loop.complete:
            return len(orphans) + len(forgotten)
        for number in orphans:
            self._judge(self.memory.ids[number], None, self._record(number))
        for return_id in forgotten:
            self._judge(return_id, None, None)
        return 0

    def _record(self, number: int) -> Any:
        return self.announced.record(number) if number >= 0 else None

    def _forget_gone(self) -> None:
        """Many RMAs that journals know and Whiplash does not: the wrong key rather than so many deletions."""
        gone = self.judge.gone
        known = sum(self.memory.find(return_id) >= 0 for return_id in self.judge.journals)
        if len(gone) > max(FEW, self.judge.settings.absent_limit * known):
            self.whiplash.fail(
                f"{len(gone):,} RMAs that are known to be made are not among Whiplash's; that is more likely the wrong account or window"
            )
            for return_id in gone:
                kept = tuple(found for found in self.judge.found.get(return_id, ()) if found.code != "MISSING_IN_WMS")
                self.judge.found[return_id] = kept

    def _strangers(self) -> Iterable[Break]:
        keyed = self._keyed(frozenset(self.announced.strangers)) if self.announced.strangers else frozenset[int]()
        for row_id, stored in sorted(self.announced.strangers.items()):
            if row_id in keyed:
                continue  # an older version of an RMA that has its key by now
            receipt = stored if isinstance(stored, Receipt) else next(iter(self._receipts(None, _loads(stored), Journal())))
            self.judge.keep_stranger(receipt)
            yield unexpected(receipt, at=self.judge.at, candidates=self.candidates.get(row_id, ()))
        for row_id, what in sorted(self.announced.unread_rows.items()):
            found = open_break("UNREADABLE", at=self.judge.at, reason=f"consumer return {row_id}: {what}")
            yield attrs.evolve(found, consumer_return_id=row_id)

    def _keyed(self, wanted: frozenset[int]) -> frozenset[int]:
        """Which of these RMAs belong to a return all the same."""
        found: set[int] = set()
        for number in range(len(self.memory)):
            record = self._record(number)
            if type(record) is list:
                found.update(_loads(each)[ID] for each in record)
            elif record is not None:
                found.add(record[ID])
        return wanted & found

    def _hinted(self) -> Iterable[Break]:
        """The breaks of all returns; a missing RMA may be there under another name: one with its tracking number."""
        likely: dict[int, list[int]] = {}
        for row_id, return_ids in sorted(self.candidates.items()):
            for return_id in return_ids:
                likely.setdefault(return_id, []).append(row_id)
        for return_id, breaks in self.judge.found.items():
            for found in breaks:
                if found.code == "MISSING_IN_WMS" and return_id in likely:
                    hint = (
                        f"RMA {or_list(likely[return_id])} carries its tracking number and names no return: attach() it if it is this one."
                    )
                    yield attrs.evolve(found, next_step=f"{hint} {found.next_step}")
                else:
                    yield found

    def _captured(self) -> tuple[int, list[Break]]:
        captured, missed = 0, []
        for return_id in self.judge.journals:
            if self.memory.find(return_id) >= 0:
                by, found = self.judge.missed(return_id)
                captured += by == "webhook"
                missed += [found] if found is not None else []
        return captured, missed

    def _whole_sides(self) -> Iterable[Break]:
        for reading in (self.loop, self.whiplash):
            if not reading.complete:
                reason = f"{reading.name}: {'; '.join(reading.problems[:3])}"
                yield open_break("SOURCE_INCOMPLETE", at=self.judge.at, reason=reason)


def _checksum(row: Return | Rma) -> int:
    """Of what both shapes of a return say alike and planning rests on, so that list and details of one version agree.

    Amounts go in by their hash: that of a number is the same in every process.
    """
    if not isinstance(row, Return):
        return zlib.crc32(repr(attrs.evolve(row, order_id=None)).encode("utf-8", "surrogatepass"))
    total = row.return_total
    said: list[Any] = [row.was_processed, row.tracking_number, row.label_status, None if total is None else hash(total)]
    for line in row.line_items:
        refund = line.refund
        said += (line.line_item_id, line.sku, None if refund is None else hash(refund))
    return zlib.crc32(_dumps(said, 2))


def _flow(met: Counter[int]) -> Flow:
    def having(bits: int) -> int:
        return sum(number for flags, number in met.items() if flags & MET and flags & bits)

    return Flow(returns=having(MET), announced=having(WITH_RMA), received=having(RECEIVED), decided=having(3 * LEVEL))
