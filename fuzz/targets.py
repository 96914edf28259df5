"""What is fuzzed: each target is a function of bytes that raises only when the library breaks its word.

Nothing here needs atheris: the tests run the same targets over the seeds, over mutations of them and over all that once crashed.
"""

from __future__ import annotations

import csv
import io
import json
import pickle
import re
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any, TypeVar

from loop_whiplash import Policy, match, reconcile, to_receipt, to_rma
from loop_whiplash.decoding import NotJson, Record, loads
from loop_whiplash.errors import (
    ApiError,
    ConfigurationError,
    DecodeError,
    InvalidSignature,
    LedgerError,
    LoopWhiplashError,
    MalformedPayload,
)
from loop_whiplash.http.failures import said
from loop_whiplash.http.flow import Reply
from loop_whiplash.loop import answers as loop_answers
from loop_whiplash.loop.models import AsnRow, Destination, Note, Return, WebhookSubscription
from loop_whiplash.loop.webhooks import ReturnEvent, parse_loop_webhook, sign_loop
from loop_whiplash.matching.decision import Decision
from loop_whiplash.planning.model import Journal
from loop_whiplash.whiplash import answers as whiplash_answers
from loop_whiplash.whiplash.models import (
    BundleItem,
    ConsumerReturn,
    Item,
    NotificationEvent,
    NotificationSubscription,
    Order,
    OrderItem,
    Originator,
    Scancode,
    Transaction,
    User,
)
from loop_whiplash.whiplash.webhooks import ConsumerReturnEvent, parse_whiplash_webhook, sign_whiplash

__all__ = ["MODELS", "TARGETS"]

E = TypeVar("E", bound=LoopWhiplashError)

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
SECRETS = ["an-older-secret", "the-secret"]
POLICY = Policy()
RMA = to_rma(Return.from_dict({"id": 1, "state": "open", "line_items": [{"line_item_id": 1, "sku": "A"}]}))


# ----------------------------------------------------------------------------------------------------------- webhooks


def loop_webhook(data: bytes) -> None:
    """Unsigned: refused, whatever it is. Signed: an event, or `MalformedPayload`; what it holds can be worked with."""
    _refuses(parse_loop_webhook, data, "X-Loop-Signature")
    try:
        event = parse_loop_webhook(data, sign_loop(data, SECRETS[1]), SECRETS)
    except MalformedPayload as error:
        _is_an_id(error.return_id)
        _through_a_queue(error)
        return
    _is_an_id(event.return_id)
    repr(event)
    if isinstance(event, ReturnEvent):
        _judged(event.return_, None)


def whiplash_webhook(data: bytes) -> None:
    """The same for Whiplash."""
    _refuses(parse_whiplash_webhook, data, "X-WHIPLASH-SIGNATURE")
    try:
        event = parse_whiplash_webhook(data, sign_whiplash(data, SECRETS[0]), SECRETS)
    except MalformedPayload:
        return
    repr(event)
    if isinstance(event, ConsumerReturnEvent):
        _judged(None, event.consumer_return)


def _refuses(parse: Callable[..., object], data: bytes, header: str) -> None:
    try:
        parse(b"{}", {header: data[:80]}, SECRETS)
    except InvalidSignature:
        return
    raise AssertionError("a body was taken without a signature")


def _through_a_queue(error: E) -> E:
    """What a task queue does to an error; now and then, as it is slow."""
    if zlib.crc32(str(error).encode("utf-8", "replace")) % 4:
        return error
    copy: E = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    return copy


def _is_an_id(value: int | None) -> None:
    assert value is None or value > 0, value


def _judged(return_: Return | None, counted: ConsumerReturn | None) -> None:
    """Whatever could be read can be mapped and matched, and the decision survives being stored."""
    rma = RMA if return_ is None else to_rma(return_)
    receipts = [] if counted is None else [to_receipt(counted)]
    if sum(len(receipt.units) for receipt in receipts) > 200:
        return  # thousands of units are another test's business
    if zlib.crc32(repr((rma, receipts)).encode("utf-8", "replace")) % 8:
        return  # one in eight goes all the way, or little else would be tried
    decision = match(rma, receipts, policy=POLICY, at=NOW)
    decision.explain()
    stored = json.loads(json.dumps(decision.to_dict(), allow_nan=False))
    assert Decision.from_dict(stored).fingerprint == decision.fingerprint


# ----------------------------------------------------------------------------------------------------------- decoders

#: Every class that is read from a vendor's JSON. New ones go at the end: the first byte of an input says which.
MODELS: tuple[type[Record], ...] = (
    Return,
    ConsumerReturn,
    Note,
    AsnRow,
    Destination,
    WebhookSubscription,
    Item,
    Order,
    OrderItem,
    Originator,
    Scancode,
    BundleItem,
    Transaction,
    NotificationEvent,
    NotificationSubscription,
    User,
)
ANSWERS: tuple[Callable[[Reply], object], ...] = (
    loop_answers.accepted("process", 7),
    loop_answers.return_with_id(7),
    loop_answers.returns,
    loop_answers.page,
    loop_answers.done,
    loop_answers.link,
    loop_answers.qr_code,
    loop_answers.notes(Note),
    loop_answers.one(Destination, "destination"),
    loop_answers.rows(AsnRow, "asns"),
    whiplash_answers.one(ConsumerReturn),
    whiplash_answers.many(Item),
    whiplash_answers.counted,
    whiplash_answers.results,
    whiplash_answers.done,
)
#: What is read back from a ledger or a file, and the error it may raise.
STORED: tuple[tuple[Callable[[Mapping[str, Any]], object], type[LoopWhiplashError]], ...] = (
    (Policy.from_dict, ConfigurationError),
    (Decision.from_dict, ConfigurationError),
    (Journal.from_dict, LedgerError),
)


