"""Policies and decisions from plain data and back, strictly: a wrong value is an error with its path, never a guess."""

from __future__ import annotations

import operator
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache, partial
from pathlib import Path
from typing import Any

import attrs
import cattrs

from loop_whiplash.errors import ConfigurationError, PolicyError
from loop_whiplash.redaction import meant

from .decision import Decision, Verdict
from .policy import Policy, Profile

__all__ = [
    "decision_from_dict",
    "decision_to_dict",
    "length_from_text",
    "length_to_text",
    "policy_from_dict",
    "policy_from_toml",
    "policy_to_dict",
]

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = r"(\d{1,9}(?:\.\d{1,6})?)\s*(w|d|h|m|s|weeks?|days?|hours?|min(?:utes?)?|sec(?:onds?)?)"
_LENGTH = re.compile(rf"(?:\s*{_PART}(?![a-z]))+\s*", re.IGNORECASE)
_MICROSECOND = timedelta(microseconds=1)


def length_from_text(text: str) -> timedelta:
    """
    >>> length_from_text("1d 12h"), length_from_text("90 minutes")
    (datetime.timedelta(days=1, seconds=43200), datetime.timedelta(seconds=5400))
    """
    if not _LENGTH.fullmatch(text):
        raise ValueError(f"{text!r} is not a length of time; write it like '3d', '36h' or '1d 12h'")
    parts = re.findall(_PART, text, re.IGNORECASE)
    return sum((int(Decimal(number) * _SECONDS[unit[0].lower()] * 1_000_000) * _MICROSECOND for number, unit in parts), timedelta(0))


def length_to_text(length: timedelta) -> str:
    """
    >>> length_to_text(timedelta(days=1, hours=12)), length_to_text(timedelta(0))
    ('1d 12h', '0s')
    """
    left = length // _MICROSECOND
    parts = []
    for unit in "dhm":
        count, left = divmod(left, _SECONDS[unit] * 1_000_000)
        parts += [f"{count}{unit}"] if count else []
    if left or not parts:
        seconds = Decimal(left) / 1_000_000
        parts.append(f"{seconds:f}s")
    return " ".join(parts)


# ------------------------------------------------------------------------------------------------------- strict reading


def _exactly(wanted: type, words: str) -> Callable[[Any, Any], Any]:
    def read(value: Any, _: Any) -> Any:
        if type(value) is not wanted:
            raise ValueError(f"{value!r} is not {words}")
        return value

    return read


def _read_amount(value: Any, _: Any) -> Decimal:
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        try:
            return Decimal(value)
        except InvalidOperation:
            pass
    raise ValueError(f"{value!r} is not an amount; write it as text, like '19.90'")


