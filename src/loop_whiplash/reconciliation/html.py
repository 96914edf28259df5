"""The report as one self-contained page: readable on a phone, light and dark, nothing loaded from elsewhere.

Markup, style and script stand in ``page/``; this file puts the numbers in. Two walls keep what came from outside from
ever being more than text: everything is escaped (in the markup) or inserted as text (by the script, from JSON in which
``<``, ``>`` and ``&`` are escaped), and a content security policy lets run only the one script and the one style whose
hashes it names, and lets no request leave the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from html import escape
from importlib.resources import files
from typing import Any

from loop_whiplash.planning.breaks import BREAKS
from loop_whiplash.planning.model import Break
from loop_whiplash.redaction import shown

from .ageing import BUCKETS, bucket_of, days_of
from .case import CaseKey, CaseView, case_key
from .charts import ageing_svg, flow_svg
from .report import COUNTED_ONLY, Cell, Report, SideReport
from .wording import amount, at_risk, day, headline, moment, verdict_sentence, what_was_read

__all__ = ["report_to_html"]

#: Cases come in blocks of so many, each read when one of them is opened first.
CHUNK = 200
#: Without JavaScript the page shows so many breaks as text.
WITHOUT_SCRIPT = 100

FIELDS = (
    "code", "return_id", "rma", "order", "tracking", "since", "days", "bucket", "amount", "owner", "heals", "acknowledged",
    "reason", "loop", "whiplash", "next", "case",
)  # fmt: skip


def report_to_html(report: Report, *, personal: bool, title: str) -> str:
    """See `Report.to_html`."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    todo = [*report.worklist, *(found for found in report.breaks if found.code in COUNTED_ONLY)]
    texts = _Texts(personal)
    cases = _Cases(report, personal, texts)
    rows = _Rows(report, personal, texts, cases)
    breaks = [rows.row(found) for found in todo]
    blocks = cases.blocks()
    data = {
        "fields": FIELDS,
        "buckets": BUCKETS,
        "chunk": CHUNK,
        "verdict": verdict_sentence(report),
        "breaks": breaks,
        "texts": texts.all,
    }
    return "".join(
        (
            "<!DOCTYPE html>\n",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">',
            '<meta name="robots" content="noindex"><link rel="icon" href="data:,">',
            f"<title>{escape(shown(title))}, {moment(report.at)}</title>",
            f"<style>{style}</style></head><body>",
            f'<header><h1>{escape(shown(title))}</h1><p class="soft">{moment(report.at)}</p></header><main>',
            *_head(report, personal),
            *_grid(report),
            *_worklist(report, todo, personal),
            f'</main><footer>{_FOOT}</footer><script type="application/json" id="data">{_json(data)}</script>',
            *blocks,
            f"<script>{script}</script></body></html>\n",
        )
    )


_FOOT = (
    "Ages count from the event, not from this run. Amounts are what the whole return releases; a return with several breaks "
    "is counted once in the sum at risk. “Heals” means that planned work, a later look or the next webhook puts it right."
)


