"""How the integration behaves. What judges a receipt is `Policy`; what is done about it, and when, is here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

__all__ = ["Settings"]


@attrs.frozen(kw_only=True)
class Settings:
    """How the integration behaves.

    Every length of time is a `timedelta`; `start` is an aware `datetime`.

    Attributes:
        start: required by `Integration`. Returns created before it are reported, never acted on.
        mode: ``"live"``, or ``"shadow"``: plan and record, act on nothing.
        create_on: the label status from which an RMA is made: this one *or a later one*, never on equality.
        unlabelled_after: a return without any label is announced this long after its creation; None never does, and opens a break instead.
        original_id_prefix: put before the Loop return id in `originator_attributes.original_id`.
        warehouses: Loop `destination_id` → Whiplash `warehouse_id`. destinations: if not empty, only these `destination_id`s are ours.
        return_actions: Loop outcome → Whiplash `return_action`; `return_action` for every other outcome.
        requires_label: sent to Whiplash as is: should it buy a label. eta: sent as creation time plus this; None sends none (Whiplash drops a notice 37 days after it).
        pause, effect, lag: the bounds P, D and L of the create protocol: the longest pause of a worker between intent and
            send, the longest a request may take to have its effect, the longest lag of Whiplash's search.
        confirm_by: how long after an action was sent its effect may stay unseen before it is a break; at most 3 days.
        recreate: ``"never"``: a create that stays in doubt is never repeated by itself; ``"after_bounds"``: repeated once P + D + L have passed and a look-up found nothing.
        allow_process_from_review: the shop has Loop's "Allow flagged returns to process" switched on.
        delete_orphans, delete_duplicates: delete an untouched RMA of ours whose return was cancelled, or that is a double.
        notes: write a note before a flag. note_prefix: the marker at the start of each of our notes.
        lease: how long a worker owns a return. recheck: the longest pause between two looks at an open return.
        in_transit_stale_after … received_after_close_after: ageing limits, each between 7 and 30 days.
        watch_for: how long a closed return without goods is still watched.
        orphan_grace: how long a return that Loop does not know is waited for.
        absent_limit: share of known ids that may be absent in one sweep before the key is taken to be the wrong one.
    """

    start: datetime | None = None
    mode: str = "live"
    create_on: str = "pre_transit"
    unlabelled_after: timedelta | None = timedelta(days=1)
    original_id_prefix: str = ""
    warehouses: Mapping[str, int] = attrs.field(factory=dict)
    destinations: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    return_actions: Mapping[str, str] = attrs.field(factory=dict)
    return_action: str = "no_action_required"
    requires_label: bool = False
    eta: timedelta | None = None
    pause: timedelta = timedelta(minutes=2)
    effect: timedelta = timedelta(minutes=5)
    lag: timedelta = timedelta(minutes=5)
    confirm_by: timedelta = timedelta(days=1)
    recreate: str = "after_bounds"
    allow_process_from_review: bool = False
    delete_orphans: bool = False
    delete_duplicates: bool = False
    notes: bool = True
    note_prefix: str = "loop-whiplash"
    lease: timedelta = timedelta(minutes=10)
    recheck: timedelta = timedelta(hours=12)
    in_transit_stale_after: timedelta = timedelta(days=14)
    delivered_not_received_after: timedelta = timedelta(days=7)
    review_stale_after: timedelta = timedelta(days=7)
    paid_not_received_after: timedelta = timedelta(days=21)
    watch_for: timedelta = timedelta(days=90)
    orphan_grace: timedelta = timedelta(days=2)
    absent_limit: float = 0.05
