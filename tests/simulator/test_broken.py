"""The checker has teeth: each of eight broken libraries, and of some more, is caught, by the promise that it breaks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from broken import ALSO_BROKEN, BROKEN, Variant

from loop_whiplash import SQLiteLedger
from loop_whiplash.simulator import Run, Violation, check_ledgers

MOST = 60
"""So many seeds a broken library may get away with."""


def found(variant: Variant, seed: int) -> list[Violation]:
    run = Run(seed, variant.faults, shape=variant.shape, settings=dict(variant.settings))
    variant.world(run)
    run.all().close()
    return run.violations


@pytest.mark.parametrize("name", [*BROKEN, *ALSO_BROKEN])
def test_a_broken_library_is_caught_and_the_real_one_is_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = BROKEN.get(name) or ALSO_BROKEN[name]
    with monkeypatch.context() as patch:
        variant.breaks(patch)
        caught = next((seed for seed in range(MOST) if any(each.promise == variant.promise for each in found(variant, seed))), None)
    assert caught is not None, f"{MOST} seeds did not show it"
    assert found(variant, caught) == []


def test_a_ledger_that_wakes_a_second_late_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SQLiteLedger.finish

    def finish(self: SQLiteLedger, claim: Any, *, due_at: datetime | None, **how: Any) -> None:
        real(self, claim, due_at=None if due_at is None else due_at + timedelta(seconds=1), **how)

    monkeypatch.setattr(SQLiteLedger, "finish", finish)
    assert any(each.promise == "P11" for seed in range(5) for each in check_ledgers(seed, "none"))
