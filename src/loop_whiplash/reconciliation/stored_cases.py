"""Cases of many broken returns, a few hundred bytes each until somebody looks.

Like the compact record of an RMA: a flat tuple written with `marshal`, read back by this process alone. Words that come
again (titles, SKUs, statuses, sentences) are numbered.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from loop_whiplash.matching.decision import Finding

from .case import CaseKey, CaseView, HistoryEntry, UnitView
from .compact import seconds_of, time_of

__all__ = ["StoredCases"]

#: So many words are numbered; what comes later is written out each time.
_WORDS = 16_384

_NEVER = datetime.min.replace(tzinfo=UTC)

Word = int | str | None


class StoredCases(Mapping[CaseKey, CaseView]):
    """Case key → `CaseView`, read when asked for."""

    def __init__(self) -> None:
        self._stored: dict[CaseKey, bytes] = {}
        self._numbers: dict[str, int] = {}
        self._words: list[str] = []

    def __getitem__(self, key: CaseKey) -> CaseView:
        return self._read(marshal.loads(self._stored[key]))  # noqa: S302 - written by this very process # nosec B302

    def __iter__(self) -> Iterator[CaseKey]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def drop(self, key: CaseKey) -> None:
        """Forget one case, if it is there."""
        self._stored.pop(key, None)

    def put(self, key: CaseKey, case: CaseView) -> None:
        """Keep one case."""
        word = self._word
        units: list[Any] = []
        for unit in case.units:
            value = None if unit.value is None else str(unit.value)
            units += (word(unit.status), unit.line_id, unit.received_id, word(unit.sku), word(unit.title), value, word(unit.outcome))
            units += (word(unit.condition), word(unit.identifier))
        history: list[Any] = []
        for entry in case.history:
            history += (seconds_of(entry.at), word(entry.what), word(entry.source), entry.consumer_return_id)
        findings = [
            (
                word(found.code),
                word(found.message),
                found.blocking,
                found.curable,
                found.units,
                word(found.identifier),
                seconds_of(found.until),
            )
            for found in case.findings
        ]
        said = (
            case.return_id, case.consumer_return_ids, word(case.state), word(case.currency), word(case.verdict), word(case.headline),
            word(case.counterfactual), [word(reason) for reason in case.reasons], findings, units, history, [*case.personal.items()],
        )  # fmt: skip
        self._stored[key] = marshal.dumps(said)

    def _word(self, text: str | None) -> Word:
        if text is None:
            return None
        number = self._numbers.get(text)
        if number is None:
            if len(self._words) >= _WORDS:
                return text
            number = self._numbers[text] = len(self._words)
            self._words.append(text)
        return number

    def _text(self, word: Word) -> str:
        return self._words[word] if isinstance(word, int) else word or ""

    def _maybe(self, word: Word) -> str | None:
        return None if word is None else self._text(word)

    def _read(self, said: tuple[Any, ...]) -> CaseView:
        return_id, row_ids, state, currency, verdict, headline, counterfactual, reasons, findings, units, history, personal = said
        return CaseView(
            return_id=return_id,
            consumer_return_ids=row_ids,
            state=self._text(state),
            currency=self._maybe(currency),
            verdict=self._maybe(verdict),
            headline=self._maybe(headline),
            counterfactual=self._maybe(counterfactual),
            reasons=[self._text(reason) for reason in reasons],
            findings=[self._finding(*found) for found in findings],
            units=[self._unit(*units[at : at + 9]) for at in range(0, len(units), 9)],
            history=[self._entry(*history[at : at + 4]) for at in range(0, len(history), 4)],
            personal=dict(personal),
        )

    def _finding(self, code: Word, message: Word, blocking: bool, curable: bool, units: Any, identifier: Word, until: Any) -> Finding:
        return Finding(
            code=self._text(code),
            message=self._text(message),
            blocking=blocking,
            curable=curable,
            units=units,
            identifier=self._maybe(identifier),
            until=time_of(until),
        )

    def _unit(
        self,
        status: Word,
        line_id: str | None,
        received_id: str | None,
        sku: Word,
        title: Word,
        value: str | None,
        outcome: Word,
        condition: Word,
        identifier: Word,
    ) -> UnitView:
        return UnitView(
            status=self._text(status),
            line_id=line_id,
            received_id=received_id,
            sku=self._maybe(sku),
            title=self._maybe(title),
            value=None if value is None else Decimal(value),
            outcome=self._maybe(outcome),
            condition=self._maybe(condition),
            identifier=self._maybe(identifier),
        )

    def _entry(self, seconds: Any, what: Word, source: Word, row_id: int | None) -> HistoryEntry:
        return HistoryEntry(at=time_of(seconds) or _NEVER, what=self._text(what), source=self._text(source), consumer_return_id=row_id)
