"""OAuth 2 with Whiplash: refresh in time, one at a time, stored before used.

An access token lives two hours (https://help.whiplash.com, article 360050870691). Before it runs out, and when Whiplash
answers 401, one caller claims the refresh at the token store; all others, in this process or another that shares the store,
wait until the store holds another token and take that. The new pair is stored before it signs anything. A claim lapses,
so a caller that died stops nobody for long.

The official server metadata names ``authorization_code`` and ``refresh_token``; ``client_credentials`` is used by the official
Ruby gem, for apps that were granted an ``app_*`` scope.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import attrs

from loop_whiplash.errors import AuthenticationFailed, ConnectionFailed, LoopWhiplashError
from loop_whiplash.http.flow import Interrupted, NotSent, Reply, Request, Send, Sleep, Store
from loop_whiplash.http.retry import Outcome, Steps, next_wait

from .tokens import MemoryTokenStore, Token, TokenStore

if TYPE_CHECKING:
    from loop_whiplash.http.session import Session

__all__ = ["OAuth", "pkce"]

T = TypeVar("T")
TOKEN_PATH = "/oauth/token"
#: What it means when the token endpoint refuses, by grant.
_REFUSED = {
    "refresh_token": "the refresh token was used up or revoked, then a person must log in again (authorize_url)",
    "authorization_code": "the code was used before, is too old, or of another redirect_uri; let the person log in again (authorize_url)",
    "client_credentials": "the application was granted no such scope (app_* only)",
}
#: How often a waiting caller looks whether another has refreshed, in seconds.
LOOK_EVERY = 0.1


def pkce() -> tuple[str, str]:
    """A fresh (verifier, challenge) for ``authorize_url(code_challenge=…)`` and ``exchange(code_verifier=…)``; method S256."""
    verifier = secrets.token_urlsafe(48)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@attrs.frozen(kw_only=True)
class OAuth:
    """An OAuth application and the account it acts for.

    Attributes:
        client_id, client_secret: of the application. store: keeps the token; share it between all who act for the account.
        scope: e.g. ``user_manage``. early: seconds before its end at which a token is renewed.
        client_credentials: get tokens for the application itself, without a person (``app_*`` scopes only).

    >>> OAuth(client_id="id", client_secret="secret", store=MemoryTokenStore())
    OAuth(client_id='id', store=MemoryTokenStore(…), scope='user_manage')
    """

    client_id: str
    client_secret: str = attrs.field(repr=False)
    store: TokenStore = attrs.field(factory=MemoryTokenStore)
    scope: str = "user_manage"
    early: float = attrs.field(default=300.0, repr=False)
    client_credentials: bool = attrs.field(default=False, repr=False)
    _unsaved: dict[str, Token] = attrs.field(factory=dict[str, Token], init=False, repr=False, eq=False)

    def authorize_url(self, *, host: str, redirect_uri: str, state: str, code_challenge: str | None = None) -> str:
        """Where to send the person who logs in once. `state` must be unguessable and is checked by you when they come back."""
        asked = {"client_id": self.client_id, "redirect_uri": redirect_uri, "response_type": "code", "scope": self.scope, "state": state}
        if code_challenge is not None:
            asked |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
        return f"{host.rstrip('/')}/oauth/authorize?{urlencode(asked)}"

    # --------------------------------------------------------------------------------------- signing requests

    async def headers(self, session: Session) -> Mapping[str, str]:
        """Sign with a token that has some time left. A flow."""
        token = await self._load()
        if token is None or token.expires_at is None or session.now() < token.expires_at - timedelta(seconds=self.early):
            token = token or await self._renew(session, None)
        else:
            usable = session.now() < token.expires_at
            token = await self._renew(session, token, fallback=token if usable else None)
        return {"Authorization": f"Bearer {token.access_token}"}

    async def refused(self, session: Session, sent: Mapping[str, str]) -> bool:
        """A token was answered with 401: take the one another has got meanwhile, or get one. A flow."""
        token = await self._load()
        if token is None or sent.get("Authorization") != f"Bearer {token.access_token}":
            return token is not None
        if token.refresh_token is None and not self.client_credentials:
            return False
        await self._renew(session, token)
        return True

    async def _renew(self, session: Session, old: Token | None, *, fallback: Token | None = None) -> Token:
        """A token other than `old`: what another has stored, else a new one. One caller at a time.

        `fallback` still has some time left: rather than wait for another, or fail, it is used.
        """
        # Longer than the exchange with all its repetitions may take, so that a claim that is alive does not lapse.
        patience = session.retry.budget + 2 * session.timeout + 10.0
        waited = 0.0
        while not (claim := await self._at_store(lambda: self.store.claim(patience))):
            if fallback is not None:
                return fallback
            await Sleep(LOOK_EVERY)
            waited += LOOK_EVERY
            token = await self._load()
            if token is not None and token != old:
                return token
            if waited > 2 * patience:
                raise ConnectionFailed(
                    "another process has been renewing the access token for too long; nothing was sent", system="whiplash"
                )
        try:
            token = await self._load()
            if token is None or token == old:
                token = await self._fetch_or(session, old, fallback)
        except BaseException:
            with suppress(Exception):  # a claim that could not be given back lapses
                self.store.release(claim)  # not as a step: this runs, too, when the flow is dropped, where nothing can be awaited any more
            raise
        await self._at_store(lambda: self.store.release(claim))
        return token

    async def _fetch_or(self, session: Session, old: Token | None, fallback: Token | None) -> Token:
        unsaved = self._unsaved.get(old.access_token if old is not None else "")
        if unsaved is not None:
            return await self._keep(unsaved, old)
        try:
            return await self._fetch(session, old, self._grant(old))
        except AuthenticationFailed:
            # Somebody who does not share the claim may have renewed it, and stored the pair.
            token = await self._load()
            if token is None or token == old:
                raise
            return token
        except ConnectionFailed:
            if fallback is None:
                raise
            return fallback

    def _grant(self, old: Token | None) -> dict[str, str]:
        if self.client_credentials:
            return {"grant_type": "client_credentials", "scope": self.scope}
        if old is None or old.refresh_token is None:
            raise AuthenticationFailed(
                "there is no token to renew: a person must log in once (authorize_url), then call exchange_code; nothing was sent",
                system="whiplash",
            )
        return {"grant_type": "refresh_token", "refresh_token": old.refresh_token}

    async def exchange(self, session: Session, code: str, *, redirect_uri: str, code_verifier: str | None = None) -> Token:
        """Trade the code a person came back with for the first pair of tokens, and store it. A flow."""
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "scope": self.scope}
        if code_verifier is not None:
            grant["code_verifier"] = code_verifier
        return await self._fetch(session, await self._load(), grant)

    # --------------------------------------------------------------------------------------------- the store

    async def _at_store(self, transaction: Callable[[], T]) -> T:
        """One transaction of the token store; whatever it raises, no request was sent."""
        try:
            return await Store(transaction)
        except LoopWhiplashError:
            raise
        except Exception as error:
            raise ConnectionFailed(
                f"the token store could not be read or written ({type(error).__name__}): mend it and try again; the request was not sent",
                system="whiplash",
            ) from error

    async def _load(self) -> Token | None:
        return await self._at_store(self.store.load)

    async def _keep(self, token: Token, old: Token | None) -> Token:
        """Store a new pair before anything is signed with it; what another has stored meanwhile wins.

        A pair that could not be stored is kept for the next try: its refresh token may be the only one that still is good.
        """
        spent = old.access_token if old is not None else ""
        self._unsaved[spent] = token
        saved = await self._at_store(lambda: self.store.save(token, replaces=old))
        self._unsaved.pop(spent, None)
        return token if saved else (await self._load() or token)

    # ------------------------------------------------------------------------------------- the token endpoint

    async def _fetch(self, session: Session, old: Token | None, grant: Mapping[str, str]) -> Token:
        reply = await self._post(session, {**grant, "client_id": self.client_id, "client_secret": self.client_secret})
        return await self._keep(self._read(session, reply, old), old)

    async def _post(self, session: Session, form: Mapping[str, str]) -> Reply:
        """Ask the token endpoint, which is at the root of the same origin.

        Repeated like reading: a lost answer leaves nothing better to try.
        """
        request = Request(
            method="POST", path=TOKEN_PATH, from_root=True, body=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            timeout=session.timeout, connect_timeout=session.connect_timeout,
        )  # fmt: skip
        began = session.seconds()
        repeatable = form["grant_type"] != "authorization_code"  # a code is good for one use

        def decide(attempt: int, outcome: Outcome) -> float | None:
            return next_wait(
                session.retry, attempt=attempt, elapsed=session.seconds() - began, repeatable=repeatable, outcome=outcome,
                random=session.random, now=session.now(),
            )  # fmt: skip

        steps = Steps(decide)
        while True:
            outcome: Outcome
            try:
                outcome = await Send(request, session.transport)
            except (NotSent, Interrupted) as failure:
                outcome = failure
            wait = steps.again(outcome)
            if wait is None:
                break
            await Sleep(wait)
        if isinstance(outcome, Reply) and 200 <= outcome.status < 300:
            return outcome
        if isinstance(outcome, Reply) and 400 <= outcome.status < 500 and outcome.status not in (408, 429):
            error = AuthenticationFailed(
                f"Whiplash gives no access token ({outcome.status}): {_REFUSED[form['grant_type']]}, or the application's id or "
                "secret is wrong; nothing was sent",
                system="whiplash", method="POST", path=TOKEN_PATH, status=outcome.status,
            )  # fmt: skip
            error.code = _oauth_code(outcome)
            raise error
        told = f"answered {outcome.status}" if isinstance(outcome, Reply) else str(outcome)
        raise ConnectionFailed(
            f"no access token could be had: the token endpoint {told}; the request itself was not sent",
            system="whiplash",
            method="POST",
            path=TOKEN_PATH,
        )  # fmt: skip

    def _read(self, session: Session, reply: Reply, old: Token | None) -> Token:
        try:
            value: Any = json.loads(reply.body)
            access = value["access_token"]
            lives = value.get("expires_in")
            refresh = value.get("refresh_token") or (old.refresh_token if old else None)
            if not isinstance(access, str) or not access or not isinstance(refresh, str | None):
                raise ValueError
            expires_at = session.now() + timedelta(seconds=min(float(lives), 1e8)) if lives is not None else None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise AuthenticationFailed(
                "the token endpoint answered with something that holds no access token; nothing was sent", system="whiplash"
            ) from None
        scope = value.get("scope")
        return Token(access_token=access, refresh_token=refresh, expires_at=expires_at, scope=scope if isinstance(scope, str) else None)


def _oauth_code(reply: Reply) -> str | None:
    """``invalid_grant`` and the like: https://www.rfc-editor.org/rfc/rfc6749#section-5.2"""
    try:
        found = json.loads(reply.body).get("error")
    except (ValueError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, str) and len(found) < 40 else None
