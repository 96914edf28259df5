"""Identifiers: what a unit carries, brought to one form, and when two units may be the same thing.

Five kinds can pair, strongest first: Loop line, Whiplash item, SKU, barcode, variant. Two units may pair only if the
*strongest kind that both carry* agrees; a weaker shared kind that disagrees keeps the pair and is a conflict. Titles
never pair anything. The relation is not transitive, which is why nothing here groups units into classes.

Barcodes: GTIN-8, -12, -13 and -14 with a right check digit are one number written at four lengths, so they are brought
to 14 digits; anything else compares as trimmed text. https://www.gs1.org/services/how-calculate-check-digit-manually
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from loop_whiplash.returns.model import ExpectedUnit, ReceivedUnit

__all__ = ["TIERS", "Ids", "carried", "compare", "conflicting", "label", "plain_barcode", "plain_text"]

Ids = tuple[str | None, int | None, str | None, str | None, str | None]
"""What one unit carries, in the order of `TIERS`; None where it carries nothing."""

TIERS = ("line", "item", "sku", "barcode", "variant")

T = TypeVar("T")

# Loop writes "N/A" and "" where it has nothing; exports of it change the case.
_NOTHING = frozenset({"", "n/a"})
_REMEMBERED = 50_000
_GTIN_LENGTHS = frozenset({8, 12, 13, 14})


def plain_text(value: Any) -> str | None:
    """Trimmed text in one Unicode form; None for what only says that there is nothing.

    >>> plain_text("  SHOE-42 "), plain_text("N/A"), plain_text("")
    ('SHOE-42', None, None)
    """
    if type(value) is str and value.isalnum() and value.isascii():
        return value  # most are
    if value is None:
        return None
    text = (value if isinstance(value, str) else str(value)).strip()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).strip()
    return None if text.casefold() in _NOTHING else text


def plain_barcode(value: Any) -> str | None:
    """A valid GTIN as 14 digits, anything else as trimmed text.

    >>> plain_barcode("036000291452"), plain_barcode("0036000291452"), plain_barcode("036000291453")
    ('00036000291452', '00036000291452', '036000291453')
    """
    text = plain_text(value)
    if text is None or len(text) not in _GTIN_LENGTHS or not (text.isascii() and text.isdigit()):
        return text
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(text[:-1])))
    return text.zfill(14) if (total + int(text[-1])) % 10 == 0 else text


def plain_sku(value: Any) -> str | None:
    """A SKU where case does not matter."""
    text = plain_text(value)
    return None if text is None else text.casefold()


class Remembered(dict[Any, T], Generic[T]):
    """A bounded memory of a pure function: the same few thousand SKUs come again in every return."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        super().__init__()
        self.function = function

    def __missing__(self, value: Any) -> T:
        if len(self) >= _REMEMBERED:
            self.clear()
        answer = self[value] = self.function(value)
        return answer


TEXTS = Remembered(plain_text)
BARCODES = Remembered(plain_barcode)
CASELESS = Remembered(plain_sku)


def carried(unit: ExpectedUnit | ReceivedUnit, ignore_case: bool) -> Ids:
    """What a unit carries, normalised."""
    return (
        plain_text(unit.line_id),
        unit.item_id,
        (CASELESS if ignore_case else TEXTS)[unit.sku],
        BARCODES[unit.barcode],
        TEXTS[unit.variant_id],
    )


def compare(expected: Ids, received: Ids) -> tuple[int, int] | None:
    """(tier, number of conflicts) of a possible pair; None when the two may not pair.

    >>> compare((None, 7, "A", "1", None), (None, None, "A", "2", None))
    (2, 1)
    """
    tier = -1
    conflicts = 0
    for kind, (one, other) in enumerate(zip(expected, received, strict=True)):
        if one is not None and other is not None:
            if one == other:
                if tier < 0:
                    tier = kind
            elif tier < 0:
                return None
            else:
                conflicts += 1
    return None if tier < 0 else (tier, conflicts)


def conflicting(expected: Ids, received: Ids) -> Iterator[int]:
    """The kinds on which a pair disagrees."""
    for kind in range(5):
        one, other = expected[kind], received[kind]
        if one is not None and other is not None and one != other:
            yield kind


def label(unit: ExpectedUnit | ReceivedUnit) -> str | None:
    """How people and `Finding.key` name a unit: the most readable identifier, as it was written but for the trim.

    It does not depend on the policy, and holds no title and nothing of the shopper.
    """
    sku = TEXTS[unit.sku]
    if sku is not None:
        return f"sku:{sku}"
    for prefix, value in (("barcode", unit.barcode), ("item", unit.item_id), ("variant", unit.variant_id), ("line", unit.line_id)):
        text = plain_text(value)
        if text is not None:
            return f"{prefix}:{text}"
    return None
