"""One customer of one system: who is asking, how fast, how often, and over what. `perform` is the one road to the vendor.

A `Session` is a frozen value but for what it shares: connections, the rate limit, and the API version last seen. Two
tenants in one process are two sessions and share nothing.
"""

from __future__ import annotations

import json
import random as _random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, TypeVar

import attrs

from loop_whiplash.errors import ApiError, ConfigurationError, DecodeError, RateLimited

from .auth import Auth
from .call import Call, Method, System
from .failures import NAMES, add_facts, error_for, shown_path
from .flow import AsyncTransport, Interrupted, NotSent, Reply, Request, Send, Sleep, Store, Transport
from .hooks import Attempt, AttemptHook, tell
from .limit import Limiter
from .retry import ONCE, Outcome, Retry, Steps, next_wait, retry_after

__all__ = ["Session"]

T = TypeVar("T")

#: A place within a rate limit is used no later than this, in seconds: the slack of the tighter of the two limits.
LATE = 0.03


class _Shared:
    """What a session and those made from it by `with_options` share and change."""

    def __init__(self) -> None:
        self.api_version: str | None = None


_recorders: ContextVar[tuple[tuple[_Shared, list[Reply]], ...]] = ContextVar("_recorders", default=())


def _seconds(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{attribute.name} is a finite number of seconds above 0")


def _hooks(hooks: Iterable[AttemptHook]) -> tuple[AttemptHook, ...]:
    return tuple(hooks)


@attrs.frozen(kw_only=True, eq=False)
class Session:
    """Signs, limits, sends, repeats and decodes calls.

    Attributes:
        system: ``"loop"`` or ``"whiplash"``. transport: what carries requests. auth: what signs them. limiter: keeps the rate.
        retry: what is tried again. timeout: seconds for one exchange; connect_timeout: for making the connection.
        headers: sent with every request. clock: the present, aware; real time by default. random: a number in [0, 1).
        hooks: told of each attempt.
    """

    system: System
    transport: Transport | AsyncTransport
    auth: Auth
    limiter: Limiter
    retry: Retry = attrs.field(factory=Retry)
    timeout: float = attrs.field(default=30.0, validator=_seconds)
    connect_timeout: float = attrs.field(default=5.0, validator=_seconds)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    clock: Callable[[], datetime] | None = attrs.field(default=None, repr=False)
    random: Callable[[], float] = attrs.field(default=_random.random, repr=False)
    hooks: Sequence[AttemptHook] = attrs.field(default=(), converter=_hooks, repr=False)
    _shared: _Shared = attrs.field(factory=_Shared, repr=False)

    def now(self) -> datetime:
        """The present, aware, UTC."""
        return datetime.now(UTC) if self.clock is None else self.clock().astimezone(UTC)

    def seconds(self) -> float:
        """Seconds that never go back, for durations; those of `clock` where one was given."""
        return time.monotonic() if self.clock is None else self.clock().timestamp()

    @property
    def api_version(self) -> str | None:
        """The version in the last reply's ``x-loop-api-version``, or None."""
        return self._shared.api_version

    @contextmanager
    def replies(self) -> Iterator[list[Reply]]:
        """Collect every reply this session gets inside the ``with`` block, retried ones included."""
        seen: list[Reply] = []
        token = _recorders.set((*_recorders.get(), (self._shared, seen)))
        try:
            yield seen
        finally:
            _recorders.reset(token)

    # ------------------------------------------------------------------------------------------------ flows

    async def perform(self, call: Call[T], *, once: bool = False, before_send: Callable[[], None] | None = None) -> T:
        """Carry out one call and read its answer. A flow.

        Args:
            once: send one request at most, whatever comes of it. before_send: called just before each request leaves; what it
                raises is raised, and nothing is sent.

        Raises:
            ApiError: one of its kinds; `maybe_applied` says whether the call may have been carried out all the same.
        """
        reply = await self.exchange(call, once=once, before_send=before_send)
        try:
            return call.decode(reply)
        except ApiError as error:
            error = add_facts(error, call, reply)
            error.maybe_applied = (error.maybe_applied or isinstance(error, DecodeError)) and not call.repeatable
            raise error from None
        except Exception as error:
            problem = f"{NAMES[call.system]}'s answer to {call.method} {shown_path(call.path)} cannot be read ({type(error).__name__})"
            raise add_facts(DecodeError(problem, maybe_applied=not call.repeatable), call, reply) from error

    async def exchange(self, call: Call[Any], *, once: bool = False, before_send: Callable[[], None] | None = None) -> Reply:
        """The same up to the reply, which `call` accepts (2xx, or what it says); it is not decoded. A flow."""
        if call.system != self.system:
            raise ConfigurationError(f"a call to {NAMES[call.system]} was given to a session of {NAMES[self.system]}")
        body = None if call.json is None else encode(call.json)
        policy = ONCE if once else self.retry
        began: float | None = None
        other_credentials = False

        def decide(attempt: int, outcome: Outcome) -> float | None:
            assert began is not None
            return next_wait(
                policy,
                attempt=attempt,
                elapsed=self.seconds() - began,
                repeatable=call.repeatable,
                outcome=outcome,
                random=self.random,
                now=self.now(),
            )

        steps = Steps(decide)
        while True:
            # Signed first: a place in time is not kept while a token is being renewed, or all who waited would leave at once.
            signed = await self.auth.headers(self)
            waited = await self._take_turn()
            if before_send is not None:
                before_send()
            at, sent = self.now(), self.seconds()
            began = sent if began is None else began
            outcome: Outcome
            try:
                outcome = await Send(self._request(call, signed, body), self.transport)
            except (NotSent, Interrupted) as failure:
                outcome = failure
            await self._learn(outcome)
            if isinstance(outcome, Reply) and outcome.status == 401 and not once and not other_credentials:
                other_credentials = await self.auth.refused(self, signed)
                if other_credentials:
                    self._tell(call, steps.attempt, at, waited, outcome, self.seconds() - sent, 0.0)
                    continue
            attempt = steps.attempt
            wait = steps.again(outcome)
            self._tell(call, attempt, at, waited, outcome, self.seconds() - sent, wait)
            if wait is not None:
                await Sleep(wait)
                continue
            if isinstance(outcome, Reply) and (200 <= outcome.status < 300 or outcome.status in call.accepts):
                return outcome
            asked = retry_after(outcome.headers, self.now()) if isinstance(outcome, Reply) else None
            raise error_for(call, outcome, attempts=attempt, retry_after=asked)

    def _request(self, call: Call[Any], signed: Mapping[str, str], body: bytes | None) -> Request:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": user_agent(), **self.headers, **signed}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Request(
            method=call.method, path=call.path, params=call.params, headers=headers, body=body,
            timeout=self.timeout, connect_timeout=self.connect_timeout,
        )  # fmt: skip

    async def _take_turn(self) -> float:
        """Wait for a place within the rate limit; seconds waited."""
        limiter, waited, patience = self.limiter, 0.0, LATE
        while True:
            held = await Store(limiter.held) if limiter.blocking else limiter.held()
            if held > self.retry.longest_wait:
                raise RateLimited(
                    f"{NAMES[self.system]} asked to wait {held:.0f} s more, longer than the retry policy allows; nothing was sent",
                    system=self.system,
                    retry_after=held,
                )
            delay = await Store(limiter.reserve) if limiter.blocking else limiter.reserve()
            if delay <= 0:
                return waited
            woken_at = self.seconds() + delay
            await Sleep(delay)
            waited += delay
            # Everybody may have been told to wait meanwhile, or this process was stopped and its place has gone by: then it is given
            # up and a new one taken. What counts as late doubles, so that a machine that is always late gets on.
            late, patience = self.seconds() - woken_at > patience, 2 * patience
            if not late and (await Store(limiter.held) if limiter.blocking else limiter.held()) <= 0.001:
                return waited

    async def _learn(self, outcome: Outcome) -> None:
        if not isinstance(outcome, Reply):
            return
        self._shared.api_version = outcome.headers.get("x-loop-api-version") or self._shared.api_version
        for shared, seen in _recorders.get():
            if shared is self._shared:
                seen.append(outcome)
        remaining, refused = _remaining(outcome), outcome.status == 429
        if remaining is None and not refused and not self.limiter.blocking:
            self.limiter.learn()
            return
        asked = retry_after(outcome.headers, self.now()) if refused else None

        def learn() -> None:
            self.limiter.learn(remaining=remaining, refused=refused, retry_after=asked)

        if self.limiter.blocking:
            await Store(learn)
        else:
            learn()

    def _tell(
        self, call: Call[Any], number: int, at: datetime, waited: float, outcome: Outcome, elapsed: float, wait: float | None
    ) -> None:
        reply = outcome if isinstance(outcome, Reply) else None
        failure: Literal["not sent", "interrupted", "timed out"] | None = None
        if isinstance(outcome, NotSent):
            failure = "not sent"
        elif isinstance(outcome, Interrupted):
            failure = "timed out" if outcome.timed_out else "interrupted"
        tell(
            self.hooks,
            Attempt(
                system=call.system, method=call.method, path=shown_path(call.path), return_id=call.return_id, number=number, at=at,
                waited=waited, elapsed=elapsed, status=reply.status if reply else None, failure=failure,
                request_id=reply.request_id if reply else None, remaining=_remaining(reply) if reply else None,
                api_version=reply.headers.get("x-loop-api-version") if reply else None, retry_in=wait,
            ),
        )  # fmt: skip

    async def request(
        self, method: Method, path: str, *, params: Mapping[str, str] | None = None, json: object = None, repeatable: bool | None = None
    ) -> Reply:
        """An endpoint this library has no function for, with the same safety. A flow.

        A refusal under status 200 (``{"error": …}``) raises as it does everywhere.
        """
        facts: dict[str, Any] = {} if repeatable is None else {"repeatable": repeatable}
        call = Call(system=self.system, method=method, path=path, decode=_checked, params=dict(params or {}), json=json, **facts)
        return await self.perform(call)


def _checked(reply: Reply) -> Reply:
    from loop_whiplash.decoding.json_text import NotJson, loads

    from .failures import is_refusal, refusal

    if reply.body.lstrip()[:1] == b"{":
        try:
            value = loads(reply.body)
        except NotJson:
            return reply
        if is_refusal(value):
            raise refusal("answer", reply.body)
    return reply


def _remaining(reply: Reply) -> int | None:
    said = reply.headers.get("x-ratelimit-remaining", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None


@cache
def user_agent() -> str:
    """``loop-whiplash/1.2.3``."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"loop-whiplash/{version('loop-whiplash')}"
    except PackageNotFoundError:
        return "loop-whiplash"


def encode(value: object) -> bytes:
    """JSON for a body: `Decimal` as text, times as ISO 8601, any mapping as an object. Raises `ConfigurationError`."""
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the body cannot be written as JSON: {type(error).__name__}") from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a time without a zone")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    raise TypeError(type(value).__name__)
