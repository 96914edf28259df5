"""From plain functions to methods of a client, in both colours.

``get = endpoint(get_return)`` in a class body makes a method that carries the call out: on a `Group` it returns the value,
on an `AsyncGroup` it is awaited. One class body serves both clients, and its types are exact in both.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from .call import Call
from .flow import AsyncDriver, SyncDriver
from .session import Session

__all__ = ["AsyncGroup", "Group", "endpoint", "listing", "lookup"]

P = ParamSpec("P")
T = TypeVar("T")


class Group:
    """Some methods of a sync client."""

    def __init__(self, session: Session, driver: SyncDriver) -> None:
        self._session = session
        self._driver = driver


class AsyncGroup:
    """Some methods of an async client."""

    def __init__(self, session: Session, driver: AsyncDriver) -> None:
        self._session = session
        self._driver = driver


class _Method:
    """What the three kinds share: the docstring and the signature of the function behind the method."""

    takes_session = True

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._signature: inspect.Signature | None = None
        self.__doc__ = function.__doc__

    @property
    def __signature__(self) -> inspect.Signature:
        if self._signature is None:
            found = inspect.signature(self._function)
            parameters = list(found.parameters.values())[1 if self.takes_session else 0 :]
            # What comes back differs by colour and is not what the function returns.
            self._signature = inspect.Signature(parameters)
        return self._signature

    def _dress(self, act: Callable[..., Any]) -> Any:
        dressed = wraps(self._function)(act)
        dressed.__signature__ = self.__signature__  # type: ignore[attr-defined]
        return dressed


class endpoint(_Method, Generic[P, T]):  # noqa: N801 - a descriptor, used as `property` is
    """A method made of a function that returns a `Call`."""

    takes_session = False

    def __init__(self, function: Callable[P, Call[T]]) -> None:
        super().__init__(function)

    @overload
    def __get__(self, group: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, group: Group, owner: type[Any]) -> Callable[P, T]: ...
    @overload
    def __get__(self, group: AsyncGroup, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, group: Group | AsyncGroup | None, owner: type[Any]) -> Any:
        if group is None:
            return self
        session, driver, function = group._session, group._driver, self._function

        def act(*args: P.args, **kwargs: P.kwargs) -> Any:
            return driver.run(session.perform(function(*args, **kwargs)))

        return self._dress(act)


class lookup(_Method, Generic[P, T]):  # noqa: N801 - a descriptor, used as `property` is
    """A method made of a flow that takes the session: several calls, one answer."""

    def __init__(self, function: Callable[Concatenate[Session, P], Coroutine[Any, Any, T]]) -> None:
        super().__init__(function)

    @overload
    def __get__(self, group: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, group: Group, owner: type[Any]) -> Callable[P, T]: ...
    @overload
    def __get__(self, group: AsyncGroup, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, group: Group | AsyncGroup | None, owner: type[Any]) -> Any:
        if group is None:
            return self
        session, driver, function = group._session, group._driver, self._function

        def act(*args: P.args, **kwargs: P.kwargs) -> Any:
            return driver.run(function(session, *args, **kwargs))

        return self._dress(act)


class listing(_Method, Generic[P, T]):  # noqa: N801 - a descriptor, used as `property` is
    """A method made of an async generator that takes the session: an iterator of rows, or an async iterator."""

    def __init__(self, function: Callable[Concatenate[Session, P], AsyncGenerator[T, None]]) -> None:
        super().__init__(function)

    @overload
    def __get__(self, group: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, group: Group, owner: type[Any]) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, group: AsyncGroup, owner: type[Any]) -> Callable[P, AsyncGenerator[T, None]]: ...
    def __get__(self, group: Group | AsyncGroup | None, owner: type[Any]) -> Any:
        if group is None:
            return self
        session, driver, function = group._session, group._driver, self._function

        def act(*args: P.args, **kwargs: P.kwargs) -> Any:
            return driver.iterate(function(session, *args, **kwargs))

        return self._dress(act)
