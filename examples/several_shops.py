"""Several shops in one service: each has its own clients, secrets, settings and policy; all share one ledger file.

RETURNS_SHOPS=shops.toml gunicorn --bind 127.0.0.1:8000 several_shops:application
RETURNS_SHOPS=shops.toml python several_shops.py          works on what is due in every shop

    [shops.boots-eu]
    loop_api_key = "…"
    loop_secrets = ["…"]
    whiplash_token = "…"
    whiplash_customer = 24
    whiplash_secrets = ["…"]
    ledger = "returns.db"

    [shops.boots-eu.settings]
    start = "2026-12-01T00:00:00+00:00"
    warehouses = { "17" = 3, "18" = 4 }

    [shops.boots-eu.policy]
    match_level = 4
"""

from __future__ import annotations

import os
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request

from loop_whiplash import Integration, LoopClient, LoopWhiplashError, Policy, Settings, SQLiteLedger, WhiplashClient


def shop(name: str, table: dict[str, Any]) -> Integration:
    """Rows of the ledger carry the shop's name, so two shops never see each other's returns."""
    loop_url = {"base_url": table["loop_url"]} if "loop_url" in table else {}
    whiplash_url = {"base_url": table["whiplash_url"]} if "whiplash_url" in table else {}
    return Integration(
        LoopClient(table["loop_api_key"], **loop_url),
        WhiplashClient(table["whiplash_token"], customer_id=table["whiplash_customer"], **whiplash_url),
        ledger=SQLiteLedger(table["ledger"], shop=name),
        settings=Settings.from_dict(table["settings"]),
        policy=Policy.from_dict(table.get("policy", {})),
        loop_secrets=table["loop_secrets"],
        whiplash_secrets=table["whiplash_secrets"],
    )


def shops() -> dict[str, Integration]:
    tables = tomllib.loads(Path(os.environ["RETURNS_SHOPS"]).read_text(encoding="utf-8"))["shops"]
    return {name: shop(name, table) for name, table in tables.items()}


def create_app() -> Flask:
    app, known = Flask(__name__), shops()

    @app.post("/<name>/<system>")
    def webhook(name: str, system: str) -> Response:
        if name not in known or system not in ("loop", "whiplash"):
            abort(404)
        handle = known[name].handle_loop if system == "loop" else known[name].handle_whiplash
        reply = handle(request.get_data(), request.headers)
        return Response(reply.body, reply.status)

    return app


def work(known: dict[str, Integration]) -> None:
    """One round over all shops; what goes wrong in one shop stops no other."""
    for name, returns in known.items():
        try:
            returns.run_due(limit=100)
        except LoopWhiplashError as failed:
            print(f"{name}: {failed}", file=sys.stderr)


if __name__ == "__main__":
    all_shops = shops()
    while True:
        work(all_shops)
        time.sleep(2)
else:
    application = create_app() if "RETURNS_SHOPS" in os.environ else None
