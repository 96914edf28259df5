"""The report as typed data: what is counted, in which order, and what a scheduled job gets back."""

from __future__ import annotations

import pickle
from datetime import datetime
from decimal import Decimal

import attrs
import pytest
from reconciliation_pairs import NOW
from report_samples import case, found, incomplete, sample

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.reconciliation import Cell, Flow, Report, SideReport

WHOLE = (SideReport(name="Loop"), SideReport(name="Whiplash"))


def test_the_head_line_counts_each_return_once_and_each_break() -> None:
    totals = sample().totals
    assert (totals.breaks, totals.returns, totals.heals, totals.acknowledged, totals.unacknowledged) == (7, 6, 1, 1, 6)
    # Return 3 has two breaks, of 19.90 and 20.10; the larger one is at risk.
    assert totals.money == {"EUR": Decimal("40.00") + Decimal("100.00") + Decimal("20.10") + Decimal("40.00"), "USD": Decimal("12.50")}
    assert sample().money == totals.money
    assert totals.oldest is not None
    assert (totals.oldest.code, totals.oldest.return_id) == ("REVIEW_STALE", 3)


def test_the_grid_has_count_and_money_by_code_and_age() -> None:
    grid = sample().grid
    assert list(grid) == ["MISSING_IN_WMS", "ORPHAN_IN_WMS", "IN_TRANSIT_STALE", "PAID_NOT_RECEIVED", "REVIEW_STALE", "WEBHOOK_MISSED"]
    assert list(grid["MISSING_IN_WMS"]) == ["0-1", "2-3", "4-7", "8-14", "15-30", "31+"]
    assert grid["MISSING_IN_WMS"]["2-3"] == Cell(count=1, money={"EUR": Decimal("40.00")})
    assert grid["PAID_NOT_RECEIVED"]["15-30"] == Cell(count=2, money={"EUR": Decimal("20.10"), "USD": Decimal("12.50")})
    assert grid["ORPHAN_IN_WMS"]["4-7"] == Cell(count=1)
    assert sum(cell.count for row in grid.values() for cell in row.values()) == len(sample().breaks)


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        (0, "0-1"),
        (1.99, "0-1"),
        (2, "2-3"),
        (3.9, "2-3"),
        (4, "4-7"),
        (7.9, "4-7"),
        (8, "8-14"),
        (15, "15-30"),
        (30.9, "15-30"),
        (31, "31+"),
        (-5, "0-1"),
    ],
)
def test_buckets_are_full_days_from_the_event(days: float, bucket: str) -> None:
    grid = Report(at=NOW, breaks=[found("REVIEW_STALE", days=days)]).grid
    assert [name for name, cell in grid["REVIEW_STALE"].items() if cell.count] == [bucket]


def test_the_worklist_is_sorted_by_money_and_age_and_leaves_out_what_is_only_counted() -> None:
    order = [(each.code, each.return_id) for each in sample().worklist]
    assert order == [
        ("MISSING_IN_WMS", 2),
        ("REVIEW_STALE", 3),
        ("PAID_NOT_RECEIVED", 3),
        ("PAID_NOT_RECEIVED", 4),
        ("MISSING_IN_WMS", 1),
        ("ORPHAN_IN_WMS", None),
        ("IN_TRANSIT_STALE", 5),
    ]


def test_what_a_side_did_not_say_comes_before_everything() -> None:
    assert incomplete().worklist[0].code == "SOURCE_INCOMPLETE"


def test_the_order_breaks_came_in_does_not_matter() -> None:
    breaks = sample().breaks
    assert Report(at=NOW, breaks=breaks[::-1]) == Report(at=NOW, breaks=breaks)


@pytest.mark.parametrize(("report", "limit", "code"), [
    (Report(at=NOW, sides=WHOLE), 0, 0),
    (sample(), 0, 1),
    (sample(), 5, 1),
    (sample(), 6, 0),
    (incomplete(), 1000, 2),
    (Report(at=NOW), 0, 2),
])  # fmt: skip
def test_a_scheduled_job_learns_it_from_the_exit_code(report: Report, limit: int, code: int) -> None:
    assert report.exit_code(limit) == code


def test_nobody_having_looked_is_not_complete() -> None:
    assert not Report(at=NOW).complete
    assert Report(at=NOW, sides=WHOLE).complete


def test_the_capture_rate_is_not_a_number_without_anything_to_capture() -> None:
    assert Report(at=NOW).capture_rate is None
    assert sample().capture_rate == 0.975


def test_reports_of_several_shops_are_one() -> None:
    other = sample(
        sides=[SideReport(name="Loop UK", complete=False)],
        breaks=[found("REVIEW_STALE", 3, days=45, money="19.90"), found("REVIEW_STALE", 30)],
        cases={30: case(30)},
    )
    both = sample().merge(other)
    assert len(both.breaks) == len(sample().breaks) + 1
    assert both.healed == 10
    assert both.flow == Flow(returns=2400, announced=2200, received=1400, decided=1380)
    assert not both.complete
    assert set(both.cases) == {1, 30}
    assert both.agreement == {"process/processed": 10}


def test_the_change_since_the_last_run_is_known_from_its_report_or_its_json() -> None:
    before = Report(at=NOW, breaks=[found("MISSING_IN_WMS"), found("ITEMS_DRIFT")])
    for previous in (before, before.to_json()):
        assert sample().compared_to(previous).previous == {"MISSING_IN_WMS": 1, "ITEMS_DRIFT": 1}
    for text in ("", "[]", "{}", '{"schema": "loop-whiplash/report/99", "breaks": []}', '{"schema": 1, "breaks": 7}', "x" * 10):
        with pytest.raises(ConfigurationError, match="previous report"):
            sample().compared_to(text)


def test_a_report_is_a_plain_value() -> None:
    assert pickle.loads(pickle.dumps(sample())) == sample()
    assert attrs.evolve(sample(), captured=1).captured == 1
    with pytest.raises(ConfigurationError, match="time zone"):
        Report(at=datetime(2026, 1, 1))


def test_the_drill_down_of_a_break() -> None:
    report = sample()
    missing = next(each for each in report.breaks if each.return_id == 1)
    assert report.case(missing) == case()
    assert report.case(found("REVIEW_STALE", 99)) is None
    assert report.case(found("SOURCE_INCOMPLETE", None)) is None
