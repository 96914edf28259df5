"""What an observation settles, and what it shows for the first time."""

from __future__ import annotations

from typing import Any

import pytest
from planning_stories import DAY, HOUR, MINUTE, NOW, announced, closed, counted, evolve, flagged, made, rma, sending, sent, units

from loop_whiplash.planning import Act, Create, Journal, Observation, Seen, Settings, learn
from loop_whiplash.planning.journal import settle
from loop_whiplash.returns.model import Receipt, Rma

FRESH = Journal(first_seen_at=NOW - DAY, since={"state:open": NOW - DAY})


def learnt(journal: Journal, rma: Rma | None, *receipts: Receipt, settings: Settings | None = None, **observed: Any) -> Journal:
    observation = Observation(return_id=7, rma=rma, receipts=receipts, **observed)
    once = learn(journal, observation, at=NOW, settings=settings)
    assert learn(once, observation, at=NOW, settings=settings) == once, "learning twice changes nothing"
    return once


# --------------------------------------------------------------------------------------------------------- process


@pytest.mark.parametrize("phase", ["none", "sending", "accepted", "refused", "failed"])
def test_closed_and_processed_confirms_a_process_of_ours(phase: str) -> None:
    journal = Journal(process=sent(phase, reason="no", evidence="e"))
    for paid in (closed(), closed(released_at=None), closed(was_processed=False), closed(was_processed=None)):
        assert learnt(journal, paid).process == sent("confirmed", evidence="e", settled_at=NOW)


def test_what_is_not_ours_or_settled_is_left_alone() -> None:
    for process in (Act(), sent("confirmed"), sent("none", sends=0)):
        assert learnt(Journal(process=process), closed()).process == process
    assert learnt(flagged("cleared"), closed()).process == Act(), "flagged by us, processed by a person"
    assert learnt(Journal(process=sent("none")), rma(state="cancelled")).process == sent("none")


def test_open_review_or_unsaid_confirms_nothing() -> None:
    journal = Journal(process=sent(ago=9 * DAY))
    for word in (rma(), rma(was_processed=True), rma(state="review"), rma(state="closed", was_processed=None), rma(state="expired")):
        assert learnt(journal, word).process == journal.process


@pytest.mark.parametrize("phase", ["sending", "accepted"])
@pytest.mark.parametrize("state", ["closed", "cancelled", "Canceled"])
def test_over_without_being_processed_fails_it_once_its_time_is_over(phase: str, state: str) -> None:
    over = rma(state=state)
    early = Journal(process=sent(phase, ago=DAY - MINUTE))
    assert learnt(early, over).process == early.process
    late = Journal(process=sent(phase, ago=DAY))
    word = "closed" if state == "closed" else "cancelled"
    assert learnt(late, over).process == sent("failed", ago=DAY, settled_at=NOW, reason=f"the return was {word} without being processed")
    assert learnt(late, over, settings=Settings(confirm_by=2 * DAY)).process == late.process
    undated = Journal(process=evolve(late.process, began_at=None))
    assert learnt(undated, over).process.phase == "failed"


def test_a_refused_process_stays_refused_when_the_return_ends_unpaid() -> None:
    journal = Journal(process=sent("refused", ago=9 * DAY, reason="no"))
    assert learnt(journal, rma(state="cancelled")).process == journal.process


def test_a_side_that_was_not_read_settles_nothing() -> None:
    journal = Journal(process=sent(), flag=sent())
    for facts in ({"loop_read": False}, {"loop_read": False, "whiplash_read": False}):
        after = learnt(journal, closed(), announced(), **facts)
        assert (after.process, after.flag) == (journal.process, journal.flag)
    assert learnt(journal, None).process == journal.process
    doubt = Journal(create=sending())
    assert learnt(doubt, rma(), announced(), whiplash_read=False).create == doubt.create


# ------------------------------------------------------------------------------------------------------------ flag


def test_review_confirms_a_flag_of_ours_and_says_whether_loop_had_answered() -> None:
    for state in ("review", "needs review"):
        assert learnt(flagged("accepted"), rma(state=state)).flag == sent("confirmed", ago=DAY, settled_at=NOW, answered=True)
        assert learnt(flagged("sending"), rma(state=state)).flag == sent("confirmed", ago=DAY, settled_at=NOW, answered=False)
    again = flagged("sending", answered=True)  # the answer of an earlier flag says nothing about this one
    assert learnt(again, rma(state="review")).flag.answered is False
    for phase in ("none", "refused", "failed", "cleared", "confirmed"):
        journal = flagged(phase)
        assert learnt(journal, rma(state="review")).flag == journal.flag


def test_open_again_means_a_person_took_the_flag_away() -> None:
    journal = flagged("confirmed", answered=True)
    assert learnt(journal, rma()).flag == evolve(journal.flag, phase="cleared", settled_at=NOW)
    for state in ("closed", "cancelled", "expired", "partial"):
        assert learnt(journal, rma(state=state)).flag == journal.flag
    for phase in ("sending", "refused", "none", "cleared"):
        assert learnt(flagged(phase), rma()).flag == flagged(phase).flag


