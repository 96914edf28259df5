"""The values planning works on: what was observed, what is remembered, what is planned, what is broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from loop_whiplash.matching.decision import Decision
from loop_whiplash.returns.model import Receipt, Rma


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _receipts(values: Iterable[Receipt]) -> tuple[Receipt, ...]:
    return tuple(values)


def _breaks(values: Iterable[Break]) -> tuple[Break, ...]:
    return tuple(values)


# ----------------------------------------------------------------------------------------------------- observed


@attrs.frozen(kw_only=True)
class Observation:
    """Both systems' word about one return, as read now.

    `rma` is None when Loop, asked by id, knows no such return; then `loop_read` is still True. A side that could not
    be read has its flag False and says why in `problems`: "could not look" never reads as "nothing there".
    `receipts` are all live consumer returns of this return, found by key, by the stored id and by attachment.
    `read_from` is when reading began: what the look-up by key did not find may have come since.
    """

    return_id: int
    rma: Rma | None = None
    receipts: tuple[Receipt, ...] = attrs.field(default=(), converter=_receipts)
    loop_read: bool = True
    whiplash_read: bool = True
    problems: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    read_from: datetime | None = attrs.field(default=None, eq=False)


# --------------------------------------------------------------------------------------------------- remembered


@attrs.frozen(kw_only=True)
class Create:
    """What is known of our create in Whiplash.

    phase: ``none`` → ``sending`` → ``done`` | ``refused``; ``none`` again when it was surely not made (a withdrawn intent).
    `original_id`: while it is in doubt, what it was sent under: the prefix may be another by now.
    `lines`: Whiplash item id (as text) → Loop line ids announced under it, in order.
    `problem`: why it could not be made (``UNRESOLVED_ITEM: …``), with `problem_at`. `allowed_attempts`: raised by a
    person's `retry()`, where settings alone would never repeat a create in doubt.
    """

    phase: str = "none"
    attempt: int = 0
    original_id: str | None = None
    began_at: datetime | None = None
    looked_at: datetime | None = None
    done_at: datetime | None = None
    verified: bool = False
    consumer_return_id: int | None = None
    adopted: bool = False
    lines: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    tracking: str | None = None
    problem: str | None = None
    problem_at: datetime | None = None
    allowed_attempts: int = 1


@attrs.frozen(kw_only=True)
class Act:
    """What is known of our process, or of our flag.

    phase: ``none`` → ``sending`` → ``accepted`` → ``confirmed``; or ``refused``, ``failed``. A flag of ours that a person
    took away again is ``cleared``. `sends`: how many that may have taken effect. `evidence`: of the decision it was sent
    for. `reason`: the refusal or failure, in Loop's words. `unseen_at`: when the return was first seen without the effect of a
    flag that Loop had said yes to. `answered`: Loop said yes to it, and the next look saw its effect; without that, the
    effect may be somebody else's doing.
    """

    phase: str = "none"
    sends: int = 0
    began_at: datetime | None = None
    settled_at: datetime | None = None
    evidence: str | None = None
    reason: str | None = None
    unseen_at: datetime | None = None
    answered: bool = False


@attrs.frozen(kw_only=True)
class Acknowledged:
    """A person took note of a break until a date."""

    until: datetime
    by: str = ""
    note: str = ""


@attrs.frozen(kw_only=True)
class Seen:
    """When we first saw a receipt counted, and first saw it final."""

    counted_at: datetime | None = None
    final_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Journal:
    """What must be remembered of one return; a fold over events and observations. Empty for a return never met.

    Attributes:
        first_seen_at: when any hint, or a sweep, first named it.
        found_by: ``webhook`` or ``sweep``, for the return; receipt_found_by: for the receipt.
        create: where our create stands: its `phase` is ``none``, ``sending``, ``done`` or ``refused``.
        process, flag: where each stands: ``none``, ``sending``, ``accepted``, ``confirmed``, ``refused``, ``failed``; a flag, ``cleared``.
        flagged: the keys of every blocking finding ever flagged here. flag_evidence: of the last flag of ours.
        allowed_sends: how many processes may ever be sent: 1, and one more for each `retry()` by a person.
        held_by: who holds it since `held_at`, or None. attached: consumer return ids a person tied to it.
        seen: receipt id (as text) → when first seen. since: break code, ``state:`` and Loop's state, or
            ``UNKNOWN_TO_LOOP`` → when that was first seen; it goes when it is over.
        failed_at, failure: the last `return.processing.failed`. shadow: in shadow mode, what would have been done, newest last.
    """

    first_seen_at: datetime | None = None
    found_by: str | None = None
    receipt_found_by: str | None = None
    create: Create = Create()
    process: Act = Act()
    flag: Act = Act()
    flagged: tuple[str, ...] = ()
    flag_evidence: str | None = None
    allowed_sends: int = 1
    held_by: str | None = None
    hold_note: str | None = None
    held_at: datetime | None = None
    attached: tuple[int, ...] = ()
    acknowledged: Mapping[str, Acknowledged] = attrs.field(factory=dict)
    seen: Mapping[str, Seen] = attrs.field(factory=dict)
    since: Mapping[str, datetime] = attrs.field(factory=dict)
    failed_at: datetime | None = None
    failure: str | None = None
    shadow: tuple[Mapping[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON, what stands at its default left out; `from_dict` reads it back."""
        from .stored import journal_to_dict

        return journal_to_dict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Journal:
        """Read what `to_dict` wrote; ``{}`` is the empty journal. Raises `LedgerError` for what it cannot read, or a newer version."""
        from .stored import journal_from_dict

        return journal_from_dict(stored)


