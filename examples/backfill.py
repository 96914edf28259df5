"""First load of history: before going live, see where the two systems stand.

python backfill.py 2026-01-01 history/

Reads every return and consumer return since that day, keeps them as ``returns.jsonl`` and ``consumer_returns.jsonl`` (input of
``replay_dask.py``), and prints what `reconcile` finds in them. It changes nothing in either system.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from loop_whiplash import ConsumerReturn, ListIncomplete, LoopClient, Return, WhiplashClient, reconcile


class Row(Protocol):
    @property
    def raw(self) -> Any: ...


def shown(rows: Iterable[Row], title: str, share: Callable[[Any], float], at_most: float = 0.1) -> Iterator[Row]:
    """The rows, with a progress bar on the error stream that is drawn ten times a second at most."""
    count, drawn = 0, 0.0
    for count, row in enumerate(rows, 1):
        yield row
        if time.monotonic() - drawn > at_most:
            drawn, done = time.monotonic(), share(row)
            print(f"\r{title:<18}{'#' * round(30 * done):<30} {done:4.0%} {count:>8} rows", end="", file=sys.stderr)
    print(f"\r{title:<18}{'#' * 30} 100% {count:>8} rows", file=sys.stderr)


def keep(rows: Iterable[Row], path: Path) -> None:
    """One JSON object a line, as the vendor sent it. It holds personal data: keep the folder as you would keep an export."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        for row in rows:
            file.write(json.dumps(row.raw, default=str) + "\n")


def load(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def main(since: datetime, folder: Path) -> int:
    env, until = os.environ, datetime.now(UTC)
    days = max((until - since).total_seconds(), 1.0)

    def passed(row: Return) -> float:
        return min(1.0, max(0.0, (row.created_at - since).total_seconds() / days)) if row.created_at else 0.0

    complete = True
    with (
        LoopClient(env["LOOP_API_KEY"], base_url=env["LOOP_URL"]) as loop,
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=env["WHIPLASH_URL"]) as whiplash,
    ):
        search = {"created_at_gteq": since.isoformat()}
        total = max(whiplash.consumer_returns.count(search), 1)
        counted = iter(range(1, total + 1))
        for rows, title, share, name in (
            (loop.returns.list(since, until, by="created_at"), "Loop", passed, "returns"),
            (whiplash.consumer_returns.list(search), "Whiplash", lambda _: next(counted, total) / total, "consumer_returns"),
        ):
            try:
                keep(shown(rows, title, share), folder / f"{name}.jsonl")
            except ListIncomplete as incomplete:
                complete = False
                print(f"\n{title}: {incomplete}", file=sys.stderr)
    report = reconcile(
        (Return.from_dict(row) for row in load(folder / "returns.jsonl")),
        (ConsumerReturn.from_dict(row) for row in load(folder / "consumer_returns.jsonl")),
        at=until,
    )
    print(report.to_text())
    return 0 if complete else 2


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(datetime.fromisoformat(sys.argv[1]).replace(tzinfo=UTC), Path(sys.argv[2])))
