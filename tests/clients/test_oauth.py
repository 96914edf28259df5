"""OAuth with Whiplash: refreshed in time, by one at a time, and stored before it is used."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from both_colours import WHIPLASH_URL, Colour, Driven, Script, Time, reply
from token_server import TokenServer

from loop_whiplash import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    MemoryTokenStore,
    OAuth,
    SQLiteTokenStore,
    Token,
    TokenStore,
    WhiplashClient,
    pkce,
)
from loop_whiplash.http.flow import Interrupted, Reply, Request, Send
from loop_whiplash.whiplash.calls import count_items
from shared_reference import payload

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def token(number: int = 0, *, left: float | None = 7200.0, refresh: str | None = "refresh-0") -> Token:
    """A token with so many seconds left."""
    return Token(
        access_token=f"access-{number}", refresh_token=refresh, expires_at=None if left is None else START + timedelta(seconds=left)
    )


def app(store: TokenStore, **more: Any) -> OAuth:
    return OAuth(client_id="app", client_secret="app-secret", store=store, **more)


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Token | None], TokenStore]:
    def make(first: Token | None) -> TokenStore:
        if request.param == "memory":
            return MemoryTokenStore(first)
        store = SQLiteTokenStore(tmp_path / "tokens.db")
        if first is not None:
            assert store.save(first, replaces=None)
        return store

    return make


Make = Callable[[Token | None], TokenStore]


def count(driven: Driven) -> int:
    answer: int = driven.call(lambda c: c.items.count())
    return answer


# ---------------------------------------------------------------------------------------------------- the first login


def test_where_to_send_the_person_who_logs_in() -> None:
    verifier, challenge = pkce()
    url = app(MemoryTokenStore()).authorize_url(
        host="https://www.getwhiplash.com/", redirect_uri="https://me.example/cb", state="s-1", code_challenge=challenge
    )
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "www.getwhiplash.com", "/oauth/authorize")
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert asked == {
        "client_id": "app",
        "redirect_uri": "https://me.example/cb",
        "response_type": "code",
        "scope": "user_manage",
        "state": "s-1",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert "app-secret" not in url
    assert "code_challenge" not in app(MemoryTokenStore()).authorize_url(
        host="https://x.example", redirect_uri="https://y.example", state="s"
    )
    assert len(verifier) >= 43
    assert pkce() != pkce()


def test_the_challenge_is_the_hash_of_the_verifier() -> None:
    import base64
    import hashlib

    verifier, challenge = pkce()
    assert base64.urlsafe_b64decode(challenge + "=") == hashlib.sha256(verifier.encode()).digest()


def test_a_code_is_traded_and_the_pair_is_stored_before_it_is_used(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(), make_store(None)
    driven = colour.whiplash(server.script(), token=app(store), time=time)
    got = driven.call(lambda c: c.exchange_code("code-1", redirect_uri="https://me.example/cb", code_verifier="v-1"))
    assert (got.access_token, got.refresh_token, got.expires_at) == ("access-1", "refresh-1", START + timedelta(seconds=7200))
    assert store.load() == got
    assert server.forms == [
        {
            "grant_type": "authorization_code",
            "code": "code-1",
            "redirect_uri": "https://me.example/cb",
            "scope": "user_manage",
            "code_verifier": "v-1",
            "client_id": "app",
            "client_secret": "app-secret",
        }
    ]
    assert count(driven) == 1
    assert server.signed_with == ["access-1"]


def test_a_code_is_sent_once_because_it_is_good_once(colour: Colour, time: Time) -> None:
    script = Script(Interrupted("no answer", timed_out=True))
    with pytest.raises(ConnectionFailed):
        colour.whiplash(script, token=app(MemoryTokenStore()), time=time).call(
            lambda c: c.exchange_code("code-1", redirect_uri="https://x.example")
        )
    assert len(script.requests) == 1
    server = TokenServer()
    with pytest.raises(AuthenticationFailed, match="code was used before"):
        colour.whiplash(server.script(), token=app(MemoryTokenStore()), time=time).call(
            lambda c: c.exchange_code("stale", redirect_uri="https://x.example")
        )


def test_without_a_login_nothing_is_sent(colour: Colour, time: Time, make_store: Make) -> None:
    server = TokenServer()
    with pytest.raises(AuthenticationFailed, match="must log in once"):
        count(colour.whiplash(server.script(), token=app(make_store(None)), time=time))
    assert server.signed_with == server.forms == []


def test_a_client_with_a_plain_token_has_no_code_to_trade(colour: Colour) -> None:
    with pytest.raises(ConfigurationError, match="not an OAuth application"):
        colour.whiplash(Script()).call(lambda c: c.exchange_code("x", redirect_uri="y"))


# ---------------------------------------------------------------------------------------------------------- refreshing


def test_a_token_with_time_left_is_used_as_it_is(colour: Colour, time: Time, make_store: Make) -> None:
    server = TokenServer()
    driven = colour.whiplash(server.script(), token=app(make_store(token(left=301))), time=time)
    assert count(driven) == 1
    assert server.forms == []


def test_it_is_renewed_before_it_runs_out_and_stored_before_it_is_used(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(), make_store(token(left=299))
    stored: list[Token | None] = []
    server.watch = lambda access: stored.append(store.load())
    driven = colour.whiplash(server.script(), token=app(store), time=time)
    assert count(driven) == 1
    assert server.signed_with == ["access-1"]
    assert [each.access_token for each in stored if each] == ["access-1"]
    assert server.forms == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": "app", "client_secret": "app-secret"}
    ]
    for _ in range(3):
        time.at += timedelta(seconds=7000)
        assert count(driven) == 1
    assert [form["refresh_token"] for form in server.forms] == ["refresh-0", "refresh-1", "refresh-2", "refresh-3"]


def test_a_refresh_token_that_does_not_rotate_is_kept(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(rotates=False), make_store(token(left=0))
    driven = colour.whiplash(server.script(), token=app(store), time=time)
    count(driven)
    kept = store.load()
    assert kept is not None
    assert kept.refresh_token == "refresh-0"


def test_a_401_renews_once_and_a_second_one_is_an_error(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(), make_store(token(9, left=None))
    driven = colour.whiplash(server.script(), token=app(store), time=time)
    assert count(driven) == 1
    assert server.signed_with == ["access-9", "access-1"]
    script = Script(answer=lambda request: server.answer(request) if request.from_root else reply(401, {"error": "nope"}))
    with pytest.raises(AuthenticationFailed):
        count(colour.whiplash(script, token=app(store), time=time))
    assert [request.from_root for request in script.requests] == [False, True, False]


def test_a_401_without_a_refresh_token_is_an_error(colour: Colour, time: Time) -> None:
    script = Script(reply(401, {"error": "nope"}))
    with pytest.raises(AuthenticationFailed):
        count(colour.whiplash(script, token=app(MemoryTokenStore(token(left=None, refresh=None))), time=time))
    assert len(script.requests) == 1


def test_what_another_process_has_refreshed_is_picked_up_and_not_spent_again(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(), make_store(token(0, left=7200))
    server.good = {"access-elsewhere"}

    def elsewhere(access: str) -> None:
        if access == "access-0":
            store.save(
                Token(access_token="access-elsewhere", refresh_token="r", expires_at=START + timedelta(hours=2)), replaces=store.load()
            )

    server.watch = elsewhere
    driven = colour.whiplash(server.script(), token=app(store), time=time)
    assert count(driven) == 1
    assert server.signed_with == ["access-0", "access-elsewhere"]
    assert server.forms == []


def test_while_another_refreshes_one_waits_and_takes_what_it_got(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(), make_store(token(0, left=-1))
    server.good = {"access-elsewhere"}
    claim = store.claim(60)
    looks = iter(range(100))
    sleep = time.sleep

    def later(seconds: float) -> None:
        sleep(seconds)
        if next(looks) == 3:
            store.save(Token(access_token="access-elsewhere", expires_at=START + timedelta(hours=2)), replaces=store.load())
            store.release(claim)

    time.sleep = later  # type: ignore[method-assign]
    assert count(colour.whiplash(server.script(), token=app(store), time=time)) == 1
    assert (server.forms, server.signed_with) == ([], ["access-elsewhere"])
    assert time.slept == [0.1] * 4


def test_a_token_that_still_is_good_is_used_rather_than_wait_for_another(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(), make_store(token(0, left=100))
    claim = store.claim(600)
    assert count(colour.whiplash(server.script(), token=app(store), time=time)) == 1
    assert (server.signed_with, time.slept) == (["access-0"], [])
    script = Script(answer=lambda request: reply(503, b"") if request.from_root else server.answer(request))
    store.release(claim)
    assert count(colour.whiplash(script, token=app(store), time=time)) == 1  # nor is a token endpoint that is down in the way


def test_the_claim_of_one_who_died_lapses(colour: Colour, time: Time, tmp_path: Path) -> None:
    server, store = TokenServer(), SQLiteTokenStore(tmp_path / "t.db", clock=lambda: time.at.timestamp())
    store.save(token(left=-1), replaces=None)
    assert store.claim(45)
    assert (
        count(
            colour.whiplash(server.script(), token=app(SQLiteTokenStore(tmp_path / "t.db", clock=lambda: time.at.timestamp())), time=time)
        )
        == 1
    )
    assert 44 < sum(time.slept) < 46
    assert len(server.forms) == 1


def test_waiting_for_another_ends(colour: Colour, time: Time) -> None:
    store = MemoryTokenStore(token(left=-1), clock=lambda: 0.0)
    assert store.claim(1)
    with pytest.raises(ConnectionFailed, match="renewing the access token for too long"):
        count(colour.whiplash(TokenServer().script(), token=app(store), time=time))


# --------------------------------------------------------------------------------------------------------- trouble


def test_the_token_endpoint_is_asked_again_after_trouble(colour: Colour, time: Time) -> None:
    server = TokenServer()
    troubles = iter([reply(502, b"bad gateway"), Interrupted("cut"), None])

    def answer(request: Request) -> Reply:
        if request.from_root and (trouble := next(troubles)) is not None:
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        return server.answer(request)

    assert count(colour.whiplash(Script(answer=answer), token=app(MemoryTokenStore(token(left=-1))), time=time)) == 1


@pytest.mark.parametrize("outcome", [reply(500, b"x"), reply(429, {}), Interrupted("cut")])
def test_a_token_endpoint_that_is_down_sent_nothing(colour: Colour, time: Time, outcome: Any) -> None:
    script = Script(*[outcome] * 4)
    with pytest.raises(ConnectionFailed, match="not sent") as caught:
        count(colour.whiplash(script, token=app(MemoryTokenStore(token(left=-1))), time=time))
    assert not caught.value.maybe_applied
    assert all(request.from_root for request in script.requests)


def test_a_refresh_token_that_was_used_up_asks_for_a_person(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(), make_store(token(left=-1, refresh="spent"))
    with pytest.raises(AuthenticationFailed, match="must log in again") as caught:
        count(colour.whiplash(server.script(), token=app(store), time=time))
    assert caught.value.code == "invalid_grant"
    for secret in ("app-secret", "spent", "access-0"):
        assert secret not in str(caught.value) + repr(caught.value)
    assert store.claim(1)  # and the claim was given back


@pytest.mark.parametrize("body", [b"", b"<html>", [], {"error": {"a": 1}}, {"error": "x" * 41}])
def test_a_refusal_without_a_code(colour: Colour, time: Time, body: Any) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        count(colour.whiplash(Script(reply(401, body)), token=app(MemoryTokenStore(token(left=-1))), time=time))
    assert caught.value.code is None


def test_one_who_does_not_share_the_claim_may_have_been_quicker(colour: Colour, time: Time) -> None:
    server, store = TokenServer(), MemoryTokenStore(token(left=-1))

    def answer(request: Request) -> Reply:
        if request.from_root:
            store.save(Token(access_token="access-0", expires_at=START + timedelta(hours=2), refresh_token="new"), replaces=store.load())
            return reply(400, {"error": "invalid_grant"})
        return server.answer(request)

    assert count(colour.whiplash(Script(answer=answer), token=app(store), time=time)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"x"',
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 5},
        {"access_token": "a", "refresh_token": 5},
        {"access_token": "a", "expires_in": "soon"},
        {"access_token": "a", "expires_in": []},
    ],
)
def test_an_answer_without_a_token(colour: Colour, time: Time, body: Any) -> None:
    script = Script(reply(200, body))
    store = MemoryTokenStore(token(left=-1))
    with pytest.raises(AuthenticationFailed, match="holds no access token"):
        count(colour.whiplash(script, token=app(store), time=time))
    assert store.load() == token(left=-1)


def test_the_published_answer_is_read(colour: Colour, time: Time) -> None:
    store = MemoryTokenStore(token(left=-1))
    published = payload("whiplash", "oauth_token_response.json")
    # The page abbreviates its tokens with dots, which a header carries as they are.
    count(colour.whiplash(Script(reply(200, published), reply(200, {"count": 1})), token=app(store), time=time))
    got = store.load()
    assert got is not None
    assert (got.access_token, got.refresh_token, got.scope) == (published["access_token"], published["refresh_token"], "user_manage")
    assert got.expires_at == START + timedelta(hours=2)


# ----------------------------------------------------------------------------- a crash between refresh and store


class FailingStore(MemoryTokenStore):
    """A disk that is full for a while."""

    full = True

    def save(self, token: Token, *, replaces: Token | None) -> bool:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().save(token, replaces=replaces)


def test_a_pair_that_could_not_be_stored_is_not_used_and_not_lost(colour: Colour, time: Time) -> None:
    server, store = TokenServer(), FailingStore(token(left=-1))
    driven = colour.whiplash(server.script(), token=app(store), time=time)
    with pytest.raises(ConnectionFailed, match="token store") as caught:
        count(driven)
    assert isinstance(caught.value.__cause__, OSError)
    assert server.signed_with == []
    store.full = False
    assert count(driven) == 1
    assert len(server.forms) == 1  # the pair was kept: asking again would have spent a refresh token that was used up
    assert server.signed_with == ["access-1"]


def test_a_process_that_dies_between_refresh_and_store_leaves_a_store_that_says_what_to_do(time: Time) -> None:
    server, store = TokenServer(), MemoryTokenStore(token(left=-1))
    whiplash = WhiplashClient(app(store), base_url=WHIPLASH_URL, transport=server.script(), clock=time.now, sleep=time.sleep)
    flow = whiplash.session.perform(count_items())
    step = flow.send(None)
    while not (isinstance(step, Send) and step.request.from_root):
        step = flow.send(step.transaction()) if hasattr(step, "transaction") else flow.send(None)
    assert server.answer(step.request).status == 200
    flow.close()  # the answer is on its way when the process dies
    assert store.load() == token(left=-1)
    claim = store.claim(1)
    assert claim  # nobody waits for the dead
    store.release(claim)
    with pytest.raises(AuthenticationFailed, match="log in again"):
        whiplash.items.count()
    whiplash.exchange_code("code-1", redirect_uri="https://x.example")
    assert whiplash.items.count() == 1


@pytest.mark.parametrize("method", ["load", "claim"])
def test_a_store_that_cannot_be_read_sends_nothing(colour: Colour, time: Time, method: str) -> None:
    store, script = MemoryTokenStore(token(left=-1)), Script()

    def broken(*_: object) -> Any:
        raise OSError("disk")

    setattr(store, method, broken)
    with pytest.raises(ConnectionFailed, match="token store"):
        count(colour.whiplash(script, token=app(store), time=time))
    assert script.requests == []


# ------------------------------------------------------------------------------------------------ client credentials


def test_client_credentials(colour: Colour, time: Time, make_store: Make) -> None:
    server, store = TokenServer(), make_store(None)
    driven = colour.whiplash(server.script(), token=app(store, client_credentials=True, scope="app_manage"), time=time)
    assert count(driven) == 1
    assert server.forms == [{"grant_type": "client_credentials", "scope": "app_manage", "client_id": "app", "client_secret": "app-secret"}]
    server.good.clear()
    assert count(driven) == 1  # a 401 gets a new one
    time.at += timedelta(hours=2)
    assert count(driven) == 1
    assert len(server.forms) == 3


# ------------------------------------------------------------------------------------------------- one at a time


def test_threads_refresh_one_at_a_time() -> None:
    server = TokenServer()
    store = MemoryTokenStore(Token(access_token="old", refresh_token="refresh-0", expires_at=datetime.now(UTC) - timedelta(hours=1)))
    with WhiplashClient(app(store), base_url=WHIPLASH_URL, transport=server.script()) as whiplash:
        answers: list[int] = []
        threads = [threading.Thread(target=lambda: answers.append(whiplash.items.count())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [1] * 8
    assert len(server.forms) == 1


def test_tasks_refresh_one_at_a_time(time: Time) -> None:
    from both_colours import AsyncScript

    from loop_whiplash import AsyncWhiplashClient

    server, store = TokenServer(), MemoryTokenStore(token(left=-1))

    async def main() -> list[int]:
        async def sleep(seconds: float) -> None:
            await asyncio.sleep(0)

        async with AsyncWhiplashClient(
            app(store), base_url=WHIPLASH_URL, transport=AsyncScript(server.script()), clock=time.now, sleep=sleep
        ) as whiplash:
            return list(await asyncio.gather(*(whiplash.items.count() for _ in range(8))))

    assert asyncio.run(main()) == [1] * 8
    assert len(server.forms) == 1


def test_processes_that_share_a_store_refresh_one_at_a_time(tmp_path: Path) -> None:
    server, path = TokenServer(), tmp_path / "tokens.db"
    SQLiteTokenStore(path).save(
        Token(access_token="access-0", refresh_token="refresh-0", expires_at=datetime.now(UTC) - timedelta(1)), replaces=None
    )
    with server.serving() as base_url:
        command = [sys.executable, str(Path(__file__).with_name("oauth_worker.py")), base_url, str(path), "3", "3"]
        workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.write("go\n")
                worker.stdin.flush()
            said = [worker.communicate(timeout=60)[0].strip() for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    assert said == ["3", "3"]
    assert len(server.forms) == 1  # a second one would have revoked everything
    assert set(server.signed_with) == {"access-1"}
