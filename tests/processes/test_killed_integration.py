# ruff: noqa: F401 - a fixture is imported by its name
"""The whole integration is killed with SIGKILL at every point of a return's life at which it writes, and another process goes on.

Points are before and after each COMMIT and each request that changes something: about 150 of them. The suite tries a dozen,
spread evenly, and with ``LOOP_WHIPLASH_POINTS=all`` each of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from shops import Died, Shop, Worker

from loop_whiplash.simulator import SimulatedReturn
from postgres_server import postgres

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

#: How many of the points are tried.
TRIED = None if os.environ.get("LOOP_WHIPLASH_POINTS") == "all" else 12


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    where = str(tmp_path / "ledger.db") if request.param == "sqlite" else request.getfixturevalue("postgres")
    shop = Shop(tmp_path, request.param, where, seed=5)
    yield shop
    shop.close()


class Story:
    """Two returns, from their labels to what becomes of them; one is counted exactly, one is damaged."""

    def __init__(self, shop: Shop, die_at: int) -> None:
        self.shop, self.died = shop, False
        self.worker = shop.hire(die_at=die_at)
        self.exact, self.damaged = shop.world.shopper.submit_return(2), shop.world.shopper.submit_return(1)
        for ret in self.both:
            shop.world.carrier.scan(ret, "pre_transit")
        self.live(hours=1)
        shop.world.warehouse.receive(self.exact)
        shop.world.warehouse.receive(self.damaged, damaged=1)
        self.live(hours=1)
        self.live(hours=48, minutes_each=360)

    @property
    def both(self) -> tuple[SimulatedReturn, SimulatedReturn]:
        return self.exact, self.damaged

    def live(self, *, hours: float, minutes_each: float = 10) -> None:
        """Webhooks come in and what is due is worked on, while time passes. Who dies is replaced."""
        for _ in range(round(hours * 60 / minutes_each) + 1):
            self.shop.world.deliver(lambda message: self.shop.hand_over(message, self.worker))
            try:
                self.worker.ask("run", limit=100)
            except Died:
                self.died = True
                self.worker = self.shop.hire()
                self.shop.let_leases_run_out()
            self.shop.world.clock.advance(minutes=minutes_each)

    def end(self) -> None:
        """People settle what is open, so that the next story has the shop to itself."""
        for ret in self.both:
            self.shop.world.people.process(ret)
        self.live(hours=1, minutes_each=30)
        self.worker.kill()


def wrong(story: Story) -> list[str]:
    """What was lost, or done twice."""
    truth, shop = story.shop.world.truth, story.shop
    found = [f"P1: {len(lost)} acknowledged webhooks are gone" for ret in story.both if (lost := shop.lost(ret.id))]
    found += [f"P2, P3: {count} RMAs were made" for ret in story.both if (count := len(truth.rmas(ret.id))) != 1]
    if len(truth.done("process", story.exact.id, by="api", accepted=None)) > 1:
        found.append("P4: process was sent more than once")
    if shop.journal(story.exact).get("process", {}).get("phase") != "confirmed" and "ACTION_UNCONFIRMED" not in shop.breaks(story.exact):
        found.append("P4: the process is neither confirmed nor a break")
    if story.exact.was_processed != (truth.paid(story.exact.id) > 0) or len(truth.released) != len(
        {each.return_id for each in truth.released}
    ):
        found.append("money was released other than once")
    if truth.paid(story.damaged.id) or truth.done("process", story.damaged.id, accepted=None):
        found.append("a damaged return was processed")
    if len(truth.done("flag", story.damaged.id, accepted=None)) > 1 or truth.flags(story.exact.id):
        found.append("P12: flagged more than once, or the wrong one")
    if not story.damaged.flagged and not shop.breaks(story.damaged):
        found.append("the damaged return is neither flagged nor a break")
    if len(story.damaged.notes) > 1:
        found.append("the note was written twice")
    return found


def test_killed_at_every_write_it_loses_nothing_and_does_nothing_twice(shop: Shop) -> None:
    whole = Story(shop, die_at=0)
    points = whole.worker.lived
    assert wrong(whole) == []
    assert (whole.exact.was_processed, whole.damaged.flagged) == (True, True)
    assert points > 80
    whole.end()

    done = 0
    tried = range(1, points + 1) if TRIED is None else [round(1 + each * (points - 1) / (TRIED - 1)) for each in range(TRIED)]
    for point in tried:
        story = Story(shop, die_at=point)
        assert wrong(story) == [], f"killed at point {point} of {points}"
        assert story.died or point > points - 20  # the ways of two stories differ by a request or two
        done += story.exact.was_processed and story.damaged.flagged
        story.end()
    assert done > len(tried) / 2  # most deaths leave no doubt
