"""From an answer that is no answer to an error that says what to do.

Neither vendor has one error envelope. All shapes seen anywhere are read: ``message``, ``content``, ``code``; ``error`` as
text, list or object; ``errors`` as text, list, object with ``message`` and ``code``, or field → messages; and plain text.
The vendor's words go to attributes, never into ``str``: they quote what was sent, which may be somebody's address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from loop_whiplash.errors import (
    ActionRefused,
    ApiError,
    AuthenticationFailed,
    Conflict,
    ConnectionFailed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    ScopeMissing,
    ServerError,
    TimedOut,
    ValidationFailed,
)

from .call import Call
from .flow import Interrupted, NotSent, Reply

__all__ = ["Said", "add_facts", "error_for", "said", "shown_path"]

NAMES = {"loop": "Loop", "whiplash": "Whiplash"}

#: Headers that are kept on errors. An allow-list: a cookie, an echoed credential or a link is not among them.
KEPT_HEADERS = re.compile(
    r"content-type|date|retry-after|server|allow|cf-ray|x-loop-api-version|(x-)?(loop-)?(request|correlation|trace)-id|x-runtime|(x-)?ratelimit-.*"
)
_PLAIN_SEGMENT = re.compile(r"[a-z][a-z_-]{0,40}|\d{1,20}")
_PLAIN_CODE = re.compile(r"[A-Z][A-Z0-9_-]{0,63}|[a-z]+([_-][a-z]+)*")
#: "Return is closed and therefore cannot be processed." / "Return is expired and cannot be processed."
_STATE = re.compile(r"\breturn is (?:already |in |currently )?([a-z_]{3,20})\b", re.IGNORECASE)


@attrs.frozen
class Said:
    """What an error body says: `message` in the vendor's words, its `code`, and field → messages."""

    message: str | None = None
    code: str | None = None
    fields: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    @property
    def state(self) -> str | None:
        """The state of the return as Loop's refusal words it, in lower case."""
        found = _STATE.search(self.message or "")
        return found[1].lower() if found else None


def said(body: bytes) -> Said:
    """Read an error body of any known shape. Never raises."""
    from loop_whiplash.decoding.json_text import NotJson, loads

    try:
        value = loads(body)
    except NotJson:
        text = body[:2000].decode("utf-8", "replace").strip()
        return Said(text if text and not text.startswith("<") else None)
    return _read(value)


def _read(value: Any) -> Said:
    if isinstance(value, str):
        return Said(value or None)
    if isinstance(value, list):
        parts = [_read(each) for each in value[:20]]
        return Said(
            "; ".join(part.message for part in parts if part.message) or None, next((part.code for part in parts if part.code), None)
        )
    if not isinstance(value, Mapping):
        return Said()
    message = next((text for key in ("message", "content", "error_description", "detail") if (text := _text(value.get(key)))), None)
    code = _code(value)
    fields: dict[str, tuple[str, ...]] = {}
    for key in ("error", "errors"):
        inner = value.get(key)
        if isinstance(inner, Mapping) and not inner.keys() & {"message", "code", "http_code"}:
            fields = {str(name): _texts(texts) for name, texts in list(inner.items())[:100]}
        elif inner is not None:
            found = _read(inner)
            message, code = message or found.message, code or found.code
    return Said(message or "; ".join(f"{name}: {text}" for name, texts in fields.items() for text in texts) or None, code, fields)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else (str(value),)


def _code(value: Mapping[str, Any]) -> str | None:
    """The vendor's code; of ``{"code": "401", "http_code": "GEN-UNAUTHORIZED"}`` the one that tells more than the status."""
    found = [str(value[key]) for key in ("code", "http_code") if isinstance(value.get(key), (str, int)) and str(value[key])]
    return next((code for code in found if not code.isdigit()), found[0] if found else None)


def shown_path(path: str) -> str:
    """The path as errors and logs show it: words and numbers as they are, anything else as ``…``."""
    return "/".join(part if not part or _PLAIN_SEGMENT.fullmatch(part) else "…" for part in path.split("/"))


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if KEPT_HEADERS.fullmatch(name)}


def add_facts(error: ApiError, call: Call[Any], reply: Reply | None) -> ApiError:
    """Complete an error that a decoder raised with the facts of the exchange."""
    error.system, error.method, error.path = call.system, call.method, call.path
    if error.return_id is None:
        error.return_id = call.return_id
    if reply is not None:
        error.status, error.request_id = reply.status, reply.request_id
        error.headers, error.body = kept_headers(reply.headers), reply.body
    return error


# -------------------------------------------------------------------------------------------- which error it is


def error_for(call: Call[Any], outcome: Reply | NotSent | Interrupted, *, attempts: int, retry_after: float | None = None) -> ApiError:
    """The error for an outcome that is not an answer. `attempts`: how many requests were sent."""
    what = f"{call.method} {shown_path(call.path)}" + (f" (return {call.return_id})" if call.return_id is not None else "")
    name = NAMES[call.system]
    if isinstance(outcome, NotSent):
        return add_facts(ConnectionFailed(f"{name} was not reached for {what}: {outcome}; nothing was sent{_tries(attempts)}"), call, None)
    if isinstance(outcome, Interrupted):
        if call.repeatable:
            return add_facts(TimedOut(f"{name} did not answer {what}: {outcome}{_tries(attempts)}"), call, None)
        return add_facts(
            OutcomeUnknown(f"{what} may have been carried out by {name}: {outcome}; read it back before anything else"), call, None
        )
    found = said(outcome.body)
    error = _by_status(call, outcome.status, found, f"{name} answered {what} with {outcome.status}{_shown(found.code)}", attempts)
    error.code, error.detail = found.code, found.message
    error.retry_after = retry_after
    return add_facts(error, call, outcome)


