"""Webhooks of both systems on AWS Lambda, behind an HTTP API, a function URL, a REST API or a load balancer.

Three functions of one package: ``lambda_handler.webhook`` behind ``POST …/loop`` and ``POST …/whiplash``, ``lambda_handler.work`` on a
schedule of one minute, ``lambda_handler.sweep`` on a schedule of one day. Reserve one concurrent execution for each of the last two: every
container counts the vendors' rate limits alone. A Lambda has no disk that lasts, so the ledger is PostgreSQL.
"""

from __future__ import annotations

import base64
import os
from functools import cache
from typing import Any

from loop_whiplash import Integration, LoopClient, PostgresLedger, Settings, WhiplashClient

NEEDED = ("LOOP_API_KEY", "LOOP_SECRETS", "WHIPLASH_TOKEN", "WHIPLASH_CUSTOMER", "WHIPLASH_SECRETS", "DATABASE_URL", "GO_LIVE")


@cache
def returns() -> Integration:
    """Made once for each container that Lambda starts, and used again by its next invocations."""
    env, whiplash_url = os.environ, os.environ.get("WHIPLASH_URL", "https://www.getwhiplash.com/api/v2")
    if missing := [name for name in NEEDED if not env.get(name)]:
        raise RuntimeError(f"set {', '.join(missing)} in the function's environment")
    return Integration(
        LoopClient(env["LOOP_API_KEY"], base_url=env.get("LOOP_URL", "https://api.loopreturns.com/api/v1")),
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=whiplash_url),
        ledger=PostgresLedger(env["DATABASE_URL"]),
        settings=Settings.from_dict({"start": env["GO_LIVE"]}),
        loop_secrets=env["LOOP_SECRETS"].split(","),  # lists, so that one can be rotated: new,old
        whiplash_secrets=env["WHIPLASH_SECRETS"].split(","),
    )


def webhook(event: dict[str, Any], context: object) -> dict[str, Any]:
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()  # the bytes that were signed
    headers = event.get("headers") or event.get("multiValueHeaders") or {}  # a load balancer sends one of the two
    path = event.get("rawPath") or event.get("path") or ""  # payload 2.0 says rawPath, all others path
    handle = {"loop": returns().handle_loop, "whiplash": returns().handle_whiplash}.get(path.rpartition("/")[2])
    if handle is None:
        return _answer(404, "no such webhook")
    reply = handle(raw, headers)
    return _answer(reply.status, reply.body)


def _answer(status: int, body: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": "text/plain"}, "body": body, "isBase64Encoded": False}


def work(event: dict[str, Any], context: Any) -> dict[str, int]:
    """What is due, as long as the function may run; the rest is due again at the next call."""
    looked_at = acted = 0
    while context.get_remaining_time_in_millis() > 30_000 and (outcomes := returns().run_due(limit=10)):
        looked_at, acted = looked_at + len(outcomes), acted + sum(outcome.status == "acted" for outcome in outcomes)
    return {"looked_at": looked_at, "acted": acted}


def sweep(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Cut off by its time limit, it goes on where it was when it is called again."""
    report = returns().sweep()
    return {"complete": report.complete, "breaks": len(report.breaks)}
