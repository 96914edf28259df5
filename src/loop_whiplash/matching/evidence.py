"""The two hashes of a decision.

`evidence` covers what was to come and what came: identifiers, conditions, counts, and whether counting is over. It never
depends on Loop's state, on times, labels, policy or version, so the same box is the same evidence next week and after
an upgrade. `fingerprint` adds policy and rules: what has to be equal for a replay to agree.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

from .codes import RULES_VERSION
from .identifiers import carried, plain_text
from .policy import Policy

__all__ = ["evidence_of", "fingerprint_of"]

_text = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def evidence_of(rma: Rma, receipts: Sequence[Receipt]) -> str:
    """SHA-256, in hexadecimal. `receipts`: one version of each."""
    counted = [receipt for receipt in receipts if receipt.units or receipt.final]
    facts = (
        sorted([_row(unit) for unit in rma.units]),
        sorted([_row(unit, unit.condition) for receipt in receipts for unit in receipt.units]),
        bool(counted) and all([receipt.final for receipt in counted]),
    )
    return sha256(_text(facts).encode()).hexdigest()


def _row(unit: ExpectedUnit | ReceivedUnit, *more: str | None) -> str:
    return _text((*carried(unit), plain_text(unit.product_id), *more))


def fingerprint_of(evidence: str, policy: Policy) -> str:
    """SHA-256, in hexadecimal."""
    return sha256(f"{evidence}|{policy_digest(policy)}|{RULES_VERSION}".encode()).hexdigest()


def policy_digest(policy: Policy) -> str:
    """Of every setting but the name and the profiles: `match` judges by the chosen policy, whatever it is called."""
    compiled = policy.compiled
    if compiled.digest is None:
        settings = policy.to_dict()
        settings.pop("name", None)
        settings.pop("profiles", None)
        compiled.digest = sha256(_text(settings).encode()).hexdigest()
    return compiled.digest
