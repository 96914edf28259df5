"""First load of history: before going live, see where the two systems stand.

python backfill.py 2026-01-01 history/

Reads every return and consumer return since that day (UTC), keeps them as ``returns.jsonl`` and ``consumer_returns.jsonl`` (input of
``replay_dask.py``), and prints what `reconcile` finds in them. It changes nothing in either system, and needs no ledger.
Exit status: 0 both systems were read whole, 2 they were not.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from loop_whiplash import ConsumerReturn, ListIncomplete, LoopClient, NotFound, Return, WhiplashClient, reconcile

NEEDED = ("LOOP_API_KEY", "WHIPLASH_TOKEN", "WHIPLASH_CUSTOMER")
MONTH = timedelta(days=30)

Row = TypeVar("Row", Return, ConsumerReturn)


def received(whiplash: WhiplashClient, since: datetime, named: set[str]) -> Iterator[tuple[float, ConsumerReturn]]:
    """(how far it has come, consumer return). `named` is filled with the Loop returns that they name."""
    search = {"created_at_gteq": since.isoformat()}
    total = max(1, whiplash.consumer_returns.count(search=search))
    for number, row in enumerate(whiplash.consumer_returns.list(search=search), 1):
        if row.originator and row.originator.original_id:
            named.add(row.originator.original_id)
        yield number / total, row


def submitted(loop: LoopClient, since: datetime, until: datetime, named: set[str]) -> Iterator[tuple[float, Return]]:
    """(how far it has come, return), month by month; then older ones that are named: without them their goods look like orphans."""
    incomplete: ListIncomplete | None = None
    seen: set[str] = set()
    start = since
    while start < until:
        try:
            for row in loop.returns.list(start, min(start + MONTH, until), by="created_at"):
                if str(row.id) not in seen:
                    seen.add(str(row.id))
                    yield (start - since) / (until - since), row
        except ListIncomplete as failed:  # the other months are read all the same
            incomplete = failed
        start += MONTH
    for original_id in sorted(named - seen):
        try:
            if original_id.isdigit():
                yield 1.0, loop.returns.get(int(original_id))
        except NotFound:
            continue
    if incomplete:
        raise incomplete


def kept(rows: Iterable[tuple[float, Row]], title: str, path: Path) -> Iterator[Row]:
    """The rows; each is written to a file as the vendor sent it, and a progress bar is drawn on a terminal.

    The file holds personal data: only you may read it. Keep the folder as you would keep an export.
    """
    count, drawn, terminal = 0, 0.0, sys.stderr.isatty()
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        for count, (share, row) in enumerate(rows, 1):
            file.write(json.dumps(row.raw, default=str) + "\n")
            if terminal and time.monotonic() - drawn > 0.1:
                drawn = time.monotonic()
                print(f"\r{title:<10}{'#' * round(30 * share):<30} {share:4.0%} {count:>9,} rows", end="", file=sys.stderr, flush=True)
            yield row
    start = "\r" if terminal else ""
    print(f"{start}{title:<10}{'#' * 30} 100% {count:>9,} rows", file=sys.stderr)


def main(since: datetime, folder: Path) -> int:
    env, whiplash_url = os.environ, os.environ.get("WHIPLASH_URL", "https://www.getwhiplash.com/api/v2")
    if missing := [name for name in NEEDED if not env.get(name)]:
        sys.exit(f"set {', '.join(missing)} in the environment")
    folder.mkdir(parents=True, exist_ok=True)
    until, named = datetime.now(UTC), set[str]()
    with (
        LoopClient(env["LOOP_API_KEY"], base_url=env.get("LOOP_URL", "https://api.loopreturns.com/api/v1")) as loop,
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=whiplash_url) as whiplash,
    ):
        # `reconcile` goes through the consumer returns first. Whatever a list raises, it reports as SOURCE_INCOMPLETE.
        report = reconcile(
            kept(submitted(loop, since, until, named), "Loop", folder / "returns.jsonl"),
            kept(received(whiplash, since, named), "Whiplash", folder / "consumer_returns.jsonl"),
            at=until,
        )
    print(report.to_text())
    return 0 if report.complete else 2


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(datetime.fromisoformat(sys.argv[1]).replace(tzinfo=UTC), Path(sys.argv[2])))
