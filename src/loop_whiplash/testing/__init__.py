"""What integrators test with: signers, sample payloads, a wired world, the laws for a matcher of one's own, and a pytest plugin.

    from loop_whiplash.testing import loop_label_webhook

    def test_my_route(client):
        sample = loop_label_webhook(label_status="in_transit")
        assert client.post("/loop", data=sample.body, headers=sample.headers("my-secret")).status_code == 200

The plugin is found by pytest wherever loop-whiplash is installed, and gives the fixtures `loop_whiplash_world` and
`loop_whiplash_integration`. Nothing here needs pytest but the plugin itself, and nothing is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loop_whiplash.loop.webhooks import sign_loop
    from loop_whiplash.whiplash.webhooks import sign_whiplash

    from .laws import LawBroken, check_matcher
    from .samples import (
        Sample,
        loop_label_webhook,
        loop_processing_failed_webhook,
        loop_return_details,
        loop_return_row,
        loop_return_webhook,
        whiplash_consumer_return,
        whiplash_consumer_return_webhook,
    )
    from .wiring import async_integration_for, integration_for

__all__ = [
    "LawBroken",
    "Sample",
    "async_integration_for",
    "check_matcher",
    "integration_for",
    "loop_label_webhook",
    "loop_processing_failed_webhook",
    "loop_return_details",
    "loop_return_row",
    "loop_return_webhook",
    "sign_loop",
    "sign_whiplash",
    "whiplash_consumer_return",
    "whiplash_consumer_return_webhook",
]

_ROOMS = {
    "LawBroken": f"{__name__}.laws",
    "check_matcher": f"{__name__}.laws",
    "sign_loop": "loop_whiplash.loop.webhooks",
    "sign_whiplash": "loop_whiplash.whiplash.webhooks",
    "integration_for": f"{__name__}.wiring",
    "async_integration_for": f"{__name__}.wiring",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_ROOMS.get(name, f"{__name__}.samples")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
