"""The report for a terminal or an e-mail: plain lines, no colours, the same lines for the same report."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from loop_whiplash.planning.model import Break
from loop_whiplash.redaction import shown

from .ageing import BUCKETS, days_of
from .report import Cell, Report
from .wording import amount, amounts, count_of, day, headline, moment, side_sentence

__all__ = ["report_to_text"]


def report_to_text(report: Report, *, worklist: int, personal: bool) -> str:
    """See `Report.to_text`."""
    return "\n".join(_lines(report, worklist, personal)) + "\n"


def _lines(report: Report, worklist: int, personal: bool) -> Iterator[str]:
    yield f"Returns reconciliation, {moment(report.at)}"
    yield ""
    for side in report.sides:
        yield f"{shown(side.name):<10} {side_sentence(side, personal=personal)}"
        yield from (f"           note: {shown(note, personal=personal)}" for note in side.notes)
    for label, value in headline(report):
        yield f"{label:<10} {value}"
    if report.breaks or report.previous:
        yield ""
        yield from _grid(report)
    todo = report.worklist
    if todo and worklist > 0:
        yield ""
        yield "Worklist, by money × age"
        for found in todo[:worklist]:
            yield ""
            yield from _entry(found, report, personal)
        if len(todo) > worklist:
            yield ""
            yield f"… and {count_of(len(todo) - worklist, 'more break')}; the CSV and the page hold all of them."


def _grid(report: Report) -> Iterator[str]:
    grid, previous = report.grid, report.previous
    codes = [*grid, *(code for code in previous or () if code not in grid)]
    width = max(len(shown(code)) for code in codes)
    change = f"{'change':>8}" if previous is not None else ""
    yield f"{'by age in days':<{width}} {''.join(f'{bucket:>7}' for bucket in BUCKETS)}{'all':>8}{change}  at risk"
    for code in codes:
        row = grid.get(code, {})
        cells = [row.get(bucket, Cell()) for bucket in BUCKETS]
        total = sum(cell.count for cell in cells)
        delta = f"{total - previous.get(code, 0):>+8,}" if previous is not None else ""
        counts = "".join(f"{cell.count or '.':>7}" for cell in cells)
        yield f"{shown(code):<{width}} {counts}{total:>8,}{delta}  {_risk(cells)}".rstrip()


def _risk(cells: list[Cell]) -> str:
    money: dict[str, Decimal] = {}
    for cell in cells:
        for currency, value in cell.money.items():
            money[currency] = money.get(currency, Decimal(0)) + value
    return amounts(dict(sorted(money.items()))) if money else ""


def _entry(found: Break, report: Report, personal: bool) -> Iterator[str]:
    which = f"return {found.return_id}" if found.return_id is not None else ""
    rma = f"RMA {found.consumer_return_id}" if found.consumer_return_id is not None else ""
    order = f"order {shown(found.order_name, personal=personal)}" if found.order_name else ""
    tracking = f"tracking {shown(found.tracking, personal=personal)}" if found.tracking else ""
    age = f"since {day(found.since)}, {count_of(days_of(found, report.at), 'day')}"
    yield "  ".join(part for part in (shown(found.code), which, rma, order, tracking, age, amount(found.money, found.currency)) if part)
    yield f"    {shown(found.reason, personal=personal)}"
    said = [
        f"{side}: {shown(word, personal=personal)}."
        for side, word in (("Loop", found.loop_says), ("Whiplash", found.whiplash_says))
        if word
    ]
    if said:
        yield f"    {' '.join(said)}"
    if found.acknowledged is not None:
        by = f" by {shown(found.acknowledged.by, personal=True)}" if personal and found.acknowledged.by else ""
        note = f": {shown(found.acknowledged.note, personal=personal)}" if found.acknowledged.note else ""
        yield f"    acknowledged until {day(found.acknowledged.until)}{by}{note}"
    yield f"    next ({shown(found.owner)}{', heals by itself' if found.heals else ''}): {shown(found.next_step, personal=personal)}"
