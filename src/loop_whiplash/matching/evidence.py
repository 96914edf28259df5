"""The two hashes of a decision.

`evidence` covers what was to come and what came: identifiers, conditions, counts, and whether counting is over. It never
depends on Loop's state, on times, labels, policy or version, so the same box is the same evidence next week and after
an upgrade. `fingerprint` adds policy and rules: what has to be equal for a replay to agree.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Any

from loop_whiplash.returns.model import Receipt, Rma

from .codes import RULES_VERSION
from .identifiers import BARCODES, TEXTS, Remembered, plain_text
from .policy import Policy

__all__ = ["evidence_of", "fingerprint_of"]

_text = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_EXPECTED = attrgetter("item_id", "sku", "barcode", "variant_id", "product_id")
_RECEIVED = attrgetter("item_id", "sku", "barcode", "variant_id", "product_id", "condition")
_BETWEEN, _NEXT, _SIDE = "\x1f", "\x1e", "\x1d"


def evidence_of(rma: Rma, receipts: Sequence[Receipt]) -> str:
    """SHA-256, in hexadecimal. `receipts`: one version of each."""
    expected = [_line(unit.line_id) + _ARTICLES[_EXPECTED(unit)] for unit in rma.units]
    received: list[str] = []
    begun = ended = False
    for receipt in receipts:
        received += [_line(unit.line_id) + _ARTICLES[_RECEIVED(unit)] for unit in receipt.units]
        if receipt.final:
            ended = True
        elif receipt.units:
            begun = True
    expected.sort()
    received.sort()
    text = _SIDE.join((_NEXT.join(expected), _NEXT.join(received), "final" if ended and not begun else "open"))
    return sha256(text.encode()).hexdigest()


def _line(line_id: str | None) -> str:
    return "" if line_id is None else line_id if line_id.isdecimal() and line_id.isascii() else _alone(plain_text(line_id))


def _article(facts: tuple[Any, ...]) -> str:
    """What a unit is beside its line: five identifiers, then, of one that was received, its condition."""
    item, sku, barcode, variant, product, *condition = facts
    texts = [None if item is None else str(item), TEXTS[sku], BARCODES[barcode], TEXTS[variant], TEXTS[product], *condition]
    return "".join([_BETWEEN + _alone(text) for text in texts])


def _alone(text: str | None) -> str:
    """Text that cannot hold one of the three signs, so that no identifier can imitate another box."""
    if text is None:
        return ""
    return text if text.isprintable() and text[:1] != '"' else _text(text)


_ARTICLES = Remembered(_article)


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