def _read_length(value: Any, _: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a length of time; write it like '3d', '36h' or '1d 12h'")
    return length_from_text(value)


def _read_time(value: Any, _: Any) -> datetime:
    time = datetime.fromisoformat(value) if isinstance(value, str) else None
    if time is None or time.utcoffset() is None:
        raise ValueError(f"{value!r} is not a time with its zone, like '2026-01-05T10:00:00+00:00'")
    return time


def _read_verdict(value: Any, _: Any) -> Verdict:
    try:
        return Verdict(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a verdict; it may be {', '.join(Verdict)}") from None


@cache
def _converter(*, strict: bool) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=strict)
    for wanted, words in ((str, "text"), (int, "a whole number"), (bool, "true or false")):
        converter.register_structure_hook(wanted, _exactly(wanted, words))
    # A verdict is text too, and the hook for text would leave it that.
    for read in (_read_amount, _read_length, _read_time, _read_verdict):
        converter.register_structure_hook(read)
    # cattrs takes any iterable for a tuple, and text is one.
    for item in (str, int):
        converter.register_structure_hook_func(partial(operator.eq, tuple[item, ...]), _reader_of_many(converter, item))  # type: ignore[valid-type]
    return converter


def _reader_of_many(converter: cattrs.Converter, item: type) -> Callable[[Any, Any], tuple[Any, ...]]:
    def read(value: Any, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{value!r} is not a list")
        return tuple(converter.structure(value, list[item]))  # type: ignore[valid-type]

    return read


def _problems(error: Exception, path: str = "$") -> list[str]:
    return cattrs.transform_error(error, path=path, format_exception=_say)


def _say(error: BaseException, _: Any) -> str:
    if isinstance(error, cattrs.errors.ForbiddenExtraKeysError):
        known = sorted([field.name for field in attrs.fields(error.cl)] + ["profiles"] * (error.cl is _PlainPolicy))
        unknown = ", ".join(f"{name!r}{meant(name, known)}" for name in sorted(error.extra_fields))
        return f"unknown setting {unknown}; known are {', '.join(known)}"
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return str(error)


# ------------------------------------------------------------------------------------------------------------ policies


def policy_from_dict(settings: Mapping[str, Any]) -> Policy:
    """A profile's ``policy`` needs to hold only what differs from the policy around it."""
    if not isinstance(settings, Mapping):
        raise PolicyError(f"a policy is read from a mapping; this is a {type(settings).__name__}")
    around = {key: value for key, value in settings.items() if key != "profiles"}
    policy = _read_policy(around, "$")
    rows = settings.get("profiles", ())
    if not isinstance(rows, (list, tuple)):
        raise PolicyError(f"$.profiles: {rows!r} is not a list")
    profiles = []
    for place, row in enumerate(rows):
        path = f"$.profiles[{place}]"
        if not isinstance(row, Mapping):
            raise PolicyError(f"{path}: {row!r} is not a mapping")
        own = row.get("policy", {})
        if not isinstance(own, Mapping) or "profiles" in own:
            raise PolicyError(f"{path}.policy: must be a mapping of settings, without profiles of its own")
        inner = _read_policy({**around, "name": row.get("name"), **own}, f"{path}.policy")
        rest = {key: value for key, value in row.items() if key != "policy"}
        profiles.append(_structure(_ProfileConditions, rest, path).profile(inner, path))
    return attrs.evolve(policy, profiles=profiles)


def _read_policy(settings: Mapping[str, Any], path: str) -> Policy:
    plain = _structure(_PlainPolicy, settings, path)
    try:
        return Policy(**{name: getattr(plain, name) for name in settings})
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error


def _structure(cls: type[Any], data: Mapping[str, Any], path: str) -> Any:
    try:
        return _converter(strict=True).structure(data, cls)
    except Exception as error:
        raise PolicyError("; ".join(_problems(error, path))) from error


def _twin(cls: type[Any], name: str, without: tuple[str, ...]) -> type[Any]:
    """The same fields and types without checks: cattrs tells where a value is of the wrong type, the class itself what cannot be."""
    attrs.resolve_types(cls)
    fields = {
        field.name: attrs.field(type=field.type, default=field.default)
        for field in attrs.fields(cls)
        if field.init and field.name not in without
    }
    return attrs.make_class(name, fields)


_PlainPolicy = _twin(Policy, "PlainPolicy", ("profiles",))


class _ProfileConditions(_twin(Profile, "Conditions", ("policy",))):  # type: ignore[misc]
    def profile(self, policy: Policy, path: str) -> Profile:
        try:
            return Profile(policy=policy, **{field.name: getattr(self, field.name) for field in attrs.fields(type(self))})
        except PolicyError as error:
            raise PolicyError(f"{path}: {error}") from error


def policy_from_toml(source: str | os.PathLike[str], table: str) -> Policy:
    if isinstance(source, str) and (not source.strip() or any(sign in source for sign in "=\n[")):
        text, where = source, "the TOML text"
    else:
        where = os.fspath(source)
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyError(f"the policy in {where} cannot be read: {error}") from error
    try:
        data: Any = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{where} is no TOML: {error}") from error
    for part in filter(None, table.split(".")):
        if not isinstance(data, Mapping) or part not in data:
            raise PolicyError(f"{where} has no table [{table}]")
        data = data[part]
    try:
        return policy_from_dict(data)
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from error


def policy_to_dict(policy: Policy) -> dict[str, Any]:
    return {field.name: _plain(getattr(policy, field.name)) for field in attrs.fields(Policy) if field.init}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, timedelta):
        return length_to_text(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Policy):
        return {name: item for name, item in policy_to_dict(value).items() if name != "profiles"}
    if isinstance(value, Profile):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(Profile)}
    return value


# ----------------------------------------------------------------------------------------------------------- decisions


def decision_to_dict(decision: Decision) -> dict[str, Any]:
    def plain(_: type, __: attrs.Attribute[Any] | None, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return getattr(value, "value", value)

    data = attrs.asdict(decision, filter=lambda field, _: bool(field.init), value_serializer=plain)
    return {name: _lists(value) for name, value in data.items()}


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lists(item) for name, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, (tuple, list)) else value


def decision_from_dict(data: Mapping[str, Any]) -> Decision:
    """Fields that a later version adds are passed over."""
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"a decision is read from a mapping; this is a {type(data).__name__}")
    try:
        return _converter(strict=False).structure(data, Decision)
    except Exception as error:
        raise ConfigurationError(f"not a stored decision: {'; '.join(_problems(error))}") from error
