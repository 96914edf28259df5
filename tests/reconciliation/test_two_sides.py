"""Rows in any order, in any shape, twice; sides that are cut short; rows that cannot be read."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reconciliation_pairs import NOW, ago, codes, details, loop_line, loop_row, paid, received, when, whiplash_line, whiplash_row

from loop_whiplash.errors import ConfigurationError, ListIncomplete, LoopWhiplashError, ServerError
from loop_whiplash.loop.models import Return
from loop_whiplash.matching import Policy
from loop_whiplash.planning import Settings
from loop_whiplash.planning.model import Create, Journal
from loop_whiplash.reconciliation import Flow, Report, reconcile
from loop_whiplash.returns import to_receipt, to_rma
from loop_whiplash.whiplash.models import ConsumerReturn, Originator

STALE = {"label_updated_at": ago(16), "labels": [], "created_at": ago(17)}
LOOP = [
    loop_row(1),
    loop_row(2, **paid(2)),
    loop_row(3, state="cancelled"),
    loop_row(4, **STALE),
    loop_row(5),
    loop_row(6),
    loop_row(7, state="expired"),
    loop_row(8),
    loop_row(9, line_items=[loop_line("91"), loop_line("92", "SOCK")]),
]
WHIPLASH = [
    whiplash_row(1),
    whiplash_row(2, **received(3)),
    whiplash_row(3),
    whiplash_row(4),
    whiplash_row(6, **received(1)),
    whiplash_row(7, **received(3)),
    whiplash_row(8, 81),
    whiplash_row(8, 82),
    whiplash_row(9),
    whiplash_row(4711),
    whiplash_row(None, 99, status=25),
]
EXPECTED = {
    ("ORPHAN_IN_WMS", 3),
    ("IN_TRANSIT_STALE", 4),
    ("MISSING_IN_WMS", 5),
    ("RECEIVED_NOT_ACTIONED", 6),
    ("RECEIVED_AFTER_CLOSE", 7),
    ("DUPLICATE_IN_WMS", 8),
    ("ITEMS_DRIFT", 9),
    ("ORPHAN_IN_WMS", None),
    ("UNEXPECTED_RETURN", None),
}


def run(loop: Any, whiplash: Any, **more: Any) -> Report:
    return reconcile(loop, whiplash, policy=Policy(), at=NOW, **more)


def cut(rows: list[Any], error: BaseException) -> Iterator[Any]:
    yield from rows
    raise error


# ------------------------------------------------------------------------------------------------- order and shape


def test_every_pair_gets_its_break() -> None:
    report = run(LOOP, WHIPLASH)
    assert set(codes(report)) == EXPECTED
    assert report.complete
    assert report.flow == Flow(returns=9, announced=8, received=3, decided=3)
    assert [side.rows for side in report.sides] == [9, 11]


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(order: random.Random) -> None:
    straight = run(LOOP, WHIPLASH)
    loop, whiplash = [*LOOP, *order.choices(LOOP, k=4)], [*WHIPLASH, *order.choices(WHIPLASH, k=4)]
    order.shuffle(loop)
    order.shuffle(whiplash)
    shuffled = run(loop, whiplash)
    assert shuffled.breaks == straight.breaks
    assert shuffled.flow == straight.flow
    assert dict(shuffled.cases) == dict(straight.cases)
    assert [side.notes for side in shuffled.sides] == [(), ()]


def test_models_mapped_values_payloads_and_details_are_all_taken() -> None:
    straight = run(LOOP, WHIPLASH)
    models = run([Return.from_dict(row) for row in LOOP], [ConsumerReturn.from_dict(row) for row in WHIPLASH])
    mapped = run([to_rma(Return.from_dict(row)) for row in LOOP], [to_receipt(ConsumerReturn.from_dict(row)) for row in WHIPLASH])
    from_details = run([details(row) for row in LOOP], WHIPLASH)
    in_arrays = run([[details(row)] for row in LOOP], WHIPLASH)
    for report in (models, mapped, from_details, in_arrays):
        assert report.breaks == straight.breaks
        assert report.flow == straight.flow


def test_list_and_details_of_one_version_are_no_contradiction() -> None:
    report = run([row for each in LOOP for row in (each, details(each))], WHIPLASH)
    assert set(codes(report)) == EXPECTED
    assert report.sides[0].notes == ()


def test_generators_are_enough() -> None:
    assert set(codes(run((row for row in LOOP), (row for row in WHIPLASH)))) == EXPECTED


# -------------------------------------------------------------------------------------------- versions of one row

OLD, NEW = loop_row(1, updated_at=ago(9)), loop_row(1, state="cancelled", updated_at=ago(2))


@pytest.mark.parametrize("rows", [[OLD, NEW], [NEW, OLD], [OLD, NEW, OLD], [NEW, OLD, NEW]])
def test_of_two_versions_of_a_return_the_newer_counts_and_it_is_said(rows: list[dict[str, Any]]) -> None:
    report = run(rows, [whiplash_row(1)])
    assert codes(report) == [("ORPHAN_IN_WMS", 1)]
    assert report.sides[0].notes == ("A row came again with different content once, and the newest was taken: return 1.",)
    assert report.complete
    assert report.flow == Flow(returns=1, announced=1, decided=1)


@pytest.mark.parametrize("newer_first", [True, False])
def test_a_break_of_an_older_version_is_taken_back(newer_first: bool) -> None:
    old, new = loop_row(1, **STALE, updated_at=ago(9)), loop_row(1, updated_at=ago(2))
    report = run([new, old] if newer_first else [old, new], [whiplash_row(1)])
    assert report.breaks == ()
    assert len(report.cases) == 0


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_two_versions_of_a_consumer_return_the_newer_counts_and_it_is_said(newer_first: bool) -> None:
    old, new = whiplash_row(1), whiplash_row(1, **received(1))
    for make in (lambda row: row, ConsumerReturn.from_dict, lambda row: to_receipt(ConsumerReturn.from_dict(row))):
        report = run([loop_row(1)], map(make, [new, old] if newer_first else [old, new]))
        assert codes(report) == [("RECEIVED_NOT_ACTIONED", 1)]
        assert report.sides[1].notes == ("A row came again with different content once, and the newest was taken: RMA of return 1.",)


def test_equally_new_versions_are_decided_alike_whatever_their_order() -> None:
    versions = [loop_row(1), loop_row(1, state="cancelled"), loop_row(1, **STALE), loop_row(1, tracking_number="OTHER")]
    counts = [whiplash_row(1), whiplash_row(1, status=200), whiplash_row(1, return_items=[whiplash_line(1, "SOCK")])]
    reports = [run(loop, whiplash) for loop in (versions, versions[::-1]) for whiplash in (counts, counts[::-1])]
    assert len({report.breaks for report in reports}) == 1
    assert len({side.notes for report in reports for side in report.sides}) == 2


def test_an_rma_that_got_its_key_later_is_not_goods_of_nobody() -> None:
    keyless = whiplash_row(None, 55, status=25, updated_at=ago(3))
    keyed = whiplash_row(1, 55, **received(2))
    for rows in ([keyless, keyed], [keyed, keyless]):
        assert codes(run([loop_row(1, **paid(1))], rows)) == []


# -------------------------------------------------------------------------------------------- whose is this RMA


def test_a_key_that_all_rmas_carry_costs_no_more_than_any_other() -> None:
    """An application that stamps one id on everything: each row must not be as dear as all before it."""
    rows = [ConsumerReturn.from_dict(whiplash_row(1, number)) for number in range(1, 1501)]
    newer = [ConsumerReturn.from_dict(whiplash_row(1, number, updated_at=ago(1))) for number in (3, 1400)]
    tracemalloc.start()
    report = run([loop_row(1)], [*newer, *rows])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    assert codes(report) == [("DUPLICATE_IN_WMS", 1)]
    assert report.breaks[0].reason == "Whiplash has 1500 RMAs for this return: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …."
    assert report.breaks[0].whiplash_says.endswith("RMA 12, status 100, 0 of 1 counted; and 1,488 more")
    assert "RMA of return 1" in report.sides[1].notes[0]
    assert report.cases[1].consumer_return_ids == tuple(range(1, 1501))


def test_a_tracking_number_that_all_returns_carry_names_the_first_of_them() -> None:
    returns = [loop_row(number, tracking_number="SAME", labels=[]) for number in range(1, 31)]
    report = run(returns, [whiplash_row(None, 99, status=25, tracking="SAME")])
    stranger = next(found for found in report.breaks if found.code == "UNEXPECTED_RETURN")
    assert "of return 1 or 2 or 3 or 4 or 5 or 6 or 7 or 8 or 9 or 10 or 11 or 12 or …:" in stranger.next_step


def test_a_prefix_tells_whose_an_rma_is() -> None:
    def keyed(key: str, row_id: int, **changes: Any) -> dict[str, Any]:
        return whiplash_row(1, row_id, originator={"original_id": key}, **changes)

    rows = [keyed("eu-1", 11), keyed("us-1", 12), keyed("us-2", 13, **received(1)), keyed("eu-x", 14)]
    report = run([loop_row(1)], rows, settings=Settings(original_id_prefix="eu-"))
    assert report.breaks == ()
    assert report.sides[1].strangers == 3


def test_a_key_that_is_no_return_id_is_nobodys_and_its_goods_are_unexpected() -> None:
    rows = [
        whiplash_row(1, 11, originator={"original_id": "SO-77"}),
        whiplash_row(1, 12, originator={"original_id": "SO-78"}, **received(1)),
    ]
    report = run([], rows)
    assert [(found.code, found.consumer_return_id) for found in report.breaks] == [("UNEXPECTED_RETURN", 12)]
    assert report.sides[1].strangers == 1


def test_what_a_person_attached_belongs_to_its_return() -> None:
    report = run([loop_row(1)], [whiplash_row(None, 55)], journals={1: Journal(attached=(55,))})
    assert report.breaks == ()


def test_what_was_created_belongs_to_its_return_by_its_id_and_pairs_by_the_stored_lines() -> None:
    journal = Journal(create=Create(phase="done", consumer_return_id=55, done_at=when(4), verified=True, lines={"1965": ("11",)}))
    row = whiplash_row(None, 55, **received(1, return_items=[whiplash_line(5, None, good=1)]))
    report = run([loop_row(1)], [row], journals={1: journal})
    (found,) = report.breaks
    case = report.case(found)
    assert case is not None
    assert case.verdict == "PROCESS"
    assert [(unit.line_id, unit.identifier) for unit in case.units] == [("11", "line:11")]


def test_goods_of_nobody_with_the_tracking_number_of_a_return_are_offered_to_it() -> None:
    report = run([loop_row(1)], [whiplash_row(None, 55, **received(1), tracking="TRACK1")])
    steps = {found.code: found.next_step for found in report.breaks}
    assert "return 1" in steps["UNEXPECTED_RETURN"]
    assert "RMA 55" in steps["MISSING_IN_WMS"]


def test_an_announcement_made_by_hand_is_offered_to_the_return_with_its_tracking_number() -> None:
    report = run([loop_row(1), loop_row(2)], [whiplash_row(None, 55, tracking="TRACK2"), whiplash_row(1)])
    (found,) = report.breaks
    assert (found.code, found.return_id) == ("MISSING_IN_WMS", 2)
    assert "RMA 55" in found.next_step


# ---------------------------------------------------------------------------------------------- could not look


@pytest.mark.parametrize(
    "error",
    [
        ListIncomplete("the second holds more than a page", system="loop", windows=(("a", "b"),)),
        ListIncomplete("rows are missing", missing=3),
        ServerError("Loop answered 502", system="loop"),
        LoopWhiplashError("anything of ours"),
        OSError("the disk is gone"),
        EOFError(),
        ValueError("secret row"),
    ],
)
def test_a_loop_side_cut_short_concludes_nothing_from_absence(error: Exception) -> None:
    report = run(cut(LOOP[:4], error), WHIPLASH)
    found = set(codes(report))
    assert ("SOURCE_INCOMPLETE", None) in found
    assert ("ORPHAN_IN_WMS", None) not in found
    assert found >= {("ORPHAN_IN_WMS", 3), ("IN_TRANSIT_STALE", 4), ("UNEXPECTED_RETURN", None)}
    assert not report.complete
    assert report.exit_code(limit=1000) == 2
    assert [side.complete for side in report.sides] == [False, True]
    assert report.unjudged == 5
    assert "secret row" not in report.to_json()


def test_a_whiplash_side_cut_short_concludes_nothing_from_absence() -> None:
    report = run(LOOP, cut(WHIPLASH[:2], ServerError("Whiplash answered 500", system="whiplash")))
    assert codes(report) == [("SOURCE_INCOMPLETE", None)]
    assert report.unjudged == 7


def test_what_is_there_is_reported_all_the_same() -> None:
    report = run([*LOOP, loop_row(10, state="review", updated_at=ago(30))], cut(WHIPLASH, OSError("gone")))
    assert {code for code, _ in codes(report)} == {
        "SOURCE_INCOMPLETE",
        "ORPHAN_IN_WMS",
        "RECEIVED_NOT_ACTIONED",
        "RECEIVED_AFTER_CLOSE",
        "DUPLICATE_IN_WMS",
        "UNEXPECTED_RETURN",
        "REVIEW_STALE",
    }
    undecided = next(found for found in report.breaks if found.code == "RECEIVED_NOT_ACTIONED")
    assert "whole" in undecided.next_step


def test_both_sides_may_fail_at_once() -> None:
    report = run(cut([], OSError("x")), cut([], OSError("y")))
    assert codes(report) == [("SOURCE_INCOMPLETE", None)] * 2


def test_an_error_before_the_first_row_is_told_like_any_other() -> None:
    class Refuses:
        def __iter__(self) -> Iterator[Any]:
            raise ServerError("Loop answered 500", system="loop")

    assert codes(run(Refuses(), [])) == [("SOURCE_INCOMPLETE", None)]


def test_a_keyboard_interrupt_is_nobodys_break() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(cut([], KeyboardInterrupt()), [])


# ------------------------------------------------------------------------------------------ rows that cannot be read

BAD_LINES = [loop_line("1", price="a lot")]


def test_a_return_that_cannot_be_read_is_said_and_the_rest_goes_on() -> None:
    report = run([loop_row(1, line_items=BAD_LINES), loop_row(2, **STALE)], [whiplash_row(1), whiplash_row(2)])
    assert codes(report) == [("IN_TRANSIT_STALE", 2), ("UNREADABLE", 1)]
    assert report.complete
    assert "price" in report.breaks[1].reason
    assert "a lot" not in report.to_text()


def test_a_version_that_cannot_be_read_is_said_beside_the_one_that_can() -> None:
    for rows in ([loop_row(1, **STALE), loop_row(1, line_items=BAD_LINES)], [loop_row(1, line_items=BAD_LINES), loop_row(1, **STALE)]):
        assert codes(run(rows, [whiplash_row(1)])) == [("IN_TRANSIT_STALE", 1), ("UNREADABLE", 1)]


@pytest.mark.parametrize("row", [{"state": "open"}, {"id": "x"}, {"id": True}, 7, None, "text", {"id": {}}, [], {"id": -1}])
def test_a_row_of_nobody_makes_its_side_incomplete(row: Any) -> None:
    for loop, whiplash, side in (([row, *LOOP], WHIPLASH, 0), (LOOP, [row, *WHIPLASH], 1)):
        report = run(loop, whiplash)
        assert ("SOURCE_INCOMPLETE", None) in codes(report)
        assert not report.sides[side].complete
        assert ("ORPHAN_IN_WMS", 3) in codes(report)


def test_a_consumer_return_that_cannot_be_read_is_said_of_its_return() -> None:
    bad = whiplash_row(1, return_items=[{"id": 1, "quantity": "many"}])
    report = run([loop_row(1), loop_row(2, **STALE)], [bad, whiplash_row(2)])
    assert codes(report) == [("IN_TRANSIT_STALE", 2), ("UNREADABLE", 1)]
    assert report.complete


def test_a_consumer_return_that_cannot_be_read_and_names_no_return_makes_its_side_incomplete() -> None:
    bad = whiplash_row(None, 55, return_items=[{"id": 1, "quantity": "many"}], originator={"original_id": {}})
    report = run([loop_row(1)], [bad])
    assert [(found.code, found.consumer_return_id) for found in report.breaks] == [("SOURCE_INCOMPLETE", None), ("UNREADABLE", 55)]


def test_rows_a_list_could_not_read_are_unreadable_returns_and_all_that_is_missing() -> None:
    def listed() -> Iterator[Any]:
        yield loop_row(1)
        raise ListIncomplete("1 row could not be read", system="loop", unreadable=(("2", "$.line_items[0].price: not a decimal"),))

    report = run(listed(), [whiplash_row(1), whiplash_row(2), whiplash_row(3)])
    assert codes(report) == [("ORPHAN_IN_WMS", None), ("UNREADABLE", 2)]
    assert report.complete


def test_rows_a_list_could_not_read_and_not_name_make_it_incomplete() -> None:
    report = run(cut([], ListIncomplete("x", unreadable=(("", "not an object"),))), [])
    assert codes(report) == [("SOURCE_INCOMPLETE", None)]


def test_a_side_that_was_not_read_is_not_quoted() -> None:
    """Otherwise "could not look" would read like "nothing there"."""
    report = run(cut([loop_row(1)], OSError("disk full")), [whiplash_row(1)])
    assert [(found.code, found.loop_says, found.whiplash_says) for found in report.breaks] == [("SOURCE_INCOMPLETE", "", "")]
    assert "unknown to Loop" not in report.to_text()
    assert "no RMA" not in report.to_text()
    bad_return, bad_rma = {**loop_row(1), "line_items": "none"}, {**whiplash_row(2), "return_items": 7}
    report = run([bad_return, loop_row(2)], [whiplash_row(1), bad_rma])
    assert [(found.code, found.return_id, found.loop_says, found.whiplash_says) for found in report.breaks] == [
        ("UNREADABLE", 1, "", "RMA 500001, status 100, 0 of 1 counted"),
        ("UNREADABLE", 2, "open, label in_transit, 1 unit", ""),
    ]
    assert report.cases[1].state == "not read"
    assert "Whiplash: RMA 500001" in report.to_text()
    assert "unknown to Loop" not in report.to_text()


def test_goods_of_a_return_that_loop_does_not_know_are_not_to_be_deleted() -> None:
    untouched, counted = run([], [whiplash_row(1), whiplash_row(2, **received(3))]).breaks
    assert (untouched.code, untouched.next_step) == ("ORPHAN_IN_WMS", "Delete the RMA in Whiplash if no goods will come.")
    assert counted.code == "ORPHAN_IN_WMS"
    assert counted.next_step.startswith("Its goods are there")


def test_many_rows_of_nobody_are_counted_and_not_all_listed() -> None:
    report = run([7] * 5000, [])
    assert len(report.sides[0].problems) <= 7
    assert sum(len(problem) for problem in report.sides[0].problems) < 1000


# ------------------------------------------------------------------------------------------------ the wrong shop


def test_many_rmas_without_a_return_are_taken_for_the_wrong_shop() -> None:
    report = run([], [whiplash_row(number) for number in range(1, 30)])
    assert codes(report) == [("SOURCE_INCOMPLETE", None)]
    assert not report.sides[0].complete
    assert report.unjudged == 29


def test_a_few_rmas_without_a_return_are_orphans() -> None:
    assert codes(run([], [whiplash_row(number) for number in range(1, 5)])) == [("ORPHAN_IN_WMS", None)] * 4


def test_many_known_rmas_that_are_gone_are_taken_for_the_wrong_account() -> None:
    journals = {
        number: Journal(create=Create(phase="done", consumer_return_id=1000 + number, done_at=when(9), verified=True))
        for number in range(1, 30)
    }
    report = run([loop_row(number) for number in range(1, 30)], [], journals=journals)
    assert codes(report) == [("SOURCE_INCOMPLETE", None)]
    assert not report.sides[1].complete
    few = {number: journals[number] for number in (1, 2)}
    assert codes(run([loop_row(1), loop_row(2)], [], journals=few)) == [("MISSING_IN_WMS", 1), ("MISSING_IN_WMS", 2)]


def test_the_capture_rate_comes_from_the_journals() -> None:
    journals = {
        1: Journal(found_by="webhook"),
        2: Journal(found_by="webhook"),
        3: Journal(found_by="sweep"),
        9: Journal(found_by="sweep"),
        4: Journal(),
    }
    report = run([loop_row(number) for number in range(1, 5)], [whiplash_row(number) for number in range(1, 5)], journals=journals)
    assert (report.captured, report.missed, report.capture_rate) == (2, 1, 2 / 3)
    assert codes(report) == [("WEBHOOK_MISSED", 3)]


# -------------------------------------------------------------------------------------------------- wrong arguments


def test_wrong_arguments_are_said() -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        reconcile([], [], policy=Policy(), at=datetime(2026, 3, 1))
    for when_ in (None, "2026-03-01", datetime(2026, 3, 1).date()):
        with pytest.raises(ConfigurationError, match="time zone"):
            reconcile([], [], at=when_)  # type: ignore[arg-type]
    for name, value, said in (
        ("policy", {}, "must be a Policy; it got a dict"),
        ("settings", {"start": "2026-01-01"}, "must be a Settings; it got a dict"),
        ("journals", [Journal()], "must be a Mapping; it got a list"),
        ("journals", {"1001": Journal()}, "goes by Loop return id, a whole number; one key is '1001'"),
        ("matcher", 3, "must be callable"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            reconcile([loop_row(1)], [], at=NOW, **{name: value})  # type: ignore[arg-type]
    for wrong in (7, "rows", {"id": 1}, None):
        with pytest.raises(ConfigurationError, match="iterable of Loop rows"):
            run(wrong, [])
        with pytest.raises(ConfigurationError, match="iterable of Whiplash rows"):
            run([], wrong)


def test_a_time_without_a_zone_in_a_row_made_by_hand_spoils_that_row_only() -> None:
    naive = datetime(2026, 2, 1)
    naive_row = ConsumerReturn(id=5, created_at=naive, originator=Originator(original_id="3"))
    report = run([Return(id=1, state="open", updated_at=naive), loop_row(2, **STALE)], [naive_row, whiplash_row(2)])
    assert ("IN_TRANSIT_STALE", 2) in codes(report)
    assert {("UNREADABLE", 1), ("UNREADABLE", 3)} <= set(codes(report))


def test_both_sides_empty_is_whole_and_says_so() -> None:
    report = run([], [])
    assert report.complete
    assert report.breaks == ()
    assert "No breaks" in report.to_text()
