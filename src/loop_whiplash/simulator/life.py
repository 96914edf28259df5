"""What happens to returns in a simulated shop: parcels travel and are counted, and people do as they please."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from .shopper import SimulatedReturn
from .whiplash import ARRIVED, COMPLETED, IN_TRANSIT, Notice

if TYPE_CHECKING:
    from .world import World

__all__ = ["Habits", "Life"]

HOUR, DAY = 3600.0, 86_400.0


@attrs.define(kw_only=True)
class Habits:
    """What may happen in this shop; each is a share of the returns, or of the days, it happens to.

    Attributes:
        returns: how many. days: over how long they are submitted and people act.
        wrong: counted otherwise than announced. half: counted in two goes. split: sent in two parcels.
        reopened: corrected after completion.
        unlabelled, kept, dropped_off: returns without a label, that stay with the shopper, that are paid at drop-off.
        announced_by_hand: an RMA somebody made by hand before ours. same_order: a second return of one order.
        unknown_item, twin_item: SKUs that Whiplash does not know, or knows twice. unexpected: parcels nobody announced.
        thrown_away: RMAs that staff delete. never_scanned: parcels that are never handed over.
        arrives: of those that are, how many reach the warehouse. early: parcels that may be counted before anybody was told of them.
        by_hand: things people do in Loop per return and day. instant: everything follows within minutes.
        hands_off: nobody announces anything by hand, whatever its share, and no label breaks.
        least: seconds from a parcel's arrival to its count, at least.
    """

    returns: tuple[int, int] = (1, 3)
    days: float = 2.0
    wrong: float = 0.25
    half: float = 0.1
    split: float = 0.0
    reopened: float = 0.0
    unlabelled: float = 0.0
    kept: float = 0.0
    dropped_off: float = 0.0
    announced_by_hand: float = 0.0
    same_order: float = 0.0
    unknown_item: float = 0.0
    twin_item: float = 0.0
    unexpected: float = 0.0
    thrown_away: float = 0.0
    never_scanned: float = 0.05
    arrives: float = 0.95
    early: float = 0.15
    by_hand: float = 0.0
    instant: float = 0.2
    hands_off: bool = False
    least: float = 60.0


class Life:
    """Puts the life of each return on the clock. `ended`: nothing that was put there happens any more.

    Attributes:
        returns: those that were submitted. announced: consumer returns made by hand, as id → return id.
        edited: return ids whose lines or counts people changed.
    """

    def __init__(self, world: World, habits: Habits, say: Callable[[str], None]) -> None:
        self.world = world
        self.habits = habits
        self.returns: list[SimulatedReturn] = []
        self.announced: dict[int, int] = {}
        self.edited: set[int] = set()
        self.ended = False
        self._say = say
        self._rng = world.random("life")

    def begin(self) -> None:
        """Put on the clock when each return is submitted."""
        for _ in range(self._rng.randint(*self.habits.returns)):
            self._at(self._rng.random() * self.habits.days * DAY * 0.5, "submits", self._submit)

    def _at(self, seconds: float, what: str, happening: Callable[[], object]) -> None:
        def happens() -> None:
            if not self.ended:
                self._say(f"world: {what}")
                happening()

        self.world.clock.after(seconds, happens)

    def _some(self, least: float, most: float) -> float:
        """A time between two; small ones are as likely as large ones."""
        return float(least * (most / least) ** self._rng.random())

    def _share(self, share: float) -> bool:
        return bool(share) and self._rng.random() < share

    # -------------------------------------------------------------------------------------------- what is sent back

    def _submit(self) -> None:
        # Each return has a life of its own, whatever became of the others by then.
        self._rng = self.world.random(f"life {len(self.returns)}")
        world, rng, habits = self.world, self._rng, self.habits
        lines: int | list[str] = rng.choice((1, 1, 2, 2, 3))
        order = None
        if self.returns and self._share(habits.same_order):
            before = self.returns[rng.randrange(len(self.returns))]
            order, lines = before.order, list(before.skus)
        elif self._share(habits.unknown_item):
            sku = f"NOWHERE-{len(self.returns)}"
            world.catalogue.add_variant(sku=sku, items=0)
            lines = [sku]
        elif self._share(habits.twin_item):
            sku = f"TWIN-{len(self.returns)}"
            world.catalogue.add_variant(sku=sku, items=2)
            lines = [sku]
        elif isinstance(lines, int) and lines > 1 and rng.random() < 0.4:
            lines = [rng.choice([variant.sku for variant in world.catalogue.variants[:6]])] * lines
        kept, dropped = self._share(habits.kept), self._share(habits.dropped_off)
        labelled = not self._share(habits.unlabelled)
        ret = world.shopper.submit_return(
            lines,
            outcome=rng.choice(("refund", "refund", "credit", "exchange")),
            order=order,
            label=labelled,
            parcels=2 if self._share(habits.split) and not isinstance(lines, str) and _many(lines) else 1,
            in_whiplash=not isinstance(lines, list) or rng.random() < 0.5,
            keep_item=kept,
            happy_returns=dropped and not kept,
        )
        self.returns.append(ret)
        self._say(f"world: return {ret.id} is {', '.join(ret.skus)}")
        arrives = self._travel(ret, labelled and not kept and not dropped)
        if not kept and self._share(habits.arrives):
            self._count(ret, arrives)
        if habits.by_hand:
            for _ in range(rng.randint(0, max(1, round(habits.by_hand * habits.days * 2)))):
                self._at(self._some(10, habits.days * DAY), f"somebody at Loop has return {ret.id} before them", lambda: self._meddle(ret))

    def _travel(self, ret: SimulatedReturn, labelled: bool) -> float:
        """Put the carrier's scans on the clock; gives the seconds until the parcel is at the warehouse."""
        longest = 60.0 if self._share(self.habits.instant) else self.habits.days * DAY * 0.15
        at = self._some(1, longest)
        if labelled and not self._share(self.habits.never_scanned):
            for status in ("pre_transit", "in_transit", "delivered"):
                word = status if self._rng.random() < 0.95 or self.habits.hands_off else "error"
                self._at(at, f"the carrier says {word} of {ret.id}", lambda word=word: self._scan(ret, word))  # type: ignore[misc]
                at += self._some(1, longest)
        if self._share(self.habits.announced_by_hand) and not self.habits.hands_off:
            self._at(self._some(1, 4 * HOUR), f"somebody announces {ret.id} by hand", lambda: self._announce(ret))
        if self._share(self.habits.early):
            return self._some(60, self.habits.days * DAY)
        least = self.habits.least
        return at + self._some(least, least + longest + 3600.0)

    def _scan(self, ret: SimulatedReturn, status: str) -> None:
        if ret.labels:
            self.world.carrier.scan(ret, status)

    def _announce(self, ret: SimulatedReturn) -> None:
        if not self.world.warehouse.rmas(ret) and ret.labels:
            notice = self.world.warehouse.announce(ret)
            if notice.lines:
                self.announced[notice.id] = ret.id

    # ------------------------------------------------------------------------------------------- what is counted

    def _count(self, ret: SimulatedReturn, at: float) -> None:
        rng, habits = self._rng, self.habits
        if self._share(habits.half):
            damaged = int(self._share(habits.wrong))
            self._at(at, f"half of {ret.id} is counted", lambda: self._receive(ret, half=True, damaged=damaged))
            at += self._some(60, 3 * DAY)
            self._at(at, f"the rest of {ret.id} is counted", lambda: self._receive(ret))
        elif ret.labels and len(ret.labels) > 1:
            whole = rng.random() < 0.5
            self._at(at, f"one parcel of {ret.id} is counted", lambda: self._receive(ret, parcel=0, complete=whole))
            at += self._some(60, DAY)
            self._at(at, f"the other parcel of {ret.id} is counted", lambda: self._receive(ret))
        elif self._share(habits.wrong):
            self._at(at, f"{ret.id} is counted, and something is wrong", lambda: self._receive(ret, **self._something_wrong(ret)))
        else:
            self._at(at, f"{ret.id} is counted", lambda: self._receive(ret))
        if self._share(habits.reopened):
            self._at(at + self._some(60, DAY), f"the count of {ret.id} is corrected", lambda: self._correct(ret))
        if self._share(habits.thrown_away):
            self._at(self._some(HOUR, habits.days * DAY), f"staff throw the RMA of {ret.id} away", lambda: self._throw_away(ret))
        if self._share(habits.unexpected):
            self._at(self._some(HOUR, habits.days * DAY), "a parcel comes that nobody announced", lambda: self._surprise(ret))

    def _something_wrong(self, ret: SimulatedReturn) -> dict[str, object]:
        other = self.world.catalogue.variants[self._rng.randrange(8)].sku
        match self._rng.randrange(5):
            case 0:
                return {"short": 1}
            case 1:
                return {"damaged": 1}
            case 2:
                return {"extra": [other]}
            case 3 if other not in ret.skus:
                return {"substitute": {ret.skus[0]: other}}
            case 3:
                return {"short": 1, "damaged": 1}
            case _:
                return {"short": len(ret.skus)}

    def _target(self, ret: SimulatedReturn) -> Notice | SimulatedReturn | None:
        """The RMA the warehouse counts on: ours, else one made by hand, else none. Nothing is counted twice."""
        notices = self.world.warehouse.rmas(ret)
        notices += [notice for notice in self.world.whiplash.notices() if self.announced.get(notice.id) == ret.id]
        if any(notice.status == COMPLETED for notice in notices):
            return None
        return notices[0] if notices else ret

    def _receive(self, ret: SimulatedReturn, **how: object) -> None:
        target = self._target(ret)
        if target is None or not ret.now.live_lines:
            return
        if isinstance(target, SimulatedReturn) and (how.get("half") or not self.world.catalogue.items_of(ret.skus[0])):
            return  # nothing to count half of
        try:
            self.world.warehouse.receive(target, **how)  # type: ignore[arg-type]
        except LookupError:
            self._say("world: there was nothing like it in the parcel")

    def _correct(self, ret: SimulatedReturn) -> None:
        for notice in self.world.warehouse.rmas(ret):
            if notice.status == COMPLETED and notice.lines:
                sku = notice.lines[0].item.sku
                self.world.warehouse.reopen(notice)
                quantity = notice.lines[0].quantity
                rng = self.world.random(f"correction {[each.id for each in self.returns].index(ret.id)}")
                counts = rng.choice(((quantity, 0), (max(0, quantity - 1), 0), (max(0, quantity - 1), 1)))
                self.world.warehouse.recount(notice, {sku: counts})
                again = 60.0 + rng.random() * 6 * HOUR
                self._at(again, f"the count of {ret.id} is completed again", lambda: self._complete(ret))
                return

    def _complete(self, ret: SimulatedReturn) -> None:
        for notice in self.world.warehouse.rmas(ret):
            if ARRIVED <= notice.status < COMPLETED:
                self.world.warehouse.complete(notice)

    def _throw_away(self, ret: SimulatedReturn) -> None:
        for notice in self.world.warehouse.rmas(ret):
            if notice.status == IN_TRANSIT:
                self.world.warehouse.delete(notice)
                return

    def _surprise(self, ret: SimulatedReturn) -> None:
        skus = [sku for sku in ret.skus if self.world.catalogue.items_of(sku)]
        if skus:
            self.world.warehouse.receive_unexpected(skus[:1], count=self._rng.random() < 0.5)

    # ----------------------------------------------------------------------------------------- what people do by hand

    def _meddle(self, ret: SimulatedReturn) -> None:
        people, rng = self.world.people, self._rng
        living = ret.state in ("open", "review")
        act = rng.choice(("flag", "clear", "clear", "clear", "process", "cancel", "close", "edit", "remove", "reopen", "note", "flag"))
        self._say(f"world: somebody at Loop does {act} on {ret.id}, which is {ret.state}")
        match act:
            case "flag":
                people.flag(ret)
            case "clear":
                people.clear_flag(ret)
            case "process" if rng.random() < 0.5:
                people.process(ret)
            case "cancel" if rng.random() < 0.3:
                people.cancel(ret)
            case "close" if rng.random() < 0.3:
                people.close(ret)
            case "edit" if living:
                self.edited.add(ret.id)
                people.edit(ret, sku=self.world.catalogue.variants[rng.randrange(8)].sku)
            case "remove" if living and len(ret.now.live_lines) > 1:
                self.edited.add(ret.id)
                people.remove_line(ret)
            case "reopen":
                people.reopen(ret)
            case "note":
                people.note(ret, "called the shopper")


def _many(lines: int | list[str]) -> bool:
    return (lines if isinstance(lines, int) else len(lines)) > 1
