"""From plain functions to methods of a client, in both colours.

``get = endpoint(get_return)`` in a class body makes a method that carries the call out: on a `Group` it returns the value,
on an `AsyncGroup` it is awaited. One class body serves both clients, and its types are exact in both.

Importing a client takes no more than it is made of: `deferred` stands for a module of endpoints until one of them is used,
and with it its models and their decoding are loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import cached_property, wraps
from importlib import import_module
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from .call import Call
from .flow import AsyncDriver, SyncDriver
from .session import Session

__all__ = ["AsyncGroup", "Group", "deferred", "endpoint", "listing", "lookup"]

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


class _Function:
    """A function of a module that is imported when the function is first used."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def resolve(self) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(import_module(self._module), self._name)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.resolve()(*args, **kwargs)


class _Module:
    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> _Function:
        return _Function(self._module, name)


def deferred(module: str) -> Any:
    """What stands for a module of endpoints until one of them is used. For type checkers it is imported beside it."""
    return _Module(module)


class _Method:
    """What the three kinds share: the docstring and the signature of the function behind the method."""

    takes_session = True

    def __init__(self, function: Callable[..., Any]) -> None:
        self._given = function

    @cached_property
    def _function(self) -> Callable[..., Any]:
        return self._given.resolve() if isinstance(self._given, _Function) else self._given

    def _shown(self) -> Self:
        """Itself as a class shows it, which is when somebody reads its documentation."""
        self.__doc__ = self._function.__doc__
        return self

    @cached_property
    def __signature__(self) -> inspect.Signature:
        found = inspect.signature(self._function)
        # What comes back differs by colour and is not what the function returns.
        return inspect.Signature(list(found.parameters.values())[1 if self.takes_session else 0 :])

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
            return self._shown()
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
            return self._shown()
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
            return self._shown()
        session, driver, function = group._session, group._driver, self._function

        def act(*args: P.args, **kwargs: P.kwargs) -> Any:
            return driver.iterate(function(session, *args, **kwargs))

        return self._dress(act)
