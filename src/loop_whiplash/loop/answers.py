"""How Loop's answers are read: the value, or Loop's "no", which mostly comes with status 200."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from loop_whiplash.decoding import NotJson, Record, decode, loads
from loop_whiplash.errors import ApiError, DecodeError, NotFound, OutcomeUnknown, ValidationFailed
from loop_whiplash.http.failures import is_refusal, refusal, said
from loop_whiplash.http.flow import Reply

from .models import Return

__all__ = ["Page", "QrCode", "accepted", "done", "link", "notes", "one", "page", "qr_code", "return_with_id", "returns", "rows"]

T = TypeVar("T", bound=Record)


@attrs.frozen(kw_only=True)
class QrCode:
    """A QR code that opens the shop's return page for one order. `qr` is as Loop gives it; both hold a link that is a secret."""

    qr: str = attrs.field(repr=False)
    deeplink_url: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Page:
    """One page of the returns list: rows as they came, and the address of the next page, which is never followed."""

    rows: list[Any]
    next_url: str | None


def _json(reply: Reply, what: str) -> Any:
    """The body, unless it is a refusal. Raises `DecodeError`, or what the refusal means."""
    try:
        value = loads(reply.body)
    except NotJson as error:
        raise DecodeError(f"Loop's answer cannot be read: {error}", problems=(f"$: {error}",)) from None
    if is_refusal(value):
        raise refusal(what, reply.body)
    return value


def _unexpected(expected: str) -> DecodeError:
    return DecodeError(f"Loop's answer is not {expected}", problems=(f"$: not {expected}",))


def accepted(what: str, return_id: int) -> Callable[[Reply], None]:
    """An action: success is exactly ``true`` (the OpenAPI types it as the text ``"true"``); all other JSON is a refusal.

    One that is no clear "no" (``{}``, ``null``, an error without a code, ``UNEXPECTED_ERROR``) has `maybe_applied`.

    https://docs.loopreturns.com/api-reference/latest/return-actions/process-return
    """

    def read(reply: Reply) -> None:
        try:
            value = loads(reply.body)
        except NotJson:
            # No JSON at all is nothing Loop is known to say: a gateway's page, a body that was lost.
            raise OutcomeUnknown(
                f"what Loop answered to {what} return {return_id} is not JSON; it may have been carried out: "
                "read the return before anything else"
            ) from None
        if value is not True and value != "true":
            raise refusal(what, reply.body, return_id=return_id)

    return read


def done(reply: Reply) -> None:
    """Any 2xx that is no refusal: 204, ``"Success"``, the object."""
    if reply.body.lstrip()[:1] == b"{":
        _json(reply, "do this for")


def return_with_id(return_id: int) -> Callable[[Reply], Return]:
    """The details of one return: an array of one in real traffic, an object in the documentation, an error under 200 when there is none.

    A return with another id is not taken for it.
    """

    def read(reply: Reply) -> Return:
        for found in returns(reply, return_id):
            if found.id == return_id:
                return found
        if reply.body.strip() == b"[]":
            raise NotFound(f"Loop knows no return {return_id}; check the id and that the key is of the right shop")
        raise DecodeError(f"Loop was asked for return {return_id} and answered with another", problems=("$[0].id: another return",))

    return read


def returns(reply: Reply, return_id: int | None = None) -> list[Return]:
    """The details of all returns of one order; `return_id` where one was asked for."""
    try:
        value = loads(reply.body)
    except NotJson as error:
        raise DecodeError(f"Loop's answer cannot be read: {error}", problems=(f"$: {error}",)) from None
    if isinstance(value, Mapping):
        if "id" not in value and value.keys() & {"error", "errors", "message", "content"}:
            raise refusal("find", reply.body, return_id=return_id)
        value = [value]
    if not isinstance(value, list):
        raise _unexpected("an array or an object")
    return [decode(Return, row) for row in value]


def rows(model: type[T], key: str) -> Callable[[Reply], list[T]]:
    """A bare array, or an object with the array under `key`."""

    def read(reply: Reply) -> list[T]:
        value = _json(reply, "list")
        found = value.get(key) if isinstance(value, Mapping) else value
        if not isinstance(found, list):
            raise _unexpected(f"an array, nor an object with {key}")
        return [decode(model, row) for row in found]

    return read


def page(reply: Reply) -> Page:
    """A page of the returns list: ``{"returns": […], "nextPageUrl": …}``, or a bare array, which is everything."""
    value = _json(reply, "list")
    found = value.get("returns") if isinstance(value, Mapping) else value
    if not isinstance(found, list):
        raise _unexpected("an array, nor an object with returns")
    next_url = value.get("nextPageUrl") if isinstance(value, Mapping) else None
    return Page(found, str(next_url) if next_url else None)


def one(model: type[T], key: str) -> Callable[[Reply], T]:
    """An object, bare or under `key`."""

    def read(reply: Reply) -> T:
        value = _json(reply, "give")
        if isinstance(value, Mapping) and isinstance(value.get(key), Mapping) and "id" not in value:
            value = value[key]
        return decode(model, value)

    return read


def notes(model: type[T]) -> Callable[[Reply], list[T]]:
    """Notes: an array, or ``{"notes": []}``; a return without any answers 422 with the body ``false``."""
    many = rows(model, "notes")

    def read(reply: Reply) -> list[T]:
        if reply.status == 422:
            if reply.body.strip() in (b"false", b'"false"', b""):
                return []
            found = said(reply.body)
            error: ApiError = ValidationFailed("Loop did not accept the request for notes; .detail says why", fields=found.fields)
            error.code, error.detail = found.code, found.message
            raise error
        return many(reply)

    return read


def link(reply: Reply) -> str:
    value = _json(reply, "make a link for")
    found = value.get("url") if isinstance(value, Mapping) else None
    if not isinstance(found, str) or not found:
        raise _unexpected("an object with a url")
    return found


def qr_code(reply: Reply) -> QrCode:
    value = _json(reply, "make a QR code for")
    found = value.get("qr") if isinstance(value, Mapping) else None
    if not isinstance(found, str) or not found:
        raise _unexpected("an object with a qr")
    url = value.get("deeplink_url")
    return QrCode(qr=found, deeplink_url=url if isinstance(url, str) else None)
