"""What must outlive the process: one protocol, three ledgers (memory, SQLite, PostgreSQL), one conformance suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .memory import MemoryLedger
    from .postgres import PostgresLedger
    from .protocol import CaseRow, Claim, Event, Intent, Ledger
    from .sqlite import SQLiteLedger

__all__ = ["CaseRow", "Claim", "Event", "Intent", "Ledger", "MemoryLedger", "PostgresLedger", "SQLiteLedger"]

#: Bound on first use: whoever uses one ledger does not pay for importing the drivers of the others.
_HOMES = {"MemoryLedger": ".memory", "PostgresLedger": ".postgres", "SQLiteLedger": ".sqlite"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, ".protocol"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
