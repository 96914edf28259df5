"""Webhooks of both systems in Flask, and a worker beside it.

gunicorn --bind 127.0.0.1:8000 "flask_app:create_app()"      answers webhooks; as many processes as you like
flask --app flask_app work                                   works on what is due; one is enough, several do no harm
"""

from __future__ import annotations

import os
import time
from datetime import datetime

from flask import Flask, Response, jsonify, request

from loop_whiplash import Integration, LoopClient, Settings, SQLiteLedger, WhiplashClient


def integration() -> Integration:
    """All it takes, from the environment. Secrets are lists, so that one can be rotated: ``new,old``."""
    env = os.environ
    return Integration(
        LoopClient(env["LOOP_API_KEY"], base_url=env["LOOP_URL"]),
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=env["WHIPLASH_URL"]),
        ledger=SQLiteLedger(env["RETURNS_DB"]),
        settings=Settings(start=datetime.fromisoformat(env["GO_LIVE"])),
        loop_secrets=env["LOOP_SECRETS"].split(","),
        whiplash_secrets=env["WHIPLASH_SECRETS"].split(","),
    )


def create_app() -> Flask:
    app = Flask(__name__)
    returns = integration()

    @app.post("/loop")
    def loop() -> Response:
        reply = returns.handle_loop(request.get_data(), request.headers)  # the raw bytes: the signature is of them
        return Response(reply.body, reply.status)

    @app.post("/whiplash")
    def whiplash() -> Response:
        reply = returns.handle_whiplash(request.get_data(), request.headers)
        return Response(reply.body, reply.status)

    @app.get("/health")
    def health() -> tuple[Response, int]:
        found = returns.health()
        return jsonify(ok=found.ok, open=found.open, due=found.due, reasons=list(found.reasons)), 200 if found.ok else 503

    @app.cli.command("work")
    def work() -> None:
        while True:
            returns.run_due(limit=100)
            time.sleep(2)

    return app
