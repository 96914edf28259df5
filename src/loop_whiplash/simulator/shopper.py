"""Who sends things back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

from .catalogue import Catalogue, Order
from .clock import Clock
from .loop import Loop
from .loop_state import Label, Line, Return

__all__ = ["Shopper", "SimulatedReturn"]

REASONS = (
    ("Too big", "It didn't fit"),
    ("Too small", "It didn't fit"),
    ("Not as pictured", "Didn't like it"),
    ("Faulty zip", "It is damaged"),
)
CARRIERS = ("USPS", "UPS", "FedEx")


class SimulatedReturn:
    """A handle on one return in Loop; its properties always tell the present state, as Loop itself knows it."""

    def __init__(self, loop: Loop, return_id: int) -> None:
        self._loop = loop
        self.id = return_id

    @property
    def now(self) -> Return:
        """Everything Loop knows of it, a frozen value."""
        return self._loop.returns[self.id]

    @property
    def state(self) -> str:
        """Loop's state."""
        return self.now.state

    @property
    def was_processed(self) -> bool:
        """Value was released for it."""
        return self.now.was_processed

    @property
    def flagged(self) -> bool:
        """Loop holds it for review, whatever the state reads."""
        return self.now.flagged

    @property
    def order(self) -> Order:
        """The order it is for."""
        return self.now.order

    @property
    def lines(self) -> tuple[Line, ...]:
        """Its units, removed ones included."""
        return self.now.lines

    @property
    def skus(self) -> list[str]:
        """The SKUs of its live units, one each."""
        return [line.variant.sku for line in self.now.live_lines]

    @property
    def labels(self) -> tuple[Label, ...]:
        """Its labels, one a parcel."""
        return self.now.labels

    @property
    def notes(self) -> list[str]:
        """Its notes, newest first."""
        return [note.content for note in self.now.notes]

    def __repr__(self) -> str:
        count = len(self.now.live_lines)
        return f"<return {self.id}: {self.state}{' flagged' if self.flagged else ''}, {count} unit{'' if count == 1 else 's'}>"


class Shopper:
    """Submits returns."""

    def __init__(self, rng: random.Random, clock: Clock, catalogue: Catalogue, loop: Loop) -> None:
        self._rng = rng
        self._clock = clock
        self._catalogue = catalogue
        self._loop = loop

    def submit_return(
        self,
        lines: int | Sequence[str] = 1,
        *,
        outcome: str = "refund",
        label: bool = True,
        parcels: int = 1,
        order: Order | None = None,
        extra_ordered: Sequence[str] = (),
        in_whiplash: bool = True,
        destination_id: int | None = None,
        keep_item: bool = False,
        happy_returns: bool = False,
        gift: bool = False,
        handling_fee: Decimal = Decimal("0.00"),
    ) -> SimulatedReturn:
        """A return is submitted in Loop; gives a handle on it.

        Args:
            lines: how many units of whatever; or SKUs, one a unit. outcome: ``refund``, ``credit`` or ``exchange``.
            label: Loop buys a label, or one for each of `parcels`; they begin as ``new``.
            order: the order it is for; else one is placed, with `extra_ordered` SKUs that are not sent back. in_whiplash: Whiplash
                shipped that order.
            keep_item: the shopper keeps the goods: no label, nothing ever arrives.
            happy_returns: box-free drop-off: no label, and the outcome is paid 12 hours later, before the warehouse sees anything.
        """
        rng = self._rng
        if isinstance(lines, int):
            with_items = [
                variant.sku for variant in self._catalogue.variants if len(self._catalogue.items_of(variant.sku)) == 1 and variant.sku
            ]
            skus = rng.sample(with_items, lines) if lines <= len(with_items) else [rng.choice(with_items) for _ in range(lines)]
        else:
            skus = [lines] if isinstance(lines, str) else list(lines)
        if order is None:
            order = self._catalogue.place_order([*skus, *extra_ordered], in_whiplash=in_whiplash)
        units = [self._unit(order, sku, "keep" if keep_item else outcome) for sku in skus]
        ret = self._loop.submit(
            order,
            units,
            outcome="refund" if keep_item else outcome,
            destination_id=destination_id,
            gift=gift,
            handling_fee=handling_fee,
            refund_before_inspection=happy_returns,
            return_method=_happy(rng) if happy_returns else None,
        )
        if happy_returns:
            self._clock.after(12 * 3600.0, lambda: self._loop.release(self._loop.returns[ret.id], by="happy_returns"))
        elif label and not keep_item:
            line_ids = [unit.line_id for unit in units]
            for parcel in range(parcels):
                self.buy_label(ret.id, tuple(line_ids[parcel::parcels]))
        return SimulatedReturn(self._loop, ret.id)

    def buy_label(self, return_id: int, line_ids: tuple[int, ...] | None = None, *, status: str = "new") -> Label:
        """Loop buys a label (a second one replaces nothing: returns may have several)."""
        if line_ids is None:
            line_ids = tuple(line.line_id for line in self._loop.returns[return_id].live_lines)
        carrier = CARRIERS[self._rng.randrange(len(CARRIERS))]
        tracking = f"{'1Z' if carrier == 'UPS' else '94'}{self._rng.randrange(10**15, 10**16)}"
        return self._loop.add_label(return_id, carrier=carrier, tracking=tracking, line_ids=line_ids, status=status)

    def _unit(self, order: Order, sku: str, outcome: str) -> Line:
        order_line = next((line for line in order.lines if line.variant.sku == sku), None)
        if order_line is None:
            raise ValueError(f"order {order.name} has no {sku!r}")
        reason, parent = REASONS[self._rng.randrange(len(REASONS))]
        price = order_line.variant.price
        return Line(
            line_id=self._loop.new_line_id(),
            order_line=order_line,
            outcome=outcome,
            price=price,
            tax=(price / 10).quantize(Decimal("0.01")),
            reason=reason,
            parent_reason=parent,
            returned_at=self._clock.now(),
            exchange_for=order_line.variant if outcome == "exchange" else None,
            exchange_id=self._loop.new_id() if outcome == "exchange" else None,
        )


def _happy(rng: random.Random) -> dict[str, object]:
    return {
        "provider": "happy_returns",
        "method_type": "drop_off",
        "address": None,
        "state": "new",
        "rma_id": f"HR{rng.randrange(10**6):06d}",
        "qr_code_url": None,
        "scheduled_at": None,
        "scannable_id": None,
    }
