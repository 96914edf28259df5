"""The vendors' published and captured payloads, where they are at hand: tests that read them skip where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

_BESIDE = Path(__file__).resolve().parent.parent.parent / "shared"
SHARED: Path | None = _BESIDE if _BESIDE.is_dir() else None


def reference(*parts: str) -> Path:
    """The path of a reference file; skips the calling test where it is absent."""
    if SHARED is None:
        pytest.skip("the reference payloads are not beside this repository")
    path = SHARED.joinpath("reference", *parts)
    if not path.is_file():
        pytest.skip(f"{'/'.join(parts)} is not among the reference files")
    return path


def payload(*parts: str) -> Any:
    """One payload of the reference as Python values, e.g. ``payload("loop", "return_details_real_2026-06.json")``."""
    return json.loads(reference("payloads", *parts).read_bytes())


def payload_bytes(*parts: str) -> bytes:
    """One payload of the reference as its bytes."""
    return reference("payloads", *parts).read_bytes()
