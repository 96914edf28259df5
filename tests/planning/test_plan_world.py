"""A small world that answers back: lost replies, refusals, late failures, doubled webhooks, and a person who acts by hand.

It keeps its own record of what really happened. What is promised of process and flag must hold in it whatever the dice
say; the journal is written as whoever acts writes it: the intent before the request, its outcome after it.
"""

from __future__ import annotations

import json
import random
from datetime import timedelta

import pytest
from planning_stories import DAY, HOUR, NOW, OVER, POLICY, SHORT, counted, evolve, judge, rma, says

from loop_whiplash.ledger.protocol import Event
from loop_whiplash.planning import Flag, Journal, Observation, Plan, Process, Settings, fold, learn, plan

EVIDENCE = {
    "e-1": says("FLAG", "e-1", findings=(SHORT,)),
    "e-2": says("FLAG", "e-2", findings=(SHORT, OVER)),
    "e-3": says("PROCESS", "e-3"),
    "e-4": says("WAIT", "e-4", deadline=NOW + 1000 * DAY),
    "e-5": says("PROCESS", "e-5"),
    "e-6": says("FLAG", "e-6"),
}


class World:
    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.settings = Settings(allow_process_from_review=self.dice.random() < 0.5)
        self.journal, self.at = Journal(), NOW
        self.state, self.paid = "open", False
        self.ours = False  # Loop took a flag of ours, shown or not, and nobody has taken it away since
        self.evidence = self.dice.choice(list(EVIDENCE))
        self.queued: list[str] = []  # processes that Loop took in and has not handled yet
        self.webhooks: list[bytes] = []
        # The truth.
        self.effective_sends = self.retries = self.paid_by_us = 0
        self.flagged: list[tuple[str, ...]] = []

    # ------------------------------------------------------------------------------------------------- what we do

    def look(self) -> Plan:
        observation = Observation(
            return_id=7, rma=rma(state=self.state, was_processed=self.paid, created_at=NOW), receipts=(counted(received_at=NOW),)
        )
        self.journal = learn(Journal.from_dict(self.journal.to_dict()), observation, at=self.at, settings=self.settings)
        return plan(observation, self.journal, policy=POLICY, settings=self.settings, at=self.at, matcher=judge(EVIDENCE[self.evidence]))

    def work(self) -> None:
        action = self.look().action
        if isinstance(action, Process):
            self.process(action)
        elif isinstance(action, Flag):
            self.flag(action)

    def process(self, action: Process) -> None:
        assert self.state == "open" or (self.state == "review" and self.ours and self.settings.allow_process_from_review)
        assert not self.queued, "nothing of ours is in doubt"
        assert not self.paid
        before = self.journal.process
        act = evolve(
            before, phase="sending", sends=before.sends + 1, began_at=self.at, settled_at=None, evidence=action.evidence, reason=None
        )
        fate = self.dice.choice(["taken", "reply lost", "request lost", "refused", "not sent", "crash"])
        if fate == "not sent":
            return
        if fate in ("taken", "reply lost", "crash"):
            self.queued.append("ours")
        if fate != "refused":
            self.effective_sends += 1
        phase = {"taken": "accepted", "refused": "refused"}.get(fate, "sending")
        self.journal = evolve(self.journal, process=evolve(act, phase=phase))
        assert self.effective_sends <= 1 + self.retries, "at most one process that may have taken effect, and one more for each retry"

    def flag(self, action: Flag) -> None:
        assert self.state == "open"
        assert not self.queued, "while a process is in doubt there is no flag"
        before = self.journal
        act = evolve(before.flag, phase="sending", sends=before.flag.sends + 1, began_at=self.at, settled_at=None, evidence=action.evidence)
        fate = self.dice.choice(["taken", "hidden", "reply lost", "request lost", "refused", "not sent", "crash"])
        if fate == "not sent":
            return
        if fate == "refused":
            self.journal = evolve(before, flag=evolve(act, phase="refused"))
            return
        if fate in ("taken", "reply lost", "crash"):
            self.state, self.ours = "review", True
        self.ours |= fate == "hidden"
        for earlier in self.flagged:
            assert not set(action.keys) <= set(earlier), "a finding is flagged at most once"
        self.flagged.append(tuple(sorted({*action.keys, *(key for earlier in self.flagged for key in earlier)})))
        phase = "accepted" if fate in ("taken", "hidden") else "sending"
        keys = tuple(sorted({*before.flagged, *action.keys}))
        self.journal = evolve(before, flag=evolve(act, phase=phase), flagged=keys, flag_evidence=action.evidence)

    # ------------------------------------------------------------------------------------------- what others do

    def loop_works(self) -> None:
        if not self.queued:
            return
        self.queued.pop()
        fails = self.state not in ("open", "review") or self.dice.random() < 0.4
        if fails:
            self.webhooks += self.dice.randint(0, 2) * [json.dumps({"message": "no stock", "state": self.state}).encode()]
            if self.state == "open" and self.dice.random() < 0.5:
                self.state = "review"
            return
        self.state, self.paid = "closed", True
        self.paid_by_us += 1
        assert self.paid_by_us == 1

    def webhook(self) -> None:
        if self.webhooks:
            body = self.webhooks.pop(self.dice.randrange(len(self.webhooks)))
            self.journal = fold(self.journal, Event(kind="loop.processing_failed", return_id=7, at=self.at, body=body))

    def person(self) -> None:
        deed = self.dice.choice(["clear", "flag", "process", "retry", "cancel", "nothing", "nothing", "nothing"])
        if deed == "clear" and self.state == "review":
            self.state, self.ours = "open", False
            self.look()  # Loop tells of it, and so it is seen
        elif deed == "flag" and self.state == "open" and not self.queued:
            self.state = "review"
        elif deed == "process" and self.state in ("open", "review") and not self.queued and self.dice.random() < 0.2:
            self.state, self.paid = "closed", True
        elif deed == "cancel" and self.state == "open" and self.dice.random() < 0.1:
            self.state = "cancelled"
        elif deed == "retry" and not self.queued and not self.webhooks and self.dice.random() < 0.3:
            self.retries += self.journal.process.phase != "confirmed"
            self.journal = fold(self.journal, Event(kind="person.retry", return_id=7, at=self.at))

    def count(self) -> None:
        self.evidence = self.dice.choice(list(EVIDENCE))

    def wait(self) -> None:
        self.at += self.dice.choice([timedelta(minutes=1), HOUR, DAY])

    def live(self) -> None:
        steps = [self.work] * 6 + [self.loop_works] * 2 + [self.webhook, self.person, self.person, self.count, self.wait, self.wait]
        for _ in range(40):
            self.dice.choice(steps)()

    def settle(self) -> Plan:
        """Everybody rests; time goes on."""
        while self.queued:
            self.loop_works()
        while self.webhooks:
            self.webhook()
        self.evidence = "e-3"
        for _ in range(12):
            self.work()
            self.loop_works()
            self.at += 2 * DAY
        return self.look()


@pytest.mark.parametrize("seed", range(0, 1500, 100))
def test_at_most_once_and_people_first(seed: int) -> None:
    for each in range(seed, seed + 100):
        world = World(each)
        try:
            world.live()
            end = world.settle()
        except AssertionError as wrong:
            raise AssertionError(f"seed {each}: {wrong}") from wrong
        over = world.state in ("closed", "cancelled")
        assert over or end.breaks or end.action, f"seed {each}: what is not over is a break: {end}"
        if world.paid_by_us:
            assert world.journal.process.phase == "confirmed", f"seed {each}: its effect is confirmed"


def test_the_world_is_hostile_enough() -> None:
    ends = []
    for seed in range(300):
        world = World(seed)
        world.live()
        world.settle()
        ends.append(world)
    assert sum(world.paid_by_us for world in ends) > 50
    assert sum(world.effective_sends > 1 for world in ends) > 1
    assert sum(len(world.flagged) > 1 for world in ends) > 5
    assert {world.journal.process.phase for world in ends} >= {"none", "sending", "refused", "failed", "confirmed"}
