"""Webhooks of both systems in Flask, and a worker beside it. The daily backup is daily_sweep.py, on the same RETURNS_DB.

gunicorn --bind 127.0.0.1:8000 "flask_app:create_app()"      answers webhooks; as many processes as you like
flask --app flask_app work                                   works on what is due; one is enough, several do no harm
"""

from __future__ import annotations

import os
import time

from flask import Flask, Response, request

from loop_whiplash import Integration, LoopClient, LoopWhiplashError, Settings, SQLiteLedger, WhiplashClient

NEEDED = ("LOOP_API_KEY", "LOOP_SECRETS", "WHIPLASH_TOKEN", "WHIPLASH_CUSTOMER", "WHIPLASH_SECRETS", "RETURNS_DB", "GO_LIVE")


def integration() -> Integration:
    """All it takes, from the environment. Secrets are lists, so that one can be rotated: ``new,old``."""
    env, whiplash_url = os.environ, os.environ.get("WHIPLASH_URL", "https://www.getwhiplash.com/api/v2")
    if missing := [name for name in NEEDED if not env.get(name)]:
        raise RuntimeError(f"set {', '.join(missing)} in the environment")
    return Integration(
        LoopClient(env["LOOP_API_KEY"], base_url=env.get("LOOP_URL", "https://api.loopreturns.com/api/v1")),
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=whiplash_url),
        ledger=SQLiteLedger(env["RETURNS_DB"]),
        settings=Settings.from_dict({"start": env["GO_LIVE"]}),
        loop_secrets=env["LOOP_SECRETS"].split(","),
        whiplash_secrets=env["WHIPLASH_SECRETS"].split(","),
    )


def create_app() -> Flask:
    app, returns = Flask(__name__), integration()
    app.config["MAX_CONTENT_LENGTH"] = 5_000_000  # bytes; before the signature is checked, anybody may send anything

    @app.post("/<any(loop, whiplash):system>")
    def webhook(system: str) -> Response:
        handle = returns.handle_loop if system == "loop" else returns.handle_whiplash
        reply = handle(request.get_data(), request.headers)  # the raw bytes: the signature is of them
        return Response(reply.body, reply.status, mimetype="text/plain")

    @app.get("/health")
    def health() -> tuple[dict[str, object], int]:
        found = returns.health()
        return {"ok": found.ok, "open": found.open, "due": found.due, "reasons": found.reasons}, 200 if found.ok else 503

    @app.cli.command("work")
    def work() -> None:
        while True:
            try:
                for outcome in returns.run_due(limit=100):
                    print(f"return {outcome.return_id}: {outcome.status}: {'; '.join(outcome.reasons)}", flush=True)
            except LoopWhiplashError:  # say, the disk is full: it stays due, and webhooks are still answered
                app.logger.exception("the work is gone on with in a second")
            time.sleep(1)

    return app
