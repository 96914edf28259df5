"""Several shops in one service: each has its own clients, secrets, settings and policy; all share one ledger file.

RETURNS_SHOPS=shops.toml gunicorn --bind 127.0.0.1:8000 "several_shops:create_app()"      webhooks at /boots-eu/loop and so on
RETURNS_SHOPS=shops.toml python several_shops.py work                                     works on what is due in every shop
RETURNS_SHOPS=shops.toml python several_shops.py sweep                                    the daily backup, for cron

shops.toml holds secrets; keep it as you keep those:

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

NEEDED = ("loop_api_key", "loop_secrets", "whiplash_token", "whiplash_customer", "whiplash_secrets", "ledger", "settings")


def shop(name: str, table: dict[str, Any]) -> Integration:
    """Rows of the ledger carry the shop's name, so two shops never see each other's returns."""
    if missing := [key for key in NEEDED if not table.get(key)]:
        raise RuntimeError(f"[shops.{name}] lacks {', '.join(missing)}")
    whiplash_url = table.get("whiplash_url", "https://www.getwhiplash.com/api/v2")
    return Integration(
        LoopClient(table["loop_api_key"], base_url=table.get("loop_url", "https://api.loopreturns.com/api/v1")),
        WhiplashClient(table["whiplash_token"], customer_id=table["whiplash_customer"], base_url=whiplash_url),
        ledger=SQLiteLedger(table["ledger"], shop=name),
        settings=Settings.from_dict(table["settings"]),
        policy=Policy.from_dict(table.get("policy", {})),
        loop_secrets=table["loop_secrets"],
        whiplash_secrets=table["whiplash_secrets"],
    )


def shops() -> dict[str, Integration]:
    if not (path := os.environ.get("RETURNS_SHOPS")):
        raise RuntimeError("set RETURNS_SHOPS to the path of shops.toml")
    tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))["shops"]
    return {name: shop(name, table) for name, table in tables.items()}


def create_app() -> Flask:
    app, known = Flask(__name__), shops()
    app.config["MAX_CONTENT_LENGTH"] = 5_000_000  # bytes; before the signature is checked, anybody may send anything

    @app.post("/<name>/<any(loop, whiplash):system>")
    def webhook(name: str, system: str) -> Response:
        if name not in known:
            abort(404)
        handle = known[name].handle_loop if system == "loop" else known[name].handle_whiplash
        reply = handle(request.get_data(), request.headers)  # the raw bytes: the signature is of them
        return Response(reply.body, reply.status, mimetype="text/plain")

    return app


def work(known: dict[str, Integration]) -> None:
    """One round over all shops; what goes wrong in one stops no other."""
    for name, returns in known.items():
        try:
            for outcome in returns.run_due(limit=100):
                print(f"{name}: return {outcome.return_id}: {outcome.status}: {'; '.join(outcome.reasons)}", flush=True)
        except LoopWhiplashError as failed:
            print(f"{name}: {failed}", file=sys.stderr)


def sweep(known: dict[str, Integration]) -> int:
    """One report a shop; the worst of their exit codes."""
    worst = 0
    for name, returns in known.items():
        try:
            report = returns.sweep()
        except LoopWhiplashError as failed:
            print(f"{name}: the sweep broke off: {failed}", file=sys.stderr)
            worst = 2
            continue
        print(f"== {name}\n{report.to_text()}")
        worst = max(worst, report.exit_code())
    return worst


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["sweep"]:
            sys.exit(sweep(shops()))
        case ["work"]:
            all_shops = shops()
            while True:
                work(all_shops)
                time.sleep(1)
        case _:
            sys.exit(__doc__)
