"""A walk over tens of thousands of situations: the plan is total, and never does what was promised never to be done."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from planning_stories import DAY, HOUR, MINUTE, NOW, OVER, POLICY, SHORT, announced, counted, evolve, made, rma, says, sending, sent, units

from loop_whiplash.matching.decision import Decision, Verdict
from loop_whiplash.planning import (
    Act,
    Create,
    CreateRma,
    DeleteRma,
    Flag,
    Journal,
    Observation,
    Plan,
    Process,
    Settings,
    UpdateRma,
    learn,
    plan,
)
from loop_whiplash.planning.plan import TABLE
from loop_whiplash.planning.situation import SYNTHETIC_KEY
from loop_whiplash.returns.model import Receipt, Rma

STATES = ("open", "review", "closed", "cancelled", "expired", "partial")
DOUBT = ("sending", "accepted")
LATER = NOW + 3650 * DAY

RMAS: tuple[Rma | None, ...] = (
    None,
    *(
        rma(state=state, was_processed=paid, released_at=NOW - DAY if paid and labels else None, label_statuses=labels, units=lines)
        for state, paid, labels, lines in itertools.product(
            STATES, (False, True, None), (("in_transit",), ("new",), (), ("error",)), (units(), ())
        )
    ),
    *8 * (rma(tracking="TRACK-2"),),
    rma(created_at=NOW - 90 * DAY, updated_at=NOW - 80 * DAY, label_updated_at=None),
    rma(destination_id="D2", units=(evolve(units()[0], destination_id="D2"),)),
)
RECEIPTS: tuple[tuple[Receipt, ...], ...] = (
    (),
    (announced(),),
    (announced(900, status=200),),
    (counted(900, final=False),),
    (counted(),),
    (counted(units=()),),
    (counted(received_at=None),),
    (counted(problems=("$.x",)),),
    (announced(900), announced(901)),
    (counted(900), announced(901)),
    (counted(900), counted(55)),
)
CREATES = (
    Create(),
    sending(MINUTE),
    sending(HOUR),
    sending(HOUR, allowed_attempts=2),
    made(),
    made(done_at=NOW),
    Create(phase="refused"),
    Create(problem="UNRESOLVED_ITEM: x"),
)
PROCESSES = (
    Act(),
    Act(sends=1),
    *(sent(phase, ago=ago) for phase in ("sending", "accepted", "confirmed", "refused", "failed") for ago in (HOUR, 2 * DAY)),
)
FLAGS = (
    (Act(), ()),
    *(
        (sent(phase, ago=ago, answered=answered), (SHORT.key,))
        for phase in ("sending", "accepted", "confirmed", "cleared")
        for ago in (HOUR, 2 * DAY)
        for answered in (True, False)
    ),
    (sent("refused", evidence="e-now"), ()),
)
DECISIONS = (
    says("PROCESS"),
    says("PROCESS", evidence="e-old"),
    says("PROCESS", evidence=""),
    says("FLAG", findings=(SHORT,)),
    says("FLAG", findings=(SHORT, OVER)),
    says("FLAG"),
    says("WAIT", deadline=NOW + DAY),
    says("WAIT"),
    says("NO_ACTION"),
)
SETTINGS = (
    Settings(),
    Settings(start=NOW - DAY),
    Settings(allow_process_from_review=True, delete_duplicates=True, delete_orphans=True, recreate="never", unlabelled_after=None),
    Settings(allow_process_from_review=True, destinations=("D1",), recheck=MINUTE, notes=False),
)


class Case:
    """One situation of the walk."""

    def __init__(self, dice: random.Random) -> None:
        self.rma, self.receipts = dice.choice(RMAS), dice.choice(RECEIPTS)
        self.decision, self.settings = dice.choice(DECISIONS), dice.choice(SETTINGS)
        flag, flagged = dice.choice(FLAGS)
        self.journal = Journal(
            first_seen_at=dice.choice((None, NOW - HOUR, NOW - 9 * DAY)),
            create=dice.choice(CREATES),
            process=dice.choice((Act(), dice.choice(PROCESSES))),
            flag=flag,
            flagged=flagged,
            flag_evidence="e-old" if flagged else None,
            allowed_sends=dice.choice((1, 1, 2)),
            attached=dice.choice(((), (55,))),
            **dice.choice(({}, {}, {}, {"held_by": "Ann", "held_at": NOW - HOUR})),
        )
        self.read = dice.choice(((True, True),) * 9 + ((False, True), (True, False), (False, False)))
        self.at = dice.choice((NOW, NOW, NOW + DAY, LATER))

    @property
    def observation(self) -> Observation:
        return Observation(return_id=7, rma=self.rma, receipts=self.receipts, loop_read=self.read[0], whiplash_read=self.read[1])

    def matcher(self, rma: Rma, receipts: Sequence[Receipt], *, policy: Any, at: datetime) -> Decision:
        return self.decision

    def plan(self, journal: Journal | None = None, observation: Observation | None = None) -> Plan:
        return plan(
            observation or self.observation,
            journal or self.journal,
            policy=POLICY,
            settings=self.settings,
            at=self.at,
            matcher=self.matcher,
        )

    def __repr__(self) -> str:
        return f"{self.observation}\n{self.journal}\n{self.decision}\n{self.settings}\n{self.at}"


def check(case: Case, made: Plan, *, aged: bool = False) -> None:
    """What holds of every plan, in words of its own and not of the table's. `aged`: years after it was first seen."""
    action, ret, journal, settings, at = made.action, case.rma, case.journal, case.settings, case.at
    state = ret.state if ret else None
    living = state in ("open", "review", "partial")
    assert 1 <= made.row <= 20
    assert made.reasons
    assert made.rule in {row.name for row in TABLE if row.number == made.row}
    if made.next_check_at is None:
        assert action is None, "what is done does nothing more"
        assert not made.breaks, "a break never stops looking"
    else:
        assert made.next_check_at > at
        assert made.next_check_at <= at + (settings.recheck if living or action else max(7 * DAY, settings.recheck))
    if not all(case.read):
        assert made.row == 1
        assert made.breaks[0].code in ("SOURCE_INCOMPLETE", "UNREADABLE")
        # Whiplash alone can show a double, where it was read.
        assert {found.code for found in made.breaks[1:]} <= ({"DUPLICATE_IN_WMS"} if case.observation.whiplash_read else set())
        assert made.breaks
        assert action is None
        return
    if action is not None:
        assert not journal.held_by, "what a person holds is not touched"
        before_start = settings.start is not None and ret is not None and ret.created_at is not None and ret.created_at < settings.start
        assert not before_start, "what is older than the start is never acted on"
        assert ret is not None
    rivals = [receipt for receipt in case.receipts if receipt.id not in journal.attached]
    match action:
        case Process():
            _check_process(case, made, rivals)
        case Flag():
            assert made.row == 18
            assert state == "open"
            assert case.decision.verdict is Verdict.FLAG
            assert action.keys == (tuple(sorted(finding.key for finding in case.decision.findings)) or (SYNTHETIC_KEY,))
            assert not set(action.keys) <= set(journal.flagged), "a finding is flagged at most once"
            assert journal.process.phase in ("none", "confirmed"), "while a process is in doubt there is no flag"
            assert journal.flag.phase not in DOUBT
            assert len(rivals) <= 1
            assert (action.note == "") is not settings.notes
        case CreateRma():
            assert made.row in (8, 11)
            assert not case.receipts
            assert state in ("open", "review")
            assert ret is not None
            assert ret.units
            assert journal.create.phase in ("none", "sending"), "what was done or refused is never made again by itself"
            if journal.create.phase == "sending":
                assert journal.create.began_at is not None
                assert at > journal.create.began_at + timedelta(minutes=12)
                assert settings.recreate == "after_bounds" or journal.create.allowed_attempts > journal.create.attempt
        case UpdateRma():
            assert made.row == 12
            assert not any(receipt.units for receipt in case.receipts)
            assert action.consumer_return_id == journal.create.consumer_return_id
        case DeleteRma():
            assert made.row in (2, 5)
            assert settings.delete_duplicates if made.row == 2 else settings.delete_orphans
            (gone,) = (receipt for receipt in case.receipts if receipt.id == action.consumer_return_id)
            assert (gone.units, gone.status, gone.original_id) == ((), 100, "7"), "only ours, only untouched"
            assert journal.create.attempt > 0
            assert len(rivals) > 1 or state == "cancelled", "never by absence"
    if journal.process.phase in DOUBT and journal.process.began_at is not None and living:
        assert action is None or isinstance(action, DeleteRma)
        if at >= journal.process.began_at + settings.confirm_by:
            assert made.breaks, "an effect that was not seen in time is a break"
    if aged:
        assert made.next_check_at is None or made.breaks or action, "nothing waits for ever unseen"


