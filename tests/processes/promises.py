"""What is promised, held against what was seen from outside: by the world, at its door, in the ledger, and in the papers of the workers."""

from __future__ import annotations

import json
import pickle
import struct
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs
from shops import Sent, Shop

from loop_whiplash import Decision, Policy, Receipt, Rma, match
from loop_whiplash.simulator import SimulatedReturn

__all__ = ["busiest", "decided", "decisions_do_not_replay", "ended", "limits_broken", "wrong"]

#: Seconds of the window in which each vendor counts. And how long everybody is held back at the least after a 429 that says nothing.
WINDOW = {"loop": 60.0, "whiplash": 1.0}
HELD = {"loop": 5.0, "whiplash": 1.0}
PUBLISHED = {"loop": 300, "whiplash": 10}


def wrong(shop: Shop, fates: Sequence[tuple[str, SimulatedReturn]]) -> list[str]:
    """Every promise that was broken, as the world knows the truth."""
    truth = shop.world.truth
    found: list[str] = []
    for fate, ret in fates:

        def say(what: str, fate: str = fate, ret: SimulatedReturn = ret) -> None:
            found.append(f"{what}: {fate}, {ret}, journal {shop.journal(ret)}, breaks {sorted(shop.breaks(ret))}")

        made = [each for each in truth.made if each.return_id == ret.id and each.by == "api"]
        sent = truth.processes(ret.id)
        shipped = ret.labels[0].status != "new"
        if shop.lost(ret.id):
            say("P1: an acknowledged webhook is gone")
        if shipped and fate != "cancelled" and len(truth.live_rmas(ret.id)) != 1 and not shop.breaks(ret):
            say("P2: neither one RMA nor a break")
        if len(made) > 1:
            say(f"P3: {len(made)} RMAs were made")
        if len(sent) > 1 + shop.retried[ret.id] or sum(each.by == "api" for each in truth.released if each.return_id == ret.id) > 1:
            say("P4: processed more than once")
        if sent and shop.journal(ret).get("process", {}).get("phase") not in ("confirmed", "failed") and not shop.breaks(ret):
            say("P4: a process neither confirmed nor a break")
        case = shop.ledger.case(ret.id)
        if case is None or (case.due_at is None and ret.state not in ("closed", "cancelled")):
            say("P6: nobody will look at it again")
        if ret.id in {deed.return_id for deed in truth.deeds if deed.by == "api" and deed.what in ("cancel", "close", "remove", "edit")}:
            say("something was done that is never done")
        if len(truth.flags(ret.id)) > 1:
            say("P12: flagged more than once")
        for deed in sent:
            if deed.flagged and not truth.flags(ret.id):
                say("P12: processed in a review that was not ours")
        if fate in ("damaged", "wrong", "unknown", "never sent") and truth.paid(ret.id, by="api"):
            say("money was released for goods that did not come back well")
        if fate == "exact" and not ret.was_processed and not shop.breaks(ret):
            say("P8: a good return was left behind")
    if truth.deleted:
        found.append(f"P7: {len(truth.deleted)} RMAs were deleted")
    overdue = shop.ledger.stats(at=shop.world.clock.now())
    if overdue["leased"]:
        found.append(f"a lease is left: {overdue}")
    return found


# ---------------------------------------------------------------------------------------------------------- P9


@attrs.frozen(kw_only=True)
class Decided:
    """One decision of a worker: what it was made of, and how it read."""

    rma: Rma
    receipts: tuple[Receipt, ...]
    policy: Policy
    at: datetime
    text: str
    verdict: str

    @property
    def there(self) -> str:
        """What was to come and what came, and whether counting is over, in words of our own: all that evidence is."""
        lines = [f"expected {each.line_id} {each.sku} {each.item_id} {each.barcode}" for each in self.rma.units]
        final, begun = False, False
        for receipt in self.receipts:
            lines += [f"received {each.line_id} {each.sku} {each.item_id} {each.barcode} {each.condition}" for each in receipt.units]
            final, begun = final or receipt.final, begun or (not receipt.final and bool(receipt.units))
        return "\n".join([*sorted(lines), f"over: {final and not begun}"])


def decided(shop: Shop) -> list[Decided]:
    """All decisions that the shop's workers told of, of the dead too."""
    found: list[Decided] = []
    for paper in sorted(shop.folder.glob("decisions-*")):
        told = paper.read_bytes()
        while len(told) > 8 and len(told) - 8 >= (size := struct.unpack_from("=q", told)[0]):  # the last may have been cut by death
            rma, receipts, policy, at, text = pickle.loads(told[8 : 8 + size])
            found.append(Decided(rma=rma, receipts=receipts, policy=policy, at=at, text=text, verdict=json.loads(text)["verdict"]))
            told = told[8 + size :]
    return found


