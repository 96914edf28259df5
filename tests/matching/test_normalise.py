"""What is compared: trimmed text, SKU case by policy, GTINs at one length, no sentinels, sets; and what is left out."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_cases import T, count, expect, receipt, rma

from loop_whiplash.matching import Decision, Policy, Verdict, match
from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma


def compared(expected: dict[str, Any], received: dict[str, Any], **policy: Any) -> str:
    """How the pair was found, or the codes of what was said instead."""
    wanted = ExpectedUnit(line_id="1", **expected)
    came = ReceivedUnit(id="u1", condition="good", **received)
    one = receipt(came)
    decision = match(rma(wanted), [one], policy=Policy(**policy), at=T)
    assert decision == match(rma(wanted), [one, one], policy=Policy(**policy), at=T)  # the short cut and the long way
    if decision.verdict is Verdict.PROCESS:
        return decision.pairs[0].identifier
    return " ".join(finding.code for finding in decision.findings)


DIFFERENT = "UNEXPECTED SHORT"


@pytest.mark.parametrize("kind", ["sku", "barcode", "variant_id"])
def test_text_is_trimmed_and_in_one_unicode_form(kind: str) -> None:
    name = kind.removesuffix("_id")
    assert compared({kind: " Crème-1 "}, {kind: unicodedata.normalize("NFD", "\tCrème-1\n")}) == f"{name}:Crème-1"
    assert compared({kind: "Crème-1"}, {kind: "Creme-1"}) == DIFFERENT


def test_a_number_is_read_as_its_text() -> None:
    assert compared({"sku": 42}, {"sku": "42"}) == "sku:42"


def test_inner_blanks_count() -> None:
    assert compared({"sku": "A 1"}, {"sku": "A1"}) == DIFFERENT


@pytest.mark.parametrize("nothing", ["", "  ", "N/A", "n/a", " N/a "])
@pytest.mark.parametrize("kind", ["sku", "barcode", "variant_id"])
def test_what_only_says_that_there_is_nothing_identifies_nothing(kind: str, nothing: str) -> None:
    assert compared({kind: nothing}, {kind: nothing}) == "UNKNOWN_ITEM SHORT"
    assert compared({kind: nothing, "item_id": 5}, {kind: "other", "item_id": 5}) == "item:5"


def test_nothing_in_one_kind_does_not_stand_in_the_way_of_another() -> None:
    assert compared({"sku": "N/A", "barcode": "x1"}, {"sku": "A", "barcode": "x1"}) == "barcode:x1"


def test_the_case_of_a_sku_counts_unless_the_policy_says_otherwise() -> None:
    assert compared({"sku": "Shoe-42"}, {"sku": "SHOE-42"}) == DIFFERENT
    assert compared({"sku": "Shoe-42"}, {"sku": "SHOE-42"}, sku_case="ignore") == "sku:shoe-42"
    assert compared({"sku": "STRASSE"}, {"sku": "straße"}, sku_case="ignore") == "sku:strasse"


def test_the_case_of_other_identifiers_always_counts() -> None:
    assert compared({"barcode": "x1"}, {"barcode": "X1"}, sku_case="ignore") == DIFFERENT
    assert compared({"variant_id": "v1"}, {"variant_id": "V1"}, sku_case="ignore") == DIFFERENT


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("96385074", "00000096385074"),  # GTIN-8
        ("036000291452", "0036000291452"),  # GTIN-12 and -13
        ("036000291452", "00036000291452"),  # and -14
        ("4006381333931", "04006381333931"),
        (" 4006381333931 ", "04006381333931"),
        ("10614141000415", "10614141000415"),
    ],
)
def test_a_gtin_is_one_number_at_four_lengths(written: str, also: str) -> None:
    assert compared({"barcode": written}, {"barcode": also}) == f"barcode:{also.strip().zfill(14)}"


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("036000291453", "0036000291453"),  # a wrong check digit
        ("4006381333930", "04006381333930"),
        ("123456", "00000000123456"),  # no length of a GTIN
        ("03600029145X", "003600029145X"),
        ("٠٣٦٠٠٠٢٩١٤٥٢", "036000291452"),  # digits of another script
    ],
)
def test_what_is_no_gtin_compares_as_text(written: str, also: str) -> None:
    assert compared({"barcode": written}, {"barcode": also}) == DIFFERENT
    assert compared({"barcode": written}, {"barcode": written}) == f"barcode:{written}"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9_999_999), st.integers(1, 9))
def test_a_wrong_digit_is_another_article(number: int, off: int) -> None:
    body = f"{number:07d}"
    check = -sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(body)) % 10
    right, wrong = f"{body}{check}", f"{body}{(check + off) % 10}"
    assert compared({"barcode": right}, {"barcode": right.zfill(13)}) == f"barcode:{right.zfill(14)}"
    assert compared({"barcode": wrong}, {"barcode": wrong.zfill(13)}) == DIFFERENT
    assert compared({"barcode": right}, {"barcode": wrong}) == DIFFERENT


# ------------------------------------------------------------------------------------------------- the strongest decides


def test_the_strongest_identifier_that_both_carry_decides() -> None:
    everything = {"item_id": 5, "sku": "A", "barcode": "x1", "variant_id": "v"}
    assert compared(everything, {"line_id": "1", **everything}) == "line:1"
    assert compared(everything, everything) == "item:5"
    assert compared(everything, {**everything, "item_id": None}) == "sku:A"
    assert compared(everything, {"barcode": "x1", "variant_id": "v"}) == "barcode:x1"
    assert compared(everything, {"variant_id": "v"}) == "variant:v"
    assert compared(everything, {**everything, "line_id": "9"}) == "WRONG_LINE_OF_ORDER SHORT"
    assert compared(everything, {**everything, "item_id": 6}) == DIFFERENT
    assert compared({"sku": "A", "barcode": "x1"}, {"sku": "B", "barcode": "x1"}) == DIFFERENT


@pytest.mark.parametrize("kind", ["item_id", "sku", "barcode", "variant_id"])
def test_a_weaker_one_that_disagrees_keeps_the_pair_and_is_a_conflict(kind: str) -> None:
    everything: dict[str, Any] = {"item_id": 5, "sku": "A", "barcode": "x1", "variant_id": "v"}
    other = {**everything, "line_id": "1", kind: 6 if kind == "item_id" else "other"}
    assert compared(everything, other) == "IDENTIFIER_CONFLICT"
    assert compared(everything, other, unexpected="accept", over_units=5, under_units=5) == "IDENTIFIER_CONFLICT"


def test_a_title_never_pairs_anything() -> None:
    assert compared({"title": "Shoe", "product_id": "p"}, {"sku": "B"}) == DIFFERENT


# --------------------------------------------------------------------------------------------------------------- sets

SET = {"bundles": {"KIT": {"CUP": 2, "LID": 1}}}


def whole(*units: ReceivedUnit, expected: Rma | None = None, **policy: Any) -> Decision:
    expected = expected or rma(expect(1, "KIT"))
    return match(expected, [receipt(*units)], policy=Policy(**{**SET, **policy}), at=T)


def test_a_set_comes_back_under_its_own_sku() -> None:
    assert whole(count("u1", "KIT")).pairs[0].identifier == "sku:KIT"


def test_a_set_comes_back_as_all_its_parts() -> None:
    decision = whole(count("u1", "LID"), count("u2", "CUP"), count("u3", "CUP"))
    assert decision.verdict is Verdict.PROCESS
    (pair,) = decision.pairs
    assert (pair.line_id, pair.received_id, pair.also, pair.identifier) == ("1", "u1", ("u2", "u3"), "bundle:KIT")


def test_a_part_of_a_set_never_counts_as_the_set() -> None:
    decision = whole(count("u1", "CUP"), count("u2", "CUP"), under_units=0)
    assert [(finding.code, finding.message[:65]) for finding in decision.findings] == [
        ("SHORT", "Line 1 (KIT) came in parts, and not all of them: 1 × LID missing.")
    ]
    assert decision.unpaired_received == ("u1", "u2")
    generous = match(
        rma(expect(1, "KIT"), expect(2, "A")), [receipt(count("u1", "CUP"), count("u2", "A"))], policy=Policy(**SET, under_units=9), at=T
    )
    assert generous.verdict is Verdict.WAIT


def test_a_set_of_which_nothing_came_is_missing() -> None:
    assert [finding.code for finding in whole(count("u1", "Z")).findings] == ["UNEXPECTED", "SHORT"]


def test_parts_that_are_lines_of_their_own_go_there_first() -> None:
    expected = rma(expect(1, "KIT"), expect(2, "CUP"))
    parts = [count("u1", "CUP"), count("u2", "CUP"), count("u3", "LID")]
    assert [finding.code for finding in whole(*parts, expected=expected).findings] == ["SHORT"]
    decision = whole(*parts, count("u4", "CUP"), expected=expected)
    assert [(pair.line_id, pair.identifier) for pair in decision.pairs] == [("1", "bundle:KIT"), ("2", "sku:CUP")]


def test_a_surplus_of_parts_is_not_expected() -> None:
    decision = whole(count("u1", "LID"), *[count(f"u{n}", "CUP") for n in range(2, 5)])
    assert [(finding.code, finding.units) for finding in decision.findings] == [("UNEXPECTED", ("u4",))]


def test_a_damaged_part_is_a_damaged_set() -> None:
    decision = whole(count("u1", "LID", "damaged"), count("u2", "CUP"), count("u3", "CUP"))
    assert [(finding.code, finding.units) for finding in decision.findings] == [("CONDITION_BELOW_MIN", ("1", "u2", "u3", "u1"))]


def test_small_sets_are_filled_first_and_each_part_once() -> None:
    bundles = {"BIG": {"CUP": 2, "LID": 1}, "SMALL": {"CUP": 1}}
    expected = rma(expect(1, "BIG"), expect(2, "SMALL"), expect(3, "SMALL"))
    decision = whole(count("u1", "CUP"), count("u2", "CUP"), count("u3", "LID"), expected=expected, bundles=bundles)
    assert [(pair.line_id, pair.received_id) for pair in decision.pairs] == [("2", "u1"), ("3", "u2")]
    assert decision.findings[0].message.startswith("Line 1 (BIG) came in parts, and not all of them: 2 × CUP missing.")


def test_the_case_rule_holds_for_sets_too() -> None:
    parts = [count("u1", "lid"), count("u2", "Cup"), count("u3", "CUP")]
    assert whole(*parts, expected=rma(expect(1, "kit")), sku_case="ignore").verdict is Verdict.PROCESS
    assert whole(*parts, expected=rma(expect(1, "kit"))).verdict is Verdict.FLAG


def test_a_part_that_names_another_line_fills_no_set() -> None:
    parts = [count("u1", "LID"), count("u2", "CUP"), count("u3", "CUP", line_id="2")]
    decision = whole(*parts, expected=rma(expect(1, "KIT"), expect(2, "CUP")))
    assert [(pair.line_id, pair.received_id) for pair in decision.pairs] == [("2", "u3")]


# -------------------------------------------------------------------------------------------------------- substitutes


def instead(wanted: ExpectedUnit, came: ReceivedUnit, **policy: Any) -> str:
    decision = match(rma(wanted), [receipt(came)], policy=Policy(**policy), at=T)
    if decision.pairs:
        return f"{decision.verdict.value} {decision.pairs[0].identifier}"
    return " ".join(finding.code for finding in decision.findings)


def test_another_variant_of_the_product_is_accepted_only_where_the_policy_says_so() -> None:
    wanted, came = expect(1, "A-42", product_id="p"), count("u1", "A-43", product_id=" p ")
    assert instead(wanted, came) == "SUBSTITUTED_VARIANT"
    assert instead(wanted, came, substitutes="same_product") == "PROCESS substitute:A-43"
    assert instead(wanted, count("u1", "A-43", product_id="q"), substitutes="same_product") == DIFFERENT
    assert instead(wanted, count("u1", "A-43"), substitutes="same_product") == DIFFERENT
    assert instead(wanted, count("u1", "A:43", product_id="p"), substitutes="same_product") == "PROCESS substitute:A:43"
    assert instead(wanted, count("u1", product_id="p"), substitutes="same_product") == "PROCESS substitute:"
    assert instead(expect(1, "A", product_id="N/A"), count("u1", "B", product_id="N/A"), substitutes="same_product") == DIFFERENT


def test_listed_substitutes_are_accepted_one_way() -> None:
    policy: dict[str, Any] = {"substitutes": "listed", "substitute_skus": {"A": ["B", "C"]}}
    assert instead(expect(1, "A"), count("u1", "C"), **policy) == "PROCESS substitute:C"
    assert instead(expect(1, "C"), count("u1", "A"), **policy) == DIFFERENT
    assert instead(expect(1, "a"), count("u1", "c"), **policy) == DIFFERENT
    assert instead(expect(1, "a"), count("u1", "c"), sku_case="ignore", **policy) == "PROCESS substitute:c"


def test_listed_substitutes_fill_as_many_lines_as_they_can() -> None:
    policy = Policy(substitutes="listed", substitute_skus={"A": ["X", "Y"], "B": ["X"]})
    decision = match(rma(expect(1, "A"), expect(2, "B")), [receipt(count("u1", "X"), count("u2", "Y"))], policy=policy, at=T)
    assert [(pair.line_id, pair.received_id, pair.identifier) for pair in decision.pairs] == [
        ("1", "u2", "substitute:Y"),
        ("2", "u1", "substitute:X"),
    ]
    assert decision.verdict is Verdict.PROCESS


def test_what_was_expected_comes_before_any_substitute() -> None:
    policy = Policy(substitutes="same_product")
    expected = rma(expect(1, "A", product_id="p"), expect(2, "B", product_id="p"))
    decision = match(expected, [receipt(count("u1", "B", product_id="p"), count("u2", "C", product_id="p"))], policy=policy, at=T)
    assert [(pair.line_id, pair.identifier) for pair in decision.pairs] == [("1", "substitute:C"), ("2", "sku:B")]


def test_a_damaged_substitute_is_damaged() -> None:
    wanted, came = expect(1, "A", product_id="p"), count("u1", "B", "damaged", product_id="p")
    assert instead(wanted, came, substitutes="same_product") == "FLAG substitute:B"


def test_a_unit_that_names_another_line_is_no_substitute() -> None:
    wanted = expect(1, "A", product_id="p")
    stray = count("u1", "B", product_id="p", line_id="9")
    assert instead(wanted, stray, substitutes="same_product") == "SUBSTITUTED_VARIANT"
    policy: dict[str, Any] = {"substitutes": "listed", "substitute_skus": {"A": ["B"]}}
    assert instead(expect(1, "A"), count("u1", "B", line_id="9"), **policy) == "WRONG_LINE_OF_ORDER SHORT"


def test_beyond_the_cap_nothing_is_substituted() -> None:
    policy = Policy(substitutes="listed", substitute_skus={"A": ["B"]})
    for lines, units, pairs in ((64, 64, 64), (65, 65, 0), (65, 1, 0), (1, 65, 0), (64, 1, 1)):
        expected = rma(*[expect(line, "A") for line in range(1, lines + 1)])
        counted = receipt(*[count(f"u{n}", "B") for n in range(100, 100 + units)])
        assert len(match(expected, [counted], policy=policy, at=T).pairs) == pairs


# ----------------------------------------------------------------------------------------------------- what is left out


def left_out(*units: ExpectedUnit, return_facts: dict[str, Any] | None = None, **policy: Any) -> tuple[str, ...]:
    return match(rma(*units, **(return_facts or {})), [receipt(count("u1", "A"))], policy=Policy(**policy), at=T).left_out


def test_what_the_shopper_keeps_is_left_out() -> None:
    assert left_out(expect(1, "A"), expect(2, "B", outcome="keep"), expect(3, "C", outcome=" keep_item ")) == ("2", "3")
    assert left_out(expect(1, "A"), expect(2, "B"), return_facts={"outcome": "keep"}) == ("1", "2")
    assert left_out(expect(1, "A", outcome="refund"), expect(2, "B"), return_facts={"outcome": "keep"}) == ("2",)
    assert left_out(expect(1, "A", outcome="default"), return_facts={"outcome": "keep"}) == ("1",)


def test_what_goes_elsewhere_is_left_out() -> None:
    here, there, unsaid = expect(1, "A", destination_id="D1"), expect(2, "B", destination_id="D2"), expect(3, "C")
    assert left_out(here, there, unsaid) == ()
    assert left_out(here, there, unsaid, destinations=["D1"]) == ("2",)
    assert left_out(here, there, unsaid, destinations=["D1"], return_facts={"destination_id": "D2"}) == ("2", "3")
    assert left_out(here, there, unsaid, destinations=[" D1 ", "D2"]) == ()


def test_a_return_of_which_everything_is_left_out_is_not_paid_by_us() -> None:
    for counted in ([], [receipt()]):
        decision = match(rma(expect(1, "A", outcome="keep")), counted, at=T)
        assert (decision.verdict, decision.left_out) == (Verdict.NO_ACTION, ("1",))
        limited = Policy(review_above_value=5, currency="EUR")
        assert match(rma(expect(1, "A", outcome="keep")), counted, policy=limited, at=T).verdict is Verdict.NO_ACTION
    assert match(rma(expect(1, "A", outcome="keep")), [receipt(count("u1", "A"))], at=T).verdict is Verdict.FLAG


# ------------------------------------------------------------------------------------------------- the short cut for most

ODD = st.sampled_from(("A", " A", "a", "N/A", "", "B", None))
ODD_OUTCOMES = st.sampled_from((None, "refund", "default", " default", "N/A", "", "barter", "keep", "refund+barter", "Refund"))


@st.composite
def nearly_clean(draw: st.DrawFn) -> tuple[Rma, Receipt, Policy]:
    """Returns that are clean, or look so: identifiers and outcomes written in every odd way."""
    units, counted = [], []
    kinds = draw(st.sets(st.sampled_from(("sku", "barcode", "variant_id")), min_size=1))
    for place in range(1, draw(st.integers(1, 3)) + 1):
        ids = {kind: draw(ODD) for kind in kinds}
        line = draw(st.sampled_from((str(place), str(place), "1", " 1")))
        units.append(ExpectedUnit(line_id=line, outcome=draw(ODD_OUTCOMES), **ids))
        same = {kind: draw(st.sampled_from((value, value, f" {value}" if value else value, None))) for kind, value in ids.items()}
        named = draw(st.sampled_from((None, None, line, f"{line} ")))
        counted.append(
            ReceivedUnit(
                id=draw(st.sampled_from((f"u{place}", f"u{place}", "u1"))),
                line_id=named,
                condition=draw(st.sampled_from(("good", "good", None, "damaged", "Good"))),
                **same,
            )
        )
    expected = Rma(
        return_id=501,
        units=tuple(units),
        state=draw(st.sampled_from(("open", "open", "review", "OPEN", "closed"))),
        outcome=draw(ODD_OUTCOMES),
        was_processed=draw(st.sampled_from((None, False, False, True))),
    )
    came = Receipt(
        id=7,
        units=tuple(counted),
        final=draw(st.sampled_from((True, True, True, False))),
        status=draw(st.sampled_from((None, 300, 300, 200, 999))),
        received_at=T,
        return_id=draw(st.sampled_from((None, 501, 501, 502))),
        problems=draw(st.sampled_from(((), (), (), ("odd",)))),
    )
    policy = Policy(sku_case=draw(st.sampled_from(("exact", "ignore"))), match_level=draw(st.sampled_from((3, 4))))
    return expected, came, policy


@settings(max_examples=400, deadline=None)
@given(nearly_clean())
def test_the_short_cut_says_what_the_long_way_says(case: tuple[Rma, Receipt, Policy]) -> None:
    """Two equal receipts are one, and take the long way."""
    expected, came, policy = case
    short, long = match(expected, [came], policy=policy, at=T), match(expected, [came, came], policy=policy, at=T)
    assert short == long
