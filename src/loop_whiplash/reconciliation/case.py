"""One return, unit by unit, with what happened to it: what stands behind a break when somebody asks why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from loop_whiplash.matching.decision import Decision, Finding
from loop_whiplash.planning.model import Break
from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

__all__ = ["CaseKey", "CaseView", "HistoryEntry", "UnitView", "case_from_dict", "case_key", "case_to_dict", "view_case"]

CaseKey = int | str
"""A Loop return id; ``"rma-55"`` for a consumer return that belongs to no return."""


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _numbers(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(values)


def _units(values: Iterable[UnitView]) -> tuple[UnitView, ...]:
    return tuple(values)


def _findings(values: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(values)


def _entries(values: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class UnitView:
    """One unit: as it was expected, as it was counted, or both with the identifier that ties them.

    `status`: ``paired``, ``missing`` (expected, and nothing counted settles it), ``unexpected`` (counted, and nothing
    expected wants it), ``left out`` (not judged), ``expected`` or ``counted`` where nobody has compared the two.
    `value` is in the currency of the case.
    """

    status: str
    line_id: str | None = None
    received_id: str | None = None
    sku: str | None = None
    title: str | None = None
    value: Decimal | None = None
    outcome: str | None = None
    condition: str | None = None
    identifier: str | None = None


@attrs.frozen(kw_only=True)
class HistoryEntry:
    """One thing that happened. `at` is aware and in UTC; `what` is a sentence, `source` who says so, `consumer_return_id` of which RMA."""

    at: datetime
    what: str
    source: str = ""
    consumer_return_id: int | None = None


@attrs.frozen(kw_only=True)
class CaseView:
    """What the drill-down of one return shows.

    Attributes:
        return_id: Loop's, None where it knows none. consumer_return_ids: the RMAs in Whiplash.
        state: Loop's word. currency: of the units' values.
        verdict, headline, counterfactual: the matcher's, where it was asked. reasons: the plan's, in sentences.
        findings: what the matcher noticed. units: every expected and every counted unit, each once.
        history: oldest first. personal: name, e-mail and status page; shown only when asked for.
    """

    return_id: int | None = None
    consumer_return_ids: tuple[int, ...] = attrs.field(default=(), converter=_numbers)
    state: str = ""
    currency: str | None = None
    verdict: str | None = None
    headline: str | None = None
    counterfactual: str | None = None
    reasons: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    findings: tuple[Finding, ...] = attrs.field(default=(), converter=_findings)
    units: tuple[UnitView, ...] = attrs.field(default=(), converter=_units)
    history: tuple[HistoryEntry, ...] = attrs.field(default=(), converter=_entries)
    personal: Mapping[str, str] = attrs.field(factory=dict, repr=False)


def case_key(found: Break) -> CaseKey | None:
    """The key of the case a break belongs to; None for one that is about a whole side."""
    if found.return_id is not None:
        return found.return_id
    return f"rma-{found.consumer_return_id}" if found.consumer_return_id is not None else None


# ------------------------------------------------------------------------------------------------------ from values


def view_case(
    *,
    return_id: int | None,
    rma: Rma | None,
    receipts: Iterable[Receipt] = (),
    loop_read: bool = True,
    decision: Decision | None = None,
    reasons: Iterable[str] = (),
    history: Iterable[HistoryEntry] = (),
    personal: Mapping[str, str] | None = None,
) -> CaseView:
    """A case from both sides' word and, where the matcher was asked, its decision. `history` is added to what the two sides date.

    `loop_read` False: no `rma` does not mean that Loop knows none.
    """
    receipts = tuple(receipts)
    told = sorted((*_dated(rma, receipts), *history), key=lambda entry: entry.at)
    return CaseView(
        return_id=return_id,
        consumer_return_ids=tuple(receipt.id for receipt in receipts),
        state=rma.state if rma is not None else "unknown to Loop" if loop_read else "not read",
        currency=rma.currency if rma is not None else None,
        verdict=decision.verdict.value if decision is not None else None,
        headline=decision.headline if decision is not None else None,
        counterfactual=decision.counterfactual if decision is not None else None,
        reasons=tuple(reasons),
        findings=decision.findings if decision is not None else (),
        units=tuple(_compared(rma, receipts, decision)),
        history=told,
        personal=personal or {},
    )


def _compared(rma: Rma | None, receipts: tuple[Receipt, ...], decision: Decision | None) -> Iterator[UnitView]:
    counted = {unit.id: unit for receipt in receipts for unit in receipt.units}
    expected = rma.units if rma is not None else ()
    if decision is None:
        yield from (_expected(unit, "expected") for unit in expected)
        yield from (_counted(unit, "counted") for unit in counted.values())
        return
    pairs = {pair.line_id: pair for pair in decision.pairs}
    left_out = frozenset(decision.left_out)
    settled: set[str] = set()
    for unit in expected:
        pair = pairs.get(unit.line_id)
        if pair is None:
            yield _expected(unit, "left out" if unit.line_id in left_out else "missing")
            continue
        partner = counted.get(pair.received_id)
        settled.update((pair.received_id, *pair.also))
        yield UnitView(
            status="paired",
            line_id=unit.line_id,
            received_id=", ".join((pair.received_id, *pair.also)) if pair.also else pair.received_id,
            sku=unit.sku,
            title=unit.title,
            value=unit.value,
            outcome=unit.outcome,
            condition=partner.condition if partner is not None else None,
            identifier=pair.identifier,
        )
    yield from (_counted(unit, "unexpected") for unit in counted.values() if unit.id not in settled)


def _expected(unit: ExpectedUnit, status: str) -> UnitView:
    return UnitView(status=status, line_id=unit.line_id, sku=unit.sku, title=unit.title, value=unit.value, outcome=unit.outcome)


def _counted(unit: ReceivedUnit, status: str) -> UnitView:
    return UnitView(status=status, line_id=unit.line_id, received_id=unit.id, sku=unit.sku or _otherwise(unit), condition=unit.condition)


def _otherwise(unit: ReceivedUnit) -> str | None:
    return f"item {unit.item_id}" if unit.item_id is not None else unit.barcode


def _dated(rma: Rma | None, receipts: tuple[Receipt, ...]) -> Iterator[HistoryEntry]:
    if rma is not None:
        label = "/".join(rma.label_statuses)
        for at, what in (
            (rma.created_at, "The return was made."),
            (rma.label_updated_at, f"Its label became {label}." if label else "Its label changed."),
            (rma.released_at, "Value was released."),
            (rma.updated_at, f"Last change; it is {rma.state}."),
        ):
            if at is not None:
                yield HistoryEntry(at=at, what=what, source="Loop")
    for receipt in receipts:
        for at, what in (
            (receipt.created_at, "The RMA was made."),
            (receipt.delivered_at, "The parcel was delivered."),
            (receipt.arrived_at, "The parcel arrived."),
            (receipt.completed_at, "Counting was completed."),
            (receipt.updated_at, f"Last change; status {receipt.status}, {len(receipt.units)} counted."),
        ):
            if at is not None:
                yield HistoryEntry(at=at, what=what, source="Whiplash", consumer_return_id=receipt.id)


# ---------------------------------------------------------------------------------------------------------- as JSON


def case_to_dict(case: CaseView, *, personal: bool = False) -> dict[str, Any]:
    """Plain JSON values; what is None or empty is left out, personal data too unless asked for."""
    said: dict[str, Any] = {
        "return_id": case.return_id,
        "consumer_return_ids": list(case.consumer_return_ids),
        "state": case.state,
        "currency": case.currency,
        "verdict": case.verdict,
        "headline": case.headline,
        "counterfactual": case.counterfactual,
        "reasons": list(case.reasons),
        "findings": [_finding(found) for found in case.findings],
        "units": [_plain({name: getattr(unit, name) for name in _UNIT}) for unit in case.units],
        "history": [
            _plain({"at": entry.at.isoformat(), "what": entry.what, "source": entry.source, "consumer_return_id": entry.consumer_return_id})
            for entry in case.history
        ],
    }
    if personal:
        said["personal"] = dict(case.personal)
    return _plain(said)


_UNIT = tuple(field.name for field in attrs.fields(UnitView))


def _finding(found: Finding) -> dict[str, Any]:
    until = found.until.isoformat() if found.until is not None else None
    return _plain(
        {
            "code": found.code,
            "message": found.message,
            "blocking": found.blocking,
            "curable": found.curable,
            "units": list(found.units),
            "until": until,
        }
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items() if value not in (None, "", [], {})}


def case_from_dict(said: Mapping[str, Any]) -> CaseView:
    """What `case_to_dict` gave."""
    units = (dict(unit) for unit in said.get("units", ()))
    return CaseView(
        return_id=said.get("return_id"),
        consumer_return_ids=said.get("consumer_return_ids", ()),
        state=said.get("state", ""),
        currency=said.get("currency"),
        verdict=said.get("verdict"),
        headline=said.get("headline"),
        counterfactual=said.get("counterfactual"),
        reasons=said.get("reasons", ()),
        findings=(Finding(**{**found, "until": _time(found.get("until"))}) for found in said.get("findings", ())),
        units=(UnitView(**{**unit, "value": Decimal(unit["value"]) if "value" in unit else None}) for unit in units),
        history=(HistoryEntry(**{**entry, "at": datetime.fromisoformat(entry["at"])}) for entry in said.get("history", ())),
        personal=said.get("personal", {}),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
