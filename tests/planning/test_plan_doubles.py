"""Doubles and orphans: a person's, unless deleting is opted into; then only what is ours and untouched, and only with proof."""

from __future__ import annotations

from datetime import timedelta

import pytest
from planning_stories import DAY, EMPTY, HOUR, MINUTE, NOW, announced, closed, counted, evolve, made, planned, rma, sending, sent

from loop_whiplash.planning import DeleteRma, Journal, Plan, Settings
from loop_whiplash.planning.breaks import BREAKS
from loop_whiplash.returns.model import Receipt

SECOND = timedelta(seconds=1)
DELETE = Settings(delete_duplicates=True, delete_orphans=True)
OURS = Journal(create=made())


def doubles(*receipts: Receipt, journal: Journal = OURS, settings: Settings = DELETE) -> Plan:
    plan = planned(rma(), *(receipts or (announced(900), announced(901))), journal=journal, settings=settings)
    assert plan.row == 2
    assert plan.breaks[0].code == "DUPLICATE_IN_WMS"
    return plan


def test_the_newest_double_is_deleted_where_that_is_opted_into() -> None:
    plan = doubles(announced(900), announced(902), announced(901))
    assert plan.action == DeleteRma(consumer_return_id=902, why="one of 3 RMAs of return 7, untouched")
    assert plan.reasons == ("RMA 902 is a double of ours that nobody has touched.",)
    assert plan.next_check_at == NOW + 15 * MINUTE
    assert doubles(settings=Settings()).action is None
    assert doubles(settings=Settings(delete_orphans=True)).action is None


def test_the_touched_one_is_kept_then_the_one_we_know_then_the_oldest() -> None:
    def deleted(*receipts: Receipt, journal: Journal = OURS) -> int | None:
        action = doubles(*receipts, journal=journal).action
        return action.consumer_return_id if isinstance(action, DeleteRma) else None

    assert deleted(announced(900), announced(901, status=200)) == 900
    assert deleted(announced(900), announced(901), journal=Journal(create=made(consumer_return_id=901))) == 900
    assert deleted(announced(900), announced(901), journal=Journal(create=made(consumer_return_id=55))) == 901
    assert deleted(announced(900, status=150), announced(901, status=200)) is None


def test_only_ours_only_untouched_only_out_of_doubt() -> None:
    assert doubles(journal=Journal()).action is None
    assert doubles(announced(900), announced(901, original_id="other")).action is None
    assert doubles(announced(900), announced(901, arrived_at=NOW), announced(902, status=None)).action is not None
    assert doubles(announced(900, status=200), announced(901, arrived_at=NOW)).action is None
    assert doubles(journal=Journal(create=sending(MINUTE))).action is None
    assert doubles(journal=Journal(create=sending(12 * MINUTE))).action is None
    assert doubles(journal=Journal(create=sending(12 * MINUTE + SECOND))).action is not None
    assert doubles(journal=evolve(OURS, held_by="Ann")).action is None
    assert doubles(settings=evolve(DELETE, start=NOW)).action is None
    prefixed = evolve(DELETE, original_id_prefix="loop-")
    assert doubles(settings=prefixed).action is None
    mine = (announced(900, original_id="loop-7"), announced(901, original_id="loop-7"))
    assert doubles(*mine, settings=prefixed).action is not None


def test_what_a_person_attached_is_no_double() -> None:
    journal = evolve(OURS, attached=(901,))
    assert planned(rma(), announced(900), announced(901), journal=journal).rule == "RMA, nothing counted"
    plan = planned(rma(), announced(900), announced(901), announced(902), journal=journal, settings=DELETE)
    assert plan.action == DeleteRma(consumer_return_id=902, why="one of 2 RMAs of return 7, untouched")


def test_a_double_dates_from_the_second_one() -> None:
    def since(*receipts: Receipt, journal: Journal = EMPTY) -> object:
        return doubles(*receipts, journal=journal, settings=Settings()).breaks[0].since

    assert since(announced(900, created_at=NOW - HOUR), announced(901, created_at=NOW - DAY)) == NOW - HOUR
    assert since(announced(900), announced(901, created_at=NOW - HOUR), announced(902, created_at=NOW)) == NOW - HOUR
    assert since(announced(900), announced(901, created_at=None)) == NOW
    known = Journal(since={"DUPLICATE_IN_WMS": NOW - MINUTE})
    assert since(announced(900), announced(901, created_at=None), journal=known) == NOW - MINUTE


