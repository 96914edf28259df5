"""Webhooks of both systems in Django. In your project, take the two views and their routes; the rest makes this file run alone.

gunicorn --bind 127.0.0.1:8000 django_view:application
python django_view.py work                                   works on what is due: a management command in your project

The daily backup is daily_sweep.py, on the same RETURNS_DB.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from functools import cache

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from loop_whiplash import Integration, LoopClient, LoopWhiplashError, Settings, SQLiteLedger, WhiplashClient

NEEDED = ("LOOP_API_KEY", "LOOP_SECRETS", "WHIPLASH_TOKEN", "WHIPLASH_CUSTOMER", "WHIPLASH_SECRETS", "RETURNS_DB", "GO_LIVE")


@cache
def returns() -> Integration:
    """All it takes, from the environment. Secrets are lists, so that one can be rotated: ``new,old``."""
    env, whiplash_url = os.environ, os.environ.get("WHIPLASH_URL", "https://www.getwhiplash.com/api/v2")
    if missing := [name for name in NEEDED if not env.get(name)]:
        raise RuntimeError(f"set {', '.join(missing)} in the environment")
    return Integration(
        LoopClient(env["LOOP_API_KEY"], base_url=env.get("LOOP_URL", "https://api.loopreturns.com/api/v1")),
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=whiplash_url),
        ledger=SQLiteLedger(env["RETURNS_DB"]),
        settings=Settings.from_dict({"start": env["GO_LIVE"]}),
        loop_secrets=env["LOOP_SECRETS"].split(","),
        whiplash_secrets=env["WHIPLASH_SECRETS"].split(","),
    )


def raw(request: HttpRequest) -> bytes:
    """The bytes that were signed. Of a body in chunks, as some proxies send it, Django reads nothing by itself."""
    chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    return request.META["wsgi.input"].read(5_000_000) if chunked else request.body


@csrf_exempt  # the signature is what says who it is from
@require_POST
def loop(request: HttpRequest) -> HttpResponse:
    reply = returns().handle_loop(raw(request), request.headers)  # before anything reads request.POST
    return HttpResponse(reply.body, status=reply.status, content_type="text/plain")


@csrf_exempt
@require_POST
def whiplash(request: HttpRequest) -> HttpResponse:
    reply = returns().handle_whiplash(raw(request), request.headers)
    return HttpResponse(reply.body, status=reply.status, content_type="text/plain")


urlpatterns = [path("loop", loop), path("whiplash", whiplash)]

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=os.environ.get("ALLOWED_HOSTS", "127.0.0.1").split(","),
        SECRET_KEY=os.urandom(32).hex(),
        DATA_UPLOAD_MAX_MEMORY_SIZE=5_000_000,  # bytes; Django's own 2.5 MB would answer 400, and Loop never sends that event again
    )
application = get_wsgi_application()
returns()  # what is missing shows now, not at the first webhook

if __name__ == "__main__" and sys.argv[1:] == ["work"]:
    while True:
        try:
            for outcome in returns().run_due(limit=100):
                print(f"return {outcome.return_id}: {outcome.status}: {'; '.join(outcome.reasons)}", flush=True)
        except LoopWhiplashError:  # say, the disk is full: it stays due, and webhooks are still answered
            logging.exception("the work is gone on with in a second")
        time.sleep(1)
