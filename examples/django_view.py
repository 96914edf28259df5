"""Webhooks of both systems in Django. In your project, take the two views and their routes; the rest makes this file run alone.

gunicorn --bind 127.0.0.1:8000 django_view:application
python django_view.py work                                   works on what is due: a management command in your project
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from functools import cache

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from loop_whiplash import Integration, LoopClient, Settings, SQLiteLedger, WhiplashClient


@cache
def returns() -> Integration:
    env = os.environ
    return Integration(
        LoopClient(env["LOOP_API_KEY"], base_url=env["LOOP_URL"]),
        WhiplashClient(env["WHIPLASH_TOKEN"], customer_id=env["WHIPLASH_CUSTOMER"], base_url=env["WHIPLASH_URL"]),
        ledger=SQLiteLedger(env["RETURNS_DB"]),
        settings=Settings(start=datetime.fromisoformat(env["GO_LIVE"])),
        loop_secrets=env["LOOP_SECRETS"].split(","),
        whiplash_secrets=env["WHIPLASH_SECRETS"].split(","),
    )


@csrf_exempt  # the signature is what says who it is from
@require_POST
def loop(request: HttpRequest) -> HttpResponse:
    reply = returns().handle_loop(request.body, request.headers)
    return HttpResponse(reply.body, status=reply.status)


@csrf_exempt
@require_POST
def whiplash(request: HttpRequest) -> HttpResponse:
    reply = returns().handle_whiplash(request.body, request.headers)
    return HttpResponse(reply.body, status=reply.status)


urlpatterns = [path("loop", loop), path("whiplash", whiplash)]

if not settings.configured:
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY=os.urandom(32).hex(), USE_TZ=True)
application = get_wsgi_application()

if __name__ == "__main__" and sys.argv[1:] == ["work"]:
    while True:
        returns().run_due(limit=100)
        time.sleep(2)
