"""Both fakes over real sockets on 127.0.0.1, for any HTTP client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from loop_whiplash.http.flow import Interrupted, NotSent, Reply, Request

__all__ = ["Serving"]

LARGEST_BODY = 20_000_000


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


def _handler(answer: Callable[[Request], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _any(self) -> None:
            parts = urlsplit(self.path)
            length = min(int(self.headers.get("content-length") or 0), LARGEST_BODY)
            request = Request(
                method=self.command,
                path=parts.path,
                params=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers=dict(self.headers.items()),
                body=self.rfile.read(length) if length else None,
            )
            try:
                reply = answer(request)
            except (NotSent, Interrupted):
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - the names http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    return Handler


class Serving:
    """A context manager; inside it the fakes answer.

    Attributes:
        loop_url: base URL of Loop, ending in ``/api/v1``. whiplash_url: base URL of Whiplash, ending in ``/api/v2``.
        token_url: where Whiplash's OAuth tokens come from.
    """

    def __init__(self, loop: Callable[[Request], Reply], whiplash: Callable[[Request], Reply]) -> None:
        self._servers = [_Server(("127.0.0.1", 0), _handler(answer)) for answer in (loop, whiplash)]
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True) for server in self._servers
        ]
        ports = [server.server_address[1] for server in self._servers]
        self.loop_url: str = f"http://127.0.0.1:{ports[0]}/api/v1"
        self.whiplash_url: str = f"http://127.0.0.1:{ports[1]}/api/v2"
        self.token_url: str = f"http://127.0.0.1:{ports[1]}/oauth/token"
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering. Idempotent."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join(timeout=5)
            server.server_close()
        self._servers, self._threads = [], []
