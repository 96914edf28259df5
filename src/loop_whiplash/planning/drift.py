"""Are the lines announced in Whiplash still the lines of the return in Loop?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from loop_whiplash.returns.model import Receipt, Rma

from .model import Journal

__all__ = ["drift"]


def drift(rma: Rma, receipts: Sequence[Receipt], journal: Journal) -> str | None:
    """A sentence that says how they differ, or None where they agree or cannot be compared.

    By Loop's line ids where the map stored at create tells them; else by SKU where both sides name all of them; else by
    how many units there are. What a person attached may be a half of a split RMA, which counts, or a parcel that nobody
    announced, which does not: it is enough that one of the two readings agrees.
    """
    ours = [receipt for receipt in receipts if receipt.id not in journal.attached]
    said = _differ(rma, ours or receipts, journal)
    if said is None or _differ(rma, receipts, journal) is None:
        return None
    return said


def _differ(rma: Rma, receipts: Sequence[Receipt], journal: Journal) -> str | None:
    lines = [line for receipt in receipts for line in receipt.lines]
    if not lines:
        return None
    announced = sum(line.quantity for line in lines)
    if journal.create.lines:
        mapped = {line_id for line_ids in journal.create.lines.values() for line_id in line_ids}
        expected = {unit.line_id for unit in rma.units}
        if mapped != expected:
            more, fewer = sorted(expected - mapped), sorted(mapped - expected)
            said = [f"Loop has lines {', '.join(more)} that were not announced"] if more else []
            said += [f"lines {', '.join(fewer)} were announced and are gone in Loop"] if fewer else []
            return "; ".join(said)
        by_item = Counter[str]()
        for line in lines:
            by_item[str(line.item_id)] += line.quantity
        for item_id, line_ids in sorted(journal.create.lines.items()):
            if by_item[item_id] != len(line_ids):
                return f"item {item_id} was announced {len(line_ids)} ×, Whiplash now says {by_item[item_id]} ×"
        return None
    if announced != len(rma.units):
        return f"Loop has {len(rma.units)} units, Whiplash was told of {announced}"
    ours, theirs = Counter[str](), Counter[str]()
    for unit in rma.units:
        if not unit.sku:
            return None
        ours[unit.sku.strip().casefold()] += 1
    for line in lines:
        if not line.sku:
            return None
        theirs[line.sku.strip().casefold()] += line.quantity
    if ours == theirs:
        return None
    return f"Loop has {_list(ours - theirs)}, Whiplash was told of {_list(theirs - ours)}"


def _list(skus: Counter[str]) -> str:
    return ", ".join(f"{count} × {sku}" for sku, count in sorted(skus.items()))
