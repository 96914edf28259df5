"""A side that could not be read is not a side with nothing there: nothing is concluded, and as little as possible is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from house import House, answers, edits, not_sent

from loop_whiplash import Report
from loop_whiplash.simulator import World


def swept(house: House, **time: float) -> Report:
    house.world.clock.advance(**time)
    report = house.integration.sweep()
    assert isinstance(report, Report)
    return report


def side(report: Report, name: str) -> Any:
    return next(side for side in report.sides if side.name == name)


def writes(house: House) -> list[str]:
    return [f"{method} {path}" for _, method, path in house.calls if method != "GET"]


@pytest.fixture
def quiet(build: Callable[..., House]) -> House:
    """No webhooks: whatever is known, sweeps have read it."""
    return build(webhooks=False)


# ---------------------------------------------------------------------------------------------------- a side that is down


@pytest.mark.parametrize("system", ["loop", "whiplash"])
@pytest.mark.parametrize("does", [answers(500), answers(401, {"message": "no"}), not_sent], ids=["500", "401", "no connection"])
def test_a_side_that_is_down_is_said_and_nothing_is_done_or_closed(quiet: House, system: str, does: Any) -> None:
    _, done = quiet.shipped(1), quiet.shipped(1)
    swept(quiet, hours=1)
    first = quiet.integration.health().last_complete_sweep
    opened = swept(quiet, days=16)
    assert opened.counts["IN_TRANSIT_STALE"] == 2
    whole = quiet.integration.health().last_complete_sweep
    assert whole > first
    new = quiet.shipped(1)
    quiet.world.warehouse.receive(done)
    quiet.fault(system, "GET", "/", does, times=10_000)
    quiet.calls.clear()
    report = swept(quiet, days=1)
    assert not report.complete
    assert report.exit_code() == 2
    assert writes(quiet) == []
    assert report.counts["IN_TRANSIT_STALE"] == 2
    (blind,) = (found for found in report.breaks if found.code == "SOURCE_INCOMPLETE")
    assert (blind.return_id, blind.since, blind.owner) == (None, whole, "engineering")
    assert ("Loop" if system == "loop" else "Whiplash") in blind.reason
    assert report.unjudged == (2 if system == "loop" else 3)
    asked = sum(called == system for called, _, _ in quiet.calls)
    assert asked <= 4 * 10  # it is not asked for each return one by one
    assert quiet.integration.health().last_complete_sweep == whole
    quiet.faults.clear()
    report = swept(quiet, hours=1)
    assert report.complete
    assert quiet.rmas(new) == 1
    assert report.actions == {"CreateRma": 1, "Process": 1}


def test_a_key_that_is_no_good_is_said_once(quiet: House) -> None:
    quiet.shipped(1)
    quiet.shipped(1)
    swept(quiet, hours=1)
    quiet.fault("loop", "GET", "/", answers(401, {"message": "no"}), times=10_000)
    loop = swept(quiet, days=1).sides[0]
    assert not loop.complete
    assert [problem.partition(":")[0] for problem in loop.problems] == ["Loop answered GET /warehouse/return/list with 401"]
    assert loop.notes == ()


def test_the_watermark_waits_for_a_whole_pass(quiet: House) -> None:
    ret = quiet.shipped(1)
    quiet.fault("loop", "GET", "/warehouse/return/list", answers(500), times=4)
    assert not swept(quiet, hours=1).complete
    quiet.world.clock.advance(days=30)
    report = quiet.integration.sweep()
    assert report.complete
    assert quiet.rmas(ret) == 1


def test_a_list_that_is_cut_short_names_fewer_returns_and_spoils_none_it_names(quiet: House) -> None:
    one, other = quiet.shipped(1), quiet.shipped(1)
    quiet.world.people.flag(other)

    def in_review_only(request: Any, send: Any) -> Any:
        return answers(500)(request, send) if request.params["state"] == "open" else send(request)

    quiet.fault("loop", "GET", "/warehouse/return/list", in_review_only, times=100)
    quiet.fault("loop", "GET", "/asn", answers(200, []))
    report = swept(quiet, hours=1)
    assert not side(report, "Loop").complete
    assert side(report, "Whiplash").complete
    assert quiet.rmas(one) == 0
    quiet.faults.clear()
    assert swept(quiet, hours=1).complete
    assert (quiet.rmas(one), quiet.rmas(other)) == (1, 1)


def test_a_search_that_failed_for_some_leaves_those_unjudged_and_no_others(quiet: House) -> None:
    returns = [quiet.shipped(1) for _ in range(60)]
    quiet.fault("whiplash", "GET", str(returns[0].id), answers(500), times=4)
    report = swept(quiet, hours=1)
    assert report.unjudged == 50
    assert sum(quiet.rmas(ret) for ret in returns) == 10
    assert swept(quiet, hours=1).complete
    assert [quiet.rmas(ret) for ret in returns] == [1] * 60


def test_an_rma_known_by_its_id_that_could_not_be_looked_up_is_not_gone(quiet: House) -> None:
    ret = quiet.world.shopper.submit_return(1)
    quiet.world.warehouse.announce(ret)
    quiet.world.carrier.scan(ret, "pre_transit")
    swept(quiet, hours=1)
    assert quiet.case(ret).journal.create.adopted
    swept(quiet, days=4)
    quiet.fault("whiplash", "GET", '"id_in"', answers(500), times=4)
    report = swept(quiet, days=3)
    assert not report.complete
    assert report.unjudged == 1
    assert "MISSING_IN_WMS" not in report.counts
    assert swept(quiet, days=1).counts.keys() == set()


# ----------------------------------------------------------------------------------------------------------- wrong keys


def test_the_key_of_another_shop_is_noticed_and_nothing_is_done_to_that_shops_returns(build: Callable[..., House]) -> None:
    house = build()
    returns = [house.announced(1) for _ in range(5)]
    other = World(seed=99)
    theirs = other.shopper.submit_return(1)
    other.carrier.scan(theirs, "pre_transit")
    house.fault("loop", "GET", "/", lambda request, send: other.answer("loop", request), times=10_000)
    house.calls.clear()
    report = swept(house, hours=3)
    assert "wrong key" in side(report, "Loop").problems[0]
    assert "5 of 5 open returns" in side(report, "Loop").problems[0]
    assert report.exit_code() == 2
    assert report.unjudged == 6
    assert writes(house) == []
    assert house.integration.case(theirs.id) is None
    house.faults.clear()
    assert swept(house, days=1).complete
    assert all(house.case(ret).due_at is not None for ret in returns)


def test_the_account_of_another_customer_is_noticed_and_nothing_is_made_there(build: Callable[..., House]) -> None:
    house = build()
    for _ in range(5):
        house.announced(1)
    new = house.shipped(1)
    other = World(seed=99)

    def elsewhere(request: Any, send: Any) -> Any:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "x-customer-id"}
        other.clock.advance_to(house.world.clock.now())  # one time for both, or the limit of ten a second is soon reached
        return other.answer("whiplash", attrs.evolve(request, headers=headers))

    house.fault("whiplash", "GET", "/", elsewhere, times=10_000)
    house.calls.clear()
    report = swept(house, hours=3)
    assert "5 of 5 RMAs of ours" in side(report, "Whiplash").problems[0]
    assert writes(house) == []
    assert house.rmas(new) == 0
    assert "MISSING_IN_WMS" not in report.counts


def test_a_few_that_are_gone_are_gone(quiet: House) -> None:
    returns = [quiet.shipped(1) for _ in range(10)]
    swept(quiet, hours=1)
    for ret in returns[:2]:
        del quiet.world.loop.returns[ret.id]
    quiet.world.warehouse.delete(returns[9])
    report = swept(quiet, days=2)
    assert report.complete
    assert report.counts == {"MISSING_IN_WMS": 1, "ORPHAN_IN_WMS": 2}


def test_rmas_of_cancelled_returns_that_people_deleted_are_no_sign_of_a_wrong_account(quiet: House) -> None:
    returns = [quiet.shipped(1) for _ in range(8)]
    swept(quiet, hours=1)
    for ret in returns[:5]:
        quiet.world.people.cancel(ret)
        quiet.world.warehouse.delete(ret)  # as ORPHAN_IN_WMS bids; the returns are watched for 90 days all the same
    for _ in range(3):
        report = swept(quiet, days=2)
        assert (report.complete, report.counts) == (True, {})


# ------------------------------------------------------------------------------------------------------ rows nobody can read


def spoil(return_id: int | None, **values: Any) -> Callable[[Any], object]:
    """Makes a row of Loop's list unreadable."""

    def change(body: Any) -> None:
        for row in body["returns"]:
            if return_id is None or str(row["id"]) == str(return_id):
                row.update(values)

    return change


