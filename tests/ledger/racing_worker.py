"""A worker among several: ``racing_worker.py sqlite PATH`` or ``racing_worker.py postgres DSN``.

Works on whatever is due until nothing is open. Says ``sent R`` when the intent for return R is committed, which is when a
real worker would act; then ``done R``. A short lease, so that what a killed worker held is soon taken over.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta

from loop_whiplash import IntentExists, LeaseLost
from loop_whiplash.ledger import Intent, Ledger, PostgresLedger, SQLiteLedger

LEASE = timedelta(seconds=0.4)


def say(what: str) -> None:
    os.write(1, what.encode() + b"\n")


def main(ledger: Ledger) -> None:
    at = datetime(2027, 1, 1, tzinfo=UTC)
    while ledger.open_cases(limit=1):
        claims = ledger.claim_due(at=at, limit=3, lease=LEASE)
        if not claims:
            time.sleep(0.02)  # others have all that is due
        for claim in claims:
            read_to = max((event.seq for event in claim.unread), default=0)
            try:
                if ledger.commit(claim, journal={"phase": "sending"}, read_to=read_to, intent=Intent(kind="process", ordinal=1, at=at)):
                    say(f"sent {claim.return_id}")
            except IntentExists:
                pass
            except LeaseLost:
                continue
            try:
                ledger.finish(claim, journal={"phase": "done"}, read_to=read_to, due_at=None, summary={}, at=at)
                say(f"done {claim.return_id}")
            except LeaseLost:
                pass
    ledger.close()


if __name__ == "__main__":
    main(SQLiteLedger(sys.argv[2]) if sys.argv[1] == "sqlite" else PostgresLedger(sys.argv[2]))
