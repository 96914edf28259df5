"""Error bodies of every shape either vendor has been seen to send, and of none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_whiplash.http.failures import said, shown_path

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "errors", "message", "content", "code", "http_code", "x"]), inner, max_size=5)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "message", "code", "fields"),
    [
        ({"message": "m"}, "m", None, {}),
        ({"content": "m"}, "m", None, {}),
        ({"error": "m"}, "m", None, {}),
        ({"error": ["m", "n"]}, "m; n", None, {}),
        ({"errors": "m"}, "m", None, {}),
        ({"errors": ["m", "n"]}, "m; n", None, {}),
        ({"errors": [{"message": "m", "code": "C"}]}, "m", "C", {}),
        ({"errors": {"message": "m", "code": "C"}}, "m", "C", {}),
        ({"errors": {"code": "NOT_FOUND"}}, None, "NOT_FOUND", {}),
        ({"error": {"code": "401", "http_code": "GEN-UNAUTHORIZED", "message": "m"}}, "m", "GEN-UNAUTHORIZED", {}),
        ({"error": {"code": 401, "message": "m"}}, "m", "401", {}),
        ({"code": "C", "message": "m"}, "m", "C", {}),
        ({"message": "m", "errors": {"f": ["x", "y"], "g": "z"}}, "m", None, {"f": ("x", "y"), "g": ("z",)}),
        ({"errors": {"base": ["x"]}}, "base: x", None, {"base": ("x",)}),
        ({"error": "invalid_grant", "error_description": "used"}, "used", None, {}),
        ("m", "m", None, {}),
        (False, None, None, {}),
        (None, None, None, {}),
        ([], None, None, {}),
        (3, None, None, {}),
    ],
)
def test_shapes(body: object, message: str | None, code: str | None, fields: dict[str, tuple[str, ...]]) -> None:
    found = said(json.dumps(body).encode())
    assert (found.message, found.code, dict(found.fields)) == (message, code, fields)


def test_text_is_a_message_and_a_page_is_none() -> None:
    assert said(b"Rate limit exceeded").message == "Rate limit exceeded"
    assert said(b"<!doctype html><html>").message is None
    assert said(b"").message is None
    assert said(b"\xff\xfe").message is not None


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Return is closed and therefore cannot be processed.", "closed"),
        ("return is OPEN and therefore", "open"),
        ("Return is already cancelled", "cancelled"),
        ("Return cannot be modified.", None),
        ("", None),
    ],
)
def test_the_state_in_a_refusal(text: str, state: str | None) -> None:
    assert said(json.dumps({"message": text}).encode()).state == state


@given(body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read(body: bytes) -> None:
    found = said(body)
    assert found.message is None or isinstance(found.message, str)
    assert found.code is None or isinstance(found.code, str)
    assert all(isinstance(text, str) for texts in found.fields.values() for text in texts)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/warehouse/return/5/process", "/warehouse/return/5/process"),
        ("/meta_fields", "/meta_fields"),
        ("/allowlists/jane@shop.example", "/allowlists/…"),
        ("/x/0f8fad5b-d9cb-469f-a165-70867728950e", "/x/…"),
    ],
)
def test_paths_are_shown_without_what_may_be_personal(path: str, shown: str) -> None:
    assert shown_path(path) == shown
