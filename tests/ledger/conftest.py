"""A SQLite ledger in a file of its own, for the tests of what is special about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loop_whiplash.ledger import SQLiteLedger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SQLiteLedger]:
    """One with little patience."""
    ledger = SQLiteLedger(path, busy_timeout=0.2)
    yield ledger
    ledger.close()
