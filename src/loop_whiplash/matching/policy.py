"""`Policy`: what a receipt must look like for Loop to pay, in the words ERPs use for receiving and matching.

A policy is checked when it is built: a setting that cannot be, and two settings that contradict each other, raise
`PolicyError` naming them. It is frozen, hashes, pickles, and is part of a decision's fingerprint. It judges receipts;
what is done about a verdict, and when, is `Settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from os import PathLike
from typing import Any

import attrs

from loop_whiplash.errors import PolicyError
from loop_whiplash.returns.model import Rma

from .frozen import FrozenMap
from .identifiers import plain_sku, plain_text

__all__ = ["CONDITIONS", "KNOWN_OUTCOMES", "Policy", "Profile"]

CONDITIONS = ("damaged", "good")
"""What a unit can be graded as, worst first. Whiplash counts `quantity_damaged` and `quantity_good`, and nothing else."""

KNOWN_OUTCOMES = frozenset(
    # https://docs.loopreturns.com (ASN page): refund, exchange, upsell, credit, joined by "+"; "default" on a line is the
    # return's own; gift_card and store_credit stand in third-party copies of the schema.
    {"refund", "exchange", "upsell", "credit", "default", "gift_card", "store_credit", "keep", "keep_item"}
)

_LONGEST = timedelta(days=366)
_NO_TIME = timedelta(0)


def _refuse(name: str, value: object, allowed: str) -> PolicyError:
    return PolicyError(f"Policy.{name} is {value!r}; it must be {allowed}")


def _one_of(*allowed: object) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in allowed or isinstance(value, bool):
            raise _refuse(attribute.name, value, "one of " + ", ".join(map(repr, allowed)))

    return check


def _count(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise _refuse(attribute.name, value, "a whole number from 0 up, or None")


def _amount(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, Decimal) or not value.is_finite() or value < 0):
        raise _refuse(attribute.name, value, "an amount from 0 up, as Decimal or text, or None")


def _length(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, timedelta) or not _NO_TIME <= value <= _LONGEST:
        raise _refuse(attribute.name, value, "a timedelta from 0 to 366 days")


def _grace(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    _length(policy, attribute, value)
    if value == _NO_TIME:
        raise _refuse(attribute.name, value, "longer than 0: with no grace at all, a second parcel is always too late")


def _flag(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        raise _refuse(attribute.name, value, "True or False")


def _text(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _refuse(attribute.name, value, "text")


def _texts(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not all(isinstance(item, str) and item.strip() for item in value):
        raise _refuse(attribute.name, value, "a sequence of texts")


def _numbers(policy: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not all(isinstance(item, int) and not isinstance(item, bool) for item in value):
        raise _refuse(attribute.name, value, "a sequence of whole numbers")


def _to_amount(value: Any) -> Any:
    # A float is refused by the validator: 0.1 is not ten cents.
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            return Decimal(value)
        except InvalidOperation:
            return value
    return value


def _to_tuple(value: Any) -> Any:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise PolicyError(f"{value!r} stands where a sequence is wanted; write it as a list or tuple")
    return tuple(value)


def _to_map(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise PolicyError(f"{value!r} stands where a mapping is wanted")
    strange = [key for key in value if not isinstance(key, str)]
    if strange:
        raise PolicyError(f"{strange[0]!r} stands where a SKU or an outcome is wanted; write it as text")
    return FrozenMap({key: _to_map(item) if isinstance(item, Mapping) else _maybe_tuple(item) for key, item in value.items()})


def _maybe_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, set, frozenset)) else value


def texts(*default: str) -> Any:
    return attrs.field(default=default, converter=_to_tuple, validator=_texts)


@attrs.frozen(kw_only=True)
class Profile:
    """A named policy and the returns it is for. Every condition that is set must hold; an empty one holds always.

    Attributes:
        name: shown in explanations. policy: used instead of the one that holds the profile; it has no profiles itself.
        value_above, value_below: strictly, on the return's total; a return of unknown total is not met, and `match` flags it.
        outcomes, currencies, destinations, methods: the return's is one of these. reasons, skus: some unit's is.
    """

    name: str = attrs.field(validator=_text)
    policy: Policy
    value_above: Decimal | None = attrs.field(default=None, converter=_to_amount, validator=_amount)
    value_below: Decimal | None = attrs.field(default=None, converter=_to_amount, validator=_amount)
    outcomes: tuple[str, ...] = texts()
    currencies: tuple[str, ...] = texts()
    destinations: tuple[str, ...] = texts()
    methods: tuple[str, ...] = texts()
    reasons: tuple[str, ...] = texts()
    skus: tuple[str, ...] = texts()

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.policy, Policy) or self.policy.profiles:
            raise PolicyError(f"profile {self.name!r}: its policy must be a Policy without profiles of its own")
        if self.value_above is not None and self.value_below is not None and self.value_above >= self.value_below:
            raise PolicyError(
                f"profile {self.name!r}: value_above {self.value_above} and value_below {self.value_below} leave nothing between"
            )

    def is_for(self, rma: Rma) -> bool:
        """Whether every condition that is set holds for this return."""
        total = total_of(rma)
        if total is None:
            return not self.by_value and self._met(rma)
        above = self.value_above is None or total > self.value_above
        below = self.value_below is None or total < self.value_below
        return above and below and self._met(rma)

    def is_in_doubt(self, rma: Rma) -> bool:
        """Whether only the return's total, which is not known, could tell if the profile is for it."""
        return self.by_value and total_of(rma) is None and self._met(rma)

    @property
    def by_value(self) -> bool:
        return self.value_above is not None or self.value_below is not None

    def _met(self, rma: Rma) -> bool:
        return (
            _met(self.outcomes, (rma.outcome,))
            and _met(self.currencies, (rma.currency,))
            and _met(self.destinations, (rma.destination_id,))
            and _met(self.methods, (rma.method,))
            and _met(self.reasons, (unit.reason for unit in rma.units))
            and _met(self.skus, (unit.sku for unit in rma.units))
        )


