"""Whiplash's lists, losing nothing, and the look-ups made of them.

Whiplash pages by number (https://help.whiplash.com, article 360050407332): a row that is deleted while we read moves all
later ones up, and one of them is never seen. So where a list is sorted by id, each page is asked for by "id above the last
one" and page 1; a server that does not look at the condition is noticed, and read by page number. A list ends with a page
that is not full; what was read is then compared with ``count``. A server that gives smaller pages than were asked for, or
rows that came to fit while we read, show there: reading goes on, once more from the beginning if need be, and at last
`ListIncomplete` says how many are missing.

Searches are checked here too: a server that did not understand a condition would answer with everything.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import attrs

from loop_whiplash.decoding import Record, decode
from loop_whiplash.errors import ConfigurationError, DecodeError, ListIncomplete, NotFound, ValidationFailed
from loop_whiplash.http.call import segment
from loop_whiplash.http.session import Session

from . import calls
from .calls import Search, get_consumer_return, search_param
from .models import (
    ConsumerReturn,
    Item,
    NotificationEvent,
    NotificationSubscription,
    Order,
    OrderItem,
    Originator,
    Scancode,
    Transaction,
)

__all__ = [
    "consumer_returns_by_original_id",
    "consumer_returns_by_original_ids",
    "items_by_barcode",
    "items_by_sku",
    "list_consumer_returns",
    "list_items",
    "list_notification_events",
    "list_notification_subscriptions",
    "list_order_items",
    "list_orders",
    "list_originators",
    "list_originators_of_item",
    "list_scancodes",
    "list_transactions",
    "orders_by_original_id",
]

T = TypeVar("T", bound=Record)

#: The official JavaScript client's cap.
PAGE_SIZE = 250
#: The smallest page any source gives as a default: a first page below it is a short page whatever the server's cap.
SMALLEST_CAP = 25
#: Values of one ``_in`` condition: keeps the address of a request well below 8 KB.
BATCH = 50
#: Both have been seen as the type of a consumer return's originator: https://developers.getwhiplash.com (examples and tag text).
ORIGINATED_TYPES = ("Shipnotice", "ConsumerReturn")
BY_ID = "id asc"


@attrs.define(kw_only=True)
class _Reading(Generic[T]):
    """A list that is being read."""

    session: Session
    path: str
    model: type[T]
    search: Search | None = None
    sort: str = BY_ID
    params: Mapping[str, str] = attrs.field(factory=dict)
    countable: bool = True
    keyed: bool = True
    _seen: set[int] = attrs.field(factory=set)
    _given: int = 0
    _unreadable: dict[str, str] = attrs.field(factory=dict)
    _page: int = 1
    _pages: int = 0
    _last_id: int = 0
    _full: int = PAGE_SIZE
    _again: bool = False
    _first_pass: int = 0
    _missing: int = 0
    _done: bool = False

    def __attrs_post_init__(self) -> None:
        search_param(self.search)
        search = self.search or {}
        self.keyed = self.keyed and self.sort == BY_ID and "m" not in search and "id_gt" not in search
        if "id" not in self.sort.replace(",", " ").split():
            self.sort += f",{BY_ID}"  # rows that are equal otherwise would change places between pages

    async def more(self) -> list[T] | None:
        """The rows of the next page that were not given yet, perhaps none; None at the end."""
        if self._done:
            return None
        try:
            rows = await self.session.perform(calls.page(self.path, self._params()))
        except ValidationFailed:
            if not (self.keyed and self._last_id):
                raise
            self._by_number()
            return []
        self._pages += 1
        ids = [number for row in rows if (number := _id_of(row)) is not None]
        if self.keyed and self._last_id and any(number <= self._last_id for number in ids):
            self._by_number()
            return []
        fresh = self._fresh(rows)
        self._last_id = max([self._last_id, *ids])
        self._page += 1
        if len(rows) < self._full:
            await self._end(len(rows))
        elif not fresh and not self._again:
            await self._end(0)  # a full page of what was given already: the server does not look at the page number
        elif self._again and self._page > self._first_pass:
            self._done = True
        return fresh

    def _params(self) -> dict[str, str]:
        search, page = dict(self.search or {}), self._page
        if self.keyed and self._last_id:
            search["id_gt"] = self._last_id
        if self.keyed:
            page = 1
        return {**search_param(search), **self.params, "sort": self.sort, "page": str(page), "per_page": str(PAGE_SIZE)}

    def _by_number(self) -> None:
        """The server does not look at ``id_gt``: page 1 was read, go on by number."""
        self.keyed, self._page = False, 2

    def _fresh(self, rows: Iterable[Any]) -> list[T]:
        fresh: list[T] = []
        for row in rows:
            number = _id_of(row)
            if number is not None and number in self._seen:
                continue
            try:
                read = decode(self.model, row)
            except DecodeError as error:
                self._unreadable["" if number is None else str(number)] = "; ".join(error.problems[:3])
                continue
            if number is not None:
                self._seen.add(number)
            fresh.append(read)
        self._given += len(fresh)
        return fresh

    async def _end(self, length: int) -> None:
        """A page that was not full. It is the end if nothing speaks against it."""
        if not self.countable or (self._pages == 1 and length < SMALLEST_CAP):
            self._done = True
            return
        counted = await self.session.perform(calls.count(self.path, self.search))
        self._missing = max(0, counted - self._given - len(self._unreadable))
        if not self._missing:
            self._done = True
        elif length:
            self._full = length  # the server's pages are smaller than asked for
        elif not self._again:
            # Rows came to fit while we read: look once more.
            self._again, self._page, self._last_id, self._first_pass = True, 1, 0, self._pages + 1
        else:
            self._done = True

    def finish(self) -> None:
        """Raise `ListIncomplete` unless everything was read."""
        if not self._missing and not self._unreadable:
            return
        why = [f"Whiplash counts {self._missing} more"] if self._missing else []
        if self._unreadable:
            why.append(f"{len(self._unreadable)} row(s) could not be read; ask for each by its id (.unreadable)")
        raise ListIncomplete(
            f"Whiplash's list of {self.path.rsplit('/', 1)[-1]} is incomplete after {self._given} rows: {'; '.join(why)}",
            system="whiplash",
            rows=self._given,
            unreadable=tuple(self._unreadable.items()),
            missing=self._missing,
        )

    async def whole(self) -> list[T]:
        """All rows at once; one that cannot be read is a `DecodeError` here."""
        found: list[T] = []
        while (rows := await self.more()) is not None:
            found += rows
        if self._unreadable:
            problems = tuple(f"{number or '?'}: {problem}" for number, problem in self._unreadable.items())
            raise DecodeError(
                f"{len(problems)} of Whiplash's {self.path.rsplit('/', 1)[-1]} cannot be read", system="whiplash", problems=problems
            )
        self.finish()
        return found


def _id_of(row: Any) -> int | None:
    number = row.get("id") if isinstance(row, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


# ----------------------------------------------------------------------------------------------------------- lists


async def _rows(reading: _Reading[T]) -> AsyncGenerator[T, None]:
    while (rows := await reading.more()) is not None:
        for row in rows:
            yield row
    reading.finish()


def list_consumer_returns(session: Session, search: Search | None = None, *, sort: str = BY_ID) -> AsyncGenerator[ConsumerReturn, None]:
    """Consumer returns that fit a search, e.g. ``{"status_eq": 300, "updated_at_gteq": "2026-03-02T00:00:00Z"}``, each once.

    Raises `ListIncomplete` after the last row when more are counted than were given. ``GET /consumer_returns``
    """
    return _rows(_Reading(session=session, path="/consumer_returns", model=ConsumerReturn, search=search, sort=sort))


def list_items(session: Session, search: Search | None = None, *, sort: str = BY_ID) -> AsyncGenerator[Item, None]:
    """Items that fit a search, each once. Raises `ListIncomplete` at the end. ``GET /items``"""
    return _rows(_Reading(session=session, path="/items", model=Item, search=search, sort=sort))


def list_orders(session: Session, search: Search | None = None, *, sort: str = BY_ID) -> AsyncGenerator[Order, None]:
    """Orders that fit a search, each once. Raises `ListIncomplete` at the end. ``GET /orders``"""
    return _rows(_Reading(session=session, path="/orders", model=Order, search=search, sort=sort))


def list_order_items(
    session: Session, order_id: int, search: Search | None = None, *, sort: str = BY_ID
) -> AsyncGenerator[OrderItem, None]:
    """The lines of one order. Raises `ListIncomplete` at the end. ``GET /orders/{id}/order_items``"""
    path = f"/orders/{segment(order_id, 'order_id')}/order_items"
    return _rows(_Reading(session=session, path=path, model=OrderItem, search=search, sort=sort, keyed=False))


def list_originators(
    session: Session, originated_type: str, search: Search | None = None, *, sort: str = BY_ID
) -> AsyncGenerator[Originator, None]:
    """Ids elsewhere of one kind of object (``Item``, ``Order``, ``Shipnotice``, …). ``GET /originators``, which has no count."""
    params = {"originated_type": originated_type}
    return _rows(
        _Reading(
            session=session, path="/originators", model=Originator, search=search, sort=sort, params=params, countable=False, keyed=False
        )
    )


def list_originators_of_item(session: Session, item_id: int, search: Search | None = None) -> AsyncGenerator[Originator, None]:
    """Ids elsewhere of one item. ``GET /items/{id}/originators``"""
    path = f"/items/{segment(item_id, 'item_id')}/originators"
    return _rows(_Reading(session=session, path=path, model=Originator, search=search, keyed=False))


def list_scancodes(session: Session, item_id: int, search: Search | None = None) -> AsyncGenerator[Scancode, None]:
    """The barcodes of one item. ``GET /items/{id}/scancodes``, which has no count."""
    path = f"/items/{segment(item_id, 'item_id')}/scancodes"
    return _rows(_Reading(session=session, path=path, model=Scancode, search=search, countable=False, keyed=False))


def list_transactions(
    session: Session, item_id: int, search: Search | None = None, *, sort: str = BY_ID
) -> AsyncGenerator[Transaction, None]:
    """The movements of stock of one item. ``GET /items/{id}/transactions``"""
    path = f"/items/{segment(item_id, 'item_id')}/transactions"
    return _rows(_Reading(session=session, path=path, model=Transaction, search=search, sort=sort))


def list_notification_events(session: Session, search: Search | None = None) -> AsyncGenerator[NotificationEvent, None]:
    """The events that can be subscribed to. ``GET /notification_events``, which has no count."""
    return _rows(
        _Reading(session=session, path="/notification_events", model=NotificationEvent, search=search, countable=False, keyed=False)
    )


def list_notification_subscriptions(session: Session, search: Search | None = None) -> AsyncGenerator[NotificationSubscription, None]:
    """Who is told of what. ``GET /notification_subscriptions``"""
    return _rows(_Reading(session=session, path="/notification_subscriptions", model=NotificationSubscription, search=search, keyed=False))


# -------------------------------------------------------------------------------------------------------- look-ups


async def consumer_returns_by_original_id(session: Session, original_id: str) -> list[ConsumerReturn]:
    """All consumer returns that carry this id of yours, by id: duplicates are the case that matters.

    Asked on the resource itself and, as examples and text of the documentation differ about the type, by originator of both types.
    """
    return await consumer_returns_by_original_ids(session, [original_id])


async def consumer_returns_by_original_ids(session: Session, original_ids: Iterable[str]) -> list[ConsumerReturn]:
    """The same for many, 50 a request."""
    found: dict[int, ConsumerReturn] = {}
    for batch in _batches(original_ids, "original_ids"):
        wanted = set(batch)
        search = _one_of("originator_original_id", batch)
        for row in await _Reading(session=session, path="/consumer_returns", model=ConsumerReturn, search=search).whole():
            if row.originator is not None and row.originator.original_id in wanted:
                found[row.id] = row
        for number in await _originated(session, batch):
            if number in found:
                continue
            try:
                row = await session.perform(get_consumer_return(number))
            except NotFound as absent:
                if not absent.certain:
                    raise
                continue  # an ordinary ship notice, or gone
            if row.originator is None or row.originator.original_id in wanted:
                found[row.id] = row
    return [found[number] for number in sorted(found)]


async def _originated(session: Session, batch: Sequence[str]) -> list[int]:
    """The ids of consumer returns that originators of either type point to."""
    numbers: dict[int, None] = {}
    for kind in ORIGINATED_TYPES:
        reading = _Reading(
            session=session, path="/originators", model=Originator, search=_one_of("original_id", batch),
            params={"originated_type": kind}, countable=False, keyed=False,
        )  # fmt: skip
        for row in await reading.whole():
            if row.original_id in batch and row.originated_id is not None:
                numbers[row.originated_id] = None
    return list(numbers)


async def items_by_sku(session: Session, skus: Iterable[str]) -> list[Item]:
    """All items with one of these SKUs, by id. SKUs are not unique: expect several of one."""
    return await _by(session, "/items", Item, "sku", skus, lambda item: (item.sku,))


async def items_by_barcode(session: Session, codes: Iterable[str]) -> list[Item]:
    """All items whose ``scancode`` or ``ean`` is one of these, by id. Further barcodes of an item are in its scancodes."""
    codes = list(codes)
    found = await _by(session, "/items", Item, "scancode", codes, lambda item: (item.scancode,))
    rest = [code for code in codes if code not in {item.scancode for item in found}]
    with suppress(ValidationFailed):  # whether items can be searched by ean is not documented
        found += await _by(session, "/items", Item, "ean", rest, lambda item: (item.ean,)) if rest else []
    return sorted({item.id: item for item in found}.values(), key=lambda item: item.id)


async def orders_by_original_id(session: Session, original_id: str) -> list[Order]:
    """The orders of one shop order, by id: the order itself and what it was split into.

    A split order keeps the first one's Whiplash id as its group: https://help.whiplash.com, article 360050407272.
    """
    found = {row.id: row for row in await _by(session, "/orders", Order, "originator_original_id", [original_id], _original_ids_of)}
    if found:
        families = [str(number) for number in found]
        for row in await _by(session, "/orders", Order, "originator_group_id", families, lambda order: (_group_of(order),)):
            found[row.id] = row
    return [found[number] for number in sorted(found)]


def _original_ids_of(order: Order) -> tuple[str | None, ...]:
    return (order.originator.original_id if order.originator else None, order.proto_originator_id)


def _group_of(order: Order) -> str | None:
    return order.originator.group_id if order.originator else None


async def _by(
    session: Session, path: str, model: type[T], attribute: str, values: Iterable[str], given: Callable[[T], tuple[str | None, ...]]
) -> list[T]:
    found: list[T] = []
    for batch in _batches(values, attribute):
        wanted = set(batch)
        rows = await _Reading(session=session, path=path, model=model, search=_one_of(attribute, batch)).whole()
        found += [row for row in rows if wanted.intersection(given(row))]
    return found


def _one_of(attribute: str, batch: Sequence[str]) -> dict[str, Any]:
    return {f"{attribute}_eq": batch[0]} if len(batch) == 1 else {f"{attribute}_in": list(batch)}


def _batches(values: Iterable[str], what: str) -> list[list[str]]:
    if isinstance(values, str):
        raise ConfigurationError(f"{what} is a list of texts, not one text")
    each = list(dict.fromkeys(str(value) for value in values if value not in (None, "")))
    return [each[start : start + BATCH] for start in range(0, len(each), BATCH)]
