"""Text, JSON, CSV and the page: the same data, safe to open, stable to compare, silent on people unless asked."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reconciliation_pairs import NOW, loop_row, paid, received, whiplash_row
from report_samples import FORMULA, HOSTILE, found, incomplete, sample

from loop_whiplash.reconciliation import Report, SideReport, reconcile

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
WHOLE = (SideReport(name="Loop"), SideReport(name="Whiplash"))
RENDERINGS: dict[str, Callable[[Report], str]] = {
    "text": lambda report: report.to_text(),
    "json": lambda report: report.to_json(),
    "csv": lambda report: report.to_csv(),
    "html": lambda report: report.to_html(),
}


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_same_report_gives_the_same_bytes_whatever_order_it_was_made_in(name: str) -> None:
    assert RENDERINGS[name](sample()) == RENDERINGS[name](sample(breaks=sample().breaks[::-1]))


@pytest.mark.parametrize("name", ["text", "html"])
def test_nothing_found_and_could_not_look_never_look_alike(name: str) -> None:
    render = RENDERINGS[name]
    nothing = render(Report(at=NOW, sides=WHOLE))
    blind = render(
        Report(at=NOW, sides=(SideReport(name="Loop", complete=False, problems=["it answered 502"]), SideReport(name="Whiplash")))
    )
    unknown = render(Report(at=NOW))
    assert "No breaks" in nothing
    assert "read whole" in nothing
    assert "NOT READ WHOLE" not in nothing
    assert "NOT READ WHOLE" in blind
    assert "No breaks" not in blind
    assert "it answered 502" in blind
    assert "No breaks" not in unknown
    assert "not known" in unknown


# ---------------------------------------------------------------------------------------------------------- personal

PERSONAL = ("ann@example.org", "Ann Example", "https://shop.example/return/secret", "https://x.example/secret", "Bob")


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("secret", PERSONAL)
def test_people_are_named_only_when_asked_for(name: str, secret: str) -> None:
    assert secret not in RENDERINGS[name](sample())


def test_people_are_named_when_asked_for() -> None:
    page, data = sample().to_html(personal=True), sample().to_json(personal=True)
    for secret in PERSONAL:
        assert secret in page
        assert secret in data
    assert "ann@example.org" in sample().to_csv(personal=True)
    assert "by Bob" in sample().to_text(personal=True)


def test_a_reconciliation_of_rows_holds_people_for_those_who_ask() -> None:
    row = loop_row(1, customer_first_name="Ann", customer_last_name="Example")
    report = reconcile([row], [], at=NOW)
    assert "ann@example.org" not in report.to_html() + report.to_json() + report.to_csv() + report.to_text() + repr(report)
    asked = report.to_html(personal=True)
    assert "ann@example.org" in asked
    assert "Ann Example" in asked
    assert "https://shop.example/return/secret" in asked


# -------------------------------------------------------------------------------------------------------------- text


def test_the_text_says_what_there_is_to_do() -> None:
    text = sample().to_text()
    for words in (
        "2026-03-01 06:00 UTC",
        "read whole, 1,200 rows of 2026-02-27 06:00 UTC to 2026-03-01 06:00 UTC.",
        "7 breaks on 6 returns",
        "200.10 EUR, 12.50 USD",
        "captured 97.5%: 39 of 40",
        "CreateRma 3, Process 2",
        "since 2026-01-15, REVIEW_STALE of return 3",
        "acknowledged until 2026-03-03",
        "process/processed 5",
        "note: A row came again",
    ):
        assert words in text
    assert "WEBHOOK_MISSED" in text
    assert "change" not in text


def test_the_text_shows_the_change_since_the_last_run() -> None:
    lines = sample().compared_to(Report(at=NOW, breaks=[found("ITEMS_DRIFT"), found("REVIEW_STALE")])).to_text().splitlines()
    changes = {line.split()[0]: line for line in reversed(lines) if line and not line.startswith(" ")}
    assert " -1" in changes["ITEMS_DRIFT"]
    assert " +0" in changes["REVIEW_STALE"]
    assert " +2" in changes["MISSING_IN_WMS"]


def test_a_long_worklist_is_cut_and_says_so() -> None:
    report = Report(at=NOW, sides=WHOLE, breaks=[found("REVIEW_STALE", number) for number in range(1, 120)])
    assert "and 69 more breaks" in report.to_text()
    assert "and 118 more breaks" in report.to_text(worklist=1)
    assert "Worklist" not in report.to_text(worklist=0)


def test_a_terminal_gets_no_escape_sequence_and_a_reader_no_reversed_text() -> None:
    text = Report(at=NOW, breaks=[found("REVIEW_STALE", order_name="\x1b[2J\x1b]0;x\x07 a\nb\u202etxt")]).to_text()
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    assert "a b txt" in text


# -------------------------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize("report", [sample(), incomplete(), Report(at=NOW), sample().compared_to(sample())])
@pytest.mark.parametrize("personal", [True, False])
def test_the_json_keeps_to_its_schema(report: Report, personal: bool) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    said = json.loads(report.to_json(personal=personal, indent=2))
    jsonschema.Draft202012Validator(_closed(SCHEMA)).validate(said)
    assert said["complete"] is report.complete
    assert len(said["breaks"]) == len(report.breaks)


def test_a_real_reconciliation_keeps_to_the_schema() -> None:
    rows = [whiplash_row(1, **received(1, damaged=1)), whiplash_row(2), whiplash_row(None, 9, status=25)]
    report = reconcile([loop_row(1), loop_row(2, **paid(30)), loop_row(3)], rows, at=NOW)
    said = json.loads(report.to_json())
    jsonschema.Draft202012Validator(_closed(SCHEMA)).validate(said)
    assert set(said["cases"]) == {"1", "2", "3", "rma-9"}
    assert "cases" not in json.loads(report.to_json(cases=False))


def test_the_json_of_two_days_differs_only_where_the_world_does() -> None:
    one, other = sample(), sample(at=NOW.replace(hour=9))
    said, later = json.loads(one.to_json()), json.loads(other.to_json())
    assert said.pop("at") != later.pop("at")
    assert said == later


def _closed(schema: Any) -> Any:
    """The schema, with every object closed: a field that is written and not described is a mistake here."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


