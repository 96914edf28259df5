"""A matcher of one's own: it asks a fraud score first, and leaves everything else to the one that comes with the library.

    python custom_matcher.py

A matcher is any callable of the shape of `loop_whiplash.Matcher`. This one composes `match`: a return whose shopper scores too high
goes to a person, whatever was counted; all others are what `match` says. Three things keep it honest:

* it only ever makes a verdict stricter, and leaves NO_ACTION alone;
* it says so in a `Finding` of its own with the units concerned, so that the flag, its note and the memory of what was flagged work
  as for any other;
* it is a pure function: the scores are looked up before, not inside, so that the same return gets the same answer at every look.

`check_matcher` tries the laws of the matcher on it; plug it in with ``Integration(..., matcher=careful)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from loop_whiplash import Decision, ExpectedUnit, Finding, Policy, Receipt, ReceivedUnit, Rma, Verdict, match
from loop_whiplash.testing import check_matcher


@attrs.frozen
class FraudAware:
    """`match`, but a score above the limit flags. `scores`: Loop return id → 0 … 100, from wherever you have them."""

    scores: Mapping[int, int]
    limit: int = 80

    def __call__(self, rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
        decision = match(rma, receipts, policy=policy, at=at)
        score = self.scores.get(rma.return_id, 0)
        if score <= self.limit or decision.verdict is Verdict.NO_ACTION:
            return decision
        settled = [unit for pair in decision.pairs for unit in (pair.line_id, pair.received_id, *pair.also)]
        suspicious = Finding(
            code="FRAUD_SCORE",
            message=f"The fraud score is {score}, above {self.limit}.",
            units=[*settled, *decision.unpaired_expected, *decision.unpaired_received],
            rule="fraud",
            setting="limit",
        )
        findings = (suspicious, *decision.findings)
        return attrs.evolve(decision, verdict=Verdict.FLAG, findings=findings, deadline=None, turns_into=None)


def main() -> None:
    careful = FraudAware(scores={501: 97})
    met = check_matcher(FraudAware(scores={}), cases=100)
    met = Counter(met) + Counter(check_matcher(careful, cases=100))
    print(f"keeps the laws on {sum(met.values())} random returns, {met[Verdict.FLAG]} of them flagged")

    now = datetime(2026, 1, 5, tzinfo=UTC)
    for return_id in (500, 501):
        rma = Rma(return_id=return_id, units=[ExpectedUnit(line_id="9001", sku="SHOE-42", value=Decimal("89.00"))])
        box = Receipt(id=77, units=[ReceivedUnit(id="5/1", sku="SHOE-42", condition="good")], final=True, received_at=now)
        decision = careful(rma, [box], policy=Policy(), at=now)
        print(f"{return_id}: {decision.verdict.value}: {decision.note()}")


if __name__ == "__main__":
    main()
