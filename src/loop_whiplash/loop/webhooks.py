"""Loop's webhooks: verify, then decode. The topic says what a message holds, the trigger why it was sent; they can be crossed.

``X-Loop-Signature`` is the base64 of the HMAC-SHA256 of the raw body, keyed with the webhook secret as plain text.
Loop sends no event id, no time and no order, and repeats what it could not deliver: take every message as a hint that
one return may have changed, and read that return. A 4xx answer loses a message for good.

https://docs.loopreturns.com/webhook-reference
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from loop_whiplash.decoding import NotJson, Record, Unreadable, decode, ident, loads_object, number_id, text, when
from loop_whiplash.decoding.values import read_number_id
from loop_whiplash.errors import DecodeError, MalformedPayload
from loop_whiplash.signatures import Headers, Secret, Verified, digest, keys, raw_bytes, verify

from .models import Return

__all__ = [
    "LabelEvent",
    "LoopEvent",
    "LoopHint",
    "OtherLoopEvent",
    "ProcessingFailed",
    "ReturnEvent",
    "Verified",
    "decode_loop_event",
    "parse_loop_webhook",
    "read_loop_hint",
    "sign_loop",
    "verify_loop",
]

HEADER = "X-Loop-Signature"
PROCESSING_FAILED = ("return.processing", "return.processing.failed")
_OF_A_RETURN = ("return", "label", "return.processing")
MAX_BODY = 5_000_000
"""Bytes. A return of a hundred lines is a tenth of it."""


@attrs.frozen(kw_only=True)
class ReturnEvent(Record):
    """A whole return, from topic ``return`` and any trigger: a label that changes may well be the reason."""

    topic: str
    trigger: str | None = None
    return_: Return

    @property
    def return_id(self) -> int:
        """Loop's return id."""
        return self.return_.id


@attrs.frozen(kw_only=True)
class LabelEvent(Record):
    """A parcel label changed. It carries no lines: read the return. `label_status` may already be past ``pre_transit``."""

    topic: str | None = text()
    trigger: str | None = text()
    return_id: int | None = number_id("return_id", "id")
    order_id: str | None = ident()
    provider_order_id: str | None = ident()
    carrier: str | None = text()
    tracking_number: str | None = text()
    label_status: str | None = text()
    label_updated_at: datetime | None = when()
    shipment_id: str | None = ident()
    shop_id: str | None = ident()


@attrs.frozen(kw_only=True)
class ProcessingFailed(Record):
    """Processing a return failed after it was queued. `return_state` is usually still ``open`` or ``review``."""

    topic: str | None = text()
    trigger: str | None = text()
    return_id: int | None = number_id("return_id", "id")
    return_state: str | None = text()
    message: str | None = text()
    source: str | None = text()


@attrs.frozen(kw_only=True)
class OtherLoopEvent(Record):
    """A message of another topic, e.g. ``giftcard``. `return_id` is None when it names none."""

    topic: str | None = None
    trigger: str | None = None
    return_id: int | None = None


LoopEvent = ReturnEvent | LabelEvent | ProcessingFailed | OtherLoopEvent
"""What `parse_loop_webhook` gives. All have `return_id`, None where the message names none, `topic`, `trigger` and `raw`."""


def sign_loop(body: bytes, secret: Secret) -> dict[str, str]:
    """The header Loop would send with this body: for tests and for replays.

    Example:
        >>> sign_loop(b'{"topic":"return"}', "0123456789abcdef")
        {'X-Loop-Signature': 'N5MY8jmQ3aFFZMmq9KjWsM8/2lqyf6mjzzul3BvtCCI='}
    """
    return {HEADER: base64.b64encode(digest(raw_bytes(body), keys([secret], "secret")[0])).decode()}


def verify_loop(body: bytes, headers: Headers, secrets: Sequence[Secret]) -> Verified:
    """Check ``X-Loop-Signature``: base64 of the HMAC-SHA256 of the raw body. Which secret matched is the answer's `which`.

    Args:
        body: the raw bytes as they arrived. headers: any mapping, or pairs of name and value; names in any case.
        secrets: as text; several while one is rotated. All are tried, in constant time.

    Raises `InvalidSignature` (answer 401), or `ConfigurationError` when no secret is given or the body is not raw bytes.
    https://docs.loopreturns.com/webhook-reference/validation
    """
    return verify(body, headers, secrets, header=HEADER, setting="loop secrets", encode=base64.b64encode)


