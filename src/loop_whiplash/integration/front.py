"""`Integration` and `AsyncIntegration`: the same flows, run by the caller's thread or by the caller's event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Generic, TypeVar

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.flow import Flow
from loop_whiplash.ledger.protocol import Ledger
from loop_whiplash.loop.client import AsyncLoopClient, LoopClient
from loop_whiplash.matching import match
from loop_whiplash.matching.decision import Matcher
from loop_whiplash.matching.plugged import SHAPE, is_matcher
from loop_whiplash.matching.policy import Policy
from loop_whiplash.planning.settings import Settings
from loop_whiplash.reconciliation import Report
from loop_whiplash.redaction import kind_of
from loop_whiplash.signatures import Headers
from loop_whiplash.whiplash.client import AsyncWhiplashClient, WhiplashClient

from . import people
from .check import Check, check
from .core import Core, Hook, Outcome
from .health import Health, health
from .inbox import WebhookReply, receive, receiving
from .people import Case
from .sweep import Progress, sweep
from .work import advance, run_due

__all__ = ["AsyncIntegration", "Integration"]

T = TypeVar("T")
L = TypeVar("L", LoopClient, AsyncLoopClient)
W = TypeVar("W", WhiplashClient, AsyncWhiplashClient)


def _now() -> datetime:
    return datetime.now(UTC)


class _Front(Generic[L, W]):
    """What both colours share: their arguments, and one `Core`."""

    _loop: L
    _awaited: ClassVar[bool] = False

    def __init__(
        self,
        loop: L,
        whiplash: W,
        *,
        ledger: Ledger,
        settings: Settings,
        policy: Policy | None = None,
        matcher: Matcher = match,
        loop_secrets: Sequence[str | bytes] = (),
        whiplash_secrets: Sequence[str | bytes] = (),
        clock: Callable[[], datetime] = _now,
        hooks: Sequence[Hook] = (),
    ) -> None:
        for name, client in (("loop", loop), ("whiplash", whiplash)):
            if getattr(getattr(client, "session", None), "system", None) != name:
                raise ConfigurationError(f"{name} must be a client of {name.capitalize()}; it is {kind_of(client)}")
            if isinstance(client, AsyncLoopClient | AsyncWhiplashClient) is not self._awaited:
                other = "Integration" if self._awaited else "AsyncIntegration"
                raise ConfigurationError(f"{type(self).__name__} cannot work with {type(client).__name__}; that is for {other}")
        for name, secrets in (("loop_secrets", loop_secrets), ("whiplash_secrets", whiplash_secrets)):
            if isinstance(secrets, str | bytes):
                raise ConfigurationError(f"{name} is a list of secrets, not one: [{name[:-1]}]")
        is_ledger = not isinstance(ledger, type) and callable(getattr(ledger, "accept", None))
        for name, given, fits, wanted in (
            ("ledger", ledger, is_ledger, 'a ledger, such as SQLiteLedger("returns.db")'),
            ("settings", settings, isinstance(settings, Settings), "Settings(start=…); read from a file: Settings.from_toml(…)"),
            ("policy", policy, policy is None or isinstance(policy, Policy), "Policy(…); read from a file: Policy.from_toml(…)"),
            ("matcher", matcher, is_matcher(matcher), f"called like match: {SHAPE}"),
        ):
            if not fits:
                raise ConfigurationError(f"{name} must be {wanted}; it is {kind_of(given)}")
        if settings.start is None:
            raise ConfigurationError(
                "Settings(start=…) is required: returns created before it are reported, never acted on. "
                "Give the moment you go live, e.g. datetime(2026, 12, 1, tzinfo=UTC)"
            )
        if whiplash.session.timeout > settings.effect.total_seconds():
            raise ConfigurationError(
                f"the Whiplash client waits {whiplash.session.timeout:g} s for an answer, longer than Settings.effect ({settings.effect}): "
                "a create may then have its effect later than it is looked for. Give a shorter timeout, or a longer effect"
            )
        self._loop = loop
        self._core = Core(
            loop=loop.session,
            whiplash=whiplash.session,
            ledger=ledger,
            settings=settings,
            policy=policy or Policy(),
            matcher=matcher,
            clock=clock,
            loop_secrets=loop_secrets,
            whiplash_secrets=whiplash_secrets,
            hooks=hooks,
        )


class Integration(_Front[LoopClient, WhiplashClient]):
    """Keeps one shop's Loop returns and Whiplash RMAs in step. Thread-safe; run as many workers as you like on one ledger.

    Args:
        loop: the shop's `LoopClient`. whiplash: the `WhiplashClient` of its customer account. ledger: what must outlive the process.
        settings: how it behaves; `Settings.start` is required. policy: how receipts are judged. matcher: what judges them.
        loop_secrets, whiplash_secrets: webhook secrets, newest first; several while one is being rotated.
        clock: the decision time, aware, UTC. hooks: called with a `Happening` for each webhook, action and break.

    Raises:
        ConfigurationError: an argument that cannot work; the message says which.
    """

    def _run(self, flow: Flow[T]) -> T:
        return self._loop.driver.run(flow)

    def handle_loop(self, body: bytes, headers: Headers) -> WebhookReply:
        """Take in one Loop webhook: verify, store, and say what to answer. It is never obeyed: it makes one return due.

        Args:
            body: the raw bytes as they arrived. headers: any mapping, or pairs of name and value; names in any case.

        Return `status` to Loop, which never repeats what got a 4xx: 200 it is stored; 202 it is genuine and cannot be read,
        and was kept aside; 401 no secret fits; 503 the ledger could not store it. Raises `ConfigurationError` for a body that
        is not raw bytes, or when no secret was given.
        """
        return receive(self._core, "loop", body, headers)

    def handle_whiplash(self, body: bytes, headers: Headers) -> WebhookReply:
        """Take in one Whiplash webhook: verify, store, and say what to answer. As `handle_loop`."""
        return receive(self._core, "whiplash", body, headers)

    def advance(self, return_id: int) -> Outcome:
        """Observe, plan, act and record, once, whether the return is due or not. Call it from any task queue.

        What goes wrong with this one return is in the outcome, not raised. Raises `LedgerUnavailable`.
        """
        return self._run(advance(self._core, return_id))

    def run_due(self, limit: int = 100) -> list[Outcome]:
        """Work on up to `limit` returns whose time has come, the longest due first; gives one outcome each.

        Call it every few seconds, from as many workers as you like: each return is worked on by one. A return that raises
        stops no other. Raises `LedgerUnavailable`.
        """
        return self._run(run_due(self._core, limit))

    def sweep(self, *, progress: Callable[[Progress], None] | None = None, dry_run: bool = False) -> Report:
        """The daily backup: read both sides, advance all that needs it, report every break.

        Args:
            progress: called with a `Progress` now and then. dry_run: plan and report, but write and send nothing.

        A side that could not be read whole makes `Report.complete` False; it raises nothing. A sweep that was killed is gone
        on with by the next. Raises `LedgerUnavailable`.
        """
        return self._run(sweep(self._core, progress=progress, dry_run=dry_run))

    def case(self, return_id: int) -> Case | None:
        """Its history, last decision, breaks and reasons, from the ledger alone; None when no hint has ever named it."""
        return self._run(people.case_of(self._core, return_id))

    def hold(self, return_id: int, *, by: str = "", note: str = "") -> None:
        """Keep hands off this return until `release`. Obeyed from the moment it is stored, by workers under way too.

        Args:
            by: who says so. note: why; both are shown in reports.
        """
        self._run(people.hold(self._core, return_id, by=by, note=note))

    def release(self, return_id: int, *, by: str = "") -> None:
        """Take a held return up again; it is due at once."""
        self._run(people.release(self._core, return_id, by=by))

    def retry(self, return_id: int, *, by: str = "") -> None:
        """Allow one more send of what was refused, failed, or stayed in doubt: process, flag or create. It is due at once.

        Read the return in Loop first: if its process is still queued there, this can pay twice. A return that Loop shows as
        paid is never sent again; and within five minutes of the send that one retry allowed, another is taken for the same one.
        """
        self._run(people.retry(self._core, return_id, by=by))

    def acknowledge(self, return_id: int, code: str, until: datetime, by: str, note: str = "") -> None:
        """Take note of a break until a date; it is still reported, marked so.

        Args:
            code: of the break, e.g. ``"IN_TRANSIT_STALE"``. until: aware. by: who says so. note: why.

        Raises `ConfigurationError` for a code that does not exist, or a time without a zone, or one that is over.
        """
        self._run(people.acknowledge(self._core, return_id, code, until, by, note))

    def attach(self, return_id: int, consumer_return_id: int, *, by: str = "") -> None:
        """Say that a Whiplash consumer return belongs to this Loop return: one without our id, or a second parcel of it."""
        self._run(people.attach(self._core, return_id, consumer_return_id, by=by))

    def forget(self, return_id: int) -> None:
        """Delete what is personal of a return: bodies of events, and its summary. What guards against paying twice stays."""
        self._run(people.forget(self._core, return_id))

    def check(self, *, loop_url: str | None = None, whiplash_url: str | None = None) -> list[Check]:
        """Try credentials, scopes, subscriptions, secrets, clocks, start and the ledger; each answer says what to do. Changes nothing.

        Args:
            loop_url, whiplash_url: where webhooks should arrive; without it, any subscription counts.
        """
        return self._run(check(self._core, loop_url, whiplash_url))

    def health(self) -> Health:
        """How it is doing, from the ledger alone; makes no call to either vendor."""
        return self._run(health(self._core))


class AsyncIntegration(_Front[AsyncLoopClient, AsyncWhiplashClient]):
    """`Integration`, awaited: the same arguments with async clients, the same ledgers (used from a thread), the same answers."""

    _awaited = True

    async def _run(self, flow: Flow[T]) -> T:
        return await self._loop.driver.run(flow)

    async def handle_loop(self, body: bytes, headers: Headers) -> WebhookReply:
        """See `Integration.handle_loop`."""
        return await self._run(receiving(self._core, "loop", body, headers))

    async def handle_whiplash(self, body: bytes, headers: Headers) -> WebhookReply:
        """See `Integration.handle_whiplash`."""
        return await self._run(receiving(self._core, "whiplash", body, headers))

    async def advance(self, return_id: int) -> Outcome:
        """See `Integration.advance`."""
        return await self._run(advance(self._core, return_id))

    async def run_due(self, limit: int = 100) -> list[Outcome]:
        """See `Integration.run_due`."""
        return await self._run(run_due(self._core, limit))

    async def sweep(self, *, progress: Callable[[Progress], None] | None = None, dry_run: bool = False) -> Report:
        """See `Integration.sweep`."""
        return await self._run(sweep(self._core, progress=progress, dry_run=dry_run))

    async def case(self, return_id: int) -> Case | None:
        """See `Integration.case`."""
        return await self._run(people.case_of(self._core, return_id))

    async def hold(self, return_id: int, *, by: str = "", note: str = "") -> None:
        """See `Integration.hold`."""
        await self._run(people.hold(self._core, return_id, by=by, note=note))

    async def release(self, return_id: int, *, by: str = "") -> None:
        """See `Integration.release`."""
        await self._run(people.release(self._core, return_id, by=by))

    async def retry(self, return_id: int, *, by: str = "") -> None:
        """See `Integration.retry`."""
        await self._run(people.retry(self._core, return_id, by=by))

    async def acknowledge(self, return_id: int, code: str, until: datetime, by: str, note: str = "") -> None:
        """See `Integration.acknowledge`."""
        await self._run(people.acknowledge(self._core, return_id, code, until, by, note))

    async def attach(self, return_id: int, consumer_return_id: int, *, by: str = "") -> None:
        """See `Integration.attach`."""
        await self._run(people.attach(self._core, return_id, consumer_return_id, by=by))

    async def forget(self, return_id: int) -> None:
        """See `Integration.forget`."""
        await self._run(people.forget(self._core, return_id))

    async def check(self, *, loop_url: str | None = None, whiplash_url: str | None = None) -> list[Check]:
        """See `Integration.check`."""
        return await self._run(check(self._core, loop_url, whiplash_url))

    async def health(self) -> Health:
        """See `Integration.health`."""
        return await self._run(health(self._core))
