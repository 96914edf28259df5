"""One world from one seed: a shop, its Loop, its Whiplash, and everybody who moves things in them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from loop_whiplash.http.flow import Interrupted, NotSent, Reply, Request

from .carrier import Carrier
from .catalogue import Catalogue
from .clock import BEGINNING, Clock
from .loop import Loop
from .loop_api import LoopApi
from .network import Fate, Network, hear
from .people import People
from .server import Serving
from .shopper import Shopper
from .truth import Truth
from .warehouse import Warehouse
from .webhooks import Delivery, Outbox, Receiver
from .whiplash import Whiplash
from .whiplash_api import WhiplashApi

__all__ = ["AsyncInProcess", "InProcess", "World"]


class World:
    """A shop on a virtual clock.

    >>> world = World(seed=7)
    >>> ret = world.shopper.submit_return(2)
    >>> world.carrier.scan(ret, "pre_transit")
    >>> ret.state, [label.status for label in ret.labels]
    ('open', ['pre_transit'])

    Args:
        seed: the same seed is the same world. start: its first moment, aware; give the present for a service that has a real clock.
        variants: how many SKUs are sold.

    Attributes:
        clock: virtual time. catalogue: what is sold, and the orders. shopper: sends things back. carrier: scans parcels.
        warehouse: opens and counts them. people: flag, clear, process and cancel in Loop's admin.
        loop, whiplash: both systems, with their `manners`.
        network: faults on the way. outbox: webhooks waiting to be delivered. truth: what really happened.
        api_key, token, loop_secret, whiplash_secret, customer_id: what a client of this world must be given.
    """

    def __init__(self, seed: int = 0, *, start: datetime = BEGINNING, variants: int = 24) -> None:
        self.seed = seed
        self.lock: threading.RLock = threading.RLock()
        self.clock: Clock = Clock(start, lock=self.lock)
        self.truth: Truth = Truth()
        self.catalogue: Catalogue = Catalogue(self.random("catalogue"), self.clock, variants=variants)
        self.outbox: Outbox = Outbox(self.clock, self.random("outbox"))
        self.loop: Loop = Loop(self.clock, self.random("loop"), self.truth, self.outbox)
        self.whiplash: Whiplash = Whiplash(self.clock, self.random("whiplash"), self.truth, self.outbox, self.catalogue)
        self.shopper: Shopper = Shopper(self.random("shopper"), self.clock, self.catalogue, self.loop)
        self.carrier: Carrier = Carrier(self.loop)
        self.warehouse: Warehouse = Warehouse(self.clock, self.catalogue, self.loop, self.whiplash)
        self.people: People = People(self.loop, self.clock)
        self.network: Network = Network(self.random("network"), self.truth)
        self.outbox.fate = self.network.webhooks.fate
        self._loop_api = LoopApi(self.loop, self.clock, self.truth)
        nobody = Outbox(self.clock, self.random("nobody"))
        self._other_shop = LoopApi(Loop(self.clock, self.random("another shop"), Truth(), nobody), self.clock, Truth())
        self._whiplash_api = WhiplashApi(self.whiplash, self.clock, self.truth, owner=self.warehouse.owner)

    def random(self, concern: str) -> random.Random:
        """A stream of randomness of its own for each concern: more of one does not shift another."""
        return random.Random(f"{self.seed}/{concern}")

    @property
    def api_key(self) -> str:
        """The key that Loop lets in."""
        return self.loop.manners.api_keys[0]

    @property
    def token(self) -> str:
        """The bearer token that Whiplash lets in."""
        return self.whiplash.manners.tokens[0]

    @property
    def loop_secret(self) -> str:
        """What Loop signs with."""
        return self.loop.manners.webhook_secret

    @property
    def whiplash_secret(self) -> str:
        """What Whiplash signs with."""
        return self.whiplash.manners.webhook_secret

    @property
    def customer_id(self) -> int:
        """The Whiplash customer."""
        return self.whiplash.customer_id

    # ------------------------------------------------------------------------------------------- calling in

    def answer(self, system: str, request: Request) -> Reply:
        """The true answer of a system, with its effect, now."""
        with self.lock:
            if system == "loop":
                api = self._other_shop if self.loop.manners.another_shop else self._loop_api
                return api.answer(request)
            return self._whiplash_api.answer(request)

    def log_in(self) -> dict[str, object]:
        """A person logs in at Whiplash again: a new pair of tokens, as the token endpoint would give it."""
        with self.lock:
            return self._whiplash_api.issue()

    def loop_transport(self) -> InProcess:
        """Loop without sockets: a transport for `LoopClient`. Network faults apply; waiting moves the virtual clock."""
        return InProcess(self, "loop")

    def whiplash_transport(self) -> InProcess:
        """Whiplash without sockets: a transport for `WhiplashClient`."""
        return InProcess(self, "whiplash")

    def async_loop_transport(self) -> AsyncInProcess:
        """The same for `AsyncLoopClient`."""
        return AsyncInProcess(self, "loop")

    def async_whiplash_transport(self) -> AsyncInProcess:
        """The same for `AsyncWhiplashClient`."""
        return AsyncInProcess(self, "whiplash")

    def send(self, system: str, request: Request) -> Reply:
        """One request with its fate, waited for on the virtual clock. Raises `NotSent` or `Interrupted`, as a transport does."""
        with self.lock:
            fate = self.network.fate(system, request)
            return self._live_through(system, request, fate)

    def _live_through(self, system: str, request: Request, fate: Fate) -> Reply:
        began = self.clock.now()
        timeout = request.timeout
        if fate.again is not None:
            self.clock.after(fate.again, lambda: _forget(self.answer(system, request)))
        reply: Reply | None = None
        if fate.arrive is not None:
            if fate.arrive <= timeout:
                self.clock.advance_to(began + timedelta(seconds=fate.arrive))
                reply = self.answer(system, request)
            else:
                self.clock.at(began + timedelta(seconds=fate.arrive), lambda: _forget(self.answer(system, request)))
        if fate.error == "timeout" or (fate.arrive is not None and fate.arrive + fate.reply > timeout):
            self.clock.advance_to(began + timedelta(seconds=timeout))
            raise Interrupted("timed out", timed_out=True)
        self.clock.advance_to(self.clock.now() + timedelta(seconds=fate.reply))
        return hear(fate, reply)

    def begin(
        self,
        system: str,
        request: Request,
        heard: Callable[[Reply | NotSent | Interrupted], None],
        *,
        arriving: Callable[[], None] = lambda: None,
    ) -> None:
        """The same without waiting: it is on its way while others act. `arriving` is called whenever it arrives, `heard` once,
        with what came of it."""
        fate = self.network.fate(system, request)
        began, timeout = self.clock.now(), request.timeout
        arrive = fate.arrive
        if fate.again is not None:
            self.clock.after(fate.again, lambda: _forget(self.answer(system, request)))

        def late() -> None:
            arriving()
            self.answer(system, request)

        silent = fate.error == "timeout" or (arrive is None and fate.error is None and fate.status is None and fate.lie is None)
        if silent or (arrive is not None and arrive + fate.reply > timeout):
            if arrive is not None:
                self.clock.after(arrive, late)
            self.clock.at(began + timedelta(seconds=timeout), lambda: heard(Interrupted("timed out", timed_out=True)))
            return

        def arrived() -> None:
            if arrive is not None:
                arriving()
            reply = None if arrive is None else self.answer(system, request)
            self.clock.after(fate.reply, lambda: heard(_outcome(fate, reply)))

        self.clock.after(arrive or 0.0, arrived)

    def serve(self) -> Serving:
        """Both fakes on 127.0.0.1; use it as a context manager.

        The published limits count virtual *and* real time here, so a client that waits on either clock is let in again.
        """
        began = time.monotonic()

        def both_clocks() -> datetime:
            return self.clock.now() + timedelta(seconds=time.monotonic() - began)

        self._loop_api.limit_clock = self._whiplash_api.limit_clock = both_clocks
        serving = Serving(lambda request: self.send("loop", request), lambda request: self.send("whiplash", request))
        self._loop_api.base_url = serving.loop_url
        return serving

    # ------------------------------------------------------------------------------------------ calling out

    def deliver(self, receiver: Receiver) -> list[Delivery]:
        """Deliver every webhook that is due now; see `Outbox.deliver`."""
        return self.outbox.deliver(receiver)

    def run(
        self,
        receiver: Receiver | None = None,
        *,
        work: Callable[[], object] | None = None,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        step: timedelta = timedelta(minutes=10),
    ) -> None:
        """Let time pass in steps, delivering webhooks to `receiver` and calling `work` (say, ``integration.run_due``) after each."""
        end = self.clock.now() + timedelta(days=days, hours=hours, minutes=minutes)
        while True:
            if receiver is not None:
                self.deliver(receiver)
            if work is not None:
                work()
            if self.clock.now() >= end:
                return
            self.clock.advance_to(min(end, self.clock.now() + step))


class InProcess:
    """A transport straight into a world."""

    def __init__(self, world: World, system: str) -> None:
        self.world = world
        self.system = system

    def send(self, request: Request) -> Reply:
        """Raises `NotSent` or `Interrupted` as the network wills."""
        return self.world.send(self.system, request)

    def close(self) -> None:
        """Nothing to give back."""


class AsyncInProcess:
    """The same, awaited."""

    def __init__(self, world: World, system: str) -> None:
        self.world = world
        self.system = system

    def send(self, request: Request) -> Awaitable[Reply]:
        """Raises `NotSent` or `Interrupted` as the network wills."""

        async def sent() -> Reply:
            return self.world.send(self.system, request)

        return sent()

    async def aclose(self) -> None:
        """Nothing to give back."""


def _outcome(fate: Fate, reply: Reply | None) -> Reply | NotSent | Interrupted:
    try:
        return hear(fate, reply)
    except (NotSent, Interrupted) as failure:
        return failure


def _forget(reply: Reply) -> None:
    """A reply that nobody hears."""
