"""HMAC-SHA256 signatures of webhook bodies: what both vendors' schemes share.

The signature is of the bytes as they arrived. A body that was parsed and written again has other bytes, so text and
dicts are refused: they could only ever fail to verify, or worse, verify something that was not sent.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from .errors import ConfigurationError, InvalidSignature

Secret = str | bytes
Headers = Mapping[Any, Any] | Iterable[tuple[Any, Any]]

MAX_SIGNATURES = 8
"""More values than this of one header are no vendor's doing."""


@attrs.frozen
class Verified:
    """The signature is good. `which` is the index of the secret that matched: an old one may be due to be dropped."""

    which: int


def raw_bytes(body: object) -> bytes:
    """The body as bytes. Raises `ConfigurationError` for anything that is not raw bytes."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise ConfigurationError(
        f"body must be the raw bytes of the request as they arrived, not {type(body).__name__}: "
        "a signature cannot be checked against a body that was decoded or parsed (Flask: request.get_data(), FastAPI: await request.body())"
    )


def keys(secrets: Sequence[Secret] | Secret | None, setting: str) -> list[bytes]:
    """The secrets as keys. Raises `ConfigurationError` when there is none, or an empty one: anybody could sign with it."""
    given: Iterable[object] = [secrets] if isinstance(secrets, (str, bytes)) else (secrets if isinstance(secrets, Iterable) else [])
    found: list[bytes] = []
    for position, secret in enumerate(given):
        if not isinstance(secret, (str, bytes)) or not secret.strip():
            raise ConfigurationError(
                f"{setting}[{position}] is empty or not text: a webhook secret is needed, is its environment variable set?"
            )
        try:
            found.append(secret if isinstance(secret, bytes) else secret.encode())
        except UnicodeEncodeError:
            raise ConfigurationError(f"{setting}[{position}] is not valid text") from None
    if not found:
        raise ConfigurationError(f"{setting} is empty: without a secret no webhook can be told from a forged one")
    return found


def header_values(headers: Headers, name: str) -> list[bytes]:
    """All values of one header, its name compared without regard to case. Names and values may be text, bytes, or lists of these."""
    items = getattr(headers, "items", None)
    if callable(items):  # a mapping, or what the standard library's HTTP server has for one
        pairs: Iterable[Any] = list(items())
    elif isinstance(headers, Iterable) and not isinstance(headers, (str, bytes)):
        pairs = list(headers)
    else:
        raise ConfigurationError(f"headers must be a mapping, not {type(headers).__name__}")
    found: list[bytes] = []
    wanted = name.encode()
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ConfigurationError("headers must be a mapping or pairs of name and value")
        if _bytes(pair[0]).lower() == wanted:
            values = pair[1] if isinstance(pair[1], (list, tuple)) else [pair[1]]
            found += [value for value in (_bytes(one).strip() for one in values) if value]
    return found


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return bytes(value) if isinstance(value, (bytes, bytearray)) else b""


def digest(body: bytes, key: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(key, body, "sha256")


def verify(
    body: bytes, headers: Headers, secrets: Sequence[Secret] | Secret | None, *, header: str, setting: str, encode: Callable[[bytes], bytes]
) -> Verified:
    """The one secret whose signature of `body` is in the header. Compared in constant time, every candidate against every secret.

    A secret is tried without the white space around it too: files of secrets end in a line break, and lists have blanks after commas.
    """
    body = raw_bytes(body)
    known = keys(secrets, setting)
    given = header_values(headers, header.lower())
    if not given:
        raise InvalidSignature(f"the request has no {header} header; only the vendor's signed requests are taken")
    if len(given) > MAX_SIGNATURES:
        raise InvalidSignature(f"the request has {len(given)} {header} headers")
    matching: list[int] = []
    for which, whole in enumerate(known):
        for key in {whole, whole.strip()}:
            wanted = encode(digest(body, key))
            matching += [which for value in given if hmac.compare_digest(wanted, value)]
    if not matching:
        raise InvalidSignature(
            f"{header} matches none of the {len(known)} secret(s) given: forged, signed with a secret that was rotated, "
            "or the body was changed on its way (hash the bytes as received)"
        )
    return Verified(matching[0])
