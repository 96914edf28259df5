"""An RMA is made once, a process is sent once: lost replies, refusals, doubles, and what a person may allow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from house import House, answers, loses_reply, not_sent, vanishes


def posts(house: House, path: str) -> int:
    return sum(method == "POST" and path in called for _, method, called in house.calls)


# ---------------------------------------------------------------------------------------------------------- create


def test_a_create_whose_reply_was_lost_is_found_and_not_made_again(house: House) -> None:
    ret = house.shipped(1)
    house.fault("whiplash", "POST", "/consumer_returns", loses_reply)
    house.run()
    assert house.case(ret).journal.create.phase == "sending"
    house.run(days=1)
    assert house.rmas(ret) == 1
    assert posts(house, "/consumer_returns") == 1
    journal = house.case(ret).journal
    assert journal.create.phase == "done"
    assert sorted(line for lines in journal.create.lines.values() for line in lines) == [str(ret.lines[0].line_id)]
    house.world.warehouse.receive(ret)
    house.run(days=1)
    assert ret.was_processed


def test_a_create_that_never_arrived_is_made_again_only_after_the_bounds(house: House) -> None:
    ret = house.shipped(1)
    house.fault("whiplash", "POST", "/consumer_returns", vanishes)
    house.run(minutes=10)
    assert posts(house, "/consumer_returns") == 1
    assert house.codes(ret.id) == []
    house.run(minutes=20)
    assert posts(house, "/consumer_returns") == 2
    assert house.rmas(ret) == 1
    assert house.case(ret).journal.create.attempt == 2


def test_where_it_is_never_made_again_by_itself_a_person_may_allow_it(build: Callable[..., House]) -> None:
    house = build(settings={"recreate": "never"})
    ret = house.shipped(1)
    house.fault("whiplash", "POST", "/consumer_returns", vanishes)
    house.run(days=2)
    assert posts(house, "/consumer_returns") == 1
    found = house.broken(ret, "MISSING_IN_WMS")
    assert (found.heals, found.since, found.owner) == (False, house.start, "support")
    house.integration.retry(ret.id, by="ana")
    house.run(hours=1)
    assert house.rmas(ret) == 1
    assert house.codes(ret.id) == []


@pytest.mark.parametrize("status", [429, 401, 403])
def test_what_was_surely_not_made_is_tried_again(house: House, status: int) -> None:
    ret = house.shipped(1)
    house.fault("whiplash", "POST", "/consumer_returns", answers(status, {"message": "no"}))
    house.run()
    journal = house.case(ret).journal
    assert (journal.create.phase, journal.create.attempt) == ("none", 0)
    assert "step.create.withdrawn" in [event.kind for event in house.case(ret).history]
    assert any("no" in reason or str(status) in reason or "key" in reason for reason in house.case(ret).reasons)
    house.run(hours=1)
    assert house.rmas(ret) == 1


def test_a_connection_that_was_never_made_leaves_no_doubt(house: House) -> None:
    ret = house.shipped(1)
    house.fault("whiplash", "POST", "/consumer_returns", not_sent)
    house.run(minutes=10)
    assert house.rmas(ret) == 1
    assert house.case(ret).journal.create.attempt == 1


def test_a_refused_create_is_a_break_at_once_and_a_persons_turn(house: House) -> None:
    ret = house.shipped(1)
    house.fault("whiplash", "POST", "/consumer_returns", answers(422, {"message": "warehouse is closed"}), times=9)
    house.run()
    found = house.broken(ret, "MISSING_IN_WMS")
    assert "REFUSED" in found.reason
    assert (found.since, found.owner) == (house.start, "support")
    house.run(days=3)
    assert posts(house, "/consumer_returns") == 1
    house.faults.clear()
    house.integration.retry(ret.id)
    house.run(hours=1)
    assert house.rmas(ret) == 1


def test_one_that_whiplash_says_exists_is_looked_up_and_adopted(house: House) -> None:
    ret = house.shipped(1)
    house.world.whiplash.manners.lag = (400, 400)  # search does not show it yet
    item = house.world.catalogue.items_of(ret.skus[0])[0]
    house.world.whiplash.create(
        lines=[house.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id), tracking="elsewhere"
    )
    house.world.whiplash.manners.refuse_duplicates = True
    house.run(days=1)
    assert house.rmas(ret) == 1
    assert house.case(ret).journal.create.phase == "done"


def test_two_that_carry_our_key_are_a_break_and_nothing_is_done_about_them(house: House) -> None:
    ret = house.announced(1)
    item = house.world.catalogue.items_of(ret.skus[0])[0]
    house.world.clock.advance(hours=3)
    twin = house.world.whiplash.create(
        lines=[house.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id)
    )
    house.run(days=1)
    found = house.broken(ret, "DUPLICATE_IN_WMS")
    assert str(twin.id) in found.reason
    assert found.since == house.start + timedelta(hours=4)
    house.world.warehouse.receive(twin)
    house.run(days=3)
    assert not ret.was_processed
    house.world.warehouse.delete(house.world.warehouse.rmas(ret)[0])
    house.run(days=1)
    assert ret.was_processed


def test_an_untouched_double_of_ours_is_deleted_where_that_is_allowed(build: Callable[..., House]) -> None:
    house = build(settings={"delete_duplicates": True})
    ret = house.announced(1)
    item = house.world.catalogue.items_of(ret.skus[0])[0]
    house.world.whiplash.create(lines=[house.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id))
    first = house.world.truth.rmas(ret.id)[0]
    house.fault("whiplash", "DELETE", "/consumer_returns", not_sent)
    house.run(days=2)
    assert house.world.truth.live_rmas(ret.id) == [first]
    assert house.codes(ret.id) == []


def test_a_double_that_the_warehouse_has_in_hand_is_not_deleted_on_the_word_of_a_search_that_lags(build: Callable[..., House]) -> None:
    house = build(settings={"delete_duplicates": True}, webhooks=False)
    ret = house.shipped(1)
    house.integration.advance(ret.id)
    item = house.world.catalogue.items_of(ret.skus[0])[0]
    twin = house.world.whiplash.create(
        lines=[house.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id)
    )
    house.world.clock.advance(hours=2)
    house.world.whiplash.manners.lag = (200, 200)
    house.world.warehouse.receive(twin)
    outcome = house.integration.advance(ret.id)
    assert (outcome.action, outcome.result) == ("DeleteRma", "deleted")  # the other one, which nobody has touched
    assert house.world.truth.live_rmas(ret.id) == [twin.id]


def test_a_double_that_comes_into_somebodys_hands_just_before_it_is_deleted_is_not_deleted(build: Callable[..., House]) -> None:
    house = build(settings={"delete_duplicates": True}, webhooks=False)
    ret = house.shipped(1)
    house.integration.advance(ret.id)
    item = house.world.catalogue.items_of(ret.skus[0])[0]
    twin = house.world.whiplash.create(
        lines=[house.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id)
    )
    house.world.clock.advance(hours=2)
    asked: list[str] = []

    def at_the_second_look(system: str, request: Any) -> None:
        if request.path == f"/consumer_returns/{twin.id}":
            asked.append(request.method)
            if len(asked) == 2:
                house.world.warehouse.receive(twin)

    house.before.append(at_the_second_look)
    outcome = house.integration.advance(ret.id)
    assert (outcome.action, outcome.result) == ("DeleteRma", "held back")
    assert asked == ["GET", "GET"]


@pytest.mark.parametrize("does", [loses_reply, vanishes, answers(500)], ids=["lost", "vanished", "500"])
def test_a_delete_in_doubt_is_never_sent_twice(build: Callable[..., House], does: Any) -> None:
    house = build(settings={"delete_orphans": True})
    ret = house.announced(1)
    house.fault("whiplash", "DELETE", "/consumer_returns", does)
    house.world.people.cancel(ret)
    house.run(days=3)
    assert sum(method == "DELETE" for _, method, _ in house.calls) == 1
    assert house.codes(ret.id) == ([] if does is loses_reply else ["ORPHAN_IN_WMS"])


def test_the_rma_of_a_cancelled_return_is_a_break_and_deleted_only_where_that_is_allowed(build: Callable[..., House]) -> None:
    for allowed in (False, True):
        house = build(settings={"delete_orphans": allowed})
        ret = house.announced(1)
        house.world.people.cancel(ret)
        cancelled = house.world.clock.now()
        house.run(days=1)
        assert len(house.world.truth.live_rmas(ret.id)) == (0 if allowed else 1)
        assert house.codes(ret.id) == ([] if allowed else ["ORPHAN_IN_WMS"])
        if not allowed:
            assert house.broken(ret, "ORPHAN_IN_WMS").since == cancelled


def test_an_rma_that_is_gone_is_a_break_and_made_again_only_by_a_person(house: House) -> None:
    ret = house.announced(1)
    house.run(hours=12)
    house.world.warehouse.delete(ret)
    house.run(days=1)
    assert house.codes(ret.id) == ["MISSING_IN_WMS"]
    assert posts(house, "/consumer_returns") == 1
    house.integration.retry(ret.id, by="ana")
    house.run(hours=1)
    assert len(house.world.truth.live_rmas(ret.id)) == 1
    assert posts(house, "/consumer_returns") == 2


def test_a_notice_that_whiplash_drops_after_its_eta_is_seen_to_be_gone(build: Callable[..., House]) -> None:
    house = build(settings={"eta": timedelta(days=1)})
    ret = house.announced(1)
    for status in ("in_transit",):
        house.world.carrier.scan(ret, status)
    house.run(days=40)
    assert house.world.truth.live_rmas(ret.id) == []
    assert "MISSING_IN_WMS" in house.codes(ret.id)
    assert house.rmas(ret) == 1


# --------------------------------------------------------------------------------------------------------- process


def counted(house: House) -> Any:
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    return ret


@pytest.mark.parametrize(
    "does",
    [loses_reply, answers(500), answers(200, b"<html>busy</html>"), answers(200, b"")],
    ids=["no reply", "500", "200 with a page", "200 with nothing"],
)
def test_a_process_in_doubt_is_never_sent_again(house: House, does: Any) -> None:
    ret = counted(house)
    house.fault("loop", "POST", "/process", does)
    house.run(hours=20)
    assert posts(house, "/process") == 1
    if does is loses_reply:
        assert ret.was_processed
        assert house.case(ret).journal.process.phase == "confirmed"
        return
    assert house.codes(ret.id) == []
    house.run(days=2)
    assert posts(house, "/process") == 1
    found = house.broken(ret, "ACTION_UNCONFIRMED")
    assert found.since == house.case(ret).journal.process.began_at
    assert found.money == ret.now.value
    house.integration.retry(ret.id, by="ana")
    house.run(hours=1)
    assert posts(house, "/process") == 2
    assert ret.was_processed
    assert house.codes(ret.id) == []


@pytest.mark.parametrize("does", [not_sent, answers(429), answers(401, {"message": "no"})], ids=["not sent", "429", "401"])
def test_a_process_that_was_surely_not_taken_is_sent_again(house: House, does: Any) -> None:
    ret = counted(house)
    house.fault("loop", "POST", "/process", does)
    house.run(hours=2)
    assert posts(house, "/process") == 2
    assert len(house.world.truth.processes(ret.id)) == 1
    assert ret.was_processed


def test_a_process_that_loop_refuses_is_a_break_at_once(house: House) -> None:
    ret = counted(house)
    refusal = {"errors": {"message": "Gift card service is down.", "code": "UNPROCESSABLE_RETURN"}}
    house.fault("loop", "POST", "/process", answers(200, refusal))
    house.run()
    found = house.broken(ret, "PROCESSING_FAILED")
    assert "UNPROCESSABLE_RETURN" in found.reason
    house.run(days=1)
    assert posts(house, "/process") == 1
    house.integration.retry(ret.id)
    house.run(hours=1)
    assert ret.was_processed
    assert house.codes(ret.id) == []


UNCLEAR = [
    {"errors": {"message": "An unexpected error.", "code": "UNEXPECTED_ERROR"}},
    {"message": "Server Error"},
    {"success": True},
    {},
    None,
]


@pytest.mark.parametrize("body", UNCLEAR, ids=str)
@pytest.mark.parametrize("queued", [True, False])
def test_an_answer_that_is_neither_yes_nor_a_clear_no_is_a_doubt_and_said_at_once(house: House, body: object, queued: bool) -> None:
    ret = counted(house)
    house.world.loop.manners.processing_takes = (4 * 3600, 4 * 3600)

    def unclear(request: Any, send: Any) -> Any:
        if queued:
            send(request)
        return answers(200, body)(request, send)

    house.fault("loop", "POST", "/process", unclear)
    house.run()
    found = house.broken(ret, "ACTION_UNCONFIRMED")  # and not PROCESSING_FAILED, which bids to send it once more
    assert "Loop refused to process" in found.reason
    assert house.case(ret).journal.process.phase == "sending"
    house.run(days=2)
    assert posts(house, "/process") == 1
    assert ret.was_processed is queued
    assert house.codes(ret.id) == ([] if queued else ["ACTION_UNCONFIRMED"])


@pytest.mark.parametrize("status", [404, 422])
def test_a_process_that_loop_does_not_understand_is_a_break_too(house: House, status: int) -> None:
    ret = counted(house)
    house.fault("loop", "POST", "/process", answers(status, {"message": "no"}))
    house.run(hours=1)
    assert house.codes(ret.id) == ["PROCESSING_FAILED"]
    assert posts(house, "/process") == 1


def test_a_refusal_of_what_is_processed_already_confirms_our_own(house: House) -> None:
    ret = counted(house)

    def processed_meanwhile(request: Any, send: Any) -> Any:
        send(request)
        house.world.clock.advance(minutes=2)
        return send(request)  # a proxy repeats it: Loop says that it is closed

    house.fault("loop", "POST", "/process", processed_meanwhile)
    house.run(hours=1)
    assert house.case(ret).journal.process.phase == "confirmed"
    assert house.codes(ret.id) == []
    assert house.world.truth.paid(ret.id) == ret.now.value


def test_a_refusal_that_cannot_be_read_back_stays_a_doubt(house: House) -> None:
    ret = counted(house)
    refusal = {"errors": {"message": "no", "code": "UNEXPECTED_ERROR"}}

    def refuses_and_is_gone(request: Any, send: Any) -> Any:
        house.fault("loop", "GET", "/warehouse/return/details", answers(500), times=4)
        return answers(200, refusal)(request, send)

    house.fault("loop", "POST", "/process", refuses_and_is_gone)
    house.run()
    assert house.case(ret).journal.process.phase == "sending"
    house.run(days=2)
    assert posts(house, "/process") == 1
    assert house.codes(ret.id) == ["ACTION_UNCONFIRMED"]


@pytest.mark.parametrize("state", ["open", "review"])
def test_a_process_that_fails_late_is_a_persons_turn_and_pays_once_when_it_is_retried(house: House, state: str) -> None:
    ret = counted(house)
    house.world.loop.manners.failing = 1.0
    house.world.loop.manners.failed_state = state
    house.run(days=1)
    found = house.broken(ret, "PROCESSING_FAILED")
    assert "failed to process" in found.reason
    assert posts(house, "/process") == 1
    assert not ret.was_processed
    house.world.loop.manners.failing = 0.0
    if state == "review":
        house.world.people.clear_flag(ret)
    house.integration.retry(ret.id, by="ana")
    house.run(hours=2)
    assert posts(house, "/process") == 2
    assert ret.was_processed
    assert house.world.truth.paid(ret.id) == ret.now.value


@pytest.mark.parametrize("minutes", [0, 1, 4])
def test_a_retry_said_twice_pays_once(house: House, minutes: int) -> None:
    # A button that is clicked twice, a request that a browser repeats: by then the first is sent and waits in Loop's queue, unseen.
    ret = counted(house)
    house.world.loop.manners.failing = 1.0
    house.run(days=1)
    assert house.codes(ret.id) == ["PROCESSING_FAILED"]
    house.world.loop.manners.failing = 0.0
    house.world.loop.manners.processing_takes = (3600, 3600)
    house.integration.retry(ret.id, by="ana")
    house.integration.run_due()
    assert posts(house, "/process") == 2
    house.world.clock.advance(minutes=minutes)
    house.integration.retry(ret.id, by="ana")
    house.run(days=1)
    assert posts(house, "/process") == 2
    assert ret.was_processed


def test_a_retry_that_breaks_off_after_its_send_allows_no_further_one(house: House) -> None:
    def breaks_off(request: Any, send: Any) -> Any:
        send(request)
        raise RuntimeError("a mistake in somebody's transport")

    ret = house.announced(1)
    house.fault("loop", "POST", "/process", vanishes)
    house.world.warehouse.receive(ret)
    house.run(days=2)
    assert house.codes(ret.id) == ["ACTION_UNCONFIRMED"]
    house.world.loop.manners.processing_takes = (10 * 86400, 10 * 86400)  # queued, and nothing to be seen for days
    house.fault("loop", "POST", "/process", breaks_off, times=9)
    house.integration.retry(ret.id, by="ana")
    house.run(days=4)
    assert posts(house, "/process") == 2
    assert house.codes(ret.id) == ["ACTION_UNCONFIRMED"]


def test_a_late_failure_whose_webhook_is_lost_is_seen_by_its_state(house: House) -> None:
    ret = counted(house)
    house.world.loop.manners.failing = 1.0
    house.world.loop.manners.failed_state = "review"
    house.run()
    house.world.outbox.lost = True
    house.run(days=2)
    assert house.codes(ret.id) == ["PROCESSING_FAILED"]
    assert posts(house, "/process") == 1


def test_goods_counted_anew_after_we_paid_are_a_correction(house: House) -> None:
    ret = counted(house)
    house.run(days=1)
    notice = house.world.warehouse.reopen(ret)
    house.world.warehouse.recount(notice, {ret.skus[0]: (0, 1)})
    house.world.clock.advance(hours=1)
    corrected = house.world.warehouse.complete(ret).updated_at
    house.run(days=1)
    found = house.broken(ret, "POST_ACTION_CORRECTION")
    assert found.since == corrected
    assert found.money == ret.now.value
    assert posts(house, "/process") == 1


# ------------------------------------------------------------------------------------------------------------ flag


def damaged(house: House) -> Any:
    ret = house.announced(1)
    house.world.warehouse.receive(ret, damaged=1)
    return ret


def test_a_flag_says_why_in_a_note_that_is_written_once(house: House) -> None:
    ret = damaged(house)
    house.fault("loop", "POST", "/flag", not_sent, times=2)
    house.run(hours=3)
    assert ret.flagged
    assert len(ret.notes) == 1
    assert ret.notes[0].startswith("loop-whiplash ")
    assert ret.skus[0] in ret.notes[0]
    assert len(ret.notes[0]) < 255


def test_a_note_that_cannot_be_written_keeps_no_return_from_its_flag(build: Callable[..., House]) -> None:
    told: list[Any] = []
    house = build(hooks=[told.append])
    ret = damaged(house)
    house.fault("loop", "POST", "/note", answers(500), times=9)
    house.run(days=1)
    assert ret.flagged
    assert ret.notes == []
    assert ("action", "note", "not written: OutcomeUnknown") in [(each.kind, each.name, each.result) for each in told]


def test_without_notes_none_is_written(build: Callable[..., House]) -> None:
    house = build(settings={"notes": False})
    ret = damaged(house)
    house.run(days=1)
    assert ret.flagged
    assert ret.notes == []


@pytest.mark.parametrize("does", [vanishes, answers(500)], ids=["vanished", "500"])
def test_a_flag_in_doubt_counts_as_made_and_is_never_sent_again(house: House, does: Any) -> None:
    ret = damaged(house)
    house.fault("loop", "POST", "/flag", does)
    house.run(days=3)
    assert posts(house, "/flag") == 1
    assert house.codes(ret.id) == ["ACTION_UNCONFIRMED"]
    house.integration.retry(ret.id)
    house.run(days=1)
    assert house.codes(ret.id) == ["RECEIVED_NOT_ACTIONED"]  # remembered as flagged: a person decides it
    assert posts(house, "/flag") == 1


def test_a_refused_flag_is_a_break_and_not_tried_again_on_the_same_evidence(house: House) -> None:
    ret = damaged(house)
    house.fault("loop", "POST", "/flag", answers(200, {"errors": {"message": "no", "code": "UNPROCESSABLE_RETURN"}}))
    house.run(days=1)
    assert posts(house, "/flag") == 1
    assert "refused the flag" in house.broken(ret, "RECEIVED_NOT_ACTIONED").reason
    house.integration.retry(ret.id)
    house.run(hours=1)
    assert ret.flagged


@pytest.mark.parametrize("body", UNCLEAR, ids=str)
def test_a_finding_whose_flag_was_answered_with_no_clear_no_is_not_flagged_again_when_goods_move(house: House, body: object) -> None:
    ret = house.announced(2)
    notice = house.world.warehouse.receive(ret, damaged=1, short=1)

    def made_all_the_same(request: Any, send: Any) -> Any:
        send(request)
        return answers(200, body)(request, send)

    house.fault("loop", "POST", "/flag", made_all_the_same)
    house.run(hours=1)
    assert ret.flagged
    flagged = house.case(ret).journal.flagged
    assert flagged
    house.world.people.clear_flag(ret)
    house.world.warehouse.reopen(notice)
    house.world.warehouse.recount(
        notice, {ret.skus[0]: (0, 1), ret.skus[1]: (1, 0)}
    )  # the other one is found; the damaged one is not whole
    house.world.warehouse.complete(notice)
    house.run(days=1)
    assert set(house.case(ret).journal.flagged) == set(flagged)
    assert posts(house, "/flag") == 1
    assert house.codes(ret.id) == ["RECEIVED_NOT_ACTIONED"]


@pytest.mark.parametrize("body", [{"error": "busy"}, {"errors": ["busy"]}], ids=str)
def test_an_rma_that_was_made_under_an_error_is_not_made_again_when_a_person_retries_at_once(house: House, body: object) -> None:
    house.world.whiplash.manners.lag = (200, 200)  # search does not show it yet
    ret = house.shipped(1)

    def made_all_the_same(request: Any, send: Any) -> Any:
        send(request)
        return answers(200, body)(request, send)

    house.fault("whiplash", "POST", "/consumer_returns", made_all_the_same)
    house.run()
    house.integration.retry(ret.id)
    house.run(days=1)
    assert house.rmas(ret) == 1


def test_what_is_cured_after_our_flag_is_processed_from_review_only_where_that_is_allowed(build: Callable[..., House]) -> None:
    for allowed in (False, True):
        house = build(settings={"allow_process_from_review": allowed})
        house.world.loop.manners.allow_flagged = allowed
        ret = house.announced(2)
        notice = house.world.warehouse.receive(ret, short=1)
        house.run(days=5)
        assert ret.flagged
        house.world.warehouse.reopen(notice)
        house.world.warehouse.receive(house.world.whiplash.notice(notice.id))
        house.run(days=1)
        assert ret.was_processed is allowed


def test_what_a_person_flagged_is_never_processed_whatever_is_allowed(build: Callable[..., House]) -> None:
    house = build(settings={"allow_process_from_review": True})
    house.world.loop.manners.allow_flagged = True
    ret = house.announced(1)
    house.world.people.flag(ret)
    house.world.warehouse.receive(ret)
    house.run(days=3)
    assert not ret.was_processed
    house.run(days=7)
    assert house.codes(ret.id) == ["REVIEW_STALE"]


def test_an_action_is_refused_while_a_persons_word_is_unread() -> None:
    house = House()  # the word comes in while the worker is at work; an event loop cannot be entered twice
    ret = counted(house)
    house.world.deliver(house.integration)
    house.before.append(lambda system, request: request.path.endswith("/details") and house.integration.hold(ret.id, by="ana"))
    house.integration.run_due()
    assert posts(house, "/process") == 0
    assert house.case(ret).held
    house.before.clear()
    house.run(days=1)
    assert not ret.was_processed
