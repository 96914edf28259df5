"""Eight ways to break the library, each a small and tempting mistake. The checker must catch every one of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import pytest

from loop_whiplash.http.limit import RateLimit
from loop_whiplash.integration import act, inbox, observe, people, reading
from loop_whiplash.integration.inbox import WebhookReply
from loop_whiplash.ledger.protocol import Intent
from loop_whiplash.matching import match
from loop_whiplash.planning import answers
from loop_whiplash.planning.settings import Settings
from loop_whiplash.planning.situation import Fact, Situation
from loop_whiplash.simulator import Run, Shape, crew
from loop_whiplash.simulator.faults import POLICIES


def no_intent_row(patch: pytest.MonkeyPatch) -> None:
    """Sends first, and writes down what came of it; so what came of it is all that a crash leaves."""
    real = act.Step.commit

    async def commit(self: Any, journal: Any, intent: Intent | None = None, withdraw: Intent | None = None, note: str = "") -> None:
        if intent is None:
            await real(self, journal, None, withdraw, note)

    patch.setattr(act.Step, "commit", commit)


def no_look_up_before_create(patch: pytest.MonkeyPatch) -> None:
    """Creates without looking under order and tracking for what is there already."""

    async def nothing(*_: Any) -> list[Any]:
        return []

    patch.setattr(act, "candidates", nothing)


def second_send_of_process(patch: pytest.MonkeyPatch) -> None:
    """Takes a lost reply for a request that was never made, and sends it again."""
    real = act._process

    async def process(step: Any, action: Any) -> Any:
        acted = await real(step, action)
        if acted.result != "unknown":
            return acted
        again = attrs.evolve(acted.journal.process, phase="none", sends=0)
        journal = attrs.evolve(acted.journal, process=again)
        await step.commit(journal, withdraw=Intent(kind="process", ordinal=1, at=step.core.now()))
        return attrs.evolve(acted, journal=journal)

    patch.setattr(act, "_process", process)


def flag_on_a_half_counted_box(patch: pytest.MonkeyPatch) -> None:
    """Takes every count for the last word."""
    real = observe.to_receipt
    patch.setattr(
        observe,
        "to_receipt",
        lambda row, **how: attrs.evolve(
            receipt := real(row, **how), final=bool(receipt.units), status=300 if receipt.units else receipt.status
        ),
    )


def healing_by_absence(patch: pytest.MonkeyPatch) -> None:
    """What the list does not show is taken for gone."""

    async def rest_of_loop(core: Any, both: Any, told: Any) -> None:
        both.loop.absent.update(reading._missing(both))

    patch.setattr(reading, "_rest_of_loop", rest_of_loop)


def no_read_back(patch: pytest.MonkeyPatch) -> None:
    """Takes Loop's `true` for the effect itself."""
    real = act._process

    async def process(step: Any, action: Any) -> Any:
        acted = await real(step, action)
        if acted.result != "accepted":
            return acted
        done = attrs.evolve(acted.journal.process, phase="confirmed", settled_at=step.core.now())
        return attrs.evolve(acted, journal=attrs.evolve(acted.journal, process=done))

    patch.setattr(act, "_process", process)


def memory_by_fingerprint(patch: pytest.MonkeyPatch) -> None:
    """Remembers which decision was flagged, not which findings; so another policy flags all of it again."""

    def keys(situation: Any) -> tuple[str, ...]:
        return (situation.decision.fingerprint,)

    fact: Any = Fact(keys)
    patch.setattr(Situation, "keys", fact)


def waiting_less_than_the_bounds(patch: pytest.MonkeyPatch) -> None:
    """Waits for the worker and the search, and forgets how long a request may be under way."""
    patch.setattr(Settings, "bound", property(lambda self: self.pause + timedelta(seconds=1)))


def late(run: Run) -> None:
    """Half of all requests have their effect only after their sender has given up, within D."""
    run.world.network.late_effect(0.5, within=run.settings.effect.total_seconds() * 0.95)


def by_hand(run: Run) -> None:
    """Half of all RMAs are made by hand, before ours."""
    run.life.habits.announced_by_hand = 0.7


def dying(run: Run) -> None:
    """Workers die with what they send, and are back at once; Loop takes its time."""
    slow(run)
    run.driver.pace.crash_sending, run.driver.pace.away = 0.5, 1.0


def slow(run: Run) -> None:
    """Loop takes its time to process, and half of all replies are lost."""
    run.world.loop.manners.processing_takes = (3600.0, 7200.0)
    run.world.network.lose_replies(0.4)


def failing(run: Run) -> None:
    """Every processing fails, and no webhook says so."""
    run.world.loop.manners.failing = 1.0
    run.world.network.webhooks.drop(1.0)


def half(run: Run) -> None:
    """Every parcel is counted in two goes, and something in it is broken."""
    run.life.habits.half = run.life.habits.wrong = 1.0


def unheard(run: Run) -> None:
    """No webhook comes, so that the sweep decides."""
    run.world.network.webhooks.drop(1.0)


