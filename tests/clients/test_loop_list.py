"""The list of returns loses nothing: against a model of Loop's list with all its habits."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from both_colours import LOOP_URL, Colour, Script, Time, reply
from hypothesis import given, settings
from hypothesis import strategies as st

from loop_whiplash.errors import ConfigurationError, DecodeError, ListIncomplete, ServerError
from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.loop.client import LoopClient
from loop_whiplash.loop.lists import ALL_STATES, PAGE_SIZE

START = datetime(2026, 1, 5, tzinfo=UTC)


def read(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


class Model:
    """Loop's list: one state a call, windows of 120 days, a cursor that knows seconds and no ids, a cap on pages."""

    def __init__(self, *, cap: int = 10, includes_end: bool = True, origin: str = LOOP_URL) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.cap = cap
        self.includes_end = includes_end
        self.origin = origin
        self.calls: list[dict[str, str]] = []
        self.before: Callable[[Model], None] | None = None

    def put(self, id: int, at: datetime, state: str = "open", **more: Any) -> None:
        stamp = at.isoformat()
        self.rows[id] = {"id": str(id), "state": state, "created_at": stamp, "updated_at": stamp, "line_items": []} | more

    def move(self, id: int, state: str, at: datetime) -> None:
        self.rows[id] |= {"state": state, "updated_at": at.isoformat()}

    def answer(self, request: Request) -> Reply:
        asked = dict(request.params)
        if self.before is not None:
            self.before(self)
        self.calls.append(asked)
        start, end, by = read(asked["from"]), read(asked["to"]), asked["filter"]
        if end - start > timedelta(days=120) or end < start or int(asked["pageSize"]) > 750 or asked["state"] not in ALL_STATES:
            return reply(422, {"message": "The given data was invalid."})
        assert asked["paginate"] == "true"

        def second(row: dict[str, Any]) -> datetime:
            return datetime.fromisoformat(row[by]).replace(microsecond=0)

        def inside(row: dict[str, Any]) -> bool:
            return start <= second(row) <= end if self.includes_end else start <= second(row) < end

        rows = sorted((row for row in self.rows.values() if row["state"] == asked["state"] and inside(row)), key=second)
        if "cursor" in asked:
            edge = json.loads(base64.b64decode(asked["cursor"] + "=="))[by]
            rows = [row for row in rows if second(row) > read(edge)]  # those that share the edge's second are skipped
        size = min(int(asked["pageSize"]), self.cap)
        page, rest = rows[:size], rows[size:]
        following = None
        if rest:
            edge = json.dumps({by: second(page[-1]).strftime("%Y-%m-%d %H:%M:%S"), "_pointsToNextItems": True})
            cursor = base64.b64encode(edge.encode()).decode().rstrip("=")
            following = f"{self.origin}/warehouse/return/list?to={quote(asked['to'])}&filter={by}&cursor={cursor}"
        return reply(200, {"returns": page, "nextPageUrl": following, "previousPageUrl": None})


def listed(colour: Colour, model: Model, *args: Any, time: Time | None = None, **more: Any) -> tuple[list[int], Exception | None]:
    time = time or clock(START + timedelta(days=400))
    rows, error = colour.loop(Script(answer=model.answer), time=time).take(lambda c: c.returns.list(*args, **more))
    return [row.id for row in rows], error


def clock(at: datetime) -> Time:
    time = Time()
    time.at = at
    return time


def test_all_five_states_are_asked_for_one_a_call(colour: Colour) -> None:
    model = Model()
    for id, state in enumerate(ALL_STATES, 1):
        model.put(id, START, state)
    found, error = listed(colour, model, START, START + timedelta(days=1))
    assert (sorted(found), error) == ([1, 2, 3, 4, 5], None)
    assert [call["state"] for call in model.calls] == list(ALL_STATES)
    assert all(call["pageSize"] == str(PAGE_SIZE) for call in model.calls)


def test_only_the_states_asked_for(colour: Colour) -> None:
    model = Model()
    model.put(1, START, "open")
    model.put(2, START, "review")
    assert listed(colour, model, START, START + timedelta(days=1), states=["review"]) == ([2], None)


