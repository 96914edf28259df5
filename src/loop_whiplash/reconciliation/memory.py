"""What is remembered of a million returns, in a hundred-odd bytes each.

A dictionary of bytes pays more for keys, values and headers than for what it holds. Here each return has a number; what
is known of it lies in arrays under that number, its records in pages of bytes, and an open-addressing table leads from
return id to number (linear probing, never more than two thirds full).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

__all__ = ["Memory"]

_PAGE = 20  # bits: a page is a megabyte
_IN_PAGE = (1 << _PAGE) - 1
_MIX = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio: ids in any rhythm spread evenly


class Memory:
    """Return id → number, and by number: its record, what was said last, and flags.

    `ids`, `versions`, `checksums` and `flags` are arrays by number, in the order of first sight; the last three are
    whoever's who uses them. A record is any bytes; it is ``b""`` until `put`.
    """

    def __init__(self) -> None:
        self.ids: array[int] = array("q")
        self.versions: array[float] = array("d")
        self.checksums: array[int] = array("I")
        self.flags: bytearray = bytearray()
        self._starts = array("Q")
        self._lengths = array("I")
        self._pages: list[bytes] = []
        self._page = bytearray()
        self._slots = array("I", bytes(4 * 64))
        self._mask = 63

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids)

    def find(self, return_id: int) -> int:
        """Its number, or -1."""
        mask, slots, ids = self._mask, self._slots, self.ids
        at = (return_id * _MIX >> 32) & mask
        while number := slots[at]:
            if ids[number - 1] == return_id:
                return number - 1
            at = (at + 1) & mask
        return -1

    def number(self, return_id: int) -> int:
        """Its number, given on first sight. Raises `OverflowError` for an id beyond 63 bits."""
        mask, slots, ids = self._mask, self._slots, self.ids
        at = (return_id * _MIX >> 32) & mask
        while number := slots[at]:
            if ids[number - 1] == return_id:
                return number - 1
            at = (at + 1) & mask
        ids.append(return_id)
        self.versions.append(0.0)
        self.checksums.append(0)
        self.flags.append(0)
        self._starts.append(0)
        self._lengths.append(0)
        slots[at] = len(ids)
        if 3 * len(ids) > 2 * mask:
            self._grow()
        return len(ids) - 1

    def _grow(self) -> None:
        self._mask = mask = 2 * self._mask + 1
        self._slots = slots = array("I", bytes(4)) * (mask + 1)
        for number, return_id in enumerate(self.ids, 1):
            at = (return_id * _MIX >> 32) & mask
            while slots[at]:
                at = (at + 1) & mask
            slots[at] = number

    def record(self, number: int) -> bytes:
        """The bytes last put under this number."""
        start = self._starts[number]
        page, within = start >> _PAGE, start & _IN_PAGE
        held = self._pages[page] if page < len(self._pages) else self._page
        return bytes(held[within : within + self._lengths[number]])

    def put(self, number: int, record: bytes) -> None:
        """Remember these bytes; the ones before stay where they are, unreachable."""
        page = self._page
        if page and len(page) + len(record) > _IN_PAGE:
            self._pages.append(bytes(page))
            page = self._page = bytearray()
        self._starts[number] = len(self._pages) << _PAGE | len(page)
        self._lengths[number] = len(record)
        page += record
