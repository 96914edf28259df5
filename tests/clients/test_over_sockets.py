"""One return by hand, over real sockets to both fakes: announced, counted, processed. The same script in both colours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from both_colours import Colour

from loop_whiplash import (
    ActionRefused,
    AuthenticationFailed,
    MemoryTokenStore,
    NotFound,
    OAuth,
    Policy,
    ReturnEvent,
    SQLiteTokenStore,
    Token,
    Verdict,
    match,
    parse_loop_webhook,
    to_consumer_return,
    to_receipt,
    to_rma,
)
from loop_whiplash.simulator import World


def test_a_return_from_label_to_refund(colour: Colour) -> None:
    world = World(seed=11)
    ret = world.shopper.submit_return(lines=2)
    world.carrier.scan(ret, "pre_transit")
    with world.serve() as served:
        loop = colour.loop(key=world.api_key, base_url=served.loop_url)
        whiplash = colour.whiplash(token=world.token, base_url=served.whiplash_url, customer_id=world.customer_id)

        found = loop.call(lambda c: c.returns.get(ret.id))
        now = world.clock.now()
        listed = loop.rows(lambda c: c.returns.list(now - timedelta(days=2), now + timedelta(hours=1)))
        assert [row.id for row in listed] == [ret.id]
        assert to_rma(listed[0]).units == to_rma(found).units

        rma = to_rma(found)
        items = whiplash.call(lambda c: c.items.by_sku([unit.sku for unit in rma.units]))
        draft = to_consumer_return(rma, item_ids={item.sku: item.id for item in items})
        made = whiplash.call(lambda c: c.consumer_returns.create(draft))
        world.clock.advance(minutes=10)
        (again,) = whiplash.call(lambda c: c.consumer_returns.by_original_id(str(ret.id)))
        assert again.id == made.id

        world.warehouse.receive(ret)
        world.clock.advance(hours=1)
        receipt = to_receipt(whiplash.call(lambda c: c.consumer_returns.get(made.id)))
        assert match(rma, [receipt], policy=Policy(), at=world.clock.now()).verdict is Verdict.PROCESS

        loop.call(lambda c: c.returns.add_note(ret.id, "counted, complete"))
        loop.call(lambda c: c.returns.process(ret.id))
        world.clock.advance(hours=1)
        done = loop.call(lambda c: c.returns.get(ret.id))
        assert (done.state, done.was_processed) == ("closed", True)
        with pytest.raises(ActionRefused) as refused:
            loop.call(lambda c: c.returns.process(ret.id))
        assert (refused.value.state, refused.value.status, refused.value.maybe_applied) == ("closed", 200, False)
        assert loop.call(lambda c: c.returns.notes(ret.id))[0].content == "counted, complete"
        with pytest.raises(NotFound):
            loop.call(lambda c: c.returns.get(999_999_999))
        loop.close()
        whiplash.close()


def test_a_wrong_key_is_refused(colour: Colour) -> None:
    world = World(seed=11)
    with world.serve() as served:
        loop = colour.loop(key="another", base_url=served.loop_url)
        with pytest.raises(AuthenticationFailed):
            loop.call(lambda c: c.webhooks.list())
        loop.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_login_over_sockets(colour: Colour, kind: str, tmp_path: Path) -> None:
    world = World(seed=11)
    manners = world.whiplash.manners
    spent = Token(access_token="spent", refresh_token=manners.refresh_token, expires_at=datetime.now(UTC) - timedelta(hours=1))
    store: Any = MemoryTokenStore() if kind == "memory" else SQLiteTokenStore(tmp_path / "tokens.db")
    assert store.save(spent, replaces=None)
    with world.serve() as served:
        auth = OAuth(client_id=manners.client_id, client_secret=manners.client_secret, store=store)
        whiplash = colour.whiplash(token=auth, base_url=served.whiplash_url, customer_id=world.customer_id)
        assert whiplash.call(lambda c: c.items.count()) > 0
        kept = store.load()
        assert kept.access_token != "spent"
        assert kept.expires_at > datetime.now(UTC)
        whiplash.close()


def test_what_the_fake_sends_is_what_the_parser_reads() -> None:
    world = World(seed=11)
    ret = world.shopper.submit_return()
    events: list[Any] = []

    def receiver(message: Any) -> int:
        if message.system == "loop":
            events.append(parse_loop_webhook(message.body, message.headers, ["dropped", world.loop_secret]))
        return 200

    world.deliver(receiver)
    assert any(isinstance(event, ReturnEvent) and event.return_id == ret.id for event in events)
