"""A webhook comes in: verify, store, then answer. It is never obeyed; it only makes one return due.

Of a message only that is read which says whose return it is about; whatever else is in it may change its shape.

What each answer means to the sender (https://docs.loopreturns.com/webhook-reference: a 4xx is never sent again, a 5xx
five times): 200 stored; 202 genuine but unreadable, kept aside and reported; 401 the signature matches no secret;
503 the ledger could not store it, send it again.
"""

from __future__ import annotations

import json
import re
import weakref
from contextlib import suppress
from datetime import datetime, timedelta

import attrs

from loop_whiplash.errors import InvalidSignature, LedgerUnavailable, MalformedPayload
from loop_whiplash.http.flow import Store
from loop_whiplash.ledger.protocol import Event, Ledger
from loop_whiplash.loop.webhooks import PROCESSING_FAILED, read_loop_hint, verify_loop
from loop_whiplash.returns import return_id_of
from loop_whiplash.signatures import Headers, Verified
from loop_whiplash.whiplash.webhooks import read_whiplash_hint, verify_whiplash

from .core import Core

#: Of a webhook that cannot be read, so many bytes are kept; and of what any calls itself, so many characters.
KEPT, NAMED = 65_536, 200
#: That a webhook was genuine, or forged, is remembered so often.
NOTED_EVERY = timedelta(hours=1)

#: What a vendor does about a webhook that got a 401.
NOT_AGAIN = {"loop": "Loop does not send it again", "whiplash": "after 100 failures Whiplash switches the subscription off"}

__all__ = ["WebhookReply", "owner_of", "receive", "receiving", "refused_key", "rma_key", "verified_key"]


@attrs.frozen(kw_only=True)
class WebhookReply:
    """What to answer the sender with: `status` (an HTTP status), `body` (text, nothing secret), `return_id` if one was named."""

    status: int
    body: str
    return_id: int | None = None


def rma_key(consumer_return_id: int) -> str:
    """The ledger's fact that says which Loop return an RMA belongs to, where its own original id does not."""
    return f"rma/{consumer_return_id}"


def receive(core: Core, system: str, body: bytes, headers: Headers) -> WebhookReply:
    """Take in one webhook of ``loop`` or ``whiplash``, on this thread."""
    return _answer(core, system, _take(core, system, body, headers))


async def receiving(core: Core, system: str, body: bytes, headers: Headers) -> WebhookReply:
    """The same as a flow: an event loop must not wait for a disk."""
    return _answer(core, system, await Store(lambda: _take(core, system, body, headers)))


def _verify(core: Core, system: str, body: bytes, headers: Headers) -> Verified:
    return verify_loop(body, headers, core.loop_secrets) if system == "loop" else verify_whiplash(body, headers, core.whiplash_secrets)


def _read(core: Core, system: str, body: bytes) -> Event:
    if system == "whiplash":
        told = read_whiplash_hint(body)
        return_id = owner_of(core, told.consumer_return_id, told.original_id)
        return Event(kind="whiplash.hint", return_id=return_id, at=core.now(), body=body, source=(told.event_name or "")[:NAMED])
    hint = read_loop_hint(body)
    if (hint.topic, hint.trigger) == PROCESSING_FAILED:
        said = json.dumps({"message": hint.payload.get("message"), "state": hint.payload.get("return_state")}).encode()
        return Event(kind="loop.processing_failed", return_id=hint.return_id, at=core.now(), body=said, source="webhook")
    source = f"{hint.topic} {hint.trigger}"[:NAMED]
    return Event(kind="loop.hint", return_id=hint.return_id, at=core.now(), body=body, source=source)


def owner_of(core: Core, consumer_return_id: int | None, original_id: str | None) -> int | None:
    """The Loop return a consumer return belongs to: by what a person or an adoption said, else by its original id."""
    stored = None if consumer_return_id is None else core.ledger.get(rma_key(consumer_return_id))
    return int(stored) if stored is not None else return_id_of(original_id, core.settings.original_id_prefix)


def _take(core: Core, system: str, body: bytes, headers: Headers) -> tuple[WebhookReply, str]:
    """Verify, read, store. Gives the answer, and what is to worry about."""
    try:
        which = _verify(core, system, body, headers).which
    except InvalidSignature as refused:
        with suppress(LedgerUnavailable):  # it is refused whether that can be remembered or not
            _note(core, refused_key(system), "")
        said = str(refused)
        return WebhookReply(status=401, body=re.split("[:;]", said, maxsplit=1)[0]), f"{said}; {NOT_AGAIN[system]}"
    try:
        _note(core, verified_key(system), str(which))
        return _store(core, system, bytes(body))
    except LedgerUnavailable:
        reply = WebhookReply(status=503, body="the ledger is unavailable; send it again")
        return reply, "the ledger could not store it; it will be sent again"


def _store(core: Core, system: str, body: bytes) -> tuple[WebhookReply, str]:
    try:
        event = _read(core, system, body)
    except MalformedPayload as unreadable:
        kind, source = f"{system}.unreadable", str(unreadable)[:KEPT]
        core.ledger.accept(Event(kind=kind, return_id=None, at=core.now(), body=body[:KEPT], source=source), due_at=None)
        reply = WebhookReply(status=202, body="kept aside: it could not be read")
        return reply, "it is genuine and could not be read: kept aside, and in the report as UNREADABLE"
    core.ledger.accept(event, due_at=event.at if event.return_id is not None else None)
    return WebhookReply(status=200, body="stored", return_id=event.return_id), ""


def _answer(core: Core, system: str, taken: tuple[WebhookReply, str]) -> WebhookReply:
    """Tell those who watch."""
    reply, worry = taken
    core.tell("webhook", system, return_id=reply.return_id, result=str(reply.status), worry=worry)
    return reply


def verified_key(system: str) -> str:
    """The ledger's fact that says when a webhook of this system last was genuine, and by which secret."""
    return f"webhook/{system}/verified"


def refused_key(system: str) -> str:
    """The ledger's fact that says when a webhook of this system last was signed with none of the secrets."""
    return f"webhook/{system}/refused"


#: What this process has noted of late, by ledger, so that a webhook costs no read: (key, what) → when.
_noted: weakref.WeakKeyDictionary[Ledger, dict[tuple[str, str], datetime]] = weakref.WeakKeyDictionary()


def _note(core: Core, key: str, what: str) -> None:
    """Remember it for `check`, at most once an hour: nobody may make the ledger write by sending rubbish."""
    at = core.now()
    noted = _noted.setdefault(core.ledger, {})
    last = noted.get((key, what))
    if last is not None and timedelta(0) <= at - last < NOTED_EVERY:
        return
    _remember(core, key, what, at)
    noted[key, what] = at


def _remember(core: Core, key: str, what: str, at: datetime) -> None:
    stored = core.ledger.get(key)
    if stored is not None:
        before, _, said = stored.partition(" ")
        if said == what and at - datetime.fromisoformat(before) < NOTED_EVERY:
            return
    core.ledger.put(key, f"{at.isoformat()} {what}")