def test_of_many_doubles_the_first_are_named() -> None:
    dozen = [announced(number) for number in range(1, 13)]
    assert doubles(*dozen).breaks[0].reason == "Whiplash has 12 RMAs for this return: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12."
    more = doubles(*dozen, announced(13), announced(14))
    assert more.breaks[0].reason == "Whiplash has 14 RMAs for this return: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …."


def test_a_process_that_is_overdue_shows_beside_a_double() -> None:
    late = doubles(counted(900), counted(901), journal=Journal(process=sent(ago=DAY)))
    assert [found.code for found in late.breaks] == ["DUPLICATE_IN_WMS", "ACTION_UNCONFIRMED"]
    early = doubles(counted(900), counted(901), journal=Journal(process=sent(ago=DAY - MINUTE)))
    assert [found.code for found in early.breaks] == ["DUPLICATE_IN_WMS"]
    assert [found.code for found in doubles(counted(900), counted(901)).breaks] == ["DUPLICATE_IN_WMS"]


def test_doubles_of_a_return_that_is_over_are_still_doubles() -> None:
    assert planned(closed(), counted(900), announced(901)).row == 2
    assert planned(None, announced(900), announced(901)).row == 2


# --------------------------------------------------------------------------------------------------------- orphans


def cancelled(*receipts: Receipt, journal: Journal = OURS, settings: Settings = DELETE) -> Plan:
    plan = planned(rma(state="cancelled"), *(receipts or (announced(),)), journal=journal, settings=settings)
    assert plan.row == 5
    assert [found.code for found in plan.breaks] == ["ORPHAN_IN_WMS"]
    return plan


def test_our_rma_of_a_cancelled_return_is_deleted_where_that_is_opted_into() -> None:
    plan = cancelled()
    assert plan.action == DeleteRma(consumer_return_id=900, why="return 7 was cancelled; nobody has touched it")
    assert plan.reasons == ("Our RMA of a cancelled return, untouched.",)
    assert plan.next_check_at == NOW + 15 * MINUTE
    for quiet in (
        cancelled(settings=Settings()),
        cancelled(settings=Settings(delete_duplicates=True)),
        cancelled(journal=Journal()),
        cancelled(announced(original_id=None)),
        cancelled(journal=evolve(OURS, held_by="Ann")),
        cancelled(settings=evolve(DELETE, start=NOW)),
        cancelled(announced(900), announced(901), journal=evolve(OURS, attached=(901,))),
        cancelled(announced(900), journal=evolve(OURS, attached=(900,))),
    ):
        assert quiet.action is None
        assert quiet.reasons[0] == "Cancelled; the RMA is for a person to delete."


def test_a_touched_rma_of_a_cancelled_return_is_not_deleted() -> None:
    for touched in (announced(status=150), announced(arrived_at=NOW), announced(status=25), counted(units=(), status=100)):
        assert planned(rma(state="cancelled"), touched, journal=OURS, settings=DELETE).row == 7
    both = planned(rma(state="cancelled"), announced(), announced(901, status=200), journal=evolve(OURS, attached=(901,)), settings=DELETE)
    assert both.row == 7


def test_a_cancelled_return_without_a_date_is_an_orphan_from_now() -> None:
    plan = planned(rma(state="cancelled", updated_at=None, created_at=None), announced())
    assert (plan.breaks[0].since, plan.next_check_at) == (NOW, NOW + 12 * HOUR)


def test_absence_in_loop_is_never_a_reason_to_delete() -> None:
    plan = planned(None, announced(), journal=OURS, settings=DELETE)
    assert (plan.rule, plan.action) == ("unknown to Loop, RMA", None)
    double = planned(None, announced(900), announced(901), journal=OURS, settings=DELETE)
    assert (double.rule, double.action) == ("several live RMAs", None)


def test_an_orphan_dates_from_when_it_was_first_seen_else_from_its_making() -> None:
    (found,) = planned(None, announced(created_at=NOW - 3 * DAY), journal=Journal(since={"ORPHAN_IN_WMS": NOW - HOUR})).breaks
    assert found.since == NOW - HOUR
    (found,) = planned(None, announced(900, created_at=None), announced(901), journal=Journal(attached=(901,))).breaks
    assert found.since == NOW - DAY
    plan = planned(None, announced(created_at=None))
    assert (plan.breaks[0].since, plan.next_check_at) == (NOW, NOW + 12 * HOUR)
    assert planned(None, announced(created_at=NOW - 30 * DAY)).next_check_at == NOW + 7 * DAY


