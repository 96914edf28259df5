"""What the matcher answers: a `Decision`, its `Finding`s and `Pair`s."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from loop_whiplash.returns.model import Receipt, Rma

    from .policy import Policy

__all__ = ["Decision", "Finding", "Matcher", "Pair", "Verdict"]


class Verdict(str, enum.Enum):
    """What should happen to the return. ``FLAG < WAIT < PROCESS`` in permissiveness."""

    PROCESS = "PROCESS"
    FLAG = "FLAG"
    WAIT = "WAIT"
    NO_ACTION = "NO_ACTION"


@attrs.frozen(kw_only=True)
class Finding:
    """One thing the matcher noticed.

    Attributes:
        code: stable code, e.g. ``SHORT``. blocking: it keeps the return from PROCESS.
        curable: more receipts may settle it (so it waits); otherwise it is final.
        message: a sentence. units: the expected line ids and received unit ids concerned.
        identifier: the identifier concerned, e.g. ``sku:SHOE-42``. ordinal: 0, 1, … among findings of equal code and identifier.
        rule, setting: which rule and which policy setting spoke.
    """

    code: str
    curable: bool = False
    blocking: bool = True
    message: str = ""
    units: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    identifier: str | None = None
    ordinal: int = 0
    rule: str | None = None
    setting: str | None = None

    @property
    def key(self) -> str:
        """What is remembered once it was flagged: code, identifier and ordinal; nothing of policy or version."""
        return f"{self.code}|{self.identifier or ''}|{self.ordinal}"


@attrs.frozen(kw_only=True)
class Pair:
    """An expected unit and the received unit that settles it, by the strongest identifier both carry."""

    line_id: str
    received_id: str
    identifier: str


@attrs.frozen(kw_only=True)
class Decision:
    """A plain frozen value; `attrs.evolve` works on it."""

    verdict: Verdict
    findings: tuple[Finding, ...] = attrs.field(default=(), converter=tuple)
    pairs: tuple[Pair, ...] = attrs.field(default=(), converter=tuple)
    deadline: datetime | None = None
    turns_into: Verdict | None = None
    evidence: str = ""
    fingerprint: str = ""


class Matcher(Protocol):
    """Any callable of this shape plugs in where `match` does."""

    def __call__(self, rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision: ...
