"""What the tests of planning are told with: one return, its receipts, a matcher that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from loop_whiplash.matching.decision import Decision, Finding, Verdict
from loop_whiplash.planning import Journal, Observation, Plan, Settings, plan
from loop_whiplash.planning.model import EMPTY, Act, Create
from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceiptLine, ReceivedUnit, Rma

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MADE = NOW - 2 * DAY
DEFAULTS = Settings()
#: Nothing reads a policy in planning itself; it is handed to the matcher as it is.
POLICY: Any = object()


def units(count: int = 1) -> tuple[ExpectedUnit, ...]:
    return tuple(ExpectedUnit(line_id=f"L{n}", sku=f"SKU-{n}", value=Decimal("20.00"), destination_id="D1") for n in range(1, count + 1))


def rma(**facts: Any) -> Rma:
    facts = {
        "return_id": 7,
        "units": units(),
        "state": "open",
        "currency": "EUR",
        "was_processed": False,
        "created_at": MADE,
        "updated_at": MADE,
        "order_name": "#1007",
        "tracking": "TRACK-1",
        "carrier": "UPS",
        "label_statuses": ("in_transit",),
        "label_updated_at": NOW - DAY,
        "destination_id": "D1",
        "total": Decimal("20.00"),
        **facts,
    }
    return Rma(**facts)


def closed(**facts: Any) -> Rma:
    return rma(**{"state": "closed", "was_processed": True, "released_at": NOW - DAY, **facts})


def announced(id: int = 900, **facts: Any) -> Receipt:
    """An RMA that nobody has touched."""
    lines = (ReceiptLine(id=1, item_id=51, sku="SKU-1", quantity=1),)
    facts = {"status": 100, "return_id": 7, "original_id": "7", "tracking": "TRACK-1", "created_at": NOW - DAY, "lines": lines, **facts}
    return Receipt(id=id, **facts)


def counted(id: int = 900, **facts: Any) -> Receipt:
    """An RMA whose one unit was counted, finally."""
    facts = {
        "status": 300,
        "units": (ReceivedUnit(id=f"{id}/0", sku="SKU-1", item_id=51, condition="good"),),
        "final": True,
        "received_at": NOW - HOUR,
        **facts,
    }
    return announced(id, **facts)


def says(verdict: str, evidence: str = "e-now", **facts: Any) -> Decision:
    return Decision(verdict=Verdict(verdict), evidence=evidence, **facts)


SHORT = Finding(code="SHORT", identifier="sku:SKU-1", message="1 × SKU-1 is missing", units=("L1",))
OVER = Finding(code="OVER", identifier="sku:SKU-1", message="1 × SKU-1 too many")
WARN = Finding(code="LATE", blocking=False, message="3 days late")


def judge(decision: Decision | str | None) -> Callable[..., Decision]:
    """A matcher that says this; with None, one that must not be asked."""

    def matcher(rma: Rma, receipts: Sequence[Receipt], *, policy: object, at: datetime) -> Decision:
        assert decision is not None, "the matcher must not be asked here"
        assert policy is POLICY
        return says(decision) if isinstance(decision, str) else decision

    return matcher


def planned(
    rma: Rma | None,
    *receipts: Receipt,
    journal: Journal = EMPTY,
    settings: Settings = DEFAULTS,
    at: datetime = NOW,
    decision: Decision | str | None = None,
    **observed: Any,
) -> Plan:
    observation = Observation(return_id=7, rma=rma, receipts=receipts, **observed)
    return plan(observation, journal, policy=POLICY, settings=settings, at=at, matcher=judge(decision))


def sent(phase: str = "accepted", *, ago: timedelta = HOUR, evidence: str = "e-old", sends: int = 1, **facts: Any) -> Act:
    return Act(phase=phase, sends=sends, began_at=NOW - ago, evidence=evidence, **facts)


def made(**facts: Any) -> Create:
    facts = {
        "phase": "done",
        "attempt": 1,
        "began_at": NOW - DAY,
        "done_at": NOW - DAY,
        "verified": True,
        "consumer_return_id": 900,
        "tracking": "TRACK-1",
        **facts,
    }
    return Create(**facts)


def sending(ago: timedelta = MINUTE, **facts: Any) -> Create:
    return Create(**{"phase": "sending", "attempt": 1, "began_at": NOW - ago, **facts})


def flagged(
    phase: str = "confirmed", *, keys: tuple[str, ...] = (SHORT.key,), evidence: str = "e-old", ago: timedelta = DAY, **facts: Any
) -> Journal:
    act = sent(phase, ago=ago, evidence=evidence, **facts)
    return Journal(flag=act, flagged=keys, flag_evidence=evidence, create=made())


evolve = attrs.evolve
