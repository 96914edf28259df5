"""The front door: `Integration` and `AsyncIntegration`, and the flows they run."""

from __future__ import annotations

from .check import Check
from .core import Happening, Hook, Outcome
from .front import AsyncIntegration, Integration
from .health import Health
from .inbox import WebhookReply
from .people import Case
from .sweep import Progress

__all__ = ["AsyncIntegration", "Case", "Check", "Happening", "Health", "Hook", "Integration", "Outcome", "Progress", "WebhookReply"]
