"""Webhooks of both systems in FastAPI, with the worker as a task of the same process.

uvicorn --factory fastapi_app:create_app --port 8000
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Literal

from fastapi import FastAPI, Request, Response

from loop_whiplash import AsyncIntegration, AsyncLoopClient, AsyncWhiplashClient, Settings, SQLiteLedger


async def work(returns: AsyncIntegration) -> None:
    while True:  # being cancelled at any point is safe
        await returns.run_due(limit=100)
        await asyncio.sleep(2)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    env = os.environ
    url, customer = env["WHIPLASH_URL"], env["WHIPLASH_CUSTOMER"]
    async with (
        AsyncLoopClient(env["LOOP_API_KEY"], base_url=env["LOOP_URL"]) as loop,
        AsyncWhiplashClient(env["WHIPLASH_TOKEN"], customer_id=customer, base_url=url) as whiplash,
    ):
        app.state.returns = AsyncIntegration(
            loop,
            whiplash,
            ledger=SQLiteLedger(env["RETURNS_DB"]),
            settings=Settings(start=datetime.fromisoformat(env["GO_LIVE"])),
            loop_secrets=env["LOOP_SECRETS"].split(","),
            whiplash_secrets=env["WHIPLASH_SECRETS"].split(","),
        )
        task = asyncio.create_task(work(app.state.returns))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def create_app() -> FastAPI:
    app = FastAPI(lifespan=lifespan)

    @app.post("/{system}")
    async def webhook(system: Literal["loop", "whiplash"], request: Request) -> Response:
        returns: AsyncIntegration = request.app.state.returns
        handle = returns.handle_loop if system == "loop" else returns.handle_whiplash
        reply = await handle(await request.body(), request.headers)  # raw bytes: they are what is signed
        return Response(reply.body, reply.status)

    return app