BAD_LINES = {"line_items": [{"line_item_id": 1, "price": "dear"}]}


def test_a_row_of_loop_that_cannot_be_read_is_asked_for_by_id(quiet: House) -> None:
    bad, good = quiet.shipped(1), quiet.shipped(1)
    quiet.fault("loop", "GET", "/warehouse/return/list", edits(spoil(bad.id, **BAD_LINES)), times=1000)
    report = swept(quiet, hours=1)
    assert report.complete
    assert (quiet.rmas(bad), quiet.rmas(good)) == (1, 1)


def test_where_that_cannot_be_read_either_it_is_unreadable_and_the_rest_goes_on(quiet: House) -> None:
    bad, good = quiet.shipped(1), quiet.shipped(1)
    swept(quiet, hours=1)
    swept(quiet, days=15)
    quiet.fault("loop", "GET", "/warehouse/return/list", edits(spoil(bad.id, **BAD_LINES)), times=1000)
    quiet.fault("loop", "GET", f"'return_id': '{bad.id}'", edits(lambda rows: rows[0].update(BAD_LINES)), times=1000)
    quiet.world.warehouse.receive(good)
    report = swept(quiet, days=1)
    assert report.complete
    assert report.actions == {"Process": 1}
    assert sorted(found.code for found in report.breaks if found.return_id == bad.id) == ["IN_TRANSIT_STALE", "UNREADABLE"]
    (found,) = (found for found in report.breaks if found.code == "UNREADABLE")
    assert "price" in found.reason
    assert "dear" not in found.reason


