"""Every story is told in both colours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from house import House


@pytest.fixture(params=["sync", "async"])
def build(request: pytest.FixtureRequest) -> Callable[..., House]:
    """Makes a house of one colour: ``build(settings={...})``."""
    return partial(House, colour=request.param)


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    """A house as it comes."""
    return build()
