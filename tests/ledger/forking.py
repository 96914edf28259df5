"""A parent and a forked child on the same ledger, as under ``gunicorn --preload``: ``forking.py sqlite PATH | postgres DSN``."""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime

from loop_whiplash.ledger import Event, PostgresLedger, SQLiteLedger

AT = datetime(2026, 1, 1, tzinfo=UTC)


def accept(start: int) -> None:
    for return_id in range(start, start + 20):
        ledger.accept(Event(kind="k", return_id=return_id, at=AT), due_at=AT)


ledger = SQLiteLedger(sys.argv[2]) if sys.argv[1] == "sqlite" else PostgresLedger(sys.argv[2])
accept(1)
busy = threading.Thread(target=accept, args=(1001,))  # in the middle of a transaction when the others are forked, perhaps
busy.start()
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        accept(10_000 * (number + 1))
        ledger.close()
        os._exit(0)
    children.append(child)
accept(2001)
busy.join()
for child in children:
    assert os.waitpid(child, 0)[1] == 0
accept(3001)
assert ledger.stats(at=AT)["cases"] == 20 * 7, ledger.stats(at=AT)
ledger.close()
