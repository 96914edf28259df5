"""Holds one run against the promises P1 to P12, with what only a simulator can know: the truth.

A checker that trusts the library's own word would find nothing: what was really made, paid and flagged is read from
`Truth`, what was read and sent from `Record`, and only what is claimed from the ledger. What each promise is held to:

====  ==========================================================================================================
P1    a webhook that was answered with 2xx has been stored by then
P2    after the first whole sweep of the calm, and its waits: exactly one live RMA, or an open break, for each eligible return
P3    no RMA of ours is made while another of ours lives, in worlds where P, D and L hold or Whiplash refuses repeats;
      elsewhere a double is an open `DUPLICATE_IN_WMS` in the end
P4    at most one process for each return that Loop accepted or that may have got through, and one more for each `retry()`;
      `confirmed` only if it is really paid; paid for what was really counted; anything else is an open break
P5    `check_hints`: the same life, its webhooks in another order and several times over, ends in the same state
P6    every open case is looked at again within a week; after the years, every case is done or has an open break
P7    nothing is done for good, called an orphan or deleted on the strength of something that was not seen
P8    no flow of a worker raises on account of one return, or of anything a sender sends
P9    the last decision of every return, made again of the facts it was made of, is the same, byte for byte; and what is said
      to have changed since it was acted upon has changed
P10   no limiter lets more out than the published limits
P11   `check_ledgers`: on another ledger the same seed is the same run, line by line
P12   each flag announces a finding that no flag announced before; nothing is sent while a person holds the return, on a
      return in review that we did not flag, or without reading it again; nothing is flagged before its time
====  ==========================================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs

from loop_whiplash.ledger.protocol import CaseRow

from .loop_state import CARRIER_STATUSES, Return
from .whiplash import COMPLETED, Notice

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Violation", "check_calm", "check_years", "watch"]

LONGEST_LOOK = timedelta(days=7)
SYNTHETIC = frozenset({"MATCHER||0"})


@attrs.frozen(kw_only=True)
class Violation:
    """A promise that was broken: which, on which return (or None), and how."""

    promise: str
    return_id: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.promise}{f', return {self.return_id}' if self.return_id else ''}: {self.what}"


def watch(run: Run) -> None:
    """Look on while the run runs: what is claimed in the ledger is compared with the truth of that moment."""

    def seen(return_id: int, journal: Any, summary: Any) -> None:
        ret = run.world.loop.returns.get(return_id)
        if journal.get("process", {}).get("phase") == "confirmed" and (ret is None or not _paid(ret)):
            run.record.wrong.append(("P4", return_id, "its process is recorded as confirmed, and Loop has paid nothing"))
        codes = {found["code"] for found in summary.get("breaks", ())}
        known = ret is not None and not run.record.keyless and not _ever_cancelled(run, return_id)
        if "ORPHAN_IN_WMS" in codes and known:
            run.record.wrong.append(("P7", return_id, "it is called an orphan, and Loop knows it"))

    run.record.watchers.append(seen)


def check_calm(run: Run) -> list[Violation]:
    """What must hold once the storm is over, a whole sweep has come through and its waits are over."""
    found = [Violation(promise=promise, return_id=return_id, what=what) for promise, return_id, what in run.record.wrong]
    for rule in (_one_rma, _no_double, _one_process, _paid_for_goods, _flags, _hands_off, _looked_at, _not_lost, _replayed, _corrected):
        found.extend(rule(run))
    return list(dict.fromkeys(found))


def check_years(run: Run) -> list[Violation]:
    """What must hold after years: everything of before, and that nothing waits for ever."""
    found = check_calm(run)
    for row in _cases(run):
        if row.due_at is not None and not row.summary.get("breaks"):
            found.append(
                Violation(promise="P6", return_id=row.return_id, what=f"waits for ever, with no break: {row.summary.get('reasons')}")
            )
    return list(dict.fromkeys(found))


# ------------------------------------------------------------------------------------------------------- the facts


def _cases(run: Run) -> list[CaseRow]:
    rows = [run.ledger.ledger.case(return_id) for return_id in sorted(run.world.loop.returns)]
    return [row for row in rows if row is not None]


def _codes(run: Run, return_id: int) -> set[str]:
    row = run.ledger.ledger.case(return_id)
    return {found["code"] for found in row.summary.get("breaks", ())} if row is not None else set()


def _journal(run: Run, return_id: int) -> Any:
    row = run.ledger.ledger.case(return_id)
    return row.journal if row is not None else {}


def _paid(ret: Return) -> bool:
    return ret.was_processed or any((ret.return_processed, ret.refund_processed, ret.gift_card_processed, ret.exchange_processed))


def _ever_cancelled(run: Run, return_id: int) -> bool:
    ret = run.world.loop.returns[return_id]
    return ret.state == "cancelled" or bool(run.world.truth.done("cancel", return_id)) or bool(run.world.truth.done("remove", return_id))


def _mine(run: Run, return_id: int) -> list[Notice]:
    """The consumer returns that live and are this return's: by their original id, or by what was adopted or attached."""
    return [
        notice
        for notice in run.world.whiplash.notices()
        if run.record.attached.get(notice.id, run.world.warehouse.owner(notice.original_id)) == return_id
    ]


