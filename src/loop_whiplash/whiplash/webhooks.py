"""Whiplash's webhooks: verify, then decode.

``X-WHIPLASH-SIGNATURE`` is the lower-case hex of the HMAC-SHA256 of the raw body. Official sources disagree on the key:
the OAuth application's client secret (V2 documentation, official gem) or the customer's API key (help centre). Give both.
The gem signs the client id in place of an empty body; a constant signature proves nothing about a message, and an
empty body holds none, so here an empty body is verified like any other, and then refused.

Bodies are JSON when the subscription says so: the object under its resource's name, plus ``event_name``, in any order.
There is no event id, no time and no order: take every message as a hint, and read the object.

https://docs.getwhiplash.com/webhooks
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from loop_whiplash.decoding import NotJson, Record, Unreadable, decode, loads_object
from loop_whiplash.decoding.values import read_ident, read_number_id
from loop_whiplash.errors import DecodeError, MalformedPayload
from loop_whiplash.signatures import Headers, Secret, Verified, digest, keys, raw_bytes, verify

from .models import ConsumerReturn

__all__ = [
    "ConsumerReturnEvent",
    "OtherWhiplashEvent",
    "Verified",
    "WhiplashEvent",
    "WhiplashHint",
    "decode_whiplash_event",
    "parse_whiplash_webhook",
    "read_whiplash_hint",
    "sign_whiplash",
    "verify_whiplash",
]

T = TypeVar("T")

HEADER = "X-WHIPLASH-SIGNATURE"
MAX_BODY = 5_000_000
"""Bytes."""


@attrs.frozen(kw_only=True)
class ConsumerReturnEvent(Record):
    """Something happened to a consumer return. `event_name` e.g. ``consumer_return.completed``; None if the message has none.

    Whether a message carries all lines is not documented: a consumer return without them is a hint, not a count.
    """

    event_name: str | None = None
    consumer_return: ConsumerReturn


@attrs.frozen(kw_only=True)
class OtherWhiplashEvent(Record):
    """A message about something else. `resource` is the name its object stands under, None when it has no object."""

    event_name: str | None = None
    resource: str | None = None


WhiplashEvent = ConsumerReturnEvent | OtherWhiplashEvent
"""What `parse_whiplash_webhook` gives. Both have `event_name` and `raw`."""


def _hex(digested: bytes) -> bytes:
    return digested.hex().encode()


def sign_whiplash(body: bytes, secret: Secret) -> dict[str, str]:
    """The header Whiplash would send with this body: for tests and for replays.

    Example:
        >>> sign_whiplash(b"{}", "client-secret")["X-WHIPLASH-SIGNATURE"][:16]
        'bc7827ab6d4d9fe6'
    """
    return {HEADER: digest(raw_bytes(body), keys([secret], "secret")[0]).hex()}


def verify_whiplash(body: bytes, headers: Headers, secrets: Sequence[Secret]) -> Verified:
    """Check ``X-WHIPLASH-SIGNATURE``: lower-case hex of the HMAC-SHA256 of the raw body. Which secret matched is the answer's `which`.

    Args:
        body: the raw bytes as they arrived. headers: any mapping, or pairs of name and value; names in any case.
        secrets: the OAuth client secret, the customer's API key, or both: official pages differ about which one signs.

    Raises `InvalidSignature` (answer 401), or `ConfigurationError` when no secret is given or the body is not raw bytes.
    https://docs.getwhiplash.com/webhooks
    """
    return verify(body, headers, secrets, header=HEADER, setting="whiplash secrets", encode=_hex)


def parse_whiplash_webhook(body: bytes, headers: Headers, secrets: Sequence[Secret], *, max_body: int = MAX_BODY) -> WhiplashEvent:
    """Verify, then decode.

    Args:
        body, headers, secrets: as for `verify_whiplash`. max_body: bytes; a longer body is refused unread.

    Raises `InvalidSignature`, `MalformedPayload` (XML, too) or `ConfigurationError`, and nothing else.

    Example:
        >>> body = b'{"consumer_return": {"id": 9, "status": 300}, "event_name": "consumer_return.completed"}'
        >>> parse_whiplash_webhook(body, sign_whiplash(body, "secret"), ["secret"]).consumer_return.status
        300
    """
    verify_whiplash(body, headers, secrets)
    return decode_whiplash_event(body, max_body=max_body)


@attrs.frozen(kw_only=True)
class WhiplashHint:
    """What a message is about, and nothing else: the consumer return's id at Whiplash and its original id, None where it names neither."""

    event_name: str | None
    consumer_return_id: int | None = None
    original_id: str | None = None


def decode_whiplash_event(body: bytes, *, max_body: int = MAX_BODY) -> WhiplashEvent:
    """Decode a body that was verified before, e.g. one that was stored. Raises `MalformedPayload`."""
    payload, name, row = _opened(body, max_body)
    if row is None:
        return OtherWhiplashEvent(event_name=name, resource=_resource(payload), raw=payload)
    try:
        return ConsumerReturnEvent(event_name=name, consumer_return=decode(ConsumerReturn, row), raw=payload)
    except DecodeError as error:
        raise MalformedPayload(f"the webhook ({name}) is genuine but cannot be read: {error}") from None


def read_whiplash_hint(body: bytes, *, max_body: int = MAX_BODY) -> WhiplashHint:
    """Read of a verified body which consumer return it is about. Raises `MalformedPayload`, also for one's message that does not say which.

    Whatever else a message holds may have changed its shape: it is not looked at.
    """
    _, name, row = _opened(body, max_body)
    if row is None:
        return WhiplashHint(event_name=name)
    originator = row.get("originator")
    number = _known(read_number_id, row.get("id"))
    original_id = _known(read_ident, originator.get("original_id")) if isinstance(originator, Mapping) else None
    if number is None and original_id is None:
        raise MalformedPayload(f"the webhook ({name}) is genuine but neither id of its consumer return can be read")
    return WhiplashHint(event_name=name, consumer_return_id=number, original_id=original_id)


def _known(read: Callable[[object], T | None], value: object) -> T | None:
    try:
        return None if value is None else read(value)
    except Unreadable:
        return None


def _opened(body: bytes, max_body: int) -> tuple[Mapping[str, Any], str | None, Mapping[str, Any] | None]:
    """The payload, the name of the event, and the consumer return that it is about, if any."""
    body = raw_bytes(body)
    if body[:100].lstrip().startswith(b"<"):
        raise MalformedPayload("the webhook is XML: choose JSON as the format of the subscription in Whiplash")
    try:
        payload = loads_object(body, most=max_body)
    except NotJson as error:
        raise MalformedPayload(f"the webhook cannot be read: {error}") from None
    # https://help.whiplash.com (article 360053541791): XML has a `webhook` root; a JSON body with one is read as well.
    if isinstance(payload.get("webhook"), Mapping) and not _named(payload):
        payload = payload["webhook"]
    name, row = _named(payload), payload.get("consumer_return")
    ours = isinstance(row, Mapping) and (name is None or name.startswith("consumer_return."))
    return payload, name, row if ours else None


def _named(payload: Mapping[str, Any]) -> str | None:
    found = payload.get("event_name")
    return found if isinstance(found, str) and found else None


def _resource(payload: Mapping[str, Any]) -> str | None:
    return next((key for key, value in payload.items() if isinstance(value, Mapping)), None)
