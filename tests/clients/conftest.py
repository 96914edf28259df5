from __future__ import annotations

from both_colours import colour, time

__all__ = ["colour", "time"]