def _versions(run: Run, return_id: int, at: datetime) -> Iterator[list[tuple[datetime, Notice | None]]]:
    """All versions there ever were of each consumer return that was this return's at a time, with when search finds them."""
    for versions in run.world.whiplash.versions():
        first = next(notice for _, notice in versions if notice is not None)
        owner = run.world.warehouse.owner(first.original_id)
        by_then = owner == return_id or run.record.attached_at.get(first.id, at) <= at
        if run.record.attached.get(first.id, owner) == return_id and by_then:
            yield versions


def eligible(run: Run, ret: Return) -> bool:
    """Goods of this return are to come to us, and have been announced by a label, or long enough by nothing else."""
    settings, now = run.settings, run.world.clock.now()
    if settings.start is None or ret.created_at < settings.start or ret.state not in ("open", "review"):
        return False
    if not any(line.outcome != "keep" for line in ret.live_lines) or ret.id in run.record.held:
        return False
    on_its_way = CARRIER_STATUSES.index(settings.create_on)
    ranks = [CARRIER_STATUSES.index(label.status) if label.status in CARRIER_STATUSES else -1 for label in ret.labels]
    if any(rank >= on_its_way for rank in ranks):
        return True
    if ranks and all(rank >= 0 for rank in ranks):
        return False
    waits = timedelta(days=1) if settings.unlabelled_after is None else settings.unlabelled_after
    return now >= ret.created_at + waits


# ------------------------------------------------------------------------------------------------------------- P2, P3


def _one_rma(run: Run) -> Iterator[Violation]:
    for ret in run.world.loop.returns.values():
        if not run.swept or not eligible(run, ret) or _codes(run, ret.id):
            continue
        live = _mine(run, ret.id)
        if len(live) == 1 or _attached(run, live):
            continue
        yield Violation(promise="P2", return_id=ret.id, what=f"has {len(live)} live RMAs and no break")


def _attached(run: Run, live: list[Notice]) -> bool:
    """A person said that the others are parcels of the same return."""
    return len(live) > 1 and sum(notice.original_id is not None for notice in live) <= 1


def _no_double(run: Run) -> Iterator[Violation]:
    truth = run.world.truth
    strict = run.within_bounds or run.world.whiplash.manners.refuse_duplicates
    for ret in run.world.loop.returns.values():
        made = [each for each in truth.made if each.return_id == ret.id and each.by == "api"]
        for before, each in pairwise(made):
            gone = truth.deleted.get(before.consumer_return_id)
            if strict and (gone is None or gone > each.at):
                yield Violation(
                    promise="P3", return_id=ret.id, what=f"RMA {each.consumer_return_id} was made beside {before.consumer_return_id}"
                )
        attached = run.record.attached
        by_hand = [number for number, owner in run.life.announced.items() if owner == attached.get(number, owner) == ret.id]
        # Beyond the bounds a create may have its effect long after its look-up.
        for each in made if run.within_bounds else ():
            for number in by_hand:
                if _could_be_found(run, number, each.at):
                    what = f"RMA {each.consumer_return_id} was made beside {number}, made by hand long before"
                    yield Violation(promise="P3", return_id=ret.id, what=what)
        live = [each for each in made if each.consumer_return_id not in truth.deleted]
        if run.swept and len(live) > 1 and "DUPLICATE_IN_WMS" not in _codes(run, ret.id):
            yield Violation(promise="P3", return_id=ret.id, what=f"{len(live)} RMAs of ours live, and no break says so")


def _could_be_found(run: Run, number: int, at: datetime) -> bool:
    """Search has shown this consumer return, whole, for as long as a create may take from its look-up to its effect."""
    versions = next(versions for versions in run.world.whiplash.versions() if versions[0][1] is not None and versions[0][1].id == number)
    visible_at, first = versions[0]
    within = run.settings.lease + run.settings.bound
    if first is None or number in run.world.truth.deleted or visible_at + within > at:
        return False
    ret = run.world.loop.returns[run.life.announced[number]]
    return ret.id not in run.life.edited and first.tracking is not None and first.tracking in [label.tracking for label in ret.labels]


