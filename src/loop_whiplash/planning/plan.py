"""`plan`: what is to be done about one return now, and what is wrong with it.

A literal table. The first row that holds speaks; a row is its number, its name, when it holds, and what it answers.
The table is total: its last row always holds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

from loop_whiplash.matching import Matcher, Policy, match

from . import answers, verdicts
from .model import Journal, Observation, Plan
from .settings import Settings
from .situation import Situation

__all__ = ["TABLE", "Row", "plan"]


@attrs.frozen
class Row:
    """One row of the table. Several rows may share a number: they are one case with its sub-cases, in order."""

    number: int
    name: str
    when: Callable[[Situation], bool]
    then: Callable[[Situation], Plan]


_ENDED = ("cancelled", "expired", "closed")
_LIVING = ("open", "review")

#: States in the order of a return's life; nothing below row 7 is reached by one that is over.
TABLE: tuple[Row, ...] = (
    Row(1, "a side could not be read", lambda s: s.unread, answers.incomplete),
    Row(2, "several live RMAs", lambda s: len(s.rivals) > 1, answers.several),
    Row(3, "process in doubt", lambda s: s.process_in_doubt, answers.process_in_doubt),
    Row(4, "unknown to Loop, RMA", lambda s: s.rma is None and bool(s.receipts), answers.orphan_of_nobody),
    Row(4, "unknown to Loop, no RMA", lambda s: s.rma is None, answers.unknown_to_both),
    Row(5, "cancelled, RMA untouched", lambda s: s.cancelled_untouched, answers.cancelled_untouched),
    Row(6, "processed by us, changed since", lambda s: s.paid and s.corrected, answers.corrected),
    Row(6, "processed, nothing was to come", lambda s: s.paid and s.never_to_come, answers.nothing_was_to_come),
    Row(6, "processed, never counted", lambda s: s.paid and not s.goods, answers.paid_not_received),
    Row(6, "processed, counted", lambda s: s.paid, answers.settled),
    Row(7, "over unpaid, goods counted", lambda s: s.state in _ENDED and s.goods, answers.received_after_close),
    Row(7, "over unpaid, no goods", lambda s: s.state in _ENDED, answers.watch),
    Row(8, "create in doubt", lambda s: s.missing and s.create.phase == "sending" and s.at < s.create_bound, answers.create_in_doubt),
    Row(8, "create stayed in doubt", lambda s: s.missing and s.create.phase == "sending", answers.create_stayed_in_doubt),
    Row(8, "create refused", lambda s: s.missing and s.create.phase == "refused", answers.create_refused),
    Row(8, "RMA gone", lambda s: s.missing and s.create.phase == "done", answers.rma_gone),
    Row(9, "older than start, no RMA", lambda s: not s.receipts and s.before_start, answers.before_start_never_announced),
    Row(9, "older than start, counted", lambda s: s.counted and s.before_start, answers.before_start_counted),
    Row(9, "nothing to ship", lambda s: not s.receipts and not s.for_us, answers.nothing_to_ship),
    Row(9, "not yet eligible", lambda s: not s.receipts and s.state in _LIVING and not s.eligible, answers.not_yet_eligible),
    Row(10, "held by a person", lambda s: s.held, answers.held),
    Row(11, "eligible, no RMA", lambda s: not s.receipts and s.state in _LIVING, answers.create),
    Row(12, "RMA, nothing counted", lambda s: bool(s.receipts) and not s.counted, answers.under_way),
    Row(13, "verdict WAIT", lambda s: bool(s.receipts) and s.says_wait, verdicts.wait),
    Row(13, "receipt not readable whole", lambda s: bool(s.receipts) and s.says_process and bool(s.unreadable), verdicts.unreadable),
    Row(14, "process refused or failed", lambda s: s.process_failed, verdicts.processing_failed),
    Row(15, "review after our flag, cured", lambda s: s.review and s.may_process_from_review, verdicts.process_from_review),
    Row(15, "review", lambda s: s.review, verdicts.in_review),
    Row(16, "unknown state", lambda s: not s.open, verdicts.unknown_state),
    Row(17, "flag in doubt", lambda s: s.flag_in_doubt, verdicts.flag_in_doubt),
    Row(17, "FLAG, refused on this evidence", lambda s: s.says_flag and s.flag_refused, verdicts.flag_refused),
    Row(17, "FLAG, all flagged before", lambda s: s.says_flag and not s.new_keys, verdicts.flagged_before),
    Row(18, "FLAG", lambda s: s.says_flag, verdicts.flag),
    Row(19, "PROCESS after our flag, same evidence", lambda s: s.process_after_flag and not s.new_evidence, verdicts.same_evidence),
    Row(19, "PROCESS after our flag, new evidence", lambda s: s.process_after_flag and s.may_send_process, verdicts.process_after_flag),
    Row(20, "PROCESS, value released already", lambda s: s.says_process and s.released, verdicts.released_already),
    Row(20, "PROCESS, sent before", lambda s: s.says_process and not s.may_send_process, verdicts.sent_already),
    Row(20, "PROCESS", lambda s: s.says_process, verdicts.process),
    Row(20, "nothing to do", lambda s: True, verdicts.nothing_to_do),
)  # fmt: skip


def plan(
    observation: Observation,
    journal: Journal,
    *,
    policy: Policy,
    settings: Settings,
    at: datetime,
    matcher: Matcher = match,
) -> Plan:
    """At most one action, whatever is wrong, and when to look again (None: done for good). Pure.

    `journal` is what `learn` made of the one before. Receipts that Whiplash does not date are dated by `journal.seen`
    before the matcher is asked. `at`: aware, UTC. Raises what the matcher raises, and nothing else.

    >>> from datetime import UTC
    >>> from loop_whiplash.returns import ExpectedUnit, Rma
    >>> rma = Rma(return_id=7, units=[ExpectedUnit(line_id="1", sku="A")], label_statuses=["pre_transit"])
    >>> at = datetime(2025, 1, 1, tzinfo=UTC)
    >>> plan(Observation(return_id=7, rma=rma), Journal(), policy=Policy(), settings=Settings(), at=at).action
    CreateRma()
    """
    situation = Situation(observation, journal, policy=policy, settings=settings, at=at, matcher=matcher)
    row = next(row for row in TABLE if row.when(situation))
    situation.row, situation.rule = row.number, row.name
    return row.then(situation)
