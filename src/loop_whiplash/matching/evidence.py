"""The two hashes of a decision.

`evidence` covers what was to come and what came: identifiers, conditions, counts, and whether counting is over. It never
depends on Loop's state, on times, labels, policy or version, so the same box is the same evidence next week and after
an upgrade. `fingerprint` adds policy and rules: what has to be equal for a replay to agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from operator import attrgetter

from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

from .codes import RULES_VERSION
from .identifiers import BARCODES, TEXTS, Remembered, carried, plain_text
from .policy import Policy

__all__ = ["evidence_of", "fingerprint_of"]

_text = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_ARTICLE = attrgetter("item_id", "sku", "barcode", "variant_id", "product_id")
_BETWEEN, _NEXT, _SIDE = "\x1f", "\x1e", "\x1d"


def evidence_of(rma: Rma, receipts: Sequence[Receipt]) -> str:
    """SHA-256, in hexadecimal. `receipts`: one version of each."""
    expected = [_row(unit) for unit in rma.units]
    received: list[str] = []
    counted = over = 0
    for receipt in receipts:
        received += [f"{_row(unit)}{_BETWEEN}{unit.condition or ''}" for unit in receipt.units]
        if receipt.units or receipt.final:
            counted += 1
            over += receipt.final
    expected.sort()
    received.sort()
    final = "final" if counted and counted == over else "open"
    text = _SIDE.join((_NEXT.join(expected), _NEXT.join(received), final))
    # No identifier holds these signs; one that did could imitate another box.
    signs = text.count(_BETWEEN), text.count(_NEXT), text.count(_SIDE)
    if signs != (5 * len(expected) + 6 * len(received), max(len(expected) - 1, 0) + max(len(received) - 1, 0), 2):
        text = _text([_plain_rows(rma.units), _plain_rows([unit for receipt in receipts for unit in receipt.units]), final])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _row(unit: ExpectedUnit | ReceivedUnit) -> str:
    return f"{plain_text(unit.line_id) or ''}{_BETWEEN}{_ARTICLES[_ARTICLE(unit)]}"


def _article(ids: tuple[int | None, str | None, str | None, str | None, str | None]) -> str:
    item, sku, barcode, variant, product = ids
    texts = "" if item is None else str(item), TEXTS[sku], BARCODES[barcode], TEXTS[variant], TEXTS[product]
    return _BETWEEN.join([text or "" for text in texts])


_ARTICLES = Remembered(_article)


def _plain_rows(units: Iterable[ExpectedUnit | ReceivedUnit]) -> list[str]:
    return sorted([_text((*carried(unit), plain_text(unit.product_id), getattr(unit, "condition", None))) for unit in units])


def fingerprint_of(evidence: str, policy: Policy) -> str:
    """SHA-256, in hexadecimal."""
    return sha256(f"{evidence}|{policy_digest(policy)}|{RULES_VERSION}".encode()).hexdigest()


def policy_digest(policy: Policy) -> str:
    """Of every setting but the name and the profiles: `match` judges by the chosen policy, whatever it is called."""
    compiled = policy.compiled
    if compiled.digest is None:
        settings = {name: value for name, value in policy.to_dict().items() if name not in ("name", "profiles")}
        compiled.digest = sha256(_text(settings).encode()).hexdigest()
    return compiled.digest