# ----------------------------------------------------------------------------------------------------------------- P4


def _one_process(run: Run) -> Iterator[Violation]:
    truth = run.world.truth
    for ret in run.world.loop.returns.values():
        allowed = 1 + run.record.retries[ret.id]
        accepted = truth.processes(ret.id)
        if len(accepted) > allowed:
            yield Violation(promise="P4", return_id=ret.id, what=f"{len(accepted)} processes were accepted, {allowed} may be")
        intents = [each for each in run.record.intents if each.return_id == ret.id and each.kind == "process"]
        sent = {each.ordinal for each in intents if (ret.id, "process", each.ordinal) not in run.record.withdrawn}
        if len(sent) > allowed:
            yield Violation(promise="P4", return_id=ret.id, what=f"{len(sent)} processes may have got through, {allowed} may be")
        released = [each for each in truth.released if each.return_id == ret.id and each.by == "api"]
        if len(released) > allowed:
            yield Violation(promise="P4", return_id=ret.id, what=f"value was released {len(released)} times")
        if accepted and not run.world.loop.is_queued(ret.id) and run.swept:
            confirmed = _journal(run, ret.id).get("process", {}).get("phase") == "confirmed"
            if not (confirmed and _paid(ret)) and not _codes(run, ret.id) and ret.state not in ("cancelled", "closed"):
                yield Violation(promise="P4", return_id=ret.id, what="a process was accepted; it is neither confirmed nor a break")


def _paid_for_goods(run: Run) -> Iterator[Violation]:
    """What our process paid for had been counted, at some moment that the reads before it can have seen."""
    for deed in run.world.truth.deeds:
        if deed.what == "process" and deed.by == "api" and deed.accepted and not _had_goods(run, deed.return_id, deed.at):
            yield Violation(promise="P4", return_id=deed.return_id, what=f"was processed at {deed.at:%m-%d %H:%M} without goods that agree")


def _had_goods(run: Run, return_id: int, at: datetime) -> bool:
    since = at - run.lateness
    boxes = [(box, [(notice.updated_at, notice) for _, notice in box if notice]) for box in _versions(run, return_id, at)]
    times = sorted({since, *(time for views in boxes for view in views for time, _ in view if since <= time <= at)})
    strict = run.exact and return_id not in run.life.edited | run.record.touched
    wanted = Counter(line.variant.sku for line in run.world.loop.returns[return_id].live_lines if line.outcome != "keep")
    for time in times:
        for view in (0, 1):  # as search shows it, and as reading by id does
            counted: Counter[str] = Counter()
            for box in boxes:
                notice = _at(box[view], time)
                if notice is not None and notice.status == COMPLETED:
                    for line in notice.lines:
                        counted[line.item.sku] += line.good if run.exact else line.counted
            counted = +counted
            if counted == wanted or (not strict and counted):
                return True
    return False


def _at(view: Sequence[tuple[datetime, Notice | None]], time: datetime) -> Notice | None:
    """The version that is shown at a time."""
    shown = [notice for since, notice in view if since <= time]
    return shown[-1] if shown else None


# ---------------------------------------------------------------------------------------------------------------- P12


def _flags(run: Run) -> Iterator[Violation]:
    announced: dict[int, set[str]] = {}
    for deed in run.world.truth.deeds:
        if deed.what != "flag" or deed.by != "api" or not deed.accepted:
            continue
        before = [each for each in run.record.intents if each.kind == "flag" and each.return_id == deed.return_id and each.at <= deed.at]
        keys = (before[-1].keys or SYNTHETIC) if before else SYNTHETIC
        known = announced.setdefault(deed.return_id, set())
        if known and keys <= known:
            yield Violation(promise="P12", return_id=deed.return_id, what=f"was flagged again for {', '.join(sorted(keys))}")
        known |= keys
        if not _in_time_for_a_flag(run, deed.return_id, deed.at):
            yield Violation(
                promise="P12", return_id=deed.return_id, what=f"was flagged at {deed.at:%m-%d %H:%M} while it was being counted"
            )


def _in_time_for_a_flag(run: Run, return_id: int, at: datetime) -> bool:
    """Some box was completed, or has stood half counted, or the return without any, for as long as any policy here allows."""
    since = at - run.lateness
    shortest = min(policy.unfinished_grace for policy in run.policies)
    if at >= run.world.loop.returns[return_id].created_at + min(policy.arrival_grace for policy in run.policies):
        return True
    for box in _versions(run, return_id, at):
        for number, (_, notice) in enumerate(box):
            until = box[number + 1][0] if number + 1 < len(box) else None
            if notice is None or notice.updated_at > at or (until is not None and until < since):
                continue
            begun = notice.arrived_at
            if notice.status == COMPLETED or (begun is not None and at >= begun + shortest):
                return True
    return False


