"""When an RMA is made: labels, returns without one, where the goods go, and what happens when a create stays in doubt."""

from __future__ import annotations

from datetime import timedelta

import pytest
from planning_stories import DAY, HOUR, MADE, MINUTE, NOW, announced, evolve, made, planned, rma, sending, units

from loop_whiplash.planning import CreateRma, Journal, Settings
from loop_whiplash.planning.model import Create

SECOND = timedelta(seconds=1)
BOUND = 12 * MINUTE
FRESH = {"created_at": NOW - HOUR, "label_updated_at": NOW - MINUTE}


def test_create_is_on_this_label_status_or_a_later_one() -> None:
    order = ("new", "pre_transit", "in_transit", "out_for_delivery", "delivered")
    for wanted in order[1:]:
        for status in order:
            plan = planned(rma(label_statuses=(status,), **FRESH), settings=Settings(create_on=wanted))
            reached = order.index(status) >= order.index(wanted)
            assert (plan.action == CreateRma()) is reached, (wanted, status)
            assert plan.rule == ("eligible, no RMA" if reached else "not yet eligible")


def test_one_label_on_its_way_is_enough() -> None:
    assert planned(rma(label_statuses=("new", "in_transit"), **FRESH)).action == CreateRma()
    assert planned(rma(label_statuses=("failure", "in_transit"), **FRESH)).action == CreateRma()
    assert planned(rma(label_statuses=(" Pre_Transit ",), **FRESH)).action == CreateRma()


@pytest.mark.parametrize(
    "statuses",
    [
        (),
        ("N/A",),
        ("no_label",),
        ("cancelled",),
        ("canceled",),
        ("voided",),
        ("",),
        ("failure",),
        ("error",),
        ("teleported",),
        ("new", "error"),
    ],
)
def test_without_a_label_that_will_tell_it_is_announced_after_a_day(statuses: tuple[str, ...]) -> None:
    waiting = planned(rma(label_statuses=statuses, created_at=NOW - DAY + SECOND, label_updated_at=None))
    assert waiting.rule == "not yet eligible"
    assert waiting.next_check_at == NOW + SECOND
    assert waiting.reasons == ("No label says that it is on its way; announced from 2025-06-15 12:00 UTC.",)
    assert waiting.breaks == ()
    due = planned(rma(label_statuses=statuses, created_at=NOW - DAY, label_updated_at=None))
    assert due.action == CreateRma()
    assert due.reasons == ("No label will say that it is on its way; it is announced all the same.",)
    assert due.breaks == ()


def test_pending_is_a_label_that_will_tell() -> None:
    plan = planned(rma(label_statuses=("pending",)))
    assert plan.action is None
    assert plan.reasons == ("Its label is pending; announced from pre_transit on.",)
    assert planned(rma(label_statuses=("new", "pending"))).reasons == ("Its label is new/pending; announced from pre_transit on.",)


def test_without_a_creation_time_the_first_sight_counts() -> None:
    bare = {"label_statuses": (), "created_at": None, "label_updated_at": None}
    assert planned(rma(**bare)).next_check_at == NOW + 12 * HOUR
    assert planned(rma(**bare), journal=Journal(first_seen_at=NOW - DAY)).action == CreateRma()
    assert planned(rma(**bare), journal=Journal(first_seen_at=NOW - DAY + HOUR)).next_check_at == NOW + HOUR


def test_where_unlabelled_returns_are_never_announced_they_are_a_break_after_a_day() -> None:
    never = Settings(unlabelled_after=None)
    early = planned(rma(label_statuses=(), created_at=NOW - DAY + HOUR), settings=never)
    assert (early.action, early.breaks, early.next_check_at) == (None, (), NOW + HOUR)
    assert early.reasons == ("It has no label that says that it is on its way.",)
    late = planned(rma(label_statuses=(), created_at=NOW - DAY), settings=never)
    (found,) = late.breaks
    assert (late.action, late.rule, late.next_check_at) == (None, "not yet eligible", NOW + 12 * HOUR)
    assert (found.code, found.since, found.heals) == ("MISSING_IN_WMS", NOW - DAY, False)
    assert found.reason == "No label says that it is on its way, and Settings.unlabelled_after is None."
    assert found.next_step == "Announce it by hand in Whiplash and attach() it, or hold() it."
    assert late.reasons == (found.reason,)
    assert planned(rma(label_statuses=("error",)), settings=never).breaks[0].code == "MISSING_IN_WMS"


