"""Any JSON in any field: a value or a `DecodeError`, and both ways of reading agree."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_records import MODELS, WithField, smallest

from fixture_files import fixture
from loop_whiplash import ConsumerReturn, DecodeError, Return
from loop_whiplash.decoding import Record

KEYS = ["0", "1", "id", "x", "line_item_id", "price"]
LINE = ["line_item_id", "price", "sku", "returned_at", "outcome", "condition"]
ODD_TEXT = [
    "",
    "N/A",
    "n/a",
    "0",
    "0.00",
    "12.50",
    "1_0.00",
    "NaN",
    "1e5",
    "true",
    "2026-05-27 16:30:36",
    "2026-05-27T16:30:36+00:00",
    "2026-W01-1T10:00:00",
    "٣.٠٠",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-5, 5)
    | st.floats()
    | st.sampled_from(ODD_TEXT)
    | st.text(max_size=20)
    | st.text(alphabet="0123456789.-_+eE ", max_size=20)
    | st.decimals(allow_nan=True)
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3), max_leaves=6
)


def names_of(model: type[Record]) -> list[str]:
    fields = [each.name for each in attrs.fields(model) if each.name != "raw"]
    return fields + [name for each in attrs.fields(model) if "column" in each.metadata for name in each.metadata["column"].names]


def decoded(model: type[Record], payload: Any) -> Record | DecodeError:
    try:
        return model.from_dict(payload)
    except DecodeError as error:
        return error


@pytest.mark.parametrize("model", MODELS)
def test_any_json_in_any_field_of_any_model(model: type[Record]) -> None:
    @settings(max_examples=40, deadline=None)
    @given(changes=st.dictionaries(st.sampled_from(names_of(model)), JSON, min_size=1, max_size=4))
    def holds(changes: dict[str, Any]) -> None:
        payload = smallest(model) | changes
        found = decoded(model, payload)
        if isinstance(found, DecodeError):
            assert found.problems
            assert all(problem.startswith("$") for problem in found.problems)
            return
        assert type(found) is model
        for each in attrs.fields(model):
            value = getattr(found, each.name)
            assert not isinstance(value, float), each.name
            assert not (isinstance(value, str) and value in ("", "N/A")), each.name
            if isinstance(value, Decimal):
                assert value.is_finite()
            if isinstance(value, datetime):
                assert value.tzinfo is UTC
        assert hash(found) == hash(model.from_dict(payload))

    holds()


@settings(max_examples=150, deadline=None)
@given(payload=JSON)
def test_any_json_as_a_whole(payload: Any) -> None:
    for model in (Return, ConsumerReturn):
        decoded(model, payload)


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value, default=str).encode()))
def test_any_bytes(body: bytes) -> None:
    for model in (Return, ConsumerReturn):
        with contextlib.suppress(DecodeError):
            model.from_json(body)


# A class that adds a field is read by the slow pass alone; `Return` by the fast one wherever that can.
RETURN_FIELDS = [each.name for each in attrs.fields(Return) if each.name != "raw"]


def read(model: type[Return], payload: Any) -> object:
    found = decoded(model, payload)
    if isinstance(found, DecodeError):
        return found.problems
    return tuple(getattr(found, name) for name in RETURN_FIELDS)


@settings(max_examples=150, deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from(RETURN_FIELDS), JSON, min_size=1, max_size=3),
    line=st.dictionaries(st.sampled_from(LINE), JSON, max_size=3),
)
def test_the_fast_pass_and_the_careful_one_read_the_same(changes: dict[str, Any], line: dict[str, Any]) -> None:
    payload = fixture("return_list_row") | changes
    if line and isinstance(payload["line_items"], list):
        payload["line_items"] = [*payload["line_items"], line]
    assert read(Return, payload) == read(WithField, payload)


DATES = r"(\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d-?\d|\d{4}-\d{3})"
TIMES = st.from_regex(DATES + r"[T ](\d\d:?\d\d:?\d\d|\d\d:\d\d)([.,]\d{1,6})?(Z|[+-]\d\d(:?\d\d)?)?", fullmatch=True)
AMOUNTS = st.from_regex(r"[ +-]?[0-9_]{0,7}[.eE]?[0-9_]{0,5}", fullmatch=True) | st.text(alphabet="0123456789._٣eEInfNa+- ", max_size=12)


@settings(max_examples=250, deadline=None)
@given(time=TIMES, amount=AMOUNTS)
def test_times_and_amounts_read_the_same_both_ways(time: str, amount: str) -> None:
    for payload in ({"id": 1, "created_at": time}, {"id": 1, "refund": amount}, {"id": 1, "refund": amount, "created_at": time}):
        assert read(Return, payload) == read(WithField, payload)
