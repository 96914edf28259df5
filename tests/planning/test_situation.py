"""The facts that the table asks for: each has an answer even where neither system knows the return, and none of them allows to act."""

from __future__ import annotations

from datetime import datetime

from planning_stories import DAY, DEFAULTS, NOW, POLICY, announced, judge, rma

from loop_whiplash.matching.decision import Decision, Verdict
from loop_whiplash.planning import Create, Journal, Observation
from loop_whiplash.planning.situation import A_BIT, Fact, Situation

FACTS = [name for name, kind in vars(Situation).items() if isinstance(kind, Fact | property)]
NOTHING_TO_JUDGE = Decision(verdict=Verdict.NO_ACTION)

#: All that is not false, none or empty.
UNKNOWN = {
    "create": Create(),
    "create_problem": ("MISSING_IN_WMS", ""),
    "create_bound": NOW + DEFAULTS.bound + A_BIT,
    "may_repeat_create": True,
    "may_send_process": True,
    "never_to_come": True,
    "created_at": NOW,
    "last_scan_at": NOW,
    "announced_from": NOW + DAY,
    "eligible_since": NOW + DAY,
    "decision": NOTHING_TO_JUDGE,
    "asked": NOTHING_TO_JUDGE,
    "keys": ("MATCHER||0",),
    "new_keys": ("MATCHER||0",),
}


def test_a_return_that_nobody_knows() -> None:
    observation = Observation(return_id=7, rma=None)
    situation = Situation(observation, Journal(), policy=POLICY, settings=DEFAULTS, at=NOW, matcher=judge(None))
    assert situation.state == ""
    assert situation.asked is None, "the matcher is not asked before a row asks for its word"
    said = {name: getattr(situation, name) for name in FACTS}
    assert {name: answer for name, answer in said.items() if answer} == UNKNOWN


def test_there_is_no_drift_from_what_loop_does_not_know() -> None:
    observation = Observation(return_id=7, rma=None, receipts=(announced(),))
    assert Situation(observation, Journal(), policy=POLICY, settings=DEFAULTS, at=NOW, matcher=judge(None)).drift is None


def test_a_date_more_than_a_day_ahead_is_no_date() -> None:
    def dated(time: datetime) -> tuple[object, ...]:
        ahead = rma(created_at=time, updated_at=time, label_updated_at=time, released_at=time)
        observation = Observation(return_id=7, rma=ahead)
        s = Situation(observation, Journal(), policy=POLICY, settings=DEFAULTS, at=NOW, matcher=judge(None))
        return s.created_at, s.touched_at, s.last_scan_at, s.released_at

    tomorrow = NOW + DAY
    assert dated(tomorrow) == (tomorrow, tomorrow, tomorrow, tomorrow)
    slip = tomorrow + A_BIT
    assert dated(slip) == (NOW, None, NOW, slip), "that value was released is what counts, whenever"


def test_a_fact_is_found_once_and_tells_what_it_means() -> None:
    asked = []

    class Life:
        @Fact
        def answer(self) -> int:
            """What it is all about."""
            asked.append(self)
            return 42

    life = Life()
    assert (life.answer, life.answer, asked) == (42, 42, [life])
    assert isinstance(Life.answer, Fact)
    assert Life.answer.__doc__ == "What it is all about."
