"""Grading and disposition: twenty a call, and the shape the API version asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from both_colours import LOOP_URL, Colour, Script, reply

from loop_whiplash.errors import ConfigurationError, OutcomeUnknown, ValidationFailed
from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.loop.grading import Assessment, ConditionCategory, Grade
from shared_reference import payload

AT = datetime(2024, 3, 31, 23, 59, 59, tzinfo=UTC)
WRONG_SHAPE = {"message": "The given data was invalid.", "errors": {"items.0.condition_category": ["Must be an object."]}}


def echo(request: Request) -> Reply:
    return reply(200, json.loads(request.body or b"{}")["items"])


def grade(number: int = 1, **more: Any) -> Grade:
    return Grade(**{"line_item_id": number, "description": "No marks", "condition_category": "grade_a"} | more)


OBJECT = {"subject": "Item condition grade", "title": "Grade A", "grade": "grade_a"}


@pytest.mark.parametrize(
    ("url", "header", "expected"),
    [
        ("https://loop.example/api/2026-07", None, "grade_a"),
        ("https://loop.example/api/2026-10", None, OBJECT),
        ("https://loop.example/api/2027-01/", None, OBJECT),
        ("https://loop.example/api/2026-07", "2026-10", "grade_a"),
        (LOOP_URL, None, "grade_a"),
        (LOOP_URL, "2026-07", "grade_a"),
        (LOOP_URL, "2026-10", OBJECT),
        (LOOP_URL, "latest", "grade_a"),
    ],
)
def test_the_shape_of_a_condition_follows_the_version(colour: Colour, url: str, header: str | None, expected: object) -> None:
    script = Script(answer=echo)
    script.base_url = url
    loop = colour.loop(script)
    if header:
        script.outcomes.append(reply(200, [], x_loop_api_version=header))
        loop.call(lambda c: c.webhooks.list())
    loop.call(lambda c: c.grading.grade([grade()]))
    assert script.sent_json["items"][0]["condition_category"] == expected


def test_where_nothing_tells_the_version_a_422_does(colour: Colour) -> None:
    script = Script(reply(422, WRONG_SHAPE), answer=echo)
    echoed = colour.loop(script).call(lambda c: c.grading.grade([grade(number) for number in range(1, 31)]))
    shapes = [type(json.loads(request.body or b"")["items"][0]["condition_category"]) for request in script.requests]
    assert shapes == [str, dict, dict]
    assert [row["line_item_id"] for row in echoed] == list(range(1, 31))


def test_another_422_is_raised(colour: Colour) -> None:
    script = Script(reply(422, {"message": "no", "errors": {"items.0.line_item_id": ["unknown"]}}))
    with pytest.raises(ValidationFailed):
        colour.loop(script).call(lambda c: c.grading.grade([grade()]))
    assert len(script.requests) == 1


def test_twenty_items_a_call_and_an_error_says_how_many_were_done(colour: Colour) -> None:
    script = Script(answer=echo)
    colour.loop(script).call(lambda c: c.grading.assess([Assessment(line_item_id=n, disposition_outcome="donate") for n in range(1, 46)]))
    assert [len(json.loads(request.body or b"")["items"]) for request in script.requests] == [20, 20, 5]
    answers = iter([200, 500])

    def second_fails(request: Request) -> Reply:
        return echo(request) if next(answers) == 200 else reply(500, b"")

    with pytest.raises(OutcomeUnknown) as caught:
        colour.loop(Script(answer=second_fails)).call(lambda c: c.grading.grade([grade(n) for n in range(1, 46)]))
    assert caught.value.items_done == 20


def test_nothing_to_grade_sends_nothing(colour: Colour) -> None:
    script = Script()
    assert colour.loop(script).call(lambda c: c.grading.grade([])) == []
    assert script.requests == []


def test_the_published_requests_are_what_is_sent(colour: Colour) -> None:
    script = Script(answer=echo)
    loop = colour.loop(script)
    for name, use, kind in (
        ("grade_items", lambda c, items: c.grading.grade(items), Grade),
        ("assess_dispositions", lambda c, items: c.grading.assess(items), Assessment),
    ):
        wanted = payload("loop", f"{name}_request_official.json")
        items = [kind(**{key: value for key, value in item.items() if key != "inspected_at"}, inspected_at=AT) for item in wanted["items"]]
        echoed = loop.call(lambda c, use=use, items=items: use(c, items))
        assert script.sent_json == wanted
        assert [dict(row) for row in echoed] == wanted["items"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"description": "x" * 256},
        {"note": "x" * 65536},
        {"return_processor": "x" * 101},
        {"images": ["https://x.example/"] * 6},
        {"line_item_id": "x"},
        {"inspected_at": datetime(2024, 3, 31)},
    ],
)
def test_what_loop_would_refuse_is_refused_here(colour: Colour, wrong: dict[str, Any]) -> None:
    script = Script()
    with pytest.raises(ConfigurationError):
        colour.loop(script).call(lambda c: c.grading.grade([grade(**wrong)]))
    assert script.requests == []


def test_a_category_of_ones_own(colour: Colour) -> None:
    script = Script(answer=echo)
    script.base_url = "https://loop.example/api/2026-10"
    mine = ConditionCategory(subject="Smell", title="Smoke")
    colour.loop(script).call(lambda c: c.grading.grade([grade(condition_category=mine)]))
    assert script.sent_json["items"][0]["condition_category"] == {"subject": "Smell", "title": "Smoke"}
    old = Script()
    old.base_url = "https://loop.example/api/2026-07"
    with pytest.raises(ConfigurationError, match="2026-10"):
        colour.loop(old).call(lambda c: c.grading.grade([grade(condition_category=mine)]))
    text = Script(answer=echo)
    text.base_url = "https://loop.example/api/2026-07"
    colour.loop(text).call(lambda c: c.grading.grade([grade(condition_category=ConditionCategory(title="Grade B", grade="grade_b"))]))
    assert text.sent_json["items"][0]["condition_category"] == "grade_b"
