"""How one value is read: a function for each kind, each of which gives the value, or None for "nothing", or raises `Unreadable`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dateutil.parser import isoparse

MAX_UNITS = 2**31
"""Whole numbers in a quantity lie below this."""

BIG = 10**18
"""Whole numbers and numeric ids lie below this, and so fit into 64 bits wherever they are stored."""

_MONEY = re.compile(r"[+-]?(\d{1,15}(\.\d{0,8})?|\.\d{1,8})", re.ASCII)
_WHOLE = re.compile(r"\s*([+-]?\d{1,18})(\.0*)?\s*", re.ASCII)


class Unreadable(Exception):
    """One value cannot be read as what it should be; its text says what it should have been. Stays inside."""


def is_nothing(value: object) -> bool:
    """Null, ``""`` and ``"N/A"``: both vendors' ways to say that there is nothing."""
    return value is None or value == "" or value == "N/A"


def read_text(value: object) -> str | None:
    """Text; a whole number is taken as its digits."""
    if isinstance(value, str):
        return None if is_nothing(value) else str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
        return str(value)
    raise Unreadable("not text")


def read_ident(value: object) -> str | None:
    """An id, as text: vendors send the same id as a number or as text. Safe beyond 2**53."""
    if isinstance(value, str):
        return None if is_nothing(value) else str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
        return str(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**40 and value == value.to_integral_value():
        return str(int(value))
    raise Unreadable("not an id")


def read_number(value: object) -> int | None:
    """A whole number, as a number or as its digits: ``5``, ``"5"``, ``5.0``; not ``5.9``, not ``true``."""
    if isinstance(value, bool):
        raise Unreadable("not a whole number")
    if isinstance(value, int):
        if abs(value) < BIG:
            return int(value)
    elif isinstance(value, str):
        if is_nothing(value):
            return None
        found = _WHOLE.fullmatch(value)
        if found:
            return int(found[1])
    elif (isinstance(value, float) and abs(value) < 10**15 and value == int(value)) or (
        isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**15 and value == int(value)
    ):
        return int(value)
    raise Unreadable("not a whole number")


def read_number_id(value: object) -> int | None:
    """A vendor's numeric id: a whole number above zero."""
    number = read_number(value)
    if number is not None and number <= 0:
        raise Unreadable("not an id")
    return number


def read_count(value: object) -> int:
    """A quantity of units; nothing is 0. It may be negative: what that means is for those who count."""
    number = read_number(value)
    if number is None:
        return 0
    if abs(number) >= MAX_UNITS:
        raise Unreadable("not a quantity")
    return number


def read_money(value: object) -> Decimal | None:
    """An amount in major units. Up to 15 digits before the point, 8 behind it."""
    if isinstance(value, bool):
        raise Unreadable("not a decimal")
    if isinstance(value, float):
        value = repr(value)  # the shortest text that means this float: the amount as written, for up to 15 digits
        if len(value) > 16:
            raise Unreadable("not a decimal that a float can carry")
    if isinstance(value, int) and abs(value) < 10**15:
        return Decimal(int(value))
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**15 and _digits_behind_point(value) <= 8:
        return value
    if isinstance(value, str):
        if is_nothing(value):
            return None
        if _MONEY.fullmatch(digits := value.strip()):
            return Decimal(digits)
    raise Unreadable("not a decimal")


def _digits_behind_point(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def read_time(value: object) -> datetime | None:
    """A point in time, in UTC. Times without an offset are UTC: both systems say so where they can be compared."""
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, str):
        if is_nothing(value):
            return None
        try:
            found = isoparse(value)
        except (ValueError, OverflowError, TypeError):
            raise Unreadable("not an ISO 8601 time") from None
    else:
        raise Unreadable("not an ISO 8601 time")
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable("not a time within the calendar") from None


def read_flag(value: object) -> bool | None:
    """true or false, and nothing else: ``"false"`` is not a boolean."""
    if isinstance(value, bool):
        return value
    if is_nothing(value):
        return None
    raise Unreadable("not true or false")


def read_texts(value: object) -> tuple[str, ...]:
    """Several texts; a single one is one of its kind."""
    if is_nothing(value):
        return ()
    many = value if isinstance(value, (list, tuple)) else (value,)
    return tuple([text for each in many if each is not None and (text := read_text(each)) is not None])


def read_mapping(value: object) -> Mapping[str, Any] | None:
    """An object whose fields are somebody else's; an empty array is one that PHP wrote."""
    if isinstance(value, Mapping):
        return value
    if is_nothing(value) or value == []:
        return None
    raise Unreadable("not an object")


def as_is(value: object) -> Any:
    """What a nested model reads by itself."""
    return value
