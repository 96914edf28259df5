"""The pytest plugin: found by pytest itself wherever loop-whiplash is installed. Switch it off with ``-p no:loop_whiplash``.

It is loaded at every start of pytest, so it imports nothing that pytest has not loaded already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from loop_whiplash.integration import Integration
    from loop_whiplash.simulator import World


@pytest.fixture
def loop_whiplash_world() -> World:
    """A fresh simulated shop on a virtual clock: both vendors, a warehouse, shoppers, a network. Nothing leaves the process."""
    from loop_whiplash.simulator import World

    return World(seed=7)


@pytest.fixture
def loop_whiplash_integration(loop_whiplash_world: World) -> Integration:
    """An `Integration` wired to `loop_whiplash_world`, its ledger in memory; `integration_for` makes others."""
    from loop_whiplash.testing import integration_for

    return integration_for(loop_whiplash_world)
