"""The table of breaks: stable codes, and the words that people read."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from planning_stories import DAY, MINUTE, NOW, announced, counted, evolve, rma, units

from loop_whiplash.planning import Acknowledged, Journal
from loop_whiplash.planning.breaks import BREAKS, BreakKind, missed_webhook, open_break, worth
from loop_whiplash.returns.model import ReceivedUnit

CODES = [
    "MISSING_IN_WMS",
    "DUPLICATE_IN_WMS",
    "ITEMS_DRIFT",
    "ORPHAN_IN_WMS",
    "UNEXPECTED_RETURN",
    "UNRESOLVED_ITEM",
    "UNKNOWN_ITEM",
    "DELIVERED_NOT_RECEIVED",
    "IN_TRANSIT_STALE",
    "RECEIVED_NOT_ACTIONED",
    "PAID_NOT_RECEIVED",
    "RECEIVED_AFTER_CLOSE",
    "REVIEW_STALE",
    "SOURCE_INCOMPLETE",
    "UNREADABLE",
    "ACTION_UNCONFIRMED",
    "PROCESSING_FAILED",
    "POST_ACTION_CORRECTION",
    "WEBHOOK_MISSED",
]


def test_the_codes_are_stable() -> None:
    assert list(BREAKS) == CODES
    assert all(BREAKS[code].code == code for code in CODES)
    with pytest.raises(TypeError):
        BREAKS["NEW"] = BREAKS["UNREADABLE"]  # type: ignore[index]


def test_every_row_has_its_words() -> None:
    for kind in BREAKS.values():
        assert kind.meaning.endswith(".")
        assert kind.next_step.endswith(".")
        assert kind.owner in ("warehouse", "support", "engineering", "carrier")


def chosen(**facts: object) -> set[str]:
    return {code for code, kind in BREAKS.items() if all(getattr(kind, name) == value for name, value in facts.items())}


def test_whose_turn_it_is() -> None:
    assert chosen(owner="warehouse") == {"UNKNOWN_ITEM", "DELIVERED_NOT_RECEIVED"}
    assert chosen(owner="carrier") == {"IN_TRANSIT_STALE"}
    assert chosen(owner="engineering") == {"SOURCE_INCOMPLETE", "UNREADABLE", "WEBHOOK_MISSED"}


def test_what_heals_by_itself_and_what_needs_journals() -> None:
    assert chosen(heals=True) == {"MISSING_IN_WMS", "UNRESOLVED_ITEM", "WEBHOOK_MISSED"}
    assert chosen(needs_journals=True) == {"ACTION_UNCONFIRMED", "PROCESSING_FAILED", "POST_ACTION_CORRECTION", "WEBHOOK_MISSED"}


def test_where_no_money_hangs_on_it() -> None:
    assert chosen(at_risk="") == {"ORPHAN_IN_WMS", "UNEXPECTED_RETURN", "UNKNOWN_ITEM", "SOURCE_INCOMPLETE", "UNREADABLE", "WEBHOOK_MISSED"}
    for code in CODES:
        found = open_break(code, at=NOW, rma=rma())
        expected = (Decimal("20.00"), "EUR") if BREAKS[code].at_risk else (None, None)
        assert (found.money, found.currency) == expected
    assert open_break("PAID_NOT_RECEIVED", at=NOW).money is None
    assert open_break("PAID_NOT_RECEIVED", at=NOW).currency is None


def test_what_a_return_is_worth() -> None:
    assert worth(None) is None
    assert worth(rma(total=Decimal("12.50"))) == Decimal("12.50")
    assert worth(rma(total=Decimal(0))) == 0
    assert worth(rma(total=None, units=units(3))) == Decimal("60.00")
    unpriced = evolve(units()[0], value=None)
    assert worth(rma(total=None, units=(*units(1), unpriced))) == Decimal("20.00")
    assert worth(rma(total=None, units=(unpriced,))) is None
    assert worth(rma(total=None, units=())) is None


def test_what_each_side_says() -> None:
    def loop(**facts: object) -> str:
        return open_break("UNREADABLE", at=NOW, rma=rma(**facts)).loop_says

    assert loop() == "open, label in_transit, 1 unit"
    assert loop(label_statuses=(), units=units(2), was_processed=True) == "open, processed, no label, 2 units"
    assert loop(label_statuses=("new", "delivered"), units=()) == "open, label new/delivered, 0 units"
    assert open_break("UNREADABLE", at=NOW, return_id=7).loop_says == "unknown to Loop"

    def whiplash(*receipts: object) -> str:
        return open_break("UNREADABLE", at=NOW, return_id=7, receipts=receipts).whiplash_says  # type: ignore[arg-type]

    assert whiplash() == "no RMA"
    assert whiplash(announced()) == "RMA 900, status 100, 0 of 1 counted"
    assert whiplash(announced(lines=(), status=None)) == "RMA 900, status None, 0 counted"
    bad = ReceivedUnit(id="1", condition="damaged")
    assert whiplash(counted(units=(bad, evolve(bad, condition="good"), bad)), announced(901)) == (
        "RMA 900, status 300, 3 of 1 counted, 2 damaged; RMA 901, status 100, 0 of 1 counted"
    )
    many = [announced(number) for number in range(1, 16)]
    assert whiplash(*many[:12]).endswith("; RMA 12, status 100, 0 of 1 counted")
    assert whiplash(*many).endswith("; RMA 12, status 100, 0 of 1 counted; and 3 more")


def test_a_side_that_was_not_read_says_nothing() -> None:
    def said(**facts: Any) -> tuple[str, str]:
        found = open_break("UNREADABLE", at=NOW, **facts)
        return found.loop_says, found.whiplash_says

    loop, whiplash = said(rma=rma(), receipts=(announced(),))
    assert said() == ("", ""), "it is about nothing that a side could know"
    assert said(return_id=7) == ("unknown to Loop", "no RMA")
    assert said(rma=rma()) == (loop, "no RMA")
    assert said(receipts=(announced(),)) == ("unknown to Loop", whiplash)
    unread: dict[str, Any] = {"loop_read": False, "whiplash_read": False}
    assert said(return_id=7, **unread) == ("", "")
    assert said(return_id=7, loop_read=False) == ("", "no RMA")
    assert said(return_id=7, whiplash_read=False) == ("unknown to Loop", "")
    assert said(rma=rma(), receipts=(announced(),), **unread) == (loop, whiplash), "what is in hand is quoted all the same"


def test_a_break_takes_its_words_from_the_table_unless_told_otherwise() -> None:
    kind = BREAKS["UNRESOLVED_ITEM"]
    plain = open_break("UNRESOLVED_ITEM", at=NOW)
    assert (plain.code, plain.owner, plain.next_step, plain.reason, plain.heals) == (
        kind.code,
        kind.owner,
        kind.next_step,
        kind.meaning,
        True,
    )
    assert (plain.return_id, plain.consumer_return_id, plain.order_name, plain.tracking, plain.acknowledged) == (
        None,
        None,
        None,
        None,
        None,
    )
    told = open_break("UNRESOLVED_ITEM", at=NOW, reason="SKU-1 is unknown", next_step="Do this.", heals=False)
    assert (told.reason, told.next_step, told.heals) == ("SKU-1 is unknown", "Do this.", False)


def test_a_break_names_what_it_is_about() -> None:
    found = open_break("ORPHAN_IN_WMS", at=NOW, rma=rma(), receipts=(announced(tracking="W"), announced(901)))
    assert (found.return_id, found.consumer_return_id, found.order_name, found.tracking) == (7, 900, "#1007", "TRACK-1")
    assert open_break("ORPHAN_IN_WMS", at=NOW, return_id=8, rma=rma()).return_id == 8
    assert open_break("ORPHAN_IN_WMS", at=NOW, return_id=8).return_id == 8
    assert open_break("ORPHAN_IN_WMS", at=NOW, rma=rma(tracking=None), receipts=(announced(tracking="W"),)).tracking == "W"
    assert open_break("ORPHAN_IN_WMS", at=NOW, receipts=(announced(tracking="W"),)).tracking == "W"


def test_a_break_dates_from_its_event_then_from_when_it_was_first_seen() -> None:
    journal = Journal(since={"ORPHAN_IN_WMS": NOW - DAY})
    assert open_break("ORPHAN_IN_WMS", at=NOW, since=NOW - MINUTE, journal=journal).since == NOW - MINUTE
    assert open_break("ORPHAN_IN_WMS", at=NOW, journal=journal).since == NOW - DAY
    assert open_break("ITEMS_DRIFT", at=NOW, journal=journal).since == NOW
    assert open_break("ITEMS_DRIFT", at=NOW).since == NOW


def test_a_persons_word_holds_until_its_date() -> None:
    word = Acknowledged(until=NOW + MINUTE, by="Ann")
    journal = Journal(acknowledged={"ORPHAN_IN_WMS": word})
    assert open_break("ORPHAN_IN_WMS", at=NOW, journal=journal).acknowledged == word
    assert open_break("ORPHAN_IN_WMS", at=NOW + MINUTE, journal=journal).acknowledged is None
    assert open_break("ITEMS_DRIFT", at=NOW, journal=journal).acknowledged is None


def test_a_missed_webhook_is_counted() -> None:
    made, counted, met = NOW - 9 * DAY, NOW - 2 * DAY, NOW - DAY
    receipt = attrs.evolve(announced(), received_at=counted)

    def said(**facts: object) -> tuple[str, datetime | None] | None:
        journal = Journal(first_seen_at=met, **facts)  # type: ignore[arg-type]
        found = missed_webhook(7, journal, at=NOW, rma=rma(created_at=made), receipts=(receipt,))
        if found is None:
            return None
        assert (found.code, found.return_id, found.heals) == ("WEBHOOK_MISSED", 7, True)
        assert (found.order_name, found.consumer_return_id) == ("#1007", 900)
        return found.reason, found.since

    assert said() is None
    assert said(found_by="webhook", receipt_found_by="webhook") is None
    assert said(found_by="sweep") == ("The sweep found the return; no webhook had told.", made)
    assert said(found_by="webhook", receipt_found_by="sweep") == ("The sweep found the receipt; no webhook had told.", counted)
    assert said(found_by="sweep", receipt_found_by="sweep") == ("The sweep found the return and the receipt; no webhook had told.", made)
    undated = missed_webhook(7, Journal(first_seen_at=met, found_by="sweep"), at=NOW)
    assert undated is not None
    assert (undated.return_id, undated.since) == (7, met)
    assert (undated.loop_says, undated.whiplash_says) == ("", ""), "the sweep's look is over"
    unmet = missed_webhook(7, Journal(found_by="sweep"), at=NOW)
    assert unmet is not None
    assert unmet.since == NOW


def test_the_words_people_read() -> None:
    """Changing one of them changes the documentation and people's worklists; do it on purpose."""
    words = {code: (kind.meaning, kind.next_step, kind.at_risk) for code, kind in BREAKS.items()}
    assert words == WORDS
    assert {field.name for field in attrs.fields(BreakKind)} == {
        "code",
        "meaning",
        "owner",
        "next_step",
        "at_risk",
        "heals",
        "needs_journals",
    }