def test_goods_of_a_return_that_loop_does_not_know_are_not_to_be_deleted() -> None:
    (found,) = planned(None, counted(900), announced(901), journal=Journal(attached=(901,))).breaks
    assert found.next_step == "Its goods are there: make a return for them in Loop, or send them back; the RMA itself stays as it is."
    (found,) = planned(None, announced()).breaks
    assert found.next_step == BREAKS["ORPHAN_IN_WMS"].next_step


def test_what_neither_system_knows_ends_after_a_grace() -> None:
    def story(ago: object, **more: object) -> Plan:
        return planned(None, journal=Journal(first_seen_at=NOW - ago, **more))  # type: ignore[operator, arg-type]

    done = story(2 * DAY)
    assert (done.rule, done.next_check_at, done.breaks) == ("unknown to Loop, no RMA", None, ())
    assert done.reasons == ("Neither system knows it, and the grace is over.",)
    assert story(2 * DAY - MINUTE).next_check_at == NOW + MINUTE
    assert planned(None).next_check_at == NOW + 12 * HOUR
    doubt = story(2 * DAY, create=sending(MINUTE))
    assert doubt.next_check_at is not None
    assert doubt.next_check_at > NOW + 11 * MINUTE
    assert story(2 * DAY, create=sending(HOUR)).next_check_at is None
    assert story(3 * DAY, create=made(done_at=NOW)).next_check_at is None
    lately = story(30 * DAY, since={"UNKNOWN_TO_LOOP": NOW - DAY})
    assert lately.next_check_at is not None  # Loop knew it until yesterday: the key of another shop may have been put in by mistake
    assert story(30 * DAY, since={"UNKNOWN_TO_LOOP": NOW - 2 * DAY}).next_check_at is None


# -------------------------------------------------------------------------------------------------------- not read


@pytest.mark.parametrize("facts", [{"loop_read": False}, {"whiplash_read": False}, {"loop_read": False, "whiplash_read": False}])
def test_could_not_look_never_reads_as_nothing_there(facts: dict[str, bool]) -> None:
    for journal in (Journal(), Journal(process=sent(ago=DAY)), Journal(create=sending(HOUR)), OURS):
        plan = planned(None, journal=journal, settings=DELETE, **facts)
        assert (plan.row, plan.action) == (1, None)
        (found,) = plan.breaks
        assert (found.code, found.reason) == ("SOURCE_INCOMPLETE", "one side could not be read")
        assert found.loop_says == ("unknown to Loop" if facts.get("loop_read", True) else "")
        assert found.whiplash_says == ("no RMA" if facts.get("whiplash_read", True) else "")


def test_what_cannot_be_read_is_tried_again_less_and_less_often() -> None:
    for ago, ahead in ((MINUTE, 15 * MINUTE), (HOUR, HOUR), (DAY, 12 * HOUR)):
        plan = planned(None, loop_read=False, journal=Journal(since={"SOURCE_INCOMPLETE": NOW - ago}))
        assert plan.next_check_at == NOW + ahead
        assert plan.breaks[0].since == NOW - ago
    assert planned(None, loop_read=False, settings=Settings(recheck=MINUTE)).next_check_at == NOW + MINUTE


def test_an_answer_of_no_known_shape_is_unreadable() -> None:
    plan = planned(None, loop_read=False, problems=("UNREADABLE: Loop: $.id: not a number", "and more"))
    (found,) = plan.breaks
    assert (plan.row, found.code) == (1, "UNREADABLE")
    assert found.reason == "Loop: $.id: not a number; and more"
    known = Journal(since={"UNREADABLE": NOW - HOUR})
    assert planned(None, whiplash_read=False, problems=("UNREADABLE: x",), journal=known).breaks[0].since == NOW - HOUR


def test_a_double_is_told_even_where_loop_cannot_be_read() -> None:
    plan = planned(None, announced(900), announced(901), loop_read=False, problems=["Loop could not be read"])
    assert plan.action is None
    assert [found.code for found in plan.breaks] == ["SOURCE_INCOMPLETE", "DUPLICATE_IN_WMS"]
    alone = planned(None, announced(900), loop_read=False)
    assert [found.code for found in alone.breaks] == ["SOURCE_INCOMPLETE"]
    unseen = planned(rma(), whiplash_read=False, problems=["Whiplash could not be read"])
    assert [found.code for found in unseen.breaks] == ["SOURCE_INCOMPLETE"]
