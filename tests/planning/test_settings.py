"""Settings are checked when they are made: unknown words, lengths out of bounds, and two settings that contradict each other."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.planning import Settings

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
LENGTHS: dict[str, tuple[timedelta, timedelta]] = {
    "unlabelled_after": (0 * DAY, 3 * DAY),
    "eta": (MOMENT, 365 * DAY),
    "pause": (MOMENT, DAY),
    "effect": (MOMENT, DAY),
    "lag": (MOMENT, DAY),
    "confirm_by": (MOMENT, 3 * DAY),
    "lease": (MOMENT, DAY),
    "recheck": (MOMENT, 3 * DAY),
    "in_transit_stale_after": (7 * DAY, 30 * DAY),
    "delivered_not_received_after": (7 * DAY, 30 * DAY),
    "review_stale_after": (7 * DAY, 30 * DAY),
    "paid_not_received_after": (7 * DAY, 30 * DAY),
    "watch_for": (7 * DAY, 3650 * DAY),
    "orphan_grace": (MOMENT, 30 * DAY),
    "keep_events": (7 * DAY, 3650 * DAY),
}
#: What must move along so that a setting can stand at its least or most.
ALONG: dict[str, dict[str, timedelta]] = {
    "pause": {"lease": DAY, "orphan_grace": 5 * DAY},
    "effect": {"confirm_by": 3 * DAY, "orphan_grace": 5 * DAY},
    "lag": {"orphan_grace": 5 * DAY},
    "confirm_by": {"effect": MOMENT},
    "lease": {"pause": MOMENT},
    "watch_for": {"paid_not_received_after": 7 * DAY},
    "orphan_grace": {"pause": MOMENT, "effect": MOMENT, "lag": MOMENT},
    "paid_not_received_after": {"watch_for": 90 * DAY},
}


def refused(said: str, **values: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}$"):
        Settings(**values)


def test_every_length_of_time_has_its_bounds() -> None:
    lengths = {field.name for field in attrs.fields(Settings) if "timedelta" in str(field.type)}
    assert lengths == LENGTHS.keys()


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_of_time(name: str) -> None:
    least, most = LENGTHS[name]
    along = ALONG.get(name, {})
    if name not in ("pause", "confirm_by", "lease", "orphan_grace"):  # these meet a contradiction at one end
        assert getattr(Settings(**{**along, name: least}), name) == least
    if name not in ("pause", "effect"):
        assert getattr(Settings(**{**along, name: most}), name) == most
    bounds = f"longer than 0 and at most {most}" if least == MOMENT else f"between {least} and {most}"
    for wrong in (least - MOMENT, most + MOMENT, -DAY):
        refused(f"Settings.{name} is {wrong}; it must be {bounds}", **{**along, name: wrong})
    for value in (5, "5d", True):
        refused(f"Settings.{name} is {value!r}; it must be a timedelta", **{name: value})


def test_only_two_may_be_left_out() -> None:
    assert Settings(unlabelled_after=None, eta=None).unlabelled_after is None
    for name in LENGTHS.keys() - {"unlabelled_after", "eta"}:
        refused(f"Settings.{name} is None; it must be a timedelta", **{name: None})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mode", ("live", "shadow")),
        ("create_on", ("pre_transit", "in_transit", "out_for_delivery", "delivered")),
        ("recreate", ("never", "after_bounds")),
    ],
)
def test_words(name: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert getattr(Settings(**{name: word}), name) == word
    listed = ", ".join(repr(word) for word in words)
    for wrong in ("new", "", None, words[0].upper()):
        refused(f"Settings.{name} is {wrong!r}; it may be {listed}", **{name: wrong})


@pytest.mark.parametrize("name", ["requires_label", "allow_process_from_review", "delete_orphans", "delete_duplicates", "notes"])
def test_switches(name: str) -> None:
    assert getattr(Settings(**{name: True}), name) is True
    for wrong in (1, "yes", None):
        refused(f"Settings.{name} is {wrong!r}; it may be True or False", **{name: wrong})


@pytest.mark.parametrize("name", ["original_id_prefix", "return_action", "note_prefix"])
def test_texts(name: str) -> None:
    assert getattr(Settings(**{name: "x-"}), name) == "x-"
    for wrong in (1, None, b"x"):
        refused(f"Settings.{name} is {wrong!r}; it must be text", **{name: wrong})


def test_start_knows_its_time_zone() -> None:
    said = "Settings.start must be a datetime with a time zone, e.g. datetime(2025, 1, 1, tzinfo=UTC)"
    for wrong in (datetime(2025, 1, 1), "2025-01-01", DAY):
        refused(said, start=wrong)
    assert Settings(start=datetime(2025, 1, 1, tzinfo=UTC)).start is not None


def test_absent_limit_is_a_share() -> None:
    assert Settings(absent_limit=0.5).absent_limit == 0.5
    for wrong in (0, 1, -0.1, 1.5, True, "5%", None):
        refused(f"Settings.absent_limit is {wrong!r}; it is a share above 0 and below 1, e.g. 0.05", absent_limit=wrong)


def test_maps() -> None:
    assert Settings(warehouses={"D1": 4}, return_actions={"refund": "refund"}).warehouses == {"D1": 4}
    refused("Settings.warehouses['D1'] is '4'; it maps a destination_id (text) to a warehouse_id (int)", warehouses={"D1": "4"})
    refused("Settings.warehouses['D1'] is True; it maps a destination_id (text) to a warehouse_id (int)", warehouses={"D1": True})
    refused("Settings.warehouses[1] is 4; it maps a destination_id (text) to a warehouse_id (int)", warehouses={1: 4})
    refused("Settings.return_actions['refund'] is 4; it maps an outcome to a return_action, both text", return_actions={"refund": 4})
    refused("Settings.return_actions[4] is 'x'; it maps an outcome to a return_action, both text", return_actions={4: "x"})
    refused("Settings.destinations holds 11; destination ids are text", destinations=[11])
    for wrong in ("D1", 5, None):
        refused(f"Settings.destinations is {wrong!r}; it is a list of destination ids", destinations=wrong)
        refused(f"Settings.warehouses is {wrong!r}; it is a table", warehouses=wrong)
        refused(f"Settings.return_actions is {wrong!r}; it is a table", return_actions=wrong)


def test_a_map_changed_afterwards_changes_nothing() -> None:
    warehouses = {"D1": 4}
    settings = Settings(warehouses=warehouses)
    warehouses["D2"] = 5
    assert settings.warehouses == {"D1": 4}


def test_contradictions_name_both() -> None:
    refused(
        "Settings.warehouses names 'D2', which Settings.destinations leaves out: it is ours or it is not",
        warehouses={"D1": 1, "D2": 2},
        destinations=["D1"],
    )
    assert Settings(warehouses={"D1": 1}, destinations=["D1", "D3"]).destinations == ("D1", "D3")
    refused(
        "Settings.lease must be longer than Settings.pause: a worker may pause that long and still own the return",
        lease=timedelta(minutes=2),
    )
    assert Settings(lease=timedelta(minutes=2, seconds=1)).lease
    refused(
        "Settings.confirm_by must be longer than Settings.effect: an action may take that long to have its effect",
        confirm_by=timedelta(minutes=5),
    )
    assert Settings(confirm_by=timedelta(minutes=5, seconds=1)).confirm_by
    refused(
        "Settings.orphan_grace must not be shorter than Settings.pause + effect + lag: a create may still be on its way",
        orphan_grace=timedelta(minutes=12) - MOMENT,
    )
    assert Settings(orphan_grace=timedelta(minutes=12)).orphan_grace == Settings().bound
    refused("Settings.watch_for must not be shorter than Settings.paid_not_received_after", watch_for=21 * DAY - MOMENT)
    assert Settings(watch_for=21 * DAY).watch_for
    refused("Settings.notes needs a Settings.note_prefix: our own notes are known by it", note_prefix=" ")
    assert Settings(notes=False, note_prefix="").note_prefix == ""
    refused("Settings.note_prefix is longer than 100 characters; a note in Loop holds 254 in all", note_prefix="x" * 101)
    assert Settings(note_prefix="x" * 100).note_prefix
    refused(
        "Settings.original_id_prefix ends in a digit: return 23 under '1' would read as return 123; end it with '-'",
        original_id_prefix="shop1",
    )


def test_defaults_cost_nothing_and_delete_nothing() -> None:
    settings = Settings()
    assert not any((settings.requires_label, settings.delete_orphans, settings.delete_duplicates, settings.allow_process_from_review))
    assert settings.return_action == "no_action_required"


def test_defaults_keep_what_is_promised() -> None:
    settings = Settings()
    assert settings.bound == timedelta(minutes=12)
    assert settings.confirm_by <= 3 * DAY
    for name in ("in_transit_stale_after", "delivered_not_received_after", "review_stale_after", "paid_not_received_after"):
        assert 7 * DAY <= getattr(settings, name) <= 30 * DAY
    assert settings.unlabelled_after is not None
    assert settings.unlabelled_after + settings.recheck <= 3 * DAY


# ------------------------------------------------------------------------------------------------------------ loading

PLAIN = {
    "start": "2025-01-01T00:00:00+01:00",
    "recheck": "1d 12h",
    "pause": "90s",
    "destinations": ["D1"],
    "warehouses": {"D1": 4},
    "notes": False,
    "absent_limit": 0.1,
}
LOADED = Settings(
    start=datetime.fromisoformat("2025-01-01T00:00:00+01:00"),
    recheck=timedelta(hours=36),
    pause=timedelta(seconds=90),
    destinations=("D1",),
    warehouses={"D1": 4},
    notes=False,
    absent_limit=0.1,
)


def test_from_plain_data() -> None:
    assert Settings.from_dict(PLAIN) == LOADED
    assert Settings.from_dict({}) == Settings()
    assert Settings.from_dict({"start": LOADED.start, "recheck": LOADED.recheck, "eta": None}).recheck == LOADED.recheck


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"colour": 1}, "Settings has no 'colour'; it has start, mode, create_on, "),
        ({"destination": ["11"]}, "Settings has no 'destination' (did you mean 'destinations'?); it has start, "),
        ({"recheck": "soon"}, "Settings.recheck: 'soon' is not a length of time"),
        ({"recheck": 5}, "Settings.recheck is 5; it must be a timedelta"),
        ({"start": "soon"}, "Settings.start is 'soon'; write it in ISO 8601 with its offset"),
        ({"start": "2025-01-01"}, "Settings.start must be a datetime with a time zone"),
        ({"destinations": "D1"}, "Settings.destinations is 'D1'; it is a list of destination ids"),
        ({"warehouses": "D1"}, "Settings.warehouses is 'D1'; it is a table"),
        ({"return_actions": ["x"]}, "Settings.return_actions is ['x']; it is a table"),
        ({"mode": 5}, "Settings.mode is 5; it may be"),
    ],
)
def test_plain_data_that_is_wrong_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}"):
        Settings.from_dict(values)


TOML = """
start = 2025-01-01T00:00:00+01:00
recheck = "1d 12h"
pause = "90s"
destinations = ["D1"]
warehouses = { D1 = 4 }
notes = false
absent_limit = 0.1
"""


def test_from_toml(tmp_path: Path) -> None:
    assert Settings.from_toml(TOML) == LOADED
    assert Settings.from_toml("") == Settings()
    assert Settings.from_toml("[x]\nrecheck = '6h'", table="x").recheck == timedelta(hours=6)
    assert Settings.from_toml("[a.b]\nrecheck = '6h'", table="a.b").recheck == timedelta(hours=6)
    file = tmp_path / "EXAMPLE.toml"
    file.write_text(TOML, encoding="utf-8")
    assert Settings.from_toml(file) == Settings.from_toml(str(file)) == LOADED


def test_toml_that_is_wrong_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("strat = 2025-01-01T00:00:00Z")
    for source, table, said in (
        (str(tmp_path / "absent.toml"), "", f"the settings in {tmp_path / 'absent.toml'} cannot be read: "),
        ("a = ", "", "the TOML text is no TOML: "),
        ("a = 1", "x", "the TOML text has no table [x]"),
        ("x = 1", "x.y", "the TOML text has no table [x.y]"),
        ("a = 1", "", "the TOML text: Settings has no 'a'; it has "),
        ("recheck = '6x'", "", "the TOML text: Settings.recheck: "),
        ("absent_limit = 7", "", "the TOML text: Settings.absent_limit is 7"),
        (str(wrong), "", f"{wrong}: Settings has no 'strat' (did you mean 'start'?); it has "),
    ):
        with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}"):
            Settings.from_toml(source, table=table)
    torn = tmp_path / "torn.toml"
    torn.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Settings.from_toml(torn)
