"""Loop and Whiplash on 127.0.0.1, for a service that runs in another terminal. You are the shopper, the carrier and the warehouse.

python -i both_vendors.py http://127.0.0.1:8000      prints what the service needs in its environment; webhooks go to /loop and /whiplash

>>> ret = world.shopper.submit_return(2)
>>> world.carrier.scan(ret)
>>> deliver()                                        its worker makes the RMA
>>> world.warehouse.receive(ret, damaged=1)
>>> deliver()                                        and flags the return
>>> ret, ret.notes
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from tempfile import mkdtemp

from loop_whiplash.simulator import Delivery, World

service = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000"
world = World(seed=7, start=datetime.now(UTC).replace(microsecond=0))  # the service has a real clock
fakes = world.serve()

for name, value in {
    "LOOP_URL": fakes.loop_url,
    "LOOP_API_KEY": world.api_key,
    "LOOP_SECRETS": world.loop_secret,
    "WHIPLASH_URL": fakes.whiplash_url,
    "WHIPLASH_TOKEN": world.token,
    "WHIPLASH_CUSTOMER": world.customer_id,
    "WHIPLASH_SECRETS": world.whiplash_secret,
    "RETURNS_DB": f"{mkdtemp()}/returns.db",  # a new world needs a new ledger
    "GO_LIVE": world.clock.now().isoformat(),
}.items():
    print(f"export {name}={value}", flush=True)


def deliver() -> list[Delivery]:
    """Let the world catch up with the real time, then send the service each webhook that is due."""
    with world.lock:
        world.clock.advance_to(max(world.clock.now(), datetime.now(UTC)))
    return world.deliver({system: f"{service}/{system}" for system in ("loop", "whiplash")})
