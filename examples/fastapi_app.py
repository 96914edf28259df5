"""Webhooks of both systems in FastAPI, with the worker as a task of the same process. The daily backup is daily_sweep.py.

uvicorn --factory fastapi_app:create_app --port 8000      one process: each has a worker, and counts the vendors' rate limits alone
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import FastAPI, Request, Response

from loop_whiplash import AsyncIntegration, AsyncLoopClient, AsyncWhiplashClient, LoopWhiplashError, Settings, SQLiteLedger

NEEDED = ("LOOP_API_KEY", "LOOP_SECRETS", "WHIPLASH_TOKEN", "WHIPLASH_CUSTOMER", "WHIPLASH_SECRETS", "RETURNS_DB", "GO_LIVE")


async def work(returns: AsyncIntegration) -> None:
    while True:  # being cancelled at any point is safe
        try:
            for outcome in await returns.run_due(limit=100):
                print(f"return {outcome.return_id}: {outcome.status}: {'; '.join(outcome.reasons)}", flush=True)
        except LoopWhiplashError:  # say, the disk is full: it stays due, and webhooks are still answered
            logging.exception("the work is gone on with in a second")
        await asyncio.sleep(1)


def create_app() -> FastAPI:
    env, whiplash_url = os.environ, os.environ.get("WHIPLASH_URL", "https://www.getwhiplash.com/api/v2")
    if missing := [name for name in NEEDED if not env.get(name)]:
        raise RuntimeError(f"set {', '.join(missing)} in the environment")
    loop = AsyncLoopClient(env["LOOP_API_KEY"], base_url=env.get("LOOP_URL", "https://api.loopreturns.com/api/v1"))
    whiplash = AsyncWhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=whiplash_url)
    ledger, settings = SQLiteLedger(env["RETURNS_DB"]), Settings.from_dict({"start": env["GO_LIVE"]})
    first, second = (env[name].split(",") for name in ("LOOP_SECRETS", "WHIPLASH_SECRETS"))  # lists: several while one is rotated
    returns = AsyncIntegration(loop, whiplash, ledger=ledger, settings=settings, loop_secrets=first, whiplash_secrets=second)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with loop, whiplash:
            worker = asyncio.create_task(work(returns))
            yield
            worker.cancel()
            await asyncio.wait([worker])

    app = FastAPI(lifespan=lifespan)

    @app.post("/{system}")
    async def webhook(system: Literal["loop", "whiplash"], request: Request) -> Response:
        handle = returns.handle_loop if system == "loop" else returns.handle_whiplash
        reply = await handle(await request.body(), request.headers)  # the raw bytes: the signature is of them
        return Response(reply.body, reply.status, media_type="text/plain")

    return app
