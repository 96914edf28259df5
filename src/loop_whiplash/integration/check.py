"""Before going live, and whenever something is odd: try everything that can be tried without changing anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Literal

import attrs

from loop_whiplash.errors import ApiError, LoopWhiplashError
from loop_whiplash.http.call import Call
from loop_whiplash.http.flow import Reply, Store
from loop_whiplash.http.session import Session
from loop_whiplash.loop.calls import list_webhooks
from loop_whiplash.whiplash.calls import get_me
from loop_whiplash.whiplash.lists import list_notification_events, list_notification_subscriptions

from .core import Core
from .inbox import refused_key, verified_key

__all__ = ["Check", "check"]

#: (what was tried, or "" for anything; the status it was answered with) → what to do.
WHAT_TO_DO: Mapping[tuple[str, int | None], str] = {
    ("", 401): "Check the token: it is wrong, expired or revoked.",
    ("", 403): "Check that the key or token has the scope this needs.",
    ("loop.credentials", 401): "Check the key, and that it has the scope Returns: Loop answers 401 for a missing scope too.",
    ("loop.webhooks", 401): "Check the key, and that it has the scope Developer Tools: Loop answers 401 for a missing scope too.",
    ("loop.credentials", 404): "Check base_url of the LoopClient.",
    ("whiplash.credentials", 404): "Check customer_id and base_url of the WhiplashClient: its me().customer_ids are those of this token.",
}

#: A vendor's clock may differ from ours by so much before it is said.
SKEW = timedelta(minutes=2)
#: The Loop triggers that tell of a label or a state (https://docs.loopreturns.com/webhook-reference).
LOOP_TRIGGERS = ("return.created", "return.updated", "return.closed", "label.created", "label.updated", "return.processing.failed")
#: Without at least one of these the RMA is only ever made by the sweep.
LABEL_TRIGGERS = ("label.created", "label.updated")
#: The Whiplash event that says a parcel was counted.
WHIPLASH_EVENTS = ("consumer_return.completed", "consumer_return.status_changed")


@attrs.frozen(kw_only=True)
class Check:
    """One thing that was tried.

    Attributes:
        name: e.g. ``loop.credentials``. status: ``ok``, ``warning``, ``failed``, or ``unknown``: it could not be tried.
        detail: what was seen. what_to_do: a sentence, empty when ok.
    """

    name: str
    status: Literal["ok", "warning", "failed", "unknown"]
    detail: str = ""
    what_to_do: str = ""

    @property
    def ok(self) -> bool:
        return self.status == "ok"


async def check(core: Core, loop_url: str | None, whiplash_url: str | None) -> list[Check]:
    """All checks, in the order one would mend them."""
    checks = [await _try(f"{name}", trial) for name, trial in _trials(core, loop_url, whiplash_url)]
    return [each for found in checks for each in found]


Trial = Callable[[], Awaitable[list[Check]]]


def _trials(core: Core, loop_url: str | None, whiplash_url: str | None) -> list[tuple[str, Trial]]:
    return [
        ("loop.credentials", lambda: _loop(core)),
        ("whiplash.credentials", lambda: _whiplash(core)),
        ("loop.webhooks", lambda: _loop_webhooks(core, loop_url)),
        ("whiplash.webhooks", lambda: _whiplash_webhooks(core, whiplash_url)),
        ("secrets", lambda: _secrets(core)),
        ("loop.automatic_processing", lambda: _automatic(core)),
        ("settings.start", lambda: _start(core)),
        ("ledger", lambda: _ledger(core)),
    ]


async def _try(name: str, trial: Trial) -> list[Check]:
    try:
        return await trial()
    except LoopWhiplashError as failed:
        status = failed.status if isinstance(failed, ApiError) else None
        what = WHAT_TO_DO.get((name, status)) or WHAT_TO_DO.get(("", status)) or "Read the message; then run check() again."
        return [Check(name=name, status="failed", detail=str(failed), what_to_do=what)]


def _raw(system: Literal["loop", "whiplash"], path: str, params: dict[str, str]) -> Call[Reply]:
    return Call(system=system, method="GET", path=path, params=params, decode=lambda reply: reply, repeatable=True)


async def _dated(core: Core, session: Session, name: str, path: str, params: dict[str, str]) -> tuple[Reply, list[Check]]:
    before = core.now()
    reply = await session.perform(_raw(name, path, params))  # type: ignore[arg-type]
    said = reply.headers.get("date")
    if not said:
        return reply, [Check(name=f"{name}.clock", status="unknown", detail="the reply has no Date header")]
    try:
        theirs = parsedate_to_datetime(said).astimezone(UTC)
    except ValueError:
        return reply, [Check(name=f"{name}.clock", status="unknown", detail="the reply's Date header cannot be read")]
    skew = abs(theirs - before)
    if skew > SKEW:
        what = "Set this machine's clock (NTP). Deadlines and sweep windows go by it."
        return reply, [Check(name=f"{name}.clock", status="warning", detail=f"clocks differ by {skew}", what_to_do=what)]
    return reply, [Check(name=f"{name}.clock", status="ok", detail=f"clocks differ by {skew.total_seconds():.0f} s")]


async def _loop(core: Core) -> list[Check]:
    now = core.now()
    window = {
        "from": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "to": f"{now:%Y-%m-%d %H:%M:%S}",
        "state": "open",
        "paginate": "true",
    }
    reply, clock = await _dated(core, core.loop, "loop", "/warehouse/return/list", window)
    credentials = Check(name="loop.credentials", status="ok", detail="the key may list returns")
    return [credentials, _api_version(core, reply.headers.get("x-loop-api-version")), *clock]


def _api_version(core: Core, answered: str | None) -> Check:
    """Which version answers, and whether it is one that stays: v1 and latest are aliases. https://docs.loopreturns.com (versioning)"""
    name, base = "loop.api_version", str(getattr(core.loop.transport, "base_url", ""))
    asked = base.rstrip("/").rsplit("/", 1)[-1] if base else ""
    if answered is None:
        what = "Check base_url: every answer of Loop's API names its version."
        return Check(name=name, status="warning", detail="the reply does not say its API version", what_to_do=what)
    if asked[:2] == "20" and asked != answered:
        what = f"Version {asked} is asked for and not served: move base_url to one that is, and read what it changes."
        return Check(name=name, status="warning", detail=f"{asked} is asked for, {answered} answers", what_to_do=what)
    if asked and asked[:2] != "20":
        what = f"Pin the version in base_url, …/api/{answered}: {asked} is an alias, and has moved before."
        return Check(name=name, status="warning", detail=f"{asked} is {answered} today", what_to_do=what)
    return Check(name=name, status="ok", detail=answered)


