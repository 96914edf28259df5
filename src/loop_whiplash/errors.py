"""Everything this library raises, in one tree.

::

    LoopWhiplashError
    ├── ConfigurationError            what you passed cannot work: settings, policy, arguments
    │   └── PolicyError               a policy that contradicts itself or names an unknown setting
    ├── ApiError                      one of the two systems did not do what was asked
    │   ├── AuthenticationFailed      401: the key or token is wrong, expired, or lacks the scope (Loop says 401 for that too)
    │   ├── ScopeMissing              403: known, but not allowed
    │   ├── NotFound                  404, or Loop's 200 that says "No return found"
    │   ├── ActionRefused             Loop said no, usually under status 200; `.code` is Loop's
    │   ├── ValidationFailed          400 / 422; `.fields` maps field path to messages
    │   ├── Conflict                  409: it exists already
    │   ├── RateLimited               429, and the wait asked for is longer than allowed; `.retry_after` in seconds
    │   ├── ServerError               5xx to a request that is safe to repeat, after the last try
    │   ├── ConnectionFailed          no connection was made; the request was certainly not received
    │   ├── TimedOut                  a request that is safe to repeat was not answered in time
    │   ├── OutcomeUnknown            a request that is not safe to repeat may have been carried out
    │   └── DecodeError               the answer is not of the documented shape; `.problems` lists the paths
    ├── ListIncomplete                a list whose completeness cannot be proven; raised after the rows
    ├── WebhookError
    │   ├── InvalidSignature          forged, or signed with a secret not given
    │   └── MalformedPayload          genuine, but not a JSON object we can read
    ├── UnresolvedItems               units for which no Whiplash item is known
    └── LedgerError
        ├── LedgerUnavailable         the ledger could not be read or written; nothing was stored
        ├── LeaseLost                 another worker owns the return now; nothing was written
        └── IntentExists              the one row that allows an action is taken; the action must not be sent

Attributes are plain data, so every error survives ``pickle``, ``copy`` and a trip through a task queue. What
arrives from outside (bodies, secrets, e-mails, addresses, status-page links) is never part of ``str`` or ``repr``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = [
    "ActionRefused",
    "ApiError",
    "AuthenticationFailed",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "DecodeError",
    "IntentExists",
    "InvalidSignature",
    "LeaseLost",
    "LedgerError",
    "LedgerUnavailable",
    "ListIncomplete",
    "LoopWhiplashError",
    "MalformedPayload",
    "NotFound",
    "OutcomeUnknown",
    "PolicyError",
    "RateLimited",
    "ScopeMissing",
    "ServerError",
    "TimedOut",
    "UnresolvedItems",
    "ValidationFailed",
    "WebhookError",
]


def _rebuild(cls: type[LoopWhiplashError], message: str, facts: dict[str, Any]) -> LoopWhiplashError:
    error = cls.__new__(cls, message)
    Exception.__init__(error, message)
    error.__dict__.update(facts)
    return error


class LoopWhiplashError(Exception):
    """The root: ``except LoopWhiplashError`` catches all that this library raises.

    Attributes:
        return_id: the Loop return it is about, or None.
        status_hint: the HTTP status to answer with when it stops a webhook handler, or None.
    """

    return_id: int | None = None
    status_hint: int | None = None

    def __init__(self, message: str, *, return_id: int | None = None) -> None:
        super().__init__(message)
        if return_id is not None:
            self.return_id = return_id

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args[0] if self.args else "", dict(self.__dict__))


class ConfigurationError(LoopWhiplashError, ValueError):
    """What you passed cannot work; the message names the argument and what it may be."""


class PolicyError(ConfigurationError):
    """A policy that contradicts itself; the message names both settings."""


class ApiError(LoopWhiplashError):
    """One of the two systems did not do what was asked.

    Attributes:
        system: ``"loop"`` or ``"whiplash"``.
        method, path: the request, without its query.
        status: the HTTP status, or None when there was no reply.
        code: the vendor's own error code, or None. detail: what it says in its own words; it may quote personal data.
        request_id: the vendor's id of the exchange, if it sent one.
        retry_after: seconds to wait before trying again, if known.
        maybe_applied: True when the request may have been carried out all the same.
        items_done: of a call that goes out in several requests, how many items were done before this one; else 0.
        headers: headers of the reply, secrets removed. body: its bytes; never shown in ``str``.
    """

    default_maybe_applied: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        system: str | None = None,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        maybe_applied: bool | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        return_id: int | None = None,
    ) -> None:
        super().__init__(message, return_id=return_id)
        self.system = system
        self.method = method
        self.path = path
        self.status = status
        self.code = code
        self.detail: str | None = None
        self.items_done = 0
        self.request_id = request_id
        self.retry_after = retry_after
        self.maybe_applied: bool = self.default_maybe_applied if maybe_applied is None else maybe_applied
        self.headers: dict[str, str] = dict(headers or {})
        self.body = body


class AuthenticationFailed(ApiError):
    """401. Loop answers 401 for a missing scope too."""


class ScopeMissing(ApiError):
    """403: the credentials are known but may not do this."""


class NotFound(ApiError):
    """Nothing has this id. Loop says so under status 200."""

    @property
    def certain(self) -> bool:
        """The vendor itself says so, in JSON or by no body at all. A page of HTML or text under a 404 may be a gateway's, or come
        from a wrong `base_url`: it proves nothing."""
        return self.body.strip()[:1] in (b"", b"{", b"[", b'"')


class ActionRefused(ApiError):
    """Loop said no, usually under status 200. `.code` is Loop's, e.g. ``UNPROCESSABLE_FLAGGED_RETURN``.

    Attributes:
        state: the state of the return as the refusal words it, or None.
    """

    state: str | None = None

    def __init__(self, message: str, *, state: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.state = state


class ValidationFailed(ApiError):
    """400 or 422.

    Attributes:
        fields: field path → what is wrong with it, as the vendor words it.
    """

    def __init__(self, message: str, *, fields: Mapping[str, tuple[str, ...]] | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.fields: dict[str, tuple[str, ...]] = dict(fields or {})


class Conflict(ApiError):
    """409: it exists already. Look it up by ``original_id``."""


class RateLimited(ApiError):
    """429, and waiting longer is not allowed by the retry policy."""


class ServerError(ApiError):
    """5xx to a request that is safe to repeat, after the last try."""


class ConnectionFailed(ApiError):
    """No connection was made: the request was certainly not received."""


class TimedOut(ApiError):
    """A request that is safe to repeat was not answered in time."""


class OutcomeUnknown(ApiError):
    """The request may have been carried out. Read the object back before you do anything else."""

    default_maybe_applied: ClassVar[bool] = True


class DecodeError(ApiError):
    """The answer is not of the documented shape.

    Attributes:
        problems: ``path: what is wrong`` for each field, e.g. ``$.line_items[3].price: not a decimal``.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.problems: tuple[str, ...] = tuple(problems)


