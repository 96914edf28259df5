"""Field specifiers: what stands beside an attribute of a model, and makes the class body its field table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .values import (
    as_is,
    read_count,
    read_flag,
    read_ident,
    read_mapping,
    read_money,
    read_number,
    read_number_id,
    read_text,
    read_texts,
    read_time,
)


@attrs.frozen
class Kind:
    """How one field is read: `read` always can; `inline` is the code for what arrives nearly always (`v` in, `v` out)."""

    read: Callable[[Any], Any]
    inline: str = "if v is not None: v = {read}(v)"
    empty: Any = None


_NONE_IF_NOTHING = "\n    if not v or v == 'N/A': v = None\n"
TEXT = Kind(read_text, "if type(v) is str:" + _NONE_IF_NOTHING + "elif v is not None: v = {read}(v)")
IDENT = Kind(
    read_ident,
    "if type(v) is str:" + _NONE_IF_NOTHING + "elif type(v) is int and -BIG < v < BIG: v = str(v)\nelif v is not None: v = {read}(v)",
)
NUMBER = Kind(read_number, "if v is not None and (type(v) is not int or not -BIG < v < BIG): v = {read}(v)")
NUMBER_ID = Kind(read_number_id, "if v is not None and (type(v) is not int or not 0 < v < BIG): v = {read}(v)")
COUNT = Kind(read_count, "if type(v) is not int or not -1 < v < 2147483648: v = 0 if v is None else {read}(v)", 0)
# "69.95": `decimal` is a context's `create_decimal`, which unlike Decimal refuses underscores and blanks; digits of other scripts it takes.
MONEY = Kind(
    read_money,
    "if v == '0.00': v = ZERO\n"
    "elif type(v) is str and 2 < len(v) < 16 and v[-3] == '.' and v.isascii(): v = decimal(v)\n"
    "elif v is not None: v = {exact}(v)",
)
# Lengths at which every form that `fromisoformat` takes means to `isoparse` the same.
TIME = Kind(
    read_time,
    "if v is not None:\n"
    "    if type(v) is str and len(v) == 19: v = isoformat(v + '+00:00')\n"
    "    elif type(v) is str and len(v) in ISO:\n"
    "        v = isoformat(v)\n"
    "        if v.tzinfo is not UTC: v = v.astimezone(UTC)\n"
    "    else: v = {read}(v)",
)
FLAG = Kind(read_flag, "if v is not None and v is not True and v is not False: v = {read}(v)")
TEXTS = Kind(read_texts, "v = () if v is None or v == [] or v == '' else {read}(v)", ())
MAPPING = Kind(read_mapping, "if v is not None and type(v) is not dict: v = {read}(v)")
NESTED = Kind(as_is, "")

ISO_LENGTHS = frozenset({20, 24, 25, 29})


@attrs.frozen
class Column:
    """One row of a field table: the names it arrives under (the first that is not null counts) and how it is read.

    `soft`: unreadable reads as `kind.empty`. `required`: it must be there. `of` and `many`: a nested model, one or a tuple.
    `whole`: `kind.read` gets the whole payload, for what depends on two fields.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    soft: bool = False
    required: bool = False
    of: type[Any] | None = None
    many: bool = False
    whole: bool = False


def _field(column: Column, *, repr: bool = True) -> Any:
    if column.required:
        return attrs.field(repr=repr, metadata={"column": column})
    return attrs.field(default=column.kind.empty, repr=repr, metadata={"column": column})


def text(*names: str, soft: bool = True, repr: bool = True) -> Any:
    """Text for people: unreadable is None. With ``soft=False`` it identifies something (a SKU) and must be readable."""
    return _field(Column(TEXT, names, soft=soft), repr=repr)


def ident(*names: str, required: bool = False) -> Any:
    """An id kept as text."""
    return _field(Column(IDENT, names, required=required))


def number_id(*names: str, required: bool = False) -> Any:
    """An id kept as a number."""
    return _field(Column(NUMBER_ID, names, required=required))


def number(*names: str, soft: bool = True) -> Any:
    """A whole number."""
    return _field(Column(NUMBER, names, soft=soft))


def count(*names: str) -> Any:
    """A quantity of units; nothing is 0."""
    return _field(Column(COUNT, names))


def money(*names: str) -> Any:
    """A `Decimal` in major units."""
    return _field(Column(MONEY, names))


def when(*names: str) -> Any:
    """An aware `datetime` in UTC."""
    return _field(Column(TIME, names, soft=True))


def flag(*names: str, soft: bool = True) -> Any:
    """True, False or None. With ``soft=False`` money hangs on it and anything else is an error."""
    return _field(Column(FLAG, names, soft=soft))


def texts(*names: str, repr: bool = True) -> Any:
    """A tuple of texts."""
    return _field(Column(TEXTS, names, soft=True), repr=repr)


def mapping(*names: str) -> Any:
    """An object as it came, or None; never shown. It can be changed, so it is no part of the hash."""
    return attrs.field(default=None, repr=False, hash=False, metadata={"column": Column(MAPPING, names, soft=True)})


def derived(read: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Read from the whole payload."""
    return _field(Column(Kind(read), whole=True))


def one(of: type[Any], *names: str, soft: bool = True, repr: bool = True) -> Any:
    """A nested model, or None."""
    return _field(Column(NESTED, names, soft=soft, of=of), repr=repr)


def many(of: type[Any], *names: str, soft: bool = False) -> Any:
    """A tuple of nested models. Soft: entries that cannot be read are left out."""
    return _field(Column(Kind(as_is, "", ()), names, soft=soft, of=of, many=True))
