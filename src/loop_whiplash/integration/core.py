"""What every flow of the integration needs, in one frozen value; and what it tells those who watch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.session import Session
from loop_whiplash.ledger.protocol import Ledger
from loop_whiplash.matching.decision import Decision, Matcher
from loop_whiplash.matching.policy import Policy
from loop_whiplash.planning.model import Break, Journal
from loop_whiplash.planning.settings import Settings
from loop_whiplash.redaction import raised

__all__ = ["Core", "Happening", "Hook", "Outcome", "log"]

log: logging.Logger = logging.getLogger("loop_whiplash")


@attrs.frozen(kw_only=True)
class Happening:
    """What a hook is told: an action that was taken, a break that opened or closed, a webhook that came in.

    Attributes:
        kind: ``action``, ``break.opened``, ``break.closed``, ``webhook``, ``sweep``.
        name: of the action (``CreateRma``, ``Process``), the break's code, ``loop`` or ``whiplash``, ``complete`` or ``incomplete``.
        result: what came of it, e.g. ``accepted``, ``refused``, ``unknown``, ``shadow``; the status a webhook was answered with.
        return_id: Loop's, or None. at: decision time, UTC. facts: plain values; no bodies, no personal data.
    """

    kind: str
    name: str
    at: datetime
    return_id: int | None = None
    result: str = ""
    facts: Mapping[str, str | int | float] = attrs.field(factory=dict)


Hook = Callable[[Happening], None]


def _secrets(given: Iterable[str | bytes]) -> tuple[str | bytes, ...]:
    return tuple(given)


def _hooks(given: Iterable[Hook]) -> tuple[Hook, ...]:
    return tuple(given)


@attrs.frozen(kw_only=True)
class Outcome:
    """What one `advance` came to.

    Attributes:
        return_id: Loop's. status: ``done`` (nothing more to do, ever), ``waiting``, ``acted``, ``busy`` (another worker has
            it), ``again`` (something kept coming in between plan and action: due again soon), ``error``.
        action: name of the action taken, with its `result`. decision: the matcher's, where it was asked.
        breaks: what is wrong. reasons: sentences. next_check_at: UTC; None when done. error: why it failed, for ``error``.
        journal: what is remembered of the return now.
    """

    return_id: int
    status: str
    action: str | None = None
    result: str | None = None
    decision: Decision | None = None
    breaks: tuple[Break, ...] = ()
    reasons: tuple[str, ...] = ()
    next_check_at: datetime | None = None
    error: str | None = None
    journal: Journal | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Core:
    """Everything a flow needs. Built once by the front door; holds no state of its own."""

    loop: Session
    whiplash: Session
    ledger: Ledger
    settings: Settings
    policy: Policy
    matcher: Matcher
    clock: Callable[[], datetime]
    loop_secrets: Sequence[str | bytes] = attrs.field(default=(), repr=False, converter=_secrets)
    whiplash_secrets: Sequence[str | bytes] = attrs.field(default=(), repr=False, converter=_secrets)
    hooks: Sequence[Hook] = attrs.field(default=(), converter=_hooks)

    def now(self) -> datetime:
        """The decision time, aware, UTC."""
        at = self.clock()
        if at.tzinfo is None:
            raise ConfigurationError("clock() gave a naive datetime; give one with a time zone, e.g. datetime.now(UTC)")
        # Two times of one local zone are subtracted by the wall: across the end of summer time a pause would be an hour shorter.
        return at if at.tzinfo is UTC else at.astimezone(UTC)

    @property
    def live(self) -> bool:
        return self.settings.mode == "live"

    def original_id(self, return_id: int) -> str:
        """What the RMA of this return is called in Whiplash."""
        return f"{self.settings.original_id_prefix}{return_id}"

    def tell(self, kind: str, name: str, *, return_id: int | None = None, result: str = "", worry: str = "", **facts: Any) -> None:
        """Log it, as a warning where there is a `worry`, and call each hook; a hook that raises is logged and stops nothing."""
        level = logging.WARNING if worry else logging.INFO
        if log.isEnabledFor(level):  # a webhook is answered before anybody formats a line that nobody reads
            log.log(
                level,
                "%s %s%s%s%s",
                kind,
                name,
                "" if return_id is None else f" of return {return_id}",
                f": {result}" if result else "",
                f", {worry}" if worry else "",
                extra={"loop_whiplash": {"kind": kind, "name": name, "return_id": return_id, "result": result, **facts}},
            )
        if not self.hooks:
            return
        happening = Happening(kind=kind, name=name, at=self.now(), return_id=return_id, result=result, facts=facts)
        for hook in self.hooks:
            try:
                hook(happening)
            except Exception as error:
                log.error("a hook raised on %s %s; it was ignored: %s", kind, name, raised(error))


#: How long after an action the return is looked at again, where no bound says otherwise.
SETTLE_AFTER = timedelta(minutes=1)