def _met(wanted: tuple[str, ...], found: Iterable[object]) -> bool:
    return not wanted or any(plain_text(value) in wanted for value in found)


def total_of(rma: Rma) -> Decimal | None:
    """What *process* releases in all: Loop's total, else the sum of the units' values; None when it cannot be known."""
    if rma.total is not None and rma.total.is_finite():
        return rma.total
    total = Decimal(0)
    for unit in rma.units:
        if unit.value is None or not unit.value.is_finite():
            return None
        total += unit.value
    return total


@attrs.frozen(kw_only=True)
class Policy:
    """What counts as a good receipt. Every setting, its unit, default and effect: the page "Matching" of the documentation.

    Attributes:
        name: shown in explanations; no part of the fingerprint.
        match_level: 3: the count decides (three-way); 4: count and condition (four-way).
        under_units, under_value: how much may be missing. None sets no limit of that kind, the lower of two wins, both None allow nothing.
        over_units, over_value: how much may be too much, likewise.
        currency: the currency of every amount here; a return in another is not judged by amounts but flagged. None: any.
        substitutes: ``"never"``, ``"same_product"`` (another variant of the product is as good) or ``"listed"``.
        substitute_skus: with ``"listed"``: expected SKU → SKUs that are as good.
        unexpected: ``"flag"``, or ``"accept"`` units that nobody expected.
        min_condition: the worst condition that is paid for, ``"good"`` or ``"damaged"``; min_condition_by_outcome: per Loop outcome.
        require_grading: units that were not graded wait for `grading_grace`, then flag.
        review_above_value: a return of a higher total always goes to a person.
        days_late_warn, days_late_flag: days from the return's creation to a parcel's arrival, after which it is noted, or flagged.
        settle_window: how long a finished receipt rests before it is acted on, as it may be reopened.
        short_grace_single, short_grace_multi: how long a short return may wait for the rest: one parcel known, or more.
        unfinished_grace: how long a box may stay half counted. grading_grace, unknown_grace: for a grade, for a state not known yet.
        arrival_grace: from the return's creation, how long nothing at all may arrive.
        final_statuses: Whiplash statuses that end a count; give `to_receipt` the same.
        sku_case: ``"exact"``, or ``"ignore"``: ``shoe-42`` is ``SHOE-42``.
        bundles: SKU → component SKU → how many: a full set counts as the bundle, a part of one never does.
        destinations: Loop `destination_id`s that are ours; lines for another are left out, and *process* pays them all the same.
            Empty: all.
        warehouses: Whiplash warehouses where goods may arrive; an unknown one is none of them. Empty: any.
        keep_item_outcomes: lines of these outcomes stay with the shopper and are left out.
        known_outcomes: outcomes to know besides Loop's documented ones; an unknown one never leads to PROCESS.
        profiles: the first one that is for a return replaces this policy: see `choose`.

    Raises:
        PolicyError: a setting cannot be, or contradicts another; the message names them.
    """

    name: str = attrs.field(default="default", validator=_text)
    match_level: int = attrs.field(default=4, validator=_one_of(3, 4))
    under_units: int | None = attrs.field(default=None, validator=_count)
    under_value: Decimal | None = attrs.field(default=None, converter=_to_amount, validator=_amount)
    over_units: int | None = attrs.field(default=None, validator=_count)
    over_value: Decimal | None = attrs.field(default=None, converter=_to_amount, validator=_amount)
    currency: str | None = attrs.field(default=None, validator=attrs.validators.optional(_text))
    substitutes: str = attrs.field(default="never", validator=_one_of("never", "same_product", "listed"))
    substitute_skus: Mapping[str, tuple[str, ...]] = attrs.field(factory=FrozenMap, converter=_to_map)
    unexpected: str = attrs.field(default="flag", validator=_one_of("flag", "accept"))
    min_condition: str = attrs.field(default="good", validator=_one_of(*CONDITIONS))
    min_condition_by_outcome: Mapping[str, str] = attrs.field(factory=FrozenMap, converter=_to_map)
    require_grading: bool = attrs.field(default=False, validator=_flag)
    review_above_value: Decimal | None = attrs.field(default=None, converter=_to_amount, validator=_amount)
    days_late_warn: int | None = attrs.field(default=None, validator=_count)
    days_late_flag: int | None = attrs.field(default=None, validator=_count)
    settle_window: timedelta = attrs.field(default=_NO_TIME, validator=_length)
    short_grace_single: timedelta = attrs.field(default=timedelta(days=3), validator=_grace)
    short_grace_multi: timedelta = attrs.field(default=timedelta(days=7), validator=_grace)
    unfinished_grace: timedelta = attrs.field(default=timedelta(days=7), validator=_grace)
    grading_grace: timedelta = attrs.field(default=timedelta(days=3), validator=_grace)
    unknown_grace: timedelta = attrs.field(default=timedelta(days=3), validator=_grace)
    arrival_grace: timedelta = attrs.field(default=timedelta(days=30), validator=_grace)
    final_statuses: tuple[int, ...] = attrs.field(default=(300,), converter=_to_tuple, validator=_numbers)
    sku_case: str = attrs.field(default="exact", validator=_one_of("exact", "ignore"))
    bundles: Mapping[str, Mapping[str, int]] = attrs.field(factory=FrozenMap, converter=_to_map)
    destinations: tuple[str, ...] = texts()
    warehouses: tuple[int, ...] = attrs.field(default=(), converter=_to_tuple, validator=_numbers)
    keep_item_outcomes: tuple[str, ...] = texts("keep", "keep_item")
    known_outcomes: tuple[str, ...] = texts()
    profiles: tuple[Profile, ...] = attrs.field(default=(), converter=_to_tuple)
    compiled: Compiled = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _contradictions(self)
        object.__setattr__(self, "compiled", Compiled(self))

    def choose(self, rma: Rma) -> Policy:
        """The policy for this return: that of the first profile it meets, else this one. `match` asks by itself.

        >>> policy = Policy(profiles=[Profile(name="dear", value_above=500, policy=Policy(name="dear", match_level=4))])
        >>> policy.choose(Rma(return_id=1, total=Decimal(900))).name, policy.choose(Rma(return_id=2, total=Decimal(9))).name
        ('dear', 'default')
        """
        for profile in self.profiles:
            if profile.is_for(rma):
                return profile.policy
        return self

    def choice_in_doubt(self, rma: Rma) -> bool:
        """Whether a profile before the chosen one goes by the return's total, which is not known. `match` flags such a return."""
        for profile in self.profiles:
            if profile.is_in_doubt(rma):
                return True
            if profile.is_for(rma):
                return False
        return False

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads: every setting, amounts and lengths of time as text."""
        from .loading import policy_to_dict

        return policy_to_dict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Policy:
        """A policy from plain data; only what differs from the defaults need be there.

        >>> Policy.from_dict({"match_level": 3, "short_grace_single": "36h"}).short_grace_single
        datetime.timedelta(days=1, seconds=43200)

        Raises:
            PolicyError: with the path of each wrong value, e.g. ``$.profiles[0].policy.match_level``.
        """
        from .loading import policy_from_dict

        return policy_from_dict(settings)

    @classmethod
    def from_toml(cls, source: str | PathLike[str], *, table: str = "") -> Policy:
        """A policy from a TOML file, or from TOML text (text has an equals sign, a bracket or a line break; a path has none).

        `table`: dotted name of the table that holds it, for a file that holds more.

        Raises:
            PolicyError: the file cannot be read, is no TOML, or holds a wrong value; the message has its path.
        """
        from .loading import policy_from_toml

        return policy_from_toml(source, table)


class Compiled:
    """What `match` reads of a policy, in the form in which it is asked for most."""

    __slots__ = ("bundles", "digest", "finals", "ignore_case", "outcomes", "plain", "plain_outcome", "statuses", "substitutes")

    def __init__(self, policy: Policy) -> None:
        self.ignore_case: bool = policy.sku_case == "ignore"
        self.finals: frozenset[int] = frozenset(policy.final_statuses)
        # https://help.whiplash.com (Ship notice statuses); any other number is a status we do not know.
        self.statuses: frozenset[int] = frozenset({25, 50, 80, 85, 86, 100, 105, 150, 200, 250, 300}) | self.finals
        self.outcomes: frozenset[str] = (
            KNOWN_OUTCOMES | frozenset(policy.known_outcomes) | frozenset(policy.min_condition_by_outcome)
        ) - frozenset(policy.keep_item_outcomes)
        self.plain_outcome: PlainOutcomes = PlainOutcomes(self.outcomes)
        # A clean return needs no other question than "is it exact" under such a policy.
        self.plain: bool = (
            policy.settle_window == _NO_TIME
            and policy.review_above_value is None
            and policy.days_late_warn is None
            and policy.days_late_flag is None
            and not policy.destinations
            and not policy.warehouses
            and not policy.require_grading
            and policy.currency is None
        )
        sku = plain_sku if self.ignore_case else plain_text
        self.bundles: dict[str | None, dict[str | None, int]] = {
            sku(parent): {sku(part): count for part, count in parts.items()} for parent, parts in policy.bundles.items()
        }
        self.substitutes: dict[str | None, frozenset[str | None]] = {
            sku(wanted): frozenset(map(sku, others)) for wanted, others in policy.substitute_skus.items()
        }
        self.digest: str | None = None

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {name: getattr(self, name) for name in self.__slots__}


class PlainOutcomes(dict[str | None, bool]):
    """Outcome → whether every word of it is known and none keeps the goods with the shopper; False for one that says nothing itself."""

    def __init__(self, known: frozenset[str]) -> None:
        super().__init__({None: True})
        self.known = known

    def __missing__(self, outcome: str | None) -> bool:
        answer = plain_text(outcome) not in (None, "default") and all(word in self.known for word in str(plain_text(outcome)).split("+"))
        if len(self) < 1_000:
            self[outcome] = answer
        return answer

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.known,)


def _contradictions(policy: Policy) -> None:
    """What no setting can say alone."""
    if not policy.final_statuses:
        raise PolicyError("Policy.final_statuses is empty: no receipt could ever be final")
    if policy.match_level == 3:
        for name in ("require_grading", "min_condition_by_outcome"):
            if getattr(policy, name):
                raise PolicyError(
                    f"Policy.match_level 3 does not look at conditions, but Policy.{name} is set; use match_level 4 or drop it"
                )
    if policy.substitutes == "listed" and not policy.substitute_skus:
        raise PolicyError("Policy.substitutes is 'listed', but Policy.substitute_skus lists none")
    if policy.substitutes != "listed" and policy.substitute_skus:
        raise PolicyError(f"Policy.substitute_skus lists substitutes, but Policy.substitutes is {policy.substitutes!r}; set it to 'listed'")
    if policy.short_grace_multi < policy.short_grace_single:
        raise PolicyError(
            f"Policy.short_grace_multi ({policy.short_grace_multi}) is shorter than Policy.short_grace_single ({policy.short_grace_single})"
        )
    if policy.settle_window > policy.short_grace_single:
        raise PolicyError(
            f"Policy.settle_window ({policy.settle_window}) is longer than Policy.short_grace_single ({policy.short_grace_single}): "
            "a short receipt would be judged before it has settled"
        )
    warn, flag = policy.days_late_warn, policy.days_late_flag
    if warn is not None and flag is not None and warn >= flag:
        raise PolicyError(f"Policy.days_late_warn ({warn}) must be less than Policy.days_late_flag ({flag})")
    for outcome, condition in policy.min_condition_by_outcome.items():
        if condition not in CONDITIONS:
            raise _refuse(f"min_condition_by_outcome[{outcome!r}]", condition, "one of " + ", ".join(map(repr, CONDITIONS)))
        if outcome in policy.keep_item_outcomes:
            raise PolicyError(
                f"Policy.keep_item_outcomes leaves {outcome!r} out, but Policy.min_condition_by_outcome sets a condition for it"
            )
    for sku, others in policy.substitute_skus.items():
        if not isinstance(others, tuple) or not others or not all(isinstance(other, str) and plain_text(other) for other in others):
            raise _refuse(f"substitute_skus[{sku!r}]", others, "a list of SKUs")
    _check_skus(policy, "substitute_skus")
    _check_skus(policy, "bundles")
    _check_bundles(policy)
    names = [profile.name if isinstance(profile, Profile) else None for profile in policy.profiles]
    if None in names:
        raise PolicyError("Policy.profiles must be a sequence of Profile")
    for name in names:
        if names.count(name) > 1:
            raise PolicyError(f"Policy.profiles has two profiles named {name!r}")


def _check_skus(policy: Policy, name: str) -> None:
    key, named = plain_sku if policy.sku_case == "ignore" else plain_text, getattr(policy, name)
    skus = [key(sku) for sku in named]
    if len(set(skus)) != len(skus) or None in skus:
        raise PolicyError(f"Policy.{name} names a SKU twice, or an empty one: {', '.join(map(repr, named))} (sku_case {policy.sku_case!r})")


def _check_bundles(policy: Policy) -> None:
    key = plain_sku if policy.sku_case == "ignore" else plain_text
    for parent, parts in policy.bundles.items():
        if not isinstance(parts, Mapping) or not parts:
            raise _refuse(f"bundles[{parent!r}]", parts, "a mapping from component SKU to a number")
        plain = [key(part) for part in parts]
        if len(set(plain)) != len(plain) or None in plain:
            raise PolicyError(f"Policy.bundles[{parent!r}] names a component twice, or an empty one (sku_case {policy.sku_case!r})")
        for part, count in parts.items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise _refuse(f"bundles[{parent!r}][{part!r}]", count, "a whole number from 1 up")
            if key(part) in set(map(key, policy.bundles)):
                raise PolicyError(
                    f"Policy.bundles[{parent!r}] has the component {part!r}, which is a bundle itself; list its components instead"
                )