async def _whiplash(core: Core) -> list[Check]:
    _, clock = await _dated(core, core.whiplash, "whiplash", "/consumer_returns", {"per_page": "1"})
    found = [Check(name="whiplash.credentials", status="ok", detail="the token may list consumer returns"), *clock]
    for what in ("items", "orders"):
        try:
            await core.whiplash.perform(_raw("whiplash", f"/{what}", {"per_page": "1"}))
            found.append(Check(name=f"whiplash.{what}", status="ok", detail=f"the token may list {what}"))
        except ApiError as refused:
            step = f"Give the token the scope to read {what}: without it no goods can be announced."
            found.append(Check(name=f"whiplash.{what}", status="failed", detail=str(refused), what_to_do=step))
    try:
        me = await core.whiplash.perform(get_me())
        found.append(
            Check(
                name="whiplash.user",
                status="ok",
                detail=f"user {me.id}, role {me.role}, customers {', '.join(me.customer_ids) or 'not said'}",
            )
        )
    except ApiError as refused:
        # Not every token may ask who it is; listing returns is what counts.
        found.append(Check(name="whiplash.user", status="unknown", detail=str(refused)))
    return found


async def _loop_webhooks(core: Core, url: str | None) -> list[Check]:
    hooks = await core.loop.perform(list_webhooks())
    mine = [hook for hook in hooks if url is None or hook.url == url]
    active = {hook.trigger for hook in mine if hook.status == "active"}
    found = []
    for trigger in LOOP_TRIGGERS:
        name = f"loop.webhook.{trigger}"
        if trigger in active:
            found.append(Check(name=name, status="ok"))
        elif any(hook.trigger == trigger for hook in mine):
            found.append(
                Check(
                    name=name,
                    status="failed",
                    detail="it is there, but inactive",
                    what_to_do="Set its status to active: loop.webhooks.update(…).",
                )
            )
        elif any(hook.trigger == trigger for hook in hooks):
            found.append(
                Check(name=name, status="warning", detail="it points elsewhere", what_to_do=f"Point one at {url}, or pass the URL it has.")
            )
        else:
            needed = trigger in LABEL_TRIGGERS or trigger == "return.processing.failed"
            what = "Subscribe to it: loop.webhooks.create(topic=…, trigger=…, url=…, status='active'). Until then only the sweep sees it."
            found.append(Check(name=name, status="failed" if needed else "warning", detail="no subscription", what_to_do=what))
    return found


