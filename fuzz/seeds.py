"""Where a fuzzer begins: what a small simulated shop sends and answers, and the oddities both vendors are known for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from loop_whiplash import LoopClient, Policy, WhiplashClient, match, to_consumer_return, to_receipt, to_rma
from loop_whiplash.simulator import World
from targets import MODELS, NOW

__all__ = ["INTERESTING", "mutated", "seeds"]

#: Values that have broken parsers before; a mutation puts one in the place of any value.
INTERESTING: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 10**40, 1.5, 5.0, -0.0, 1e308, "", "N/A", "0", "-1", "7", "1e5", "١٢", "0.00",
    "69.95", "-12.50", "1e400", "NaN", "Infinity", "9" * 40, "true", "false", "2026-02-24 06:00:00", "2026-02-24T06:00:00.000000Z",
    "2026-02-24T06:00:00+14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-W09-2", "24:00", "\x00", "\ud7ff\ue000",
    "</script><script>x</script>", "<img src=x onerror=x>", "=1+1", "\u202etxt", "\u2028", "a" * 300, "A", "SLATE", "open", "closed",
    "review", "cancelled", "expired", "refund", "exchange", "keep", [], {}, [[]], [{}], {"0": {}}, {"id": 7},
    {"errors": {"code": "X", "message": "Return is closed"}}, {"error": "x"}, [None], ["N/A"],
)  # fmt: skip


def seeds(target: str) -> list[bytes]:
    """The first inputs of a target."""
    return [each if isinstance(each, bytes) else _json(each) for each in _SEEDS[target]()]


def _json(value: Any) -> bytes:
    return json.dumps(value, default=float).encode()  # without orjson, numbers with a fraction are read as `Decimal`


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The same JSON with a few values replaced, removed, repeated or moved. What is no JSON gets a few bytes changed."""
    prefix, text = data[:1], data[1:]
    if data[:1] in (b"{", b"["):
        prefix, text = b"", data
    try:
        value = json.loads(text)
        for _ in range(dice.randint(1, 3)):
            value = _changed(value, dice)
        return prefix + json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        changed = bytearray(data or b"{}")
        for _ in range(dice.randint(1, 4)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        return bytes(changed)


def _changed(value: Any, dice: random.Random) -> Any:
    if isinstance(value, (dict, list)) and value and dice.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = dice.choice(keys)
        copy: Any = dict(value) if isinstance(value, dict) else list(value)
        kind = dice.random()
        if kind < 0.75:
            copy[key] = _changed(value[key], dice)
        elif kind < 0.85:
            del copy[key]
        elif isinstance(copy, list):
            copy.insert(dice.randrange(len(copy) + 1), value[key])
        else:
            copy[dice.choice(keys)] = value[key]
        return copy
    return dice.choice(INTERESTING)


def _world() -> World:
    """Returns of every kind, at every stage."""
    world = World(seed=11)
    for count, outcome in ((1, "refund"), (2, "exchange"), (3, "credit"), (1, "keep")):
        ret = world.shopper.submit_return(count, outcome=outcome)
        world.carrier.scan(ret, "pre_transit")
    returns = list(world.loop.returns)
    with _clients(world) as (loop, whiplash):
        for return_id in returns[:2]:
            rma = to_rma(loop.returns.get(return_id))
            items = {unit.sku: whiplash.items.by_sku([unit.sku])[0].id for unit in rma.units if unit.sku}
            whiplash.consumer_returns.create(to_consumer_return(rma, item_ids=items))
    world.warehouse.receive(returns[0], damaged=1)
    world.warehouse.receive(returns[1], short=1)
    world.people.process(returns[2])
    world.clock.advance(days=1)
    return world


@contextmanager
def _clients(world: World) -> Iterator[tuple[LoopClient, WhiplashClient]]:
    time = {"clock": world.clock.now, "sleep": world.clock.sleep}
    with (
        LoopClient(world.api_key, transport=world.loop_transport(), **time) as loop,
        WhiplashClient(world.token, customer_id=world.customer_id, transport=world.whiplash_transport(), **time) as whiplash,
    ):
        yield loop, whiplash


def _messages(system: str) -> Iterator[Any]:
    world, seen = _world(), []
    world.deliver(lambda message: seen.append(message) or 200)
    world.clock.advance(minutes=1)
    yield from {message.topic: message.body for message in seen if message.system == system}.values()
    yield b""
    yield b"[]"


def _loop_messages() -> Iterator[Any]:
    yield from _messages("loop")
    yield {"topic": "return.processing", "trigger": "return.processing.failed", "return_id": 7, "return_state": "open", "message": "no"}
    yield {"topic": "giftcard", "trigger": "giftcard.requested", "id": 1}
    yield {"topic": "label", "trigger": "label.updated", "return_id": "7", "label_status": "delivered", "label_updated_at": "2026-02-01"}


def _whiplash_messages() -> Iterator[Any]:
    yield from _messages("whiplash")
    row = {"id": 9, "status": 300, "return_items": [{"id": 5, "sku": "A", "quantity": 2, "quantity_good": 1, "quantity_damaged": 1}]}
    yield {"event_name": "consumer_return.completed", "consumer_return": row}
    yield {"webhook": {"event_name": "consumer_return.completed", "consumer_return": row}}
    yield {"event_name": "order.shipped", "order": {"id": 3}}
    yield b"<webhook/>"


def _rows() -> tuple[list[Any], list[Any]]:
    world = _world()
    with _clients(world) as (loop, whiplash):
        returns = [row.raw for row in loop.returns.list(world.clock.now() - timedelta(days=5), world.clock.now() + timedelta(hours=1))]
        return returns, [row.raw for row in whiplash.consumer_returns.list()]


def _decoded() -> Iterator[bytes]:
    returns, counted = _rows()
    for row in returns:
        yield b"\x00" + _json(row)
    for row in counted:
        yield b"\x01" + _json(row)
    some = {"id": 7, "sku": "A", "name": "x", "quantity": 1, "price": "1.00", "created_at": "2026-02-01T00:00:00Z"}
    for which in range(2, len(MODELS)):
        yield bytes([which]) + _json(some)
    answers: tuple[Any, ...] = (
        True, "true", [returns[0]], {"returns": returns[:1], "nextPageUrl": None}, {"errors": {"message": "Return is closed", "code": "X"}},
        {"count": 3}, [{"result": "ok"}], {"url": "https://x.example"}, {"qr": "x"}, False, {"notes": []}, counted[:1], {"message": "no"},
    )  # fmt: skip
    for place, answer in enumerate(answers):
        for which in (16 + place, 31 + place):
            yield bytes([which]) + _json(answer)
    decision = match(to_rma(MODELS[0].from_dict(returns[0])), [to_receipt(MODELS[1].from_dict(counted[0]))], policy=Policy(), at=NOW)
    for which in range(64, 67):
        yield bytes([which]) + _json(Policy().to_dict())
        yield bytes([which]) + _json(decision.to_dict())
        yield bytes([which]) + _json({"version": 1, "process": {"phase": "accepted", "sends": 1}, "flagged": ["SHORT|A|1"]})


def _texts() -> Iterator[bytes]:
    yield from (
        b'{"id": 7, "price": "1.00", "n": [1, -2.50, 3e2, 0.1, 18446744073709551615, 1e-7], "t": true, "f": false, "z": null}',
        b'{"a": "\\u0041\\ud83d\\ude00\\n\\"", "a": {"b": [[], {}]}, "": "\xc3\xa9"}',
        b"[" * 60 + b"]" * 60,
        b" [1 , 2 ] ",
        b'"text"',
        b"-0",
    )


def _reports() -> Iterator[Any]:
    returns, counted = _rows()
    yield {"returns": returns, "consumer_returns": counted}
    yield {"returns": returns[:1], "consumer_returns": counted[:1]}
    yield {"returns": returns, "consumer_returns": []}
    yield {"returns": [], "consumer_returns": counted}


_SEEDS: dict[str, Callable[[], Iterator[Any]]] = {
    "loop_webhook": _loop_messages,
    "whiplash_webhook": _whiplash_messages,
    "json_text": _texts,
    "decoders": _decoded,
    "report": _reports,
}
