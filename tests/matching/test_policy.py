"""A policy is checked when it is built, cannot change, and reads from plain data with the path of what is wrong."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from matching_cases import DAY, T, count, expect, receipt, rma

from loop_whiplash.errors import LoopWhiplashError, PolicyError
from loop_whiplash.matching import Policy, Profile, Verdict, match

NO_TIME = timedelta(0)


def refused(**settings: Any) -> str:
    with pytest.raises(PolicyError) as caught:
        Policy(**settings)
    assert isinstance(caught.value, LoopWhiplashError)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "allowed"),
    [
        ("name", ["", "  ", 5], "text"),
        ("match_level", [2, 5, "4", True], "one of 3, 4"),
        ("under_units", [-1, 1.5, "1", True], "a whole number from 0 up, or None"),
        ("over_units", [-1, False], "a whole number from 0 up, or None"),
        ("days_late_warn", [-1, DAY], "a whole number from 0 up, or None"),
        ("days_late_flag", [-1], "a whole number from 0 up, or None"),
        ("under_value", [-1, 0.5, Decimal("NaN"), Decimal("Infinity"), "five", True], "an amount from 0 up, as Decimal or text, or None"),
        ("over_value", ["-0.01"], "an amount from 0 up, as Decimal or text, or None"),
        ("review_above_value", [[]], "an amount from 0 up, as Decimal or text, or None"),
        ("currency", ["", 5], "text"),
        ("substitutes", ["always", True], "one of 'never', 'same_product', 'listed'"),
        ("unexpected", ["ignore"], "one of 'flag', 'accept'"),
        ("min_condition", ["new", None], "one of 'damaged', 'good'"),
        ("require_grading", [1, None], "True or False"),
        ("settle_window", [5, -DAY, 367 * DAY], "a timedelta from 0 to 366 days"),
        ("unfinished_grace", [-DAY, "3d", 366 * DAY + timedelta(microseconds=1)], "a timedelta from 0 to 366 days"),
        ("sku_case", ["lower"], "one of 'exact', 'ignore'"),
        ("final_statuses", [["300"], [True], [300.0]], "a sequence of whole numbers"),
        ("warehouses", [["1"], [False]], "a sequence of whole numbers"),
        ("destinations", [[1], [""], [" "]], "a sequence of texts"),
        ("keep_item_outcomes", [[None]], "a sequence of texts"),
        ("known_outcomes", [[5]], "a sequence of texts"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_what_may(name: str, values: list[Any], allowed: str) -> None:
    for value in values:
        said = refused(**{name: value})
        assert said.startswith(f"Policy.{name} is ")
        assert said.endswith(f"; it must be {allowed}")
        assert (f"Policy.{name} is None;" in said) == (value is None)


@pytest.mark.parametrize(
    "name", ["short_grace_single", "short_grace_multi", "unfinished_grace", "grading_grace", "unknown_grace", "arrival_grace"]
)
def test_a_grace_is_longer_than_nothing(name: str) -> None:
    assert refused(**{name: NO_TIME}) == (
        f"Policy.{name} is datetime.timedelta(0); it must be longer than 0: with no grace at all, a second parcel is always too late"
    )


def test_limits_of_what_may_be() -> None:
    year = 366 * DAY
    policy = Policy(settle_window=NO_TIME, unfinished_grace=year, under_units=0, over_value=0, days_late_flag=0, currency=None)
    assert (policy.unfinished_grace, policy.over_value) == (year, Decimal(0))
    assert Policy(under_value="19.90", over_value=5).under_value == Decimal("19.90")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"final_statuses": []}, "Policy.final_statuses is empty: no receipt could ever be final"),
        (
            {"match_level": 3, "require_grading": True},
            "Policy.match_level 3 does not look at conditions, but Policy.require_grading is set; use match_level 4 or drop it",
        ),
        (
            {"match_level": 3, "min_condition_by_outcome": {"refund": "good"}},
            "Policy.match_level 3 does not look at conditions, but Policy.min_condition_by_outcome is set; use match_level 4 or drop it",
        ),
        ({"substitutes": "listed"}, "Policy.substitutes is 'listed', but Policy.substitute_skus lists none"),
        (
            {"substitute_skus": {"A": ["B"]}},
            "Policy.substitute_skus lists substitutes, but Policy.substitutes is 'never'; set it to 'listed'",
        ),
        (
            {"short_grace_single": 3 * DAY, "short_grace_multi": 2 * DAY},
            "Policy.short_grace_multi (2 days, 0:00:00) is shorter than Policy.short_grace_single (3 days, 0:00:00)",
        ),
        (
            {"settle_window": 4 * DAY},
            "Policy.settle_window (4 days, 0:00:00) is longer than Policy.short_grace_single (3 days, 0:00:00): "
            "a short receipt would be judged before it has settled",
        ),
        ({"days_late_warn": 9, "days_late_flag": 9}, "Policy.days_late_warn (9) must be less than Policy.days_late_flag (9)"),
        (
            {"min_condition_by_outcome": {"refund": "new"}},
            "Policy.min_condition_by_outcome['refund'] is 'new'; it must be one of 'damaged', 'good'",
        ),
        (
            {"min_condition_by_outcome": {"keep": "good"}},
            "Policy.keep_item_outcomes leaves 'keep' out, but Policy.min_condition_by_outcome sets a condition for it",
        ),
        (
            {"substitutes": "listed", "substitute_skus": {"A": "B"}},
            "Policy.substitute_skus['A'] is 'B'; it must be a list of SKUs",
        ),
        ({"substitutes": "listed", "substitute_skus": {"A": []}}, "Policy.substitute_skus['A'] is (); it must be a list of SKUs"),
        (
            {"substitutes": "listed", "substitute_skus": {"A": ["N/A"]}},
            "Policy.substitute_skus['A'] is ('N/A',); it must be a list of SKUs",
        ),
        (
            {"bundles": {"K": {"A": 1}, " K": {"B": 1}}},
            "Policy.bundles names a SKU twice, or an empty one: ' K', 'K' (sku_case 'exact')",
        ),
        ({"bundles": {"N/A": {"A": 1}}}, "Policy.bundles names a SKU twice, or an empty one: 'N/A' (sku_case 'exact')"),
        (
            {"bundles": {"K": {"A": 1}, "k": {"B": 1}}, "sku_case": "ignore"},
            "Policy.bundles names a SKU twice, or an empty one: 'K', 'k' (sku_case 'ignore')",
        ),
        (
            {"substitutes": "listed", "substitute_skus": {"K": ["A"], "k": ["B"]}, "sku_case": "ignore"},
            "Policy.substitute_skus names a SKU twice, or an empty one: 'K', 'k' (sku_case 'ignore')",
        ),
        (
            {"substitutes": "listed", "substitute_skus": {"N/A": ["A"]}},
            "Policy.substitute_skus names a SKU twice, or an empty one: 'N/A' (sku_case 'exact')",
        ),
        ({"bundles": {"K": {}}}, "Policy.bundles['K'] is {}; it must be a mapping from component SKU to a number"),
        ({"bundles": {"K": ["A"]}}, "Policy.bundles['K'] is ('A',); it must be a mapping from component SKU to a number"),
        (
            {"bundles": {"K": {"A": 1, " A": 1}}},
            "Policy.bundles['K'] names a component twice, or an empty one (sku_case 'exact')",
        ),
        ({"bundles": {"K": {"": 1}}}, "Policy.bundles['K'] names a component twice, or an empty one (sku_case 'exact')"),
        ({"bundles": {"K": {"A": 0}}}, "Policy.bundles['K']['A'] is 0; it must be a whole number from 1 up"),
        ({"bundles": {"K": {"A": True}}}, "Policy.bundles['K']['A'] is True; it must be a whole number from 1 up"),
        ({"bundles": {"K": {"A": "2"}}}, "Policy.bundles['K']['A'] is '2'; it must be a whole number from 1 up"),
        (
            {"bundles": {"K": {"L": 1}, "L": {"A": 1}}},
            "Policy.bundles['K'] has the component 'L', which is a bundle itself; list its components instead",
        ),
        ({"profiles": ["dear"]}, "Policy.profiles must be a sequence of Profile"),
        (
            {"profiles": [Profile(name="x", policy=Policy()), Profile(name="x", policy=Policy())]},
            "Policy.profiles has two profiles named 'x'",
        ),
        ({"destinations": "D1"}, "'D1' stands where a sequence is wanted; write it as a list or tuple"),
        ({"warehouses": 5}, "5 stands where a sequence is wanted; write it as a list or tuple"),
        ({"bundles": ["K"]}, "['K'] stands where a mapping is wanted"),
        ({"bundles": {"K": {"A": 1}, 5: {"B": 1}}}, "5 stands where a SKU or an outcome is wanted; write it as text"),
        ({"bundles": {"K": {5: 1, None: 1}}}, "5 stands where a SKU or an outcome is wanted; write it as text"),
        ({"min_condition_by_outcome": {None: "good"}}, "None stands where a SKU or an outcome is wanted; write it as text"),
    ],
)
def test_a_contradiction_names_both_settings(settings: dict[str, Any], said: str) -> None:
    assert refused(**settings) == said


def test_what_touches_is_no_contradiction() -> None:
    Policy(short_grace_single=3 * DAY, short_grace_multi=3 * DAY, settle_window=3 * DAY)
    Policy(days_late_warn=8, days_late_flag=9)
    Policy(bundles={"K": {"A": 1}, "k": {"B": 1}})
    Policy(match_level=3, min_condition="damaged")


# ------------------------------------------------------------------------------------------------------------ a value


def test_a_policy_cannot_be_changed_behind_a_decision() -> None:
    parts, bundles = {"A": 1}, {}
    bundles["K"] = parts
    skus = ["B"]
    policy = Policy(bundles=bundles, substitutes="listed", substitute_skus={"A": skus})
    before = hash(policy), policy.to_dict()
    parts["A"] = 9
    bundles.clear()
    skus.append("Z")
    assert (hash(policy), policy.to_dict()) == before
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        policy.match_level = 3  # type: ignore[misc]
    for change in (
        lambda: policy.bundles.__setitem__("K", {}),  # type: ignore[attr-defined]
        lambda: setattr(policy.bundles, "_items", {}),
        lambda: delattr(policy.bundles, "_items"),
    ):
        with pytest.raises((AttributeError, TypeError)) as caught:
            change()
        assert isinstance(caught.value, TypeError) or "FrozenMap" in str(caught.value)
    assert hash(policy.bundles) != hash(Policy().bundles)
    with pytest.raises(AttributeError, match="FrozenMap cannot be changed"):
        del policy.bundles._items  # type: ignore[attr-defined]


def test_a_policy_is_a_value() -> None:
    policy = Policy(bundles={"K": {"B": 2, "A": 1}}, profiles=[Profile(name="dear", value_above=500, policy=Policy(name="dear"))])
    same = Policy(bundles={"K": {"A": 1, "B": 2}}, profiles=[Profile(name="dear", value_above="500", policy=Policy(name="dear"))])
    assert policy == same
    assert hash(policy) == hash(same)
    assert repr(policy.bundles) == "{'K': {'A': 1, 'B': 2}}"
    assert policy != attrs.evolve(policy, match_level=3)
    for twin in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy), copy.copy(policy)):
        assert twin == policy
        assert match(rma(expect(1, "A"), total=Decimal(5)), [receipt(count("u1", "A"))], policy=twin, at=T).verdict is Verdict.PROCESS
        paper = rma(expect(1, "A", outcome="barter"), total=Decimal(5))
        assert match(paper, [receipt(count("u1", "A"))], policy=twin, at=T).verdict is Verdict.FLAG


# ------------------------------------------------------------------------------------------------------------- profiles


def chosen(profile: dict[str, Any], **facts: Any) -> bool:
    policy = Policy(profiles=[Profile(name="special", policy=Policy(name="special"), **profile)])
    return policy.choose(rma(*facts.pop("units", ()), **facts)).name == "special"


def test_the_first_profile_that_is_for_a_return_judges_it() -> None:
    policy = Policy(
        profiles=[
            Profile(name="dear", value_above=500, policy=Policy(name="dear")),
            Profile(name="euro", currencies=["EUR"], policy=Policy(name="euro")),
        ]
    )
    assert policy.choose(rma(total=Decimal(900), currency="EUR")).name == "dear"
    assert policy.choose(rma(total=Decimal(9), currency="EUR")).name == "euro"
    assert policy.choose(rma(total=Decimal(9), currency="USD")) is policy
    assert policy.choose(rma(total=Decimal(9))) is policy
    decision = match(rma(expect(1, "A"), total=Decimal(900)), [receipt(count("u1", "A"))], policy=policy, at=T)
    assert decision.policy == "dear"


def test_a_profile_without_conditions_is_for_all() -> None:
    assert chosen({})


@pytest.mark.parametrize(
    ("condition", "met", "not_met"),
    [
        ({"value_above": 10}, [{"total": Decimal("10.01")}], [{"total": Decimal(10)}, {"total": Decimal(9)}, {"units": [expect(1)]}]),
        ({"value_below": 10}, [{"total": Decimal("9.99")}], [{"total": Decimal(10)}, {"total": Decimal(11)}]),
        ({"value_above": 5, "value_below": 10}, [{"total": Decimal(7)}], [{"total": Decimal(5)}, {"total": Decimal(10)}]),
        (
            {"value_above": 10},
            [
                {"units": [expect(1, value=Decimal(6)), expect(2, value=Decimal(6))]},
                {"total": Decimal("NaN"), "units": [expect(1, value=Decimal(11))]},
            ],
            [{"units": [expect(1, value=Decimal(20)), expect(2)]}],
        ),
        ({"outcomes": ["exchange"]}, [{"outcome": " exchange"}], [{"outcome": "refund"}, {"outcome": None}]),
        ({"currencies": ["EUR", "GBP"]}, [{"currency": "GBP"}], [{"currency": "eur"}, {}]),
        ({"destinations": ["D1"]}, [{"destination_id": "D1"}], [{"destination_id": "D2"}, {}]),
        ({"methods": ["keep"]}, [{"method": "keep"}], [{"method": "mail"}, {}]),
        ({"reasons": ["Damaged"]}, [{"units": [expect(1), expect(2, reason="Damaged")]}], [{"units": [expect(1, reason="Too big")]}, {}]),
        ({"skus": ["A"]}, [{"units": [expect(1, "B"), expect(2, " A ")]}], [{"units": [expect(1, "B")]}, {}]),
        (
            {"skus": ["A"], "currencies": ["EUR"]},
            [{"units": [expect(1, "A")], "currency": "EUR"}],
            [{"units": [expect(1, "A")]}, {"currency": "EUR"}],
        ),
        (
            {"value_below": 10, "currencies": ["EUR"]},
            [{"total": Decimal(1), "currency": "EUR"}],
            [{"total": Decimal(1)}, {"currency": "EUR", "units": [expect(1)]}],
        ),
    ],
)
def test_every_condition_that_is_set_must_hold(condition: dict[str, Any], met: list[Any], not_met: list[Any]) -> None:
    assert all(chosen(condition, **facts) for facts in met)
    assert not any(chosen(condition, **facts) for facts in not_met)


def test_a_return_of_unknown_value_goes_to_a_person_where_profiles_go_by_value() -> None:
    """Which of the two policies should judge it nobody can say; the more lenient must not."""
    counted = [receipt(count("u1", "A"))]

    def codes(profiles: list[Profile], **facts: Any) -> list[str]:
        decision = match(rma(expect(1, "A"), **facts), counted, policy=Policy(profiles=profiles), at=T)
        return [f"{finding.code} {finding.setting}" for finding in decision.findings]

    dear = Profile(name="dear", value_above=500, currencies=["EUR"], policy=Policy())
    everybody = Profile(name="all", policy=Policy())
    assert codes([dear], currency="EUR") == codes([dear, everybody], currency="EUR") == ["VALUE_UNKNOWN profiles"]
    assert (
        codes([dear], currency="EUR", total=Decimal(5)) == codes([dear], currency="USD") == codes([everybody, dear], currency="EUR") == []
    )


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"name": " "}, "Policy.name is ' '; it must be text"),
        ({"policy": "strict"}, "profile 'x': its policy must be a Policy without profiles of its own"),
        (
            {"policy": Policy(profiles=[Profile(name="inner", policy=Policy())])},
            "profile 'x': its policy must be a Policy without profiles of its own",
        ),
        ({"value_above": 5, "value_below": 5}, "profile 'x': value_above 5 and value_below 5 leave nothing between"),
        ({"skus": "A"}, "'A' stands where a sequence is wanted; write it as a list or tuple"),
    ],
)
def test_a_profile_that_cannot_be_is_refused(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Profile(**{"name": "x", "policy": Policy(), **facts})
    assert str(caught.value) == said


# -------------------------------------------------------------------------------------------------- from plain data

FULL: dict[str, Any] = {
    "name": "shop",
    "match_level": 4,
    "under_units": 1,
    "under_value": "19.90",
    "over_units": 0,
    "over_value": "5",
    "currency": "EUR",
    "substitutes": "listed",
    "substitute_skus": {"A": ["B", "C"]},
    "unexpected": "accept",
    "min_condition": "damaged",
    "min_condition_by_outcome": {"exchange": "good"},
    "require_grading": True,
    "review_above_value": "250.00",
    "days_late_warn": 20,
    "days_late_flag": 45,
    "settle_window": "12h",
    "short_grace_single": "2d",
    "short_grace_multi": "1w",
    "unfinished_grace": "36 hours",
    "grading_grace": "1d 12h",
    "unknown_grace": "90 min",
    "arrival_grace": "30 days",
    "final_statuses": [300, 250],
    "sku_case": "ignore",
    "bundles": {"KIT": {"CUP": 2, "LID": 1}},
    "destinations": ["D1"],
    "warehouses": [1, 2],
    "keep_item_outcomes": ["keep"],
    "known_outcomes": ["barter"],
    "profiles": [
        {"name": "dear", "value_above": "500", "skus": ["A"], "policy": {"match_level": 4, "unexpected": "flag"}},
        {"name": "cheap", "value_below": 10},
    ],
}


def test_every_setting_reads_from_plain_data_and_writes_back() -> None:
    policy = Policy.from_dict(FULL)
    assert set(FULL) == set(policy.to_dict())
    assert (policy.under_value, policy.over_value, policy.review_above_value) == (Decimal("19.90"), Decimal(5), Decimal("250.00"))
    hour = timedelta(hours=1)
    graces = (policy.settle_window, policy.short_grace_single, policy.short_grace_multi, policy.unfinished_grace, policy.grading_grace)
    assert graces == (12 * hour, 2 * DAY, 7 * DAY, 36 * hour, 36 * hour)
    assert (policy.unknown_grace, policy.arrival_grace) == (timedelta(minutes=90), 30 * DAY)
    dear, cheap = policy.profiles
    assert (dear.policy.name, dear.policy.unexpected, dear.policy.under_units, dear.value_above) == ("dear", "flag", 1, Decimal(500))
    assert (cheap.policy.name, cheap.policy.unexpected, cheap.value_below) == ("cheap", "accept", Decimal(10))
    assert Policy.from_dict(policy.to_dict()) == policy
    assert Policy.from_dict({}) == Policy()
    assert policy.to_dict()["grading_grace"] == "1d 12h"
    assert policy.to_dict()["profiles"][0]["policy"]["unknown_grace"] == "1h 30m"


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(microseconds=1), "0.000001s"),
        (timedelta(seconds=90.5), "1m 30.5s"),
        (timedelta(days=8, hours=1, minutes=1, seconds=1), "8d 1h 1m 1s"),
        (NO_TIME, "0s"),
    ],
)
def test_lengths_of_time_are_written_in_full(length: timedelta, text: str) -> None:
    written = Policy(settle_window=length, short_grace_single=9 * DAY, short_grace_multi=9 * DAY).to_dict()["settle_window"]
    assert written == text
    assert Policy.from_dict({"settle_window": written, "short_grace_single": "9d", "short_grace_multi": "9d"}).settle_window == length


@pytest.mark.parametrize("text", ["1 W", "7 Days", "168 hours", "10080 minutes", "604800 sec", "604800seconds", "6d 24h", "0.5w 3.5d"])
def test_lengths_of_time_are_read_in_many_words(text: str) -> None:
    assert Policy.from_dict({"arrival_grace": text}).arrival_grace == 7 * DAY


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"match_level": "4"}, "'4' is not a whole number @ $.match_level"),
        ({"match_level": 4.0}, "4.0 is not a whole number @ $.match_level"),
        ({"match_level": True}, "True is not a whole number @ $.match_level"),
        ({"match_level": 5}, "$: Policy.match_level is 5; it must be one of 3, 4"),
        ({"require_grading": "yes"}, "'yes' is not true or false @ $.require_grading"),
        ({"require_grading": 1}, "1 is not true or false @ $.require_grading"),
        ({"sku_case": 5}, "5 is not text @ $.sku_case"),
        ({"over_value": 0.1}, "0.1 is not an amount; write it as text, like '19.90' @ $.over_value"),
        ({"over_value": "ten"}, "'ten' is not an amount; write it as text, like '19.90' @ $.over_value"),
        ({"over_value": True}, "True is not an amount; write it as text, like '19.90' @ $.over_value"),
        ({"arrival_grace": 30}, "30 is not a length of time; write it like '3d', '36h' or '1d 12h' @ $.arrival_grace"),
        ({"arrival_grace": "3"}, "'3' is not a length of time; write it like '3d', '36h' or '1d 12h' @ $.arrival_grace"),
        ({"arrival_grace": "3dx"}, "'3dx' is not a length of time; write it like '3d', '36h' or '1d 12h' @ $.arrival_grace"),
        ({"arrival_grace": "0s"}, "$: Policy.arrival_grace is datetime.timedelta(0); it must be longer than 0"),
        ({"destinations": "D1"}, "'D1' is not a list @ $.destinations"),
        ({"destinations": ["D1", 5]}, "5 is not text @ $.destinations[1]"),
        ({"final_statuses": [300, "x"]}, "'x' is not a whole number @ $.final_statuses[1]"),
        ({"bundles": {"KIT": {"CUP": "2"}}}, "'2' is not a whole number @ $.bundles['KIT']['CUP']"),
        ({"substitutes": "listed", "substitute_skus": {"A": "B"}}, "'B' is not a list @ $.substitute_skus['A']"),
        ({"min_condition_by_outcome": {"refund": 5}}, "5 is not text @ $.min_condition_by_outcome['refund']"),
        ({"over_unit": 1}, "unknown setting 'over_unit' (did you mean 'over_units'?); known are arrival_grace, bundles, currency, "),
        ({"over_unit": 1, "a": 2}, "unknown setting 'a', 'over_unit' (did you mean 'over_units'?); known are "),
        ({"profile": []}, "unknown setting 'profile' (did you mean 'profiles'?); known are "),
        ({"profiles": {}}, "$.profiles: {} is not a list"),
        ({"profiles": ["x"]}, "$.profiles[0]: 'x' is not a mapping"),
        ({"profiles": [{"policy": {}}]}, "None is not text @ $.profiles[0].policy.name"),
        ({"profiles": [{"name": "x", "policy": 5}]}, "$.profiles[0].policy: must be a mapping of settings, without profiles of its own"),
        ({"profiles": [{"name": "x", "policy": {"profiles": []}}]}, "$.profiles[0].policy: must be a mapping of settings"),
        (
            {"profiles": [{"name": "x"}, {"name": "y", "policy": {"match_level": "4"}}]},
            "'4' is not a whole number @ $.profiles[1].policy.match_level",
        ),
        (
            {"profiles": [{"name": "x", "policy": {"match_level": 5}}]},
            "$.profiles[0].policy: Policy.match_level is 5; it must be one of 3, 4",
        ),
        (
            {"profiles": [{"name": "x", "value_above": "much"}]},
            "'much' is not an amount; write it as text, like '19.90' @ $.profiles[0].value_above",
        ),
        (
            {"profiles": [{"name": "x", "value_over": 5}]},
            "unknown setting 'value_over' (did you mean 'value_above'?); known are currencies, destinations, methods, name, ",
        ),
        (
            {"profiles": [{"name": "x", "value_above": 5, "value_below": 4}]},
            "$.profiles[0]: profile 'x': value_above 5 and value_below 4 leave",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_path(data: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_dict(data)
    assert str(caught.value).startswith(said)


def test_every_wrong_value_is_told_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_dict({"match_level": "4", "sku_case": 5})
    assert str(caught.value) == "'4' is not a whole number @ $.match_level; 5 is not text @ $.sku_case"


def test_only_a_mapping_is_a_policy() -> None:
    with pytest.raises(PolicyError, match=r"^a policy is read from a mapping; this is a list$"):
        Policy.from_dict([])  # type: ignore[arg-type]


TOML = """
match_level = 3
over_value = 0.10  # a TOML float is read as it is written
short_grace_single = "36h"