def test_a_flag_that_was_first_seen_without_its_effect_may_be_somebody_elses_later() -> None:
    open_again = learnt(flagged("accepted"), rma())
    assert open_again.flag == evolve(flagged("accepted").flag, unseen_at=NOW)
    assert learnt(open_again, rma(state="review")).flag == evolve(open_again.flag, phase="confirmed", settled_at=NOW, answered=False)
    known = evolve(open_again, flag=evolve(open_again.flag, unseen_at=NOW - HOUR))
    assert learnt(known, rma()).flag == known.flag
    at_once = evolve(open_again, flag=evolve(open_again.flag, unseen_at=NOW - DAY))
    assert learnt(at_once, rma(state="review")).flag.answered is False
    undated = evolve(open_again, flag=evolve(open_again.flag, began_at=None))
    assert learnt(undated, rma(state="review")).flag.answered is False
    earlier = evolve(open_again, flag=evolve(open_again.flag, unseen_at=NOW - DAY - MINUTE))  # that was an earlier flag
    assert learnt(earlier, rma(state="review")).flag.answered is True
    assert learnt(earlier, rma()).flag.unseen_at == NOW


def test_settling_nothing_gives_the_same_journal() -> None:
    observation = Observation(return_id=7, rma=rma(), receipts=(announced(),))
    for journal in (Journal(), Journal(process=sent()), flagged("cleared")):
        assert settle(journal, observation, at=NOW) is journal
    process_only = settle(Journal(process=sent()), Observation(return_id=7, rma=closed()), at=NOW)
    assert process_only.process.phase == "confirmed"
    assert process_only.first_seen_at is None


# ---------------------------------------------------------------------------------------------------------- create


def test_an_rma_found_under_our_key_settles_a_create_in_doubt() -> None:
    lines = {"51": ("L1",)}
    doubt = sending(lines=lines, original_id="old-7", looked_at=NOW, problem="x", problem_at=NOW)
    after = learnt(Journal(create=doubt), rma(), announced())
    assert after.create == Create(
        phase="done",
        attempt=1,
        began_at=NOW - MINUTE,
        looked_at=NOW,
        done_at=NOW,
        consumer_return_id=900,
        adopted=True,
        lines=lines,
        tracking="TRACK-1",
    )


@pytest.mark.parametrize("phase", ["none", "refused"])
def test_an_rma_that_somebody_else_made_is_adopted(phase: str) -> None:
    before = Create(phase=phase, lines={"9": ("L9",)}, problem="REFUSED: 422", problem_at=NOW)
    after = learnt(Journal(create=before), rma(), counted(tracking="T")).create
    assert after == Create(phase="done", done_at=NOW, consumer_return_id=900, adopted=True, tracking="T")


def test_another_rma_in_its_place_is_adopted_without_the_old_map() -> None:
    after = learnt(Journal(create=made(lines={"51": ("L1",)})), rma(), announced(901)).create
    assert (after.consumer_return_id, after.lines, after.adopted, after.verified, after.done_at) == (901, {}, True, False, NOW)


def test_several_or_none_settle_nothing() -> None:
    journal = Journal(create=sending(), attached=(55,))
    for receipts in ((), (announced(900), announced(901)), (announced(900), announced(901), announced(55))):
        assert learnt(journal, rma(), *receipts).create == journal.create
    assert learnt(journal, rma(), announced(55), announced(900)).create.consumer_return_id == 900


def test_what_a_person_attached_stands_for_the_rma_where_there_is_no_other() -> None:
    journal = Journal(create=sending(lines={"51": ("L1",)}), attached=(55, 56))
    after = learnt(journal, rma(), announced(56), announced(55)).create
    assert (after.phase, after.consumer_return_id, after.adopted) == ("done", 55, True)
    assert learnt(Journal(create=made(), attached=(55,)), rma(), announced(55), announced(900)).create == made()
    assert learnt(Journal(create=made(), attached=(55,)), rma(), announced(55)).create.consumer_return_id == 55


def test_one_rma_seen_after_the_lag_is_verified() -> None:
    def verified(done_at: Any, **more: Any) -> bool:
        return learnt(Journal(create=made(done_at=done_at, verified=False)), rma(), announced(), **more).create.verified

    assert verified(NOW - 5 * MINUTE) is False
    assert verified(NOW - 6 * MINUTE) is True
    assert verified(None) is True
    assert verified(NOW - 6 * MINUTE, settings=Settings(lag=HOUR)) is False
    assert learnt(Journal(create=made(verified=False)), rma()).create.verified is False


def test_an_rma_of_ours_asked_for_again_is_still_the_one() -> None:
    lines = {"51": ("L1",)}
    retried = made(phase="none", lines=lines, original_id="old-7", problem="x", problem_at=NOW)
    assert learnt(Journal(create=retried), rma(), announced()).create == made(lines=lines)


# --------------------------------------------------------------------------------------------------- for the first time


def test_first_seen() -> None:
    assert learnt(Journal(), rma()).first_seen_at == NOW
    assert learnt(FRESH, rma()).first_seen_at == NOW - DAY
    assert learnt(evolve(FRESH, first_seen_at=None), rma()).first_seen_at == NOW


