"""Families of faults by name: what each does to a run. A seed draws some of them, and how hard each strikes.

Leaving some out of each run matters: a world where everything fails all the time hides what only shows when most things
work (this is called swarm testing).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.integration import people
from loop_whiplash.matching.policy import Policy
from loop_whiplash.planning.breaks import BREAKS
from loop_whiplash.whiplash.oauth import OAuth
from loop_whiplash.whiplash.tokens import MemoryTokenStore, Token

from .webhooks import Message, loop_headers, whiplash_headers

if TYPE_CHECKING:
    from .run import Run

__all__ = ["FAMILIES", "POLICIES", "draw", "families"]

DAY = 86_400.0
Strike = Callable[["Run", random.Random], None]

#: Policies a shop may change between: stricter and laxer ones that judge the same receipts differently.
POLICIES = (
    Policy(),
    Policy(name="patient", short_grace_single=timedelta(days=6), unfinished_grace=timedelta(days=10)),
    Policy(name="quick", short_grace_single=timedelta(hours=6), short_grace_multi=timedelta(hours=12), unfinished_grace=timedelta(days=1)),
    Policy(name="counts only", match_level=3),
    Policy(name="rests", settle_window=timedelta(hours=3)),
    Policy(name="dear", review_above_value=50),
)


def _network(run: Run, rng: random.Random) -> None:
    network = run.world.network
    network.drop(rng.choice((0.0, 0.05, 0.2))).lose_replies(rng.choice((0.0, 0.05, 0.25))).reset(rng.choice((0.0, 0.05)))
    network.duplicate(rng.choice((0.0, 0.3))).cut_bodies(rng.choice((0.0, 0.05, 0.1))).lie(rng.choice((0.0, 0.05)))
    if rng.random() < 0.5:
        network.delay(0.0, rng.choice((1.0, 10.0, 29.0)))
    if rng.random() < 0.4:
        network.late_effect(rng.choice((0.1, 0.4)), within=run.settings.effect.total_seconds() * 0.95)


def _doubts(run: Run, rng: random.Random) -> None:
    run.world.network.in_doubt(rng.choice((0.2, 0.6)), within=run.settings.effect.total_seconds() * 0.95)


def _statuses(run: Run, rng: random.Random) -> None:
    for status in rng.sample((429, 500, 502, 503), rng.randint(1, 4)):
        run.world.network.refuse(status, rng.choice((0.02, 0.1, 0.1, 0.3)), retry_after=rng.choice((None, None, 1, 30, 30, 4000)))
    if rng.random() < 0.4:
        run.world.network.refuse(404, rng.choice((0.01, 0.05)))  # the page of a gateway that has lost its way to them


def _webhooks(run: Run, rng: random.Random) -> None:
    hooks = run.world.network.webhooks
    lost = rng.choice((0.0, 0.2, 0.6, 1.0)) if run.shape.sweeps else rng.choice((0.0, 0.2))
    hooks.drop(lost).duplicate(rng.choice((0.0, 0.5)), copies=rng.randint(1, 4))
    if rng.random() < 0.6:
        hooks.delay(0.0, rng.choice((5.0, 600.0, 600.0, 20_000.0)))


def _outage(run: Run, rng: random.Random) -> None:
    def begins() -> None:
        run.world.outbox.lost = True
        run.world.truth.faults["webhooks lost for days"] += 1

    def ends() -> None:
        run.world.outbox.lost = False

    if not run.shape.sweeps:
        return  # nobody would ever know
    start = rng.random() * run.life.habits.days * DAY * 0.5
    run.during(start, "no webhook leaves any more", begins)
    run.during(start + (0.5 + rng.random() * 2) * DAY, "webhooks leave again", ends)


def _poison(run: Run, rng: random.Random) -> None:
    run.during(rng.random() * run.life.habits.days * DAY * 0.6, "a return is written in a shape nobody can read", lambda: _spoil(run, rng))
    for _ in range(3):
        run.during(rng.random() * run.life.habits.days * DAY, "a poisonous webhook is sent", lambda: _send_poison(run, rng))


def _spoil(run: Run, rng: random.Random) -> None:
    if run.life.returns:
        run.world.loop.manners.unreadable.add(rng.choice(run.life.returns).id)
        run.world.truth.faults["unreadable return"] += 1


def _send_poison(run: Run, rng: random.Random) -> None:
    world = run.world
    name = rng.choice([ret.id for ret in run.life.returns] or [1])
    body = rng.choice(
        (
            b"",
            b"null",
            b"[]",
            b"\xff\xfe{}",
            b'{"topic":"return"',
            b"[" * 50_000,
            b'{"topic":"return","trigger":"return.updated","id":"' + b"9" * 400 + b'"}',
            f'{{"topic":"return","trigger":"return.new_thing","id":{name},"line_items":7}}'.encode(),
            f'{{"topic":"label","trigger":"label.updated","return_id":{name},"labels":{{}}}}'.encode(),
            b'{"event_name":"consumer_return.completed","consumer_return":{"id":-4}}',
            b'{"event_name":9,"consumer_return":[]}',
        )
    )
    system = rng.choice(("loop", "whiplash"))
    secret = world.loop_secret if system == "loop" else world.whiplash_secret
    headers = (loop_headers if system == "loop" else whiplash_headers)(body, secret if rng.random() < 0.8 else "wrong")
    world.truth.faults["poisonous webhook"] += 1
    now, url = world.clock.now(), "https://receiver.example/"
    world.outbox.put(Message(system=system, topic="poison", return_id=None, url=url, body=body, headers=headers, due_at=now))


def _loop(run: Run, rng: random.Random) -> None:
    manners = run.world.loop.manners
    manners.processing_takes = rng.choice(((5.0, 60.0), (1.0, 4000.0), (3600.0, 30_000.0)))
    manners.failing = rng.choice((0.0, 0.3, 1.0))
    manners.failed_state = rng.choice(("open", "review"))
    manners.refuse = rng.choice((0.0, 0.3))
    manners.hidden_flags = rng.choice((0.0, 0.5))
    manners.label_life = rng.choice((28.0, 0.5))
    manners.process_on_scan = rng.choice((None, None, "in_transit", "delivered"))
    manners.allow_flagged = rng.random() < 0.3
    manners.details_as = rng.choice(("list", "object"))
    manners.success = rng.choice((True, "true"))
    manners.list_ties = rng.choice(("skip", "repeat"))
    manners.list_order = rng.choice(("newest", "oldest"))
    manners.notes_wrapped = rng.random() < 0.5
    manners.label_touches_return = rng.random() < 0.7


def _whiplash(run: Run, rng: random.Random) -> None:
    manners, habits = run.world.whiplash.manners, run.life.habits
    manners.refuse_duplicates = rng.random() < 0.3
    manners.originated_type = rng.choice(("Shipnotice", "ConsumerReturn"))
    manners.tied = rng.random() < 0.7
    manners.nested = rng.random() < 0.5
    manners.error_key = rng.choice(("message", "error", "errors"))
    habits.twin_item, habits.unknown_item = rng.choice((0.0, 0.1)), rng.choice((0.0, 0.1))
    habits.thrown_away = rng.choice((0.0, 0.3))
    habits.unexpected = rng.choice((0.0, 0.3))


def _lag(run: Run, rng: random.Random) -> None:
    run.world.whiplash.manners.lag = (0.0, rng.choice((5.0, run.settings.lag.total_seconds() * 0.98)))
    run.world.truth.faults["search lags"] += 1


def _counts(run: Run, rng: random.Random) -> None:
    habits = run.life.habits
    habits.wrong, habits.half, habits.split = rng.choice((0.3, 0.8)), rng.choice((0.1, 0.5)), rng.choice((0.0, 0.4))
    habits.reopened = rng.choice((0.0, 0.5))


def _kinds(run: Run, rng: random.Random) -> None:
    habits = run.life.habits
    habits.unlabelled, habits.kept, habits.dropped_off = rng.choice((0.0, 0.3)), rng.choice((0.0, 0.1)), rng.choice((0.0, 0.1))
    habits.never_scanned, habits.same_order = rng.choice((0.05, 0.2)), rng.choice((0.0, 0.5))
    habits.announced_by_hand = rng.choice((0.0, 0.4))


def _people(run: Run, rng: random.Random) -> None:
    run.life.habits.by_hand = rng.choice((0.5, 2.0, 6.0))


def _words(run: Run, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        run.during(rng.random() * run.life.habits.days * DAY, "a person has something to say", lambda: _say(run, rng))


def _say(run: Run, rng: random.Random) -> None:
    if not run.life.returns:
        return
    return_id = rng.choice(run.life.returns).id
    crew, world = run.crew, run.world
    word = rng.choice(("hold", "release", "release", "retry", "retry", "acknowledge", "attach", "advance"))
    world.truth.faults[f"a person says {word}"] += 1
    match word:
        case "hold":
            crew.say(people.hold, return_id, by="kim", note="I look at it")
            run.during(rng.random() * DAY, "the person has looked", lambda: crew.say(people.release, return_id, by="kim"))
        case "release":
            crew.say(people.release, return_id, by="kim")
        case "retry":
            crew.say(people.retry, return_id, by="kim")
        case "acknowledge":
            until = world.clock.now() + timedelta(days=rng.randint(1, 9))
            crew.say(people.acknowledge, return_id, rng.choice(sorted(BREAKS)), until, "kim")
        case "attach":
            strays = [each.id for each in world.whiplash.notices() if each.original_id is None and each.id not in run.record.attached]
            if strays:
                run.record.touched.add(return_id)  # also if the ledger breaks in the midst of it
                crew.say(people.attach, return_id, rng.choice(strays), by="kim")
        case _:
            crew.advance(return_id)


def _crashes(run: Run, rng: random.Random) -> None:
    run.driver.pace.crash = rng.choice((0.002, 0.01, 0.04))
    run.driver.pace.crash_sending = rng.choice((0.0, 0.2))
    run.driver.pace.away = rng.choice((1.0, 600.0, 20_000.0))


def _pauses(run: Run, rng: random.Random) -> None:
    run.driver.pace.pause = rng.choice((0.005, 0.03))
    run.driver.pace.longest_pause = rng.choice((300.0, 1800.0, 20_000.0))


def _storage(run: Run, rng: random.Random) -> None:
    run.ledger.failing = rng.choice((0.01, 0.05))


def _tokens(run: Run, rng: random.Random) -> None:
    world = run.world
    world.whiplash.manners.token_life = rng.choice((700.0, 7200.0))
    store = MemoryTokenStore(clock=lambda: world.clock.now().timestamp())
    manners = world.whiplash.manners
    run.crew.auth = OAuth(client_id=manners.client_id, client_secret=manners.client_secret, store=store)

    def log_in() -> None:
        given = world.log_in()
        expires = world.clock.now() + timedelta(seconds=manners.token_life)
        access, refresh = str(given["access_token"]), str(given["refresh_token"])
        store.save(Token(access_token=access, refresh_token=refresh, expires_at=expires), replaces=store.load())

    log_in()
    run.mended.append(log_in)
    for _ in range(4):
        run.during(rng.random() * run.life.habits.days * DAY, "another process renews the token", log_in)
    world.truth.faults["tokens rotate"] += 1


def _wrong_key(run: Run, rng: random.Random) -> None:
    manners = run.world.loop.manners

    def begins() -> None:
        manners.another_shop = run.record.keyless = True
        run.world.truth.faults["wrong key"] += 1

    def ends() -> None:
        manners.another_shop = False

    start = rng.random() * run.life.habits.days * DAY * 0.7
    run.during(start, "the key is another shop's", begins)
    run.during(start + rng.random() * 2 * DAY, "the key is ours again", ends)
    run.mended.append(ends)


def _policy(run: Run, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 3)):
        policy = rng.choice(POLICIES)
        run.policies.append(policy)
        change = partial(run.crew.change_policy, policy)
        run.during(rng.random() * run.life.habits.days * DAY, f"the policy is {policy.name} now", change)
    run.world.truth.faults["policy edited"] += 1


def _beyond(run: Run, rng: random.Random) -> None:
    """Effects later, and a search that lags longer, than the settings allow for: P, D and L do not hold."""
    run.within_bounds = False
    if rng.random() < 0.7:
        run.world.whiplash.manners.lag = (0.0, run.settings.lag.total_seconds() * rng.choice((3, 40)))
    if rng.random() < 0.7:
        run.world.network.in_doubt(0.5, within=run.settings.effect.total_seconds() * rng.choice((3, 20)))
    run.world.truth.faults["beyond the bounds"] += 1


#: Name → what it does, in the order in which they are applied.
FAMILIES: Mapping[str, Strike] = MappingProxyType(
    {
        "network": _network,
        "doubts": _doubts,
        "statuses": _statuses,
        "webhooks": _webhooks,
        "outage": _outage,
        "poison": _poison,
        "loop": _loop,
        "whiplash": _whiplash,
        "lag": _lag,
        "counts": _counts,
        "kinds": _kinds,
        "people": _people,
        "words": _words,
        "crashes": _crashes,
        "pauses": _pauses,
        "storage": _storage,
        "tokens": _tokens,
        "wrong_key": _wrong_key,
        "policy": _policy,
        "beyond": _beyond,
    }
)

#: How often a seed that draws from all families draws one of these; all others every second time.
_SELDOM = {"beyond": 0.1, "wrong_key": 0.1, "poison": 0.2, "tokens": 0.2, "storage": 0.25, "policy": 0.25, "outage": 0.25}


def families(names: str | Iterable[str]) -> tuple[str, ...]:
    """``all``, ``none``, or names (with commas between them, or as a sequence), in order. Raises `ConfigurationError`."""
    wanted = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    wanted = [name for name in wanted if name and name != "none"]
    if "all" in wanted:
        return ("all",)
    for name in wanted:
        if name not in FAMILIES:
            raise ConfigurationError(f"there is no family of faults called {name!r}; there are all, {', '.join(FAMILIES)}")
    return tuple(name for name in FAMILIES if name in wanted)


def draw(names: tuple[str, ...], rng: random.Random) -> tuple[str, ...]:
    """The families that strike in one run: those named, or of ``all`` a share drawn anew."""
    if names != ("all",):
        return names
    return tuple(name for name in FAMILIES if rng.random() < _SELDOM.get(name, 0.5))
