"""Payloads with values of our own, in the shapes that the vendors publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "fixtures"


def fixture(name: str) -> Any:
    """One payload as Python values, fresh each time."""
    return json.loads(fixture_bytes(name))


def fixture_bytes(name: str) -> bytes:
    """The same as bytes."""
    return (HERE / f"{name}.json").read_bytes()
