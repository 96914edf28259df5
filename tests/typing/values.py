"""What type checkers make of webhooks, the mapping, the matcher and the integration."""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_type

from loop_whiplash import (
    ApiError,
    AsyncIntegration,
    ConsumerReturn,
    ConsumerReturnDraft,
    ConsumerReturnEvent,
    Decision,
    Integration,
    LabelEvent,
    LoopWhiplashError,
    Matcher,
    OtherLoopEvent,
    OtherWhiplashEvent,
    Outcome,
    Policy,
    ProcessingFailed,
    Receipt,
    Report,
    Return,
    ReturnEvent,
    Rma,
    ValidationFailed,
    Verdict,
    Verified,
    WebhookReply,
    match,
    parse_loop_webhook,
    parse_whiplash_webhook,
    reconcile,
    sign_loop,
    to_consumer_return,
    to_receipt,
    to_rma,
    verify_whiplash,
)


def webhooks(body: bytes, headers: dict[str, str]) -> int | None:
    assert_type(verify_whiplash(body, headers, ["s"]), Verified)
    assert_type(sign_loop(body, "s"), dict[str, str])
    event = parse_loop_webhook(body, headers, ["s"])
    match event:
        case ReturnEvent(return_=found):
            assert_type(found, Return)
            assert_type(event.return_id, int)
        case LabelEvent() | ProcessingFailed() | OtherLoopEvent():
            assert_type(event.return_id, int | None)
    other = parse_whiplash_webhook(body, headers, ["s"])
    if isinstance(other, ConsumerReturnEvent):
        assert_type(other.consumer_return, ConsumerReturn)
    else:
        assert_type(other, OtherWhiplashEvent)
    return event.return_id


def mapping(return_: Return, consumer_return: ConsumerReturn, now: datetime) -> None:
    rma = to_rma(return_)
    assert_type(rma, Rma)
    assert_type(to_consumer_return(rma, item_ids={"A": 5}), ConsumerReturnDraft)
    receipt = to_receipt(consumer_return)
    assert_type(receipt, Receipt)
    decision = match(rma, [receipt], policy=Policy(), at=now)
    assert_type(decision, Decision)
    assert_type(decision.verdict, Verdict)
    assert_type(reconcile([return_], [consumer_return], policy=Policy(), at=now), Report)


def cautious(rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
    return match(rma, receipts, policy=policy, at=at)


def careless(rma: Rma) -> Decision:
    return match(rma, [], policy=Policy(), at=datetime.now(UTC))


mine: Matcher = cautious
theirs: Matcher = match
wrong: Matcher = careless  # type: ignore[assignment]


def front(integration: Integration, body: bytes, headers: dict[str, str]) -> None:
    assert_type(integration.handle_loop(body, headers), WebhookReply)
    assert_type(integration.advance(5), Outcome)
    assert_type(integration.run_due(limit=10), list[Outcome])
    assert_type(integration.sweep(), Report)


async def async_front(integration: AsyncIntegration, body: bytes, headers: dict[str, str]) -> None:
    assert_type(await integration.handle_whiplash(body, headers), WebhookReply)
    assert_type(await integration.advance(5), Outcome)
    assert_type(await integration.sweep(), Report)


def errors(error: LoopWhiplashError) -> None:
    assert_type(error.return_id, int | None)
    if isinstance(error, ApiError):
        assert_type(error.maybe_applied, bool)
        assert_type(error.retry_after, float | None)
    if isinstance(error, ValidationFailed):
        assert_type(error.fields, dict[str, tuple[str, ...]])