def test_a_label_that_is_never_scanned_is_a_break_after_thirty_days() -> None:
    def story(ago: timedelta, **facts: object) -> object:
        return planned(rma(**{"label_statuses": ("new",), "label_updated_at": NOW - ago, "created_at": NOW - 60 * DAY, **facts}))

    early = story(30 * DAY - HOUR)
    assert early.next_check_at == NOW + HOUR  # type: ignore[attr-defined]
    assert early.breaks == ()  # type: ignore[attr-defined]
    (found,) = story(30 * DAY).breaks  # type: ignore[attr-defined]
    assert (found.code, found.since) == ("IN_TRANSIT_STALE", NOW - 30 * DAY)
    assert found.reason == "Its label has been new for 30 days."
    assert story(30 * DAY).reasons == ("Its label is still new.",)  # type: ignore[attr-defined]
    (found,) = story(DAY, label_updated_at=None).breaks  # type: ignore[attr-defined]
    assert found.since == NOW - 60 * DAY


def test_a_create_that_is_overdue_is_a_break_beside_the_action() -> None:
    def at(**facts: object) -> object:
        return planned(rma(**facts), journal=Journal(first_seen_at=NOW - 2 * DAY))

    (found,) = at(label_updated_at=NOW - DAY).breaks  # type: ignore[attr-defined]
    assert (found.code, found.since, found.heals) == ("MISSING_IN_WMS", NOW - DAY, True)
    assert found.reason == "An RMA has been due since 2025-06-14 12:00 UTC, and there is none yet."
    late = at(label_updated_at=NOW - DAY)
    assert (late.action, late.next_check_at) == (CreateRma(), NOW + BOUND + SECOND)  # type: ignore[attr-defined]
    assert late.reasons == ("A label says that it is on its way.",)  # type: ignore[attr-defined]
    assert at(label_updated_at=NOW - DAY + SECOND).breaks == ()  # type: ignore[attr-defined]
    assert planned(rma(), journal=Journal(first_seen_at=NOW)).breaks == ()
    unlabelled = planned(rma(label_statuses=(), label_updated_at=None, created_at=NOW - 2 * DAY))
    assert [found.since for found in unlabelled.breaks] == [NOW - DAY]


def test_also_in_review_but_in_no_other_state() -> None:
    assert planned(rma(state="review", **FRESH)).action == CreateRma()
    assert planned(rma(state="Needs Review", **FRESH)).action == CreateRma()
    for state in ("closed", "cancelled", "canceled", "expired", "partial", ""):
        assert planned(rma(state=state, **FRESH)).action is None


def test_goods_that_go_elsewhere_are_not_announced() -> None:
    ours = Settings(destinations=("D1", "D9"))
    assert planned(rma(**FRESH), settings=ours).action == CreateRma()
    elsewhere = rma(units=tuple(evolve(unit, destination_id="D2") for unit in units(2)))
    plan = planned(elsewhere, settings=ours)
    assert (plan.rule, plan.next_check_at, plan.breaks) == ("nothing to ship", None, ())
    assert plan.reasons == ("Nothing to announce: its destination is not ours.",)
    partly = rma(units=(evolve(units()[0], destination_id="D2"), *units()), **FRESH)
    assert planned(partly, settings=ours).action == CreateRma()
    nameless = rma(units=(evolve(units()[0], destination_id=None),), **FRESH)
    assert planned(nameless, settings=ours).action == CreateRma()  # the return itself says D1
    assert planned(evolve(nameless, destination_id="D2"), settings=ours).rule == "nothing to ship"
    assert planned(evolve(nameless, destination_id=None), settings=ours).action == CreateRma()


def test_a_create_in_doubt_waits_strictly_longer_than_the_bounds() -> None:
    waiting = planned(rma(), journal=Journal(create=sending(BOUND)))
    assert (waiting.rule, waiting.action, waiting.next_check_at) == ("create in doubt", None, NOW + SECOND)
    after = planned(rma(), journal=Journal(create=sending(BOUND + SECOND)))
    assert (after.rule, after.action) == ("create stayed in doubt", CreateRma())
    longer = Settings(pause=3 * MINUTE, effect=6 * MINUTE, lag=7 * MINUTE)
    assert planned(rma(), journal=Journal(create=sending(16 * MINUTE)), settings=longer).next_check_at == NOW + SECOND


def test_a_create_without_a_beginning_is_in_doubt_from_now() -> None:
    plan = planned(rma(), journal=Journal(create=Create(phase="sending")))
    assert (plan.rule, plan.next_check_at) == ("create in doubt", NOW + BOUND + SECOND)


def test_where_a_create_is_never_repeated_only_a_person_allows_another() -> None:
    never = Settings(recreate="never")
    plan = planned(rma(), journal=Journal(create=sending(HOUR)), settings=never)
    assert plan.action is None
    assert plan.reasons == ("Whether the create was made is for a person to find out.",)
    assert [(found.code, found.heals, found.since) for found in plan.breaks] == [("MISSING_IN_WMS", False, NOW - HOUR)]
    allowed = Journal(create=sending(HOUR, allowed_attempts=2))
    assert planned(rma(), journal=allowed, settings=never).action == CreateRma()
    spent = Journal(create=sending(HOUR, attempt=2, allowed_attempts=2))
    assert planned(rma(), journal=spent, settings=never).action is None


