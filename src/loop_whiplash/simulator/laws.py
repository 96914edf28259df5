"""What takes two runs to see: that hints may come in any order and number, and that one ledger is as good as another."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from loop_whiplash.ledger.sqlite import SQLiteLedger

from .checker import Violation
from .run import Run, Shape

__all__ = ["check_hints", "check_ledgers"]

#: Nothing that is drawn anew for each request strikes where two runs are compared; each life is the same life twice.
SAME_LIFE = ("counts", "kinds")


def check_hints(seed: int) -> list[Violation]:
    """P5: the same life twice, once with its webhooks as they were sent, once each several times over and out of order."""
    plain, stormy = _lived(seed, shuffled=False), _lived(seed, shuffled=True)
    return [
        Violation(promise="P5", return_id=return_id, what=f"with its hints in another order it ends as {other}, not as {state}")
        for (return_id, state), (_, other) in zip(plain, stormy, strict=True)
        if state != other
    ]


def _lived(seed: int, *, shuffled: bool) -> list[tuple[int, Any]]:
    """How each return ended, in the order in which they were submitted."""
    run = Run(seed, SAME_LIFE, shape=Shape(returns=(1, 3), days=2.0, years=True))
    # Nothing else may fall between two hints: no parcel that overtakes them, nobody who acts.
    run.life.habits.instant = run.life.habits.early = 0.0
    run.life.habits.hands_off, run.life.habits.least = True, 3600.0
    if shuffled:
        run.world.network.webhooks.duplicate(0.7, copies=3).delay(0.0, 15.0)
    run.all()
    run.close()
    found: list[tuple[int, Any]] = []
    for return_id, ret in run.world.loop.returns.items():
        row = run.ledger.ledger.case(return_id)
        breaks = sorted(each["code"] for each in row.summary.get("breaks", ())) if row is not None else []
        truth = run.world.truth
        acts = (len(truth.live_rmas(return_id)), len(truth.processes(return_id)), len(truth.flags(return_id)))
        done = row is not None and row.due_at is None
        found.append((return_id, (ret.state, ret.flagged, ret.was_processed, acts, done, breaks)))
    return found


def check_ledgers(seed: int, faults: str | tuple[str, ...] = "all") -> list[Violation]:
    """P11: one seed on the ledger in memory and on one in an SQLite file is one run, line by line."""
    memory = Run(seed, faults).all()
    memory.close()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "returns.db"
        file = Run(seed, faults, ledger=lambda world: SQLiteLedger(path, clock=world.clock.now)).all()
        file.ledger.ledger.close()
        file.close()
    if memory.driver.digest() == file.driver.digest():
        return []
    pairs = zip(memory.driver.lines, file.driver.lines, strict=False)
    where = next((f"{one!r} in memory, {other!r} in SQLite" for one, other in pairs if one != other), "one ends before the other")
    return [Violation(promise="P11", return_id=None, what=f"the two ledgers part at {where}")]
