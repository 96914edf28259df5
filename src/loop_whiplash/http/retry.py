"""Repeat only what is safe: a pure decision, stepped through tenacity's state machine inside a flow.

==============================  ==================  ===================================
what came of the attempt        reading (GET)       everything else
==============================  ==================  ===================================
no connection was made          again               again: it was not received
429                             again               again: it was not carried out
408, 5xx but 501 and 505        again               never: it may have been carried out
time-out, reset, cut reply      again               never: it may have been carried out
any other status                the answer          the answer
==============================  ==================  ===================================

The wait is random between 0 and ``base * 2 ** (attempt - 1)``, at most `cap` (full jitter:
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), and never shorter than the vendor's
``Retry-After``. A ``Retry-After`` beyond `longest_wait`, or a wait that would go beyond `budget`, ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import attrs
from tenacity import DoSleep, RetryCallState, Retrying

from loop_whiplash.errors import ConfigurationError

from .flow import Interrupted, NotSent, Reply

__all__ = ["ONCE", "Outcome", "Retry", "Steps", "next_wait", "retry_after"]

Outcome = Reply | NotSent | Interrupted

#: Statuses that may read differently a moment later. 501 and 505 will not.
PASSING = frozenset({408, 429, 500, 502, 503, 504, *range(506, 600)})


def _positive(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not value >= 0:
        raise ConfigurationError(f"Retry.{attribute.name} is a number of at least 0")


@attrs.frozen(kw_only=True)
class Retry:
    """How often and how long to try again what is safe to repeat. All times in seconds.

    Attributes:
        attempts: requests in all; 1 means never again. budget: from the first request to the last.
        base, cap: of the random wait. longest_wait: a ``Retry-After`` beyond this is not waited for; the error carries it.
    """

    attempts: int = attrs.field(default=4)
    budget: float = attrs.field(default=120.0, validator=_positive)
    base: float = attrs.field(default=0.5, validator=_positive)
    cap: float = attrs.field(default=30.0, validator=_positive)
    longest_wait: float = attrs.field(default=60.0, validator=_positive)

    @attempts.validator
    def _at_least_one(self, _: object, value: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigurationError("Retry.attempts is a whole number of at least 1")


ONCE = Retry(attempts=1)
"""Never again, whatever comes of it."""


def next_wait(
    policy: Retry, *, attempt: int, elapsed: float, repeatable: bool, outcome: Outcome, random: Callable[[], float], now: datetime
) -> float | None:
    """Seconds to wait before the next attempt, or None: this outcome is the answer. Pure.

    Args:
        attempt: which attempt this was, from 1. elapsed: seconds since the first began. random: a number in [0, 1).
        now: aware, to read a ``Retry-After`` that is a date.
    """
    if attempt >= policy.attempts or not _again(outcome, repeatable):
        return None
    wait = random() * min(policy.cap, policy.base * 2.0 ** min(attempt - 1, 60))
    if isinstance(outcome, Reply):
        asked = retry_after(outcome.headers, now)
        if asked is not None:
            if asked > policy.longest_wait:
                return None
            wait = max(wait, asked)
    return wait if elapsed + wait <= policy.budget else None


def _again(outcome: Outcome, repeatable: bool) -> bool:
    if isinstance(outcome, Reply):
        return outcome.status == 429 or (repeatable and outcome.status in PASSING)
    return not outcome.final and (repeatable or isinstance(outcome, NotSent))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait as ``Retry-After`` says, in seconds or as a date; None when absent or unreadable.

    A date is compared with the reply's own ``Date`` where it has one, so that a clock of ours that is wrong does no harm.
    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    if said.replace(".", "", 1).isdigit() and said.isascii():
        return min(float(said), 1e9)
    until = _date(said)
    if until is None:
        return None
    return max(0.0, (until - (_date(headers.get("date", "")) or now)).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


class Steps:
    """tenacity's state machine for one call, stepped by hand: `again` after each attempt says how long to wait, or None.

    tenacity keeps the count and the order of the questions; what it is told (stop? how long?) is `next_wait`'s answer.
    """

    def __init__(self, decide: Callable[[int, Any], float | None]) -> None:
        self._decide = decide
        self._wait = 0.0
        self._machine = Retrying(retry=self._wanted, wait=lambda _: self._wait)
        self._machine.begin()
        self._state = RetryCallState(self._machine, fn=None, args=(), kwargs={})

    def _wanted(self, state: RetryCallState) -> bool:
        assert state.outcome is not None
        wait = self._decide(state.attempt_number, state.outcome.result())
        self._wait = wait or 0.0
        return wait is not None

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._state.attempt_number

    def again(self, outcome: Outcome) -> float | None:
        """Seconds until the next attempt, or None when `outcome` is the answer."""
        self._state.set_result(outcome)
        step = self._machine.iter(self._state)
        if not isinstance(step, DoSleep):
            return None
        self._state.prepare_for_next_attempt()
        return float(step)
