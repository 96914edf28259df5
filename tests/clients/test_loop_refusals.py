"""Loop says no: under 200, under 4xx, in every envelope."""

from __future__ import annotations

from typing import Any

import pytest
from both_colours import Colour, Script, reply

from loop_whiplash.errors import ActionRefused, ApiError, AuthenticationFailed, NotFound, OutcomeUnknown, ServerError, ValidationFailed
from shared_reference import payload

CLOSED = "Return is closed and therefore cannot be processed."

REFUSALS = [
    ({"errors": {"message": CLOSED, "code": "UNPROCESSABLE_RETURN"}}, "UNPROCESSABLE_RETURN", "closed"),
    ({"error": {"message": CLOSED, "code": "UNPROCESSABLE_RETURN"}}, "UNPROCESSABLE_RETURN", "closed"),
    (
        {"errors": {"message": "Return is open and therefore cannot be processed.", "code": "UNPROCESSABLE_FLAGGED_RETURN"}},
        "UNPROCESSABLE_FLAGGED_RETURN",
        "open",
    ),
    ({"message": "Return is cancelled and therefore cannot be processed."}, None, "cancelled"),
    ({"content": "Return is expired and cannot be processed."}, None, "expired"),
    ({"content": "Return is flagged and cannot be processed."}, None, "flagged"),
    ({"errors": [{"message": "Return is review and therefore cannot be processed."}]}, None, "review"),
    ({"errors": ["Return is review and therefore cannot be processed."]}, None, "review"),
    ({"errors": "Something else"}, None, None),
    ("Return is closed and therefore cannot be processed.", None, "closed"),
    (False, None, None),
    (None, None, None),
    ({}, None, None),
    ([], None, None),
    ("false", None, None),
    (1, None, None),
    ({"success": True}, None, None),
]


@pytest.mark.parametrize("what", ["process", "flag", "cancel", "close"])
@pytest.mark.parametrize(("body", "code", "state"), REFUSALS)
def test_everything_but_true_is_a_refusal(colour: Colour, what: str, body: object, code: str | None, state: str | None) -> None:
    script = Script(reply(200, body, x_loop_request_id="r-7"))
    with pytest.raises(ActionRefused) as caught:
        colour.loop(script).call(lambda c: getattr(c.returns, what)(5))
    error = caught.value
    assert (error.code, error.state, error.return_id, error.status, error.request_id) == (code, state, 5, 200, "r-7")
    # Only a clear no says that nothing was done: Loop's words about the return, or its "false".
    assert error.maybe_applied is (code is None and state is None and body not in (False, "false"))
    assert what in str(error)
    assert "5" in str(error)
    assert len(script.requests) == 1


def test_an_error_of_loops_own_may_come_after_the_effect(colour: Colour) -> None:
    script = Script(reply(200, {"errors": {"message": "An unexpected error occurred.", "code": "UNEXPECTED_ERROR"}}))
    with pytest.raises(ActionRefused) as caught:
        colour.loop(script).call(lambda c: c.returns.process(5))
    assert (caught.value.code, caught.value.maybe_applied) == ("UNEXPECTED_ERROR", True)


def test_an_action_on_an_unknown_return_is_not_found(colour: Colour) -> None:
    with pytest.raises(NotFound) as caught:
        colour.loop(Script(reply(200, {"error": {"message": "No return found with this ID."}}))).call(lambda c: c.returns.process(5))
    assert caught.value.return_id == 5


def test_a_return_that_loop_does_not_know_is_named(colour: Colour) -> None:
    with pytest.raises(NotFound, match="Loop knows no return 5; check the id and that the key is of the right shop") as caught:
        colour.loop(Script(reply(200, {"error": {"message": "No return found with this ID."}}))).call(lambda c: c.returns.get(5))
    assert caught.value.return_id == 5


@pytest.mark.parametrize("body", [b"", b"<html>gateway</html>", b"tru", b'{"errors"', b"\xff\xfe"])
def test_an_answer_that_is_no_json_leaves_an_action_in_doubt(colour: Colour, body: bytes) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        colour.loop(Script(reply(200, body))).call(lambda c: c.returns.process(5))
    assert caught.value.maybe_applied is True


def test_a_422_names_its_fields(colour: Colour) -> None:
    script = Script(reply(422, {"message": "The given data was invalid.", "errors": {"items.0.grade": ["It is invalid.", "It is long."]}}))
    with pytest.raises(ValidationFailed) as caught:
        colour.loop(script).call(lambda c: c.returns.process(5))
    assert caught.value.fields == {"items.0.grade": ("It is invalid.", "It is long.")}
    assert caught.value.detail == "The given data was invalid."
    assert "invalid" not in str(caught.value).replace("not accepted", "")


EXPECTED: dict[int, tuple[type[ApiError], ...]] = {
    200: (ActionRefused, NotFound),
    400: (ValidationFailed,),
    401: (AuthenticationFailed,),
    404: (NotFound,),
    422: (ValidationFailed,),
    500: (OutcomeUnknown, ServerError),
}


def test_every_refusal_of_the_catalogue_is_understood(colour: Colour) -> None:
    for case in payload("loop", "errors_catalog.json"):
        script = Script(reply(case["http_status"], case["body"]))
        with pytest.raises(EXPECTED[case["http_status"]]) as caught:
            colour.loop(script).call(lambda c: c.returns.process(5))
        error: Any = caught.value
        words = str(case["body"])
        assert error.detail is None or error.detail in words or all(part in words for part in error.detail.split("; ")), case
        if "UNPROCESSABLE" in words:
            assert error.code is not None
            assert error.code in words
