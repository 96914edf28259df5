"""`match`: is what was counted what was expected, and what should happen to the return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.returns.model import Receipt, Rma

from .clean import clean_pairs, is_clean
from .codes import RULES_VERSION
from .decision import Decision, LateFields, Verdict, decide
from .evidence import evidence_of, fingerprint_of
from .findings import Draft
from .judgement import ENDED, Judgement, finish, judge
from .policy import Policy
from .settlement import Settlement, settle
from .snapshots import newest, progress_of

__all__ = ["match"]

_DEFAULT = Policy()
_NO_ZONE = "match(at=…) must be a datetime with a time zone, e.g. datetime.now(UTC); it is {!r}"


def match(rma: Rma, receipts: Sequence[Receipt], *, policy: Policy = _DEFAULT, at: datetime) -> Decision:
    """Judge what was counted against what was expected. Pure: equal arguments give equal decisions.

    `receipts` are snapshots: of two with one id the newer counts, several ids add up. `at` is the time of asking, aware.
    `policy` may hold profiles; the one for this return judges.

    Returns:
        a `Decision`: PROCESS, FLAG, WAIT with a deadline, or NO_ACTION for a return that is closed, cancelled or processed.

    Raises:
        ConfigurationError: `at` has no time zone, or an argument is not of its type. Bad data never raises: it is a finding.

    Example:
        >>> from datetime import UTC
        >>> from loop_whiplash.returns import ExpectedUnit, ReceivedUnit
        >>> rma = Rma(return_id=7, units=[ExpectedUnit(line_id="1", sku="BOOT-M")])
        >>> receipt = Receipt(id=9, units=[ReceivedUnit(id="5/1", sku="BOOT-M", condition="good")], status=300, final=True)
        >>> match(rma, [receipt], at=datetime(2026, 3, 2, tzinfo=UTC)).headline
        '1 of 1 expected unit counted'
    """
    listed = type(receipts) is list or type(receipts) is tuple
    if not listed or type(rma) is not Rma or type(policy) is not Policy or type(at) is not datetime:
        _check(rma, receipts, policy, at)
    if at.utcoffset() is None:
        raise ConfigurationError(_NO_ZONE.format(at))
    in_doubt = False
    if policy.profiles:
        policy, in_doubt = policy.choose(rma), policy.choice_in_doubt(rma)
    if listed and len(receipts) == 1 and not in_doubt and type(receipts[0]) is Receipt and is_clean(rma, receipts[0], policy):
        return decide(Verdict.PROCESS, (), None, None, _late_clean, (rma, receipts[0], policy))
    return _judged(rma, newest(receipts), policy, at.astimezone(UTC), in_doubt)


def _check(rma: object, receipts: object, policy: object, at: object) -> None:
    if not isinstance(at, datetime):
        raise ConfigurationError(_NO_ZONE.format(at))
    if not isinstance(rma, Rma):
        raise ConfigurationError(f"match() takes an Rma, made by to_rma(), first; it got a {type(rma).__name__}")
    if isinstance(receipts, (Receipt, str, bytes, Mapping)) or not hasattr(receipts, "__iter__"):
        raise ConfigurationError(f"match() takes a sequence of Receipt second; it got a {type(receipts).__name__}")
    if not isinstance(policy, Policy):
        raise ConfigurationError(f"match(policy=…) must be a Policy; it is a {type(policy).__name__}")


def _judged(rma: Rma, receipts: tuple[Receipt, ...], policy: Policy, at: datetime, in_doubt: bool) -> Decision:
    if rma.state in ENDED or rma.was_processed:
        why = "it was processed" if rma.was_processed else f"it is {rma.state}"
        draft = Draft("STATE_NOT_ACTIONABLE", (), f"state:{rma.state}", f"Nothing is to be done in Loop: {why}.", blocking=False)
        judgement, settlement = Judgement(Verdict.NO_ACTION, finish([draft], at)), None
    else:
        settlement = settle(rma, receipts, policy)
        judgement = judge(rma, receipts, settlement, progress_of(receipts, policy), policy, at, in_doubt)
    facts = (rma, receipts, policy, settlement)
    return decide(judgement.verdict, judgement.findings, judgement.deadline, judgement.turns_into, _late, facts)


def _late_clean(rma: Rma, receipt: Receipt, policy: Policy) -> LateFields:
    evidence = evidence_of(rma, (receipt,))
    pairs = clean_pairs(rma, receipt, policy)
    return pairs, (), (), (), evidence, fingerprint_of(evidence, policy), rma.return_id, policy.name, RULES_VERSION


def _late(rma: Rma, receipts: tuple[Receipt, ...], policy: Policy, settlement: Settlement | None) -> LateFields:
    settlement = settlement or settle(rma, receipts, policy)
    expected, received = settlement.unpaired()
    left_out = tuple([unit.line_id for unit in settlement.left_out])
    evidence = evidence_of(rma, receipts)
    fingerprint = fingerprint_of(evidence, policy)
    return settlement.pairs(), expected, received, left_out, evidence, fingerprint, rma.return_id, policy.name, RULES_VERSION
