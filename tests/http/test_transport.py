"""The wire, over loopback sockets: what a failure means, and what never happens (redirects, other origins, endless waits)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import logging
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.flow import Interrupted, NotSent, Reply, Request
from loop_whiplash.http.transport import AsyncHttpTransport, HttpTransport

Handler = Callable[[socket.socket, bytes], None]


class Server:
    """Hands every connection's first request to a function of the socket."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}/api/v1"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                while request := self._read(connection):
                    self.requests.append(request)
                    self._handler(connection, request)

    def _read(self, connection: socket.socket) -> bytes:
        found = b""
        while b"\r\n\r\n" not in found:
            part = connection.recv(65536)
            if not part:
                return b""
            found += part
        length = re.search(rb"content-length: (\d+)", found, re.IGNORECASE)
        head = found.index(b"\r\n\r\n") + 4
        while length and len(found) < head + int(length[1]):
            found += connection.recv(65536)
        return found

    def close(self) -> None:
        self._listening.close()


@contextlib.contextmanager
def serving(handler: Handler, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(handler, context)
    try:
        yield server
    finally:
        server.close()


def says(raw: bytes) -> Handler:
    def handler(connection: socket.socket, _: bytes) -> None:
        connection.sendall(raw)

    return handler


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status} X",
        f"Content-Length: {len(body)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture(params=["sync", "async"])
def exchange(request: pytest.FixtureRequest) -> Callable[..., Reply]:
    """Send one request with a transport of either colour and close it."""

    def sync(url: str, sent: Request, **options: Any) -> Reply:
        with HttpTransport(url, **options) as transport:
            return transport.send(sent)

    def coloured(url: str, sent: Request, **options: Any) -> Reply:
        async def use() -> Reply:
            async with AsyncHttpTransport(url, **options) as transport:
                return await transport.send(sent)

        return asyncio.run(use())

    return sync if request.param == "sync" else coloured


GET = Request(
    method="GET", path="/warehouse/return/list", params={"from": "2026-03-02 09:00:00", "state": "open"}, headers={"X-Authorization": "k"}
)


def test_a_request_and_its_reply(exchange: Callable[..., Reply]) -> None:
    with serving(says(http(200, b'{"a": 1}', X_Loop_Request_Id="r-1"))) as server:
        reply = exchange(server.url, GET)
    assert (reply.status, reply.body, reply.request_id) == (200, b'{"a": 1}', "r-1")
    assert reply.elapsed > 0
    first, *headers = server.requests[0].decode().split("\r\n")
    assert first == "GET /api/v1/warehouse/return/list?from=2026-03-02%2009%3A00%3A00&state=open HTTP/1.1"
    assert "X-Authorization: k" in headers


def test_a_body_is_sent_as_it_is(exchange: Callable[..., Reply]) -> None:
    with serving(says(http(200, b"true"))) as server:
        exchange(server.url, Request(method="POST", path="/x", body=b'{"a":1}', headers={"Content-Type": "application/json"}))
    assert server.requests[0].endswith(b'\r\n\r\n{"a":1}')


def test_the_token_endpoint_is_at_the_root_of_the_same_origin(exchange: Callable[..., Reply]) -> None:
    with serving(says(http(200))) as server:
        exchange(server.url, Request(method="POST", path="/oauth/token", from_root=True, body=b""))
    assert server.requests[0].startswith(b"POST /oauth/token HTTP/1.1")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(exchange: Callable[..., Reply], status: int) -> None:
    with serving(says(http(200))) as elsewhere, serving(says(http(status, Location=elsewhere.url))) as server:
        assert exchange(server.url, GET).status == status
        assert elsewhere.requests == []
        assert len(server.requests) == 1


def test_a_packed_reply_is_unpacked(exchange: Callable[..., Reply]) -> None:
    with serving(says(http(200, gzip.compress(b"x" * 1000), Content_Encoding="gzip"))) as server:
        assert exchange(server.url, GET).body == b"x" * 1000


def test_a_bomb_is_not(exchange: Callable[..., Reply]) -> None:
    with serving(says(http(200, gzip.compress(b"x" * 5_000_000), Content_Encoding="gzip"))) as server, pytest.raises(Interrupted) as caught:
        exchange(server.url, GET, largest_body=1_000_000)
    assert caught.value.final