def decoders(data: bytes) -> None:
    """The first byte says who reads the rest: a model, an answer of an endpoint, or what was stored."""
    which, body = (data[0] if data else 0), data[1:]
    if which < len(MODELS):
        _model(MODELS[which], body)
    elif which < 64:
        _answer(ANSWERS[which % len(ANSWERS)], which, body)
    else:
        _stored(*STORED[which % len(STORED)], body)


def _model(cls: type[Record], body: bytes) -> None:
    try:
        read = cls.from_json(body)
    except DecodeError as unread:
        if not _through_a_queue(unread).problems:
            raise AssertionError("an error that does not say where") from unread
        return
    if zlib.crc32(body) % 4:
        return
    repr(read)
    payload = loads(body, exact=True)
    assert cls.from_dict(payload) == read, "JSON text and its dict are read differently"
    assert cls.from_dict(_long_way(payload)) == read, "the fast way reads what the long way does not"
    if isinstance(read, Return):
        _judged(read, None)
    elif isinstance(read, ConsumerReturn):
        _judged(None, read)


class _Text(str):
    """Text that no fast path takes for text."""

    __slots__ = ()


class _Whole(int):
    """The same for whole numbers."""


def _long_way(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _long_way(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_long_way(each) for each in value]
    return _Text(value) if type(value) is str else _Whole(value) if type(value) is int else value


def _answer(read: Callable[[Reply], object], which: int, body: bytes) -> None:
    said(body)
    try:
        read(Reply(status=422 if which % 2 else 200, headers={"content-type": "application/json"}, body=body))
    except ApiError as error:
        _through_a_queue(error)


def _stored(read: Callable[[Mapping[str, Any]], object], raises: type[LoopWhiplashError], body: bytes) -> None:
    try:
        value = loads(body)
    except NotJson:
        return
    if isinstance(value, dict):
        try:
            read(value)
        except raises:
            return


# ---------------------------------------------------------------------------------------------------------------- JSON


def json_text(data: bytes) -> None:
    """Under all decoders: both readers of JSON take the same texts, give the same values, and what they give can be written."""
    quick, exact = (_read(data, exact=way) for way in (False, True))
    if (quick is REFUSED) != (exact is REFUSED):
        assert _LONG_NUMBER.search(data), "one reader takes what the other refuses"
        return
    if quick is not REFUSED:
        assert _alike(quick, exact), "the two readers give different values"


REFUSED = object()
#: A number so long that one of the readers may refuse it.
_LONG_NUMBER = re.compile(rb"\d{300}|[eE][+-]?\d{3}")


def _read(data: bytes, *, exact: bool) -> Any:
    try:
        return loads(data, exact=exact)
    except NotJson:
        return REFUSED


def _alike(quick: Any, exact: Any) -> bool:
    if isinstance(quick, dict):
        return isinstance(exact, dict) and quick.keys() == exact.keys() and all(_alike(value, exact[key]) for key, value in quick.items())
    if isinstance(quick, list):
        return isinstance(exact, list) and len(quick) == len(exact) and all(map(_alike, quick, exact))
    if isinstance(quick, float):
        return isinstance(exact, (int, Decimal)) and float(exact) == quick
    return type(quick) is type(exact) and bool(quick == exact)


# -------------------------------------------------------------------------------------------------------------- report


def report(data: bytes) -> None:
    """``{"returns": […], "consumer_returns": […]}`` becomes a report, and every rendering of it is whole."""
    try:
        value = loads(data)
    except NotJson:
        return
    if not isinstance(value, dict):
        return
    returns, counted = (rows if isinstance(rows := value.get(key), list) else [] for key in ("returns", "consumer_returns"))
    found = reconcile(returns[:20], counted[:20], at=NOW)
    personal = len(data) % 2 == 1
    found.to_text(personal=personal).encode()
    told = json.loads(found.to_json(personal=personal))
    assert len(told["breaks"]) == len(found.breaks)
    rows = list(csv.reader(io.StringIO(found.to_csv(personal=personal), newline="")))
    assert len(rows) == len(found.breaks) + 1
    assert not any(cell[:1] in ("=", "+", "@", "\t", "\r") for row in rows for cell in row), "a cell that a spreadsheet runs"
    _page(found.to_html(personal=personal))


class _Elements(HTMLParser):
    """What a browser would find: no element and no attribute but ours, and one script of our own."""

    #: What a page may hold; nothing that loads or links.
    OURS = re.compile(
        "html|head|meta|title|link|style|body|header|main|footer|section|article|div|span|p|b|i|em|strong|small|h[1-4]|table|caption|thead|tbody|tr"
        "|th|td|wbr|br|ul|ol|li|dl|dt|dd|details|summary|button|input|label|select|option|form|pre|script|noscript|svg|g|rect|text|path|line|polygon|time"
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert self.OURS.fullmatch(tag), tag
        assert not any(name.startswith("on") for name, _ in attrs), (tag, attrs)
        assert not any(name in ("src", "srcdoc") for name, _ in attrs), (tag, attrs)
        self.scripts += tag == "script" and not any(name == "type" for name, _ in attrs)


def _page(html: str) -> None:
    html.encode()
    elements = _Elements()
    elements.feed(html)
    elements.close()
    assert elements.scripts == 1, elements.scripts


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "loop_webhook": loop_webhook,
    "whiplash_webhook": whiplash_webhook,
    "json_text": json_text,
    "decoders": decoders,
    "report": report,
}
