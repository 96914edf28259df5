"""Read both systems' word about one return, as they are now.

Whiplash is read first and Loop last, so that Loop's state is as fresh as can be when an action follows. Absence is
concluded only from a read by id or by key; a read that failed leaves its side unread, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable

from loop_whiplash.errors import ApiError, DecodeError, ListIncomplete, NotFound
from loop_whiplash.http.flow import Store
from loop_whiplash.loop.calls import get_return
from loop_whiplash.loop.models import Return
from loop_whiplash.planning import learn
from loop_whiplash.planning.model import Journal, Observation
from loop_whiplash.returns import to_receipt, to_rma, with_item_ids
from loop_whiplash.returns.model import Receipt, Rma
from loop_whiplash.whiplash.calls import get_consumer_return
from loop_whiplash.whiplash.lists import consumer_returns_by_original_ids
from loop_whiplash.whiplash.models import ConsumerReturn

from .core import Core
from .inbox import rma_key

__all__ = ["observe", "receipt_of", "receipts_of", "rma_of", "whole"]


def whole(return_: Return) -> Return:
    """The same. Raises `DecodeError` for one that came without its lines: half an answer is not a return with nothing to ship."""
    if not isinstance(return_.raw.get("line_items"), (list, tuple)):
        problem = "$.line_items: missing"
        raise DecodeError(f"Loop's answer about return {return_.id} came without its lines", problems=(problem,), return_id=return_.id)
    return return_


def receipt_of(core: Core, journal: Journal, consumer_return: ConsumerReturn) -> Receipt:
    """The receipt of one consumer return, with Loop's line ids where the map stored at create tells them."""
    ours = journal.create.consumer_return_id == consumer_return.id
    return to_receipt(
        consumer_return,
        final_statuses=core.policy.final_statuses,
        original_id_prefix=core.settings.original_id_prefix,
        line_map=journal.create.lines if ours else None,
    )


def rma_of(journal: Journal, rma: Rma) -> Rma:
    """The same, its units carrying the Whiplash items they were announced under."""
    return with_item_ids(rma, journal.create.lines) if journal.create.lines else rma


def receipts_of(core: Core, journal: Journal, rows: Iterable[ConsumerReturn]) -> tuple[Receipt, ...]:
    """Receipts by id, each once."""
    return tuple(receipt_of(core, journal, row) for _, row in sorted({row.id: row for row in rows}.items()))


async def observe(core: Core, return_id: int, journal: Journal) -> Observation:
    """Both sides, now; a side that could not be read is marked so and says why."""
    read_from = core.now()
    problems: list[str] = []
    rows: list[ConsumerReturn] = []
    read: Rma | None = None
    whiplash_read = loop_read = True
    try:
        rows = await _consumer_returns(core, return_id, journal)
    except (ApiError, ListIncomplete) as unread:
        whiplash_read = False
        problems.append(_sentence("Whiplash", unread))
    try:
        read = to_rma(whole(await core.loop.perform(get_return(return_id))))
    except ApiError as unread:
        if not (isinstance(unread, NotFound) and unread.certain):
            loop_read = False
            problems.append(_sentence("Loop", unread))

    def seen(journal: Journal) -> Observation:
        return Observation(
            return_id=return_id,
            rma=rma_of(journal, read) if read is not None else None,
            receipts=receipts_of(core, journal, rows),
            loop_read=loop_read,
            whiplash_read=whiplash_read,
            problems=tuple(problems),
            read_from=read_from,
        )

    observation = seen(journal)
    settled = learn(journal, observation, at=core.now(), settings=core.settings)
    # An RMA whose create was in doubt is known from this look on, and read with its line map at once: what is decided on now and what
    # the next look sees must be the same evidence.
    return observation if settled.create == journal.create else seen(settled)


async def _consumer_returns(core: Core, return_id: int, journal: Journal) -> list[ConsumerReturn]:
    """Those that search finds by our key, doubles included, and those we know. Search lags: it finds, and each is read by its id.

    One that a person has attached to another return since, or that another return was first to adopt, is that one's.
    """
    names = {core.original_id(return_id), journal.create.original_id or core.original_id(return_id)}
    found = {row.id for row in await consumer_returns_by_original_ids(core.whiplash, sorted(names))}
    rows: dict[int, ConsumerReturn] = {}
    for number in sorted({*found, journal.create.consumer_return_id or 0, *journal.attached} - {0}):
        try:
            rows[number] = await core.whiplash.perform(get_consumer_return(number))
        except NotFound as absent:
            if not absent.certain:
                raise

    def ours() -> list[ConsumerReturn]:
        owners = {number: core.ledger.get(rma_key(number)) for number in rows}
        return [row for number, row in rows.items() if owners[number] in (None, str(return_id))]

    return await Store(ours)


def _sentence(system: str, unread: ApiError | ListIncomplete) -> str:
    if isinstance(unread, DecodeError):
        return f"UNREADABLE: {system}'s answer could not be read: {'; '.join(unread.problems[:3]) or unread}"
    return f"{system} could not be read: {unread}"