def _asset(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(value: Any) -> str:
    r"""JSON that can stand in a script element: no ``</script>``, no ``<!--``."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return (
        text.replace("&", "\\u0026")
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


# ----------------------------------------------------------------------------------------------------- head and grid


def _head(report: Report, personal: bool) -> Iterator[str]:
    totals = report.totals
    look = "blind" if not report.complete else "open" if totals.breaks else "good"
    yield f'<div class="card verdict {look}" id="verdict"><b>{escape(verdict_sentence(report))}</b></div><div class="tiles">'
    rate = report.capture_rate
    left = f"{totals.unacknowledged:,} not acknowledged, {totals.heals:,} heal{'' if report.complete else '; there may be more'}"
    done = ", ".join(f"{name} {n:,}" for name, n in sorted(report.actions.items()))
    age = f"{days_of(totals.oldest, report.at):,} days" if totals.oldest else "none"
    yield from (
        _tile("open breaks", left, f"{totals.breaks:,}"),
        _tile("at risk", "each return once", *at_risk(report)),
        _tile("oldest", shown(totals.oldest.code) if totals.oldest else "", age),
        _tile("webhooks captured", f"{report.missed:,} found by a sweep only", f"{rate:.1%}" if rate is not None else "not known"),
        _tile("healed in this run", done, f"{report.healed:,}"),
    )
    yield '</div><div class="sides">'
    yield from (_side(side, personal) for side in report.sides)
    yield "</div>"
    more = [(label, value) for label, value in headline(report) if label in ("Not judged", "Shadow")]
    yield from (f'<div class="card small"><b>{escape(label)}</b>: {escape(value)}</div>' for label, value in more)
    yield '<div class="charts card-row">'
    if report.flow is not None:
        yield f'<section class="card"><h2>How far the returns have come</h2>{flow_svg(report.flow)}</section>'
    yield f'<section class="card"><h2>How old the breaks are</h2>{ageing_svg(report)}</section></div>'


def _tile(label: str, below: str, *values: str) -> str:
    values_said = "".join(f"<b>{escape(each)}</b>" for each in values)
    said = f'<span class="soft small">{escape(label)}</span>{values_said}<span class="soft small">{escape(below)}</span>'
    return f'<div class="tile">{said}</div>'


def _side(side: SideReport, personal: bool) -> str:
    word = '<span class="word good">read whole</span>' if side.complete else '<span class="word bad">NOT READ WHOLE</span>'
    notes = "".join(f'<p class="small soft">{escape(shown(note, personal=personal))}</p>' for note in side.notes)
    sentence = escape(what_was_read(side, personal=personal))
    return f'<section class="card side"><h2>{escape(shown(side.name))} {word}</h2><p class="small">{sentence}</p>{notes}</section>'


def _grid(report: Report) -> Iterator[str]:
    grid, change = report.grid, report.previous is not None
    yield '<section class="card" id="grid"><h2>Breaks by kind and age</h2>'
    if not grid and not report.previous:
        yield f'<p class="empty">{escape(verdict_sentence(report))}</p></section>'
        return
    heads = "".join(f'<th scope="col" class="number">{bucket} days</th>' for bucket in BUCKETS)
    changed = '<th scope="col" class="number">change</th>' if change else ""
    heads = f'<th scope="col">kind</th>{heads}<th scope="col" class="number">all</th>{changed}'
    yield f'<div class="scroll"><table class="grid"><thead><tr>{heads}</tr></thead><tbody>'
    most = max((cell.count for row in grid.values() for cell in row.values()), default=0)
    for code in [*grid, *(code for code in report.previous or () if code not in grid)]:
        row = grid.get(code, {})
        total = sum(cell.count for cell in row.values())
        meaning = BREAKS[code].meaning if code in BREAKS else ""
        yield f'<tr><th scope="row" title="{escape(meaning)}">{escape(shown(code)).replace("_", "_<wbr>")}</th>'
        yield from (_cell(code, bucket, row.get(bucket, Cell()), most) for bucket in BUCKETS)
        yield f"<td>{_button(code, '', total, _sum(row))}</td>"
        if report.previous is not None:
            yield f'<td class="number">{total - report.previous.get(code, 0):+,}</td>'
        yield "</tr>"
    yield "</tbody></table></div></section>"


def _cell(code: str, bucket: str, cell: Cell, most: int) -> str:
    heat = 0 if not cell.count else 1 + min(3, 4 * cell.count // (most + 1))
    return f'<td class="heat-{heat}">{_button(code, bucket, cell.count, cell.money) if cell.count else ""}</td>'


def _button(code: str, bucket: str, count: int, money: Mapping[str, Decimal]) -> str:
    said = "".join(f'<span class="small soft">{escape(amount(value, currency))}</span><br>' for currency, value in money.items())
    chosen = f' data-bucket="{bucket}"' if bucket else ""
    return f'<button type="button" data-code="{escape(shown(code))}"{chosen} aria-pressed="false"><b>{count:,}</b>{said}</button>'


def _sum(row: Mapping[str, Cell]) -> dict[str, Decimal]:
    money: dict[str, Decimal] = {}
    for cell in row.values():
        for currency, value in cell.money.items():
            money[currency] = money.get(currency, Decimal(0)) + value
    return dict(sorted(money.items()))


# --------------------------------------------------------------------------------------------------------- worklist


def _worklist(report: Report, todo: list[Break], personal: bool) -> Iterator[str]:
    codes = list(dict.fromkeys(shown(found.code) for found in report.breaks))
    owners = sorted({shown(found.owner) for found in todo} - {""})
    lines = (_plain_line(found, report, personal) for found in todo[:WITHOUT_SCRIPT])
    yield '<section class="card" id="worklist"><h2>Worklist <span class="soft small">by money × age, the largest first</span></h2>'
    yield '<form id="filters" class="filters">'
    yield '<input type="search" name="q" placeholder="return, order, tracking, words …" aria-label="Search" autocomplete="off">'
    yield (
        _select("code", "all kinds", codes) + _select("owner", "all owners", owners) + _select("bucket", "all ages", list(BUCKETS), " days")
    )
    yield '<label><input type="checkbox" name="heals" checked> healing</label>'
    yield '<label><input type="checkbox" name="acknowledged" checked> acknowledged</label>'
    yield '<button type="reset">Clear</button></form>'
    yield '<p class="soft small" id="count" aria-live="polite"></p><ol class="work" id="work"></ol>'
    yield '<div class="pager"><button type="button" id="before">Previous</button><span id="page" class="soft small"></span>'
    yield '<button type="button" id="after">Next</button></div>'
    yield f"<noscript><p>Without JavaScript the first {WITHOUT_SCRIPT} breaks stand here as text; the CSV holds all.</p>"
    yield f"<pre>{''.join(lines)}</pre></noscript></section>"


def _select(name: str, everything: str, values: list[str], unit: str = "") -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(value)}{unit}</option>' for value in values)
    return f'<select name="{name}" aria-label="{everything}"><option value="">{everything}</option>{options}</select>'


def _plain_line(found: Break, report: Report, personal: bool) -> str:
    whose = f"return {found.return_id}" if found.return_id is not None else f"RMA {found.consumer_return_id}"
    said = (
        shown(found.code),
        whose,
        amount(found.money, found.currency),
        f"{days_of(found, report.at)} days",
        shown(found.reason, personal=personal),
    )
    return escape("  ".join(part for part in said if part)) + "\n"


class _Texts:
    """Every text once, fit to be shown; rows and cases hold its number. Number 0 is the empty text."""

    def __init__(self, personal: bool) -> None:
        self.all: list[str] = [""]
        self._personal = personal
        self._numbers: dict[str | None, int] = {None: 0, "": 0}

    def number(self, text: str | None) -> int:
        """The number of a text from outside."""
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.all)
            self.all.append(shown(text, personal=self._personal))
        return number


class _Cases:
    """The cases in the order of the worklist, in blocks."""

    def __init__(self, report: Report, personal: bool, texts: _Texts) -> None:
        self._cases, self._personal, self._text = report.cases, personal, texts.number
        self._numbers: dict[CaseKey, int] = {}

    def number(self, found: Break) -> int:
        """The place of a break's case, -1 for none."""
        key = case_key(found)
        if key is None or key not in self._cases:
            return -1
        return self._numbers.setdefault(key, len(self._numbers))

    def blocks(self) -> list[str]:
        """The script elements that hold them."""
        keys = list(self._numbers)
        return [
            f'<script type="application/json" id="cases-{start // CHUNK}">'
            f"{_json([self._case(self._cases[key]) for key in keys[start : start + CHUNK]])}</script>"
            for start in range(0, len(keys), CHUNK)
        ]

    def _case(self, case: CaseView) -> list[Any]:
        text = self._text
        units: list[Any] = []
        for unit in case.units:
            value = amount(unit.value, case.currency)
            units += map(
                text,
                (unit.status, unit.sku, unit.title, unit.line_id, unit.received_id, unit.condition, unit.identifier, value, unit.outcome),
            )
        history: list[Any] = []
        for entry in case.history:
            whose = f"{entry.source} RMA {entry.consumer_return_id}" if entry.consumer_return_id is not None else entry.source
            history += (text(moment(entry.at)), text(whose), text(entry.what))
        return [
            text(case.verdict),
            text(case.headline),
            text(case.counterfactual),
            [text(reason) for reason in case.reasons],
            [(text(found.code), text(found.message), int(found.blocking)) for found in case.findings],
            units,
            history,
            [(text(what), text(said)) for what, said in case.personal.items()] if self._personal else [],
        ]


class _Rows:
    """Breaks as short rows."""

    def __init__(self, report: Report, personal: bool, texts: _Texts, cases: _Cases) -> None:
        self._report, self._personal, self._text, self._cases = report, personal, texts.number, cases

    def row(self, found: Break) -> list[Any]:
        """One break, by `FIELDS`."""
        text, days = self._text, days_of(found, self._report.at)
        return [
            text(found.code),
            _id(found.return_id),
            _id(found.consumer_return_id),
            text(found.order_name),
            text(found.tracking),
            text(moment(found.since)),
            days,
            BUCKETS.index(bucket_of(days)),
            text(amount(found.money, found.currency)),
            text(found.owner),
            int(found.heals),
            self._acknowledged(found),
            text(found.reason),
            text(found.loop_says),
            text(found.whiplash_says),
            text(found.next_step),
            self._cases.number(found),
        ]

    def _acknowledged(self, found: Break) -> int:
        word = found.acknowledged
        if word is None:
            return -1
        by = f" by {word.by}" if self._personal and word.by else ""
        return self._text(f"until {day(word.until)}{by}{f': {word.note}' if word.note else ''}")


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)  # a number in JavaScript is exact up to 2**53 only