def test_a_create_in_doubt_is_not_repeated_while_held_or_before_start_or_in_an_unknown_state() -> None:
    doubt = Journal(create=sending(HOUR))
    held = planned(rma(), journal=evolve(doubt, held_by="Ann"))
    assert (held.rule, held.action) == ("create stayed in doubt", None)
    assert held.reasons[-1] == "Ann holds it; nothing is done until release()."
    assert planned(rma(), journal=doubt, settings=Settings(start=NOW)).action is None
    assert planned(rma(state="partial"), journal=doubt).action is None
    assert planned(rma(state="review"), journal=doubt).action == CreateRma()


def test_a_create_in_doubt_for_a_return_with_nothing_left_to_ship_ends() -> None:
    assert planned(rma(units=()), journal=Journal(create=sending(HOUR))).rule == "nothing to ship"


@pytest.mark.parametrize(
    ("problem", "code", "said", "heals"),
    [
        ("UNRESOLVED_ITEM: SKU-1 is unknown", "UNRESOLVED_ITEM", "SKU-1 is unknown", True),
        ("UNRESOLVED_ITEM: SKU: 1 is unknown", "UNRESOLVED_ITEM", "SKU: 1 is unknown", True),
        ("DUPLICATE_IN_WMS: 3 and 4 fit", "DUPLICATE_IN_WMS", "3 and 4 fit", False),
        ("REFUSED: 422: too long", "MISSING_IN_WMS", "REFUSED: 422: too long", True),
        ("UNRESOLVED_ITEM", "MISSING_IN_WMS", "UNRESOLVED_ITEM", True),
    ],
)
def test_a_create_held_back_is_tried_again_and_is_a_break_meanwhile(problem: str, code: str, said: str, heals: bool) -> None:
    journal = Journal(create=Create(problem=problem, problem_at=NOW - 3 * HOUR))
    plan = planned(rma(), journal=journal)
    (found,) = plan.breaks
    assert plan.action == CreateRma()
    assert plan.next_check_at == NOW + BOUND + SECOND
    assert plan.reasons == ("A label says that it is on its way.",)
    assert (found.code, found.reason, found.heals, found.since) == (code, said, heals, NOW - 3 * HOUR)


@pytest.mark.parametrize("problem", [None, "UNRESOLVED_ITEM: no SKU"])
def test_a_refused_create_is_not_repeated(problem: str | None) -> None:
    plan = planned(rma(), journal=Journal(create=Create(phase="refused", problem=problem, began_at=NOW - HOUR)))
    (found,) = plan.breaks
    assert (plan.rule, plan.action, found.since, found.heals) == ("create refused", None, NOW - HOUR, False)
    assert (found.code, found.reason) == (("UNRESOLVED_ITEM", "no SKU") if problem else ("MISSING_IN_WMS", "Whiplash refused the RMA."))


def test_an_rma_that_was_just_made_may_not_show_yet() -> None:
    young = planned(rma(), journal=Journal(create=made(done_at=NOW - BOUND)))
    assert (young.rule, young.breaks, young.next_check_at) == ("RMA gone", (), NOW + SECOND)
    assert young.reasons == ("The RMA was just made and does not show yet.",)
    assert planned(rma(), journal=Journal(create=made(done_at=NOW - BOUND - SECOND))).breaks[0].code == "MISSING_IN_WMS"


def test_an_rma_that_is_gone_is_never_made_again_silently() -> None:
    plan = planned(rma(), journal=Journal(create=made(done_at=None)))
    (found,) = plan.breaks
    assert (plan.rule, plan.action, found.code, found.heals, found.since) == ("RMA gone", None, "MISSING_IN_WMS", False, NOW)


def test_returns_from_before_the_start_are_never_announced() -> None:
    assert planned(rma(created_at=MADE, label_updated_at=NOW), settings=Settings(start=MADE)).action == CreateRma()
    assert planned(rma(), settings=Settings(start=MADE + SECOND)).next_check_at is None
    unknown = rma(created_at=None, label_updated_at=NOW)
    assert planned(unknown, settings=Settings(start=NOW)).action == CreateRma()
    assert planned(unknown, settings=Settings(start=NOW), journal=Journal(first_seen_at=NOW - DAY)).rule == "older than start, no RMA"


def test_nothing_is_made_where_an_rma_is_there() -> None:
    assert planned(rma(), announced()).action is None
    assert planned(rma(), announced(55), journal=Journal(attached=(55,))).rule == "RMA, nothing counted"