async def _whiplash_webhooks(core: Core, url: str | None) -> list[Check]:
    events: dict[Any, str] = {}
    async for event in list_notification_events(core.whiplash):
        events[event.id] = event.name or ""
    subscriptions = [row async for row in list_notification_subscriptions(core.whiplash)]
    mine = [row for row in subscriptions if url is None or row.endpoint == url]
    active = {events.get(row.notification_event_id, "") for row in mine if row.active}
    found = []
    for name in WHIPLASH_EVENTS:
        if name in active:
            found.append(Check(name=f"whiplash.webhook.{name}", status="ok"))
        else:
            idle = any(events.get(row.notification_event_id) == name for row in mine)
            what = (
                "It was switched off (Whiplash does so after 100 failures): switch it on again."
                if idle
                else "Subscribe to it: whiplash.notifications.subscribe(…)."
            )
            status: Literal["failed", "warning"] = "failed" if name == WHIPLASH_EVENTS[0] else "warning"
            found.append(
                Check(name=f"whiplash.webhook.{name}", status=status, detail="inactive" if idle else "no subscription", what_to_do=what)
            )
    return found


async def _secrets(core: Core) -> list[Check]:
    """Only the vendor knows its secret, so what is tried is what came: which secret last matched, and did any webhook match none."""
    found = []
    for system, secrets in (("loop", core.loop_secrets), ("whiplash", core.whiplash_secrets)):
        name = f"{system}.secrets"
        if not secrets:
            what = f"Pass {system}_secrets=[…] to the integration; without one no webhook is accepted."
            found.append(Check(name=name, status="failed", detail="none given", what_to_do=what))
            continue
        verified = await Store(partial(core.ledger.get, verified_key(system)))
        refused = await Store(partial(core.ledger.get, refused_key(system)))
        good_at, _, which = (verified or "").partition(" ")
        bad_at = (refused or "").strip()
        if bad_at and bad_at > good_at:
            what = (
                f"Copy the secret from {system.capitalize()} again; keep the old one in the list while both are in use. Or it was forged."
            )
            detail = f"a webhook of {bad_at} was signed with none of the {len(secrets)} secrets"
            found.append(Check(name=name, status="warning" if good_at else "failed", detail=detail, what_to_do=what))
        elif not good_at:
            what = f"Cause one: change a test return, or use {system.capitalize()}'s own test; then run check() again."
            found.append(Check(name=name, status="unknown", detail="no webhook has come yet", what_to_do=what))
        else:
            detail = f"secret {int(which) + 1} of {len(secrets)} matched the webhook of {good_at}"
            found.append(Check(name=name, status="ok", detail=detail))
    return found


async def _automatic(core: Core) -> list[Check]:
    """Returns that were processed though neither the warehouse had counted them nor we had released them: is Loop's own automation on?"""
    name = "loop.automatic_processing"
    suspects: list[int] = []
    after = 0
    while page := await Store(partial(core.ledger.open_cases, after=after, limit=1000)):
        suspects += [row.return_id for row in page if _paid_unseen(row.journal, row.summary)]
        after = page[-1].return_id
    if suspects:
        what = "Switch off automatic processing on carrier events in Loop (Returns management), or it pays before the goods are counted."
        detail = f"{len(suspects)} open cases were processed before anything was counted, and not by us, e.g. return {suspects[0]}"
        return [Check(name=name, status="warning", detail=detail, what_to_do=what)]
    return [Check(name=name, status="ok", detail="no return was seen processed before it was counted")]


def _paid_unseen(journal: Mapping[str, Any], summary: Mapping[str, Any]) -> bool:
    """Announced and paid, nothing counted, no process of ours. A paid return stays an open case until its goods come.

    Row 6 of the table is that of paid returns: one that was closed by hand, without paying, is in row 7.
    """
    announced = journal.get("create", {}).get("phase") == "done"
    return announced and summary.get("row") == 6 and not journal.get("seen") and not journal.get("process")


async def _start(core: Core) -> list[Check]:
    """Whether anything would be acted on yet. `Integration` has seen to it that there is a start."""
    start = core.settings.start or core.now()
    when = f"{start.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if start > core.now():
        what = "Returns created before it are never acted on: begin no later than now, or wait."
        return [Check(name="settings.start", status="warning", detail=f"{when} is still to come", what_to_do=what)]
    return [Check(name="settings.start", status="ok", detail=f"{core.settings.mode}, for returns created since {when}")]


async def _ledger(core: Core) -> list[Check]:
    def trial() -> datetime:
        core.ledger.put("check", core.now().isoformat())
        core.ledger.put("check", None)
        return core.ledger.now()

    skew = abs(await Store(trial) - core.now())
    if skew > SKEW:
        what = "Fine with a virtual clock; otherwise give integration and ledger the same clock."
        return [Check(name="ledger", status="warning", detail=f"its clock differs from ours by {skew}", what_to_do=what)]
    return [Check(name="ledger", status="ok", detail="it can be written")]
