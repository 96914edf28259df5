"""Pure: `plan` over everybody. What came of it is a `Report`: typed data first, then text, JSON, CSV and one HTML page."""

from __future__ import annotations

from .case import CaseView, HistoryEntry, UnitView, view_case
from .join import reconcile
from .replay import Change, Replay, ReplayCase, history_in, history_of, replay
from .report import Cell, Flow, Report, SideReport, Totals

__all__ = [
    "CaseView",
    "Cell",
    "Change",
    "Flow",
    "HistoryEntry",
    "Replay",
    "ReplayCase",
    "Report",
    "SideReport",
    "Totals",
    "UnitView",
    "history_in",
    "history_of",
    "reconcile",
    "replay",
    "view_case",
]
