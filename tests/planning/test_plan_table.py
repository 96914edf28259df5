"""Every row of the table, told as a story: what holds, what is done, what is wrong, when it is looked at again, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import attrs
import pytest
from planning_stories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SHORT,
    WARN,
    announced,
    closed,
    counted,
    flagged,
    made,
    planned,
    rma,
    says,
    sending,
    sent,
)

from loop_whiplash.planning import CreateRma, Journal, Plan, Process, Settings
from loop_whiplash.planning.model import Action, Create
from loop_whiplash.planning.plan import TABLE

DUE_LATER = NOW + 12 * HOUR
LIVE = Settings(start=NOW - DAY)


@attrs.frozen(kw_only=True)
class Story:
    """One row, and all that its plan says."""

    row: str
    tell: Callable[[], Plan]
    why: tuple[str, ...]
    breaks: tuple[tuple[str, timedelta, str], ...] = ()
    heals: bool = False
    action: Action | None = None
    then: datetime | None = DUE_LATER


STORIES = (
    Story(
        row="a side could not be read",
        tell=lambda: planned(None, loop_read=False, problems=("Loop: 500", "and slow")),
        why=("Could not look: Loop: 500; and slow.",),
        breaks=(("SOURCE_INCOMPLETE", 0 * DAY, "Loop: 500; and slow"),),
        then=NOW + 15 * MINUTE,
    ),
    Story(
        row="several live RMAs",
        tell=lambda: planned(rma(), announced(900), announced(901, created_at=NOW - HOUR)),
        why=("Which RMA is the right one is for a person to say.",),
        breaks=(("DUPLICATE_IN_WMS", HOUR, "Whiplash has 2 RMAs for this return: 900, 901."),),
    ),
    Story(
        row="process in doubt",
        tell=lambda: planned(rma(), counted(), journal=Journal(process=sent())),
        why=("A process was sent; its effect is looked for until 2025-06-16 11:00 UTC.",),
        then=NOW + HOUR,
    ),
    Story(
        row="unknown to Loop, RMA",
        tell=lambda: planned(None, announced()),
        why=("Loop, asked by id, knows no such return.",),
        breaks=(("ORPHAN_IN_WMS", DAY, "Whiplash has an RMA for a return that Loop does not know."),),
        then=NOW + DAY,
    ),
    Story(
        row="unknown to Loop, no RMA",
        tell=lambda: planned(None, journal=Journal(first_seen_at=NOW - HOUR)),
        why=("Neither system knows it yet.",),
    ),
    Story(
        row="cancelled, RMA untouched",
        tell=lambda: planned(rma(state="cancelled"), announced()),
        why=("Cancelled; the RMA is for a person to delete.",),
        breaks=(("ORPHAN_IN_WMS", 2 * DAY, "The return was cancelled; its RMA is still live and untouched."),),
        then=NOW + 2 * DAY,
    ),
    Story(
        row="processed by us, changed since",
        tell=lambda: planned(closed(), counted(updated_at=NOW - DAY), journal=Journal(process=sent("confirmed")), decision="NO_ACTION"),
        why=("What was counted changed after we processed it.",),
        breaks=(("POST_ACTION_CORRECTION", DAY, "What was counted is not what it was processed on."),),
        then=NOW + DAY,
    ),
    Story(
        row="processed, nothing was to come",
        tell=lambda: planned(closed(units=())),
        why=("Closed and processed; nothing was announced to Whiplash, and nothing had to be.",),
        then=None,
    ),
    Story(
        row="processed, never counted",
        tell=lambda: planned(closed(), announced()),
        why=("Paid; the goods are awaited until 2025-07-05 12:00 UTC.",),
        then=NOW + DAY,
    ),
    Story(row="processed, counted", tell=lambda: planned(closed(), counted()), why=("Closed, processed and counted.",), then=None),
    Story(
        row="over unpaid, goods counted",
        tell=lambda: planned(rma(state="expired"), counted()),
        why=("It is expired, and goods came.",),
        breaks=(("RECEIVED_AFTER_CLOSE", HOUR, "Goods were counted for a return that is expired and unpaid."),),
    ),
    Story(
        row="over unpaid, no goods",
        tell=lambda: planned(rma(state="expired"), announced()),
        why=("It is expired; goods that still come are watched for until 2025-09-11 12:00 UTC.",),
        then=NOW + 2 * DAY,
    ),
    Story(
        row="create in doubt",
        tell=lambda: planned(rma(), journal=Journal(create=sending())),
        why=("A create was sent and its reply was lost; it is looked for until 2025-06-15 12:11 UTC.",),
        then=NOW + 11 * MINUTE + timedelta(seconds=1),
    ),
    Story(
        row="create stayed in doubt",
        tell=lambda: planned(rma(), journal=Journal(create=sending(HOUR))),
        why=("The create cannot have been made any more; it may be tried again.",),
        breaks=(("MISSING_IN_WMS", HOUR, "A create was sent, its reply was lost, and no RMA has turned up."),),
        heals=True,
        action=CreateRma(),
    ),
    Story(
        row="create refused",
        tell=lambda: planned(rma(), journal=Journal(create=Create(phase="refused", problem="REFUSED: 422", problem_at=NOW - HOUR))),
        why=("Whiplash refused the RMA; a person's turn.",),
        breaks=(("MISSING_IN_WMS", HOUR, "REFUSED: 422"),),
    ),
    Story(
        row="RMA gone",
        tell=lambda: planned(rma(), journal=Journal(create=made())),
        why=("The RMA is gone from Whiplash; a person's turn.",),
        breaks=(("MISSING_IN_WMS", DAY, "The RMA was there and is gone; it is not made again by itself."),),
    ),
    Story(
        row="older than start, no RMA",
        tell=lambda: planned(rma(), settings=LIVE),
        why=("No RMA was made for it.", "It was created before Settings.start; it is reported, never acted on."),
        then=None,
    ),
    Story(
        row="older than start, counted",
        tell=lambda: planned(rma(), counted(), settings=LIVE),
        why=(
            "The goods were counted; it is for a person to decide.",
            "It was created before Settings.start; it is reported, never acted on.",
        ),
        breaks=(("RECEIVED_NOT_ACTIONED", HOUR, "Counted, and created before Settings.start."),),
    ),
    Story(
        row="nothing to ship", tell=lambda: planned(rma(units=())), why=("Nothing to announce: it has no units to send back.",), then=None
    ),
    Story(
        row="not yet eligible",
        tell=lambda: planned(rma(label_statuses=("new",))),
        why=("Its label is new; announced from pre_transit on.",),
    ),
    Story(
        row="held by a person",
        tell=lambda: planned(rma(), counted(), journal=Journal(held_by="Ann", hold_note="asks the shopper")),
        why=("Waiting for a person.", "Ann holds it: asks the shopper; nothing is done until release()."),
    ),
    Story(
        row="eligible, no RMA",
        tell=lambda: planned(rma(label_updated_at=NOW - HOUR)),
        why=("A label says that it is on its way.",),
        action=CreateRma(),
        then=NOW + 12 * MINUTE + timedelta(seconds=1),
    ),
    Story(row="RMA, nothing counted", tell=lambda: planned(rma(), announced()), why=("Announced; nothing has been counted yet.",)),
    Story(
        row="verdict WAIT",
        tell=lambda: planned(rma(), counted(), decision=says("WAIT", deadline=NOW + HOUR)),
        why=("The matcher waits until 2025-06-15 13:00 UTC.",),
        then=NOW + HOUR,
    ),
    Story(
        row="receipt not readable whole",
        tell=lambda: planned(rma(), counted(problems=("$.x: not a number",)), decision="PROCESS"),
        why=("What was counted cannot be read whole; it is never processed on a part.",),
        breaks=(("UNREADABLE", 0 * DAY, "$.x: not a number"),),
    ),
    Story(
        row="process refused or failed",
        tell=lambda: planned(
            rma(), counted(), journal=Journal(process=sent("failed", reason="no stock", settled_at=NOW - MINUTE)), decision="PROCESS"
        ),
        why=("Loop did not process it; a person's turn.",),
        breaks=(("PROCESSING_FAILED", MINUTE, "Loop said: no stock"),),
    ),
    Story(
        row="review after our flag, cured",
        tell=lambda: planned(
            rma(state="review"),
            counted(),
            journal=flagged(answered=True),
            settings=Settings(allow_process_from_review=True),
            decision="PROCESS",
        ),
        why=("Flagged by us, and cured by new evidence since.",),
        action=Process(evidence="e-now"),
        then=NOW + 15 * MINUTE,
    ),
    Story(
        row="review",
        tell=lambda: planned(rma(state="review"), counted(), decision="PROCESS"),
        why=("In review, and not by us; a person's turn.",),
    ),
    Story(
        row="unknown state",
        tell=lambda: planned(rma(state="partial"), counted(), decision="PROCESS"),
        why=("Loop says 'partial' since 2025-06-13 12:00 UTC, which is not a state we know; nothing is done in it.",),
        breaks=(
            (
                "RECEIVED_NOT_ACTIONED",
                2 * DAY,
                "Loop says 'partial' since 2025-06-13 12:00 UTC, which is not a state we know; nothing is done in it.",
            ),
        ),
    ),
    Story(
        row="flag in doubt",
        tell=lambda: planned(rma(), counted(), journal=flagged("accepted", ago=HOUR), decision=says("FLAG", findings=(SHORT,))),
        why=("A flag was sent; its effect is looked for.",),
        then=NOW + HOUR,
    ),
    Story(
        row="FLAG, refused on this evidence",
        tell=lambda: planned(
            rma(),
            counted(),
            journal=Journal(flag=sent("refused", evidence="e-now", reason="not now", settled_at=NOW - MINUTE)),
            decision=says("FLAG", findings=(SHORT,)),
        ),
        why=("Loop refused the flag: not now",),
        breaks=(("RECEIVED_NOT_ACTIONED", MINUTE, "Loop refused the flag: not now"),),
    ),
    Story(
        row="FLAG, all flagged before",
        tell=lambda: planned(rma(), counted(), journal=flagged("cleared"), decision=says("FLAG", findings=(SHORT, WARN))),
        why=("All that is wrong was flagged before, and a person took the flag away; it is not flagged again.",),
        breaks=(
            (
                "RECEIVED_NOT_ACTIONED",
                HOUR,
                "All that is wrong was flagged before, and a person took the flag away; it is not flagged again.",
            ),
        ),
    ),
    Story(
        row="PROCESS after our flag, same evidence",
        tell=lambda: planned(rma(), counted(), journal=flagged("cleared", evidence="e-now"), decision="PROCESS"),
        why=("The verdict is PROCESS by now, on the same evidence that we flagged; that is for a person to process.",),
        breaks=(
            (
                "RECEIVED_NOT_ACTIONED",
                HOUR,
                "The verdict is PROCESS by now, on the same evidence that we flagged; that is for a person to process.",
            ),
        ),
    ),
    Story(
        row="PROCESS after our flag, new evidence",
        tell=lambda: planned(rma(), counted(), journal=flagged("cleared"), decision="PROCESS"),
        why=("A person took our flag away, and new evidence cured it.",),
        action=Process(evidence="e-now"),
        then=NOW + 15 * MINUTE,
    ),
    Story(
        row="PROCESS, value released already",
        tell=lambda: planned(rma(was_processed=True), counted(), decision="PROCESS"),
        why=("Loop has released value for it already; it is never processed a second time.",),
        breaks=(("RECEIVED_NOT_ACTIONED", HOUR, "Loop has released value for it already; it is never processed a second time."),),
    ),
    Story(
        row="PROCESS, sent before",
        tell=lambda: planned(rma(), counted(), journal=Journal(process=sent("confirmed")), decision="PROCESS"),
        why=("A process of ours was sent and settled, and the return is open again; it is never processed a second time by itself.",),
        breaks=(
            (
                "RECEIVED_NOT_ACTIONED",
                HOUR,
                "A process of ours was sent and settled, and the return is open again; it is never processed a second time by itself.",
            ),
        ),
    ),
    Story(
        row="PROCESS",
        tell=lambda: planned(rma(), counted(), decision="PROCESS"),
        why=("What was counted agrees with what was expected.",),
        action=Process(evidence="e-now"),
        then=NOW + 15 * MINUTE,
    ),
    Story(
        row="nothing to do",
        tell=lambda: planned(rma(), counted(), decision="NO_ACTION"),
        why=("The matcher says that nothing is to be done, and the return is still open.",),
        breaks=(("RECEIVED_NOT_ACTIONED", HOUR, "The matcher says that nothing is to be done, and the return is still open."),),
    ),
)


#: A row keeps its number: people and the documentation name it by that.
NUMBERS = {
    1: ("a side could not be read",),
    2: ("several live RMAs",),
    3: ("process in doubt",),
    4: ("unknown to Loop, RMA", "unknown to Loop, no RMA"),
    5: ("cancelled, RMA untouched",),
    6: ("processed by us, changed since", "processed, nothing was to come", "processed, never counted", "processed, counted"),
    7: ("over unpaid, goods counted", "over unpaid, no goods"),
    8: ("create in doubt", "create stayed in doubt", "create refused", "RMA gone"),
    9: ("older than start, no RMA", "older than start, counted", "nothing to ship", "not yet eligible"),
    10: ("held by a person",),
    11: ("eligible, no RMA",),
    12: ("RMA, nothing counted",),
    13: ("verdict WAIT", "receipt not readable whole"),
    14: ("process refused or failed",),
    15: ("review after our flag, cured", "review"),
    16: ("unknown state",),
    17: ("flag in doubt", "FLAG, refused on this evidence", "FLAG, all flagged before"),
    18: ("FLAG",),
    19: ("PROCESS after our flag, same evidence", "PROCESS after our flag, new evidence"),
    20: ("PROCESS, value released already", "PROCESS, sent before", "PROCESS", "nothing to do"),
}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.row)
def test_row(story: Story) -> None:
    plan = story.tell()
    assert plan.rule == story.row
    assert story.row in NUMBERS[plan.row]
    assert plan.action == story.action
    assert plan.next_check_at == story.then
    assert plan.reasons == story.why
    assert [(found.code, NOW - (found.since or NOW), found.reason) for found in plan.breaks] == list(story.breaks)
    assert all(found.heals is story.heals for found in plan.breaks)
    assert all(found.return_id == 7 for found in plan.breaks)


def test_every_row_has_its_story_and_they_stand_in_order() -> None:
    told = {story.row for story in STORIES} | {"FLAG"}  # told in the tests of flags
    assert told == {row.name for row in TABLE}
    assert len({row.name for row in TABLE}) == len(TABLE)
    assert [(row.number, row.name) for row in TABLE] == [(number, name) for number, names in NUMBERS.items() for name in names]


def test_a_break_says_what_each_side_says_whose_turn_it_is_and_what_it_is_worth() -> None:
    (found,) = planned(rma(state="expired", label_statuses=("in_transit", "delivered")), counted()).breaks
    assert found.return_id == 7
    assert found.consumer_return_id == 900
    assert found.loop_says == "expired, label in_transit/delivered, 1 unit"
    assert found.whiplash_says == "RMA 900, status 300, 1 of 1 counted"
    assert (found.money, found.currency) == (Decimal("20.00"), "EUR")
    assert (found.order_name, found.tracking) == ("#1007", "TRACK-1")
    assert found.owner == "support"
    assert found.next_step == "Pay the shopper by hand or send the goods back."
    assert found.acknowledged is None


def test_the_decision_is_shown_where_the_matcher_was_asked_and_nowhere_else() -> None:
    assert planned(rma(), counted(), decision="PROCESS").decision == says("PROCESS")
    settled = Journal(process=sent("confirmed", evidence="e-now"))
    over = planned(closed(), counted(), journal=settled, decision="NO_ACTION")
    assert (over.rule, over.decision) == ("processed, counted", says("NO_ACTION"))
    assert planned(closed(), counted()).decision is None
    assert planned(rma(), announced()).decision is None
