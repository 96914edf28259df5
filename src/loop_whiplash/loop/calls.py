"""Loop's endpoints, one plain function each, with the page it is from. Each returns a `Call`; a `Session` carries it out.

What the pages leave open is in ``docs/explanation/unverified.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.call import Call, segment

from . import answers
from .answers import Page, QrCode
from .models import AsnRow, Destination, Note, Return, WebhookSubscription

__all__ = [
    "add_note",
    "cancel_return",
    "close_return",
    "create_deep_link",
    "create_destination",
    "create_qr_code",
    "create_webhook",
    "delete_destination",
    "delete_webhook",
    "find_returns",
    "flag_return",
    "get_asn",
    "get_destination",
    "get_notes",
    "get_return",
    "list_destinations",
    "list_page",
    "list_webhooks",
    "process_return",
    "remove_line_items_and_process",
    "update_destination",
    "update_webhook",
]

NOTE_LENGTH = 255
"""A note is shorter than this (the OpenAPI; Loop's MCP pages say 17,000)."""

LONGEST_WINDOW = timedelta(days=120)


# --------------------------------------------------------------------------------------------------------- reading


def get_return(return_id: int, *, currency_type: Literal["shop", "presentment"] | None = None) -> Call[Return]:
    """One return by its id.

    Raises `NotFound` when Loop knows none. Amounts are in the shop's currency unless ``currency_type="presentment"``.
    https://docs.loopreturns.com/api-reference/latest/return-data/get-return-details
    """
    asked = segment(return_id, "return_id")
    params = {"return_id": asked} | ({"currency_type": currency_type} if currency_type else {})
    return Call(
        system="loop",
        method="GET",
        path="/warehouse/return/details",
        params=params,
        decode=answers.return_with_id(int(asked)),
        return_id=int(asked),
    )  # fmt: skip


def find_returns(*, order_name: str | None = None, provider_order_id: int | str | None = None) -> Call[list[Return]]:
    """The returns of one order, by its name as the shopper sees it (``#1001``) or by the shop platform's order id. One of the two.

    Raises `NotFound` when there is none. https://docs.loopreturns.com/api-reference/latest/return-data/get-return-details
    """
    if (order_name is None) == (provider_order_id is None):
        raise ConfigurationError("find returns by order_name or by provider_order_id, one of the two")
    params = {"order_name": order_name} if order_name is not None else {"order_id": segment(provider_order_id or 0, "provider_order_id")}
    return Call(system="loop", method="GET", path="/warehouse/return/details", params=params, decode=answers.returns)


def get_notes(return_id: int) -> Call[list[Note]]:
    """A return's notes, newest first; none is an empty list. https://docs.loopreturns.com/api-reference/latest/return-actions/get-return-notes"""
    path = f"/warehouse/return/{segment(return_id, 'return_id')}/notes"
    return Call(system="loop", method="GET", path=path, decode=answers.notes(Note), return_id=return_id, accepts=frozenset({422}))


def get_asn(start: date | datetime, end: date | datetime) -> Call[list[AsnRow]]:
    """The Advanced Shipping Notice between two days (UTC, both included), at most 120 days: one row a returned line.

    Which time of a return is looked at is not documented, nor is a return id among the fields: take the rows as hints.
    https://docs.loopreturns.com/api-reference/latest/return-data/advanced-shipping-notice
    """
    first, last = _day(start, "start"), _day(end, "end")
    if not timedelta(0) <= last - first <= LONGEST_WINDOW:
        raise ConfigurationError("the ASN is read from an earlier to a later day, at most 120 days; ask in pieces")
    # Days only: Loop reads a date it does not understand as 1970, silently.
    params = {"from": first.isoformat(), "to": last.isoformat()}
    return Call(system="loop", method="GET", path="/warehouse/reporting/asn", params=params, decode=answers.rows(AsnRow, "data"))


def _day(value: date | datetime, what: str) -> date:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigurationError(f"{what} is a date, or a datetime with a time zone")
        return value.astimezone(UTC).date()
    return value


# --------------------------------------------------------------------------------------------------------- actions


def _action(what: str, return_id: int, json: object = None) -> Call[None]:
    path = f"/warehouse/return/{segment(return_id, 'return_id')}/{what}"
    return Call(system="loop", method="POST", path=path, json=json, decode=answers.accepted(what, return_id), return_id=return_id)


def process_return(return_id: int, details: Mapping[str, Any] | None = None) -> Call[None]:
    """Queue a return for processing: refund, credit or exchange. It is done when the return reads ``closed`` and ``was_processed``.

    Args:
        details: a JSON object that Loop copies to the timeline, and to the exchange order as "Additional Details".

    Raises `ActionRefused` (``.code``, ``.state``) when Loop says no. Never sent twice by itself: `OutcomeUnknown` when in doubt.
    https://docs.loopreturns.com/api-reference/latest/return-actions/process-return
    """
    return _action("process", return_id, None if details is None else dict(details))


def flag_return(return_id: int) -> Call[None]:
    """Send a return to Needs Review. To say why, add a note as well. https://docs.loopreturns.com/api-reference/latest/return-actions/flag-return"""
    return _action("flag", return_id)


def cancel_return(return_id: int) -> Call[None]:
    """Cancel a return; its items can be returned again. Final. https://docs.loopreturns.com/api-reference/latest/return-actions/cancel-return"""
    return _action("cancel", return_id)


def close_return(return_id: int) -> Call[None]:
    """Close a return without refund, credit or exchange; its items cannot be returned again. Final.

    https://docs.loopreturns.com/integration-guides/return-actions
    """
    return _action("close", return_id)


def remove_line_items_and_process(return_id: int, line_item_ids: Sequence[int | str]) -> Call[None]:
    """Take lines out and **process what is left at once**. Send all ids in one call; removing every line cancels the return.

    Works on lines with a refund or store credit outcome. Raises `NotFound` for an id Loop does not know (it says 403),
    `ValidationFailed` when lines do not qualify. https://docs.loopreturns.com/integration-guides/return-actions
    """
    if isinstance(line_item_ids, (str, bytes)) or not line_item_ids:
        raise ConfigurationError(f"return {return_id}: name at least one line_item_id to remove, in a list")
    ids = ",".join(segment(each, "line_item_id") for each in line_item_ids)
    path = f"/warehouse/return/{segment(return_id, 'return_id')}/remove"
    return Call(
        system="loop", method="POST", path=path, params={"line_item_id": ids}, decode=answers.accepted("remove lines of", return_id),
        return_id=return_id, absent=frozenset({403, 404}),
    )  # fmt: skip


def add_note(return_id: int, text: str) -> Call[None]:
    """Add a note to a return's timeline: shorter than 255 characters. https://docs.loopreturns.com/api-reference/latest/return-actions/create-return-note"""
    if not isinstance(text, str) or not text.strip() or len(text) >= NOTE_LENGTH:
        raise ConfigurationError(
            f"return {return_id}: a note has at least 1 and fewer than {NOTE_LENGTH} characters; shorten it or send several"
        )
    path = f"/warehouse/return/{segment(return_id, 'return_id')}/note"
    return Call(
        system="loop",
        method="POST",
        path=path,
        json={"content": text},
        decode=answers.accepted("add a note to", return_id),
        return_id=return_id,
    )


def create_deep_link(*, name: str, zip: str, gift: bool | None = None) -> Call[str]:
    """A link that opens the return page of one order.

    Args:
        name: the order's. zip: postcode, e-mail or phone, by the shop's setting. gift: for the recipient of a gift.

    https://docs.loopreturns.com/api-reference/latest/return-actions/create-return-deep-link
    """
    return Call(system="loop", method="POST", path="/order/link", json=_order(name, zip, gift), decode=answers.link)


def create_qr_code(
    *, name: str, zip: str, gift: bool | None = None, type: Literal["png", "eps", "svg"] = "png", size: int | None = None
) -> Call[QrCode]:
    """`create_deep_link` as a QR code. https://docs.loopreturns.com/integration-guides/deep-link"""
    body = _order(name, zip, gift) | {"type": type} | ({} if size is None else {"size": size})
    return Call(system="loop", method="POST", path="/order/qr", json=body, decode=answers.qr_code)


def _order(name: str, zip: str, gift: bool | None) -> dict[str, object]:
    return {"name": name, "zip": zip} | ({} if gift is None else {"gift": gift})


# -------------------------------------------------------------------------------------------------------- webhooks


def list_webhooks() -> Call[list[WebhookSubscription]]:
    """All subscriptions, those made in the Admin included. https://docs.loopreturns.com/api-reference/latest/programmatic-webhooks/get-webhooks"""
    return Call(system="loop", method="GET", path="/webhooks", decode=answers.rows(WebhookSubscription, "webhooks"))


def create_webhook(*, topic: str, trigger: str, url: str, status: Literal["active", "inactive"] = "active") -> Call[WebhookSubscription]:
    """Subscribe: one topic (the shape), one trigger (the event), one URL. The topic ``return`` goes with label triggers too.

    `status` is always sent: what leaving it out means is documented both ways.
    https://docs.loopreturns.com/api-reference/latest/programmatic-webhooks/create-webhook
    """
    body = _webhook(topic, trigger, url, status)
    return Call(system="loop", method="POST", path="/webhooks", json=body, decode=answers.one(WebhookSubscription, "webhook"))


def update_webhook(
    webhook_id: int | str, *, topic: str, trigger: str, url: str, status: Literal["active", "inactive"] = "active"
) -> Call[None]:
    """Change a subscription; all four are sent. https://docs.loopreturns.com/webhook-reference/setting-up"""
    body = _webhook(topic, trigger, url, status)
    return Call(system="loop", method="PUT", path=f"/webhooks/{segment(webhook_id, 'webhook_id')}", json=body, decode=answers.done)


def delete_webhook(webhook_id: int | str) -> Call[None]:
    """Drop a subscription. https://docs.loopreturns.com/webhook-reference/setting-up"""
    return Call(system="loop", method="DELETE", path=f"/webhooks/{segment(webhook_id, 'webhook_id')}", decode=answers.done)


def _webhook(topic: str, trigger: str, url: str, status: str) -> dict[str, str]:
    if status not in ("active", "inactive"):
        raise ConfigurationError("a webhook's status is 'active' or 'inactive'")
    return {"topic": topic, "trigger": trigger, "url": url, "status": status}


# ---------------------------------------------------------------------------------------------------- destinations


def list_destinations() -> Call[list[Destination]]:
    """Where returns may go. https://docs.loopreturns.com/api-reference/getting-started"""
    return Call(system="loop", method="GET", path="/destinations", decode=answers.rows(Destination, "destinations"))


def get_destination(destination_id: int | str) -> Call[Destination]:
    """One destination. https://docs.loopreturns.com/api-reference/getting-started"""
    path = f"/destinations/{segment(destination_id, 'destination_id')}"
    return Call(system="loop", method="GET", path=path, decode=answers.one(Destination, "destination"))


def create_destination(body: Mapping[str, Any]) -> Call[Destination]:
    """Add a destination: ``name``, ``type`` (``warehouse`` or ``donate``), ``address`` and so on, in Loop's words.

    https://docs.loopreturns.com/api-reference/getting-started
    """
    return Call(system="loop", method="POST", path="/destinations", json=dict(body), decode=answers.one(Destination, "destination"))


def update_destination(destination_id: int | str, body: Mapping[str, Any]) -> Call[None]:
    """Change a destination. https://docs.loopreturns.com/api-reference/getting-started"""
    path = f"/destinations/{segment(destination_id, 'destination_id')}"
    return Call(system="loop", method="PUT", path=path, json=dict(body), decode=answers.done)


def delete_destination(destination_id: int | str) -> Call[None]:
    """Remove a destination. https://docs.loopreturns.com/api-reference/getting-started"""
    return Call(system="loop", method="DELETE", path=f"/destinations/{segment(destination_id, 'destination_id')}", decode=answers.done)


# ----------------------------------------------------------------------------------------------------------- pages


def list_page(params: Mapping[str, str]) -> Call[Page]:
    """One page of the returns list, its rows undecoded: `loop_whiplash.loop.lists` reads them one by one.

    https://docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list
    """
    return Call(system="loop", method="GET", path="/warehouse/return/list", params=params, decode=answers.page)