def reset(connection: socket.socket, _: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


CUT = {
    "closed without a word": says(b""),
    "reset": reset,
    "cut in the head": says(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut in the body": says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"),
    "cut in a chunk": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "not packed as said": says(http(200, b"not gzip", Content_Encoding="gzip")),
    "no HTTP": says(b"SSH-2.0-OpenSSH\r\n\r\n"),
}


@pytest.mark.parametrize("how", CUT)
def test_an_exchange_that_breaks_may_have_been_received(exchange: Callable[..., Reply], how: str) -> None:
    def handler(connection: socket.socket, request: bytes) -> None:
        CUT[how](connection, request)
        connection.close()

    with serving(handler) as server, pytest.raises(Interrupted) as caught:
        exchange(server.url, GET)
    assert not caught.value.timed_out
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_silence_is_a_time_out(exchange: Callable[..., Reply]) -> None:
    done = threading.Event()
    with serving(lambda connection, request: done.wait(5) and None) as server:
        began = time.monotonic()
        with pytest.raises(Interrupted) as caught:
            exchange(server.url, Request(method="GET", path="/x", timeout=0.2))
        done.set()
    assert caught.value.timed_out
    assert time.monotonic() - began < 3


def test_a_trickle_is_a_time_out_too(exchange: Callable[..., Reply]) -> None:
    done = threading.Event()

    def trickle(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not done.wait(0.02):
            connection.sendall(b"x")

    with serving(trickle) as server:
        began = time.monotonic()
        with pytest.raises(Interrupted) as caught:
            exchange(server.url, Request(method="GET", path="/x", timeout=0.3))
        done.set()
    assert caught.value.timed_out
    assert time.monotonic() - began < 2


def test_nobody_there_means_not_sent(exchange: Callable[..., Reply]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSent) as caught:
        exchange(f"http://127.0.0.1:{port}/api", GET)
    assert not caught.value.final
    assert str(caught.value) == (
        f"no connection to http://127.0.0.1:{port} could be made, nothing listens there; check base_url and the network"
    )


def test_a_name_that_is_none_means_not_sent(exchange: Callable[..., Reply]) -> None:
    with pytest.raises(NotSent, match=r"to https://loop\.invalid could be made, its name is not known here; check base_url"):
        exchange("https://loop.invalid/api", GET)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody has signed but itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            str(key),
            "-out",
            str(cert),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return cert, key


def test_certificates_are_verified_unless_told_otherwise(
    exchange: Callable[..., Reply], certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serving(says(http(200, b"true")), context) as server:
        with pytest.raises(NotSent, match="certificate") as caught:
            exchange(server.url, GET)
        assert caught.value.final
        assert server.requests == []
        assert exchange(server.url, GET, verify=str(certificate[0])).body == b"true"
        with caplog.at_level(logging.WARNING):
            assert exchange(server.url, GET, verify=False).body == b"true"
        assert "not verified" in caplog.text


def test_connections_are_kept_and_closed() -> None:
    with serving(says(http(200))) as server:
        transport = HttpTransport(server.url)
        for _ in range(5):
            transport.send(GET)
        assert server.connections == 1
        transport.close()
        transport.close()
        with pytest.raises(NotSent, match="closed") as caught:
            transport.send(GET)
        assert caught.value.final


def test_one_sync_transport_serves_many_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with serving(says(http(200, b"1"))) as server, HttpTransport(server.url) as transport, ThreadPoolExecutor(8) as pool:
        assert {reply.body for reply in pool.map(lambda _: transport.send(GET), range(80))} == {b"1"}


def test_an_async_transport_survives_its_event_loop() -> None:
    with serving(says(http(200, b"1"))) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # what was left open on a loop that is gone is left to the collector
        transport = AsyncHttpTransport(server.url)

        async def use() -> bytes:
            return (await transport.send(GET)).body

        assert asyncio.run(use()) == b"1"
        assert asyncio.run(use()) == b"1"
        asyncio.run(transport.aclose())
        transport = None  # type: ignore[assignment]
        gc.collect()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example/v1",
        "ftp://api.example/",
        "https://",
        "https://user:secret@api.example/",
        "https://api.example/?key=1",
        "https://api.example/#x",
        "https://api.example:99999/",
        None,
        5,
    ],
)
def test_a_base_url_that_cannot_work(url: Any) -> None:
    for kind in (HttpTransport, AsyncHttpTransport):
        with pytest.raises(ConfigurationError) as caught:
            kind(url)
        assert "secret" not in str(caught.value)


def test_credentials_in_the_clear_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        HttpTransport("http://10.0.0.1/api").close()
        HttpTransport("http://127.0.0.1/api").close()
    assert [record.getMessage() for record in caplog.records] == ["10.0.0.1 is reached without TLS: credentials can be read on the way"]


def test_the_environments_proxy_is_used_and_loopback_is_not_proxied(
    monkeypatch: pytest.MonkeyPatch, exchange: Callable[..., Reply]
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with serving(says(http(502))) as proxy:
        host = proxy.url.removeprefix("http://").removesuffix("/api/v1")
        monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")
        monkeypatch.setenv("HTTP_PROXY", host)
        with pytest.raises(NotSent, match=r"https://loop\.example through the proxy could be made, the proxy did not let it through"):
            exchange("https://loop.example/api", GET)
        assert proxy.requests[0].startswith(b"CONNECT loop.example:443")
        assert b"X-Authorization" not in proxy.requests[0]
        with serving(says(http(200, b"direct"))) as server:
            assert exchange(server.url, GET).body == b"direct"
        monkeypatch.setenv("NO_PROXY", "loop.invalid")
        with pytest.raises(NotSent):
            exchange("https://loop.invalid/api", GET)
        assert len(proxy.requests) == 1
