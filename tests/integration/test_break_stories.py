"""Each break code: a scripted story in the simulated world, then the sweep's report with its code, its age and its money.

The age is that of what happened in the story, not that of the sweep that showed it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from house import House, answers, edits, vanishes

from loop_whiplash import Break, Report
from loop_whiplash.planning.breaks import BREAKS


@attrs.frozen(kw_only=True)
class Told:
    """What is to stand in the report: of which return, since when, and how much is at risk."""

    ret: Any = None
    since: datetime
    money: Decimal | None = None
    consumer_return_id: int | None = None


def worth(ret: Any) -> Decimal:
    value: Decimal = ret.now.value
    return value


def pass_days(house: House, days: float) -> None:
    house.run(days=days)


# ---------------------------------------------------------------------------------------------------------- the stories


def missing_in_wms(house: House) -> Told:
    ret = house.shipped(1)
    house.fault("whiplash", "POST", "/consumer_returns", answers(422, {"message": "no"}), times=9)
    sent = house.world.clock.now()
    pass_days(house, 6)
    return Told(ret=ret, since=sent, money=worth(ret))


def duplicate_in_wms(house: House) -> Told:
    ret = house.announced(1)
    house.run(hours=5)
    item = house.world.catalogue.items_of(ret.skus[0])[0]
    twin = house.world.whiplash.create(
        lines=[house.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id), tracking="another"
    )
    pass_days(house, 3)
    return Told(ret=ret, since=twin.created_at, money=worth(ret))


def items_drift(house: House) -> Told:
    ret = house.announced(2)
    house.run(hours=5)
    house.world.people.remove_line(ret, 0)
    edited = house.world.clock.now()
    pass_days(house, 2)
    return Told(ret=ret, since=edited, money=worth(ret))


def orphan_in_wms(house: House) -> Told:
    ret = house.announced(1)
    house.run(hours=5)
    house.world.people.cancel(ret)
    cancelled = house.world.clock.now()
    pass_days(house, 4)
    return Told(ret=ret, since=cancelled)


def unexpected_return(house: House) -> Told:
    sku = house.world.catalogue.variants[0].sku
    house.run(hours=3)
    parcel = house.world.warehouse.receive_unexpected([sku])
    pass_days(house, 2)
    return Told(since=parcel.arrived_at or house.start, consumer_return_id=parcel.id)


def unresolved_item(house: House) -> Told:
    house.world.catalogue.add_variant(sku="NOWHERE", items=0)
    ret = house.shipped(["NOWHERE"], in_whiplash=False)
    told = house.world.clock.now()
    pass_days(house, 3)
    return Told(ret=ret, since=told, money=worth(ret))


def unknown_item(house: House) -> Told:
    ret = house.announced(1)

    def forget(answer: Any) -> None:
        for row in answer if isinstance(answer, list) else [answer]:
            for line in row["return_items"]:
                line.update(sku=None, item_id=None, item=None)

    nameless = edits(forget)
    house.fault("whiplash", "GET", "/consumer_returns", nameless, times=10_000)
    house.run(hours=3)
    arrived = house.world.warehouse.receive(ret, complete=False).arrived_at
    pass_days(house, 1)
    return Told(ret=ret, since=arrived or house.start)


def delivered_not_received(house: House) -> Told:
    ret = house.announced(1)
    house.run(hours=30)
    house.world.carrier.scan(ret, "delivered")
    delivered = house.world.clock.now()
    pass_days(house, 9)
    return Told(ret=ret, since=delivered, money=worth(ret))


def in_transit_stale(house: House) -> Told:
    ret = house.announced(1)
    house.run(hours=30)
    house.world.carrier.scan(ret, "in_transit")
    scanned = house.world.clock.now()
    pass_days(house, 16)
    return Told(ret=ret, since=scanned, money=worth(ret))


def received_not_actioned(house: House) -> Told:
    ret = house.announced(1)
    house.world.warehouse.receive(ret, damaged=1)
    counted = house.world.clock.now()
    house.run(days=1)
    house.world.people.clear_flag(ret)
    pass_days(house, 2)
    return Told(ret=ret, since=counted, money=worth(ret))


def action_unconfirmed(house: House) -> Told:
    ret = house.announced(1)
    house.fault("loop", "POST", "/process", vanishes)
    house.world.warehouse.receive(ret)
    sent = house.world.clock.now()
    pass_days(house, 3)
    return Told(ret=ret, since=sent, money=worth(ret))


def processing_failed(house: House) -> Told:
    ret = house.announced(1)
    house.world.loop.manners.failing = 1.0
    house.world.loop.manners.processing_takes = (600.0, 600.0)
    house.world.warehouse.receive(ret)
    house.run(hours=1)
    failed = house.start + timedelta(hours=1, minutes=10)
    pass_days(house, 2)
    return Told(ret=ret, since=failed, money=worth(ret))


def paid_not_received(house: House) -> Told:
    ret = house.announced(1)
    house.world.people.process(ret)
    house.run(hours=1)
    pass_days(house, 23)
    return Told(ret=ret, since=ret.now.return_processed, money=worth(ret))


def received_after_close(house: House) -> Told:
    ret = house.announced(1)
    house.run(hours=2)
    house.world.people.cancel(ret)
    house.run(hours=30)
    counted = house.world.warehouse.receive(ret).completed_at
    pass_days(house, 2)
    return Told(ret=ret, since=counted or house.start, money=worth(ret))


def post_action_correction(house: House) -> Told:
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    house.run(days=1)
    changed = house.world.warehouse.recount(ret, {ret.skus[0]: (0, 1)}).updated_at
    pass_days(house, 2)
    return Told(ret=ret, since=changed, money=worth(ret))


def review_stale(house: House) -> Told:
    ret = house.announced(1)
    house.run(hours=7)
    house.world.people.flag(ret)
    flagged = house.world.clock.now()
    pass_days(house, 9)
    return Told(ret=ret, since=flagged, money=worth(ret))


def unreadable(house: House) -> Told:
    ret = house.announced(1)
    bad = edits(lambda body: [row.update(line_items=[{"line_item_id": 1, "price": "dear"}]) for row in body])
    house.fault("loop", "GET", f"'return_id': '{ret.id}'", bad, times=10_000)
    hidden = edits(lambda body: body["returns"].clear())
    house.fault("loop", "GET", "/warehouse/return/list", hidden, times=10_000)
    house.run(hours=2)
    house.world.carrier.scan(ret, "in_transit")
    seen = house.world.clock.now()
    pass_days(house, 2)
    return Told(ret=ret, since=seen)


def webhook_missed(house: House) -> Told:
    house.run(hours=2)
    house.world.outbox.lost = True
    ret = house.shipped(1)
    made = house.world.clock.now()
    house.world.clock.advance(hours=20)
    return Told(ret=ret, since=made)


def source_incomplete(house: House) -> Told:
    house.run(hours=2)
    house.integration.sweep()
    whole = house.world.clock.now()
    pass_days(house, 2)
    house.world.network.only("whiplash").refuse(503, 1.0)
    return Told(since=whole)


STORIES: dict[str, Callable[[House], Told]] = {
    "MISSING_IN_WMS": missing_in_wms,
    "DUPLICATE_IN_WMS": duplicate_in_wms,
    "ITEMS_DRIFT": items_drift,
    "ORPHAN_IN_WMS": orphan_in_wms,
    "UNEXPECTED_RETURN": unexpected_return,
    "UNRESOLVED_ITEM": unresolved_item,
    "UNKNOWN_ITEM": unknown_item,
    "DELIVERED_NOT_RECEIVED": delivered_not_received,
    "IN_TRANSIT_STALE": in_transit_stale,
    "RECEIVED_NOT_ACTIONED": received_not_actioned,
    "PAID_NOT_RECEIVED": paid_not_received,
    "RECEIVED_AFTER_CLOSE": received_after_close,
    "REVIEW_STALE": review_stale,
    "SOURCE_INCOMPLETE": source_incomplete,
    "UNREADABLE": unreadable,
    "ACTION_UNCONFIRMED": action_unconfirmed,
    "PROCESSING_FAILED": processing_failed,
    "POST_ACTION_CORRECTION": post_action_correction,
    "WEBHOOK_MISSED": webhook_missed,
}


def test_every_code_has_its_story() -> None:
    assert STORIES.keys() == BREAKS.keys()


def one(report: Report, code: str) -> Break:
    (found,) = (found for found in report.breaks if found.code == code)
    return found


@pytest.mark.parametrize("code", STORIES)
def test_a_story_ends_in_its_break_with_its_age_and_its_money(build: Callable[..., House], code: str) -> None:
    house = build()
    told = STORIES[code](house)
    report = house.integration.sweep()
    found = one(report, code)
    assert found.return_id == (told.ret.id if told.ret is not None else None)
    assert found.since is not None
    assert abs(found.since - told.since) < timedelta(seconds=1)
    assert found.money == told.money
    assert found.currency == ("USD" if told.money is not None else None)
    assert (found.owner, bool(found.next_step)) == (BREAKS[code].owner, True)
    assert [each.code for each in report.breaks if each.code != "WEBHOOK_MISSED" or code == "WEBHOOK_MISSED"] == [code]
    if told.consumer_return_id is not None:
        assert found.consumer_return_id == told.consumer_return_id
    if code != "SOURCE_INCOMPLETE" and code != "WEBHOOK_MISSED":
        case = report.case(found)
        assert case is not None
        assert case.history
        assert report.complete
