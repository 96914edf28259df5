"""What would another policy have decided? Replay over exported history, in partitions, on Dask distributed.

python replay_dask.py history/ policy.toml --workers 4

``history/`` is what ``backfill.py`` wrote. `replay` is a pure function of its rows, so the sum over all partitions is the result of
one process over everything. With ``--scheduler tcp://…`` it runs on a cluster that is there; only rows and counts travel.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from dask.distributed import Client, as_completed

from loop_whiplash import Policy, replay

Case = tuple[dict[str, Any], list[dict[str, Any]]]


def history(folder: Path) -> Iterator[Case]:
    """Each return with the consumer returns that name it."""
    received: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    with (folder / "consumer_returns.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            received[str((row.get("originator") or {}).get("original_id"))].append(row)
    with (folder / "returns.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            yield row, received[str(row["id"])]


def partitions(cases: Iterable[Case], size: int) -> Iterator[list[Case]]:
    rows = iter(cases)
    while part := list(islice(rows, size)):
        yield part


def judge(part: list[Case], old: Policy, new: Policy) -> Counter[str]:
    """What becomes of the returns of one partition, counted. Pure, so it runs anywhere."""
    result = replay(part, old, new)
    counts = Counter({f"{then.value:<10} → {now.value}": cell.count for (then, now), cell in result.transitions.items()})
    counts["nothing was ever counted"] += result.skipped
    counts["could not be judged"] += len(result.problems)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history", type=Path)
    parser.add_argument("policy", type=Path, help="TOML with the new policy; the old one is the default policy")
    parser.add_argument("--scheduler", help="address of a Dask cluster; without it one is started on this machine")
    parser.add_argument("--workers", type=int, default=2, help="of the one on this machine")
    parser.add_argument("--partition", type=int, default=5_000, help="returns in one partition")
    options = parser.parse_args()
    old, new, total = Policy(), Policy.from_toml(options.policy), Counter[str]()
    here = {} if options.scheduler else {"n_workers": options.workers, "threads_per_worker": 1, "dashboard_address": None}
    with Client(options.scheduler, **here) as client:
        parts = partitions(history(options.history), options.partition)
        judged = [client.submit(judge, client.scatter(part), old, new, pure=False) for part in parts]
        for _, counts in as_completed(judged, with_results=True):
            total += counts
    for what, count in sorted(total.items()):
        print(f"{count:>9,}  {what}")


if __name__ == "__main__":
    main()