def test_a_row_of_loop_without_a_readable_id_makes_the_side_incomplete(quiet: House) -> None:
    ret = quiet.shipped(1)
    quiet.fault("loop", "GET", "/warehouse/return/list", edits(lambda body: body["returns"].append({"id": "?"})), times=1000)
    report = swept(quiet, hours=1)
    assert not side(report, "Loop").complete
    assert report.exit_code() == 2
    assert quiet.rmas(ret) == 1


def bad_rma(original_id: object = None, number: int | None = None) -> Callable[[Any], object]:
    def change(body: Any) -> None:
        for row in body if isinstance(body, list) else [body]:
            if "return_items" in row and (row["id"] == number or row["originator"]["original_id"] == str(original_id)):
                row["return_items"] = [{"id": 1, "quantity": "many"}]

    return change


def test_an_rma_that_cannot_be_read_spoils_its_own_return_only(quiet: House) -> None:
    returns = [quiet.shipped(1) for _ in range(4)]
    swept(quiet, hours=1)
    bad = returns[1]
    quiet.fault("whiplash", "GET", "/consumer_returns", edits(bad_rma(bad.id)), times=1000)
    for ret in returns:
        quiet.world.warehouse.receive(ret)
    report = swept(quiet, hours=2)
    assert report.complete
    assert report.actions == {"Process": 3}
    quiet.world.clock.advance(minutes=5)
    assert [ret.was_processed for ret in returns] == [True, False, True, True]
    assert [(found.code, found.return_id) for found in report.breaks if found.code == "UNREADABLE"] == [("UNREADABLE", bad.id)]
    quiet.faults.clear()
    report = swept(quiet, hours=2)
    assert report.actions == {"Process": 1}
    assert "UNREADABLE" not in report.counts


def test_an_rma_that_cannot_be_read_and_is_known_by_its_id_spoils_its_own_return_only(quiet: House) -> None:
    ret = quiet.world.shopper.submit_return(1)
    made = quiet.world.warehouse.announce(ret)
    quiet.world.carrier.scan(ret, "pre_transit")
    good = quiet.shipped(1)
    swept(quiet, hours=1)
    quiet.fault("whiplash", "GET", "/consumer_returns", edits(bad_rma(number=made.id)), times=1000)
    quiet.world.warehouse.receive(good)
    report = swept(quiet, days=5)
    assert report.complete
    assert [(found.code, found.return_id) for found in report.breaks if found.code == "UNREADABLE"] == [("UNREADABLE", ret.id)]
    assert report.actions == {"Process": 1}


def test_an_rma_that_cannot_be_read_and_is_nobodys_makes_the_side_incomplete(quiet: House) -> None:
    ret = quiet.shipped(1)
    parcel = quiet.world.warehouse.receive_unexpected(ret.skus)
    quiet.fault("whiplash", "GET", "/consumer_returns", edits(bad_rma(number=parcel.id)), times=1000)
    report = swept(quiet, hours=1)
    assert not side(report, "Whiplash").complete
    assert any(str(parcel.id) in problem for problem in side(report, "Whiplash").problems)
    assert quiet.rmas(ret) == 1  # the rest goes on


def test_a_row_of_whiplash_without_an_id_makes_the_side_incomplete(quiet: House) -> None:
    quiet.shipped(1)
    quiet.fault("whiplash", "GET", '"updated_at_gteq"', edits(lambda rows: rows.append({"status": []})), times=1000)
    report = swept(quiet, hours=1)
    assert not side(report, "Whiplash").complete


def test_everything_off_for_days_is_made_good_by_one_whole_sweep(quiet: House) -> None:
    returns = [quiet.shipped(1) for _ in range(5)]
    quiet.world.network.refuse(503, 1.0)
    for _ in range(4):
        assert not swept(quiet, days=1).complete
    quiet.world.network.quiet()
    assert swept(quiet, hours=1).complete
    assert [quiet.rmas(ret) for ret in returns] == [1] * 5
    assert quiet.start + timedelta(days=4) < quiet.world.clock.now()
