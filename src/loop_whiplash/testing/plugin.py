"""The pytest plugin: found by pytest itself wherever loop-whiplash is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from loop_whiplash.simulator import World


@pytest.fixture
def loop_whiplash_world() -> World:
    """A fresh simulated shop on a virtual clock: both vendors, a warehouse, shoppers, a network. Nothing leaves the process."""
    from loop_whiplash.simulator import World

    return World(seed=7)
