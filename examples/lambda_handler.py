"""Webhooks of both systems on AWS Lambda, behind an HTTP API or a function URL (payload format 2.0).

Three functions of one package: ``lambda_handler.webhook`` for ``POST /loop`` and ``POST /whiplash``, ``lambda_handler.work`` on a
schedule of a minute, ``lambda_handler.sweep`` once a day. A Lambda has no disk that lasts, so the ledger is PostgreSQL
(``DATABASE_URL``); `RETURNS_DB` names a SQLite file instead, for a volume that is mounted (EFS does not lock well enough: do not).
"""

from __future__ import annotations

import base64
import os
from datetime import datetime
from functools import cache
from typing import Any

from loop_whiplash import Integration, LoopClient, PostgresLedger, Settings, SQLiteLedger, WhiplashClient


@cache
def returns() -> Integration:
    """Made once for each container that Lambda starts, and used again by its next invocations."""
    env = os.environ
    return Integration(
        LoopClient(env["LOOP_API_KEY"], base_url=env["LOOP_URL"]),
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=env["WHIPLASH_URL"]),
        ledger=PostgresLedger(env["DATABASE_URL"]) if "DATABASE_URL" in env else SQLiteLedger(env["RETURNS_DB"]),
        settings=Settings(start=datetime.fromisoformat(env["GO_LIVE"])),
        loop_secrets=env["LOOP_SECRETS"].split(","),
        whiplash_secrets=env["WHIPLASH_SECRETS"].split(","),
    )


def webhook(event: dict[str, Any], context: object) -> dict[str, Any]:
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    handle = {"/loop": returns().handle_loop, "/whiplash": returns().handle_whiplash}.get(event["rawPath"])
    if handle is None:
        return {"statusCode": 404, "body": "no such webhook"}
    reply = handle(raw, event["headers"])
    return {"statusCode": reply.status, "body": reply.body}


def work(event: dict[str, Any], context: object) -> dict[str, int]:
    outcomes = returns().run_due(limit=200)
    return {"looked_at": len(outcomes), "acted": sum(outcome.status == "acted" for outcome in outcomes)}


def sweep(event: dict[str, Any], context: object) -> dict[str, Any]:
    report = returns().sweep()
    return {"complete": report.complete, "breaks": len(report.breaks)}
