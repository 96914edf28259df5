"""How old a break is, from the event it dates from, and what that weighs.

The age never depends on when somebody looked first: a return that was delivered three weeks ago is three weeks old in
the first report that shows it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from loop_whiplash.planning.model import Break

__all__ = ["BUCKETS", "age_of", "bucket_of", "days_of", "weight_of"]

#: Label and last day (inclusive, full days) of each bucket; the last one has no end.
_LAST_DAY: tuple[tuple[str, int], ...] = (("0-1", 1), ("2-3", 3), ("4-7", 7), ("8-14", 14), ("15-30", 30))
_OLDEST = "31+"
BUCKETS: tuple[str, ...] = (*(label for label, _ in _LAST_DAY), _OLDEST)
"""The buckets of age in full days, youngest first."""

_NO_TIME = timedelta(0)


def age_of(found: Break, at: datetime) -> timedelta:
    """How long it has lasted at `at`; zero where it has no date, or one still to come."""
    return max(at - found.since, _NO_TIME) if found.since is not None else _NO_TIME


def days_of(found: Break, at: datetime) -> int:
    """Full days of age."""
    return age_of(found, at).days


def bucket_of(days: int) -> str:
    """The bucket of an age in full days.

    >>> [bucket_of(days) for days in (0, 1, 2, 7, 8, 30, 31, 4000)]
    ['0-1', '0-1', '2-3', '4-7', '8-14', '15-30', '31+', '31+']
    """
    return next((label for label, last in _LAST_DAY if days <= last), _OLDEST)


def weight_of(found: Break, at: datetime) -> Decimal:
    """Money × age in days: what a worklist is sorted by. Amounts of different currencies are compared as they stand."""
    age = age_of(found, at)
    return abs(found.money) * (age.days * 86400 + age.seconds) / 86400 if found.money else Decimal(0)
