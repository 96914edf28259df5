"""One story for each break: what the two rows say, and the code, the age and the money that must come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from reconciliation_pairs import NOW, ago, codes, loop_line, loop_row, paid, received, when, whiplash_line, whiplash_row

from loop_whiplash import planning
from loop_whiplash.errors import ListIncomplete
from loop_whiplash.loop.models import Return
from loop_whiplash.matching import Policy, match
from loop_whiplash.planning.breaks import BREAKS
from loop_whiplash.planning.model import Acknowledged, Act, Create, Journal
from loop_whiplash.reconciliation import Report, reconcile
from loop_whiplash.returns import to_receipt, to_rma
from loop_whiplash.whiplash.models import ConsumerReturn


@attrs.frozen(kw_only=True)
class Story:
    """What is given, and what must come of it. `days`: the age; `money`: in EUR; `heals`, `owner`: whose turn."""

    code: str
    loop: tuple[dict[str, Any], ...] = (loop_row(),)
    whiplash: tuple[dict[str, Any], ...] = (whiplash_row(),)
    journals: Mapping[int, Journal] = attrs.field(factory=dict)
    return_id: int | None = 1001
    days: float = 0
    money: str | None = None
    heals: bool = False
    owner: str = "support"


def _evidence(loop: dict[str, Any], whiplash: dict[str, Any]) -> str:
    return match(to_rma(Return.from_dict(loop)), [to_receipt(ConsumerReturn.from_dict(whiplash))], at=NOW).evidence


PROCESSED = Act(phase="confirmed", sends=1, began_at=when(9), settled_at=when(9), evidence="what was counted then")

STORIES: dict[str, Story] = {
    "an RMA is due": Story(code="MISSING_IN_WMS", whiplash=(), days=4, money="40.00", heals=True),
    "an RMA has been due for an hour": Story(
        code="MISSING_IN_WMS",
        loop=(loop_row(label_updated_at=ago(1 / 24), labels=[], created_at=ago(1 / 24)),),
        whiplash=(),
        days=1 / 24,
        money="40.00",
        heals=True,
        owner="machine",
    ),
    "two RMAs": Story(
        code="DUPLICATE_IN_WMS", whiplash=(whiplash_row(row_id=5), whiplash_row(row_id=6, created_at=ago(2))), days=2, money="40.00"
    ),
    "other lines": Story(
        code="ITEMS_DRIFT", loop=(loop_row(line_items=[loop_line("1"), loop_line("2", "SOCK")], updated_at=ago(3)),), days=3, money="40.00"
    ),
    "cancelled, and the RMA lives": Story(code="ORPHAN_IN_WMS", loop=(loop_row(state="cancelled", updated_at=ago(2)),), days=2),
    "an RMA of nobody": Story(code="ORPHAN_IN_WMS", loop=(), return_id=None, days=4),
    "goods of nobody": Story(
        code="UNEXPECTED_RETURN", loop=(), whiplash=(whiplash_row(None, 77, status=25, arrived_at=ago(6)),), return_id=None, days=6
    ),
    "goods of nobody, counted": Story(
        code="UNEXPECTED_RETURN", loop=(), whiplash=(whiplash_row(None, 77, **received(3)),), return_id=None, days=3.5
    ),
    "a delivery that names a return Loop does not know": Story(
        code="UNEXPECTED_RETURN", loop=(), whiplash=(whiplash_row(4711, 77, status=25, arrived_at=ago(6)),), return_id=None, days=6
    ),
    "no item for the SKU": Story(
        code="UNRESOLVED_ITEM",
        whiplash=(),
        days=2,
        money="40.00",
        heals=True,
        journals={
            1001: Journal(first_seen_at=when(4), create=Create(problem="UNRESOLVED_ITEM: no item has the SKU BOOT-M", problem_at=when(2)))
        },
    ),
    "a unit without a name": Story(
        code="UNKNOWN_ITEM",
        whiplash=(whiplash_row(status=200, arrived_at=ago(1), return_items=[{**whiplash_line(1, None, good=1), "item_id": None}]),),
        days=1,
        owner="warehouse",
    ),
    "delivered and not counted": Story(
        code="DELIVERED_NOT_RECEIVED",
        loop=(loop_row(label_status="delivered", label_updated_at=ago(9), labels=[], created_at=ago(12)),),
        days=9,
        money="40.00",
        owner="warehouse",
    ),
    "not scanned for long": Story(
        code="IN_TRANSIT_STALE",
        loop=(loop_row(label_updated_at=ago(16), labels=[], created_at=ago(17)),),
        days=16,
        money="40.00",
        owner="carrier",
    ),
    "to be processed": Story(
        code="RECEIVED_NOT_ACTIONED", whiplash=(whiplash_row(**received(0.1)),), days=0.1, money="40.00", heals=True, owner="machine"
    ),
    "to be flagged": Story(
        code="RECEIVED_NOT_ACTIONED",
        whiplash=(whiplash_row(**received(0.1, good=0, damaged=1)),),
        days=0.1,
        money="40.00",
        heals=True,
        owner="machine",
    ),
    "counted long ago": Story(code="RECEIVED_NOT_ACTIONED", whiplash=(whiplash_row(**received(8)),), days=8, money="40.00", heals=True),
    "paid, nothing came": Story(code="PAID_NOT_RECEIVED", loop=(loop_row(**paid(25)),), days=25, money="40.00"),
    "expired, goods came": Story(
        code="RECEIVED_AFTER_CLOSE", loop=(loop_row(state="expired"),), whiplash=(whiplash_row(**received(3)),), days=3, money="40.00"
    ),
    "in review for long": Story(code="REVIEW_STALE", loop=(loop_row(state="review", updated_at=ago(11)),), days=11, money="40.00"),
    "a row that cannot be read": Story(
        code="UNREADABLE", loop=(loop_row(line_items=[loop_line("1", price="a lot")]),), owner="engineering"
    ),
    "a process without effect": Story(
        code="ACTION_UNCONFIRMED",
        whiplash=(whiplash_row(**received(5)),),
        days=3,
        money="40.00",
        journals={1001: Journal(process=Act(phase="sending", sends=1, began_at=when(3), evidence="e"))},
    ),
    "a process that failed": Story(
        code="PROCESSING_FAILED",
        whiplash=(whiplash_row(**received(5)),),
        days=2,
        money="40.00",
        journals={
            1001: Journal(process=Act(phase="failed", sends=1, began_at=when(3), settled_at=when(2), evidence="e", reason="no stock"))
        },
    ),
    "a count that changed after paying": Story(
        code="POST_ACTION_CORRECTION",
        loop=(loop_row(**paid(9)),),
        whiplash=(whiplash_row(**received(1)),),
        days=1,
        money="40.00",
        journals={1001: Journal(process=PROCESSED)},
    ),
    "a sweep that found it first": Story(
        code="WEBHOOK_MISSED", journals={1001: Journal(first_seen_at=when(3), found_by="sweep")}, days=3, heals=True, owner="engineering"
    ),
}


def told(story: Story) -> Report:
    return reconcile(story.loop, story.whiplash, policy=Policy(), at=NOW, journals=dict(story.journals))


@pytest.mark.parametrize("name", STORIES)
def test_a_story_becomes_its_break_with_its_age_and_its_money(name: str) -> None:
    story = STORIES[name]
    (found,) = told(story).breaks
    assert (found.code, found.return_id) == (story.code, story.return_id)
    assert found.since == NOW - timedelta(days=story.days)
    assert found.money == (None if story.money is None else Decimal(story.money))
    assert found.currency == (None if story.money is None else "EUR")
    assert (found.heals, found.owner) == (story.heals, story.owner)
    assert found.next_step
    assert found.reason


def test_an_incomplete_side_is_a_break_of_its_own() -> None:
    def cut_short() -> Iterator[dict[str, Any]]:
        yield loop_row()
        raise ListIncomplete("a window of one second holds more than a page", system="loop", windows=(("a", "b"),))

    (found,) = reconcile(cut_short(), [whiplash_row()], policy=Policy(), at=NOW).breaks
    assert (found.code, found.return_id, found.since, found.owner) == ("SOURCE_INCOMPLETE", None, NOW, "engineering")


def test_every_code_has_its_story() -> None:
    assert {story.code for story in STORIES.values()} | {"SOURCE_INCOMPLETE"} == set(BREAKS)


@pytest.mark.parametrize("name", [name for name, story in STORIES.items() if BREAKS[story.code].needs_journals])
def test_without_journals_there_is_no_code_that_needs_them(name: str) -> None:
    story = STORIES[name]
    without = reconcile(story.loop, story.whiplash, policy=Policy(), at=NOW)
    assert not [found for found in without.breaks if BREAKS[found.code].needs_journals]


def test_what_is_healthy_is_no_break() -> None:
    report = reconcile([loop_row(1), loop_row(2, **paid(2))], [whiplash_row(1), whiplash_row(2, **received(3))], policy=Policy(), at=NOW)
    assert report.breaks == ()
    assert report.complete
    assert report.exit_code() == 0


def test_journals_may_come_as_they_are_stored() -> None:
    journal = STORIES["a process that failed"].journals[1001]
    report = reconcile([loop_row()], [whiplash_row(**received(5))], policy=Policy(), at=NOW, journals={1001: journal.to_dict()})
    assert codes(report) == [("PROCESSING_FAILED", 1001)]


def test_a_journal_that_cannot_be_read_spoils_its_own_return_only() -> None:
    journals: dict[int, Any] = {1: {"version": 99}, 2: Journal()}
    report = reconcile([loop_row(1), loop_row(2)], [whiplash_row(1), whiplash_row(2)], policy=Policy(), at=NOW, journals=journals)
    assert codes(report) == [("UNREADABLE", 1)]


def test_an_acknowledged_break_says_so_until_its_date() -> None:
    word = Acknowledged(until=NOW + timedelta(days=3), by="ann", note="the carrier is searching")
    over = Acknowledged(until=NOW - timedelta(days=1), by="ann", note="")
    stale = loop_row(label_updated_at=ago(16), labels=[], created_at=ago(17))
    for acknowledged, unacknowledged in ((word, 0), (over, 1)):
        report = reconcile(
            [stale], [whiplash_row()], policy=Policy(), at=NOW, journals={1001: Journal(acknowledged={"IN_TRANSIT_STALE": acknowledged})}
        )
        assert len(report.breaks) == 1
        assert len(report.unacknowledged) == unacknowledged
        assert report.exit_code() == unacknowledged


def test_settings_without_a_start_judge_every_return_and_with_one_the_older_are_only_reported() -> None:
    old = loop_row(created_at=ago(40))
    assert codes(reconcile([old], [], policy=Policy(), at=NOW)) == [("MISSING_IN_WMS", 1001)]
    started = planning.Settings(start=when(30))
    assert codes(reconcile([old], [], policy=Policy(), at=NOW, settings=started)) == []
    counted = reconcile([old], [whiplash_row(**received(3))], policy=Policy(), at=NOW, settings=started)
    assert [(found.code, found.heals) for found in counted.breaks] == [("RECEIVED_NOT_ACTIONED", False)]


def test_a_matcher_of_ones_own_is_asked() -> None:
    asked: list[int] = []

    def never(rma: Any, receipts: Any, *, policy: Policy, at: Any) -> Any:
        asked.append(rma.return_id)
        return attrs.evolve(match(rma, receipts, policy=policy, at=at), verdict="NO_ACTION")

    reconcile([loop_row()], [whiplash_row(**received(1))], policy=Policy(), at=NOW, matcher=never)
    assert set(asked) == {1001}


def test_a_matcher_that_raises_spoils_its_own_return_only() -> None:
    def broken(rma: Any, receipts: Any, *, policy: Policy, at: Any) -> Any:
        raise RuntimeError("ann@example.org")

    report = reconcile(
        [loop_row(1), loop_row(2)], [whiplash_row(1, **received(1)), whiplash_row(2)], policy=Policy(), at=NOW, matcher=broken
    )
    assert codes(report) == [("UNREADABLE", 1)]
    assert "RuntimeError" in report.breaks[0].reason
    assert "ann@example.org" not in report.to_text()


def test_the_default_policy_is_taken_where_none_is_given() -> None:
    assert codes(reconcile([loop_row()], [], at=NOW)) == [("MISSING_IN_WMS", 1001)]
