"""The program of seeds says less in its own process than the library does; the tests after it are to hear all."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def as_loud_as_before() -> Iterator[None]:
    logger = logging.getLogger("loop_whiplash")
    before = logger.level
    yield
    logger.setLevel(before)
