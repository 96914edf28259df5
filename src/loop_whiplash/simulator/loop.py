"""A Loop that remembers and acts: returns, their states, and what it refuses. Requests and replies are in `loop_api`."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs

from .catalogue import Order
from .clock import Clock
from .loop_shapes import dump, label_message, return_message
from .loop_state import Label, Line, LoopManners, Note, Return
from .truth import Deed, Released, Truth
from .webhooks import Message, Outbox, loop_headers

__all__ = ["Loop", "Refusal", "Subscription"]

DEFAULT_HOOKS = (
    ("return", "return.created"),
    ("return", "return.updated"),
    ("return", "return.closed"),
    ("label", "label.created"),
    ("label", "label.updated"),
    ("return.processing", "return.processing.failed"),
)


@attrs.frozen(kw_only=True)
class Refusal:
    """Loop says no. Mostly under status 200."""

    body: Any
    status: int = 200


@attrs.define(kw_only=True)
class Subscription:
    """One topic, one trigger, one address."""

    id: int
    topic: str
    trigger: str
    url: str
    status: str = "active"


def _unprocessable(state: str) -> Refusal:
    return Refusal(body={"errors": {"message": f"Return is {state} and therefore cannot be processed.", "code": "UNPROCESSABLE_RETURN"}})


def _message(state: str) -> Refusal:
    return Refusal(body={"message": f"Return is {state} and therefore cannot be processed."})


FLAGGED = Refusal(body={"errors": {"message": "Return is open and therefore cannot be processed.", "code": "UNPROCESSABLE_FLAGGED_RETURN"}})
NOT_FOUND = Refusal(body={"errors": {"message": "No return found with this ID.", "code": "NOT_FOUND"}})

# What each action is told in each state; a state that is not in the table lets the action through.
# https://docs.loopreturns.com/api-reference/ (process, cancel, flag, close); envelopes differ on purpose.
REFUSALS: dict[str, dict[str, Refusal]] = {
    "process": {
        "closed": _unprocessable("closed"),
        "cancelled": _message("cancelled"),
        "review": _message("review"),
        "expired": _unprocessable("expired"),
    },
    "cancel": {
        "closed": _unprocessable("closed"),
        "cancelled": _unprocessable("cancelled"),
        "review": Refusal(body={"content": "Return is flagged and cannot be processed."}),
        "expired": Refusal(body={"content": "Return is expired and cannot be processed."}),
    },
    "flag": {"closed": _unprocessable("closed"), "cancelled": _unprocessable("cancelled"), "expired": _unprocessable("expired")},
    "close": {"closed": _unprocessable("closed"), "cancelled": _message("cancelled")},
}


class Loop:
    """One shop's Loop.

    Attributes:
        manners: how it behaves; change it as you like. returns: id → `Return`, in order of creation. subscriptions: who gets webhooks.
        destinations: destination id → name.
    """

    def __init__(self, clock: Clock, rng: random.Random, truth: Truth, outbox: Outbox) -> None:
        self._clock = clock
        self._rng = rng
        self._truth = truth
        self._outbox = outbox
        self.manners: LoopManners = LoopManners()
        self.shop_id: int = rng.randrange(1_000, 99_999)
        self.returns: dict[int, Return] = {}
        self.destinations: dict[int, str] = {41_000: "Main warehouse"}
        self.subscriptions: list[Subscription] = [
            Subscription(id=number, topic=topic, trigger=trigger, url="https://receiver.example/loop")
            for number, (topic, trigger) in enumerate(DEFAULT_HOOKS, start=501)
        ]
        self._return_id = rng.randrange(100_000_000, 120_000_000)
        self._line_id = rng.randrange(380_000_000, 400_000_000)
        self._other_id = rng.randrange(40_000_000, 44_000_000)
        self._queued: dict[int, int] = {}

    # ------------------------------------------------------------------------------------------------ ids

    def new_line_id(self) -> int:
        """The next line item id."""
        self._line_id += 1
        return self._line_id

    def new_id(self) -> int:
        """The next id of anything small: shipments, exchanges, notes, subscriptions."""
        self._other_id += 1
        return self._other_id

    # ------------------------------------------------------------------------------------------- webhooks

    def emit(self, trigger: str, ret: Return, *, label: Label | None = None, extra: dict[str, Any] | None = None) -> None:
        """Send the webhooks of one trigger to all who asked for it. Topic and trigger may be crossed."""
        for hook in self.subscriptions:
            if hook.status != "active" or hook.trigger != trigger:
                continue
            if hook.topic == "return":
                body = return_message(ret, trigger=trigger, shop_id=self.shop_id)
            elif hook.topic == "label" and label is not None:
                body = label_message(ret, label, trigger=trigger, shop_id=self.shop_id)
            elif hook.topic == "return.processing" and extra is not None:
                body = {"topic": hook.topic, "trigger": trigger, "return_id": ret.id, **extra}
            else:
                continue
            raw = dump(body)
            self._outbox.put(
                Message(
                    system="loop",
                    topic=f"{hook.topic}/{trigger}",
                    return_id=ret.id,
                    url=hook.url,
                    body=raw,
                    headers=loop_headers(raw, self.manners.webhook_secret),
                    due_at=self._clock.now(),
                    subscription_id=hook.id,
                )
            )

    # -------------------------------------------------------------------------------------------- changes

    def change(self, ret: Return, *triggers: str, touch: bool = True, **changes: Any) -> Return:
        """Store a changed return and tell who listens."""
        if touch:
            changes["updated_at"] = self._clock.now()
        ret = attrs.evolve(ret, **changes)
        self.returns[ret.id] = ret
        for trigger in triggers:
            self.emit(trigger, ret)
        return ret

    def submit(self, order: Order, lines: Iterable[Line], *, outcome: str, **more: Any) -> Return:
        """A shopper submits a return."""
        self._return_id += self._rng.randrange(1, 90)
        now = self._clock.now()
        ret = Return(
            id=self._return_id,
            order=order,
            lines=tuple(lines),
            outcome=outcome,
            created_at=now,
            updated_at=now,
            page=f"https://shop.loopreturns.example/#/return/{self._rng.getrandbits(128):032x}",
            **more,
        )
        self.returns[ret.id] = ret
        self.emit("return.created", ret)
        return ret

    def add_label(self, return_id: int, *, carrier: str, tracking: str, line_ids: tuple[int, ...], status: str = "new") -> Label:
        """Loop buys a label; it runs out after `label_life` if nobody hands the parcel over."""
        now = self._clock.now()
        label = Label(
            shipment_id=self.new_id(),
            carrier=carrier,
            tracking=tracking,
            status=status,
            created_at=now,
            updated_at=now,
            line_ids=line_ids,
            rate=600 + self._rng.randrange(900),
        )
        ret = self.returns[return_id]
        ret = self.change(ret, labels=(*ret.labels, label))
        self.emit("label.created", ret, label=label)
        self._clock.at(now + timedelta(days=self.manners.label_life), lambda: self._expire(return_id))
        return label

    def move_label(self, return_id: int, shipment_id: int, status: str) -> None:
        """The carrier says where a parcel is."""
        ret = self.returns[return_id]
        now = self._clock.now()
        labels = tuple(
            attrs.evolve(each, status=status, updated_at=now) if each.shipment_id == shipment_id else each for each in ret.labels
        )
        ret = self.change(ret, touch=self.manners.label_touches_return, labels=labels)
        self.emit("label.updated", ret, label=next(each for each in labels if each.shipment_id == shipment_id))
        if status == self.manners.process_on_scan and ret.state == "open" and not ret.flagged:
            self._queue(ret, by="auto")

    def _expire(self, return_id: int) -> None:
        ret = self.returns[return_id]
        age = timedelta(days=self.manners.label_life)
        waiting = [label for label in ret.labels if label.status in ("new", "pre_transit")]
        if (
            ret.state == "open"
            and len(waiting) == len(ret.labels)
            and all(self._clock.now() - label.created_at >= age for label in waiting)
        ):
            self.change(ret, "return.updated", state="expired")

    # -------------------------------------------------------------------------------------------- actions

    def act(self, what: str, return_id: int, *, by: str = "api", details: dict[str, Any] | None = None) -> Refusal | None:
        """Process, flag, cancel or close. None: accepted. People (`by` other than ``api``) may act on flagged returns."""
        ret = self.returns.get(return_id)
        if ret is None:
            return NOT_FOUND
        refusal = self._refusal(what, ret, by)
        if refusal is None and by == "api" and self._rng.random() < self.manners.refuse:
            refusal = Refusal(body={"errors": {"message": "An unexpected error occurred.", "code": "UNEXPECTED_ERROR"}})
        self._note_deed(what, ret, by, accepted=refusal is None)
        if refusal is not None:
            return refusal
        if what == "process":
            self._queue(ret, by=by, details=details)
        elif what == "flag":
            if not ret.flagged:
                hidden = by == "api" and self._rng.random() < self.manners.hidden_flags
                self.change(ret, "return.updated", flagged=True, state="open" if hidden else "review")
        elif what == "cancel":
            self.change(ret, "return.updated", state="cancelled", flagged=False)
        elif what == "close":
            self.change(ret, "return.updated", "return.closed", state="closed", flagged=False)
        return None

    def _refusal(self, what: str, ret: Return, by: str) -> Refusal | None:
        if by != "api" and what in ("process", "close", "cancel") and ret.state == "review":
            return None
        if what == "process" and ret.flagged:
            return None if self.manners.allow_flagged or by != "api" else FLAGGED
        if what == "process" and ret.state == "review" and self.manners.allow_flagged:
            return None
        if what == "cancel" and ret.flagged:
            return REFUSALS["cancel"]["review"]
        return REFUSALS[what].get(ret.state)

    def _note_deed(self, what: str, ret: Return, by: str, *, accepted: bool, detail: str = "") -> None:
        self._truth.deeds.append(
            Deed(
                what=what,
                return_id=ret.id,
                at=self._clock.now(),
                by=by,
                accepted=accepted,
                state=ret.state,
                flagged=ret.flagged,
                detail=detail,
            )
        )

    def _queue(self, ret: Return, *, by: str, details: dict[str, Any] | None = None) -> None:
        if details is not None:
            self.returns[ret.id] = attrs.evolve(ret, details=details)
        least, most = self.manners.processing_takes
        self._queued[ret.id] = self._queued.get(ret.id, 0) + 1
        self._clock.after(least + (most - least) * self._rng.random(), lambda: self._process_now(ret.id, by))

    def is_queued(self, return_id: int) -> bool:
        """True while a processing of this return has been accepted and has not ended."""
        return self._queued.get(return_id, 0) > 0

    def _process_now(self, return_id: int, by: str) -> None:
        self._queued[return_id] -= 1
        ret = self.returns[return_id]
        blocked = ret.flagged and by in ("api", "auto") and not self.manners.allow_flagged
        if ret.state not in ("open", "review") or blocked:
            self._fail(ret, f"Return is {ret.state} and therefore cannot be processed.", by)
        elif by in ("api", "auto") and self._rng.random() < self.manners.failing:
            if self.manners.failed_state == "review" and ret.state == "open":
                ret = self.change(ret, "return.updated", state="review")
            self._fail(ret, "Return failed to process", by)
        else:
            self.release(ret, by=by)

    def _fail(self, ret: Return, message: str, by: str) -> None:
        source = {"api": "api", "auto": "warehouse", "person": "admin"}.get(by)
        self.emit("return.processing.failed", ret, extra={"return_state": ret.state, "message": message, "source": source})

    def release(self, ret: Return, *, by: str) -> None:
        """Pay out.

        Refund, credit and exchange of every line not delivered yet. Out-of-stock exchanges go to review and wait for a later process.
        """
        now = self._clock.now()
        due = [line for line in ret.live_lines if not line.delivered]
        ready = [line for line in due if not line.out_of_stock]
        amount = sum((line.value for line in ready), start=ret.value * 0)
        outcomes = {line.outcome for line in ready}
        lines = tuple(
            attrs.evolve(line, delivered=True, out_of_stock=False) if line in ready else attrs.evolve(line, out_of_stock=False)
            for line in ret.lines
        )
        changes: dict[str, Any] = {"lines": lines}
        if outcomes & {"refund", "keep"}:
            changes["refund_processed"] = now
        if "credit" in outcomes:
            changes["gift_card_processed"] = now
        if "exchange" in outcomes:
            changes["exchange_processed"] = now
        self._truth.released.append(Released(return_id=ret.id, amount=amount, at=now, by=by))
        if len(ready) < len(due):
            self.change(ret, "return.updated", state="review", **changes)
        else:
            self.change(
                ret, "return.updated", "return.closed", state="closed", flagged=False, was_processed=True, return_processed=now, **changes
            )

    def remove(self, return_id: int, line_ids: tuple[int, ...], *, by: str = "api") -> Refusal | None:
        """Take lines out *and process what is left*, at once."""
        ret = self.returns.get(return_id)
        if ret is None:
            return Refusal(status=403, body={"errors": [{"message": "Return not found."}]})
        if not line_ids:
            return Refusal(status=422, body={"error": {"message": "The line item id field is required."}})
        if ret.state not in ("open", "review") or (by == "api" and ret.flagged and not self.manners.allow_flagged):
            return Refusal(status=422, body={"message": "Return cannot be modified."})
        able = [line for line in ret.live_lines if line.line_id in line_ids and line.outcome in ("refund", "credit")]
        if not able:
            return Refusal(status=422, body={"message": "There are no line items that qualify for removal"})
        if len(able) < len(line_ids):
            return Refusal(status=422, body={"message": "Not all line items qualify for removal"})
        self._note_deed("remove", ret, by, accepted=True, detail=",".join(map(str, line_ids)))
        ret = self.take_out(ret, line_ids)
        if ret.live_lines:
            self.release(ret, by=by)
        else:
            self.change(ret, "return.updated", state="cancelled")
        return None

    def take_out(self, ret: Return, line_ids: tuple[int, ...]) -> Return:
        """Mark lines as removed; they linger in every answer, zeroed."""
        lines = tuple(attrs.evolve(line, removed=True) if line.line_id in line_ids else line for line in ret.lines)
        return self.change(ret, lines=lines, edited_at=self._clock.now())

    def add_note(self, return_id: int, content: str, *, by: str = "api") -> Note | None:
        """Write a note; None when there is no such return."""
        ret = self.returns.get(return_id)
        if ret is None:
            return None
        note = Note(id=self.new_id(), content=content, created_at=self._clock.now())
        self._note_deed("note", ret, by, accepted=True, detail=content)
        self.change(ret, touch=False, notes=(note, *ret.notes))
        return note

    def find(self, *, return_id: int | None = None, order_id: int | None = None, order_name: str | None = None) -> list[Return]:
        """Returns by id, by the *shop's* order id, or by the order's name; the first one given counts."""
        if return_id is not None:
            return [self.returns[return_id]] if return_id in self.returns else []
        return [
            ret
            for ret in self.returns.values()
            if (order_id is not None and ret.order.shop_id == order_id) or (order_name is not None and ret.order.name == order_name)
        ]

    def between(self, start: datetime, end: datetime, *, by: str, states: tuple[str, ...]) -> list[Return]:
        """Returns whose `created_at` or `updated_at`, cut to the second, lies in [start, end]."""
        found = []
        for ret in self.returns.values():
            at = (ret.created_at if by == "created_at" else ret.updated_at).replace(microsecond=0)
            if ret.state in states and start <= at <= end:
                found.append(ret)
        return found
