"""What may have been carried out, and what certainly was not: status by status, failure by failure."""

from __future__ import annotations

from typing import Any

import pytest
from both_colours import Colour, Script, Time, reply

from loop_whiplash.errors import (
    ApiError,
    AuthenticationFailed,
    Conflict,
    ConnectionFailed,
    DecodeError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    ScopeMissing,
    ServerError,
    TimedOut,
    ValidationFailed,
)
from loop_whiplash.http.flow import Interrupted, NotSent
from loop_whiplash.http.retry import Retry
from loop_whiplash.loop.calls import get_return, process_return

CREATE = {"requires_label": False, "shipnotice_items_attributes": []}

# status → (error of a call that must not be repeated, error of reading, requests of the first, requests of the second)
STATUSES: list[tuple[int, type[ApiError], type[ApiError], int, int]] = [
    (301, ApiError, ApiError, 1, 1),
    (302, OutcomeUnknown, ApiError, 1, 1),
    (303, OutcomeUnknown, ApiError, 1, 1),
    (307, ApiError, ApiError, 1, 1),
    (308, ApiError, ApiError, 1, 1),
    (400, ValidationFailed, ValidationFailed, 1, 1),
    (401, AuthenticationFailed, AuthenticationFailed, 1, 1),
    (403, ScopeMissing, ScopeMissing, 1, 1),
    (404, NotFound, NotFound, 1, 1),
    (405, ApiError, ApiError, 1, 1),
    (408, OutcomeUnknown, ServerError, 1, 4),
    (409, Conflict, Conflict, 1, 1),
    (418, ApiError, ApiError, 1, 1),
    (422, ValidationFailed, ValidationFailed, 1, 1),
    (429, RateLimited, RateLimited, 4, 4),
    (500, OutcomeUnknown, ServerError, 1, 4),
    (501, OutcomeUnknown, ServerError, 1, 1),
    (502, OutcomeUnknown, ServerError, 1, 4),
    (503, OutcomeUnknown, ServerError, 1, 4),
    (504, OutcomeUnknown, ServerError, 1, 4),
    (520, OutcomeUnknown, ServerError, 1, 4),
    (599, OutcomeUnknown, ServerError, 1, 4),
]


@pytest.mark.parametrize(("status", "kind", "_", "times", "__"), STATUSES)
def test_a_create(colour: Colour, time: Time, status: int, kind: type[ApiError], _: Any, times: int, __: int) -> None:
    script = Script(answer=lambda request: reply(status, {"message": "no"}))
    with pytest.raises(ApiError) as caught:
        colour.whiplash(script, time=time).call(lambda c: c.consumer_returns.create(CREATE))
    assert type(caught.value) is kind
    assert len(script.requests) == times
    assert caught.value.maybe_applied is (kind is OutcomeUnknown)
    assert (caught.value.status, caught.value.system, caught.value.method, caught.value.path) == (
        status,
        "whiplash",
        "POST",
        "/consumer_returns",
    )


@pytest.mark.parametrize(("status", "_", "kind", "__", "times"), STATUSES)
def test_a_reading(colour: Colour, time: Time, status: int, _: Any, kind: type[ApiError], __: int, times: int) -> None:
    script = Script(answer=lambda request: reply(status, {"message": "no"}))
    with pytest.raises(ApiError) as caught:
        colour.whiplash(script, time=time).call(lambda c: c.consumer_returns.get(5))
    assert type(caught.value) is kind
    assert len(script.requests) == times
    assert caught.value.maybe_applied is False


FAILURES: list[tuple[Exception, type[ApiError], type[ApiError], int, int]] = [
    (NotSent("refused"), ConnectionFailed, ConnectionFailed, 4, 4),
    (NotSent("certificate", final=True), ConnectionFailed, ConnectionFailed, 1, 1),
    (Interrupted("reset"), OutcomeUnknown, TimedOut, 1, 4),
    (Interrupted("late", timed_out=True), OutcomeUnknown, TimedOut, 1, 4),
    (Interrupted("too large", final=True), OutcomeUnknown, TimedOut, 1, 1),
]


@pytest.mark.parametrize(("failure", "writing", "reading", "writes", "reads"), FAILURES, ids=[str(failure[0]) for failure in FAILURES])
@pytest.mark.parametrize("what", ["create", "update", "delete", "get"])
def test_a_failure(
    colour: Colour, time: Time, what: str, failure: Exception, writing: type[ApiError], reading: type[ApiError], writes: int, reads: int
) -> None:
    script = Script(*[failure] * 4)
    uses = {
        "create": lambda c: c.consumer_returns.create(CREATE),
        "update": lambda c: c.consumer_returns.update(5, {"reference": "r"}),
        "delete": lambda c: c.consumer_returns.delete(5),
        "get": lambda c: c.consumer_returns.get(5),
    }
    kind, times = (reading, reads) if what == "get" else (writing, writes)
    with pytest.raises(kind) as caught:
        colour.whiplash(script, time=time).call(uses[what])
    assert len(script.requests) == times
    assert caught.value.maybe_applied is (kind is OutcomeUnknown)
    assert caught.value.status is None


