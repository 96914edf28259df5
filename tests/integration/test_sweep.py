"""The sweep: it finds what webhooks lost, by the same road; reads no more than it must; and a crash loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from house import House, answers, edits

from loop_whiplash import Happening, Progress, Report, match, sign_loop


def swept(house: House, **time: float) -> Report:
    """Time passes, then a sweep."""
    house.world.clock.advance(**time)
    report = house.integration.sweep()
    assert isinstance(report, Report)
    return report


def windows(house: House) -> list[tuple[str, str, str]]:
    """State, field and beginning of every list asked of Loop."""
    return [
        (request.params["state"], request.params["filter"], request.params["from"])
        for request in house.requests
        if request.path.endswith("/warehouse/return/list")
    ]


def actions(house: House) -> list[str]:
    return [f"{method} {path}" for _, method, path in house.calls if method != "GET"]


def forget_calls(house: House) -> None:
    house.calls.clear()
    house.requests.clear()


# -------------------------------------------------------------------------------------------------------- what it reads


def test_it_reads_all_five_states_since_the_last_whole_sweep_less_two_days(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    house.world.shopper.submit_return(1)  # where there is none at all, the watermark stays
    swept(house, hours=1)
    first = f"{house.start - timedelta(hours=48):%Y-%m-%d %H:%M:%S}"
    assert {(state, by) for state, by, since in windows(house) if since == first} == {
        (state, "updated_at") for state in ("open", "review", "expired", "cancelled", "closed")
    }
    forget_calls(house)
    began = house.world.clock.now()
    swept(house, days=10)
    assert min(since for _, _, since in windows(house)) == f"{began - timedelta(hours=48):%Y-%m-%d %H:%M:%S}"
    updated = [r.params["search"] for r in house.requests if "updated_at_gteq" in r.params.get("search", "")]
    assert (began - timedelta(hours=48)).isoformat() in updated[0]


def test_a_row_that_is_read_in_a_list_and_by_its_key_is_told_of_once(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    for _ in range(3):
        house.world.carrier.scan(house.world.shopper.submit_return(1))
    house.integration.sweep()
    again = swept(house, hours=1)
    assert [(side.name, side.rows) for side in again.sides] == [("Loop", 3), ("Whiplash", 3)]


@pytest.mark.parametrize("widened", ["start", "destinations"])
def test_what_was_out_of_scope_is_looked_at_again_when_the_scope_is_widened(build: Callable[..., House], widened: str) -> None:
    """It was settled, and has not changed since: neither what is open nor what was updated of late shows it."""
    house = build(webhooks=False)
    ret = house.shipped(1, destination_id=1)
    wide: dict[str, Any] = {"start": house.start}
    narrow = {"start": house.start + timedelta(days=1)} if widened == "start" else {**wide, "destinations": ["2"]}
    house.integration = house.open(narrow)
    for _ in range(2):
        swept(house, days=4)
    assert house.rmas(ret) == 0
    assert house.case(ret).due_at is None
    house.integration = house.open(wide)
    swept(house, hours=1)
    assert house.rmas(ret) == 1
    forget_calls(house)
    swept(house, days=4)
    assert min(since for _, _, since in windows(house)) > f"{house.start + timedelta(days=3):%Y-%m-%d}"  # once, not every day


def test_an_open_return_that_has_not_changed_for_long_is_looked_at_all_the_same(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    ret = house.shipped(1)
    swept(house, hours=1)
    house.world.loop.manners.label_touches_return = False
    report = swept(house, days=16)
    assert [(found.code, found.return_id) for found in report.breaks] == [("IN_TRANSIT_STALE", ret.id)]
    assert report.flow is not None
    assert (report.flow.returns, report.flow.announced, report.flow.received) == (1, 1, 0)
    house.world.warehouse.receive(ret)
    report = swept(house, days=10)
    assert report.actions == {"Process": 1}


def test_a_settled_return_whose_goods_are_counted_anew_is_found(build: Callable[..., House]) -> None:
    house = build()
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    house.run(days=1)
    assert house.case(ret).due_at is None
    house.webhooks = False
    swept(house, days=5)
    house.world.warehouse.recount(ret, {ret.skus[0]: (0, 1)})
    changed = house.world.clock.now()
    report = swept(house, days=1)
    (found,) = (each for each in report.breaks if each.code == "POST_ACTION_CORRECTION")
    assert (found.return_id, found.since) == (ret.id, changed)
    case = report.case(found)
    assert case is not None
    assert [unit.condition for unit in case.units] == ["damaged"]
    assert any("Process: accepted" in entry.what for entry in case.history)


def test_states_that_lists_hide_are_seen_too(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    cancelled, reviewed, expired = house.shipped(1), house.shipped(1), house.world.shopper.submit_return(1)
    swept(house, hours=1)
    house.world.people.cancel(cancelled)
    house.world.people.flag(reviewed)
    report = swept(house, days=29)
    assert expired.state == "expired"
    assert {(found.code, found.return_id) for found in report.breaks if found.code != "WEBHOOK_MISSED"} >= {
        ("ORPHAN_IN_WMS", cancelled.id), ("REVIEW_STALE", reviewed.id),
    }  # fmt: skip
    assert "state:expired" in house.case(expired).journal.since


def test_where_many_are_listed_by_creation_those_that_are_settled_are_left_alone(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    still_open, settled = many(house, 25), many(house, 3)
    swept(house, hours=1)
    for ret in settled:
        house.world.warehouse.receive(ret)
    swept(house, days=1)
    swept(house, days=1)
    assert all(ret.was_processed for ret in settled)
    swept(house, days=8)
    looked = [house.case(ret).looked_at for ret in settled]
    forget_calls(house)
    report = swept(house, days=8)
    assert "created_at" in {by for _, by, _ in windows(house)}
    assert not [call for call in house.calls if call[2].endswith("/details")]
    assert report.flow is not None
    assert report.flow.returns == len(still_open)
    assert [house.case(ret).looked_at for ret in settled] == looked


# --------------------------------------------------------------------------------------------------- a second opinion


def hide(return_id: int) -> Callable[[Any], object]:
    """Takes a return out of Loop's list."""
    return lambda body: body.update(returns=[row for row in body["returns"] if str(row["id"]) != str(return_id)])


