"""The long comparison with the oracle: `python tests/matching/oracle_run.py [cases] [seed] [seconds]`.

Stops at the first difference with a non-zero code, or after the given number of cases or seconds; prints both.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from random import Random

from matching_cases import random_return
from matching_oracle import best, edge, verdict

from loop_whiplash.matching import match


def main(cases: int = 100_000, seed: int = 1, seconds: float = 300.0) -> int:
    random, verdicts, began = Random(seed), Counter[str](), time.monotonic()
    done = several = 0
    while done < cases and time.monotonic() - began < seconds:
        rma, receipts, at = random_return(random)
        decision = match(rma, receipts, at=at)
        received = [unit for receipt in receipts for unit in receipt.units]
        wanted = best(rma.units, received)
        lines, units = {unit.line_id: unit for unit in rma.units}, {unit.id: unit for unit in received}
        edges = [edge(lines[pair.line_id], units[pair.received_id]) for pair in decision.pairs]
        figures = (len(edges), sum(cost[0] for cost in edges if cost), sum(cost[1] for cost in edges if cost))
        said = verdict(rma, receipts, at)
        pairs = {pair.line_id: pair.received_id for pair in decision.pairs}
        if figures != wanted[:3] or None in edges or pairs != wanted.pairs or decision.verdict != said:
            print(
                f"case {done} of seed {seed} differs: {figures} {decision.verdict}, the oracle says {wanted} {said}",
                rma,
                receipts,
                at,
                sep="\n",
            )
            return 1
        several += len(received) > len(set(map(repr, received))) or len(edges) > 1
        verdicts[decision.verdict.value] += 1
        done += 1
    print(f"{done:,} cases agree ({several:,} with more than one pair) in {time.monotonic() - began:.0f} s; verdicts {dict(verdicts)}")
    return 0 if done == cases else 2


if __name__ == "__main__":
    sys.exit(main(*[int(word) for word in sys.argv[1:3]], *[float(word) for word in sys.argv[3:4]]))
