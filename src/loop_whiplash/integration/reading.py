"""Reading both systems for a sweep, in as few calls as can be had without concluding anything from a list.

1. Loop's list by `updated_at` since the watermark, less an overlap, in all five states.
2. Whiplash's list by `updated_at` over the same window, and every delivery nobody announced. Both name returns to look at.
3. Loop again, for returns of ours that are not settled and for those that Whiplash names, where they did not show yet:
   among those created since the oldest of them when that takes fewer calls, else one by one, by id.
4. Once a day the ASN (https://help.loopreturns.com/article/131-whiplash-integration). Its rows name lines, not returns:
   the order of each line that none of the returns holds is asked for by name.
5. Whiplash by key, for every return met so far, fifty a call; and by id for the RMAs of ours that do not carry their key: many
   a call, and one by one those that no list shows.

How many calls that makes stands in docs/explanation/sweep-cost.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from loop_whiplash.errors import ApiError, DecodeError, ListIncomplete, NotFound
from loop_whiplash.http.flow import Store
from loop_whiplash.loop.calls import find_returns, get_asn, get_return
from loop_whiplash.loop.lists import By, list_returns
from loop_whiplash.loop.models import Return
from loop_whiplash.planning.journal import state_of
from loop_whiplash.planning.model import EMPTY
from loop_whiplash.reconciliation.judge import personal_of
from loop_whiplash.returns import to_rma
from loop_whiplash.whiplash.calls import get_consumer_return
from loop_whiplash.whiplash.lists import BATCH, consumer_returns_by_original_ids, list_consumer_returns
from loop_whiplash.whiplash.models import ConsumerReturn, ConsumerReturnStatus

from .core import Core
from .inbox import owner_of
from .observe import receipt_of, whole
from .sides import OVERLAP, Both, Known, LoopSide, WhiplashSide, in_batches, problem_of

__all__ = ["known_cases", "read_both"]

#: Missing returns are listed by creation no further back than this; older ones are read by id.
LIST_BACK = timedelta(days=45)
#: Calls that listing by creation takes besides those for its rows: five states, once and once more, and halves.
LIST_CALLS = 20
#: Rows a call of a list that is read in halves brings, on the average.
ROWS_A_CALL = 250
#: Ids of one ``id_in`` condition.
IDS_A_CALL = 100
#: Rows or cases taken to the ledger at once.
CHUNK = 250
#: So many RMAs of ours must be gone before no more are asked for one by one; then it is the wrong account.
ENOUGH = 20
#: Orders looked up for the ASN in one sweep; the rest wait for the next day.
ASN_ORDERS = 200

Told = Callable[[str, int], None]


async def known_cases(core: Core) -> dict[int, Known]:
    """Every case that is not settled, by return id."""
    found: dict[int, Known] = {}
    after = 0
    while page := await Store(partial(core.ledger.open_cases, after=after, limit=1000)):
        found.update((row.return_id, Known.of(row)) for row in page)
        after = page[-1].return_id
    return found


async def read_both(core: Core, *, since: datetime, known: dict[int, Known], strangers: Iterable[int], asn: bool, told: Told) -> Both:
    """Read both sides.

    `known`: `known_cases`; settled cases that show are added to it. `strangers`: ids of goods of nobody, to look at again.
    """
    began = core.now()
    loop = LoopSide(name="Loop", since=since, until=began)
    whiplash = WhiplashSide(name="Whiplash", since=since, until=began)
    both = Both(began=began, loop=loop, whiplash=whiplash, known=known)
    await _list_loop(core, loop, since, began, "updated_at", told)
    await _take(core, both, list_consumer_returns(core.whiplash, {"updated_at_gteq": since.isoformat()}), told)
    await _take(core, both, list_consumer_returns(core.whiplash, {"status_eq": int(ConsumerReturnStatus.UNEXPECTED)}), told)
    await _rest_of_loop(core, both, told)
    if asn and not loop.silent:
        await _second_opinion(core, both)
    await _ask_by_key(core, both, told)
    await _ask_by_id(core, both, strangers, told)
    _judge_whiplash(core, both)
    return both


# --------------------------------------------------------------------------------------------------------- Loop


async def _list_loop(
    core: Core, loop: LoopSide, since: datetime, until: datetime, by: By, told: Told, wanted: Collection[int] | None = None
) -> None:
    """One list; of its rows those that are `wanted`, or all."""
    try:
        async for row in list_returns(core.loop, since, until, by=by):
            if wanted is None or row.id in wanted:
                _note(loop, row)
            told("loop", loop.rows)
    except ListIncomplete as unread:
        if unread.windows or any(not number.isdigit() for number, _ in unread.unreadable):
            loop.fail(unread)
        unreadable = {int(number): what for number, what in unread.unreadable if number.isdigit()}
        loop.unreadable.update((i, what) for i, what in unreadable.items() if wanted is None or i in wanted)
    except ApiError as unread:
        loop.answered(unread)
    else:
        loop.answered()


def _note(loop: LoopSide, row: Return) -> None:
    """Take in one row. A later answer about the same return is the newer one."""
    loop.rows += row.id not in loop.rmas and row.id not in loop.unreadable  # one that is read twice is one
    try:
        loop.rmas[row.id] = to_rma(whole(row))
    except DecodeError as unread:
        loop.unreadable[row.id] = problem_of(unread)
        return
    loop.unreadable.pop(row.id, None)
    loop.lines.update(line.line_item_id for line in row.line_items)
    loop.people[row.id] = personal_of(row)


async def _rest_of_loop(core: Core, both: Both, told: Told) -> None:
    loop, known = both.loop, both.known
    missing = _missing(both)
    days = (both.began - (loop.since or both.began)) / timedelta(days=1)
    oldest = max(min((known[i].created_at for i in missing if i in known), default=both.began), both.began - LIST_BACK) - OVERLAP
    rows = loop.rows / max(days, 1.0) * ((both.began - oldest) / timedelta(days=1))
    if len(missing) > LIST_CALLS + rows / ROWS_A_CALL and not loop.silent:
        await _list_loop(core, loop, oldest, both.began, "created_at", told, wanted=frozenset(missing))
        missing = _missing(both)
    for return_id in missing:
        if loop.silent:
            break
        await _ask_loop(core, loop, return_id)
    met = {i for i, each in known.items() if each.open and each.met}
    loop.compare(len(loop.absent & met), len(met), core.settings.absent_limit, "open returns of ours")


def _missing(both: Both) -> list[int]:
    """Returns to be read that no list has shown yet."""
    wanted = {i for i, each in both.known.items() if each.open} | both.whiplash.receipts.keys() | both.loop.unreadable.keys()
    return sorted(wanted - both.loop.rmas.keys())


async def _ask_loop(core: Core, loop: LoopSide, return_id: int) -> None:
    try:
        _note(loop, await core.loop.perform(get_return(return_id)))
    except NotFound as absent:
        if not absent.certain:
            loop.answered(absent)
            return
        loop.absent.add(return_id)
        loop.unreadable.pop(return_id, None)
    except DecodeError as unread:
        loop.unreadable[return_id] = problem_of(unread)
    except ApiError as unread:
        loop.answered(unread)
        return
    loop.answered()


async def _second_opinion(core: Core, both: Both) -> None:
    """What the ASN knows and the list does not. It is a second opinion only: nothing of it makes a side incomplete."""
    loop = both.loop
    try:
        rows = await core.loop.perform(get_asn(both.began - timedelta(days=1), both.began))
    except ApiError as unread:
        if not loop.refuses(unread):
            loop.notes.append(f"The ASN, which is a second opinion, could not be read: {unread}")
        return
    unknown = {row.return_line_item_id: row.order_name for row in rows if row.return_line_item_id not in loop.lines}
    for order_name in sorted({name for name in unknown.values() if name})[:ASN_ORDERS]:
        try:
            for row in await core.loop.perform(find_returns(order_name=order_name)):
                if any(line.line_item_id in unknown for line in row.line_items):
                    _note(loop, row)
        except ApiError as unread:
            loop.notes.append(f"The ASN names order {order_name}, whose returns could not be read: {unread}")
    left = sum(line not in loop.lines for line in unknown)
    if left:
        loop.notes.append(f"The ASN names {left:,} lines that no return could be found for.")


# ----------------------------------------------------------------------------------------------------- Whiplash


async def _take(core: Core, both: Both, rows: AsyncIterator[ConsumerReturn], told: Told) -> bool:
    """The rows of one list; gives whether it was answered whole."""
    side, chunk, whole = both.whiplash, list[ConsumerReturn](), True
    try:
        async for row in rows:
            chunk.append(row)
            if len(chunk) == CHUNK:
                await _place(core, both, chunk)
                chunk = []
                told("whiplash", side.rows)
    except ListIncomplete as unread:
        whole = not unread.missing and all(number.isdigit() for number, _ in unread.unreadable)
        if not whole:
            side.fail(unread)
        side.unread_rows.update((int(number), what) for number, what in unread.unreadable if number.isdigit())
    except ApiError as unread:
        side.answered(unread)
        whole = False
    else:
        side.answered()
    await _place(core, both, chunk)
    told("whiplash", side.rows)
    return whole


async def _place(core: Core, both: Both, rows: list[ConsumerReturn]) -> None:
    """Give each row to the return it belongs to, as a receipt; a row takes fifty times as much room."""

    def owners() -> list[int | None]:
        found = [owner_of(core, row.id, row.originator.original_id if row.originator else None) for row in rows]
        _load(core, both.known, [owner for owner in found if owner is not None])
        return found

    for row, owner in zip(rows, await Store(owners), strict=True):
        journal = both.known[owner].journal if owner in both.known else EMPTY
        place = both.whiplash.strangers if owner is None else both.whiplash.receipts.setdefault(owner, {})
        both.whiplash.rows += row.id not in place  # it may be met in a list and by its key
        place[row.id] = receipt_of(core, journal, row)


def _load(core: Core, known: dict[int, Known], return_ids: Iterable[int]) -> None:
    """The cases of returns that are settled, where there are any."""
    for return_id in return_ids:
        if return_id not in known and (row := core.ledger.case(return_id)) is not None:
            known[return_id] = Known.of(row)


async def _ask_by_key(core: Core, both: Both, told: Told) -> None:
    side, loop = both.whiplash, both.loop
    wanted = {*loop.rmas, *loop.absent, *loop.unreadable, *side.receipts, *both.known}
    for chunk in in_batches(wanted - both.known.keys(), CHUNK):
        await Store(partial(_load, core, both.known, chunk))
    for batch in in_batches(wanted, BATCH):
        if side.silent:
            return
        if await _by_key(core, both, batch) is None:
            continue
        for return_id in batch:  # one of them cannot be read: which one shows when each is asked for alone
            unread = await _by_key(core, both, [return_id])
            if unread is not None:
                side.unreadable[return_id] = problem_of(unread)
        told("whiplash", side.rows)


async def _by_key(core: Core, both: Both, batch: list[int]) -> DecodeError | None:
    """Ask for the RMAs of some returns. Gives the error where rows are there and cannot be read."""
    side = both.whiplash
    try:
        rows = await consumer_returns_by_original_ids(core.whiplash, [core.original_id(return_id) for return_id in batch])
    except DecodeError as unread:
        return unread
    except ListIncomplete as unread:
        side.fail(unread)
        return None
    except ApiError as unread:
        side.answered(unread)
        return None
    side.answered()
    side.asked.update(batch)
    await _place(core, both, rows)
    return None


async def _ask_by_id(core: Core, both: Both, strangers: Iterable[int], told: Told) -> None:
    """RMAs of ours that do not carry their key (adopted, attached), and goods of nobody that an earlier sweep met."""
    side = both.whiplash
    owners = {number: return_id for return_id, known in both.known.items() for number in known.rma_ids}
    wanted = (owners.keys() | set(strangers)) - side.found
    for batch in in_batches(wanted, IDS_A_CALL):
        if side.silent or not await _take(core, both, list_consumer_returns(core.whiplash, {"id_in": batch}), told):
            # Half of what is known of these returns was not looked at.
            side.asked.difference_update(owners[number] for number in batch if number in owners)
    await _ask_one_by_one(core, both, owners)


async def _ask_one_by_one(core: Core, both: Both, owners: Mapping[int, int]) -> None:
    """RMAs of ours that no list shows, which proves nothing. Where too many of them are gone, it is the account that is wrong.

    Of returns that are over that says nothing: people delete the RMA of one that was cancelled, and it is watched all the same.
    """
    side, limit = both.whiplash, core.settings.absent_limit
    living = {i for i in side.asked & both.loop.rmas.keys() if state_of(both.loop.rmas[i]) in ("open", "review")}
    ours, gone = sum(owner in living for owner in owners.values()), 0
    for number in sorted(owners.keys() - side.found - side.unread_rows.keys()):
        owner = owners[number]
        if side.silent:
            side.asked.discard(owner)
        elif owner in side.asked and await _is_gone(core, both, owner, number):
            gone += owner in living
            if gone >= ENOUGH and side.too_many(gone, ours, limit):
                break
    side.compare(gone, ours, limit, "RMAs of ours")


async def _is_gone(core: Core, both: Both, owner: int, number: int) -> bool:
    side = both.whiplash
    try:
        await _place(core, both, [await core.whiplash.perform(get_consumer_return(number))])
    except DecodeError as unread:
        side.unread_rows[number] = problem_of(unread)
    except ApiError as unread:
        if not (isinstance(unread, NotFound) and unread.certain):
            side.answered(unread)
            side.asked.discard(owner)
            return False
        side.answered()
        return True
    side.answered()
    return False


def _judge_whiplash(core: Core, both: Both) -> None:
    """Whose are the rows that cannot be read?"""
    side = both.whiplash
    owners = {number: return_id for return_id, known in both.known.items() for number in known.rma_ids}
    named = {int(digits) for what in side.unreadable.values() for digits in [what.split(":")[0]] if digits.isdigit()}
    for number, what in side.unread_rows.items():
        if number in owners:
            side.unreadable.setdefault(owners[number], f"{number}: {what}")
        elif number not in named:
            side.fail(f"consumer return {number} cannot be read, and whose it is is not known: {what}")