# --------------------------------------------------------------------------------------------------------------- CSV


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_csv_has_one_header_and_one_row_a_break() -> None:
    read = rows(sample().to_csv())
    assert len(read) == len(sample().breaks)
    assert sample().to_csv().count("\r\n") == len(read) + 1
    missing = next(row for row in read if row["return_id"] == "1")
    assert {name: missing[name] for name in ("code", "order_name", "tracking", "since", "age_bucket", "money", "currency", "heals")} == {
        "code": "MISSING_IN_WMS",
        "order_name": "#1",
        "tracking": "T1",
        "since": "2026-02-26T06:00:00+00:00",
        "age_bucket": "2-3 days",
        "money": "40.00",
        "currency": "EUR",
        "heals": "yes",
    }
    assert rows(Report(at=NOW).to_csv()) == []


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=20)
    | st.sampled_from([FORMULA, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "|cmd", "%x", "＝1", '"=1', ",=1"])
)
def test_no_text_from_outside_is_a_formula(text: str) -> None:
    report = Report(
        at=NOW,
        breaks=[found("REVIEW_STALE", order_name=text, tracking=text, reason=text, loop_says=text, whiplash_says=text, currency=text)],
    )
    (row,) = rows(report.to_csv())
    for name, cell in row.items():
        if name not in ("money", "return_id"):
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "|", "%", "＝", "＋", "－", "＠"))


# --------------------------------------------------------------------------------------------------------------- page


class Elements(HTMLParser):
    """The elements of a page, and the text of each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._within: str | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = None

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts.append(data)


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=30)
    | st.sampled_from([HOSTILE, "<!--<script>", "]]>", "\u2028", "'\"><svg onload=x>", "&lt;script&gt;", "\x00", "\ud800"])
)
def test_text_from_outside_never_becomes_markup(text: str) -> None:
    plain = Elements(Report(at=NOW, sides=[SideReport(name="x", problems=["x"], notes=["x"])], breaks=[_all_over("x")]).to_html(title="x"))
    page = Report(at=NOW, sides=[SideReport(name=text, problems=[text], notes=[text])], breaks=[_all_over(text)]).to_html(title=text)
    hostile = Elements(page)
    assert [tag for tag, _ in hostile.tags if tag != "wbr"] == [tag for tag, _ in plain.tags if tag != "wbr"]
    assert [sorted(attributes) for _, attributes in hostile.tags] == [sorted(attributes) for _, attributes in plain.tags]
    json.loads(hostile.scripts[0])
    page.encode("utf-8")


def _all_over(text: str) -> Any:
    return found(
        "REVIEW_STALE",
        order_name=text,
        tracking=text,
        reason=text,
        loop_says=text,
        whiplash_says=text,
        next_step=text,
        owner=f"x{text}",
        currency=text,
    )


def test_the_page_loads_nothing_and_runs_only_its_own_script() -> None:
    page = sample().to_html()
    elements = Elements(page)
    assert not [attributes for _, attributes in elements.tags if "src" in attributes or any(name.startswith("on") for name in attributes)]
    links = [attributes["href"] for _, attributes in elements.tags if "href" in attributes]
    assert links == ["data:,"]
    assert "style" not in {name for _, attributes in elements.tags for name in attributes}
    (policy,) = [
        str(attributes["content"]) for tag, attributes in elements.tags if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert not re.search(r"@import|url\(", page)


def test_the_page_holds_head_grid_worklist_and_drawings() -> None:
    page = sample().to_html(title="Shop <1>")
    assert "<title>Shop &lt;1&gt;" in page
    for words in (
        "97.5%",
        "<b>200.10 EUR</b><b>12.50 USD</b>",
        "45 days",
        "REVIEW_",
        'aria-label="Flow: Loop returns 1,200',
        'aria-label="Ageing: ',
    ):
        assert words in page
    assert "NOT READ WHOLE" in incomplete().to_html()
    assert "Not judged" in incomplete().to_html()
