"""What would another policy have decided? Replay over exported history, in partitions, on Dask distributed.

python replay_dask.py history/ policy.toml --workers 4

``history/`` is what ``backfill.py`` wrote. Each partition is a pure function of its rows, so the sum over all of them is the
result of one process over everything.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loop_whiplash import ConsumerReturn, Policy, Receipt, Return, Rma, match, to_receipt, to_rma

Pairs = list[tuple[dict[str, Any], list[dict[str, Any]]]]


def read(folder: Path) -> Pairs:
    """Each return with the consumer returns that name it."""
    received: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (folder / "consumer_returns.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        received[str((row.get("originator") or {}).get("original_id"))].append(row)
    returns = (json.loads(line) for line in (folder / "returns.jsonl").open(encoding="utf-8"))
    return [(row, received[str(row["id"])]) for row in returns]


def judge(rows: Pairs, old: Policy, new: Policy, at: datetime) -> Counter[tuple[str, str]]:
    """(verdict then, verdict now) → how many. Pure, so it runs anywhere."""
    changes: Counter[tuple[str, str]] = Counter()
    for row, received in rows:
        rma: Rma = to_rma(Return.from_dict(row))
        receipts: list[Receipt] = [to_receipt(ConsumerReturn.from_dict(each)) for each in received]
        verdicts = [match(rma, receipts, policy=policy, at=at).verdict.value for policy in (old, new)]
        changes[verdicts[0], verdicts[1]] += 1
    return changes


def total(parts: Iterable[Counter[tuple[str, str]]]) -> Counter[tuple[str, str]]:
    return sum(parts, Counter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history", type=Path)
    parser.add_argument("policy", type=Path, help="TOML with the new policy; the old one is the default policy")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--partition", type=int, default=5_000, help="returns in one partition")
    options = parser.parse_args()
    from dask.distributed import Client, LocalCluster

    at, new = datetime.now(UTC), Policy.from_toml(options.policy)
    rows = read(options.history)
    with LocalCluster(n_workers=options.workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        parts = [rows[first : first + options.partition] for first in range(0, len(rows), options.partition)]
        changes = total(client.gather(client.map(judge, parts, old=Policy(), new=new, at=at, pure=False)))
    for (then, now), count in sorted(changes.items()):
        print(f"{then:<10} → {now:<10} {count:>8}{'' if then == now else '   changed'}")


if __name__ == "__main__":
    main()
