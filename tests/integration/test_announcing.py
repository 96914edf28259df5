"""An RMA is announced: which items, which warehouse, what is said in it; and one that is there already is adopted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from house import House, Send, answers

from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.simulator import World


def notice(house: House, ret: Any) -> Any:
    """The one live RMA of a return."""
    (found,) = house.world.warehouse.rmas(ret)
    return found


def under_another_sku(house: House, sku: str) -> Any:
    """Something that Whiplash keeps under another SKU and the same barcode."""
    variant = house.world.catalogue.add_variant(sku=sku)
    house.world.catalogue.items[-1] = attrs.evolve(house.world.catalogue.items[-1], sku=f"{sku}-OLD")
    return variant


def test_items_come_from_the_order_that_was_shipped_else_from_the_sku_else_from_the_barcode(house: House) -> None:
    catalogue = house.world.catalogue
    catalogue.add_variant(sku="TWICE", items=2)
    by_order = house.shipped(["TWICE", "TWICE"])
    by_sku = house.shipped(1, in_whiplash=False)
    hat = under_another_sku(house, "HAT")
    by_barcode = house.shipped(["HAT"], in_whiplash=False)
    house.run(hours=1)
    first = catalogue.items_of("TWICE")[0]
    assert [(line.item.id, line.quantity) for line in notice(house, by_order).lines] == [(first.id, 2)]
    assert [line.item.sku for line in notice(house, by_sku).lines] == by_sku.skus
    assert [line.item.scancode for line in notice(house, by_barcode).lines] == [hat.barcode]


def test_an_ambiguous_sku_holds_back_its_return_only_and_heals_when_it_is_made_unique(house: House) -> None:
    catalogue = house.world.catalogue
    catalogue.add_variant(sku="TWICE", items=2, barcode="")
    bad, good = house.shipped(["TWICE"], in_whiplash=False), house.shipped(1)
    house.run(hours=2)
    assert house.rmas(good) == 1
    found = house.broken(bad, "UNRESOLVED_ITEM")
    assert "SKU TWICE names 2 Whiplash items" in found.reason
    assert (found.heals, found.since, found.owner) == (True, house.start, "support")
    assert found.money is not None
    catalogue.items.remove(catalogue.items_of("TWICE")[-1])
    house.run(days=1)
    assert house.rmas(bad) == 1
    assert house.codes(bad.id) == []


def test_a_barcode_of_several_items_and_a_unit_without_any_name_are_said_as_what_they_are(house: House) -> None:
    catalogue = house.world.catalogue
    code = "4006381333931"
    for sku in ("ONE", "OTHER"):
        catalogue.add_variant(sku=sku, barcode=code)
    catalogue.add_variant(sku="THIRD", barcode=code, items=0)
    shared = house.shipped(["THIRD"], in_whiplash=False)
    house.run(hours=1)
    assert f"barcode {code} names 2 Whiplash items" in house.broken(shared, "UNRESOLVED_ITEM").reason


def test_what_is_announced_names_the_return_the_warehouse_the_reason_and_what_is_to_be_done(build: Callable[..., House]) -> None:
    house = build(
        settings={
            "original_id_prefix": "acme-",
            "warehouses": {"41000": 7},
            "return_actions": {"exchange": "exchange"},
            "return_action": "refund",
            "eta": timedelta(days=14),
        }
    )
    refund = house.announced(1, destination_id=41000)
    exchange = house.announced(1, outcome="exchange")
    made = notice(house, refund)
    assert (made.original_id, made.warehouse_id, made.order_id) == (f"acme-{refund.id}", 7, refund.order.whiplash_id)
    assert made.tracking == refund.labels[0].tracking
    assert made.eta == house.start + timedelta(days=14)
    assert [line.return_action for line in made.lines] == ["refund"]
    assert made.lines[0].description
    assert [line.return_action for line in notice(house, exchange).lines] == ["exchange"]
    assert notice(house, exchange).warehouse_id != 7


def test_a_return_for_another_destination_is_not_ours(build: Callable[..., House]) -> None:
    house = build(settings={"destinations": ["41000"]})
    ours, theirs = house.announced(1, destination_id=41000), house.announced(1, destination_id=42000)
    assert (house.rmas(ours), house.rmas(theirs)) == (1, 0)
    assert house.case(theirs).due_at is None


def test_what_was_announced_under_an_item_is_known_again_by_it_and_another_sku_is_said(house: House) -> None:
    under_another_sku(house, "HAT")
    ret = house.announced(["HAT", "HAT"], in_whiplash=False)
    (lines,) = house.case(ret).journal.create.lines.values()
    assert sorted(lines) == sorted(str(line.line_id) for line in ret.lines)
    house.world.warehouse.receive(ret)
    house.run(days=1)
    decision = house.case(ret).decision
    assert decision is not None
    assert {pair.identifier.split(":")[0] for pair in decision.pairs} == {"line"}
    assert {finding.code for finding in decision.findings if finding.blocking} == {"IDENTIFIER_CONFLICT"}
    assert ret.flagged


# ----------------------------------------------------------------------------------------------------- adoption


def test_an_rma_made_by_hand_is_adopted_by_its_tracking_number_or_by_its_order_and_lines(house: House) -> None:
    by_tracking = house.world.shopper.submit_return(1, in_whiplash=False)
    house.world.whiplash.create(
        lines=[house.world.whiplash.new_line(house.world.catalogue.items_of(by_tracking.skus[0])[0], 1)],
        by="warehouse",
        status=100,
        tracking=by_tracking.labels[0].tracking,
    )
    by_order = house.world.shopper.submit_return(2)
    house.world.warehouse.announce(by_order)
    for ret in (by_tracking, by_order):
        house.world.carrier.scan(ret, "pre_transit")
    house.run(hours=1)
    for ret in (by_tracking, by_order):
        assert house.rmas(ret) == 0  # none of ours was made
        journal = house.case(ret).journal
        assert (journal.create.phase, journal.create.adopted, journal.create.attempt) == ("done", True, 0)
    house.world.warehouse.receive(house.world.whiplash.notice(house.case(by_order).journal.create.consumer_return_id))
    house.run(days=1)
    assert by_order.was_processed


def test_the_rma_of_another_return_or_of_an_earlier_time_is_not_adopted(house: House) -> None:
    first = house.announced(1)
    sku = first.skus[0]
    second = house.shipped([sku], order=first.order)
    house.run(hours=1)
    assert house.rmas(second) == 1
    assert house.case(second).journal.create.adopted is False
    third_order = house.world.catalogue.place_order([sku])
    old = house.world.shopper.submit_return([sku], order=third_order, label=False)
    house.world.warehouse.announce(old)
    house.world.people.cancel(old)
    house.world.clock.advance(days=3)
    late = house.shipped([sku], order=third_order)
    house.run(hours=1)
    assert house.rmas(late) == 1


def test_an_rma_with_other_lines_is_not_adopted_by_its_order(house: House) -> None:
    ret = house.world.shopper.submit_return(1)
    other = next(v.sku for v in house.world.catalogue.variants if v.sku not in ret.skus)
    item = house.world.catalogue.items_of(other)[0]
    house.world.whiplash.create(
        lines=[house.world.whiplash.new_line(item, 1)], by="warehouse", status=100, order_id=ret.order.whiplash_id, tracking=None
    )
    house.world.carrier.scan(ret, "pre_transit")
    house.run(hours=1)
    assert house.rmas(ret) == 1


@pytest.mark.parametrize("condition", ["tracking_eq", "order_id_eq"])
def test_a_search_that_whiplash_did_not_understand_finds_nothing_to_adopt(house: House, condition: str) -> None:
    """It answers with everything then, and a parcel of somebody else with the same lines would be paid for."""

    def answers_with_everything(request: Request, send: Send) -> Reply:
        search = json.loads(request.params.get("search", "{}"))
        search.pop(condition, None)
        return send(attrs.evolve(request, params={**request.params, "search": json.dumps(search)}))

    ret = house.shipped(1)
    house.world.clock.advance(minutes=1)
    stray = house.world.warehouse.receive_unexpected(ret.skus)
    house.fault("whiplash", "GET", condition, answers_with_everything, times=99)
    house.run(hours=2)
    assert house.case(ret).journal.create.consumer_return_id != stray.id
    assert house.rmas(ret) == 1
    assert not ret.was_processed


def test_several_that_fit_are_for_a_person_to_choose_from(house: House) -> None:
    ret = house.world.shopper.submit_return(1)
    one, other = house.world.warehouse.announce(ret), house.world.warehouse.announce(ret)
    house.world.carrier.scan(ret, "pre_transit")
    house.run(hours=1)
    found = house.broken(ret, "DUPLICATE_IN_WMS")
    assert str(one.id) in found.reason
    assert str(other.id) in found.reason
    assert house.rmas(ret) == 0
    house.integration.attach(ret.id, other.id, by="ana")
    house.run(hours=1)
    assert house.codes(ret.id) == []
    house.world.warehouse.receive(other)
    house.run(days=1)
    assert ret.was_processed
    assert house.rmas(ret) == 0


def test_where_it_could_not_be_looked_nothing_is_announced_until_it_could(house: House) -> None:
    ret = house.shipped(1)
    house.fault("whiplash", "GET", "/orders", answers(500), times=4)
    outcomes = house.world.deliver(house.integration) and house.integration.run_due()
    assert [(outcome.action, outcome.result) for outcome in outcomes] == [("CreateRma", "could not look")]
    assert house.rmas(ret) == 0
    assert house.codes(ret.id) == []
    house.run(hours=1)
    assert house.rmas(ret) == 1


# ------------------------------------------------------------------------------------------------------- labels


def test_a_label_that_was_issued_anew_is_told_to_whiplash_once(house: House) -> None:
    ret = house.announced(1)
    label = house.world.shopper.buy_label(ret.id)
    house.run(hours=1)
    assert notice(house, ret).tracking == label.tracking
    puts = [call for call in house.calls if call[1] == "PUT"]
    assert len(puts) == 1
    house.run(days=2)
    assert [call for call in house.calls if call[1] == "PUT"] == puts


def test_a_label_that_whiplash_refuses_is_not_sent_every_minute(house: House) -> None:
    ret = house.announced(1)
    house.world.shopper.buy_label(ret.id)
    house.fault("whiplash", "PUT", "/consumer_returns", answers(422, {"error": "tracking is invalid"}), times=100)
    house.run(days=1)
    puts = [call for call in house.calls if call[1] == "PUT"]
    assert 1 <= len(puts) <= 4
    house.faults.clear()
    house.run(days=1)
    assert notice(house, ret).tracking == ret.labels[-1].tracking


def test_the_label_of_a_parcel_that_has_arrived_is_left_alone(house: House) -> None:
    ret = house.announced(1)
    house.world.warehouse.arrive(ret)
    house.world.shopper.buy_label(ret.id)
    house.run(hours=2)
    assert not [call for call in house.calls if call[1] == "PUT"]


def test_a_return_without_a_label_is_announced_after_a_while_or_is_a_break(build: Callable[..., House]) -> None:
    world = World(seed=3)
    house = build(world=world)
    ret = house.world.shopper.submit_return(1, label=False)
    house.run(hours=20)
    assert house.rmas(ret) == 0
    house.run(hours=6)
    assert house.rmas(ret) == 1
    never = build(settings={"unlabelled_after": None})
    ret = never.world.shopper.submit_return(1, label=False)
    never.run(days=3)
    assert never.rmas(ret) == 0
    assert never.codes(ret.id) == ["MISSING_IN_WMS"]


@pytest.mark.parametrize("create_on", ["in_transit", "delivered"])
def test_it_is_announced_from_the_chosen_label_status_on_never_on_that_status_alone(build: Callable[..., House], create_on: str) -> None:
    house = build(settings={"create_on": create_on})
    ret = house.shipped(1)
    house.run(hours=2)
    assert house.rmas(ret) == 0
    house.world.carrier.scan(ret, "delivered")
    house.run(hours=2)
    assert house.rmas(ret) == 1


def test_a_look_up_that_is_refused_is_not_repeated_every_minute(house: House) -> None:
    ret = house.shipped(1)
    house.fault("whiplash", "GET", "/orders", answers(422, {"error": "unknown predicate"}), times=9999)
    house.run(hours=4)
    asked = sum(path == "/orders" for _, _, path in house.calls)
    assert 4 <= asked <= 20
    assert any("422" in reason for reason in house.case(ret).reasons)
    house.faults.clear()
    house.run(hours=1)
    assert house.rmas(ret) == 1
