"""One return at one time: the facts that the table of `plan` asks for, each computed once and only when asked.

A `Situation` reads; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import attrs

from loop_whiplash.matching.decision import Decision, Matcher, Verdict
from loop_whiplash.matching.plugged import ask
from loop_whiplash.returns.model import Receipt, Rma

from .breaks import BREAKS
from .drift import drift
from .journal import released, settle, state_of
from .model import Create, Journal, Observation
from .settings import CREATE_ON, Settings

if TYPE_CHECKING:
    from loop_whiplash.matching.policy import Policy

__all__ = ["SYNTHETIC_KEY", "Situation", "believed", "untouched"]

#: What stands for the finding of a FLAG that names none: a custom matcher's.
SYNTHETIC_KEY = "MATCHER||0"

#: Loop's and EasyPost's words for a label, in the order a parcel goes through them. `error`, `failure` and words not
#: known are not in it: such a parcel may still arrive.
_LABEL_RANK = {"new": 0, "pending": 0, **{status: rank for rank, status in enumerate(CREATE_ON, 1)}}
#: Words that mean there is no label.
_NO_LABEL = ("", "n/a", "no_label", "canceled", "cancelled", "voided")

#: Whiplash statuses of a notice that nobody at the warehouse has touched: draft, label bought, in transit, never received.
_UNTOUCHED = (50, 80, 85, 86, 100, 105)

#: Without `Settings.unlabelled_after`, a return without a label is a break this long after its creation.
UNLABELLED_BREAK_AFTER = timedelta(days=1)
#: Labels expire after 28 days (https://help.loopreturns.com); one that is still not scanned after that is stuck.
NEVER_SCANNED_AFTER = timedelta(days=30)
#: A bound is passed strictly: with any less, exploration finds a double.
A_BIT = timedelta(seconds=1)


#: Clocks differ; but what is dated later than this cannot have happened yet. Such a date is a slip, and nothing waits for it.
AHEAD = timedelta(days=1)

T = TypeVar("T")


def believed(time: datetime | None, at: datetime) -> datetime | None:
    """The time, unless it is a slip."""
    return None if time is not None and time - at > AHEAD else time


def _as_dated(rma: Rma, at: datetime) -> Rma:
    """The same, without the dates that are slips. When value was released stays: that it was is what counts."""
    dates = {name: getattr(rma, name) for name in ("created_at", "updated_at", "label_updated_at")}
    wrong: dict[str, Any] = {name: None for name, time in dates.items() if believed(time, at) is not time}
    return attrs.evolve(rma, **wrong) if wrong else rma


def untouched(receipt: Receipt) -> bool:
    """Nobody at the warehouse has touched it."""
    return receipt.status in _UNTOUCHED and not receipt.units and not receipt.final and receipt.arrived_at is None


class Fact(Generic[T]):
    """A property that is computed once, when it is first asked for. (Before Python 3.12 `functools.cached_property` takes a lock.)"""

    def __init__(self, ask: Callable[[Any], T]) -> None:
        self._ask = ask
        self._name = ask.__name__
        self.__doc__ = ask.__doc__

    @overload
    def __get__(self, situation: None, owner: type | None = None) -> Fact[T]: ...
    @overload
    def __get__(self, situation: object, owner: type | None = None) -> T: ...
    def __get__(self, situation: object | None, owner: type | None = None) -> T | Fact[T]:
        if situation is None:
            return self
        answer = situation.__dict__[self._name] = self._ask(situation)
        return answer


class Situation:
    """The facts about one return at `at`. Everything is derived from what it is made of.

    `row` and `rule` are the number and the name of the row of the table that speaks.
    """

    row: int
    rule: str

    def __init__(
        self, observation: Observation, journal: Journal, *, policy: Policy, settings: Settings, at: datetime, matcher: Matcher
    ) -> None:
        self.observation = observation
        self.journal: Journal = settle(journal, observation, at=at, settings=settings)
        self.policy = policy
        self.settings = settings
        self.at = at
        self.matcher = matcher
        self.return_id: int = observation.return_id
        self.rma: Rma | None = None if observation.rma is None else _as_dated(observation.rma, at)
        self.receipts: tuple[Receipt, ...] = observation.receipts
        self.state: str = state_of(observation.rma) if observation.rma is not None else ""

    # ------------------------------------------------------------------------------------------ what was observed

    @Fact
    def unread(self) -> bool:
        return not (self.observation.loop_read and self.observation.whiplash_read)

    @Fact
    def unreadable(self) -> str | None:
        """What of this return is not of a shape that can be read."""
        said = [problem for problem in self.observation.problems if problem.startswith("UNREADABLE")]
        said += [problem for receipt in self.receipts for problem in receipt.problems]
        return "; ".join(said) or None

    @Fact
    def rivals(self) -> tuple[Receipt, ...]:
        """RMAs that claim to be the one RMA of this return: all but those a person attached."""
        return tuple(receipt for receipt in self.receipts if receipt.id not in self.journal.attached)

    @Fact
    def counted(self) -> bool:
        """Goods were counted, or counting was finished with nothing."""
        return any(receipt.units or receipt.final for receipt in self.receipts)

    @Fact
    def goods(self) -> bool:
        """At least one unit was counted."""
        return any(receipt.units for receipt in self.receipts)

    @Fact
    def counted_at(self) -> datetime | None:
        """When the first goods were counted, as Whiplash dates it, else when we first saw it."""
        return min(self._counts, default=None)

    @Fact
    def last_counted_at(self) -> datetime | None:
        """When the last goods were counted; where we saw it later than Whiplash dates it, when we first saw it final."""
        seen = (self.journal.seen.get(str(receipt.id)) for receipt in self.receipts)
        return max((*self._counts, *(known.final_at for known in seen if known is not None and known.final_at)), default=None)

    @Fact
    def _counts(self) -> list[datetime]:
        return [receipt.received_at for receipt in self.timed if receipt.received_at and (receipt.units or receipt.final)]

    @property
    def open(self) -> bool:
        return self.state == "open"

    @property
    def review(self) -> bool:
        return self.state == "review"

    @Fact
    def released(self) -> bool:
        """Loop surely gave value."""
        return self.rma is not None and released(self.rma)

    @Fact
    def released_at(self) -> datetime | None:
        return self.rma.released_at if self.rma is not None else None

    @Fact
    def paid(self) -> bool:
        """Closed and processed. Where Loop does not say, a closed return counts as processed: nearly all are."""
        return self.state == "closed" and self.rma is not None and (self.released or self.rma.was_processed is None)

    @Fact
    def touched_at(self) -> datetime | None:
        """The last time Loop dates something of this return."""
        return (self.rma.updated_at or self.rma.created_at) if self.rma is not None else None

    @property
    def missing(self) -> bool:
        """Goods are to come to us, and Whiplash has no RMA for them."""
        return not self.receipts and self.for_us

    @Fact
    def corrected(self) -> bool:
        """We processed it, and what is counted or expected now is not what we processed it on."""
        sent_on = self.journal.process.evidence if self.journal.process.phase == "confirmed" else None
        return bool(sent_on) and bool(self.decision.evidence) and self.decision.evidence != sent_on

    @Fact
    def drift(self) -> str | None:
        return drift(self.rma, self.receipts, self.journal) if self.rma is not None else None

    @property
    def cancelled_untouched(self) -> bool:
        """Cancelled, with RMAs that nobody has touched."""
        return self.state == "cancelled" and bool(self.receipts) and all(map(untouched, self.receipts))

    @property
    def never_to_come(self) -> bool:
        """Nothing was announced for it, and nothing had to be."""
        return not self.receipts and (self.before_start or not self.for_us)

    def ours(self, receipt: Receipt) -> bool:
        """We sent a create for this return, and this RMA carries exactly our key."""
        key = f"{self.settings.original_id_prefix}{self.return_id}"
        return self.create.attempt > 0 and receipt.original_id == key and receipt.id not in self.journal.attached

    # ------------------------------------------------------------------------------------------- what is remembered

    @property
    def create(self) -> Create:
        return self.journal.create

    @Fact
    def process_in_doubt(self) -> bool:
        return self.journal.process.phase in ("sending", "accepted")

    @Fact
    def process_failed(self) -> bool:
        return self.journal.process.phase in ("refused", "failed")

    @Fact
    def retry_unused(self) -> bool:
        """A process of ours came to nothing, and the one more that a person allowed has not been sent yet."""
        process = self.journal.process
        return process.phase == "none" and 0 < process.sends < self.journal.allowed_sends

    @Fact
    def flag_in_doubt(self) -> bool:
        return self.journal.flag.phase in ("sending", "accepted")

    @Fact
    def flagged_by_us(self) -> bool:
        """A flag of ours was made, or may have been."""
        return self.journal.flag_evidence is not None or self.journal.flag.phase not in ("none", "refused", "failed")

    @Fact
    def may_send_process(self) -> bool:
        """Nothing was sent that may have had an effect, or a person allowed one more; and no value was released yet."""
        process = self.journal.process
        return process.phase == "none" and process.sends < self.journal.allowed_sends and not self.released

    @Fact
    def flag_refused(self) -> bool:
        """Loop refused our flag on this very evidence."""
        flag = self.journal.flag
        return flag.phase in ("refused", "failed") and flag.evidence == self.decision.evidence

    @Fact
    def may_process_from_review(self) -> bool:
        """The shop allows it, the flag is surely ours, and new evidence has cured it."""
        flag = self.journal.flag
        ours = flag.phase == "confirmed" and flag.answered
        allowed = self.settings.allow_process_from_review and self.may_send_process
        return allowed and ours and self.new_evidence and self.says_process

    @property
    def held(self) -> bool:
        return self.journal.held_by is not None

    @Fact
    def before_start(self) -> bool:
        """Created before the integration went live: reported, never acted on."""
        if self.settings.start is None or self.rma is None:
            return False
        created = self.rma.created_at or self.journal.first_seen_at
        return created is not None and created < self.settings.start

    @property
    def may_act(self) -> bool:
        """Loop knows it, nobody holds it, and it is ours to act on. Where Loop knows no such return the key may be the wrong one."""
        return self.rma is not None and not self.held and not self.before_start

    # ---------------------------------------------------------------------------------------------- create or not

    @Fact
    def for_us(self) -> bool:
        """There is something to ship, and it goes where we are."""
        if self.rma is None or not self.rma.units:
            return False
        if not self.settings.destinations:
            return True
        named = {unit.destination_id for unit in self.rma.units if unit.destination_id} or {self.rma.destination_id} - {None}
        return not named or not named.isdisjoint(self.settings.destinations)

    @Fact
    def labels(self) -> tuple[str, ...]:
        """The statuses of its labels, in lower case; words for no label left out."""
        said = (status.strip().lower() for status in (self.rma.label_statuses if self.rma else ()))
        return tuple(status for status in said if status not in _NO_LABEL)

    @Fact
    def label_rank(self) -> int:
        return max((_LABEL_RANK.get(status, 0) for status in self.labels), default=0)

    @Fact
    def on_its_way(self) -> bool:
        """A label has reached `Settings.create_on`, or a later status."""
        return self.label_rank >= _LABEL_RANK[self.settings.create_on]

    @Fact
    def label_tells(self) -> bool:
        """There are labels, all of them with a status that will move on by itself."""
        return bool(self.labels) and all(status in _LABEL_RANK for status in self.labels)

    @Fact
    def created_at(self) -> datetime:
        """When Loop made it, else when we first saw it, else now."""
        return (self.rma.created_at if self.rma else None) or self.journal.first_seen_at or self.at

    @Fact
    def last_scan_at(self) -> datetime:
        """When a label last moved on, else when Loop made the return."""
        return (self.rma.label_updated_at if self.rma is not None else None) or self.created_at

    @Fact
    def announced_from(self) -> datetime | None:
        """From when an RMA is due, without the label saying so; None: never."""
        if self.label_tells or self.settings.unlabelled_after is None:
            return None
        return self.created_at + self.settings.unlabelled_after

    @Fact
    def eligible(self) -> bool:
        return self.on_its_way or (self.announced_from is not None and self.at >= self.announced_from)

    @Fact
    def eligible_since(self) -> datetime:
        """When we could first have known that an RMA is due."""
        label = self.rma.label_updated_at if self.rma is not None and self.on_its_way else self.announced_from
        return max(time for time in (self.created_at, self.journal.first_seen_at, label) if time is not None)

    @Fact
    def create_bound(self) -> datetime:
        """From here on, a create in doubt that cannot be found was not made. Strictly after P + D + L."""
        return (self.create.began_at or self.at) + self.settings.bound + A_BIT

    @Fact
    def may_repeat_create(self) -> bool:
        return self.settings.recreate == "after_bounds" or self.create.attempt < self.create.allowed_attempts

    @Fact
    def create_problem(self) -> tuple[str, str]:
        """The break code of what keeps the create back, and what was said."""
        said = self.create.problem or ""
        code, colon, reason = said.partition(": ")
        return (code, reason) if colon and code in BREAKS else ("MISSING_IN_WMS", said)

    # -------------------------------------------------------------------------------------------------- the matcher

    @Fact
    def timed(self) -> tuple[Receipt, ...]:
        """The receipts; one that Whiplash does not date is dated by when we first saw it counted, or final."""
        if all(receipt.received_at is not None for receipt in self.receipts):
            return self.receipts
        return tuple(self._timed(receipt) for receipt in self.receipts)

    def _timed(self, receipt: Receipt) -> Receipt:
        seen = self.journal.seen.get(str(receipt.id))
        if receipt.received_at is not None or seen is None:
            return receipt
        return attrs.evolve(receipt, received_at=(seen.final_at if receipt.final else None) or seen.counted_at)

    @Fact
    def decision(self) -> Decision:
        """The matcher's word; of a return that Loop does not know there is nothing to ask."""
        if self.rma is None:
            return Decision(verdict=Verdict.NO_ACTION)
        receipts: Sequence[Receipt] = self.timed
        return ask(self.matcher, self.rma, receipts, policy=self.policy, at=self.at)

    @property
    def asked(self) -> Decision | None:
        """The matcher's word, if some row has asked for it; asking here would make it answer for nothing."""
        decision: Decision | None = self.__dict__.get("decision")
        return decision

    @property
    def says_wait(self) -> bool:
        return self.decision.verdict is Verdict.WAIT

    @property
    def says_flag(self) -> bool:
        return self.decision.verdict is Verdict.FLAG

    @property
    def says_process(self) -> bool:
        return self.decision.verdict is Verdict.PROCESS

    @property
    def process_after_flag(self) -> bool:
        """The verdict is PROCESS by now, and a flag of ours was made."""
        return self.says_process and self.flagged_by_us

    @Fact
    def keys(self) -> tuple[str, ...]:
        """The keys of the findings that block; a FLAG without one counts as one of its own."""
        keys = tuple(sorted({finding.key for finding in self.decision.findings if finding.blocking}))
        return keys or (SYNTHETIC_KEY,)

    @Fact
    def new_keys(self) -> tuple[str, ...]:
        return tuple(key for key in self.keys if key not in self.journal.flagged)

    @Fact
    def new_evidence(self) -> bool:
        """What was counted or expected is surely not what our flag was sent for."""
        return bool(self.decision.evidence) and self.decision.evidence != self.journal.flag_evidence
