"""The daily backup, for cron: reads both systems, heals what it can, writes a page and prints the rest.

15 5 * * *  /srv/returns/venv/bin/python /srv/returns/daily_sweep.py --page /srv/returns/www/returns.html --limit 20

Exit status: 0 all is well; 1 more unacknowledged breaks than the limit; 2 it could not be done, or one side could not be read whole.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path

from loop_whiplash import Integration, LoopClient, LoopWhiplashError, Progress, Report, Settings, SQLiteLedger, WhiplashClient

NEEDED = ("LOOP_API_KEY", "WHIPLASH_TOKEN", "WHIPLASH_CUSTOMER", "RETURNS_DB", "GO_LIVE")


def sweep(dry_run: bool) -> Report:
    env, whiplash_url = os.environ, os.environ.get("WHIPLASH_URL", "https://www.getwhiplash.com/api/v2")
    with (
        LoopClient(env["LOOP_API_KEY"], base_url=env.get("LOOP_URL", "https://api.loopreturns.com/api/v1")) as loop,
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=whiplash_url) as whiplash,
        closing(SQLiteLedger(env["RETURNS_DB"])) as ledger,
    ):
        returns = Integration(loop, whiplash, ledger=ledger, settings=Settings.from_dict({"start": env["GO_LIVE"]}))
        return returns.sweep(progress=bar, dry_run=dry_run)


def bar(progress: Progress) -> None:
    """One line on a terminal; nothing in cron's mail."""
    if sys.stderr.isatty():
        total = f" of {progress.total}" if progress.total else ""
        print(f"\r{progress.stage}: {progress.done}{total}\033[K", end="", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=Path("returns.html"), help="where the HTML page goes")
    parser.add_argument("--limit", type=int, default=0, help="how many unacknowledged breaks are still fine")
    parser.add_argument("--dry-run", action="store_true", help="read and report; change nothing")
    options = parser.parse_args()
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        parser.error(f"set {', '.join(missing)} in the environment")
    try:
        report = sweep(options.dry_run)
    except LoopWhiplashError as failed:
        parser.exit(2, f"the sweep broke off: {failed}\n")
    unfinished = options.page.with_suffix(".part")
    unfinished.write_text(report.to_html(), encoding="utf-8")
    unfinished.replace(options.page)  # a reader never sees half a page
    print(report.to_text())
    return report.exit_code(options.limit)


if __name__ == "__main__":
    sys.exit(main())
