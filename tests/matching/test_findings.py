"""Every code a finding can have: when it speaks, of which units, whether more receipts may settle it, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from matching_cases import DAY, T, count, expect, receipt, rma

from loop_whiplash.matching import CODES, Decision, Policy, Profile, Verdict, match
from loop_whiplash.returns.model import Receipt, ReceiptLine, Rma

HOUR = timedelta(hours=1)
A, B = expect(1, "A"), expect(2, "B")
a, b = count("u1", "A"), count("u2", "B")
WORTH_5 = expect(1, "A", value=Decimal(5))


@attrs.frozen
class Story:
    """A return, what was counted, and the finding that is to be said of it. `until` None: it is final."""

    rma: Rma
    receipts: Sequence[Receipt]
    code: str
    units: tuple[str, ...]
    identifier: str | None
    message: str
    setting: str | None = None
    until: datetime | None = None
    blocking: bool = True
    verdict: str = "FLAG"
    policy: Mapping[str, Any] = attrs.field(factory=dict)
    at: datetime = T


def lines(good: int, damaged: int) -> dict[str, Any]:
    return {"lines": (ReceiptLine(id=5, quantity_good=good, quantity_damaged=damaged),)}


ANY = [*map(str, range(1, 66)), *(f"u{n}" for n in range(101, 166))]
LOOK_ALIKES = (
    rma(*[expect(n, "A" if n % 2 else None, barcode="b") for n in range(1, 66)]),
    [receipt(*[count(f"u{n}", "A" if n % 3 else None, barcode="b") for n in range(101, 166)])],
)
TWO_OF_A_BUNDLE = {"bundles": {"K": {"A": 2, "B": 1}}}
STORIES: Mapping[str, Story] = {
    # ------------------------------------------------------------------------------------------------------- input
    "a receipt of another return": Story(
        rma(A), [receipt(a, return_id=502)], "WRONG_RETURN", ("1", "u1"), "receipt:77", "Receipt 77 is for return 502, not for 501."
    ),
    "an empty receipt of another return concerns everything": Story(
        rma(A), [receipt(a), receipt(receipt_id=78, return_id=502)], "WRONG_RETURN", ("1", "u1"), "receipt:78",
        "Receipt 78 is for return 502, not for 501.",
    ),
    "a receipt that could not be read whole": Story(
        rma(A), [receipt(a, problems=["line 5 is listed twice"])], "INVALID_RECEIPT", ("1", "u1"), "receipt:77",
        "Receipt 77 cannot be relied on: line 5 is listed twice.",
    ),
    "a problem that is a sentence already": Story(
        rma(A), [receipt(a, problems=["Line 5 is listed twice."])], "INVALID_RECEIPT", ("1", "u1"), "receipt:77",
        "Receipt 77 cannot be relied on: Line 5 is listed twice.",
    ),
    "fewer good ones than none": Story(
        rma(A), [receipt(a, **lines(-1, 2))], "INVALID_RECEIPT", ("1", "u1"), "receipt:77",
        "Receipt 77 line 5 counts -1 good, 2 damaged; correct it in Whiplash.",
    ),
    "fewer damaged ones than none": Story(
        rma(A), [receipt(a, **lines(2, -1))], "INVALID_RECEIPT", ("1", "u1"), "receipt:77",
        "Receipt 77 line 5 counts 2 good, -1 damaged; correct it in Whiplash.",
    ),
    "a line listed twice": Story(
        rma(A, A), [receipt(a, count("u2", "A"))], "DUPLICATE_LINE", ("1", "1", "u1", "u2"), "line:1",
        "Line 1 stands in the return 2 times.",
    ),
    "a line listed twice, written otherwise": Story(
        rma(A, expect(" 1", "A")), [receipt(a, count("u2", "A"))], "DUPLICATE_LINE", ("1", " 1", "u1", "u2"), "line:1",
        "Line 1 stands in the return 2 times.",
    ),
    "a line listed twice that stays with the shopper": Story(
        rma(A, expect(2, "B", outcome="keep"), expect(2, "B", outcome="keep")), [receipt(a)], "DUPLICATE_LINE", ("2", "2"), "line:2",
        "Line 2 stands in the return 2 times.",
    ),
    "a unit counted twice": Story(
        rma(A, B), [receipt(a, count("u1", "B"))], "DUPLICATE_UNIT", ("1", "2", "u1", "u1"), "unit:u1", "Unit u1 was received 2 times."
    ),
    "a unit on two receipts": Story(
        rma(A, B), [receipt(a), receipt(count("u1", "B"), receipt_id=78)], "DUPLICATE_UNIT", ("1", "2", "u1", "u1"), "unit:u1",
        "Unit u1 was received 2 times.",
    ),
    "a state that is none": Story(
        rma(A, state="paused"), [receipt(a)], "UNKNOWN_VALUE", ("1", "u1"), "state:paused",
        "Loop says the return is 'paused', which is no state we know. Its unknown_grace (3 days) ends 2026-01-04 12:00 UTC.",
        "unknown_grace", T + 3 * DAY, verdict="WAIT",
    ),
    "a status that is none": Story(
        rma(A), [receipt(a, status=310)], "UNKNOWN_VALUE", ("1", "u1"), "status:310",
        "Whiplash gives receipt 77 the status 310, which is none we know.", "final_statuses", T + 7 * DAY, verdict="WAIT",
    ),
    "a condition that is none": Story(
        rma(A), [receipt(count("u1", "A", "worn"))], "UNKNOWN_VALUE", ("1", "u1"), "condition:worn",
        "1 unit is graded 'worn', which is no condition we know.",
    ),
    "two of a condition that is none": Story(
        rma(A, B), [receipt(count("u1", "A", "worn"), count("u2", "B", "worn"))], "UNKNOWN_VALUE", ("1", "2", "u1", "u2"), "condition:worn",
        "2 units are graded 'worn', which is no condition we know.",
    ),
    "an outcome that is none": Story(
        rma(expect(1, "A", outcome="refund+barter")), [receipt(a)], "UNKNOWN_VALUE", ("1", "u1"), "outcome:barter",
        "The outcome 'barter' is none we know; if it is right, add it to known_outcomes.", "known_outcomes",
    ),
    "an outcome of the return that is none": Story(
        rma(expect(1, "A", outcome="default"), outcome="barter"), [receipt(a)], "UNKNOWN_VALUE", ("1", "u1"), "outcome:barter",
        "The outcome 'barter' is none we know; if it is right, add it to known_outcomes.", "known_outcomes",
    ),
    # ------------------------------------------------------------------------------------------------ who is whose
    "more look-alikes than can be told apart": Story(
        *LOOK_ALIKES, "TOO_AMBIGUOUS", tuple(ANY), "barcode:b",
        "65 expected and 65 received units could be each other; a person has to tell them apart.",
    ),
    "another size of the same shoe": Story(
        rma(expect(1, "A", product_id="p")), [receipt(count("u1", "A-XL", product_id="p"))], "SUBSTITUTED_VARIANT", ("1", "u1"),
        "sku:A-XL for sku:A", "Unit u1 (A-XL) came instead of line 1 (A): another variant of the same product.", "substitutes",
    ),
    "a unit nobody expected": Story(
        rma(A), [receipt(a, b)], "UNEXPECTED", ("u2",), "sku:B", "Unit u2 (B) is not in this return.", "unexpected"
    ),
    "a unit nobody expected, known by its barcode": Story(
        rma(A), [receipt(a, count("u2", barcode="4006381333931"))], "UNEXPECTED", ("u2",), "barcode:4006381333931",
        "Unit u2 (barcode 4006381333931) is not in this return.", "unexpected",
    ),
    "a unit nobody expected, and none minds": Story(
        rma(A), [receipt(a, b)], "UNEXPECTED", ("u2",), "sku:B", "Unit u2 (B) is not in this return.", "unexpected", blocking=False,
        verdict="PROCESS", policy={"unexpected": "accept"},
    ),
    "a unit the shopper was to keep": Story(
        rma(A, expect(2, "B", outcome="keep")), [receipt(a, b)], "UNEXPECTED", ("u2",), "sku:B",
        "Unit u2 (B) came for line 2, which was not to come here.", "unexpected",
    ),
    "a unit of a line that is not in this return": Story(
        rma(A), [receipt(a, count("u2", "B", line_id="9"))], "WRONG_LINE_OF_ORDER", ("u2",), "sku:B",
        "Unit u2 (B) belongs to line 9, which is not, or no longer, in this return.",
    ),
    "a unit of another line, although it is of an expected kind": Story(
        rma(A), [receipt(a, count("u2", "A", line_id="9"))], "WRONG_LINE_OF_ORDER", ("u2",), "sku:A",
        "Unit u2 (A) belongs to line 9, which is not, or no longer, in this return.", policy={"over_units": 1, "unexpected": "accept"},
    ),
    "a unit that carries nothing": Story(
        rma(A), [receipt(a, count("u2"))], "UNKNOWN_ITEM", ("u2",), None, "Unit u2 carries no identifier; find out what it is.",
        policy={"unexpected": "accept"},
    ),
    "one too many": Story(
        rma(A), [receipt(a, count("u2", "A"))], "OVER", ("u2",), "sku:A", "Unit u2 (A) is one more than expected.", "over_units"
    ),
    "one too many, which is allowed": Story(
        rma(A), [receipt(a, count("u2", "A"))], "OVER", ("u2",), "sku:A", "Unit u2 (A) is one more than expected, which over_units allows.",
        "over_units", blocking=False, verdict="PROCESS", policy={"over_units": 1},
    ),
    "one too many, which its value allows": Story(
        rma(WORTH_5), [receipt(a, count("u2", "A"))], "OVER", ("u2",), "sku:A",
        "Unit u2 (A) is one more than expected, which over_value allows.", "over_value", blocking=False, verdict="PROCESS",
        policy={"over_value": 5},
    ),
    "one too many, within the units and beyond the value": Story(
        rma(WORTH_5), [receipt(a, count("u2", "A"))], "OVER", ("u2",), "sku:A", "Unit u2 (A) is one more than expected.", "over_value",
        policy={"over_units": 1, "over_value": "4.99"},
    ),
    "one too many, beyond the units and within the value": Story(
        rma(WORTH_5), [receipt(a, count("u2", "A"))], "OVER", ("u2",), "sku:A", "Unit u2 (A) is one more than expected.", "over_units",
        policy={"over_units": 0, "over_value": 100},
    ),
    "one too many of what has no known value": Story(
        rma(A), [receipt(a, count("u2", "A"))], "OVER", ("u2",), "sku:A", "Unit u2 (A) is one more than expected.", "over_value",
        policy={"over_value": 100},
    ),
    "identifiers that disagree": Story(
        rma(expect(1, "A", barcode="1")), [receipt(count("u1", "A", barcode="2"))], "IDENTIFIER_CONFLICT", ("1", "u1"), "barcode:1",
        "Line 1 (A) and unit u1 (A) agree on sku:A, but the barcode is 1 here and 2 there.",
    ),
    "an allowed surplus whose identifiers disagree": Story(
        rma(expect(1, "A", barcode="1")), [receipt(count("u1", "A", barcode="1"), count("u2", "A", barcode="2"))], "IDENTIFIER_CONFLICT",
        ("u2",), "sku:A", "Unit u2 (A) agrees with a line of this return on one identifier and not on another.", policy={"over_units": 1},
    ),
    # ----------------------------------------------------------------------------------------------------- condition
    "damaged": Story(
        rma(A), [receipt(count("u1", "A", "damaged"))], "CONDITION_BELOW_MIN", ("1", "u1"), "sku:A",
        "Unit u1 (A) is damaged; min_condition asks for good.", "min_condition",
    ),
    "damaged, for an exchange that wants it good": Story(
        rma(expect(1, "A", outcome="exchange")), [receipt(count("u1", "A", "damaged"))], "CONDITION_BELOW_MIN", ("1", "u1"), "sku:A",
        "Unit u1 (A) is damaged; min_condition_by_outcome asks for good.", "min_condition_by_outcome",
        policy={"min_condition": "damaged", "min_condition_by_outcome": {"exchange": "good"}},
    ),
    "damaged, though nobody expected it and none minds": Story(
        rma(A), [receipt(a, count("u2", "B", "damaged"))], "CONDITION_BELOW_MIN", ("u2",), "sku:B",
        "Unit u2 (B) is damaged; min_condition asks for good.", "min_condition", policy={"unexpected": "accept"},
    ),
    "not graded": Story(
        rma(A), [receipt(count("u1", "A", None))], "CONDITION_UNKNOWN", ("1", "u1"), "sku:A",
        "Unit u1 (A) was not graded. Its grading_grace (3 days) ends 2026-01-04 12:00 UTC.", "grading_grace", T + 3 * DAY, verdict="WAIT",
        policy={"require_grading": True},
    ),
    # --------------------------------------------------------------------------------------------------------- count
    "nothing has arrived": Story(
        rma(A), [], "NOTHING_COUNTED", ("1",), None,
        "1 unit expected, none counted; nothing has arrived. Its arrival_grace (30 days) ends 2026-01-21 12:00 UTC.", "arrival_grace",
        T + 20 * DAY, verdict="WAIT",
    ),
    "a box in the warehouse, not opened": Story(
        rma(A, B), [receipt(final=False, status=150)], "NOTHING_COUNTED", ("1", "2"), None,
        "2 units expected, none counted; the box is in the warehouse. Its unfinished_grace (7 days) ends 2026-01-08 12:00 UTC.",
        "unfinished_grace", T + 7 * DAY, verdict="WAIT",
    ),
    "an empty box": Story(
        rma(A, B), [receipt()], "NOTHING_COUNTED", ("1", "2"), None,
        "2 units expected, none counted, and counting is over. Its short_grace_single (3 days) ends 2026-01-04 12:00 UTC.",
        "short_grace_single", T + 3 * DAY, verdict="WAIT",
    ),
    "one is missing, and may still come": Story(
        rma(A, B), [receipt(a)], "SHORT", ("2",), "sku:B",
        "Line 2 (B) was not counted. Its short_grace_single (3 days) ends 2026-01-04 12:00 UTC.", "short_grace_single", T + 3 * DAY,
        verdict="WAIT",
    ),
    "one is missing, and another parcel is known": Story(
        rma(A, B, trackings=["1Z1", "1Z2"]), [receipt(a)], "SHORT", ("2",), "sku:B",
        "Line 2 (B) was not counted. Its short_grace_multi (7 days) ends 2026-01-08 12:00 UTC.", "short_grace_multi", T + 7 * DAY,
        verdict="WAIT",
    ),
    "one is missing for too long": Story(
        rma(A, B), [receipt(a)], "SHORT", ("2",), "sku:B",
        "Line 2 (B) was not counted. Its short_grace_single (3 days) ended 2026-01-04 12:00 UTC.", "short_grace_single", at=T + 3 * DAY,
    ),
    "one is missing, and when counting ended nobody knows": Story(
        rma(A, B), [receipt(a, at=None)], "SHORT", ("2",), "sku:B",
        "Line 2 (B) was not counted. No time is known from which short_grace_single (3 days) could run.", "short_grace_single",
    ),
    "one is missing, which is allowed": Story(
        rma(A, B), [receipt(a)], "SHORT", ("2",), "sku:B", "Line 2 (B) was not counted, which under_units allows.", "under_units",
        blocking=False, verdict="PROCESS", policy={"under_units": 1}, at=T + 9 * DAY,
    ),
    "one is missing, which its value allows": Story(
        rma(B, attrs.evolve(WORTH_5, line_id="3")), [receipt(b)], "SHORT", ("3",), "sku:A",
        "Line 3 (A) was not counted, which under_value allows.", "under_value", blocking=False, verdict="PROCESS",
        policy={"under_value": 5}, at=T + 9 * DAY,
    ),
    "one is missing that has no known value": Story(
        rma(A, B), [receipt(a)], "SHORT", ("2",), "sku:B",
        "Line 2 (B) was not counted. Its short_grace_single (3 days) ended 2026-01-04 12:00 UTC.", "short_grace_single",
        policy={"under_units": 5, "under_value": 100}, at=T + 9 * DAY,
    ),
    "a set that came in part": Story(
        rma(expect(1, "K")), [receipt(a)], "SHORT", ("1", "u1"), "sku:K",
        "Line 1 (K) came in parts, and not all of them: 1 × A, 1 × B missing.", "bundles", T + 3 * DAY, verdict="WAIT",
        policy=TWO_OF_A_BUNDLE,
    ),
    # -------------------------------------------------------------------------------------------- value, place, time
    "dearer than a machine may decide": Story(
        rma(A, total=Decimal("100.01")), [receipt(a)], "VALUE_ABOVE_LIMIT", ("1", "u1"), None, "It releases 100.01, more than 100.",
        "review_above_value", policy={"review_above_value": 100},
    ),
    "of a value nobody knows": Story(
        rma(WORTH_5, B), [receipt(a, b)], "VALUE_UNKNOWN", ("1", "2", "u1", "u2"), None, "What this return releases is not known.",
        "review_above_value", policy={"review_above_value": 100},
    ),
    "of a value nobody knows, where profiles go by value": Story(
        rma(A), [receipt(a)], "VALUE_UNKNOWN", ("1", "u1"), None, "What this return releases is not known, and a profile goes by it.",
        "profiles", policy={"match_level": 3, "profiles": [Profile(name="dear", value_above=500, policy=Policy())]},
    ),
    "in another currency": Story(
        rma(A, currency="USD"), [receipt(a)], "CURRENCY_MISMATCH", ("1", "u1"), "currency:USD",
        "The return is in USD, under_value, over_value in EUR.", "currency", policy={"currency": "EUR", "over_value": 5, "under_value": 5},
    ),
    "in no known currency": Story(
        rma(A, total=Decimal(4)), [receipt(a)], "CURRENCY_MISMATCH", ("1", "u1"), "currency:unknown",
        "The return is in no known currency, review_above_value in EUR.", "currency", policy={"currency": "EUR", "review_above_value": 5},
    ),
    "at another warehouse": Story(
        rma(A), [receipt(a, warehouse_id=4)], "WRONG_DESTINATION", ("1", "u1"), "warehouse:4", "Receipt 77 was counted at warehouse 4.",
        "warehouses", policy={"warehouses": [1]},
    ),
    "at a warehouse that is not known": Story(
        rma(A), [receipt(a)], "WRONG_DESTINATION", ("1", "u1"), "warehouse:unknown",
        "Receipt 77 was counted at a warehouse that is not known.", "warehouses", policy={"warehouses": [1]},
    ),
    "too late": Story(
        rma(A), [receipt(a)], "LATE", ("1", "u1"), None, "Goods arrived 10 days after the return was made; days_late_flag is 9.",
        "days_late_flag", policy={"days_late_warn": 5, "days_late_flag": 9},
    ),
    "late, which is worth a word": Story(
        rma(A), [receipt(a)], "LATE", ("1", "u1"), None, "Goods arrived 10 days after the return was made; days_late_warn is 9.",
        "days_late_warn", blocking=False, verdict="PROCESS", policy={"days_late_warn": 9, "days_late_flag": 10},
    ),
    "one parcel in time, one late": Story(
        rma(A, B), [receipt(a), receipt(b, receipt_id=78, at=T + 40 * DAY)], "LATE", ("2", "u2"), None,
        "Goods arrived 50 days after the return was made; days_late_flag is 30.", "days_late_flag", policy={"days_late_flag": 30},
        at=T + 40 * DAY,
    ),
    "arrived nobody knows when": Story(
        rma(A), [receipt(a, at=None)], "ARRIVAL_UNKNOWN", ("1", "u1"), None, "When goods arrived is not known.", "days_late_flag",
        policy={"days_late_flag": 30},
    ),
    "made nobody knows when": Story(
        rma(A, created_at=None), [receipt(a)], "ARRIVAL_UNKNOWN", ("1", "u1"), None, "When the return was made is not known.",
        "days_late_flag", policy={"days_late_flag": 30},
    ),
    # ------------------------------------------------------------------------------------------------- final or not
    "still being counted": Story(
        rma(A), [receipt(a, final=False)], "RECEIPT_NOT_FINAL", ("1", "u1"), "receipt:77",
        "Receipt 77 is still being counted: 1 unit so far. Its unfinished_grace (7 days) ends 2026-01-08 12:00 UTC.", "unfinished_grace",
        T + 7 * DAY, verdict="WAIT",
    ),
    "still being counted, since nobody knows when": Story(
        rma(A, B), [receipt(a, b, final=False, at=None)], "RECEIPT_NOT_FINAL", ("1", "2", "u1", "u2"), "receipt:77",
        "Receipt 77 is still being counted: 2 units so far. No time is known from which unfinished_grace (7 days) could run.",
        "unfinished_grace",
    ),
    "another box in the warehouse, not opened": Story(
        rma(A), [receipt(a), receipt(receipt_id=78, final=False, status=200, at=T - DAY)], "RECEIPT_NOT_FINAL", ("1", "u1"), "receipt:78",
        "Receipt 78 is still being counted: 0 units so far. Its unfinished_grace (7 days) ends 2026-01-07 12:00 UTC.", "unfinished_grace",
        T + 6 * DAY, verdict="WAIT",
    ),
    "settling": Story(
        rma(A), [receipt(a)], "SETTLING", ("1", "u1"), None, "A finished receipt rests 12 hours, until 2026-01-02 00:00 UTC.",
        "settle_window", T + 12 * HOUR, verdict="WAIT", policy={"settle_window": 12 * HOUR},
    ),
    "settling since nobody knows when": Story(
        rma(A), [receipt(a, at=None)], "SETTLING", ("1", "u1"), None,
        "A finished receipt rests 90 minutes, but when it was counted is not known.", "settle_window",
        policy={"settle_window": timedelta(minutes=90)},
    ),
    # -------------------------------------------------------------------------------------------------- nothing to do
    "nothing was to come": Story(
        rma(), [], "NOTHING_EXPECTED", (), None, "No unit of this return is to come here, so there is nothing to pay.", blocking=False,
        verdict="NO_ACTION",
    ),
    "closed": Story(
        rma(A, state="closed"), [receipt(a)], "STATE_NOT_ACTIONABLE", (), "state:closed", "Nothing is to be done in Loop: it is closed.",
        blocking=False, verdict="NO_ACTION",
    ),
    "cancelled": Story(
        rma(A, state="cancelled"), [receipt(a)], "STATE_NOT_ACTIONABLE", (), "state:cancelled",
        "Nothing is to be done in Loop: it is cancelled.", blocking=False, verdict="NO_ACTION",
    ),
    "processed": Story(
        rma(A, was_processed=True), [receipt(a)], "STATE_NOT_ACTIONABLE", (), "state:open",
        "Nothing is to be done in Loop: it was processed.", blocking=False, verdict="NO_ACTION",
    ),
    "a line that goes elsewhere": Story(
        rma(A, expect(2, "B", destination_id="D2"), destination_id="D1"), [receipt(a)], "LEFT_OUT", ("2",), "sku:B",
        "Line 2 (B) stays with the shopper or goes elsewhere; it is not judged.", blocking=False, verdict="PROCESS",
        policy={"destinations": ["D1"]},
    ),
}  # fmt: skip


def told(story: Story) -> Decision:
    return match(story.rma, story.receipts, policy=Policy(**story.policy), at=story.at)


@pytest.mark.parametrize("name", STORIES)
def test_each_finding_says_what_where_and_until_when(name: str) -> None:
    story = STORIES[name]
    decision = told(story)
    assert decision.verdict == story.verdict
    spoken = [
        (finding.units, finding.identifier, finding.message, finding.setting, finding.blocking, finding.curable)
        for finding in decision.findings
        if finding.code == story.code
    ]
    assert (story.units, story.identifier, story.message, story.setting, story.blocking, story.until is not None) in spoken
    if story.until is not None:
        assert next(finding.until for finding in decision.findings if finding.code == story.code) == story.until
    assert all(finding.rule == CODES[finding.code].rule for finding in decision.findings)


def test_every_code_of_the_table_has_its_story() -> None:
    assert {story.code for story in STORIES.values()} == set(CODES)


def test_a_finding_that_blocks_alone_decides() -> None:
    """What must never lead to PROCESS does not: final blockers flag, curable ones wait with a deadline."""
    for name, story in STORIES.items():
        decision = told(story)
        blocking = [finding for finding in decision.findings if finding.blocking]
        if not blocking:
            assert decision.verdict in (Verdict.PROCESS, Verdict.NO_ACTION), name
        elif any(not finding.curable for finding in blocking):
            assert decision.verdict is Verdict.FLAG, name
        else:
            assert decision.verdict is Verdict.WAIT, name
            assert decision.deadline == min(finding.until for finding in blocking if finding.until), name


def test_the_table_is_in_order_and_complete() -> None:
    assert [code.rank for code in CODES.values()] == list(range(len(CODES)))
    assert all(code.said and code.meaning and not code.meaning.endswith(".") for code in CODES.values())


def test_findings_of_one_kind_are_numbered() -> None:
    decision = match(rma(A), [receipt(a, count("u2", "A"), count("u3", "A"), count("u4", "Z"))], at=T)
    assert [(finding.key, finding.units) for finding in decision.findings] == [
        ("UNEXPECTED|sku:Z|0", ("u4",)),
        ("OVER|sku:A|0", ("u2",)),
        ("OVER|sku:A|1", ("u3",)),
    ]
    assert match(rma(A), [receipt(a, count("u2"))], at=T).findings[0].key == "UNKNOWN_ITEM||0"


def test_final_blockers_come_first_then_curable_ones_then_what_is_only_noted() -> None:
    policy = Policy(over_units=1)
    decision = match(rma(A, B), [receipt(a, count("u3", "A"), count("u4", "Z"))], policy=policy, at=T)
    assert [(finding.code, finding.blocking, finding.curable) for finding in decision.findings] == [
        ("UNEXPECTED", True, False),
        ("SHORT", True, True),
        ("OVER", False, False),
    ]


def test_the_lower_of_two_limits_wins() -> None:
    expected, counted = rma(WORTH_5, attrs.evolve(WORTH_5, line_id="3"), B), [receipt(b)]
    late = T + 9 * DAY

    def verdict(**policy: Any) -> str:
        return match(expected, counted, policy=Policy(**policy), at=late).verdict

    assert verdict(under_units=2) == "PROCESS"
    assert verdict(under_value=10) == "PROCESS"
    assert verdict(under_units=2, under_value=10) == "PROCESS"
    assert verdict(under_units=1, under_value=10) == "FLAG"
    assert verdict(under_units=2, under_value=Decimal("9.99")) == "FLAG"
    assert verdict(under_units=0) == "FLAG"
    assert verdict() == "FLAG"


def test_a_tolerance_never_pays_for_a_return_of_which_nothing_came() -> None:
    everything = Policy(under_units=99, under_value=9_999, unexpected="accept")
    assert match(rma(WORTH_5), [receipt()], policy=everything, at=T + 9 * DAY).verdict is Verdict.FLAG
    decision = match(rma(WORTH_5), [receipt(b)], policy=everything, at=T + 9 * DAY)
    assert (decision.verdict, [finding.code for finding in decision.findings if finding.blocking]) == (Verdict.FLAG, ["SHORT"])


def test_surplus_is_worth_the_dearest_line_it_could_be() -> None:
    expected = rma(WORTH_5, expect(2, "A", value=Decimal(50)))
    counted = [receipt(a, count("u2", "A"), count("u3", "A"))]
    assert match(expected, counted, policy=Policy(over_value=50), at=T).verdict is Verdict.PROCESS
    assert match(expected, counted, policy=Policy(over_value=49), at=T).verdict is Verdict.FLAG
    unknown = rma(WORTH_5, expect(2, "A"))
    assert match(unknown, counted, policy=Policy(over_value=49), at=T).verdict is Verdict.FLAG


def test_a_value_below_zero_is_worth_nothing_and_one_that_is_no_number_is_not_known() -> None:
    def verdict(value: str) -> str:
        policy = Policy(under_value=0)
        return match(rma(A, expect(2, "B", value=Decimal(value))), [receipt(a)], policy=policy, at=T + 9 * DAY).verdict

    assert verdict("-5") == "PROCESS"
    assert verdict("NaN") == verdict("Infinity") == "FLAG"
    limit = Policy(review_above_value=100)
    assert match(rma(WORTH_5, total=Decimal("NaN")), [receipt(a)], policy=limit, at=T).verdict is Verdict.PROCESS
    assert match(rma(expect(1, "A", value=Decimal("NaN"))), [receipt(a)], policy=limit, at=T).verdict is Verdict.FLAG
    assert match(rma(A, total=Decimal(100)), [receipt(a)], policy=limit, at=T).verdict is Verdict.PROCESS


def test_condition_goes_by_the_strictest_line_a_unit_could_be() -> None:
    """So that it never matters which of two equal units is the damaged one."""
    policy = Policy(min_condition="damaged", min_condition_by_outcome={"exchange": "good", "refund+upsell": "damaged", "refund": "damaged"})

    def codes(*outcomes: str | None, bundle: bool = False) -> list[str]:
        expected = rma(*[expect(line, "A", outcome=outcome) for line, outcome in enumerate(outcomes, start=1)])
        counted = receipt(*[count(f"u{line}", "A", "damaged" if line == 1 else "good") for line in range(1, len(outcomes) + 1)])
        return [finding.code for finding in match(expected, [counted], policy=policy, at=T).findings]

    assert codes("refund") == codes(None) == codes("credit") == codes("refund+upsell") == []
    assert (
        codes("refund", "exchange")
        == codes("exchange", "refund")
        == codes("exchange")
        == codes("credit+exchange")
        == ["CONDITION_BELOW_MIN"]
    )


def test_three_way_does_not_look_at_conditions_but_knows_a_strange_one() -> None:
    three_way = Policy(match_level=3)
    assert match(rma(A), [receipt(count("u1", "A", "damaged"))], policy=three_way, at=T).verdict is Verdict.PROCESS
    assert match(rma(A), [receipt(count("u1", "A", None))], policy=three_way, at=T).verdict is Verdict.PROCESS
    assert match(rma(A), [receipt(count("u1", "A", "worn"))], policy=three_way, at=T).verdict is Verdict.FLAG


def test_an_outcome_that_is_made_known_is_known() -> None:
    expected = rma(expect(1, "A", outcome="refund+barter"))
    assert match(expected, [receipt(a)], policy=Policy(known_outcomes=["barter"]), at=T).verdict is Verdict.PROCESS
    kept = rma(A, expect(2, "B", outcome="gift"))
    policy = Policy(keep_item_outcomes=["gift"])
    assert match(kept, [receipt(a)], policy=policy, at=T).verdict is Verdict.PROCESS
    assert match(rma(expect(1, "A", outcome="keep")), [receipt(a)], policy=policy, at=T).verdict is Verdict.PROCESS


def test_a_warehouse_or_a_currency_that_is_right_says_nothing() -> None:
    assert match(rma(A), [receipt(a, warehouse_id=1)], policy=Policy(warehouses=[1, 2]), at=T).findings == ()
    assert match(rma(A, currency=" EUR "), [receipt(a)], policy=Policy(currency="EUR", over_value=5), at=T).findings == ()
    assert match(rma(A, currency="USD"), [receipt(a)], policy=Policy(currency="EUR"), at=T).findings == ()
    assert (
        match(rma(A), [receipt(a), receipt(receipt_id=78, final=False, status=100)], policy=Policy(warehouses=[1]), at=T).verdict == "FLAG"
    )


def test_days_late_are_counted_to_the_moment() -> None:
    policy = Policy(days_late_flag=10)
    assert match(rma(A), [receipt(a)], policy=policy, at=T).verdict is Verdict.PROCESS
    assert match(rma(A), [receipt(a, at=T + timedelta(microseconds=1))], policy=policy, at=T).verdict is Verdict.FLAG
    arrived_before = receipt(a, at=T + DAY, arrived_at=T)
    assert match(rma(A), [arrived_before], policy=policy, at=T + DAY).verdict is Verdict.PROCESS


def test_a_substitute_and_a_part_of_a_set_are_asked_what_their_line_asks() -> None:
    by_outcome: dict[str, Any] = {"min_condition": "damaged", "min_condition_by_outcome": {"exchange": "good"}}
    wanted = rma(expect(1, "A", product_id="p", outcome="exchange"))
    other = receipt(count("u1", "A-XL", "damaged", product_id="p"))
    decision = match(wanted, [other], policy=Policy(substitutes="same_product", **by_outcome), at=T)
    assert [(finding.code, finding.setting) for finding in decision.findings] == [("CONDITION_BELOW_MIN", "min_condition_by_outcome")]
    whole = rma(expect(1, "K", outcome="exchange"))
    decision = match(whole, [receipt(count("u1", "A", "damaged"), b)], policy=Policy(bundles={"K": {"A": 1, "B": 1}}, **by_outcome), at=T)
    assert [(finding.code, finding.units) for finding in decision.findings] == [("CONDITION_BELOW_MIN", ("1", "u2", "u1"))]


def test_an_outcome_of_several_words_may_have_a_condition_of_its_own() -> None:
    policy = Policy(min_condition_by_outcome={"exchange+refund": "damaged", "default": "damaged"})

    def settings(outcome: str | None) -> list[str | None]:
        decision = match(rma(expect(1, "A", outcome=outcome)), [receipt(count("u1", "A", "damaged"))], policy=policy, at=T)
        return [finding.setting for finding in decision.findings]

    assert settings("exchange+refund") == settings(None) == []
    assert settings("refund+exchange") == settings("exchange") == ["min_condition"]
    surplus = match(
        rma(A), [receipt(a, count("u2", "Z", "damaged"))], policy=attrs.evolve(policy, unexpected="accept"), at=T
    )  # fmt: skip
    assert [(finding.code, finding.setting) for finding in surplus.findings if finding.blocking] == [
        ("CONDITION_BELOW_MIN", "min_condition")
    ]


def test_a_kept_line_is_known_by_what_it_carries() -> None:
    kept = rma(A, expect(2, "B", outcome="keep"))
    said = "Unit u2 (B) came for line 2, which was not to come here."
    decision = match(kept, [receipt(a, count("u2", "b"))], policy=Policy(sku_case="ignore"), at=T)
    assert [finding.message for finding in decision.findings if finding.code == "UNEXPECTED"] == [said.replace("(B)", "(b)")]
    named = match(kept, [receipt(a, count("u2", "B", line_id="2"))], at=T)
    assert [finding.message for finding in named.findings if finding.blocking] == [said]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (DAY, "1 day"), (2 * DAY, "2 days"), (HOUR, "1 hour"), (36 * HOUR, "36 hours"), (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=90), "90 seconds"), (timedelta(seconds=1), "1 second"), (timedelta(milliseconds=5), "no time"),
    ],
)  # fmt: skip
def test_lengths_of_time_are_said_in_the_largest_whole_unit(length: timedelta, words: str) -> None:
    decision = match(rma(A), [receipt(a)], policy=Policy(settle_window=length), at=T)
    assert decision.findings[0].message.startswith(f"A finished receipt rests {words}, until 2026-01-")


@pytest.mark.parametrize(
    ("carried", "identifier"),
    [
        ({"sku": " Z ", "barcode": "7"}, "sku:Z"), ({"sku": "N/A", "barcode": "7", "item_id": 5}, "barcode:7"),
        ({"item_id": 5, "variant_id": "v"}, "item:5"), ({"variant_id": "v"}, "variant:v"), ({"line_id": "9"}, "line:9"),
    ],
)  # fmt: skip
def test_a_unit_is_named_by_the_most_readable_it_carries(carried: dict[str, Any], identifier: str) -> None:
    assert match(rma(A), [receipt(a, count("u2", **carried))], at=T).findings[0].identifier == identifier


def test_an_identifier_with_a_colon_is_said_whole() -> None:
    decision = match(rma(A), [receipt(a, count("u2", barcode="urn:x:1"))], at=T)
    assert decision.findings[0].message == "Unit u2 (barcode urn:x:1) is not in this return."


def test_a_line_that_counts_nothing_is_in_order() -> None:
    assert match(rma(A), [receipt(a, **lines(0, 0)), receipt(receipt_id=78, **lines(0, 0))], at=T).findings == ()


def test_only_what_is_there_twice_is_told() -> None:
    decision = match(rma(A, A, B), [receipt(a, count("u9", "A"), b, count("u2", "C"), count("u5", "D"))], at=T)
    told_twice = [finding.identifier for finding in decision.findings if finding.code.startswith("DUPLICATE")]
    assert told_twice == ["line:1", "unit:u2"]


def test_an_allowed_surplus_is_named_with_the_line_it_belongs_to() -> None:
    """Without the line, the surplus would be something nobody expected."""
    expected = rma(expect(1, "A", outcome="barter"), B)
    decision = match(expected, [receipt(a, count("u3", "A"), b)], policy=Policy(over_units=1), at=T)
    assert [finding.units for finding in decision.findings if finding.code == "UNKNOWN_VALUE"] == [("1", "u1", "u3")]


def test_two_units_of_one_line_are_one_too_many() -> None:
    decision = match(rma(A, B), [receipt(count("u1", "A", line_id="1"), count("u3", "A", line_id="1"), b)], at=T)
    assert [(finding.code, finding.units) for finding in decision.findings] == [("OVER", ("u3",))]


def test_a_unit_of_another_line_is_no_surplus_of_a_line_that_has_no_id() -> None:
    decision = match(rma(expect("", "A")), [receipt(a, count("u2", "A", line_id="9"))], policy=Policy(over_units=1), at=T)
    assert [(finding.code, finding.units) for finding in decision.findings] == [("WRONG_LINE_OF_ORDER", ("u2",))]


def test_a_word_about_lateness_needs_no_limit_that_flags() -> None:
    decision = match(rma(A), [receipt(a)], policy=Policy(days_late_warn=9), at=T)
    assert [(finding.code, finding.setting, finding.blocking) for finding in decision.findings] == [("LATE", "days_late_warn", False)]
    assert match(rma(A), [receipt(a, at=None)], policy=Policy(days_late_warn=9), at=T).findings == ()
    assert match(rma(A), [], policy=Policy(days_late_flag=9), at=T).findings[0].code == "NOTHING_COUNTED"


def test_the_value_of_a_surplus_adds_up() -> None:
    counted = [receipt(a, count("u2", "A"), count("u3", "A"))]
    assert match(rma(WORTH_5), counted, policy=Policy(over_value=10), at=T).verdict is Verdict.PROCESS
    assert match(rma(WORTH_5), counted, policy=Policy(over_value=9), at=T).verdict is Verdict.FLAG


def test_the_values_of_the_units_make_the_total() -> None:
    expected = rma(WORTH_5, attrs.evolve(WORTH_5, line_id="2"))
    counted = [receipt(a, count("u2", "A"))]
    assert match(expected, counted, policy=Policy(review_above_value=10), at=T).verdict is Verdict.PROCESS
    assert match(expected, counted, policy=Policy(review_above_value="9.99"), at=T).verdict is Verdict.FLAG


def test_a_set_does_not_hide_the_conflict_of_another_line() -> None:
    expected = rma(expect(1, "K"), expect(2, "Z", barcode="1"))
    counted = receipt(a, b, count("u3", "Z", barcode="2"))
    decision = match(expected, [counted], policy=Policy(bundles={"K": {"A": 1, "B": 1}}), at=T)
    assert [finding.code for finding in decision.findings] == ["IDENTIFIER_CONFLICT"]
    expected = rma(expect(1, "X", product_id="p"), expect(2, "Z", barcode="1"))
    counted = receipt(count("u1", "Y", product_id="p"), count("u3", "Z", barcode="2"))
    substituted = match(expected, [counted], policy=Policy(substitutes="same_product"), at=T)
    assert [finding.code for finding in substituted.findings] == ["IDENTIFIER_CONFLICT"]


def test_to_accept_what_nobody_expected_is_not_to_accept_damage() -> None:
    decision = match(rma(A), [receipt(count("u1", "A", "damaged"), count("u2", "Z"))], policy=Policy(unexpected="accept"), at=T)
    assert [(finding.code, finding.units) for finding in decision.findings if finding.blocking] == [("CONDITION_BELOW_MIN", ("1", "u1"))]


def test_findings_of_one_code_are_in_the_order_of_what_they_are_about() -> None:
    decision = match(rma(expect(1, "C"), expect(2, "A"), expect(3, "B")), [receipt(count("u1", "Z"))], at=T)
    assert [finding.identifier for finding in decision.findings if finding.code == "SHORT"] == ["sku:A", "sku:B", "sku:C"]


def test_what_is_only_noted_has_no_end() -> None:
    decision = match(rma(A, B), [receipt(a)], policy=Policy(under_units=1), at=T)
    assert [(finding.code, finding.until) for finding in decision.findings] == [("SHORT", None)]
