"""Keep Loop Returns and the Whiplash (RyderShip) warehouse in step.

These are the public names. Each is bound on first use, so that importing the package costs next to nothing:
`_ROOMS` says which module a name lives in, and the imports below tell type checkers the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import (
        ActionRefused,
        ApiError,
        AuthenticationFailed,
        ConfigurationError,
        Conflict,
        ConnectionFailed,
        DecodeError,
        IntentExists,
        InvalidSignature,
        LeaseLost,
        LedgerError,
        LedgerUnavailable,
        ListIncomplete,
        LoopWhiplashError,
        MalformedPayload,
        NotFound,
        OutcomeUnknown,
        PolicyError,
        RateLimited,
        ScopeMissing,
        ServerError,
        TimedOut,
        UnresolvedItems,
        ValidationFailed,
        WebhookError,
    )
    from .http.auth import Bearer
    from .http.flow import Reply
    from .http.hooks import Attempt
    from .http.limit import Limiter, RateLimit
    from .http.retry import Retry
    from .http.shared_limit import SharedRateLimit
    from .integration import AsyncIntegration, Case, Check, Happening, Health, Integration, Outcome, Progress, WebhookReply
    from .ledger import Ledger, MemoryLedger, PostgresLedger, SQLiteLedger
    from .loop.client import AsyncLoopClient, LoopClient
    from .loop.grading import Assessment, Grade
    from .loop.models import (
        AsnRow,
        Condition,
        Destination,
        Disposition,
        Exchange,
        Label,
        LineItem,
        Note,
        Return,
        ReturnMethod,
        WebhookSubscription,
    )
    from .loop.webhooks import (
        LabelEvent,
        LoopEvent,
        OtherLoopEvent,
        ProcessingFailed,
        ReturnEvent,
        parse_loop_webhook,
        sign_loop,
        verify_loop,
    )
    from .matching import Decision, Finding, Matcher, Pair, Policy, Profile, Verdict, match
    from .planning import Break, Journal, Settings
    from .reconciliation import Report, reconcile, replay
    from .returns import ConsumerReturnDraft, ExpectedUnit, Receipt, ReceiptLine, ReceivedUnit, Rma, to_consumer_return, to_receipt, to_rma
    from .signatures import Verified
    from .whiplash.client import AsyncWhiplashClient, WhiplashClient
    from .whiplash.models import (
        BundleItem,
        ConsumerReturn,
        ConsumerReturnStatus,
        Item,
        MetaFields,
        NotificationEvent,
        NotificationSubscription,
        Order,
        OrderItem,
        Originator,
        ReturnItem,
        Scancode,
        Transaction,
        User,
    )
    from .whiplash.oauth import OAuth, pkce
    from .whiplash.tokens import MemoryTokenStore, SQLiteTokenStore, Token, TokenStore
    from .whiplash.webhooks import (
        ConsumerReturnEvent,
        OtherWhiplashEvent,
        WhiplashEvent,
        parse_whiplash_webhook,
        sign_whiplash,
        verify_whiplash,
    )

__version__ = "0.1.0"

__all__ = [
    "ActionRefused",
    "ApiError",
    "AsnRow",
    "Assessment",
    "AsyncIntegration",
    "AsyncLoopClient",
    "AsyncWhiplashClient",
    "Attempt",
    "AuthenticationFailed",
    "Bearer",
    "Break",
    "BundleItem",
    "Case",
    "Check",
    "Condition",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "ConsumerReturn",
    "ConsumerReturnDraft",
    "ConsumerReturnEvent",
    "ConsumerReturnStatus",
    "Decision",
    "DecodeError",
    "Destination",
    "Disposition",
    "Exchange",
    "ExpectedUnit",
    "Finding",
    "Grade",
    "Happening",
    "Health",
    "Integration",
    "IntentExists",
    "InvalidSignature",
    "Item",
    "Journal",
    "Label",
    "LabelEvent",
    "LeaseLost",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "Limiter",
    "LineItem",
    "ListIncomplete",
    "LoopClient",
    "LoopEvent",
    "LoopWhiplashError",
    "MalformedPayload",
    "Matcher",
    "MemoryLedger",
    "MemoryTokenStore",
    "MetaFields",
    "NotFound",
    "Note",
    "NotificationEvent",
    "NotificationSubscription",
    "OAuth",
    "Order",
    "OrderItem",
    "Originator",
    "OtherLoopEvent",
    "OtherWhiplashEvent",
    "Outcome",
    "OutcomeUnknown",
    "Pair",
    "Policy",
    "PolicyError",
    "PostgresLedger",
    "ProcessingFailed",
    "Profile",
    "Progress",
    "RateLimit",
    "RateLimited",
    "Receipt",
    "ReceiptLine",
    "ReceivedUnit",
    "Reply",
    "Report",
    "Retry",
    "Return",
    "ReturnEvent",
    "ReturnItem",
    "ReturnMethod",
    "Rma",
    "SQLiteLedger",
    "SQLiteTokenStore",
    "Scancode",
    "ScopeMissing",
    "ServerError",
    "Settings",
    "SharedRateLimit",
    "TimedOut",
    "Token",
    "TokenStore",
    "Transaction",
    "UnresolvedItems",
    "User",
    "ValidationFailed",
    "Verdict",
    "Verified",
    "WebhookError",
    "WebhookReply",
    "WebhookSubscription",
    "WhiplashClient",
    "WhiplashEvent",
    "match",
    "parse_loop_webhook",
    "parse_whiplash_webhook",
    "pkce",
    "reconcile",
    "replay",
    "sign_loop",
    "sign_whiplash",
    "to_consumer_return",
    "to_receipt",
    "to_rma",
    "verify_loop",
    "verify_whiplash",
]

_ROOMS: dict[str, str] = {
    "errors": (
        "ActionRefused ApiError AuthenticationFailed ConfigurationError Conflict ConnectionFailed DecodeError "
        "IntentExists InvalidSignature LeaseLost LedgerError LedgerUnavailable ListIncomplete LoopWhiplashError "
        "MalformedPayload NotFound OutcomeUnknown PolicyError RateLimited ScopeMissing ServerError TimedOut "
        "UnresolvedItems ValidationFailed WebhookError"
    ),
    "http.auth": "Bearer",
    "http.flow": "Reply",
    "http.hooks": "Attempt",
    "http.limit": "Limiter RateLimit",
    "http.retry": "Retry",
    "http.shared_limit": "SharedRateLimit",
    "integration": "AsyncIntegration Case Check Happening Health Integration Outcome Progress WebhookReply",
    "ledger": "Ledger MemoryLedger PostgresLedger SQLiteLedger",
    "loop.client": "AsyncLoopClient LoopClient",
    "loop.grading": "Assessment Grade",
    "loop.models": "AsnRow Condition Destination Disposition Exchange Label LineItem Note Return ReturnMethod WebhookSubscription",
    "loop.webhooks": "LabelEvent LoopEvent OtherLoopEvent ProcessingFailed ReturnEvent parse_loop_webhook sign_loop verify_loop",
    "matching": "Decision Finding Matcher Pair Policy Profile Verdict match",
    "planning": "Break Journal Settings",
    "reconciliation": "Report reconcile replay",
    "returns": "ConsumerReturnDraft ExpectedUnit Receipt ReceiptLine ReceivedUnit Rma to_consumer_return to_receipt to_rma",
    "signatures": "Verified",
    "whiplash.client": "AsyncWhiplashClient WhiplashClient",
    "whiplash.models": (
        "BundleItem ConsumerReturn ConsumerReturnStatus Item MetaFields NotificationEvent NotificationSubscription "
        "Order OrderItem Originator ReturnItem Scancode Transaction User"
    ),
    "whiplash.oauth": "OAuth pkce",
    "whiplash.tokens": "MemoryTokenStore SQLiteTokenStore Token TokenStore",
    "whiplash.webhooks": "ConsumerReturnEvent OtherWhiplashEvent WhiplashEvent parse_whiplash_webhook sign_whiplash verify_whiplash",
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    room = _HOME.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