def test_receipts_are_dated_when_first_seen_counted_and_first_seen_final() -> None:
    assert learnt(FRESH, rma(), announced()).seen == {}
    half = counted(final=False)
    assert learnt(FRESH, rma(), half).seen == {"900": Seen(counted_at=NOW)}
    known = evolve(FRESH, seen={"900": Seen(counted_at=NOW - HOUR)})
    assert learnt(known, rma(), half).seen == known.seen
    assert learnt(known, rma(), counted()).seen == {"900": Seen(counted_at=NOW - HOUR, final_at=NOW)}
    final = evolve(FRESH, seen={"900": Seen(counted_at=NOW - HOUR, final_at=NOW - MINUTE)})
    assert learnt(final, rma(), counted()).seen == final.seen
    assert learnt(final, rma(), half).seen == {"900": Seen(counted_at=NOW - HOUR)}  # reopened
    assert learnt(final, rma(), announced()).seen == final.seen
    assert learnt(FRESH, rma(), counted(units=())).seen == {"900": Seen(counted_at=NOW, final_at=NOW)}
    assert learnt(evolve(known, create=made()), rma(), counted()).seen == {"900": Seen(counted_at=NOW - HOUR, final_at=NOW)}
    second = evolve(FRESH, attached=(901,))
    assert learnt(second, rma(), announced(900), counted(901)).seen == {"901": Seen(counted_at=NOW, final_at=NOW)}
    assert learnt(final, rma(), counted(901)).seen == {**final.seen, "901": Seen(counted_at=NOW, final_at=NOW)}
    assert learnt(FRESH, rma(), counted(), whiplash_read=False).seen == {}


def since(journal: Journal, rma: Rma | None, *receipts: Receipt, **observed: Any) -> dict[str, Any]:
    return dict(learnt(journal, rma, *receipts, **observed).since)


def test_each_state_is_dated_while_it_lasts() -> None:
    assert since(Journal(), rma()) == {"state:open": NOW}
    assert since(FRESH, rma()) == {"state:open": NOW - DAY}
    assert since(FRESH, rma(state="Needs Review")) == {"state:review": NOW}
    assert since(FRESH, rma(state="partial")) == {"state:partial": NOW}
    assert since(FRESH, None) == {"UNKNOWN_TO_LOOP": NOW}


def test_conditions_that_nobody_dates_are_dated_while_they_last() -> None:
    open_now = {"state:open": NOW - DAY}
    assert since(FRESH, rma(), announced(900), announced(901)) == {**open_now, "DUPLICATE_IN_WMS": NOW}
    assert since(evolve(FRESH, attached=(901,)), rma(), announced(900), announced(901)) == open_now
    assert since(FRESH, rma(units=units(2)), announced()) == {**open_now, "ITEMS_DRIFT": NOW}
    assert since(FRESH, rma(), announced(problems=("x",))) == {**open_now, "UNREADABLE": NOW}
    assert since(FRESH, rma(state="cancelled"), announced()) == {"state:cancelled": NOW, "ORPHAN_IN_WMS": NOW}
    assert since(FRESH, rma(state="cancelled")) == {"state:cancelled": NOW}
    assert since(FRESH, None, announced()) == {"ORPHAN_IN_WMS": NOW, "UNKNOWN_TO_LOOP": NOW}
    assert since(FRESH, rma(), announced()) == open_now
    known = evolve(FRESH, since={**open_now, "ITEMS_DRIFT": NOW - HOUR, "DUPLICATE_IN_WMS": NOW - HOUR})
    assert since(known, rma(units=units(2)), announced()) == {**open_now, "ITEMS_DRIFT": NOW - HOUR}


def test_what_could_not_be_seen_is_not_over() -> None:
    known = evolve(FRESH, since={"state:open": NOW - DAY, "ORPHAN_IN_WMS": NOW - HOUR})
    unread = since(known, None, loop_read=False)
    assert unread == {"state:open": NOW - DAY, "ORPHAN_IN_WMS": NOW - HOUR, "SOURCE_INCOMPLETE": NOW}
    assert since(known, rma(), whiplash_read=False)["SOURCE_INCOMPLETE"] == NOW
    shape = since(known, None, loop_read=False, problems=("UNREADABLE: Loop: x",))
    assert (shape["UNREADABLE"], shape["SOURCE_INCOMPLETE"]) == (NOW, NOW)
    assert "UNREADABLE" not in since(known, None, loop_read=False, problems=("Loop: UNREADABLE",))
    assert since(evolve(known, since=unread), rma()) == {"state:open": NOW - DAY}
    assert since(FRESH, None, announced(), loop_read=False)["state:open"] == NOW - DAY
    assert "ORPHAN_IN_WMS" not in since(FRESH, None, announced(), loop_read=False)


def test_an_act_that_was_never_begun_is_not_an_act() -> None:
    assert learnt(Journal(), rma(state="review")).flag == Act()
    assert learnt(Journal(), closed()).process == Act()