def meddled(run: Run) -> None:
    """Every count is wrong, people clear flags all the time, and the policy changes every two hours."""
    run.life.habits.wrong, run.life.habits.by_hand = 1.0, 12.0
    for number in range(24):
        policy = POLICIES[number % len(POLICIES)]
        run.policies.append(policy)
        run.during(number * 2 * 3600.0, f"the policy is {policy.name} now", partial(run.crew.change_policy, policy))


# ---------------------------------------------------------------- a tooth for each of the other promises


def answers_before_it_stores(patch: pytest.MonkeyPatch) -> None:
    """Says 200 first, and means to store it later."""

    async def receiving(*_: Any) -> WebhookReply:
        return WebhookReply(status=200, body="thank you")

    patch.setattr(crew, "receiving", receiving)


def sweeps_one_side_only(patch: pytest.MonkeyPatch) -> None:
    """Looks at what Whiplash has, and at no return of which it has nothing."""

    async def nothing(*_: Any) -> None:
        return

    patch.setattr(reading, "_list_loop", nothing)
    patch.setattr(reading, "_second_opinion", nothing)


def knows_no_age(patch: pytest.MonkeyPatch) -> None:
    """Waits for a parcel as long as it takes."""
    patch.setattr(answers, "_late_parcel", lambda situation: ())


def trusts_senders(patch: pytest.MonkeyPatch) -> None:
    """Takes every genuine webhook for a well-formed one."""
    patch.setattr(inbox, "read_loop_hint", lambda body: json.loads(body)["return"])


def sends_as_fast_as_it_can(patch: pytest.MonkeyPatch) -> None:
    """Leaves the limit to the vendor."""
    patch.setattr(RateLimit, "reserve", lambda self: 0.0)


def does_not_listen(patch: pytest.MonkeyPatch) -> None:
    """A person holds a return; the machine goes on."""
    patch.setattr(Situation, "held", False)


def decides_by_the_clock(patch: pytest.MonkeyPatch) -> None:
    """Asks what time it is while it judges, instead of being told."""
    count = itertools.count()

    def judged(*facts: Any, **more: Any) -> Any:
        return attrs.evolve(match(*facts, **more), evidence=f"evidence {next(count)}")

    patch.setitem(Run.__init__.__kwdefaults__, "matcher", judged)


def unheld(run: Run) -> None:
    """People hold returns right after they were submitted."""
    for hours in range(1, 20):
        run.during(hours * 3600.0, "somebody holds every return", lambda: [run.crew.say(people.hold, ret.id) for ret in run.life.returns])


def lost(run: Run) -> None:
    """Parcels are handed over and never arrive."""
    run.life.habits.returns = (2, 2)
    run.life.habits.wrong = run.life.habits.half = 0.0
    run.life.habits.arrives = 0.0


def poisoned(run: Run) -> None:
    """Nothing but poison is sent."""


def busy(run: Run) -> None:
    """Everybody is quick."""
    run.driver.pace.slow = 0.0


SMALL = Shape(returns=(1, 2), days=1.5, years=False)
LONG = Shape(returns=(1, 2), days=1.5)
LONG_UNDER_WAY = {"pause": timedelta(minutes=1), "effect": timedelta(minutes=5), "recreate": "after_bounds"}


@attrs.frozen
class Variant:
    """How the library is broken, which promise that breaks, and where it is looked for: families of faults, and a hard world."""

    breaks: Callable[[pytest.MonkeyPatch], None]
    promise: str
    faults: str
    world: Callable[[Run], None]
    shape: Shape = SMALL
    settings: Mapping[str, Any] = attrs.field(factory=dict)


BROKEN: Mapping[str, Variant] = {
    "no intent row": Variant(no_intent_row, "P4", "none", dying),
    "no look-up before create": Variant(no_look_up_before_create, "P3", "none", by_hand),
    "a second send of process": Variant(second_send_of_process, "P4", "none", slow),
    "flag on a half-counted box": Variant(flag_on_a_half_counted_box, "P12", "none", half, Shape(returns=(1, 2), days=2.0)),
    "healing by absence": Variant(healing_by_absence, "P7", "none", unheard, Shape(returns=(2, 3), days=5.0, years=False)),
    "no read-back": Variant(no_read_back, "P4", "none", failing),
    "memory by fingerprint": Variant(memory_by_fingerprint, "P12", "none", meddled, Shape(returns=(1, 2), days=2.0)),
    "waiting less than P + D + L": Variant(waiting_less_than_the_bounds, "P3", "lag", late, settings=LONG_UNDER_WAY),
}

ALSO_BROKEN: Mapping[str, Variant] = {
    "answers before it stores": Variant(answers_before_it_stores, "P1", "none", busy),
    "sweeps one side only": Variant(sweeps_one_side_only, "P2", "none", unheard),
    "knows no age": Variant(knows_no_age, "P6", "none", lost, LONG),
    "trusts senders": Variant(trusts_senders, "P8", "poison", poisoned),
    "decides by the clock": Variant(decides_by_the_clock, "P9", "none", busy),
    "sends as fast as it can": Variant(sends_as_fast_as_it_can, "P10", "none", busy),
    "does not listen": Variant(does_not_listen, "P12", "none", unheld),
}
