"""Whiplash's lists lose nothing, and look-ups give only what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from both_colours import Colour, Script, reply
from hypothesis import given, settings
from hypothesis import strategies as st

from loop_whiplash.errors import ConfigurationError, DecodeError, ListIncomplete
from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.http.limit import Unlimited
from loop_whiplash.whiplash.client import WhiplashClient


class Model:
    """A table that pages by number, and may know ``id_gt``, cap its pages, count wrongly, or ignore conditions."""

    def __init__(
        self, count: int = 0, *, cap: int = 250, knows_id_gt: bool = True, rejects_id_gt: bool = False, knows_page: bool = True
    ) -> None:
        self.rows: list[dict[str, Any]] = [{"id": id, "status": 100, "return_items": []} for id in range(1, count + 1)]
        self.cap = cap
        self.knows_id_gt = knows_id_gt
        self.rejects_id_gt = rejects_id_gt
        self.knows_page = knows_page
        self.counts: int | None = None
        self.calls: list[Request] = []
        self.before: Callable[[Model], None] | None = None

    def answer(self, request: Request) -> Reply:
        if self.before is not None:
            self.before(self)
        self.calls.append(request)
        if request.path.endswith("/count"):
            return reply(200, {"count": len(self.rows) if self.counts is None else self.counts})
        search = json.loads(request.params.get("search", "{}"))
        if "id_gt" in search and self.rejects_id_gt:
            return reply(400, {"error": "unknown condition id_gt"})
        above = search.get("id_gt", 0) if self.knows_id_gt else 0
        rows = sorted((row for row in self.rows if row["id"] > above), key=lambda row: row["id"])
        size = min(int(request.params["per_page"]), self.cap)
        page = int(request.params["page"]) if self.knows_page else 1
        return reply(200, rows[(page - 1) * size : page * size])


def listed(colour: Colour, model: Model, *args: Any, **more: Any) -> tuple[list[int], Exception | None]:
    whiplash = colour.whiplash(Script(answer=model.answer), limiter=Unlimited())
    rows, error = whiplash.take(lambda c: c.consumer_returns.list(*args, **more))
    return [row.id for row in rows], error


SERVERS: list[dict[str, Any]] = [
    {},
    {"knows_id_gt": False},
    {"rejects_id_gt": True},
    {"cap": 100},
    {"cap": 25},
    {"cap": 50, "knows_id_gt": False},
]


@pytest.mark.parametrize("server", SERVERS, ids=str)
@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 100, 249, 250, 251, 499, 500, 501, 1003])
def test_all_rows_once_whatever_the_server_understands(colour: Colour, server: dict[str, Any], count: int) -> None:
    assert listed(colour, Model(count, **server)) == (list(range(1, count + 1)), None)


def test_a_short_first_page_needs_no_count(colour: Colour) -> None:
    model = Model(24)
    listed(colour, model)
    assert [call.path for call in model.calls] == ["/consumer_returns"]


def test_more_counted_than_given_is_said_after_the_rows(colour: Colour) -> None:
    model = Model(30)
    model.counts = 33
    found, error = listed(colour, model)
    assert found == list(range(1, 31))
    assert isinstance(error, ListIncomplete)
    assert (error.system, error.missing, error.rows) == ("whiplash", 3, 30)


def test_fewer_counted_than_given_is_whole(colour: Colour) -> None:
    model = Model(30)
    model.counts = 28
    assert listed(colour, model) == (list(range(1, 31)), None)


def test_a_row_deleted_while_we_read_hides_no_other(colour: Colour) -> None:
    model = Model(600)

    def delete(model: Model) -> None:
        if len(model.calls) == 1:
            del model.rows[10]

    model.before = delete
    found, error = listed(colour, model)
    assert (sorted(found), error) == (list(range(1, 601)), None)


def test_rows_that_come_while_we_read_do_no_harm(colour: Colour) -> None:
    model = Model(300)

    def create(model: Model) -> None:
        if len(model.calls) < 3:
            model.rows.append({"id": 1000 + len(model.calls), "return_items": []})

    model.before = create
    found, error = listed(colour, model)
    assert error is None
    assert set(found) >= set(range(1, 301))
    assert len(found) == len(set(found))


def test_a_row_that_comes_to_fit_behind_us_is_found(colour: Colour) -> None:
    model = Model(300)
    late = model.rows.pop(5)

    def fits(model: Model) -> None:
        if len(model.calls) == 1:
            model.rows.append(late)

    model.before = fits
    found, error = listed(colour, model)
    assert (sorted(found), error) == (list(range(1, 301)), None)


def test_a_server_that_ignores_page_numbers_ends(colour: Colour) -> None:
    model = Model(400, knows_id_gt=False, knows_page=False)
    found, error = listed(colour, model)
    assert found == list(range(1, 251))
    assert isinstance(error, ListIncomplete)
    assert error.missing == 150
    assert len(model.calls) < 12


def test_an_or_search_and_a_sort_of_ones_own_are_read_by_page_number(colour: Colour) -> None:
    for more in ({"search": {"m": "or", "a_eq": 1}}, {"sort": "created_at desc"}, {"search": {"id_gt": 0}}):
        model = Model(501)
        assert listed(colour, model, **more) == (list(range(1, 502)), None)
        pages = [call.params["page"] for call in model.calls if not call.path.endswith("count")]
        assert pages == ["1", "2", "3"]


def test_one_unreadable_row_stops_no_other(colour: Colour) -> None:
    model = Model(3)
    model.rows[1]["return_items"] = "no list"
    found, error = listed(colour, model)
    assert found == [1, 3]
    assert isinstance(error, ListIncomplete)
    assert [id for id, _ in error.unreadable] == ["2"]


@pytest.mark.parametrize("search", ["status_eq", ["status_eq"], 5])
def test_a_search_is_a_mapping(colour: Colour, search: Any) -> None:
    script = Script()
    assert isinstance(colour.whiplash(script).take(lambda c: c.consumer_returns.list(search))[1], ConfigurationError)
    assert script.requests == []


@settings(max_examples=60, deadline=None)
@given(
    ids=st.sets(st.integers(1, 5000), max_size=700),
    cap=st.integers(25, 300),
    knows=st.booleans(),
    rejects=st.booleans(),
)
def test_every_row_once_for_any_table(ids: set[int], cap: int, knows: bool, rejects: bool) -> None:
    model = Model(cap=cap, knows_id_gt=knows, rejects_id_gt=rejects)
    model.rows = [{"id": id, "return_items": []} for id in ids]
    client = WhiplashClient("token", transport=Script(answer=model.answer), limiter=Unlimited())
    assert sorted(row.id for row in client.consumer_returns.list()) == sorted(ids)


# -------------------------------------------------------------------------------------------------------- look-ups


def row(id: int, original_id: str | None) -> dict[str, Any]:
    return {"id": id, "return_items": [], "originator": None if original_id is None else {"id": id, "original_id": original_id}}


def test_all_with_one_original_id_however_they_are_found(colour: Colour) -> None:
    def answer(request: Request) -> Reply:
        search = json.loads(request.params.get("search", "{}"))
        if request.path == "/consumer_returns":
            assert search == {"originator_original_id_eq": "5"}
            return reply(200, [row(1, "5"), row(2, "5")])
        if request.path == "/originators":
            assert search == {"original_id_eq": "5"}
            pointing = {"Shipnotice": [2, 3, 9], "ConsumerReturn": [4]}[request.params["originated_type"]]
            return reply(200, [{"id": 10 + each, "originated_id": each, "original_id": "5"} for each in pointing])
        if request.path == "/consumer_returns/9":
            return reply(404, {"error": "not_found"})  # an ordinary ship notice
        return reply(200, row(int(request.path.rsplit("/", 1)[-1]), "5"))

    script = Script(answer=answer)
    assert [found.id for found in colour.whiplash(script).call(lambda c: c.consumer_returns.by_original_id("5"))] == [1, 2, 3, 4]


def test_a_server_that_ignores_the_condition_does_not_hand_us_strangers(colour: Colour) -> None:
    strangers = Script(
        answer=lambda request: reply(200, [row(1, "4"), row(2, None), row(3, "5")] if request.path == "/consumer_returns" else [])
    )
    assert [found.id for found in colour.whiplash(strangers).call(lambda c: c.consumer_returns.by_original_id("5"))] == [3]
    items = Script(answer=lambda request: reply(200, [{"id": 1, "sku": "A"}, {"id": 2, "sku": "B"}, {"id": 3}]))
    assert [found.id for found in colour.whiplash(items).call(lambda c: c.items.by_sku(["A"]))] == [1]


def test_many_are_asked_fifty_a_request(colour: Colour) -> None:
    script = Script(answer=lambda request: reply(200, []))
    wanted = [str(number) for number in range(120)]
    colour.whiplash(script, limiter=Unlimited()).call(lambda c: c.consumer_returns.by_original_ids([*wanted, "7", ""]))
    asked = [json.loads(request.params["search"]) for request in script.requests if request.path == "/consumer_returns"]
    assert [len(search["originator_original_id_in"]) for search in asked] == [50, 50, 20]
    assert sorted(each for search in asked for each in search["originator_original_id_in"]) == sorted(wanted)


def test_one_text_is_not_a_list_of_letters(colour: Colour) -> None:
    with pytest.raises(ConfigurationError):
        colour.whiplash(Script()).call(lambda c: c.items.by_sku("SKU"))


def test_nothing_asked_is_nothing_sent(colour: Colour) -> None:
    script = Script()
    assert colour.whiplash(script).call(lambda c: c.items.by_sku([])) == []
    assert script.requests == []


def test_barcodes_are_looked_for_as_scancode_and_as_ean(colour: Colour) -> None:
    def answer(request: Request) -> Reply:
        search = json.loads(request.params["search"])
        if search == {"scancode_in": ["111", "222"]}:
            return reply(200, [{"id": 1, "scancode": "111"}])
        assert search == {"ean_eq": "222"}
        return reply(200, [{"id": 2, "scancode": "x", "ean": "222"}])

    script = Script(answer=answer)
    assert [item.id for item in colour.whiplash(script).call(lambda c: c.items.by_barcode(["111", "222"]))] == [1, 2]


def test_a_server_that_cannot_search_by_ean(colour: Colour) -> None:
    script = Script(reply(200, []), reply(400, {"error": "ean_eq is unknown"}))
    assert colour.whiplash(script).call(lambda c: c.items.by_barcode(["111"])) == []


def test_a_split_order_is_found_whole(colour: Colour) -> None:
    def answer(request: Request) -> Reply:
        search = json.loads(request.params["search"])
        if "originator_original_id_eq" in search:
            return reply(200, [{"id": 90, "originator": {"original_id": "900"}}])
        assert search == {"originator_group_id_eq": "90"}
        return reply(200, [{"id": 91, "originator": {"original_id": "x", "group_id": "90", "provider": "whiplash:separate"}}])

    script = Script(answer=answer)
    assert [order.id for order in colour.whiplash(script).call(lambda c: c.orders.by_original_id("900"))] == [90, 91]


def test_an_unreadable_row_among_those_looked_up_is_an_error(colour: Colour) -> None:
    bad = row(2, "5") | {"return_items": "no list"}
    script = Script(answer=lambda request: reply(200, [row(1, "5"), bad] if request.path == "/consumer_returns" else []))
    with pytest.raises(DecodeError) as caught:
        colour.whiplash(script).call(lambda c: c.consumer_returns.by_original_id("5"))
    assert caught.value.problems[0].startswith("2: ")
