"""A journal as strict JSON, there and back; what is not ours, or newer, is refused."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_stories import NOW

from loop_whiplash.errors import LedgerError
from loop_whiplash.planning import Acknowledged, Act, Create, Journal, Seen

EVERYTHING = Journal(
    first_seen_at=NOW,
    found_by="webhook",
    receipt_found_by="sweep",
    create=Create(
        phase="done",
        attempt=2,
        original_id="acme-7",
        began_at=NOW,
        looked_at=NOW,
        done_at=NOW,
        verified=True,
        consumer_return_id=900,
        adopted=True,
        lines={"51": ("L1", "L2")},
        tracking="T",
        problem="UNRESOLVED_ITEM: x",
        problem_at=NOW,
        allowed_attempts=3,
    ),
    process=Act(phase="failed", sends=1, began_at=NOW, settled_at=NOW, evidence="e", reason="no"),
    flag=Act(phase="confirmed", sends=2, unseen_at=NOW, answered=True),
    flagged=("SHORT|sku:A|0",),
    flag_evidence="e",
    allowed_sends=2,
    held_by="Ann",
    hold_note="why",
    held_at=NOW,
    attached=(5, 6),
    acknowledged={"REVIEW_STALE": Acknowledged(until=NOW, by="Ann", note="x")},
    seen={"900": Seen(counted_at=NOW, final_at=NOW), "901": Seen(counted_at=NOW)},
    since={"state:open": NOW},
    failed_at=NOW,
    failure="no stock",
    shadow=({"action": "Process", "at": "x"},),
)
STAMP = "2025-06-15T12:00:00+00:00"


def test_there_and_back() -> None:
    assert Journal.from_dict(json.loads(json.dumps(EVERYTHING.to_dict()))) == EVERYTHING


def test_what_is_stored() -> None:
    assert EVERYTHING.to_dict() == {
        "version": 1,
        "first_seen_at": STAMP,
        "found_by": "webhook",
        "receipt_found_by": "sweep",
        "create": {
            "phase": "done",
            "attempt": 2,
            "original_id": "acme-7",
            "began_at": STAMP,
            "looked_at": STAMP,
            "done_at": STAMP,
            "verified": True,
            "consumer_return_id": 900,
            "adopted": True,
            "lines": {"51": ["L1", "L2"]},
            "tracking": "T",
            "problem": "UNRESOLVED_ITEM: x",
            "problem_at": STAMP,
            "allowed_attempts": 3,
        },
        "process": {"phase": "failed", "sends": 1, "began_at": STAMP, "settled_at": STAMP, "evidence": "e", "reason": "no"},
        "flag": {"phase": "confirmed", "sends": 2, "unseen_at": STAMP, "answered": True},
        "flagged": ["SHORT|sku:A|0"],
        "flag_evidence": "e",
        "allowed_sends": 2,
        "held_by": "Ann",
        "hold_note": "why",
        "held_at": STAMP,
        "attached": [5, 6],
        "acknowledged": {"REVIEW_STALE": {"until": STAMP, "by": "Ann", "note": "x"}},
        "seen": {"900": {"counted_at": STAMP, "final_at": STAMP}, "901": {"counted_at": STAMP}},
        "since": {"state:open": STAMP},
        "failed_at": STAMP,
        "failure": "no stock",
        "shadow": [{"action": "Process", "at": "x"}],
    }


def test_every_field_is_stored() -> None:
    stored = EVERYTHING.to_dict()
    assert stored.keys() - {"version"} == {field.name for field in attrs.fields(Journal)}
    assert stored["create"].keys() == {field.name for field in attrs.fields(Create)}


def test_the_empty_journal_takes_no_room() -> None:
    assert Journal().to_dict() == {"version": 1}
    assert Journal.from_dict({"version": 1}) == Journal.from_dict({}) == Journal()


def test_times_are_stored_in_utc(far_from_utc: None) -> None:
    east = datetime(2025, 6, 15, 14, tzinfo=timezone(timedelta(hours=2)))
    assert Journal(failed_at=east).to_dict()["failed_at"] == STAMP
    read = Journal.from_dict({"version": 1, "failed_at": "2025-06-15T14:00:00+02:00"})
    assert read.failed_at is not None
    assert read.failed_at.isoformat() == STAMP


def test_a_newer_version_is_refused_not_guessed_at() -> None:
    with pytest.raises(LedgerError, match=r"has version 2, this library reads up to 1: a newer loop-whiplash wrote it; upgrade"):
        Journal.from_dict({"version": 2, "new": 1})


@pytest.mark.parametrize("stored", [{"held_by": "Ann"}, {"version": "1"}, {"version": 0}, {"version": True}, {"version": None}])
def test_what_has_no_version_is_no_journal(stored: dict[str, Any]) -> None:
    with pytest.raises(LedgerError, match=r"^a stored journal has no version: this is not a journal of loop-whiplash$"):
        Journal.from_dict(stored)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("held_by", 5, r"\$\.held_by is not text"),
        ("held_by", None, r"\$\.held_by is not text"),
        ("held_at", None, r"\$\.held_at is not a time in ISO 8601"),
        ("allowed_sends", "1", r"\$\.allowed_sends is not a whole number"),
        ("allowed_sends", True, r"\$\.allowed_sends is not a whole number"),
        ("allowed_sends", None, r"\$\.allowed_sends is not a whole number"),
        ("first_seen_at", "soon", r"\$\.first_seen_at is not a time in ISO 8601"),
        ("first_seen_at", 5, r"\$\.first_seen_at is not a time in ISO 8601"),
        ("first_seen_at", "2025-06-15T12:00:00", r"\$\.first_seen_at has no time zone"),
        ("flagged", "SHORT", r"\$\.flagged is not a list"),
        ("flagged", ["a", 5], r"\$\.flagged\[1\] is not text"),
        ("since", [], r"\$\.since is not an object"),
        ("since", {"a": 5}, r"\$\.since\.a is not a time in ISO 8601"),
        ("create", 5, r"\$\.create is not an object"),
        ("create", {"lines": {"51": ["L1", 5]}}, r"\$\.create\.lines\.51\[1\] is not text"),
        ("create", {"verified": 1}, r"\$\.create\.verified is not true or false"),
        ("create", {"colour": 1}, r"\$\.create\.colour is not known"),
        ("acknowledged", {"X": {"until": STAMP}}, r"\$\.acknowledged\.X lacks by, note"),
        ("seen", {"900": {"counted_at": 5}}, r"\$\.seen\.900\.counted_at is not a time in ISO 8601"),
        ("colour", 1, r"\$\.colour is not known"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(field: str, value: Any, said: str) -> None:
    with pytest.raises(LedgerError, match=r"^a stored journal cannot be read: " + said + "$"):
        Journal.from_dict({"version": 1, field: value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200)
@given(st.sampled_from([field.name for field in attrs.fields(Journal)]), JSON)
def test_whatever_is_stored_gives_a_journal_or_our_error(field: str, value: Any) -> None:
    with contextlib.suppress(LedgerError):
        assert isinstance(Journal.from_dict({"version": 1, field: value}), Journal)