def test_a_safe_call_succeeds_after_trouble(colour: Colour, time: Time) -> None:
    script = Script(NotSent(), Interrupted(), reply(503, b""), reply(200, {"id": 5}))
    assert colour.whiplash(script, time=time).call(lambda c: c.consumer_returns.get(5)).id == 5
    assert time.slept == [0.5, 1.0, 2.0]


def test_a_post_is_sent_again_only_where_it_certainly_was_not_carried_out(colour: Colour, time: Time) -> None:
    script = Script(NotSent(), reply(429, b""), reply(200, True))
    assert colour.loop(script, time=time).call(lambda c: c.returns.process(5)) is None
    assert len(script.requests) == 3


def test_a_post_in_doubt_after_a_repetition_is_in_doubt(colour: Colour, time: Time) -> None:
    script = Script(NotSent(), Interrupted("reset"))
    with pytest.raises(OutcomeUnknown) as caught:
        colour.loop(script, time=time).call(lambda c: c.returns.process(5))
    assert caught.value.return_id == 5


def test_retry_after_is_waited_for(colour: Colour, time: Time) -> None:
    script = Script(reply(429, b"", retry_after="7"), reply(200, {"id": 5}))
    colour.whiplash(script, time=time).call(lambda c: c.consumer_returns.get(5))
    assert time.slept == [7.0]


def test_a_retry_after_beyond_the_cap_is_the_callers_business(colour: Colour, time: Time) -> None:
    script = Script(reply(429, b"", retry_after="3600"))
    with pytest.raises(RateLimited) as caught:
        colour.whiplash(script, time=time).call(lambda c: c.consumer_returns.get(5))
    assert (caught.value.retry_after, time.slept, len(script.requests)) == (3600.0, [], 1)


def test_nobody_is_sent_into_a_long_hold(colour: Colour, time: Time) -> None:
    script = Script(reply(429, b"", retry_after="3600"))
    whiplash = colour.whiplash(script, time=time)
    with pytest.raises(RateLimited):
        whiplash.call(lambda c: c.consumer_returns.get(5))
    with pytest.raises(RateLimited) as caught:
        whiplash.call(lambda c: c.consumer_returns.get(6))
    assert len(script.requests) == 1
    assert caught.value.retry_after == pytest.approx(3600)
    assert caught.value.maybe_applied is False


def test_a_503_says_how_long_on_a_call_in_doubt(colour: Colour) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        colour.loop(Script(reply(503, b"", retry_after="20"))).call(lambda c: c.returns.process(5))
    assert caught.value.retry_after == 20.0


def test_a_create_whose_answer_cannot_be_read_was_carried_out(colour: Colour) -> None:
    with pytest.raises(DecodeError) as caught:
        colour.whiplash(Script(reply(201, b"{}"))).call(lambda c: c.consumer_returns.create(CREATE))
    assert caught.value.maybe_applied is True
    assert caught.value.status == 201


def test_no_retries_when_told_so(colour: Colour) -> None:
    script = Script(NotSent())
    with pytest.raises(ConnectionFailed):
        colour.loop(script, retry=Retry(attempts=1)).call(lambda c: c.returns.get(5))
    assert len(script.requests) == 1


@pytest.mark.parametrize("outcome", [NotSent(), Interrupted(), reply(429, b""), reply(503, b""), reply(401, b"")])
def test_once_means_once_whatever_comes_of_it(colour: Colour, outcome: Any) -> None:
    for call in (get_return(5), process_return(5)):
        script = Script(outcome)
        loop = colour.loop(script)
        with pytest.raises(ApiError):
            loop.call(lambda c, loop=loop, call=call: c.run(loop.client.session.perform(call, once=True)))
        assert len(script.requests) == 1


def test_what_before_send_raises_stops_the_request(colour: Colour) -> None:
    script = Script()
    loop = colour.loop(script)

    def too_late() -> None:
        raise ConnectionFailed("paused too long; nothing was sent")

    with pytest.raises(ConnectionFailed, match="paused"):
        loop.call(lambda c: c.run(loop.client.session.perform(process_return(5), once=True, before_send=too_late)))
    assert script.requests == []
