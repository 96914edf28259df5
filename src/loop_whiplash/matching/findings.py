"""The rules: what is wrong with a return, as drafts of findings, each naming its units, identifiers and setting.

Nothing here knows when a finding stops being curable; that is `judgement`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

from .identifiers import TIERS, carried, compare, conflicting, label, plain_text
from .policy import CONDITIONS, Policy, total_of
from .settlement import Settlement, outcome_of, worth
from .snapshots import Clock, Progress, later, utc

__all__ = ["JUDGED", "Case", "Draft", "day", "span"]

# https://docs.loopreturns.com: the states in which something may still be done; the others are closed and cancelled.
JUDGED = frozenset({"open", "review", "expired"})


@attrs.define
class Draft:
    """A finding before it has its ordinal and its place. `until`: when it stops being curable; None: it is final."""

    code: str
    units: tuple[str, ...]
    identifier: str | None
    message: str
    setting: str | None = None
    blocking: bool = True
    until: datetime | None = None


def day(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def span(length: timedelta) -> str:
    """
    >>> span(timedelta(days=3)), span(timedelta(hours=36))
    ('3 days', '36 hours')
    """
    seconds = int(length.total_seconds())
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0 and seconds:
            return f"{seconds // size} {word}{'' if seconds == size else 's'}"
    return "no time"


def named(unit: ExpectedUnit | ReceivedUnit) -> str:
    """``line 9001 (SHOE-42)`` or ``unit 77/1 (SHOE-42)``."""
    own = f"line {unit.line_id}" if isinstance(unit, ExpectedUnit) else f"unit {unit.id}"
    name = label(unit)
    if name is None:
        return own
    kind, _, value = name.partition(":")
    return f"{own} ({value if kind == 'sku' else f'{kind} {value}'})"


def opening(unit: ExpectedUnit | ReceivedUnit) -> str:
    """`named`, to open a sentence."""
    text = named(unit)
    return text[0].upper() + text[1:]


def repeated(ids: Sequence[str]) -> list[tuple[str, int]]:
    """What stands there more than once, and how often."""
    if len(set(ids)) == len(ids):
        return []
    return sorted((found, times) for found, times in Counter(ids).items() if times > 1)


@attrs.define
class Case:
    """One return at one time, with everything the rules look at."""

    rma: Rma
    receipts: Sequence[Receipt]
    settled: Settlement
    progress: Progress
    policy: Policy
    clock: Clock
    policy_in_doubt: bool = False
    tolerated_over: list[int] = attrs.field(factory=list)
    row_of: dict[int, int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.row_of = {column: row for row, (columns, _) in self.settled.by.items() for column in columns}

    def drafts(self) -> Iterator[Draft]:
        yield from self._over_and_unexpected()  # first: it says what surplus is tolerated
        yield from self._input()
        yield from self._unknown()
        yield from self._ambiguous()
        yield from self._missing()
        yield from self._pairs()
        yield from self._value()
        yield from self._place_and_time()
        yield from self._final()

    # ----------------------------------------------------------------------------------------------------- helpers

    @property
    def everything(self) -> tuple[str, ...]:
        return tuple([unit.line_id for unit in self.settled.expected] + [unit.id for unit in self.settled.received])

    def concerned(self, rows: Iterable[int], columns: Iterable[int]) -> tuple[str, ...]:
        """These units, their partners, and surplus allowed only because these lines are there: without them all, no trace is left."""
        settled = self.settled
        lines = sorted({*rows, *(self.row_of[column] for column in columns if column in self.row_of)})
        units = {*columns, *(column for row in lines if row in settled.by for column in settled.by[row][0])}
        for column in self.tolerated_over:
            if any(compare(settled.expected_ids[row], settled.received_ids[column]) is not None for row in lines):
                units.add(column)
        return tuple([settled.expected[row].line_id for row in lines] + [settled.received[column].id for column in sorted(units)])

    def _of(self, *receipts: Receipt) -> tuple[str, ...]:
        """What a finding about whole receipts concerns; of an empty one, everything."""
        ids = {unit.id for receipt in receipts for unit in receipt.units}
        return (
            self.concerned((), [column for column, unit in enumerate(self.settled.received) if unit.id in ids]) if ids else self.everything
        )

    @property
    def grace(self) -> str:
        return "short_grace_multi" if self.clock.several else "short_grace_single"

    # ------------------------------------------------------------------------------------------------------- input

    def _input(self) -> Iterator[Draft]:
        for receipt in self.receipts:
            which = f"receipt:{receipt.id}"
            if receipt.return_id is not None and receipt.return_id != self.rma.return_id:
                message = f"Receipt {receipt.id} is for return {receipt.return_id}, not for {self.rma.return_id}."
                yield Draft("WRONG_RETURN", self._of(receipt), which, message)
            for problem in receipt.problems:
                yield Draft(
                    "INVALID_RECEIPT", self._of(receipt), which, f"Receipt {receipt.id} cannot be relied on: {problem}.".replace("..", ".")
                )
            for line in receipt.lines:
                if line.quantity_good < 0 or line.quantity_damaged < 0:
                    counted = f"{line.quantity_good} good, {line.quantity_damaged} damaged"
                    message = f"Receipt {receipt.id} line {line.id} counts {counted}; correct it in Whiplash."
                    yield Draft("INVALID_RECEIPT", self._of(receipt), which, message)
        for line_id, times in repeated([unit.line_id.strip() for unit in self.rma.units]):
            rows = [row for row, unit in enumerate(self.settled.expected) if unit.line_id.strip() == line_id]
            units = self.concerned(rows, ()) or tuple([unit.line_id for unit in self.settled.left_out if unit.line_id.strip() == line_id])
            yield Draft("DUPLICATE_LINE", units, f"line:{line_id}", f"Line {line_id} stands in the return {times} times.")
        ids = [unit.id for unit in self.settled.received]
        for unit_id, times in repeated(ids):
            units = self.concerned((), [column for column, found in enumerate(ids) if found == unit_id])
            yield Draft("DUPLICATE_UNIT", units, f"unit:{unit_id}", f"Unit {unit_id} was received {times} times.")

    def _unknown(self) -> Iterator[Draft]:
        state = plain_text(self.rma.state)
        if state not in JUDGED:
            message = f"Loop says the return is {state!r}, which is no state we know."
            yield Draft("UNKNOWN_VALUE", self.everything, f"state:{state}", message, "unknown_grace")
        for receipt in self.receipts:
            if receipt.status is not None and receipt.status not in self.policy.compiled.statuses:
                message = f"Whiplash gives receipt {receipt.id} the status {receipt.status}, which is none we know."
                yield Draft("UNKNOWN_VALUE", self._of(receipt), f"status:{receipt.status}", message, "final_statuses")
        conditions: dict[str, list[int]] = {}
        for column, unit in enumerate(self.settled.received):
            if unit.condition is not None and unit.condition not in CONDITIONS:
                conditions.setdefault(unit.condition, []).append(column)
        for condition, columns in conditions.items():
            message = f"{len(columns)} unit{' is' if len(columns) == 1 else 's are'} graded {condition!r}, which is no condition we know."
            yield Draft("UNKNOWN_VALUE", self.concerned((), columns), f"condition:{condition}", message)
        outcomes: dict[str, list[int]] = {}
        for row, wanted in enumerate(self.settled.expected):
            for word in (outcome_of(wanted, self.rma) or "default").split("+"):
                if word not in self.policy.compiled.outcomes:
                    outcomes.setdefault(word, []).append(row)
        for outcome, rows in outcomes.items():
            message = f"The outcome {outcome!r} is none we know; if it is right, add it to known_outcomes."
            yield Draft("UNKNOWN_VALUE", self.concerned(rows, ()), f"outcome:{outcome}", message, "known_outcomes")

    # ------------------------------------------------------------------------------------------------ who is whose

    def _ambiguous(self) -> Iterator[Draft]:
        for rows, columns in self.settled.assignment.ambiguous:
            units = [self.settled.expected[row].line_id for row in rows] + [self.settled.received[column].id for column in columns]
            name = min(filter(None, [label(self.settled.expected[row]) for row in rows]))
            message = f"{len(rows)} expected and {len(columns)} received units could be each other; a person has to tell them apart."
            yield Draft("TOO_AMBIGUOUS", tuple(units), name, message)

    def _over_and_unexpected(self) -> Iterator[Draft]:
        settled = self.settled
        for row, column in settled.instead.items():
            wanted, came = settled.expected[row], settled.received[column]
            message = f"{opening(came)} came instead of {named(wanted)}: another variant of the same product."
            yield Draft("SUBSTITUTED_VARIANT", (wanted.line_id, came.id), f"{label(came)} for {label(wanted)}", message, "substitutes")
        if not settled.leftover:
            return
        lines = {plain_text(unit.line_id) for unit in self.rma.units}
        over: list[int] = []
        other: list[int] = []
        for column in settled.leftover:
            line = settled.received_ids[column][0]
            stray = line is not None and line not in lines
            (over if column in settled.assignment.linked and not stray else other).append(column)
        if self._within(len(over), self._over_value(over), self.policy.over_units, self.policy.over_value):
            self.tolerated_over = over
        for column in over:
            unit = settled.received[column]
            most, value = self.policy.over_units, self.policy.over_value
            setting = (
                "over_value" if value is not None and (most is None or (len(over) <= most and not self.tolerated_over)) else "over_units"
            )
            if self.tolerated_over:
                message = f"{opening(unit)} is one more than expected, which {setting} allows."
            else:
                message = f"{opening(unit)} is one more than expected."
            yield Draft("OVER", (unit.id,), label(unit), message, setting, blocking=not self.tolerated_over)
        for column in other:
            yield self._unexpected(column, lines)

    def _unexpected(self, column: int, lines: set[str | None]) -> Draft:
        unit, ids = self.settled.received[column], self.settled.received_ids[column]
        accept = self.policy.unexpected == "accept"
        if ids[0] is not None and ids[0] not in lines:
            message = f"{opening(unit)} belongs to line {ids[0]}, which is not, or no longer, in this return."
            return Draft("WRONG_LINE_OF_ORDER", (unit.id,), label(unit), message)
        if label(unit) is None:
            return Draft("UNKNOWN_ITEM", (unit.id,), None, f"Unit {unit.id} carries no identifier; find out what it is.")
        message = f"{opening(unit)} is not in this return."
        kept = [line for line in self.settled.left_out if compare(carried(line, self.policy.compiled.ignore_case), ids) is not None]
        if kept:
            message = f"{opening(unit)} came for line {kept[0].line_id}, which was not to come here."
        return Draft("UNEXPECTED", (unit.id,), label(unit), message, "unexpected", blocking=not accept)

    def _missing(self) -> Iterator[Draft]:
        settled = self.settled
        if settled.expected and not settled.received:
            units = tuple([unit.line_id for unit in settled.expected])
            what = f"{len(units)} unit{'' if len(units) == 1 else 's'} expected, none counted"
            if self.progress.open:
                yield Draft("NOTHING_COUNTED", units, None, f"{what}; the box is in the warehouse.", "unfinished_grace")
            elif self.progress.finals:
                yield Draft("NOTHING_COUNTED", units, None, f"{what}, and counting is over.", self.grace)
            else:
                yield Draft("NOTHING_COUNTED", units, None, f"{what}; nothing has arrived.", "arrival_grace")
            return
        for row, columns in settled.partial.items():
            wanted = settled.expected[row]
            needs = self.policy.compiled.bundles[settled.expected_ids[row][2]]
            came: dict[str | None, int] = {}
            for column in columns:
                came[settled.received_ids[column][2]] = came.get(settled.received_ids[column][2], 0) + 1
            lacks = ", ".join(f"{count - came.get(part, 0)} × {part}" for part, count in needs.items() if came.get(part, 0) < count)
            message = f"{opening(wanted)} came in parts, and not all of them: {lacks} missing."
            units = (wanted.line_id, *(settled.received[column].id for column in columns))
            yield Draft("SHORT", units, label(wanted), message, "bundles")
        # A tolerance never pays for a return of which nothing came.
        tolerated = bool(settled.by) and self._within(
            len(settled.short), self._short_value(), self.policy.under_units, self.policy.under_value
        )
        for row in settled.short:
            wanted = settled.expected[row]
            if tolerated:
                setting = "under_units" if self.policy.under_units is not None else "under_value"
                message = f"{opening(wanted)} was not counted, which {setting} allows."
            else:
                setting = self.grace
                message = f"{opening(wanted)} was not counted."
            yield Draft("SHORT", (wanted.line_id,), label(wanted), message, setting, blocking=not tolerated)

    @staticmethod
    def _within(units: int, value: Decimal | int | None, most_units: int | None, most_value: Decimal | None) -> bool:
        """Both limits that are set hold: the lower wins. None set allows nothing."""
        if most_units is None and most_value is None:
            return False
        if most_units is not None and units > most_units:
            return False
        return most_value is None or (value is not None and value <= most_value)

    def _short_value(self) -> Decimal | int | None:
        values = [worth(self.settled.expected[row]) for row in self.settled.short]
        return None if None in values else sum(filter(None, values))

    def _over_value(self, over: Sequence[int]) -> Decimal | None:
        """A surplus unit is worth the dearest line it could be."""
        if self.policy.over_value is None:
            return None
        total = Decimal(0)
        for column in over:
            values = [worth(self.settled.expected[row]) for row in self._neighbours(column)]
            known = [value for value in values if value is not None]
            if not known or len(known) < len(values):
                return None
            total += max(known)
        return total

    def _neighbours(self, column: int) -> dict[int, int]:
        """The lines it might be, each with the number of identifiers on which they disagree."""
        ids = self.settled.received_ids[column]
        edges = [(row, compare(wanted, ids)) for row, wanted in enumerate(self.settled.expected_ids)]
        return {row: edge[1] for row, edge in edges if edge is not None}

    # ------------------------------------------------------------------------------------------------ what was paired

    def _pairs(self) -> Iterator[Draft]:
        settled = self.settled
        for row in settled.disagreeing:
            columns, how = settled.by[row]
            for kind in conflicting(settled.expected_ids[row], settled.received_ids[columns[0]]):
                wanted, came = settled.expected[row], settled.received[columns[0]]
                ours, theirs = settled.expected_ids[row][kind], settled.received_ids[columns[0]][kind]
                message = f"{opening(wanted)} and {named(came)} agree on {how}, but the {TIERS[kind]} is {ours} here and {theirs} there."
                yield Draft("IDENTIFIER_CONFLICT", self.concerned((row,), ()), f"{TIERS[kind]}:{ours}", message)
        for column in self.tolerated_over:
            # Surplus is allowed only of what was expected for certain.
            if all(self._neighbours(column).values()):
                came = settled.received[column]
                message = f"{opening(came)} agrees with a line of this return on one identifier and not on another."
                yield Draft("IDENTIFIER_CONFLICT", (came.id,), label(came), message)
        if self.policy.match_level < 4:
            return
        accepted = [*self.row_of, *self.tolerated_over]
        if self.policy.unexpected == "accept":
            accepted += [column for column in settled.leftover if column not in settled.assignment.linked]
        for column in sorted(accepted):
            if settled.received[column].condition != CONDITIONS[-1]:
                yield from self._condition(column)

    def _condition(self, column: int) -> Iterator[Draft]:
        came = self.settled.received[column]
        if came.condition is None:
            if self.policy.require_grading:
                message = f"{opening(came)} was not graded."
                yield Draft("CONDITION_UNKNOWN", self.concerned((), (column,)), label(came), message, "grading_grace")
        elif came.condition in CONDITIONS:
            least, setting = self._least(column)
            if CONDITIONS.index(came.condition) < least:
                message = f"{opening(came)} is {came.condition}; {setting} asks for {CONDITIONS[least]}."
                yield Draft("CONDITION_BELOW_MIN", self.concerned((), (column,)), label(came), message, setting)

    def _least(self, column: int) -> tuple[int, str]:
        """What is asked of a unit: by the strictest line it could be, so that it never matters which of equal units is the damaged one."""
        by_outcome = self.policy.min_condition_by_outcome
        always = CONDITIONS.index(self.policy.min_condition), "min_condition"
        if not by_outcome:
            return always
        near, own = self._neighbours(column), self.row_of.get(column)
        words: list[str] = []
        for row, wanted in enumerate(self.settled.expected):
            if row in near or row == own:
                outcome = outcome_of(wanted, self.rma) or "default"
                words += [outcome] if outcome in by_outcome else outcome.split("+")
        asked = [(CONDITIONS.index(by_outcome[word]), "min_condition_by_outcome") if word in by_outcome else always for word in words]
        return max(asked, default=always)

    # -------------------------------------------------------------------------------------------- value, place, time

    def _value(self) -> Iterator[Draft]:
        policy = self.policy
        if not self.everything:
            return  # all of it stays with the shopper or goes elsewhere: nothing is paid on our count
        amounts = [name for name in ("under_value", "over_value", "review_above_value") if getattr(policy, name) is not None]
        if policy.currency is not None and amounts and plain_text(self.rma.currency) != policy.currency:
            theirs = plain_text(self.rma.currency)
            message = f"The return is in {theirs or 'no known currency'}, {', '.join(amounts)} in {policy.currency}."
            yield Draft("CURRENCY_MISMATCH", self.everything, f"currency:{theirs or 'unknown'}", message, "currency")
        if self.policy_in_doubt:
            message = "What this return releases is not known, and a profile goes by it."
            yield Draft("VALUE_UNKNOWN", self.everything, None, message, "profiles")
        if policy.review_above_value is not None:
            total = total_of(self.rma)
            if total is None:
                yield Draft("VALUE_UNKNOWN", self.everything, None, "What this return releases is not known.", "review_above_value")
            elif total > policy.review_above_value:
                message = f"It releases {total}, more than {policy.review_above_value}."
                yield Draft("VALUE_ABOVE_LIMIT", self.everything, None, message, "review_above_value")

    def _place_and_time(self) -> Iterator[Draft]:
        for receipt in self.receipts:
            if self.policy.warehouses and receipt.units and receipt.warehouse_id not in self.policy.warehouses:
                which = "unknown" if receipt.warehouse_id is None else str(receipt.warehouse_id)
                where = f"warehouse {which}" if receipt.warehouse_id is not None else "a warehouse that is not known"
                message = f"Receipt {receipt.id} was counted at {where}."
                yield Draft("WRONG_DESTINATION", self._of(receipt), f"warehouse:{which}", message, "warehouses")
        for unit in self.settled.left_out:
            message = f"{opening(unit)} stays with the shopper or goes elsewhere; it is not judged."
            yield Draft("LEFT_OUT", (unit.line_id,), label(unit), message, blocking=False)
        yield from self._late()

    def _late(self) -> Iterator[Draft]:
        """Each parcel by itself: one in time does not make up for another that was not."""
        names = ("days_late_flag", "days_late_warn")
        limits = {name: limit for name in names if (limit := getattr(self.policy, name)) is not None}
        if not limits:
            return
        created = utc(self.rma.created_at)
        arrivals = [(utc(receipt.arrived_at or receipt.received_at), receipt) for receipt in self.receipts if receipt.units]
        unknown = [receipt for time, receipt in arrivals if created is None or time is None]
        if unknown and "days_late_flag" in limits:
            message = f"When {'the return was made' if created is None else 'goods arrived'} is not known."
            yield Draft("ARRIVAL_UNKNOWN", self._of(*unknown), None, message, "days_late_flag")
        if created is None:
            return
        for setting, limit in limits.items():
            ends = later(created, timedelta(days=limit))
            late = [(time, receipt) for time, receipt in arrivals if time is not None and time > ends]
            if late:
                days = (max(time for time, _ in late) - created).days
                message = f"Goods arrived {days} days after the return was made; {setting} is {limit}."
                units = self._of(*[receipt for _, receipt in late])
                yield Draft("LATE", units, None, message, setting, blocking=setting == "days_late_flag")
                return

    # ------------------------------------------------------------------------------------------------- final or not

    def _final(self) -> Iterator[Draft]:
        if not self.settled.received:
            return
        for receipt in self.progress.open:
            count = len(receipt.units)
            message = f"Receipt {receipt.id} is still being counted: {count} unit{'' if count == 1 else 's'} so far."
            until = self.clock.counted_until(receipt)
            yield Draft("RECEIPT_NOT_FINAL", self._of(receipt), f"receipt:{receipt.id}", message, "unfinished_grace", until=until)
        if self.policy.settle_window and not self.progress.open:
            counted = self.clock.counted_at
            rests = None if counted is None else later(counted, self.policy.settle_window)
            if rests is None or self.clock.at < rests:
                how_long = f"until {day(rests)}" if rests else "but when it was counted is not known"
                message = f"A finished receipt rests {span(self.policy.settle_window)}, {how_long}."
                yield Draft("SETTLING", self.everything, None, message, "settle_window", until=rests)
