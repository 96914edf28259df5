"""From facts to findings, and from findings to a verdict.

A finding is *curable* while more receipts, or a finished count, may settle it; otherwise it is *final*. While a box is
still being counted, everything is curable. FLAG if a final one blocks; else WAIT if a curable one does; else PROCESS.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from loop_whiplash.returns.model import Receipt, Rma

from .codes import CODES, Wait
from .decision import Finding, Verdict
from .findings import Case, Draft, day, span
from .policy import Policy
from .settlement import Settlement
from .snapshots import Clock, Progress, later

__all__ = ["ENDED", "Judgement", "finish", "judge"]

# https://docs.loopreturns.com: in these states, nothing can be done any more.
ENDED = frozenset({"closed", "cancelled"})
_GRACES = frozenset(wait.value for wait in Wait if wait.value) | {"short_grace_multi"}


@attrs.frozen
class Judgement:
    verdict: Verdict
    findings: tuple[Finding, ...]
    deadline: datetime | None = None
    turns_into: Verdict | None = None


def judge(
    rma: Rma,
    receipts: Sequence[Receipt],
    settlement: Settlement,
    progress: Progress,
    policy: Policy,
    at: datetime,
    in_doubt: bool,
) -> Judgement:
    """`receipts`: one version of each; `at`: aware, UTC; `in_doubt`: the choice of the policy hung on a total that is not known."""
    case = Case(rma, receipts, settlement, progress, policy, Clock(at, progress, rma, policy), in_doubt)
    drafts = list(case.drafts())
    set_deadlines(case, drafts)
    blocking = [draft for draft in drafts if draft.blocking]
    curable = [draft for draft in blocking if draft.until is not None and at < draft.until]
    if not settlement.by and not any(draft.code != "SETTLING" for draft in blocking):
        # Whatever the tolerances: nobody is paid for a return of which nothing came.
        drafts = [draft for draft in drafts if draft.code != "SETTLING"]
        drafts.append(
            Draft("NOTHING_EXPECTED", (), None, "No unit of this return is to come here, so there is nothing to pay.", blocking=False)
        )
        return Judgement(Verdict.NO_ACTION, finish(drafts, at))
    if len(curable) < len(blocking):
        return Judgement(Verdict.FLAG, finish(drafts, at))
    if not curable:
        return Judgement(Verdict.PROCESS, finish(drafts, at))
    # A settled receipt is simply judged; anything else that runs out is a flag.
    ends = [draft.until for draft in curable if draft.until is not None and draft.code != "SETTLING"]
    settles = [draft.until for draft in curable if draft.until is not None]
    deadline = min(ends) if ends else max(settles)
    return Judgement(Verdict.WAIT, finish(drafts, at), deadline, Verdict.FLAG if ends else Verdict.PROCESS)


def finish(drafts: list[Draft], at: datetime) -> tuple[Finding, ...]:
    """Ordinals, and the order: final blockers, curable blockers, the rest; then by rank, identifier and ordinal."""
    drafts.sort(key=lambda draft: (CODES[draft.code].rank, draft.identifier or "", draft.units, draft.message))
    ordinals: dict[tuple[str, str | None], int] = {}
    findings = []
    for draft in drafts:
        key = draft.code, draft.identifier
        ordinal = ordinals[key] = ordinals.get(key, -1) + 1
        curable = draft.until is not None and at < draft.until
        findings.append(
            Finding(
                code=draft.code,
                curable=curable,
                blocking=draft.blocking,
                message=draft.message,
                units=draft.units,
                identifier=draft.identifier,
                ordinal=ordinal,
                rule=CODES[draft.code].rule,
                setting=draft.setting,
                until=draft.until if draft.blocking else None,
            )
        )
    return tuple(sorted(findings, key=lambda finding: (not finding.blocking, finding.curable)))


def set_deadlines(case: Case, drafts: list[Draft]) -> None:
    """When each finding stops being curable."""
    open_ends = [draft.until for draft in drafts if draft.code == "RECEIPT_NOT_FINAL"]
    if open_ends:
        # Everything waits for the count, and the first box that stays half counted too long ends it.
        known = [end for end in open_ends if end is not None]
        end = min(known) if len(known) == len(open_ends) else None
        for draft in drafts:
            if draft.code != "RECEIPT_NOT_FINAL":
                draft.until = end
    else:
        rests = next((draft.until for draft in drafts if draft.code == "SETTLING"), None)
        for draft in drafts:
            draft.until = max(filter(None, (_own_deadline(case, draft), rests)), default=None)
    for draft in drafts:
        waits_itself = draft.code == "RECEIPT_NOT_FINAL" or not open_ends
        if draft.blocking and waits_itself and draft.setting in _GRACES and draft.code != "SETTLING":
            draft.message += _says(case, draft)


def _own_deadline(case: Case, draft: Draft) -> datetime | None:
    if draft.setting == "unfinished_grace":
        return case.clock.arrives_until  # nothing was counted, and a box is in the warehouse
    wait = CODES[draft.code].wait
    # While nothing has been counted, goods that arrive may still settle anything.
    nothing_yet = None if case.settled.received or case.progress.finals else case.clock.arrives_until
    if wait is Wait.NONE or (draft.code == "UNKNOWN_VALUE" and draft.setting != "unknown_grace"):
        return nothing_yet
    counted = case.clock.counted_at
    if counted is None:
        return nothing_yet
    if wait is Wait.SHORT:
        return later(counted, getattr(case.policy, case.grace))
    return later(counted, getattr(case.policy, wait.value))


def _says(case: Case, draft: Draft) -> str:
    setting = str(draft.setting)
    length = span(getattr(case.policy, setting))
    if draft.until is None:
        return f" No time is known from which {setting} ({length}) could run."
    ended = "ended" if draft.until <= case.clock.at else "ends"
    return f" Its {setting} ({length}) {ended} {day(draft.until)}."
