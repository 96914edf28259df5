"""The way between the library and the two systems, and all that can happen on it.

Every request meets a `Fate`, drawn from the seed: whether and when it arrives, and what the caller hears.
A quiet network (the default) delivers everything at once.
"""

from __future__ import annotations

import random

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.flow import Interrupted, NotSent, Reply, Request

from .truth import Truth
from .webhooks import Message

__all__ = ["Fate", "Network"]


@attrs.frozen(kw_only=True)
class Fate:
    """What becomes of one request.

    Attributes:
        arrive: seconds until it has its effect; None: it never does. again: seconds until a copy of it arrives too, or None.
        reply: seconds from arrival until the caller has the answer. error: what the caller gets instead: ``not_sent``, ``reset``,
            ``cut``, or None.
        status: something on the way answers with this, and the system never sees it. retry_after: the header of that answer, or None.
        lie: the caller is shown this body under a 200 instead of the true answer.
    """

    arrive: float | None = 0.0
    again: float | None = None
    reply: float = 0.0
    error: str | None = None
    status: int | None = None
    retry_after: float | None = None
    lie: bytes | None = None


QUIET = Fate()


def _part(share: float) -> float:
    """How often, as a part of all: 0 is never, 1 is always."""
    if not 0 <= share <= 1:
        raise ConfigurationError(f"how often is a share from 0 to 1, such as 0.3 for three in ten; got {share!r}")
    return share


class Network:
    """What can go wrong, by how often. Calls chain: ``world.network.drop(0.1).lose_replies(0.05)``; `quiet()` ends it all.

    `webhooks` has the same knobs for what the vendors send.
    """

    def __init__(self, rng: random.Random, truth: Truth) -> None:
        self._rng = rng
        self._truth = truth
        self.webhooks: WebhookNetwork = WebhookNetwork(rng, truth)
        self.quiet()

    def quiet(self) -> Network:
        """No faults from now on."""
        self._drop = self._duplicate = self._lose = self._cut = self._reset = self._lie = self._late = 0.0
        self._delay = (0.0, 0.0)
        self._slow = 0.0
        self._late_by = 0.0
        self._doubt, self._doubt_within = 0.0, 0.0
        self._refuse: list[tuple[float, int, float | None]] = []
        self._systems: tuple[str, ...] = ("loop", "whiplash")
        return self

    def drop(self, share: float) -> Network:
        """Requests vanish: half of these before a connection is made, half in a silence that times out."""
        self._drop = _part(share)
        return self

    def duplicate(self, share: float) -> Network:
        """A copy of a GET arrives again. (Nothing between here and there may repeat a POST; a proxy that does is out of bounds.)"""
        self._duplicate = _part(share)
        return self

    def delay(self, least: float = 0.0, most: float = 5.0) -> Network:
        """Every request takes its time, seconds each way."""
        self._delay = (least, most)
        return self

    def lose_replies(self, share: float) -> Network:
        """The request has its effect; nobody hears of it."""
        self._lose = _part(share)
        return self

    def reset(self, share: float) -> Network:
        """The connection breaks after the effect."""
        self._reset = _part(share)
        return self

    def cut_bodies(self, share: float) -> Network:
        """The reply breaks off in the middle."""
        self._cut = _part(share)
        return self

    def refuse(self, status: int, share: float = 0.2, *, retry_after: float | None = None) -> Network:
        """Something on the way answers 404, 429, 500, 502 or 503, with a page of its own, without passing the request on.

        A 5xx may have had its effect: half of these do.
        """
        if not 400 <= status <= 599:
            raise ConfigurationError(f"a request is refused with a 4xx or 5xx, such as 429 or 503; got {status!r}")
        self._refuse.append((_part(share), status, retry_after))
        return self

    def lie(self, share: float) -> Network:
        """A 200 with the body of an error, or of nothing known."""
        self._lie = _part(share)
        return self

    def late_effect(self, share: float, within: float = 240.0) -> Network:
        """The caller times out; the request has its effect any time up to `within` seconds after it was sent."""
        self._late, self._late_by = _part(share), within
        return self

    def in_doubt(self, share: float, within: float = 240.0) -> Network:
        """Requests that act, and only those, end in doubt: half of them have their effect at once or up to `within` seconds later,
        some have none; and what the caller hears is a time-out, a reset, half a reply, a 502, or nonsense under a 200."""
        self._doubt, self._doubt_within = _part(share), within
        return self

    def only(self, *systems: str) -> Network:
        """Faults strike only these systems: ``loop``, ``whiplash``."""
        self._systems = systems
        return self

    def loses_replies(self, rng: random.Random) -> bool:
        """Draw whether the answer to a webhook gets lost on its way back; as often as any reply does."""
        return bool(self._lose) and rng.random() < self._lose

    def fate(self, system: str, request: Request) -> Fate:
        """Draw what becomes of a request."""
        rng = self._rng
        if system not in self._systems:
            return QUIET
        there, back = (rng.uniform(*self._delay) for _ in range(2)) if self._delay[1] else (0.0, 0.0)
        fate = Fate(arrive=there, reply=back)
        if self._doubt and request.method != "GET" and not request.from_root and rng.random() < self._doubt:
            fate = self._doubtful(fate)
        elif rng.random() < self._drop:
            kind = "not_sent" if rng.random() < 0.5 else "lost"
            fate = attrs.evolve(fate, arrive=None, error="not_sent" if kind == "not_sent" else "timeout")
        elif rng.random() < self._lose:
            fate = attrs.evolve(fate, error="timeout")
        elif rng.random() < self._reset:
            fate = attrs.evolve(fate, error="reset")
        elif rng.random() < self._late:
            fate = attrs.evolve(fate, arrive=rng.uniform(0.0, self._late_by), error="timeout")
        elif rng.random() < self._cut:
            fate = attrs.evolve(fate, error="cut")
        elif rng.random() < self._lie:
            lies = (
                b'{"errors":{"message":"Something went wrong.","code":"UNEXPECTED_ERROR"}}',
                b"<html>busy</html>",
                b"",
                b"null",
                b'{"message":"Server Error"}',
            )
            fate = attrs.evolve(fate, lie=lies[rng.randrange(len(lies))], arrive=there if rng.random() < 0.5 else None)
        else:
            fate = self._refused(fate, request)
        if request.method == "GET" and rng.random() < self._duplicate:
            fate = attrs.evolve(fate, again=there + rng.random())
        if fate.error or fate.status or fate.lie is not None:
            self._truth.faults[fate.error or (f"status {fate.status}" if fate.status else "lie")] += 1
        return fate

    def _doubtful(self, fate: Fate) -> Fate:
        rng = self._rng
        arrive = rng.choice((fate.arrive, fate.arrive, rng.uniform(0.0, self._doubt_within), None))
        match rng.randrange(4):
            case 0 if arrive == fate.arrive:
                return attrs.evolve(fate, error=rng.choice(("reset", "cut")))
            case 1 if arrive == fate.arrive or arrive is None:
                return attrs.evolve(fate, arrive=arrive, status=502)
            case 2 if arrive == fate.arrive or arrive is None:
                return attrs.evolve(fate, arrive=arrive, lie=b"<html>busy</html>")
            case _:
                return attrs.evolve(fate, arrive=arrive, error="timeout")

    def _refused(self, fate: Fate, request: Request) -> Fate:
        for share, status, retry_after in self._refuse:
            if self._rng.random() < share:
                applied = status >= 500 and self._rng.random() < 0.5
                return attrs.evolve(fate, status=status, retry_after=retry_after, arrive=fate.arrive if applied else None)
        return fate