def parse_loop_webhook(body: bytes, headers: Headers, secrets: Sequence[Secret], *, max_body: int = MAX_BODY) -> LoopEvent:
    """Verify, then decode.

    Args:
        body, headers, secrets: as for `verify_loop`. max_body: bytes; a longer body is refused unread.

    Raises `InvalidSignature`, `MalformedPayload` or `ConfigurationError`, and nothing else.

    Example:
        >>> body = b'{"topic": "label", "trigger": "label.updated", "id": 7, "label_status": "in_transit"}'
        >>> parse_loop_webhook(body, sign_loop(body, "secret"), ["secret"]).return_id
        7
    """
    verify_loop(body, headers, secrets)
    return decode_loop_event(body, max_body=max_body)


@attrs.frozen(kw_only=True)
class LoopHint:
    """What a message is about, and nothing else: enough to look at that return. `payload` is the whole of it, not decoded."""

    topic: str | None
    trigger: str | None
    return_id: int | None
    payload: Mapping[str, Any]


def decode_loop_event(body: bytes, *, max_body: int = MAX_BODY) -> LoopEvent:
    """Decode a body that was verified before, e.g. one that was stored. Raises `MalformedPayload`.

    A message that is genuine but unreadable still names its return in `MalformedPayload.return_id`, where that can be read.
    """
    hint = _opened(body, max_body)
    topic, trigger = hint.topic, hint.trigger
    try:
        return _EVENTS.get((topic, trigger), _EVENTS.get((topic, None), _other))(hint.payload, topic, trigger)
    except DecodeError as error:
        message = f"the webhook ({topic}, {trigger}) is genuine but cannot be read: {error}"
        raise MalformedPayload(message, return_id=hint.return_id) from None


def read_loop_hint(body: bytes, *, max_body: int = MAX_BODY) -> LoopHint:
    """Read of a verified body which return it is about. Raises `MalformedPayload`, also for a return's message that does not say which.

    Whatever else a message holds may have changed its shape: it is not looked at.
    """
    hint = _opened(body, max_body)
    if hint.return_id is None and hint.topic in _OF_A_RETURN:
        raise MalformedPayload(f"the webhook ({hint.topic}, {hint.trigger}) is genuine but its return id cannot be read")
    return hint


def _opened(body: bytes, max_body: int) -> LoopHint:
    try:
        payload = loads_object(raw_bytes(body), most=max_body)
    except NotJson as error:
        raise MalformedPayload(f"the webhook cannot be read: {error}") from None
    topic, trigger = _text(payload, "topic"), _text(payload, "trigger")
    return LoopHint(topic=topic, trigger=trigger, return_id=_return_id(payload, topic), payload=payload)


def _text(payload: Mapping[str, Any], key: str) -> str | None:
    found = payload.get(key)
    return found if isinstance(found, str) else None


def _return_id(payload: Mapping[str, Any], topic: str | None) -> int | None:
    # `id` is the return's in these topics; elsewhere it is something else's.
    for key in ("return_id", "id") if topic in _OF_A_RETURN else ("return_id",):
        try:
            found = read_number_id(payload.get(key)) if payload.get(key) is not None else None
        except Unreadable:
            found = None
        if found is not None:
            return found
    return None


def _return(payload: Mapping[str, Any], topic: str | None, trigger: str | None) -> LoopEvent:
    return ReturnEvent(topic=topic or "return", trigger=trigger, return_=decode(Return, payload), raw=payload)


def _label(payload: Mapping[str, Any], topic: str | None, trigger: str | None) -> LoopEvent:
    return decode(LabelEvent, payload)


def _failed(payload: Mapping[str, Any], topic: str | None, trigger: str | None) -> LoopEvent:
    return decode(ProcessingFailed, payload)


def _other(payload: Mapping[str, Any], topic: str | None, trigger: str | None) -> LoopEvent:
    return OtherLoopEvent(topic=topic, trigger=trigger, return_id=_return_id(payload, topic), raw=payload)


# Topic and trigger, the trigger None for any. A trigger of return.processing not known yet may well mean success.
_EVENTS: Mapping[tuple[str | None, str | None], Callable[[Mapping[str, Any], str | None, str | None], LoopEvent]] = {
    ("return", None): _return,
    ("label", None): _label,
    PROCESSING_FAILED: _failed,
}
