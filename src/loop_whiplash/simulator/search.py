"""Whiplash's search: one JSON object of ``attribute_predicate`` conditions, in the manner of Ransack, and ``sort``.

https://help.whiplash.com/hc/en-us/articles/360050407332: conditions are joined with AND, or with OR when ``"m": "or"`` is given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

__all__ = ["BadSearch", "chosen", "narrowed", "parse", "sorted_rows"]

T = TypeVar("T")
Row = Mapping[str, Any]


class BadSearch(Exception):
    """The search names nothing that can be searched; the text is for the reply."""


def _like(pattern: Any, value: Any) -> bool:
    regex = "".join(".*" if char == "%" else "." if char == "_" else re.escape(char) for char in str(pattern))
    return re.fullmatch(regex, str(value), re.IGNORECASE | re.DOTALL) is not None


def _contains(part: Any, value: Any) -> bool:
    return str(part).lower() in str(value).lower()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


# Predicate → does one present value satisfy it. Longest names first, so that ``not_eq`` is not read as ``eq`` of an attribute ``…_not``.
PREDICATES: dict[str, Callable[[Any, Any], bool]] = {
    "does_not_match": lambda given, value: not _like(given, value),
    "not_cont_any": lambda given, value: not any(_contains(each, value) for each in _listed(given)),
    "not_cont_all": lambda given, value: not all(_contains(each, value) for each in _listed(given)),
    "not_cont": lambda given, value: not _contains(given, value),
    "cont_any": lambda given, value: any(_contains(each, value) for each in _listed(given)),
    "cont_all": lambda given, value: all(_contains(each, value) for each in _listed(given)),
    "not_null": lambda given, value: True,
    "not_eq": lambda given, value: _same(given, value) != 0,
    "not_in": lambda given, value: all(_same(each, value) != 0 for each in _listed(given)),
    "matches": _like,
    "start": lambda given, value: str(value).lower().startswith(str(given).lower()),
    "gteq": lambda given, value: _compare(value, given, lambda order: order >= 0),
    "lteq": lambda given, value: _compare(value, given, lambda order: order <= 0),
    "cont": _contains,
    "null": lambda given, value: False,
    "eq": lambda given, value: _same(given, value) == 0,
    "gt": lambda given, value: _compare(value, given, lambda order: order > 0),
    "lt": lambda given, value: _compare(value, given, lambda order: order < 0),
    "in": lambda given, value: any(_same(each, value) == 0 for each in _listed(given)),
}
NEGATIVE = ("does_not_match", "not_cont_any", "not_cont_all", "not_cont", "not_eq", "not_in", "null")


def _order(given: Any, value: Any) -> int | None:
    """-1, 0 or 1 as `given` is below, equal to or above the stored `value`; None when they cannot be compared."""
    if isinstance(value, datetime):
        try:
            at = datetime.fromisoformat(str(given))
        except ValueError:
            return None
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        stored = value.replace(microsecond=value.microsecond // 1000 * 1000)
        return (at > stored) - (at < stored)
    if isinstance(value, bool):
        wanted = str(given).lower() in ("true", "1", "t")
        return (wanted > value) - (wanted < value)
    if isinstance(value, int):
        try:
            number = int(str(given))
        except ValueError:
            return None
        return (number > value) - (number < value)
    text = str(given)
    return (text > str(value)) - (text < str(value))


def _same(given: Any, value: Any) -> int | None:
    return _order(given, value)


def _compare(value: Any, given: Any, test: Callable[[int], bool]) -> bool:
    order = _order(given, value)
    return order is not None and test(-order)


def parse(text: str | None) -> dict[str, Any]:
    """The JSON object of a ``search`` parameter; nothing given is an empty one. Raises `BadSearch`."""
    if not text:
        return {}
    try:
        search = json.loads(text)
    except ValueError:
        raise BadSearch("search is not JSON") from None
    if not isinstance(search, dict):
        raise BadSearch("search is not a JSON object")
    return search


def narrowed(search: Mapping[str, Any], rows: Iterable[T], fields: Mapping[str, Callable[[T], Any]]) -> Iterable[T]:
    """Fewer rows to look at: those that have what is asked for in a field that can be read without making a view."""
    if search.get("m") != "or":
        for field, read in fields.items():
            for predicate in ("eq", "in"):
                if (given := search.get(f"{field}_{predicate}")) is not None:
                    equals = _equal(given if predicate == "in" else [given])
                    rows = [row for row in rows if equals(read(row))]
    return rows


def chosen(search: Mapping[str, Any], rows: Iterable[T], view: Callable[[T], Row]) -> list[T]:
    """The rows whose view satisfies the search. All views have the same attributes. Raises `BadSearch` when there is a row to look at."""
    conditions: list[tuple[str, Callable[[Any], bool]]] | None = None
    how = any if search.get("m") == "or" else all
    found: list[T] = []
    for row in rows:
        seen = view(row)
        if conditions is None:
            conditions = [_condition(name, given, seen) for name, given in search.items() if name != "m"]
        if not conditions or how([test(seen[attribute]) for attribute, test in conditions]):
            found.append(row)
    return found


def _condition(name: str, given: Any, row: Row) -> tuple[str, Callable[[Any], bool]]:
    """The attribute a condition names, and the test of its value: one, none, or a list (an association) of which any may do."""
    for predicate, test in PREDICATES.items():
        attribute = name.removesuffix(f"_{predicate}")
        if attribute != name and attribute in row:
            if predicate in ("eq", "in"):
                return attribute, _equal(given if predicate == "in" else [given])
            return attribute, partial(_fits, test, given, predicate in NEGATIVE)
    raise BadSearch(f"cannot search by {name}")


def _fits(test: Callable[[Any, Any], bool], given: Any, negative: bool, value: Any) -> bool:
    if negative:
        return all(each is None or test(given, each) for each in _each(value))
    return any(each is not None and test(given, each) for each in _each(value))


def _equal(given: Any) -> Callable[[Any], bool]:
    """The commonest test of all, prepared once for all rows."""
    wanted = _listed(given)
    texts = {str(each) for each in wanted}
    numbers = {int(text) for text in texts if re.fullmatch(r"\s*[+-]?\d+\s*", text)}

    def equals(value: Any) -> bool:
        if type(value) is str:
            return value in texts
        if type(value) is int:
            return value in numbers
        return any(each is not None and any(_same(one, each) == 0 for one in wanted) for each in _each(value))

    return equals


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def sorted_rows(rows: Iterable[T], sort: str | None, view: Callable[[T], Row], default: str) -> list[T]:
    """Rows in the order of a sort such as ``name asc,created_at desc``. Raises `BadSearch`."""
    ordered = list(rows)
    parts: Sequence[str] = [part.strip() for part in (sort or default).split(",") if part.strip()]
    for part in reversed(parts):
        attribute, _, direction = part.partition(" ")
        if ordered and attribute not in view(ordered[0]):
            raise BadSearch(f"cannot sort by {attribute}")
        ordered.sort(key=lambda row: _sort_key(view(row)[attribute]), reverse=direction.strip().lower() == "desc")
    return ordered


def _sort_key(value: Any) -> tuple[bool, Any]:
    return (value is not None, "" if value is None else value)
