"""A `Journal` as strict JSON. Versioned: a journal of a newer version is refused, never guessed at.

What stands at its default is left out, so that the journal of an ordinary return takes a few hundred bytes. Reading is
as strict as writing: this JSON is ours alone, so a field of the wrong type means the wrong data, not a new vendor field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import attrs

from loop_whiplash.errors import LedgerError

from .model import EMPTY, Acknowledged, Act, Create, Journal, Seen

__all__ = ["VERSION", "journal_from_dict", "journal_to_dict"]

VERSION = 1


class _Wrong(Exception):
    """What a reader says of a value; the path is put before it on the way out."""


class _Codec(Protocol):
    """How one kind of value is written and read back."""

    def write(self, value: Any) -> Any: ...
    def read(self, value: Any) -> Any: ...


@attrs.frozen
class _Plain:
    """What JSON has a type of its own for."""

    kind: type
    name: str

    def write(self, value: Any) -> Any:
        return value

    def read(self, value: Any) -> Any:
        if type(value) is not self.kind:
            raise _Wrong(f" is not {self.name}")
        return value


class _Time:
    def write(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat()

    def read(self, value: Any) -> datetime:
        try:
            time = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise _Wrong(" is not a time in ISO 8601") from None
        if time.tzinfo is None:
            raise _Wrong(" has no time zone")
        return time.astimezone(UTC)


@attrs.frozen
class _Optional:
    codec: _Codec

    def write(self, value: Any) -> Any:
        return None if value is None else self.codec.write(value)

    def read(self, value: Any) -> Any:
        return None if value is None else self.codec.read(value)


@attrs.frozen
class _List:
    codec: _Codec

    def write(self, value: Sequence[Any]) -> list[Any]:
        return [self.codec.write(item) for item in value]

    def read(self, value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise _Wrong(" is not a list")
        return tuple(_at(f"[{index}]", self.codec, item) for index, item in enumerate(value))


@attrs.frozen
class _Map:
    codec: _Codec

    def write(self, value: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self.codec.write(item) for key, item in value.items()}

    def read(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _Wrong(" is not an object")
        return {key: _at(f".{key}", self.codec, item) for key, item in value.items()}


@attrs.frozen
class _Record:
    """An attrs class whose fields are all in `codecs`; `default` None: nothing may be left out."""

    cls: type[attrs.AttrsInstance]
    default: Any
    codecs: Mapping[str, _Codec]

    def write(self, value: Any) -> dict[str, Any]:
        return {
            name: codec.write(getattr(value, name))
            for name, codec in self.codecs.items()
            if self.default is None or getattr(value, name) != getattr(self.default, name)
        }

    def read(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _Wrong(" is not an object")
        for name in value:
            if name not in self.codecs:
                raise _Wrong(f".{name} is not known")
        if self.default is None and len(value) < len(self.codecs):
            raise _Wrong(f" lacks {', '.join(sorted(self.codecs.keys() - value.keys()))}")
        return self.cls(**{name: _at(f".{name}", self.codecs[name], item) for name, item in value.items()})


def _at(path: str, codec: _Codec, value: Any) -> Any:
    try:
        return codec.read(value)
    except _Wrong as wrong:
        raise _Wrong(f"{path}{wrong}") from None


_TEXT = _Plain(str, "text")
_WHOLE = _Plain(int, "a whole number")
_BOOL = _Plain(bool, "true or false")
_TIME = _Time()
_MAYBE_TEXT = _Optional(_TEXT)
_MAYBE_TIME = _Optional(_TIME)
_MAYBE_WHOLE = _Optional(_WHOLE)

_CREATE = _Record(
    Create,
    Create(),
    {
        "phase": _TEXT,
        "attempt": _WHOLE,
        "original_id": _MAYBE_TEXT,
        "began_at": _MAYBE_TIME,
        "looked_at": _MAYBE_TIME,
        "done_at": _MAYBE_TIME,
        "verified": _BOOL,
        "consumer_return_id": _MAYBE_WHOLE,
        "adopted": _BOOL,
        "lines": _Map(_List(_TEXT)),
        "tracking": _MAYBE_TEXT,
        "problem": _MAYBE_TEXT,
        "problem_at": _MAYBE_TIME,
        "allowed_attempts": _WHOLE,
    },
)
_ACT = _Record(
    Act,
    Act(),
    {
        "phase": _TEXT,
        "sends": _WHOLE,
        "began_at": _MAYBE_TIME,
        "settled_at": _MAYBE_TIME,
        "evidence": _MAYBE_TEXT,
        "reason": _MAYBE_TEXT,
        "unseen_at": _MAYBE_TIME,
        "answered": _BOOL,
    },
)
_JOURNAL = _Record(
    Journal,
    EMPTY,
    {
        "first_seen_at": _MAYBE_TIME,
        "found_by": _MAYBE_TEXT,
        "receipt_found_by": _MAYBE_TEXT,
        "create": _CREATE,
        "process": _ACT,
        "flag": _ACT,
        "flagged": _List(_TEXT),
        "flag_evidence": _MAYBE_TEXT,
        "allowed_sends": _WHOLE,
        "held_by": _MAYBE_TEXT,
        "hold_note": _MAYBE_TEXT,
        "held_at": _MAYBE_TIME,
        "attached": _List(_WHOLE),
        "acknowledged": _Map(_Record(Acknowledged, None, {"until": _TIME, "by": _TEXT, "note": _TEXT})),
        "seen": _Map(_Record(Seen, Seen(), {"counted_at": _MAYBE_TIME, "final_at": _MAYBE_TIME})),
        "since": _Map(_TIME),
        "failed_at": _MAYBE_TIME,
        "failure": _MAYBE_TEXT,
        "shadow": _List(_Map(_TEXT)),
    },
)


def journal_to_dict(journal: Journal) -> dict[str, Any]:
    """Plain JSON values; the empty journal is ``{"version": 1}``."""
    return {"version": VERSION, **_JOURNAL.write(journal)}


def journal_from_dict(stored: Mapping[str, Any]) -> Journal:
    """Read a journal back. Raises `LedgerError` that names the path of what is wrong, or says that a newer version wrote it."""
    if not stored:
        return EMPTY
    version = stored.get("version")
    if type(version) is not int or version < 1:
        raise LedgerError("a stored journal has no version: this is not a journal of loop-whiplash")
    if version > VERSION:
        raise LedgerError(
            f"a stored journal has version {version}, this library reads up to {VERSION}: a newer loop-whiplash wrote it; upgrade this one"
        )
    try:
        journal: Journal = _JOURNAL.read({name: value for name, value in stored.items() if name != "version"})
    except _Wrong as wrong:
        raise LedgerError(f"a stored journal cannot be read: ${wrong}") from None
    return journal
