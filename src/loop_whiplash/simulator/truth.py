"""What really happened, as nobody inside the world can know it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal

import attrs

__all__ = ["Deed", "Made", "Released", "Truth"]


@attrs.frozen(kw_only=True)
class Made:
    """One consumer return that came into being.

    `return_id`: the Loop return its `original_id` names, or None. `by`: ``api`` or ``warehouse``.
    """

    consumer_return_id: int
    return_id: int | None
    original_id: str | None
    at: datetime
    by: str


@attrs.frozen(kw_only=True)
class Released:
    """Value that left the shop for one return. `by`: ``api``, ``person``, ``auto`` (Loop's own automation) or ``happy_returns``."""

    return_id: int
    amount: Decimal
    at: datetime
    by: str


@attrs.frozen(kw_only=True)
class Deed:
    """One action on a return.

    `what`: ``process``, ``flag``, ``clear``, ``cancel``, ``close``, ``remove``, ``edit``, ``note``. `accepted`: Loop took it.

    `state` and `flagged` are those of the return just before.
    """

    what: str
    return_id: int
    at: datetime
    by: str
    accepted: bool = True
    state: str = "open"
    flagged: bool = False
    detail: str = ""


class Truth:
    """The record of one world.

    Attributes:
        made: every consumer return ever made. deleted: consumer return id → when it went; deleted_by_api: those that went over the API.
        released: every release of value. deeds: every action on a return, refused ones included.
        calls: (system, method, path with ids as ``{id}``) → how often. over_limit: system → requests beyond the published limit.
        busiest: system → most requests seen within one window of its limit. faults: kind of fault → how often it struck.
    """

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.deleted: dict[int, datetime] = {}
        self.deleted_by_api: dict[int, datetime] = {}
        self.released: list[Released] = []
        self.deeds: list[Deed] = []
        self.calls: Counter[tuple[str, str, str]] = Counter()
        self.over_limit: Counter[str] = Counter()
        self.busiest: dict[str, int] = {"loop": 0, "whiplash": 0}
        self.faults: Counter[str] = Counter()

    def rmas(self, return_id: int) -> list[int]:
        """Ids of all consumer returns ever made for this return, oldest first."""
        return [made.consumer_return_id for made in self.made if made.return_id == return_id]

    def live_rmas(self, return_id: int) -> list[int]:
        """Those of them that still exist."""
        return [number for number in self.rmas(return_id) if number not in self.deleted]

    def done(self, what: str, return_id: int | None = None, *, by: str | None = None, accepted: bool | None = True) -> list[Deed]:
        """Actions of one kind, oldest first; `accepted=None` gives refused ones too."""
        return [
            deed
            for deed in self.deeds
            if deed.what == what
            and (return_id is None or deed.return_id == return_id)
            and (by is None or deed.by == by)
            and (accepted is None or deed.accepted == accepted)
        ]

    def processes(self, return_id: int) -> list[Deed]:
        """Process requests that Loop accepted over its API."""
        return self.done("process", return_id, by="api")

    def flags(self, return_id: int) -> list[Deed]:
        """Flag requests that Loop accepted over its API."""
        return self.done("flag", return_id, by="api")

    def paid(self, return_id: int, *, by: str | None = None) -> Decimal:
        """How much value left the shop for this return."""
        return sum((each.amount for each in self.released if each.return_id == return_id and (by is None or each.by == by)), Decimal(0))