@pytest.mark.parametrize("includes_end", [True, False])
def test_a_year_is_read_in_windows_loop_takes(colour: Colour, includes_end: bool) -> None:
    model = Model(includes_end=includes_end)
    for day in range(400):
        model.put(day + 1, START + timedelta(days=day))
    found, error = listed(colour, model, START, START + timedelta(days=399, seconds=1))
    assert (sorted(found), len(found), error) == (list(range(1, 401)), 400, None)


@pytest.mark.parametrize("includes_end", [True, False])
def test_an_overfull_window_is_halved_until_it_fits(colour: Colour, includes_end: bool) -> None:
    model = Model(includes_end=includes_end)
    for second in range(40):
        model.put(second + 1, START + timedelta(seconds=second // 2))
    found, error = listed(colour, model, START, START + timedelta(days=100))
    assert (sorted(found), len(found), error) == (list(range(1, 41)), 40, None)
    assert not any("cursor" in call for call in model.calls)


def test_an_overfull_second_follows_the_cursor_and_cannot_be_proven(colour: Colour) -> None:
    model = Model(cap=10)
    for id in range(1, 16):
        model.put(id, START + timedelta(hours=5))
    model.put(20, START)
    found, error = listed(colour, model, START, START + timedelta(days=1), states=["open"])
    assert isinstance(error, ListIncomplete)
    assert set(found) >= {20, *range(1, 11)}
    assert len(found) == len(set(found)) == error.rows
    assert any("2026-01-05T05:00:00" in start for start, _ in error.windows)
    assert any("cursor" in call for call in model.calls)
    assert all({"state", "from", "to"} <= call.keys() for call in model.calls)


def test_a_foreign_next_page_is_not_followed(colour: Colour) -> None:
    model = Model(cap=2, origin="https://elsewhere.example/api/v1")
    for id in range(1, 6):
        model.put(id, START)
    _found, error = listed(colour, model, START, START, states=["open"])
    assert isinstance(error, ListIncomplete)
    assert not any("cursor" in call for call in model.calls)


def test_a_page_that_is_empty_but_says_there_is_more_is_not_split_for_ever(colour: Colour) -> None:
    script = Script(answer=lambda request: reply(200, {"returns": [], "nextPageUrl": f"{LOOP_URL}/x?cursor=a"}))
    _rows, error = colour.loop(script, time=clock(START + timedelta(days=400))).take(
        lambda c: c.returns.list(START, START + timedelta(days=100), states=["open"])
    )
    assert isinstance(error, ListIncomplete)
    assert len(script.requests) < 5


def test_a_bare_array_is_everything(colour: Colour) -> None:
    row = {"id": "7", "state": "open", "line_items": [], "created_at": START.isoformat(), "updated_at": START.isoformat()}
    script = Script(answer=lambda request: reply(200, [row]))
    rows, error = colour.loop(script, time=clock(START + timedelta(days=400))).take(
        lambda c: c.returns.list(START, START + timedelta(days=1))
    )
    assert ([row.id for row in rows], error) == ([7], None)


def test_one_unreadable_row_stops_no_other_and_is_named(colour: Colour) -> None:
    model = Model()
    model.put(1, START)
    model.put(2, START, line_items=[{"line_item_id": {"not": "an id"}}])
    model.put(3, START)
    found, error = listed(colour, model, START, START + timedelta(days=1), states=["open"])
    assert sorted(found) == [1, 3]
    assert isinstance(error, ListIncomplete)
    assert [id for id, _ in error.unreadable] == ["2"]
    assert error.windows == ()


def test_a_broken_page_is_an_error_not_an_end(colour: Colour) -> None:
    script = Script(answer=lambda request: reply(200, b'{"returns": ['))
    _rows, error = colour.loop(script).take(lambda c: c.returns.list(START, START + timedelta(days=1)))
    assert isinstance(error, DecodeError)
    assert error.path == "/warehouse/return/list"
    script = Script(answer=lambda request: reply(500, b""))
    assert isinstance(colour.loop(script, time=Time()).take(lambda c: c.returns.list(START, START + timedelta(days=1)))[1], ServerError)


@pytest.mark.parametrize("by", ["updated_at", "created_at"])
@pytest.mark.parametrize("after", range(1, 6))
@pytest.mark.parametrize(("state", "to"), [("open", "closed"), ("review", "open"), ("closed", "open"), ("expired", "review")])
def test_a_return_that_changes_state_while_we_read_is_not_lost(colour: Colour, by: str, after: int, state: str, to: str) -> None:
    time = clock(START + timedelta(days=2))
    model = Model()
    model.put(1, START + timedelta(days=1), state)

    def move(model: Model) -> None:
        time.at += timedelta(seconds=1)
        if len(model.calls) == after:
            model.move(1, to, time.at)

    model.before = move
    found, error = listed(colour, model, START, time.at, by=by, time=time)
    assert (found, error) == ([1], None)


def test_a_return_updated_while_we_read_up_to_now_is_not_lost(colour: Colour) -> None:
    time = clock(START + timedelta(days=200))
    model = Model()
    model.put(1, START + timedelta(days=150))

    def touch(model: Model) -> None:
        time.at += timedelta(seconds=2)
        if len(model.calls) == 1:
            model.move(1, "open", time.at)

    model.before = touch
    assert listed(colour, model, START, time.at, time=time) == ([1], None)


def test_a_shop_where_new_returns_keep_coming_still_ends_whole(colour: Colour) -> None:
    time = clock(START + timedelta(days=2))
    model = Model()
    model.put(1, START)

    def born(model: Model) -> None:
        time.at += timedelta(seconds=3)
        model.put(1000 + len(model.calls), time.at)

    model.before = born
    found, error = listed(colour, model, START, time.at, time=time)
    assert error is None
    assert 1 in found


def test_a_past_window_of_updates_is_read_once(colour: Colour) -> None:
    model = Model()
    assert listed(colour, model, START, START + timedelta(days=1)) == ([], None)
    assert len(model.calls) == 5


@pytest.mark.parametrize(
    ("start", "end", "more"),
    [
        (START, START - timedelta(seconds=1), {}),
        (START.replace(tzinfo=None), START, {}),
        ("2026-01-05", START, {}),
        (START, START, {"by": "edited_at"}),
        (START, START, {"states": "open"}),
        (START, START, {"states": []}),
    ],
)
def test_arguments_that_cannot_work_are_told_at_once(colour: Colour, start: Any, end: Any, more: dict[str, Any]) -> None:
    script = Script()
    with pytest.raises(ConfigurationError):
        colour.loop(script).client.returns.list(start, end, **more)  # not only when it is iterated
    assert script.requests == []


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 90 * 24 * 3600), max_size=40),
    states=st.data(),
    cap=st.integers(3, 12),
    includes_end=st.booleans(),
    odd=st.integers(0, 999_999),
)
def test_either_every_row_is_given_once_or_the_list_says_it_may_be_incomplete(
    seconds: list[int], states: st.DataObject, cap: int, includes_end: bool, odd: int
) -> None:
    model = Model(cap=cap, includes_end=includes_end)
    for id, second in enumerate(seconds, 1):
        model.put(id, START + timedelta(seconds=second, microseconds=odd), states.draw(st.sampled_from(ALL_STATES)))
    client = LoopClient("key", transport=Script(answer=model.answer), clock=lambda: START + timedelta(days=400), sleep=lambda seconds: None)
    found: list[int] = []
    try:
        for row in client.returns.list(START, START + timedelta(days=91)):
            found.append(row.id)
    except ListIncomplete:
        assert any(seconds.count(second) + seconds.count(second + 1) > cap for second in seconds)
    else:
        assert sorted(found) == list(range(1, len(seconds) + 1))
    assert len(found) == len(set(found))


def test_a_list_left_half_way_sends_no_more_and_leaves_nothing(colour: Colour) -> None:
    model = Model(cap=3)
    for number in range(1, 30):
        model.put(number, START + timedelta(hours=number))
    loop = colour.loop(Script(answer=model.answer), time=clock(START + timedelta(days=400)))
    window = START, START + timedelta(days=3)
    if colour.is_async:

        async def left(client: Any) -> None:
            async for _ in client.returns.list(*window):
                break
            gc.collect()
            for _ in range(5):  # the event loop closes what was left in a task of its own
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        loop.call(left)
    else:
        for _ in loop.client.returns.list(*window):
            break
    asked = len(model.calls)
    gc.collect()
    assert len(model.calls) == asked
    assert len(loop.rows(lambda c: c.returns.list(*window))) == 29
