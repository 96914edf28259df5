"""The clients of Whiplash (RyderShip), API V2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.auth import Auth, Bearer, signer
from loop_whiplash.http.client import AsyncClient, Client, make_session, opened, opened_async
from loop_whiplash.http.flow import AsyncTransport, Transport
from loop_whiplash.http.groups import AsyncGroup, Group, deferred, endpoint, listing, lookup
from loop_whiplash.http.hooks import AttemptHook
from loop_whiplash.http.limit import Limiter
from loop_whiplash.http.retry import Retry

if TYPE_CHECKING:
    from loop_whiplash.http.call import Call
    from loop_whiplash.http.transport import Verify

    from . import calls, lists
    from .models import MetaFields, User
    from .oauth import OAuth
    from .tokens import Token
else:
    calls, lists = (deferred(f"loop_whiplash.whiplash.{name}") for name in ("calls", "lists"))

__all__ = ["AsyncWhiplashClient", "WhiplashClient"]

BASE_URL = "https://www.getwhiplash.com/api/v2"
#: https://help.whiplash.com, article 38805892080667: 10 requests a second for each customer account.
RATE = (10, 1.0)


def _meta_fields_of(kind: calls.WithMetaFields) -> Callable[[int], Call[MetaFields]]:
    def meta_fields(number: int) -> Call[MetaFields]:
        """Your own fields on this object, by its id. ``GET /{kind}/{id}/meta_fields``"""
        return calls.get_meta_fields(kind, number)

    return meta_fields


def _set_meta_fields_of(kind: calls.WithMetaFields) -> Callable[[int, Mapping[str, Any]], Call[None]]:
    def set_meta_fields(number: int, fields: Mapping[str, Any]) -> Call[None]:
        """Set your own fields on this object; their keys must be configured for the account. ``PUT /{kind}/{id}/meta_fields``"""
        return calls.set_meta_fields(kind, number, fields)

    return set_meta_fields


class _ConsumerReturns:
    list: Final = listing(lists.list_consumer_returns)
    get: Final = endpoint(calls.get_consumer_return)
    create: Final = endpoint(calls.create_consumer_return)
    create_many: Final = endpoint(calls.create_consumer_returns)
    update: Final = endpoint(calls.update_consumer_return)
    delete: Final = endpoint(calls.delete_consumer_return)
    count: Final = endpoint(calls.count_consumer_returns)
    by_original_id: Final = lookup(lists.consumer_returns_by_original_id)
    by_original_ids: Final = lookup(lists.consumer_returns_by_original_ids)
    meta_fields: Final = endpoint(_meta_fields_of("consumer_returns"))
    set_meta_fields: Final = endpoint(_set_meta_fields_of("consumer_returns"))


class _Items:
    list: Final = listing(lists.list_items)
    get: Final = endpoint(calls.get_item)
    count: Final = endpoint(calls.count_items)
    by_sku: Final = lookup(lists.items_by_sku)
    by_barcode: Final = lookup(lists.items_by_barcode)
    originators: Final = listing(lists.list_originators_of_item)
    count_originators: Final = endpoint(calls.count_originators_of_item)
    scancodes: Final = listing(lists.list_scancodes)
    create_scancode: Final = endpoint(calls.create_scancode)
    bundle_items: Final = endpoint(calls.list_bundle_items)
    in_bundles: Final = endpoint(calls.list_in_bundles)
    transactions: Final = listing(lists.list_transactions)
    count_transactions: Final = endpoint(calls.count_transactions)
    meta_fields: Final = endpoint(_meta_fields_of("items"))
    set_meta_fields: Final = endpoint(_set_meta_fields_of("items"))


class _Orders:
    list: Final = listing(lists.list_orders)
    get: Final = endpoint(calls.get_order)
    count: Final = endpoint(calls.count_orders)
    by_original_id: Final = lookup(lists.orders_by_original_id)
    items: Final = listing(lists.list_order_items)
    count_items: Final = endpoint(calls.count_order_items)
    meta_fields: Final = endpoint(_meta_fields_of("orders"))
    set_meta_fields: Final = endpoint(_set_meta_fields_of("orders"))


class _OrderItems:
    get: Final = endpoint(calls.get_order_item)
    list: Final = listing(lists.list_order_items)


class _Originators:
    list: Final = listing(lists.list_originators)


class _Notifications:
    events: Final = listing(lists.list_notification_events)
    event: Final = endpoint(calls.get_notification_event)
    subscriptions: Final = listing(lists.list_notification_subscriptions)
    subscription: Final = endpoint(calls.get_notification_subscription)
    count: Final = endpoint(calls.count_notification_subscriptions)
    subscribe: Final = endpoint(calls.subscribe)
    update: Final = endpoint(calls.update_subscription)
    unsubscribe: Final = endpoint(calls.unsubscribe)
    test: Final = endpoint(calls.test_subscription)


class _Simulate:
    create_consumer_return: Final = endpoint(calls.simulate_consumer_return)
    process_consumer_return: Final = endpoint(calls.simulate_consumer_return_processing)


class ConsumerReturns(_ConsumerReturns, Group):
    """Announced returns, and what was counted of them."""


class Items(_Items, Group):
    """What the warehouse stocks."""


class Orders(_Orders, Group):
    """What was shipped."""


class OrderItems(_OrderItems, Group):
    """Lines of orders."""


class Originators(_Originators, Group):
    """Ids of Whiplash's objects elsewhere."""


class Notifications(_Notifications, Group):
    """Who is told of what: webhooks."""


class Simulate(_Simulate, Group):
    """What only the sandbox can do."""


