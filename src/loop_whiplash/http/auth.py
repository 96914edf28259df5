"""Who is asking: what signs a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.redaction import kind_of

if TYPE_CHECKING:
    from .session import Session

__all__ = ["ApiKey", "Auth", "Bearer", "signer"]


class Auth(Protocol):
    """Signs requests. Both methods are flows: they may await `Send`, `Store` and `Sleep`, so a token can be refreshed on the way."""

    async def headers(self, session: Session) -> Mapping[str, str]:
        """The headers that sign one request."""
        ...

    async def refused(self, session: Session, sent: Mapping[str, str]) -> bool:
        """These headers were answered with 401. True when there are others to try once."""
        ...


def _secret(value: str, what: str) -> str:
    """A header's value: visible ASCII, so that a line break in an environment variable cannot add headers."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{what} is empty; pass the one from the vendor's admin pages")
    value = value.strip()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(f"{what} holds spaces or characters that no header can carry; it was probably cut or pasted wrongly")
    return value


def signer(given: str | Auth, sign: Callable[[str], Auth], what: str) -> Auth:
    """What signs: as it was given, or made of a key or token. Most often neither means that an environment variable is not set."""
    if isinstance(given, str):
        return sign(given)
    if isinstance(given, type) or not all(callable(getattr(given, name, None)) for name in ("headers", "refused")):
        raise ConfigurationError(f"{what} is needed; got {kind_of(given)}: is its environment variable set?")
    return given


class ApiKey:
    """A key in a header of its own, e.g. Loop's ``X-Authorization``."""

    def __init__(self, header: str, key: str) -> None:
        self._headers = {header: _secret(key, "the API key")}

    def __repr__(self) -> str:
        return f"ApiKey({next(iter(self._headers))!r}, …)"

    async def headers(self, session: Session) -> Mapping[str, str]:
        return self._headers

    async def refused(self, session: Session, sent: Mapping[str, str]) -> bool:
        return False


class Bearer:
    """An access token that somebody else keeps fresh: the token, or a function that gives the current one.

    The function is called before every request, on the thread or event loop of the caller; it must not block.

    >>> Bearer("token")
    Bearer(…)
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token if callable(token) else _secret(token, "the access token")

    def __repr__(self) -> str:
        return "Bearer(…)"

    async def headers(self, session: Session) -> Mapping[str, str]:
        token = _secret(self._token(), "the access token") if callable(self._token) else self._token
        return {"Authorization": f"Bearer {token}"}

    async def refused(self, session: Session, sent: Mapping[str, str]) -> bool:
        return callable(self._token) and (await self.headers(session)) != sent
