"""Pure: an observation, a journal, a policy, settings and a time go in; at most one action and the breaks come out."""

from .journal import fold, learn
from .model import (
    Acknowledged,
    Act,
    Action,
    Break,
    Create,
    CreateRma,
    DeleteRma,
    Flag,
    Journal,
    Observation,
    Plan,
    Process,
    Seen,
    UpdateRma,
)
from .plan import plan
from .settings import Settings
from .situation import untouched

__all__ = [
    "Acknowledged",
    "Act",
    "Action",
    "Break",
    "Create",
    "CreateRma",
    "DeleteRma",
    "Flag",
    "Journal",
    "Observation",
    "Plan",
    "Process",
    "Seen",
    "Settings",
    "UpdateRma",
    "fold",
    "learn",
    "plan",
    "untouched",
]
