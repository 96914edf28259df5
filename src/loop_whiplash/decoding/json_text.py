"""JSON bytes to Python values: fast where orjson is installed, exact on request, and bounded either way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from loop_whiplash.errors import LoopWhiplashError

try:
    import orjson
except ImportError:  # pragma: no cover - without orjson the same tests run on the standard library
    orjson = None  # type: ignore[assignment]

MAX_DEPTH = 64
"""Deepest nesting of arrays and objects that is read; what either vendor sends has less than ten levels."""

_HALF = range(MAX_DEPTH // 2)
_NEITHER_BRACKET_NOR_QUOTE = bytes(set(range(256)) - set(b'[]{}"'))
_ALL_SQUARE = bytes.maketrans(b"{}", b"[]")


class NotJson(LoopWhiplashError):
    """The bytes are not JSON we can read. Stays inside: callers see `DecodeError` or `MalformedPayload`."""


def loads(body: bytes, *, exact: bool = False) -> Any:
    """JSON bytes (UTF-8, no byte order mark) as Python values, with orjson where it is installed.

    Numbers with a fraction are floats with orjson; `exact` reads them as `Decimal`, at a few times the cost.
    Raises `NotJson` for whatever is not JSON, is nested deeper than `MAX_DEPTH`, or says NaN or Infinity. Of a
    repeated key the last one counts.
    """
    if type(body) is not bytes:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise NotJson(f"JSON is read from bytes, not from {type(body).__name__}")
        body = bytes(body)
    if _may_be_deep(body):
        _check_depth(body)
    try:
        if orjson is not None and not exact:
            return orjson.loads(body)
        text = body.decode("utf-8")
        value = _EXACT.decode(text)
        if "\\u" in text:  # half a surrogate pair is no text, not even under a key that comes again
            json.dumps(json.loads(text, object_pairs_hook=list), ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError, ArithmeticError) as error:
        at = getattr(error, "pos", None)
        raise NotJson("not valid JSON" + (f" at character {at}" if isinstance(at, int) else "")) from None


def loads_object(body: bytes, *, most: int) -> Mapping[str, Any]:
    """The one object that a body is, which may have `most` bytes: a longer one is refused unread. Raises `NotJson`."""
    if len(body) > most:
        raise NotJson(f"it has {len(body):,} bytes, more than the {most:,} allowed")
    value = loads(body)
    if not isinstance(value, dict):
        raise NotJson("it is no JSON object")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_EXACT = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def _may_be_deep(body: bytes) -> bool:
    """Enough of one bracket for a depth beyond `MAX_DEPTH`. Searching for the next one is quicker than counting them all."""
    find = body.find
    for bracket in (b"{", b"["):
        at = find(bracket)
        for _ in _HALF:
            if at < 0:
                break
            at = find(bracket, at + 1)
        else:
            return True
    return False


def _check_depth(body: bytes) -> None:
    """Peel one level of brackets a round: as many rounds as levels. A handful of passes over any bytes, with nothing to go back to."""
    quoted = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ALL_SQUARE, _NEITHER_BRACKET_NOR_QUOTE)
    # Every other piece is the inside of a text. Two quotes with nothing between them change no other's side.
    brackets = b"".join(quoted.replace(b'""', b"").split(b'"')[::2])
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise NotJson(f"nested deeper than {MAX_DEPTH} levels, or brackets that do not close")
