"""For any bytes and any header mapping both parsers give an event or raise our own error. 20,000 requests, each to both."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixture_files import fixture_bytes
from loop_whiplash import (
    ConsumerReturnEvent,
    InvalidSignature,
    LabelEvent,
    MalformedPayload,
    OtherLoopEvent,
    OtherWhiplashEvent,
    ProcessingFailed,
    ReturnEvent,
    parse_loop_webhook,
    parse_whiplash_webhook,
    sign_loop,
    sign_whiplash,
)

EVENTS = (ReturnEvent, LabelEvent, ProcessingFailed, OtherLoopEvent, ConsumerReturnEvent, OtherWhiplashEvent)
REQUESTS = 20_000

NAMES = st.sampled_from(["X-Loop-Signature", "x-loop-signature", b"X-WHIPLASH-SIGNATURE", "x-whiplash-SIGNATURE", "host", "", None, 5])
VALUES = st.one_of(st.text(max_size=12), st.binary(max_size=12), st.none(), st.lists(st.text(max_size=3), max_size=3), st.just("é" * 44))
HEADERS = st.dictionaries(NAMES, VALUES, max_size=3)
PIECES = [
    b"{", b"}", b"[", b"]", b":", b",", b'"topic":', b'"trigger":', b'"return"', b'"label"', b'"return.processing"', b'"id":', b"1", b"-1",
    b'"return.processing.failed"', b'"return_id":', b'"line_items":', b'"line_item_id":', b'"consumer_return":', b'"event_name":', b"0.1",
    b'"consumer_return.completed"', b'"return_items":', b"1e999", b"NaN", b"null", b"true", b'"', b'"\\ud800"', b"\xff", b"\x00",
    b"<webhook>", b" ", b"\\", b"7" * 30,
]  # fmt: skip
GENUINE = [
    fixture_bytes("return_webhook"),
    b'{"topic":"label","trigger":"label.updated","id":7,"label_status":"delivered","label_updated_at":"2026-02-11T09:15:30.000Z"}',
    b'{"topic":"return.processing","trigger":"return.processing.failed","return_id":7,"return_state":"open","message":null}',
    b'{"event_name":"consumer_return.completed","consumer_return":' + fixture_bytes("consumer_return") + b"}",
]
BODIES = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))


def holds(body: bytes, headers: Mapping[Any, Any]) -> None:
    """An event, or our own error; never an event that nobody signed."""
    for parse, sign in ((parse_loop_webhook, sign_loop), (parse_whiplash_webhook, sign_whiplash)):
        try:
            parse(body, headers, ["secret"])
        except InvalidSignature:
            pass
        else:
            raise AssertionError("a request nobody signed was taken")
        try:
            event = parse(body, {**headers, **sign(body, "secret")}, ["other", "secret"])
        except MalformedPayload as error:
            return_id: Any = error.return_id
        else:
            assert isinstance(event, EVENTS)
            return_id = getattr(event, "return_id", None)
        assert return_id is None or type(return_id) is int


@settings(max_examples=500, deadline=None)
@given(body=BODIES, headers=HEADERS, how=st.integers(0, 2))
def test_any_bytes_and_any_headers(body: bytes, headers: dict[Any, Any], how: int) -> None:
    if how == 1:
        body = b'{"topic":"return","id":7,"line_items":[' + body + b"]}"
    elif how == 2:
        body = b'{"consumer_return":{"id":7},' + body + b"}"
    holds(body, headers)


def mutated(dice: random.Random) -> bytes:
    """Bytes without sense, pieces without order, or a genuine message in which a few places were changed."""
    kind = dice.randrange(4)
    if kind == 0:
        return dice.randbytes(dice.randrange(60))
    if kind == 1:
        return b"".join(dice.choices(PIECES, k=dice.randrange(14)))
    body = bytearray(dice.choice(GENUINE))
    for _ in range(dice.randrange(1, 6)):
        at = dice.randrange(len(body))
        body[at : at + dice.randrange(4)] = dice.choice(PIECES) if dice.random() < 0.7 else dice.randbytes(2)
    return bytes(body[: dice.randrange(len(body))] if dice.random() < 0.1 else body)


def some_headers(dice: random.Random) -> dict[Any, Any]:
    names: list[Any] = ["X-Loop-Signature", "x-loop-signature", b"X-WHIPLASH-SIGNATURE", "x-whiplash-SIGNATURE", "host", "", None, 5]
    values: list[Any] = ["", "x" * 44, "é" * 44, "\ud800", b"\xff" * 64, None, 5, [], ["a", None], "=" * 44, dice.randbytes(4), "0" * 64]
    return {dice.choice(names): dice.choice(values) for _ in range(dice.randrange(4))}


@pytest.mark.parametrize("seed", range(4))
def test_twenty_thousand_requests(seed: int) -> None:
    dice = random.Random(seed)
    for number in range(REQUESTS // 4):
        body, headers = mutated(dice), some_headers(dice)
        try:
            holds(body, headers)
        except Exception as error:
            raise AssertionError(f"request {number} of seed {seed}: {body!r} {headers!r}") from error
