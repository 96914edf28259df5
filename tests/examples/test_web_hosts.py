"""Flask, FastAPI, Django and several shops, each under its real server, taking signed webhooks over a socket."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_hosts import EXAMPLES, agree, deliver, environment, free_port, running, shops_toml, tell_two_returns, tick, until, world_now

from loop_whiplash.testing import loop_label_webhook, sign_loop, whiplash_consumer_return_webhook


def urls_of(port: int, prefix: str = "") -> dict[str, str]:
    return {system: f"http://127.0.0.1:{port}{prefix}/{system}" for system in ("loop", "whiplash")}


def ask(
    port: int, method: str, path: str, body: bytes | Iterator[bytes] | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def answers_to_what_is_odd(port: int) -> list[int]:
    """Webhooks: forged, unreadable under the older secret, without a signature, about somebody else's parcel, and in chunks."""
    forged, theirs = loop_label_webhook(), whiplash_consumer_return_webhook()
    chunks = iter([theirs.body[:99], theirs.body[99:]])
    return [
        ask(port, "POST", "/loop", forged.body, forged.headers("not-the-secret"))[0],
        ask(port, "POST", "/loop", b"[1]", sign_loop(b"[1]", "an-older-secret"))[0],
        ask(port, "POST", "/whiplash", theirs.body)[0],
        ask(port, "POST", "/whiplash", theirs.body, theirs.headers("whiplash-webhook-secret"))[0],
        ask(port, "POST", "/whiplash", chunks, theirs.headers("whiplash-webhook-secret"))[0],
    ]


