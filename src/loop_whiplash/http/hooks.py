"""What those who watch are told of each request: facts, never bodies, queries or credentials."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

import attrs

from loop_whiplash.redaction import raised

__all__ = ["Attempt", "AttemptHook", "tell"]

log: logging.Logger = logging.getLogger("loop_whiplash.http")


@attrs.frozen(kw_only=True)
class Attempt:
    """One request that was sent, or that found no connection.

    Attributes:
        system, method, path: as in errors; ids are in the path, the query is not. return_id: Loop's, where the call is about one.
        number: which attempt of the call this was, from 1. at: when it began, UTC. waited: seconds it waited for the rate limit.
        elapsed: seconds until the reply or the failure. status: of the reply, or None. failure: why there was no reply.
        request_id: the vendor's. remaining: requests the vendor says are left in its window. api_version: Loop's, of the reply.
        retry_in: seconds until the next attempt, or None: this was the last.
    """

    system: Literal["loop", "whiplash"]
    method: str
    path: str
    return_id: int | None
    number: int
    at: datetime
    waited: float
    elapsed: float
    status: int | None = None
    failure: Literal["not sent", "interrupted", "timed out"] | None = None
    request_id: str | None = None
    remaining: int | None = None
    api_version: str | None = None
    retry_in: float | None = None


AttemptHook = Callable[[Attempt], None]


def facts_of(attempt: Attempt) -> dict[str, object]:
    """The attempt as plain values for a structured log: what is None is left out."""
    facts = {name: value for name, value in attrs.asdict(attempt).items() if value is not None}
    return {"kind": "attempt", **facts, "at": attempt.at.isoformat()}


def tell(hooks: Iterable[AttemptHook], attempt: Attempt) -> None:
    """Log it and call each hook; a hook that raises is logged and stops nothing."""
    log.debug(
        "%s %s %s: %s in %.0f ms%s",
        attempt.system,
        attempt.method,
        attempt.path,
        attempt.status if attempt.status is not None else attempt.failure,
        attempt.elapsed * 1000,
        "" if attempt.retry_in is None else f", again in {attempt.retry_in:.1f} s",
        extra={"loop_whiplash": facts_of(attempt)} if log.isEnabledFor(logging.DEBUG) else None,
    )
    for hook in hooks:
        try:
            hook(attempt)
        except Exception as error:
            log.error("a hook raised on %s %s; it was ignored: %s", attempt.method, attempt.path, raised(error))