[[profiles]]
name = "dear"
value_above = 500
policy = { match_level = 4, require_grading = true }
"""


def test_a_policy_reads_from_toml(tmp_path: Path) -> None:
    policy = Policy.from_toml(TOML)
    assert (policy.match_level, policy.over_value, policy.profiles[0].policy.require_grading) == (3, Decimal("0.10"), True)
    file = tmp_path / "policy.toml"
    file.write_text(TOML, encoding="utf-8")
    assert Policy.from_toml(file) == Policy.from_toml(str(file)) == policy
    odd = tmp_path / "X.toml"
    odd.write_text(TOML, encoding="utf-8")
    assert Policy.from_toml(str(odd)) == policy
    nested = "[returns.policy]\nname = 'Müller'\n[other]\nx = 1\n"
    file.write_bytes(nested.encode())
    assert Policy.from_toml(file, table="returns.policy").name == Policy.from_toml(nested, table="returns.policy").name == "Müller"
    assert Policy.from_toml("") == Policy.from_toml(" ") == Policy.from_toml("\n") == Policy()


def test_what_is_wrong_with_toml_is_told_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"

    def said(source: Any, **more: str) -> str:
        with pytest.raises(PolicyError) as caught:
            Policy.from_toml(source, **more)
        return str(caught.value)

    assert said(file).startswith(f"the policy in {file} cannot be read: ")
    file.write_bytes(b"\xff")
    assert said(file).startswith(f"the policy in {file} cannot be read: ")
    assert said("match_level = ").startswith("the TOML text is no TOML: ")
    assert said("[a]\nb = 1", table="a.c") == "the TOML text has no table [a.c]"
    assert said("[a]\nb = 1", table="a.b.c") == "the TOML text has no table [a.b.c]"
    assert said("[a]\nb = 1", table="a.b") == "the TOML text: a policy is read from a mapping; this is a int"
    file.write_text("match_level = '4'\n")
    assert said(file) == f"{file}: '4' is not a whole number @ $.match_level"