def _check_process(case: Case, made: Plan, rivals: list[Receipt]) -> None:
    ret, journal, decision = case.rma, case.journal, case.decision
    assert ret is not None
    assert decision.verdict is Verdict.PROCESS
    assert made.action == Process(evidence=decision.evidence)
    assert not ret.was_processed
    assert ret.released_at is None
    assert journal.process.phase == "none"
    assert journal.process.sends < journal.allowed_sends
    assert len(rivals) <= 1
    assert any(receipt.units or receipt.final for receipt in case.receipts)
    assert not any(receipt.problems for receipt in case.receipts)
    if journal.flagged:
        assert decision.evidence not in ("", journal.flag_evidence), "after a flag of ours only on new evidence"
    if ret.state == "review":
        assert made.row == 15
        assert case.settings.allow_process_from_review
        assert journal.flag.phase == "accepted" or (journal.flag.phase == "confirmed" and journal.flag.answered), "not ours to touch"
    else:
        assert ret.state == "open"
        assert made.row in (19, 20)
        assert journal.flag.phase not in DOUBT


@pytest.mark.parametrize("seed", range(8))
def test_walk(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(4000):
        case = Case(dice)
        planned = case.plan()
        try:
            check(case, planned, aged=case.at == LATER and case.journal.first_seen_at is not None)
            turned = evolve(case.observation, receipts=case.receipts[::-1])
            again = case.plan(observation=turned)
            assert (again.action, again.row, again.next_check_at) == (planned.action, planned.row, planned.next_check_at)
            learnt = learn(case.journal, case.observation, at=case.at, settings=case.settings)
            case.journal = learnt
            after = case.plan()
            check(case, after)
            assert learn(learnt, case.observation, at=case.at, settings=case.settings) == learnt
            learnt_at, case.at = case.at, LATER
            check(case, case.plan(), aged=learnt_at != LATER)
        except AssertionError as wrong:
            raise AssertionError(f"{wrong}\n{planned}\n{case}") from wrong


def test_the_walk_comes_by_every_row_and_every_action() -> None:
    dice = random.Random(42)
    plans = [Case(dice).plan() for _ in range(20_000)]
    assert {made.rule for made in plans} == {row.name for row in TABLE}
    assert {type(made.action) for made in plans} == {type(None), Process, Flag, CreateRma, UpdateRma, DeleteRma}
