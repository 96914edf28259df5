"""One request to one of the two systems, as a value.

An endpoint is a plain function that returns a `Call`; a `Session` signs, limits, sends, repeats and decodes it. So an
endpoint holds what its vendor's page says and nothing else, and is the same for sync, async and the simulator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Generic, Literal, TypeVar

import attrs

from loop_whiplash.errors import ConfigurationError

from .flow import Reply

__all__ = ["Call", "Method", "System", "segment"]

T_co = TypeVar("T_co", covariant=True)
Method = Literal["GET", "POST", "PUT", "DELETE"]
System = Literal["loop", "whiplash"]

_SAFE_PATH = re.compile(r"(?:/[A-Za-z0-9._~%:@!$&'()*+,;=-]+)+/?")


def _below_the_base(_: object, __: object, path: str) -> None:
    """A path goes below the base URL and nowhere else: credentials are never sent to another origin."""
    if not isinstance(path, str) or not _SAFE_PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise ConfigurationError(
            "a path begins with one slash and holds no query, no host and no '..', e.g. '/warehouse/return/list'; pass the query as params"
        )


@attrs.frozen(kw_only=True)
class Call(Generic[T_co]):
    """One request, and how its answer is read.

    Attributes:
        system: whose request it is. method, path: below the base URL, which includes the version.
        decode: from a 2xx `Reply` to the value. Raises our errors; `DecodeError` gets the facts of the exchange added.
        params: query. json: body, or None. return_id: the Loop return it is about, for errors.
        repeatable: sending it twice does what sending it once does, so it may be repeated after a time-out. Only reading is:
            neither vendor knows an idempotency key.
        accepts: statuses besides 2xx that `decode` reads. absent: statuses that say there is no such object.
    """

    system: System
    method: Method
    path: str = attrs.field(validator=_below_the_base)
    decode: Callable[[Reply], T_co] = attrs.field(repr=False)
    params: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    json: object = attrs.field(default=None, repr=False)
    repeatable: bool = attrs.field()
    return_id: int | None = None
    accepts: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset({404})

    @repeatable.default
    def _only_reading(self) -> bool:
        return self.method == "GET"


def segment(value: int | str, what: str) -> str:
    """An id as one segment of a path: a whole number above zero, or its digits. Anything else would address something else."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and value.strip("0"):
        return value
    raise ConfigurationError(f"{what} is a whole number above zero")
