"""A matcher of somebody's own, held to its shape: the mistakes of a first draft are named, not met as an `AttributeError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.redaction import kind_of

from .decision import Decision, Matcher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from loop_whiplash.returns.model import Receipt, Rma

    from .policy import Policy

__all__ = ["SHAPE", "ask", "is_matcher"]

#: What a matcher is called like.
SHAPE = "matcher(rma, receipts, *, policy, at)"


def ask(matcher: Matcher, rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
    """What it says. Raises `ConfigurationError` for anything but a `Decision`: most often a ``return`` is missing."""
    decision: Any = matcher(rma, receipts, policy=policy, at=at)
    if isinstance(decision, Decision):
        return decision
    raise ConfigurationError(f"the matcher must return a Decision, as match() does; it returned {kind_of(decision)}")


def is_matcher(given: object) -> bool:
    """Whether it can be called like one."""
    from inspect import signature

    if not callable(given) or isinstance(given, type):
        return False
    try:
        taken = signature(given)
    except (TypeError, ValueError):  # no Python function: it is seen when it is called
        return True
    try:
        taken.bind("rma", "receipts", policy="policy", at="at")
    except TypeError:
        return False
    return True
