"""Reading one side: rows of any accepted shape, and an honest account of what could not be read.

A side that stops with an error is not whole, whatever the error was: nothing is then concluded from what it did not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import attrs

from loop_whiplash.decoding import Unreadable
from loop_whiplash.decoding.values import read_ident, read_number_id
from loop_whiplash.errors import ConfigurationError, DecodeError, ListIncomplete, LoopWhiplashError

from .report import SideReport

__all__ = ["Reading", "original_id_in", "problem_of", "return_id_in"]

T = TypeVar("T")

#: So many examples of one kind of note or problem are told; the rest are counted.
EXAMPLES = 5


@attrs.define(kw_only=True)
class Reading:
    """What is known of one side while it is read.

    `unreadable`: rows that were there and could not be read, as (id, what is wrong), from a list that names them at its end.
    """

    name: str
    rows: int = 0
    complete: bool = True
    problems: list[str] = attrs.field(factory=list)
    unreadable: list[tuple[str, str]] = attrs.field(factory=list)
    differing: int = 0
    differing_examples: list[str] = attrs.field(factory=list)
    nameless: int = 0
    strangers: int = 0

    def read(self, rows: Iterable[T]) -> Iterator[T]:
        """The rows, one after the other; an error while reading ends them and marks the side."""
        if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
            raise ConfigurationError(f"reconcile() takes an iterable of {self.name} rows, one a return; it got a {type(rows).__name__}")
        try:
            for row in rows:
                self.rows += 1
                yield row
        except ListIncomplete as unread:
            self.unreadable.extend(unread.unreadable)
            if unread.windows or unread.missing or not unread.unreadable:
                self.fail(f"{unread}")
        except Exception as broken:
            self.fail(f"reading stopped after {self.rows:,} rows: {problem_of(broken)}")

    def fail(self, why: str) -> None:
        """The side is not whole."""
        self.complete = False
        if why not in self.problems:
            self.problems.append(why)

    def nobodys(self, what: str) -> None:
        """A row that cannot be read and does not say whose it is: any return may be the one that lacks it."""
        self.nameless += 1
        if self.nameless <= EXAMPLES:
            self.fail(f"row {self.rows:,} cannot be read and names no return: {what}")
        self.complete = False

    def report(self) -> SideReport:
        """The account, for the report."""
        problems = list(self.problems)
        if self.nameless > EXAMPLES:
            problems.append(f"and {self.nameless - EXAMPLES:,} more such rows")
        notes = []
        if self.differing:
            more = f" and {self.differing - len(self.differing_examples):,} more" if self.differing > len(self.differing_examples) else ""
            examples = ", ".join(sorted(self.differing_examples))
            times = "once" if self.differing == 1 else f"{self.differing:,} times"
            notes.append(f"A row came again with different content {times}, and the newest was taken: {examples}{more}.")
        return SideReport(name=self.name, complete=self.complete, rows=self.rows, problems=problems, notes=notes, strangers=self.strangers)


def problem_of(error: Exception) -> str:
    """What an error says, without what it may quote: our own errors are made to be shown, others may hold a row."""
    if isinstance(error, DecodeError):
        return "; ".join(error.problems[:3]) or str(error)
    if isinstance(error, (LoopWhiplashError, OSError)):
        return str(error) or type(error).__name__
    return type(error).__name__


def return_id_in(row: Any) -> int | None:
    """The id of a row that cannot be read as a whole, where at least that can."""
    try:
        return read_number_id(row["id"])
    except (Unreadable, LookupError, TypeError):
        return None


def original_id_in(row: Any) -> str | None:
    """The original id of a consumer return that cannot be read as a whole, where at least that can."""
    try:
        return read_ident(row["originator"]["original_id"])
    except (Unreadable, LookupError, TypeError):
        return None
