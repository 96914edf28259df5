"""From a field table to a builder: generated straight-line code first, the slow pass that explains second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from functools import partial
from textwrap import indent
from typing import Any, Self, TypeVar

import attrs
import cattrs

from loop_whiplash.errors import DecodeError

from .fields import ISO_LENGTHS, Column
from .json_text import NotJson, loads
from .values import BIG, Unreadable, read_money, read_number_id

T = TypeVar("T")
Builder = Callable[[Any], Any]

_builders: dict[type[Any], Builder] = {}

MAX_PROBLEMS = 100
"""So many are told of one payload."""


@attrs.frozen(kw_only=True)
class Record:
    """What all models share: `from_dict`, and in `raw` the payload it came from (the mapping itself, not a copy)."""

    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    @classmethod
    def from_dict(cls, payload: Mapping[str, Any]) -> Self:
        """Read one payload, of any published shape. Raises `DecodeError` naming every field that cannot be read."""
        return decode(cls, payload)

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read one payload from its JSON bytes. Raises `DecodeError`."""
        return decode_json(cls, body)


def decode(cls: type[T], payload: Any) -> T:
    """One model from its payload. Raises `DecodeError`."""
    try:
        built: T = (_builders.get(cls) or builder(cls))(payload)
        return built
    except Exception:  # the slow pass finds out what it was, or reads what the fast one would not
        return _explain(cls, payload)


def decode_many(cls: type[T], payload: Any) -> list[T]:
    """A JSON array of models. Raises `DecodeError`."""
    if not isinstance(payload, Sequence) or isinstance(payload, (str, bytes, bytearray)):
        raise DecodeError(
            f"a list of {cls.__name__} was expected, not {_name(payload)}", problems=(f"$: not an array but {_name(payload)}",)
        )
    return [decode(cls, row) for row in payload]


def decode_json(cls: type[T], body: bytes) -> T:
    """One model from its JSON bytes; numbers with a fraction are read exactly. Raises `DecodeError`."""
    try:
        payload = loads(body)
        try:
            built: T = (_builders.get(cls) or builder(cls))(payload)
            return built
        except Exception:
            payload = loads(body, exact=True)
    except NotJson as error:
        raise DecodeError(f"no {cls.__name__} can be read: {error}", problems=(f"$: {error}",)) from None
    return _explain(cls, payload)


# --------------------------------------------------------------------------------------------------- the fast pass


def columns(cls: type[Any]) -> list[tuple[str, Column]]:
    """The field table of a model: attribute, and how it is read."""
    return [(a.name, a.metadata["column"]) for a in attrs.fields(cls) if "column" in a.metadata]


def builder(cls: type[Any]) -> Builder:
    """The straight-line builder of a model, generated on first use."""
    if cls not in _builders:
        _builders[cls] = _generate(cls) if _is_its_table(cls) else partial(_explain, cls)
    return _builders[cls]


#: Reads up to 28 digits as they are, and raises at what is no number.
_EXACT = Context(prec=28, traps=[InvalidOperation])


def _money_in_text(value: Any) -> Decimal | None:
    if isinstance(value, float):
        raise Unreadable("read again, exactly")
    return read_money(value)


def _generate(cls: type[Any]) -> Builder:
    scope: dict[str, Any] = {
        "cls": cls, "new": object.__new__, "draft": _draft(cls), "decimal": _EXACT.create_decimal, "ZERO": Decimal("0.00"),
        "UTC": UTC, "BIG": BIG, "ISO": ISO_LENGTHS, "isoformat": datetime.fromisoformat, "exact": _money_in_text,
    }  # fmt: skip
    lines = ["get = d.get", "o = new(draft)", "o.raw = d"]
    for position, (name, column) in enumerate(columns(cls)):
        reader = f"read_{position}"
        scope[reader] = builder(column.of) if column.of is not None else column.kind.read
        lines += _code(name, column, reader)
        lines.append(f"o.{name} = v")
    lines += ["o.__class__ = cls", "return o"]
    source = "def build(d):\n" + indent("\n".join(lines), "    ")
    exec(compile(source, f"<builder of {cls.__name__}>", "exec"), scope)  # noqa: S102 - our own tables; no outside text enters # nosec B102
    build: Builder = scope["build"]
    return build


def _code(name: str, column: Column, reader: str) -> list[str]:
    """The lines that leave the value of one field in `v`."""
    if column.whole:
        return [f"v = {reader}(d)"]
    names = column.names or (name,)
    code = [f"v = get({names[0]!r})"] + [f"if v is None: v = get({other!r})" for other in names[1:]]
    if column.many:
        code.append(f"if v: v = tuple(map({reader}, v))\nelif v is None or v == [] or v == '': v = ()\nelse: raise ValueError")
    elif column.of is not None:
        code.append(f"if v is not None: v = {reader}(v)")
    else:
        code.append(column.kind.inline.format(read=reader, exact="exact"))
    if column.required:
        code.append("if v is None: raise ValueError")
    return code


