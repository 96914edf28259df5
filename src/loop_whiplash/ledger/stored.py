"""What goes into a ledger and comes out of it: ids, times, text and JSON, checked before any storage is touched.

Every ledger refuses the same things, whatever its storage could hold, so that one tried out in memory behaves the same
on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from loop_whiplash.errors import ConfigurationError, IntentExists, LeaseLost

from .protocol import Claim, Event, Intent

__all__ = ["aware", "digest", "from_json", "intent_exists", "lease_lost", "plain", "positive", "returned", "storable", "to_json", "utc_now"]

#: A signed 64-bit integer, which is what both SQLite and PostgreSQL hold.
LARGEST_ID = 2**63 - 1


def utc_now() -> datetime:
    """The real time, aware, UTC."""
    return datetime.now(UTC)


def plain(text: str) -> str:
    """Text every storage can hold: PostgreSQL refuses NUL, UTF-8 refuses lone surrogates; each becomes U+FFFD."""
    if text.isascii():
        return text.replace("\x00", "\ufffd") if "\x00" in text else text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")


def returned(return_id: object) -> int:
    """A return id: a positive int of at most 64 bits."""
    if isinstance(return_id, bool) or not isinstance(return_id, int) or not 0 < return_id <= LARGEST_ID:
        raise ConfigurationError(f"return_id is Loop's return id, a positive int of at most 64 bits; got {_told(return_id)}")
    return return_id


def _told(value: object) -> str:
    return f"an int of {value.bit_length()} bits" if isinstance(value, int) and value > LARGEST_ID else f"{value!r:.40}"


def aware(at: object, name: str = "at") -> datetime:
    """A time with a zone, in UTC."""
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ConfigurationError(f"{name} must be a datetime with a time zone")
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def positive(lease: timedelta) -> timedelta:
    """The length of a lease."""
    if lease <= timedelta(0):
        raise ConfigurationError(f"lease must be longer than nothing; got {lease}")
    return lease


def storable(event: Event, return_id: int | None = None) -> Event:
    """The event as every ledger keeps it; with `return_id`, filed under that return."""
    owner = event.return_id if return_id is None else return_id
    return Event(
        kind=plain(event.kind),
        return_id=None if owner is None else returned(owner),
        at=aware(event.at, "the time of an event"),
        body=bytes(event.body),
        source=plain(event.source),
        count=event.count,
    )


def digest(kind: str, body: bytes) -> bytes:
    """Equal for events of the same kind and body: what tells a repeated webhook from a new one of the same return."""
    return hashlib.sha256(kind.encode() + b"\x00" + body).digest()


def to_json(value: Mapping[str, Any], name: str) -> str:
    """A JSON object as ASCII text, which every storage takes. NaN and infinities are refused."""
    try:
        return json.dumps(dict(value), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as wrong:
        raise ConfigurationError(f"{name} is not strict JSON: {type(wrong).__name__}") from None


def from_json(text: str | None) -> dict[str, Any]:
    """What `to_json` wrote; {} for nothing."""
    value: dict[str, Any] = json.loads(text) if text else {}
    return value


def lease_lost(claim: Claim) -> LeaseLost:
    """The error that says so."""
    return LeaseLost(
        f"the lease on return {claim.return_id} (fence {claim.fence}) is over or another worker's; nothing was written",
        return_id=claim.return_id,
    )


def intent_exists(return_id: int, intent: Intent) -> IntentExists:
    """The error that says so."""
    return IntentExists(
        f"{plain(intent.kind)} {intent.ordinal} of return {return_id} was allowed before: do not send it again", return_id=return_id
    )
