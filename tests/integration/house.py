"""One shop wired to a simulated world, without sockets: what the integration tests and stories share."""

from __future__ import annotations

from typing import Any

from loop_whiplash import Integration, LoopClient, MemoryLedger, Settings, WhiplashClient
from loop_whiplash.simulator import World


class House:
    """A world, an integration, and the short words a story needs."""

    def __init__(
        self, seed: int = 1, *, webhooks: bool = True, ledger: Any = None, settings: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self.world = World(seed=seed)
        self.ledger = ledger or MemoryLedger(clock=self.world.clock.now)
        self.webhooks = webhooks
        self.integration = self.open(settings or {}, **options)

    def open(self, settings: dict[str, Any], **options: Any) -> Integration:
        world = self.world
        loop = LoopClient(world.api_key, transport=world.loop_transport(), clock=world.clock.now, sleep=world.clock.sleep)
        whiplash = WhiplashClient(
            world.token, customer_id=world.customer_id, transport=world.whiplash_transport(), clock=world.clock.now, sleep=world.clock.sleep
        )
        return Integration(
            loop,
            whiplash,
            ledger=self.ledger,
            settings=Settings(**{"start": world.clock.now(), **settings}),
            loop_secrets=[world.loop_secret],
            whiplash_secrets=[world.whiplash_secret],
            clock=world.clock.now,
            **options,
        )

    def run(self, **time: float) -> None:
        """Let time pass: webhooks are delivered (unless this house has none) and what is due is worked on."""
        self.world.run(self.integration if self.webhooks else None, work=self.integration.run_due, **time)

    def announced(self, lines: int | list[str] = 1, **options: Any) -> Any:
        """A return whose label was scanned and whose RMA is made."""
        ret = self.world.shopper.submit_return(lines, **options)
        self.world.carrier.scan(ret, "pre_transit")
        self.run(hours=1)
        return ret

    def codes(self, return_id: int) -> list[str]:
        """The codes of the open breaks of a return."""
        case = self.integration.case(return_id)
        return sorted(found.code for found in case.breaks) if case else []

    def rmas(self, ret: Any) -> int:
        """How many RMAs were ever made for a return, as the world knows."""
        return len(self.world.truth.rmas(ret.id))
