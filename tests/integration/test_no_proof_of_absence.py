"""Could not look is not nothing there: a page of a gateway, half an answer, a clock that goes by the wall."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from house import House, answers, edits

#: What stands between us and the vendor says: of no return, and of all of them.
GATEWAY = [b"<html><head><title>404 Not Found</title></head></html>", b"404 page not found\n", b"default backend - 404"]


@pytest.mark.parametrize("page", GATEWAY, ids=str)
def test_a_parcel_that_a_gateway_hides_is_not_left_out_of_the_count(house: House, page: bytes) -> None:
    ret = house.announced(1)
    house.integration.hold(ret.id)
    house.world.warehouse.receive(ret)
    other = house.world.warehouse.receive_unexpected([ret.skus[0]], damaged=1)
    house.integration.attach(ret.id, other.id)
    house.run(hours=1)
    fault = house.fault("whiplash", "GET", f"/consumer_returns/{other.id}", answers(404, page), times=99)
    house.integration.release(ret.id)
    house.run(hours=2)
    assert house.codes(ret.id) == ["SOURCE_INCOMPLETE"]
    assert not ret.was_processed  # there was one too many, and it is damaged: on what was left it would have been paid
    fault.times = 0
    house.run(days=1)
    assert (ret.flagged, ret.was_processed) == (True, False)


@pytest.mark.parametrize("page", GATEWAY, ids=str)
def test_a_return_that_a_gateway_hides_is_not_unknown_to_loop(house: House, page: bytes) -> None:
    ret = house.announced(1)
    house.fault("loop", "GET", "/warehouse/return/details", answers(404, page), times=9999)
    house.run(days=3)
    assert house.codes(ret.id) == ["SOURCE_INCOMPLETE"]
    house.faults.clear()
    house.world.warehouse.receive(ret)
    house.run(days=1)
    assert ret.was_processed


@pytest.mark.parametrize("body", [{"message": "not_found"}, b""], ids=str)
def test_what_the_vendor_itself_says_is_gone_is_gone(house: House, body: Any) -> None:
    ret = house.announced(1)
    house.world.clock.advance(hours=1)
    rma = house.case(ret).journal.create.consumer_return_id
    house.fault("whiplash", "GET", f"/consumer_returns/{rma}", answers(404, body), times=99)
    house.run(days=1)
    assert house.codes(ret.id) == ["MISSING_IN_WMS"]


def test_a_create_in_doubt_is_not_repeated_because_a_gateway_hid_what_was_found(build: Callable[..., House]) -> None:
    # A Whiplash that cannot be searched by original_id: only its originators name the RMA, and it is read by its id.
    house = build()
    ret = house.shipped(1)

    def made_and_lost(request: Any, send: Any) -> Any:
        send(request)
        return answers(502)(request, send)

    house.fault("whiplash", "POST", "/consumer_returns", made_and_lost)
    house.fault("whiplash", "GET", "originator_original_id", answers(200, []), times=9999)
    house.fault("whiplash", "GET", "tracking_eq", answers(200, []), times=9999)
    house.fault("whiplash", "GET", "order_id_eq", answers(200, []), times=9999)
    gateway = house.fault("whiplash", "GET", "/consumer_returns/", answers(404, GATEWAY[0]), times=9999)
    house.run(hours=2)
    assert house.rmas(ret) == 1
    gateway.times = 0
    house.run(days=1)
    assert house.rmas(ret) == 1
    assert house.case(ret).journal.create.phase == "done"


def without(*names: str) -> Callable[[Any, Any], Any]:
    """The true answer about a return, but half of it."""

    def does(body: Any) -> None:
        rows = body if isinstance(body, list) else body.get("returns", [body])
        for row in rows:
            for name in names:
                row.pop(name, None)

    return edits(does)


@pytest.mark.parametrize("found_by", ["webhook", "sweep"])
def test_a_return_that_comes_without_its_lines_is_not_one_with_nothing_to_ship(build: Callable[..., House], found_by: str) -> None:
    house = build(webhooks=found_by == "webhook")
    house.fault("loop", "GET", "/warehouse/return", without("line_items"), times=9999)
    ret = house.shipped(1)
    if found_by == "sweep":
        house.integration.sweep()
    house.run(hours=1)
    assert house.codes(ret.id) == ["UNREADABLE"]
    house.faults.clear()
    house.run(days=1)
    assert (house.rmas(ret), house.codes(ret.id)) == (1, [])


def test_a_list_that_does_not_show_an_rma_is_no_proof_that_it_is_gone(house: House) -> None:
    # Two pages name the condition differently (id_in, ids_in): a server that does not know ours may answer with nothing.
    ret = house.world.shopper.submit_return(1)
    house.world.warehouse.announce(ret)  # without our id: only its own id finds it
    house.world.carrier.scan(ret, "pre_transit")
    house.run(hours=1)
    assert house.case(ret).journal.create.adopted
    house.run(days=3)
    house.integration.sweep()  # the next one does not read as far back as the RMA
    house.run(days=3)
    house.world.clock.advance(hours=1)
    house.fault("whiplash", "GET", "id_in", answers(200, []), times=99)
    report = house.integration.sweep()
    assert (report.complete, report.counts) == (True, {})
    assert house.codes(ret.id) == []


def test_an_rma_that_is_gone_is_missed_by_a_sweep_too(house: House) -> None:
    ret = house.announced(1)
    house.run(days=4)
    house.run(days=3)
    house.integration.sweep()  # the next one does not read as far back as the RMA
    house.run(days=3)
    house.world.clock.advance(hours=1)
    (rma,) = house.world.truth.live_rmas(ret.id)
    notice = house.world.whiplash.notice(rma)
    house.world.whiplash.delete(notice, by="warehouse")
    report = house.integration.sweep()
    assert report.complete
    assert house.codes(ret.id) == ["MISSING_IN_WMS"]