def decisions_do_not_replay(shop: Shop, fates: Sequence[tuple[str, SimulatedReturn]]) -> list[str]:
    """Each decision is made again here, in another process; each that acted or is stored is one that was made."""
    found: list[str] = []
    made: dict[int, dict[str, str]] = {}
    seen: dict[str, str] = {}
    marks: dict[str, str] = {}
    for each in decided(shop):
        again = match(each.rma, each.receipts, policy=each.policy, at=each.at)
        mark, there = again.fingerprint, each.there
        if json.dumps(again.to_dict()) != each.text or Decision.from_dict(json.loads(each.text)) != again:
            found.append(f"P9: the decision of {each.at} on {each.rma.return_id} is another when made again: {each.text}")
        if seen.setdefault(mark, there) != there or marks.setdefault(there, mark) != mark:
            found.append(f"P9: fingerprint {mark} of {each.rma.return_id} is not of this evidence alone: {there}; {seen[mark]}")
        made.setdefault(each.rma.return_id, {})[_plain(json.loads(each.text))] = again.verdict
    for _, ret in fates:
        case = shop.ledger.case(ret.id)
        stored = case.summary.get("decision") if case is not None else None
        if stored and _plain(stored) not in made.get(ret.id, {}):
            found.append(f"P9: nobody made the decision that is stored of {ret}: {stored}")
        verdicts = set(made.get(ret.id, {}).values())
        for what, verdict, done in (
            ("process", "PROCESS", shop.world.truth.processes(ret.id)),
            ("flag", "FLAG", shop.world.truth.flags(ret.id)),
        ):
            if done and verdict not in verdicts:
                found.append(f"P9: {what} was sent for {ret}, and nobody decided so")
    return found


def _plain(decision: Any) -> str:
    return json.dumps(decision, sort_keys=True)


# --------------------------------------------------------------------------------------------------------- P10


def limits_broken(shop: Shop) -> list[str]:
    """Every window of every limiter, as its requests left; and whether who was told to wait waited."""
    limits = PUBLISHED if shop.limits == "own" else dict(zip(("loop", "whiplash"), shop.rate_limits, strict=True))
    found: list[str] = []
    for (system, whose), sent in _by_limiter(shop).items():
        if (most := _most(sent, WINDOW[system])) > limits[system]:
            found.append(f"P10: {most} requests left for {system} within {WINDOW[system]:g} s by the limiter of {whose}")
        found += [f"P10: {early} left for {system} though {told} had been told to wait" for told, early in _impatient(sent, HELD[system])]
    return found


def _by_limiter(shop: Shop) -> dict[tuple[str, str], list[Sent]]:
    found: dict[tuple[str, str], list[Sent]] = {}
    for sent in list(shop.door):
        found.setdefault((sent.system, f"worker {sent.worker}" if shop.limits == "own" else "all"), []).append(sent)
    return found


def busiest(shop: Shop) -> dict[str, int]:
    """The most that any limiter let out within one window, by system."""
    found: dict[str, int] = {}
    for (system, _), sent in _by_limiter(shop).items():
        found[system] = max(found.get(system, 0), _most(sent, WINDOW[system]))
    return found


def _most(sent: Iterable[Sent], window: float) -> int:
    """The most that left within one window, wherever it begins."""
    recent: deque[int] = deque()
    most = 0
    for left in sorted(each.left for each in sent):
        recent.append(left)
        while left - recent[0] >= window * 1e6:
            recent.popleft()
        most = max(most, len(recent))
    return most


def _impatient(sent: Sequence[Sent], held: float) -> Iterator[tuple[Sent, Sent]]:
    """Who was told to wait, and what left all the same: of the same worker, or of another after he was told. A worker who never sent
    again may have died before he could tell the others."""
    for number, told in enumerate(sent):
        after = [each for each in sent[number + 1 :] if each.worker == told.worker]
        if not told.refused or not after:
            continue
        until = told.left + (told.retry_after or held) * 1e6 - 1000  # a millisecond for what floats round off
        early = next((each for each in (*after, *sent) if each.left < until and (each is after[0] or each.left > told.left)), None)
        if early is not None:
            yield told, early


# ----------------------------------------------------------------------------------------------------- P5, P11


def ended(shop: Shop, ret: SimulatedReturn) -> dict[str, Any]:
    """How a return ended, of which neither the order of hints nor the ledger may decide anything."""
    truth, case = shop.world.truth, shop.ledger.case(ret.id)
    return {
        "state": ret.state,
        "in review": ret.flagged,
        "paid by": sorted(each.by for each in truth.released if each.return_id == ret.id),
        "amount": str(truth.paid(ret.id)),
        "RMAs": len(truth.live_rmas(ret.id)),
        "acts": Counter(deed.what for deed in truth.deeds if deed.return_id == ret.id and deed.by == "api"),
        "notes": len(ret.notes),
        "breaks": sorted(shop.breaks(ret)),
        "journal": {what: said["phase"] for what, said in shop.journal(ret).items() if isinstance(said, dict) and "phase" in said},
        "settled": case is not None and case.due_at is None,
    }