def test_once_a_day_the_asn_is_asked_and_what_the_list_does_not_hold_is_looked_up(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    ret, other = house.shipped(2), house.shipped(1)
    house.fault("loop", "GET", "/warehouse/return/list", edits(hide(ret.id)), times=1000)
    report = swept(house, hours=3)
    assert report.complete
    assert (house.rmas(ret), house.rmas(other)) == (1, 1)
    missed = {found.return_id: found for found in report.breaks if found.code == "WEBHOOK_MISSED"}
    assert missed.keys() == {ret.id, other.id}
    assert {found.since for found in missed.values()} == {house.start}
    assert (report.captured, report.missed, report.capture_rate) == (0, 2, 0.0)
    asked = sum(path.endswith("/asn") for _, _, path in house.calls)
    assert asked == 1
    swept(house, hours=2)
    assert sum(path.endswith("/asn") for _, _, path in house.calls) == 1
    swept(house, days=1)
    assert sum(path.endswith("/asn") for _, _, path in house.calls) == 2


def test_what_the_asn_names_and_nobody_knows_is_noted_and_takes_nothing_away(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    ret = house.shipped(1)
    house.fault("loop", "GET", "/asn", edits(lambda rows: [row.update(return_line_item_id="1", order_name="#none") for row in rows]))
    report = swept(house, hours=3)
    assert report.complete
    assert any("1 lines that no return could be found for" in note for side in report.sides for note in side.notes)
    assert any("#none" in note for side in report.sides for note in side.notes)
    assert house.rmas(ret) == 1


def test_an_asn_that_cannot_be_read_is_noted_and_asked_for_again(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    house.shipped(1)
    house.fault("loop", "GET", "/asn", answers(500), times=4)
    report = swept(house, hours=3)
    assert report.complete
    assert any("second opinion" in note for side in report.sides for note in side.notes)


# ------------------------------------------------------------------------------------------------------ counting webhooks


def test_each_return_and_each_receipt_is_counted_once_by_who_told_of_it_first(build: Callable[..., House]) -> None:
    house = build()
    told = house.announced(1)
    house.world.outbox.lost = True
    silent = house.shipped(1)
    report = swept(house, hours=2)
    assert (report.captured, report.missed) == (1, 1)
    house.world.warehouse.receive(told)
    house.world.warehouse.receive(silent)
    counted = house.world.clock.now()
    report = swept(house, days=1)
    found = [each for each in report.breaks if each.code == "WEBHOOK_MISSED"]
    assert {each.return_id for each in found} == {told.id, silent.id}
    assert {each.since for each in found} == {counted}
    assert all("the receipt" in each.reason for each in found)
    report = swept(house, days=1)
    assert (report.captured, report.missed, report.capture_rate) == (0, 0, None)


def test_breaks_of_the_last_whole_sweep_are_there_to_compare_with(build: Callable[..., House]) -> None:
    house = build()
    house.announced(1)
    report = swept(house, days=20)
    assert report.previous is None
    assert report.counts["IN_TRANSIT_STALE"] == 1
    report = swept(house, days=1)
    assert report.previous == {"IN_TRANSIT_STALE": 1}


# -------------------------------------------------------------------------------------------------------- goods of nobody


def test_goods_of_nobody_stay_a_break_until_somebody_says_whose_they_are(build: Callable[..., House]) -> None:
    house = build()
    ret = house.announced(1)
    parcel = house.world.warehouse.receive_unexpected(ret.skus, tracking=ret.labels[0].tracking, count=False)
    report = swept(house, hours=3)
    (found,) = (each for each in report.breaks if each.code == "UNEXPECTED_RETURN")
    assert (found.return_id, found.consumer_return_id, found.since) == (None, parcel.id, parcel.created_at)
    assert f"return {ret.id}" in found.next_step
    assert report.case(found) is not None
    house.world.warehouse.receive(parcel)
    for _ in range(3):  # counted, and out of the window in the end
        report = swept(house, days=4)
        assert [each.consumer_return_id for each in report.breaks if each.code == "UNEXPECTED_RETURN"] == [parcel.id]
    house.integration.attach(ret.id, parcel.id, by="ana")
    house.run(hours=1)
    report = swept(house, days=1)
    assert "UNEXPECTED_RETURN" not in report.counts
    assert ret.was_processed


def test_a_double_stays_a_break_when_its_twin_has_left_the_window(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    ret = house.shipped(1)
    item = house.world.catalogue.items_of(ret.skus[0])[0]
    house.world.whiplash.create(lines=[house.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id))
    house.world.whiplash.create(lines=[house.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id))
    assert swept(house, hours=1).counts["DUPLICATE_IN_WMS"] == 1
    house.world.clock.advance(days=5)
    house.world.warehouse.arrive(ret)
    assert swept(house, hours=1).counts["DUPLICATE_IN_WMS"] == 1


# ----------------------------------------------------------------------------------------------------------- crash


class Crash(BaseException):
    """The process is gone."""


def crashing(after: int) -> Callable[[Progress], None]:
    def progress(step: Progress) -> None:
        if step.stage == "returns" and step.done == after:
            raise Crash

    return progress


def many(house: House, count: int) -> list[Any]:
    return [house.shipped(1) for _ in range(count)]


def test_a_sweep_that_was_killed_goes_on_where_it_was_and_counts_as_one() -> None:
    house = House(webhooks=False)
    returns = many(house, 230)
    began = house.world.clock.now()
    with pytest.raises(Crash):
        house.integration.sweep(progress=crashing(210))
    assert sum(house.rmas(ret) for ret in returns) == 210
    assert house.integration.health().last_complete_sweep is None
    forget_calls(house)
    house.integration = house.open({})  # another process
    report = swept(house, minutes=30)
    assert [house.rmas(ret) for ret in returns] == [1] * 230
    assert report.complete
    assert report.actions["CreateRma"] == 220  # what was done after the last word on progress is not counted
    assert report.missed == 220
    details = [r.params["return_id"] for r in house.requests if r.path.endswith("/details")]
    assert not {str(ret.id) for ret in returns[:200]} & set(details)
    last = house.integration.health().last_complete_sweep
    assert last is not None
    assert began <= last < house.world.clock.now() - timedelta(minutes=20)


def test_a_sweep_that_was_killed_long_ago_is_begun_anew() -> None:
    house = House(webhooks=False, settings={"mode": "shadow"})
    many(house, 201)
    with pytest.raises(Crash):
        house.integration.sweep(progress=crashing(201))
    forget_calls(house)
    report = swept(house, hours=25)
    assert report.complete
    assert house.integration.health().last_complete_sweep > house.start + timedelta(hours=24)
    assert report.missed == 0


def test_progress_is_told_by_stage(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    many(house, 3)
    told: list[Progress] = []
    house.world.clock.advance(hours=1)
    house.integration.sweep(progress=told.append)
    assert list(dict.fromkeys(step.stage for step in told)) == ["loop", "whiplash", "returns"]
    assert [(step.done, step.total) for step in told if step.stage == "returns"] == [(1, 3), (2, 3), (3, 3)]


# ---------------------------------------------------------------------------------------------------------- dry run


def contents(house: House) -> Any:
    """All that the ledger holds."""
    ledger = house.ledger
    rows = [*ledger.open_cases(), *ledger.cases_with_breaks()]
    keys = ("watermark", "current", "last_complete", "asn", "strangers", "counts")
    return rows, [ledger.history(row.return_id) for row in rows], [ledger.get(f"sweep/{key}") for key in keys], ledger.asides()


def test_a_dry_run_shows_what_would_be_done_and_changes_nothing(build: Callable[..., House]) -> None:
    house = build()
    stale = house.announced(1)
    house.run(days=20)
    house.webhooks = False
    new, counted = house.shipped(1), stale
    house.world.warehouse.receive(counted)
    house.world.clock.advance(hours=2)
    before = contents(house)
    forget_calls(house)
    report = house.integration.sweep(dry_run=True)
    assert contents(house) == before
    assert actions(house) == []
    found = {(each.code, each.return_id, each.heals) for each in report.breaks}
    assert found == {("MISSING_IN_WMS", new.id, True), ("RECEIVED_NOT_ACTIONED", counted.id, True)}
    assert report.complete
    assert set(report.cases) == {new.id, counted.id}
    assert house.rmas(new) == 0
    assert house.integration.sweep(dry_run=True).breaks == report.breaks


def test_a_dry_run_goes_on_from_nothing_that_was_broken_off() -> None:
    house = House(webhooks=False, settings={"mode": "shadow"})
    many(house, 201)
    with pytest.raises(Crash):
        house.integration.sweep(progress=crashing(201))
    told: list[Progress] = []
    before = contents(house)
    report = house.integration.sweep(dry_run=True, progress=told.append)
    assert contents(house) == before
    assert told[-1] == Progress(stage="returns", done=201, total=201)
    assert len(report.breaks) == 201


# ----------------------------------------------------------------------------------------------- workers meanwhile


def during(house: House, path: str, act: Callable[[], object]) -> None:
    """Something happens just before the first request of the sweep to this path."""

    def once(system: str, request: Any) -> None:
        if path in f"{system}{request.path}?{request.params}":
            house.before.remove(once)
            act()

    house.before.append(once)


def test_what_a_worker_saw_after_the_sweep_had_read_is_not_overruled_by_older_rows() -> None:
    house = House()
    ret = house.announced(1)
    house.world.clock.advance(hours=1)

    def meanwhile() -> None:
        house.world.warehouse.receive(ret)
        house.world.clock.advance(minutes=20)
        house.world.deliver(house.integration)
        house.integration.run_due()
        house.world.clock.advance(minutes=2)
        house.world.deliver(house.integration)
        house.integration.run_due()

    during(house, "whiplash/consumer_returns?{'search': '{\"status_eq\"", meanwhile)
    report = house.integration.sweep()
    assert ret.was_processed
    assert report.breaks == ()
    case = house.case(ret)
    assert case.due_at is None
    assert case.journal.process.phase == "confirmed"


def test_a_webhook_that_comes_while_the_sweep_reads_is_not_used_up_by_what_was_read_before() -> None:
    house = House()
    ret = house.announced(1)
    house.run(hours=13)
    house.world.clock.advance(minutes=5)

    def meanwhile() -> None:
        house.world.warehouse.receive(ret)
        house.world.deliver(house.integration)

    during(house, "whiplash/originators", meanwhile)
    report = house.integration.sweep()
    assert report.actions == {"Process": 1}


def test_a_person_who_acts_while_the_sweep_reads_is_not_overruled() -> None:
    house = House(webhooks=False)
    ret = house.shipped(1)
    house.world.clock.advance(hours=1)
    during(house, "whiplash/originators", lambda: house.world.people.cancel(ret))
    report = house.integration.sweep()
    assert house.rmas(ret) == 0
    assert report.actions == {}


def test_a_worker_that_has_the_return_now_is_left_to_it() -> None:
    house = House(webhooks=False)
    ret = house.shipped(1)
    house.world.clock.advance(hours=1)
    claim = house.ledger.claim(ret.id, at=house.world.clock.now(), lease=timedelta(minutes=10))
    assert claim is not None
    assert house.integration.advance(ret.id).status == "busy"
    report = house.integration.sweep()
    assert report.complete
    assert house.rmas(ret) == 0


# ------------------------------------------------------------------------------------------------------------ the rest


def test_a_clock_that_was_set_back_breaks_nothing(build: Callable[..., House]) -> None:
    time: list[datetime] = []
    house = build(webhooks=False, clock=lambda: time[0])
    time.append(house.world.clock.now())
    time[0] += timedelta(days=30)
    ret = house.shipped(1)
    house.world.clock.advance(hours=1)
    assert house.integration.sweep().complete
    time[0] -= timedelta(days=10)
    assert house.integration.sweep().complete
    assert house.rmas(ret) == 1


def test_one_return_that_raises_stops_no_other(build: Callable[..., House]) -> None:
    poison: list[int] = []

    def matcher(rma: Any, receipts: Any, **options: Any) -> Any:
        if rma.return_id in poison:
            raise ZeroDivisionError
        return match(rma, receipts, **options)

    house = build(webhooks=False, matcher=matcher)
    bad, good = house.shipped(1), house.shipped(1)
    swept(house, hours=1)
    poison.append(bad.id)
    for ret in (bad, good):
        house.world.warehouse.receive(ret)
    report = swept(house, hours=1)
    assert [(found.code, found.return_id) for found in report.breaks if found.return_id == bad.id and not found.heals] == [
        ("UNREADABLE", bad.id)
    ]
    house.world.clock.advance(minutes=5)
    assert good.was_processed
    assert report.complete


def test_a_whole_sweep_lets_old_events_of_settled_returns_expire(build: Callable[..., House]) -> None:
    house = build(settings={"keep_events": timedelta(days=7)})
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    house.run(days=1)
    house.integration.handle_loop(b"{", sign_loop(b"{", house.world.loop_secret))
    assert house.case(ret).history
    report = swept(house, days=20)
    assert report.complete
    assert house.case(ret).history == ()
    assert house.case(ret).journal.process.phase == "confirmed"
    assert house.ledger.asides() == []


def test_it_is_told_once_with_what_it_read(build: Callable[..., House]) -> None:
    told: list[Happening] = []
    house = build(webhooks=False, hooks=[told.append])
    house.shipped(1)
    swept(house, hours=1)
    sweeps = [each for each in told if each.kind == "sweep"]
    assert [(each.name, each.facts["breaks"]) for each in sweeps] == [("complete", 1)]
