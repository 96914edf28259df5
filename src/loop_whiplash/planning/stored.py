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
    """An attrs class whose fields are all in `codecs`; `default` None: nothing may be left out.

    A field that may be None is so by default, and then is left out: a null is never written, nor read.
    """

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

_CREATE = _Record(
    Create,
    Create(),
    {
        "phase": _TEXT,
        "attempt": _WHOLE,
        "original_id": _TEXT,
        "began_at": _TIME,
        "looked_at": _TIME,
        "done_at": _TIME,
        "verified": _BOOL,
        "consumer_return_id": _WHOLE,
        "adopted": _BOOL,
        "lines": _Map(_List(_TEXT)),
        "tracking": _TEXT,
        "problem": _TEXT,
        "problem_at": _TIME,
        "allowed_attempts": _WHOLE,
    },
)
_ACT = _Record(
    Act,
    Act(),
    {
        "phase": _TEXT,
        "sends": _WHOLE,
        "began_at": _TIME,
        "settled_at": _TIME,
        "evidence": _TEXT,
        "reason": _TEXT,
        "unseen_at": _TIME,
        "answered": _BOOL,
    },
)
_JOURNAL = _Record(
    Journal,
    EMPTY,
    {
        "first_seen_at": _TIME,
        "found_by": _TEXT,
        "receipt_found_by": _TEXT,
        "create": _CREATE,
        "process": _ACT,
        "flag": _ACT,
        "flagged": _List(_TEXT),
        "flag_evidence": _TEXT,
        "allowed_sends": _WHOLE,
        "held_by": _TEXT,
        "hold_note": _TEXT,
        "held_at": _TIME,
        "attached": _List(_WHOLE),
        "acknowledged": _Map(_Record(Acknowledged, None, {"until": _TIME, "by": _TEXT, "note": _TEXT})),
        "seen": _Map(_Record(Seen, Seen(), {"counted_at": _TIME, "final_at": _TIME})),
        "since": _Map(_TIME),
        "failed_at": _TIME,
        "failure": _TEXT,
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
