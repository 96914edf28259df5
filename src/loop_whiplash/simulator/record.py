"""What a checker may know of one run besides the truth: what was stored, sent and read, by whom and when.

`Watched` stands between the flows and their ledger. It passes everything on, writes down what the promises are about,
and can fail as storage fails: before a transaction, or after it was committed.
"""

from __future__ import annotations

import json
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from loop_whiplash.errors import LedgerUnavailable
from loop_whiplash.http.flow import Request
from loop_whiplash.ledger.protocol import Claim, Event, Intent, Ledger
from loop_whiplash.loop.client import RATE as LOOP_RATE
from loop_whiplash.matching.decision import Decision, Matcher
from loop_whiplash.matching.policy import Policy
from loop_whiplash.returns.model import Receipt, Rma
from loop_whiplash.whiplash.client import RATE as WHIPLASH_RATE

if TYPE_CHECKING:
    from loop_whiplash.integration.inbox import WebhookReply

    from .webhooks import Message
    from .world import World

__all__ = ["Acted", "Asked", "Look", "Record", "Watched"]

_LIMITS = {"loop": LOOP_RATE, "whiplash": WHIPLASH_RATE}


@attrs.frozen(kw_only=True)
class Look:
    """What Loop knew of a return when it answered a flow that asked for it. `by_us`: the last flag was ours."""

    at: datetime
    state: str
    flagged: bool
    by_us: bool


@attrs.define(kw_only=True)
class Acted:
    """A request that acts, as it left: ``process``, ``flag``, ``create``, ``delete``. `look`: what its flow last heard of the return."""

    what: str
    return_id: int | None
    at: datetime
    worker: str
    look: Look | None = None


@attrs.frozen(kw_only=True)
class Asked:
    """One question to the matcher, and its answer."""

    rma: Rma
    receipts: Sequence[Receipt]
    policy: Policy
    at: datetime
    decision: Decision


@attrs.frozen(kw_only=True)
class Intended:
    """An intent that was committed. `keys`: the findings that blocked in the decision before it. `held`: a person held the return."""

    kind: str
    return_id: int
    ordinal: int
    at: datetime
    keys: frozenset[str] = frozenset()
    held: bool = False


