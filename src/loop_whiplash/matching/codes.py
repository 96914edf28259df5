"""Every code a finding can have: which rule it belongs to, how long it may wait, and how it is said.

The table *is* the rule book; `docs/matching.md` and the tests walk it. `RULES_VERSION` changes whenever the same facts
under the same policy could get another verdict, other codes or other pairs; it is part of every fingerprint.
"""

from __future__ import annotations

from enum import Enum

import attrs

__all__ = ["CODES", "RULES_VERSION", "Code", "Wait"]

RULES_VERSION = "1"


class Wait(Enum):
    """From which grace a finding gets its deadline once every receipt is final; before that, all wait for the count."""

    NONE = ""  # final at once
    SHORT = "short_grace_single"  # or short_grace_multi
    UNFINISHED = "unfinished_grace"
    GRADING = "grading_grace"
    UNKNOWN = "unknown_grace"
    ARRIVAL = "arrival_grace"
    SETTLE = "settle_window"


@attrs.frozen
class Code:
    """`rank` orders findings and picks the headline; `said` opens the headline; `meaning` is for the documentation."""

    rank: int
    rule: str
    wait: Wait
    said: str
    meaning: str


_TABLE: tuple[tuple[str, str, Wait, str, str], ...] = (
    ("WRONG_RETURN", "input", Wait.NONE, "Receipt of another return", "a receipt names another Loop return"),
    ("INVALID_RECEIPT", "input", Wait.NONE, "Receipt unreadable", "a receipt has a problem, or counts less than nothing"),
    ("DUPLICATE_LINE", "input", Wait.NONE, "Line listed twice", "two expected units have one Loop line id"),
    ("DUPLICATE_UNIT", "input", Wait.NONE, "Unit listed twice", "two received units have one id"),
    ("CURRENCY_MISMATCH", "value", Wait.NONE, "Other currency", "the policy's amounts are in another currency than the return"),
    ("UNKNOWN_VALUE", "input", Wait.UNKNOWN, "Unknown value", "a state, status, condition or outcome that is not known"),
    ("TOO_AMBIGUOUS", "assign", Wait.NONE, "Too many look-alikes", "more than 64 units a side could be each other"),
    ("SUBSTITUTED_VARIANT", "explain", Wait.NONE, "Wrong variant", "another variant of an expected product came instead of it"),
    ("UNEXPECTED", "explain", Wait.NONE, "Not expected", "a unit came that this return does not have"),
    ("WRONG_LINE_OF_ORDER", "explain", Wait.NONE, "Line not of this return", "a unit came whose Loop line is not in this return"),
    ("UNKNOWN_ITEM", "explain", Wait.NONE, "Unidentified", "a unit came that carries no identifier at all"),
    ("OVER", "explain", Wait.NONE, "Too many", "more came of an expected item than expected"),
    ("CONDITION_BELOW_MIN", "condition", Wait.NONE, "Damaged", "a unit is in a worse condition than is paid for"),
    ("NOTHING_COUNTED", "count", Wait.SHORT, "Nothing arrived", "no unit was counted"),
    ("SHORT", "count", Wait.SHORT, "Missing", "an expected unit was not counted"),
    (
        "IDENTIFIER_CONFLICT",
        "assign",
        Wait.NONE,
        "Identifiers disagree",
        "a pair agrees on its strongest identifier and not on a weaker one",
    ),
    ("VALUE_ABOVE_LIMIT", "value", Wait.NONE, "Above the value limit", "the return's total is above `review_above_value`"),
    (
        "VALUE_UNKNOWN",
        "value",
        Wait.NONE,
        "Value unknown",
        "`review_above_value` is set, or a profile goes by value, and the return's total is not known",
    ),
    ("WRONG_DESTINATION", "place", Wait.NONE, "Wrong warehouse", "goods arrived at a warehouse that is not among `warehouses`"),
    ("LATE", "time", Wait.NONE, "Late", "goods arrived more than `days_late_warn` or `days_late_flag` days after the return was made"),
    (
        "ARRIVAL_UNKNOWN",
        "time",
        Wait.NONE,
        "Arrival unknown",
        "`days_late_flag` is set, and when goods arrived, or the return was made, is not known",
    ),
    ("CONDITION_UNKNOWN", "condition", Wait.GRADING, "Not graded", "a unit was not graded and `require_grading` is set"),
    ("RECEIPT_NOT_FINAL", "final", Wait.UNFINISHED, "Still being counted", "a receipt is not final: its box may be half counted"),
    ("SETTLING", "final", Wait.SETTLE, "Settling", "a finished receipt rests for `settle_window`, as it may be reopened"),
    ("NOTHING_EXPECTED", "state", Wait.NONE, "Nothing expected", "no unit of this return is to come here"),
    ("STATE_NOT_ACTIONABLE", "state", Wait.NONE, "Nothing to do", "the return is closed, cancelled or processed"),
    ("LEFT_OUT", "place", Wait.NONE, "Left out", "a line stays with the shopper or goes to another destination"),
)

CODES: dict[str, Code] = {name: Code(rank, rule, wait, said, meaning) for rank, (name, rule, wait, said, meaning) in enumerate(_TABLE)}