class WebhookNetwork:
    """What can go wrong with webhooks: ``world.network.webhooks.drop(0.3).duplicate(0.2).reorder()``."""

    def __init__(self, rng: random.Random, truth: Truth) -> None:
        self._rng = rng
        self._truth = truth
        self.quiet()

    def quiet(self) -> WebhookNetwork:
        """No faults from now on."""
        self._drop = self._duplicate = 0.0
        self._delay = (0.0, 0.0)
        self._copies = 1
        return self

    def drop(self, share: float) -> WebhookNetwork:
        """They vanish."""
        self._drop = _part(share)
        return self

    def duplicate(self, share: float, copies: int = 1) -> WebhookNetwork:
        """They come again, up to so many times more."""
        self._duplicate, self._copies = _part(share), copies
        return self

    def delay(self, least: float = 0.0, most: float = 300.0) -> WebhookNetwork:
        """They are late, by seconds; and so they overtake each other."""
        self._delay = (least, most)
        return self

    def reorder(self) -> WebhookNetwork:
        """They overtake each other by up to ten minutes."""
        return self.delay(0.0, 600.0)

    def fate(self, message: Message) -> list[float]:
        """Delays after which copies of a message are sent; none: it is lost."""
        rng = self._rng
        if rng.random() < self._drop:
            self._truth.faults["webhook lost"] += 1
            return []
        copies = 1
        if rng.random() < self._duplicate:
            copies += rng.randint(1, max(1, self._copies))
            self._truth.faults["webhook repeated"] += 1
        return [rng.uniform(*self._delay) if self._delay[1] else 0.0 for _ in range(copies)]


def hear(fate: Fate, reply: Reply | None) -> Reply:
    """What the caller hears of a true reply, given its fate. Raises `NotSent` or `Interrupted`."""
    if fate.error == "not_sent":
        raise NotSent("connection refused")
    if fate.error in ("timeout", "reset"):
        raise Interrupted("timed out" if fate.error == "timeout" else "connection reset", timed_out=fate.error == "timeout")
    if fate.status is not None:
        headers = {"content-type": "text/html"}
        if fate.retry_after is not None:
            headers["retry-after"] = f"{fate.retry_after:g}"
        return Reply(status=fate.status, headers=headers, body=b"<html><body>upstream</body></html>")
    if fate.lie is not None:
        return Reply(status=200, headers={"content-type": "application/json"}, body=fate.lie)
    if reply is None:
        raise Interrupted("timed out", timed_out=True)
    if fate.error == "cut":
        raise Interrupted("the reply broke off")
    return reply
