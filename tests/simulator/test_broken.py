"""The checker has teeth: each of eight broken libraries is caught, by the promise it breaks, where the real one keeps it."""

from __future__ import annotations

import pytest
from broken import BROKEN, Variant

from loop_whiplash.simulator import Run, Violation

MOST = 60
"""So many seeds a broken library may get away with."""


def found(variant: Variant, seed: int) -> list[Violation]:
    run = Run(seed, variant.faults, shape=variant.shape, settings=dict(variant.settings))
    variant.world(run)
    run.all().close()
    return run.violations


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_library_is_caught_and_the_real_one_is_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = BROKEN[name]
    with monkeypatch.context() as patch:
        variant.breaks(patch)
        caught = next((seed for seed in range(MOST) if any(each.promise == variant.promise for each in found(variant, seed))), None)
    assert caught is not None, f"{MOST} seeds did not show it"
    assert found(variant, caught) == []
