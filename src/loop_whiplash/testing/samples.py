"""Sample payloads: what the two systems send, in the documented shapes, with values of our own.

All samples tell of one and the same return, so they fit together: what `loop_return_row` expects is what `whiplash_consumer_return`
has counted. They are written by the simulator, whose shapes are held against the published and captured payloads.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal

import attrs

from loop_whiplash.loop.webhooks import sign_loop
from loop_whiplash.simulator import SimulatedReturn, World
from loop_whiplash.simulator.loop_shapes import details_row, dump, label_message, list_row, return_message
from loop_whiplash.simulator.whiplash import Notice
from loop_whiplash.whiplash.webhooks import sign_whiplash

__all__ = [
    "Sample",
    "loop_label_webhook",
    "loop_processing_failed_webhook",
    "loop_return_details",
    "loop_return_row",
    "loop_return_webhook",
    "whiplash_consumer_return",
    "whiplash_consumer_return_webhook",
]


@attrs.frozen(kw_only=True)
class Sample:
    """One payload, as a vendor sends it.

    Attributes:
        system: who sends it. payload: its JSON as Python values; yours to change. provenance: which documented shape it has, and where that
            is documented.
    """

    system: Literal["loop", "whiplash"]
    payload: dict[str, Any]
    provenance: str

    @property
    def body(self) -> bytes:
        """The payload as the bytes of a request."""
        return dump(self.payload) if self.system == "loop" else json.dumps(self.payload).encode()

    def headers(self, secret: str | bytes) -> dict[str, str]:
        """The headers of a webhook with this body, signed as its vendor signs."""
        sign = sign_loop if self.system == "loop" else sign_whiplash
        return {"Content-Type": "application/json", **sign(self.body, secret)}


@attrs.frozen
class _Story:
    world: World
    ret: SimulatedReturn
    counted: Notice


@cache
def _story(units: int, short: int = 0, damaged: int = 0) -> _Story:
    """A return of so many units is on its way, announced under its id, and counted."""
    world = World(seed=11, variants=max(24, 2 * units))
    ret = world.shopper.submit_return(units)
    world.carrier.scan(ret, "pre_transit")
    announced = world.warehouse.announce(ret, original_id=str(ret.id))
    world.clock.advance(days=3)
    return _Story(world, ret, world.warehouse.receive(announced, short=short, damaged=damaged))


def loop_return_row(*, units: int = 2, **fields: Any) -> Sample:
    """One row of Loop's list of returns. `fields` replace what stands at the top of it.

    >>> sample = loop_return_row(units=3, state="review")
    >>> sample.payload["state"], len(sample.payload["line_items"])
    ('review', 3)
    """
    return Sample(
        system="loop",
        payload=list_row(_story(units).ret.now) | fields,
        provenance=(
            "GET /warehouse/return/list, keys and types as captured in June 2026: ids are text, times carry an offset, order_id is Loop's. "
            "https://docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list"
        ),
    )


def loop_return_details(*, units: int = 2, **fields: Any) -> Sample:
    """Loop's details of one return: what is in the array of one. `fields` replace what stands at the top of it."""
    return Sample(
        system="loop",
        payload=details_row(_story(units).ret.now) | fields,
        provenance=(
            "The one element of GET /warehouse/return/details, keys and types as captured in June 2026: ids are numbers, times are naive "
            "and in UTC, order_id is the shop's. https://docs.loopreturns.com/api-reference/latest/return-data/get-return-details"
        ),
    )


def loop_return_webhook(*, trigger: str = "return.updated", units: int = 2, **fields: Any) -> Sample:
    """Loop's webhook about a return: ``return.created``, ``return.updated``, ``return.closed`` …"""
    story = _story(units)
    return Sample(
        system="loop",
        payload=return_message(story.ret.now, trigger=trigger, shop_id=story.world.loop.shop_id) | fields,
        provenance=(
            "Webhook of topic return: the keys of real traffic of 2020 and those documented since. It says neither updated_at nor outcome. "
            "https://docs.loopreturns.com/webhook-reference/topics/return-webhook"
        ),
    )


def loop_label_webhook(*, trigger: str = "label.updated", units: int = 2, **fields: Any) -> Sample:
    """Loop's webhook about a label, which is how *pre_transit* is told. It carries no lines.

    >>> loop_label_webhook(label_status="delivered").payload["label_status"]
    'delivered'
    """
    story = _story(units)
    now = story.ret.now
    return Sample(
        system="loop",
        payload=label_message(now, now.labels[0], trigger=trigger, shop_id=story.world.loop.shop_id) | fields,
        provenance=(
            "Webhook of topic label, all keys of the published example; id is the return's. https://docs.loopreturns.com/reference/label-webhook"
        ),
    )


def loop_processing_failed_webhook(*, units: int = 2, **fields: Any) -> Sample:
    """Loop's webhook that says that a queued *process* came to nothing."""
    return Sample(
        system="loop",
        payload={
            "topic": "return.processing",
            "trigger": "return.processing.failed",
            "return_id": _story(units).ret.id,
            "return_state": "open",
            "message": "The payment gateway declined the refund.",
            "source": "api",
        }
        | fields,
        provenance=(
            "Webhook of topic return.processing, its full key list, put together from the documentation's word on each key. "
            "https://docs.loopreturns.com/webhook-reference/topics/return-processing-webhook"
        ),
    )


def whiplash_consumer_return(*, units: int = 2, short: int = 0, damaged: int = 0, **fields: Any) -> Sample:
    """A Whiplash consumer return that was counted: all but `short` units, of which `damaged` damaged.

    >>> from loop_whiplash import ConsumerReturn, Return, match, to_receipt, to_rma
    >>> rma = to_rma(Return.from_dict(loop_return_row().payload))
    >>> receipt = to_receipt(ConsumerReturn.from_dict(whiplash_consumer_return(damaged=1).payload))
    >>> print(match(rma, [receipt], at=receipt.completed_at).verdict.value)
    FLAG
    """
    story = _story(units, short, damaged)
    return Sample(
        system="whiplash",
        payload=story.world.whiplash.row(story.counted) | fields,
        provenance=(
            "GET /consumer_returns/{id} of V2, fields and types of the published OpenAPI schema and example. "
            "https://developers.getwhiplash.com"
        ),
    )


def whiplash_consumer_return_webhook(
    *, event_name: str = "consumer_return.completed", units: int = 2, short: int = 0, damaged: int = 0, **fields: Any
) -> Sample:
    """Whiplash's webhook about a consumer return, in JSON. `fields` replace what stands at the top of the consumer return."""
    inside = whiplash_consumer_return(units=units, short=short, damaged=damaged, **fields)
    return Sample(
        system="whiplash",
        payload={"consumer_return": inside.payload, "event_name": event_name},
        provenance=(
            "The documented envelope around a whole V2 record. Only the first sixteen fields of a real message are published, so that "
            "the rest is there too is inferred. https://docs.getwhiplash.com/webhooks"
        ),
    )