EMPTY = Journal()

# ------------------------------------------------------------------------------------------------------ planned


@attrs.frozen(kw_only=True)
class CreateRma:
    """Announce the goods: look for an RMA under key, order and tracking, adopt it or create one."""


@attrs.frozen(kw_only=True)
class UpdateRma:
    """Tell Whiplash of a re-issued label."""

    consumer_return_id: int
    tracking: str | None = None
    carrier: str | None = None


@attrs.frozen(kw_only=True)
class DeleteRma:
    """Delete an untouched RMA of ours; opt-in."""

    consumer_return_id: int
    why: str


@attrs.frozen(kw_only=True)
class Process:
    """Release refund, exchange or credit."""

    evidence: str


@attrs.frozen(kw_only=True)
class Flag:
    """Send to Needs Review. `keys`: the blocking findings it announces; `note` goes before it."""

    evidence: str
    keys: tuple[str, ...]
    note: str


Action = CreateRma | UpdateRma | DeleteRma | Process | Flag


@attrs.frozen(kw_only=True)
class Break:
    """What cannot be put right by itself.

    Attributes:
        code: stable. return_id: None where Loop knows no return. consumer_return_id: where Whiplash has one.
        since: the event it dates from, not the run. money: at risk, in `currency`; None when unknown.
        owner: whose turn it is: ``warehouse``, ``support``, ``engineering``, ``carrier``, ``machine``. next_step: a sentence.
        loop_says, whiplash_says: each side's word; empty where it was not read. reason: a sentence.
        heals: planned action will put it right.
        acknowledged: a person took note of it, until then.
    """

    code: str
    return_id: int | None = None
    consumer_return_id: int | None = None
    since: datetime | None = None
    money: Decimal | None = None
    currency: str | None = None
    owner: str = ""
    next_step: str = ""
    loop_says: str = ""
    whiplash_says: str = ""
    reason: str = ""
    heals: bool = False
    order_name: str | None = None
    tracking: str | None = None
    acknowledged: Acknowledged | None = None


@attrs.frozen(kw_only=True)
class Plan:
    """At most one action, and whatever is wrong.

    Attributes:
        action: None: nothing to do now. next_check_at: when to look again; None: done for good.
        row: number of the row of the table that spoke; rule: its name. reasons: sentences. decision: the matcher's, where it was asked.
    """

    action: Action | None = None
    breaks: tuple[Break, ...] = attrs.field(default=(), converter=_breaks)
    next_check_at: datetime | None = None
    reasons: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    row: int = 0
    rule: str = ""
    decision: Decision | None = None