WORDS = {
    "MISSING_IN_WMS": (
        "Loop expects goods back and Whiplash has no RMA for them.",
        "Look in Whiplash for the order or the tracking number; attach() what is there, or retry() to have it made.",
        "goods that will arrive unannounced",
    ),
    "DUPLICATE_IN_WMS": (
        "Whiplash has more than one live RMA for one return.",
        "Delete the untouched one in Whiplash, or attach() it when both are parcels of this return.",
        "goods that may be counted twice",
    ),
    "ITEMS_DRIFT": (
        "The lines announced in Whiplash are not the lines of the return in Loop.",
        "Correct the lines of the RMA in Whiplash; its API cannot change them.",
        "a return that would be flagged wrongly",
    ),
    "ORPHAN_IN_WMS": (
        "Whiplash has an RMA whose return is cancelled, or unknown to Loop.",
        "Delete the RMA in Whiplash if no goods will come.",
        "",
    ),
    "UNEXPECTED_RETURN": (
        "Whiplash holds goods of a consumer return that belongs to no return in Loop.",
        "Find the return it belongs to and attach() it, or make one in Loop.",
        "",
    ),
    "UNRESOLVED_ITEM": (
        "The RMA cannot be made: a unit has no item in Whiplash, or more than one.",
        "Give the item its SKU or barcode in Whiplash, or make it unique; the RMA is then made at the next look.",
        "goods that will arrive unannounced",
    ),
    "UNKNOWN_ITEM": (
        "A unit was counted that is in no catalogue.",
        "Have the warehouse say what the unit is.",
        "",
    ),
    "DELIVERED_NOT_RECEIVED": (
        "The parcel was delivered days ago and nothing has been counted.",
        "Have the warehouse look for the parcel by its tracking number.",
        "goods, and a shopper who waits",
    ),
    "IN_TRANSIT_STALE": (
        "The parcel has had no scan for days.",
        "Ask the carrier, and the shopper whether it was sent at all.",
        "goods that may be lost on the way",
    ),
    "RECEIVED_NOT_ACTIONED": (
        "The goods were counted and the return is still open in Loop.",
        "Decide it in Loop: process, flag or cancel.",
        "a shopper who waits",
    ),
    "PAID_NOT_RECEIVED": (
        "Loop released the value and the goods never came.",
        "Chase the parcel or charge the shopper; check that Loop does not process on carrier scans.",
        "a loss",
    ),
    "RECEIVED_AFTER_CLOSE": (
        "Goods were counted for a return that is cancelled, expired, or closed without being paid.",
        "Pay the shopper by hand or send the goods back.",
        "a dispute",
    ),
    "REVIEW_STALE": (
        "The return has been waiting for a person for days.",
        "Decide it in Loop: clear the flag, process or cancel.",
        "a shopper who waits",
    ),
    "SOURCE_INCOMPLETE": (
        "One of the two systems could not be read; nothing is concluded from what is not there.",
        "Check the credentials and that both systems answer; it is read again by itself.",
        "",
    ),
    "UNREADABLE": (
        "An answer about this return is not of a shape that can be read.",
        "Look at the named fields; handle the return by hand until they can be read.",
        "",
    ),
    "ACTION_UNCONFIRMED": (
        "A process or a flag was sent and its effect was not seen in time.",
        "Look at the return in Loop. If nothing happened there, retry() allows one more send.",
        "value that may or may not have been released",
    ),
    "PROCESSING_FAILED": (
        "Loop refused to process the return, or failed to.",
        "Put the cause right in Loop, then process it there, or retry() to send it once more.",
        "a shopper who waits",
    ),
    "POST_ACTION_CORRECTION": (
        "What was counted changed after the return was processed on it.",
        "Compare both counts; charge or pay the difference by hand.",
        "paid too much or too little",
    ),
    "WEBHOOK_MISSED": (
        "The sweep found what no webhook had told.",
        "Nothing for this return. If many are missed, run check(): the subscription may be off.",
        "",
    ),
}
