"""The laws the matcher promises, one property each.

The returns have reused and missing identifiers, several parcels and unknown values.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from matching_cases import DAY, T, nearly_right, policies, receipt, returns, times, with_receipts_split
from matching_oracle import best, best_by_listing, edge

from loop_whiplash.matching import CODES, Decision, Policy, Verdict, match
from loop_whiplash.returns.model import Receipt, ReceivedUnit, Rma

Case = tuple[Rma, list[Receipt]]
RANK = {Verdict.FLAG: 0, Verdict.WAIT: 1, Verdict.NO_ACTION: 2, Verdict.PROCESS: 3}


FACTOR = int(os.environ.get("MATCHING_EXAMPLES_FACTOR", "1"))
"""For a long run: that many times the examples."""


def law(examples: int = 120) -> Any:
    return settings(
        max_examples=examples * FACTOR, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
    )


def codes(decision: Decision) -> list[str]:
    return [finding.code for finding in decision.findings]


def as_bytes(decision: Decision) -> bytes:
    return json.dumps(decision.to_dict()).encode()


@law()
@given(returns(), policies(), times, st.randoms(use_true_random=False))
def test_law_1_order_does_not_matter(case: Case, policy: Policy, at: Any, random: Any) -> None:
    rma, receipts = case
    units = list(rma.units)
    random.shuffle(units)
    shuffled = []
    for one in receipts:
        counted, lines = list(one.units), list(one.lines)
        random.shuffle(counted)
        random.shuffle(lines)
        shuffled.append(attrs.evolve(one, units=counted, lines=lines))
    random.shuffle(shuffled)
    decision = match(rma, receipts, policy=policy, at=at)
    assert match(attrs.evolve(rma, units=units), shuffled, policy=policy, at=at) == decision


@law()
@given(returns(), policies(), times, st.randoms(use_true_random=False))
def test_law_2_duplicates_and_older_versions_do_not_matter(case: Case, policy: Policy, at: Any, random: Any) -> None:
    rma, receipts = case
    receipts = [attrs.evolve(one, updated_at=T) for one in receipts]
    older = [attrs.evolve(one, updated_at=T - DAY, units=one.units[1:], final=not one.final, status=150) for one in receipts]
    undated = [attrs.evolve(one, updated_at=None, units=(*one.units, *one.units)) for one in receipts]
    many = receipts + receipts + older + undated
    random.shuffle(many)
    assert match(rma, many, policy=policy, at=at) == match(rma, receipts, policy=policy, at=at)


@law()
@given(returns(), policies(), times)
def test_law_3_two_of_a_kind_are_one_and_one(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    whole, split = match(rma, receipts, policy=policy, at=at), match(rma, with_receipts_split(receipts), policy=policy, at=at)
    assert (split.verdict, split.deadline, split.turns_into) == (whole.verdict, whole.deadline, whole.turns_into)
    assert split.evidence == whole.evidence
    assert split.pairs == whole.pairs
    not_of_receipts = [
        {finding.key for finding in decision.findings if not (finding.identifier or "").startswith("receipt:")}
        for decision in (whole, split)
    ]
    assert not_of_receipts[0] == not_of_receipts[1]
    assert set(codes(split)) == set(codes(whole))


@law()
@given(returns(), policies(), times)
def test_law_4_every_unit_appears_exactly_once(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    decision = match(rma, receipts, policy=policy, at=at)
    lines = [pair.line_id for pair in decision.pairs] + list(decision.unpaired_expected) + list(decision.left_out)
    units = [unit for pair in decision.pairs for unit in (pair.received_id, *pair.also)] + list(decision.unpaired_received)
    assert sorted(lines) == sorted(unit.line_id for unit in rma.units)
    assert sorted(units) == sorted(unit.id for one in receipts for unit in one.units)
    known = {*lines, *units}
    assert all(set(finding.units) <= known for finding in decision.findings)


@law(300)
@given(nearly_right(), policies(), times)
def test_law_5_process_leaves_nothing_beyond_tolerance_and_no_conflict(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    decision = match(rma, receipts, policy=policy, at=at)
    if decision.verdict is not Verdict.PROCESS:
        return
    assert decision.pairs
    assert all(one.final for one in receipts if one.units)
    assert not [finding for finding in decision.findings if finding.blocking]
    by_id = {unit.id: unit for one in receipts for unit in one.units}
    by_line = {unit.line_id: unit for unit in rma.units}
    missing = [by_line[line].value for line in decision.unpaired_expected]
    assert not missing or policy.under_units is not None or policy.under_value is not None
    assert policy.under_units is None or len(missing) <= policy.under_units
    if missing and policy.under_value is not None:
        assert sum(value if value is not None else Decimal("Infinity") for value in missing) <= policy.under_value
    surplus = [by_id[unit] for unit in decision.unpaired_received if any(edge(line, by_id[unit]) for line in rma.units)]
    assert not surplus or policy.over_units is not None or policy.over_value is not None
    assert policy.over_units is None or len(surplus) <= policy.over_units
    assert len(surplus) == len(decision.unpaired_received) or policy.unexpected == "accept"
    for pair in decision.pairs:
        if not pair.identifier.startswith(("bundle:", "substitute:")):
            found = edge(by_line[pair.line_id], by_id[pair.received_id])
            assert found is not None
            assert found[1] == 0
        if policy.match_level == 4 and policy.min_condition == "good" and not policy.min_condition_by_outcome:
            assert all(by_id[unit].condition != "damaged" for unit in (pair.received_id, *pair.also))


def tightened(policy: Policy) -> dict[str, Any]:
    """Every setting that can be made stricter alone, a step stricter."""
    found: dict[str, Any] = {}
    for units in ("under_units", "over_units"):
        value = units.replace("units", "value")
        if getattr(policy, units):
            found[units] = getattr(policy, units) - 1
        elif getattr(policy, units) is None and getattr(policy, value) is not None:
            found[units] = 1
        if getattr(policy, value):
            found[value] = getattr(policy, value) / 2
        elif getattr(policy, value) is None and getattr(policy, units) is not None:
            found[value] = Decimal(7)
    if policy.match_level == 4:
        found["min_condition"] = "good"
        found["min_condition_by_outcome"] = dict.fromkeys(policy.min_condition_by_outcome, "good")
    else:
        found["match_level"] = 4
    found["unexpected"] = "flag"
    found["review_above_value"] = Decimal(4)
    found["days_late_flag"] = (policy.days_late_warn or 0) + 1
    found["short_grace_single"] = policy.short_grace_single / 2
    found["short_grace_multi"] = policy.short_grace_single
    found["unfinished_grace"] = timedelta(hours=5)
    return found


@law(200)
@given(returns(), policies(), times, st.data())
def test_law_6_tightening_never_makes_the_verdict_more_permissive(case: Case, policy: Policy, at: Any, data: st.DataObject) -> None:
    rma, receipts = case
    steps = tightened(policy)
    name = data.draw(st.sampled_from(sorted(steps)))
    before = match(rma, receipts, policy=policy, at=at).verdict
    after = match(rma, receipts, policy=attrs.evolve(policy, **{name: steps[name]}), at=at).verdict
    assert before == after or RANK[after] < RANK[before], name


@law(200)
@given(returns(), policies(), times, st.booleans())
def test_law_6_holds_for_substitutes_too(case: Case, policy: Policy, at: Any, listed: bool) -> None:
    rma, receipts = case
    never = attrs.evolve(policy, substitutes="never", substitute_skus={})
    before, after = match(rma, receipts, policy=policy, at=at).verdict, match(rma, receipts, policy=never, at=at).verdict
    assert before == after or RANK[after] < RANK[before]


@law(300)
@given(nearly_right(), times)
def test_law_7_the_missing_units_cure_a_return_that_is_only_short(case: Case, at: Any) -> None:
    rma, receipts = case
    decision = match(rma, receipts, at=at)
    blocking = {finding.code for finding in decision.findings if finding.blocking}
    if not blocking or not blocking <= {"SHORT", "NOTHING_COUNTED"}:
        return
    by_line = {unit.line_id: unit for unit in rma.units}
    missing = [
        ReceivedUnit(id=f"m{line}", line_id=line, sku=by_line[line].sku, item_id=by_line[line].item_id, condition="good")
        for line in decision.unpaired_expected
    ]
    late = receipt(*missing, receipt_id=4444, at=T + 90 * DAY)
    cured = [one for one in receipts if one.units or one.final]
    assert match(rma, [*cured, late], at=at).verdict is Verdict.PROCESS


@law(250)
@given(returns(unknown=False), policies(), times)
def test_law_8_every_wait_ends_by_its_deadline(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    decision = match(rma, receipts, policy=policy, at=at)
    if decision.verdict is not Verdict.WAIT:
        assert decision.deadline is None
        assert decision.turns_into is None
        return
    deadline = decision.deadline
    assert deadline is not None
    assert deadline.utcoffset() == timedelta(0)
    assert deadline > at
    assert decision.turns_into in (Verdict.FLAG, Verdict.PROCESS)
    just_before = match(rma, receipts, policy=policy, at=deadline - timedelta(microseconds=1))
    assert (just_before.verdict, just_before.deadline) == (Verdict.WAIT, deadline)
    for later in (deadline, deadline + 400 * DAY):
        assert match(rma, receipts, policy=policy, at=later).verdict is decision.turns_into


@law()
@given(returns(unknown=True), policies(), times)
def test_law_8_holds_for_unknown_values_too(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    decision = match(rma, receipts, policy=policy, at=at)
    if decision.verdict is Verdict.WAIT:
        assert decision.deadline is not None
        assert decision.deadline > at
        assert match(rma, receipts, policy=policy, at=decision.deadline).verdict is Verdict.FLAG


@law()
@given(returns(), policies(), times)
def test_law_9_same_input_same_bytes_out(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    again = match(attrs.evolve(rma), [attrs.evolve(one) for one in receipts], policy=Policy.from_dict(policy.to_dict()), at=at)
    decision = match(rma, receipts, policy=policy, at=at)
    assert as_bytes(again) == as_bytes(decision)
    assert (again.explain(), again.note(), again.fingerprint) == (decision.explain(), decision.note(), decision.fingerprint)


def test_law_9_holds_between_processes() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from random import Random; from hashlib import sha256; import json\n"
        "from matching_cases import random_return; from loop_whiplash.matching import match\n"
        "random, text = Random(5), ''\n"
        "for _ in range(200):\n"
        "    rma, receipts, at = random_return(random)\n"
        "    text += json.dumps(match(rma, receipts, at=at).to_dict())\n"
        "print(sha256(text.encode()).hexdigest())\n"
    )
    said = set()
    for seed in ("0", "1"):
        run = subprocess.run(
            [sys.executable, "-c", script, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        said.add(run.stdout.strip())
    assert len(said) == 1


@law(300)
@given(returns(), policies(missing=False), times)
def test_law_10_without_the_units_it_names_a_flag_is_no_flag(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    # A time in the future is no evidence, and what has none is flagged for that alone.
    at = max([at, *(one.received_at for one in receipts if one.received_at)])
    decision = match(rma, receipts, policy=policy, at=at)
    assume(decision.verdict is Verdict.FLAG)
    final = [finding for finding in decision.findings if finding.blocking and not finding.curable]
    assert final
    named = {unit for finding in final for unit in finding.units}
    assert named or not rma.units
    kept = [attrs.evolve(one, units=tuple(unit for unit in one.units if unit.id not in named)) for one in receipts]
    rest = attrs.evolve(rma, units=tuple(unit for unit in rma.units if unit.line_id not in named))
    kept = [one for one in kept if one.units or one.final]
    if any(finding.code == "VALUE_ABOVE_LIMIT" for finding in final):
        rest = attrs.evolve(rest, total=None)
    assert match(rest, kept, policy=policy, at=at).verdict is not Verdict.FLAG


@law()
@given(returns(unknown=True), policies(), times)
def test_law_11_unknown_values_never_process(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    decision = match(rma, receipts, policy=policy, at=at)
    assert decision.verdict is not Verdict.PROCESS
    assert decision.turns_into is not Verdict.PROCESS


@law()
@given(returns(), policies(), times, st.permutations(["A", "B", "C"]), st.sampled_from(["{}", "x-{}", "Ä{}Ω", "{}" * 30]))
def test_law_12_renaming_skus_changes_neither_verdict_nor_codes(case: Case, policy: Policy, at: Any, order: list[str], form: str) -> None:
    rma, receipts = case
    names: dict[str | None, str | None] = {None: None} | {old: form.replace("{}", new) for old, new in zip("ABC", order, strict=True)}
    renamed_policy = attrs.evolve(
        policy,
        substitute_skus={names[wanted]: tuple(names[other] for other in others) for wanted, others in policy.substitute_skus.items()},
        bundles={
            names.get(parent, parent): {names[part]: number for part, number in parts.items()} for parent, parts in policy.bundles.items()
        },
    )
    decision = match(rma, receipts, policy=policy, at=at)
    renamed = match(
        attrs.evolve(rma, units=tuple(attrs.evolve(unit, sku=names[unit.sku]) for unit in rma.units)),
        [attrs.evolve(one, units=tuple(attrs.evolve(unit, sku=names[unit.sku]) for unit in one.units)) for one in receipts],
        policy=renamed_policy,
        at=at,
    )
    assert (renamed.verdict, renamed.deadline, renamed.turns_into) == (decision.verdict, decision.deadline, decision.turns_into)
    assert codes(renamed) == codes(decision)
    assert [(pair.line_id, pair.received_id) for pair in renamed.pairs] == [(pair.line_id, pair.received_id) for pair in decision.pairs]


@law(400)
@given(returns(most=5), times)
def test_law_13_most_pairs_at_the_lowest_tiers(case: Case, at: Any) -> None:
    rma, receipts = case
    received = [unit for one in receipts for unit in one.units]
    decision = match(rma, receipts, at=at)
    wanted = best(rma.units, received)
    assert {pair.line_id: pair.received_id for pair in decision.pairs} == wanted.pairs
    lines, units = {unit.line_id: unit for unit in rma.units}, {unit.id: unit for unit in received}
    costs = [edge(lines[pair.line_id], units[pair.received_id]) for pair in decision.pairs]
    assert None not in costs
    assert (len(costs), sum(cost[0] for cost in costs if cost), sum(cost[1] for cost in costs if cost)) == wanted[:3]


@law(100)
@given(returns(most=3))
def test_the_oracle_agrees_with_a_plain_listing(case: Case) -> None:
    rma, receipts = case
    received = [unit for one in receipts for unit in one.units][:4]
    assert best(rma.units, received)[:3] == best_by_listing(rma.units, received)


@law(200)
@given(returns(), policies(), times)
def test_findings_are_of_the_table_and_their_keys_are_unique(case: Case, policy: Policy, at: Any) -> None:
    rma, receipts = case
    decision = match(rma, receipts, policy=policy, at=at)
    assert all(finding.rule == CODES[finding.code].rule and finding.message.endswith(".") for finding in decision.findings)
    assert max(Counter(finding.key for finding in decision.findings).values(), default=1) == 1
    ranks = [(not finding.blocking, finding.curable, CODES[finding.code].rank) for finding in decision.findings]
    assert ranks == sorted(ranks)
    assert len(decision.note()) <= 250
    assert decision.note().startswith(decision.headline[:100].rstrip("…"))
    again = Decision.from_dict(json.loads(json.dumps(decision.to_dict())))
    assert again == decision
    assert again.verdict is decision.verdict  # not the text that equals it
    assert again.turns_into is decision.turns_into


@law()
@given(returns(), times)
def test_evidence_is_of_goods_alone(case: Case, at: Any) -> None:
    rma, receipts = case
    decision = match(rma, receipts, at=at)
    other_rma = attrs.evolve(rma, state="closed", created_at=T, trackings=("x",), label_statuses=("delivered",), total=Decimal(1))
    other_receipts = [attrs.evolve(one, received_at=at, updated_at=at, tracking="y", created_at=T) for one in receipts]
    other = match(other_rma, other_receipts, policy=Policy(match_level=3, sku_case="ignore"), at=at + DAY)
    assert other.evidence == decision.evidence
    assert other.fingerprint != decision.fingerprint
    if any(one.units for one in receipts):
        fewer = [attrs.evolve(one, units=one.units[1:]) for one in receipts]
        assert match(rma, fewer, at=at).evidence != decision.evidence
        graded = [attrs.evolve(one, units=tuple(attrs.evolve(unit, condition="worn") for unit in one.units)) for one in receipts]
        assert match(rma, graded, at=at).evidence != decision.evidence


@pytest.mark.parametrize("state", ["closed", "cancelled"])
def test_over_is_over(state: str) -> None:
    assert match(Rma(return_id=1, state=state), [], at=T).verdict is Verdict.NO_ACTION
