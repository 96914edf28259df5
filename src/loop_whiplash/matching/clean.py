"""The clean return, recognised without building anything: most returns are, and they must cost next to nothing.

Clean: one finished receipt, as many units as expected, every unit in order, and each kind of identifier carried by every
unit of both sides or by no unit of one side, with what is carried agreeing as a multiset. Then the strongest shared kind
is the same for all pairs, a pairing without a conflict exists, and no other can be better: the verdict is PROCESS, and
equal units pair in canonical order. Whatever is in doubt is not clean, and goes the long way to the same answer.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from loop_whiplash.returns.model import Receipt, Rma

from .decision import Pair, make_pair
from .identifiers import BARCODES, CASELESS, TEXTS, TIERS, Remembered
from .policy import Policy
from .settlement import in_order, line_order, received_in_order

__all__ = ["clean_pairs", "is_clean"]

# In the order of TIERS, then what is looked at beside the identifiers.
_EXPECTED = attrgetter("line_id", "item_id", "sku", "barcode", "variant_id", "outcome")
_RECEIVED = attrgetter("line_id", "item_id", "sku", "barcode", "variant_id", "condition", "id")
_KINDS = tuple(map(attrgetter, ("line_id", "item_id", "sku", "barcode", "variant_id")))
_EXACT: tuple[tuple[int, Remembered | None], ...] = ((0, TEXTS), (1, None), (2, TEXTS), (3, BARCODES), (4, TEXTS))
_CASELESS: tuple[tuple[int, Remembered | None], ...] = ((0, TEXTS), (1, None), (2, CASELESS), (3, BARCODES), (4, TEXTS))


def is_clean(rma: Rma, receipt: Receipt, policy: Policy) -> bool:
    """Whether this is surely PROCESS, with no finding. False says nothing."""
    rules = policy.compiled
    size = len(rma.units)
    if (
        not rules.plain
        or not receipt.final
        or not size
        or size != len(receipt.units)
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
    expected, received = list(map(_EXPECTED, rma.units)), list(map(_RECEIVED, receipt.units))
    plain_outcome = rules.plain_outcome
    for wanted, came in zip(expected, received, strict=True):
        condition, outcome = came[5], wanted[5]
        if condition != "good" and condition is not None:
            return False
        if not plain_outcome[rma.outcome if outcome is None or outcome == "default" else outcome]:
            return False
    if size > 1 and (len({wanted[0].strip() for wanted in expected}) != size or len({came[6] for came in received}) != size):
        return False
    if _agree_in_order(expected, received, rules.ignore_case):
        return True
    shared = _shared(list(zip(*expected, strict=True)), list(zip(*received, strict=True)), size, rules.ignore_case)
    if not shared or size == 1:
        return False
    keys, others = _keys(shared)
    return bool(sorted(keys) == sorted(others))


def _agree_in_order(expected: list[Any], received: list[Any], ignore_case: bool) -> bool:
    """Whether the units agree as they stand, first with first: the usual case, and the cheapest to see."""
    first, first_came = expected[0], received[0]
    agreed = False
    for kind, memory in _CASELESS if ignore_case else _EXACT:
        if first_came[kind] is None or first[kind] is None:
            for unit in received if first_came[kind] is None else expected:
                if unit[kind] is not None:
                    return False
            continue
        for wanted, came in zip(expected, received, strict=True):
            ours, theirs = wanted[kind], came[kind]
            if memory is not None:
                ours, theirs = memory[ours], memory[theirs]
            if ours != theirs or ours is None:
                return False
        agreed = True
    return agreed


def _shared(left: list[Any], right: list[Any], size: int, ignore_case: bool) -> list[tuple[int, Any, Any]] | None:
    """(kind, one side's, the other's) of every kind that all carry; None if some kind is carried by some only."""
    found: list[tuple[int, Any, Any]] = []
    for kind, memory in _CASELESS if ignore_case else _EXACT:
        theirs = right[kind]
        if theirs[0] is None and (size == 1 or theirs.count(None) == size):
            continue
        ours = left[kind]
        if ours[0] is None and (size == 1 or ours.count(None) == size):
            continue
        if memory is not None:
            ours = [memory[value] for value in ours]
            theirs = [memory[value] for value in theirs]
        if None in ours or None in theirs:
            return None
        found.append((kind, ours, theirs))
    return found


def _keys(shared: list[tuple[int, Any, Any]]) -> tuple[Any, Any]:
    if len(shared) == 1:
        return shared[0][1:]
    return list(zip(*[ours for _, ours, _ in shared], strict=True)), list(zip(*[theirs for _, _, theirs in shared], strict=True))


def clean_pairs(rma: Rma, receipt: Receipt, policy: Policy) -> tuple[Pair, ...]:
    """The pairs of a clean return."""
    expected, received, ignore_case = rma.units, receipt.units, policy.compiled.ignore_case
    size = len(expected)
    first, first_came = _EXPECTED(expected[0]), _RECEIVED(received[0])
    # Of a kind that the first of both sides carry, all do.
    kinds = _CASELESS if ignore_case else _EXACT
    kind, memory = next(both for both in kinds if first[both[0]] is not None and first_came[both[0]] is not None)
    prefix, carried = TIERS[kind] + ":", _KINDS[kind]
    values, others = list(map(carried, expected)), list(map(carried, received))
    if memory is not None:
        values, others = [memory[value] for value in values], [memory[value] for value in others]
    if size == 1:
        return (make_pair(first[0], first_came[6], f"{prefix}{values[0]}"),)
    partner = dict(zip(others, [unit.id for unit in received], strict=True))
    if len(partner) == size:
        pairs = [make_pair(unit.line_id, partner[value], f"{prefix}{value}") for unit, value in zip(expected, values, strict=True)]
        return tuple(sorted(pairs, key=line_order))
    # Some units are equal: which goes with which is a matter of canonical order.
    left, right = list(zip(*map(_EXPECTED, expected), strict=True)), list(zip(*map(_RECEIVED, received), strict=True))
    keys, others = _keys(_shared(left, right, size, ignore_case) or [])
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