def _draft(cls: type[Any]) -> type[Any]:
    """A mutable class of the same layout: a value is drafted in it, then given its frozen class.

    A frozen class pays a function call for each attribute it sets, which is a third of all decoding.
    """
    mutable = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(f"{cls.__name__}Draft", (cls,), mutable)


def _is_its_table(cls: type[Any]) -> bool:
    """A class that is nothing but its field table. One that adds fields or a step of its own is made by its own constructor."""
    fields = attrs.fields(cls)
    return not hasattr(cls, "__attrs_post_init__") and all("column" in each.metadata or each.name == "raw" for each in fields)


# --------------------------------------------------------------------------------------------------- the slow pass


def _name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (list, tuple)):
        return "an array"
    if isinstance(value, (int, float, Decimal)):
        return "a number"
    return type(value).__name__


def _explain(cls: type[T], payload: Any) -> T:
    problems: list[str] = []
    built: T | None = _read(cls, payload, "$", problems)
    if built is not None and not problems:
        return built
    known = _known_id(payload)
    which = "" if known is None else f" {known}"
    many = f"; and {len(problems) - 5} more" if len(problems) <= MAX_PROBLEMS else "; and many more"
    shown = "; ".join(problems[:5]) + (many if len(problems) > 5 else "")
    raise DecodeError(
        f"{cls.__name__}{which} cannot be read: {shown}. Nothing was done with it; compare the payload with the vendor's documentation",
        problems=tuple(problems[:MAX_PROBLEMS]),
    )


def _known_id(payload: Any) -> int | None:
    try:
        return read_number_id(payload.get("id"))
    except (Unreadable, AttributeError):
        return None


def _read(cls: type[Any], payload: Any, path: str, problems: list[str]) -> Any:
    if not isinstance(payload, Mapping):
        problems.append(f"{path}: not an object but {_name(payload)}")
        return None
    facts: dict[str, Any] = {}
    before = len(problems)
    for name, column in columns(cls):
        names = column.names or (name,)
        key = next((key for key in names if payload.get(key) is not None), names[0])
        value = payload if column.whole else payload.get(key)
        here = f"{path}.{key}"
        found: list[str] = []
        if column.many:
            facts[name] = _read_many(column, value, here, found)
        elif column.of is not None:
            facts[name] = None if value is None or (column.soft and value in ("", "N/A", [])) else _read(column.of, value, here, found)
        else:
            facts[name] = _read_value(column, value, here, found)
        if found and column.soft:
            facts[name] = facts[name] if column.many else column.kind.empty
            found = []
        if column.required and facts[name] is None and not found:
            found.append(f"{here}: missing")
        problems.extend(found)
    return cls(raw=payload, **facts) if len(problems) == before else None


def _read_value(column: Column, value: Any, here: str, problems: list[str]) -> Any:
    try:
        return column.kind.read(value) if value is not None else column.kind.empty
    except Unreadable as error:
        problems.append(f"{here}: {error} but {_name(value)}")
        return None


def _read_many(column: Column, value: Any, here: str, problems: list[str]) -> tuple[Any, ...]:
    assert column.of is not None
    if value is None or value == "" or value == "N/A":
        return ()
    rows: Iterable[tuple[Any, Any]]
    if isinstance(value, (list, tuple)):
        rows = enumerate(value)
    elif isinstance(value, Mapping) and all(str(key).isdecimal() for key in value):
        rows = value.items()  # PHP writes an array whose keys have gaps as an object: {"0": …, "2": …}
    else:
        problems.append(f"{here}: not an array but {_name(value)}")
        return ()
    read = []
    for position, row in rows:
        found: list[str] = []
        read.append(_read(column.of, row, f"{here}[{position}]", found))
        if not column.soft:
            problems.extend(found)
        if len(problems) > MAX_PROBLEMS:
            break  # one broken payload is not worth a description larger than itself
    return tuple(row for row in read if row is not None)


# ---------------------------------------------------------------------------------------------------------- cattrs

converter: cattrs.Converter = cattrs.Converter()
"""Structures every `Record` through its builder: ``converter.structure(rows, list[Return])``. Private to this library."""

converter.register_structure_hook_func(
    lambda kind: isinstance(kind, type) and issubclass(kind, Record), lambda payload, kind: decode(kind, payload)
)
