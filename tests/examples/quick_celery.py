"""`celery_app.py` as it is, but hurried: seconds where it has minutes and days, so that a killed worker's work is taken up in a test.

The vendors' rate limits, which have tests of their own, are not waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import celery_app
from loop_whiplash import RateLimit, Settings, WhiplashClient

HURRIED = {"lease": "3s", "pause": "1s", "effect": "2s", "lag": "1s", "confirm_by": "5s", "recheck": "1h"}


class Hurried(Settings):
    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        return Settings.from_dict({**HURRIED, **values})


celery_app.Settings = Hurried  # type: ignore[misc]
celery_app.WhiplashClient = partial(WhiplashClient, timeout=2.0)  # type: ignore[assignment, misc]
celery_app.RateLimit = lambda limit, per: RateLimit(10_000, per=1.0)  # type: ignore[assignment, misc]
app = celery_app.app
app.conf.beat_schedule["due"]["schedule"] = 0.5
app.conf.beat_schedule["sweep"]["schedule"] = 4.0
app.conf.beat_max_loop_interval = 0.5