def _hands_off(run: Run) -> Iterator[Violation]:
    for intent in run.record.intents:
        if intent.held:
            yield Violation(promise="P12", return_id=intent.return_id, what=f"{intent.kind} was begun while a person held the return")
    for acted in run.record.acted:
        if acted.what not in ("process", "flag"):
            continue
        look = acted.look
        if look is None:
            yield Violation(promise="P12", return_id=acted.return_id, what=f"{acted.what} was sent without reading the return")
        elif acted.what == "process" and (look.state == "review" or look.flagged) and not look.by_us:
            yield Violation(promise="P12", return_id=acted.return_id, what="process was sent for a return in review that we did not flag")
        elif acted.what == "process" and look.state not in ("open", "review"):
            yield Violation(promise="P12", return_id=acted.return_id, what=f"process was sent for a return that is {look.state}")
        elif acted.at - look.at > run.settings.lease + run.settings.pause:
            yield Violation(
                promise="P12", return_id=acted.return_id, what=f"{acted.what} was sent {acted.at - look.at} after reading the return"
            )


# ------------------------------------------------------------------------------------------------------- P6, P7, P9


def _looked_at(run: Run) -> Iterator[Violation]:
    now = run.world.clock.now()
    for row in _cases(run):
        if row.due_at is not None and row.due_at > now + LONGEST_LOOK + timedelta(days=1):
            yield Violation(promise="P6", return_id=row.return_id, what=f"is looked at again only on {row.due_at:%Y-%m-%d}")


def _not_lost(run: Run) -> Iterator[Violation]:
    """Nothing that is still to be done is done for good."""
    for ret in run.world.loop.returns.values():
        row = run.ledger.ledger.case(ret.id)
        if row is not None and row.due_at is None and eligible(run, ret):
            yield Violation(
                promise="P7", return_id=ret.id, what=f"is {ret.state}, and its case is done for good: {row.summary.get('reasons')}"
            )
    for number, at in run.world.truth.deleted_by_api.items():
        owner = next((made.return_id for made in run.world.truth.made if made.consumer_return_id == number), None)
        mine = run.record.attached
        others = [
            made
            for made in run.world.truth.made
            if made.consumer_return_id != number and owner in (made.return_id, mine.get(made.consumer_return_id))
        ]
        double = any(run.world.truth.deleted.get(made.consumer_return_id, at) >= at and made.at <= at for made in others)
        if owner is not None and not double and not _ever_cancelled(run, owner):
            yield Violation(promise="P7", return_id=owner, what=f"its one RMA {number} was deleted, and it was never cancelled")


def _replayed(run: Run) -> Iterator[Violation]:
    real: Callable[..., Any] = run.matcher
    for return_id, asked in run.record.asked.items():
        again = real(asked.rma, asked.receipts, policy=asked.policy, at=asked.at)
        if again.to_dict() != asked.decision.to_dict() or type(again).from_dict(again.to_dict()) != again:
            yield Violation(promise="P9", return_id=return_id, what="its last decision, made again of the same facts, is another")
        stored = (run.ledger.ledger.case(return_id) or _nothing()).summary.get("decision")
        if stored and stored["fingerprint"] == again.fingerprint and stored["evidence"] != again.evidence:
            yield Violation(promise="P9", return_id=return_id, what="equal fingerprints stand for different evidence")


def _corrected(run: Run) -> Iterator[Violation]:
    """What is said to have changed since we paid for it has changed."""
    for ret in run.world.loop.returns.values():
        paid = run.world.truth.processes(ret.id)
        if not paid or "POST_ACTION_CORRECTION" not in _codes(run, ret.id) or ret.id in run.life.edited | run.record.touched:
            continue
        since = paid[-1].at - run.lateness
        boxes = _versions(run, ret.id, run.world.clock.now())
        counted = any(notice is None or notice.updated_at > since for box in boxes for _, notice in box)
        attached = any(run.record.attached[number] == ret.id and at > since for number, at in run.record.attached_at.items())
        if not counted and not attached:
            yield Violation(promise="P9", return_id=ret.id, what="its evidence is said to have changed, and nothing was counted since")


def _nothing() -> CaseRow:
    never = datetime.min.replace(tzinfo=UTC)
    return CaseRow(return_id=1, due_at=None, leased=False, journal={}, summary={}, created_at=never, updated_at=never)
