"""Every public error survives pickle and copy, and belongs to the one tree."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

from loop_whiplash import errors
from loop_whiplash.errors import (
    ActionRefused,
    ApiError,
    DecodeError,
    ListIncomplete,
    LoopWhiplashError,
    OutcomeUnknown,
    UnresolvedItems,
    ValidationFailed,
)

FACTS: dict[str, Any] = {
    "system": "loop",
    "method": "POST",
    "path": "/warehouse/return/5/process",
    "status": 500,
    "code": "C",
    "request_id": "r-1",
    "retry_after": 2.5,
    "maybe_applied": True,
    "headers": {"date": "today"},
    "body": b"bytes",
    "return_id": 5,
}
OWN: dict[type[LoopWhiplashError], dict[str, Any]] = {
    ActionRefused: FACTS | {"state": "closed"},
    ValidationFailed: FACTS | {"fields": {"a": ("b", "c")}},
    DecodeError: FACTS | {"problems": ("$.a: not text",)},
    ListIncomplete: {"system": "loop", "windows": (("a", "b"),), "rows": 3, "unreadable": (("5", "$.id: missing"),), "missing": 2},
    UnresolvedItems: {"line_ids": ("1", "2"), "reasons": {"1": "no item"}, "return_id": 5},
}

ALL = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, LoopWhiplashError)]


def made(kind: type[LoopWhiplashError]) -> LoopWhiplashError:
    facts = OWN.get(kind, FACTS if issubclass(kind, ApiError) else {"return_id": 5})
    error = kind("something happened to return 5; do that", **facts)
    if isinstance(error, ApiError):
        error.detail, error.items_done = "their words", 20
    error.add_note("a note")
    return error


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "travel",
    [copy.copy, copy.deepcopy, *(lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6))],
)
def test_an_error_travels(kind: type[LoopWhiplashError], travel: Any) -> None:
    error = made(kind)
    found = travel(error)
    assert type(found) is kind
    assert (str(found), repr(found), found.args) == (str(error), repr(error), error.args)
    assert vars(found) == vars(error)
    assert found.return_id == error.return_id
    assert found.status_hint == error.status_hint


def test_every_error_is_exported_and_drawn_in_the_tree() -> None:
    names = {found.__name__ for found in ALL}
    assert names == set(errors.__all__)
    drawn = {
        word for line in (errors.__doc__ or "").splitlines() if "──" in line for word in line.replace("─", " ").split() if word in names
    }
    assert drawn == names - {"LoopWhiplashError"}


def test_whether_it_may_have_been_applied_is_said_by_default_only_where_it_is_unknown() -> None:
    for kind in ALL:
        if issubclass(kind, ApiError):
            assert kind("x").maybe_applied is (kind is OutcomeUnknown)


def test_bodies_and_headers_are_not_shown() -> None:
    error = ApiError("refused", body=b"jane@shop.example", headers={"date": "jane@shop.example"})
    assert "jane" not in str(error) + repr(error)


def test_a_subclass_of_ones_own_travels_too() -> None:
    error = pickle.loads(pickle.dumps(Mine("x", code="C")))
    assert (type(error), error.code) == (Mine, "C")


class Mine(ApiError):
    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message, **facts)
