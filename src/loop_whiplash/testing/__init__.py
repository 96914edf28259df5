"""What integrators test with: signers, sample payloads, a pytest plugin and the laws for a matcher of one's own."""

from __future__ import annotations

from loop_whiplash.loop.webhooks import sign_loop
from loop_whiplash.whiplash.webhooks import sign_whiplash

__all__ = ["sign_loop", "sign_whiplash"]
