"""`check_matcher` lets ours and a composed one pass, and finds what is wrong with one that breaks a law, in a case that is small."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from matching_cases import DAY, T, count, expect, receipt, rma

import loop_whiplash
from loop_whiplash import Decision, Finding, Policy, Receipt, Rma, Verdict, match
from loop_whiplash.errors import ConfigurationError, LoopWhiplashError
from loop_whiplash.matching import Profile
from loop_whiplash.testing import LawBroken, check_matcher
from loop_whiplash.testing.laws import LAWS

ROOT = Path(__file__).resolve().parents[2]
Change = Callable[[Decision, Rma, Sequence[Receipt], Policy, datetime], Decision]

POLICIES = [
    Policy(),
    Policy(match_level=3, over_units=1, under_units=1, unexpected="accept"),
    Policy(bundles={"K": {"A": 1, "C": 1}}, sku_case="ignore", settle_window=timedelta(hours=6), require_grading=True),
    Policy(
        substitutes="listed", substitute_skus={"A": ["B"]}, days_late_flag=20, warehouses=[3], under_value=10, over_value=9,
        review_above_value=30, currency="EUR",
    ),
    Policy(substitutes="same_product", profiles=[Profile(name="x", skus=["A"], policy=Policy(match_level=3, over_units=2))]),
]  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES)
def test_ours_keeps_the_laws_under_any_policy(policy: Policy) -> None:
    met = check_matcher(match, policy=policy, cases=60, seed=7)
    assert sum(met.values()) == 60
    assert set(met) == set(Verdict)


def changed(change: Change) -> Any:
    """Ours, and then something goes wrong."""

    def matcher(rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
        return change(match(rma, receipts, policy=policy, at=at), rma, receipts, policy, at)

    return matcher


def first_wins(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(decision, policy=receipts[0].units[0].id if receipts and receipts[0].units else None)


def by_number(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(decision, policy=str(len(receipts)))


def by_receipts(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    several = Finding(code="SEVERAL", blocking=False)
    return attrs.evolve(decision, findings=[*decision.findings, several]) if len({one.id for one in receipts}) > 1 else decision


def forgets(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(decision, unpaired_received=())


def forgets_lines(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(decision, unpaired_expected=decision.unpaired_expected[1:])


def pays(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(decision, verdict=Verdict.PROCESS, deadline=None, turns_into=None)


def pays_quietly(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(pays(decision, rma, receipts, policy, at), findings=())


def likes_strict_policies(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    if policy.review_above_value is None or policy.match_level == 3:
        return decision
    return attrs.evolve(decision, verdict=Verdict.PROCESS, findings=(), deadline=None, turns_into=None)


def never_satisfied(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    if decision.verdict is not Verdict.PROCESS or not any(one.id == 4444 for one in receipts):
        return decision
    lines = [unit.line_id for unit in rma.units] + [unit.id for one in receipts for unit in one.units]
    return attrs.evolve(decision, verdict=Verdict.FLAG, findings=[Finding(code="MOOD", units=lines)])


def no_deadline(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(decision, deadline=None)


def always_tomorrow(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    if decision.verdict is not Verdict.FLAG:
        return decision
    findings = tuple(attrs.evolve(finding, curable=finding.blocking) for finding in decision.findings)
    return attrs.evolve(decision, verdict=Verdict.WAIT, findings=findings, deadline=at + DAY, turns_into=Verdict.FLAG)


def flags_without_a_word(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(decision, findings=()) if decision.verdict is Verdict.FLAG else decision


def flags_without_units(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return attrs.evolve(decision, findings=[attrs.evolve(finding, units=()) for finding in decision.findings])


def flags_all(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    if decision.verdict is not Verdict.PROCESS:
        return decision
    return attrs.evolve(decision, verdict=Verdict.FLAG, findings=[Finding(code="MOOD", units=[decision.pairs[0].line_id])])


def blind_to_states(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    return match(attrs.evolve(rma, state="open"), receipts, policy=policy, at=at)


def hates_a_sku(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    lines = [unit.line_id for unit in rma.units if unit.sku == "A"]
    if decision.verdict is not Verdict.PROCESS or not lines:
        return decision
    partners = [pair.received_id for pair in decision.pairs if pair.line_id in lines]
    return attrs.evolve(decision, verdict=Verdict.FLAG, findings=[Finding(code="SKU_A", units=[*lines, *partners])])


def pairs_one_less(decision: Decision, rma: Rma, receipts: Sequence[Receipt], policy: Policy, at: datetime) -> Decision:
    if decision.verdict is not Verdict.FLAG or not decision.pairs:
        return decision
    *pairs, last = decision.pairs
    return attrs.evolve(
        decision, pairs=pairs, unpaired_expected=[*decision.unpaired_expected, last.line_id],
        unpaired_received=[*decision.unpaired_received, last.received_id, *last.also],
    )  # fmt: skip


BROKEN: list[tuple[int, Change, tuple[int, ...]]] = [
    (1, first_wins, (3,)),
    (2, by_number, (1, 3)),
    (3, by_receipts, ()),
    (4, forgets, ()),
    (4, forgets_lines, ()),
    (5, pays, ()),
    (5, pays_quietly, ()),
    (6, likes_strict_policies, (5,)),
    (7, never_satisfied, ()),
    (8, no_deadline, ()),
    (8, always_tomorrow, (6,)),
    (10, flags_without_a_word, ()),
    (10, flags_without_units, ()),
    (10, flags_all, (6, 7)),
    (11, blind_to_states, ()),
    (12, hates_a_sku, (6, 7, 10)),
    (13, pairs_one_less, ()),
]


@pytest.mark.parametrize(("law", "change", "without"), BROKEN, ids=[change.__name__ for _, change, _ in BROKEN])
def test_a_broken_law_is_found_and_shown_in_a_small_case(law: int, change: Change, without: tuple[int, ...]) -> None:
    matcher = changed(change)
    with pytest.raises(LawBroken) as caught:
        check_matcher(matcher, cases=400, without=without)
    assert caught.value.law == law
    assert str(caught.value).startswith(f"law {law} ({LAWS[law][0]}) is broken: ")
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, LoopWhiplashError)
    case = caught.value.case
    assert len(case.rma.units) + sum(len(one.units) for one in case.receipts) <= 4
    assert repr(case.rma) in str(caught.value)
    matcher(case.rma, case.receipts, policy=case.policy, at=case.at)


def test_a_matcher_that_rolls_dice_answers_twice() -> None:
    asked = iter(range(1_000_000))
    with pytest.raises(LawBroken, match=r"law 9 .* asked twice it answers twice"):
        check_matcher(
            changed(lambda decision, *_: attrs.evolve(decision, policy=str(next(asked)))), without=[1, 2, 3]
        )  # fmt: skip


def test_a_law_that_is_not_meant_to_hold_can_be_left_out() -> None:
    assert check_matcher(changed(hates_a_sku), cases=30, without=[6, 7, 10, 12])


def test_the_same_seed_tries_the_same_cases() -> None:
    seen: list[tuple[Any, ...]] = []

    def noting(rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
        seen.append((rma, tuple(receipts), at))
        return match(rma, receipts, policy=policy, at=at)

    check_matcher(noting, cases=5, seed=1)
    first, seen = seen, []
    check_matcher(noting, cases=5, seed=1)
    assert seen == first
    seen = []
    check_matcher(noting, cases=5, seed=2)
    assert seen != first


@pytest.mark.parametrize("wrong", [{"without": [14]}, {"without": [0]}, {"cases": 0}])
def test_a_law_there_is_not_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"laws have the numbers 1 to 13, and it takes a case at least"):
        check_matcher(match, **wrong)


def test_a_matcher_that_forgets_to_return_is_told_so() -> None:
    with pytest.raises(ConfigurationError, match="the matcher must return a Decision, as match\\(\\) does; it returned None"):
        check_matcher(lambda rma, receipts, *, policy, at: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [lambda rma, receipts: match(rma, receipts, at=T), "match", type("Mine", (), {})])
def test_what_cannot_be_called_like_one_is_told_how_it_is_called(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="can be called like matcher\\(rma, receipts, \\*, policy, at\\); it got "):
        check_matcher(given)


def test_it_needs_nothing_but_this_package() -> None:
    """An integrator's environment has no Hypothesis, and perhaps no pytest."""
    script = (
        "import sys\nfor name in ('hypothesis', 'pytest'): sys.modules[name] = None\n"
        "from loop_whiplash import match\nfrom loop_whiplash.testing import check_matcher\n"
        "print(sum(check_matcher(match, cases=3).values()))"
    )
    folder = str(Path(loop_whiplash.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60, env={"PYTHONPATH": folder}
    )  # fmt: skip
    assert run.stdout.strip() == "3"


# ------------------------------------------------------------------------------------------------------- the example


def example() -> Any:
    spec = importlib.util.spec_from_file_location("custom_matcher", ROOT / "examples" / "custom_matcher.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["custom_matcher"] = module  # attrs looks its classes up by name
    spec.loader.exec_module(module)
    return module


def test_the_example_holds_back_whoever_scores_too_high(capsys: pytest.CaptureFixture[str]) -> None:
    module = example()
    module.main()
    first, honest, suspicious = capsys.readouterr().out.splitlines()
    assert first.startswith("keeps the laws on 200 random returns, ")
    assert honest == "500: PROCESS: 1 of 1 expected unit counted."
    assert suspicious == "501: FLAG: Fraud score. The fraud score is 97, above 80."


def test_the_example_falls_back_to_ours() -> None:
    careful = example().FraudAware(scores={501: 97}, limit=97)
    expected, counted = rma(expect(1, "A", value=Decimal(5))), [receipt(count("u1", "A"))]
    assert careful(expected, counted, policy=Policy(), at=T) == match(expected, counted, at=T)
    stricter = example().FraudAware(scores={501: 98}, limit=97)
    assert stricter(expected, counted, policy=Policy(), at=T).verdict is Verdict.FLAG
    settling = stricter(expected, counted, policy=Policy(settle_window=DAY), at=T)
    assert (settling.verdict, settling.deadline, settling.turns_into) == (Verdict.FLAG, None, None)
    damaged = stricter(expected, [receipt(count("u1", "A", "damaged"))], policy=Policy(), at=T)
    assert [finding.code for finding in damaged.findings] == ["FRAUD_SCORE", "CONDITION_BELOW_MIN"]
    closed = attrs.evolve(expected, state="closed")
    assert stricter(closed, counted, policy=Policy(), at=T) == match(closed, counted, at=T)
    assert check_matcher(stricter, cases=60, seed=3)
