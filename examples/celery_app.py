"""Live work on Celery, for more returns than one process can look after: PostgreSQL ledger, Redis broker, sweep on Celery beat.

celery --app celery_app worker --concurrency 4       on as many hosts as you like; PROCESSES is what they have in all
celery --app celery_app beat                         exactly one

The web application is that of ``flask_app.py``, with this ledger.

The queue carries return ids and nothing else. It may lose them, repeat them and mix them up: what is due stands in the ledger,
`due` finds it again, and two workers on one return cannot both act.
"""

from __future__ import annotations

import os
from functools import cache

from celery import Celery
from celery.schedules import crontab

from loop_whiplash import Integration, LoopClient, PostgresLedger, RateLimit, Settings, WhiplashClient

NEEDED = ("LOOP_API_KEY", "LOOP_SECRETS", "WHIPLASH_TOKEN", "WHIPLASH_CUSTOMER", "WHIPLASH_SECRETS", "DATABASE_URL", "REDIS_URL", "GO_LIVE")

env = os.environ
if missing := [name for name in NEEDED if not env.get(name)]:
    raise RuntimeError(f"set {', '.join(missing)} in the environment")

app = Celery("returns", broker=env["REDIS_URL"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,  # a worker that is killed gives its task back
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 6 * 3600},  # seconds; longer than any sweep, or Redis hands it out twice
    beat_schedule={
        # Both find in the ledger what is to be done, so one that is lost or late does no harm.
        "due": {"task": "celery_app.due", "schedule": 10.0, "options": {"expires": 60}},
        "sweep": {"task": "celery_app.sweep", "schedule": crontab(hour="5", minute="15")},
    },
)


#: Worker processes on all hosts together: they share what the vendors allow one key and one customer.
PROCESSES = int(env.get("PROCESSES", "4"))


@cache
def returns() -> Integration:
    """Made on first use, so that each worker process has its own connections."""
    return Integration(
        LoopClient(
            env["LOOP_API_KEY"],
            base_url=env.get("LOOP_URL", "https://api.loopreturns.com/api/v1"),
            limiter=RateLimit(300 // PROCESSES, per=60.0),
        ),
        WhiplashClient(
            env["WHIPLASH_TOKEN"],
            customer_id=env["WHIPLASH_CUSTOMER"],
            base_url=env.get("WHIPLASH_URL", "https://www.getwhiplash.com/api/v2"),
            limiter=RateLimit(10, per=float(PROCESSES)),
        ),
        ledger=PostgresLedger(env["DATABASE_URL"]),
        settings=Settings.from_dict({"start": env["GO_LIVE"]}),
        loop_secrets=env["LOOP_SECRETS"].split(","),  # lists, so that one can be rotated: new,old
        whiplash_secrets=env["WHIPLASH_SECRETS"].split(","),
    )


@app.task
def advance(return_id: int) -> None:
    """One return, now. Your webhook route calls ``advance.delay(reply.return_id)`` after it has answered."""
    returns().advance(return_id)


@app.task
def due() -> None:
    """Everything whose time has come; the net under `advance`."""
    while len(returns().run_due(limit=50)) == 50:
        pass


@app.task
def sweep() -> None:
    """The daily backup. It goes on where it broke off if its worker is killed."""
    returns().sweep()