class Record:
    """All that was written down in one run.

    Attributes:
        accepted: (kind, return id) → when such an event was last stored. retries: return id → how often a person allowed one more.
        held: returns that a person holds now. intents: committed, oldest first; withdrawn: those taken back, as (return id, kind, ordinal).
        acted: requests that act, as they left. asked: return id → the last question to the matcher.
        wrong: what was seen to be wrong while it happened, as (promise, return id or None, sentence).
        attached: consumer return id → return id, by a person's word or an adoption; attached_at: since when.
        touched: returns to which a person attached a box, or was about to, which may be another's.
        replies: webhooks answered, by status.
        reports: sweeps that ended, as (complete, codes). keyless: the key was another shop's for a while.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.accepted: dict[tuple[str, int | None], datetime] = {}
        self.retries: Counter[int] = Counter()
        self.held: set[int] = set()
        self.intents: list[Intended] = []
        self.withdrawn: set[tuple[int, str, int]] = set()
        self.acted: list[Acted] = []
        self.asked: dict[int, Asked] = {}
        self.wrong: list[tuple[str, int | None, str]] = []
        self.attached: dict[int, int] = {}
        self.attached_at: dict[int, datetime] = {}
        self.touched: set[int] = set()
        self.replies: Counter[int] = Counter()
        self.reports: list[tuple[bool, tuple[str, ...]]] = []
        self.keyless = False
        self._recent: dict[str, deque[datetime]] = {}
        self.accepting: list[Callable[[Event], None]] = []
        self.watchers: list[Callable[[int, Mapping[str, Any], Mapping[str, Any]], None]] = []

    def spend(self, system: str, request: Request) -> None:
        """A request leaves. All processes of a run share one limiter for each system; it must keep to the published limit."""
        if request.from_root:
            return
        limit, per = _LIMITS[system]
        now, recent = self.world.clock.now(), self._recent.setdefault(system, deque())
        recent.append(now)
        while now - recent[0] >= timedelta(seconds=per):
            recent.popleft()
        if len(recent) > limit:
            self.wrong.append(("P10", None, f"{len(recent)} requests left for {system} within {per:g} s; {limit} are allowed"))

    def accept(self, event: Event) -> None:
        """An event was stored."""
        self.accepted[event.kind, event.return_id] = self.world.clock.now()
        for told in self.accepting:
            told(event)
        if event.return_id is None:
            return
        match event.kind:
            case "person.hold":
                self.held.add(event.return_id)
            case "person.release":
                self.held.discard(event.return_id)
            case "person.retry":
                self.retries[event.return_id] += 1
            case "person.attach":
                self.attach(int(json.loads(event.body)["consumer_return_id"]), event.return_id)

    def attach(self, consumer_return_id: int, return_id: int) -> None:
        """A consumer return is a return's from now on."""
        self.attached[consumer_return_id] = return_id
        self.attached_at.setdefault(consumer_return_id, self.world.clock.now())

    def reply(self, message: Message, reply: WebhookReply | None, error: Exception | None, began: datetime) -> None:
        """A webhook was answered. What was answered with 2xx must be stored by now; and nothing a sender sends may raise."""
        if reply is None or error is not None:
            self.wrong.append(("P8", message.return_id, f"the receiver of {message.topic} raised {error!r}"))
            return
        self.replies[reply.status] += 1
        if 200 <= reply.status < 300:
            ours = f"{message.system}."
            if not any(kind.startswith(ours) and on == reply.return_id and at >= began for (kind, on), at in self.accepted.items()):
                self.wrong.append(("P1", reply.return_id, f"{message.topic} was answered {reply.status} and is not in the ledger"))

    def intend(self, claim: Claim, intent: Intent) -> None:
        """An intent was committed."""
        asked = self.asked.get(claim.return_id)
        keys = frozenset(finding.key for finding in asked.decision.findings if finding.blocking) if asked else frozenset()
        held = claim.return_id in self.held
        self.intents.append(
            Intended(kind=intent.kind, return_id=claim.return_id, ordinal=intent.ordinal, at=self.world.clock.now(), keys=keys, held=held)
        )

    def matcher(self, real: Matcher) -> Matcher:
        """The same matcher, its answers written down."""

        def asked(rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
            decision = real(rma, receipts, policy=policy, at=at)
            self.asked[rma.return_id] = Asked(rma=rma, receipts=receipts, policy=policy, at=at, decision=decision)
            return decision

        return asked


class Watched:
    """A ledger that is watched, and may fail. `failing`: share of transactions that do; half of these are committed all the same."""

    def __init__(self, ledger: Ledger, record: Record, rng: random.Random, *, say: Callable[[str], None] = lambda line: None) -> None:
        self.ledger = ledger
        self.shop: str = ledger.shop
        self.failing: float = 0.0
        self._record = record
        self._rng = rng
        self._say = say

    def _may_fail(self) -> bool:
        """Raise before the transaction, or say that it is to fail after it."""
        if not self.failing or self._rng.random() >= self.failing:
            return False
        self._record.world.truth.faults["ledger unavailable"] += 1
        if self._rng.random() < 0.5:
            raise LedgerUnavailable("the disk is full")
        return True

    def _then(self, fails: bool) -> None:
        if fails:
            raise LedgerUnavailable("the connection broke while it was committed")

    def now(self) -> datetime:
        return self.ledger.now()

    def accept(self, event: Event, *, due_at: datetime | None) -> None:
        fails = self._may_fail()
        self.ledger.accept(event, due_at=due_at)
        self._say(f"ledger takes {event.kind} of {event.return_id}")
        self._record.accept(event)
        self._then(fails)

    def accept_many(self, events: Iterable[tuple[Event, datetime | None]]) -> int:
        fails = self._may_fail()
        taken = list(events)
        count = self.ledger.accept_many(taken)
        for event, _ in taken:
            self._record.accept(event)
        self._then(fails)
        return count

    def claim_due(self, *, at: datetime, limit: int, lease: timedelta) -> list[Claim]:
        fails = self._may_fail()
        claims = self.ledger.claim_due(at=at, limit=limit, lease=lease)
        if claims:
            self._say(f"ledger leases {', '.join(str(claim.return_id) for claim in claims)}")
        self._then(fails)
        return claims

    def claim(self, return_id: int, *, at: datetime, lease: timedelta) -> Claim | None:
        fails = self._may_fail()
        claim = self.ledger.claim(return_id, at=at, lease=lease)
        self._say(f"ledger {'leases' if claim else 'has leased'} {return_id}")
        self._then(fails)
        return claim

    def commit(
        self,
        claim: Claim,
        *,
        journal: Mapping[str, Any],
        read_to: int = 0,
        intent: Intent | None = None,
        withdraw: Intent | None = None,
        events: Iterable[Event] = (),
    ) -> bool:
        fails = self._may_fail()
        done = self.ledger.commit(claim, journal=journal, read_to=read_to, intent=intent, withdraw=withdraw, events=events)
        word = (
            f"intends {intent.kind} {intent.ordinal}"
            if intent
            else f"withdraws {withdraw.kind} {withdraw.ordinal}"
            if withdraw
            else "notes"
        )
        self._say(f"ledger {word} of {claim.return_id}{'' if done else ': refused, something came in'}")
        if done and intent is not None:
            self._record.intend(claim, intent)
        if done and withdraw is not None:
            self._record.withdrawn.add((claim.return_id, withdraw.kind, withdraw.ordinal))
        if done:
            self._seen(claim.return_id, journal, {})
        self._then(fails)
        return done

    def finish(
        self,
        claim: Claim,
        *,
        journal: Mapping[str, Any],
        read_to: int,
        due_at: datetime | None,
        summary: Mapping[str, Any],
        at: datetime,
        events: Iterable[Event] = (),
    ) -> None:
        fails = self._may_fail()
        self.ledger.finish(claim, journal=journal, read_to=read_to, due_at=due_at, summary=summary, at=at, events=events)
        codes = ",".join(sorted(found["code"] for found in summary.get("breaks", ()))) or "no breaks"
        word = f"due {due_at:%m-%d %H:%M:%S}" if due_at else "done"
        self._say(f"ledger records {claim.return_id}: row {summary.get('row')}, {summary.get('action')}, {codes}, {word}")
        self._seen(claim.return_id, journal, summary)
        self._then(fails)

    def _seen(self, return_id: int, journal: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        for watcher in self._record.watchers:
            watcher(return_id, journal, summary)

    def put(self, key: str, value: str | None) -> None:
        fails = self._may_fail()
        self.ledger.put(key, value)
        if key.startswith("rma/") and value is not None:
            self._record.attach(int(key[4:]), int(value))
        self._then(fails)

    def put_first(self, key: str, value: str) -> str:
        fails = self._may_fail()
        stands = self.ledger.put_first(key, value)
        if key.startswith("rma/"):
            self._record.attach(int(key[4:]), int(stands))
        self._then(fails)
        return stands

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)
