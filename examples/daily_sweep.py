"""The daily backup, for cron: reads both systems, heals what it can, writes a page and prints the rest.

15 5 * * *  /srv/returns/venv/bin/python /srv/returns/daily_sweep.py --page /srv/returns/www/returns.html --limit 20

Exit status: 0 all is well; 1 more unacknowledged breaks than the limit; 2 one of the two systems could not be read whole.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from loop_whiplash import Integration, LoopClient, LoopWhiplashError, Progress, Settings, SQLiteLedger, WhiplashClient


def integration() -> Integration:
    env = os.environ
    return Integration(
        LoopClient(env["LOOP_API_KEY"], base_url=env["LOOP_URL"]),
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=env["WHIPLASH_URL"]),
        ledger=SQLiteLedger(env["RETURNS_DB"]),
        settings=Settings(start=datetime.fromisoformat(env["GO_LIVE"])),
    )


def bar(progress: Progress) -> None:
    """One line on a terminal; nothing in cron's mail."""
    if sys.stderr.isatty():
        total = f" of {progress.total}" if progress.total else ""
        print(f"\r{progress.stage}: {progress.done}{total}   ", end="", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=Path("returns.html"), help="where the HTML page goes")
    parser.add_argument("--limit", type=int, default=0, help="how many unacknowledged breaks are still fine")
    parser.add_argument("--dry-run", action="store_true", help="read and report; change nothing")
    options = parser.parse_args()
    try:
        returns = integration()
    except KeyError as missing:
        print(f"the environment variable {missing.args[0]} is not set", file=sys.stderr)
        return 2
    try:
        report = returns.sweep(progress=bar, dry_run=options.dry_run)
    except LoopWhiplashError as failed:
        print(f"the sweep broke off: {failed}", file=sys.stderr)
        return 2
    unfinished = options.page.with_suffix(".part")
    unfinished.write_text(report.to_html(), encoding="utf-8")
    unfinished.replace(options.page)  # a reader never sees half a page
    print(report.to_text())
    return report.exit_code(options.limit)


if __name__ == "__main__":
    sys.exit(main())
