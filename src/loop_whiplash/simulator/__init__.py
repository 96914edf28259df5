"""A fake Loop, a fake Whiplash, a warehouse, people and a hostile network, on a virtual clock.

    from loop_whiplash.simulator import World

    world = World(seed=7)
    ret = world.shopper.submit_return(["SLATE-BOOT-M", "SLATE-BOOT-M"])
    world.carrier.scan(ret, "pre_transit")
    world.warehouse.receive(ret, short=1)
    world.clock.advance(days=2)
    world.truth.released                       # what really happened

``World.serve()`` answers real HTTP on 127.0.0.1; ``World.loop_transport()`` and ``World.whiplash_transport()`` plug into the
clients without sockets. ``python -m loop_whiplash.simulator`` runs the library in hostile worlds and checks what it promises;
``Run(seed, "all").all().violations`` does so for one seed.
"""

from .checker import Violation, check_calm, check_years
from .clock import Clock
from .driver import Driver, Pace
from .faults import FAMILIES
from .laws import check_hints, check_ledgers
from .loop_state import LoopManners
from .network import Network
from .run import Run, Shape
from .shopper import SimulatedReturn
from .truth import Deed, Made, Released, Truth
from .webhooks import Delivery, Message, Outbox
from .whiplash import WhiplashManners
from .world import World

__all__ = [
    "FAMILIES",
    "Clock",
    "Deed",
    "Delivery",
    "Driver",
    "LoopManners",
    "Made",
    "Message",
    "Network",
    "Outbox",
    "Pace",
    "Released",
    "Run",
    "Shape",
    "SimulatedReturn",
    "Truth",
    "Violation",
    "WhiplashManners",
    "World",
    "check_calm",
    "check_hints",
    "check_ledgers",
    "check_years",
]
