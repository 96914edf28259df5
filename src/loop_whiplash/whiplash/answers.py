"""How Whiplash's answers are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from loop_whiplash.decoding import NotJson, Record, Unreadable, decode, decode_json, decode_many, loads
from loop_whiplash.decoding.values import read_number
from loop_whiplash.errors import ActionRefused, ApiError, DecodeError
from loop_whiplash.http.failures import is_refusal, said
from loop_whiplash.http.flow import Reply

__all__ = ["counted", "done", "many", "one", "results", "rows"]

T = TypeVar("T", bound=Record)


def _json(reply: Reply) -> Any:
    try:
        value = loads(reply.body)
    except NotJson as error:
        raise DecodeError(f"Whiplash's answer cannot be read: {error}", problems=(f"$: {error}",)) from None
    if is_refusal(value):
        raise _refused(reply)
    return value


def _refused(reply: Reply) -> ApiError:
    found = said(reply.body)
    # No page knows of such an answer, so nothing says that it comes before the effect and not after it.
    error = ActionRefused("Whiplash answered with an error under a status that says success; .detail has its words", maybe_applied=True)
    error.code, error.detail = found.code, found.message
    return error


def one(model: type[T]) -> Callable[[Reply], T]:
    """One object."""

    def read(reply: Reply) -> T:
        if reply.body.lstrip()[:8] in (b'{"error"', b'{"errors'):
            _json(reply)
        return decode_json(model, reply.body)

    return read


def many(model: type[T]) -> Callable[[Reply], list[T]]:
    """A bare array of objects."""

    def read(reply: Reply) -> list[T]:
        return decode_many(model, rows(reply))

    return read


def rows(reply: Reply) -> list[Any]:
    """A bare array, its rows undecoded."""
    value = _json(reply)
    if not isinstance(value, list):
        raise DecodeError("Whiplash's answer is not an array", problems=("$: not an array",))
    return value


def row_of(model: type[T], row: Any) -> T:
    """One row of `rows`. Raises `DecodeError`."""
    return decode(model, row)


def counted(reply: Reply) -> int:
    """``{"count": n}``, or a bare number as V1 has it."""
    value = _json(reply)
    try:
        found = read_number(value.get("count") if isinstance(value, Mapping) else value)
    except Unreadable:
        found = None
    if found is None or found < 0:
        raise DecodeError("Whiplash's answer is not a count", problems=("$.count: not a whole number",))
    return found


def results(reply: Reply) -> list[str]:
    """``[{"result": "…"}, …]``; what the texts may be is not documented."""
    return [str(row.get("result") or "") if isinstance(row, Mapping) else str(row) for row in rows(reply)]


def done(reply: Reply) -> None:
    """Any 2xx that is no error: 204 today, 200 with a body in older references."""
    if reply.body.lstrip()[:1] == b"{":
        _json(reply)
