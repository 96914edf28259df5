"""What people and webhooks said, taken into the journal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from planning_stories import DAY, HOUR, MINUTE, NOW, evolve, flagged, made, sending, sent

from loop_whiplash.ledger.protocol import Event
from loop_whiplash.ledger.statements import VERSION
from loop_whiplash.planning import Acknowledged, Act, Create, Journal, Settings, fold
from loop_whiplash.planning.journal import _TAKERS

KNOWN = Journal(first_seen_at=NOW - DAY, found_by="webhook", receipt_found_by="webhook")


def heard(journal: Journal, kind: str, body: Any = None, *, at: datetime = NOW) -> Journal:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    event = Event(kind=kind, return_id=7, at=at, body=raw)
    return fold(journal, event, settings=Settings())


@pytest.mark.parametrize("kind", ["", "step.create.sent", "unreadable", "person.dance", "loop.other", "HINT"])
def test_unknown_kinds_change_nothing(kind: str) -> None:
    assert heard(Journal(), kind, {"by": "Ann"}) == Journal()


def test_a_new_kind_of_event_needs_a_new_version_of_the_ledger() -> None:
    words = ["acknowledge", "attach", "detach", "hold", "release", "retry"]
    kinds = ["loop.hint", "loop.processing_failed", *(f"person.{word}" for word in words), "sweep.hint", "whiplash.hint"]
    assert (VERSION, sorted(_TAKERS)) == (2, kinds)  # so that an older release, which does not know it, does not mark it as read


def test_hints_say_who_found_it_first() -> None:
    assert heard(Journal(), "loop.hint", b"anything") == Journal(first_seen_at=NOW, found_by="webhook")
    assert heard(Journal(), "whiplash.hint") == Journal(first_seen_at=NOW, receipt_found_by="webhook")
    assert heard(Journal(), "sweep.hint") == Journal(first_seen_at=NOW, found_by="sweep")
    assert heard(Journal(), "sweep.hint", {"side": "loop"}) == Journal(first_seen_at=NOW, found_by="sweep")
    assert heard(Journal(), "sweep.hint", {"side": "whiplash"}) == Journal(first_seen_at=NOW, receipt_found_by="sweep")
    assert heard(Journal(), "sweep.hint", {"side": "both"}) == Journal(first_seen_at=NOW, found_by="sweep", receipt_found_by="sweep")
    swept = heard(Journal(), "sweep.hint", {"side": "both"})
    for kind in ("loop.hint", "whiplash.hint"):
        assert heard(swept, kind) == swept
    for kind in ("loop.hint", "whiplash.hint", "sweep.hint"):
        assert heard(KNOWN, kind, {"side": "both"}) == KNOWN


@pytest.mark.parametrize("name", ["consumer_return.created", "consumer_return.deleted"])
def test_a_webhook_that_tells_of_no_receipt_has_not_found_it(name: str) -> None:
    assert heard(Journal(), "whiplash.hint", {"event_name": name}) == Journal(first_seen_at=NOW)
    after = heard(Journal(), "whiplash.hint", {"event_name": "consumer_return.completed"})
    assert after == Journal(first_seen_at=NOW, receipt_found_by="webhook")
    assert heard(after, "whiplash.hint", {"event_name": name}) == after


def test_the_earliest_word_is_the_first_sight() -> None:
    assert heard(KNOWN, "loop.hint", at=NOW - 2 * DAY).first_seen_at == NOW - 2 * DAY
    assert heard(KNOWN, "loop.hint", at=NOW).first_seen_at == NOW - DAY


# -------------------------------------------------------------------------------------------------- a failed process


@pytest.mark.parametrize("phase", ["sending", "accepted"])
def test_a_failure_settles_a_process_of_ours(phase: str) -> None:
    journal = evolve(KNOWN, process=sent(phase))
    after = heard(journal, "loop.processing_failed", {"message": "no stock", "state": "open"})
    assert after == evolve(
        KNOWN, failed_at=NOW, failure="no stock", process=evolve(journal.process, phase="failed", settled_at=NOW, reason="no stock")
    )
    assert heard(journal, "loop.processing_failed", at=journal.process.began_at or NOW).process.phase == "failed"
    assert heard(evolve(KNOWN, process=evolve(journal.process, began_at=None)), "loop.processing_failed").process.phase == "failed"


def test_of_a_long_reason_the_start_is_kept() -> None:
    after = heard(evolve(KNOWN, process=sent()), "loop.processing_failed", {"message": "no " * 100})
    assert after.failure == after.process.reason == ("no " * 100)[:200]


def test_a_failure_from_before_the_send_speaks_of_an_earlier_one() -> None:
    journal = evolve(KNOWN, process=sent(ago=HOUR))
    after = heard(journal, "loop.processing_failed", {"message": "late"}, at=NOW - HOUR - MINUTE)
    assert after == evolve(journal, failed_at=NOW - HOUR - MINUTE, failure="late")


@pytest.mark.parametrize("phase", ["none", "confirmed", "refused", "failed"])
def test_a_failure_of_nothing_in_doubt_is_only_noted(phase: str) -> None:
    journal = evolve(KNOWN, process=sent(phase))
    assert heard(journal, "loop.processing_failed", {"message": 5}) == evolve(journal, failed_at=NOW, failure="Loop gave no reason")


def test_a_failure_is_a_webhook_too() -> None:
    assert heard(Journal(), "loop.processing_failed").found_by == "webhook"
    assert heard(Journal(), "loop.processing_failed").first_seen_at == NOW


# -------------------------------------------------------------------------------------------------------- hold, release


def test_hold_and_release() -> None:
    held = heard(KNOWN, "person.hold", {"by": "Ann", "note": "asks the shopper"})
    assert held == evolve(KNOWN, held_by="Ann", hold_note="asks the shopper", held_at=NOW)
    again = heard(held, "person.hold", {"by": "Bob"}, at=NOW + HOUR)
    assert again == evolve(KNOWN, held_by="Bob", hold_note=None, held_at=NOW)
    for journal in (held, again):
        assert heard(journal, "person.release", {"by": "Ann"}) == KNOWN
    assert heard(KNOWN, "person.release") == KNOWN


@pytest.mark.parametrize("body", [None, b"{", b"[]", b"\xff", b"[" * 100_000, {"by": 7}, {"by": ""}])
def test_a_hold_holds_however_badly_it_is_worded(body: Any) -> None:
    assert heard(KNOWN, "person.hold", body) == evolve(KNOWN, held_by="somebody", held_at=NOW)


# ---------------------------------------------------------------------------------------------------------------- retry


@pytest.mark.parametrize("phase", ["none", "sending", "accepted", "refused", "failed"])
@pytest.mark.parametrize("sends", [0, 1, 2])
def test_retry_allows_one_more_send_of_process_and_never_two(phase: str, sends: int) -> None:
    journal = evolve(KNOWN, process=sent(phase, sends=sends, reason="no", settled_at=NOW))
    once = heard(journal, "person.retry", {"by": "Ann"})
    assert once == evolve(KNOWN, process=Act(sends=sends, evidence="e-old"), allowed_sends=sends + 1)
    assert heard(once, "person.retry", {"by": "Ann"}) == once


@pytest.mark.parametrize("phase", ["sending", "accepted"])
def test_retry_said_twice_is_said_once(phase: str) -> None:
    second = evolve(KNOWN, process=sent(phase, sends=2, ago=0 * DAY), allowed_sends=2)
    assert heard(second, "person.retry", at=NOW + 4 * MINUTE) == second
    assert heard(second, "person.retry", at=NOW + 5 * MINUTE).allowed_sends == 3
    first = evolve(KNOWN, process=sent(phase, sends=1, ago=0 * DAY))
    assert heard(first, "person.retry", at=NOW + MINUTE).allowed_sends == 2
    undated = evolve(second, process=evolve(second.process, began_at=None))
    assert heard(undated, "person.retry").allowed_sends == 3


def test_retry_never_sends_again_what_is_confirmed() -> None:
    journal = evolve(KNOWN, process=sent("confirmed"))
    assert heard(journal, "person.retry") == journal


@pytest.mark.parametrize("phase", ["sending", "accepted"])
def test_retry_ends_the_doubt_about_a_flag_which_stays_remembered(phase: str) -> None:
    journal = evolve(flagged(phase), first_seen_at=NOW)
    after = heard(journal, "person.retry")
    assert after.flag == evolve(journal.flag, phase="cleared", settled_at=NOW)
    assert (after.flagged, after.flag_evidence) == (journal.flagged, journal.flag_evidence)


@pytest.mark.parametrize("phase", ["refused", "failed"])
def test_retry_lets_a_refused_flag_be_tried_again(phase: str) -> None:
    journal = evolve(flagged(phase, reason="no", settled_at=NOW), first_seen_at=NOW)
    assert heard(journal, "person.retry").flag == Act(sends=1, evidence="e-old")


@pytest.mark.parametrize("phase", ["none", "confirmed", "cleared"])
def test_retry_leaves_other_flags_alone(phase: str) -> None:
    journal = evolve(flagged(phase), first_seen_at=NOW)
    assert heard(journal, "person.retry").flag == journal.flag


def test_retry_allows_another_create_but_only_after_its_bounds() -> None:
    doubt = evolve(KNOWN, create=sending(attempt=2, problem="x"))
    once = heard(doubt, "person.retry")
    assert once.create == evolve(doubt.create, allowed_attempts=3)
    assert heard(once, "person.retry") == once
    refused = evolve(KNOWN, create=Create(phase="refused", attempt=1, began_at=NOW, problem="REFUSED: x", problem_at=NOW))
    assert heard(refused, "person.retry").create == Create(attempt=1)
    stuck = evolve(KNOWN, create=Create(problem="UNRESOLVED_ITEM: x", problem_at=NOW))
    assert heard(stuck, "person.retry").create == Create()
    gone = evolve(KNOWN, create=made())
    assert heard(gone, "person.retry").create == made(phase="none", began_at=None)
    assert heard(KNOWN, "person.retry").create == Create()


# ------------------------------------------------------------------------------------------------- acknowledge, attach


def test_acknowledge(far_from_utc: None) -> None:
    until = NOW + 9 * DAY
    said = {"code": "REVIEW_STALE", "until": until.isoformat(), "by": "Ann", "note": "on it"}
    after = heard(KNOWN, "person.acknowledge", said)
    assert after == evolve(KNOWN, acknowledged={"REVIEW_STALE": Acknowledged(until=until, by="Ann", note="on it")})
    more = heard(after, "person.acknowledge", {"code": "ORPHAN_IN_WMS", "until": "2025-07-01"})
    assert more.acknowledged == {**after.acknowledged, "ORPHAN_IN_WMS": Acknowledged(until=datetime(2025, 7, 1, tzinfo=UTC))}
    east = datetime(2025, 7, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    moved = heard(after, "person.acknowledge", {"code": "REVIEW_STALE", "until": east.isoformat()})
    assert moved.acknowledged["REVIEW_STALE"].until.isoformat() == "2025-07-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "said", [None, {"code": "X"}, {"code": "X", "until": "soon"}, {"until": "2025-07-01"}, {"code": 5, "until": "2025-07-01"}]
)
def test_an_acknowledgement_that_cannot_be_read_changes_nothing(said: Any) -> None:
    assert heard(KNOWN, "person.acknowledge", said) == KNOWN


def test_attach() -> None:
    once = heard(KNOWN, "person.attach", {"consumer_return_id": 5})
    assert once.attached == (5,)
    assert heard(once, "person.attach", {"consumer_return_id": 5}) == once
    assert heard(once, "person.attach", {"consumer_return_id": 3}).attached == (3, 5)
    assert heard(once, "person.detach", {"consumer_return_id": 5}).attached == ()
    for said in ({"consumer_return_id": 3}, {"consumer_return_id": "5"}, {}):
        assert heard(once, "person.detach", said) == once
    for said in (None, {}, {"consumer_return_id": "5"}, {"consumer_return_id": True}, {"consumer_return_id": 5.0}):
        assert heard(KNOWN, "person.attach", said) == KNOWN


def test_settings_may_be_left_out() -> None:
    assert fold(KNOWN, Event(kind="person.attach", return_id=7, at=NOW, body=b'{"consumer_return_id": 5}')).attached == (5,)
