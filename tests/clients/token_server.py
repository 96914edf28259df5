"""An authorization server whose refresh tokens are good for one use, and the API behind it: as a transport, or over a socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from both_colours import WHIPLASH_URL, Script, reply

from loop_whiplash.http.flow import Reply, Request


class TokenServer:
    """Answers ``/oauth/token`` and asks everything else for an access token that is still good."""

    def __init__(self, *, rotates: bool = True, lives: int = 7200) -> None:
        self.rotates, self.lives = rotates, lives
        self.number = 0
        self.good = {"access-0"}
        self.refresh = "refresh-0"
        self.codes = {"code-1"}
        self.forms: list[dict[str, str]] = []
        self.signed_with: list[str] = []
        self.watch: Callable[[str], None] = lambda _: None
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        with self._lock:
            if request.from_root:
                assert (request.method, request.path) == ("POST", "/oauth/token")
                assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
                return self.token({name: values[0] for name, values in parse_qs((request.body or b"").decode()).items()})
            return self.api(request.headers.get("Authorization", ""))

    def token(self, form: dict[str, str]) -> Reply:
        self.forms.append(form)
        if form["client_secret"] != "app-secret":
            return reply(401, {"error": "invalid_client"})
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self.refresh:
                self.good.clear()  # used twice: everything that came of it is revoked
                return reply(400, {"error": "invalid_grant", "error_description": "used up"})
        elif form["grant_type"] == "authorization_code":
            if form["code"] not in self.codes:
                return reply(400, {"error": "invalid_grant"})
            self.codes.discard(form["code"])
        self.number += 1
        access = f"access-{self.number}"
        self.good = {access}
        body: dict[str, object] = {"access_token": access, "token_type": "bearer", "expires_in": self.lives, "scope": form.get("scope")}
        if form["grant_type"] != "client_credentials" and self.rotates:
            self.refresh = f"refresh-{self.number}"
            body["refresh_token"] = self.refresh
        return reply(200, body)

    def api(self, authorization: str) -> Reply:
        access = authorization.removeprefix("Bearer ")
        self.signed_with.append(access)
        self.watch(access)
        return reply(200, {"count": 1}) if access in self.good else reply(401, {"error": "The access token is invalid"})

    def script(self) -> Script:
        script = Script(answer=self.answer)
        script.base_url = WHIPLASH_URL
        return script

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its base URL over a socket on 127.0.0.1."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.title(): value for name, value in self.headers.items()}
                path = self.path.partition("?")[0]
                found = outer.answer(
                    Request(method=self.command, path=path, headers=headers, body=body, from_root=path.startswith("/oauth"))
                )
                self.send_response(found.status)
                self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(found.body)

            do_GET = do_POST = _answer  # noqa: N815 - the standard library's names

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/api/v2"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
