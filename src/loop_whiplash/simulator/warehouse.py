"""Who opens parcels and counts. Staff work: no customer of Whiplash can do this over the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .catalogue import Catalogue
from .clock import Clock
from .loop import Loop
from .shopper import SimulatedReturn
from .whiplash import ARRIVED, COMPLETED, IN_TRANSIT, PROCESSING, UNEXPECTED, Notice, NoticeLine, Whiplash

__all__ = ["Warehouse"]


class Warehouse:
    """Receives parcels against consumer returns, or without one."""

    def __init__(self, clock: Clock, catalogue: Catalogue, loop: Loop, whiplash: Whiplash) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._loop = loop
        self._whiplash = whiplash

    def rmas(self, ret: SimulatedReturn | int) -> list[Notice]:
        """The consumer returns that exist for a return, oldest first."""
        return_id = _id(ret)
        return [notice for notice in self._whiplash.notices() if self.owner(notice.original_id) == return_id]

    def owner(self, original_id: str | None) -> int | None:
        """The Loop return that an `original_id` names: it is its id, maybe with a prefix."""
        digits = ""
        for char in reversed(original_id or ""):
            if not char.isdigit():
                break
            digits = char + digits
        number = int(digits) if digits else -1
        return number if number in self._loop.returns else None

    def receive(
        self,
        ret: SimulatedReturn | int | Notice,
        *,
        short: int = 0,
        damaged: int = 0,
        extra: Sequence[str] = (),
        substitute: Mapping[str, str] | None = None,
        parcel: int | None = None,
        half: bool = False,
        complete: bool | None = None,
    ) -> Notice:
        """Open a parcel and count what is in it; gives the consumer return as it is then.

        Counts, of all that was announced and not counted yet: all but `short` units, of which `damaged` damaged; units of `extra` SKUs
        that were not announced; and for each pair of `substitute` one unit of the second SKU instead of one of the first. `parcel`:
        only the units of this label. `half`: only the first half, and not completed. `complete`: finish (status 300); by default
            unless `half`.
        Without a consumer return to count against, an unexpected one is made.
        """
        notice = ret if isinstance(ret, Notice) else next(iter(self.rmas(ret)), None)
        if notice is None:
            return self._without_rma(ret, short=short, damaged=damaged, extra=extra, complete=complete is not False)
        notice = self._arrive(notice)
        wanted = self._units(notice, ret, parcel)
        swapped = dict(substitute or {})
        for sku, other in swapped.items():
            line_id = next((line.id for line in notice.lines if line.item.sku == sku and wanted.get(line.id, 0) > 0), None)
            if line_id is None:
                raise LookupError(f"consumer return {notice.id} has no uncounted {sku!r} to be replaced by {other!r}")
            wanted[line_id] -= 1
        total = sum(wanted.values())
        take = (total + 1) // 2 if half else max(0, total - short)
        if half and total == 1:
            take = 0
        notice = self._count(notice, wanted, take, damaged)
        for sku in (*swapped.values(), *extra):
            notice = self._add(notice, sku)
        if complete if complete is not None else not half:
            notice = self.complete(notice)
        return notice

    def _units(self, notice: Notice, ret: SimulatedReturn | int | Notice, parcel: int | None) -> dict[int, int]:
        open_units = {line.id: max(0, line.quantity - line.counted) for line in notice.lines}
        if parcel is None or isinstance(ret, Notice):
            return open_units
        now = self._loop.returns[_id(ret)]
        skus = [line.variant.sku for line in now.lines if line.line_id in now.labels[parcel].line_ids]
        return {line.id: min(open_units[line.id], skus.count(line.item.sku)) for line in notice.lines}

    def _arrive(self, notice: Notice) -> Notice:
        now = self._clock.now()
        if notice.status < ARRIVED:
            notice = self._whiplash.change(notice, status=ARRIVED, arrived_at=now, delivered_at=notice.delivered_at or now)
        return notice

    def _count(self, notice: Notice, wanted: Mapping[int, int], take: int, damaged: int) -> Notice:
        lines: list[NoticeLine] = []
        for line in notice.lines:
            units = min(take, wanted.get(line.id, 0))
            bad = min(units, damaged)
            take, damaged = take - units, damaged - bad
            lines.append(attrs.evolve(line, good=line.good + units - bad, damaged=line.damaged + bad))
        return self._whiplash.change(notice, status=PROCESSING, lines=tuple(lines))

    def _add(self, notice: Notice, sku: str, quantity: int = 0, good: int = 1, damaged: int = 0) -> Notice:
        """An item nobody announced becomes a line with `quantity` 0. How Whiplash really shows it is not documented."""
        items = self._catalogue.items_of(sku)
        if not items:
            raise LookupError(f"Whiplash has no item with SKU {sku!r}")
        for line in notice.lines:
            if line.item.id == items[0].id:
                changed = attrs.evolve(line, good=line.good + good, damaged=line.damaged + damaged)
                return self._whiplash.change(notice, lines=tuple(changed if each.id == line.id else each for each in notice.lines))
        line = self._whiplash.new_line(
            items[0], quantity, good=good, damaged=damaged, description="Unexpected item", return_action="no_action_required"
        )
        return self._whiplash.change(notice, lines=(*notice.lines, line))

    def _without_rma(
        self, ret: SimulatedReturn | int | Notice, *, short: int, damaged: int, extra: Sequence[str], complete: bool
    ) -> Notice:
        now = self._loop.returns[_id(ret)]
        skus = [line.variant.sku for line in now.live_lines][: len(now.live_lines) - short] + list(extra)
        tracking = now.labels[0].tracking if now.labels else None
        carrier = now.labels[0].carrier if now.labels else None
        return self.receive_unexpected(
            skus, damaged=damaged, tracking=tracking, carrier=carrier, order_id=now.order.whiplash_id, complete=complete
        )

    def receive_unexpected(
        self,
        skus: Sequence[str],
        *,
        damaged: int = 0,
        tracking: str | None = None,
        carrier: str | None = None,
        order_id: int | None = None,
        complete: bool = True,
        count: bool = True,
    ) -> Notice:
        """A parcel nobody announced: a consumer return of status 25, without an `original_id`; then it is counted like any other."""
        lines = []
        for sku in dict.fromkeys(skus):
            items = self._catalogue.items_of(sku)
            if items:
                lines.append(
                    self._whiplash.new_line(items[0], list(skus).count(sku), description="Unexpected", return_action="no_action_required")
                )
        notice = self._whiplash.create(
            lines=lines, by="warehouse", status=UNEXPECTED, tracking=tracking, carrier=carrier, order_id=order_id, sender=None
        )
        if not count:
            return notice
        notice = self._arrive(notice)
        notice = self._count(
            notice, {line.id: line.quantity for line in notice.lines}, sum(line.quantity for line in notice.lines), damaged
        )
        return self.complete(notice) if complete else notice

    def complete(self, ret: SimulatedReturn | int | Notice) -> Notice:
        """Finish: status 300."""
        return self._whiplash.change(self._notice(ret), status=COMPLETED, completed_at=self._clock.now())

    def reopen(self, ret: SimulatedReturn | int | Notice) -> Notice:
        """A completed one goes back to 200; it may be counted again."""
        return self._whiplash.change(self._notice(ret), status=PROCESSING)

    def recount(self, ret: SimulatedReturn | int | Notice, counts: Mapping[str, tuple[int, int]]) -> Notice:
        """Correct what was counted: SKU → (good, damaged)."""
        notice = self._notice(ret)
        lines = tuple(
            attrs.evolve(line, good=counts[line.item.sku][0], damaged=counts[line.item.sku][1]) if line.item.sku in counts else line
            for line in notice.lines
        )
        return self._whiplash.change(notice, lines=lines)

    def arrive(self, ret: SimulatedReturn | int | Notice) -> Notice:
        """At the dock, not opened: status 150."""
        return self._arrive(self._notice(ret))

    def back_in_transit(self, ret: SimulatedReturn | int | Notice) -> Notice:
        """Arrived by mistake: back to 100."""
        return self._whiplash.change(self._notice(ret), status=IN_TRANSIT, arrived_at=None)

    def delete(self, ret: SimulatedReturn | int | Notice) -> None:
        """Staff throw the notice away."""
        self._whiplash.delete(self._notice(ret))

    def announce(self, ret: SimulatedReturn | int, **fields: Any) -> Notice:
        """Somebody announces the goods of a return by hand in Whiplash's own app: same order and tracking, no `original_id`."""
        now = self._loop.returns[_id(ret)]
        lines = []
        for order_line in now.order.lines:
            units = sum(line.order_line.line_id == order_line.line_id for line in now.live_lines)
            if units and order_line.item is not None:
                lines.append(self._whiplash.new_line(order_line.item, units, description="Return", return_action="refund"))
        tracking = now.labels[-1].tracking if now.labels else None
        return self._whiplash.create(
            lines=lines, by="warehouse", status=IN_TRANSIT, order_id=now.order.whiplash_id, tracking=tracking, **fields
        )

    def _notice(self, ret: SimulatedReturn | int | Notice) -> Notice:
        notice = self._whiplash.notice(ret.id) if isinstance(ret, Notice) else next(iter(self.rmas(ret)), None)
        if notice is None:
            raise LookupError("there is no consumer return to work on")
        return notice


def _id(ret: SimulatedReturn | int | Notice) -> int:
    return ret if isinstance(ret, int) else ret.id
