"""How numbers, money, times and sides are said; the same words in every rendering."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from loop_whiplash.redaction import shown

from .report import BLIND, COUNTED_ONLY, Report, SideReport

__all__ = ["amount", "amounts", "at_risk", "count_of", "day", "headline", "moment", "side_sentence", "verdict_sentence", "what_was_read"]


def moment(time: datetime | None) -> str:
    """A time to the minute in UTC, e.g. ``2026-03-01 06:00 UTC``."""
    return f"{time.astimezone(UTC).isoformat(' ', 'minutes')[:16]} UTC" if time is not None else "unknown"


def day(time: datetime | None) -> str:
    """A day in UTC, e.g. ``2026-03-01``."""
    return time.astimezone(UTC).date().isoformat() if time is not None else "unknown"


def amount(money: Decimal | None, currency: str | None) -> str:
    """An amount with its currency, e.g. ``1,234.50 EUR``; ``""`` where it is not known."""
    if money is None:
        return ""
    return f"{money:,f} {shown(currency) or 'of unknown currency'}"


def amounts(money: Mapping[str, Decimal]) -> str:
    """Several currencies, e.g. ``12.00 EUR, 3.50 USD``; ``nothing`` for none."""
    return ", ".join(amount(value, currency) for currency, value in money.items()) or "nothing"


def count_of(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun, e.g. ``1 return``, ``1,204 returns``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def side_sentence(side: SideReport, *, personal: bool = False) -> str:
    """How much of one side was read; "not read whole" never looks like "nothing there"."""
    return f"{'read whole' if side.complete else 'NOT READ WHOLE'}, {what_was_read(side, personal=personal)}"


def what_was_read(side: SideReport, *, personal: bool = False) -> str:
    """Rows, window, and what was wrong with them."""
    said = count_of(side.rows, "row")
    if side.since is not None or side.until is not None:
        said += f" of {moment(side.since)} to {moment(side.until)}"
    if side.strangers:
        said += f", {side.strangers:,} of them for no return of this shop"
    problems = "; ".join(shown(problem, personal=personal).rstrip(".") for problem in side.problems)
    if not side.complete:
        return f"{said}: {problems or 'no reason was given'}. Nothing is concluded from what is not there."
    return f"{said}. {problems}." if problems else f"{said}."


def verdict_sentence(report: Report) -> str:
    """What the whole comes to, in one sentence."""
    totals = report.totals
    if not report.sides:
        return f"{count_of(totals.breaks, 'break')}; how much of both systems was read is not known."
    blind = " and ".join(shown(side.name) for side in report.sides if not side.complete)
    if blind:
        seen = sum(found.code != BLIND and found.code not in COUNTED_ONLY for found in report.breaks)
        found = count_of(seen, "break") if seen else "Nothing was found"
        return f"{found} among what could be read; {blind} could not be read whole, so there may be more."
    if not totals.breaks:
        return "No breaks: both systems were read whole and agree."
    return f"{count_of(totals.breaks, 'break')} on {count_of(totals.returns, 'return')}; both systems were read whole."


def at_risk(report: Report) -> list[str]:
    """The money at risk, an amount for each currency; what is known of it where a side was not read whole."""
    said = [amount(value, currency) for currency, value in report.money.items()]
    if report.complete:
        return said or ["nothing"]
    return [f"at least {each}" for each in said] or ["not known"]


def headline(report: Report) -> list[tuple[str, str]]:
    """The head line as label and value, in the order they are shown."""
    totals = report.totals
    lines = [("Open", verdict_sentence(report))]
    if totals.breaks:
        lines.append(("At risk", ", ".join(at_risk(report))))
        lines.append(("Of these", f"{totals.heals:,} heal; {totals.acknowledged:,} acknowledged, {totals.unacknowledged:,} not"))
    if totals.oldest is not None:
        lines.append(("Oldest", f"since {day(totals.oldest.since)}, {shown(totals.oldest.code)}{_whose(totals.oldest.return_id)}"))
    rate = report.capture_rate
    if rate is None:
        lines.append(("Webhooks", "capture rate not known"))
    else:
        told = f"{report.captured:,} of {report.captured + report.missed:,}"
        lines.append(("Webhooks", f"captured {rate:.1%}: {told}, {report.missed:,} found by a sweep only"))
    if report.actions:
        done = ", ".join(f"{name} {number:,}" for name, number in sorted(report.actions.items()))
        lines.append(("Healed", f"{report.healed:,} in this run: {done}"))
    if report.unjudged:
        lines.append(("Not judged", f"{count_of(report.unjudged, 'return')}, as a side was not read whole"))
    if report.agreement:
        said = ", ".join(f"{what} {number:,}" for what, number in sorted(report.agreement.items()))
        lines.append(("Shadow", f"what would have been done / what happened: {said}"))
    return lines


def _whose(return_id: int | None) -> str:
    return f" of return {return_id}" if return_id is not None else ""