def _tries(attempts: int) -> str:
    return f" (after {attempts} attempts)" if attempts > 1 else ""


def _shown(code: str | None) -> str:
    return f" {code}" if code and _PLAIN_CODE.fullmatch(code) else ""


#: What to do, by status. `{name}` is the vendor.
ADVICE: dict[int, tuple[type[ApiError], str]] = {
    401: (
        AuthenticationFailed,
        "the key or token is wrong, expired or revoked, or lacks the scope of this endpoint; check it in {name}'s admin pages",
    ),
    403: (ScopeMissing, "the credentials are known but may not do this; ask for the scope, or check the customer id"),
    404: (NotFound, "there is nothing with this id; check the id and that the credentials are of the right shop or customer"),
    409: (Conflict, "it exists already; look it up by its original_id"),
    400: (ValidationFailed, "the request was not accepted; .fields and .detail say why"),
    422: (ValidationFailed, "the request was not accepted; .fields and .detail say why"),
    429: (RateLimited, "too many requests, and waiting longer is not allowed by the retry policy; it was not carried out"),
}


def _by_status(call: Call[Any], status: int, found: Said, sentence: str, attempts: int) -> ApiError:
    name = NAMES[call.system]
    if status in call.absent:
        status = 404
    if status in ADVICE:
        kind, advice = ADVICE[status]
        message = f"{sentence}: {advice.format(name=name)}"
        if kind is ValidationFailed:
            return ValidationFailed(message, fields=found.fields)
        return kind(message)
    if status == 408 or status >= 500:
        if not call.repeatable:
            return OutcomeUnknown(f"{sentence}: it may have been carried out all the same; read it back before anything else")
        return ServerError(f"{sentence}{_tries(attempts)}: it is {name}'s to mend; try again later")
    if 300 <= status < 400:
        # 301, 307 and 308 mean "send the same elsewhere"; 302 and 303 are what a server says after it did something.
        if not call.repeatable and status not in (301, 307, 308):
            return OutcomeUnknown(f"{sentence}: redirects are not followed; it may have been carried out; read it back, and check base_url")
        return ApiError(f"{sentence}: redirects are not followed, credentials go to one origin only; check base_url")
    if 400 <= status < 500:
        return ApiError(f"{sentence}: the request was not accepted; .detail has {name}'s words")
    return ApiError(f"{sentence}, which is no answer this library knows", maybe_applied=not call.repeatable)


# ------------------------------------------------------------------------------------- refusals under status 200

KNOWN_STATES = frozenset({"open", "closed", "cancelled", "canceled", "expired", "review", "flagged", "processed", "processing"})
_ABSENT = re.compile(r"no returns? found|not[ _]found|does(n.t| not) exist|no such|unknown return", re.IGNORECASE)

#: What Loop's refusal means for the person who must act. https://docs.loopreturns.com/api-reference (process return)
REFUSALS = {
    "UNPROCESSABLE_FLAGGED_RETURN": "it is flagged, and 'Allow flagged returns to process' is off: a person must decide in Loop's admin",
    "UNPROCESSABLE_RETURN": "its state does not allow it; read the return to see whether that is already what was wanted",
    "NOT_AUTHORIZED": "the key may not do this",
    "UNEXPECTED_ERROR": "Loop met an error of its own; read the return before trying again",
}


def _is_clear(found: Said, body: bytes) -> bool:
    """A plain no: Loop's ``false``, a code that speaks of this return, or its state in words. All else may come after the effect."""
    return found.code not in (None, "UNEXPECTED_ERROR") or found.state in KNOWN_STATES or body.strip() in (b"false", b'"false"')


def is_refusal(value: Any) -> bool:
    """An error envelope, whatever the status says."""
    return isinstance(value, Mapping) and bool(value.keys() & {"error", "errors"}) and not value.keys() & {"id", "returns", "data"}


def refusal(what: str, body: bytes, *, return_id: int | None = None) -> ApiError:
    """Loop's "no" under status 200: `NotFound` where the words say so, else `ActionRefused`, `maybe_applied` unless it is a clear no."""
    found = said(body)
    which = f"return {return_id}" if return_id is not None else "this"
    error: ApiError
    if found.code in ("NOT_FOUND", "ORDER_NOT_FOUND") or (found.code is None and _ABSENT.search(found.message or "")):
        thing = which if return_id is not None else "such thing"
        error = NotFound(f"Loop knows no {thing}; check the id and that the key is of the right shop", return_id=return_id)
    else:
        meaning = REFUSALS.get(found.code or "") or (
            f"the return is {found.state}; read it to see whether that is already what was wanted"
            if found.state in KNOWN_STATES
            else "read it to see why"
        )
        message = f"Loop refused to {what} {which}{_shown(found.code)}: {meaning}"
        error = ActionRefused(message, state=found.state, return_id=return_id)
        error.maybe_applied = not _is_clear(found, body)
    error.code, error.detail = found.code, found.message
    return error
