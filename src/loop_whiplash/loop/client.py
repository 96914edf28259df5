"""The clients of Loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from loop_whiplash.http.auth import ApiKey, Auth, signer
from loop_whiplash.http.client import AsyncClient, Client, make_session, opened, opened_async
from loop_whiplash.http.flow import AsyncTransport, Transport
from loop_whiplash.http.groups import AsyncGroup, Group, deferred, endpoint, listing, lookup
from loop_whiplash.http.hooks import AttemptHook
from loop_whiplash.http.limit import Limiter
from loop_whiplash.http.retry import Retry

if TYPE_CHECKING:
    from loop_whiplash.http.transport import Verify

    from . import calls, grading, lists
else:
    calls, grading, lists = (deferred(f"loop_whiplash.loop.{name}") for name in ("calls", "grading", "lists"))

__all__ = ["AsyncLoopClient", "LoopClient"]

#: ``v1`` is an alias that has moved before; pin a date (``/api/2026-07``) to have it stand still.
BASE_URL = "https://api.loopreturns.com/api/v1"
#: https://docs.loopreturns.com (rate limits): 300 requests a minute for each API key.
RATE = (300, 60.0)


class _Returns:
    get: Final = endpoint(calls.get_return)
    find: Final = endpoint(calls.find_returns)
    list: Final = listing(lists.list_returns)
    process: Final = endpoint(calls.process_return)
    flag: Final = endpoint(calls.flag_return)
    cancel: Final = endpoint(calls.cancel_return)
    close: Final = endpoint(calls.close_return)
    remove_line_items_and_process: Final = endpoint(calls.remove_line_items_and_process)
    notes: Final = endpoint(calls.get_notes)
    add_note: Final = endpoint(calls.add_note)
    asn: Final = endpoint(calls.get_asn)
    deep_link: Final = endpoint(calls.create_deep_link)
    qr_code: Final = endpoint(calls.create_qr_code)


class _Grading:
    grade: Final = lookup(grading.grade)
    assess: Final = lookup(grading.assess)


class _Webhooks:
    list: Final = endpoint(calls.list_webhooks)
    create: Final = endpoint(calls.create_webhook)
    update: Final = endpoint(calls.update_webhook)
    delete: Final = endpoint(calls.delete_webhook)


class _Destinations:
    list: Final = endpoint(calls.list_destinations)
    get: Final = endpoint(calls.get_destination)
    create: Final = endpoint(calls.create_destination)
    update: Final = endpoint(calls.update_destination)
    delete: Final = endpoint(calls.delete_destination)


class Returns(_Returns, Group):
    """Returns: read, process, flag, note."""


class Grading(_Grading, Group):
    """What the warehouse saw."""


class Webhooks(_Webhooks, Group):
    """Subscriptions."""


class Destinations(_Destinations, Group):
    """Where returns go."""


class AsyncReturns(_Returns, AsyncGroup):
    """`Returns`, awaited."""


class AsyncGrading(_Grading, AsyncGroup):
    """`Grading`, awaited."""


class AsyncWebhooks(_Webhooks, AsyncGroup):
    """`Webhooks`, awaited."""


class AsyncDestinations(_Destinations, AsyncGroup):
    """`Destinations`, awaited."""


def _auth(api_key: str | Auth) -> Auth:
    return signer(api_key, lambda key: ApiKey("X-Authorization", key), "an API key as text, or `Bearer`,")


class LoopClient(Client):
    """Loop Returns, for one shop.

    Args:
        api_key: from Loop Admin › Returns Management › Tools & integrations › Developer tools, or `Bearer` for an OAuth token.
        base_url: with the version path. timeout: seconds for one exchange; connect_timeout: for making the connection.
        retry: what is tried again and how long. limiter: to share one budget between clients; 300 a minute by default.
        hooks: told of each attempt. transport: what carries requests, instead of HTTPS; it is never closed.
        clock: the present, aware. sleep: seconds. random: a number in [0, 1). verify: True, a CA file, or an `ssl.SSLContext`.
        proxy: its URL; by default what the environment says.

    Close it, or use it in a ``with`` statement. All methods raise an `ApiError` of some kind; see `loop_whiplash.errors`.
    """

    returns: Returns
    grading: Grading
    webhooks: Webhooks
    destinations: Destinations

    def __init__(
        self,
        api_key: str | Auth,
        *,
        base_url: str = BASE_URL,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        retry: Retry | None = None,
        limiter: Limiter | None = None,
        hooks: Iterable[AttemptHook] = (),
        transport: Transport | None = None,
        clock: Callable[[], datetime] | None = None,
        sleep: Callable[[float], None] | None = None,
        random: Callable[[], float] | None = None,
        verify: Verify = True,
        proxy: str | None = None,
    ) -> None:
        auth = _auth(api_key)
        carrier, close = opened(transport, base_url, verify, proxy)
        session = make_session(
            "loop", transport=carrier, auth=auth, limiter=limiter, rate=RATE, retry=retry, timeout=timeout,
            connect_timeout=connect_timeout, headers={}, clock=clock, random=random, hooks=hooks,
        )  # fmt: skip
        super().__init__(session, sleep=sleep, close=close)

    def _open(self) -> None:
        bound = self.session, self.driver
        self.returns, self.grading = Returns(*bound), Grading(*bound)
        self.webhooks, self.destinations = Webhooks(*bound), Destinations(*bound)


class AsyncLoopClient(AsyncClient):
    """`LoopClient`, awaited: the same arguments and methods; lists are async iterators.

    Close it with ``await aclose()`` or ``async with``.
    """

    returns: AsyncReturns
    grading: AsyncGrading
    webhooks: AsyncWebhooks
    destinations: AsyncDestinations

    def __init__(
        self,
        api_key: str | Auth,
        *,
        base_url: str = BASE_URL,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        retry: Retry | None = None,
        limiter: Limiter | None = None,
        hooks: Iterable[AttemptHook] = (),
        transport: AsyncTransport | None = None,
        clock: Callable[[], datetime] | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        random: Callable[[], float] | None = None,
        verify: Verify = True,
        proxy: str | None = None,
    ) -> None:
        auth = _auth(api_key)
        carrier, close = opened_async(transport, base_url, verify, proxy)
        session = make_session(
            "loop", transport=carrier, auth=auth, limiter=limiter, rate=RATE, retry=retry, timeout=timeout,
            connect_timeout=connect_timeout, headers={}, clock=clock, random=random, hooks=hooks,
        )  # fmt: skip
        super().__init__(session, sleep=sleep, close=close)

    def _open(self) -> None:
        bound = self.session, self.driver
        self.returns, self.grading = AsyncReturns(*bound), AsyncGrading(*bound)
        self.webhooks, self.destinations = AsyncWebhooks(*bound), AsyncDestinations(*bound)