class AsyncConsumerReturns(_ConsumerReturns, AsyncGroup):
    """`ConsumerReturns`, awaited."""


class AsyncItems(_Items, AsyncGroup):
    """`Items`, awaited."""


class AsyncOrders(_Orders, AsyncGroup):
    """`Orders`, awaited."""


class AsyncOrderItems(_OrderItems, AsyncGroup):
    """`OrderItems`, awaited."""


class AsyncOriginators(_Originators, AsyncGroup):
    """`Originators`, awaited."""


class AsyncNotifications(_Notifications, AsyncGroup):
    """`Notifications`, awaited."""


class AsyncSimulate(_Simulate, AsyncGroup):
    """`Simulate`, awaited."""


def _headers(customer_id: int | str | None, shop_id: int | str | None) -> dict[str, str]:
    """Which customer, and only where asked for which shop: a needless shop id makes orders ``not_found``."""
    found = {"Accept-Version": "v2"}
    for name, header, value in (("customer_id", "X-Customer-Id", customer_id), ("shop_id", "X-Shop-Id", shop_id)):
        if value is not None:
            text = str(value).strip()
            if not text.isascii() or not text.isdigit():
                raise ConfigurationError(f"{name} is a whole number, such as 24: Whiplash's own id of it; what was given is no number")
            found[header] = text
    return found


def _oauth(auth: Auth) -> OAuth:
    from .oauth import OAuth

    if not isinstance(auth, OAuth):
        raise ConfigurationError("this client was given a token, not an OAuth application; there is nothing to exchange a code with")
    return auth


class WhiplashClient(Client):
    """Whiplash, for one customer account.

    Args:
        token: an access token, `Bearer`, or `OAuth` to have it renewed. customer_id: needed when the user has several customers.
        shop_id: rarely needed, and then troublesome. base_url: with the version path; the sandbox is
            ``https://sandbox.whiplash.app/api/v2``. limiter: 10 a second by default. The rest as for `LoopClient`.
    """

    consumer_returns: ConsumerReturns
    items: Items
    orders: Orders
    order_items: OrderItems
    originators: Originators
    notifications: Notifications
    simulate: Simulate

    def __init__(
        self,
        token: str | Auth,
        *,
        customer_id: int | str | None = None,
        shop_id: int | str | None = None,
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
        auth, headers = signer(token, Bearer, "an access token as text, or `Bearer` or `OAuth`,"), _headers(customer_id, shop_id)
        carrier, close = opened(transport, base_url, verify, proxy)
        session = make_session(
            "whiplash", transport=carrier, auth=auth, limiter=limiter, rate=RATE, retry=retry, timeout=timeout,
            connect_timeout=connect_timeout, headers=headers, clock=clock, random=random, hooks=hooks,
        )  # fmt: skip
        super().__init__(session, sleep=sleep, close=close)

    def _open(self) -> None:
        bound = self.session, self.driver
        self.consumer_returns, self.items, self.orders = ConsumerReturns(*bound), Items(*bound), Orders(*bound)
        self.order_items, self.originators = OrderItems(*bound), Originators(*bound)
        self.notifications, self.simulate = Notifications(*bound), Simulate(*bound)

    def me(self) -> User:
        """Whose token it is. ``GET /me``"""
        return self.run(self.session.perform(calls.get_me()))

    def exchange_code(self, code: str, *, redirect_uri: str, code_verifier: str | None = None) -> Token:
        """Trade the code a person came back with for the first tokens, and store them. Needs `OAuth`."""
        return self.run(_oauth(self.session.auth).exchange(self.session, code, redirect_uri=redirect_uri, code_verifier=code_verifier))


class AsyncWhiplashClient(AsyncClient):
    """`WhiplashClient`, awaited: the same arguments and methods; lists are async iterators."""

    consumer_returns: AsyncConsumerReturns
    items: AsyncItems
    orders: AsyncOrders
    order_items: AsyncOrderItems
    originators: AsyncOriginators
    notifications: AsyncNotifications
    simulate: AsyncSimulate

    def __init__(
        self,
        token: str | Auth,
        *,
        customer_id: int | str | None = None,
        shop_id: int | str | None = None,
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
        auth, headers = signer(token, Bearer, "an access token as text, or `Bearer` or `OAuth`,"), _headers(customer_id, shop_id)
        carrier, close = opened_async(transport, base_url, verify, proxy)
        session = make_session(
            "whiplash", transport=carrier, auth=auth, limiter=limiter, rate=RATE, retry=retry, timeout=timeout,
            connect_timeout=connect_timeout, headers=headers, clock=clock, random=random, hooks=hooks,
        )  # fmt: skip
        super().__init__(session, sleep=sleep, close=close)

    def _open(self) -> None:
        bound = self.session, self.driver
        self.consumer_returns, self.items, self.orders = AsyncConsumerReturns(*bound), AsyncItems(*bound), AsyncOrders(*bound)
        self.order_items, self.originators = AsyncOrderItems(*bound), AsyncOriginators(*bound)
        self.notifications, self.simulate = AsyncNotifications(*bound), AsyncSimulate(*bound)

    async def me(self) -> User:
        """Whose token it is. ``GET /me``"""
        return await self.run(self.session.perform(calls.get_me()))

    async def exchange_code(self, code: str, *, redirect_uri: str, code_verifier: str | None = None) -> Token:
        """Trade the code a person came back with for the first tokens, and store them. Needs `OAuth`."""
        return await self.run(
            _oauth(self.session.auth).exchange(self.session, code, redirect_uri=redirect_uri, code_verifier=code_verifier)
        )
