"""A shop in which every secret and everything personal is a canary: it may be where it is needed, and nowhere else.

The whole integration lives through good and bad days; then everything it logged, raised, told a hook, printed or put into
a report is searched for them, and so are the ledger's files after what was personal has been forgotten or has expired.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from loop_whiplash import Integration, LoopClient, LoopWhiplashError, Settings, SQLiteLedger, WhiplashClient
from loop_whiplash.simulator import SimulatedReturn, World
from loop_whiplash.testing import sign_loop, sign_whiplash

SECRETS = ("c4n4ry-api-key", "c4n4ry-token", "c4n4ry-loop-secret", "c4n4ry-whiplash-secret")
PEOPLE = ("C4n4ryjane", "C4n4rydoe", "c4n4ry@shopper.example", "c4n4ry-status-page", "c4n4ry-said")


def canaries_in(text: str | bytes) -> list[str]:
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return [each for each in (*SECRETS, *PEOPLE) if each.lower() in told.lower()]


class Days:
    """One shop, its ledger in a file, and everything the integration let be seen."""

    def __init__(self, folder: Path) -> None:
        self.world = world = World(seed=3)
        world.loop.manners.api_keys = [SECRETS[0]]
        world.whiplash.manners.tokens = [SECRETS[1]]
        world.loop.manners.webhook_secret, world.whiplash.manners.webhook_secret = SECRETS[2:]
        self.files = folder / "ledger.db"
        self.ledger = SQLiteLedger(self.files, clock=world.clock.now)
        self.seen: list[str] = []
        time: dict[str, Any] = {"clock": world.clock.now, "sleep": world.clock.sleep, "hooks": [self.see]}
        self.loop = LoopClient(world.api_key, transport=world.loop_transport(), **time)
        self.whiplash = WhiplashClient(world.token, customer_id=world.customer_id, transport=world.whiplash_transport(), **time)
        self.integration = Integration(
            self.loop,
            self.whiplash,
            ledger=self.ledger,
            settings=Settings(start=world.clock.now()),
            loop_secrets=[world.loop_secret],
            whiplash_secrets=[world.whiplash_secret],
            clock=world.clock.now,
            hooks=[self.see],
        )

    def see(self, *what: object) -> None:
        self.seen += [text for each in what for text in (str(each), repr(each))]

    def submit(self, lines: int = 1) -> SimulatedReturn:
        """A return of somebody all of whose data are canaries."""
        world = self.world
        skus = [variant.sku for variant in world.catalogue.variants[: 2 * lines : 2]]
        order = attrs.evolve(
            world.catalogue.place_order(skus),
            first_name=PEOPLE[0],
            last_name=PEOPLE[1],
            email=PEOPLE[2],
            name=f"#{len(world.loop.returns)}",
        )
        world.catalogue.orders[-1] = order
        ret = world.shopper.submit_return(skus, order=order)
        now = ret.now
        world.loop.returns[ret.id] = attrs.evolve(
            now, page=f"https://shop.example/{PEOPLE[3]}", lines=tuple(attrs.evolve(line, comment=PEOPLE[4]) for line in now.lines)
        )
        world.carrier.scan(ret, "pre_transit")
        return ret

    def live(self, **time: Any) -> None:
        self.world.run(self.integration, work=self.work, **time)

    def work(self) -> None:
        try:
            self.see(*self.integration.run_due())
        except LoopWhiplashError as error:
            self.raised(error)

    def raised(self, error: BaseException) -> None:
        self.see(*traceback.format_exception(error), error)

    def webhook(self, body: bytes, *, system: str = "loop", secret: str | None = None) -> int:
        sign, own = (sign_loop, SECRETS[2]) if system == "loop" else (sign_whiplash, SECRETS[3])
        handle = self.integration.handle_loop if system == "loop" else self.integration.handle_whiplash
        reply = handle(body, sign(body, secret or own))
        self.see(reply)
        return reply.status

    def all_files(self) -> bytes:
        return b"".join(each.read_bytes() for each in sorted(self.files.parent.iterdir()) if each.is_file())


@pytest.fixture
def days(tmp_path: Path) -> Iterator[Days]:
    days = Days(tmp_path)
    yield days
    days.ledger.close()


def good_and_bad(days: Days) -> list[SimulatedReturn]:
    """Every kind of return, on a network with every kind of fault; and then quiet days."""
    world = days.world
    returns = [days.submit(lines) for lines in (2, 1, 1, 2, 1)]
    world.network.drop(0.05).lose_replies(0.05).cut_bodies(0.05).lie(0.05).refuse(500, 0.05).refuse(429, 0.05)
    days.live(hours=6)
    world.network.quiet()
    days.live(hours=12)
    exact, damaged, short, wrong, by_hand = returns
    world.warehouse.receive(exact)
    world.warehouse.receive(damaged, damaged=1)
    world.warehouse.receive(short, short=1)
    world.warehouse.receive(wrong, extra=[world.catalogue.variants[5].sku])
    world.people.cancel(by_hand)
    days.live(hours=12)
    return returns


def test_logs_errors_hooks_and_reprs_show_none(days: Days, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        returns = good_and_bad(days)
        somebody = f"{PEOPLE[0]} {PEOPLE[2]} https://shop.example/{PEOPLE[3]}"
        row = {"id": {"x": somebody}, "state": "open", "customer": somebody, "line_items": []}
        unreadable = json.dumps({"topic": "return", "trigger": "return.updated", **row}).encode()
        assert days.webhook(unreadable) == 202
        assert days.webhook(somebody.encode()) == 202
        assert days.webhook(somebody.encode(), system="whiplash") == 202
        assert days.webhook(unreadable, secret="somebody else's") == 401
        failed = {"topic": "return.processing", "trigger": "return.processing.failed", "return_id": returns[1].id, "message": somebody[10:]}
        assert days.webhook(json.dumps(failed).encode()) == 200
        days.integration.hold(returns[2].id, by="ops", note="waits")
        days.live(hours=3)
        days.world.loop.manners.api_keys = ["another"]
        days.live(hours=13)
        days.see(days.integration, days.loop, days.whiplash, days.ledger, days.integration.health(), *days.integration.check())
        days.see(*(days.integration.case(ret.id) for ret in returns), *days.ledger.asides())
        for ask in (lambda: days.loop.returns.get(returns[0].id), lambda: days.loop.returns.process(returns[0].id)):
            with pytest.raises(LoopWhiplashError) as caught:
                ask()
            days.raised(caught.value)
    records = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert len(records) > 100
    assert len(days.seen) > 100
    found = [(canaries, text[:400]) for text in (*records, caplog.text, *days.seen) if (canaries := canaries_in(text))]
    assert found == []


@pytest.mark.parametrize("name", ["to_text", "to_json", "to_csv", "to_html"])
def test_a_report_names_nobody_unless_asked(days: Days, name: str) -> None:
    good_and_bad(days)
    report = days.integration.sweep()
    assert report.breaks
    assert canaries_in(getattr(report, name)()) == []
    assert canaries_in(repr(report)) == []


def test_what_is_remembered_of_a_return_names_nobody(days: Days) -> None:
    for ret in good_and_bad(days):
        case = days.ledger.case(ret.id)
        assert case is not None
        assert canaries_in(json.dumps(dict(case.journal))) == []
        assert canaries_in(json.dumps(dict(case.summary))) == []


def test_no_secret_is_ever_stored(days: Days) -> None:
    good_and_bad(days)
    days.integration.sweep()
    assert not set(canaries_in(days.all_files())) & set(SECRETS)
    assert set(canaries_in(days.all_files())) & set(PEOPLE), "webhooks are kept as they came; else this test sees nothing"


def test_to_forget_everybody_leaves_nobody_in_the_files(days: Days) -> None:
    for ret in good_and_bad(days):
        days.integration.forget(ret.id)
    days.ledger.expire(before=days.world.clock.now() + timedelta(days=1))  # what named no return
    assert canaries_in(days.all_files()) == []


def test_what_is_old_leaves_nobody_in_the_files(days: Days) -> None:
    returns = good_and_bad(days)
    for ret in returns:
        days.world.people.process(ret)
    days.live(days=40, step=timedelta(days=1))
    assert days.ledger.open_cases() != [], "a short one that was paid stays a break"
    assert days.ledger.expire(before=days.world.clock.now() - timedelta(days=10)) > 10
    assert canaries_in(days.all_files()) == []
    for ret in returns:
        assert days.ledger.case(ret.id) is not None, "what guards against paying twice stays"
