"""An integration that lives in a simulated world: no sockets, no waiting, the world's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from loop_whiplash.integration import AsyncIntegration, Hook, Integration
from loop_whiplash.ledger import Ledger, MemoryLedger
from loop_whiplash.loop.client import AsyncLoopClient, LoopClient
from loop_whiplash.matching import Matcher, Policy, match
from loop_whiplash.planning import Settings
from loop_whiplash.simulator import World
from loop_whiplash.whiplash.client import AsyncWhiplashClient, WhiplashClient

__all__ = ["async_integration_for", "integration_for"]


def integration_for(
    world: World,
    *,
    settings: Settings | None = None,
    policy: Policy | None = None,
    matcher: Matcher = match,
    ledger: Ledger | None = None,
    hooks: Sequence[Hook] = (),
) -> Integration:
    """An `Integration` wired to both systems of a world, with its keys, its secrets and its clock.

    Args:
        settings: by default one that starts a day before the world's present. ledger: by default one in memory. The rest as for
            `Integration`. What has a clock of its own should be given ``world.clock.now``.

    >>> world = World(seed=7)
    >>> integration = integration_for(world)
    >>> ret = world.shopper.submit_return(1)
    >>> world.carrier.scan(ret, "pre_transit")
    >>> world.run(integration, work=integration.run_due, hours=1)      # webhooks are delivered, what is due is worked on
    >>> receipt = world.warehouse.receive(ret)
    >>> world.run(integration, work=integration.run_due, hours=1)
    >>> ret.was_processed
    True
    """
    clock = world.clock
    return Integration(
        LoopClient(world.api_key, transport=world.loop_transport(), clock=clock.now, sleep=clock.sleep),
        WhiplashClient(
            world.token, customer_id=world.customer_id, transport=world.whiplash_transport(), clock=clock.now, sleep=clock.sleep
        ),
        ledger=ledger or MemoryLedger(clock=clock.now),
        settings=settings or _settings(world),
        policy=policy,
        matcher=matcher,
        loop_secrets=[world.loop_secret],
        whiplash_secrets=[world.whiplash_secret],
        clock=clock.now,
        hooks=hooks,
    )


def async_integration_for(
    world: World,
    *,
    settings: Settings | None = None,
    policy: Policy | None = None,
    matcher: Matcher = match,
    ledger: Ledger | None = None,
    hooks: Sequence[Hook] = (),
) -> AsyncIntegration:
    """`integration_for`, awaited. Webhooks are taken from the outbox one by one.

    >>> import asyncio
    >>> async def story(world):
    ...     integration = async_integration_for(world)
    ...     ret = world.shopper.submit_return(1)
    ...     world.carrier.scan(ret, "pre_transit")
    ...     while (message := world.outbox.take()) is not None:
    ...         reply = await integration.handle_loop(message.body, message.headers)
    ...         world.outbox.settle(message, reply.status)
    ...     return [outcome.action for outcome in await integration.run_due()]
    >>> asyncio.run(story(World(seed=7)))
    ['CreateRma']
    """
    clock = world.clock
    return AsyncIntegration(
        AsyncLoopClient(world.api_key, transport=world.async_loop_transport(), clock=clock.now, sleep=clock.sleep_async),
        AsyncWhiplashClient(
            world.token, customer_id=world.customer_id, transport=world.async_whiplash_transport(), clock=clock.now, sleep=clock.sleep_async
        ),
        ledger=ledger or MemoryLedger(clock=clock.now),
        settings=settings or _settings(world),
        policy=policy,
        matcher=matcher,
        loop_secrets=[world.loop_secret],
        whiplash_secrets=[world.whiplash_secret],
        clock=clock.now,
        hooks=hooks,
    )


def _settings(world: World) -> Settings:
    return Settings(start=world.clock.now() - timedelta(days=1))
