"""The clean return, recognised without building anything: most returns are, and they must cost next to nothing.

Clean: one finished receipt, as many units as expected, every unit in order, and each kind of identifier carried by every
unit of both sides or by no unit of one side, with what is carried agreeing as a multiset. Then the strongest shared kind
is the same for all pairs, a pairing without a conflict exists, and no other can be better: the verdict is PROCESS, and
equal units pair in canonical order. Whatever is in doubt is not clean, and goes the long way to the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

from .decision import Pair, make_pair
from .identifiers import BARCODES, CASELESS, TEXTS, TIERS
from .policy import Policy
from .settlement import in_order, line_order, received_in_order

__all__ = ["clean_pairs", "is_clean"]

Kind = tuple[str, Callable[[Any], Any], Callable[[Any], Any] | None]
Shared = list[tuple[list[Any], list[Any]]]


def _kinds(sku: Callable[[Any], Any]) -> tuple[Kind, ...]:
    """Of each tier: its prefix, how it is read from a unit, and how what was read is brought to one form."""
    read = map(attrgetter, ("line_id", "item_id", "sku", "barcode", "variant_id"))
    plain = (TEXTS.__getitem__, None, sku, BARCODES.__getitem__, TEXTS.__getitem__)
    return tuple(zip([f"{tier}:" for tier in TIERS], read, plain, strict=True))


_EXACT, _CASELESS = _kinds(TEXTS.__getitem__), _kinds(CASELESS.__getitem__)


def is_clean(rma: Rma, receipt: Receipt, policy: Policy) -> bool:
    """Whether this is surely PROCESS, with no finding. False says nothing."""
    rules = policy.compiled
    size = len(rma.units)
    if (
        not rules.plain
        or not receipt.final
        or size != len(receipt.units)
        or not size
        or receipt.problems
        or rma.was_processed
        or rma.state not in ("open", "review", "expired")
        or (receipt.return_id is not None and receipt.return_id != rma.return_id)
        or (receipt.status is not None and receipt.status not in rules.finals)
    ):
        return False
    for line in receipt.lines:
        if line.quantity_good < 0 or line.quantity_damaged < 0:
            return False
    expected, received = rma.units, receipt.units
    for came in received:
        if came.condition != "good" and came.condition is not None:
            return False
    plain_outcome = rules.plain_outcome
    for wanted in expected:
        outcome = wanted.outcome
        if not plain_outcome[rma.outcome if outcome is None or outcome == "default" else outcome]:
            return False
    if size > 1 and (len({wanted.line_id.strip() for wanted in expected}) != size or len({came.id for came in received}) != size):
        return False
    shared = _shared(expected, received, rules.ignore_case)
    if not shared:
        return False
    for ours, theirs in shared:
        if ours != theirs:
            return _sorted(shared)
    return True  # as they stand, first with first: the usual case


def _sorted(shared: Shared) -> bool:
    """Whether they agree when each side is sorted."""
    keys, others = _keys(shared)
    return sorted(keys) == sorted(others)


def _shared(expected: Sequence[ExpectedUnit], received: Sequence[ReceivedUnit], ignore_case: bool) -> Shared:
    """What both sides carry, of every kind that all units of both carry; empty if some kind is carried by some of them only."""
    size = len(expected)
    found: Shared = []
    for _, read, plain in _CASELESS if ignore_case else _EXACT:
        theirs = list(map(read, received))
        if theirs[0] is None and theirs.count(None) == size:
            continue
        ours = list(map(read, expected))
        if ours[0] is None and ours.count(None) == size:
            continue
        if plain is not None:
            ours, theirs = list(map(plain, ours)), list(map(plain, theirs))
        if None in ours or None in theirs:
            return []
        found.append((ours, theirs))
    return found


def _keys(shared: Shared) -> tuple[list[Any], list[Any]]:
    """What each unit carries of the shared kinds, together."""
    return [*zip(*[ours for ours, _ in shared], strict=True)], [*zip(*[theirs for _, theirs in shared], strict=True)]


def _strongest(wanted: ExpectedUnit, came: ReceivedUnit, ignore_case: bool) -> Kind:
    """The kind that pairs them. What two units of a clean return share, all of them do."""
    for kind in _CASELESS if ignore_case else _EXACT:
        if kind[1](wanted) is not None and kind[1](came) is not None:
            break
    return kind


def clean_pairs(rma: Rma, receipt: Receipt, policy: Policy) -> tuple[Pair, ...]:
    """The pairs of a clean return."""
    expected, received, ignore_case = rma.units, receipt.units, policy.compiled.ignore_case
    size = len(expected)
    prefix, read, plain = _strongest(expected[0], received[0], ignore_case)
    if size == 1:
        value = read(expected[0])
        return (make_pair(expected[0].line_id, received[0].id, f"{prefix}{value if plain is None else plain(value)}"),)
    values, others = list(map(read, expected)), list(map(read, received))
    if plain is not None:
        values, others = list(map(plain, values)), list(map(plain, others))
    partner = dict(zip(others, [unit.id for unit in received], strict=True))
    if len(partner) == size:
        pairs = [make_pair(unit.line_id, partner[value], f"{prefix}{value}") for unit, value in zip(expected, values, strict=True)]
        return tuple(sorted(pairs, key=line_order))
    # Some units are equal: which goes with which is a matter of canonical order.
    keys, others = _keys(_shared(expected, received, ignore_case))
    places = {unit.id: key for unit, key in zip(received, others, strict=True)}
    free: dict[Any, list[str]] = {}
    for unit in reversed(received_in_order(list(received))):
        free.setdefault(places[unit.id], []).append(unit.id)
    key_of = {unit.line_id: (key, value) for unit, key, value in zip(expected, keys, values, strict=True)}
    pairs = []
    for line in in_order(list(expected)):
        key, value = key_of[line.line_id]
        pairs.append(make_pair(line.line_id, free[key].pop(), f"{prefix}{value}"))
    return tuple(sorted(pairs, key=line_order))
