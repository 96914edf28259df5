"""How the integration behaves. What judges a receipt is `Policy`; what is done about it, and when, is here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.redaction import meant

__all__ = ["CREATE_ON", "Settings"]

T = TypeVar("T")

#: The label statuses an RMA can be made on, in the order a parcel goes through them; a later one always counts too.
CREATE_ON = ("pre_transit", "in_transit", "out_for_delivery", "delivered")

_WORDS: Mapping[str, tuple[str, ...]] = {
    "mode": ("live", "shadow"),
    "create_on": CREATE_ON,
    "recreate": ("never", "after_bounds"),
}
_FLAGS = ("requires_label", "allow_process_from_review", "delete_orphans", "delete_duplicates", "notes")
_TEXTS = ("original_id_prefix", "return_action", "note_prefix")
_DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)

#: Setting → shortest and longest it may be. Where None is allowed it stands in `_OPTIONAL`.
_LENGTHS: Mapping[str, tuple[timedelta, timedelta]] = {
    # A return without a label is announced, or a break, within three days of the first sweep that sees it.
    "unlabelled_after": (timedelta(0), 3 * _DAY),
    "eta": (_MOMENT, 365 * _DAY),
    "pause": (_MOMENT, _DAY),
    "effect": (_MOMENT, _DAY),
    "lag": (_MOMENT, _DAY),
    "confirm_by": (_MOMENT, 3 * _DAY),
    "lease": (_MOMENT, _DAY),
    "recheck": (_MOMENT, 3 * _DAY),
    "in_transit_stale_after": (7 * _DAY, 30 * _DAY),
    "delivered_not_received_after": (7 * _DAY, 30 * _DAY),
    "review_stale_after": (7 * _DAY, 30 * _DAY),
    "paid_not_received_after": (7 * _DAY, 30 * _DAY),
    "watch_for": (7 * _DAY, 3650 * _DAY),
    "orphan_grace": (_MOMENT, 30 * _DAY),
    "keep_events": (7 * _DAY, 3650 * _DAY),
}
_OPTIONAL = ("unlabelled_after", "eta")


def _ids(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigurationError(f"Settings.destinations is {value!r}; it is a list of destination ids")
    return tuple(value)


def _warehouses(value: Mapping[str, int]) -> dict[str, int]:
    return _table("warehouses", value)


def _return_actions(value: Mapping[str, str]) -> dict[str, str]:
    return _table("return_actions", value)


def _table(name: str, value: Mapping[str, T]) -> dict[str, T]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"Settings.{name} is {value!r}; it is a table")
    return dict(value)


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
        return_actions: Loop outcome → Whiplash `return_action`. return_action: that of every outcome not named there.
        requires_label: sent to Whiplash as is: should it buy a label.
        eta: sent as creation time plus this; None sends none (Whiplash drops a notice 37 days after it).
        pause: the bound P of the create protocol: the longest a worker may be suspended between intent and send; later, it does not send.
        effect: the bound D: the longest a request may take to have its effect. Not below the Whiplash client's `timeout`.
        lag: the bound L: the longest that Whiplash's search may not show a row that is there.
        confirm_by: how long after an action was sent its effect may stay unseen before it is a break; at most 3 days.
        recreate: ``"never"``: a create that stays in doubt is never repeated by itself;
            ``"after_bounds"``: repeated once P + D + L have passed and a look-up found nothing.
        allow_process_from_review: the shop has Loop's "Allow flagged returns to process" switched on.
        delete_orphans: delete an untouched RMA of ours whose return was cancelled. delete_duplicates: delete one that is a double.
        notes: write a note before a flag. note_prefix: the marker at the start of each of our notes.
        lease: how long a worker owns a return. recheck: the longest pause between two looks at an open return.
        in_transit_stale_after: a parcel without a scan for so long is a break, 7 to 30 days.
        delivered_not_received_after: a delivered parcel that nobody counted for so long is one, 7 to 30 days.
        review_stale_after: a return in review, or held by a person, for so long is one, 7 to 30 days.
        paid_not_received_after: a return that was paid so long ago and never came is one, 7 to 30 days.
        watch_for: how long a closed return without goods is still watched.
        orphan_grace: how long a return that Loop does not know is waited for.
        keep_events: how long the events of settled returns, and webhooks that named no return, are kept; a whole sweep deletes older
            ones, and the bodies of older events of open returns.
        absent_limit: share of known ids that may be absent in one sweep before the key is taken to be the wrong one.

    Raises `ConfigurationError` for an unknown word, a length out of bounds, and for two settings that contradict each
    other; the message names them.

    >>> Settings(confirm_by=timedelta(days=2)).confirm_by.days
    2
    """

    start: datetime | None = None
    mode: str = "live"
    create_on: str = "pre_transit"
    unlabelled_after: timedelta | None = timedelta(days=1)
    original_id_prefix: str = ""
    warehouses: Mapping[str, int] = attrs.field(factory=dict, converter=_warehouses)
    destinations: tuple[str, ...] = attrs.field(default=(), converter=_ids)
    return_actions: Mapping[str, str] = attrs.field(factory=dict, converter=_return_actions)
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
    keep_events: timedelta = timedelta(days=90)
    absent_limit: float = 0.05

    def __attrs_post_init__(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ConfigurationError(f"Settings.{name} is {getattr(self, name)!r}; it may be {', '.join(map(repr, words))}")
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Settings.{name} is {getattr(self, name)!r}; it may be True or False")
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise ConfigurationError(f"Settings.{name} is {getattr(self, name)!r}; it must be text")
        for name, (least, most) in _LENGTHS.items():
            _check_length(name, getattr(self, name), least, most)
        start: Any = self.start
        if start is not None and (not isinstance(start, datetime) or start.tzinfo is None):
            raise ConfigurationError("Settings.start must be a datetime with a time zone, e.g. datetime(2025, 1, 1, tzinfo=UTC)")
        share: Any = self.absent_limit
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise ConfigurationError(f"Settings.absent_limit is {share!r}; it is a share above 0 and below 1, e.g. 0.05")
        self._check_maps()
        self._check_contradictions()

    def _check_maps(self) -> None:
        warehouses: Mapping[Any, Any] = self.warehouses
        actions: Mapping[Any, Any] = self.return_actions
        for destination, warehouse in warehouses.items():
            if not isinstance(destination, str) or isinstance(warehouse, bool) or not isinstance(warehouse, int):
                raise ConfigurationError(
                    f"Settings.warehouses[{destination!r}] is {warehouse!r}; it maps a destination_id (text) to a warehouse_id (int)"
                )
        for outcome, action in actions.items():
            if not isinstance(outcome, str) or not isinstance(action, str):
                raise ConfigurationError(
                    f"Settings.return_actions[{outcome!r}] is {action!r}; it maps an outcome to a return_action, both text"
                )
        for destination in self.destinations:
            if not isinstance(destination, str):
                raise ConfigurationError(f"Settings.destinations holds {destination!r}; destination ids are text")

    def _check_contradictions(self) -> None:
        stray = [destination for destination in self.warehouses if self.destinations and destination not in self.destinations]
        if stray:
            raise ConfigurationError(
                f"Settings.warehouses names {stray[0]!r}, which Settings.destinations leaves out: it is ours or it is not"
            )
        if self.lease <= self.pause:
            raise ConfigurationError(
                "Settings.lease must be longer than Settings.pause: a worker may pause that long and still own the return"
            )
        if self.confirm_by <= self.effect:
            raise ConfigurationError(
                "Settings.confirm_by must be longer than Settings.effect: an action may take that long to have its effect"
            )
        if self.orphan_grace < self.bound:
            raise ConfigurationError(
                "Settings.orphan_grace must not be shorter than Settings.pause + effect + lag: a create may still be on its way"
            )
        if self.watch_for < self.paid_not_received_after:
            raise ConfigurationError("Settings.watch_for must not be shorter than Settings.paid_not_received_after")
        if self.notes and not self.note_prefix.strip():
            raise ConfigurationError("Settings.notes needs a Settings.note_prefix: our own notes are known by it")
        if len(self.note_prefix) > 100:
            raise ConfigurationError("Settings.note_prefix is longer than 100 characters; a note in Loop holds 254 in all")
        if self.original_id_prefix[-1:].isdigit():
            raise ConfigurationError(
                "Settings.original_id_prefix ends in a digit: return 23 under '1' would read as return 123; end it with '-'"
            )

    @property
    def bound(self) -> timedelta:
        """P + D + L: once strictly more than this has passed, a create that cannot be found was not made."""
        return self.pause + self.effect + self.lag

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from plain data; only what differs from the defaults need be there.

        Lengths of time are text like those of a policy (``"90s"``, ``"36h"``, ``"1d 12h"``), `start` is ISO 8601 with its
        offset. Raises `ConfigurationError` that names the setting.

        >>> Settings.from_dict({"recheck": "6h", "destinations": ["11"]}).recheck
        datetime.timedelta(seconds=21600)
        """
        fields = [field.name for field in attrs.fields(cls)]
        for name in values:
            if name not in fields:
                raise ConfigurationError(f"Settings has no {name!r}{meant(name, fields)}; it has {', '.join(fields)}")
        return cls(**{name: _read(name, value) for name, value in values.items()})

    @classmethod
    def from_toml(cls, source: str | PathLike[str], *, table: str = "") -> Settings:
        """Settings from a TOML file, or from TOML text (text has an equals sign, a bracket or a line break; a path has none).

        `table`: dotted name of the table that holds them, for a file that holds more. Raises `ConfigurationError` that
        names the file and the setting.
        """
        if isinstance(source, str) and (not source.strip() or any(sign in source for sign in "=\n[")):
            text, where = source, "the TOML text"
        else:
            where = fspath(source)
            try:
                text = Path(source).read_bytes().decode()  # TOML is UTF-8
            except (OSError, UnicodeDecodeError) as wrong:
                raise ConfigurationError(f"the settings in {where} cannot be read: {wrong}") from wrong
        try:
            values: Any = tomllib.loads(text)
        except tomllib.TOMLDecodeError as wrong:
            raise ConfigurationError(f"{where} is no TOML: {wrong}") from wrong
        for part in filter(None, table.split(".")):
            if not isinstance(values, Mapping) or part not in values:
                raise ConfigurationError(f"{where} has no table [{table}]")
            values = values[part]
        try:
            return cls.from_dict(values)
        except ConfigurationError as wrong:
            raise ConfigurationError(f"{where}: {wrong}") from wrong


def _check_length(name: str, value: object, least: timedelta, most: timedelta) -> None:
    if value is None and name in _OPTIONAL:
        return
    if not isinstance(value, timedelta):
        raise ConfigurationError(f"Settings.{name} is {value!r}; it must be a timedelta")
    if not least <= value <= most:
        bounds = f"between {least} and {most}" if least > _MOMENT or name == "unlabelled_after" else f"longer than 0 and at most {most}"
        raise ConfigurationError(f"Settings.{name} is {value}; it must be {bounds}")


def _read(name: str, value: Any) -> Any:
    if name in _LENGTHS and isinstance(value, str):
        from loop_whiplash.matching.loading import length_from_text

        try:
            return length_from_text(value)
        except ValueError as wrong:
            raise ConfigurationError(f"Settings.{name}: {wrong}") from None
    if name == "start" and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise ConfigurationError(
                f"Settings.start is {value!r}; write it in ISO 8601 with its offset, e.g. '2025-01-01T00:00:00+00:00'"
            ) from None
    return value
