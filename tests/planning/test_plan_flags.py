"""A person beats the machine: what is flagged, once; what is never touched; what a flag of ours allows afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from planning_stories import DAY, EMPTY, HOUR, MINUTE, NOW, OVER, SHORT, WARN, counted, evolve, flagged, made, planned, rma, says, sent

from loop_whiplash.matching.decision import Decision, Verdict
from loop_whiplash.planning import Flag, Journal, Plan, Process, Settings
from loop_whiplash.planning.situation import SYNTHETIC_KEY
from loop_whiplash.planning.verdicts import note_text

FROM_REVIEW = Settings(allow_process_from_review=True)


def told(text: str = "1 × SKU-1 is missing", *, verdict: str = "FLAG", **facts: Any) -> Decision:
    """A decision that says this in its note."""

    class Told(Decision):
        def note(self, *, prefix: str = "") -> str:
            return prefix + text

    return Told(verdict=Verdict(verdict), **facts)


def flag(*findings: object, journal: Journal = EMPTY, evidence: str = "evidence-of-now", **more: object) -> Plan:
    return planned(rma(), counted(), journal=journal, decision=told(evidence=evidence, findings=findings), **more)  # type: ignore[arg-type]


def test_flag() -> None:
    plan = flag(WARN, SHORT, OVER)
    assert (plan.row, plan.rule) == (18, "FLAG")
    assert plan.action == Flag(
        evidence="evidence-of-now",
        keys=("OVER|sku:SKU-1|0", "SHORT|sku:SKU-1|0"),
        note="loop-whiplash evidence: 1 × SKU-1 is missing",
    )
    assert plan.reasons == ("Flag: 1 × SKU-1 is missing",)
    assert plan.breaks == ()
    assert plan.next_check_at == NOW + 15 * MINUTE


def test_the_reason_names_the_code_where_a_finding_has_no_words() -> None:
    assert flag(evolve(SHORT, message="")).reasons == ("Flag: SHORT",)
    assert flag(WARN).reasons == ("Flag: the matcher says so.",)


def test_the_note_has_our_marker_and_fits_into_loop() -> None:
    assert note_text(Settings(note_prefix="ACME"), told(evidence="0123456789abcdef")) == "ACME 01234567: 1 × SKU-1 is missing"
    assert note_text(Settings(), told()) == "loop-whiplash: 1 × SKU-1 is missing"
    start = "loop-whiplash: "
    room = 250 - len(start)
    assert note_text(Settings(), told("x" * room)) == start + "x" * room
    assert note_text(Settings(), told("x" * room + "y")) == start + "x" * (room - 1) + "…"


def test_no_note_where_none_is_wanted() -> None:
    action = flag(SHORT, settings=Settings(notes=False)).action
    assert isinstance(action, Flag)
    assert action.note == ""


def test_only_what_was_never_flagged_is_flagged() -> None:
    known = flagged("cleared")
    assert flag(SHORT, journal=known).rule == "FLAG, all flagged before"
    assert flag(WARN, SHORT, journal=known).rule == "FLAG, all flagged before"
    more = flag(SHORT, OVER, journal=known)
    assert isinstance(more.action, Flag)
    assert more.action.keys == (OVER.key, SHORT.key)
    second = flag(evolve(SHORT, ordinal=1), journal=known)
    assert second.rule == "FLAG"


def test_memory_goes_by_finding_not_by_evidence_or_policy() -> None:
    for evidence in ("e-old", "e-new", ""):
        assert flag(SHORT, journal=flagged("cleared"), evidence=evidence).action is None


def test_a_flag_without_a_finding_that_blocks_counts_as_one_of_its_own() -> None:
    first = flag(WARN)
    assert isinstance(first.action, Flag)
    assert first.action.keys == (SYNTHETIC_KEY,) == ("MATCHER||0",)
    assert flag(WARN, journal=flagged("cleared", keys=(SYNTHETIC_KEY,))).action is None


@pytest.mark.parametrize("phase", ["sending", "accepted"])
@pytest.mark.parametrize("verdict", ["FLAG", "PROCESS", "NO_ACTION"])
def test_while_a_flag_is_in_doubt_it_is_only_read_back(phase: str, verdict: str) -> None:
    decision = says(verdict, findings=(OVER,))
    soon = planned(rma(), counted(), journal=flagged(phase, ago=MINUTE), decision=decision)
    assert (soon.rule, soon.action, soon.breaks, soon.next_check_at) == ("flag in doubt", None, (), NOW + 15 * MINUTE)
    near = planned(rma(), counted(), journal=flagged(phase, ago=DAY - MINUTE), decision=decision)
    assert near.next_check_at == NOW + MINUTE
    late = planned(rma(), counted(), journal=flagged(phase, ago=DAY), decision=decision)
    (found,) = late.breaks
    assert (late.action, late.next_check_at, late.reasons) == (None, NOW + 12 * HOUR, ("A person's turn.",))
    assert (found.code, found.since) == ("ACTION_UNCONFIRMED", NOW - DAY)
    assert found.reason == "A flag was sent; the return has not been seen in review within 1 day, 0:00:00."


def test_an_answer_to_a_flag_that_was_neither_yes_nor_no_is_told_at_once() -> None:
    journal = flagged("sending", ago=HOUR, reason="502")
    plan = planned(rma(), counted(), journal=journal, decision=says("FLAG", findings=(OVER,)))
    (found,) = plan.breaks
    assert (plan.rule, plan.action, plan.next_check_at) == ("flag in doubt", None, NOW + HOUR)
    assert plan.reasons == ("A flag was sent; its effect is looked for.",)
    assert (found.code, found.since) == ("ACTION_UNCONFIRMED", NOW - HOUR)
    assert found.reason == "A flag was sent; the answer: 502; its effect has not been seen."


def test_a_flag_in_doubt_since_ever_is_a_break() -> None:
    journal = Journal(flag=evolve(sent(), began_at=None))
    (found,) = planned(rma(), counted(), journal=journal, decision="FLAG").breaks
    assert (found.code, found.since) == ("ACTION_UNCONFIRMED", NOW)


def test_a_refused_flag_is_tried_again_only_on_other_evidence() -> None:
    for phase in ("refused", "failed"):
        refused = Journal(flag=sent(phase, evidence="e-now", settled_at=None))
        plan = planned(rma(), counted(), journal=refused, decision=says("FLAG", findings=(SHORT,)))
        assert plan.rule == "FLAG, refused on this evidence"
        assert plan.breaks[0].reason == "Loop refused the flag: no reason given"
        assert plan.breaks[0].since == NOW - HOUR
        assert isinstance(flag(SHORT, journal=refused, evidence="e-other").action, Flag)


@pytest.mark.parametrize("phase", ["sending", "accepted", "confirmed", "cleared"])
def test_after_a_flag_of_ours_only_new_evidence_is_processed(phase: str) -> None:
    journal = flagged(phase, ago=HOUR, evidence="e-now")
    assert planned(rma(), counted(), journal=journal, decision="PROCESS").action is None


def test_evidence_that_is_not_told_is_not_new() -> None:
    assert (
        planned(rma(), counted(), journal=flagged("cleared"), decision=says("PROCESS", evidence="")).rule
        == "PROCESS after our flag, same evidence"
    )


def test_flag_memory_alone_tells_that_we_flagged() -> None:
    by_evidence = Journal(flag_evidence="e-now")
    assert planned(rma(), counted(), journal=by_evidence, decision="PROCESS").rule == "PROCESS after our flag, same evidence"
    for phase in ("refused", "failed"):
        assert planned(rma(), counted(), journal=Journal(flag=sent(phase)), decision="PROCESS").rule == "PROCESS"


def test_after_a_flag_a_return_is_still_processed_only_once() -> None:
    journal = evolve(flagged("cleared"), process=sent("confirmed"))
    assert planned(rma(), counted(), journal=journal, decision="PROCESS").rule == "PROCESS, sent before"
    assert (
        planned(rma(was_processed=True), counted(), journal=flagged("cleared"), decision="PROCESS").rule
        == "PROCESS, value released already"
    )


# ------------------------------------------------------------------------------------------------------- in review


def review(journal: Journal, *, settings: Settings = FROM_REVIEW, verdict: str = "PROCESS", evidence: str = "e-now") -> Plan:
    return planned(rma(state="review"), counted(), journal=journal, settings=settings, decision=says(verdict, evidence=evidence))


def test_from_review_only_our_own_flag_cured_by_new_evidence_is_processed() -> None:
    ours = flagged(answered=True)
    assert review(ours).action == Process(evidence="e-now")
    assert review(ours, settings=Settings()).action is None
    assert review(ours, verdict="FLAG").action is None
    assert review(ours, verdict="NO_ACTION").action is None
    assert review(ours, evidence="e-old").action is None
    assert review(ours, evidence="").action is None
    assert review(evolve(ours, process=sent("confirmed"))).action is None
    assert review(evolve(ours, held_by="Ann")).action is None


def test_a_flag_whose_reply_was_lost_may_be_somebody_elses() -> None:
    assert review(flagged("confirmed", answered=False)).action is None
    assert review(flagged("sending")).action is None
    assert review(flagged("accepted")).action == Process(evidence="e-now")  # Loop said yes, and here it is in review


def test_a_flag_that_a_person_took_away_does_not_make_the_next_one_ours() -> None:
    assert review(flagged("cleared", answered=True)).action is None


def test_in_review_says_whose_it_is() -> None:
    assert review(Journal()).reasons == ("In review, and not by us; a person's turn.",)
    assert review(flagged(), settings=Settings()).reasons == (
        "In review after our flag; what we flagged is cured by now; processing it from review is a person's turn.",
    )
    by_phase = Journal(flag=sent("confirmed"))  # an old journal remembers no evidence
    assert review(by_phase, verdict="FLAG").reasons == review(flagged(), verdict="FLAG").reasons
    assert review(flagged(), verdict="FLAG").reasons == ("In review after our flag; it is a person's turn.",)


def test_review_for_days_is_a_break_whoever_flagged() -> None:
    def story(ago: object, **facts: object) -> Plan:
        journal = Journal(since={"state:review": ago}, create=made())  # type: ignore[dict-item]
        return planned(rma(state="review", **facts), counted(), journal=journal, decision="FLAG")

    assert story(NOW - 7 * DAY + MINUTE).breaks == ()
    (found,) = story(NOW - 7 * DAY).breaks
    assert (found.code, found.since) == ("REVIEW_STALE", NOW - 7 * DAY)
    assert found.reason == "It has been in review since 2025-06-08 12:00 UTC."
    (found,) = planned(rma(state="review", updated_at=NOW - 9 * DAY), counted(), decision="FLAG").breaks
    assert found.since == NOW - 9 * DAY
    (found,) = planned(rma(state="review", updated_at=None, created_at=NOW - 8 * DAY), counted(), decision="FLAG").breaks
    assert found.since == NOW - 8 * DAY
    assert planned(rma(state="review", updated_at=None, created_at=None), counted(), decision="FLAG").breaks == ()


def test_what_can_never_be_sent_does_not_stay_unseen() -> None:
    def at(verdict: str, ago: object) -> Plan:
        decision = told(verdict=verdict, evidence="e", findings=(SHORT,))
        return planned(rma(), counted(received_at=NOW - ago), decision=decision)  # type: ignore[operator]

    assert at("PROCESS", DAY - MINUTE).breaks == ()
    (found,) = at("PROCESS", DAY).breaks
    assert (found.code, found.heals, found.since) == ("RECEIVED_NOT_ACTIONED", True, NOW - DAY)
    assert found.reason == "Counted by 2025-06-14 12:00 UTC, and not acted on yet."
    late = at("PROCESS", DAY)
    assert (late.action, late.next_check_at) == (Process(evidence="e"), NOW + 15 * MINUTE)
    assert late.reasons == ("What was counted agrees with what was expected.",)
    assert at("FLAG", 15 * DAY - MINUTE).breaks == ()
    assert [found.code for found in at("FLAG", 15 * DAY).breaks] == ["RECEIVED_NOT_ACTIONED"]
