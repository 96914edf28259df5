"""People who work in Loop's Admin, and do as they please."""

from __future__ import annotations

from decimal import Decimal

import attrs

from .clock import Clock
from .loop import Loop, Refusal
from .shopper import SimulatedReturn

__all__ = ["People"]


class People:
    """What merchants do by hand. Each act is told to who listens, like any other."""

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock

    def _act(self, what: str, ret: SimulatedReturn | int) -> Refusal | None:
        return self._loop.act(what, _id(ret), by="person")

    def flag(self, ret: SimulatedReturn | int) -> bool:
        """Send to Needs Review; False when Loop refuses."""
        return self._act("flag", ret) is None

    def clear_flag(self, ret: SimulatedReturn | int) -> bool:
        """Set a return in review back to open."""
        now = self._loop.returns[_id(ret)]
        if now.state != "review" and not now.flagged:
            return False
        self._loop._note_deed("clear", now, "person", accepted=True)
        self._loop.change(now, "return.updated", state="open", flagged=False)
        return True

    def process(self, ret: SimulatedReturn | int) -> bool:
        """Pay out by hand; people may do so in review too."""
        return self._act("process", ret) is None

    def cancel(self, ret: SimulatedReturn | int) -> bool:
        """Cancel."""
        return self._act("cancel", ret) is None

    def close(self, ret: SimulatedReturn | int) -> bool:
        """Close without paying."""
        return self._act("close", ret) is None

    def remove_line(self, ret: SimulatedReturn | int, line: int = 0) -> None:
        """Take one live unit out, without processing the rest."""
        now = self._loop.returns[_id(ret)]
        self._loop._note_deed("edit", now, "person", accepted=True)
        self._loop.emit("return.updated", self._loop.take_out(now, (now.live_lines[line].line_id,)))

    def edit(self, ret: SimulatedReturn | int, *, line: int = 0, sku: str | None = None, price: Decimal | None = None) -> None:
        """Change what Loop says of one unit: its SKU, its price."""
        now = self._loop.returns[_id(ret)]
        self._loop._note_deed("edit", now, "person", accepted=True)
        changed = now.lines[line]
        if sku is not None:
            changed = attrs.evolve(changed, sku=sku)
        if price is not None:
            changed = attrs.evolve(changed, price=price)
        lines = (*now.lines[:line], changed, *now.lines[line + 1 :])
        self._loop.change(now, "return.updated", lines=lines, edited_at=self._clock.now())

    def note(self, ret: SimulatedReturn | int, content: str) -> None:
        """Write a note."""
        self._loop.add_note(_id(ret), content, by="person")

    def reopen(self, ret: SimulatedReturn | int) -> None:
        """Set an expired or cancelled return back to open."""
        now = self._loop.returns[_id(ret)]
        if now.state in ("expired", "cancelled"):
            self._loop.change(now, "return.updated", state="open")


def _id(ret: SimulatedReturn | int) -> int:
    return ret if isinstance(ret, int) else ret.id
