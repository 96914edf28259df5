"""What holds for every test."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """The thousands of tests stay until the end: let the garbage collector not go through them again and again (a tenth of all time)."""
    gc.collect()
    gc.freeze()
