"""Reports made by hand: one with a bit of everything, and some hostile text that shoppers could have typed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from reconciliation_pairs import NOW, when

from loop_whiplash.matching import Finding
from loop_whiplash.planning.breaks import BREAKS
from loop_whiplash.planning.model import Acknowledged, Break
from loop_whiplash.reconciliation import CaseView, Flow, HistoryEntry, Report, SideReport, UnitView

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"
FORMULA = '=HYPERLINK("http://evil.example","click")'


def found(
    code: str, return_id: int | None = 1, *, days: float = 3, money: str | None = "40.00", currency: str | None = "EUR", **more: Any
) -> Break:
    """A break as planning opens it."""
    kind = BREAKS[code]
    facts: dict[str, Any] = {
        "owner": kind.owner,
        "next_step": kind.next_step,
        "loop_says": "open, label in_transit, 1 unit",
        "whiplash_says": "no RMA",
        "reason": kind.meaning,
        "order_name": f"#{return_id}",
    }
    amount = None if money is None else Decimal(money)
    return Break(code=code, return_id=return_id, since=when(days), money=amount, currency=currency if money else None, **{**facts, **more})


def case(return_id: int = 1) -> CaseView:
    """A drill-down with one unit of each kind."""
    return CaseView(
        return_id=return_id,
        consumer_return_ids=[501],
        state="open",
        currency="EUR",
        verdict="FLAG",
        headline="Missing: 1 × BOOT-M",
        counterfactual="processes if 1 × BOOT-M arrives by 2026-03-09",
        reasons=["Flag: 1 × BOOT-M did not come."],
        findings=[Finding(code="SHORT", message="1 × BOOT-M was not counted.", units=["12"], until=NOW)],
        units=[
            UnitView(
                status="paired",
                line_id="11",
                received_id="9/1",
                sku="BOOT-M",
                title="Boot",
                value=Decimal("40.00"),
                condition="good",
                identifier="sku:BOOT-M",
            ),
            UnitView(status="missing", line_id="12", sku="BOOT-M", title=HOSTILE, value=Decimal("40.00"), outcome="refund"),
            UnitView(status="unexpected", received_id="9/2", sku="SOCK", condition="damaged"),
        ],
        history=[
            HistoryEntry(at=when(3), what="The return was made.", source="Loop"),
            HistoryEntry(at=when(2), what="Counted.", source="Whiplash", consumer_return_id=501),
        ],
        personal={"name": "Ann Example", "e-mail": "ann@example.org", "status page": "https://shop.example/return/secret"},
    )


def sample(**changes: Any) -> Report:
    """A report with a bit of everything."""
    facts: dict[str, Any] = {
        "at": NOW,
        "breaks": [
            found("REVIEW_STALE", 3, days=45, money="19.90"),
            found("MISSING_IN_WMS", 1, days=3, money="40.00", heals=True, tracking="T1"),
            found("MISSING_IN_WMS", 2, days=9, money="100.00", order_name=HOSTILE),
            found(
                "PAID_NOT_RECEIVED",
                4,
                days=30,
                money="12.50",
                currency="USD",
                order_name=FORMULA,
                reason="ask ann@example.org, https://x.example/secret",
            ),
            found("PAID_NOT_RECEIVED", 3, days=30, money="20.10"),
            found("ORPHAN_IN_WMS", None, days=5, money=None, order_name=None, consumer_return_id=77),
            found(
                "IN_TRANSIT_STALE", 5, days=20, acknowledged=Acknowledged(until=NOW + timedelta(days=2), by="Bob", note="asked the carrier")
            ),
            found("WEBHOOK_MISSED", 6, days=1, money=None),
        ],
        "sides": [
            SideReport(name="Loop", rows=1200, since=when(2), until=NOW),
            SideReport(name="Whiplash", rows=1100, strangers=7, notes=["A row came again with different content once."]),
        ],
        "flow": Flow(returns=1200, announced=1100, received=700, decided=690),
        "cases": {1: case()},
        "captured": 39,
        "missed": 1,
        "actions": {"CreateRma": 3, "Process": 2},
        "agreement": {"process/processed": 5},
    }
    return Report(**{**facts, **changes})


def incomplete() -> Report:
    """The same, with one side that was not read whole."""
    sides = [SideReport(name="Loop", rows=12, complete=False, problems=["Loop answered 502"]), SideReport(name="Whiplash", rows=1100)]
    return sample(sides=sides, breaks=[found("SOURCE_INCOMPLETE", None, days=0, money=None, order_name=None), *sample().breaks], unjudged=5)
