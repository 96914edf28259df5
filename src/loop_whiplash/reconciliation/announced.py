"""The Whiplash side of a reconciliation, remembered: the RMAs of each return, and those that belong to none.

What `memory` holds of a return is the compact record of its RMA, or nothing. The few that have several have them in a
dictionary beside it: an application that gives all its RMAs the same key must not make each row as dear as all before it.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping
from typing import Any

from loop_whiplash.returns import return_id_of
from loop_whiplash.returns.model import Receipt
from loop_whiplash.whiplash.models import ConsumerReturn, ConsumerReturnStatus

from .compact import COUNTED, ID, KIND, STATUS, TRACKING, UPDATED, Catalogue, line_numbers, pack, seconds_of
from .memory import Memory
from .rows import Reading, original_id_in, problem_of, return_id_in

__all__ = ["DIFFERED", "Announced"]

#: A bit of a return's flags: an RMA of it came again with different content.
DIFFERED = 64

_NEVER = float("-inf")
_loads = marshal.loads


class Announced:
    """What Whiplash says.

    Attributes:
        memory: what is remembered of each return's RMA. several: number in it → all its RMAs by id, where there are more.
        whole: the same for rows that came as a `Receipt`, as they are.
        strangers: rows that belong to no return, and of which goods came, by id. trackings: tracking number → such a row,
            or one that was announced without a key: what an RMA made by hand looks like.
        unread: return id → what could not be read of its RMAs. unread_rows: row id → the same, where no return is named.
    """

    def __init__(self, *, prefix: str, owners: Mapping[int, int], catalogue: Catalogue) -> None:
        self.reading: Reading = Reading(name="Whiplash")
        self.memory: Memory = Memory()
        self.several: dict[int, dict[int, bytes]] = {}
        self.whole: dict[int, dict[int, Receipt]] = {}
        self.strangers: dict[int, bytes | Receipt] = {}
        self.trackings: dict[str, int] = {}
        self.unread: dict[int, list[str]] = {}
        self.unread_rows: dict[int, str] = {}
        self._prefix = prefix
        self._owners = owners
        self._catalogue = catalogue

    def read(self, rows: Iterable[ConsumerReturn | Receipt | Mapping[str, Any]]) -> None:
        """Take in every row, in any order."""
        for row in self.reading.read(rows):
            if type(row) is ConsumerReturn:
                self._take(row)
            elif isinstance(row, Receipt):
                self._take_receipt(row)
            else:
                self._take_payload(row)
        for text, what in self.reading.unreadable:
            self._take_unreadable(int(text) if text.isdecimal() else None, None, what)

    def _owner(self, row_id: int | None, original_id: str | None) -> int | None:
        """The return a row belongs to: by what a journal says of it, else by its key."""
        owner = self._owners.get(row_id) if self._owners and row_id is not None else None
        return return_id_of(original_id, self._prefix) if owner is None else owner

    def _take(self, row: ConsumerReturn) -> None:
        original_id = row.originator.original_id if row.originator is not None else None
        return_id = self._owner(row.id, original_id) if self._owners else return_id_of(original_id, self._prefix)
        memory = self.memory
        known_before = len(memory.ids)
        try:
            if return_id is None:
                self._take_stranger(row, original_id)
                return
            packed = pack(row, f"{self._prefix}{return_id}", self._catalogue)
            number = memory.number(return_id)
        except Exception as broken:  # a row made by hand, with a time that has no zone, say
            self._take_unreadable(row.id, original_id, problem_of(broken))
            return
        known = memory.record(number) if number < known_before else b""
        if known != packed:
            if known:
                self._and(number, known, packed)
            else:
                memory.put(number, packed)

    def _and(self, number: int, known: bytes, new: bytes) -> None:
        """What is known of a return's RMAs and one more row: another RMA, the same again, or another version of one."""
        first_id, row_id = _loads(known)[ID], _loads(new)[ID]
        several = self.several.get(number)
        if several is None and first_id == row_id:
            self.memory.flags[number] |= DIFFERED
            self.memory.put(number, max(known, new, key=self._newness))
            return
        if several is None:
            several = self.several[number] = {first_id: known}
        other = several.get(row_id)
        if other is None:
            several[row_id] = new
        elif other != new:
            self.memory.flags[number] |= DIFFERED
            several[row_id] = max(other, new, key=self._newness)

    def record(self, number: int) -> Any:
        """What is remembered of the RMAs of the return of this number: None, a record, or a list of packed ones."""
        several = self.several.get(number)
        if several is not None:
            return list(several.values())
        held = self.memory.record(number)
        return _loads(held) if held else None

    def _take_stranger(self, row: ConsumerReturn, original_id: str | None) -> None:
        """A row that names no return of this shop: remembered where goods came of it and no other shop's key claims it."""
        unexpected = row.status == ConsumerReturnStatus.UNEXPECTED
        packed = pack(row, original_id, self._catalogue)
        claimed = bool(self._prefix and original_id)
        if unexpected or (_loads(packed)[KIND] == COUNTED and not claimed):
            known = self.strangers.get(row.id)
            self.strangers[row.id] = max(known, packed, key=self._newness) if isinstance(known, bytes) else packed
        else:
            self.reading.strangers += 1
            if original_id is not None:
                return
        tracking = _loads(packed)[TRACKING]
        if tracking:
            self.trackings[tracking] = max(row.id, self.trackings.get(tracking, 0))

    def _take_receipt(self, receipt: Receipt) -> None:
        """A receipt that was mapped already is kept as it is."""
        return_id = self._owners.get(receipt.id) or receipt.return_id or return_id_of(receipt.original_id, self._prefix)
        if return_id is None:
            if receipt.units or receipt.status == ConsumerReturnStatus.UNEXPECTED:
                self.strangers[receipt.id] = receipt
            else:
                self.reading.strangers += 1
            if receipt.tracking:
                self.trackings[receipt.tracking] = receipt.id
            return
        known = self.whole.setdefault(return_id, {})
        before = known.get(receipt.id)
        number = self.memory.number(return_id)
        if before is not None and before != receipt:
            self.memory.flags[number] |= DIFFERED
            receipt = max(before, receipt, key=lambda each: (seconds_of(each.updated_at) or _NEVER, repr(each)))
        known[receipt.id] = receipt

    def _take_payload(self, payload: Any) -> None:
        try:
            row = payload if isinstance(payload, ConsumerReturn) else ConsumerReturn.from_dict(payload)
        except Exception as unreadable:
            self._take_unreadable(return_id_in(payload), original_id_in(payload), problem_of(unreadable))
        else:
            self._take(row)

    def _take_unreadable(self, row_id: int | None, original_id: str | None, what: str) -> None:
        return_id = self._owner(row_id, original_id)
        if return_id is not None:
            self.unread.setdefault(return_id, []).append(f"consumer return {row_id or 'without a readable id'}: {what}")
            self.memory.number(return_id)
            return
        if row_id is not None:
            self.unread_rows[row_id] = what
        self.reading.nobodys(what if row_id is None else f"consumer return {row_id}: {what}")

    def _newness(self, record: bytes) -> tuple[float, int, str]:
        """When it was changed; where that does not tell, its status, and then what it says, so that order never decides."""
        values = _loads(record)
        updated, status = values[UPDATED], values[STATUS]
        items = [(self._catalogue.items[each], self._catalogue.skus[each]) for each in line_numbers(values)]
        return (updated if isinstance(updated, (int, float)) else _NEVER, status or 0, f"{values}{items}")