class ListIncomplete(LoopWhiplashError):
    """The rows read so far are good, but more may exist. Raised after the last row.

    Attributes:
        system: which side. rows: how many were given.
        windows: the windows (start, end as ISO 8601, UTC) that could not be read whole.
        unreadable: rows that were there but could not be read, each as (its id or "", what is wrong); each is one you can
            still ask for by id. With `windows` and `missing` empty, these are all that is not given.
        missing: how many rows the vendor counts beyond those given, or 0.
    """

    def __init__(
        self,
        message: str,
        *,
        system: str | None = None,
        windows: tuple[tuple[str, str], ...] = (),
        rows: int = 0,
        unreadable: tuple[tuple[str, str], ...] = (),
        missing: int = 0,
    ) -> None:
        super().__init__(message)
        self.system = system
        self.windows: tuple[tuple[str, str], ...] = tuple(windows)
        self.rows = rows
        self.unreadable: tuple[tuple[str, str], ...] = tuple(unreadable)
        self.missing = missing


class WebhookError(LoopWhiplashError):
    """A webhook that cannot be used; `.status_hint` is what to answer."""


class InvalidSignature(WebhookError):
    """No secret given matches the signature: forged, or a secret that was rotated away."""

    status_hint: int | None = 401


class MalformedPayload(WebhookError):
    """The body is not a JSON object we can read. Answer 202: a 4xx would lose it for good, a repeat would not help."""

    status_hint: int | None = 202


class UnresolvedItems(LoopWhiplashError):
    """Units for which no Whiplash item is known, or more than one is.

    Attributes:
        line_ids: the Loop line ids. reasons: line id → why.
    """

    def __init__(
        self,
        message: str,
        *,
        line_ids: tuple[str, ...] = (),
        reasons: Mapping[str, str] | None = None,
        return_id: int | None = None,
    ) -> None:
        super().__init__(message, return_id=return_id)
        self.line_ids: tuple[str, ...] = tuple(line_ids)
        self.reasons: dict[str, str] = dict(reasons or {})


class LedgerError(LoopWhiplashError):
    """Something about the ledger."""


class LedgerUnavailable(LedgerError):
    """The ledger could not be read or written; nothing was stored. Answer 503 so that the webhook is sent again."""

    status_hint: int | None = 503


class LeaseLost(LedgerError):
    """Another worker owns this return now. Nothing was written; that worker goes on."""


class IntentExists(LedgerError):
    """The one row that allows this action is taken. Do not send it."""
