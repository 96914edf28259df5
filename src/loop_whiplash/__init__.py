"""Keep Loop Returns and Whiplash (RyderShip) in step.

The public names; each is bound on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import LoopWhiplashError as LoopWhiplashError