def test_flask_under_gunicorn_with_a_worker_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    world, port = world_now(), free_port()
    with world.serve() as fakes:
        env = environment(world, fakes, tmp_path)
        server = ("-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "flask_app:create_app()")
        worker = ("-m", "flask", "--app", "flask_app", "work")
        with running(*server, env=env, log=tmp_path / "server.log", port=port), running(*worker, env=env, log=tmp_path / "worker.log"):
            agree(world, *tell_two_returns(world, urls_of(port)))
            assert answers_to_what_is_odd(port) == [401, 202, 401, 200, 200]
            assert ask(port, "POST", "/loop", headers={"Content-Length": "5000001"})[0] == 413  # before any of it was read
            status, body = ask(port, "GET", "/health")
            assert status in (200, 503)
            assert set(json.loads(body)) == {"ok", "open", "due", "reasons"}


def test_a_service_is_tried_by_hand_against_both_vendors(tmp_path: Path) -> None:
    """What `both_vendors.py` prints is all that a service needs, and its prompt moves the world."""
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    port, log = free_port(), tmp_path / "prompt.log"
    command = [sys.executable, "-i", "-q", "both_vendors.py", f"http://127.0.0.1:{port}/"]
    streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with log.open("wb") as out, subprocess.Popen(
        command, cwd=EXAMPLES, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=out, **streams
    ) as prompt:  # fmt: skip

        def types(*lines: str) -> None:
            prompt.stdin.write("".join(f"{line}\n" for line in lines))
            prompt.stdin.flush()

        def said(what: str) -> bool:
            return what in log.read_text()

        try:
            until(lambda: said("export GO_LIVE="), "the environment")
            exports = [line.removeprefix("export ") for line in log.read_text().splitlines() if line.startswith("export ")]
            env = {**os.environ, **dict(line.split("=", 1) for line in exports)}
            server = ("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "flask_app:create_app()")
            worker = ("-m", "flask", "--app", "flask_app", "work")
            with running(*server, env=env, log=tmp_path / "server.log", port=port), running(*worker, env=env, log=tmp_path / "worker.log"):
                types("import time", "ret = world.shopper.submit_return(2)", "world.carrier.scan(ret)", "deliver()")
                types("while not world.truth.rmas(ret.id): time.sleep(0.05)", "")
                types("world.warehouse.receive(ret, damaged=1)", "deliver()", "while not ret.flagged: time.sleep(0.05)", "", "ret")
                until(lambda: said(": review flagged, 2 units>"), "the return being flagged")
            assert said("<loop return/return.created of return ")
            assert not said("attempt 1>: 401")
        finally:
            prompt.kill()


def test_fastapi_under_uvicorn(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    world, port = world_now(), free_port()
    with world.serve() as fakes:
        server = ("-m", "uvicorn", "--factory", "fastapi_app:create_app", "--port", str(port), "--log-level", "warning")
        with running(*server, env=environment(world, fakes, tmp_path), log=tmp_path / "server.log", port=port):
            agree(world, *tell_two_returns(world, urls_of(port)))
            assert answers_to_what_is_odd(port) == [401, 202, 401, 200, 200]
            assert ask(port, "POST", "/elsewhere", b"{}")[0] == 422


def test_django_under_gunicorn_with_a_worker_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("django")
    pytest.importorskip("gunicorn")
    world, port = world_now(), free_port()
    with world.serve() as fakes:
        env = environment(world, fakes, tmp_path)
        server = ("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "django_view:application")
        with (
            running(*server, env=env, log=tmp_path / "server.log", port=port),
            running("django_view.py", "work", env=env, log=tmp_path / "worker.log"),
        ):
            agree(world, *tell_two_returns(world, urls_of(port)))
            assert answers_to_what_is_odd(port) == [401, 202, 401, 200, 200]
            assert ask(port, "GET", "/loop")[0] == 405


def test_several_shops_under_gunicorn_keep_to_themselves(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    worlds, port = {"eu": world_now(1), "us": world_now(2)}, free_port()
    worlds["us"].loop.manners.webhook_secret = "another-secret"
    with worlds["eu"].serve() as eu, worlds["us"].serve() as us:
        shops = shops_toml(tmp_path, worlds, {"eu": eu, "us": us})
        env = environment(worlds["eu"], eu, tmp_path, RETURNS_SHOPS=str(shops))
        server = ("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "several_shops:create_app()")
        with running(*server, env=env, log=tmp_path / "server.log", port=port):
            with running("several_shops.py", "work", env=env, log=tmp_path / "worker.log"):
                rets = {}
                for name, world in worlds.items():
                    rets[name] = world.shopper.submit_return(1)
                    world.carrier.scan(rets[name], "pre_transit")
                    deliver(world, urls_of(port, f"/{name}"))
                for name, world in worlds.items():
                    until(lambda world=world, name=name: tick(world) and world.truth.rmas(rets[name].id), f"an RMA in {name}")
            assert [len(world.truth.made) for world in worlds.values()] == [1, 1]
            # A webhook of one shop, posted to the address of the other, is signed with the wrong secret.
            assert ask(port, "POST", "/us/loop", b"{}", sign_loop(b"{}", worlds["eu"].loop_secret))[0] == 401
            assert ask(port, "POST", "/nowhere/loop", b"{}")[0] == 404


@pytest.mark.parametrize(
    ("framework", "start"),
    [
        ("flask", "import flask_app; flask_app.create_app()"),
        ("fastapi", "import fastapi_app; fastapi_app.create_app()"),
        ("django", "import django_view"),
    ],
    ids=["flask", "fastapi", "django"],
)
def test_what_is_not_set_is_named_at_the_start(tmp_path: Path, framework: str, start: str) -> None:
    pytest.importorskip(framework)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": str(tmp_path)}

    def last_words(**given: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-c", start], cwd=EXAMPLES, env=env | given, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode != 0
        return ran.stderr.strip().splitlines()[-1]

    assert last_words(LOOP_API_KEY="key", WHIPLASH_CUSTOMER="", GO_LIVE="2026-12-01T00:00:00+00:00") == (
        "RuntimeError: set LOOP_SECRETS, WHIPLASH_TOKEN, WHIPLASH_CUSTOMER, WHIPLASH_SECRETS, RETURNS_DB in the environment"
    )


@pytest.mark.parametrize("name", ["flask_app.py", "fastapi_app.py", "daily_sweep.py"])
def test_an_adapter_stays_under_sixty_lines(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_imports_only_the_public_face(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    ours = {line.split()[1] for line in lines if line.startswith(("from loop_whiplash", "import loop_whiplash"))}
    assert ours <= {"loop_whiplash", "loop_whiplash.simulator", "loop_whiplash.testing"}
